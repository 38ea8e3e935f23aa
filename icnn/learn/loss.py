"""Standardised rows, and how far a model is from them: squared errors of values and slopes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state

from icnn.learn.model import AbstractConvexModel
from icnn.learn.rectified import Rows, is_rectified, squared_errors
from icnn.learn.repeated import by_row, distinct
from icnn.network import Network

Weights = dict[str, Tensor]


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Standardised rows: inputs (N, n), target (N,), weight (N,), context (N, m), slopes (N, n).

    With several models in one batch the weights may be (models, N), a row each. A slope that is not
    known is NaN. With `of_row` (N,) the contexts are those that differ, and it
    says which of them each row has.
    """

    x: Tensor
    y: Tensor
    w: Tensor
    c: Tensor | None = None
    g: Tensor | None = None
    of_row: Tensor | None = None

    def together(self) -> Split:
        """Each context once, if many rows share theirs: for an error of all rows, again and again.

        The same where slopes are given, which are learned from row by row.
        """
        shared = None if self.c is None or self.g is not None else distinct(self.c)
        return self if shared is None else replace(self, c=shared[0], of_row=shared[1])

    def rows(self, index: Tensor) -> Split:
        return self._each(lambda part: part.index_select(0, index))  # a third of part[index]

    def says_as_much_as(self) -> float:
        """So many rows of equal weight."""
        w = self.w.double()
        return float(w.sum().square() / w.square().sum())

    def double(self) -> Split:
        return self._each(Tensor.double)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Split:
        given = {name: part for name, part in vars(self).items() if part is not None}
        return replace(self, **{name: change(part) for name, part in given.items()})


def loss(model: AbstractConvexModel, data: Split) -> Tensor:
    """Weighted mean squared error of one model, a scalar."""
    layers = () if model.n_context or data.g is not None else model.layers(None)
    if is_rectified(layers):
        return squared_errors(layers, _rows(data))[0]
    if data.of_row is not None:
        f = Network._unchecked(by_row(model.lower(data.c).layers, data.of_row))
        return _mean((f(data.x) - data.y).square(), data)
    return _error(model, dict(model.named_parameters()), data)


def batched_loss(
    models: Sequence[AbstractConvexModel],
) -> tuple[Weights, Callable[[Split], Tensor]]:
    """The stacked parameters (models, ...) of models of one kind, and the loss of each (models,).

    The loss is at the parameters' values when it is asked for.
    """
    first, stack = models[0], copy.deepcopy(models[0])
    stacked, _ = stack_module_state(list(models))
    for name, part in stack.named_parameters():
        part.data = stacked[name].detach()
    params: Weights = dict(stack.named_parameters())
    rectified = not first.n_context and is_rectified(first.layers(None))

    def losses(data: Split) -> Tensor:
        if data.g is None and rectified:
            return squared_errors(stack.layers(None), _rows(data))
        if len(models) == 1:  # vmap would cost half a step for nothing
            return _error(first, {k: v.squeeze(0) for k, v in params.items()}, data)[None]
        if data.w.ndim == 1:
            return torch.vmap(lambda one: _error(first, one, data))(params)
        return torch.vmap(lambda one, w: _error(first, one, replace(data, w=w)))(params, data.w)

    return params, losses


def _rows(data: Split) -> Rows:
    return Rows(data.x, data.y, data.w / data.w.sum(-1, keepdim=True))


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
