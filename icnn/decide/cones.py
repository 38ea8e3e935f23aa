"""Cones: rows A x + b that must lie in a second-order or an exponential cone, and their minorants.

A multiplier w of the dual cone gives w·(A x + b) ≥ 0 for every feasible x: an affine function that
may be subtracted from any lower bound. Whatever a solver returns is moved into the dual cone first.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ULPS = 2.0**-48
DENSEST = 200  # columns of a cone up to which it is worth a pseudo-inverse


class Kind(enum.Enum):
    """Which cone."""

    SECOND_ORDER = "the first row is at least the Euclidean norm of the others"
    EXPONENTIAL = "rows (u, v, w) with v e^(u / v) ≤ w and v > 0, and the closure"


@final
@dataclass(frozen=True, eq=False)
class Cone:
    """A x + b in the cone of this kind."""

    kind: Kind
    A: Any  # (rows, n), scipy.sparse.csr_array
    b: Array  # (rows,)

    def dual(self, w: Array) -> Array:
        """A multiplier near w that is certainly in the dual cone, (rows,)."""
        w = np.nan_to_num(w, nan=0.0, posinf=0.0, neginf=0.0)
        if self.kind is Kind.SECOND_ORDER:
            length = float(np.linalg.norm(w[1:])) * (1 + len(w) * ULPS)
            return np.concatenate([[max(w[0], length)], w[1:]])
        u, v = min(w[0], 0.0), w[1]
        if u == 0.0:
            return np.array([0.0, max(v, 0.0), max(w[2], 0.0)])
        v = max(v, 600 * u)
        return np.array([u, v, max(w[2], -u * np.exp(v / u - 1) * (1 + 2048 * ULPS), 5e-324)])

    def sides(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Bounds of the rows A x that the cone and this box of x imply, (rows,) each."""
        low, high = np.full(len(self.b), -np.inf), np.full(len(self.b), np.inf)
        if self.kind is Kind.EXPONENTIAL:
            low[1:] = 0.0
            w, most = self._most(2, lower, upper), self._most(1, lower, upper)
            least = -Cone(self.kind, -self.A, -self.b)._most(1, lower, upper)
            if 0 < w < np.inf:  # u ≤ v log(w / v), greatest at v = w / e
                v = float(np.clip(w / np.e, max(least, 1e-300), max(most, 1e-300)))
                high[0] = v * np.log(w / v) + 1e-9 * (v + abs(v * np.log(w / v)))
            return low - self.b, high - self.b
        low[0] = 0.0
        reach = max(self._most(0, lower, upper), 0.0)
        low[1:], high[1:] = -reach, reach
        return low - self.b, high - self.b

    def around(self, lower: Array, upper: Array) -> tuple[Any, Array, Array]:
        """Columns, and a box around them: ‖A x + b‖ ≤ r holds x near −A⁺b, each row of A⁺ by r."""
        none = np.empty(0, dtype=np.intp), np.empty(0), np.empty(0)
        A = self.A[1:]
        columns = np.unique(A.indices)
        if self.kind is Kind.EXPONENTIAL or not 0 < len(columns) <= min(A.shape[0], DENSEST):
            return none
        dense, reach = A[:, columns].toarray(), max(self._most(0, lower, upper), 0.0)
        if not np.isfinite(reach) or np.linalg.cond(dense) > 1e6:
            return none
        inverse = np.linalg.pinv(dense)
        x, half = -inverse @ self.b[1:], reach * np.linalg.norm(inverse, axis=1)
        half = half + 1e-9 * (half + np.linalg.norm(inverse, axis=1) * np.linalg.norm(self.b[1:]))
        return columns, x - half, x + half

    def _most(self, row: int, lower: Array, upper: Array) -> float:
        """An upper bound of one row A x + b over the box."""
        A = self.A[[row]].toarray()[0]
        with np.errstate(invalid="ignore"):
            ends = np.where(A == 0, 0.0, np.maximum(A * lower, A * upper))
        size = float(np.abs(ends).sum() + abs(self.b[row]))
        return float(ends.sum() + self.b[row]) + ULPS * size

    def miss(self, x: Array, size: Array) -> float:
        """How far x is from the cone, relative to its rows when each column has this size."""
        y, weight = self.A @ x + self.b, abs(self.A) @ size + np.abs(self.b)
        scale = float(weight.max(initial=0.0)) or 1.0
        if self.kind is Kind.SECOND_ORDER:
            return max(0.0, float(np.linalg.norm(y[1:]) - y[0])) / scale
        u, v, w = (float(part) for part in y)
        if v <= 1e-12 * scale:
            return max(0.0, u, -v, -w) / scale
        return max(0.0, v * float(np.exp(min(u / v, 700.0))) - w) / scale
