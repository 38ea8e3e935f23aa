"""Several models for one table: train each, then keep the best on the hold-out, or mix them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData
from icnn.learn import train as training
from icnn.learn.additive import Additive
from icnn.learn.ficnn import FICNN
from icnn.learn.groups import Labels, held_out_rows
from icnn.learn.history import History
from icnn.learn.loss import Split
from icnn.learn.model import AbstractConvexModel, seeded
from icnn.learn.picnn import PICNN
from icnn.learn.polish import polish
from icnn.learn.quadratic import Quadratic
from icnn.learn.sum import Sum
from icnn.learn.train import Budget

Array = NDArray[np.float64]
WIDTHS = ((16,), (32, 32), (64, 64), (128, 128))  # that hidden="auto" tries
LEAST_SHARE = 0.02  # of a model in a mixture; a smaller one makes it larger, not better


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """How every model is trained."""

    budget: Budget
    seed: int
    warm_start: bool = False
    progress: bool | None = None
    groups: Labels | None = None  # (N,) of the rows, held out whole


@final
@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model in float64, its loss on the hold-out and how it got there."""

    model: AbstractConvexModel
    loss: float
    history: History


def candidates_for(n: int, m: int) -> list[AbstractConvexModel]:
    """The models that `fit("auto", ...)` mixes: kinks, smooth with a quadratic, separable.

    Args:
        n: columns of x.
        m: numbers in the context.
    """
    if m == 0:
        smooth = FICNN(n, (32, 32), activation="softplus")
        return [FICNN(n), Sum(smooth, Quadratic(n)), Additive(n)]
    smooth_given = PICNN(n, m, activation="softplus")
    return [PICNN(n, m), Sum(smooth_given, Quadratic(n, n_context=m, context_hidden=(64,)))]


def spelled_out(model: AbstractConvexModel) -> list[AbstractConvexModel]:
    """The models that hidden="auto" stands for, or the model itself."""
    if model.config.get("hidden") != "auto":
        return [model]
    return [type(model)(**{**model.config, "hidden": list(sizes)}) for sizes in WIDTHS]


def train_all(
    models: Sequence[AbstractConvexModel], data: Split, plan: Plan, *, mix: bool
) -> Trained:
    """The best of the models on one hold-out, or with `mix` the weighted mean of all restarts."""
    held_out, kept = _split(data, plan)
    trained = [one for model in models for one in _train(model, kept, held_out, plan, mix=mix)]
    return mixed(trained, held_out) if mix else best(trained)


def _train(
    model: AbstractConvexModel, kept: Split, held_out: Split, plan: Plan, *, mix: bool
) -> list[Trained]:
    """The best restart of a model, polished, and with `mix` the others as they are."""
    budget = plan.budget
    count = 1 if plan.warm_start else budget.restarts
    with training.few_threads(
        budget.batch_size * count * sum(p.numel() for p in model.parameters())
    ):
        candidates = _candidates(model, kept, plan)
        weights, losses, trace = training.adam(
            candidates, kept, held_out, budget=budget, seed=plan.seed, progress=plan.progress
        )
        chosen = int(torch.argmin(losses))
        found = []
        for k in range(len(candidates)) if mix else [chosen]:
            one = candidates[k].double()
            one.load_state_dict({name: value.double() for name, value in weights[k].items()})
            steps, loss = 0, float(losses[k])
            if k == chosen:
                steps, loss = polish(one, kept.double(), held_out.double(), budget=budget)
            one.requires_grad_(False)
            found.append(Trained(one, loss, _history(trace, k, steps)))
    return found


def _history(trace: training.Trace, chosen: int, polished: int) -> History:
    step, train, held = (np.array(part, dtype=float) for part in zip(*trace.rows, strict=True))
    return History(step, train, held, chosen, polished)


def _candidates(model: AbstractConvexModel, data: Split, plan: Plan) -> list[AbstractConvexModel]:
    """Copies with fresh, centred initial values; the model's own weights for a warm start."""
    if plan.warm_start:
        return [copy.deepcopy(model).float().requires_grad_(True)]
    candidates = training.restarts_of(model, plan.budget.restarts, plan.seed)
    for candidate in candidates:
        training.centre(candidate, data)
    return candidates


def _split(data: Split, plan: Plan) -> tuple[Split, Split]:
    """Held-out and kept rows."""
    rows, share = len(data.y), plan.budget.validation
    if plan.groups is not None:
        held_out, kept = held_out_rows(plan.groups, share, plan.seed)
        return data.rows(held_out), data.rows(kept)
    order = torch.randperm(rows, generator=seeded(plan.seed))
    count = min(max(1, round(share * rows)), rows - 2)
    return data.rows(order[:count]), data.rows(order[count:])


def best(trained: Sequence[Trained]) -> Trained:
    """The one of least loss on the hold-out."""
    return min(trained, key=lambda one: one.loss)


def mixed(trained: Sequence[Trained], held_out: Split) -> Trained:
    """The weighted mean of least squares on the hold-out: means of convex functions are convex."""
    with torch.no_grad():
        seen = [one.model(held_out.x.double(), _double(held_out.c)).numpy() for one in trained]
    target, weight = held_out.y.double().numpy(), held_out.w.double().numpy()
    shares = simplex_least_squares(np.column_stack(seen), target, weight)
    shares = np.where(shares < LEAST_SHARE, 0.0, shares)
    shares /= shares.sum()
    error = np.average(np.square(np.column_stack(seen) @ shares - target), weights=weight)
    kept = [(one.model, float(share)) for one, share in zip(trained, shares, strict=True) if share]
    model = kept[0][0]
    if len(kept) > 1:
        model = Sum(*(one for one, _ in kept), weights=[share for _, share in kept])
    return Trained(model, float(error), trained[int(np.argmax(shares))].history)


def simplex_least_squares(A: Array, b: Array, weight: Array) -> Array:
    """The s ≥ 0 with Σ s = 1 that minimises Σ weight (A s − b)²; A (N, K), b and weight (N,)."""
    from scipy.optimize import nnls

    root = np.sqrt(weight / weight.sum())[:, None]
    away = root * (A - b[:, None])  # as Σ s = 1, A s − b is (A − b 1ᵀ) s
    firm = 1e4 * max(1e-12, float(np.linalg.norm(away)))
    s, _ = nnls(np.vstack([away, np.full((1, A.shape[1]), firm)]), np.r_[np.zeros(len(b)), firm])
    return np.asarray(s / s.sum())


def _double(values: torch.Tensor | None) -> torch.Tensor | None:
    return None if values is None else values.double()


def check_combine(combine: str | None, model: Any) -> str:
    """ "best" or "mix", or a sentence."""
    if combine is None:
        return "mix" if isinstance(model, str) else "best"
    if combine not in ("best", "mix"):
        raise BadData(f'combine is "best" or "mix", not {combine!r}')
    return combine
