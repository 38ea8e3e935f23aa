"""Models of a context: convex in x for every context, by construction."""

import copy

import numpy as np
import pytest
import torch
from laws import assert_convex
from test_models import rebuilt
from zoo import CONTEXT_MODELS

import icnn
from icnn import BadData, NotConvex, models
from icnn.atoms import IDENTITY, RELU
from icnn.learn.path import ContextPath
from icnn.models import HyperICNN

every = pytest.mark.parametrize("name", CONTEXT_MODELS)
CONTEXTS = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).double()
POINTS = torch.randn(4, 2, generator=torch.Generator().manual_seed(2)).double()


def scrambled(model, size, seed=0):
    """The model with random parameters of this size, in float64."""
    model, generator = copy.deepcopy(model).double(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(size * torch.randn(p.shape, generator=generator))
    return model


def at(model, context):
    """The model at one context, as a function of numpy rows."""

    def f(x):
        with torch.no_grad():
            return model(torch.from_numpy(x), context).numpy()

    return f


@every
@pytest.mark.parametrize("size", [None, 0.1, 1.0, 3.0])
def test_convex_in_x_for_every_context(name, size):
    model = CONTEXT_MODELS[name]()
    model = model.double() if size is None else scrambled(model, size)
    far = 100 * CONTEXTS[:1] if name != "hyper-exp" else CONTEXTS[:0]  # e^100 is no weight
    if name == "hyper-exp" and size == 3.0:
        return
    for context in (*CONTEXTS, *far):
        assert_convex(at(model, context), 2)
        assert_convex(icnn.Network(model.lower(context).layers), 2)


@every
@pytest.mark.parametrize("size", [None, 1.0])
def test_batches_loops_and_networks_agree(name, size):
    model = CONTEXT_MODELS[name]()
    model = model.double() if size is None else scrambled(model, size)
    with torch.no_grad():
        batch = model(POINTS, CONTEXTS)
        near = dict(rtol=1e-11, atol=1e-11 * batch.abs().max().item())
        for x, c, value in zip(POINTS, CONTEXTS, batch, strict=True):
            torch.testing.assert_close(model(x, c), value, **near)
            f = icnn.Network(model.lower(c).layers)
            assert all(layer.h is None and layer.V.ndim == 2 for layer in f.layers)
            np.testing.assert_allclose(f(x.numpy()), value.numpy(), **near)
        assert model(POINTS[:0], CONTEXTS[:0]).shape == (0,)


@every
def test_gradients_reach_every_parameter_and_shift_moves_the_output(name):
    model = CONTEXT_MODELS[name]().double()
    x, c = torch.randn(2, 200, 3, generator=torch.Generator().manual_seed(0)).double()
    before = model(x[:, :2], c)
    before.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    model.shift_output(torch.tensor(2.5).double())
    torch.testing.assert_close(model(x[:, :2], c), before + 2.5)


@every
def test_configurations_rebuild_the_model(name):
    model = CONTEXT_MODELS[name]()
    same = rebuilt(model).state_dict()
    assert all(torch.equal(value, same[k]) for k, value in model.state_dict().items())
    other = rebuilt(model, seed=5).state_dict()
    assert any(not torch.equal(value, model.state_dict()[k]) for k, value in other.items())


@every
def test_the_context_matters_but_little_at_first(name):
    model = CONTEXT_MODELS[name]().double()
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        values = torch.stack([model(x, c) for c in CONTEXTS])
    moved, bent = values.std(0).mean().item(), values.mean(0).std().item()
    assert moved > 1e-3
    assert moved < 3 * max(bent, 0.3)


def rises(f, column, sign):
    r = np.random.default_rng(0)
    a = r.normal(0, 3, (400, 2))
    b = a.copy()
    b[:, column] += r.exponential(2.0, 400)
    size = np.abs(f(a)) + np.abs(f(b))
    return (sign * (f(b) - f(a)) >= -1e-12 * size).all()


@pytest.mark.parametrize("positivity", ["softplus", "square", "exp", "projection"])
@pytest.mark.parametrize("signs", [(1, -1), (-1, 0), (0, 1)])
def test_monotone_holds_for_any_parameters(positivity, signs):
    options = dict(positivity=positivity, monotone=signs)
    for seed in range(3):
        for size in (0.3, 2.0):
            plain = scrambled(icnn.FICNN(2, (6, 5), **options), size, seed)
            model = scrambled(icnn.PICNN(2, 3, (6, 5), (4,), **options), size, seed)
            for f in (at(plain, None), *(at(model, c) for c in CONTEXTS)):
                for column, sign in enumerate(signs):
                    assert sign == 0 or rises(f, column, sign)


def test_directions_may_be_an_array():
    for signs in ((1, -1), [1, -1], np.array([1, -1]), np.array([1.0, -1.0])):
        assert icnn.PICNN(2, 3, monotone=signs).config["monotone"] == [1, -1]


TINY = icnn.Budget(restarts=2, steps=60, every=10, polish=10)


@pytest.mark.parametrize("concave", [False, True])
@pytest.mark.parametrize("signs", [(1, -1), (-1, 0)])
def test_monotone_speaks_of_the_fitted_function(concave, signs, rng):
    X, C = rng.uniform(-1, 2, (120, 2)), rng.normal(size=(120, 3))
    bend = -1.0 if concave else 1.0
    y = signs[0] * X[:, 0] - X[:, 1] + bend * np.square(X[:, 0]) + C[:, 0]
    options = dict(budget=TINY, progress=False, concave=concave)
    s = icnn.fit(icnn.PICNN(2, 3, (8,), (4,), monotone=signs), X, y, context=C, **options)
    t = icnn.fit(icnn.FICNN(2, (8,), monotone=signs), X, y, **options)
    u = icnn.fit(icnn.Sum(icnn.FICNN(2, (8,), monotone=signs)), X, y, **options)
    for f in (t.predict, u.predict, *(lambda x, c=c: s.predict(x, c) for c in C[:3])):
        for column, sign in enumerate(signs):
            assert sign == 0 or rises(f, column, sign)
    assert s.score(X, y, C) > 0.5


def test_a_picnn_learns_a_valley_that_moves(rng):
    """Rows of (x - sin 3c)²."""
    x, c = rng.uniform(-2, 2, (700, 1)), rng.uniform(-1, 1, (700, 1))
    y = np.square(x - np.sin(3 * c))[:, 0]
    budget = icnn.Budget(restarts=2, steps=400, polish=60)
    model = icnn.PICNN(1, 1, (16, 16), (32,))
    s = icnn.fit(model, x[:500], y[:500], context=c[:500], budget=budget, progress=False)
    assert s.score(x[500:], y[500:], c[500:]) > 0.99
    for context in ([-0.5], [0.1], [0.8]):
        decision = icnn.minimize(s, context=context)
        assert np.square(decision.x[0] - np.sin(3 * context[0])) < 0.1  # of a range up to 9
        assert 0 <= decision.gap <= 1e-9 * decision.scale


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: icnn.PICNN(2, 0), BadData, "n_context must be a whole number of at least 1"),
        (lambda: icnn.PICNN(2, 1, (4, 4), activation="abs"), NotConvex, "abs may decrease"),
        (lambda: icnn.PICNN(2, 1, context_hidden=3), BadData, "context_hidden lists the units"),
        (lambda: HyperICNN(2, 1, positivity="no"), BadData, "positivity is one of"),
        (
            lambda: icnn.PICNN(2, 1, context_activation="tanh"),
            BadData,
            "context_activation is one of silu, relu, softplus, not 'tanh'",
        ),
        (lambda: icnn.MaxAffine(2, n_context=-1), BadData, "n_context must be"),
        (lambda: icnn.LogSumExp(2, temperature=0.0), BadData, "positive temperature"),
        (lambda: icnn.FICNN(2, monotone=(1,)), BadData, r"lists \+1, 0 or -1 for each of 2"),
        (lambda: icnn.FICNN(2, monotone=(1, 2)), BadData, r"not \(1, 2\)"),
        (lambda: icnn.FICNN(2, (4,), "abs", monotone=(1, 0)), BadData, "never decreases"),
        (
            lambda: icnn.PICNN(2, 3)(torch.zeros(5, 2)),
            BadData,
            "the context is none, but PICNN takes one of 3 numbers",
        ),
        (
            lambda: icnn.PICNN(2, 3)(torch.zeros(5, 2), torch.zeros(2)),
            BadData,
            r"the context is \(2,\), but PICNN takes one of 3",
        ),
        (
            lambda: icnn.FICNN(2)(torch.zeros(5, 2), torch.zeros(1)),
            BadData,
            r"the context is \(1,\), but FICNN takes none",
        ),
        (
            lambda: icnn.Network(icnn.PICNN(2, 1).lower(torch.zeros(5, 1)).layers),
            BadData,
            "a Network holds one context",
        ),
    ],
)
def test_refused_with_a_sentence(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


@pytest.mark.parametrize(
    "make",
    [
        icnn.PICNN,
        HyperICNN,
        lambda n, m, **o: icnn.MaxAffine(n, 5, n_context=m, **o),
        lambda n, m, **o: icnn.LogSumExp(n, 5, n_context=m, **o),
        lambda n, m, **o: models.Quadratic(n, n_context=m, context_hidden=(4,), **o),
        lambda n, m, **o: models.NormTerm(n, n_context=m, context_hidden=(4,), **o),
        lambda n, m, **o: models.GroupMax(n, (4,), n_context=m, **o),
    ],
)
def test_a_context_activation_is_that_of_the_path_only(make):
    """Same initial values, other functions of the context; kept in the configuration."""
    seen = {}
    for name in ("silu", "relu", "softplus"):
        model = make(2, 3, context_activation=name).double()
        path = next(part for part in model.modules() if isinstance(part, ContextPath))
        with torch.no_grad():
            seen[name] = model(POINTS, CONTEXTS)
            assert torch.equal(rebuilt(model).double()(POINTS, CONTEXTS), seen[name])
            u = torch.nn.functional.linear(CONTEXTS, path.A[0], path.b[0])
            wanted = torch.cat([CONTEXTS, getattr(torch.nn.functional, name)(u)], -1)
            torch.testing.assert_close(path(CONTEXTS), wanted, rtol=0, atol=0)
    assert not torch.equal(seen["silu"], seen["relu"])
    assert not torch.equal(seen["silu"], seen["softplus"])


def gated(gate, h):
    """A network of two layers with a gate between them and a factor on x."""
    V = np.array([[1.0, -1.0], [0.5, 2.0]])
    out = icnn.Layer(IDENTITY, np.zeros((1, 2)), np.zeros(1), ((0, np.ones((1, 2)), gate),))
    return icnn.Network((icnn.Layer(RELU, V, np.zeros(2), (), h), out))


def test_the_constructor_folds_gates():
    f = gated(np.array([2.0, 0.0]), np.array([3.0, -1.0]))
    assert f([1.0, 1.0]) == 2 * max(3.0 + 1.0, 0)
    assert [len(edge) for edge in f.layers[1].W] == [2]
    with pytest.raises(NotConvex, match="layer 1, row 0, column 1"):
        gated(np.array([1.0, -1.0]), np.ones(2))
    with pytest.raises(BadData, match=r"layer 1: a gate \(1,\) must be \(2,\)"):
        gated(np.ones(1), np.ones(2))
    with pytest.raises(BadData, match=r"layer 0: a gate \(3,\) must be \(2,\)"):
        gated(np.ones(2), np.ones(3))
