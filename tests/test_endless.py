"""UNBOUNDED is said only of what falls without end: mixed scales, open columns, a learned limit."""

import numpy as np
import pytest

import icnn
from icnn.decide.diagnose import is_endless, recession
from icnn.solvers import Clarabel, HiGHS

SOLVERS = pytest.mark.parametrize("solver", [None, HiGHS(), Clarabel()], ids=str)


def mixed_scales(seed):
    """f, a limit, a box with open ends and the scale of each column, from 2^-20 to 2^20."""
    r = np.random.default_rng(seed)
    n = int(r.integers(2, 5))
    s = 2.0 ** r.integers(-20, 21, n)

    def network(width):
        return icnn.relu_network(
            [r.standard_normal((width, n)) / s, r.standard_normal((1, n)) / s * (r.random() < 0.5)],
            [r.standard_normal(width), [0.0]],
            [abs(r.standard_normal((1, width)))],
        )

    f, g = network(int(r.integers(1, 8))), network(int(r.integers(1, 8)))
    lower = -s * r.uniform(0, 2, n)
    upper = np.where(r.random(n) < 0.6, np.inf, s * r.uniform(0, 2, n))
    limit = float(np.median(g(np.clip(r.standard_normal((40, n)), -2, 2) * s * 0.3)))
    return f, g <= limit, np.column_stack([lower, upper]), s


@SOLVERS
def test_a_minimum_inside_is_not_called_endless(solver):
    """Clarabel's way was 2e-9 of the box of directions long: its own rounding."""
    f, limit, box, s = mixed_scales(6697)
    d = icnn.minimize(f, bounds=box, constraints=[limit], solver=solver, throw=False)
    closed = np.column_stack([box[:, 0], np.minimum(box[:, 1], 1e4 * s)])
    truth = icnn.minimize(f, bounds=closed, constraints=[limit])
    assert (np.abs(truth.x) < 5e3 * s).all(), "the minimum of a convex function, ends or no ends"
    assert d.status in (icnn.Status.OPTIMAL, icnn.Status.INACCURATE)
    if isinstance(solver, Clarabel):  # has no point of its own, so that any feasible one is judged
        assert d.violation <= 1e-6
        assert d.value >= truth.value - 1e-5 * truth.scale
    else:
        assert d.value == pytest.approx(truth.value, abs=1e-5 * truth.scale)


@SOLVERS
def test_what_falls_without_end_is_still_found(solver):
    found = 0
    for seed in range(60):
        f, limit, box, s = mixed_scales(seed)
        d = icnn.minimize(f, bounds=box, constraints=[limit], solver=solver, throw=False)
        if d.status is icnn.Status.UNBOUNDED:
            found += 1
            far = np.column_stack([box[:, 0], np.minimum(box[:, 1], 1e5 * s)])
            near = np.column_stack([box[:, 0], np.minimum(box[:, 1], 1e4 * s)])
            values = [
                icnn.minimize(f, bounds=b, constraints=[limit], throw=False).value
                for b in (near, far)
            ]
            assert values[1] < 2 * values[0] < 0, "ten times as far, several times as low"
    assert found >= 2


@pytest.mark.parametrize(("slope", "endless"), [(0.0, True), (1e-12, True), (1e-3, False)])
def test_a_way_that_leaves_a_limit_is_not_endless(slope, endless):
    """A limit that rises along it by a thousandth, as one that a solver's tolerance let pass."""
    f = icnn.affine([-1.0, 0.0])
    g = icnn.relu_network(
        [np.diag([slope, 1.0]), np.zeros((1, 2))], [np.zeros(2), [0.0]], [np.ones((1, 2))]
    )
    program = icnn.prepare(f, bounds=[(0, np.inf), (0, 1)], constraints=[g <= 2.0]).program
    directions, way = recession(program), np.array([program.reach[1][0], 0.0])
    assert is_endless(program, np.zeros(2), directions, way) == endless
    assert not is_endless(program, np.zeros(2), directions, 1e-9 * way)
