"""Over two hundred problems with a known least value, for each solver that takes them."""

import numpy as np
import pytest
from closed_forms import LINEAR
from smooth_closed_forms import SMOOTH

import icnn
from icnn.solvers import Clarabel, HiGHS

SEEDS = 13
RUNS = [(HiGHS(), family) for family in LINEAR]
RUNS += [(Clarabel(), family) for family in (*LINEAR, *SMOOTH)]


@pytest.mark.parametrize(("solver", "family"), RUNS, ids=lambda it: getattr(it, "__name__", None))
def test_least_value(solver, family):
    most_gap = 1e-9 if isinstance(solver, HiGHS) else 1e-6
    for seed in range(SEEDS):
        case = family(np.random.default_rng(seed))
        d = icnn.minimize(case.f, **case.arguments, solver=solver)
        size = max(abs(case.least), d.scale)
        assert d.value == pytest.approx(case.least, abs=1e-6 * size), seed
        assert d.bound <= case.least + 1e-12 * size, seed
        assert abs(d.gap) <= most_gap * d.scale, seed
        assert d.certified
        if case.x is not None:
            assert case.f(case.x) == pytest.approx(case.least, abs=1e-9 * size)
            np.testing.assert_allclose(d.x, case.x, atol=3e-3 * max(1, np.abs(case.x).max()))


def test_at_least_two_hundred_problems():
    assert SEEDS * len({*LINEAR, *SMOOTH}) >= 200
