"""A row that one corner of the box alone meets: the bounds that it implies leave no width."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import icnn


def decided(seed, beyond):
    """The least sum of x, with a row whose side is its largest value in the box, and beyond it."""
    r = np.random.default_rng(seed)
    n = int(r.integers(2, 9))
    lower, upper, a = -r.uniform(0, 2, n), r.uniform(0, 2, n), r.standard_normal((1, n))
    corner = np.where(a[0] > 0, upper, lower)
    side = a @ corner + beyond * (np.abs(a) @ (upper - lower))
    d = icnn.minimize(
        icnn.affine(np.ones(n)),
        bounds=np.column_stack([lower, upper]),
        constraints=LinearConstraint(a, side, np.inf),
        throw=False,
    )
    return d, corner


@pytest.mark.parametrize("seed", range(100))
def test_it_is_feasible(seed):
    d, corner = decided(seed, 0.0)
    assert d.status is not icnn.Status.INFEASIBLE
    assert d.violation <= 1e-6
    assert d.x == pytest.approx(corner, abs=1e-6)


@pytest.mark.parametrize("seed", range(30))
def test_a_little_more_is_not(seed):
    assert decided(seed, 1e-6)[0].status is icnn.Status.INFEASIBLE
