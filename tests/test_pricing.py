"""One compiled call for a price says what search, judge and verdict say one after the other."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from zoo import NETWORKS, sets

import icnn
from icnn.decide.batch import judge_batch
from icnn.decide.decision import bound_multipliers, closed, violation_of
from icnn.decide.flat import flat
from icnn.decide.kernel import Searcher, library
from icnn.decide.solvers.bundle import Bundle, capacity
from icnn.decide.sweep import Sweeper
from icnn.network import LARGEST
from icnn.variants import Variants

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")


def problems():
    for name, item in NETWORKS.items():
        for kind, zoo_set in sets(item.f.n).items():
            problem = icnn.prepare(item.f, **zoo_set.arguments(item.width))
            if Bundle().refusal(problem.program) is None:
                base = Variants(item.f, problem.program, Bundle()).base
                if flat(base).plain:
                    yield name, kind, problem, base


def prices(base, r, count):
    """Of the size that moves the decision: the range of f over the width of each column."""
    half = base.reach[1]
    unit = base.spread[:, None] / np.where(half > 0, half, 1.0)
    return unit * r.normal(size=(count, base.n))


def by_hand(base, price):
    """Search, then the judge in numpy, for one price."""
    batch = type(base)(
        base.lines, base.price + price, base.box, base.finite, base.rows, 1, base.kept
    )
    arrays = flat(batch)
    arrays = type(arrays)(batch, arrays.net, arrays.sides, flat(base).scale)
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(batch.n))
    found = searcher(arrays.places(), Bundle().options(arrays))
    x, y = arrays.x(found.x), arrays.row_multipliers(found.y)
    return batch, x, y, judge_batch(batch, x, arrays.slopes(found.u), y)


def test_a_price_is_searched_and_judged_as_by_hand(rng):
    count = 0
    for name, kind, _, base in problems():
        sweeper = Sweeper(base, Bundle())
        for price in prices(base, rng, 2):
            place = (name, kind)
            batch, x, y, expected = by_hand(base, price)
            one = sweeper.price(price)
            size = max(expected.scale[0], abs(expected.bound[0]))
            rounding = 1e-8 if name == "cancelling" else 1e-11
            np.testing.assert_allclose(one.x, x[0], atol=1e-9 * np.abs(x).max(), err_msg=str(place))
            assert one.value == pytest.approx(expected.value[0], abs=rounding * size), place
            assert one.bound == pytest.approx(expected.bound[0], abs=rounding * size), place
            assert one.scale == pytest.approx(expected.scale[0], rel=1e-6), place
            assert one.violation == pytest.approx(expected.violation[0], abs=1e-12), place
            most = np.abs(expected.slope).max() + 1e-300
            np.testing.assert_allclose(one.rows, y[0], atol=1e-9 * np.abs(y).max(initial=1e-300))
            ends = bound_multipliers(x, batch.box, batch.reach[1], expected.slope)
            for mine, theirs in zip((one.lower, one.upper), ends, strict=True):
                np.testing.assert_allclose(mine, theirs[0], atol=1e-9 * most, err_msg=str(place))
            count += 1
    assert count > 200


def test_many_prices_are_each_as_if_alone(rng):
    for name, kind, _, base in problems():
        C = prices(base, rng, 3)
        many, sweeper = Sweeper(base, Bundle()).prices(C), Sweeper(base, Bundle())
        for i, price in enumerate(C):
            one = sweeper.price(price)
            assert many.verdict.value[i] == one.value, (name, kind)
            assert many.verdict.bound[i] == one.bound, (name, kind)
            assert (many.x[i] == one.x).all()
            assert (many.upper[i] == one.upper).all()


def test_kept_cuts_move_with_the_price(rng):
    """Cuts of another price would lie above f: the search would stop early, and not be proved."""
    f = NETWORKS["relu-5-16-16"].f
    base = icnn.prepare(f, bounds=[(-2, 2)] * 5).variants.base
    sweeper, price = Sweeper(base, Bundle()), np.zeros(5)
    for _ in range(40):
        price = price + 0.02 * base.spread / 10 * rng.uniform(-1, 1, 5)
        one = sweeper.price(price, keep=12)
        assert one.value - one.bound <= 1e-8 * one.scale
        assert one.value == pytest.approx(f(one.x) + price @ one.x, abs=1e-9 * one.scale)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_price_that_is_not_finite_changes_only_its_own_row(bad, rng):
    f = NETWORKS["relu-5-16-16"].f
    problem = icnn.prepare(f, bounds=[(-2, 2)] * 5)
    sweeper, C = Sweeper(problem.variants.base, Bundle()), rng.normal(size=(4, 5))
    good = sweeper.prices(C)
    C[2, 3] = bad
    swept = sweeper.prices(C)
    assert swept.verdict.optimal.tolist() == [True, True, False, True]
    assert np.isnan(swept.x[2]).all()
    for i in (0, 1, 3):
        assert (swept.x[i] == good.x[i]).all()
        assert swept.verdict.bound[i] == good.verdict.bound[i]
    assert sweeper.price(C[2]) is None
    with pytest.raises(icnn.BadData, match=r"the price of column 'x3' is (nan|-?inf); give a"):
        problem.solve(linear=C[2])


def test_the_rule_of_success_is_the_same_for_numbers_and_arrays(rng):
    """At its very edges too: the last gap that passes and the first that does not."""
    edges = [0.0, 1e-6, np.nextafter(1e-6, 1), 1e-300, np.inf, np.nan, 1.0]
    cases = [
        (gap, scale, value, violation)
        for gap in (*edges, 64 * np.spacing(3.0), 65 * np.spacing(3.0), -1e-6)
        for scale in (1.0, 1e-9, np.nan)
        for value in (3.0, -3.0, 0.0, 1e300, np.inf, -np.inf, np.nan)
        for violation in edges
    ]
    seen = set()
    for case in cases:
        with np.errstate(invalid="ignore"):
            together = bool(closed(*(np.array([v]) for v in case))[0])
        assert bool(closed(*map(float, case))) is together, case
        seen.add(together)
    assert seen == {True, False}


@pytest.mark.parametrize(("low", "high"), [(-np.inf, -10.0), (10.0, np.inf), (10.0, 10.0)])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 0.0, 0.0, 0.0), (-3.0, 0.0, 2.0, 0.0, 1.0)])
def test_a_missed_row_is_measured_as_by_the_judge_of_one_decision(low, high, weights, rng):
    f = NETWORKS["relu-5-16-16"].f
    row = LinearConstraint([np.multiply(weights, 0.1)], low, high)
    problem = icnn.prepare(f, bounds=[(-2, 2)] * 5, constraints=row)
    base = Variants(f, problem.program, Bundle()).base
    one = Sweeper(base, Bundle()).price(rng.normal(size=5))
    assert one.violation > 1
    assert one.violation == pytest.approx(violation_of(problem.program, one.x), rel=1e-12)


HUGE = r"of column 'x1' is -1.7e\+308; give a number of at most 1e\+200 in size"


@pytest.mark.parametrize("solver", ["Bundle", "HiGHS", "Clarabel", "PrimalDual"])
@pytest.mark.parametrize("linear", [{"x1": -1.7e308}, [1.0, -1.7e308, 0.0, 0.0, 0.0]])
def test_a_price_that_would_overflow_is_refused_by_name(solver, linear):
    f = NETWORKS["relu-5-16-16"].f
    problem = icnn.prepare(f, bounds=[(-2, 2)] * 5, solver=getattr(icnn.solvers, solver)())
    with pytest.raises(icnn.BadData, match=f"the price {HUGE}"):
        problem.solve(linear=linear)
    assert problem.solve(linear=np.full(5, 1e150)).success  # large is no fault by itself


def test_the_largest_price_is_the_same_for_the_kernel_and_the_door():
    """The kernel looks first; what it leaves is read again, and told by name."""
    f = NETWORKS["relu-5-16-16"].f
    problem = icnn.prepare(f, bounds=[(-2, 2)] * 5, solver=Bundle())
    sweeper, price = Sweeper(problem.variants.base, Bundle()), np.zeros(5)
    for size, read in [(LARGEST, True), (np.nextafter(LARGEST, np.inf), False)]:
        for price[3] in (size, -size):
            assert (sweeper.price(price) is not None) is read
            if read:
                assert problem.solve(linear=price, throw=False).x[3] == -2 * np.sign(price[3])
            else:
                with pytest.raises(icnn.BadData, match="the price of column 'x3'"):
                    problem.solve(linear=price)


def test_a_concave_function_tells_the_price_that_was_given():
    X = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    budget = icnn.Budget(restarts=1, steps=10, polish=0)
    s = icnn.fit(icnn.MaxAffine(2, 4), X, -np.square(X).sum(1), concave=True, budget=budget)
    with pytest.raises(icnn.BadData, match=r"the price of column 'x1' is -1.7e\+308"):
        icnn.prepare(s).solve(linear=[0.0, -1.7e308])


@pytest.mark.parametrize("rows", [1, 3])
def test_a_batch_refuses_only_the_rows_whose_prices_would_overflow(rows, rng):
    f = NETWORKS["relu-5-16-16"].f
    prices = rng.normal(size=(rows + 1, 5))
    prices[0, 1] = -1.7e308
    batch = icnn.minimize_batch(f, linear=prices, bounds=[(-2, 2)] * 5)
    assert batch.success.tolist() == [False] + rows * [True]
    assert "column 'x1' is -1.7e+308" in batch.message[0]


def test_weights_that_would_overflow_are_refused_by_their_place():
    with pytest.raises(icnn.BadData, match=r"layer 0: V\[0, 1\] is -1.7e\+308; weights must be"):
        icnn.affine([0.0, -1.7e308])
