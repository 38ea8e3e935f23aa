"""Boxes a millionth wide and far out, and rows that leave one point: what has a point says so."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import icnn
from icnn.solvers import Clarabel, HiGHS, Penalty

FAR, THIN = 1e4, 1e-6


def random_network(r, n, width):
    V, b = [r.standard_normal((width, n)), np.zeros((1, n))], [r.standard_normal(width), [0.0]]
    return icnn.relu_network(V, b, [np.abs(r.standard_normal((1, width)))])


def thin_problem(seed):
    """f, a limit and rows that a corner, the centre or a random point of the box meets."""
    r = np.random.default_rng(seed)
    n = int(r.integers(1, 5))
    lower = -FAR * r.uniform(0, 2, n)
    width = THIN * r.uniform(0, 3, n) * (r.random(n) < 0.8)
    box = np.column_stack([lower, lower + width])
    point = lower + width * r.choice([0.0, 0.5, r.random()], n)
    A = r.standard_normal((2, n))
    g, f = random_network(r, n, int(r.integers(1, 8))), random_network(r, n, 8)
    rows = LinearConstraint(A, -np.inf, A @ point)
    limit = float(g(point)) + r.choice([0.0, THIN])
    return f, box, rows, g <= limit


@pytest.mark.parametrize("solver", [None, Penalty(), HiGHS(), Clarabel()], ids=str)
@pytest.mark.parametrize("seed", range(40))
def test_a_limit_that_a_point_meets_is_not_called_a_contradiction(seed, solver):
    f, box, rows, limit = thin_problem(seed)
    d = icnn.minimize(f, bounds=box, constraints=[rows, limit], solver=solver, throw=False)
    assert d.status in (icnn.Status.OPTIMAL, icnn.Status.INACCURATE)
    assert np.isfinite(d.x).all()


@pytest.mark.parametrize("seed", [827, 831, 967, 1443, 1647, 2428, 2658, 3559, 3736])
def test_equalities_that_leave_one_point_are_met_there(seed):
    """As many rows as columns or more, whose sides were rounded; each was called infeasible."""
    r = np.random.default_rng(7000 + seed)
    n, width = int(r.integers(1, 9)), int(r.integers(1, 12))
    m = int(n + r.integers(0, 4))
    V, b = r.standard_normal((width, n)), r.standard_normal(width)
    f = icnn.relu_network([V, np.zeros((1, n))], [b, [0.0]], [abs(r.standard_normal((1, width)))])
    off = r.choice([0, 0, 1, 1e3])
    lower = -r.uniform(0, 2, n) + off * r.standard_normal(n)
    upper = lower + r.uniform(0.1, 3, n)
    A = r.standard_normal((m, n)) * 10.0 ** r.choice([0, 0, -3, 3], m)[:, None]
    point = r.uniform(lower, upper)
    if r.random() < 0.3:
        point = np.where(r.random(n) < 0.4, lower, point)
    box, rows = np.column_stack([lower, upper]), LinearConstraint(A, A @ point, A @ point)
    for solver in (None, HiGHS()):
        d = icnn.minimize(f, bounds=box, constraints=[rows], solver=solver, throw=False)
        assert d.status is not icnn.Status.INFEASIBLE
        assert d.x == pytest.approx(point, abs=1e-6 * (1 + abs(point).max()))
