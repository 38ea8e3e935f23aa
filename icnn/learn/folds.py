"""Few rows: each is held out once, and a kind of model is the mean of its best of every fold."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icnn.learn import train as training
from icnn.learn.choose import Plan, Trained, has_kinks, history_of, shares, train_all
from icnn.learn.groups import folded
from icnn.learn.loss import Split, loss
from icnn.learn.model import AbstractConvexModel
from icnn.learn.polish import polish
from icnn.learn.sum import Sum

Array = NDArray[np.float64]
FEW, MOST = 10, 10  # rows of a hold-out, of which fewer choose by chance; folds


def train_any(
    models: Sequence[AbstractConvexModel], data: Split, plan: Plan, *, mix: bool
) -> Trained:
    """With `mix` and few rows a committee; else the best or a mixture on one hold-out."""
    out = folds_of(len(data.y), plan) if mix else None
    if out is None:
        return train_all(models, data, plan, mix=mix)
    return committee(models, data, out, plan)


def folds_of(rows: int, plan: Plan) -> Tensor | None:
    """Which rows each fold holds out, (folds, rows); None where one hold-out has rows enough."""
    share = plan.budget.validation
    labels = np.arange(rows) if plan.groups is None else plan.groups
    count = min(round(1 / share), MOST, len(np.unique(labels)))
    if round(share * rows) >= FEW or rows > plan.budget.batch_size or count < 2:
        return None
    fold = folded(labels, count, plan.seed)
    return torch.from_numpy(fold == np.arange(count)[:, None])


def committee(
    models: Sequence[AbstractConvexModel], data: Split, out: Tensor, plan: Plan
) -> Trained:
    """The mean over the folds of a mixture of the kinds of model.

    The weight of a kind comes from the errors of all rows, each by the model that did not see it:
    so many rows tell the kinds apart, and every row is learned from.
    """
    kinds = [_train(model, data, out, plan) for model in models]
    held = [data.rows(rows).double() for rows in map(_where, out)]
    mass = np.array([float(part.w.sum()) for part in held])
    mass /= mass.sum()
    pooled = np.array([[one.loss for one in kind] for kind in kinds]) @ mass
    weights = shares(pooled, data.says_as_much_as())
    with torch.no_grad():
        errors = [
            float(loss(_mean([one.model for one in members], weights), part))
            for members, part in zip(zip(*kinds, strict=True), held, strict=True)
        ]
    model = _mean([one.model for kind in kinds for one in kind], np.repeat(weights, len(out)))
    first = min(kinds[int(np.argmax(weights))], key=lambda one: one.loss)
    return Trained(model, float(mass @ errors), first.history)


def _mean(models: Sequence[AbstractConvexModel], weights: Array) -> AbstractConvexModel:
    kept = [(one, w) for one, w in zip(models, weights / weights.sum(), strict=True) if w]
    return Sum(*(one for one, _ in kept), weights=[float(w) for _, w in kept])


def _where(mask: Tensor) -> Tensor:
    return torch.nonzero(mask).squeeze(1)


def _train(model: AbstractConvexModel, data: Split, out: Tensor, plan: Plan) -> list[Trained]:
    """The best restart of each fold, polished; those of all folds train in one batch."""
    budget = plan.budget if has_kinks(model) else plan.smooth
    restarts = 1 if plan.warm_start else budget.restarts
    decay = tuple(budget.decay[k % len(budget.decay)] for k in range(restarts))
    of_each = out.repeat_interleave(restarts, 0)
    work = of_each.numel() * sum(p.numel() for p in model.parameters())
    with training.few_threads(work):
        candidates = _candidates(model, data, of_each, plan)
        weights, losses, trace = training.adam(
            candidates,
            replace(data, w=data.w * ~of_each),
            replace(data, w=data.w * of_each),
            budget=replace(budget, decay=decay),  # the same in each fold
            seed=plan.seed,
            progress=plan.progress,
            warm=plan.warm_start,
        )
        found = []
        for fold, mask in enumerate(out):
            k = fold * restarts + int(losses.view(len(out), restarts)[fold].argmin())
            one = candidates[k].double()
            one.load_state_dict({name: value.double() for name, value in weights[k].items()})
            kept, held_out = data.rows(_where(~mask)), data.rows(_where(mask))
            steps, error = polish(one, kept.double(), held_out.double(), budget=budget)
            found.append(Trained(one.requires_grad_(False), error, history_of(trace, k, steps)))
    return found


def _candidates(
    model: AbstractConvexModel, data: Split, of_each: Tensor, plan: Plan
) -> list[AbstractConvexModel]:
    """One a row of `of_each`, centred on the rows that it does not hold out."""
    if plan.warm_start:
        return [copy.deepcopy(model).float().requires_grad_(True) for _ in of_each]
    candidates = training.restarts_of(model, len(of_each), plan.seed)
    for candidate, mask in zip(candidates, of_each, strict=True):
        training.centre(candidate, data.rows(_where(~mask)))
    return candidates
