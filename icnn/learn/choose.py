"""Several models for one table: train each, then keep the best on the hold-out, or mix them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.atoms import PiecewiseLinear
from icnn.errors import BadData
from icnn.learn import train as training
from icnn.learn.additive import Additive
from icnn.learn.ficnn import FICNN
from icnn.learn.groups import Labels, held_out_rows
from icnn.learn.history import History
from icnn.learn.loss import Split, loss
from icnn.learn.model import AbstractConvexModel, seeded
from icnn.learn.picnn import PICNN
from icnn.learn.polish import polish
from icnn.learn.quadratic import Quadratic
from icnn.learn.sum import Sum
from icnn.learn.train import Budget

Array = NDArray[np.float64]
WIDTHS = ((16,), (32, 32), (64, 64), (128, 128))  # that hidden="auto" tries
LEAST_SHARE = 0.02  # of a model in a mixture; a smaller one makes it larger, not better
ROUNDING = 1e-15  # of the squares of rows in float32; a smaller loss says nothing
AUTO = Budget(steps=1000)  # of "auto"; models without kinks are polished to the end
AUTO_SMOOTH = Budget(steps=1000, polish=1000, polish_patience=100, polish_tolerance=1e-7)


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """How every model is trained."""

    budget: Budget
    smooth: Budget  # of models without kinks
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
    """The models that `fit("auto", ...)` mixes: kinks, separable, smooth with a quadratic.

    The quadratic is diagonal in one and full in another: the first needs fewer rows.

    Args:
        n: columns of x.
        m: numbers in the context.
    """
    if m == 0:
        smooth = FICNN(n, (32, 32), activation="softplus")
        quadratics = [Sum(smooth, Quadratic(n, kind)) for kind in ("diagonal", "full")]
        return [FICNN(n), Additive(n), *quadratics]
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
    budget = plan.budget if has_kinks(model) else plan.smooth
    count = 1 if plan.warm_start else budget.restarts
    with training.few_threads(
        budget.batch_size * count * sum(p.numel() for p in model.parameters())
    ):
        candidates = _candidates(model, kept, plan)
        weights, losses, trace = training.adam(
            candidates,
            kept,
            held_out,
            budget=budget,
            seed=plan.seed,
            progress=plan.progress,
            warm=plan.warm_start,
        )
        chosen = int(torch.argmin(losses))
        found = []
        for k in range(len(candidates)) if mix else [chosen]:
            one = candidates[k].double()
            one.load_state_dict({name: value.double() for name, value in weights[k].items()})
            steps, error = 0, float(losses[k])
            if k == chosen:
                steps, error = polish(one, kept.double(), held_out.double(), budget=budget)
            one.requires_grad_(False)
            found.append(Trained(one, error, history_of(trace, k, steps)))
    return found


def has_kinks(model: AbstractConvexModel) -> bool:
    """Whether a unit is piecewise linear: L-BFGS converges fast only where slopes have none."""
    m = model.n_context
    atoms = [layer.atom for layer in model.layers(torch.zeros(m) if m else None)]
    return any(isinstance(atom, PiecewiseLinear) and not atom.is_affine for atom in atoms)


def budgets_for(model: Any, budget: Budget | None) -> tuple[Budget, Budget]:
    """The budget of models with kinks and of those without: what was asked for, or the usual."""
    if budget is None and isinstance(model, str):
        return AUTO, AUTO_SMOOTH
    return budget or Budget(), budget or Budget()


def history_of(trace: training.Trace, chosen: int, polished: int) -> History:
    """The trace, of which one restart was kept."""
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
    """The mean with `shares` for weights: means of convex functions are convex."""
    data = held_out.double()
    weights = shares(np.array([one.loss for one in trained]), data.says_as_much_as())
    kept = [(one.model, float(w)) for one, w in zip(trained, weights, strict=True) if w]
    model = kept[0][0]
    if len(kept) > 1:
        model = Sum(*(one for one, _ in kept), weights=[w for _, w in kept])
    with torch.no_grad():
        error = float(loss(model, data))
    return Trained(model, error, trained[int(np.argmax(weights))].history)


def shares(losses: Array, rows: float) -> Array:
    """Weights (K,) that sum to one, in proportion to losses (K,) to the power −√(2 rows).

    A mean of so many squared errors is known to √(2 / rows) of itself; each such standard error
    costs a model a factor of e². So a hold-out of few rows keeps what it cannot tell apart, and
    one of many takes the best.
    """
    seen = np.maximum(losses, ROUNDING)
    weights = (seen.min() / seen) ** np.sqrt(2 * rows)
    weights = np.where(weights < LEAST_SHARE * weights.sum(), 0.0, weights)
    return np.asarray(weights / weights.sum())


def check_combine(combine: str | None, model: Any) -> str:
    """ "best" or "mix", or a sentence."""
    if combine is None:
        return "mix" if isinstance(model, str) else "best"
    if combine not in ("best", "mix"):
        raise BadData(f'combine is "best" or "mix", not {combine!r}')
    return combine
