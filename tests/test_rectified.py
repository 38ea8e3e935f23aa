"""The error of ReLU networks and its slopes, written out: those of autograd, however one asks."""

import pytest
import torch
from zoo import MODELS

from icnn.atoms import IDENTITY, RELU
from icnn.learn import rectified
from icnn.learn.loss import Split, batched_loss, loss
from icnn.learn.model import seeded
from icnn.learn.rectified import Rows, is_rectified, squared_errors
from icnn.network import Layer, Network

RECTIFIED = [name for name in MODELS if is_rectified(MODELS[name]().layers(None))]
N = 23
every = pytest.mark.parametrize("name", MODELS)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed)).double()


def rows():
    return Split(draw(N, 2), draw(N, seed=1), draw(N, seed=2).abs())


def models(name, count=3):
    """Models of one kind with different parameters."""
    several = [MODELS[name]().double() for _ in range(count)]
    for k, model in enumerate(several):
        model.reset_parameters(seeded(k))
    return several


def plainly(model, data):
    """The formula, by the network's own evaluation."""
    return (data.w * (model(data.x) - data.y).square()).sum() / data.w.sum()


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_what_is_written_out():
    kinds = {name.split("-")[0] for name in RECTIFIED}
    assert kinds == {"ficnn", "sum", "additive"}
    assert not {"ficnn-abs", "ficnn-smooth", "ficnn-leaky", "ficnn-elu", "terms"} & set(RECTIFIED)


@pytest.fixture(params=[1, 500, rectified.BLOCK])
def block(request, monkeypatch):
    """Rows one by one, some at once, all at once."""
    monkeypatch.setattr(rectified, "BLOCK", request.param)


@every
def test_the_loss_and_its_slopes_are_those_of_the_formula(name, block):
    for model in models(name, 2):
        data, params = rows(), list(model.parameters())
        found, expected = loss(model, data), plainly(model, data)
        assert_same(found, expected)
        assert_same(torch.autograd.grad(found, params), torch.autograd.grad(expected, params))


@every
@pytest.mark.parametrize("count", [1, 3])
def test_restarts_together_are_restarts_one_by_one(name, count, block):
    several, data = models(name, count), rows()
    params, losses = batched_loss(several)
    shares = torch.arange(1.0, count + 1).double()
    found = losses(data)
    slopes = dict(zip(params, torch.autograd.grad(shares @ found, params.values()), strict=True))
    for k, (share, model) in enumerate(zip(shares, several, strict=True)):
        expected = plainly(model, data)
        assert_same(found[k], expected)
        names, own = zip(*model.named_parameters(), strict=True)
        for parameter, slope in zip(names, torch.autograd.grad(expected, own), strict=True):
            assert_same(slopes[parameter][k], share * slope)


@every
def test_the_loss_follows_the_parameters_that_come_with_it(name):
    several, data = models(name, 2), rows()
    params, losses = batched_loss(several)
    with torch.no_grad():
        for value in params.values():
            value[0] = value[1]
        found = losses(data)
    assert_same(found, plainly(several[1], data).detach().repeat(2))


SHAPES = (
    *[(4, 2), (3, 2), (6, 2), (5, 2), (1, 2)],
    *[(4,), (3,), (6,), (5,), (1,)],
    *[(3, 4), (6, 4), (5, 4), (5, 3), (1, 5)],
)


def test_a_layer_may_be_read_twice_or_never_and_the_last_may_be_a_relu():
    weights = [draw(*shape, seed=k) for k, shape in enumerate(SHAPES)]
    weights[9] += 2.0  # so that f is not 0 everywhere
    V, b, W = weights[:5], weights[5:10], weights[10:]
    for tensor in weights:
        tensor.requires_grad_()
    edges = [(), ((0, W[0]),), ((0, W[1]),), ((0, W[2]), (1, W[3])), ((3, W[4]),)]
    atoms = [RELU, IDENTITY, RELU, RELU, RELU]
    layers = tuple(Layer(*parts) for parts in zip(atoms, V, b, edges, strict=True))
    data, f = rows(), Network._unchecked(layers)(rows().x)
    assert (f > 0).any()
    assert (f == 0).any()
    found = squared_errors(layers, Rows(data.x, data.y, data.w))[0]
    expected = (data.w * (f - data.y).square()).sum()
    assert_same(found, expected)
    slopes = torch.autograd.grad(expected, weights, allow_unused=True, materialize_grads=True)
    assert_same(torch.autograd.grad(found, weights), slopes)
