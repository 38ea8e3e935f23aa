"""Bundle: HiGHS's and Clarabel's values over the zoo, limits that hold, refusals in words."""

from fractions import Fraction

import numpy as np
import pytest
from laws import assert_certified, assert_feasible, exact, largest_bias
from scipy.optimize import LinearConstraint
from smooth_zoo import SMOOTH, precise
from zoo import NETWORKS, SETS, draw, sets

import icnn
from icnn import Status
from icnn.decide.kernel import library
from icnn.solvers import Bundle, Clarabel, HiGHS

pytestmark = pytest.mark.skipif(
    library() is None, reason="the bundle kernel was not built: no C compiler at installation"
)
FLAT = [kind for kind in SETS if "integer" not in kind and kind not in ("open", "half-open")]
BOX = [(-2.0, 2.0)] * 5
BUDGET = LinearConstraint(np.ones((1, 5)), -1.0, 0.5)
F = NETWORKS["relu-5-16-16"].f


def assert_multipliers(d, zoo_set, width, slack=1e-9):
    """The right signs, and what a side's multiplier times its distance can lose closes the gap."""
    t = d.x / width
    held = [name for name in d.columns if name in zoo_set.fixed]
    lower, upper = zoo_set.lower.copy(), zoo_set.upper.copy()
    for name in held:
        lower[d.columns.index(name)] = upper[d.columns.index(name)] = zoo_set.fixed[name]
    y, at = d.multipliers["rows"], zoo_set.A @ t if len(zoo_set.A) else np.zeros(0)
    low, high = zoo_set.sides or (np.zeros(0), np.zeros(0))
    pairs = [(d.multipliers["lower"], t - lower), (-d.multipliers["upper"], upper - t)]
    assert all((m >= 0).all() for m, _ in pairs)
    pairs += [(np.maximum(y, 0), at - np.array(low)), (np.maximum(-y, 0), np.array(high) - at)]
    for multiplier, distance in pairs:
        distance = np.where(multiplier > 0, distance, 0.0)
        assert (multiplier * width * distance <= slack * d.scale).all()


@pytest.mark.parametrize("kind", FLAT)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_on_every_set(name, kind):
    item = NETWORKS[name]
    f, width, zoo_set = item.f, item.width, sets(item.f.n)[kind]
    arguments = zoo_set.arguments(width)
    if "open" in kind and Bundle().refusal(icnn.prepare(f, **arguments).program):
        return  # an end that no row implies; its sentence is tested below
    d = icnn.minimize(f, **arguments, solver=Bundle(), throw=False)
    other = icnn.minimize(f, **arguments, solver=HiGHS(), throw=False)
    assert d.status is other.status is Status.OPTIMAL
    assert d.solver == "Bundle"
    assert d.value == f(d.x)
    slack = 1e-8 * d.scale + 2e-14 * largest_bias(f)
    assert abs(d.value - other.value) <= slack
    assert d.gap <= slack
    assert_feasible(d, zoo_set, width)
    assert_multipliers(d, zoo_set, width)
    points = width * zoo_set.points(300)
    assert_certified(f, d, points[:4] if width >= 1.0 else [])


@pytest.mark.parametrize("kind", ["box", "simplex", "budget", "thin", "fixed"])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_networks(name, kind):
    f, zoo_set = SMOOTH[name], sets(SMOOTH[name].n)[kind]
    arguments = zoo_set.arguments()
    d = icnn.minimize(f, **arguments, solver=Bundle(tolerance=1e-7), throw=False)
    other = icnn.minimize(f, **arguments, solver=Clarabel(), throw=False)
    assert d.status is other.status is Status.OPTIMAL
    assert abs(d.value - other.value) <= 1e-6 * d.scale
    assert d.gap <= 1e-6 * d.scale
    assert_feasible(d, zoo_set)
    assert_multipliers(d, zoo_set, 1.0, 1e-6)
    for x in zoo_set.points(100)[:6]:
        assert precise(f, x) >= d.bound


@pytest.mark.parametrize("calls", [1, 2, 5])
@pytest.mark.parametrize("constraints", [(), BUDGET])
def test_few_calls_leave_an_incumbent_and_a_valid_bound(calls, constraints):
    arguments = dict(bounds=BOX, constraints=constraints)
    d = icnn.minimize(F, **arguments, solver=Bundle(calls=calls), throw=False)
    best = icnn.minimize(F, **arguments, solver=HiGHS())
    assert d.status is Status.TIME_LIMIT
    assert d.violation <= 1e-9
    assert d.value == F(d.x) > best.value
    assert Fraction(d.bound) <= exact(F, best.x)
    with pytest.raises(icnn.errors.TimeLimit):
        icnn.minimize(F, **arguments, solver=Bundle(calls=calls))


def test_no_time_at_all():
    d = icnn.minimize(F, bounds=BOX, solver=Bundle(seconds=1e-12), throw=False)
    assert d.status is Status.TIME_LIMIT
    assert d.bound <= icnn.minimize(F, bounds=BOX, solver=HiGHS()).value <= d.value == F(d.x)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("A", "lower", "upper", "words"),
    [
        (np.ones((1, 5)), 10.5, np.inf, "row 0"),
        ([[1.0, 1, 0, 0, 0], [1.0, 1, 0, 0, 0]], [-np.inf, 0.75], [0.5, np.inf], "rows 0, 1"),
        ([[1.0, -1, 0, 0, 0], [0, 1.0, -1, 0, 0], [-1.0, 0, 1, 0, 0]], 0.25, 1.0, "rows 0, 1, 2"),
    ],
)
def test_rows_that_no_point_meets(A, lower, upper, words, size):
    f = F.compose_affine(np.eye(5) / size)
    sides = (size * np.array(lower), size * np.array(upper))
    rows = LinearConstraint(np.array(A), *sides)
    box = [(-2 * size, 2 * size)] * 5
    with pytest.raises(icnn.errors.Infeasible, match=words) as caught:
        icnn.minimize(f, bounds=box, constraints=rows, solver=Bundle())
    assert caught.value.decision.status is Status.INFEASIBLE


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"integrality": 1}, "Bundle: it has no branch and bound for whole numbers"),
        ({"constraints": [F <= 3.0]}, "Bundle: it takes no learned limits"),
        (
            {"constraints": [icnn.sets.Ball(np.zeros(5), 1.0)]},
            "Bundle: it takes no cones: the first row is at least",
        ),
        (
            {"bounds": [(-2, 2)] * 4 + [(None, 2)]},
            "Bundle: column 'x4' has no near bounds on both sides, without which no cut holds",
        ),
        ({"bounds": [(-2, 2)] * 4 + [(-2, 1e9)]}, "Bundle: column 'x4' has no near bounds"),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(icnn.NotSupported, match=sentence):
        icnn.minimize(F, **{"bounds": BOX, **changes}, solver=Bundle())
    assert icnn.minimize(F, **{"bounds": BOX, **changes}, throw=False).solver != "Bundle"


@pytest.mark.parametrize("option", ["tolerance", "seconds", "calls"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "1"])
def test_options_that_are_no_positive_numbers(option, value):
    with pytest.raises(icnn.BadData, match=f"Bundle\\({option}="):
        Bundle(**{option: value})


def test_without_the_kernel_the_other_solvers_decide(monkeypatch):
    monkeypatch.setattr("icnn.decide.solvers.bundle.library", lambda: None)
    with pytest.raises(icnn.NotSupported, match="missing or out of date"):
        icnn.minimize(F, bounds=BOX, solver=Bundle())
    assert icnn.minimize(F, bounds=BOX).solver == "HiGHS"
    prices = np.eye(5)[:2]
    batch = icnn.minimize_batch(F, bounds=BOX, linear=prices)
    assert batch.success.all()
    assert set(batch.solver) == {"HiGHS"}
    for i, price in enumerate(prices):
        fresh = icnn.minimize(F + icnn.affine(price), bounds=BOX)
        assert batch.value[i] == pytest.approx(fresh.value, abs=1e-9 * fresh.scale)


def test_more_rows_than_cuts_fit_in_memory(monkeypatch):
    """Old cuts make room for new ones, however many rows stand before them."""
    monkeypatch.setattr("icnn.decide.solvers.bundle.capacity", lambda n: n + 4)
    r = np.random.default_rng(3)
    f = icnn.relu_network(*draw(6, (40, 40), 3))
    rows = LinearConstraint(r.normal(size=(80, 6)), -8.0, 8.0)
    d = icnn.minimize(f, bounds=[(-2, 2)] * 6, constraints=rows, solver=Bundle(), throw=False)
    e = icnn.minimize(f, bounds=[(-2, 2)] * 6, constraints=rows, solver=HiGHS())
    assert d.status is icnn.Status.OPTIMAL
    assert d.value == pytest.approx(e.value, abs=1e-8 * e.scale)


def test_without_a_limit_nothing_counts_as_out_of_time(monkeypatch):
    """Where memory is too small even for a basis, the next solver decides."""
    monkeypatch.setattr("icnn.decide.solvers.bundle.capacity", lambda n: 1)
    f = icnn.relu_network(*draw(6, (40, 40), 3))
    d = icnn.minimize(f, bounds=[(-2, 2)] * 6, solver=Bundle(), throw=False)
    assert d.status is icnn.Status.INACCURATE
    assert icnn.minimize(f, bounds=[(-2, 2)] * 6).solver == "HiGHS"


def test_small_pivots_are_left_by_another_way():
    """Rows, and weights half of which are near zero: the master's basis becomes singular in one of
    ten such problems, and the search goes on from the last cut."""
    closed, count = 0, 150
    for seed in range(count):
        r = np.random.default_rng(seed)
        V = r.standard_normal((12, 20)) * (r.random((12, 20)) < 0.2)
        V[r.random(V.shape) < 0.5] *= 10 ** r.uniform(-8, -4)
        output = [r.standard_normal(12), [0.0]], [r.uniform(0, 1, (1, 12))]
        f = icnn.relu_network([V, np.zeros((1, 20))], *output)
        A = r.standard_normal((4, 20))
        side = A @ r.uniform(-1, 1, 20)
        rows = LinearConstraint(A, side, side)
        given = dict(bounds=[(-1, 1)] * 20, constraints=rows, throw=False)
        d = icnn.minimize(f, solver=Bundle(), **given)
        assert d.status in (icnn.Status.OPTIMAL, icnn.Status.INACCURATE)
        closed += d.success
    assert closed >= 0.95 * count
