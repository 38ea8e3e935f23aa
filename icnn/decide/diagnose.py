"""Why there is no decision: the row that cannot be met, or the direction of endless descent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import (
    ABS,
    ELU,
    RELU,
    AbstractAtom,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
)
from icnn.decide.cones import Cone
from icnn.decide.decision import violation_of
from icnn.decide.program import Learned, Program
from icnn.decide.sets import Box, Rows
from icnn.network import Layer, Network, with_output

Array = NDArray[np.float64]
MISFIT = 1e-9
ROUNDED = 1e-12  # of a row's terms: sides that were computed differ by so much from what fits
STEEP = 1e6
FAR_OUT = 1e6  # reaches of x


def nearest_point(program: Program) -> tuple[Array, Array, NDArray[np.intp]]:
    """The point of the box that misses the rows least, its misses, and the rows that resist.

    Misses (m,) are relative to the row's size over the reach of x.
    """
    from scipy.optimize import linprog

    centre, step = program.reach
    width = np.nan_to_num(program.finite.upper - program.finite.lower, posinf=0.0).clip(0.0)
    step = np.where(step > 0, step, width / 2)  # columns taken as one point have some room too
    A = program.rows.A.toarray() * step
    at, size = program.rows.A @ centre, np.abs(A).sum(1)
    terms = abs(program.rows.A) @ np.abs(centre)
    size = np.where(size > 0, size, terms)  # every column of the row is held
    size = np.where(size > 0, size, 1.0)
    sides = [(side - at) / size for side in (program.rows.lower, program.rows.upper)]
    held, m = np.where(step > 0, step, 1.0), len(size)
    ends = [(end - centre) / held for end in (program.box.lower, program.box.upper)]
    A, slack = A / size[:, None], np.eye(m)
    at_most = np.concatenate([-sides[0], sides[1]])
    kept = np.isfinite(at_most)
    result = linprog(
        np.concatenate([np.zeros(program.n), np.ones(m)]),
        A_ub=np.block([[-A, -slack], [A, -slack]])[kept],
        b_ub=at_most[kept],
        bounds=[*zip(*ends, strict=True), *[(0, None)] * m],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    resisting = np.flatnonzero(kept)[np.abs(result.ineqlin.marginals) > MISFIT]
    miss = np.maximum(result.x[program.n :] - ROUNDED * terms / size, 0.0)
    return centre + step * result.x[: program.n], miss, np.unique(resisting % m)


def infeasibility(program: Program) -> str | None:
    """A sentence on the rows that cannot be met; None if the rows and bounds have a point."""
    _, miss, resisting = nearest_point(program)
    if miss.max(initial=0.0) <= MISFIT:
        return None
    named = program.named_rows
    rows = [str(i) for i in resisting if named is None or i < named]
    which = f"row {', '.join(rows[:5])}" if len(rows) == 1 else f"rows {', '.join(rows[:5])}"
    if not rows:
        return "The bounds and the sets contradict each other: no point lies in all of them."
    return (
        "The bounds and constraint rows contradict each other: the point that misses them "
        f"least still misses {which}. Loosen one of them, or the bounds."
    )


def recession(program: Program) -> Program:
    """The program of directions d, in a box: f falls without end along d iff its value is < 0."""
    scale = program.reach[1]
    scale = np.where(scale > 0, scale, 1.0)
    low, high = np.isfinite(program.box.lower), np.isfinite(program.box.upper)
    rows = program.rows
    ends = (np.where(np.isfinite(side), 0.0, side) for side in (rows.lower, rows.upper))
    return Program(
        _homogeneous(program.objective),
        Box(np.where(low, 0.0, -scale), np.where(high, 0.0, scale)),
        Rows(rows.A, *ends),
        np.zeros(program.n, dtype=bool),
        program.columns,
        tuple(Cone(cone.kind, cone.A, 0 * cone.b) for cone in program.cones),
        tuple(Learned(_homogeneous(limit.function), 0.0) for limit in program.learned),
    )


def is_endless(program: Program, x: Array, directions: Program, d: Array) -> bool:
    """Whether x + t d stays inside for large t, or a tolerance feigns a way along which f falls.

    The best direction reaches an end of its box, and is right to 1e-9 of that, so that far out
    the constraints are missed by 1e-3 of their size. Where scales are mixed within one limit, a
    solver may find one that misses it by hundreds, or a tiny one that is its own rounding.
    """
    ends = np.maximum(-directions.box.lower, directions.box.upper)
    length = float(np.max(np.abs(d) / np.where(ends > 0, ends, 1.0), initial=0.0))
    return length > 0.5 and violation_of(program, x + FAR_OUT * d) <= 1


def direction_sentence(directions: Program, d: Array) -> str:
    """Which way the objective falls, without the columns that have no part in it."""
    rows, columns = directions.rows, directions.columns
    for j in range(len(d)):
        less = np.where(np.arange(len(d)) == j, 0.0, d)
        at, slack = rows.A @ less, 1e-9 * (abs(rows.A) @ np.abs(d))
        allowed = (at >= rows.lower - slack).all() and (at <= rows.upper + slack).all()
        if allowed and directions.objective(less) <= (1 - 1e-9) * directions.objective(d):
            d = less
    d = d / np.abs(d).max()
    parts = [f"{v:+.3g} {name}" for v, name in zip(d, columns, strict=True) if abs(v) > 1e-9]
    names = ", ".join(name for v, name in zip(d, columns, strict=True) if abs(v) > 1e-9)
    return f"It improves without end along {' '.join(parts)}; give bounds for {names}."


def _homogeneous(f: Network) -> Network:
    """The recession function: how f grows along a direction, far out."""
    return Network(tuple(Layer(*_far_out(k.atom, k.V), 0 * k.b, k.W) for k in with_output(f)))


def _far_out(atom: AbstractAtom, V: Any) -> tuple[AbstractAtom, Any]:
    """The recession function of an atom; squares, which outgrow any norm, as a steep one."""
    if isinstance(atom, PiecewiseLinear):
        return PiecewiseLinear(tuple((s, 0.0) for s, _ in atom.pieces)), V
    if isinstance(atom, Softplus | ELU):
        return RELU, V
    if isinstance(atom, LogSumExp):
        return Max(atom.size), V
    if isinstance(atom, SumSquares):
        return Norm(atom.size), STEEP * V
    if isinstance(atom, Huber):
        return ABS, 2 * atom.width * V
    return atom, V
