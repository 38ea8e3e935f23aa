"""A sweeper's batches may come in any order: nothing of one reaches the next."""

import numpy as np
import pytest
from context_zoo import learned
from scipy.optimize import LinearConstraint
from zoo import NETWORKS, draw

import icnn
from icnn.decide.kernel import library
from icnn.decide.sets import Box
from icnn.decide.sweep import Sweeper
from icnn.solvers import Bundle
from icnn.variants import Variants

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")


def variants(f, **arguments):
    return Variants(f, icnn.prepare(f, **arguments).program, Bundle())


def assert_all(swept, values):
    """Every row closed by the sweep itself, at these values."""
    assert swept.verdict.optimal.all()
    np.testing.assert_allclose(swept.verdict.value, values, atol=1e-8 * swept.verdict.scale.max())


@pytest.mark.parametrize("kind", ["picnn", "picnn-softplus"])
def test_contexts_after_the_network_of_one(kind, rng):
    """A network at one context has its gates folded into W; at many they stay apart."""
    f = learned(kind)
    problem = variants(f, context=[0.0, 0.0])
    sweeper, C = Sweeper(problem.base, problem.solver), rng.uniform(-1, 1, (6, 2))
    for _ in range(2):
        given = {name: C[:, j] for j, name in enumerate(f.context_columns)}
        expected = [icnn.minimize(f, context=c, solver=Bundle()).value for c in C]
        assert_all(sweeper(problem.batch(6, context=given)), expected)
        c = rng.normal(size=(3, 3))
        base = f.at([0.0, 0.0])
        box = list(zip(f.lower, f.upper, strict=True))
        expected = [icnn.minimize(base + icnn.affine(price), bounds=box).value for price in c]
        assert_all(sweeper.prices(c, keep=8), expected)


def test_a_new_box_after_cuts_that_were_kept(rng):
    f = NETWORKS["relu-5-16-16"].f
    problem = variants(f, bounds=[(-2, 2)] * 5)
    sweeper = Sweeper(problem.base, problem.solver)
    for _ in range(30):  # a row at a time: only the first would start from what was kept
        sweeper.prices(3 * rng.normal(size=(2, 5)), keep=30)
        lower, upper = rng.uniform(-2, -0.1, (1, 5)), rng.uniform(0, 2, (1, 5))
        least = icnn.minimize(f, bounds=list(zip(lower[0], upper[0], strict=True))).value
        assert_all(sweeper(problem.batch(1, box=Box(lower, upper))), [least])


def test_a_side_that_was_infinite_is_known_when_it_comes(rng):
    V, b, W = draw(8, (20, 20), 3)
    f, ones = icnn.relu_network(V, b, W), np.ones((1, 8))
    rows = LinearConstraint(ones, -np.inf, 20)
    p = icnn.prepare(f, bounds=[(-1, 1)] * 8, constraints=[rows])
    for sides in (([-np.inf], [20.0]), ([5.0], [6.0]), ([-np.inf], [-3.0]), ([4.0], [np.inf])):
        d = p.solve(sides=sides)
        own = LinearConstraint(ones, *sides)
        e = icnn.minimize(f, bounds=[(-1, 1)] * 8, constraints=[own], solver=icnn.solvers.HiGHS())
        assert d.success
        assert d.solver == "Bundle"
        assert d.value == pytest.approx(e.value, abs=1e-6 * e.scale)
