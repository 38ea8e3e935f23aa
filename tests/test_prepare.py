"""A prepared problem solves again as a fresh one would: contexts, prices, bounds, sides."""

import time
from concurrent.futures import ThreadPoolExecutor

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from zoo import NETWORKS

import icnn
from icnn.decide.kernel import library
from icnn.decide.kernel.pricing import Pricer

SHORT = icnn.Budget(steps=60, restarts=1, polish=5)
F = NETWORKS["relu-5-16-16"].f
BOX = [(-2.0, 2.0)] * F.n
ROWS = LinearConstraint(np.ones((1, F.n)), -1.0, 1.0)


@pytest.fixture(scope="module")
def surrogate():
    r = np.random.default_rng(0)
    X, C = r.uniform(-1, 1, (120, 3)), r.uniform(-1, 1, (120, 2))
    y = np.square(X - np.tanh(C @ r.normal(size=(2, 3)))).sum(1)
    model = icnn.PICNN(3, 2, hidden=(12, 8))
    return icnn.fit(model, X, y, context=C, columns=["a", "b", "c"], budget=SHORT)


def same(d, fresh):
    assert d.value == pytest.approx(fresh.value, abs=1e-8 * fresh.scale)
    assert d.gap <= 1e-9 * d.scale
    assert d.success


@pytest.mark.parametrize("solver", [None, icnn.solvers.HiGHS(), icnn.solvers.Clarabel()])
def test_contexts(surrogate, solver, rng):
    problem = icnn.prepare(surrogate, context=[0.0, 0.0], solver=solver)
    for c in rng.uniform(-1, 1, (6, 2)):
        d, fresh = problem.solve(context=c), icnn.minimize(surrogate, context=c, solver=solver)
        assert d.value == pytest.approx(fresh.value, abs=1e-7 * fresh.scale)
        assert d.success


def test_prices_bounds_and_sides(rng):
    problem = icnn.prepare(F, bounds=BOX, constraints=ROWS)
    for _ in range(6):
        c = rng.normal(size=F.n)
        same(
            problem.solve(linear=c), icnn.minimize(F + icnn.affine(c), bounds=BOX, constraints=ROWS)
        )
        low = rng.uniform(-2, 0, F.n)
        box = [(a, a + 1.5) for a in low]
        rows = LinearConstraint(np.ones((1, F.n)), -9.0, 9.0)
        same(
            problem.solve(bounds=box, sides=(-9.0, 9.0)),
            icnn.minimize(F, bounds=box, constraints=rows),
        )
    same(problem.solve(), icnn.minimize(F, bounds=BOX, constraints=ROWS))


def test_prices_by_name_and_fixed_columns(surrogate):
    problem = icnn.prepare(surrogate, context=[0.1, 0.2])
    d = problem.solve(linear={"b": 0.5}, fixed={"a": 0.25})
    fresh = icnn.minimize(
        surrogate.at([0.1, 0.2]) + icnn.affine([0, 0.5, 0]),
        bounds=list(zip(surrogate.lower, surrogate.upper, strict=True)),
        fixed={"x0": 0.25},
    )
    same(d, fresh)
    assert d.x_named["a"] == 0.25


def test_a_concave_function_is_maximised(rng):
    X = rng.uniform(-1, 1, (60, 2))
    gain = icnn.fit(icnn.FICNN(2, (8,)), X, -np.square(X).sum(1), concave=True, budget=SHORT)
    problem = icnn.prepare(gain)
    assert problem.solve().value == pytest.approx(icnn.maximize(gain).value)
    assert problem.solve(linear=[10.0, 0.0]).x[0] == pytest.approx(gain.upper[0])


def test_learned_limits_move_with_the_context(surrogate, rng):
    other = icnn.fit(
        icnn.FICNN(3, (8,)),
        rng.uniform(-1, 1, (60, 3)),
        rng.uniform(size=60),
        columns=["c", "a", "b"],
        budget=SHORT,
    )
    limit = other <= float(np.quantile(other.predict(rng.uniform(-1, 1, (200, 3))), 0.6))
    problem = icnn.prepare(surrogate, constraints=[limit], context=[0, 0])
    for c in rng.uniform(-1, 1, (3, 2)):
        fresh = icnn.minimize(surrogate, constraints=[limit], context=c)
        same(problem.solve(context=c), fresh)


def test_a_context_is_read_as_by_minimize(surrogate, rng):
    X, C = rng.uniform(-1, 1, (60, 3)), rng.uniform(-1, 1, (60, 2))
    other = icnn.fit(
        icnn.PICNN(3, 2, (6,), (4,)),
        X,
        np.square(X).sum(1),
        context=C,
        columns=["a", "b", "c"],
        context_columns=["c1", "c0"],  # the surrogate's are c0, c1
        budget=SHORT,
    )
    at = {"c0": 0.5, "c1": -0.5}
    limit = other <= float(other.predict([0, 0, 0], at)) + 0.5
    alone = icnn.prepare(surrogate, context=at)
    limited = icnn.prepare(surrogate, constraints=[limit], context=at)
    free = icnn.prepare(F, bounds=BOX)
    for problem, context, sentence in [
        (alone, {**at, "cc1": 0.0}, "context names 'cc1'; the contexts here are c0, c1"),
        (limited, {**at, "cc1": 0.0}, "context names 'cc1'; the contexts here are c0, c1"),
        (limited, [0.5, -0.5], "values without names are ambiguous"),
        (free, [1.0], "no function here takes one"),
    ]:
        with pytest.raises(icnn.BadData, match=sentence):
            problem.solve(context=context)
    same(limited.solve(context=at), icnn.minimize(surrogate, constraints=[limit], context=at))


def test_right_hand_sides_of_learned_limits(surrogate, rng):
    X = rng.uniform(-1, 1, (80, 3))
    columns = ["a", "b", "c"]
    load = icnn.fit(icnn.FICNN(3, (8,)), X, np.square(X + 1).sum(1), columns=columns, budget=SHORT)
    gain = icnn.fit(
        icnn.FICNN(3, (8,)),
        X,
        -np.square(X - 1).sum(1),
        columns=columns,
        concave=True,
        budget=SHORT,
    )
    middle, at = load.predict([0, 0, 0]), {"context": [0.2, -0.1]}
    reach = gain.predict([0, 0, 0])
    problem = icnn.prepare(surrogate, constraints=[load <= middle, gain >= reach - 3], **at)
    for moved in ((middle - 0.3, reach - 4), (middle - 0.5, None), (None, reach - 0.5)):
        up = middle if moved[0] is None else moved[0]
        low = reach - 3 if moved[1] is None else moved[1]
        fresh = icnn.minimize(surrogate, constraints=[load <= up, gain >= low], **at)
        for context in ({}, at):
            d = problem.solve(limits=moved, **context)
            same(d, fresh)
            assert d.multipliers["limits"] == pytest.approx(fresh.multipliers["limits"], abs=1e-6)
    assert (fresh.multipliers["limits"] != 0).any()
    same(
        problem.solve(),
        icnn.minimize(surrogate, constraints=[load <= middle, gain >= reach - 3], **at),
    )
    with pytest.raises(icnn.errors.Infeasible):
        problem.solve(limits=[-100.0, None])
    for wrong, sentence in [
        ([1.0], "a list of 2 numbers, one per learned limit"),
        (1.0, "a list of 2 numbers"),
        ({0: 1.0, 1: 2.0}, "a list of 2 numbers"),
        (["a", None], "compared with a finite number, not 'a'"),
        ([np.inf, None], "compared with a finite number, not inf"),
    ]:
        with pytest.raises(icnn.BadData, match=sentence):
            problem.solve(limits=wrong)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"linear": [1.0]}, r"linear has shape \(1,\)"),
        ({"linear": {"z": 1.0}}, "linear names column 'z'"),
        ({"linear": np.full(F.n, np.nan)}, "the price of column 'x0' is nan; give a number"),
        ({"limits": [1.0]}, "limits are a list of 0 numbers"),
        ({"sides": ([0.0, 1.0], [1.0, 2.0])}, "two arrays of 1 numbers"),
        ({"sides": ([np.nan], [0.0])}, "the side of row 0 is NaN"),
        ({"sides": (2.0, 1.0)}, "row 0: no number lies between 2 and 1"),
        ({"bounds": [(0, 1)]}, "bounds has 1 pairs"),
        ({"linear": "a"}, "linear holds something that is not a number"),
        ({"linear": {"x1": "a"}}, "linear of column 'x1' holds something that is not a number"),
        ({"linear": {"x0": [1, 2], "x1": [1, 2, 3]}}, r"prices of shapes \[\(2,\), \(3,\)\]"),
        ({"linear": {"x0": [1, 2]}}, "one row of prices is taken here"),
        ({"sides": 3.0}, r"sides are a pair \(lower, upper\), not 3.0"),
        ({"sides": (1, 2, 3)}, r"a pair \(lower, upper\), not \(1, 2, 3\)"),
        ({"sides": ("a", 2)}, "sides holds something that is not a number"),
        ({"sides": (np.inf, np.inf)}, "row 0: no number lies between inf and inf"),
        ({"sides": (-np.inf, -np.inf)}, "row 0: no number lies between -inf and -inf"),
    ],
)
def test_bad_changes(changes, sentence):
    problem = icnn.prepare(F, bounds=BOX, constraints=ROWS)
    with pytest.raises(icnn.BadData, match=sentence):
        problem.solve(**changes)
    same(problem.solve(), icnn.minimize(F, bounds=BOX, constraints=ROWS))


def test_new_bounds_lie_inside_what_stays():
    """What the cvxpy variable says and what was fixed are no bounds of the user's to replace."""
    wide, positive = [(-1.0, 1.0)] * F.n, cp.Variable(F.n, nonneg=True)
    for stays in (
        {"variable": positive},
        {"variable": cp.Variable(F.n, bounds=[-0.1, 0.2])},
        {"fixed": {"x0": 0.25}},
        {"fixed": {"x0": 0.25}, "variable": positive},
    ):
        problem = icnn.prepare(F, bounds=BOX, **stays)
        fresh = icnn.minimize(F, bounds=wide, **stays)
        same(problem.solve(bounds=wide), fresh)
        same(
            problem.solve(bounds={"x1": (-1, 1)}),
            icnn.minimize(F, bounds=[BOX[0], wide[1], *BOX[2:]], **stays),
        )
        rows = icnn.minimize_batch(F, bounds=[wide, BOX], **stays)
        assert rows.status[0] is icnn.Status.OPTIMAL
        assert rows.value[0] == pytest.approx(fresh.value, abs=1e-8 * fresh.scale)
    with pytest.raises(icnn.BadData, match="column 'x0': no number lies between 0 and -1"):
        icnn.prepare(F, bounds=BOX, variable=positive).solve(bounds=[(-2.0, -1.0)] * F.n)
    rows = icnn.minimize_batch(F, bounds=[wide, [(-2.0, -1.0)] * F.n], variable=positive)
    assert [status.name for status in rows.status] == ["OPTIMAL", "BAD_DATA"]
    assert "column 'x0': no number lies between" in rows.message[1]


def test_sides_of_rows_that_are_not_there():
    with pytest.raises(icnn.BadData, match="the problem has no linear rows"):
        icnn.prepare(F, bounds=BOX).solve(sides=(0.0, 1.0))


def test_an_infeasible_change_leaves_the_problem_usable():
    problem = icnn.prepare(F, bounds=BOX, constraints=ROWS)
    with pytest.raises(icnn.errors.Infeasible):
        problem.solve(sides=(100.0, 100.0))
    same(problem.solve(), icnn.minimize(F, bounds=BOX, constraints=ROWS))


def test_new_bounds_of_whole_numbers_need_not_be_whole(rng):
    problem = icnn.prepare(F, bounds=BOX, integrality=np.ones(F.n))
    for _ in range(4):
        low = rng.uniform(-2.5, -1.5, F.n)
        box = [(a, a + 3.7) for a in low]
        d = problem.solve(bounds=box)
        same(d, icnn.minimize(F, bounds=box, integrality=np.ones(F.n)))
        assert (problem._box(box, None).lower == np.ceil(low)).all()


def test_contexts_prices_and_bounds_in_any_order(surrogate, rng):
    """Each way has arrays of its own: what one leaves behind must not reach the next."""
    problem = icnn.prepare(surrogate, context=[0.0, 0.0], bounds=[(-1.0, 1.0)] * 3)
    base = surrogate.at([0.0, 0.0])
    for _ in range(12):
        c, price, top = rng.uniform(-1, 1, 2), rng.normal(size=3), rng.uniform(0, 1)
        box = [(-1.0, top)] * 3
        pairs = [
            (
                problem.solve(context=c),
                icnn.minimize(surrogate, context=c, bounds=[(-1, 1)] * 3),
            ),
            (
                problem.solve(linear=price),
                icnn.minimize(base + icnn.affine(price), bounds=[(-1, 1)] * 3),
            ),
            (problem.solve(bounds=box), icnn.minimize(base, bounds=box)),
            (
                problem.solve(context=c, linear=price, bounds=box),
                icnn.minimize(surrogate.at(c) + icnn.affine(price), bounds=box),
            ),
        ]
        for j in rng.permutation(4):
            same(*pairs[j])


@pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")
def test_threads_may_share_a_prepared_problem(rng, monkeypatch):
    """Each gets the decision of its own prices, also if all ask between one's price and search."""
    problem = icnn.prepare(F, bounds=BOX)
    problem.solve()
    told = Pricer._told

    def slowly_told(self, options):
        time.sleep(2e-3)
        return told(self, options)

    monkeypatch.setattr(Pricer, "_told", slowly_told)
    C = rng.normal(size=(20, 5))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda c: problem.solve(linear=c), C))
    for c, decision in zip(C, found, strict=True):
        same(decision, icnn.minimize(F + icnn.affine(c), bounds=BOX))
        assert decision.value == pytest.approx(F(decision.x) + c @ decision.x, abs=1e-9)
