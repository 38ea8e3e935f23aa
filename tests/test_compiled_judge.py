"""The compiled judge says what the other one says, and never more than the exact value."""

from fractions import Fraction

import numpy as np
import pytest
from laws import exact
from zoo import NETWORKS, sets

from icnn.decide.batch import Batch, judge_batch
from icnn.decide.flat import flat
from icnn.decide.kernel import Searcher, library
from icnn.decide.solvers.bundle import Bundle, capacity
from icnn.problem import read_problem

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")


def cases():
    for name, item in NETWORKS.items():
        for kind, zoo_set in sets(item.f.n).items():
            arguments = {"context": None, "variable": None, **zoo_set.arguments(item.width)}
            program, _ = read_problem(item.f, **arguments)
            if Bundle().refusal(program) is None:
                arrays = flat(Batch.of(program))
                if arrays.plain:
                    yield name, kind, item.f, arrays


def multipliers(u, r):
    """Right ones, perturbed, noise, huge, and not finite."""
    yield u
    yield u * (1 + 1e-3 * r.normal(size=u.shape))
    yield r.normal(size=u.shape)
    yield 1e12 * r.normal(size=u.shape)
    yield np.where(r.random(u.shape) < 0.3, np.nan, u)


def test_both_judges_agree(rng):
    count = 0
    for name, kind, _, arrays in cases():
        searcher = Searcher(arrays.net, arrays.sides.A, capacity(arrays.batch.n))
        found = searcher(arrays.places(), Bundle().options(arrays))
        x, y = arrays.x(found.x), arrays.row_multipliers(found.y)
        for u in multipliers(found.u, rng):
            expected = judge_batch(arrays.batch, x, arrays.slopes(u), y)
            value, bound, slope = searcher.judge(arrays.own_places, arrays.case(x, u, y))
            size = max(expected.scale[0], abs(expected.bound[0]))
            rounding = 1e-8 if name == "cancelling" else 1e-11  # biases of 1e6 that cancel
            place = (name, kind)
            assert value[0] == pytest.approx(expected.value[0], abs=rounding * size), place
            assert bound[0] == pytest.approx(expected.bound[0], abs=rounding * size), place
            most = np.abs(expected.slope).max() + size / np.abs(x).max(initial=1.0)
            np.testing.assert_allclose(slope, expected.slope, atol=1e-9 * most)
            count += 1
    assert count > 500


def test_bounds_at_a_point_are_below_the_exact_value(rng):
    """The sharpest test there is: a box of one point, where rounding alone is left."""
    count = 0
    for name, kind, f, arrays in cases():
        batch = arrays.batch
        if batch.rows.A.shape[0]:
            continue
        searcher = Searcher(arrays.net, arrays.sides.A, capacity(batch.n))
        for _ in range(8):
            x = rng.uniform(batch.finite.lower, batch.finite.upper)
            t = np.divide(
                x - arrays.reach[0], arrays.reach[1], where=arrays.reach[1] > 0, out=0 * x
            )
            once = Bundle(calls=1).options(arrays)
            own = arrays.places()
            # the multipliers of a subgradient at x: of a search that starts there
            shifted = own._replace(b=own.b + _moved(arrays, t), h=own.h * 0)
            u = searcher(shifted, once).u
            case = arrays.case(x, u, np.zeros((1, 0)))._replace(low=x, high=x)
            value, bound, _ = searcher.judge(arrays.own_places, case)
            assert Fraction(bound[0]) <= exact(f, x[0]), (name, kind)
            size = arrays.scale[0] * (1e6 if name == "cancelling" else 1.0)
            assert value[0] - bound[0] <= 1e-9 * size, (name, kind)
            count += 1
    assert count > 300


def _moved(arrays, t):
    """V (h · t) of each hidden layer, side by side, (1, rows)."""
    hidden = arrays.batch.lines[:-1]
    x = arrays.reach[1] * t
    return np.concatenate([np.empty((1, 0)), *(x @ line.V.T for line in hidden)], axis=1)
