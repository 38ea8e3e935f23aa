"""Rows that share contexts: what these make of a model is made once, then given to the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from icnn.network import Layer

SHARED = 2  # rows a context, on average, from which on it pays


def distinct(contexts: Tensor) -> tuple[Tensor, Tensor] | None:
    """The different contexts (C, m) and which of them each row has (N,); None if few are shared."""
    each, of_row = torch.unique(contexts, dim=0, return_inverse=True)
    return (each, of_row) if SHARED * len(each) <= len(contexts) else None


def by_row(layers: Sequence[Layer], of_row: Tensor) -> tuple[Layer, ...]:
    """Layers at C contexts as layers at those of N rows, given which each row has (N,)."""

    def rows(part: Any, axes: int) -> Any:
        return part.index_select(0, of_row) if part is not None and part.ndim == axes else part

    return tuple(
        Layer(
            layer.atom,
            rows(layer.V, 3),
            rows(layer.b, 2),
            tuple((k, rows(W, 3), *(rows(gate, 2) for gate in rest)) for k, W, *rest in layer.W),
            rows(layer.h, 2),
        )
        for layer in layers
    )
