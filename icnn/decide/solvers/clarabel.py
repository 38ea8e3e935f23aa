"""Clarabel: quadratic, second-order and exponential cone programs, from sparse arrays."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, final

import clarabel
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.decide.cones import Kind
from icnn.decide.form import Form, conic_form
from icnn.decide.program import Program
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome, check_limits

Array = NDArray[np.float64]

# of the way to the boundary of the cones: its own, and shorter ones for when it gets stuck there
STEPS = (0.99, 0.9, 0.8)


@final
@dataclass(frozen=True)
class Clarabel(AbstractSolver):
    """The interior-point method of Clarabel.

    Args:
        seconds: time limit.
        tolerance: of gap and feasibility, in scaled units.
    """

    seconds: float = math.inf
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        check_limits("Clarabel", seconds=self.seconds, tolerance=self.tolerance)

    def refusal(self, program: Program) -> str | None:
        if program.integral.any():
            return "Clarabel: it has no branch and bound for whole numbers"
        return None

    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        form = conic_form(program)
        A, b, cones, trace = _standard(form)
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = self.tolerance
        empty = sp.csc_matrix((len(form.c), len(form.c)))
        deadline = time.perf_counter() + min(seconds, self.seconds)
        for fraction in STEPS:
            settings.max_step_fraction = fraction
            settings.time_limit = max(0.0, deadline - time.perf_counter())
            solution = clarabel.DefaultSolver(empty, form.c, A, b, cones, settings).solve()
            if solution.status not in _STUCK:
                break
        if solution.status in _NO_POINT:
            return Answer(Outcome.NO_POINT)
        outcome = Outcome.STOPPED if solution.status in _STOPPED else Outcome.POINT
        v, z = np.array(solution.x), np.array(solution.z)
        if not (np.isfinite(v).all() and np.isfinite(z).all()):
            return Answer(outcome)
        return Answer(outcome, form.x(v), form.multipliers(*_duals(form, trace, z)))


_STATUS = clarabel.SolverStatus
_NO_POINT = (
    _STATUS.PrimalInfeasible,
    _STATUS.DualInfeasible,
    _STATUS.AlmostPrimalInfeasible,
    _STATUS.AlmostDualInfeasible,
)
_STOPPED = (_STATUS.MaxTime,)
_STUCK = (
    _STATUS.InsufficientProgress,
    _STATUS.NumericalError,
    _STATUS.MaxIterations,
    _STATUS.AlmostSolved,
)


def _standard(form: Form) -> tuple[Any, Array, list[Any], tuple[Any, ...]]:
    """A v + s = b with s in cones: equalities, then lower sides, upper sides, bounds, cones."""
    M = sp.csr_array(
        (form.M.data, form.M.indices, np.concatenate([[0], np.cumsum(form.M.counts)])),
        shape=(len(form.M.counts), len(form.c)),
    )
    equal = np.flatnonzero(form.M.lower == form.M.upper)
    low = np.flatnonzero(np.isfinite(form.M.lower) & (form.M.lower < form.M.upper))
    high = np.flatnonzero(np.isfinite(form.M.upper) & (form.M.lower < form.M.upper))
    identity = sp.eye_array(len(form.c), format="csr")
    below, above = (np.flatnonzero(np.isfinite(end)) for end in (form.lower, form.upper))
    blocks = [M[equal], -M[low], M[high], -identity[below], identity[above]]
    blocks += [-cone.A for cone in form.cones]
    sides = [form.M.lower[equal], -form.M.lower[low], form.M.upper[high]]
    sides += [-form.lower[below], form.upper[above], *(cone.b for cone in form.cones)]
    cones: list[Any] = [
        clarabel.ZeroConeT(len(equal)),
        clarabel.NonnegativeConeT(sum(map(len, sides[1:5]))),
    ]
    for cone in form.cones:
        exponential = cone.kind is Kind.EXPONENTIAL
        cones.append(
            clarabel.ExponentialConeT() if exponential else clarabel.SecondOrderConeT(len(cone.b))
        )
    return sp.csc_matrix(sp.vstack(blocks)), np.concatenate(sides), cones, (equal, low, high)


def _duals(form: Form, trace: tuple[Any, ...], z: Array) -> tuple[Array, tuple[Array, ...]]:
    """Row duals, positive at a lower side, and the duals of the cones."""
    row, at = np.zeros(len(form.M.lower)), 0
    for index, sign in zip(trace, (-1.0, 1.0, -1.0), strict=True):
        row[index] += sign * z[at : at + len(index)]
        at += len(index)
    cones, end = [], len(z)
    for cone in reversed(form.cones):
        cones.append(z[end - len(cone.b) : end])
        end -= len(cone.b)
    return row, tuple(reversed(cones))
