"""monotone: never wrong on the zoo, and sharp where signs decide."""

import numpy as np
import pytest
from smooth_zoo import SMOOTH
from zoo import NETWORKS

import icnn
from icnn import Layer, Network, monotone
from icnn.atoms import ABS, IDENTITY, RELU

EVERY = {**{name: item.f for name, item in NETWORKS.items()}, **SMOOTH}


def columns(signs, name):
    """The network with each first-layer column turned to this sign."""
    layers = EVERY[name].layers
    V = [np.abs(layer.V.numpy()) * np.array(signs) for layer in layers]
    parts = [(layer.atom, v, layer.b, layer.W) for layer, v in zip(layers, V, strict=True)]
    return Network(tuple(Layer(*part) for part in parts))


@pytest.mark.parametrize("name", EVERY)
def test_what_it_says_holds(name, rng):
    for f in (EVERY[name], columns([1, -1, 1, 0, -1][: EVERY[name].n], name)):
        X = rng.normal(0, 2, (200, f.n))
        for j, sign in enumerate(monotone(f)):
            moved = X + np.eye(f.n)[j] * rng.exponential(1, (200, 1))
            rise = f(moved) - f(X)
            assert not sign or (sign * rise >= -1e-12 * (1 + np.abs(f(X)))).all()


@pytest.mark.parametrize("name", ["relu-2-8-8", "leaky", "max-middle", "softplus-deep", "elu-deep"])
def test_signs_of_non_decreasing_atoms_are_seen(name):
    signs = [1, -1, 1][: EVERY[name].n]
    assert monotone(columns(signs, name)) == tuple(signs)


def test_an_atom_that_turns_hides_the_sign():
    first = Layer(ABS, [[1.0, 0.0]], [0.0])
    last = Layer(IDENTITY, [[0.0, -1.0]], [0.0], ((0, [[1.0]]),))
    assert monotone(Network((first, last))) == (0, -1)


def test_a_weight_of_zero_passes_nothing_on():
    first = Layer(RELU, [[1.0], [-1.0]], [0.0, 0.0])
    for W, sign in (([[1.0, 0.0]], 1), ([[0.0, 1.0]], -1), ([[1.0, 1.0]], 0)):
        assert monotone(Network((first, Layer(IDENTITY, [[0.0]], [0.0], ((0, W),))))) == (sign,)
    assert monotone(icnn.affine([2.0, 0.0, -1.0])) == (1, 1, -1)
