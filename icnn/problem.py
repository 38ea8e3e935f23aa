"""problem: what a caller of minimize says (functions, names, sets) becomes a `Program`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icnn.decide.assemble import assemble
from icnn.decide.decision import Decision, Status
from icnn.decide.program import Learned, Program
from icnn.decide.sets import (
    Box,
    fix,
    read_bounds,
    read_integrality,
    read_rows,
    whole,
)
from icnn.decide.shapes import AbstractSet, Lowered
from icnn.decide.solvers.canonical import conic_parts, is_cvxpy
from icnn.errors import (
    BadData,
    Inaccurate,
    Infeasible,
    NotConvex,
    NotSolved,
    TimeLimit,
    Unbounded,
)
from icnn.learn.context import is_named
from icnn.learn.model import AbstractConvexModel
from icnn.learn.surrogate import AbstractSurrogate, aligned
from icnn.limit import Limit
from icnn.network import Network

ERRORS: dict[Status, type[NotSolved]] = {
    Status.INFEASIBLE: Infeasible,
    Status.UNBOUNDED: Unbounded,
    Status.TIME_LIMIT: TimeLimit,
    Status.INACCURATE: Inaccurate,
}
OBSERVED = "Bounds: the observed range of each column, as none were given."


def read_problem(
    f: AbstractSurrogate | Network,
    *,
    bounds: Any,
    constraints: Any,
    integrality: Any,
    fixed: Mapping[str, float] | None,
    context: Any,
    variable: Any,
) -> tuple[Program, str]:
    """The program, and a note on bounds that nobody gave."""
    rows, limits, shapes, theirs = _sorted(constraints)
    columns, default = _columns(f, limits)
    check_context([f, *(limit.function for limit in limits)], context)
    box = fix(read_bounds(bounds, columns, default), fixed, columns)
    integral = read_integrality(integrality, columns)
    sets = [shape.lower(len(columns)) for shape in shapes]
    if theirs or variable is not None:
        box, integral, extra = _from_cvxpy(theirs, variable, columns, box, integral)
        sets.append(extra)
    program = assemble(
        network_of(f, context, columns),
        whole(box, integral),
        read_rows(list(rows.values()), columns, list(rows)),
        integral=integral,
        columns=columns,
        sets=sets,
        learned=[_learned(limit, context, columns) for limit in limits],
    )
    return program, _note(f, bounds, columns)


def _note(f: Any, bounds: Any, columns: tuple[str, ...]) -> str:
    if isinstance(f, Network) or not (bounds is None or isinstance(bounds, Mapping)):
        return ""
    rest = [name for name in columns if bounds is None or name not in bounds]
    if len(rest) == len(columns):
        return OBSERVED
    return f"Bounds of {', '.join(rest)}: the observed range." if rest else ""


def _sorted(
    constraints: Any,
) -> tuple[dict[int, Any], list[Limit], list[AbstractSet], dict[int, Any]]:
    """Linear rows by their position, learned limits, sets, and CVXPY constraints by theirs."""
    if constraints is None:
        constraints = ()
    given = list(constraints) if isinstance(constraints, list | tuple) else [constraints]
    rows: dict[int, Any] = {}
    theirs: dict[int, Any] = {}
    limits, shapes = [], []
    for k, constraint in enumerate(given):
        if isinstance(constraint, Limit):
            limits.append(constraint)
        elif isinstance(constraint, AbstractSet):
            shapes.append(constraint)
        elif is_cvxpy(constraint) or isinstance(constraint, bool | np.bool_):
            theirs[k] = constraint
        else:
            rows[k] = constraint
    return rows, limits, shapes, theirs


def limits_of(constraints: Any) -> tuple[Limit, ...]:
    """The learned limits among some constraints, in their order."""
    return tuple(_sorted(constraints)[1])


def _columns(f: Any, limits: Sequence[Limit]) -> tuple[tuple[str, ...], Box]:
    """All columns by name, and where every surrogate that reads one has seen data."""
    functions = [f, *(limit.function for limit in limits)]
    for function in functions:
        check_function(function)
    if all(isinstance(function, Network) for function in functions):
        sizes = {function.n for function in functions}
        if len(sizes) > 1:
            raise BadData(f"the networks have {sorted(sizes)} inputs; they must have the same x")
        return tuple(f"x{j}" for j in range(f.n)), Box(np.full(f.n, -np.inf), np.full(f.n, np.inf))
    ranges: dict[str, tuple[float, float]] = {}
    for function in functions:
        if isinstance(function, Network):
            raise BadData(
                "a Network has no column names to align with a surrogate's; "
                "use networks alone, or surrogates alone"
            )
        for name, low, high in zip(function.columns, function.lower, function.upper, strict=True):
            before = ranges.get(name, (-np.inf, np.inf))
            ranges[name] = (max(before[0], low), min(before[1], high))
    lower, upper = np.array(list(ranges.values())).T
    return tuple(ranges), Box(lower, upper)


def check_function(f: Any) -> None:
    """Refuse what is no finished function: a model, or its live weights, which have gradients."""
    live = isinstance(f, AbstractConvexModel) or (
        isinstance(f, Network) and any(k.V.requires_grad or k.b.requires_grad for k in f.layers)
    )
    if live:
        raise BadData(
            "f must be a Surrogate or a Network, not a model in training; "
            "give what fit returns, or icnn.Network(model.lower().layers)"
        )
    if not isinstance(f, AbstractSurrogate | Network):
        raise BadData(f"f must be a Surrogate or a Network, not {type(f).__name__}")


def network_of(f: AbstractSurrogate | Network, context: Any, columns: tuple[str, ...]) -> Network:
    """The convex function of all columns, at its own part of the context."""
    if isinstance(f, Network):
        return f
    network = f.at(own_context(f, context)) if f.context_columns else f.at()
    return network if f.columns == columns else aligned(network, f.columns, columns)


def own_context(f: AbstractSurrogate, context: Any) -> Any:
    """The part of a context by name that f reads."""
    if isinstance(context, Mapping):
        return {name: context[name] for name in f.context_columns if name in context}
    return context


def check_context(functions: Sequence[Any], context: Any) -> None:
    """Refuse a context, or a name in it, that no function takes, and values without clear names."""
    if context is None:
        return
    known = {
        name for f in functions if isinstance(f, AbstractSurrogate) for name in f.context_columns
    }
    if not known:
        raise BadData("a context was given, but no function here takes one; leave context= out")
    orders = {f.context_columns for f in functions if isinstance(f, AbstractSurrogate)} - {()}
    if len(orders) > 1 and not is_named(context):
        raise BadData(
            "the functions here have contexts of their own "
            f"({' and '.join(sorted(', '.join(order) for order in orders))}), "
            "so values without names are ambiguous; give the context as a dict"
        )
    for name in context if isinstance(context, Mapping) else ():
        if name not in known:
            raise BadData(
                f"context names {name!r}; the contexts here are {', '.join(sorted(known))}"
            )


def _learned(limit: Limit, context: Any, columns: tuple[str, ...]) -> Learned:
    """function ≤ rhs, turned round for a concave function: its network is −function."""
    sign = 1.0 if limit.sense == "<=" else -1.0
    return Learned(network_of(limit.function, context, columns), sign * limit.rhs, sign)


def _from_cvxpy(
    theirs: dict[int, Any],
    variable: Any,
    columns: tuple[str, ...],
    box: Box,
    integral: NDArray[np.bool_],
) -> tuple[Box, NDArray[np.bool_], Lowered]:
    """CVXPY's constraints as a set, and what the variable itself says."""
    if variable is None and any(isinstance(c, bool | np.bool_) for c in theirs.values()):
        raise BadData("a constraint is a plain truth value: it compares numbers, not functions")
    if variable is None:
        raise BadData("a CVXPY constraint needs variable=, the cvxpy.Variable that stands for x")
    parts = conic_parts(theirs, variable, columns)
    lowered = Lowered(parts.aux, parts.rows, parts.cones)
    return intersected(box, parts.box, columns), integral | parts.integral, lowered


def held_box(variable: Any, fixed: Mapping[str, float] | None, columns: tuple[str, ...]) -> Box:
    """What holds whatever the bounds are: the variable's own attributes and the fixed columns."""
    free = Box(np.full(len(columns), -np.inf), np.full(len(columns), np.inf))
    return fix(free if variable is None else conic_parts({}, variable, columns).box, fixed, columns)


def intersected(box: Box, other: Box, columns: tuple[str, ...]) -> Box:
    """What lies in both boxes.

    Raises:
        BadData: nothing does; the message names the column.
    """
    lower, upper = np.maximum(box.lower, other.lower), np.minimum(box.upper, other.upper)
    for j in np.flatnonzero(lower > upper):
        raise BadData(
            f"column {columns[int(j)]!r}: no number lies between {lower[j]:g} and {upper[j]:g}"
        )
    return Box(lower, upper)


def check_sense(f: Any, sense: str) -> None:
    """Refuse to minimise a concave function or to maximise a convex one."""
    concave = isinstance(f, AbstractSurrogate) and f.concave
    if sense == "minimize" and concave:
        raise NotConvex(
            "minimize of a concave surrogate is not a convex problem: its least values "
            "lie at corners that no certificate reaches; use maximize, or fit with concave=False"
        )
    if sense == "maximize" and not concave:
        raise NotConvex(
            "maximize of a convex function is not a convex problem: its greatest values "
            "lie at corners that no certificate reaches; use minimize, or fit with concave=True"
        )


def turned(decision: Decision) -> Decision:
    """The same decision in terms of f, when −f was minimised."""
    return replace(
        decision,
        value=-decision.value,
        bound=-decision.bound,
        multipliers={name: 0.0 - y for name, y in decision.multipliers.items()},
        sense="maximize",
    )


def finished(
    decision: Decision, note: str, throw: bool, program: Program | None = None
) -> Decision:
    """The decision with its note; the matching error where there is no proof and `throw`."""
    if program is not None:
        decision = replace(decision, program=program)
    if note:
        decision = replace(decision, message=f"{decision.message} {note}")
    if throw and not decision.success:
        raise ERRORS[decision.status](decision.message, decision)
    return decision
