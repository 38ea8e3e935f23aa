"""A batch as flat arrays for the compiled kernels, scaled to the box [−1, 1], and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, final

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
from icnn.decide.batch import Batch, product
from icnn.decide.kernel import ATOMS, Case, Net, Places
from icnn.decide.kernel.packing import fits_single, ints, packed, starts_of
from icnn.decide.kernel.pricing import Pricing
from icnn.decide.program import Line, Program
from icnn.decide.sets import Box, Rows

Array = NDArray[np.float64]
NOTHING = np.empty(0)
LEAST = 1e-290  # unit of f: prices in smaller ones would overflow
SMALL = 2**12  # numbers: a smaller matrix stays in the nearest cache as it is
# the kernel's name of an atom and its parameter
KINDS: dict[type[AbstractAtom], Callable[[Any], tuple[str, float]]] = {
    PiecewiseLinear: lambda atom: ("PIECES", 0.0),
    Max: lambda atom: ("MAX", 0.0),
    Softplus: lambda atom: ("SOFTPLUS", 0.0),
    LogSumExp: lambda atom: ("LOGSUMEXP", atom.temperature),
    Norm: lambda atom: ("NORM", 0.0),
    SumSquares: lambda atom: ("SQUARES", 0.0),
    Huber: lambda atom: ("HUBER", atom.width),
    ELU: lambda atom: ("ELU", atom.alpha),
}


class Sides(NamedTuple):
    """The rows of a set as A x ≤ D: which row, which side (−1 lower, 1 upper), how large."""

    A: Array  # (sides, n)
    row: NDArray[np.intp]
    sign: Array
    size: Array

    def cover(self, rows: Rows) -> bool:
        """Whether every finite side of some rows is among these."""
        return all(
            set(np.flatnonzero(np.isfinite(end).any(0))) <= set(self.row[self.sign == sign])
            for sign, end in ((1.0, rows.upper), (-1.0, rows.lower))
        )


@final
@dataclass(frozen=True, eq=False)
class Flat:
    """What the kernels share for a batch: x = centre + half · t, f counted in its range."""

    batch: Batch
    net: Net
    sides: Sides
    unit: Array | None = None  # of f, (B | 1,), where it must stay the same from sweep to sweep

    @property
    def weights(self) -> int:
        """Numbers that a call of the oracle reads at most."""
        hidden = self.batch.lines[:-1]
        return sum(line.V.size + sum(W.size for _, W in line.W) for line in hidden)

    @cached_property
    def scale(self) -> Array:
        """The unit of f, (B | 1,)."""
        unit = self.batch.spread if self.unit is None else self.unit
        return np.maximum(unit, LEAST)

    @cached_property
    def ends(self) -> Box:
        """Where the search may go: own ends, and a little beyond those that only rows imply.

        There the row itself must hold, so that it gets the multiplier.
        """
        box, finite = self.batch.box, self.batch.finite
        width = finite.upper - finite.lower
        size = 1e-3 * np.maximum(np.abs(finite.lower), np.abs(finite.upper))
        beyond = np.maximum(width / 16, np.where(size > 0, size, 1.0))
        lower = np.maximum(box.lower, finite.lower - beyond)
        upper = np.minimum(box.upper, finite.upper + beyond)
        implied = (finite.lower > box.lower) | (finite.upper < box.upper)
        return Box(np.where(implied, lower, finite.lower), np.where(implied, upper, finite.upper))

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """Centre and half-width of each column, (B | 1, n) each."""
        half = (self.ends.upper - self.ends.lower) / 2
        centre = self.ends.lower + half
        return centre, np.where(half <= 1e-10 * np.abs(centre), 0.0, half)

    def places(self) -> Places:
        """What each variant adds, in the units of the search."""
        centre, half = self.reach
        own = self.own_places
        unit = self.scale[:, None]
        *hidden, _ = self.batch.lines
        b = [line.b + product(_scaled(line, centre), line.V) for line in hidden]
        return Places(
            _joined(b),
            own.h * half[:, None],
            own.gates,
            own.c * half / unit,
            own.e / unit,
            self._side_values(centre),
            half,
        )

    @cached_property
    def own_places(self) -> Places:
        """What each variant adds, in the user's units; the sides are in the rows of the batch."""
        n, (*hidden, out) = self.batch.n, self.batch.lines
        one = np.ones((1, n))
        h = [_scaled(line, one) for line in hidden]
        gates = [
            np.ones((1, W.shape[1])) if gate is None else np.atleast_2d(gate)
            for line in hidden
            for _, W, gate in line.edges
        ]
        e = np.zeros((1, self.net.units[-1]))
        for source, W, gate in out.edges:
            first, last = self.net.units[source : source + 2]
            weight = W[0] if gate is None else W[0] * gate
            e = np.repeat(e, len(weight), 0) if weight.ndim > 1 and len(e) == 1 else e
            e[:, first:last] += weight
        return Places(
            _joined([line.b for line in hidden]),
            np.stack(np.broadcast_arrays(*h), 1) if h else np.empty((1, 0, n)),
            _joined(gates),
            _scaled(out, one) * out.V[0] + self.batch.price,
            e,
            np.empty((1, 0)),
            one,
        )

    def case(self, x: Array, u: Array, y: Array) -> Case:
        """What the compiled judge reads, from a search's u and the rows' multipliers y."""
        batch, (*_, out) = self.batch, self.batch.lines
        one = np.ones((1, batch.n))
        return Case(
            x, u, self.scale, y, batch.rows.A.toarray(), batch.rows.lower, batch.rows.upper,
            batch.finite.lower, batch.finite.upper,
            np.abs(_scaled(out, one) * out.V[0]) + np.abs(batch.price),
            np.atleast_1d(out.b[..., 0]),
        )  # fmt: skip

    def pricing(self) -> Pricing:
        """What the kernel keeps from price to price, of a batch of one row."""
        batch, (centre, half), (_, row, sign, size) = self.batch, self.reach, self.sides
        return Pricing(
            self.reach[1][0] / self.scale[0],
            centre[0], half[0], self.ends.lower[0], self.ends.upper[0],
            batch.box.lower[0], batch.box.upper[0], batch.reach[1][0],
            row.astype(np.int64), sign, size,
            batch.points[:, 0], batch.samples[:, 0], batch.steps[:, 0],
        )  # fmt: skip

    @cached_property
    def plain(self) -> bool:
        """Whether the compiled judge knows all atoms: one or two pieces through the origin."""
        kinks = self.net.pieces[:, 1]
        two = (np.diff(self.net.piece) == 2).all()
        return bool(two and not kinks.any() and (self.net.atom == ATOMS.index("PIECES")).all())

    def _side_values(self, centre: Array) -> Array:
        """D of A x ≤ D around the centre, (B | 1, sides)."""
        rows, (_, row, sign, size) = self.batch.rows, self.sides
        ends = np.where(sign > 0, rows.upper[:, row], -rows.lower[:, row])
        return np.asarray((ends - sign * (rows.A @ centre.T).T[:, row]) / size)

    def x(self, t: Array) -> Array:
        """The decisions in the user's units, (B, n)."""
        (centre, half), box, ends = self.reach, self.batch.box, self.ends
        x = centre + half * t
        x = np.where(t <= -1, ends.lower, np.where(t >= 1, ends.upper, x))
        return np.clip(x, box.lower, box.upper)

    def slopes(self, u: Array) -> list[Array]:
        """Multipliers of each layer's rows in the user's units, from u (B, rows)."""
        u, rows = u * self.scale[:, None], self.net.rows
        hidden = [u[:, i:j] for i, j in pairwise(rows)]
        return [*hidden, np.ones((len(u), 1))]

    def row_multipliers(self, y: Array) -> Array:
        """∂f*/∂side of each row, (B, m), from those (B, sides) of A x ≤ D."""
        _, row, sign, size = self.sides
        total = np.zeros((len(y), self.batch.rows.A.shape[0]))
        for k, i in enumerate(row):
            total[:, i] -= sign[k] * y[:, k] / size[k] * self.scale
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
    far = np.flatnonzero(program.far[0] | program.far[1])
    if not len(far):
        return None
    visible = len(program.columns)
    j = int(far[0])
    name = program.columns[j] if j < visible else f"auxiliary column {j - visible}"
    return f"column {name!r} has no near bounds on both sides, without which no cut holds"


def flat(batch: Batch) -> Flat:
    """What the kernels share for a batch."""
    empty = np.empty(0, dtype=np.intp)
    bare = Flat(batch, net_of(batch.lines[:-1]), Sides(NOTHING, empty, NOTHING, NOTHING))
    return replace(bare, sides=_sides(batch, bare.reach[1]))


def net_of(hidden: Sequence[Line]) -> Net:
    """Hidden layers in the kernel's order: matrices by column, one after the other."""
    kinds = [KINDS[type(line.atom)](line.atom) for line in hidden]
    pieces = [_pieces(line.atom) for line in hidden]
    edges = [(source, W) for line in hidden for source, W in line.W]
    V = [line.V if line.V.any() else np.empty((0, 0)) for line in hidden]
    single = [W.size > SMALL and fits_single(W) for _, W in edges]
    doubles = [
        np.empty((0, 0)) if small else W for small, (_, W) in zip(single, edges, strict=True)
    ]
    S, at = packed([*V, *(W for _, W in edges)], np.float32, apart=True)
    return Net(
        starts_of([line.V.shape[0] for line in hidden]),
        starts_of([line.units for line in hidden]),
        ints([ATOMS.index(name) for name, _ in kinds]),
        np.array([parameter for _, parameter in kinds]),
        starts_of([len(p) for p in pieces]),
        np.concatenate([np.empty((0, 2)), *pieces]),
        *packed(V, np.float64),
        starts_of([len(line.W) for line in hidden]),
        ints([source for source, _ in edges]),
        *packed(doubles, np.float64),
        S,
        at[: len(V)],
        at[len(V) :],
        starts_of([W.shape[1] for _, W in edges]),
    )


def _scaled(line: Line, x: Array) -> Array:
    return x if line.h is None else x * line.h


def _joined(parts: Sequence[Array]) -> Array:
    """Parts (B | 1, k) side by side, one row if all have one."""
    rows = max((len(np.atleast_2d(p)) for p in parts), default=1)
    wide = [np.broadcast_to(np.atleast_2d(p), (rows, p.shape[-1])) for p in parts]
    return np.concatenate([np.empty((rows, 0)), *wide], axis=1)


def _pieces(atom: AbstractAtom) -> Array:
    if not isinstance(atom, PiecewiseLinear):
        return np.empty((0, 2))
    pieces = np.array(atom.pieces)
    return np.repeat(pieces, 2, axis=0) if len(pieces) == 1 else pieces


def _sides(batch: Batch, reach: Array) -> Sides:
    rows, half = batch.rows, reach.max(0)
    ends = [np.isfinite(end).any(0) for end in (rows.upper, rows.lower)]
    row = np.concatenate([np.flatnonzero(end) for end in ends])
    sign = np.repeat([1.0, -1.0], [end.sum() for end in ends])
    A = rows.A[row].toarray()
    size = np.abs(A * half).max(1, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    return Sides(sign[:, None] * A / size[:, None], row, sign, size)
