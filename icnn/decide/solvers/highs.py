"""HiGHS: linear programs and whole-number decisions, from sparse arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, final

import highspy
import numpy as np
from numpy.typing import NDArray

from icnn.decide.form import Form, linear_form, not_linear
from icnn.decide.program import Program
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome, Start, check_limits

Array = NDArray[np.float64]
# share of the costs of x that may move: at 784 columns the last basis takes 0.6 to 0.7 of the time
# of none after moves of 2 %, as much after 5 to 15 %, and 1.2 to 2.6 times as much after 60 %
NEAR = 0.1
ROWWISE, MINIMIZE = int(highspy.MatrixFormat.kRowwise), int(highspy.ObjSense.kMinimize)


@final
@dataclass(frozen=True)
class HiGHS(AbstractSolver):
    """The dual simplex method, and branch and bound on integer columns, of HiGHS.

    Args:
        seconds: time limit.
        tolerance: of feasibility and optimality, in scaled units, at least 1e-10.
        mip_gap: at which branch and bound stops, relative to the range of f.
    """

    seconds: float = math.inf
    tolerance: float = 1e-9
    mip_gap: float = 1e-9

    def __post_init__(self) -> None:
        limits = {"tolerance": self.tolerance, "mip_gap": self.mip_gap}
        check_limits("HiGHS", seconds=self.seconds, **limits)

    def refusal(self, program: Program) -> str | None:
        reason = not_linear(program)
        return None if reason is None else f"HiGHS: {reason}"

    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        known, seconds = start or Start(), min(seconds, self.seconds)
        if program.integral.any():
            return self._whole(linear_form(program), seconds)
        held = known.held
        timed = seconds < math.inf  # HiGHS counts the time of all its runs
        if timed or not (isinstance(held, _Held) and held.takes(program, self)):
            form = linear_form(program)
            held = _Held(self, form, self._loaded(form, seconds))
        return held.solve(program, known.basis)

    def _whole(self, form: Form, seconds: float) -> Answer:
        """Branch and bound, then a linear program with the whole numbers held."""
        highs = self._loaded(form, seconds)
        highs.run()
        status = highs.getModelStatus()
        bound = highs.getInfo().mip_dual_bound * form.scaling.parts[0]
        if not highs.getSolution().value_valid or status in _NO_POINT:
            return _without_point(status)
        _fix_integers(highs, form)
        answer = _answered(highs, form)
        if answer.x is None:
            return answer
        outcome = Outcome.STOPPED if status in _STOPPED else answer.outcome
        return replace(answer, outcome=outcome, bound=bound)

    def _loaded(self, form: Form, seconds: float) -> highspy.Highs:
        highs = _Quiet()  # type: ignore[no-untyped-call]
        options = dict(
            output_flag=False,
            primal_feasibility_tolerance=self.tolerance,
            dual_feasibility_tolerance=self.tolerance,
            mip_feasibility_tolerance=self.tolerance,
            mip_abs_gap=self.mip_gap,
            mip_rel_gap=0.0,
            # it finds nothing to take away in networks: 105 ms with it, 38 without, at 784, 128 x 2
            presolve="choose" if form.integral.any() else "off",
        )
        if seconds < math.inf:
            options["time_limit"] = float(seconds)
        for name, value in options.items():
            highs.setOptionValue(name, value)
        start = np.concatenate([[0], np.cumsum(form.M.counts)]).astype(np.int32)
        highs.passModel(
            len(form.c),
            len(form.M.lower),
            len(form.M.data),
            ROWWISE,
            MINIMIZE,
            form.offset,
            form.c,
            form.lower,
            form.upper,
            form.M.lower,
            form.M.upper,
            start,
            form.M.indices,
            form.M.data,
            form.integral.astype(np.int32),
        )
        return highs


@final
@dataclass(frozen=True, eq=False)
class _Held:
    """A linear program in HiGHS's own arrays, which gets other costs; threads take turns."""

    solver: HiGHS
    form: Form
    highs: highspy.Highs
    alone: Any = field(default_factory=Lock)

    def takes(self, program: Program, solver: HiGHS) -> bool:
        """Whether only costs differ."""
        return solver == self.solver and program.differs_in_costs(self.form.program)

    def solve(self, program: Program, ended: Any) -> Answer:
        """From where the last search ended, if costs were near, or from nothing."""
        form = self.form.repriced(program)
        every = np.arange(len(form.c), dtype=np.int32)
        costs = form.c[: program.n] * form.scaling.parts[0]
        with self.alone:
            self.highs.changeColsCost(len(every), every, form.c)
            self.highs.changeObjectiveOffset(form.offset)
            self.highs.clearSolver()
            if isinstance(ended, _Ended) and ended.near(costs):
                self.highs.setBasis(ended.basis)
            answer = _answered(self.highs, form)
            last = None if answer.x is None else _Ended(self.highs.getBasis(), costs)
        return replace(answer, start=Start(last, self))


@final
@dataclass(frozen=True, eq=False)
class _Ended:
    """The last basis, and the costs of x that it was best for."""

    basis: highspy.HighsBasis
    costs: Array  # (n,)

    def near(self, costs: Array) -> bool:
        """Whether the way from here is shorter than from nothing."""
        moved, size = np.abs(costs - self.costs).sum(), np.abs(self.costs).sum()
        return bool(moved <= NEAR * size)


def _answered(highs: highspy.Highs, form: Form) -> Answer:
    highs.run()
    status, solution = highs.getModelStatus(), highs.getSolution()
    if not solution.value_valid or status in _NO_POINT:
        return _without_point(status)
    proof = form.multipliers(np.array(solution.row_dual)) if solution.dual_valid else None
    outcome = Outcome.STOPPED if status in _STOPPED else Outcome.POINT
    return Answer(outcome, form.x(np.array(solution.col_value)), proof)


class _Quiet(highspy.Highs):
    """HiGHS that does not greet: since 1.16 it prints a banner when its callbacks are enabled."""

    def enableCallbacks(self) -> None:
        """Called by the constructor of `highspy.Highs`, before anyone else can set an option."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


@contextmanager
def unannounced() -> Iterator[None]:
    """HiGHS in other hands, which make it themselves, without its banner."""
    highspy.Highs = _Quiet  # type: ignore[misc]
    try:
        yield
    finally:
        highspy.Highs = _OWN  # type: ignore[misc]


_OWN = highspy.Highs  # a constant, so that threads that overlap leave it in place
_STOPPED = (highspy.HighsModelStatus.kTimeLimit, highspy.HighsModelStatus.kIterationLimit)
_NO_POINT = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnbounded,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)


def _without_point(status: highspy.HighsModelStatus) -> Answer:
    return Answer(Outcome.STOPPED if status in _STOPPED else Outcome.NO_POINT)


def _fix_integers(highs: highspy.Highs, form: Form) -> None:
    """Hold the integers at their rounded values, so that the rest is a linear program."""
    highs.setOptionValue("time_limit", math.inf)
    at = np.flatnonzero(form.integral).astype(np.int32)
    value = np.round(np.array(highs.getSolution().col_value)[at])
    highs.changeColsIntegrality(
        len(at), at, np.full(len(at), highspy.HighsVarType.kContinuous, dtype=object)
    )
    highs.changeColsBounds(len(at), at, value, value)
