"""Random convex Keras models, each with the same `Network` written by hand from the same arrays."""

import os

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras", reason="pip install icnn-opt[keras]; .ci/run insists on it")
L = keras.layers

from icnn import Layer, Network  # noqa: E402
from icnn.atoms import ELU, IDENTITY, RELU, Max, Softplus, leaky_relu  # noqa: E402

ACTIVATIONS = {  # how Keras writes it: a word for Dense, or a layer of its own
    "relu": RELU,
    "leaky_relu": leaky_relu(0.2),
    "softplus": Softplus(),
    "elu": ELU(),
    "linear": IDENTITY,
}
ACTIVATION_LAYERS = {
    "ReLU": (lambda: L.ReLU(), RELU),
    "ReLU-slope": (lambda: L.ReLU(negative_slope=0.25), leaky_relu(0.25)),
    "LeakyReLU": (lambda: L.LeakyReLU(negative_slope=0.125), leaky_relu(0.125)),
    "ELU": (lambda: L.ELU(alpha=0.5), ELU(0.5)),
    "ELU-0": (lambda: L.ELU(alpha=0.0), RELU),
    "Activation": (lambda: L.Activation("softplus"), Softplus()),
}
SKIPS = ("none", "concatenate", "add", "maximum")


def numbers(weights):
    """float32 numbers, as Keras keeps them."""
    return np.asarray(weights, dtype=np.float32).astype(np.float64)


class Pair:
    """A Keras tensor and the layers of the hand-built network, grown side by side."""

    def __init__(self, r, n):
        self.r, self.n = r, n
        self.x = keras.Input(shape=(n,))
        self.h, self.units = self.x, 0  # no hidden layer yet
        self.layers = []

    def draw(self, m):
        """V (m, n), b (m,) and W (m, units) or None, of one layer."""
        V, b = numbers(self.r.normal(size=(m, self.n))), numbers(self.r.normal(size=m))
        W = numbers(self.r.uniform(0, 2, (m, self.units)) / max(self.units, 1))
        return V, b, W if self.units else None

    def edges(self, W):
        return ((len(self.layers) - 1, W),) if W is not None else ()

    def dense(self, on, K, b, **options):
        layer = L.Dense(len(b), use_bias=bool(b.any()), **options)
        out = layer(on)
        layer.set_weights([K.T, b] if layer.use_bias else [K.T])
        return out

    def grow(self, m, skip, activation):
        """One layer of m units."""
        V, b, W = self.draw(m)
        if W is None:
            out = self.dense(self.x, V, b)
        elif skip == "concatenate":
            out = self.dense(L.Concatenate()([self.x, self.h]), np.hstack([V, W]), b)
        elif skip == "add":
            free, held = self.dense(self.x, V, b), self.dense(self.h, W, 0 * b)
            out = L.Add()([free, held])
        elif skip == "maximum":
            free, held = self.dense(self.x, V, b), self.dense(self.h, W, 0 * b)
            out = L.Maximum()([held, free])
            rows = [np.stack(pair, 1).reshape(2 * m, -1) for pair in ((W, 0 * W), (0 * V, V))]
            self.layers.append(
                Layer(Max(2), rows[1], np.stack([0 * b, b], 1).ravel(), self.edges(rows[0]))
            )
            self.h, self.units, V, b, W = out, m, np.zeros((m, self.n)), np.zeros(m), np.eye(m)
        else:
            V, out = 0 * V, self.dense(self.h, W, b)
        if activation in ACTIVATIONS:
            atom, self.h = ACTIVATIONS[activation], L.Activation(activation)(out)
        else:
            make, atom = ACTIVATION_LAYERS[activation]
            self.h = make()(L.Dropout(0.3)(out))
        self.layers.append(Layer(atom, V, b, self.edges(W)))
        self.units = m

    def close(self, skip):
        self.grow(1, "none" if skip == "none" else "concatenate", "linear")
        return keras.Model(self.x, self.h), Network(tuple(self.layers))


def random_pair(seed):
    """A functional model with skips (or without), and its network by hand."""
    r = np.random.default_rng(seed)
    pair, kinds = Pair(r, int(r.integers(1, 5))), [*ACTIVATIONS, *ACTIVATION_LAYERS]
    for _ in range(int(r.integers(1, 5))):
        pair.grow(int(r.integers(1, 9)), r.choice(SKIPS), r.choice(kinds))
    return pair.close(r.choice(SKIPS))


def random_sequence(seed):
    """A Sequential of Dense layers, the first kernel free, and its network by hand."""
    r = np.random.default_rng(seed)
    n, widths = int(r.integers(1, 5)), [*r.integers(1, 9, int(r.integers(1, 5))), 1]
    model, layers, below = keras.Sequential([keras.Input(shape=(n,))]), [], 0
    for m in map(int, widths):
        word = r.choice([*ACTIVATIONS])
        K = numbers(r.uniform(0, 2, (m, below)) / below if below else r.normal(size=(m, n)))
        b = numbers(r.normal(size=m))
        model.add(L.Dense(m, activation=word, kernel_constraint="non_neg" if below else None))
        model.layers[-1].set_weights([K.T, b])
        edges = ((len(layers) - 1, K),) if below else ()
        layers.append(Layer(ACTIVATIONS[word], np.zeros((m, n)) if below else K, b, edges))
        below = m
    return model, Network(tuple(layers))


def held(layer, on, r, sign=1):
    """layer(on), with a kernel of one sign."""
    out = layer(on)
    layer.set_weights([sign * r.uniform(size=w.shape) for w in layer.weights])
    return out


def stack(n, layers, r):
    """A Sequential whose Dense kernels are non-negative and whose biases are free."""
    model = keras.Sequential([keras.Input(shape=(n,)), *layers])
    for layer in model.layers:
        if isinstance(layer, L.Dense):
            K, b = (tuple(w.shape) for w in layer.weights)
            layer.set_weights([r.uniform(size=K), r.normal(size=b)])
    return model
