"""A search may read its matrices in single precision: what it then proves is proved in double."""

import platform
from dataclasses import replace

import numpy as np
import pytest
from zoo import draw

import icnn
from icnn.decide.batch import Batch
from icnn.decide.flat import flat
from icnn.decide.kernel import CLOSED, Placed, Searcher, library
from icnn.decide.solvers.bundle import Bundle, capacity
from icnn.decide.sweep import Sweeper

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")
SHAPES = [(6, (83, 71, 67)), (3, (96,)), (10, (64, 80)), (7, (65, 66, 130))]  # and odd ones
BIG = 1e7  # a bias that cancels: single precision knows f to 1 of its range only


def problem(n, widths, seed=0, *, shift=0.0):
    """A network whose weights are no single-precision numbers, over a box."""
    V, b, W = draw(n, widths, seed)
    b = [np.asarray(v) for v in b]
    b[0] = b[0] + shift
    f = icnn.relu_network(V, b, W)
    return icnn.prepare(f, bounds=[(-2, 2)] * n, solver=icnn.solvers.Bundle(tolerance=1e-6))


def arrays_of(prepared):
    return flat(Batch.of(prepared.program))


@pytest.mark.parametrize(("n", "widths"), SHAPES)
def test_values_and_subgradients_are_those_of_double_but_for_rounding(n, widths, rng):
    arrays = arrays_of(problem(n, widths))
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(n))
    placed, t = Placed(arrays.places()), rng.uniform(-1, 1, (60, n))
    value, _ = searcher.oracle(placed, t)
    coarse, h = searcher.oracle(placed, t, coarse=True)
    assert np.abs(coarse - value).max() < 2e-6
    assert (coarse != value).any() or platform.machine() not in ("x86_64", "AMD64")
    cuts = coarse[:, None] + h @ t.T - (h * t).sum(1)[:, None]
    assert (cuts <= value + 4e-6).all()
    assert np.abs(coarse - value).max() <= 20 * searcher.rounding(placed)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-9])
@pytest.mark.parametrize(("n", "widths"), SHAPES)
def test_a_search_closes_its_gap_where_the_exact_one_does(n, widths, tolerance, rng):
    arrays = arrays_of(problem(n, widths, 1))
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(n))
    exact = Bundle(tolerance).options(arrays)
    for _ in range(10):
        places = arrays.places()
        placed = Placed(places._replace(c=places.c + 0.1 * rng.normal(size=n)))
        best = searcher(placed, exact)
        found = searcher(placed, replace(exact, coarse=True))
        assert found.outcome[0] == best.outcome[0] == CLOSED
        at = searcher.oracle(placed, found.x)[0][0]
        assert best.bound[0] - 1e-12 <= at <= best.value[0] + max(tolerance, 2e-6)
        if tolerance < 1e-6:  # the last cuts were exact, and so are bound and value
            assert found.value[0] == at
            assert at - found.bound[0] <= tolerance


def pricer(prepared, monkeypatch):
    """A sweeper's prices, searched in single precision whatever its rounding."""
    monkeypatch.setattr(Bundle, "coarse", lambda *_: True)
    return Sweeper(prepared.variants.base, prepared.variants.solver)


@pytest.mark.parametrize(("n", "widths"), SHAPES)
def test_prices_are_certified_and_the_same(n, widths, rng, monkeypatch):
    prepared = problem(n, widths, 2)
    price = prepared.variants.base.spread * rng.normal(size=(30, n)) * 0.1
    exact = icnn.minimize_batch(prepared.f, linear=price, bounds=[(-2, 2)] * n)
    for keep in (0, 2 * (n + 1)):
        swept = pricer(prepared, monkeypatch).prices(price, keep)
        assert swept.verdict.optimal.all()
        gap = np.abs(swept.verdict.value - exact.value)
        assert (gap <= 1e-6 * swept.verdict.scale).all()
        assert (swept.verdict.bound <= exact.value + 1e-9 * swept.verdict.scale).all()


def test_where_single_precision_is_too_rough_it_is_not_used():
    prepared = problem(6, (96, 80), shift=BIG)
    arrays = arrays_of(prepared)
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(6))
    placed = Placed(arrays.places())
    assert searcher.rounding(placed) > 1e-3
    assert not Bundle(1e-6).coarse(arrays, searcher, placed)


def test_what_it_does_not_prove_is_searched_again(rng, monkeypatch):
    """With cuts as rough as these, the answer is still the certified one."""
    prepared = problem(6, (96, 80), shift=BIG)
    base = prepared.variants.base
    price = base.spread * rng.normal(size=(12, 6)) * 0.1
    calls = []
    search = Searcher.__call__
    monkeypatch.setattr(Searcher, "__call__", lambda *a: calls.append(a[2].coarse) or search(*a))
    swept = pricer(prepared, monkeypatch).prices(price)
    assert swept.verdict.optimal.all()
    contexts = pricer(prepared, monkeypatch)(replace(base, price=price, size=len(price)))
    assert contexts.verdict.optimal.all()
    assert calls == [True, False]
    assert np.abs(contexts.verdict.value - swept.verdict.value).max() <= 2e-6 * base.spread[0]


@pytest.mark.parametrize("tolerance", [1e-6, 1e-9])
def test_kept_cuts_of_either_precision_serve_the_next_price(tolerance, rng):
    n = 10
    V, b, W = draw(n, (130, 140, 150), 5)
    f = icnn.relu_network(V, b, W)
    prepared = icnn.prepare(f, bounds=[(-2, 2)] * n, solver=icnn.solvers.Bundle(tolerance))
    price = prepared.variants.base.spread * rng.normal(size=n) * 0.1
    for _ in range(20):
        price = price + prepared.variants.base.spread * 1e-3 * rng.normal(size=n)
        kept = prepared.solve(linear=price)
        alone = icnn.minimize(f + icnn.affine(price), bounds=[(-2, 2)] * n)
        assert kept.success
        assert kept.gap <= 1.01 * tolerance * kept.scale
        assert kept.value == pytest.approx(alone.value, abs=tolerance * kept.scale)


def test_small_networks_are_searched_in_double():
    arrays = arrays_of(problem(2, (32,)))
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(2))
    assert not Bundle(1e-6).coarse(arrays, searcher, Placed(arrays.places()))


@pytest.mark.parametrize(("n", "widths"), SHAPES)
def test_more_calls_never_lose_the_point_found(n, widths):
    """Where single precision ends and exact cuts go on, too."""
    V, b, W = draw(n, widths, 6)
    f, box = icnn.relu_network(V, b, W), [(-2, 2)] * n
    arrays = arrays_of(icnn.prepare(f, bounds=box))
    searcher, last = Searcher(arrays.net, arrays.sides.A, capacity(n)), np.inf
    options = replace(Bundle().options(arrays), coarse=True)
    for calls in range(1, 80):
        found = searcher(arrays.places(), replace(options, calls=calls))
        assert found.value[0] <= last + 2e-6
        last = found.value[0]
        if found.outcome[0] == CLOSED:
            break
    assert found.outcome[0] == CLOSED
    stopped = icnn.minimize(f, bounds=box, solver=Bundle(calls=calls - 1), throw=False)
    assert stopped.value == pytest.approx(f(arrays.x(found.x)[0]), abs=1e-3 * stopped.scale)


def test_a_limit_of_calls_is_kept(rng):
    n = 10
    V, b, W = draw(n, (80, 80), 7)
    f = icnn.relu_network(V, b, W)
    prepared = icnn.prepare(f, bounds=[(-2, 2)] * n, solver=Bundle(1e-6, calls=10))
    sweeper = Sweeper(prepared.variants.base, prepared.variants.solver)
    asked = []
    judged = sweeper._judged
    sweeper._judged = lambda *a, **k: asked.append(k["coarse"]) or judged(*a, **k)
    base = prepared.variants.base
    price = base.spread * rng.normal(size=(5, n)) * 0.1
    swept = sweeper(replace(base, price=price, size=5))
    assert not swept.verdict.optimal.all()
    assert asked == [True]


@pytest.mark.parametrize("size", [1e39, 1e100, 1e150])
@pytest.mark.parametrize("which", ["V", "W"])
def test_weights_beyond_single_precision(which, size):
    V, b, W = draw(6, (83, 71), 8)
    if which == "V":
        V, b = [size * v for v in V], [size * np.asarray(v) for v in b]
    else:
        W = [size * w if k == 0 else w for k, w in enumerate(W)]
    f = icnn.relu_network(V, b, W)
    d = icnn.minimize(f, bounds=[(-1, 1)] * 6, solver=Bundle())
    e = icnn.minimize(f, bounds=[(-1, 1)] * 6, solver=icnn.solvers.HiGHS(), throw=False)
    assert d.success
    assert not e.success or abs(d.value - e.value) <= 1e-6 * d.scale


def test_a_function_of_almost_nothing_is_priced():
    V, b, W = draw(6, (83, 71), 9)
    f = icnn.relu_network([1e-310 * v for v in V], [1e-310 * np.asarray(v) for v in b], W)
    prepared = icnn.prepare(f, bounds=[(-2, 2)] * 6, solver=Bundle())
    assert prepared.solve(linear=np.ones(6)).value == pytest.approx(-12.0)
