"""knots: where a convex piecewise linear function should bend to follow f most closely.

On one piece [s, t] the best line is the chord, moved down by half the largest gap below it. Hence
chords between knots that make all gaps equal, moved down by half of that gap, are the best
continuous piecewise linear function with that many pieces: any other one has a piece on which it
cannot be closer. The largest t with a gap of at most 2ε grows with s, so the greedy choice from the
left needs the fewest pieces for ε.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from icnn.theory.evaluate import Array
from icnn.theory.samples import Samples

TRIALS = 100


class Choice(NamedTuple):
    """Knots, both ends of the interval included, with the gap allowed and the one left over."""

    gap: float
    knots: Array  # (pieces + 1,)
    rest: float  # gap of the last piece allowed, which goes on to the end; 0 if it is not needed
    fits: bool  # every gap is allowed, and every stop is a knot

    @property
    def pieces(self) -> int:
        """How many there are."""
        return len(self.knots) - 1


def greedy(s: Samples, gap: float, stops: Array, most: int) -> Choice:
    """As few pieces as possible with gaps of at most `gap`, a knot at every stop.

    If `most` pieces are too few, the last one goes to the end of the interval all the same.
    """
    ends = [*np.searchsorted(s.x, stops), len(s.x) - 1]
    at, value, i, knots = float(s.x[0]), float(s.y[0]), 1, [float(s.x[0])]
    last = (at, value, i)
    for end in ends:
        while i <= end and len(knots) <= most:
            last = (at, value, i)
            at, value, i = _reach(s, last, int(end), gap)
            knots.append(at)
    fits, knots[-1] = at == s.x[-1], float(s.x[-1])
    if len(knots) <= most:
        return Choice(gap, np.array(knots), 0.0, fits)
    at, value, i = last
    slope = (s.y[-1] - value) / (s.x[-1] - at)
    rest = float((value + slope * (s.x[i:] - at) - s.y[i:]).max())
    return Choice(gap, np.array(knots), max(rest, 0.0), fits)


def _reach(
    s: Samples, start: tuple[float, float, int], end: int, gap: float
) -> tuple[float, float, int]:
    """The end of the longest piece from (x, y), its value, and the next sample after it."""
    at, value, i = start
    chunk = 96
    while True:
        j = min(i + chunk, end + 1)
        along, rise = s.x[i:j] - at, s.y[i:j] - value
        cap = np.minimum.accumulate((rise + gap) / along)
        fails = np.flatnonzero(rise[1:] > cap[:-1] * along[1:])
        if fails.size:
            k = int(fails[0])
            return _crossing(s, (at, value, i + k), float(cap[k]))
        if j == end + 1:
            return float(s.x[end]), float(s.y[end]), end + 1
        chunk *= 4


def _crossing(
    s: Samples, start: tuple[float, float, int], slope: float
) -> tuple[float, float, int]:
    """Where the line of that slope from (x, y) meets the chord behind sample k."""
    at, value, k = start
    low, high = float(s.x[k]), float(s.x[k + 1])
    m = (float(s.y[k + 1]) - float(s.y[k])) / (high - low)
    over = value + slope * (low - at) - float(s.y[k])
    t = low + max(over, 0.0) / (m - slope) if m > slope else high
    if not t < high:
        return high, float(s.y[k + 1]), k + 2
    return t, float(s.y[k]) + m * (t - low), k + 1


def fewest(s: Samples, gap: float, most: int) -> int:
    """The least number of pieces with gaps of at most `gap`, or `most` + 1 if that is less."""
    choice = greedy(s, max(gap, s.floor), np.empty(0), most)
    return choice.pieces + (not choice.fits)


def best(s: Samples, pieces: int, stops: Array, *, guess: float, close: float) -> Choice | None:
    """The knots with the least largest gap; None if the stops alone make more pieces.

    Args:
        s: the function.
        pieces: how many at most.
        stops: samples where a knot must be.
        guess: the gap expected, positive.
        close: relative width of the bracket in which the root of the least gap is found.
    """
    if len(stops) >= pieces:
        return None
    low = greedy(s, s.floor, stops, pieces)
    if low.fits:
        return low
    low, high = _bracket(s, (low, stops, pieces), max(guess, 2 * s.floor), close)
    over, under, side = _excess(low), _excess(high), 0
    for trial in range(TRIALS):
        a, b = low.gap**0.5, high.gap**0.5
        if b <= a * (1 + close):
            break
        root = a + (b - a) * over / (over - under)  # without stops the excess is continuous
        if len(stops) or trial % 8 == 7 or not a < root < b:
            root = (a * b) ** 0.5
        root = min(max(root, a * (1 + close / 2)), b / (1 + close / 2))
        choice = greedy(s, root**2, stops, pieces)
        if choice.fits:
            high, under, over, side = choice, _excess(choice), over / (1 + (side < 0)), -1
        else:
            low, over, under, side = choice, _excess(choice), under / (1 + (side > 0)), 1
    return high


def _bracket(
    s: Samples, least: tuple[Choice, Array, int], guess: float, close: float
) -> tuple[Choice, Choice]:
    """One choice that does not fit and one that does, near the guess."""
    low, stops, pieces = least
    step, high = 4 * close, None
    while high is None or low is least[0]:
        factor = 1 + step if high is None else 1 / (1 + step)
        gap = guess * factor**2
        if gap <= s.floor:
            break
        choice = greedy(s, gap, stops, pieces)
        if choice.fits:
            high = choice
        else:
            low = choice
        step *= 8 if choice.fits == (factor < 1) else 1
    assert high is not None
    return low, high


def _excess(choice: Choice) -> float:
    """√rest - √gap: where nothing must stop, positive exactly where the pieces are too few."""
    return float(choice.rest**0.5 - choice.gap**0.5)
