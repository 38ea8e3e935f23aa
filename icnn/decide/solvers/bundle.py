"""Bundle: cuts in x alone, from a compiled oracle, and a small master problem for the bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from icnn.decide.batch import Batch
from icnn.decide.certificate import Multipliers
from icnn.decide.flat import Flat, flat, not_flat
from icnn.decide.kernel import INFEASIBLE, STOPPED, Options, Placed, Searcher, library
from icnn.decide.program import Program
from icnn.decide.prune import expanded
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome, check_limits

ABSENT = (
    "Bundle: its compiled part is missing or out of date; "
    "with a C compiler at hand, run the installation of icnn again"
)

# from so many columns on, so many steps across cuts, twice as many late in a long search; more cost
# what they save, and in one or two columns they save no calls
ACROSS = ((8, 4), (3, 2))
# numbers that a call reads, a squared column (measured crossovers)
DEAR = 15  # a call costs more than such steps
TIGHT = 100  # and more than what a second kind of cuts costs
FEW = 2**12  # numbers: below, arithmetic is not what takes time
ROUGH = 3e-7  # of the range of f: what gaps of 1e-6 leave to rounding (search.h)


@final
@dataclass(frozen=True)
class Bundle(AbstractSolver):
    """The bundle method in x alone, compiled: a forward and a backward pass a step.

    Args:
        tolerance: of the gap, relative to the range of f.
        seconds: time limit.
        calls: evaluations of f at most; None means 100 (n + 1) + 1000.
    """

    tolerance: float = 1e-9
    seconds: float = math.inf
    calls: int | None = None

    def __post_init__(self) -> None:
        limits = {} if self.calls is None else {"calls": self.calls}
        check_limits("Bundle", seconds=self.seconds, tolerance=self.tolerance, **limits)

    def refusal(self, program: Program) -> str | None:
        if library() is None:
            return ABSENT
        reason = not_flat(program)
        return None if reason is None else f"Bundle: {reason}"

    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        arrays = flat(Batch.of(program))
        searcher = Searcher(arrays.net, arrays.sides.A, capacity(program.n))
        placed = Placed(arrays.places())
        coarse = self.coarse(arrays, searcher, placed)
        found = searcher(placed, self.options(arrays, seconds, coarse=coarse))
        if found.outcome[0] == INFEASIBLE:
            return Answer(Outcome.NO_POINT)
        limited = self.calls is not None or min(self.seconds, seconds) < math.inf
        stopped = limited and found.outcome[0] == STOPPED  # by the user, not for want of memory
        ending = Outcome.STOPPED if stopped else Outcome.POINT
        if not np.isfinite(found.value[0]):
            return Answer(ending)
        kept = arrays.batch.kept
        slopes = tuple(u[0] for u in expanded(arrays.slopes(found.u), program.lines, kept))
        y = arrays.row_multipliers(found.y)[0]
        return Answer(ending, arrays.x(found.x)[0], Multipliers((slopes,), y, np.zeros(0), ()))

    def options(
        self, arrays: Flat, seconds: float = math.inf, keep: int = 0, *, coarse: bool = False
    ) -> Options:
        """What the search is asked."""
        n = arrays.batch.n
        limit = min(self.seconds, seconds, 1e9)
        calls = 100 * (n + 1) + 1000 if self.calls is None else self.calls
        steps = next((steps for least, steps in ACROSS if n >= least), 0)
        across = steps if arrays.weights >= DEAR * n**2 else 0
        return Options(self.tolerance, calls, keep, limit, coarse, across)

    def coarse(self, arrays: Flat, searcher: Searcher, placed: Placed) -> bool:
        """Whether single precision pays in the search, and its rounding leaves room in 1e-6.

        For smaller gaps the last cuts are exact ones, which pays where a call is dear.
        """
        least = FEW if self.tolerance >= 1e-6 else max(FEW, TIGHT * arrays.batch.n**2)
        return arrays.weights >= least and searcher.rounding(placed) <= ROUGH


def capacity(n: int) -> int:
    """Cuts that fit in memory at a time: more slow the master down, fewer are forgotten."""
    return 6 * (n + 1) + 100
