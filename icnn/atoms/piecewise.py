"""Piecewise linear atoms: maxima of affine pieces of one row, and of several rows."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from icnn.atoms.atom import AbstractAtom, Array, Tilt
from icnn.errors import BadData, NotConvex


@final
@dataclass(frozen=True)
class PiecewiseLinear(AbstractAtom):
    """max_k (slope_k * a + intercept_k), elementwise; `pieces` are (slope, intercept) pairs.

    Pieces that are never the largest are dropped, the rest sorted by slope.
    """

    pieces: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        pieces = sorted((float(s), float(t)) for s, t in self.pieces)
        if not pieces or not np.isfinite(pieces).all():
            raise BadData(
                f"PiecewiseLinear needs finite (slope, intercept) pairs, not {self.pieces}"
            )
        object.__setattr__(self, "pieces", tuple(_upper_envelope(pieces)))

    @property
    def group(self) -> int:
        return 1

    @property
    def nondecreasing(self) -> bool:
        return self.pieces[0][0] >= 0

    @property
    def is_affine(self) -> bool:
        """Whether one piece is all."""
        return len(self.pieces) == 1

    @property
    def nonnegative(self) -> bool:
        s, t = np.array(self.pieces).T
        if s[0] > 0 or s[-1] < 0:
            return False
        turns = np.append(-np.diff(t) / np.diff(s), 0.0)
        return bool((np.multiply.outer(turns, s) + t).max(1).min() >= 0)

    @property
    def lip(self) -> float:
        return max(abs(s) for s, _ in self.pieces)

    @property
    def at_zero(self) -> float:
        return abs(max(t for _, t in self.pieces))

    def value(self, a: Tensor) -> Tensor:
        if self == IDENTITY:
            return a
        if self == RELU:
            return torch.relu(a)
        return torch.stack([s * a + t for s, t in self.pieces]).amax(0)

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        s, t = np.array(self.pieces).T
        if self.is_affine:
            least, missing = lam * (1 - gamma), 2 * gamma * lam
            return Tilt(least * s, missing * abs(t[0]) - least * t, missing * abs(s[0]))
        low, high = (
            lam * s[0] * (1 + np.sign(s[0]) * gamma),
            lam * s[-1] * (1 - np.sign(s[-1]) * gamma),
        )
        u = np.clip(slopes, low, high)
        if not t.any():
            return Tilt(u, np.zeros_like(u), np.zeros_like(u))
        kinks = np.diff(-t) / np.diff(s)
        share = np.divide(u, lam, out=np.full_like(u, s[0]), where=lam > 0)
        margin = gamma * (np.abs(t).max() + np.abs(kinks).max() * self.lip)
        return Tilt(u, lam * (np.interp(share, s, -t) + margin), np.zeros_like(u))


def leaky_relu(slope: float = 0.01) -> PiecewiseLinear:
    """max(slope * a, a), for a slope in [0, 1]."""
    if not 0 <= slope <= 1:
        raise NotConvex(
            f"leaky ReLU is convex and non-decreasing for slopes in [0, 1], not {slope}"
        )
    return PiecewiseLinear(((slope, 0.0), (1.0, 0.0)))


@final
@dataclass(frozen=True)
class Max(AbstractAtom):
    """The largest of `group` consecutive rows."""

    size: int

    def __post_init__(self) -> None:
        if not (isinstance(self.size, int) and self.size >= 1):
            raise BadData(f"Max needs a group of at least one row, not {self.size!r}")

    @property
    def group(self) -> int:
        return self.size

    @property
    def nondecreasing(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return False

    @property
    def lip(self) -> float:
        return 1.0

    @property
    def at_zero(self) -> float:
        return 0.0

    def value(self, a: Tensor) -> Tensor:
        return a.reshape(*a.shape[:-1], a.shape[-1] // self.size, self.size).amax(-1)

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        u = np.clip(slopes, 0, None).reshape(-1, self.size)
        total = u.sum(1)
        u[total <= 0, 0] = 1.0
        least = lam * (1 - gamma - self.size * 2.0**-50)
        u *= (least / np.where(total > 0, total, 1.0))[:, None]
        missing = 2 * gamma + self.size * 2.0**-48
        return Tilt(u.ravel(), np.zeros_like(lam), missing * u.ravel())


def _upper_envelope(pieces: list[tuple[float, float]]) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for s, t in pieces:
        if kept and kept[-1][0] == s:
            kept.pop()  # sorted: the intercept here is at least as large
        while len(kept) >= 2:
            (s0, t0), (s1, t1) = kept[-2:]
            if (t0 - t1) * (s - s1) < (t1 - t) * (s1 - s0):
                break
            kept.pop()
        kept.append((s, t))
    return kept


IDENTITY = PiecewiseLinear(((1.0, 0.0),))
RELU = PiecewiseLinear(((0.0, 0.0), (1.0, 0.0)))
ABS = PiecewiseLinear(((-1.0, 0.0), (1.0, 0.0)))
