"""Why there is no decision: the row that cannot be met, or the direction of endless descent."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.atoms import AbstractAtom, PiecewiseLinear
from icnn.decide.program import Program
from icnn.decide.sets import Box, Rows
from icnn.network import Layer, Network, with_output

Array = NDArray[np.float64]
MISFIT = 1e-9


def nearest_point(program: Program) -> tuple[Array, Array]:
    """The point of the box with the least total row violation, and its relative miss of each row."""
    from scipy.optimize import linprog

    centre, half = program.reach
    step = np.where(half > 0, half, 1.0)
    A = sp.csr_array(program.rows.A @ sp.diags_array(step))
    size = abs(A) @ np.ones(program.n)
    size = np.where(size > 0, size, 1.0)
    A, at = sp.diags_array(1 / size) @ A, program.rows.A @ centre
    sides = [(side - at) / size for side in (program.rows.lower, program.rows.upper)]
    m = len(size)
    ends = [(end - centre) / step for end in (program.box.lower, program.box.upper)]
    bounds = [*zip(*ends, strict=True), *[(0, None)] * m]
    slack = sp.eye_array(m)
    stacked = sp.vstack([sp.hstack([-A, -slack]), sp.hstack([A, -slack])]).tocsr()
    rhs = np.concatenate([-sides[0], sides[1]])
    kept = np.isfinite(rhs)
    cost = np.concatenate([np.zeros(program.n), np.ones(m)])
    result: Any = linprog(
        cost,
        A_ub=stacked[kept] if kept.any() else None,
        b_ub=rhs[kept] if kept.any() else None,
        bounds=bounds,
    )
    return centre + step * result.x[: program.n], result.x[program.n :]


def infeasibility(program: Program) -> str | None:
    """A sentence on the rows that cannot be met; None if the rows and bounds have a point."""
    _, miss = nearest_point(program)
    if miss.max(initial=0.0) > MISFIT:
        rows = ", ".join(str(i) for i in np.flatnonzero(miss > MISFIT)[:5])
        return (
            f"The bounds and constraint rows contradict each other: the point that misses them least "
            f"still misses row {rows}. Loosen that row, or the bounds."
        )
    return None


def recession(program: Program) -> Program:
    """The program of directions d in [−1, 1]^n: f falls without end along d iff its value is < 0."""
    layers = tuple(
        Layer(_homogeneous(k.atom), k.V, 0 * k.b, k.W) for k in with_output(program.objective)
    )
    scale = program.reach[1]
    scale = np.where(scale > 0, scale, 1.0)
    low, high = np.isfinite(program.box.lower), np.isfinite(program.box.upper)
    rows = program.rows
    ends = (np.where(np.isfinite(side), 0.0, side) for side in (rows.lower, rows.upper))
    return Program(
        Network(layers),
        Box(np.where(low, 0.0, -scale), np.where(high, 0.0, scale)),
        Rows(rows.A, *ends),
        np.zeros(program.n, dtype=bool),
        program.columns,
    )


def direction_sentence(d: Array, columns: tuple[str, ...]) -> str:
    """Which way the objective falls."""
    d = d / np.abs(d).max()
    parts = [f"{v:+.3g} {name}" for v, name in zip(d, columns, strict=True) if abs(v) > 1e-9]
    names = ", ".join(name for v, name in zip(d, columns, strict=True) if abs(v) > 1e-9)
    return f"It falls along the direction {' '.join(parts)}; give bounds for {names}."


def _homogeneous(atom: AbstractAtom) -> AbstractAtom:
    """The recession function of an atom: its slopes alone."""
    if isinstance(atom, PiecewiseLinear):
        return PiecewiseLinear(tuple((s, 0.0) for s, _ in atom.pieces))
    return atom
