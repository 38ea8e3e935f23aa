"""A program's objective as flat arrays for the compiled kernels, scaled to the box [−1, 1]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import (
    AbstractAtom,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
)
from icnn.decide.certificate import Multipliers
from icnn.decide.kernel import ATOMS, Net, Places
from icnn.decide.program import Line, Program

Array = NDArray[np.float64]
EMPTY = np.empty(0)
# the kernel's name of an atom and its parameter
KINDS: dict[type[AbstractAtom], Callable[[Any], tuple[str, float]]] = {
    PiecewiseLinear: lambda atom: ("PIECES", 0.0),
    Max: lambda atom: ("MAX", 0.0),
    Softplus: lambda atom: ("SOFTPLUS", 0.0),
    LogSumExp: lambda atom: ("LOGSUMEXP", atom.temperature),
    Norm: lambda atom: ("NORM", 0.0),
    SumSquares: lambda atom: ("SQUARES", 0.0),
    Huber: lambda atom: ("HUBER", atom.width),
}


class Sides(NamedTuple):
    """The rows of a set as G t ≤ D: which row, which side (−1 lower, 1 upper), how large."""

    G: Array  # (sides, n)
    row: NDArray[np.intp]
    sign: Array
    size: Array


@final
@dataclass(frozen=True, eq=False)
class Flat:
    """Scaled arrays of a program, x = centre + half · t, f counted in ranges; and the way back."""

    program: Program
    net: Net
    centre: Array  # (n,)
    half: Array  # (n,)
    scale: float
    sides: Sides

    @property
    def heavy(self) -> bool:
        """Whether a call of the oracle costs more than a projection in x (measured crossover)."""
        return self.net.V.size + self.net.W.size >= 150 * self.program.n**2

    def places(self) -> Places:
        """What the program itself adds."""
        lines, half = self.program.lines, self.half
        *hidden, out = lines
        b = [line.b + line.V @ self.centre for line in hidden]
        e = np.zeros(self.net.units[-1])
        for source, W in out.W:
            e[self.net.units[source] : self.net.units[source + 1]] += W[0]
        return Places(
            np.concatenate([EMPTY, *b])[None],
            np.tile(half, (1, len(hidden), 1)),
            np.ones((1, self.net.gate[-1])),
            (out.V[0] * half / self.scale)[None],
            (e / self.scale)[None],
            self.side_values()[None],
        )

    def side_values(self) -> Array:
        """D of G t ≤ D."""
        rows, (_, row, sign, size) = self.program.rows, self.sides
        ends = np.where(sign > 0, rows.upper[row], -rows.lower[row])
        return np.asarray((ends - sign * (rows.A @ self.centre)[row]) / size)

    def x(self, t: Array) -> Array:
        """The decisions in the user's units, (..., n)."""
        box, ends = self.program.box, self.program.finite
        x = self.centre + self.half * t
        x = np.where(t <= -1, ends.lower, np.where(t >= 1, ends.upper, x))
        return np.clip(x, box.lower, box.upper)

    def multipliers(self, u: Array, y: Array) -> Multipliers:
        """In the user's units, from those of one search."""
        rows = self.net.rows
        slopes = [self.scale * u[i:j] for i, j in zip(rows, rows[1:], strict=False)]
        return Multipliers(((*slopes, np.ones(1)),), self.row_multipliers(y), np.zeros(0), ())

    def row_multipliers(self, y: Array) -> Array:
        """∂f*/∂side of each row, (..., m), from those (..., sides) of G t ≤ D."""
        _, row, sign, size = self.sides
        total = np.zeros((*y.shape[:-1], len(self.program.rows.lower)))
        for k, i in enumerate(row):
            total[..., i] -= sign[k] * y[..., k] / size[k] * self.scale
        return total


def not_flat(program: Program) -> str | None:
    """Why the kernels cannot take a program, in words; None if they can."""
    if program.integral.any():
        return "it has no branch and bound for whole numbers"
    if program.learned:
        return "it takes no learned limits"
    if program.cones:
        return f"it takes no cones: {program.cones[0].kind.value}"
    for k, line in enumerate(program.lines[:-1]):
        if type(line.atom) not in KINDS:
            return f"layer {k}: it does not know {line.atom}"
    names = [*program.columns, *(f"auxiliary column {j}" for j in range(program.n))]
    for name, end in zip(names, program.far[0] | program.far[1], strict=False):
        if end:
            return f"column {name!r} has no near bounds on both sides, without which no cut holds"
    return None


def flat(program: Program) -> Flat:
    """The scaled arrays of a program that `not_flat` accepts."""
    centre, half = program.reach
    return Flat(
        program, net_of(program.lines[:-1]), centre, half, program.spread, _sides(program, half)
    )


def net_of(hidden: Sequence[Line]) -> Net:
    """Hidden layers in the kernel's order: matrices by column, one after the other."""
    kinds = [KINDS[type(line.atom)](line.atom) for line in hidden]
    pieces = [_pieces(line.atom) for line in hidden]
    edges = [(source, W) for line in hidden for source, W in line.W]
    V = [line.V if line.V.any() else np.empty((0, 0)) for line in hidden]
    starts = _starts([v.size for v in V])
    return Net(
        _starts([len(line.b) for line in hidden]),
        _starts([line.units for line in hidden]),
        _ints([ATOMS.index(name) for name, _ in kinds]),
        np.array([parameter for _, parameter in kinds]),
        _starts([len(p) for p in pieces]),
        np.concatenate([np.empty((0, 2)), *pieces]),
        np.concatenate([EMPTY, *(v.T.ravel() for v in V)]),
        _ints([start if v.size else -1 for start, v in zip(starts, V, strict=False)]),
        _starts([len(line.W) for line in hidden]),
        _ints([source for source, _ in edges]),
        np.concatenate([EMPTY, *(W.T.ravel() for _, W in edges)]),
        _starts([W.size for _, W in edges])[:-1],
        _starts([W.shape[1] for _, W in edges]),
    )


def _pieces(atom: AbstractAtom) -> Array:
    if not isinstance(atom, PiecewiseLinear):
        return np.empty((0, 2))
    pieces = np.array(atom.pieces)
    return np.repeat(pieces, 2, axis=0) if len(pieces) == 1 else pieces


def _sides(program: Program, half: Array) -> Sides:
    rows = program.rows
    row = np.concatenate([np.flatnonzero(np.isfinite(end)) for end in (rows.upper, rows.lower)])
    sign = np.repeat([1.0, -1.0], [np.isfinite(rows.upper).sum(), np.isfinite(rows.lower).sum()])
    A = rows.A[row].toarray() * half
    size = np.abs(A).max(1, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    return Sides(sign[:, None] * A / size[:, None], row, sign, size)


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _ints(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
