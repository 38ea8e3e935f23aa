"""samples: what a few values of a convex function say about all the others.

Between two neighbours the chord is above f. The chords of the intervals beside it, extended, are
below f. Nothing else is used: no derivative, no bound on a derivative, no dense grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from icnn.errors import BadData, NotConvex
from icnn.theory.evaluate import Array, Scalar, scalar

START = 65  # points of the first grid
FEWEST_FLOATS = 2.0**-20  # of width relative to size: the interval holds enough float64 numbers
GOLDEN = (5**0.5 - 1) / 2
CLUSTERS, MEMBERS = 8, 9
LARGEST_WIDTH = 1e200
UNITS = 8  # rounding of f: units in the last place of its largest value


@final
@dataclass(frozen=True, eq=False)
class Samples:
    """A convex function at increasing points, known there up to `noise`."""

    f: Scalar
    x: Array  # (N,)
    y: Array  # (N,)
    noise: float  # |computed f - convex f| is taken to be at most this

    @property
    def floor(self) -> float:
        """Differences below this are rounding."""
        return max(8 * self.noise, 1e-290)

    @property
    def slopes(self) -> Array:
        """Of the chords, (N - 1,)."""
        return np.asarray(np.diff(self.y) / np.diff(self.x))

    def below(self) -> tuple[Array, Array]:
        """How far below the chord the line from the left is at the right end, and vice versa."""
        h, m = np.diff(self.x), self.slopes
        jump = np.maximum(np.diff(m), 0.0)
        left, right = np.full_like(h, np.inf), np.full_like(h, np.inf)
        left[1:] = jump * h[1:] + 4 * self.noise * h[1:] / h[:-1]
        right[:-1] = jump * h[:-1] + 4 * self.noise * h[:-1] / h[1:]
        return left, right

    def highest(self, r: Array) -> Array:
        """The most that an affine piece g can be above f, from r = g - f at the points; (N - 1,).

        For every share s in [0, 1], f is above s · (line from the left) + (1 - s) · (line from the
        right); g minus that is affine, so its ends decide. The best s makes both ends equal.
        """
        left, right = self.below()
        finite = np.isfinite(left) & np.isfinite(right)
        total = np.where(finite, left + right, 1.0)
        share = (r[:-1] - r[1:] + np.where(finite, right, 0.0)) / np.where(total > 0, total, 1.0)
        share = np.where(finite, np.clip(share, 0, 1), np.isinf(right).astype(float))
        part = np.where(share > 0, share, 0) * np.where(share > 0, left, 0)
        rest = np.where(share < 1, 1 - share, 0) * np.where(share < 1, right, 0)
        return np.asarray(np.maximum(r[:-1] + rest, r[1:] + part) + 2 * self.noise)

    def gaps(self) -> Array:
        """The most that each chord can be above f, (N - 1,)."""
        return self.highest(np.zeros_like(self.x))

    def with_points(self, x: Array) -> Samples:
        """The same function, known at the points x (M,) too.

        Raises:
            NotConvex: a value lies above the chord of its neighbours by more than rounding.
        """
        new = np.setdiff1d(np.clip(x, self.x[0], self.x[-1]), self.x)
        if not new.size:
            return self
        place = np.searchsorted(self.x, new)
        x, y = np.insert(self.x, place, new), np.insert(self.y, place, self.f(new))
        noise = max(self.noise, UNITS * self.f.eps * float(np.abs(y).max()))
        return Samples(self.f, x, y, noise).checked()

    def without(self, low: float, high: float) -> Samples:
        """The same function, not known between low and high, which are inside the interval."""
        kept = (self.x < low) | (self.x > high)
        return Samples(self.f, self.x[kept], self.y[kept], self.noise)

    def halved(self, which: Any) -> Samples:
        """With a point in each interval of `which`: where the lines from both sides meet.

        At a kink between two affine pieces that is the kink. Where it lies near an end, the middle
        is taken too, so that every interval shrinks by a quarter at least.
        """
        left, right = self.below()
        finite = np.isfinite(left) & np.isfinite(right)
        total = np.where(finite, left + right, 0.0)
        share = np.divide(right, total, out=np.full_like(total, 0.5), where=total > 0)[which]
        start, h = self.x[:-1][which], np.diff(self.x)[which]
        middle = (start + h / 2)[np.abs(share - 0.5) > 0.25]
        return self.with_points(np.concatenate([start + share * h, middle]))

    def resolved(self, count: int) -> Samples:
        """With points where the gaps are largest, until there are `count`, or no gap is left."""
        s = self
        for _ in range(200):
            gaps = s.gaps()
            if len(s.x) >= count or gaps.max() <= s.floor:
                break
            finer = s.halved(gaps > max(gaps.max() / 4, s.floor))
            if len(finer.x) == len(s.x):
                break
            s = finer
        return s

    def worst(self) -> tuple[int, float]:
        """Where a value is most above the chord of its neighbours, and how far beyond rounding."""
        x, y = self.x, self.y
        share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
        excess = y[1:-1] - ((1 - share) * y[:-2] + share * y[2:])
        k = int(np.argmax(excess))
        return k, float(excess[k]) - 3 * self.noise

    def checked(self) -> Samples:
        """This, if no value lies above the chord of its neighbours."""
        k, excess = self.worst()
        if excess > 0:
            x, y = self.x[k : k + 3].tolist(), self.y[k : k + 3].tolist()
            points = ", ".join(f"f({a!r}) = {b!r}" for a, b in zip(x, y, strict=True))
            chord = y[0] + (y[2] - y[0]) * (x[1] - x[0]) / (x[2] - x[0])
            what = f"the middle value is {y[1] - chord:.3g} above the chord of the others"
            what += f", where rounding was taken to be at most {self.noise:.1e}"
            raise NotConvex(f"f is not convex: {points}; {what}")
        return self


def sampled(f: Any, interval: Any, count: int = START) -> Samples:
    """The function f at a first grid of the interval (a, b); whether it is convex is not checked.

    Raises:
        BadData: the interval is no interval, or f has no finite number somewhere in it.
    """
    a, b = _ends(interval)
    x = np.linspace(a, b, count)
    g = scalar(f, x)
    y = g(x)
    noise = max(UNITS * g.eps * float(np.abs(y).max()), 2 * _scatter(g, a, b))
    return Samples(g, x, y, noise)


def _ends(interval: Any) -> tuple[float, float]:
    try:
        a, b = (float(end) for end in interval)
    except (TypeError, ValueError):
        raise BadData(f"interval is {interval!r}; give two numbers, such as (-1, 1)") from None
    if not (np.isfinite(a) and np.isfinite(b) and a < b):
        raise BadData(f"interval is ({a!r}, {b!r}); it must be finite, with its lower end first")
    if b - a < FEWEST_FLOATS * max(abs(a), abs(b)) or b - a < 1e-200 or b - a > LARGEST_WIDTH:
        raise BadData(
            f"interval is ({a!r}, {b!r}); its width is too small or too large for float64"
        )
    return a, b


def _scatter(f: Scalar, a: float, b: float) -> float:
    """The largest departure from a chord among nearly equal points: rounding inside f."""
    step = max(2.0**-36 * (b - a), 8 * float(np.spacing(max(abs(a), abs(b)))))
    centres = a + (b - a) * np.modf(GOLDEN * np.arange(1, CLUSTERS + 1))[0]
    x = centres[:, None] + step * np.arange(MEMBERS)
    y = f(x.ravel()).reshape(x.shape)
    share = (x[:, 1:-1] - x[:, :-2]) / (x[:, 2:] - x[:, :-2])
    return float(np.abs(y[:, 1:-1] - (1 - share) * y[:, :-2] - share * y[:, 2:]).max())
