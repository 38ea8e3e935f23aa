"""kinks: where the slope of a convex function jumps, to the last place that its values show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icnn.theory.evaluate import Array
from icnn.theory.samples import Samples

MOST = 1024  # candidates
TRACE = 6  # halvings over which the jump of a kink stays, and that of a bend falls to 1/64
STAYS = 0.6
LEVELS = 44
BASE = 64  # widths of a bracket that the lines beside it are long
VISIBLE = 64  # a jump shows where it bends the values by this many times their noise


def kinks(s: Samples) -> tuple[Samples, Array]:
    """The interior points where the slope of f jumps, increasing, and s with them as samples.

    Halves a bracket round every large change of slope: at a kink the jump stays, where f only
    bends it shrinks with the bracket. Lines from both sides then meet at the kink.
    """
    jumps = np.diff(s.slopes)
    reach = np.minimum(np.diff(s.x)[:-1], np.diff(s.x)[1:])
    peak = jumps >= np.maximum(np.append(jumps[1:], 0), np.insert(jumps[:-1], 0, 0)) / 4
    middle = np.flatnonzero(peak & (jumps * reach > VISIBLE * s.noise)) + 1
    if not middle.size:
        return s, np.empty(0)
    middle = np.sort(middle[np.argsort(-jumps[middle - 1])[:MOST]])
    low, high, jump = _narrowed(s, s.x[middle - 1], s.x[middle + 1])
    return _merged(s, *_meeting(s, low, high, jump))


def _narrowed(s: Samples, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Brackets (low, high) of those jumps that do not shrink, and the jumps."""
    trace = np.full((TRACE + 1, len(low)), np.nan)  # the last jumps of each bracket
    active = np.ones(len(low), dtype=bool)
    for level in range(LEVELS):
        q = low[active] + np.multiply.outer([0, 0.25, 0.5, 0.75, 1], (high - low)[active])
        y = s.f(q.ravel()).reshape(q.shape)
        jumps = np.diff(np.diff(y, axis=0) / np.diff(q, axis=0), axis=0)
        k, at = jumps.argmax(axis=0), np.arange(q.shape[1])
        seen = jumps[k, at] * (high - low)[active] / 4 > VISIBLE * s.noise
        on = np.flatnonzero(active)
        keep = on[seen]
        low[keep], high[keep] = q[k, at][seen], q[k + 2, at][seen]
        trace[:, keep] = np.vstack([trace[1:, keep], jumps[k, at][seen]])
        active[on[~seen]] = False
        active &= ~(_ratio(trace) < STAYS / 8) & (high - low > 64 * np.spacing(np.abs(high)))
        if not active.any() or level == LEVELS - 1:
            break
    stays = _ratio(trace) >= STAYS
    return low[stays], high[stays], trace[-1][stays]


def _ratio(trace: Array) -> Array:
    """The last jump, relative to the one TRACE halvings before; NaN before that."""
    return np.asarray(trace[-1] / trace[0])


def _meeting(s: Samples, low: Array, high: Array, jump: Array) -> tuple[Array, Array, Array]:
    """Where the lines through both sides of each bracket meet, with brackets' widths and jumps."""
    width = high - low
    inside: NDArray[np.bool_] = (low - width > s.x[0]) & (high + width < s.x[-1])
    low, high, width, jump = (v[inside] for v in (low, high, width, jump))
    if not low.size:
        return low, low, low
    # long lines, so that the rounding of their slopes counts less than that of their ends
    p, q = np.maximum(low - BASE * width, s.x[0]), np.minimum(high + BASE * width, s.x[-1])
    y = s.f(np.concatenate([p, low, high, q])).reshape(4, -1)
    left, right = (y[1] - y[0]) / (low - p), (y[3] - y[2]) / (q - high)
    steeper = right > left
    over = y[1] - y[2] + right * (high - low)
    t = low + np.divide(over, right - left, where=steeper, out=width.copy())
    return np.clip(t, low, high)[steeper], width[steeper], jump[steeper]


def _merged(s: Samples, t: Array, width: Array, jump: Array) -> tuple[Samples, Array]:
    """One of each group of equal kinks; it replaces the samples that rounding hides from it."""
    found: list[float] = []
    for k in np.argsort(t):
        at, near = float(t[k]), 4 * s.noise / jump[k] + 8 * float(np.spacing(abs(t[k])))
        if found and at - found[-1] <= max(near, width[k]):
            continue
        if s.x[0] + near < at < s.x[-1] - near:
            s = s.without(at - near, at + near)
            found.append(at)
    kinks = np.array(found)
    return s.with_points(kinks), kinks
