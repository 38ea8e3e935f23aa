"""The training loop: restarts in one batched pass, early stopping, then a quasi-Newton polish."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state
from tqdm import tqdm

from icnn.learn.model import AbstractConvexModel, seeded
from icnn.learn.weights import NonNegative

Weights = dict[str, Tensor]


@final
@dataclass(frozen=True)
class Budget:
    """How long to train: Adam steps, then L-BFGS iterations, each with its patience."""

    steps: int = 3000
    batch_size: int = 256
    learning_rate: float = 1e-2
    every: int = 25  # steps between evaluations
    patience: int = 40  # evaluations without progress
    polish: int = 300
    polish_patience: int = 30


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Standardised rows: inputs (N, n), target (N,) and weight (N,)."""

    x: Tensor
    y: Tensor
    w: Tensor

    def rows(self, index: Tensor) -> Split:
        return Split(self.x[index], self.y[index], self.w[index])

    def to(self, dtype: torch.dtype) -> Split:
        return Split(self.x.to(dtype), self.y.to(dtype), self.w.to(dtype))


@final
@dataclass(frozen=True, eq=False)
class Trace:
    """Losses at each evaluation: step, then train and validation by restart."""

    rows: list[tuple[int, list[float], list[float]]]


def restarts_of(model: AbstractConvexModel, count: int, seed: int) -> list[AbstractConvexModel]:
    """`count` copies of the model with fresh initial values, in float32."""
    copies = [copy.deepcopy(model).float() for _ in range(count)]
    for k, candidate in enumerate(copies):
        candidate.reset_parameters(seeded(1000 * seed + k))
    return copies


def centre(model: AbstractConvexModel, data: Split) -> None:
    """Move the output's mean onto the target's: without it a deep ICNN starts far off."""
    with torch.no_grad():
        model.shift_output((data.w * (data.y - model(data.x))).sum() / data.w.sum())


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
    losses = _batched_loss(models[0])
    floors = _floors(models[0])
    optimizer = torch.optim.Adam(params.values(), lr=budget.learning_rate)
    best = torch.full((len(models),), math.inf)
    kept = {name: value.detach().clone() for name, value in params.items()}
    trace, stale = Trace([]), 0
    generator = seeded(seed)
    bar = tqdm(range(1, budget.steps + 1), desc="fit", disable=_hidden(progress), leave=False)
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate * 0.5 * (1 + math.cos(math.pi * step / budget.steps))
        batch = train.rows(_batch(len(train.y), budget.batch_size, generator))
        optimizer.zero_grad(set_to_none=True)
        losses(params, batch).sum().backward()
        optimizer.step()
        _project(params, floors)
        if step % budget.every == 0 or step == budget.steps:
            with torch.no_grad():
                now, seen = losses(params, held_out), losses(params, train)
            trace.rows.append((step, seen.tolist(), now.tolist()))
            better = now < best
            stale = 0 if bool((now < best * (1 - 1e-3)).any()) else stale + 1
            best = torch.where(better, now, best)
            _keep(kept, params, better)
            bar.set_postfix(validation=f"{best.min().item():.2e}", refresh=False)
            if stale >= budget.patience:
                break
    weights = [{name: value[k] for name, value in kept.items()} for k in range(len(models))]
    return weights, best, trace


def polish(
    model: AbstractConvexModel, train: Split, held_out: Split, *, budget: Budget
) -> tuple[int, float]:
    """L-BFGS-B in float64 on the whole training part; keeps the best point on the hold-out."""
    import scipy.optimize

    params = dict(model.named_parameters())
    floors = _floors(model)
    low = np.concatenate([np.full(p.numel(), floors.get(k, -np.inf)) for k, p in params.items()])
    best = [_loss(model, held_out).item(), _flat(params), 0, 0]  # loss, point, at, now

    def value(point: np.ndarray) -> tuple[float, np.ndarray]:
        _assign(params, point)
        loss = _loss(model, train)
        return loss.item(), np.concatenate(
            [g.reshape(-1).numpy() for g in torch.autograd.grad(loss, list(params.values()))]
        )

    def watch(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        best[3] += 1
        _assign(params, intermediate_result.x)
        loss = _loss(model, held_out).item()
        if loss < best[0]:
            best[:3] = [loss, intermediate_result.x.copy(), best[3]]
        if best[3] - best[2] >= budget.polish_patience:
            raise StopIteration

    scipy.optimize.minimize(
        value,
        np.maximum(best[1], low),
        jac=True,
        method="L-BFGS-B",
        bounds=scipy.optimize.Bounds(low, np.inf) if floors else None,
        callback=watch,
        options={"maxiter": budget.polish, "maxcor": 20},
    )
    _assign(params, best[1])
    return best[2], best[0]


def _batched_loss(model: AbstractConvexModel) -> Callable[[Weights, Split], Tensor]:
    def one(params: Weights, x: Tensor) -> Tensor:
        return functional_call(model, params, (x,))

    every = torch.vmap(one, in_dims=(0, None))

    def losses(params: Weights, data: Split) -> Tensor:
        return (data.w * (every(params, data.x) - data.y).square()).sum(-1) / data.w.sum()

    return losses


def _loss(model: AbstractConvexModel, data: Split) -> Tensor:
    return (data.w * (model(data.x) - data.y).square()).sum() / data.w.sum()


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


@torch.no_grad()
def _keep(kept: Weights, params: Weights, better: Tensor) -> None:
    for name, value in params.items():
        mask = better.view(-1, *[1] * (value.ndim - 1))
        kept[name] = torch.where(mask, value, kept[name])


def _batch(rows: int, size: int, generator: torch.Generator) -> Tensor:
    if rows <= size:
        return torch.arange(rows)
    return torch.randint(rows, (size,), generator=generator)


def _flat(params: Weights) -> np.ndarray:
    return np.concatenate([p.detach().reshape(-1).numpy() for p in params.values()])


@torch.no_grad()
def _assign(params: Weights, point: np.ndarray) -> None:
    start = 0
    for p in params.values():
        p.copy_(torch.from_numpy(point[start : start + p.numel()]).view(p.shape))
        start += p.numel()


def _hidden(progress: bool | None) -> bool | None:
    """tqdm's own convention: None hides the bar where nobody looks (no terminal)."""
    return None if progress is None else not progress
