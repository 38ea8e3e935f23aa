"""converse: what a convex activation whose curvature is spread cannot build."""

from __future__ import annotations

from typing import Any

import numpy as np

from icnn.errors import BadData, NotSolved
from icnn.theory.evaluate import Array, scalar

SHARES = (1.0, -1.0, 0.5, -0.5, 0.25, -0.25)  # slopes offered, relative to the steepest
NEAR = 8.0  # shifts reach so many widths of a bend
MOST_SHIFTS = 1025


def approximation_floor(s: Any, slope: float, *, shifts: int = 65) -> float:
    """The least error on [-1, 1] with which a combination of s builds max(0, x).

    The combination is b0 + b1 x + Σ c_j s(w_j (x - t_j)) with c_j >= 0 and slopes w_j of ± slope,
    ± slope / 2 and ± slope / 4 at each of the shifts; the error is the largest one on a grid. Six
    units a shift are offered, and a linear program finds the best weights of all of them. Shifts
    stand evenly within 8 / slope of zero, where max(0, x) bends; 2^k + 1 of them include 2^j + 1.

    Args:
        s: a callable of one variable, vectorised or not, or a torch module.
        slope: the steepest slope allowed inside s.
        shifts: how many; odd, so that one of them is at the bend.

    Raises:
        BadData: the slope is not positive, or the shifts are not an odd number up to 1025.
    """
    from scipy.optimize import linprog

    if not 0 < slope < 1e6:
        raise BadData(f"slope is {slope!r}; give a positive number below 1e6")
    if not (1 <= shifts <= MOST_SHIFTS and shifts % 2 == 1):
        raise BadData(f"shifts is {shifts!r}; give an odd number up to {MOST_SHIFTS}")
    u = _grid(slope)  # u = slope · x, so that all numbers below are of one size
    units = _units(s, u, shifts, min(slope, NEAR))
    lines = np.column_stack([np.ones_like(u), u / slope, units])
    error, target = np.ones((len(u), 1)), np.maximum(u, 0.0)
    found = linprog(
        np.append(np.zeros(lines.shape[1]), 1.0),
        A_ub=np.block([[lines, -error], [-lines, -error]]),
        b_ub=np.append(target, -target),
        bounds=[(None, None)] * 2 + [(0, None)] * (units.shape[1] + 1),
        method="highs",
    )
    if found.status != 0:
        raise NotSolved(f"the linear program has no answer: {found.message}")
    return float(found.fun) / slope


def _grid(slope: float) -> Array:
    """Points of [-slope, slope], denser round zero."""
    inner = min(slope, 1.5 * NEAR)
    return np.union1d(np.linspace(-slope, slope, 129), np.linspace(-inner, inner, 257))


def _units(s: Any, u: Array, shifts: int, reach: float) -> Array:
    """s(share · (u - t)) for all shares and shifts t, a column each."""
    t = np.linspace(-reach, reach, shifts) if shifts > 1 else np.zeros(1)
    f = scalar(s, u)
    columns = [f(share * (u - at)) for share in SHARES for at in t]
    return np.column_stack(columns)
