"""Ends far beyond the kinks change neither the decision nor what counts as solved."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import LinearConstraint

import icnn

SHORT = icnn.Budget(steps=300, restarts=2)
A = np.random.default_rng(0).uniform(0, 10, (80, 1))
COST = 1.2 + 0.5 * np.abs(A[:, 0] - 3.7) + 0.05 * np.square(A[:, 0] - 3.7)


@pytest.fixture(scope="module")
def surrogate():
    return icnn.fit(icnn.FICNN(1, (16, 16)), A, COST, columns=["a"], budget=SHORT)


@pytest.mark.parametrize("end", [1e4, 1e6, 1e9, 1e12, 1e30])
def test_the_decision_is_that_of_near_ends(surrogate, end):
    for extra in ({}, {"constraints": LinearConstraint([[1]], 0, 1)}, {"integrality": 1}):
        near = icnn.minimize(surrogate, bounds=[(-20, 20)], **extra)
        far = icnn.minimize(surrogate, bounds=[(-end, end)], **extra)
        assert far.value == pytest.approx(near.value, abs=1e-6 * near.scale)
        assert abs(far.gap) <= 1e-6 * near.scale


def test_a_far_end_that_matters_is_reached():
    d = icnn.minimize(icnn.affine([1.0, -2.0]), bounds=[(-1e9, 1e9)] * 2)
    np.testing.assert_array_equal(d.x, [-1e9, 1e9])


def test_a_column_of_float_noise_is_constant():
    noise = np.where(np.arange(40) % 2, 0.3, 0.1 + 0.2)
    with pytest.raises(icnn.BadData, match=r"column 'x1' is constant"):
        icnn.fit(icnn.FICNN(2), np.column_stack([A[:40, 0], noise]), COST[:40], budget=SHORT)


def test_a_series_is_read_by_name(surrogate):
    frame = pd.DataFrame({"b": [9.0, 8.0], "a": [3.0, 4.0]})
    value = surrogate.predict(frame.iloc[0])
    assert value == pytest.approx(surrogate.predict([3.0]))
