"""solve: a program goes to a solver, its answer to the judge, and what fails to the diagnosis."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from icnn.decide.decision import Decision, Status, decide_status, failed, judge
from icnn.decide.diagnose import direction_sentence, infeasibility, nearest_point, recession
from icnn.decide.growth import bound_without_ends
from icnn.decide.program import Program
from icnn.decide.solvers import pick
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome
from icnn.errors import NotSupported


def solve(program: Program, solver: AbstractSolver | None = None) -> Decision:
    """The judged decision of a program.

    Raises:
        NotSupported: the solver refuses the program, in words.
    """
    began = time.perf_counter()
    if solver is not None and not isinstance(solver, AbstractSolver):
        raise NotSupported(f"solver is an object such as icnn.solvers.HiGHS(), not {solver!r}")
    solver = solver or pick(program)
    reason = solver.refusal(program)
    if reason is not None:
        raise NotSupported(reason)
    empty = program.box.lower > program.box.upper
    if empty.any():
        names = ", ".join(np.array(program.columns)[empty])
        message = f"{Status.INFEASIBLE.value} No whole number lies between the bounds of {names}."
        return failed(
            program, Status.INFEASIBLE, message, solver=type(solver).__name__, seconds=0.0
        )
    answer = solver.solve(program)
    if answer.outcome is Outcome.NO_POINT:
        decision = _explained(program, solver)
    else:
        decision = _judged(program, solver, answer)
    return replace(decision, seconds=time.perf_counter() - began)


def _judged(program: Program, solver: AbstractSolver, answer: Answer) -> Decision:
    x, stopped = answer.x, answer.outcome is Outcome.STOPPED
    if x is None:
        x, miss = nearest_point(program)
        if miss.max(initial=0.0) > 0 or program.integral.any():
            return _explained(program, solver) if not stopped else _nothing_yet(program, solver)
    proofs = [answer.proof] if answer.proof is not None else []
    name = type(solver).__name__
    decision = judge(
        program, x, proofs, solver=name, seconds=0.0, out_of_time=stopped, mip_bound=answer.bound
    )
    if decision.bound == -np.inf and proofs and not stopped:
        bound = bound_without_ends(program, solver, x)
        decision = replace(decision, bound=bound, gap=decision.value - bound)
        decision = decide_status(decision)
        if bound == -np.inf:
            return replace(decision, message=f"{decision.message} {_open_columns(program)}")
    return decision


def _open_columns(program: Program) -> str:
    ends = np.isfinite(program.finite.lower) & np.isfinite(program.finite.upper)
    names = ", ".join(name for name, end in zip(program.columns, ends, strict=True) if not end)
    return f"There is no finite bound without ends for {names}: pass bounds."


def _explained(program: Program, solver: AbstractSolver) -> Decision:
    """The solver has no point: find out why, whatever its word for it was."""
    name = type(solver).__name__
    reason = infeasibility(program)
    if reason is not None:
        return failed(program, Status.INFEASIBLE, reason, solver=name, seconds=0.0)
    directions = recession(program)
    answer = solver.solve(directions)
    if answer.x is not None and directions.objective(answer.x) < -1e-9 * directions.spread:
        message = f"{Status.UNBOUNDED.value} {direction_sentence(directions, answer.x)}"
        return failed(program, Status.UNBOUNDED, message, solver=name, seconds=0.0)
    if program.integral.any():
        message = "No whole numbers satisfy all constraints, though fractions do."
        return failed(program, Status.INFEASIBLE, message, solver=name, seconds=0.0)
    return _judged(program, solver, Answer(Outcome.POINT, nearest_point(program)[0]))


def _nothing_yet(program: Program, solver: AbstractSolver) -> Decision:
    message = "The time limit came before any feasible point; allow more seconds."
    decision = failed(
        program, Status.TIME_LIMIT, message, solver=type(solver).__name__, seconds=0.0
    )
    return replace(decision, value=np.inf, bound=-np.inf)
