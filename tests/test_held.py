"""HiGHS keeps the arrays of a prepared problem: other prices change its costs and nothing else."""

from concurrent.futures import ThreadPoolExecutor

import highspy
import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import icnn
from icnn.solvers import HiGHS

RNG = np.random.default_rng(0)
N = 6
V = RNG.normal(size=(20, N))
F = icnn.relu_network([V, np.zeros((1, N))], [RNG.normal(size=20), [0.0]], [np.ones((1, 20))])
LIMIT = icnn.relu_network([np.eye(N), np.zeros((1, N))], [np.zeros(N), [0.0]], [np.ones((1, N))])
SAID = {
    "box": {"bounds": [(-1.0, 1.0)] * N},
    "rows": {
        "bounds": [(-1.0, 1.0)] * N,
        "constraints": LinearConstraint(np.ones((1, N)), -np.inf, -1.0),
    },
    "limit": {"bounds": [(-1.0, 1.0)] * N, "constraints": LIMIT <= 0.5},
    "far": {"bounds": [(-1e7, 1.0)] * N},
}
PRICES = [0.5 * c for c in RNG.normal(size=(4, N))]


@pytest.fixture
def loads(monkeypatch):
    """How often HiGHS read a model."""
    found, read = [], highspy.Highs.passModel

    def recording(self, *parts):
        found.append(parts[0])
        return read(self, *parts)

    monkeypatch.setattr(highspy.Highs, "passModel", recording)
    return found


def anew(price, said):
    return icnn.minimize(F + icnn.affine(price), **said, solver=HiGHS())


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("forget", [False, True])
def test_every_price_is_decided_as_by_a_new_problem(name, forget):
    said = SAID[name]
    problem = icnn.prepare(F, **said, solver=HiGHS())
    for price in [*PRICES, 1e4 * PRICES[0], 1e-4 * PRICES[1], np.zeros(N)]:
        if forget:
            problem.forget()
        d, other = problem.solve(linear=price if price.any() else None), anew(price, said)
        assert d.success
        assert d.solver == "HiGHS"
        for figure in ("value", "bound", "scale"):
            near = 1e-7 * other.scale
            assert getattr(d, figure) == pytest.approx(getattr(other, figure), abs=near)


def test_the_model_is_read_once_and_again_where_more_than_prices_changes(loads):
    problem = icnn.prepare(F, **SAID["rows"], solver=HiGHS())
    for price in PRICES:
        problem.solve(linear=price)
        problem.forget()
    problem.solve()
    assert len(loads) == 1
    tight = problem.solve(bounds=[(-0.5, 0.5)] * N, linear=PRICES[0])
    assert len(loads) == 2
    assert np.abs(tight.x).max() <= 0.5
    moved = problem.solve(sides=([-np.inf], [-2.0]), linear=PRICES[0])
    assert len(loads) == 3
    assert moved.x.sum() == pytest.approx(-2.0) or moved.x.sum() < -2.0
    back = problem.solve(linear=PRICES[0])
    assert back.value == pytest.approx(anew(PRICES[0], SAID["rows"]).value)


def test_a_forgotten_search_takes_the_same_steps_again(loads):
    problem = icnn.prepare(F, **SAID["box"], solver=HiGHS())
    first = problem.solve(linear=PRICES[0])
    problem.solve(linear=PRICES[1])
    problem.forget()
    again = problem.solve(linear=PRICES[0])
    np.testing.assert_array_equal(first.x, again.x)
    assert len(loads) == 1


def test_the_last_basis_is_where_a_near_price_starts(monkeypatch):
    starts, given = [], highspy.Highs.setBasis
    monkeypatch.setattr(
        highspy.Highs, "setBasis", lambda self, basis: starts.append(basis) or given(self, basis)
    )
    problem = icnn.prepare(F, **SAID["box"], solver=HiGHS())
    first = problem.solve(linear=PRICES[0])
    assert problem.solve(linear=1.01 * PRICES[0]).success
    assert len(starts) == 1
    assert problem.solve(linear=PRICES[0], bounds=[(-0.9, 1.0)] * N).success
    assert len(starts) == 2  # other bounds leave the costs where they are
    problem.solve(linear=PRICES[0])
    far = problem.solve(linear=-3 * PRICES[0])  # farther than from nothing
    assert len(starts) == 3
    assert far.success
    problem.forget()
    assert problem.solve(linear=-3 * PRICES[0]).value == pytest.approx(far.value)
    assert problem.solve(linear=PRICES[0]).value == pytest.approx(first.value)
    assert len(starts) == 3


def test_a_time_limit_is_counted_for_each_decision(loads):
    problem = icnn.prepare(F, **SAID["box"], solver=HiGHS(seconds=100.0))
    for price in PRICES[:2]:
        problem.solve(linear=price)
    assert len(loads) == 2  # HiGHS adds up the time of all runs on one model


def test_threads_that_share_a_problem_take_turns():
    problem = icnn.prepare(F, **SAID["box"], solver=HiGHS())
    expected = [anew(price, SAID["box"]).value for price in PRICES]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda c: problem.solve(linear=c).value, PRICES * 10))
    np.testing.assert_allclose(found, expected * 10, rtol=1e-9, atol=1e-9)
