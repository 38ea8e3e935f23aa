"""Multipliers: each is the change of the optimal value per unit of that right-hand side."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from smooth_zoo import SMOOTH
from test_fit import Y, fit
from zoo import NETWORKS, draw

import icnn
from icnn.decide.decision import bound_multipliers
from icnn.decide.sets import Box

STEP = 1e-4
INTERIOR = partial(icnn.minimize, solver=icnn.solvers.Clarabel())
PROBLEMS = {
    "corner": ([-1.0, -1.0], [0.5, 0.5], [], [], []),
    "row": ([-2.0, -2.0], [2.0, 2.0], [[1.0, 1.0]], [0.3], [np.inf]),
    "row-above": ([-2.0, -2.0], [2.0, 2.0], [[1.0, -0.5]], [-np.inf], [-0.4]),
    "equality": ([-2.0, -2.0], [2.0, 2.0], [[1.0, 2.0]], [0.7], [0.7]),
    "two-rows": ([-2.0, -2.0], [2.0, 2.0], [[1.0, 2.0], [1, -1]], [0.7, -0.2], [0.7, np.inf]),
    "slack-row": ([-2.0, -2.0], [2.0, 2.0], [[1.0, 2.0]], [-30.0], [30.0]),
    "fixed": ([0.3, -2.0], [0.3, 2.0], [], [], []),
    "open": ([-2.0, -np.inf], [np.inf, np.inf], [[1.0, 1.0]], [0.3], [0.5]),
}


def solve(f, lower, upper, A, low, high, run=icnn.minimize):
    rows = LinearConstraint(np.array(A), low, high) if len(A) else ()
    return run(f, bounds=list(zip(lower, upper, strict=True)), constraints=rows)


def shifts(ends):
    """(name, index, change of (lower, upper, low, high)) for every finite end that can move."""
    lower, upper, low, high = ends
    for name, side, other, k in (("lower", lower, upper, 0), ("upper", upper, lower, 1)):
        for j in np.flatnonzero(np.isfinite(side)):
            yield name, j, (0, 1) if side[j] == other[j] else (k,)
    for i in range(len(low)):
        both = low[i] == high[i]
        sides = (2, 3) if both else tuple(k for k, s in ((2, low), (3, high)) if np.isfinite(s[i]))
        for group in (sides,) if both else [(k,) for k in sides]:
            yield "rows", i, group


def assert_multipliers(f, problem, run=icnn.minimize, sign=1.0, scale=1.0):
    lower, upper, A, low, high = (np.array(part, dtype=float) for part in problem)
    d = solve(f, lower, upper, A, low, high, run)
    tolerance = 1e-8 * d.scale + d.gap  # a multiplier proves the bound, not the value
    for name, at, sides in shifts((lower, upper, low, high)):
        changes = []
        for step in (STEP * scale, -STEP * scale):
            ends = [lower.copy(), upper.copy(), low.copy(), high.copy()]
            for k in sides:
                ends[k][at] += step
            changes.append(sign * (solve(f, *ends[:2], A, *ends[2:], run).value - d.value) / step)
        m = sign * d.multipliers[name][at]
        if len(sides) == 2 and name != "rows":
            m = sign * (d.multipliers["lower"][at] + d.multipliers["upper"][at])
        if name == "rows" and len(sides) == 1:
            m = max(m, 0.0) if sides == (2,) else min(m, 0.0)
        right, left = changes
        slack = tolerance / (STEP * scale)
        assert left - slack <= m <= right + slack, (name, at, d.multipliers, left, right)


@pytest.mark.parametrize(
    "name", ["relu-2-8", "relu-2-8-8", "abs", "max-last", "pieces", "sum", "cancelling"]
)
@pytest.mark.parametrize("kind", PROBLEMS)
def test_finite_differences(name, kind):
    f = NETWORKS[name].f
    if kind == "open":
        grow = icnn.relu_network(
            [np.vstack([np.eye(2), -np.eye(2)]), np.zeros((1, 2))],
            [np.zeros(4), [0.0]],
            [np.full((1, 4), 9.0)],
        )
        f = f + grow
    assert_multipliers(f, PROBLEMS[kind])


@pytest.mark.parametrize("name", [name for name, f in SMOOTH.items() if f.n == 2])
@pytest.mark.parametrize("kind", ["corner", "row", "fixed"])
def test_finite_differences_of_smooth_functions(name, kind):
    """By an interior-point method, whose points stop short of the bounds."""
    assert_multipliers(SMOOTH[name], PROBLEMS[kind], INTERIOR)


@pytest.mark.parametrize("name", ["relu-2-8-8", "max-last"])
@pytest.mark.parametrize("kind", ["corner", "row", "fixed"])
def test_finite_differences_within_a_ball(name, kind):
    def within(f, bounds, constraints):
        ball = icnn.sets.Ball([0.0, 0.0], 2.5)
        rows = [constraints] if constraints else []
        return INTERIOR(f, bounds=bounds, constraints=[*rows, ball])

    assert_multipliers(NETWORKS[name].f, PROBLEMS[kind], within)


def test_a_narrow_column_far_from_zero():
    """Near an end is measured by the width of the column, not by its size."""
    f, lower = icnn.affine([1.0]), np.array([1000.0])
    for width in (1e-3, 1e-6, 0.0):
        d = icnn.minimize(f, bounds=[(1000.0, 1000.0 + width)], solver=icnn.solvers.Clarabel())
        assert d.multipliers["lower"] == pytest.approx(1.0, rel=1e-6)
        assert d.multipliers["upper"] == 0.0
        middle, half = lower + width / 2, np.array([width / 2])
        found = bound_multipliers(middle, Box(lower, lower + width), half, np.array([1.0]))
        assert (found[0] == 0.0) == (width > 0.0)


def test_bounds_with_decimals():
    """Ends such as −0.1 and 0.8, which centre + step · t does not hit exactly."""
    lost = []
    for seed in range(100):
        r = np.random.default_rng(seed)
        f = icnn.relu_network(*draw(3, (6,), seed))
        lower = np.round(r.uniform(-1, 0, 3), 1)
        upper = lower + np.round(r.uniform(0.1, 1, 3), 1)
        d = icnn.minimize(f, bounds=list(zip(lower, upper, strict=True)))
        for j in np.flatnonzero(np.minimum(d.x - lower, upper - d.x) < 1e-9):
            moved = d.x + 1e-6 * np.array([[-1.0], [1.0]]) * np.eye(3)[j]
            m = d.multipliers["lower"][j] + d.multipliers["upper"][j]
            if (np.abs(f(moved) - d.value) > 1e-9).all() and m == 0:
                lost.append((seed, float(d.x[j]), lower[j], upper[j]))
    assert not lost


def test_fixed_columns_have_a_multiplier():
    f = NETWORKS["relu-2-8"].f
    at = {"x0": 0.3}
    d = icnn.minimize(f, bounds=[(-2, 2)] * 2, fixed=at)
    up, down = (
        icnn.minimize(f, bounds=[(-2, 2)] * 2, fixed={"x0": 0.3 + s}).value for s in (STEP, -STEP)
    )
    m = d.multipliers["lower"][0] + d.multipliers["upper"][0]
    assert (d.value - down) / STEP - 1e-5 <= m <= (up - d.value) / STEP + 1e-5


@pytest.mark.parametrize("kind", PROBLEMS)
def test_maximize_has_the_signs_of_f(kind):
    if kind != "open":
        assert_multipliers(fit(y=-Y, concave=True), PROBLEMS[kind], icnn.maximize, sign=-1.0)


@pytest.mark.parametrize("name", ["tiny-x", "huge-x"])
def test_in_other_units(name):
    width = NETWORKS[name].width
    problem = tuple(width * np.array(part) for part in PROBLEMS["corner"])
    assert_multipliers(NETWORKS[name].f, problem, scale=width)


def test_shapes_and_zero_where_slack():
    f = NETWORKS["flat"].f
    rows = [LinearConstraint([1, 1], -9, 9), LinearConstraint(np.eye(2), -8, 8)]
    d = icnn.minimize(f, bounds=[(-5, 5)] * 2, constraints=rows)
    assert {name: m.shape for name, m in d.multipliers.items()} == {
        "rows": (3,),
        "lower": (2,),
        "upper": (2,),
    }
    assert all((m == 0).all() for m in d.multipliers.values())
