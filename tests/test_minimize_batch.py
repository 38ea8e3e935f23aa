"""minimize_batch: a batch is the loop, row by row, whatever the rows differ in."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from context_zoo import MODELS, SHORT, learned, sites, table
from scipy.optimize import Bounds, LinearConstraint
from zoo import NETWORKS

import icnn
from icnn import Status
from icnn.decide.kernel import library

F = NETWORKS["relu-5-16-16"].f
BOX = [(-2.0, 2.0)] * 5
ROWS = LinearConstraint(np.vstack([np.ones(5), np.arange(5.0)]), [-1.0, -np.inf], [1.0, 2.0])
fast_only = pytest.mark.skipif(
    library() is None, reason="the bundle kernel was not built: no C compiler at installation"
)


def assert_row(batch, i, d, tolerance=1e-7):
    """Row i is the single decision d."""
    slack = tolerance * d.scale
    assert batch.status[i] is d.status is Status.OPTIMAL
    assert abs(batch.value[i] - d.value) <= slack
    assert batch.gap[i] == pytest.approx(abs(batch.value[i] - batch.bound[i]), abs=slack)
    assert abs(batch.bound[i] - d.bound) <= 1e-6 * d.scale
    assert batch.violation[i] <= 1e-6
    assert bool(batch.certified[i]) is d.certified


def assert_same_proof(batch, i, d, tolerance=1e-5):
    """x and multipliers agree too, as they must where both are unique."""
    np.testing.assert_allclose(batch.x[i], d.x, atol=tolerance)
    for name, y in batch.multipliers.items():
        np.testing.assert_allclose(y[i], d.multipliers[name], atol=tolerance * d.scale)


@pytest.mark.parametrize("rows", [(), LinearConstraint([[1.0, 1.0, 1.0]], -0.5, 0.5)])
@pytest.mark.parametrize("kind", MODELS)
def test_contexts(kind, rows, rng):
    f, C = learned(kind), rng.uniform(-1, 1, (7, 2))
    batch = icnn.minimize_batch(f, context=C, constraints=rows)
    assert (len(batch), batch.columns) == (7, ("a", "b", "c"))
    for i, c in enumerate(C):
        assert_row(batch, i, icnn.minimize(f, context=c, constraints=rows))
        assert batch.value[i] == pytest.approx(f.predict(batch.x[i], c), abs=1e-9 * batch.scale[i])


def test_smooth_contexts_have_one_decision(rng):
    f, C = learned("picnn-softplus"), rng.uniform(-1, 1, (5, 2))
    row = LinearConstraint([[1.0, 1.0, 1.0]], -0.3, -0.25)
    batch = icnn.minimize_batch(f, context=C, constraints=row)
    for i, c in enumerate(C):
        assert_same_proof(batch, i, icnn.minimize(f, context=c, constraints=row), 2e-3)


def test_sums_of_surrogates(rng):
    X, _, y = table(2)
    plain = icnn.fit(icnn.MaxAffine(2, 6), X[:, 1:], y, columns=["c", "d"], budget=SHORT)
    total, C = learned("picnn") + 0.5 * plain, rng.uniform(-1, 1, (6, 2))
    batch = icnn.minimize_batch(total, context=C)
    assert batch.columns == ("a", "b", "c", "d")
    for i, c in enumerate(C):
        assert_row(batch, i, icnn.minimize(total, context=c))


def test_categories_in_a_frame_and_in_a_dict():
    given = pd.DataFrame({"wind": [0.1, -0.4, 0.7], "site": ["north", "south", "north"]})
    batch = icnn.minimize_batch(sites(), context=given)
    named = icnn.minimize_batch(sites(), context={k: given[k].to_numpy() for k in given})
    np.testing.assert_array_equal(batch.x, named.x)
    for i in range(3):
        assert_row(batch, i, icnn.minimize(sites(), context=given.iloc[i].to_dict()))


@pytest.mark.parametrize("constraints", [(), ROWS])
@pytest.mark.parametrize("fixed", [None, {"x1": 0.25}])
def test_prices(constraints, fixed, rng):
    arguments = dict(bounds=BOX, constraints=constraints, fixed=fixed)
    prices = rng.normal(size=(9, 5))
    batch = icnn.minimize_batch(F, linear=prices, **arguments)
    by_name = {f"x{j}": prices[:, j] for j in range(5)}
    np.testing.assert_array_equal(batch.x, icnn.minimize_batch(F, linear=by_name, **arguments).x)
    for i, price in enumerate(prices):
        d = icnn.minimize(F + icnn.affine(price), **arguments)
        assert_row(batch, i, d)
        assert_same_proof(batch, i, d)


def _ends(rng):
    lower = rng.uniform(-2, 0, (6, 5))
    return lower, lower + rng.uniform(0, 2, (6, 5))


@pytest.mark.parametrize("form", ["pairs", "Bounds", "dict"])
def test_bounds(form, rng):
    lower, upper = _ends(rng)
    lower[0] = upper[0] = 0.5  # a point
    forms = {
        "pairs": np.stack([lower, upper], -1),
        "Bounds": Bounds(lower, upper),
        "dict": {f"x{j}": (lower[:, j], upper[:, j]) for j in range(5)},
    }
    row = LinearConstraint(np.ones((1, 5)), -6.0, 6.0)
    batch = icnn.minimize_batch(F, bounds=forms[form], constraints=row)
    assert ((batch.x >= lower) & (batch.x <= upper)).all()
    for i in range(6):
        ends = list(zip(lower[i], upper[i], strict=True))
        assert_row(batch, i, icnn.minimize(F, bounds=ends, constraints=row))


def test_contexts_prices_and_bounds_together(rng):
    f, C, prices = learned("picnn"), rng.uniform(-1, 1, (5, 2)), rng.normal(size=(5, 3))
    ends = {"b": (rng.uniform(-1, -0.5, 5), 0.5)}
    batch = icnn.minimize_batch(f, context=C, linear=prices, bounds=ends)
    for i in range(5):
        problem = icnn.prepare(f, context=C[i], bounds={"b": (ends["b"][0][i], 0.5)})
        assert_row(batch, i, problem.solve(linear=prices[i]))
    one = icnn.minimize_batch(f, context=C[0], linear=prices)
    for i in range(5):
        assert_row(one, i, icnn.prepare(f, context=C[0]).solve(linear=prices[i]))


@pytest.mark.parametrize("kind", ["limit", "ball", "integers"])
def test_what_the_bundle_refuses_goes_one_by_one(kind, rng):
    other = {"limit": [NETWORKS["relu-5-16-16"].f <= 6.0], "ball": icnn.sets.Ball(np.zeros(5), 1.5)}
    arguments = dict(
        bounds=BOX, constraints=other.get(kind, ()), integrality=1 if kind == "integers" else None
    )
    prices = rng.normal(size=(3, 5))
    batch = icnn.minimize_batch(F, linear=prices, **arguments)
    for i, price in enumerate(prices):
        assert_row(batch, i, icnn.minimize(F + icnn.affine(price), **arguments), 1e-6)
    limited = "HiGHS" if library() is None else "Penalty"
    expected = {"limit": limited, "ball": "Clarabel", "integers": "HiGHS"}[kind]
    assert set(batch.solver) == {expected}


@pytest.mark.parametrize("solver", [icnn.solvers.HiGHS(), icnn.solvers.Clarabel()])
def test_another_solver(solver, rng):
    prices = rng.normal(size=(3, 5))
    batch = icnn.minimize_batch(F, linear=prices, bounds=BOX, solver=solver)
    assert set(batch.solver) == {type(solver).__name__}
    for i, price in enumerate(prices):
        assert_row(batch, i, icnn.minimize(F + icnn.affine(price), bounds=BOX), 1e-6)


def test_a_concave_function_is_maximised(rng):
    X, C, y = table()
    options = dict(context=C, columns=["a", "b", "c"], budget=SHORT, concave=True)
    gain = icnn.fit(icnn.PICNN(3, 2, hidden=(8,)), X, -y, **options)
    C, prices = rng.uniform(-1, 1, (4, 2)), rng.normal(size=(4, 3))
    row = LinearConstraint([[1.0, 1.0, 1.0]], -0.5, 0.5)
    batch = icnn.maximize_batch(gain, context=C, linear=prices, constraints=row)
    assert batch.sense == batch[0].sense == "maximize"
    assert (batch.bound >= batch.value - 1e-9).all()
    for i in range(4):
        d = icnn.prepare(gain, context=C[i], constraints=row).solve(linear=prices[i])
        assert_row(batch, i, d)
        assert_same_proof(batch, i, d)
    with pytest.raises(icnn.NotConvex, match="minimize of a concave surrogate"):
        icnn.minimize_batch(gain, context=C)


@fast_only
def test_chunks_and_threads_change_nothing(rng, monkeypatch):
    f, C = learned("picnn"), rng.uniform(-1, 1, (50, 2))
    whole = icnn.minimize_batch(f, context=C)
    monkeypatch.setattr(sys.modules["icnn.minimize_batch"], "CHUNK", 7)
    for threads in (1, 2):
        parts = icnn.minimize_batch(f, context=C, threads=threads)
        np.testing.assert_allclose(parts.value, whole.value, rtol=0, atol=1e-8 * whole.scale.max())
        assert parts.success.all()


CROWD = """
import resource, numpy as np, icnn
r = np.random.default_rng(0)
X, C = r.uniform(-1, 1, (400, 10)), r.uniform(-1, 1, (400, 4))
y = np.square(X - 0.3 * C[:, :1]).sum(1)
budget = icnn.Budget(steps=30, restarts=1, polish=2)
f = icnn.fit(icnn.PICNN(10, 4, hidden=(64, 64)), X, y, context=C, budget=budget, progress=False)
d = icnn.minimize_batch(f, context=r.uniform(-1, 1, (100_000, 4)), progress=False)
print(int(d.success.sum()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@fast_only
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_contexts_in_two_gigabytes():
    done = subprocess.run([sys.executable, "-c", CROWD], capture_output=True, text=True, check=True)
    solved, kilobytes = map(int, done.stdout.split()[-2:])
    assert solved == 100_000
    assert kilobytes < 2 * 2**20


def test_text_in_an_array_is_quoted_as_text():
    with pytest.raises(
        icnn.errors.BadData, match=r"row 0: context column '.*': 'calm' is not a num"
    ):
        icnn.minimize_batch(learned("picnn"), context=np.array([["calm", "0.2"]]))
