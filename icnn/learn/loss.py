"""Standardised rows, and how far a model is from them: squared errors of values and slopes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value

from icnn.learn.model import AbstractConvexModel

Weights = dict[str, Tensor]


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Standardised rows: inputs (N, n), target (N,), weight (N,), context (N, m), slopes (N, n).

    A slope that is not known is NaN.
    """

    x: Tensor
    y: Tensor
    w: Tensor
    c: Tensor | None = None
    g: Tensor | None = None

    def rows(self, index: Tensor) -> Split:
        return self._each(lambda part: part[index])

    def double(self) -> Split:
        return self._each(Tensor.double)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Split:
        given = {name: part for name, part in vars(self).items() if part is not None}
        return replace(self, **{name: change(part) for name, part in given.items()})


def loss(model: AbstractConvexModel, data: Split) -> Tensor:
    """Weighted mean squared error of one model, a scalar."""
    return _error(model, dict(model.named_parameters()), data)


def batched_loss(model: AbstractConvexModel) -> Callable[[Weights, Split], Tensor]:
    """The same for stacked parameters (restarts, ...) of models like this one: (restarts,)."""

    def losses(params: Weights, data: Split) -> Tensor:
        if len(next(iter(params.values()))) == 1:  # vmap would cost half a step for nothing
            return _error(model, {name: part.squeeze(0) for name, part in params.items()}, data)[
                None
            ]
        return torch.vmap(lambda one: _error(model, one, data))(params)

    return losses


def _error(model: AbstractConvexModel, params: Weights, data: Split) -> Tensor:
    if data.g is None:
        error = functional_call(model, params, (data.x, data.c), tie_weights=False) - data.y
        return _mean(error.square(), data)

    def total(x: Tensor) -> tuple[Tensor, Tensor]:
        f = functional_call(model, params, (x, data.c), tie_weights=False)
        return f.sum(), f

    slopes, (_, f) = grad_and_value(total, has_aux=True)(data.x)
    away = torch.where(data.g.isnan(), torch.zeros_like(slopes), slopes - data.g)
    return _mean((f - data.y).square(), data) + _mean(away.square().mean(-1), data)


def _mean(of_rows: Tensor, data: Split) -> Tensor:
    return (data.w * of_rows).sum() / data.w.sum()
