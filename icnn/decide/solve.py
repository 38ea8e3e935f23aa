"""solve: a program goes to a solver, its answer to the judge, and what fails to the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from icnn.decide import certificate
from icnn.decide.certificate import Multipliers
from icnn.decide.decision import (
    TOLERANCE,
    Decision,
    Status,
    decide_status,
    failed,
    judge,
    violation_of,
)
from icnn.decide.diagnose import (
    direction_sentence,
    infeasibility,
    is_endless,
    nearest_point,
    recession,
)
from icnn.decide.growth import bound_without_ends
from icnn.decide.priced import excess_alone
from icnn.decide.program import Program
from icnn.decide.solvers import pick
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome
from icnn.errors import NotSupported
from icnn.network import affine

TOO_SOON = "The time limit came before any feasible point; allow more seconds."


def solve(
    program: Program,
    solver: AbstractSolver | None = None,
    start: Any = None,
    *,
    tried: type[AbstractSolver] | None = None,
) -> tuple[Decision, Any]:
    """The judged decision of a program, and the solver's state for a similar program.

    Without a solver, the fastest that takes the program; the next where its proof does not close.
    One that was `tried` is left out where another takes the program.

    Raises:
        NotSupported: the solver refuses the program, in words.
    """
    began = time.perf_counter()
    if solver is not None and not isinstance(solver, AbstractSolver):
        raise NotSupported(f"solver is an object such as icnn.solvers.HiGHS(), not {solver!r}")
    if solver is not None and (reason := solver.refusal(program)) is not None:
        raise NotSupported(reason)
    best: tuple[Decision, Any] | None = None
    for candidate in [solver] if solver is not None else _untried(program, tried):
        decision, state = _solved(program, candidate, start)
        if best is None or _better(decision, best[0]):
            best = replace(decision, seconds=time.perf_counter() - began), state
        if decision.status is not Status.INACCURATE:
            break
    assert best is not None
    return best


def _untried(program: Program, tried: type[AbstractSolver] | None) -> Sequence[AbstractSolver]:
    picked = pick(program)
    return [s for s in picked if tried is None or not isinstance(s, tried)] or picked


def _better(a: Decision, b: Decision) -> bool:
    if a.status is Status.INFEASIBLE and b.violation <= TOLERANCE:
        return False  # b is a point
    return a.status is not Status.INACCURATE or _distance(a) < _distance(b)


def _distance(d: Decision) -> tuple[bool, float]:
    """How far from proved: points that miss a limit last, whose values may be below the bound."""
    return d.violation > TOLERANCE, abs(d.gap) + d.violation


def _solved(program: Program, solver: AbstractSolver, start: Any) -> tuple[Decision, Any]:
    began = time.perf_counter()
    empty = program.box.lower > program.box.upper
    if empty.any():
        names = ", ".join(np.array(program.columns)[empty[: len(program.columns)]])
        message = f"{Status.INFEASIBLE.value} No whole number lies between the bounds of {names}."
        name = type(solver).__name__
        return failed(program, Status.INFEASIBLE, message, solver=name, seconds=0.0), None
    answer = _asked(program, solver, start)
    if answer.outcome is Outcome.NO_POINT:
        return _explained(program, solver), answer.start
    return _judged(program, solver, answer, began + solver.seconds), answer.start


def _asked(program: Program, solver: AbstractSolver, start: Any) -> Answer:
    """Without the ends that are far, unless they turn out to matter."""
    opened = program.opened.box
    if (opened.lower != program.box.lower).any() or (opened.upper != program.box.upper).any():
        answer = solver.solve(program.opened, start=start)
        if answer.x is not None and violation_of(program, answer.x) <= TOLERANCE:
            return replace(answer, x=np.clip(answer.x, program.box.lower, program.box.upper))
    return solver.solve(program, start=start)


def _judged(program: Program, solver: AbstractSolver, answer: Answer, deadline: float) -> Decision:
    x, stopped = answer.x, answer.outcome is Outcome.STOPPED
    if x is None:
        x, miss, _ = nearest_point(program)
        if miss.max(initial=0.0) > 0 or program.integral.any():
            return _explained(program, solver) if not stopped else _nothing_yet(program, solver)
    proofs = [answer.proof] if answer.proof is not None else []
    name = answer.solver or type(solver).__name__
    decision = judge(
        program, x, proofs, solver=name, seconds=0.0, out_of_time=stopped, mip_bound=answer.bound
    )
    if decision.violation > TOLERANCE and stopped:
        return replace(decision, message=f"{TOO_SOON} See violation.")
    if decision.violation > TOLERANCE:
        reason = infeasibility(program)
        if reason is None and any(_empty(program, proof) for proof in proofs):
            reason = (
                f"{Status.INFEASIBLE.value} The multipliers of rows, sets and limits prove that "
                "they contradict each other within the bounds."
            )
        if reason is not None:
            return failed(program, Status.INFEASIBLE, reason, solver=name, seconds=0.0)
    far = bool(np.any(program.far))
    if far and decision.certified and proofs and not decision.success and not stopped:
        bound = bound_without_ends(program, solver, x, deadline=deadline)
        bound = max(bound, decision.bound)
        decision = decide_status(replace(decision, bound=bound, gap=decision.value - bound))
        if not decision.success:
            return replace(decision, message=f"{decision.message} {_open_columns(program)}")
    return decision


def _empty(program: Program, proof: Multipliers) -> bool:
    """Whether the multipliers bound f = 0 above 0, so that no point is feasible.

    Bounds far above what f was seen to be are no proof: f may be steep where no sample lies.
    """
    nothing = replace(program, objective=affine(np.zeros(program.n)))
    alone = replace(proof, slopes=((np.ones(1),), *proof.slopes[1:]))
    return certificate.bound(nothing, alone) > 0


def _open_columns(program: Program) -> str:
    far = program.far[0] | program.far[1]
    names = ", ".join(name for name, end in zip(program.columns, far, strict=False) if end)
    return f"Nothing holds the minimum in for columns without near bounds: {names}. Bound them."


def _explained(program: Program, solver: AbstractSolver) -> Decision:
    """The solver has no point: find out why, whatever its word for it was."""
    name = type(solver).__name__
    reason = infeasibility(program)
    if reason is not None:
        return failed(program, Status.INFEASIBLE, reason, solver=name, seconds=0.0)
    reason = _learned_infeasibility(program, solver)
    if reason is not None:
        return failed(program, Status.INFEASIBLE, reason, solver=name, seconds=0.0)
    least, proved = _least_excess(program, solver)
    if proved:
        message = f"{Status.INFEASIBLE.value} The limited functions' limits contradict each other."
        return failed(program, Status.INFEASIBLE, message, solver=name, seconds=0.0)
    x = nearest_point(program)[0] if least.x is None else least.x
    directions = recession(program)
    way = solver.solve(directions).x
    if way is not None and directions.objective(way) < -1e-9 * directions.spread:
        if not is_endless(program, x, directions, way):
            return _judged(program, solver, Answer(Outcome.POINT, x), 0.0)
        message = f"{Status.UNBOUNDED.value} {direction_sentence(directions, way)}"
        return failed(program, Status.UNBOUNDED, message, solver=name, seconds=0.0)
    if program.integral.any():
        message = "No whole numbers satisfy all constraints, though fractions do."
        return failed(program, Status.INFEASIBLE, message, solver=name, seconds=0.0)
    if least.x is None and program.cones:  # its word: the direction that proves it is not read
        message = f"{Status.INFEASIBLE.value} {name} finds that the sets contradict the rest."
        return failed(program, Status.INFEASIBLE, message, solver=name, seconds=0.0)
    return _judged(program, solver, Answer(Outcome.POINT, x), 0.0)


def _learned_infeasibility(program: Program, solver: AbstractSolver) -> str | None:
    """The learned limits that cannot be met, by a certified bound of a function on the rest."""
    for k, learned in enumerate(program.learned):
        rest = (*program.learned[:k], *program.learned[k + 1 :])
        alone = replace(program, objective=learned.function, learned=rest)
        answer = solver.solve(alone)
        if answer.x is None or answer.proof is None:
            continue
        least = _least_value(alone, solver, answer, learned.limit)
        if least > learned.limit:
            value, limit = learned.sign * least, learned.sign * learned.limit
            kind, word = ("least", "above") if learned.sign > 0 else ("greatest", "below")
            return (
                f"{Status.INFEASIBLE.value} The {kind} value that limited function {k} can have "
                f"under the other constraints is {value:.6g}, {word} its limit {limit:g}."
            )
    return None


def _least_excess(program: Program, solver: AbstractSolver) -> tuple[Answer, bool]:
    """Where the learned limits are missed least, and whether that proves them contradictory."""
    if not program.learned:
        return Answer(Outcome.NO_POINT), False
    alone = excess_alone(program)
    answer = solver.solve(alone)
    return answer, answer.proof is not None and _least_value(alone, solver, answer, 0.0) > 0


def _least_value(program: Program, solver: AbstractSolver, answer: Answer, limit: float) -> float:
    """The certified bound; where it may lie above the limit, also of columns without near ends."""
    least = certificate.bound(program, answer.proof) if answer.proof is not None else -np.inf
    if answer.x is None or least > limit or not np.any(program.far):
        return least
    if program.objective(answer.x) <= limit:
        return least
    deadline = time.perf_counter() + solver.seconds
    return max(least, bound_without_ends(program, solver, answer.x, deadline=deadline))


def _nothing_yet(program: Program, solver: AbstractSolver) -> Decision:
    name = type(solver).__name__
    decision = failed(program, Status.TIME_LIMIT, TOO_SOON, solver=name, seconds=0.0)
    return replace(decision, value=np.inf, bound=-np.inf)
