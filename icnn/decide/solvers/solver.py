"""What a solver is: it refuses in words, or answers with a point and multipliers."""

from __future__ import annotations

import abc
import enum
import math
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.certificate import Multipliers
from icnn.decide.program import Program
from icnn.errors import BadData

Array = NDArray[np.float64]


class Outcome(enum.Enum):
    """What the solver says; the judge and the diagnosis have the last word."""

    POINT = "a point"
    STOPPED = "out of time"
    NO_POINT = "infeasible or unbounded"


@final
@dataclass(frozen=True, eq=False)
class Start:
    """What a solver keeps of a program, in forms of its own."""

    basis: Any = None  # where it ended
    held: Any = None  # the arrays that it read

    def forgotten(self) -> Start:
        """The same without the place where the last search ended."""
        return replace(self, basis=None)


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """A point, in all columns of the program, and what proves it."""

    outcome: Outcome
    x: Array | None = None
    proof: Multipliers | None = None
    bound: float | None = None  # for programs with integers only
    start: Start | None = None  # for a similar program
    solver: str | None = None  # who found it, where it was not the one that was asked


class AbstractSolver(abc.ABC):
    """An object with the solver's options, passed as `solver=`."""

    seconds: float = math.inf  # time limit of a whole decision, where the solver knows one

    @abc.abstractmethod
    def refusal(self, program: Program) -> str | None:
        """Why this solver cannot take the program, in words; None if it can."""

    @abc.abstractmethod
    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        """A point and multipliers in the user's units, within this time.

        `start` is the `Start` of a program of the same shape, or None; it may be ignored.
        """


def check_limits(name: str, **limits: float) -> None:
    """Refuse options that are not positive numbers."""
    for option, value in limits.items():
        if not isinstance(value, int | float) or not value > 0:
            raise BadData(f"{name}({option}={value!r}): it must be a positive number")
