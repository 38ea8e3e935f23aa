"""What a solver is: it refuses in words, or answers with a point and multipliers."""

import abc
import enum
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.certificate import Multipliers
from icnn.decide.program import Program

Array = NDArray[np.float64]


class Outcome(enum.Enum):
    """What the solver says; the judge and the diagnosis have the last word."""

    POINT = "a point"
    STOPPED = "out of time"
    NO_POINT = "infeasible or unbounded"


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """A point, in all columns of the program, and what proves it."""

    outcome: Outcome
    x: Array | None = None
    proof: Multipliers | None = None
    bound: float | None = None  # for programs with integers only


class AbstractSolver(abc.ABC):
    """An object with the solver's options, passed as `solver=`."""

    @abc.abstractmethod
    def refusal(self, program: Program) -> str | None:
        """Why this solver cannot take the program, in words; None if it can."""

    @abc.abstractmethod
    def solve(self, program: Program) -> Answer:
        """A point and multipliers in the user's units."""
