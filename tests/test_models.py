"""Models: convex from the first forward pass, for every positivity, by construction."""

import copy
import json

import numpy as np
import pytest
import torch
from laws import assert_convex, assert_lower_is_forward
from zoo import MODELS, POSITIVITIES

import icnn
from icnn import BadData, NotConvex
from icnn.learn.weights import POSITIVITIES as MAPS
from icnn.learn.weights import NonNegative, fill_principled
from icnn.store import build

every = pytest.mark.parametrize("name", MODELS)


def function(model):
    """The model as a float64 function of numpy rows."""
    model = copy.deepcopy(model).double()

    def f(x):
        with torch.no_grad():
            return model(torch.from_numpy(x)).numpy()

    return f


def rebuilt(model, **changes):
    """A model of the same configuration, as a file would hold it."""
    config = json.loads(json.dumps(model.config)) | changes
    for term in config.get("terms", ()):
        term["config"] |= changes
    return build(type(model).__name__, config)


@every
def test_convex_from_the_first_forward_pass(name):
    model = MODELS[name]()
    assert_convex(function(model), 2)
    assert_convex(icnn.Network(model.double().lower().layers), 2)


@every
def test_convex_for_any_parameters(name):
    model = MODELS[name]()
    generator = torch.Generator().manual_seed(0)
    for size in (0.1, 1.0, 5.0):
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(size * torch.randn(p.shape, generator=generator))
        assert_convex(function(model), 2)
        icnn.Network(model.lower().layers)


@every
def test_convex_after_a_careless_trainer(name, rng):
    model = MODELS[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    X = torch.from_numpy(rng.normal(size=(60, 2))).float()
    for _ in range(5):
        optimizer.zero_grad()
        (model(X) + X.square().sum(1)).square().mean().clamp(max=1e6).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert_convex(function(model), 2)


@every
def test_lower_is_forward(name):
    assert_lower_is_forward(MODELS[name]())


@every
def test_seed_decides_the_initial_values_and_nothing_else_does(name):
    make = MODELS[name]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make().state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(v, first[k]) for k, v in make().state_dict().items())
    other = rebuilt(make(), seed=5)
    assert any(not torch.equal(v, first[k]) for k, v in other.state_dict().items())


@every
def test_copies_and_state_dicts_are_the_same_function(name):
    model = MODELS[name]()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.25)
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    fresh = rebuilt(model)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(x), model(x))
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x), model(x))
    next(twin.parameters()).data.add_(1.0)
    assert torch.equal(fresh(x), model(x))


@every
def test_every_parameter_gets_a_gradient_and_shift_moves_the_output(name):
    model = MODELS[name]()
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    model(x).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    before = model(x)
    model.shift_output(torch.tensor(2.5))
    torch.testing.assert_close(model(x), before + 2.5)


@pytest.mark.parametrize("positivity", POSITIVITIES)
def test_initial_weights_keep_mean_zero_variance_one_correlation_half(positivity):
    """Hoedt & Klambauer (2023), section 3: the fixed point, at a width where it is exact."""
    r, width, draws = torch.Generator().manual_seed(0), 100, []
    for _ in range(20):
        shared = torch.randn(500, 1, generator=r)
        z = torch.relu((shared + torch.randn(500, width, generator=r)) / 2**0.5)
        W, b = NonNegative(200, width, positivity), torch.zeros(200)
        fill_principled(W, b, r)
        with torch.no_grad():
            draws.append(z @ W().T + b)
    a = torch.cat(draws)
    assert abs(a.mean().item()) < 0.1
    assert a.var().item() == pytest.approx(1.0, abs=0.15)
    shared = a.mean(1).var().item()  # what all units have in common
    assert shared == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("positivity", POSITIVITIES)
@pytest.mark.parametrize("hidden", [(256,), (256, 256), (256, 256, 256)])
def test_initial_preactivations_neither_explode_nor_vanish(positivity, hidden):
    x = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    draws = []
    for seed in range(8):
        model = icnn.FICNN(8, hidden, positivity=positivity, seed=seed)
        with torch.no_grad():
            draws.append(model.lower().preactivations(x)[:-1])
    for layer in zip(*draws, strict=True):
        values = torch.cat([a.flatten() for a in layer])
        assert abs(values.mean().item()) < 0.7
        assert 0.2 < values.var().item() < 2.0


@pytest.mark.parametrize("positivity", POSITIVITIES)
def test_positivity_maps_are_non_negative_and_invert(positivity):
    kind = MAPS[positivity]
    raw = torch.linspace(-30, 30, 301)
    assert (kind.weight(raw) >= 0).all()
    w = torch.logspace(-4, 2, 50)
    torch.testing.assert_close(kind.weight(kind.raw(w)), w, rtol=2e-4, atol=0)
    matrix = NonNegative(3, 4, positivity)
    matrix.fill(torch.full((3, 4), 0.3))
    torch.testing.assert_close(matrix(), torch.full((3, 4), 0.3))


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: icnn.FICNN(0), BadData, "n_inputs must be a whole number of at least 1, not 0"),
        (lambda: icnn.FICNN(2.5), BadData, r"not 2\.5"),
        (lambda: icnn.FICNN(True), BadData, "not True"),
        (lambda: icnn.FICNN(2, (4, 0)), BadData, "each entry of hidden"),
        (
            lambda: icnn.FICNN(2, (4,), "gelu"),
            BadData,
            "relu, leaky_relu, identity, abs, softplus, elu, not 'gelu'",
        ),
        (lambda: icnn.FICNN(2, (4, 4), "abs"), NotConvex, "abs may decrease"),
        (lambda: icnn.FICNN(2, positivity="relu"), BadData, "softplus, square, exp, projection"),
        (lambda: icnn.ReLUSum(2, -1), BadData, "units"),
        (lambda: icnn.MaxAffine(2, 0), BadData, "pieces"),
    ],
)
def test_refused_with_a_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


def test_wrong_width_is_refused():
    with pytest.raises(BadData, match=r"f takes \(2,\)"):
        icnn.FICNN(2)(torch.zeros(3, 4))


def test_batches_are_points_and_empty_batches_pass():
    model = icnn.FICNN(2)
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(model(x), [model(p) for p in x], rtol=1e-5, atol=1e-6)
        assert model(x[:0]).shape == (0,)
