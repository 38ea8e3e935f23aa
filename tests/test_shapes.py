"""Ball, ellipsoid, second-order cone, simplex, hull: least values certified, misuse refused."""

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from smooth_zoo import SMOOTH, by_hand
from zoo import NETWORKS, build

import icnn
from icnn import affine
from icnn.atoms import IDENTITY, RELU, Norm, Softplus
from icnn.errors import Unbounded
from icnn.sets import Ball, Ellipsoid, Hull, SecondOrderCone, Simplex

POINTS = np.array([[0.2, -1.0], [1.0, 0.4], [-0.7, 0.9], [0.1, 0.1], [-1.2, -0.3]])
SHAPE = np.array([[1.0, 0.3], [0.3, 0.4]])
CONE = (np.array([[1.0, 0.5], [0.0, 1.0], [0.3, -0.2]]), np.array([0.1, -0.2, 0.0]), [0.2, -0.1])
NAMES = ("relu-2-8", "max-last", "pieces", "softplus", "norm", "squares", "huber", "lse", "mixed")


def hull(x):
    share = cp.Variable(len(POINTS), nonneg=True)
    return [x == POINTS.T @ share, cp.sum(share) == 1]


def simplex(x):
    return [x >= 0, cp.sum(x) == 1.5]


SHAPES = {
    "ball": (Ball([0.3, -0.2], 0.8), lambda x: [cp.norm(x - [0.3, -0.2]) <= 0.8]),
    "ellipsoid": (
        Ellipsoid([0.1, 0.2], SHAPE),
        lambda x: [cp.quad_form(x - [0.1, 0.2], np.linalg.inv(SHAPE)) <= 1],
    ),
    "cone": (
        SecondOrderCone(*CONE, 1.0),
        lambda x: [cp.norm(CONE[0] @ x + CONE[1]) <= np.array(CONE[2]) @ x + 1.0],
    ),
    "simplex": (Simplex(1.5), simplex),
    "hull": (Hull(POINTS), hull),
}
BOX = {"bounds": [(-2.0, 2.0)] * 2}


def function(name):
    return NETWORKS[name].f if name in NETWORKS else SMOOTH[name]


def least(f, constraints, x):
    value, rows = by_hand(f, x)
    problem = cp.Problem(cp.Minimize(value), rows + constraints)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return problem.value


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_least_value_equals_cvxpy(name, kind):
    f, (shape, constraints) = function(name), SHAPES[kind]
    x = cp.Variable(2)
    value = least(f, constraints(x), x)
    for bounds in (BOX, {}):  # a set that ends by itself needs no bounds
        d = icnn.minimize(f, **bounds, constraints=shape)
        assert d.certified
        assert d.gap <= (1e-9 if d.solver == "HiGHS" else 1e-6) * d.scale
        assert d.value == pytest.approx(value, abs=1e-6 * d.scale)
        assert d.violation <= 1e-8
        assert d.multipliers["rows"].shape == (0,)
        assert d.x.shape == (2,)


@pytest.mark.parametrize("name", ["relu-2-8", "mixed"])
def test_together_with_rows_bounds_limits_and_each_other(name):
    f, x = function(name), cp.Variable(2)
    a, g = np.array([1.0, -0.4]), NETWORKS["abs"].f
    value, rows = by_hand(g, x)
    theirs = [*rows, value <= 3.0, a @ x >= -0.3, x <= 0.45]
    for kind in SHAPES:
        theirs += SHAPES[kind][1](x) if kind != "simplex" else []
    ours = [SHAPES[kind][0] for kind in SHAPES if kind != "simplex"]
    ours[1:1] = [LinearConstraint(a, -0.3, np.inf), g <= 3.0]
    d = icnn.minimize(f, bounds=[(-2.0, 0.45)] * 2, constraints=ours)
    assert d.value == pytest.approx(least(f, theirs, x), abs=1e-6 * d.scale)
    assert {name: m.shape for name, m in d.multipliers.items()} == {
        "rows": (1,),
        "lower": (2,),
        "upper": (2,),
        "limits": (1,),
    }


def test_the_multiplier_of_a_row_beside_a_set_is_a_finite_difference():
    f, step = SMOOTH["mixed"], 1e-4
    for kind, (shape, _) in SHAPES.items():

        def solve(side, shape=shape):
            row = LinearConstraint([1.0, -0.5], side, np.inf)
            return icnn.minimize(f, **BOX, constraints=[shape, row])

        side = float(icnn.minimize(f, **BOX, constraints=shape).x @ [1.0, -0.5]) + 0.05
        d = solve(side)
        rise = (solve(side + step).value - solve(side - step).value) / (2 * step)
        assert d.multipliers["rows"][0] == pytest.approx(rise, abs=1e-3), kind
        assert rise > 1e-3


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_projections(n):
    """The distance to a ball, and linear functions over each set, in closed form."""
    r = np.random.default_rng(n)
    for unit in (1e-6, 1.0, 1e6):
        center, c, out = unit * r.normal(size=n), r.normal(size=n), unit * 5 * r.normal(size=n)
        far = icnn.Network((icnn.Layer(Norm(n), np.eye(n), -out),))
        expected = max(np.linalg.norm(out - center) - unit, 0.0)
        d = icnn.minimize(far, constraints=Ball(center, unit))
        assert d.value == pytest.approx(expected, abs=1e-6 * unit)
        d = icnn.minimize(affine(c), constraints=Ball(center, unit))
        expected = c @ center - unit * np.linalg.norm(c)
        assert d.value == pytest.approx(expected, abs=1e-6 * unit)
        R = unit * (r.normal(size=(n, n)) + 2 * np.eye(n))
        d = icnn.minimize(affine(c), constraints=Ellipsoid(center, R @ R.T))
        expected = c @ center - np.linalg.norm(R.T @ c)
        assert d.value == pytest.approx(expected, abs=1e-6 * np.linalg.norm(R.T @ c))
        d = icnn.minimize(affine(c), constraints=Simplex(unit))
        assert d.value == pytest.approx(unit * c.min(), abs=1e-9 * unit)
        points = unit * r.normal(size=(2 * n + 3, n))
        d = icnn.minimize(affine(c), constraints=Hull(points))
        assert d.value == pytest.approx((points @ c).min(), abs=1e-9 * unit)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_range_of_f_is_that_on_the_set(unit):
    """The gap may be 1e-6 of it, so bounds that a set implies loosely would hide an error."""
    r = np.random.default_rng(0)
    points, n = unit * r.uniform(-1, 1, (300, 2)), 8
    f = SMOOTH["squares"].compose_affine(np.eye(2) / unit)
    d = icnn.minimize(f, constraints=Hull(points))
    assert d.scale <= 10 * np.ptp(f(points))
    c, R = r.normal(size=n), unit * (r.normal(size=(n, n)) + 2 * np.eye(n))
    most = np.linalg.norm(R.T @ c)
    d = icnn.minimize(affine(c), constraints=Ellipsoid(np.zeros(n), R @ R.T))
    assert d.gap <= 1e-6 * most
    assert d.value == pytest.approx(-most, abs=1e-6 * most)


@pytest.mark.parametrize("name", ["relu-2-8", "mixed", "softplus"])
@pytest.mark.parametrize(
    "shape", [Ball([0.3, 0.2], 0.0), Simplex(0.0), Hull([[0.3, 0.2]]), Hull([[0.3, 0.2]] * 3)]
)
def test_sets_of_one_point(name, shape):
    f = function(name)
    point = [0.0, 0.0] if isinstance(shape, Simplex) else [0.3, 0.2]
    for bounds in (BOX, {}):
        d = icnn.minimize(f, **bounds, constraints=shape)
        np.testing.assert_allclose(d.x, point, atol=1e-6)
        assert d.value == pytest.approx(f(point), abs=1e-5 * d.scale)


def test_a_cone_without_end():
    """|x1| ≤ x0: the objective may hold the minimum in, or run off."""
    cone = SecondOrderCone([[0.0, 1.0]], [0.0], [1.0, 0.0], 0.0)
    with pytest.raises(Unbounded, match="x0"):
        icnn.minimize(affine([-1.0, 0.0]), constraints=cone)
    d = icnn.minimize(affine([1.0, 0.5]), constraints=cone, throw=False)
    assert d.value == pytest.approx(0.0, abs=1e-6)
    f = build(2, (Softplus(), IDENTITY), (4, 1)) + 5.0 * affine([1.0, 0.0])
    d = icnn.minimize(f, constraints=cone, throw=False)
    assert d.success or "Bound" in d.message


def test_whole_numbers_inside_polyhedral_sets():
    f = build(2, (RELU, IDENTITY), (9, 1), seed=4)
    corners = np.array([[0, 0], [3, 1], [1, 4]])
    grid = np.stack(np.meshgrid(np.arange(0, 5), np.arange(0, 5)), -1).reshape(-1, 2)
    edges = np.roll(corners, -1, 0) - corners
    across = (grid[:, None] - corners) @ np.array([[0, 1], [-1, 0]])
    inside = grid[((across * edges).sum(-1) <= 0).all(1) | ((across * edges).sum(-1) >= 0).all(1)]
    d = icnn.minimize(f, constraints=Hull(corners), integrality=1, bounds=[(-9, 9)] * 2)
    assert d.value == pytest.approx(f(inside.astype(float)).min(), abs=1e-9 * d.scale)
    d = icnn.minimize(f, constraints=Simplex(3), integrality=1)
    on = np.array([[k, 3 - k] for k in range(4)], dtype=float)
    assert d.value == pytest.approx(f(on).min(), abs=1e-9 * d.scale)
