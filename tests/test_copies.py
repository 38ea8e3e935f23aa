"""Copies of a prepared problem, deep or pickled, decide as the original does."""

import copy
import pickle

import numpy as np
import pytest
from zoo import NETWORKS

import icnn
from icnn.solvers import Clarabel, HiGHS

F = NETWORKS["relu-5-16-16"].f


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
@pytest.mark.parametrize("solver", [None, HiGHS(), Clarabel()], ids=str)
def test_a_copy_decides_as_the_original(rng, twin, solver):
    problem = icnn.prepare(F, bounds=[(-2.0, 2.0)] * F.n, solver=solver)
    prices = 0.1 * rng.standard_normal((4, F.n))
    assert problem.solve(linear=prices[0]).success
    other = twin(problem)
    for c in prices:
        d, e = problem.solve(linear=c), other.solve(linear=c)
        assert d.success
        assert e.success
        assert e.value == pytest.approx(d.value, abs=2e-6 * d.scale)
        np.testing.assert_array_equal(e.columns, d.columns)
