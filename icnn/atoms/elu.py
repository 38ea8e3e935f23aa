"""ELU: the identity above zero, and an exponential that levels off below."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from icnn.atoms.atom import AbstractAtom, Array, Tilt
from icnn.errors import NotConvex

ULPS = 2.0**-48  # more than the rounding of the formulas below


@final
@dataclass(frozen=True)
class ELU(AbstractAtom):
    """a for a ≥ 0, alpha (e^a − 1) below, elementwise; 0 < alpha ≤ 1 (Clevert et al. 2016, eq. 6).

    Its conjugate at a slope s in [0, 1] is s log(s / alpha) − s + alpha for s ≤ alpha, else 0.

    Raises:
        NotConvex: alpha is outside (0, 1]: above 1 the slope falls at zero, below 0 so does ELU.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise NotConvex(
                f"ELU is convex and non-decreasing for alpha in (0, 1], not {self.alpha!r}; "
                "for 0 use RELU"
            )

    @property
    def group(self) -> int:
        return 1

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
        below = self.alpha * torch.expm1(a.clamp(max=0.0))  # no e^a where a is large
        return torch.where(a > 0, a, below)

    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        least = lam * (1 - gamma)
        u = np.clip(slopes, 0.0, least)
        share = np.divide(u, least, out=np.zeros_like(u), where=least > 0)
        low = np.minimum(share, self.alpha)
        ratio = np.where(low > 0, low / self.alpha, 1.0)
        cost = least * (low * np.log(ratio) - low + self.alpha)
        # what lam may exceed `least` by, times the least value that ELU has
        missing = (2 * gamma * lam + 4 * ULPS * least) * self.alpha
        return Tilt(u, cost + missing, np.zeros_like(u))
