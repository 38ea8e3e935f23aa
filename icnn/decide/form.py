"""The sparse form of a `Program`, scaled so that units do not matter.

    minimise c·v + offset,  M.lower ≤ M v ≤ M.upper,  lower ≤ v ≤ upper,  A v + b in each cone

with v = (t, z, auxiliaries), x = centre + step·t and one column z per hidden unit, counted in its
unit's size and held above its atom. The output layer is the objective: no column stands for f.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.decide.certificate import Multipliers
from icnn.decide.cones import Cone
from icnn.decide.epigraph import Block, Conic, Pieces, Terms, conic, pieces
from icnn.decide.program import Line, Program
from icnn.decide.scaling import Scaling, scaling_of
from icnn.errors import NotSupported

Array = NDArray[np.float64]


class Strip(NamedTuple):
    """Some rows of M in compressed form."""

    counts: NDArray[np.intp]
    indices: NDArray[np.int32]
    data: Array
    lower: Array
    upper: Array


class Place(NamedTuple):
    """A hidden layer in the form: its first z column and auxiliary column, and its epigraph."""

    z: int
    aux: int
    epigraph: Pieces | Conic


@final
@dataclass(frozen=True, eq=False)
class Form:
    """The scaled arrays, and the way back to x and the multipliers."""

    c: Array
    offset: float
    M: Strip
    lower: Array
    upper: Array
    integral: NDArray[np.bool_]
    cones: tuple[Cone, ...]  # over v; those of the atoms, block by block, then the user's
    program: Program
    scaling: Scaling
    places: tuple[tuple[Place, ...], ...]  # by part and hidden layer

    def repriced(self, program: Program) -> Form:
        """That of a program that differs in its output layer alone."""
        scaling = self.scaling.ranged(program)
        c, offset = _Builder(program, scaling, self.places, len(self.c)).costs()
        return replace(self, c=c, offset=offset, program=program, scaling=scaling)

    def x(self, v: Array) -> Array:
        """The decision in the user's units, inside its bounds."""
        box, s = self.program.box, self.scaling
        t, n = v[: self.program.n], self.program.n
        x = s.centre + s.step * t
        x = np.where(self.program.integral, np.round(x), x)
        x = np.where(t <= self.lower[:n], box.lower, np.where(t >= self.upper[:n], box.upper, x))
        return np.clip(x, box.lower, box.upper)

    def multipliers(self, dual: Array, cone_duals: tuple[Array, ...] = ()) -> Multipliers:
        """In the user's units, from the duals of M's rows (≥ 0 at a lower side) and the cones."""
        s, at, cone = self.scaling, 0, 0
        slopes: list[tuple[Array, ...]] = []
        for part, places, sizes in zip(self.program.parts, self.places, s.units, strict=True):
            found: list[Array] = []
            for line, place, size in zip(part.lines[:-1], places, sizes, strict=True):
                if isinstance(place.epigraph, Pieces):
                    piece = place.epigraph
                    theta = piece.slope * dual[at : at + len(piece.unit)] / size[piece.unit]
                    u = np.asarray(np.bincount(piece.row, theta, minlength=len(line.b)), float)
                    at += len(piece.unit)
                else:
                    u = np.zeros(len(line.b))
                    for block in place.epigraph.blocks:
                        if block.kind is None:
                            theta = dual[at : at + len(block.const)]
                            at += len(block.const)
                        else:
                            count = len(block.const) // block.size
                            theta = np.concatenate([np.empty(0), *cone_duals[cone : cone + count]])
                            cone += count
                        if block.a is not None:
                            theta = block.a.coef * theta[block.a.at]
                            u -= np.bincount(block.a.column, theta, minlength=len(line.b))
                found.append(np.asarray(u * s.parts[0]))
            slopes.append((*found, np.ones(1)))
        learned = len(self.program.learned)
        mu = -dual[at : at + learned] * s.parts[0] / s.parts[1:]
        y = dual[at + learned :] / s.rows * s.parts[0]
        w = [d * s.parts[0] / r for d, r in zip(cone_duals[cone:], s.cones, strict=False)]
        return Multipliers(tuple(slopes), y, np.maximum(mu, 0.0), tuple(w))


def linear_form(program: Program) -> Form:
    """The form of a program without cones.

    Raises:
        NotSupported: an atom or a set is not polyhedral; the message names it.
    """
    reason = not_linear(program)
    if reason is not None:
        raise NotSupported(reason)
    return conic_form(program)


def not_linear(program: Program) -> str | None:
    """Why a program is not polyhedral, in words; None if it is."""
    for part in program.parts:
        for k, line in enumerate(part.lines):
            try:
                pieces(line.atom, line.atom.group)
            except NotSupported as error:
                return f"layer {k}: {error}"
    return f"a set has a cone: {program.cones[0].kind.value}" if program.cones else None


def conic_form(program: Program) -> Form:
    """The form of any program: linear pieces where there are, cones elsewhere."""
    scaling = scaling_of(program)
    places, width = _places(program, scaling)
    builder = _Builder(program, scaling, places, width)
    for p, part in enumerate(program.parts):
        for k, line in enumerate(part.lines[:-1]):
            builder.hidden(p, k, line)
    for p, learned in enumerate(program.learned, start=1):
        builder.limit(p, learned.limit)
    builder.user_rows()
    for cone, size in zip(program.cones, scaling.cones, strict=True):
        builder.user_cone(cone, size)
    return builder.form()


class _Builder:
    """Collects the rows, cones and column bounds of a form."""

    def __init__(
        self, program: Program, scaling: Scaling, places: tuple[tuple[Place, ...], ...], width: int
    ) -> None:
        self.program, self.scaling, self.places, self.width = program, scaling, places, width
        self.strips: list[Strip] = []
        self.cones: list[Cone] = []
        self.lower = np.full(width, -np.inf)
        self.upper = np.full(width, np.inf)
        box, n = program.box, program.n
        self.lower[:n] = (box.lower - scaling.centre) / scaling.step
        self.upper[:n] = (box.upper - scaling.centre) / scaling.step

    def argument(self, p: int, line: Line) -> tuple[Array, Array]:
        """Column numbers (m,) and coefficients (rows, m) of W z + V x in the scaled columns."""
        columns, values = [np.arange(self.program.n)], [line.V * self.scaling.step]
        for source, W in line.W:
            size = self.scaling.units[p][source]
            columns.append(self.places[p][source].z + np.arange(len(size)))
            values.append(W * size)
        return np.concatenate(columns), np.hstack(values)

    def shift(self, line: Line) -> Array:
        """The constant of W z + V x + b in the scaled columns."""
        return line.b + line.V @ self.scaling.centre

    def hidden(self, p: int, k: int, line: Line) -> None:
        """The epigraph of one hidden layer."""
        place, size = self.places[p][k], self.scaling.units[p][k]
        if isinstance(place.epigraph, Pieces):
            self.lower[place.z : place.z + len(size)] = place.epigraph.floor / size
            self.strips.append(self._pieces(p, line, place, size))
            return
        epigraph = place.epigraph
        self.lower[place.aux : place.aux + epigraph.aux] = epigraph.aux_lower
        for block in epigraph.blocks:
            A, b = self._block(p, line, place, block)
            if block.kind is None:
                self.strips.append(_strip(A, -b, np.full(len(b), np.inf)))
                continue
            for i in range(0, len(b), block.size):
                self.cones.append(Cone(block.kind, A[i : i + block.size], b[i : i + block.size]))

    def _pieces(self, p: int, line: Line, place: Place, sizes: Array) -> Strip:
        """z[unit] − slope (W z + V x) ≥ slope b + intercept, divided by the unit's size."""
        piece = place.epigraph
        assert isinstance(piece, Pieces)
        columns, values = self.argument(p, line)
        size = sizes[piece.unit]
        gain = piece.slope / size
        dense = np.hstack([-gain[:, None] * values[piece.row], np.ones((len(gain), 1))])
        index = np.empty(dense.shape, dtype=np.int32)
        index[:, :-1] = columns
        index[:, -1] = place.z + piece.unit
        kept = dense != 0
        lower = gain * self.shift(line)[piece.row] + piece.intercept / size
        return Strip(kept.sum(1), index[kept], dense[kept], lower, np.full(len(gain), np.inf))

    def _block(self, p: int, line: Line, place: Place, block: Block) -> tuple[sp.csr_array, Array]:
        rows, b = len(block.const), block.const.copy()
        A = sp.csr_array((rows, self.width))
        for terms, start in ((block.z, place.z), (block.aux, place.aux)):
            if terms is not None:
                A = A + _entries(terms, rows, start, self.width)
        if block.a is not None:
            columns, values = self.argument(p, line)
            index = np.broadcast_to(columns, values.shape).ravel()
            at = np.repeat(np.arange(len(values)), values.shape[1])
            W = sp.csr_array((values.ravel(), (at, index)), shape=(len(values), self.width))
            pick = _entries(block.a, rows, 0, len(line.b))
            A, b = A + pick @ W, b + pick @ self.shift(line)
        return sp.csr_array(A), b

    def limit(self, p: int, limit: float) -> None:
        """g(x) ≤ limit, divided by the range of g."""
        line, size = self.program.parts[p].lines[-1], self.scaling.parts[p]
        columns, values = self.argument(p, line)
        dense, side = values[0] / size, (limit - self.shift(line)[0]) / size
        kept = dense != 0
        index = columns[kept].astype(np.int32)
        count = np.array([kept.sum()])
        self.strips.append(Strip(count, index, dense[kept], np.array([-np.inf]), np.array([side])))

    def user_rows(self) -> None:
        """The rows of the set, each divided by its size."""
        rows, s = self.program.rows, self.scaling
        at, counts = rows.A @ s.centre, np.diff(rows.A.indptr)
        data = rows.A.data * s.step[rows.A.indices] / np.repeat(s.rows, counts)
        lower, upper = (rows.lower - at) / s.rows, (rows.upper - at) / s.rows
        self.strips.append(Strip(counts, rows.A.indices.astype(np.int32), data, lower, upper))

    def user_cone(self, cone: Cone, size: float) -> None:
        """A cone of the set, divided by its size."""
        s = self.scaling
        A = sp.csr_array(cone.A @ sp.diags_array(s.step / size))
        A.resize((len(cone.b), self.width))
        self.cones.append(Cone(cone.kind, A, (cone.b + cone.A @ s.centre) / size))

    def costs(self) -> tuple[Array, float]:
        """c and offset: the output layer, divided by the range of f."""
        output, size = self.program.parts[0].lines[-1], self.scaling.parts[0]
        c = np.zeros(self.width)
        columns, values = self.argument(0, output)
        c[columns] = values[0] / size
        return c, float(self.shift(output)[0]) / size

    def form(self) -> Form:
        """Everything collected."""
        return Form(
            *self.costs(),
            Strip(*(np.concatenate(part) for part in zip(*self.strips, strict=True))),
            self.lower,
            self.upper,
            np.concatenate([self.program.integral, np.zeros(self.width - self.program.n, bool)]),
            tuple(self.cones),
            self.program,
            self.scaling,
            self.places,
        )


def _places(program: Program, scaling: Scaling) -> tuple[tuple[tuple[Place, ...], ...], int]:
    """Where each hidden layer's columns start, and how many columns there are in all."""
    at, places = program.n, []
    for part, sizes in zip(program.parts, scaling.units, strict=True):
        found = []
        for line, size in zip(part.lines[:-1], sizes, strict=True):
            try:
                epigraph: Pieces | Conic = pieces(line.atom, len(line.b))
                aux = 0
            except NotSupported:
                epigraph = conic(line.atom, size)
                aux = epigraph.aux
            found.append(Place(at, at + line.units, epigraph))
            at += line.units + aux
        places.append(tuple(found))
    return tuple(places), at


def _entries(terms: Terms, rows: int, start: int, width: int) -> sp.csr_array:
    return sp.csr_array((terms.coef, (terms.at, start + terms.column)), shape=(rows, width))


def _strip(A: sp.csr_array, lower: Array, upper: Array) -> Strip:
    return Strip(np.diff(A.indptr), A.indices.astype(np.int32), A.data, lower, upper)
