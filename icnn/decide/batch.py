"""Batch: one objective, box and set of rows in many variants, and one judge for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.decide.certificate import ROUNDOFF, Minorant, gamma, least, minorant, with_rows
from icnn.decide.decision import closed
from icnn.decide.program import Line, Program
from icnn.decide.prune import Mask, pruned
from icnn.decide.sets import Box, Rows

Array = NDArray[np.float64]
SAMPLES = 8  # points at which each variant is evaluated to learn its range
ONE_THREAD = 2**18  # multiplications: OpenBLAS shares out larger products
FEW_ROWS = 16  # a piece of fewer costs more than it saves


def product(x: Array, V: Array) -> Array:
    """x Vᵀ of rows (..., B, k) and a matrix (m, k), in pieces that BLAS does not share out.

    Batches are worked on by threads of their own; those of BLAS wait for work on the same cores,
    which doubled the time of contexts.
    """
    rows = ONE_THREAD // max(V.size, 1)
    if not FEW_ROWS <= rows < x.shape[-2]:
        return np.asarray(x @ V.T)
    out = np.empty((*x.shape[:-1], len(V)))
    for k in range(0, x.shape[-2], rows):
        np.matmul(x[..., k : k + rows, :], V.T, out=out[..., k : k + rows, :])
    return out


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """minimise f(x) + price·x over a box and rows; a leading axis of 1 means the same for all.

    The lines' own leading axes follow the same rule.
    """

    lines: tuple[Line, ...]
    price: Array  # (B | 1, n)
    box: Box  # (B | 1, n)
    finite: Box  # (B | 1, n), with the ends that rows imply
    rows: Rows  # sides (B | 1, m)
    size: int
    kept: tuple[Mask, ...] = ()  # which units of a program's layers are left

    @classmethod
    def of(cls, program: Program) -> Batch:
        """The batch of one program, without the units that nothing reads or its box keeps off."""
        box, finite, rows = program.box, program.finite, program.rows
        lines, kept = pruned(program.lines, finite)
        return cls(
            lines,
            np.zeros((1, program.n)),
            Box(box.lower[None], box.upper[None]),
            Box(finite.lower[None], finite.upper[None]),
            Rows(rows.A, rows.lower[None], rows.upper[None]),
            1,
            tuple(kept),
        )

    @property
    def n(self) -> int:
        """Number of columns."""
        return int(self.lines[0].V.shape[1])

    @cached_property
    def reach(self) -> tuple[Array, Array]:
        """Centre and half-width of each column, (B | 1, n) each."""
        lower, upper = self.finite.lower, self.finite.upper
        centre, half = lower + (upper - lower) / 2, (upper - lower) / 2
        return centre, np.where(half <= 1e-10 * np.abs(centre), 0.0, half)

    def values(self, x: Array) -> Array:
        """f(x) + price·x at one point a variant, (B, n) -> (B,), or (S, 1, n) -> (S, B)."""
        z: list[Array] = []
        for line in self.lines:
            a = product(x if line.h is None else x * line.h, line.V) + line.b
            for source, W, gate in line.edges:
                a = a + product(z[source] if gate is None else z[source] * gate, W)
            z.append(line.atom.value(torch.from_numpy(np.ascontiguousarray(a))).numpy())
        return np.asarray(z[-1][..., 0] + (x * self.price).sum(-1))

    @cached_property
    def points(self) -> Array:
        """SAMPLES points of each variant's reach, (SAMPLES, B | 1, n)."""
        centre, half = self.reach
        return np.asarray(centre + half * self.steps)

    @cached_property
    def steps(self) -> Array:
        """The points in half-widths around the centre, (SAMPLES, 1, n)."""
        return np.random.default_rng(0).uniform(-1, 1, (SAMPLES, 1, self.n))

    @cached_property
    def samples(self) -> Array:
        """Values at the points, (SAMPLES, B | 1)."""
        return self.values(self.points)

    @cached_property
    def spread(self) -> Array:
        """The range over the samples, (B | 1,); the size where the function is constant."""
        return spread_of(self.samples)


@final
@dataclass(frozen=True, eq=False)
class Verdict:
    """The judge's figures for each variant, (B,) each."""

    value: Array
    bound: Array
    violation: Array
    scale: Array
    optimal: NDArray[np.bool_]
    slope: Array  # (B, n) of the minorant that gives the bound


def same_weights(a: Batch, b: Batch) -> bool:
    """Whether two batches share V and W: a network folded at one context is another one."""
    if a.lines is b.lines:
        return True
    pairs = list(zip(a.lines, b.lines, strict=False))
    return len(a.lines) == len(b.lines) and all(
        p.atom == q.atom
        and np.array_equal(p.V, q.V)
        and [source for source, _ in p.W] == [source for source, _ in q.W]
        and all(np.array_equal(v, w) for (_, v), (_, w) in zip(p.W, q.W, strict=True))
        for p, q in pairs
    )


def judge_batch(batch: Batch, x: Array, slopes: Sequence[Array], y: Array) -> Verdict:
    """Value, bound and violation of x (B, n), proved by slopes (B, rows) a layer and y (B, m)."""
    m = _minorant(batch, slopes, y)
    bound = least(m, batch.finite.lower, batch.finite.upper)
    return verdict(batch, x, (batch.values(x), bound, m.slope), batch.samples)


def verdict(batch: Batch, x: Array, figures: tuple[Array, Array, Array], samples: Array) -> Verdict:
    """The rule of success for values (B,), bounds (B,) that hold, and slopes (B, n)."""
    value, bound, slope = figures
    violation = _violation(batch, x)
    scale = np.maximum(spread_of(samples), samples.max(0) - value)
    optimal = closed(value - bound, scale, value, violation)
    return Verdict(value, bound, violation, scale, optimal, slope)


def spread_of(samples: Array) -> Array:
    """The range over samples (S, B), (B,); the size where they are all the same."""
    top, least = samples.max(0), samples.min(0)
    spread, size = top - least, np.maximum(np.abs(top), np.abs(least))
    return np.where(spread > 1e-12 * size, spread, np.where(size > 0, size, 1.0))


def _minorant(batch: Batch, slopes: Sequence[Array], y: Array) -> Minorant:
    terms = sum(line.b.shape[-1] + 2 for line in batch.lines) + batch.n + y.shape[-1] + 12
    g = gamma(terms)
    m = minorant(batch.lines, slopes, g)
    m = Minorant(
        m.slope + batch.price,
        m.offset,
        m.constant,
        m.error + 2 * ROUNDOFF * (np.abs(m.slope) + np.abs(batch.price)),
        m.error_offset,
    )
    return with_rows(m, batch.rows, y, g)


def _violation(batch: Batch, x: Array) -> Array:
    """The largest miss of a bound or row, relative to the size of what is missed, (B,)."""
    half = batch.reach[1]
    size = np.where(half > 0, half, np.maximum(np.abs(x), 1e-300))
    miss = (np.maximum(batch.box.lower - x, x - batch.box.upper) / size).max(-1)
    A, lower, upper = batch.rows.A, batch.rows.lower, batch.rows.upper
    if A.shape[0]:
        at, weight = (A @ x.T).T, (abs(A) @ size.T).T
        over = np.maximum(lower - at, at - upper) / np.where(weight > 0, weight, 1.0)
        miss = np.maximum(miss, over.max(-1))
    return np.where(np.isnan(miss), np.inf, np.maximum(miss, 0.0))
