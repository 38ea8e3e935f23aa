"""Networks whose smooth part goes into the bundle's master: values of Clarabel, proofs."""

from functools import cache

import numpy as np
import pytest
from laws import assert_feasible
from scipy.optimize import LinearConstraint
from smooth_zoo import precise
from zoo import sets

import icnn
from icnn import Layer, Network, Status
from icnn.atoms import ELU, IDENTITY, RELU, Huber, LogSumExp, Norm, Softplus, SumSquares
from icnn.decide.batch import Batch
from icnn.decide.flat import flat
from icnn.decide.kernel import CLOSED, Searcher, library
from icnn.decide.solvers.bundle import capacity
from icnn.solvers import Bundle, Clarabel

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")
N = 6


def term(atom, units, seed, *, n=N, rank=None):
    """Non-negative weights on units of one atom of affine maps, of low rank if asked."""
    r = np.random.default_rng([seed, units])
    rows = units * atom.group
    V = r.normal(size=(rows, n))
    if rank is not None:
        V = V[:, :rank] @ r.normal(size=(rank, n))
    first = Layer(atom, V, r.normal(size=rows))
    weights = r.uniform(0.2, 1.0, (1, units))
    return Network((first, Layer(IDENTITY, r.normal(size=(1, n)), np.zeros(1), ((0, weights),))))


def relu(seed, n=N):
    r = np.random.default_rng([9, seed])
    first = Layer(RELU, r.normal(size=(12, n)), r.normal(size=12))
    second = Layer(
        RELU, r.normal(size=(8, n)), r.normal(size=8), ((0, r.uniform(0, 0.3, (8, 12))),)
    )
    out = Layer(IDENTITY, np.zeros((1, n)), np.zeros(1), ((1, r.uniform(0, 1, (1, 8))),))
    return Network((first, second, out))


def deep(seed, atom=None):
    """Smooth layers over smooth layers, read by a ReLU as well as by the output."""
    r = np.random.default_rng([5, seed])
    atom = atom or Softplus()
    a = Layer(atom, r.normal(size=(7, N)), r.normal(size=7))
    b = Layer(atom, r.normal(size=(5, N)), r.normal(size=5), ((0, r.uniform(0, 0.5, (5, 7))),))
    c = Layer(RELU, r.normal(size=(4, N)), r.normal(size=4), ((1, r.uniform(0, 0.5, (4, 5))),))
    edges = ((0, r.uniform(0, 1, (1, 7))), (1, r.uniform(0, 1, (1, 5))), (2, np.ones((1, 4))))
    return Network((a, b, c, Layer(IDENTITY, np.zeros((1, N)), np.zeros(1), edges)))


CURVED = {
    "quadratic": lambda: term(SumSquares(N), 1, 0),
    "squares-of-one": lambda: term(SumSquares(1), 9, 1),
    "quadratic-relu": lambda: term(SumSquares(N), 1, 2) + relu(2),
    "quadratic-norms-relu": lambda: term(SumSquares(N), 1, 3) + term(Norm(N), 3, 3) + relu(3),
    "low-rank-relu": lambda: term(SumSquares(N), 1, 4, rank=2) + relu(4),
    "small-norms": lambda: term(Norm(2), 4, 5) + relu(5),
    "huber-relu": lambda: term(Huber(0.5), 8, 6) + relu(6),
    "lse-quadratic": lambda: term(LogSumExp(4), 3, 7) + term(SumSquares(3), 2, 7),
    "elu": lambda: term(ELU(0.8), 9, 8) + term(SumSquares(N), 1, 8),
    "deep-softplus": lambda: deep(10),
    "deep-elu": lambda: deep(11, ELU(1.0)) + term(SumSquares(2), 2, 11),
    "no-weight": lambda: 0.0 * term(SumSquares(N), 1, 12) + relu(12),
    "flat-quadratic": lambda: term(SumSquares(N), 1, 13).compose_affine(0 * np.eye(N)) + relu(13),
}


@cache
def curved(name):
    return CURVED[name]()


def searched(f, **arguments):
    """What the compiled search itself finds."""
    program = icnn.prepare(f, **arguments).program
    arrays = flat(Batch.of(program))
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(program.n))
    return searcher(arrays.places(), Bundle().options(arrays))


def assert_same(d, other):
    assert d.status is other.status is Status.OPTIMAL
    assert abs(d.value - other.value) <= 1e-6 * d.scale
    assert d.gap <= 1e-6 * d.scale


@pytest.mark.parametrize("kind", ["box", "simplex", "budget", "equality", "thin", "point", "fixed"])
@pytest.mark.parametrize("name", CURVED)
def test_clarabel_finds_the_same(name, kind):
    f, zoo_set = curved(name), sets(N)[kind]
    d = icnn.minimize(f, **zoo_set.arguments(), solver=Bundle(), throw=False)
    assert_same(d, icnn.minimize(f, **zoo_set.arguments(), solver=Clarabel(), throw=False))
    assert_feasible(d, zoo_set)
    for x in zoo_set.points(100)[:3]:
        assert precise(f, x) >= d.bound


@pytest.mark.parametrize("kind", ["box", "budget", "equality"])
def test_a_quadratic_is_its_own_model(kind):
    """One call in the middle and one at the master's minimiser; that is moved by what is added to
    flat directions, which is taken off in two steps."""
    found = searched(curved("quadratic"), **sets(N)[kind].arguments())
    assert found.outcome[0] == CLOSED
    assert found.calls[0] <= 4


@pytest.mark.parametrize("name", ["quadratic-norms-relu", "deep-softplus", "lse-quadratic", "elu"])
def test_fewer_calls_than_cuts_of_a_vertex(name):
    """Cuts alone would need n + 1 of them at the minimum, and many more on the way there."""
    found = searched(curved(name), **sets(N)["box"].arguments())
    assert found.outcome[0] == CLOSED
    assert found.calls[0] <= 3 * (N + 1)


@pytest.mark.parametrize("width", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("name", ["quadratic-norms-relu", "low-rank-relu", "deep-softplus"])
def test_scales_of_x_and_f_change_nothing(name, size, width):
    zoo_set, f = sets(N)["budget"], curved(name)
    g = size * f.compose_affine(np.eye(N) / width)
    d = icnn.minimize(g, **zoo_set.arguments(width), solver=Bundle())
    e = icnn.minimize(f, **zoo_set.arguments(), solver=Bundle())
    assert d.value / size == pytest.approx(e.value, abs=2e-6 * e.scale)
    assert d.scale / size == pytest.approx(e.scale, rel=1e-3)


def kinked(rows):
    """A norm of x - a that falls to zero with slope 1, and all else pulls with less; and a."""
    r = np.random.default_rng(rows)
    a, c = r.uniform(-1, 1, N), 0.3 * r.normal(size=N) / N
    V = np.eye(N)[:rows]
    norm = Network((Layer(Norm(rows), V, -V @ a),))
    squares = term(SumSquares(N), 1, rows).compose_affine(0.1 * np.eye(N))
    return norm + squares + icnn.affine(c), a


@pytest.mark.parametrize("rows", [1, 2, N])
def test_a_minimum_at_the_kink_of_a_norm(rows):
    """The norm's own model has no end there: cuts of all of f find it."""
    f, a = kinked(rows)
    d = icnn.minimize(f, bounds=[(-2, 2)] * N, solver=Bundle())
    assert_same(d, icnn.minimize(f, bounds=[(-2, 2)] * N, solver=Clarabel()))
    np.testing.assert_allclose(d.x[:rows], a[:rows], atol=1e-4)


KINKED = {f"kink-{rows}": kinked(rows)[0] for rows in (1, 2, N)}


@pytest.mark.parametrize(
    "name", [*KINKED, "quadratic-relu", "quadratic-norms-relu", "low-rank-relu"]
)
def test_kept_cuts_hold(name, rng):
    """Cuts of the rest stay and move with the price; cuts of all of f are none of the rest."""
    f = KINKED.get(name) or curved(name)
    prices = np.cumsum(1e-3 * rng.normal(size=(8, N)), axis=0)  # so near that cuts stay
    arrays = flat(Batch.of(icnn.prepare(f, bounds=[(-2, 2)] * N).program))
    places, unit = arrays.places(), arrays.reach[1] / arrays.scale[:, None]
    moved = places._replace(c=places.c + unit * prices)
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(N))
    kept = searcher(moved, Bundle().options(arrays, keep=2 * (N + 1)))
    searcher.forget()
    fresh = searcher(moved, Bundle().options(arrays))
    assert (kept.outcome == CLOSED).all()
    assert name in KINKED or (kept.calls[1:] < fresh.calls[1:]).any()
    np.testing.assert_allclose(kept.value, fresh.value, atol=2e-9)
    assert (kept.bound <= fresh.value + 1e-12).all()


@pytest.mark.parametrize("calls", [1, 2, 3, 6])
@pytest.mark.parametrize("name", ["quadratic-norms-relu", "low-rank-relu", "small-norms"])
def test_few_calls_leave_an_incumbent_and_a_valid_bound(name, calls):
    f, zoo_set = curved(name), sets(N)["budget"]
    d = icnn.minimize(f, **zoo_set.arguments(), solver=Bundle(calls=calls), throw=False)
    best = icnn.minimize(f, **zoo_set.arguments(), solver=Bundle())
    assert d.status in (Status.TIME_LIMIT, Status.OPTIMAL)
    assert d.status is Status.TIME_LIMIT or calls > 2
    assert d.bound <= best.value <= d.value + 1e-9 * d.scale
    assert_feasible(d, zoo_set)


def test_rows_that_no_point_meets():
    rows = LinearConstraint(np.ones((1, N)), 3 * N, np.inf)
    for name in CURVED:
        d = icnn.minimize(
            curved(name), bounds=[(-2, 2)] * N, constraints=rows, solver=Bundle(), throw=False
        )
        assert d.status is Status.INFEASIBLE, name


@cache
def learned():
    """A surrogate whose quadratic and norms move with the context, beside a gated ReLU part."""
    r = np.random.default_rng(4)
    X, C = r.uniform(-1, 1, (150, 4)), r.uniform(-1, 1, (150, 2))
    y = np.square(X - np.tanh(C @ r.normal(size=(2, 4)))).sum(1) + np.linalg.norm(X + 0.3, axis=1)
    models = icnn.models
    parts = (
        models.PICNN(4, 2, (6,), (4,)),
        models.Quadratic(4, "full", n_context=2),
        models.NormTerm(4, 2, n_context=2),
    )
    budget = icnn.Budget(steps=60, restarts=1, polish=5)
    return icnn.fit(models.Sum(*parts), X, y, context=C, budget=budget, progress=False)


BUDGET = LinearConstraint(np.ones((1, 4)), -1.0, 0.5)


def test_a_batch_of_contexts_equals_the_loop(rng):
    s, C = learned(), rng.uniform(-1, 1, (12, 2))
    arguments = dict(bounds=[(-1, 1)] * 4, constraints=BUDGET)
    found = icnn.minimize_batch(s, context=C, **arguments)
    assert found.success.all()
    assert set(found.solver) == {"Bundle"}
    for i, c in enumerate(C):
        d = icnn.minimize(s, context=c, **arguments)
        assert found.value[i] == pytest.approx(d.value, abs=1e-8 * d.scale)
        np.testing.assert_allclose(found.x[i], d.x, atol=1e-3)


def test_prepared_contexts_prices_bounds_and_sides(rng):
    s = learned()
    f, given = s.at([0.0, 0.0]), dict(bounds=[(-1, 1)] * 4, constraints=BUDGET)
    p = icnn.prepare(s, context=[0.0, 0.0], **given)
    for c, price in zip(rng.uniform(-1, 1, (4, 2)), rng.normal(size=(4, 4)), strict=True):
        assert_same(p.solve(context=c), icnn.minimize(s, context=c, **given))
        assert_same(p.solve(linear=price), icnn.minimize(f + icnn.affine(price), **given))
        box = [(-0.5, 1)] * 3 + [(0.25, 0.25)]
        assert_same(p.solve(bounds=box), icnn.minimize(f, bounds=box, constraints=BUDGET))
        sides = (np.array([-0.25]), np.array([0.25]))
        other = LinearConstraint(BUDGET.A, *sides)
        assert_same(
            p.solve(sides=sides), icnn.minimize(f, bounds=given["bounds"], constraints=other)
        )


@pytest.mark.parametrize("name", ["quadratic-norms-relu", "small-norms", "deep-softplus"])
@pytest.mark.parametrize("step", [1e-3, 0.05, 3.0])
def test_prices_that_walk(name, step, rng):
    """Kept cuts are of the rest of f; where cuts of f itself took over, they do not mix."""
    f, zoo_set = curved(name), sets(N)["budget"]
    p, price = icnn.prepare(f, **zoo_set.arguments(), solver=Bundle()), np.zeros(N)
    for _ in range(8):
        price = price + step * rng.normal(size=N)
        d = icnn.minimize(f + icnn.affine(price), **zoo_set.arguments(), solver=Bundle())
        assert_same(p.solve(linear=price), d)


def test_prices_in_a_batch(rng):
    f = curved("quadratic-norms-relu")
    prices = np.cumsum(0.1 * rng.normal(size=(15, N)), axis=0)
    found = icnn.minimize_batch(f, bounds=[(-2, 2)] * N, linear=prices)
    assert found.success.all()
    for i, price in enumerate(prices):
        d = icnn.minimize(f + icnn.affine(price), bounds=[(-2, 2)] * N)
        assert found.value[i] == pytest.approx(d.value, abs=1e-8 * d.scale)
