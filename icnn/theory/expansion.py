"""expansion: a convex function of one variable as b0 + b1 x + Σ c_k max(0, x - x_k), c_k >= 0.

The sum is the discrete form of f(x) = b0 + b1 x + ∫ f''(y) max(0, x - y) dy, and a `Network`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from icnn.errors import BadData
from icnn.network import Network, affine, relu_network
from icnn.theory.evaluate import Array
from icnn.theory.kinks import kinks
from icnn.theory.knots import Choice, best, fewest
from icnn.theory.samples import Samples, sampled

MOST_UNITS = 5_000
TIGHT = (1e-2, 3e-4, *[3e-6] * 5)  # of the bound, round by round
OPTIMAL = 1e-5  # the bound is this close to the least one that the samples allow
FIRST, CLOSE = 3e-3, 2e-7  # relative width of what brackets the root of the least gap
FEW, MANY = 8, 64  # samples a piece
WIDER = 8
KEEP = 1.02  # knots stay on all kinks if that costs at most this factor
ROUNDS = 60
NONE = np.empty(0)


@final
@dataclass(frozen=True, eq=False)
class Terms:
    """The numbers of an expansion."""

    b0: float
    b1: float
    c: Array  # (units,), all >= 0
    knots: Array  # (units,), increasing


def relu_expansion(
    f: Any, interval: Any, *, error: float | None = None, units: int | None = None
) -> Network:
    """The convex f on (a, b) as b0 + b1 x + Σ c_k max(0, x - x_k) with c_k >= 0.

    Knots and values are the best ones: no continuous function of as many pieces is closer to f in
    the largest difference, up to a factor of 1.02 where that keeps a knot on every kink of f. With
    K pieces the error is about (∫ √f'')² / (16 K²). A piecewise linear f with no more kinks than
    units is reproduced. Fewer units than asked for come back if they do as well.

    Args:
        f: any callable of one variable: of numbers, arrays or tensors, or a `Network`.
        interval: (a, b), finite.
        error: the largest difference allowed; the fewest units that provably keep it are used.
        units: how many max(0, x - x_k); give this or `error`.

    Raises:
        NotConvex: the chord test fails; the message has the three points and their values.
        BadData: both or none of error and units, an interval that is none, a value that is not
            finite, or an error that float64 values of f cannot show.
    """
    if (error is None) == (units is None):
        raise BadData(f"error is {error!r} and units is {units!r}; give exactly one of them")
    s = sampled(f, interval).checked()
    if units is not None:
        return _with_units(s, _count(units) + 1)
    return _with_error(s, error)


def expansion_error(expansion: Network, f: Any, interval: Any) -> float:
    """A bound on |f(x) - expansion(x)| for every x of the interval, from convexity of f alone.

    Between sampled points f lies below its chords and above the extended chords next to them. Each
    computed value of f is taken to be within 8 units in the last place of the largest one of the
    exact, convex f, or within twice the scatter seen among nearly equal points if that is more;
    that, and the rounding of the expansion's own value, is added to the bound.

    Raises:
        NotConvex, BadData: as `relu_expansion`, or the network is no sum as it returns.
    """
    relu_terms(expansion)
    return _certified(sampled(f, interval).checked(), expansion, TIGHT[-1])[1]


def relu_terms(expansion: Network) -> Terms:
    """b0, b1, c and the knots of a network that `relu_expansion` returned.

    Raises:
        BadData: the network is not of that form.
    """
    *hidden, out = expansion.layers
    V, b = out.V.numpy(), out.b.numpy()
    if expansion.n == 1 and not hidden and not out.W:
        return Terms(float(b[0]), float(V[0, 0]), np.empty(0), np.empty(0))
    if expansion.n != 1 or len(hidden) != 1 or not (hidden[0].V == 1).all() or len(out.W) != 1:
        raise BadData(f"{expansion} is not b0 + b1 x + Σ c_k max(0, x - x_k) of one variable")
    return Terms(float(b[0]), float(V[0, 0]), out.W[0][1].numpy()[0], -hidden[0].b.numpy())


def _count(units: Any) -> int:
    if isinstance(units, bool) or not isinstance(units, int | np.integer):
        raise BadData(f"units is {units!r}; give a whole number")
    if not 1 <= units <= MOST_UNITS:
        raise BadData(f"units is {units}; give 1 to {MOST_UNITS}")
    return int(units)


def _with_units(s: Samples, pieces: int) -> Network:
    """The best expansion with that many pieces, with a knot on every kink if that costs little."""
    s, stops = kinks(s.resolved(_enough(pieces)))
    kept, free = (_first(s, pieces, stops), None) if len(stops) else (None, None)
    if kept is None or kept.gap > s.floor:
        free = _first(s, pieces, NONE)
    keep = kept is not None and (free is None or kept.gap <= KEEP * free.gap)
    return _fitted(s, pieces, stops if keep else NONE)[1]


def _with_error(s: Samples, error: Any) -> Network:
    """The fewest units whose bound is at most `error`."""
    if not (isinstance(error, int | float | np.number) and 0 < error < np.inf):
        raise BadData(f"error is {error!r}; give a positive number")
    pieces = 1
    while 2 * error > s.floor:
        s, pieces = _least(s, float(error), pieces)
        if pieces > MOST_UNITS + 1:
            raise BadData(f"error {error!r} needs more than {MOST_UNITS} units; allow a larger one")
        s, stops = kinks(s)
        for at in (stops, NONE) if 0 < len(stops) < pieces else (NONE,):
            s, expansion, bound = _fitted(s, pieces, at)
            if bound <= error:
                return expansion
        if fewest(s, s.floor, pieces) <= pieces:
            break
        pieces += 1
    if error >= 4 * s.floor:
        what = "f jumps at an end of the interval, or is too steep there; move that end inwards"
        raise BadData(f"error {error!r} cannot be proved with any number of units: {what}")
    what = f"values of f are known to {s.noise:.1e} only; allow {4 * s.floor:.1e} or more"
    raise BadData(f"error {error!r} is too small: {what}")


def _least(s: Samples, error: float, pieces: int) -> tuple[Samples, int]:
    """A number of pieces, from `pieces` on, that is not above the fewest, and finer samples.

    Chords of samples lie above f, by the more the fewer samples there are on a piece: the gap
    allowed is widened by that, or else pieces would be counted that f does not need.
    """
    while True:
        s = s.resolved(_enough(pieces))
        wide = 2 * error * (1 + WIDER * (2 * pieces / len(s.x)) ** 2)
        needed = fewest(s, wide, MOST_UNITS + 1)
        if needed <= pieces or pieces > MOST_UNITS + 1:
            return s, pieces
        pieces = min(needed, 2 * pieces)


def _enough(pieces: int) -> int:
    """Samples to choose knots on; with many pieces, small errors of the first shift the last."""
    return pieces * min(FEW + pieces // 8, MANY)


def _first(s: Samples, pieces: int, stops: Array) -> Choice | None:
    """The best knots to a hundredth; for smooth f the roots of all gaps add up to ∫ √(f''/8)."""
    guess = float((np.sqrt(s.gaps()).sum() / (2 * pieces)) ** 2)
    return best(s, pieces, stops, guess=guess, close=FIRST)


def _fitted(s: Samples, pieces: int, stops: Array) -> tuple[Samples, Network, float]:
    """The best expansion with that many pieces and knots at all stops, its samples and bound."""
    choice = _first(s, pieces, stops)
    assert choice is not None
    for tight in TIGHT:
        s = s.with_points(choice.knots)
        expansion = _interpolant(s, choice.knots)
        s, bound = _certified(s, expansion, tight)
        if bound <= max(choice.gap / 2 * (1 + OPTIMAL), s.floor):
            break
        choice = best(s, pieces, stops, guess=choice.gap, close=max(tight / 100, CLOSE)) or choice
    return s, expansion, bound


def _interpolant(s: Samples, knots: Array) -> Network:
    """Chords of f between the knots, moved down by half of the largest gap."""
    y = np.interp(knots, s.x, s.y)
    gap = float((np.interp(s.x, knots, y) - s.y).max())
    slopes = np.diff(y) / np.diff(knots)
    c = np.diff(slopes)
    kept = c > 0
    b0 = y[0] - slopes[0] * knots[0] - (gap / 2 if gap > s.floor else 0.0)
    if not kept.any():
        return affine([slopes[0]], b0)
    at, ones = knots[1:-1][kept], np.ones((int(kept.sum()), 1))
    return relu_network([ones, [[slopes[0]]]], [-at, [b0]], [c[kept][None, :]])


def _certified(s: Samples, expansion: Network, tight: float) -> tuple[Samples, float]:
    """A bound on |f - expansion|, within a factor 1 + tight of what the samples show."""
    terms = relu_terms(expansion)
    s = s.with_points(terms.knots)
    for _ in range(ROUNDS):
        r = _values(terms, s.x) - s.y
        rounding = _rounding(terms, s)
        highest = s.highest(r)
        seen = float(np.abs(r).max())
        bound = max(float(highest.max()), float((-r).max()) + s.noise) + rounding
        loose = highest > seen * (1 + tight) + s.floor
        if not loose.any():
            break
        finer = s.halved(loose)
        if len(finer.x) == len(s.x):
            break
        s = finer
    return s, bound


def _values(terms: Terms, x: Array) -> Array:
    """The expansion at x (N,), by sums of non-negative terms from knot to knot."""
    line = terms.b0 + terms.b1 * x
    if not len(terms.c):
        return np.asarray(line)
    slope = np.cumsum(terms.c)
    height = np.insert(np.cumsum(slope[:-1] * np.diff(terms.knots)), 0, 0.0)
    k = np.searchsorted(terms.knots, x) - 1
    inside = height[k] + slope[k] * (x - terms.knots[k])
    return np.asarray(line + np.where(k >= 0, inside, 0.0))


def _rounding(terms: Terms, s: Samples) -> float:
    """A bound on the errors of the expansion's values, here and where a caller computes them.

    With u = 2^-53, sums from knot to knot err by (2 units + 6) u of the sum of all terms, and those
    of `Network` by (units + 4) u.
    """
    size = max(abs(float(s.x[0])), abs(float(s.x[-1])))
    total = abs(terms.b0) + abs(terms.b1) * size
    total += float(terms.c @ np.maximum(s.x[-1] - terms.knots, 0.0)) if len(terms.c) else 0.0
    return 2 * (len(terms.c) + 4) * 2.0**-52 * total
