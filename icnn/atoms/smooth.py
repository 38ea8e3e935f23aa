"""Smooth and conic atoms: softplus, log-sum-exp, norms, squares and Huber.

Each tilt uses the least value that lam can have: the atoms are non-negative (or bounded by their
rows), so lam * conjugate(slopes / lam) is largest there, and the minorant holds for the true lam.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from icnn.atoms.atom import AbstractAtom, Array, Tilt
from icnn.errors import BadData

ULPS = 2.0**-48  # more than the rounding of any formula below


@final
@dataclass(frozen=True)
class Softplus(AbstractAtom):
    """log(1 + e^a), elementwise."""

    @property
    def group(self) -> int:
        return 1

    @property
    def nondecreasing(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return True

    @property
    def lip(self) -> float:
        return 1.0

    @property
    def at_zero(self) -> float:
        return math.log(2.0)

    def value(self, a: Tensor) -> Tensor:
        return torch.logaddexp(a, torch.zeros_like(a))  # F.softplus is a beyond 20

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        least = lam * (1 - gamma)
        u = np.clip(slopes, 0.0, least)
        share = _share(u, least)
        cost = least * (_xlogx(share) + _xlogx(1 - share))
        return Tilt(u, cost + 4 * ULPS * least, np.zeros_like(u))


@final
@dataclass(frozen=True)
class LogSumExp(AbstractAtom):
    """T log Σ e^(a / T) over `size` consecutive rows, T the temperature."""

    size: int
    temperature: float = 1.0

    def __post_init__(self) -> None:
        _check_size(self)
        if not 0 < self.temperature < math.inf:
            raise BadData(f"LogSumExp needs a positive temperature, not {self.temperature!r}")

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
        return self.temperature * math.log(self.size)

    def value(self, a: Tensor) -> Tensor:
        return self.temperature * torch.logsumexp(_grouped(a, self.size) / self.temperature, -1)

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        u = np.clip(slopes, 0, None).reshape(-1, self.size)
        total = u.sum(1)
        u[total <= 0] = 1.0
        share = u / u.sum(1, keepdims=True)
        least = lam * (1 - gamma)
        cost = self.temperature * least * _xlogx(share).sum(1)
        cost += 4 * ULPS * self.temperature * least * self.size
        u = (share * (least * (1 - self.size * ULPS))[:, None]).ravel()
        return Tilt(u, cost, (2 * gamma + 4 * self.size * ULPS) * u)


@final
@dataclass(frozen=True)
class Norm(AbstractAtom):
    """The Euclidean norm of `size` consecutive rows."""

    size: int

    def __post_init__(self) -> None:
        _check_size(self)

    @property
    def group(self) -> int:
        return self.size

    @property
    def nondecreasing(self) -> bool:
        return False

    @property
    def nonnegative(self) -> bool:
        return True

    @property
    def lip(self) -> float:
        return 1.0

    @property
    def at_zero(self) -> float:
        return 0.0

    def value(self, a: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(_grouped(a, self.size), dim=-1)
        return length

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        u = slopes.reshape(-1, self.size)
        length = np.linalg.norm(u, axis=1)
        most = lam * (1 - gamma) * (1 - self.size * ULPS)
        u = u * np.minimum(1.0, _share(most, length, empty=1.0))[:, None]
        return Tilt(u.ravel(), np.zeros_like(lam), np.zeros_like(slopes))


@final
@dataclass(frozen=True)
class SumSquares(AbstractAtom):
    """Σ a² over `size` consecutive rows."""

    size: int

    def __post_init__(self) -> None:
        _check_size(self)

    @property
    def group(self) -> int:
        return self.size

    @property
    def nondecreasing(self) -> bool:
        return False

    @property
    def nonnegative(self) -> bool:
        return True

    @property
    def lip(self) -> float:
        return math.inf

    @property
    def at_zero(self) -> float:
        return 0.0

    def value(self, a: Tensor) -> Tensor:
        return _grouped(a, self.size).square().sum(-1)

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        u = slopes.reshape(-1, self.size) * (lam > 0)[:, None]
        least = lam * (1 - gamma)
        cost = _share(np.square(u).sum(1), 4 * least) * (1 + self.size * ULPS)
        return Tilt(u.ravel(), cost, np.zeros_like(slopes))


@final
@dataclass(frozen=True)
class Huber(AbstractAtom):
    """a² for |a| ≤ width, else 2 width |a| − width²; elementwise (cvxpy's `huber`)."""

    width: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.width < math.inf:
            raise BadData(f"Huber needs a positive width, not {self.width!r}")

    @property
    def group(self) -> int:
        return 1

    @property
    def nondecreasing(self) -> bool:
        return False

    @property
    def nonnegative(self) -> bool:
        return True

    @property
    def lip(self) -> float:
        return 2 * self.width

    @property
    def at_zero(self) -> float:
        return 0.0

    def value(self, a: Tensor) -> Tensor:
        return 2 * F.huber_loss(a, torch.zeros_like(a), reduction="none", delta=self.width)

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        least = lam * (1 - gamma)
        most = 2 * self.width * least * (1 - ULPS)
        u = np.clip(slopes, -most, most)
        cost = _share(np.square(u), 4 * least) * (1 + ULPS)
        return Tilt(u, cost, np.zeros_like(u))


def _check_size(atom: LogSumExp | Norm | SumSquares) -> None:
    if not (isinstance(atom.size, int) and atom.size >= 1):
        raise BadData(f"{type(atom).__name__} needs a group of at least one row, not {atom.size!r}")


def _grouped(a: Tensor, size: int) -> Tensor:
    return a.reshape(*a.shape[:-1], a.shape[-1] // size, size)


def _share(part: Array, whole: Array, empty: float = 0.0) -> Array:
    """part / whole, and `empty` where whole is zero."""
    return np.divide(part, whole, out=np.full_like(part, empty), where=whole > 0)


def _xlogx(share: Array) -> Array:
    return share * np.log(np.where(share > 0, share, 1.0))
