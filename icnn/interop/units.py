"""Units of a foreign graph, written as W z + V x + b over x and the convex layers found so far.

Signs are asked for only where a convex layer or the output needs them. Affine layers are multiplied
out before, so their kernels are free, and two negative weights in a row may well be convex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import IDENTITY, AbstractAtom
from icnn.errors import NotConvex
from icnn.network import Edge, Layer, Network

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Units:
    """Σ W z_source + V x + b, and for each unit why it is not convex, or None."""

    V: Array  # (units, n)
    b: Array  # (units,)
    W: dict[int, Array]  # source -> (units, units of it)
    faults: tuple[str | None, ...]

    @property
    def width(self) -> int:
        return len(self.b)


@final
@dataclass(frozen=True, eq=False)
class Weights:
    """y = K' v + bias of a foreign layer, and the words that name its weights and their cure."""

    K: Array  # (inputs, outputs)
    bias: Array  # (outputs,)
    layer: str
    word: str = "kernel"
    cure: str = ""


def inputs(n: int) -> Units:
    """x itself."""
    return Units(np.eye(n), np.zeros(n), {}, (None,) * n)


def times(v: Units, by: Weights, names: Sequence[str]) -> Units:
    """K' v + bias; `names` are those of the convex layers, to say which one a weight acts on."""
    W = {source: by.K.T @ part for source, part in v.W.items()}
    W = {source: part for source, part in W.items() if part.any()}
    faults = tuple(_fault(v, by, names, j, W) for j in range(by.K.shape[1]))
    return Units(by.K.T @ v.V, by.K.T @ v.b + by.bias, W, faults)


def _fault(v: Units, by: Weights, names: Sequence[str], j: int, W: dict[int, Array]) -> str | None:
    """Why unit j of the product is not convex: a weight of this layer, or what was wrong before."""
    for source, part in W.items():
        for k in np.flatnonzero(part[j] < 0):
            i = int(np.argmin(by.K[:, j] * v.W[source][:, k]))  # the entry that pulls it down most
            if by.K[i, j] > 0:
                return v.faults[i]
            return (
                f"layer {by.layer!r}, row {i}, column {j}: the {by.word} is {by.K[i, j]:.6g} where "
                f"it multiplies what comes from the convex layer {names[source]!r}; there it must "
                f"be non-negative. {by.cure}"
            ).rstrip()
    return None


def side_by_side(parts: Sequence[Units]) -> Units:
    """All units of all parts, in order."""
    sources = {source: W.shape[1] for part in parts for source, W in part.W.items()}
    return Units(
        np.concatenate([part.V for part in parts]),
        np.concatenate([part.b for part in parts]),
        {
            source: np.concatenate([_edge(part, source, units) for part in parts])
            for source, units in sources.items()
        },
        tuple(fault for part in parts for fault in part.faults),
    )


def _edge(part: Units, source: int, units: int) -> Array:
    return part.W.get(source, np.zeros((part.width, units)))


def spread(parts: Sequence[Units], *, name: str, together: bool) -> tuple[Units, Weights]:
    """All units of all parts, and the 0/1 matrix that merges them unit by unit.

    `together` sums the parts; otherwise the rows that belong to one unit come to lie next to each
    other. A part of width one serves every unit, as in numpy.
    """
    width, count = max(part.width for part in parts), len(parts)
    stacked = side_by_side(parts)
    K = np.zeros((stacked.width, width if together else width * count))
    at = 0
    for p, part in enumerate(parts):
        for unit in range(width):
            row = at + (unit if part.width > 1 else 0)
            K[row, unit if together else unit * count + p] += 1.0
        at += part.width
    return stacked, Weights(K, np.zeros(K.shape[1]), name)


class Stack:
    """The convex layers found so far, and the names of the foreign layers they come from."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.names: list[str] = []

    def put(self, v: Units, atom: AbstractAtom, name: str) -> Units:
        """atom(v) as a new layer.

        Raises:
            NotConvex: a unit of v is not convex; the message names layer, row and column.
        """
        if atom == IDENTITY:
            return v
        _refuse_faults(v)
        self.layers.append(Layer(atom, v.V, v.b, _edges(v)))
        self.names.append(name)
        units, n = v.width // atom.group, v.V.shape[1]
        W = {len(self.layers) - 1: np.eye(units)}
        return Units(np.zeros((units, n)), np.zeros(units), W, (None,) * units)

    def network(self, v: Units) -> Network:
        """The function whose value is the one unit v."""
        _refuse_faults(v)
        return Network((*self.layers, Layer(IDENTITY, v.V, v.b, _edges(v))))


def _refuse_faults(v: Units) -> None:
    fault = next((fault for fault in v.faults if fault is not None), None)
    if fault is not None:
        raise NotConvex(fault)


def _edges(v: Units) -> tuple[Edge, ...]:
    return tuple(v.W.items())
