"""Sets beyond rows: each lowers to columns, rows and cones, which solvers and judge know."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from icnn.decide.cones import Cone, Kind
from icnn.decide.sets import Box, Rows
from icnn.errors import BadData

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Lowered:
    """A set over (x, auxiliaries): the box of the auxiliaries, rows and cones."""

    aux: Box
    rows: Rows
    cones: tuple[Cone, ...] = ()


class AbstractSet(abc.ABC):
    """A convex set of x (n,), given to `constraints=`."""

    @abc.abstractmethod
    def lower(self, n: int) -> Lowered:
        """The set over n columns and, behind them, its own auxiliary ones."""


@final
@dataclass(frozen=True, eq=False)
class SecondOrderCone(AbstractSet):
    """‖A x + b‖ ≤ c·x + d, with A (m, n), b (m,), c (n,)."""

    A: ArrayLike
    b: ArrayLike
    c: ArrayLike
    d: float = 0.0

    def lower(self, n: int) -> Lowered:
        A, b, c = (
            _numbers(part, "SecondOrderCone: A, b and c") for part in (self.A, self.b, self.c)
        )
        if A.ndim != 2 or A.shape[1] != n or b.shape != A.shape[:1] or c.shape != (n,):
            shapes = f"A {A.shape}, b {b.shape}, c {c.shape}"
            raise BadData(f"SecondOrderCone: {shapes} must be (m, {n}), (m,) and ({n},)")
        rows = np.vstack([c, A])
        const = np.concatenate([[_number(self.d, "SecondOrderCone: d")], b])
        if not (np.isfinite(rows).all() and np.isfinite(const).all()):
            raise BadData("SecondOrderCone: an entry is not finite")
        return Lowered(_no_columns(), _no_rows(n), (_soc(rows, const),))


@final
@dataclass(frozen=True, eq=False)
class Ball(AbstractSet):
    """‖x − center‖ ≤ radius."""

    center: ArrayLike
    radius: float

    def lower(self, n: int) -> Lowered:
        center = _point(self.center, n, "Ball")
        if not 0 <= _number(self.radius, "Ball: radius") < np.inf:
            raise BadData(
                f"Ball: the radius {self.radius!r} leaves no point; it must be at least 0"
            )
        rows = np.vstack([np.zeros(n), np.eye(n)])
        cone = _soc(rows, np.concatenate([[self.radius], -center]))
        return Lowered(_no_columns(), _no_rows(n), (cone,))


@final
@dataclass(frozen=True, eq=False)
class Ellipsoid(AbstractSet):
    """(x − center)ᵀ shape⁻¹ (x − center) ≤ 1, with shape (n, n) symmetric positive definite."""

    center: ArrayLike
    shape: ArrayLike

    def lower(self, n: int) -> Lowered:
        center, shape = (
            _point(self.center, n, "Ellipsoid"),
            _numbers(self.shape, "Ellipsoid: shape"),
        )
        if shape.shape != (n, n) or not np.isfinite(shape).all() or not np.allclose(shape, shape.T):
            raise BadData(f"Ellipsoid: shape must be a finite symmetric ({n}, {n}) matrix")
        try:
            root = np.linalg.inv(np.linalg.cholesky(shape))
        except np.linalg.LinAlgError:
            raise BadData(
                "Ellipsoid: shape is not positive definite, so it has no inside"
            ) from None
        rows = np.vstack([np.zeros(n), root])
        cone = _soc(rows, np.concatenate([[1.0], -root @ center]))
        half = np.sqrt(np.diag(shape)) * (1 + 1e-9)  # the box around it, which gives it a scale
        around = Rows(sp.csr_array(np.eye(n)), center - half, center + half)
        return Lowered(_no_columns(), around, (cone,))


@final
@dataclass(frozen=True, eq=False)
class Simplex(AbstractSet):
    """x ≥ 0 and Σ x = total."""

    total: float = 1.0

    def lower(self, n: int) -> Lowered:
        if not 0 <= _number(self.total, "Simplex: the sum") < np.inf:
            raise BadData(f"Simplex: no x ≥ 0 has the sum {self.total!r}; it must be at least 0")
        A = sp.csr_array(np.vstack([np.ones(n), np.eye(n)]))
        lower = np.concatenate([[self.total], np.zeros(n)])
        upper = np.full(n + 1, float(self.total))
        return Lowered(_no_columns(), Rows(A, lower, upper))


@final
@dataclass(frozen=True, eq=False)
class Hull(AbstractSet):
    """The convex hull of points (N, n): a decision between those seen, never outside them."""

    points: ArrayLike

    def lower(self, n: int) -> Lowered:
        points = _numbers(self.points, "Hull: points")
        if points.ndim != 2 or points.shape[1] != n or len(points) == 0:
            raise BadData(f"Hull: points {points.shape} must be (N, {n}) with N at least 1")
        if not np.isfinite(points).all():
            raise BadData("Hull: a point is not finite; drop it")
        N = len(points)
        inside = np.hstack([np.eye(n), -points.T])
        total = np.concatenate([np.zeros(n), np.ones(N)])
        side = np.concatenate([np.zeros(n), [1.0]])
        around = np.eye(n, n + N)  # the box of the points, which gives x its scale
        rows = Rows(
            sp.csr_array(np.vstack([inside, total, around])),
            np.concatenate([side, points.min(0)]),
            np.concatenate([side, points.max(0)]),
        )
        return Lowered(Box(np.zeros(N), np.ones(N)), rows)


def _soc(rows: Array, const: Array) -> Cone:
    return Cone(Kind.SECOND_ORDER, sp.csr_array(rows), const)


def _no_columns() -> Box:
    return Box(np.empty(0), np.empty(0))


def _no_rows(n: int) -> Rows:
    return Rows(sp.csr_array((0, n)), np.empty(0), np.empty(0))


def _numbers(values: Any, name: str) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadData(f"{name}: {values!r} is not an array of numbers") from None


def _number(value: Any, name: str) -> float:
    number = _numbers(value, name)
    if number.shape != ():
        raise BadData(f"{name}: {value!r} is not one number")
    return float(number)


def _point(center: Any, n: int, name: str) -> Array:
    point = _numbers(center, f"{name}: the center")
    if point.shape != (n,) or not np.isfinite(point).all():
        raise BadData(f"{name}: the center must be {n} finite numbers, not {center!r}")
    return point
