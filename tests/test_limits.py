"""Learned constraints: `emission <= 3.0`, `strength >= 40.0`, aligned by name, with multipliers."""

import numpy as np
import pytest
from smooth_zoo import SMOOTH, by_hand
from test_fit import X
from zoo import NETWORKS, build

import icnn
from icnn import BadData, NotConvex
from icnn.atoms import IDENTITY, RELU, Softplus
from icnn.errors import Infeasible
from icnn.limit import Limit
from icnn.solvers import Clarabel, HiGHS

BOX = {"bounds": [(-2.0, 1.5)] * 2}
COST = NETWORKS["relu-2-8"].f
LIMITS = {
    "relu": NETWORKS["relu-2-8-8"].f,
    "abs": NETWORKS["abs"].f,
    "max": NETWORKS["max-last"].f,
    "softplus": SMOOTH["softplus"],
    "norm": SMOOTH["norm"],
    "squares": SMOOTH["squares"],
    "huber": SMOOTH["huber"],
    "lse": SMOOTH["lse"],
    "mixed": SMOOTH["mixed"],
}


def between(g, share, cost=COST):
    """A right-hand side between the least of g and g at the minimum of the cost."""
    least = icnn.minimize(g, **BOX).value
    free = float(g(icnn.minimize(cost, **BOX).x))
    top = free if free > least + 1e-3 else float(np.median(g(X)))
    return least + share * (top - least)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_equal_to_cvxpy_certified_and_kept(name, share):
    import cvxpy as cp

    g = LIMITS[name]
    rhs = between(g, share)
    d = icnn.minimize(COST, **BOX, constraints=[g <= rhs])
    assert d.success
    assert g(d.x) <= rhs + 1e-6 * np.ptp(g(X))
    assert d.gap <= (1e-9 if d.solver == "HiGHS" else 1e-6) * d.scale
    x = cp.Variable(2)
    (value, rows), (limited, more) = by_hand(COST, x), by_hand(g, x)
    problem = cp.Problem(cp.Minimize(value), [*rows, *more, limited <= rhs, x >= -2, x <= 1.5])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    assert d.value == pytest.approx(problem.value, abs=1e-6 * d.scale)
    points = np.random.default_rng(0).uniform(-2, 1.5, (2000, 2))
    points = points[g(points) <= rhs]
    assert len(points) == 0 or (COST(points) >= d.bound).all()


@pytest.mark.parametrize("name", LIMITS)
def test_multipliers_are_the_change_of_the_least_value(name):
    g, step = LIMITS[name], 1e-3
    rhs = between(g, 0.5)
    values = [
        icnn.minimize(COST, **BOX, constraints=[g <= rhs + s]).value for s in (-step, 0, step)
    ]
    d = icnn.minimize(COST, **BOX, constraints=[g <= rhs])
    assert d.multipliers["limits"].shape == (1,)
    left, right = np.diff(values) / step
    assert left - 1e-3 <= d.multipliers["limits"][0] <= right + 1e-3
    assert d.multipliers["limits"][0] <= 1e-9


def test_several_limits_have_their_multipliers_in_order():
    tight, loose = LIMITS["relu"], LIMITS["softplus"]
    rhs = between(tight, 0.5)
    d = icnn.minimize(COST, **BOX, constraints=[loose <= 1e3, tight <= rhs, loose <= 2e3])
    m = d.multipliers["limits"]
    assert m.shape == (3,)
    assert np.abs(m[[0, 2]]).max() <= 1e-6
    assert m[1] < -1e-3
    assert d.multipliers["rows"].shape == (0,)


def test_a_limit_in_other_units(rng):
    g = LIMITS["softplus"]
    rhs = between(g, 0.4)
    d = icnn.minimize(COST, **BOX, constraints=[g <= rhs])
    for factor in (1e-6, 1e6):
        other = icnn.minimize(COST, **BOX, constraints=[factor * g <= factor * rhs])
        assert other.value == pytest.approx(d.value, abs=1e-6 * d.scale)
        assert other.multipliers["limits"] * factor == pytest.approx(
            d.multipliers["limits"], rel=1e-3
        )
        other = icnn.minimize(factor * COST, **BOX, constraints=[g <= rhs])
        assert other.value / factor == pytest.approx(d.value, abs=1e-6 * d.scale)


def test_whole_numbers_with_a_limit_equal_brute_force():
    g = LIMITS["relu"]
    rhs = between(g, 0.7)
    grid = np.stack(np.meshgrid(*[np.arange(-2, 2)] * 2), -1).reshape(-1, 2).astype(float)
    kept = grid[g(grid) <= rhs]
    d = icnn.minimize(COST, **BOX, constraints=[g <= rhs], integrality=1)
    assert d.value == pytest.approx(COST(kept).min(), abs=1e-9 * d.scale)


@pytest.mark.parametrize("name", ["relu", "softplus", "squares", "mixed"])
@pytest.mark.parametrize("solver", [None, Clarabel()], ids=["picked", "Clarabel"])
def test_an_infeasible_limit(name, solver):
    g = LIMITS[name]
    least = icnn.minimize(g, **BOX)
    for below in (0.01, 1.0):
        with pytest.raises(Infeasible) as error:
            icnn.minimize(
                COST, **BOX, constraints=[g <= least.value - below * least.scale], solver=solver
            )
        assert error.value.decision.multipliers["limits"].shape == (1,)


def test_the_violation_of_a_learned_limit_is_counted():
    """A solver's point outside a limit: the judge says by how much of its range."""
    from icnn.decide.decision import judge
    from icnn.problem import read_problem

    options = dict(integrality=None, fixed=None, context=None, variable=None)
    g = LIMITS["relu"]
    for excess in (1e-3, 0.1, 3.0):
        x = np.array([0.5, 0.25])
        limits = [g <= float(g(x)) - excess]
        program, _ = read_problem(COST, **BOX, constraints=limits, **options)
        d = judge(program, x, [], solver="none", seconds=0.0)
        assert d.violation == pytest.approx(excess / program.parts[1].spread, rel=1e-9)
        assert not d.success


def test_wrong_directions_and_truth_values_are_refused():
    with pytest.raises(NotConvex, match=r"convex function >= 3 cannot .* epigraph .* only <= can"):
        _ = COST >= 3.0
    with pytest.raises(BadData, match="not true or false"):
        bool(COST <= 3.0)
    with pytest.raises(BadData, match="not true or false"):
        _ = COST <= 3.0 <= 5.0
    for rhs in (np.nan, np.inf, "3", None, [3.0]):
        with pytest.raises(BadData, match="finite number"):
            _ = rhs >= COST
    for rhs in (3, np.float64(3.0), np.int64(3)):
        for made in (COST.__le__(rhs), rhs >= COST):
            assert isinstance(made, Limit)
            assert (made.sense, made.rhs) == ("<=", 3.0)
    with pytest.raises((NotConvex, BadData), match=r"convex|equality"):
        icnn.minimize(COST, **BOX, constraints=[COST == 3.0])


def test_highs_and_clarabel_agree():
    g = build(2, (RELU, IDENTITY), (7, 1), seed=9)
    rhs = between(g, 0.4)
    values = [
        icnn.minimize(COST, **BOX, constraints=[g <= rhs], solver=s) for s in (HiGHS(), Clarabel())
    ]
    assert values[0].value == pytest.approx(values[1].value, abs=1e-6 * values[0].scale)


def test_networks_of_other_sizes_and_functions_of_nothing():
    with pytest.raises(BadData, match="same x"):
        icnn.minimize(COST, **BOX, constraints=[NETWORKS["abs-3"].f <= 3.0])
    with pytest.raises(BadData, match="Surrogate or a Network"):
        icnn.minimize(COST, **BOX, constraints=[Limit(Softplus(), "<=", 3.0)])
