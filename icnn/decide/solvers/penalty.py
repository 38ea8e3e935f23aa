"""Penalty: learned limits g ≤ r as terms ρ max(0, g − r) of the objective, for the bundle.

The sum of f and these terms is a `Network` again. From some ρ on, the largest multiplier of the
limits, its least point is that of the limited problem (Zangwill 1967, Pietrzykowski 1969), and the
slopes behind the bundle's bound hold the multipliers: those of max(0, g − r) are the limit's own.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide import certificate
from icnn.decide.certificate import Multipliers
from icnn.decide.priced import excess_alone, priced
from icnn.decide.program import Program
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome, check_limits

Array = NDArray[np.float64]
RAISE, ROUNDS = 10.0, 7  # ρ starts at the range of f over that of g, and rises where g > r
DOUBT = 2  # rounds without a feasible point, after which the limits may contradict
PAID = 1e-7  # of the range of f: what is left to pay where the limits are met
FINEST = 1e-13  # of the range of the sum: smaller gaps are rounding


@final
@dataclass(frozen=True)
class Penalty(AbstractSolver):
    """The exact penalty method over the compiled bundle, for learned limits.

    Args:
        tolerance: of the gap, relative to the range of f.
        seconds: time limit.
    """

    tolerance: float = 1e-9
    seconds: float = math.inf

    def __post_init__(self) -> None:
        check_limits("Penalty", seconds=self.seconds, tolerance=self.tolerance)

    def refusal(self, program: Program) -> str | None:
        if not program.learned:
            return "Penalty: there are no learned limits"
        price = np.ones(len(program.learned))
        programs = (replace(program, learned=()), priced(program, price))
        reason = next(filter(None, map(Bundle().refusal, programs)), None)
        return None if reason is None else f"Penalty: {reason.removeprefix('Bundle: ')}"

    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        deadline = time.perf_counter() + min(seconds, self.seconds)
        ranges = np.array([part.spread for part in program.parts])
        unit, factor = ranges[0] / ranges[1:], np.ones(len(program.learned))
        answer = Answer(Outcome.NO_POINT)
        for k in range(ROUNDS):
            if k == DOUBT and _contradicted(program, deadline - time.perf_counter()):
                return Answer(Outcome.NO_POINT)
            last, answer = answer, self._asked(program, factor * unit, deadline)
            if answer.outcome is Outcome.STOPPED:
                return _best(program, last, answer)
            if answer.x is None:
                break
            due = factor * _excess(program, answer.x) / ranges[1:]
            if due.sum() <= PAID:
                break
            factor = np.where(due > PAID / len(due), RAISE * factor, factor)
        return answer

    def _asked(self, program: Program, price: Array, deadline: float) -> Answer:
        """The least point of f and the terms at this price ρ (limits,), with multipliers."""
        total = priced(program, price)
        share = 1 + float(price @ [part.spread for part in program.parts[1:]]) / program.spread
        bundle = Bundle(max(self.tolerance / share, FINEST))
        answer = bundle.solve(total, seconds=deadline - time.perf_counter())
        if answer.proof is None:
            return answer
        return replace(answer, proof=_divided(program, answer.proof))


def _divided(program: Program, proof: Multipliers) -> Multipliers:
    """The multipliers of f, of each g and of the limits, from those of the sum."""
    (slopes,), one, at = proof.slopes, np.ones(1), 0
    found = []
    for part in program.parts:
        size = len(part.lines) - 1
        found.append((*slopes[at : at + size], one))
        at += size
    mu = np.concatenate([np.empty(0), *slopes[at : at + len(program.learned)]])
    return Multipliers(tuple(found), proof.y, mu, ())


def _best(program: Program, last: Answer, answer: Answer) -> Answer:
    """Out of time: of the last round and this one the point that misses less, and the better proof.

    A round that has hardly begun knows less than the one before.
    """
    found = [(a.x, a.proof) for a in (answer, last) if a.x is not None and a.proof is not None]
    ranges = np.array([part.spread for part in program.parts[1:]])
    points = [((_excess(program, x) / ranges).max(), program.objective(x), x) for x, _ in found]
    proofs = [(certificate.bound(program, proof), proof) for _, proof in found]
    if not found:
        return answer
    x = min(points, key=lambda point: point[:2])[2]
    return replace(answer, x=x, proof=max(proofs, key=lambda proof: proof[0])[1])


def _excess(program: Program, x: Array) -> Array:
    """max(0, g(x) − r) of each limit, (limits,)."""
    values = [float(limit.function(x)) - limit.limit for limit in program.learned]
    return np.maximum(values, 0.0)


def _contradicted(program: Program, seconds: float) -> bool:
    """Whether a certified bound says that no point meets all limits, and rows and box."""
    alone = excess_alone(program)
    answer = Bundle().solve(alone, seconds=seconds)
    return answer.proof is not None and certificate.bound(alone, answer.proof) > 0
