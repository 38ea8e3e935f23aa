"""fit: a table becomes a `Surrogate`."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData
from icnn.learn import train as training
from icnn.learn.context import ContextEncoder, learn_encoder, read_contexts
from icnn.learn.history import History
from icnn.learn.model import AbstractConvexModel, check_seed, seeded
from icnn.learn.surrogate import Surrogate
from icnn.learn.table import read_column, read_table, read_weight
from icnn.learn.train import Budget, Split

Array = NDArray[np.float64]
LEAST_ROWS = 4
NOISE = 1e-12  # a column that varies less than this, relatively, is constant


def fit(
    model: AbstractConvexModel,
    X: Any,
    y: Any,
    *,
    context: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    concave: bool = False,
    warm_start: bool = False,
    columns: Sequence[str] | None = None,
    context_columns: Sequence[str] | None = None,
    budget: Budget | None = None,
    progress: bool | None = None,
) -> Surrogate:
    """Fit a copy of `model` to the rows of X and y by weighted least squares.

    X and y are standardised inside, so units do not matter. Every restart starts from its own
    initial values and its output is centred on the mean; all train together with Adam, stop early
    on a hold-out, and the best is polished with L-BFGS in float64.

    Args:
        model: any convex model; it stays as it is.
        X: (N, n) numpy array, torch tensor or pandas frame, whose column names are kept.
        y: (N,) the cost, or the gain with `concave=True`.
        context: (N, m) what f depends on but nobody decides, for a model with `n_context`. Numbers
            are standardised; a column of texts, categories or truth values gives one number for
            each of its categories.
        sample_weight: (N,) non-negative.
        seed: of initial values, hold-out and batches.
        concave: fit a concave function, as minus a convex one.
        warm_start: start from the model's own weights (one restart).
        columns: names of the columns of X, instead of its own.
        context_columns: names of the columns of the context, instead of its own.
        budget: restarts, hold-out, length and rate of the training.
        progress: show a progress bar; by default only in a terminal.

    Raises:
        BadData: the table is not usable; the message names column and row.
    """
    began = time.perf_counter()
    seed = check_seed(seed)
    inputs, names = read_table(X, columns)
    target = read_column(y, "y", len(inputs))
    weight = read_weight(sample_weight, len(inputs))
    given = read_contexts(context, context_columns, len(inputs))
    given = {name: entries[weight > 0] for name, entries in given.items()}
    inputs, target, weight = inputs[weight > 0], target[weight > 0], weight[weight > 0]
    _check(model, inputs, target, names)
    encoder = _encoder(model, given, weight, names)
    x_mean, x_scale = _scaler(inputs, weight)
    if concave:  # mirrored columns, so that a promised direction is that of f and not of -f
        x_scale = np.where(model.signed, -x_scale, x_scale)
    y_mean, y_scale = (float(v[0]) for v in _scaler(target[:, None], weight))
    sign = -1.0 if concave else 1.0
    data = Split(
        _rounded((inputs - x_mean) / x_scale),
        _rounded(sign * (target - y_mean) / y_scale),
        _rounded(weight),
        None if encoder is None else _rounded(encoder.encode(given)),
    )
    plan = budget or Budget()
    work = plan.batch_size * plan.restarts * sum(p.numel() for p in model.parameters())
    with training.few_threads(work):
        best, history = _train(
            model, data, seed, warm_start=warm_start, plan=plan, progress=progress
        )
    history = replace(history, seconds=time.perf_counter() - began)
    lower, upper = inputs.min(0), inputs.max(0)
    scalers = (x_mean, x_scale, y_mean, y_scale)
    return Surrogate(
        best, names, lower, upper, *scalers, concave=concave, encoder=encoder, history=history
    )


def _train(
    model: AbstractConvexModel,
    data: Split,
    seed: int,
    *,
    warm_start: bool,
    plan: Budget,
    progress: bool | None,
) -> tuple[AbstractConvexModel, History]:
    """The best restart in float64, polished, and what happened on the way."""
    held_out, kept = _split(data, plan.validation, seed)
    candidates = _candidates(model, kept, seed, None if warm_start else plan.restarts)
    weights, losses, trace = training.adam(
        candidates, kept, held_out, budget=plan, seed=seed, progress=progress
    )
    chosen = int(torch.argmin(losses))
    best = candidates[chosen].double()
    best.load_state_dict({name: value.double() for name, value in weights[chosen].items()})
    polished, _ = training.polish(best, kept.double(), held_out.double(), budget=plan)
    best.requires_grad_(False)
    step, train, held = (np.array(part, dtype=float) for part in zip(*trace.rows, strict=True))
    return best, History(step, train, held, chosen, polished)


def _candidates(
    model: AbstractConvexModel, data: Split, seed: int, restarts: int | None
) -> list[AbstractConvexModel]:
    """Copies with fresh, centred initial values; the model's own weights if there is no count."""
    if restarts is None:
        return [copy.deepcopy(model).float().requires_grad_(True)]
    candidates = training.restarts_of(model, restarts, seed)
    for candidate in candidates:
        training.centre(candidate, data)
    return candidates


def _check(model: AbstractConvexModel, X: Array, y: Array, names: tuple[str, ...]) -> None:
    if not isinstance(model, AbstractConvexModel):
        raise BadData(f"model must be a convex model such as icnn.FICNN(n), not {model!r}")
    if X.shape[1] != model.n_inputs:
        raise BadData(f"the model takes {model.n_inputs} columns, but X has {X.shape[1]}: {names}")
    if len(X) < LEAST_ROWS:
        raise BadData(f"the table has {len(X)} row(s); a fit needs at least {LEAST_ROWS}")
    for j, name in enumerate(names):
        if np.ptp(X[:, j]) <= NOISE * np.abs(X[:, j]).max():
            raise BadData(
                f"column {name!r} is constant ({X[0, j]}); leave it out, it decides nothing"
            )
    if y.min() == y.max():
        raise BadData(f"y is constant ({y[0]}); there is nothing to learn or to minimise")


def _encoder(
    model: AbstractConvexModel, given: dict[str, Any], weight: Array, names: tuple[str, ...]
) -> ContextEncoder | None:
    """The encoder of the context, if there is one and the model takes it."""
    if not given:
        if model.n_context:
            raise BadData(
                f"the model takes a context of {model.n_context} numbers; give fit(..., context=C)"
            )
        return None
    for name in given:
        if name in names:
            raise BadData(f"{name!r} is both a decision and a context column; rename one of them")
    encoder = learn_encoder(given, weight)
    if model.n_context == 0:
        raise BadData(
            f"a context was given, but this {type(model).__name__} takes none; "
            f"use a model with n_context={encoder.width}, such as icnn.PICNN"
        )
    if encoder.width != model.n_context:
        raise BadData(
            f"the model takes a context of {model.n_context} numbers, but {encoder} has "
            f"{encoder.width}; use n_context={encoder.width}"
        )
    return encoder


def _scaler(values: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted mean and standard deviation of each column."""
    mean = np.average(values, axis=0, weights=weight)
    spread = np.sqrt(np.average(np.square(values - mean), axis=0, weights=weight))
    return mean, np.where(spread > 0, spread, np.abs(values - mean).max(0))


def _rounded(values: Array) -> torch.Tensor:
    """Rounded to float32, so that another unit of the same data gives the very same fit."""
    return torch.from_numpy(values.astype(np.float32))


def _split(data: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Held-out and kept rows."""
    rows = len(data.y)
    order = torch.randperm(rows, generator=seeded(seed))
    count = min(max(1, round(share * rows)), rows - 2)
    return data.rows(order[:count]), data.rows(order[count:])
