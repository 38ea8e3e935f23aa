"""The training loop: restarts in one batched pass of Adam, each stopped early on the hold-out."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import final

import torch
from torch import Tensor

from icnn.errors import BadData
from icnn.learn.loss import Split, Weights, batched_loss
from icnn.learn.model import AbstractConvexModel, positive_int, seeded
from icnn.learn.weights import NonNegative
from icnn.progress import bar


@final
@dataclass(frozen=True)
class Budget:
    """How to train: restarts together under Adam, then L-BFGS on the best of them.

    The k-th restart has the k-th weight decay, in turn: the hold-out chooses how smooth f is.
    """

    restarts: int = 4
    decay: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0)  # decoupled, of free weight matrices
    validation: float = 0.2  # share of the rows held out
    steps: int = 1500
    batch_size: int = 256
    learning_rate: float = 2e-2
    every: int = 25  # steps between evaluations
    patience: int = 40  # evaluations without progress
    polish: int = 300
    polish_patience: int = 30
    polish_tolerance: float = 1e-5  # ends it: a slope below, or progress below 2e-4 of it

    def __post_init__(self) -> None:
        for name in ("steps", "restarts", "batch_size", "every", "patience"):
            positive_int(f"Budget.{name}", getattr(self, name))
        if not 0 < self.validation < 1:
            raise BadData(f"Budget.validation is a share between 0 and 1, not {self.validation!r}")
        if not 0 < self.learning_rate < math.inf:
            raise BadData(f"Budget.learning_rate must be positive, not {self.learning_rate!r}")
        self._check_decay()
        if not (self.polish >= 0 and self.polish_patience >= 1):
            raise BadData("Budget.polish must be at least 0 and its patience at least 1")
        ends = self.polish_tolerance
        if isinstance(ends, bool) or not isinstance(ends, Real) or not 0 <= ends < math.inf:
            raise BadData(f"Budget.polish_tolerance is a number of at least 0, not {ends!r}")

    def _check_decay(self) -> None:
        try:
            decay = tuple(map(float, self.decay))
        except (TypeError, ValueError):
            decay = ()
        if not (decay and all(0 <= d < math.inf for d in decay)):
            raise BadData(f"Budget.decay lists numbers of at least 0, not {self.decay!r}")
        if max(decay) * self.learning_rate > 1:  # a step would turn the weights round
            most = 1 / self.learning_rate
            raise BadData(
                f"Budget.decay {max(decay):g} is too much; at learning_rate "
                f"{self.learning_rate:g} give at most {most:g}"
            )
        object.__setattr__(self, "decay", decay)


@final
@dataclass(frozen=True, eq=False)
class Trace:
    """Losses at each evaluation: step, then train and validation by restart."""

    rows: list[tuple[int, list[float], list[float]]]


@contextmanager
def few_threads(work: int) -> Iterator[None]:
    """One torch thread for a while if a step has few products (`work`).

    More threads gain nothing there, and on busy cores they wait for each other: a fit of 64x2 was
    30 times slower with two.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < 2**25 else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def restarts_of(model: AbstractConvexModel, count: int, seed: int) -> list[AbstractConvexModel]:
    """`count` copies of the model with fresh initial values, in float32."""
    copies = [copy.deepcopy(model).float().requires_grad_(True) for _ in range(count)]
    for k, candidate in enumerate(copies):
        candidate.reset_parameters(seeded((1000 * seed + k) % 2**53))
    return copies


def centre(model: AbstractConvexModel, data: Split) -> None:
    """Move the output's mean onto the target's: without it a deep ICNN starts far off."""
    with torch.no_grad():
        model.shift_output((data.w * (data.y - model(data.x, data.c))).sum() / data.w.sum())


def adam(
    models: list[AbstractConvexModel],
    train: Split,
    held_out: Split,
    *,
    budget: Budget,
    seed: int,
    progress: bool | None,
    warm: bool = False,
) -> tuple[list[Weights], Tensor, Trace]:
    """The best weights of each restart, their validation losses (restarts,), and the trace.

    The weights that a `warm` start begins with may be the best.
    """
    (params, losses), floors = batched_loss(models), floors_of(models[0])
    decay = torch.tensor([budget.decay[k % len(budget.decay)] for k in range(len(models))])
    optimizer = torch.optim.Adam(params.values(), lr=budget.learning_rate, fused=True)
    best, trace = _Best(params, len(models)), Trace([])
    generator = seeded(seed)
    if warm:
        with torch.no_grad():
            best.update(params, losses(held_out))
    shown = bar("fit", budget.steps, progress)
    for step in range(1, budget.steps + 1):
        shown.update()
        rate = budget.learning_rate * 0.5 * (1 + math.cos(math.pi * step / budget.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = train  # all of it, if it is not more than a batch
        if len(train.y) > budget.batch_size:
            index = torch.randint(len(train.y), (budget.batch_size,), generator=generator)
            batch = train.rows(index)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses(batch).sum())
        optimizer.step()
        _shrink(params, 1 - rate * decay)
        _project(params, floors)
        if step % budget.every == 0 or step == budget.steps:
            with torch.no_grad():
                now, seen = losses(held_out), losses(train)
            trace.rows.append((step, seen.tolist(), now.tolist()))
            best.update(params, now)
            shown.set_postfix(validation=f"{best.loss.min().item():.2e}", refresh=False)
            if best.stale >= budget.patience:
                break
    shown.close()
    return best.weights(), best.loss, trace


class _Best:
    """The best weights of each restart on the hold-out, and how long ago any improved."""

    def __init__(self, params: Weights, restarts: int) -> None:
        self.loss, self.stale = torch.full((restarts,), math.inf), 0
        self.kept = {name: value.detach().clone() for name, value in params.items()}

    @torch.no_grad()
    def update(self, params: Weights, loss: Tensor) -> None:
        better = loss < self.loss
        self.stale = 0 if bool((loss < self.loss * (1 - 1e-3)).any()) else self.stale + 1
        self.loss = torch.where(better, loss, self.loss)
        for name, value in params.items():
            mask = better.view(-1, *[1] * (value.ndim - 1))
            self.kept[name] = torch.where(mask, value, self.kept[name])

    def weights(self) -> list[Weights]:
        return [{name: v[k] for name, v in self.kept.items()} for k in range(len(self.loss))]


def floors_of(model: AbstractConvexModel) -> dict[str, float]:
    """Least raw values of the projected weights, by parameter name."""
    return {
        f"{name}.raw": module.positivity.floor
        for name, module in model.named_modules()
        if isinstance(module, NonNegative) and module.positivity.floor > -math.inf
    }


@torch.no_grad()
def _shrink(params: Weights, factor: Tensor) -> None:
    """Times a factor a restart; biases, and weights that a map keeps positive, stay."""
    if bool((factor == 1).all()):
        return
    for name, value in params.items():
        if value.ndim > 2 and "raw" not in name.split("."):
            value.mul_(factor.view(-1, *[1] * (value.ndim - 1)))


@torch.no_grad()
def _project(params: Weights, floors: dict[str, float]) -> None:
    for name, floor in floors.items():
        params[name].clamp_(min=floor)
