"""PrimalDual finds what HiGHS finds, row by row, and what it leaves open the bundle closes."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from laws import exact
from scipy.optimize import LinearConstraint
from zoo import CONTEXT_MODELS, NETWORKS, draw, sets

import icnn
from icnn.decide import relay
from icnn.decide.solvers import primal_dual
from icnn.solvers import Bundle, HiGHS, PrimalDual

SHORT = icnn.Budget(steps=60, restarts=1, polish=5)
TAKEN = (
    *("relu-1-4", "relu-2-8", "relu-2-8-8", "relu-3-6-5-4", "relu-5-16-16"),
    *("leaky", "abs", "abs-3", "identity-hidden", "affine-hidden", "composed"),
    *("affine", "constant", "zero", "duplicated", "zeroed", "flat", "cancelling"),
    *("tiny-x", "huge-x", "tiny-y", "huge-y", "huge-x-tiny-y", "trained-ficnn", "trained-sum"),
)
REFUSED = ("pieces", "max-hidden", "max-last", "sum")


def same(d, other):
    assert d.success
    assert abs(d.value - other.value) <= 1e-6 * other.scale + 64 * np.spacing(abs(other.value))


def agree(found, expected, names=("PrimalDual", "Bundle")):
    """Every row proved, with the same values, by the solvers named."""
    assert all(status.name == "OPTIMAL" for status in found.status)
    assert found.certified.all()
    assert (np.abs(found.value - expected.value) <= 2e-6 * expected.scale).all()
    assert set(found.solver) <= set(names)


@pytest.mark.parametrize("kind", ["box", "thin", "point"])
@pytest.mark.parametrize("name", TAKEN)
def test_finds_what_highs_finds(name, kind):
    item = NETWORKS[name]
    if kind == "thin" and item.f.n == 1:
        kind = "point"
    arguments = sets(item.f.n)[kind].arguments(item.width)
    d = icnn.minimize(item.f, solver=PrimalDual(), **arguments)
    same(d, icnn.minimize(item.f, solver=HiGHS(), **arguments))
    assert d.solver == "PrimalDual"
    assert Fraction(d.bound) <= exact(item.f, d.x)


def test_prices_and_bounds_of_many_rows(rng):
    f = NETWORKS["relu-5-16-16"].f
    prices = rng.normal(size=(40, f.n))
    low = rng.uniform(-2, 0, (40, f.n))
    bounds = np.stack([low, low + rng.choice([0.0, 0.1, 1.5], (40, f.n))], axis=-1)
    found = icnn.minimize_batch(f, linear=prices, bounds=bounds, solver=PrimalDual())
    for i in range(40):
        priced = f + icnn.affine(prices[i])
        d = icnn.minimize(priced, bounds=bounds[i], solver=HiGHS())
        assert abs(found.value[i] - d.value) <= 1e-6 * d.scale
        assert Fraction(found.bound[i]) <= exact(priced, d.x)
    agree(found, icnn.minimize_batch(f, linear=prices, bounds=bounds))
    inner = np.isin(found.x, bounds).mean()
    assert 0 < inner < 1  # both ends and kinks hold


def test_multipliers_are_those_of_the_bundle(rng):
    f = NETWORKS["relu-3-6-5-4"].f
    prices = rng.normal(size=(12, f.n))
    ways = [
        icnn.minimize_batch(f, linear=prices, bounds=[(-1, 1)] * f.n, solver=solver)
        for solver in (PrimalDual(), Bundle())
    ]
    for side in ("lower", "upper"):
        a, b = (way.multipliers[side] for way in ways)
        assert np.abs(a).max() > 0
        np.testing.assert_allclose(a, b, atol=1e-6 * ways[0].scale.max())


def test_the_vertex_is_exact(rng):
    f = NETWORKS["relu-5-16-16"].f
    arguments = dict(linear=rng.normal(size=(30, f.n)), bounds=[(-2, 2)] * f.n)
    found = icnn.minimize_batch(f, solver=PrimalDual(tolerance=1e-12), **arguments)
    agree(found, icnn.minimize_batch(f, solver=HiGHS(), **arguments), ["PrimalDual"])
    assert (found.gap <= 1e-12 * found.scale).all()


@pytest.fixture(scope="module")
def surrogate():
    r = np.random.default_rng(0)
    X, C = r.uniform(-1, 1, (120, 3)), r.uniform(-1, 1, (120, 2))
    y = np.square(X - np.tanh(C @ r.normal(size=(2, 3)))).sum(1)
    model = icnn.PICNN(3, 2, hidden=(12, 8))
    return icnn.fit(model, X, y, context=C, columns=["a", "b", "c"], budget=SHORT)


def test_contexts(surrogate, rng):
    contexts, prices = rng.uniform(-1, 1, (30, 2)), 0.1 * rng.normal(size=(30, 3))
    found = icnn.minimize_batch(surrogate, context=contexts, linear=prices, solver=PrimalDual())
    agree(found, icnn.minimize_batch(surrogate, context=contexts, linear=prices, solver=HiGHS()))


@pytest.mark.parametrize("name", ["picnn-projection", "picnn-abs-units", "picnn-identity-units"])
def test_every_kind_of_context_network(name, rng):
    X, C = rng.uniform(-1, 1, (60, 2)), rng.uniform(-1, 1, (60, 3))
    s = icnn.fit(CONTEXT_MODELS[name](), X, np.square(X).sum(1), context=C, budget=SHORT)
    found = icnn.minimize_batch(s, context=C[:10], solver=PrimalDual())
    agree(found, icnn.minimize_batch(s, context=C[:10]))


def test_prepared_problems(rng):
    f = NETWORKS["relu-2-8-8"].f
    problem = icnn.prepare(f, bounds=[(-2, 2)] * f.n, solver=PrimalDual())
    for price in rng.normal(size=(4, f.n)):
        d = problem.solve(linear=price)
        same(d, icnn.minimize(f + icnn.affine(price), bounds=[(-2, 2)] * f.n, solver=HiGHS()))
        assert d.solver == "PrimalDual"


def test_a_concave_function_is_maximised(rng):
    X = rng.uniform(-1, 1, (60, 2))
    gain = icnn.fit(icnn.FICNN(2, (8,)), X, -np.square(X).sum(1), concave=True, budget=SHORT)
    prices = 0.1 * rng.normal(size=(8, 2))
    found = icnn.maximize_batch(gain, linear=prices, solver=PrimalDual())
    agree(found, icnn.maximize_batch(gain, linear=prices, solver=HiGHS()))


def degenerate(seed):
    """Units in copies, weights and columns that vanish, whole numbers, prices of nothing."""
    r = np.random.default_rng(seed)
    n, hidden = int(r.integers(1, 6)), tuple(int(k) for k in r.integers(1, 14, 2))
    V, b, W = draw(n, hidden, seed)
    if seed % 3 == 0:
        V[0], b[0], W[0] = np.tile(V[0], (2, 1)), np.tile(b[0], 2), np.tile(W[0], 2)
    if seed % 3 == 1:
        for weights in (*V, *W):
            weights[r.random(weights.shape) < 0.5] = 0.0
    if seed % 3 == 2:
        V, b, W = ([np.round(2 * a) for a in part] for part in (V, b, W))
    prices = np.round(r.normal(size=(6, n))) * r.choice([0.0, 1.0], (6, 1))
    return icnn.relu_network(V, b, W), prices, r


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(9))
def test_degenerate_networks_in_any_unit(seed, unit):
    f, prices, r = degenerate(seed)
    low = -r.uniform(0, 2, (6, f.n))
    bounds = np.stack([low, np.where(r.random((6, f.n)) < 0.3, low, 1.0)], axis=-1)
    scaled = (1e3 / unit) * f.compose_affine(np.eye(f.n) / unit)
    arguments = {"linear": 1e3 / unit**2 * prices, "bounds": unit * bounds}
    agree(
        icnn.minimize_batch(scaled, solver=PrimalDual(), **arguments),
        icnn.minimize_batch(scaled, solver=HiGHS(), **arguments),
    )


def test_what_it_leaves_open_the_bundle_closes(rng):
    f = NETWORKS["relu-5-16-16"].f
    arguments = dict(linear=rng.normal(size=(30, f.n)), bounds=[(-2, 2)] * f.n)
    found = icnn.minimize_batch(f, solver=PrimalDual(steps=5), **arguments)
    assert set(found.solver) == {"PrimalDual", "Bundle"}
    agree(found, icnn.minimize_batch(f, solver=HiGHS(), **arguments))
    assert icnn.minimize(f, bounds=[(-2, 2)] * f.n, solver=PrimalDual(steps=1)).solver == "Bundle"


def test_without_the_compiled_bundle_highs_closes_it(rng, monkeypatch):
    monkeypatch.setattr(primal_dual, "library", lambda: None)
    monkeypatch.setattr(relay, "library", lambda: None)
    f = NETWORKS["relu-5-16-16"].f
    arguments = dict(linear=rng.normal(size=(10, f.n)), bounds=[(-2, 2)] * f.n)
    found = icnn.minimize_batch(f, solver=PrimalDual(steps=1), **arguments)
    agree(found, icnn.minimize_batch(f, solver=HiGHS(), **arguments), ("PrimalDual", "HiGHS"))
    assert "HiGHS" in found.solver


def test_rows_that_run_apart_are_the_same_rows(rng):
    f = NETWORKS["relu-2-8-8"].f
    arguments = dict(linear=rng.normal(size=(20, f.n)), bounds=[(-2, 2)] * f.n)
    a = icnn.minimize_batch(f, solver=PrimalDual(), **arguments)
    b = icnn.minimize_batch(f, solver=PrimalDual(rows=3), **arguments)
    np.testing.assert_allclose(a.x, b.x, atol=1e-6)
    assert (np.abs(a.value - b.value) <= 1e-6 * a.scale).all()


def test_rows_of_a_batch_are_its_rows(rng):
    f = NETWORKS["relu-2-8-8"].f
    problem = icnn.prepare(f, bounds=[(-2, 2)] * f.n)
    batch = problem.variants.batch(5, price=rng.normal(size=(5, f.n)))
    at, x = np.array([3, 1]), rng.uniform(-2, 2, (5, f.n))
    part = relay.rows_of(batch, at)
    assert part.size == 2
    np.testing.assert_array_equal(part.values(x[at]), batch.values(x)[at])
    np.testing.assert_array_equal(part.spread, batch.spread[at])


def refusal(f, **arguments):
    return PrimalDual().refusal(icnn.prepare(f, **arguments).program)


@pytest.mark.parametrize("name", REFUSED)
def test_atoms_of_other_kinds_are_refused(name):
    f = NETWORKS[name].f
    reason = refusal(f, bounds=[(-1, 1)] * f.n)
    assert "units of two linear pieces such as ReLU, not " in reason
    with pytest.raises(icnn.NotSupported, match="PrimalDual: layer"):
        icnn.minimize(f, bounds=[(-1, 1)] * f.n, solver=PrimalDual())


def test_what_is_not_a_box_is_refused():
    f = NETWORKS["relu-2-8"].f
    box = [(-1, 1)] * 2
    rows = LinearConstraint(np.ones((1, 2)), -1, 1)
    assert refusal(f, bounds=box) is None
    assert "bounds only, no linear rows" in refusal(f, bounds=box, constraints=[rows])
    assert "column 'x1' has no near bounds" in refusal(f, bounds=[(-1, 1), (0, np.inf)])
    assert "column 'x0' has no near bounds" in refusal(f, bounds=[(-1e30, 1), (0, 1)])
    assert "whole numbers" in refusal(f, bounds=box, integrality=1)
    assert "learned limits" in refusal(f, bounds=box, constraints=[f <= 100.0])


def test_a_machine_without_cuda_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    f = NETWORKS["relu-2-8"].f
    for device in ("cuda", "cuda:1"):
        sentence = f"torch finds no device '{device}' here; use PrimalDual\\(device=\"cpu\"\\)"
        with pytest.raises(icnn.NotSupported, match=sentence):
            icnn.minimize(f, bounds=[(-1, 1)] * 2, solver=PrimalDual(device))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_cuda_finds_what_the_processor_finds(rng):
    f = NETWORKS["relu-5-16-16"].f
    arguments = dict(linear=rng.normal(size=(30, f.n)), bounds=[(-2, 2)] * f.n)
    agree(
        icnn.minimize_batch(f, solver=PrimalDual("cuda"), **arguments),
        icnn.minimize_batch(f, solver=PrimalDual(), **arguments),
    )


@pytest.mark.parametrize(
    "options", [{"device": "tpu"}, {"device": "cuda:x"}, {"tolerance": 0}, {"steps": -1}]
)
def test_options_that_mean_nothing(options):
    with pytest.raises(icnn.BadData, match=f"PrimalDual\\({next(iter(options))}="):
        PrimalDual(**options)


def test_no_seed_thread_or_dtype_changes():
    f = NETWORKS["relu-2-8"].f
    before = torch.get_rng_state(), torch.get_default_dtype(), torch.get_num_threads()
    icnn.minimize(f, bounds=[(-1, 1)] * 2, solver=PrimalDual())
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_default_dtype(), torch.get_num_threads())
