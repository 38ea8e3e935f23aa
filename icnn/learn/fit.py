"""fit: a table becomes a `Surrogate`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from reprlib import repr as short
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData
from icnn.learn.choose import (
    Plan,
    budgets_for,
    candidates_for,
    check_combine,
    spelled_out,
)
from icnn.learn.context import ContextEncoder, learn_encoder, read_contexts
from icnn.learn.folds import train_any
from icnn.learn.groups import named_apart, read_groups
from icnn.learn.loss import Split
from icnn.learn.model import AbstractConvexModel, check_seed
from icnn.learn.surrogate import Surrogate
from icnn.learn.table import (
    check_order,
    check_size,
    read_column,
    read_slopes,
    read_table,
    read_weight,
)
from icnn.learn.train import Budget

Array = NDArray[np.float64]
LEAST_ROWS = 4
LEAST_WEIGHT = 1e-30  # of the mean weight; a smaller one times an error is 0 in float32
STEEP = 1e10  # slope between standardised columns; float32 would lose y beside it
NONSENSE = 100.0  # error of a fit on its own rows, in variances of y
NOISE = 1e-12  # a column that varies less than this, relatively, is constant


@torch.inference_mode(False)  # wherever it is called, with gradients
def fit(
    model: AbstractConvexModel | Sequence[AbstractConvexModel] | str,
    X: Any,
    y: Any,
    *,
    context: Any = None,
    sample_weight: Any = None,
    gradients: Any = None,
    groups: Any = None,
    combine: str | None = None,
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
    initial values and its output is centred on the mean; all train together with Adam, each with
    a weight decay of its own, stop early on a hold-out, and the best is polished with L-BFGS in
    float64.

    Args:
        model: any convex model, or several to choose from; they stay as they are. "auto" stands
            for a mixture of four: a ReLU network, a sum of functions of one column, and a softplus
            network with a diagonal and with a full quadratic (with a context: two PICNNs, one with
            a quadratic).
        X: (N, n) numpy array, torch tensor or pandas frame, whose column names are kept.
        y: (N,) the cost, or the gain with `concave=True`.
        context: (N, m) what f depends on but nobody decides, for a model with `n_context`. Numbers
            are standardised; a column of texts, categories or truth values gives one number for
            each of its categories.
        sample_weight: (N,) non-negative.
        gradients: (N, n) slopes ∂y/∂x, such as the duals of an optimisation problem, learned along
            with y; NaN where one is not known.
        groups: (N,) labels, of any kind: rows of one label are held out together or not at all,
            as with scikit-learn's GroupKFold. Where rows share a context, a hold-out of single rows
            says how well new decisions are known at contexts seen before, one of groups how well
            new contexts are. "context" groups the rows of equal context; another text names the
            column of the frame X that holds the labels, which then is no decision. Groups come
            whole, so that the hold-out is only near its share of the rows.
        combine: "best" keeps the model and restart of least error on the hold-out; "mix" the
            mean of all, with weights that fall with that error, the faster the more rows it has.
            By default "best", but "mix" for "auto". A mixture of few rows, with a hold-out of less
            than 10, trains on folds: each row is held out once (with its group), the errors of all
            rows give the weights of the models, and each is the mean of its best of every fold.
        seed: of initial values, hold-out and batches.
        concave: fit a concave function, as minus a convex one.
        warm_start: start from the model's own weights (one restart); not where "auto" makes them.
        columns: names of the columns of X, instead of its own.
        context_columns: names of the columns of the context, instead of its own.
        budget: restarts, decay, hold-out, length and rate of the training; "auto" has one of its
            own, with fewer steps of Adam and, where there are no kinks, more of the polish.
        progress: show a progress bar; by default only in a terminal.

    Raises:
        BadData: the table is not usable; the message names column and row.

    Warns:
        RuntimeWarning: the fit errs by over 100 times the variance of y on its own rows, as where
            gradients contradict y.
    """
    began = time.perf_counter()
    seed = check_seed(seed)
    X, groups = named_apart(X, groups)
    check_order(X, y=y, context=context, sample_weight=sample_weight, gradients=gradients)
    inputs, names = read_table(X, columns)
    target = read_column(y, "y", len(inputs))
    weight = read_weight(sample_weight, len(inputs))
    slopes = read_slopes(gradients, names, len(inputs))
    given = read_contexts(context, context_columns, len(inputs))
    labels = read_groups(groups, given, len(inputs))
    keep = weight > LEAST_WEIGHT
    given = {name: entries[keep] for name, entries in given.items()}
    inputs, target, weight = inputs[keep], target[keep], weight[keep]
    labels = None if labels is None else labels[keep]
    _check_rows(inputs, target, names, len(keep))
    encoder = _encoder(given, weight, names)
    models = _models(model, len(names), encoder, warm_start)
    x_mean, x_scale = _scaler(inputs, weight)
    if concave:  # mirrored columns, so that a promised direction is that of f and not of -f
        mirrored = np.any([one.signed for one in models], axis=0)
        x_scale = np.where(mirrored, -x_scale, x_scale)
    y_mean, y_scale = (float(v[0]) for v in _scaler(target[:, None], weight))
    sign = -1.0 if concave else 1.0
    slopes = None if slopes is None else _scaled(slopes, keep, sign * x_scale / y_scale, names)
    plan = Plan(*budgets_for(model, budget), seed, warm_start, progress, labels)
    data = Split(
        _rounded((inputs - x_mean) / x_scale),
        _rounded(sign * (target - y_mean) / y_scale),
        _rounded(weight),
        None if encoder is None else _rounded(encoder.encode(given)),
        None if slopes is None else _rounded(slopes),
    )
    found = train_any(models, data, plan, mix=check_combine(combine, model) == "mix")
    _check_sense(found.model, data)
    scalers = (x_mean, x_scale, y_mean, y_scale)
    return Surrogate(
        found.model,
        names,
        inputs.min(0),
        inputs.max(0),
        *scalers,
        concave=concave,
        encoder=encoder,
        history=replace(found.history, seconds=time.perf_counter() - began, held_out=found.loss),
    )


def _scaled(slopes: Array, keep: NDArray[np.bool_], unit: Array, names: tuple[str, ...]) -> Array:
    """Slopes of the rows that count, between standardised columns."""
    with np.errstate(over="ignore"):
        scaled = slopes * unit
    steep = (np.abs(scaled) > STEEP) & keep[:, None]
    if steep.any():
        row, j = np.argwhere(steep)[0]
        raise BadData(
            f"gradients of {names[j]!r}, row {row} is {slopes[row, j]:.3g}, more than {STEEP:g} "
            "times the spread of y over that of the column; check its unit, or give NaN"
        )
    return np.asarray(scaled[keep])


@torch.no_grad()
def _check_sense(model: AbstractConvexModel, data: Split) -> None:
    """A fit far worse than the mean of y is said aloud."""
    rows = data.double()
    y, w = rows.y, rows.w
    error = model(rows.x, rows.c) - y
    share = float((w * error.square()).sum() / (w * (y - (w * y).sum() / w.sum()).square()).sum())
    if not share <= NONSENSE:
        blame = (
            "" if data.g is None else ": the gradients contradict y; check their signs and units"
        )
        warnings.warn(
            f"the fit errs by {share:.3g} times the variance of y on its own rows{blame}",
            RuntimeWarning,
            stacklevel=3,
        )


def _check_rows(X: Array, y: Array, names: tuple[str, ...], given: int) -> None:
    if len(X) < LEAST_ROWS:
        counted = "" if len(X) == given else " of positive weight"
        raise BadData(f"the table has {len(X)} row(s){counted}; a fit needs at least {LEAST_ROWS}")
    check_size(X, [f"column {name!r}" for name in names])
    check_size(y[:, None], ["y"])
    for j, name in enumerate(names):
        if np.ptp(X[:, j]) <= NOISE * np.abs(X[:, j]).max():
            raise BadData(
                f"column {name!r} is constant ({X[0, j]}); leave it out, it decides nothing"
            )
    if y.min() == y.max():
        raise BadData(f"y is constant ({y[0]}); there is nothing to learn or to minimise")


def _models(
    model: Any, n: int, encoder: ContextEncoder | None, warm_start: bool
) -> list[AbstractConvexModel]:
    """The models to train, each of the right widths."""
    m = 0 if encoder is None else encoder.width
    if isinstance(model, str):
        if model != "auto":
            raise BadData(f'model is a convex model, a list of them or "auto", not {model!r}')
        _check_warm(warm_start, model)
        return candidates_for(n, m)
    several = list(model) if isinstance(model, list | tuple) else [model]
    if not several:
        raise BadData("the list of models is empty")
    for one in several:
        if not isinstance(one, AbstractConvexModel):
            raise BadData(f"model must be a convex model such as icnn.FICNN(n), not {short(one)}")
        if one.n_inputs != n:
            raise BadData(f"the model takes {one.n_inputs} columns, but X has {n}")
        _check_context(one, encoder)
        _check_warm(warm_start, one.config.get("hidden"))
    return [option for one in several for option in spelled_out(one)]


def _check_warm(warm_start: bool, model: Any) -> None:
    if warm_start and isinstance(model, str):
        raise BadData(
            f'warm_start starts from weights that are there, but "{model}" makes new models; '
            "give a model of fixed sizes, such as the .model of a surrogate"
        )


def _check_context(model: AbstractConvexModel, encoder: ContextEncoder | None) -> None:
    if encoder is None:
        if model.n_context:
            raise BadData(
                f"the model takes a context of {model.n_context} numbers; give fit(..., context=C)"
            )
    elif model.n_context == 0:
        raise BadData(
            f"a context was given, but this {type(model).__name__} takes none; "
            f"use a model with n_context={encoder.width}, such as icnn.PICNN"
        )
    elif encoder.width != model.n_context:
        raise BadData(
            f"the model takes a context of {model.n_context} numbers, but {encoder} has "
            f"{encoder.width}; use n_context={encoder.width}"
        )


def _encoder(given: dict[str, Any], weight: Array, names: tuple[str, ...]) -> ContextEncoder | None:
    """The encoder of the context, if there is one."""
    for name in given:
        if name in names:
            raise BadData(f"{name!r} is both a decision and a context column; rename one of them")
    return learn_encoder(given, weight) if given else None


def _scaler(values: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted mean and standard deviation of each column."""
    mean = np.average(values, axis=0, weights=weight)
    spread = np.sqrt(np.average(np.square(values - mean), axis=0, weights=weight))
    return mean, np.where(spread > 0, spread, np.abs(values - mean).max(0))


def _rounded(values: Array) -> torch.Tensor:
    """Rounded to float32, so that another unit of the same data gives the very same fit."""
    return torch.from_numpy(values.astype(np.float32))
