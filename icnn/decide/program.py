"""Program: minimise a `Network` over a box, rows and integers; everything a solver may read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.atoms import AbstractAtom
from icnn.decide.cones import Cone
from icnn.decide.sets import Box, Rows, implied
from icnn.network import Layer, Network, with_output

Array = NDArray[np.float64]
SAMPLES = 32
SOUND = 1e-4  # of pivots: a smaller ratio and one refinement would not reach rounding
NARROW = 1e-4  # of a column's own width or kink distance: rows make no scale smaller than that
FAR = 1e4  # kink distances: an end beyond sets no scale, and its rounding would cost too much


def least_squares(V: Array, b: Array) -> Array:
    """The smallest x (n,) of least |V x − b|, V (m, n).

    By the normal equations of the shorter side, scaled, and refined once, where they are sound; a
    singular value decomposition takes 3 to 10 times as long, and far longer on busy cores.
    """
    rows, columns = (np.flatnonzero(V.any(axis)) for axis in (1, 0))
    M, side, x = V[np.ix_(rows, columns)], b[rows], np.zeros(V.shape[1])
    tall = len(rows) >= len(columns)
    # sizes of columns where rows abound, else of rows: at full rank neither moves the answer
    size = np.abs(M).max(0 if tall else 1, initial=0.0)
    M, side = (M / size, side) if tall else (M / size[:, None], side / size)
    G = M.T @ M if tall else M @ M.T
    if not _sound(G):
        return np.asarray(np.linalg.lstsq(V, b, rcond=1e-10)[0])
    y = np.zeros(len(columns))
    for _ in range(2):
        left = side - M @ y
        y += np.linalg.solve(G, M.T @ left) if tall else M.T @ np.linalg.solve(G, left)
    x[columns] = y / size if tall else y
    return x


def _sound(G: Array) -> bool:
    """Whether G = MᵀM can be solved with, so that one refinement is right to rounding."""
    try:
        pivots = np.diag(np.linalg.cholesky(G))
    except np.linalg.LinAlgError:
        return False
    return len(pivots) == 0 or bool(pivots.min() > SOUND * pivots.max())


@final
@dataclass(frozen=True, eq=False)
class Line:
    """A layer of the objective as float64 arrays; b, h, gates may hold a row a function."""

    atom: AbstractAtom
    V: Array  # (rows, n)
    b: Array  # (*batch, rows)
    W: tuple[tuple[int, Array], ...]
    h: Array | None = None  # (*batch, n), factors on x
    gates: tuple[Array | None, ...] = ()  # (*batch, units) of each source, factors on it

    @property
    def units(self) -> int:
        return int(self.b.shape[-1]) // self.atom.group

    @property
    def edges(self) -> list[tuple[int, Array, Array | None]]:
        """Source, weights and gate of each edge."""
        gates = self.gates or (None,) * len(self.W)
        return [(source, W, gate) for (source, W), gate in zip(self.W, gates, strict=True)]


@final
@dataclass(frozen=True, eq=False)
class Part:
    """A function of the program, closed by an affine layer, and how large it is on the samples."""

    lines: tuple[Line, ...]
    samples: Array  # (samples, n)
    arguments: list[Array]  # of each layer, (samples, rows)
    values: Array  # (samples,)

    @cached_property
    def unit_sizes(self) -> list[Array]:
        """Typical size of each hidden unit's argument, (units,) a layer; 1 where it is always 0."""
        sizes = []
        for line, a in zip(self.lines[:-1], self.arguments, strict=False):
            if math.isinf(line.atom.lip):  # squares: their values are what must be near 1
                a = np.repeat(line.atom.value(torch.from_numpy(a)).numpy(), line.atom.group, axis=1)
            size = np.abs(a).max(0).reshape(-1, line.atom.group).max(1)
            sizes.append(np.where(size > 0, size, 1.0))
        return sizes

    @cached_property
    def spread(self) -> float:
        """The range over the samples; the size of f's terms where it is constant to rounding."""
        spread, size = float(np.ptp(self.values)), self._size
        return spread if spread > 1e-12 * size else size or 1.0

    @property
    def _size(self) -> float:
        """The largest sum of the absolute terms of the output: they may cancel in the values."""
        out = self.lines[-1]
        size = np.abs(self.samples) @ np.abs(out.V).T + np.abs(out.b)
        for source, W in out.W:
            line, a = self.lines[source], torch.from_numpy(self.arguments[source])
            size = size + np.abs(line.atom.value(a).numpy()) @ W.T
        return float(size.max())


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """function(x) ≤ limit, for a convex function; sign −1 where it stands for a concave one ≥."""

    function: Network
    limit: float
    sign: float = 1.0


@final
@dataclass(frozen=True, eq=False)
class Program:
    """minimise objective(x) over box, rows, cones and learned limits, some x whole numbers.

    `columns` names the decisions; further columns of x, if any, are auxiliary.
    """

    objective: Network
    box: Box
    rows: Rows
    integral: NDArray[np.bool_]  # (n,)
    columns: tuple[str, ...]
    cones: tuple[Cone, ...] = ()
    learned: tuple[Learned, ...] = ()
    named_rows: int | None = None  # the user's own come first; None: all of them

    @property
    def n(self) -> int:
        """Number of columns, auxiliary ones included."""
        return self.objective.n

    def priced(self, price: Array) -> Program:
        """The same with the objective f(x) + price·x: what prices do not move is kept.

        Args:
            price: (n,), finite.
        """
        *hidden, out = with_output(self.objective)
        total = Layer(out.atom, out.V + torch.from_numpy(price), out.b, out.W)
        program = replace(self, objective=Network._unchecked((*hidden, total)))
        if all(layer.W for layer in hidden):
            return program  # only the output reads x: its slopes are the scale
        part, *limits = self.parts
        last = replace(part.lines[-1], V=part.lines[-1].V + price)
        own = replace(
            part, lines=(*part.lines[:-1], last), values=part.values + part.samples @ price
        )
        kept = {name: getattr(self, name) for name in ("finite", "kinks", "far", "reach")}
        program.__dict__.update(kept, samples=part.samples, parts=(own, *limits))
        return program

    def differs_in_costs(self, other: Program) -> bool:
        """Whether the other one shares all but the output layer of its objective."""
        names = ("box", "rows", "integral", "cones", "learned")
        ours, theirs = self.lines[:-1], other.lines[:-1]
        return all(getattr(self, name) is getattr(other, name) for name in names) and (
            len(ours) == len(theirs) and all(a is b for a, b in zip(ours, theirs, strict=True))
        )

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The objective and the learned functions: here alone tensors become arrays."""
        return tuple(
            self._part(f) for f in (self.objective, *(limit.function for limit in self.learned))
        )

    def _part(self, f: Network) -> Part:
        lines = tuple(
            Line(k.atom, k.V.numpy(), k.b.numpy(), tuple((j, W.numpy()) for j, W in k.W))
            for k in with_output(f)
        )
        with torch.no_grad():
            *arguments, values = f.preactivations(torch.from_numpy(self.samples))
        return Part(lines, self.samples, [a.numpy() for a in arguments], values.squeeze(-1).numpy())

    @property
    def lines(self) -> tuple[Line, ...]:
        """The layers of the objective."""
        return self.parts[0].lines

    @property
    def spread(self) -> float:
        """The range of the objective over the samples."""
        return self.parts[0].spread

    @cached_property
    def finite(self) -> Box:
        """The box with the finite bounds that rows and cones imply."""
        return implied(self.box, self.rows, self.cones)

    @cached_property
    def kinks(self) -> tuple[Array, Array]:
        """A point amid the kinks of the first layers, and how far it is to them, (n,) each."""
        layers = with_output(self.objective)
        hidden = [k for k in layers[:-1] if not k.W] or list(layers)
        V = np.vstack([layer.V.numpy() for layer in hidden])
        b = np.concatenate([layer.b.numpy() for layer in hidden])
        x = least_squares(V, -b)
        x = np.clip(x, self.finite.lower, self.finite.upper)
        away, terms = np.abs(V @ x + b), np.abs(V) @ np.abs(x) + np.abs(b)
        away = away[
            away > 1e-9 * terms + 1e-12 * terms.max(initial=0.0)
        ]  # the rest are met exactly
        away = away if len(away) else np.abs(b[b != 0])
        typical = np.median(away) if len(away) else 1.0
        later = np.max([np.abs(layer.V.numpy()).max(0) for layer in layers[:-1] or layers], axis=0)
        size = np.abs(V).max(0)
        size = np.where(size > 0, size, later)  # what the first layers do not read
        width = self.finite.upper - self.finite.lower
        straight = np.where(np.isfinite(width) & (width > 0), width, 1.0)
        return x, np.asarray(np.divide(typical, size, out=straight, where=size > 0))

    @cached_property
    def far(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether a column's lower and upper end lie far beyond the kinks, (n,) bool each."""
        x, kink = self.kinks
        return self.finite.lower < x - FAR * kink, self.finite.upper > x + FAR * kink

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """Centre and half-width of each column, (n,) each: from its bounds, else from the kinks."""
        lower, upper = self.finite.lower, self.finite.upper
        x, kink = self.kinks
        near = ~(self.far[0] | self.far[1])
        with np.errstate(invalid="ignore"):
            centre = np.where(near, lower + (upper - lower) / 2, x)
            half = np.where(near, (upper - lower) / 2, 10 * kink)
        held = near & (half <= 1e-10 * np.abs(centre))  # by bounds or by an equality row
        # several rows may leave one point: what is left of a width there is their rounding
        given = (lower == self.box.lower) & (upper == self.box.upper)
        own = np.minimum(kink, (self.box.upper - self.box.lower) / 2)
        half = np.where(near & ~given, np.maximum(half, NARROW * own), half)
        return centre, np.where(held, 0.0, half)

    @cached_property
    def opened(self) -> Program:
        """The same program without the ends that are far: what a solver is asked first."""
        down, up = self.far
        box = Box(np.where(down, -np.inf, self.box.lower), np.where(up, np.inf, self.box.upper))
        return replace(self, box=box)

    @cached_property
    def samples(self) -> Array:
        """Points (SAMPLES, n) over the reach, always the same: they set scales, not answers."""
        centre, half = self.reach
        steps = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, self.n))
        steps[0] = 0.0
        return np.asarray(centre + half * steps)
