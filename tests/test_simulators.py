"""The simulators of the benchmarks: nothing beats their optimum, broken limits included."""

import numpy as np
import pytest

from benchmarks.convex_regression import NOISE, TARGETS, sample
from benchmarks.simulators import Case, cases

ALONE = {"reformer", "chillers"}  # need no other package


@pytest.fixture(params=sorted(ALONE))
def case(request: pytest.FixtureRequest) -> Case:
    return next(c for c in cases() if c.name == request.param)


def test_the_optimum_has_no_regret(case: Case) -> None:
    regret, broken = case.regret(case.optimum[0])
    assert abs(regret) < 1e-9
    assert max(broken, default=0.0) == 0.0


def test_no_allowed_point_beats_the_optimum_and_no_broken_limit_pays(case: Case) -> None:
    points = case.points(np.random.default_rng(0), 300)
    found = [case.regret(x) for x in points]
    assert min(regret for regret, _ in found) >= 0.0
    if case.rhs:  # the box holds points on both sides of the limits
        sides = {max(broken) > 0 for _, broken in found}
        assert sides == {True, False}


def test_points_keep_the_box_and_the_rows(case: Case) -> None:
    x = case.points(np.random.default_rng(1), 200)
    Ax = x @ case.A.T
    assert ((x >= case.low) & (x <= case.high)).all()
    assert np.allclose(np.clip(Ax, case.A_low, case.A_high), Ax)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_slopes_given_to_cvxreg_are_those_of_the_target(target: str) -> None:
    f, slope = TARGETS[target]
    x = np.array([-1.7, -0.4, 0.3, 0.9, 1.1, 2.6])
    assert np.allclose((f(x + 1e-6) - f(x - 1e-6)) / 2e-6, slope(x), atol=1e-5)


def test_a_run_of_cvxreg_is_its_own_and_noisy_only_in_training() -> None:
    X, y, Z, clean = sample("l1_quad", 3, 500, 0)
    f = TARGETS["l1_quad"][0]
    assert np.allclose(f(Z).sum(1), clean)
    assert 0.5 * NOISE < np.std(y - f(X).sum(1)) < 1.5 * NOISE
    assert not np.array_equal(X, sample("l1_quad", 3, 500, 1)[0])
