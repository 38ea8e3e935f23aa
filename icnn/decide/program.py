"""Program: minimise a `Network` over a box, rows and integers; everything a solver may read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.atoms import AbstractAtom
from icnn.decide.sets import Box, Rows, implied
from icnn.network import Network, with_output

Array = NDArray[np.float64]
SAMPLES = 32


@final
@dataclass(frozen=True, eq=False)
class Line:
    """A layer of the objective as float64 numpy arrays."""

    atom: AbstractAtom
    V: Array  # (rows, n)
    b: Array  # (rows,)
    W: tuple[tuple[int, Array], ...]

    @property
    def units(self) -> int:
        return len(self.b) // self.atom.group


@final
@dataclass(frozen=True, eq=False)
class Program:
    """minimise objective(x) over box and rows, some x whole numbers."""

    objective: Network
    box: Box
    rows: Rows
    integral: NDArray[np.bool_]  # (n,)
    columns: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of decisions."""
        return self.objective.n

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The objective in numpy, closed by an affine layer: here alone tensors become arrays."""
        return tuple(
            Line(k.atom, k.V.numpy(), k.b.numpy(), tuple((j, W.numpy()) for j, W in k.W))
            for k in with_output(self.objective)
        )

    @cached_property
    def finite(self) -> Box:
        """The box with the finite bounds that the rows imply."""
        return implied(self.box, self.rows)

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """Centre and half-width of each column, (n,) each: from its bounds, else from the kinks."""
        lower, upper = self.finite.lower, self.finite.upper
        bounded = np.isfinite(lower) & np.isfinite(upper)
        anchor = np.clip(0.0, lower, upper)
        with np.errstate(invalid="ignore"):
            centre = np.where(bounded, lower + (upper - lower) / 2, anchor)
            half = np.where(bounded, (upper - lower) / 2, self._kink_distance(anchor))
        given = np.isfinite(self.box.lower) & np.isfinite(self.box.upper)
        held = bounded & ~given & (half <= 1e-8 * np.abs(centre))  # by an equality row
        half = np.where(held, 0.0, half)
        return centre, half

    def _kink_distance(self, x: Array) -> Array:
        """How far each column must move, typically, to pass a kink: a length in its own units."""
        hidden = self.lines[:-1] or self.lines
        V = np.vstack([line.V for line in hidden])
        b = np.concatenate([line.b for line in hidden]) + V @ x
        size = np.abs(V).max(0)
        typical = np.median(np.abs(b[b != 0])) if b.any() else 1.0
        return np.asarray(np.divide(typical, size, out=np.ones(self.n), where=size > 0))

    @cached_property
    def samples(self) -> Array:
        """Points (SAMPLES, n) over the reach, always the same: they set scales, not answers."""
        centre, half = self.reach
        steps = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, self.n))
        steps[0] = 0.0
        return np.asarray(centre + half * steps)

    @cached_property
    def _sampled(self) -> tuple[list[Array], Array]:
        with torch.no_grad():
            *arguments, f = self.objective.preactivations(torch.from_numpy(self.samples))
        return [a.numpy() for a in arguments], f.squeeze(-1).numpy()

    @property
    def sampled_values(self) -> Array:
        """f at the samples, (SAMPLES,)."""
        return self._sampled[1]

    @cached_property
    def unit_sizes(self) -> list[Array]:
        """Typical size of each hidden unit's argument, (units,) a layer; 1 where it is always 0."""
        groups = zip(self.lines[:-1], self._sampled[0], strict=False)
        sizes = [np.abs(a).max(0).reshape(-1, line.atom.group).max(1) for line, a in groups]
        return [np.where(size > 0, size, 1.0) for size in sizes]

    @cached_property
    def spread(self) -> float:
        """The range of f over the samples; its size where f is constant."""
        f = self.sampled_values
        spread, size = float(np.ptp(f)), float(np.abs(f).max())
        return spread if spread > 1e-12 * size else size or 1.0
