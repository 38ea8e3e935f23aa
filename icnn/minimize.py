"""minimize and maximize: a learned function and what x may be become a `Decision`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from icnn.decide.decision import Decision, Status
from icnn.decide.program import Program
from icnn.decide.sets import Box, fix, read_bounds, read_integrality, read_rows, whole
from icnn.decide.solve import solve
from icnn.decide.solvers.solver import AbstractSolver
from icnn.errors import BadData, Inaccurate, Infeasible, NotConvex, NotSolved, TimeLimit, Unbounded
from icnn.learn.surrogate import AbstractSurrogate
from icnn.network import Network

ERRORS: dict[Status, type[NotSolved]] = {
    Status.INFEASIBLE: Infeasible,
    Status.UNBOUNDED: Unbounded,
    Status.TIME_LIMIT: TimeLimit,
    Status.INACCURATE: Inaccurate,
}


def minimize(
    f: AbstractSurrogate | Network,
    *,
    bounds: Any = None,
    constraints: Any = (),
    integrality: Any = None,
    fixed: Mapping[str, float] | None = None,
    solver: AbstractSolver | None = None,
    throw: bool = True,
) -> Decision:
    """The x that minimises f, with a certified lower bound.

    Args:
        f: a convex surrogate, or a `Network` (its columns are called x0, x1, …).
        bounds: `scipy.optimize.Bounds`, pairs (lower, upper), or a dict by column name. None means
            the observed range of each column for a surrogate, and no bounds for a network.
        constraints: one or several `scipy.optimize.LinearConstraint`, dense or sparse.
        integrality: 0 or 1 for each column, as in `scipy.optimize.milp`, or a dict by name.
        fixed: columns held at a value.
        solver: from `icnn.solvers`; None picks one that takes the problem.
        throw: raise if there is no proved decision; otherwise look at `.status`.

    Raises:
        Infeasible, Unbounded, TimeLimit, Inaccurate: with `.decision`, the best found.
        NotConvex: f is concave; maximise it.
        BadData, NotSupported: bounds, constraints or columns that cannot be used.
    """
    if isinstance(f, AbstractSurrogate) and f.concave:
        raise NotConvex(
            "minimize of a concave surrogate is not a convex problem: its least values "
            "lie at corners that no certificate reaches; use maximize, or fit with concave=False"
        )
    program, note = _program(f, bounds, constraints, integrality, fixed)
    return _finish(_annotated(solve(program, solver), note), throw)


def maximize(
    f: AbstractSurrogate,
    *,
    bounds: Any = None,
    constraints: Any = (),
    integrality: Any = None,
    fixed: Mapping[str, float] | None = None,
    solver: AbstractSolver | None = None,
    throw: bool = True,
) -> Decision:
    """The x that maximises a concave f; value, bound and multipliers are those of f.

    Arguments and errors are those of `minimize`; f is a surrogate fitted with `concave=True`.
    """
    if not isinstance(f, AbstractSurrogate) or not f.concave:
        raise NotConvex(
            "maximize of a convex function is not a convex problem: its greatest values "
            "lie at corners that no certificate reaches; use minimize, or fit with concave=True"
        )
    program, note = _program(f, bounds, constraints, integrality, fixed)
    return _finish(_turned(_annotated(solve(program, solver), note)), throw)


def _program(
    f: AbstractSurrogate | Network, bounds: Any, constraints: Any, integrality: Any, fixed: Any
) -> tuple[Program, str]:
    """The program, and a note on the bounds that nobody gave."""
    note = ""
    if isinstance(f, AbstractSurrogate):
        network, columns, default = f.at(), f.columns, Box(f.lower, f.upper)
        if bounds is None:
            note = "Bounds: the observed range of each column, as none were given."
    elif isinstance(f, Network):
        network, columns = f, tuple(f"x{j}" for j in range(f.n))
        default = Box(np.full(f.n, -np.inf), np.full(f.n, np.inf))
    else:
        raise BadData(f"f must be a Surrogate or a Network, not {type(f).__name__}")
    box = fix(read_bounds(bounds, columns, default), fixed, columns)
    integral = read_integrality(integrality, columns)
    box = whole(box, integral)
    return Program(network, box, read_rows(constraints, columns), integral, columns), note


def _annotated(decision: Decision, note: str) -> Decision:
    return replace(decision, message=f"{decision.message} {note}".strip())


def _turned(decision: Decision) -> Decision:
    """The same decision in terms of f, when −f was minimised."""
    return replace(
        decision,
        value=-decision.value,
        bound=-decision.bound,
        multipliers={name: 0.0 - y for name, y in decision.multipliers.items()},
        sense="maximize",
    )


def _finish(decision: Decision, throw: bool) -> Decision:
    if throw and not decision.success:
        raise ERRORS[decision.status](decision.message, decision)
    return decision
