"""The epigraph of each atom, z ≥ atom(a), as linear pieces or as cones; one emitter an atom.

A consumer that knows only linear pieces calls `pieces`, which refuses the smooth atoms by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import (
    ELU,
    AbstractAtom,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
)
from icnn.decide.cones import Kind
from icnn.errors import NotSupported

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class Pieces(NamedTuple):
    """z[unit] ≥ slope * a[row] + intercept for each entry, and z ≥ floor."""

    unit: Index
    row: Index
    slope: Array
    intercept: Array
    floor: Array  # (units,)


class Terms(NamedTuple):
    """Entries of local rows: row `at` gets coef * (a, z or aux)[column]."""

    at: Index
    column: Index
    coef: Array


@final
@dataclass(frozen=True, eq=False)
class Block:
    """Local rows that lie in a cone, `size` rows each; kind None means every row ≥ 0.

    z is counted in units of its scale; a and the auxiliary columns in their own.
    """

    kind: Kind | None
    size: int
    const: Array  # (rows,)
    a: Terms | None = None
    z: Terms | None = None
    aux: Terms | None = None


@final
@dataclass(frozen=True, eq=False)
class Conic:
    """The epigraph of a smooth atom: `aux` columns ≥ aux_lower, and blocks of rows in cones."""

    aux: int
    aux_lower: float
    blocks: tuple[Block, ...]


@singledispatch
def pieces(atom: AbstractAtom, rows: int) -> Pieces:
    """The epigraph of `atom` over `rows` rows as linear pieces."""
    raise NotSupported(f"{type(atom).__name__} is not piecewise linear")


@pieces.register
def _(atom: PiecewiseLinear, rows: int) -> Pieces:
    floor = [t for s, t in atom.pieces if s == 0]
    sloped = [(s, t) for s, t in atom.pieces if s != 0]
    index = np.tile(np.arange(rows), len(sloped))
    slope, intercept = (np.repeat(part, rows) for part in np.array(sloped).reshape(-1, 2).T)
    return Pieces(index, index, slope, intercept, np.full(rows, floor[0] if floor else -np.inf))


@pieces.register
def _(atom: Max, rows: int) -> Pieces:
    row = np.arange(rows)
    free = np.full(rows // atom.size, -np.inf)
    return Pieces(row // atom.size, row, np.ones(rows), np.zeros(rows), free)


@singledispatch
def conic(atom: AbstractAtom, scale: Array) -> Conic:
    """The epigraph of `atom` for units of this scale (units,) as cones."""
    raise NotSupported(f"{type(atom).__name__} has no conic form")


@conic.register
def _(atom: Softplus, scale: Array) -> Conic:
    """e^(a - z) ≤ p, e^(-z) ≤ q, p + q ≤ 1."""
    units = np.arange(len(scale))
    first, ones = 3 * units, np.ones(len(scale))
    with_a, without = [
        Block(
            Kind.EXPONENTIAL,
            3,
            np.tile([0.0, 1.0, 0.0], len(scale)),
            Terms(first, units, ones) if k == 0 else None,
            Terms(first, units, -scale),
            Terms(first + 2, 2 * units + k, ones),
        )
        for k in range(2)
    ]
    both = Terms(np.repeat(units, 2), np.arange(2 * len(scale)), -np.ones(2 * len(scale)))
    return Conic(2 * len(scale), 0.0, (with_a, without, Block(None, 1, ones, aux=both)))


@conic.register
def _(atom: LogSumExp, scale: Array) -> Conic:
    """e^((a_i - z) / T) ≤ p_i, Σ p_i ≤ 1."""
    rows = np.arange(len(scale) * atom.size)
    unit, ones = rows // atom.size, np.ones(len(rows))
    cones = Block(
        Kind.EXPONENTIAL,
        3,
        np.tile([0.0, 1.0, 0.0], len(rows)),
        Terms(3 * rows, rows, ones / atom.temperature),
        Terms(3 * rows, unit, -scale[unit] / atom.temperature),
        Terms(3 * rows + 2, rows, ones),
    )
    total = Block(None, 1, np.ones(len(scale)), aux=Terms(unit, rows, -ones))
    return Conic(len(rows), 0.0, (cones, total))


@conic.register
def _(atom: Norm, scale: Array) -> Conic:
    """(z, a) in the second-order cone."""
    rows, units, size = np.arange(len(scale) * atom.size), np.arange(len(scale)), atom.size + 1
    unit = rows // atom.size
    a = Terms(unit * size + 1 + rows % atom.size, rows, 1 / scale[unit])
    z = Terms(units * size, units, np.ones(len(scale)))
    return Conic(0, 0.0, (Block(Kind.SECOND_ORDER, size, np.zeros(len(scale) * size), a, z),))


@conic.register
def _(atom: SumSquares, scale: Array) -> Conic:
    """‖(2 a, z - 1)‖ ≤ z + 1."""
    rows, units, size = np.arange(len(scale) * atom.size), np.arange(len(scale)), atom.size + 2
    unit = rows // atom.size
    a = Terms(unit * size + 2 + rows % atom.size, rows, 2 / np.sqrt(scale[unit]))
    ends = np.concatenate([units * size, units * size + 1])
    z = Terms(ends, np.tile(units, 2), np.ones(2 * len(scale)))
    const = np.zeros(len(scale) * size)
    const[ends] = np.repeat([1.0, -1.0], len(scale))
    return Conic(0, 0.0, (Block(Kind.SECOND_ORDER, size, const, a, z),))


@conic.register
def _(atom: Huber, scale: Array) -> Conic:
    """|a| ≤ p + q and p² + 2 width q ≤ z, with p, q ≥ 0 at indices 2 k and 2 k + 1."""
    units, count = np.arange(len(scale)), len(scale)
    ones, both = np.ones(count), np.arange(2 * count)
    sides = [
        Block(
            None,
            1,
            np.zeros(count),
            Terms(units, units, sign * ones),
            aux=Terms(both // 2, both, np.ones(2 * count)),
        )
        for sign in (-1.0, 1.0)
    ]
    head = np.concatenate([3 * units, 3 * units + 1])
    const = np.zeros(3 * count)
    const[head] = np.repeat([1.0, -1.0], count)
    linear = np.tile(-2 * atom.width / scale, 2)
    aux = Terms(
        np.concatenate([head, 3 * units + 2]),
        np.concatenate([np.tile(2 * units + 1, 2), 2 * units]),
        np.concatenate([linear, 2 / np.sqrt(scale)]),
    )
    z = Terms(head, np.tile(units, 2), np.ones(2 * count))
    squares = Block(Kind.SECOND_ORDER, 3, const, None, z, aux)
    return Conic(2 * count, 0.0, (*sides, squares))


@conic.register
def _(atom: ELU, scale: Array) -> Conic:
    """z ≥ alpha (w - 1) + max(0, a + r) with e^(-r) ≤ w; r ≥ 0 and w at 2 k and 2 k + 1.

    ELU(a) is the least alpha (e^q - 1) + max(0, a - q) over q ≤ 0, since alpha ≤ 1. The two linear
    rows and r are counted in units of z where those are large.
    """
    units, count = np.arange(len(scale)), len(scale)
    size = np.maximum(scale, 1.0)
    at, ones = 2 * units, np.ones(count)
    z = Terms(units, units, scale / size)
    above_zero = Block(
        None, 1, atom.alpha / size, z=z, aux=Terms(units, at + 1, -atom.alpha / size)
    )
    both = Terms(
        np.concatenate([units, units]),
        np.concatenate([at, at + 1]),
        np.concatenate([-ones, -atom.alpha / size]),
    )
    above_line = Block(None, 1, atom.alpha / size, Terms(units, units, -1 / size), z, both)
    ends = Terms(
        np.concatenate([3 * units, 3 * units + 2]),
        np.concatenate([at, at + 1]),
        np.concatenate([-size, ones]),
    )
    curve = Block(Kind.EXPONENTIAL, 3, np.tile([0.0, 1.0, 0.0], count), aux=ends)
    return Conic(2 * count, 0.0, (above_zero, above_line, curve))
