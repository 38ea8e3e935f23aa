"""Steps across cuts, on the way to the next point of a search, change how many calls it takes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from zoo import draw, duplicated

import icnn
from icnn.decide.batch import Batch
from icnn.decide.flat import flat
from icnn.decide.kernel import CLOSED, Placed, Searcher, library
from icnn.decide.solvers.bundle import Bundle, capacity

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")
SHAPES = [(1, (4,)), (3, (8, 8)), (10, (64, 64)), (12, (96, 48, 96)), (30, (40,))]
HALF = LinearConstraint(np.ones((1, 10)), -np.inf, -5.0)


def searched(f, across, rows=(), count=20):
    """What a search of exact cuts finds at so many prices."""
    box = [(-2.0, 2.0)] * f.n
    arrays = flat(Batch.of(icnn.prepare(f, bounds=box, constraints=list(rows)).program))
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(f.n))
    own = arrays.places()
    prices = 0.1 * np.random.default_rng(3).normal(size=(count, f.n))
    placed = Placed(own._replace(c=own.c + prices))
    return searcher(placed, replace(Bundle(1e-7).options(arrays), across=across))


@pytest.mark.parametrize("across", [1, 2, 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_optimum_stays_the_same(shape, across):
    f = icnn.relu_network(*draw(*shape, seed=5))
    plain, found = searched(f, 0), searched(f, across)
    assert (found.outcome == CLOSED).all()
    assert np.abs(found.value - plain.value).max() <= 2e-7
    assert (found.bound <= plain.value + 1e-12).all()
    assert (np.abs(found.x) <= 1).all()


@pytest.mark.parametrize("across", [2, 50])
def test_units_that_are_there_twice_and_a_flat_optimum(across):
    f = duplicated()
    plain, found = searched(f, 0), searched(f, across)
    assert (found.outcome == CLOSED).all()
    assert np.abs(found.value - plain.value).max() <= 2e-7


def kinks(n, pairs, seed=1):
    """A sum of pairs of kinks, its minimum amid them."""
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(pairs, n)), -rng.uniform(0, 1, 2 * pairs)
    V = [np.vstack([A, -A]), np.zeros((1, n))]
    return icnn.relu_network(V, [b, np.zeros(1)], [np.ones((1, 2 * pairs))])


def test_they_save_calls_where_kinks_surround_the_optimum():
    f = kinks(20, 100)
    plain = searched(f, 0).calls.sum()
    assert searched(f, 7).calls.sum() < 0.8 * plain
    assert searched(f, 4).calls.sum() < 0.9 * plain


@pytest.mark.parametrize("n", [4, 5, 6])
def test_two_of_them_save_calls_in_few_columns(n):
    """The level is the higher and the steps the shorter, the fewer columns there are."""
    f = kinks(n, 40, seed=n)
    assert searched(f, 2).calls.sum() < 0.88 * searched(f, 0).calls.sum()


def test_where_rows_are_they_are_left_out():
    f = icnn.relu_network(*draw(10, (64, 64), seed=2))
    plain, found = searched(f, 0, [HALF]), searched(f, 2, [HALF])
    assert all((a == b).all() for a, b in zip(plain, found, strict=True))


def test_a_small_search_and_one_that_is_cheap_a_call_do_without():
    def steps(n, width):
        program = icnn.prepare(icnn.relu_network(*draw(n, (width,), seed=0)), bounds=[(0, 1)] * n)
        return Bundle().options(flat(Batch.of(program.program))).across

    assert steps(2, 500) == steps(40, 100) == 0
    assert 0 < steps(3, 500) < steps(10, 500)
