"""Families: networks that share their weights, one a context, as layers with a leading axis.

V (rows, n) and W stay as they are; b (B, rows), the factors h (B, n) on x and the gates (B, units)
on sources differ, so that a hundred thousand contexts never become as many copies of W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.atoms import IDENTITY
from icnn.network import Layer, Network, shifted, with_output

Array = NDArray[np.float64]


def family(layers: Sequence[Layer]) -> Network | None:
    """A model's layers at many contexts; None where whole matrices depend on the context."""
    matrices = [k.V for k in layers] + [edge[1] for k in layers for edge in k.W]
    if any(matrix.ndim > 2 for matrix in matrices):
        return None
    return Network._unchecked(tuple(layers))


def composed(f: Network, scale: Array, shift: Array) -> Network:
    """x ↦ f(scale · x + shift), column by column, (n,) each."""
    s, d = torch.from_numpy(scale), torch.from_numpy(shift)
    return Network._unchecked(
        tuple(replace(k, b=k.b + _times(k.h, d) @ k.V.mT, h=_times(k.h, s)) for k in f.layers)
    )


def stretched(f: Network, factor: float, shift: float) -> Network:
    """factor · f + shift."""
    *rest, out = with_output(f)
    W = tuple((source, factor * W, *gate) for source, W, *gate in out.W)
    return Network._unchecked(
        (*rest, Layer(IDENTITY, factor * out.V, factor * out.b + shift, W, out.h))
    )


def placed(f: Network, at: Sequence[int], n: int) -> Network:
    """f as a function of n columns, of which it reads those `at`."""
    A = torch.zeros(f.n, n, dtype=torch.float64)
    A[range(f.n), list(at)] = 1.0
    return Network._unchecked(
        tuple(replace(k, V=k.V @ A, h=None if k.h is None else k.h @ A) for k in f.layers)
    )


def summed(parts: Sequence[Network]) -> Network:
    """Σ f of the same columns: their layers one after the other, and one affine layer on top."""
    layers: list[Layer] = []
    edges: list[Any] = []
    for f in parts:
        closed = with_output(f)
        layers += [replace(k, W=shifted(k.W, len(layers))) for k in closed]
        edges.append((len(layers) - 1, torch.ones(1, 1).double()))
    n = parts[0].n
    top = Layer(IDENTITY, torch.zeros(1, n).double(), torch.zeros(1).double(), tuple(edges))
    return Network._unchecked((*layers, top))


def _times(h: Any, x: Any) -> Any:
    return x if h is None else h * x
