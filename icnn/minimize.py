"""minimize and maximize: a learned function and what x may be become a `Decision`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from icnn.decide.decision import Decision
from icnn.decide.solve import solve
from icnn.decide.solvers.solver import AbstractSolver
from icnn.learn.surrogate import AbstractSurrogate
from icnn.network import Network
from icnn.problem import check_sense, finished, read_problem, turned


def minimize(
    f: AbstractSurrogate | Network,
    *,
    bounds: Any = None,
    constraints: Any = (),
    integrality: Any = None,
    fixed: Mapping[str, float] | None = None,
    context: Any = None,
    variable: Any = None,
    solver: AbstractSolver | None = None,
    throw: bool = True,
) -> Decision:
    """The x that minimises f, with a certified lower bound.

    Args:
        f: a convex surrogate, or a `Network` (its columns are called x0, x1, …).
        bounds: `scipy.optimize.Bounds`, pairs (lower, upper), or a dict by column name. None means
            the observed range of each column for a surrogate, and no bounds for a network.
        constraints: one or several of `scipy.optimize.LinearConstraint`, comparisons of learned
            functions (`emission <= 3.0`), sets of `icnn.sets`, CVXPY constraints on `variable`.
        integrality: 0 or 1 for each column, as in `scipy.optimize.milp`, or a dict by name.
        fixed: columns held at a value.
        context: of the functions that take one: a dict by name, or values in their order.
        variable: the `cvxpy.Variable`, (n,) or (n, 1), that CVXPY constraints are about.
        solver: from `icnn.solvers`; None picks one that takes the problem.
        throw: raise if there is no proved decision; otherwise look at `.status`.

    Raises:
        Infeasible, Unbounded, TimeLimit, Inaccurate: with `.decision`, the best found.
        NotConvex: f is concave; maximise it.
        BadData, NotSupported: bounds, constraints or columns that cannot be used.
    """
    check_sense(f, "minimize")
    program, note = read_problem(
        f,
        bounds=bounds,
        constraints=constraints,
        integrality=integrality,
        fixed=fixed,
        context=context,
        variable=variable,
    )
    return finished(solve(program, solver)[0], note, throw, program)


def maximize(
    f: AbstractSurrogate,
    *,
    bounds: Any = None,
    constraints: Any = (),
    integrality: Any = None,
    fixed: Mapping[str, float] | None = None,
    context: Any = None,
    variable: Any = None,
    solver: AbstractSolver | None = None,
    throw: bool = True,
) -> Decision:
    """The x that maximises a concave f; value, bound and multipliers are those of f.

    Arguments and errors are those of `minimize`; f is a surrogate fitted with `concave=True`.
    """
    check_sense(f, "maximize")
    program, note = read_problem(
        f,
        bounds=bounds,
        constraints=constraints,
        integrality=integrality,
        fixed=fixed,
        context=context,
        variable=variable,
    )
    return finished(turned(solve(program, solver)[0]), note, throw, program)
