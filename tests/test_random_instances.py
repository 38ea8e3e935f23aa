"""Random small problems, degenerate in every way: statuses right, certificates valid, no crash."""

from fractions import Fraction

import numpy as np
import pytest
from laws import exact, extended
from random_instances import instance, pinned
from smooth_zoo import precise

import icnn
from icnn import Status
from icnn.decide.kernel import library
from icnn.decide.solvers import bundle
from icnn.solvers import Bundle, Clarabel, HiGHS

pytestmark = pytest.mark.skipif(
    library() is None, reason="the bundle kernel was not built: no C compiler at installation"
)


def assert_bound(f, bound, points, *, exactly, price=None):
    """The bound is not above f + price·x at any point: in 80 bits, or in rational arithmetic."""
    price = np.zeros(f.n) if price is None else price
    if exactly:
        for x in points:
            extra = sum(Fraction(c) * Fraction(v) for c, v in zip(price, x, strict=True))
            assert Fraction(float(bound)) <= exact(f, x) + extra
    else:
        X = np.asarray(points, np.longdouble)
        assert bound <= (extended(f, X) + X @ price).min()


def check_decision(seed, *, often):
    """Status, point and bound of one decision, and HiGHS's where it is `often`."""
    p = instance(seed)
    refused = Bundle().refusal(icnn.prepare(p.f, **p.arguments).program)
    d = icnn.minimize(p.f, **p.arguments, solver=None if refused else Bundle(), throw=False)
    assert d.status is (Status.OPTIMAL if len(p.points) else Status.INFEASIBLE), d
    if d.success:
        assert (d.x >= p.lower).all()
        assert (d.x <= p.upper).all()
        assert_bound(p.f, d.bound, p.points, exactly=often)
    if often:
        other = icnn.minimize(p.f, **p.arguments, solver=HiGHS(), throw=False)
        assert other.status is d.status
        assert not d.success or abs(other.value - d.value) <= 1e-6 * d.scale
    return refused is None


def check_batch(seed, *, often):
    """Status and bound of the same problem at prices, by the compiled judge where it can."""
    p, r = instance(seed), np.random.default_rng(seed)
    width = np.where(p.upper > p.lower, p.upper - p.lower, 1.0)
    size = 2.0 ** np.round(np.log2(np.abs(p.f(p.lower)) + 1.0) - np.log2(width))
    prices = np.round(r.normal(size=(3, p.f.n)) * (r.random((3, p.f.n)) < 0.8) * 8) / 8 * size
    prices[0] = 0.0
    batch = icnn.minimize_batch(p.f, **p.arguments, linear=prices, progress=False, threads=1)
    assert batch.success.all() if len(p.points) else (batch.status == Status.INFEASIBLE).all()
    for i, price in enumerate(prices):
        if not batch.success[i]:
            continue
        assert_bound(p.f, batch.bound[i], p.points, exactly=often, price=price)
        if often:
            fresh = icnn.minimize(p.f + icnn.affine(price), **p.arguments, solver=HiGHS())
            gap = abs(fresh.value - batch.value[i])
            assert gap <= 1e-6 * fresh.scale + 1e-6 * batch.scale[i]


def check_smooth(seed, *, often):
    """Status and bound of a smooth instance, and Clarabel's value where it is `often`."""
    p = instance(seed, smooth=True)
    d = icnn.minimize(p.f, **p.arguments, throw=False)
    assert d.status is (Status.OPTIMAL if len(p.points) else Status.INFEASIBLE), d
    if d.success and often:
        assert all(precise(p.f, x) >= d.bound for x in p.points)
        other = icnn.minimize(p.f, **p.arguments, solver=Clarabel(), throw=False)
        assert abs(other.value - d.value) <= 1e-6 * d.scale + max(other.gap, 0)


@pytest.mark.parametrize("offset", [0.0, 10.0, 1e4])
def test_equalities_that_leave_one_point(offset):
    for seed in range(80):
        p = pinned(seed, offset)
        d = icnn.minimize(p.f, **p.arguments, throw=False)
        assert d.status is Status.OPTIMAL or (offset == 1e4 and d.status is Status.INACCURATE), d
        assert d.violation <= 1e-6


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_some_smooth_instances(first):
    for seed in range(first, first + 50):
        check_smooth(seed, often=seed % 10 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 4000, 500))
def test_three_thousand_smooth_instances(first):
    for seed in range(first, first + 500):
        check_smooth(seed, often=seed % 25 == 0)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_some_instances(first):
    taken = [check_decision(seed, often=seed % 10 == 0) for seed in range(first, first + 50)]
    assert sum(taken) >= 40
    for seed in range(first, first + 50, 4):
        check_batch(seed, often=seed % 20 == 0)


@pytest.mark.parametrize("first", range(300, 500, 50))
def test_some_instances_searched_in_single_precision(first, monkeypatch):
    for name in ("FEW", "TIGHT"):  # whatever their size
        monkeypatch.setattr(bundle, name, 0)
    for seed in range(first, first + 50):
        check_decision(seed, often=seed % 10 == 0)
    for seed in range(first, first + 50, 4):
        check_batch(seed, often=seed % 20 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 11_000, 500))
def test_ten_thousand_instances(first):
    for seed in range(first, first + 500):
        check_decision(seed, often=seed % 50 == 0)
        check_batch(seed, often=seed % 50 == 25)
