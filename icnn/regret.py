"""regret: what a decision cost in truth beyond the best that was possible, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.decision import Decision, violation_of
from icnn.decide.program import Program
from icnn.errors import BadData
from icnn.learn.model import check_seed

Array = NDArray[np.float64]
STARTS = 16  # of the search for the best of the truth
EXPECTED = "expected_best"
MARGIN = 1e-6  # what a found point may miss its limits by, and a best be missed by, relatively


@final
@dataclass(frozen=True, eq=False, repr=False)
class Regret:
    """The regret of a decision, in units of the truth: `total` = `fit` + `minimiser` + `context`.

    `minimiser` is the gap that the certificate left open, `context` what the truth's change after
    the decision cost, `fit` all else: the surrogate's error at the decision less its error at the
    best point, and what the surrogate thinks that it gains on that point.
    """

    total: float
    fit: float
    minimiser: float
    context: float
    truth: float  # at the decision
    best: float  # the truth's best
    best_x: Array | None  # (n,), None if only its value was given
    searched: bool  # whether `best` is only the best that a local search found

    @property
    def relative(self) -> float:
        """The regret as a share of the size of the best value."""
        return self.total / abs(self.best) if self.best else float("nan")

    def __repr__(self) -> str:
        source = "the best found by a local search" if self.searched else "the best"
        rows = [("fit", self.fit), ("minimiser", self.minimiser), ("context", self.context)]
        return "\n".join(
            [
                f"regret {self.total:.6g}: {self.truth:.6g} in truth, {source} is {self.best:.6g}",
                *(f"  {value:+.3g} by the {name}" for name, value in rows),
            ]
        )


def regret(
    decision: Decision,
    truth: Callable[[Array], float],
    *,
    best: Any = None,
    expected: Callable[[Array], float] | None = None,
    expected_best: Any = None,
    seed: int = 0,
) -> Regret:
    """What a decision of `minimize` or `maximize` cost in truth, and which part cost it.

    Args:
        decision: the decision.
        truth: x (n,), in the order of `decision.columns` -> the true value, as a simulator. A
            search passes by points where it is not a finite number.
        best: the truth's best feasible point (n,), or its value. Without it the best is searched
            from the decision and 16 points inside the decision's constraints, by SLSQP: then the
            regret is a lower estimate.
        expected: the truth at the context that the decision was made for, if what came was
            another one.
        expected_best: the best feasible point of `expected`, or its value; searched without it.
        seed: of the points that the search starts from.

    Raises:
        BadData: the decision has no point, the truth is not a finite number there or at `best`,
            its best is to be searched under whole numbers or cones, the `best` given misses a
            bound or constraint by more than 1e-6 of its size, or the decision is better in truth
            than it, by more than 1e-6 of the range of f and of the best.
    """
    if not isinstance(decision, Decision):
        raise BadData(f"regret takes one Decision, not {type(decision).__name__}")
    if not np.isfinite(decision.x).all():
        raise BadData(f"the decision has no point ({decision.status.name}); nothing to regret")
    sign = -1.0 if decision.sense == "maximize" else 1.0
    reached = _signed(truth, sign)(decision.x)
    now = _best(decision, _signed(truth, sign), best, check_seed(seed))
    if best is not None:
        _check_best(decision, sign * reached, sign * now.value)
    total, planned = reached - now.value, reached - now.value
    if expected is not None:
        then = _signed(expected, sign)
        planned = then(decision.x) - _best(decision, then, expected_best, seed, EXPECTED).value
    gap = abs(decision.gap) if np.isfinite(decision.gap) else 0.0
    return Regret(
        total=total,
        fit=planned - gap,
        minimiser=gap,
        context=total - planned,
        truth=sign * reached,
        best=sign * now.value,
        best_x=now.x,
        searched=best is None,
    )


@final
@dataclass(frozen=True, eq=False)
class _Best:
    x: Array | None
    value: float


def _signed(truth: Callable[[Array], float], sign: float) -> Callable[[Array], float]:
    """The truth as a cost, checked."""
    if not callable(truth):
        raise BadData(f"the truth is a function of x, not {truth!r}")

    def cost(x: Array) -> float:
        given = truth(np.array(x))
        try:
            value = np.asarray(given, dtype=float)
        except (TypeError, ValueError, RuntimeError):  # text, complex, a tensor with gradients
            raise BadData(f"the truth at {x.tolist()} is {given!r}, not a number") from None
        if value.size != 1 or not np.isfinite(value).all():
            raise BadData(f"the truth at {x.tolist()} is {value.tolist()}, not a finite number")
        return sign * float(value.reshape(()))

    return cost


def _best(
    decision: Decision,
    cost: Callable[[Array], float],
    best: Any,
    seed: int,
    name: str = "best",
) -> _Best:
    """The best of the truth: as it was given, or as a search finds it."""
    if best is None:
        if decision.program is None:
            raise BadData(
                f"this decision does not know its constraints; give {name}=, x or a value"
            )
        return _searched(decision.program, decision.x, cost, seed, name)
    try:
        point = np.asarray(best, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadData(f"{name} is {best!r}; give the truth's best point, or its value") from error
    if point.ndim == 0 and np.isfinite(point):
        return _Best(None, (-1.0 if decision.sense == "maximize" else 1.0) * float(point))
    if point.shape != decision.x.shape or not np.isfinite(point).all():
        raise BadData(
            f"{name} is {point.tolist()}; give a point of {len(decision.x)} finite numbers"
        )
    program = decision.program
    miss = 0.0 if program is None or program.n != len(point) else violation_of(program, point)
    if miss > MARGIN:
        raise BadData(
            f"{name} is {point.tolist()}, which misses the decision's bounds or constraints by "
            f"{miss:.3g} of their size; give the best point inside them, or its value"
        )
    return _Best(point, cost(point))


def _check_best(decision: Decision, reached: float, best: float) -> None:
    """A regret below zero, beyond what a decision may miss, is a mistake in `best`."""
    most = decision.sense == "maximize"
    better = reached - best if most else best - reached
    if better > MARGIN * max(decision.scale, abs(best)):
        word, side = ("greatest", "above") if most else ("least", "below")
        raise BadData(
            f"the truth at the decision is {reached:.9g}, {side} the best given, {best:.9g}: that "
            f"is not the best of the truth; give its {word} value, or leave best= out to search it"
        )


def _searched(
    program: Program, x: Array, cost: Callable[[Array], float], seed: int, name: str
) -> _Best:
    """The least cost that SLSQP finds over box, rows and learned limits."""
    if program.n != len(x) or program.cones or program.integral.any():
        raise BadData(
            f"the best is searched under bounds, rows and learned limits only; give {name}="
        )
    from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, minimize

    limits: list[Any] = [
        NonlinearConstraint(lambda z, f=part.function: float(f(z)), -np.inf, part.limit)
        for part in program.learned
    ]
    if len(program.rows.lower):
        rows = program.rows
        limits.append(LinearConstraint(rows.A.toarray(), rows.lower, rows.upper))
    centre, half = program.reach
    low, high = program.finite.lower, program.finite.upper
    draws = np.random.default_rng(seed).uniform(-1, 1, (STARTS, len(x)))
    starts = [x, *np.clip(centre + half * draws, low, high)]
    costs = [_if_known(cost, start, np.inf) for start in starts]
    seen = [value for value in costs if np.isfinite(value)]
    size = float(np.ptp(seen)) or 1.0
    found = _Best(x, cost(x))
    for start in (s for s, value in zip(starts, costs, strict=True) if np.isfinite(value)):
        ended = minimize(
            lambda z: _if_known(cost, np.clip(z, low, high), max(seen) + size) / size,
            start,
            method="SLSQP",
            bounds=Bounds(low, high),
            constraints=limits,
            options={"maxiter": 200, "ftol": 1e-12},
        )
        point = np.clip(ended.x, low, high)
        if (
            np.isfinite(point).all()
            and violation_of(program, point) <= MARGIN
            and (value := _if_known(cost, point, np.inf)) < found.value
        ):
            found = _Best(point, value)
    return found


def _if_known(cost: Callable[[Array], float], x: Array, otherwise: float) -> float:
    """The cost at x; `otherwise` where the truth has none, as a simulator outside its rows."""
    try:
        return cost(x)
    except BadData:
        return otherwise
