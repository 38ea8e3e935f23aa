"""The certified lower bound: an affine minorant of f from any multipliers, rounding included.

With Λ_out = 1, u_i = Λ_i s_i and Λ_j = Σ_i W_ij u_i, Fenchel-Young gives, for admissible slopes s,

    f(x) ≥ Σ_i u_i (V_i x + b_i) − Σ_i Λ_i φ*(s_i) = r·x + c   for every x.

The multipliers need not be right: they are moved to the nearest admissible ones first, so that a
poor guess gives a loose bound, never a wrong one. Every sum is followed by an a-priori bound of its
rounding error, so that the result holds for the exact value of f, not only for the computed one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.program import Line, Program
from icnn.decide.sets import Rows

Array = NDArray[np.float64]
ROUNDOFF = 2.0**-53


@final
@dataclass(frozen=True, eq=False)
class Multipliers:
    """What a solver proves with: none of it is trusted.

    `slopes`: for the objective and each learned function, ∂f*/∂b of each layer's rows; `y`:
    ∂f*/∂side of the user's rows; `mu` ≥ 0 of the learned limits; `w` of the cones.
    """

    slopes: tuple[tuple[Array, ...], ...]
    y: Array
    mu: Array
    w: tuple[Array, ...]


@final
@dataclass(frozen=True, eq=False)
class Minorant:
    """f(x) ≥ slope·x + offset + constant − error·|x| − error_offset for every (feasible) x.

    With a leading axis: one for each of many functions.
    """

    slope: Array  # (*batch, n)
    offset: Any  # (*batch,)
    constant: Any  # (*batch,) the output bias, kept apart because it may dwarf the rest
    error: Array  # (*batch, n)
    error_offset: Any  # (*batch,)


def gamma(terms: int) -> float:
    """Relative error of a float64 sum of `terms` products (Higham 2002, §3.1)."""
    return terms * ROUNDOFF / (1 - terms * ROUNDOFF)


def count_terms(program: Program) -> int:
    """No sum below has more terms than this."""
    layers = sum(len(line.b) + 1 for part in program.parts for line in part.lines)
    cones = sum(len(cone.b) for cone in program.cones)
    return layers + cones + program.n + len(program.rows.lower) + 12


def minorant(
    lines: Sequence[Line], slopes: Sequence[Array], g: float, weight: float = 1.0
) -> Minorant:
    """An affine minorant of weight · f at these slopes: one array (*batch, rows) a layer."""
    n, batch = lines[0].V.shape[1], slopes[0].shape[:-1]
    lam = [np.zeros((*batch, line.units)) for line in lines]
    slack = [np.zeros((*batch, line.units)) for line in lines]
    fan = [0] * len(lines)  # terms in the sum that gives each lam
    lam[-1][:] = weight
    r, error = np.zeros((*batch, n)), np.zeros((*batch, n))
    error_c: Any = np.zeros(batch)
    parts: list[Array] = []  # summed once, exactly: the error of c is that of its products
    for k in range(len(lines) - 1, -1, -1):
        line, exact = lines[k], k == len(lines) - 1
        wanted = np.nan_to_num(slopes[k], nan=0.0, posinf=0.0, neginf=0.0)
        u, cost, loose = _tilted(line, wanted, lam[k], 0.0 if exact else gamma(fan[k] + 8))
        passed = not line.atom.nonnegative  # only a negative part can cost anything
        slip = line.atom.lip * np.repeat(slack[k], line.atom.group, -1) if passed else 0.0
        spill = loose + slip
        h: Any = 1.0 if line.h is None else line.h
        error += ((g * np.abs(u) + spill) @ np.abs(line.V)) * np.abs(h)
        r += (u @ line.V) * h
        if not exact:
            parts += [u * line.b, -cost]
            error_c += ((2 * ROUNDOFF * np.abs(u) + spill) * np.abs(line.b)).sum(-1)
            error_c += 2 * ROUNDOFF * np.abs(cost).sum(-1)
            error_c += slack[k].sum(-1) * line.atom.at_zero * passed
        for source, W, gate in line.edges:
            factor: Any = 1.0 if gate is None else gate
            lam[source] += (u @ W) * factor
            fan[source] += line.b.shape[-1] + 1
            slack[source] += (spill @ W) * factor
    c, error_sum = _total(parts, batch)
    return Minorant(r, c, weight * lines[-1].b[..., 0], error, error_c + error_sum)


def _tilted(line: Line, wanted: Array, lam: Array, gamma: float) -> tuple[Array, Array, Array]:
    """The atom's tilt of every function: unit by unit, so that a batch is only a longer layer."""
    u, cost, loose = line.atom.tilt(wanted.ravel(), lam.ravel(), gamma)
    return u.reshape(wanted.shape), cost.reshape(lam.shape), loose.reshape(wanted.shape)


def _total(parts: Sequence[Array], batch: tuple[int, ...]) -> tuple[Any, Any]:
    """The sum over the last axes and a bound of its error: exact for one, in 80 bits for many."""
    if not parts:
        return np.zeros(batch), 0.0
    terms = np.concatenate(parts, axis=-1)
    if not batch:
        total = math.fsum(terms)
        return total, ROUNDOFF * abs(total)
    precision = float(np.finfo(np.longdouble).eps) * terms.shape[-1]
    wide = terms.astype(np.longdouble)
    total = wide.sum(-1).astype(np.float64)
    return total, 2 * ROUNDOFF * np.abs(total) + 2 * precision * np.abs(terms).sum(-1)


def lagrangian(program: Program, proof: Multipliers) -> Minorant:
    """A minorant of f on the feasible set, from the multipliers of all that limits it."""
    g = gamma(count_terms(program))
    total = minorant(program.lines, proof.slopes[0], g)
    mu = np.nan_to_num(proof.mu, nan=0.0, posinf=0.0, neginf=0.0).clip(0.0)
    for part, learned, slopes, weight in zip(
        program.parts[1:], program.learned, proof.slopes[1:], mu, strict=True
    ):
        if weight > 0:
            m = minorant(part.lines, slopes, g, float(weight))
            total = _sum(total, m, m.constant - weight * learned.limit)
    total = with_rows(total, program.rows, proof.y, g)
    for cone, w in zip(program.cones, proof.w, strict=True):
        w = cone.dual(w)
        product = float(w @ cone.b)
        size = g * np.abs(w)
        error, error_c = abs(cone.A).T @ size, float(size @ np.abs(cone.b))
        total = _sum(total, Minorant(-(cone.A.T @ w), 0.0, 0.0, error, error_c), -product)
    return total


def _sum(a: Minorant, b: Minorant, constant: float) -> Minorant:
    """a + b, with this constant in place of b's own."""
    slope, offset = a.slope + b.slope, a.offset + b.offset + constant
    terms = abs(a.offset) + abs(b.offset) + 3 * abs(constant) + 3 * abs(b.constant)
    return Minorant(
        slope,
        offset,
        a.constant,
        a.error + b.error + 2 * ROUNDOFF * (np.abs(a.slope) + np.abs(b.slope)),
        a.error_offset + b.error_offset + 4 * ROUNDOFF * terms,
    )


def with_rows(m: Minorant, rows: Rows, y: Array, g: float) -> Minorant:
    """Rows (sides (*batch, m)) join: y > 0 presses on a row's lower side, y < 0 on its upper."""
    y = np.nan_to_num(y, nan=0.0, posinf=0.0, neginf=0.0)
    side = np.where(y > 0, rows.lower, rows.upper)
    y = np.where(np.isfinite(side), y, 0.0)
    side = np.where(np.isfinite(side), side, 0.0)
    return Minorant(
        m.slope - (rows.A.T @ y.T).T,
        m.offset + (y * side).sum(-1),
        m.constant,
        m.error + g * (abs(rows.A).T @ np.abs(y).T).T + 2 * ROUNDOFF * np.abs(m.slope),
        m.error_offset + g * np.abs(y * side).sum(-1) + 2 * ROUNDOFF * np.abs(m.offset),
    )


def bound(program: Program, proof: Multipliers) -> float:
    """The lower bound of f on the feasible set that these multipliers prove."""
    m = lagrangian(program, proof)
    return float(least(m, program.finite.lower, program.finite.upper))


def least(m: Minorant, lower: Array, upper: Array) -> Any:
    """A number (*batch,) that the minorant does not fall below on the box.

    It is −∞ where a column has no end and the minorant does not vanish.
    """
    with np.errstate(invalid="ignore"):
        ends = np.minimum(m.slope * lower, m.slope * upper)
        ends = np.where(m.slope == 0, 0.0, ends)
        reach = np.where(m.error > 0, m.error * np.maximum(np.abs(lower), np.abs(upper)), 0.0)
    held: Any = np.isfinite(ends).all(-1) & np.isfinite(reach).all(-1)
    ends, reach = np.where(held[..., None], ends, 0.0), np.where(held[..., None], reach, 0.0)
    total, error_sum = _total([np.asarray(m.offset)[..., None], ends], ends.shape[:-1])
    error = m.error_offset + reach.sum(-1) + 2 * ROUNDOFF * np.abs(ends).sum(-1) + error_sum
    sizes = np.abs(m.constant) + np.abs(m.offset) + np.abs(total)
    error = error * (1 + 1e-9) + 4 * ROUNDOFF * sizes
    return np.where(held, m.constant + total - error, -np.inf)[()]
