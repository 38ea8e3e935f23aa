"""proofs: a formula is convex, or non-decreasing, or some points show that it is not.

Each answer is True or False only where interval arithmetic proves it, and None otherwise.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from icnn.theory.evaluate import Array, Scalar
from icnn.theory.formulas import Formula, Piece
from icnn.theory.interval import ZERO, Interval, enclosing

Points = tuple[tuple[float, float], ...]
STEPS = 2.0 ** np.arange(-6, 7)
TWO = Decimal(2)
SMALL = 2.0 ** -np.arange(7, 50)
GRID = np.arange(-8, 8.25, 0.25)


class Verdict(NamedTuple):
    """A proved answer, why, and the points that show a False."""

    holds: bool | None
    reason: str
    points: Points = ()


def convexity(formula: Formula, f: Scalar) -> Verdict:
    """Convex if curvatures are >= 0 on all pieces, values meet, and slopes do not fall."""
    curved = [piece for piece in formula.pieces if not piece.is_affine]
    bends = all(p.curvature and p.curvature(p.whole).low >= 0 for p in curved)
    joins = all(_continuous(*j) and _slopes_rise(*j) for j in _junctions(formula))
    if bends and joins:
        what = "the second derivative is >= 0 on every piece"
        if not curved:
            what = "every piece is affine"
        return Verdict(
            True, what + (", and slopes rise where pieces meet" if formula.junctions else "")
        )
    points = _above_a_chord(formula, f)
    if not points:
        return Verdict(None, "neither proved nor refuted")
    (a, fa), (b, fb), (c, fc) = points
    chord = fa + (fc - fa) * (b - a) / (c - a)
    if f"{fb:.4g}" == f"{chord:.4g}":
        return Verdict(False, f"slopes fall at {b:g}", points)
    return Verdict(False, f"s({b:g}) = {fb:.4g} is above the chord's {chord:.4g}", points)


def monotonicity(formula: Formula, f: Scalar) -> Verdict:
    """Non-decreasing if slopes are >= 0 on all pieces and no value steps down between them."""
    rises = all(p.slope and p.slope(p.whole).low >= 0 for p in formula.pieces)
    if rises and all(_steps_up(*j) for j in _junctions(formula)):
        return Verdict(True, "the first derivative is >= 0, and no value steps down")
    x = _places(formula)
    for k in np.flatnonzero(np.diff(f(x)) < 0):
        a, b = float(x[k]), float(x[k + 1])
        first, second = _at(formula, a), _at(formula, b)
        if first and second and second.high < first.low:
            points = ((a, float(first.low)), (b, float(second.high)))
            what = f"s({a:g}) = {points[0][1]:.4g} > s({b:g}) = {points[1][1]:.4g}"
            return Verdict(False, what, points)
    return Verdict(None, "neither proved nor refuted")


def single_kink(formula: Formula) -> tuple[float, float, float, float, float] | None:
    """(a0, a1, b0, b1, b2) of a convex formula whose pieces are affine and bend at one point."""
    if not all(piece.is_affine for piece in formula.pieces):
        return None
    slopes = [piece.slope(enclosing(ZERO)).low for piece in formula.pieces if piece.slope]
    bends = [k for k, (left, right) in enumerate(pairwise(slopes)) if left < right]
    if len(bends) != 1:
        return None
    at, left, right = formula.junctions[bends[0]], slopes[bends[0]], slopes[bends[0] + 1]
    value = formula.pieces[bends[0]].value(enclosing(ZERO)).low  # of the left line, extended to 0
    return 0.0 - float(at), 1.0, float(value), float(left), float(right - left)


def _junctions(formula: Formula) -> list[tuple[Piece, Piece, Interval]]:
    at = map(enclosing, formula.junctions)
    return [(p, q, x) for (p, q), x in zip(pairwise(formula.pieces), at, strict=True)]


def _continuous(left: Piece, right: Piece, at: Interval) -> bool:
    p, q = left.value(at), right.value(at)
    return p.is_point and p == q


def _slopes_rise(left: Piece, right: Piece, at: Interval) -> bool:
    return bool(left.slope and right.slope and left.slope(at).high <= right.slope(at).low)


def _steps_up(left: Piece, right: Piece, at: Interval) -> bool:
    return left.value(at).high <= right.value(at).low


def _at(formula: Formula, x: float) -> Interval | None:
    """The value at x; None where two pieces meet with different values, or Φ is too far out."""
    point = enclosing(x)
    found = {p.value(point) for p in formula.pieces if p.low <= point.low <= p.high}
    return found.pop() if len(found) == 1 else None


def _places(formula: Formula) -> Array:
    """Where a counterexample is looked for: a grid, and points near every junction."""
    near = [float(at) + np.append(-STEPS, STEPS) for at in formula.junctions]
    jumps = [float(j[2].low) for j in _junctions(formula) if not _continuous(*j)]
    return np.setdiff1d(np.concatenate([GRID, *near]), jumps)


def _above_a_chord(formula: Formula, f: Scalar) -> Points:
    """Three points whose middle one is provably above the chord of the others, or none."""
    centres = _places(formula)
    h = np.repeat(STEPS, len(centres))
    b = np.tile(centres, len(STEPS))
    near = (np.abs(b) <= 8) & (np.abs(b - h) <= 8) & (np.abs(b + h) <= 8)
    near |= any(abs(at) > 4 for at in formula.junctions)
    b, h = b[near], h[near]
    excess = f(b) - (f(b - h) + f(b + h)) / 2
    for k in np.argsort(-np.round(excess, 9), kind="stable")[:20]:
        if points := _proved(formula, float(b[k]), float(h[k])):
            return points
    for at in formula.junctions:  # slopes may fall by less than float64 values show
        for step in SMALL:
            if points := _proved(formula, float(at), float(step)):
                return points
    return ()


def _proved(formula: Formula, b: float, h: float) -> Points:
    """The points b - h, b, b + h if the middle one is provably above the chord."""
    x = (b - h, b, b + h)
    a, m, c = (_at(formula, v) for v in x)
    if a and m and c and m.low > ((a + c) / TWO).high:
        return tuple((v, float(y.low) + 0.0) for v, y in zip(x, (a, m, c), strict=True))
    return ()
