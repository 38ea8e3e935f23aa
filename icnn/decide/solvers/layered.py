"""A network as CVXPY variables and constraints, one variable a hidden unit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from icnn.atoms import (
    ELU,
    AbstractAtom,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
)
from icnn.decide.solvers.cvxpy import modelling
from icnn.errors import NotSupported


class Stage(NamedTuple):
    """A layer of arrays or CVXPY parameters: atom(Σ W (gate ∘ z) + V (h ∘ x) + b)."""

    atom: AbstractAtom
    V: Any  # (rows, n)
    b: Any  # (rows,)
    W: tuple[tuple[int, Any, Any], ...]  # (source, weights, gate (units of the source,) or None)
    h: Any = None  # (n,), or None for ones


def layered(stages: Sequence[Stage], x: Any) -> tuple[Any, list[Any]]:
    """The last stage's unit as an expression, and the constraints that belong to it.

    One variable a hidden unit, so that parameters never multiply a nonlinear expression (DPP). The
    expression is then affine in those variables; it is made convex in CVXPY's eyes by a maximum of
    one, because `expression >= 3` would be met by variables that lie above the function.
    """
    cp = modelling()
    *hidden, output = stages
    z: list[Any] = []
    constraints: list[Any] = []
    for stage in hidden:
        a = _argument(stage, x, z)
        if isinstance(stage.atom, PiecewiseLinear) and stage.atom.is_affine:
            z.append(_sloped(a, *stage.atom.pieces[0]))
            continue
        z.append(cp.Variable(a.shape[0] // stage.atom.group))
        constraints += _above(stage.atom, z[-1], a)
    f = _argument(output, x, z)
    return (cp.max(f) if constraints else cp.sum(f)), constraints


def _argument(stage: Stage, x: Any, z: Sequence[Any]) -> Any:
    """Σ W (gate ∘ z) + V (h ∘ x) + b.

    hstack hides the bounds of its parts: CVXPY 1.9.3 makes 0 · ∞ = NaN of a product with a free
    variable, and calls the problem infeasible.
    """
    cp = modelling()
    a = stage.V @ (x if stage.h is None else cp.multiply(stage.h, x)) + stage.b
    for source, W, gate in stage.W:
        a = a + W @ (z[source] if gate is None else cp.multiply(gate, z[source]))
    return cp.hstack([a])


def _sloped(a: Any, slope: float, intercept: float) -> Any:
    return (a if slope == 1 else slope * a) + intercept


@singledispatch
def _above(atom: AbstractAtom, z: Any, a: Any) -> list[Any]:
    """The constraints of z ≥ atom(a)."""
    raise NotSupported(f"{type(atom).__name__} has no CVXPY form")


@_above.register
def _(atom: PiecewiseLinear, z: Any, a: Any) -> list[Any]:
    return [z >= (_sloped(a, s, t) if s else t) for s, t in atom.pieces]


@_above.register
def _(atom: Max, z: Any, a: Any) -> list[Any]:
    spread = sp.kron(sp.eye_array(z.size), np.ones((atom.size, 1)), format="csr")
    return [spread @ z >= a]


@_above.register
def _(atom: Softplus, z: Any, a: Any) -> list[Any]:
    return [z >= modelling().logistic(a)]


@_above.register
def _(atom: ELU, z: Any, a: Any) -> list[Any]:
    cp = modelling()
    q = cp.Variable(z.size, nonpos=True)  # the part of a that lies below zero
    return [z >= cp.pos(a - q) + atom.alpha * (cp.exp(q) - 1)]


@_above.register
def _(atom: LogSumExp, z: Any, a: Any) -> list[Any]:
    scaled = _groups(a / atom.temperature, atom.size)
    return [z / atom.temperature >= modelling().log_sum_exp(scaled, axis=1)]


@_above.register
def _(atom: Norm, z: Any, a: Any) -> list[Any]:
    return [modelling().SOC(z, _groups(a, atom.size), axis=1)]


@_above.register
def _(atom: SumSquares, z: Any, a: Any) -> list[Any]:
    cp = modelling()
    return [z >= cp.sum(cp.square(_groups(a, atom.size)), axis=1)]


@_above.register
def _(atom: Huber, z: Any, a: Any) -> list[Any]:
    return [z >= modelling().huber(a, atom.width)]


def _groups(a: Any, size: int) -> Any:
    """(units * size,) -> (units, size)."""
    cp = modelling()
    return cp.reshape(cp.hstack([a]), (a.size // size, size), order="C")
