"""PrimalDual: Newton's method on smoothed ReLU networks, many rows at once, on CPU or CUDA."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icnn.atoms import PiecewiseLinear
from icnn.decide.batch import Batch, judge_batch
from icnn.decide.certificate import Multipliers
from icnn.decide.flat import Flat, flat, not_flat
from icnn.decide.kernel import library
from icnn.decide.program import Program
from icnn.decide.prune import expanded
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.highs import HiGHS
from icnn.decide.solvers.newton import Newton
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome, check_limits
from icnn.decide.solvers.stages import Stages, stages_of
from icnn.errors import BadData

Array = NDArray[np.float64]
NUMBERS = 2**26  # in the Jacobians of the rows that run together


@final
@dataclass(frozen=True)
class PrimalDual(AbstractSolver):
    """Smoothed ReLU units, primal-dual Newton steps on all rows at once, and exact vertices.

    What it does not close is finished by the bundle. Meant for large batches on a GPU: on a CPU the
    bundle alone is faster.

    Args:
        device: "cpu", "cuda" or "cuda:1"; in float64 on each.
        tolerance: of the gap at which a row is done, relative to the range of f.
        steps: of Newton's method at most.
        seconds: time limit.
        rows: at most that run together; fewer where the network is large.
    """

    device: str = "cpu"
    tolerance: float = 1e-6
    steps: int = 50
    seconds: float = math.inf
    rows: int = 4096

    def __post_init__(self) -> None:
        limits = {"steps": self.steps, "seconds": self.seconds, "rows": self.rows}
        check_limits("PrimalDual", tolerance=self.tolerance, **limits)
        kind, _, number = str(self.device).partition(":")
        if kind not in ("cpu", "cuda") or not (number or "0").isdigit():
            raise BadData(f'PrimalDual(device={self.device!r}): it is "cpu", "cuda" or "cuda:1"')

    def refusal(self, program: Program) -> str | None:
        reason = self._no_device() or not_flat(program) or _not_boxed_relu(program)
        return None if reason is None else f"PrimalDual: {reason}"

    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        began = time.perf_counter()
        batch = Batch.of(program)
        x, slopes = self.search(flat(batch), seconds)
        if not judge_batch(batch, x, slopes, np.zeros((1, 0))).optimal[0]:
            left = max(min(self.seconds, seconds) - (time.perf_counter() - began), 1e-3)
            other = Bundle() if library() is not None else HiGHS()
            return replace(other.solve(program, seconds=left), solver=type(other).__name__)
        full = tuple(s[0] for s in expanded(slopes, program.lines, batch.kept))
        proof = Multipliers((full,), np.zeros(0), np.zeros(0), ())
        return Answer(Outcome.POINT, x[0], proof)

    def search(self, arrays: Flat, seconds: float = math.inf) -> tuple[Array, list[Array]]:
        """Decisions (B, n) and what proves them, slopes (B, rows) a layer; none is promised."""
        size, n, units = arrays.batch.size, arrays.batch.n, int(arrays.net.rows[-1])
        until = time.perf_counter() + min(self.seconds, seconds)
        with torch.inference_mode():
            stages = stages_of(arrays, torch.device(self.device))
            if units == 0:
                return arrays.x(-np.sign(stages.c.cpu().numpy())), arrays.slopes(
                    np.zeros((size, 0))
                )
            together = int(np.clip(NUMBERS // (n * units), 1, self.rows))
            parts = torch.split(torch.arange(size, device=stages.c.device), together)
            found = [self._run(stages.rows(part), len(part), until) for part in parts]
        t, u = (torch.cat(values).cpu().numpy() for values in zip(*found, strict=True))
        return arrays.x(t), arrays.slopes(u)

    def _run(self, stages: Stages, size: int, until: float) -> tuple[Tensor, Tensor]:
        """Points (size, n) and multipliers (size, units) of rows that run together."""
        newton = Newton(stages, size)
        t = stages.c.new_zeros(size, stages.c.shape[1])
        u = stages.c.new_zeros(size, sum(len(stage.V) for stage in stages.stages))
        for step in range(1, self.steps + 1):
            last = step == self.steps or time.perf_counter() > until
            cross = step >= 6 and step % 2 == 0
            newton.step(cross or last)
            if cross or last:
                rows, *values = newton.leave(math.inf if last else self.tolerance)
                t[rows], u[rows] = values
            if last or not len(newton.rows):
                break
        return t, u

    def _no_device(self) -> str | None:
        kind, _, number = self.device.partition(":")
        if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
            return f'torch finds no device {self.device!r} here; use PrimalDual(device="cpu")'
        return None


def _not_boxed_relu(program: Program) -> str | None:
    if len(program.rows.lower):
        return "it takes bounds only, no linear rows"
    for k, line in enumerate(program.lines[:-1]):
        if not isinstance(line.atom, PiecewiseLinear) or len(line.atom.pieces) > 2:
            return f"layer {k}: it takes units of two linear pieces such as ReLU, not {line.atom}"
    return None
