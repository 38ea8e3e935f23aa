"""The sparse linear form of a `Program`: one emitter per atom, scaled so that units do not matter.

    minimise c·v + offset,  row_lower ≤ M v ≤ row_upper,  lower ≤ v ≤ upper,  v = (t, z)

with x = centre + step·t and one column z per hidden unit, held above its atom by rows
z ≥ slope·a + intercept. The output layer is the objective, so no auxiliary column stands for f.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import AbstractAtom, Max, PiecewiseLinear
from icnn.decide.program import Line, Program
from icnn.errors import NotSupported

Array = NDArray[np.float64]


class Pieces(NamedTuple):
    """z[unit] ≥ slope * a[row] + intercept for each entry, and z ≥ floor."""

    unit: NDArray[np.intp]
    row: NDArray[np.intp]
    slope: Array
    intercept: Array
    floor: Array  # (units,)


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


@final
@dataclass(frozen=True, eq=False)
class Scaling:
    """Powers of two that bring columns, units, rows and the objective near 1."""

    centre: Array  # (n,)
    step: Array  # (n,)
    units: tuple[Array, ...]  # of each hidden layer
    rows: Array  # of the user's rows
    objective: float


class Strip(NamedTuple):
    """Some rows of M in compressed form."""

    counts: NDArray[np.intp]
    indices: NDArray[np.int32]
    data: Array
    lower: Array
    upper: Array


@final
@dataclass(frozen=True, eq=False)
class LinearForm:
    """The scaled arrays, and the way back to x, slopes and row multipliers."""

    c: Array
    offset: float
    M: Strip
    lower: Array
    upper: Array
    integral: NDArray[np.bool_]
    program: Program
    scaling: Scaling
    emitted: tuple[Pieces, ...]

    def x(self, v: Array) -> Array:
        """The decision in the user's units, inside its bounds."""
        box, s = self.program.box, self.scaling
        t, n = v[: self.program.n], self.program.n
        x = s.centre + s.step * t
        x = np.where(self.program.integral, np.round(x), x)
        x = np.where(t <= self.lower[:n], box.lower, np.where(t >= self.upper[:n], box.upper, x))
        return np.clip(x, box.lower, box.upper)

    def multipliers(self, dual: Array) -> tuple[tuple[Array, ...], Array]:
        """∂f*/∂b of each layer, and ∂f*/∂side of the user's rows, from the duals of M's rows."""
        slopes: list[Array] = []
        start, s = 0, self.scaling
        for line, piece, scale in zip(self.program.lines[:-1], self.emitted, s.units, strict=True):
            theta = dual[start : start + len(piece.unit)] / scale[piece.unit]
            u = np.bincount(piece.row, piece.slope * theta, minlength=len(line.b))
            slopes.append(np.asarray(u * s.objective))
            start += len(piece.unit)
        return (*slopes, np.ones(1)), dual[start:] / s.rows * s.objective


def linear_form(program: Program) -> LinearForm:
    """Lower a program whose atoms are all piecewise linear.

    Raises:
        NotSupported: an atom is not piecewise linear.
    """
    *hidden, output = program.lines
    scaling = _scaling(program)
    starts = np.cumsum([program.n, *(line.units for line in hidden)])
    emitted = tuple(pieces(line.atom, len(line.b)) for line in hidden)
    strips = [_unit_rows(line, emitted[k], scaling, starts, k) for k, line in enumerate(hidden)]
    strips.append(_user_rows(program, scaling))
    columns, values = _argument(output, scaling, starts)
    c = np.zeros(starts[-1])
    c[columns] = values[0] / scaling.objective
    ends = [(end - scaling.centre) / scaling.step for end in (program.box.lower, program.box.upper)]
    floors = [p.floor / size for p, size in zip(emitted, scaling.units, strict=True)]
    z = int(starts[-1]) - program.n
    return LinearForm(
        c,
        float(_shift(output, scaling)[0]) / scaling.objective,
        Strip(*(np.concatenate(part) for part in zip(*strips, strict=True))),
        np.concatenate([ends[0], *floors]),
        np.concatenate([ends[1], np.full(z, np.inf)]),
        np.concatenate([program.integral, np.zeros(z, dtype=bool)]),
        program,
        scaling,
        emitted,
    )


def _scaling(program: Program) -> Scaling:
    centre, half = program.reach
    step = np.where(program.integral | (half == 0), 1.0, _power_of_two(half))
    centre = np.where(program.integral, np.round(centre), centre)
    A = abs(program.rows.A) @ step if program.rows.A.shape[0] else np.empty(0)
    units = tuple(_power_of_two(size) for size in program.unit_sizes)
    return Scaling(
        centre, step, units, _power_of_two(A), float(_power_of_two(np.array(program.spread)))
    )


def _power_of_two(size: Array) -> Array:
    """Near `size`, so that dividing by it is exact; 1 for 0."""
    return np.exp2(np.round(np.log2(np.where(size > 0, size, 1.0))))


def _argument(line: Line, scaling: Scaling, starts: Array) -> tuple[Array, Array]:
    """Column numbers (m,) and coefficients (rows, m) of W z + V x in the scaled columns."""
    columns = [np.arange(len(scaling.step))]
    values = [line.V * scaling.step]
    for source, W in line.W:
        columns.append(np.arange(starts[source], starts[source + 1]))
        values.append(W * scaling.units[source])
    return np.concatenate(columns), np.hstack(values)


def _shift(line: Line, scaling: Scaling) -> Array:
    return line.b + line.V @ scaling.centre


def _unit_rows(line: Line, piece: Pieces, scaling: Scaling, starts: Array, k: int) -> Strip:
    """z[unit] − slope (W z + V x) ≥ slope b + intercept, each row divided by its unit's size."""
    columns, values = _argument(line, scaling, starts)
    size = scaling.units[k][piece.unit]
    gain = piece.slope / size
    dense = np.hstack([-gain[:, None] * values[piece.row], np.ones((len(gain), 1))])
    place = np.empty(dense.shape, dtype=np.int32)
    place[:, :-1] = columns
    place[:, -1] = starts[k] + piece.unit
    kept = dense != 0
    lower = gain * _shift(line, scaling)[piece.row] + piece.intercept / size
    return Strip(kept.sum(1), place[kept], dense[kept], lower, np.full(len(gain), np.inf))


def _user_rows(program: Program, scaling: Scaling) -> Strip:
    A, at = program.rows.A, program.rows.A @ scaling.centre
    counts = np.diff(A.indptr)
    data = A.data * scaling.step[A.indices] / np.repeat(scaling.rows, counts)
    lower, upper = (
        (program.rows.lower - at) / scaling.rows,
        (program.rows.upper - at) / scaling.rows,
    )
    return Strip(counts, A.indices.astype(np.int32), data, lower, upper)
