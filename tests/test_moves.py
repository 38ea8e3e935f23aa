"""Prices, bounds and sides that move: a search from kept cuts decides as one from nothing."""

import numpy as np
import pytest
from random_instances import instance
from scipy.optimize import LinearConstraint
from zoo import NETWORKS, draw, sets

import icnn
from icnn.decide.decision import violation_of
from icnn.decide.flat import flat
from icnn.decide.kernel import library
from icnn.decide.kernel.pricing import Pricer
from icnn.decide.sets import Box, Rows
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.sweep import Sweeper
from icnn.variants import Variants

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")
F = NETWORKS["relu-5-16-16"].f
BOX, ONES = [(-2.0, 2.0)] * 5, np.ones((1, 5))


@pytest.fixture
def moves(monkeypatch):
    """Which ends the compiled part took, in order."""
    seen, real = [], Pricer.one

    def one(self, price, options, ends=None):
        found = real(self, price, options, ends)
        if ends is not None and found is not None:
            seen.append(ends)
        return found

    monkeypatch.setattr(Pricer, "one", one)
    return seen


def nearby(values, size, r):
    """Ends or sides moved a little, by a lot or not at all."""
    step = size * r.choice([0.0, 0.003, 0.03, 0.3]) * r.normal(size=np.shape(values))
    return values + step * (r.random(np.shape(values)) < 0.7)


def change(lower, upper, sides, r):
    """Bounds and sides near those of the problem, inside or outside them."""
    size = np.where(np.isfinite(upper - lower), upper - lower, 1.0)
    a, b = nearby(lower, size, r), nearby(upper, size, r)
    if r.random() < 0.5:
        a, b = np.maximum(a, lower), np.minimum(b, upper)
    moved = {"bounds": np.stack([np.minimum(a, b), np.maximum(a, b)], 1)}
    if len(sides[0]) and r.random() < 0.7:
        size = np.where(np.isfinite(sides[1] - sides[0]), sides[1] - sides[0], 1.0)
        shift = nearby(np.zeros(len(size)), 1.0 + size, r)
        moved["sides"] = sides[0] + shift, sides[1] + shift
        if r.random() < 0.5:
            del moved["bounds"]
    return moved


def assert_as_fresh(problem, said, moved, price):
    f, bounds, A, sides = said
    d = problem.solve(linear=price, throw=False, **moved)
    rows = LinearConstraint(A, *moved.get("sides", sides)) if len(A) else ()
    box = moved.get("bounds", bounds)
    e = icnn.minimize(f + icnn.affine(price), bounds=box, constraints=rows, throw=False)
    assert d.status is e.status, (d, e)
    if e.success:
        size = max(e.scale, 1e-9 * abs(e.value))
        assert d.value == pytest.approx(e.value, abs=2e-6 * size)
        assert d.value == pytest.approx(f(d.x) + price @ d.x, abs=1e-9 * size)
        assert (d.x >= box[:, 0]).all()
        assert (d.x <= box[:, 1]).all()
    return d.status


@pytest.mark.parametrize("name", NETWORKS)
def test_moves_over_the_zoo(name, moves, rng):
    """Every set, equalities and columns of no width among them."""
    item = NETWORKS[name]
    for zoo_set in sets(item.f.n).values():
        if zoo_set.integral or zoo_set.fixed:
            continue
        w = item.width
        A, lower, upper = zoo_set.A, w * zoo_set.lower, w * zoo_set.upper
        sides = tuple(w * np.array(s) for s in zoo_set.sides) or (np.zeros(0), np.zeros(0))
        rows = LinearConstraint(A, *sides) if len(A) else ()
        bounds = np.stack([lower, upper], 1)
        problem = icnn.prepare(item.f, bounds=bounds, constraints=rows)
        if not isinstance(getattr(problem.variants, "solver", None), Bundle):
            continue
        spread = problem.variants.base.spread[0] / w
        for _ in range(6):
            price = spread * rng.choice([0.0, 0.1]) * rng.normal(size=item.f.n)
            moved = change(lower, upper, sides, rng)
            assert_as_fresh(problem, (item.f, bounds, A, sides), moved, price)
    assert len(moves) >= (10 if plain(item) else 0)


def plain(item):
    """Whether the compiled judge knows f."""
    problem = icnn.prepare(item.f, bounds=[(-item.width, item.width)] * item.f.n)
    return flat(problem.variants.base).plain


def test_moves_of_random_instances(moves, rng):
    """Scales of 1e-6 to 1e6, ties, columns of no width and contradictions among them."""
    seen = set()
    for seed in range(60):
        case = instance(seed)
        problem = icnn.prepare(case.f, **case.arguments)
        bounds = np.stack([case.lower, case.upper], 1)
        said = case.f, bounds, case.A, case.sides
        for _ in range(4):
            moved = change(case.lower, case.upper, case.sides, rng)
            seen.add(assert_as_fresh(problem, said, moved, np.zeros(case.f.n)))
    assert seen == {icnn.Status.OPTIMAL, icnn.Status.INFEASIBLE}
    assert len(moves) > 100


def ends_of(base, lower, upper, below, above):
    found = Variants.ends(base, Box(lower, upper), Rows(base.base.rows.A, below, above))
    assert found is not None
    return found[0]


def test_kept_cuts_move_with_the_box_and_the_sides(rng):
    """Cuts in the units of another box would lie above f: the search would end early, unproved."""
    V, b, W = draw(8, (30, 30), 3)
    f = icnn.relu_network(V, b, W)
    rows = LinearConstraint(rng.uniform(0, 1, (2, 8)), -np.inf, 1.0)
    problem = icnn.prepare(f, bounds=[(-2, 2)] * 8, constraints=rows)
    base, price, closed = problem.variants, np.zeros(8), 0
    lower, upper, above = -1.5 * np.ones(8), 1.5 * np.ones(8), np.ones(2)
    sweeper, fresh = (Sweeper(base.base, Bundle()) for _ in range(2))
    for step in range(120):
        size = (0.002, 0.02, 0.1)[step % 3]
        price = price + 0.02 * size * base.base.spread * rng.normal(size=8)
        lower = np.clip(lower + size * rng.normal(size=8), -2.0, -0.1)
        upper = np.clip(upper + size * rng.normal(size=8), 0.1, 2.0)
        above = np.clip(above + size * rng.normal(size=2), 0.2, 2.0)
        ends = ends_of(base, lower, upper, np.full(2, -np.inf), above)
        one, cold = sweeper.price(price, 18, ends), fresh.price(price, 0, ends)
        closed += one.value - one.bound <= 2e-9 * one.scale
        assert one.value == pytest.approx(f(one.x) + price @ one.x, abs=1e-9 * one.scale)
        assert one.value == pytest.approx(cold.value, abs=2e-9 * one.scale)
        assert one.scale == pytest.approx(cold.scale, rel=1e-6)
    assert closed == 120


def test_what_a_move_leaves_is_what_a_new_problem_has(rng):
    """After a walk and back, to the last digit: nothing of the other boxes is left."""
    base = icnn.prepare(F, bounds=BOX, constraints=LinearConstraint(ONES, -1, 1)).variants
    sweeper, price = Sweeper(base.base, Bundle()), rng.normal(size=5)
    before = sweeper.price(price)
    for _ in range(5):
        low = rng.uniform(-2, 0, 5)
        sweeper.price(price, 12, ends_of(base, low, low + 1.7, np.array([-2.0]), np.array([2.0])))
    sweeper.forget()
    after = sweeper.price(price)
    for mine, theirs in zip(after, before, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("half", [0.01, 1.0])
def test_a_missed_row_is_measured_in_the_new_box(half, rng):
    problem = icnn.prepare(F, bounds=BOX, constraints=LinearConstraint(ONES, -1, 1))
    ends = ends_of(problem.variants, *(s * half * np.ones(5) for s in (-1, 1)), [30.0], [40.0])
    one = Sweeper(problem.variants.base, Bundle()).price(rng.normal(size=5), 0, ends)
    rows = LinearConstraint(ONES, 30.0, 40.0)
    there = icnn.prepare(F, bounds=[(-half, half)] * 5, constraints=rows).program
    assert one.violation > 1
    assert one.violation == pytest.approx(violation_of(there, one.x), rel=1e-12)


def test_inside_and_outside_the_prepared_box_in_turn(moves, rng):
    """Presolve dropped units for the prepared box; outside it they count."""
    problem = icnn.prepare(F, bounds=[(-0.3, 0.3)] * 5)
    assert any(not mask.all() for mask in problem.variants.base.kept)
    for _ in range(10):
        for half in (0.2, 3.0):
            bounds = half * np.sort(rng.uniform(-1, 1, (5, 2)), axis=1)
            assert_as_fresh(problem, (F, bounds, (), ()), {"bounds": bounds}, rng.normal(size=5))
    assert len(moves) == 20


def test_a_fixed_column_comes_and_goes(moves):
    problem = icnn.prepare(F, bounds=BOX)
    for value in (0.25, 0.25, None, -1.0, 2.0, None):
        fixed = None if value is None else {"x2": value}
        d = problem.solve(fixed=fixed)
        e = icnn.minimize(F, bounds=BOX, fixed=fixed)
        assert d.value == pytest.approx(e.value, abs=1e-8 * e.scale)
        assert d.solver == "Bundle"  # cuts without the column's slope would leave it unproved
        assert value is None or d.x[2] == value
    assert len(moves) == 4


def test_sides_that_nothing_meets_and_back(moves):
    problem = icnn.prepare(F, bounds=BOX, constraints=LinearConstraint(ONES, -1.0, 1.0))
    for side in (0.5, 0.6, 100.0, 0.6, 0.5):
        if side == 100.0:
            with pytest.raises(icnn.errors.Infeasible):
                problem.solve(sides=(side, side))
            continue
        d = problem.solve(sides=(side, side))
        e = icnn.minimize(F, bounds=BOX, constraints=LinearConstraint(ONES, side, side))
        assert d.value == pytest.approx(e.value, abs=1e-8 * e.scale)
        assert d.multipliers["rows"] == pytest.approx(e.multipliers["rows"], abs=1e-6 * e.scale)
    assert len(moves) == 5


def test_a_move_leaves_the_arrays_of_the_problem_alone():
    problem = icnn.prepare(F, bounds=BOX, constraints=LinearConstraint(ONES, -1.0, 1.0))
    program = problem.program
    problem.solve(bounds=[(-1.0, 0.5)] * 5, sides=(0.1, 0.2))
    assert (program.box.lower == -2.0).all()
    assert (program.box.upper == 2.0).all()
    assert (program.rows.lower, program.rows.upper) == (-1.0, 1.0)
    base = problem.variants.base
    assert (base.box.lower == -2.0).all()
    assert (base.reach[1] == 2.0).all()


def test_each_move_is_proved_at_once_and_has_the_multipliers_of_a_new_problem(monkeypatch, rng):
    """Ends that rise and fall, far enough that those of before would show."""
    rows = LinearConstraint(ONES, -4.0, 3.0)
    problem = icnn.prepare(F, bounds=BOX, constraints=rows)

    def never(*_, **__):
        raise AssertionError("another solver was asked")

    monkeypatch.setattr(type(problem), "slowly", never)
    ends = 0
    for _ in range(40):
        lower, upper = rng.uniform(-2.5, -0.5, 5), rng.uniform(0.0, 2.5, 5)
        price = rng.normal(size=5)
        d = problem.solve(linear=price, bounds=np.stack([lower, upper], 1))
        e = icnn.minimize(
            F + icnn.affine(price),
            bounds=np.stack([lower, upper], 1),
            constraints=rows,
            solver=Bundle(),
        )
        assert d.violation <= 1e-9
        for name in ("lower", "upper", "rows"):
            np.testing.assert_allclose(d.multipliers[name], e.multipliers[name], atol=1e-5)
        ends += int((d.x == lower).sum() + (d.x == upper).sum())
    assert ends > 40


def test_a_sweeper_comes_back_to_its_own_ends(rng):
    base = icnn.prepare(F, bounds=BOX).variants.base
    used, new = Sweeper(base, Bundle()), Sweeper(base, Bundle())
    price = rng.normal(size=(1, 5))
    away = np.concatenate([np.full(5, 0.5), np.full(5, 1.5)] * 2)  # no rows
    assert (used.price(price[0], 0, away).x >= 0.5).all()
    found, expected = used.prices(price), new.prices(price)
    assert (found.x < 0.5).any()
    np.testing.assert_allclose(found.x, expected.x, atol=1e-9)
    assert found.verdict.value == pytest.approx(expected.verdict.value, rel=1e-12)


def test_forget_reaches_the_search_of_boxes_outside(monkeypatch, rng):
    problem, forgotten = icnn.prepare(F, bounds=BOX), []
    wide = [(-3.0, 3.0)] * 5
    problem.solve(bounds=wide)
    problem.solve()
    real = Sweeper.forget
    monkeypatch.setattr(Sweeper, "forget", lambda self: (forgotten.append(self), real(self))[1])
    problem.forget()
    assert len(set(map(id, forgotten))) == 2
