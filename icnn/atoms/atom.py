"""What a convex atom is: value, monotonicity and the slopes of its affine minorants."""

import abc
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


class Tilt(NamedTuple):
    """Slopes that are admissible: lam * atom(a) >= slopes @ a - cost - loose @ |a| for every a.

    The true lam lies within a factor 1 ± gamma of the given one. Slopes belong to the least lam, so
    that what is missing is a non-negative multiple of the atom: `loose` covers its negative part.
    """

    slopes: Array  # (rows,)
    cost: Array  # (units,)
    loose: Array  # (rows,), zero where the slopes are admissible exactly


class AbstractAtom(abc.ABC):
    """A convex function from `group` rows to one unit, applied to each group of a layer.

    `lip` and `at_zero` bound it: |atom(a)| <= lip * sum(|a|) + at_zero; and below, where it is not
    `nonnegative`, it is >= -lip * sum(max(-a, 0)) - at_zero if it is nondecreasing.
    """

    @property
    @abc.abstractmethod
    def group(self) -> int:
        """Rows that feed one unit."""

    @property
    @abc.abstractmethod
    def nondecreasing(self) -> bool:
        """Whether a convex argument keeps the result convex."""

    @property
    @abc.abstractmethod
    def nonnegative(self) -> bool:
        """Whether no value is below zero."""

    @property
    @abc.abstractmethod
    def lip(self) -> float:
        """A Lipschitz constant with respect to the sum of absolute changes."""

    @property
    @abc.abstractmethod
    def at_zero(self) -> float:
        """|atom(0)|."""

    @abc.abstractmethod
    def value(self, a: Tensor) -> Tensor:
        """(..., units * group) -> (..., units); differentiable, a subgradient at kinks."""

    @abc.abstractmethod
    def tilt(self, slopes: Array, lam: Array, gamma: float) -> Tilt:
        """The admissible slopes nearest to `slopes`, when `lam` is known to a factor 1 ± gamma."""
