"""The training loop: restarts in one batched pass, early stopping, then a quasi-Newton polish."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, stack_module_state

from icnn.errors import BadData
from icnn.learn.model import AbstractConvexModel, positive_int, seeded
from icnn.learn.weights import NonNegative
from icnn.progress import bar

Array = NDArray[np.float64]
Weights = dict[str, Tensor]


@final
@dataclass(frozen=True)
class Budget:
    """How to train: restarts together under Adam, then L-BFGS on the best of them."""

    restarts: int = 4
    validation: float = 0.2  # share of the rows held out
    steps: int = 1500
    batch_size: int = 256
    learning_rate: float = 2e-2
    every: int = 25  # steps between evaluations
    patience: int = 40  # evaluations without progress
    polish: int = 300
    polish_patience: int = 30

    def __post_init__(self) -> None:
        for name in ("steps", "restarts", "batch_size", "every", "patience"):
            positive_int(f"Budget.{name}", getattr(self, name))
        if not 0 < self.validation < 1:
            raise BadData(f"Budget.validation is a share between 0 and 1, not {self.validation!r}")
        if not 0 < self.learning_rate < math.inf:
            raise BadData(f"Budget.learning_rate must be positive, not {self.learning_rate!r}")
        if not (self.polish >= 0 and self.polish_patience >= 1):
            raise BadData("Budget.polish must be at least 0 and its patience at least 1")


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Standardised rows: inputs (N, n), target (N,), weight (N,) and context (N, m)."""

    x: Tensor
    y: Tensor
    w: Tensor
    c: Tensor | None = None

    def rows(self, index: Tensor) -> Split:
        context = None if self.c is None else self.c[index]
        return Split(self.x[index], self.y[index], self.w[index], context)

    def double(self) -> Split:
        context = None if self.c is None else self.c.double()
        return Split(self.x.double(), self.y.double(), self.w.double(), context)


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
) -> tuple[list[Weights], Tensor, Trace]:
    """The best weights of each restart, their validation losses (restarts,), and the trace."""
    params, _ = stack_module_state(list(models))
    losses, floors = _batched_loss(models[0]), _floors(models[0])
    optimizer = torch.optim.Adam(params.values(), lr=budget.learning_rate)
    best, trace = _Best(params, len(models)), Trace([])
    generator = seeded(seed)
    shown = bar("fit", budget.steps, progress)
    for step in range(1, budget.steps + 1):
        shown.update()
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate * 0.5 * (1 + math.cos(math.pi * step / budget.steps))
        batch = train.rows(_batch(len(train.y), budget.batch_size, generator))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses(params, batch).sum())
        optimizer.step()
        _project(params, floors)
        if step % budget.every == 0 or step == budget.steps:
            with torch.no_grad():
                now, seen = losses(params, held_out), losses(params, train)
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


def polish(
    model: AbstractConvexModel, train: Split, held_out: Split, *, budget: Budget
) -> tuple[int, float]:
    """L-BFGS-B in float64 on the whole training part; keeps the best point on the hold-out.

    Returns the iteration it kept and its validation loss.
    """
    import scipy.optimize

    params, floors = list(model.parameters()), _floors(model)
    low = np.concatenate(
        [np.full(p.numel(), floors.get(name, -np.inf)) for name, p in model.named_parameters()]
    )
    watch = _Watch(model, held_out, budget.polish_patience)
    if budget.polish == 0:  # scipy makes one iteration even with maxiter=0
        return 0, watch.loss

    def value(point: Array) -> tuple[float, Array]:
        _assign(params, point)
        loss = _loss(model, train)
        return loss.item(), _flat(torch.autograd.grad(loss, params))

    scipy.optimize.minimize(
        value,
        np.maximum(watch.point, low),
        jac=True,
        method="L-BFGS-B",
        bounds=scipy.optimize.Bounds(low, np.inf) if floors else None,
        callback=watch,
        options={"maxiter": budget.polish, "maxcor": 20},
    )
    _assign(params, watch.point)
    return watch.kept_at, watch.loss


class _Watch:
    """Keeps the best point seen on the hold-out, and stops when nothing better comes."""

    def __init__(self, model: AbstractConvexModel, held_out: Split, patience: int) -> None:
        self.model, self.held_out, self.patience = model, held_out, patience
        self.point, self.loss = _flat(list(model.parameters())), _loss(model, held_out).item()
        self.kept_at = self.now = 0

    def __call__(self, point: Array) -> None:
        self.now += 1
        _assign(list(self.model.parameters()), point)
        loss = _loss(self.model, self.held_out).item()
        if loss < self.loss:
            self.point, self.loss, self.kept_at = point.copy(), loss, self.now
        if self.now - self.kept_at >= self.patience:
            raise StopIteration


def _batched_loss(model: AbstractConvexModel) -> Callable[[Weights, Split], Tensor]:
    def one(params: Weights, x: Tensor, context: Tensor | None) -> Tensor:
        f: Tensor = functional_call(model, params, (x, context))
        return f

    every = torch.vmap(one, in_dims=(0, None, None))

    def losses(params: Weights, data: Split) -> Tensor:
        error = every(params, data.x, data.c) - data.y
        return (data.w * error.square()).sum(-1) / data.w.sum()

    return losses


def _loss(model: AbstractConvexModel, data: Split) -> Tensor:
    error: Tensor = model(data.x, data.c) - data.y
    return (data.w * error.square()).sum() / data.w.sum()


def _floors(model: AbstractConvexModel) -> dict[str, float]:
    """Least raw values of the projected weights, by parameter name."""
    return {
        f"{name}.raw": module.positivity.floor
        for name, module in model.named_modules()
        if isinstance(module, NonNegative) and module.positivity.floor > -math.inf
    }


@torch.no_grad()
def _project(params: Weights, floors: dict[str, float]) -> None:
    for name, floor in floors.items():
        params[name].clamp_(min=floor)


def _batch(rows: int, size: int, generator: torch.Generator) -> Tensor:
    if rows <= size:
        return torch.arange(rows)
    return torch.randint(rows, (size,), generator=generator)


def _flat(tensors: Sequence[Tensor]) -> Array:
    return np.concatenate([t.detach().reshape(-1).numpy() for t in tensors])


@torch.no_grad()
def _assign(params: Sequence[Tensor], point: Array) -> None:
    start = 0
    for p in params:
        p.copy_(torch.from_numpy(point[start : start + p.numel()]).view(p.shape))
        start += p.numel()
