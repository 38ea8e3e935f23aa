"""Decision, and the judge: value, violation and bound, recomputed alike for every solver."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.decide import certificate
from icnn.decide.certificate import Multipliers
from icnn.decide.program import Program
from icnn.decide.sets import Box
from icnn.network import Layer, Network, with_output

Array = NDArray[np.float64]
# of the gap, relative to the range of f, and of the violation, relative to the size of its row
TOLERANCE = 1e-6
NEAR = 1e-5  # of the half-width of a column: 3e-6 was seen where the gap was 2e-7 of the range
ULPS = 64  # units in the last place of f that a gap may always have
SOLVERS_WORD = (
    "The decision is optimal by the solver's own bound: whole numbers have no certificate here."
)


class Status(enum.Enum):
    """How a decision ended; the value is the sentence that the user reads."""

    OPTIMAL = "The decision is optimal: its value meets the certified bound."
    INFEASIBLE = "No point satisfies all constraints."
    UNBOUNDED = "Nothing bounds the objective inside the constraints."
    TIME_LIMIT = "The time limit came first; the decision is the best point found."
    INACCURATE = "A point was found, but it is not proved optimal: see gap and violation."
    BAD_DATA = "The row could not be read."


@final
@dataclass(frozen=True, eq=False, repr=False)
class Decision:
    """A decision with its proof.

    `gap` is the distance of value and bound in units of f, `violation` the largest miss of a bound,
    row or limit relative to its size, `scale` the range of f. Multipliers ("rows" (m,), "lower"
    (n,), "upper" (n,), and "limits" where functions are compared) are the change of the optimal
    value per unit of that right-hand side; NaN where there are integers. `certified` is false where
    the bound is the solver's own word. `program` is what `minimize` and `maximize` solved.
    """

    x: Array  # (n,)
    value: float
    bound: float
    gap: float
    violation: float
    status: Status
    message: str
    multipliers: Mapping[str, Array]
    solver: str
    seconds: float
    columns: tuple[str, ...]
    scale: float = 1.0
    certified: bool = True
    sense: str = "minimize"
    program: Program | None = None

    @property
    def success(self) -> bool:
        """Whether gap and violation are within 1e-6 of the range of f and of each row.

        A gap of 64 units in the last place of f passes too: f is not known better.
        """
        return self.status is Status.OPTIMAL

    @property
    def x_named(self) -> dict[str, float]:
        """The decision by column name."""
        return dict(zip(self.columns, self.x.tolist(), strict=True))

    def __repr__(self) -> str:
        width = max(map(len, self.columns))
        lines = [f"{self.sense}: {self.status.name.lower()} ({self.solver}, {self.seconds:.3g} s)"]
        lines += [f"  {name:<{width}} = {value:.6g}" for name, value in self.x_named.items()]
        side = "≤" if self.sense == "maximize" else "≥"
        proof = "certified" if self.certified else "the solver's bound"
        lines.append(
            f"  value {self.value:.9g}; every feasible point has f {side} {self.bound:.9g}"
        )
        lines.append(f"  gap {self.gap:.2g} ({proof}), violation {self.violation:.2g}")
        return "\n".join([*lines, f"  {self.message}"])


def judge(
    program: Program,
    x: Array,
    proofs: Sequence[Multipliers],
    *,
    solver: str,
    seconds: float,
    out_of_time: bool = False,
    mip_bound: float | None = None,
) -> Decision:
    """Value, violation and bound of a point, by one rule; no solver's own figures are used.

    Args:
        program: what was asked.
        x: (n,) the solver's point.
        proofs: multipliers to try; the best bound counts.
        solver: the name to report.
        seconds: the time to report.
        out_of_time: whether the solver stopped at its limit.
        mip_bound: the bound of a solver for a program with integers, the only one there is.
    """
    value, violation = float(program.objective(x)), violation_of(program, x)
    scale = max(program.spread, float(program.parts[0].values.max()) - value)
    proofs = proofs or [active_multipliers(program, x)]
    m = certificate.lagrangian(program, proofs[0])
    bound = float(certificate.least(m, program.finite.lower, program.finite.upper))
    if value - bound > TOLERANCE * scale:  # a poor proof: perhaps the tangent at x does better
        for proof in [*proofs[1:], active_multipliers(program, x)]:
            bound = max(bound, certificate.bound(program, proof))
    bound = bound if mip_bound is None else mip_bound
    visible = len(program.columns)
    decision = Decision(
        x=x[:visible],
        value=value,
        bound=bound,
        gap=value - bound,
        violation=violation,
        status=Status.INACCURATE,
        message="",
        multipliers=_multipliers(program, x, m.slope, proofs[0]),
        solver=solver,
        seconds=seconds,
        columns=program.columns,
        scale=scale,
        certified=mip_bound is None,
    )
    return decide_status(decision, out_of_time=out_of_time)


def decide_status(decision: Decision, *, out_of_time: bool = False) -> Decision:
    """The one rule of success applied to a decision."""
    done = closed(decision.gap, decision.scale, decision.value, decision.violation)
    status = Status.OPTIMAL if done else Status.TIME_LIMIT if out_of_time else Status.INACCURATE
    message = status.value if decision.certified or not done else SOLVERS_WORD
    return replace(decision, status=status, message=message)


def closed(gap: Any, scale: Any, value: Any, violation: Any) -> Any:
    """The one rule of success, on gap and violation alone; ULPS is what f itself is known to."""
    if isinstance(value, float) and math.isfinite(value):  # a number at a time: 0.4 µs, not 6
        known = max(TOLERANCE * scale, ULPS * math.ulp(value))
        return abs(gap) <= known and violation <= TOLERANCE
    allowed = np.maximum(TOLERANCE * scale, ULPS * np.spacing(np.abs(value)))
    return (np.abs(gap) <= allowed) & (violation <= TOLERANCE)


def failed(
    program: Program, status: Status, message: str, *, solver: str, seconds: float
) -> Decision:
    """A decision without a point: infeasible or unbounded."""
    limit = np.inf if status is Status.INFEASIBLE else -np.inf
    rows = len(program.rows.lower) if program.named_rows is None else program.named_rows
    nothing = {"rows": np.full(rows, np.nan)}
    if program.learned:
        nothing["limits"] = np.full(len(program.learned), np.nan)
    nothing |= {side: np.full(len(program.columns), np.nan) for side in ("lower", "upper")}
    return Decision(
        x=np.full(len(program.columns), np.nan),
        value=limit,
        bound=limit,
        gap=np.nan,
        violation=np.nan,
        status=status,
        message=message,
        multipliers=nothing,
        solver=solver,
        seconds=seconds,
        columns=program.columns,
        certified=False,
    )


def violation_of(program: Program, x: Array) -> float:
    """The largest miss of anything that limits x, relative to the size of what is missed."""
    half = program.reach[1]
    size = np.where(half > 0, half, np.maximum(np.abs(x), program.kinks[1]))
    misses = [np.maximum(program.box.lower - x, x - program.box.upper) / size]
    misses.append(np.abs(x - np.round(x))[program.integral])
    if len(program.rows.lower):
        at, weight = program.rows.A @ x, abs(program.rows.A) @ size
        miss = np.maximum(program.rows.lower - at, at - program.rows.upper)
        misses.append(miss / np.where(weight > 0, weight, 1.0))
    misses.append(np.array([cone.miss(x, size) for cone in program.cones]))
    for part, learned in zip(program.parts[1:], program.learned, strict=True):
        excess = float(learned.function(x)) - learned.limit
        misses.append(np.array([excess / max(part.spread, abs(learned.limit) * 1e-9)]))
    worst = np.concatenate(misses).max(initial=0.0)
    return float(worst) if worst == worst else float("inf")


def active_multipliers(program: Program, x: Array) -> Multipliers:
    """Those of a subgradient of f at x, for a backward pass; nothing presses but the bounds."""
    layers = with_output(program.objective)
    b = [layer.b.clone().requires_grad_() for layer in layers]
    network = Network._unchecked(
        tuple(Layer(k.atom, k.V, bias, k.W) for k, bias in zip(layers, b, strict=True))
    )
    with torch.enable_grad():
        value = network(torch.from_numpy(x))
        grads = torch.autograd.grad(value, b, allow_unused=True, materialize_grads=True)
    return Multipliers(
        (tuple(g.numpy() for g in grads), *(() for _ in program.learned)),
        np.zeros(len(program.rows.lower)),
        np.zeros(len(program.learned)),
        tuple(np.zeros(len(cone.b)) for cone in program.cones),
    )


def bound_multipliers(x: Array, box: Box, half: Array, slope: Array) -> tuple[Array, Array]:
    """Those of lower and upper ends, (..., n) each: the slope that is left where x is at an end.

    An interior point stops short of its bounds, by its gap over that slope, so what is within
    NEAR of the half-width counts; a column that is held (half 0) is at both ends.
    """
    near = np.where(half > 0, NEAR * half, 1e-9 * np.abs(x))
    at_lower, at_upper = x - near <= box.lower, x + near >= box.upper
    lower, upper = np.maximum(slope, 0.0), np.minimum(slope, 0.0)
    return np.where(at_lower, lower, 0.0), np.where(at_upper, upper, 0.0)


def _multipliers(program: Program, x: Array, slope: Array, proof: Multipliers) -> dict[str, Array]:
    n, rows = len(program.columns), program.named_rows
    lower, upper = bound_multipliers(x, program.box, program.reach[1], slope)
    found = {
        "rows": proof.y if rows is None else proof.y[:rows],
        "lower": lower[:n],
        "upper": upper[:n],
    }
    if program.learned:
        found["limits"] = 0.0 - proof.mu * [limit.sign for limit in program.learned]
    if program.integral.any():
        return {name: np.full(len(values), np.nan) for name, values in found.items()}
    return found
