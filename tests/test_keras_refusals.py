"""What from_keras refuses, each with its sentence."""

import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
from keras_zoo import L, keras, stack

import icnn
from icnn import BadData, NotConvex, NotSupported

R = np.random.default_rng(0)


def sequence(*layers, n=2):
    return stack(n, [*layers, L.Dense(1)], R)


def functional(make, n=2, **options):
    x = keras.Input(shape=(n,))
    return keras.Model(x, make(x), **options)


def negative(chain=()):
    """relu units, then layers, then kernel[1, 0] = -0.25 in the layer called 'bad'."""
    bad = L.Dense(1, name="bad")
    model = stack(2, [L.Dense(3, "relu", name="convex"), bad, *chain], R)
    bad.set_weights([np.array([[1.0], [-0.25], [0.0]]), np.zeros(1)])
    return model


def spoiled(value):
    bad = L.Dense(3, "relu", name="bad")
    model = sequence(bad)
    K = np.ones((2, 3))
    K[1, 2] = value
    bad.set_weights([K, np.zeros(3)])
    return model


def quantised():
    model = sequence(L.Dense(3, "relu", name="bad"))
    with warnings.catch_warnings():  # Keras turns a torch tensor into an array of numpy 2.4
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.layers[0].quantize("int8")
    return model


def scaled_down():
    norm = L.BatchNormalization(name="bad")
    model = sequence(L.Dense(2, "relu"), norm)
    norm.set_weights(
        [np.array([1.0, -2.0]), np.zeros(2), np.zeros(2), np.full(2, 1 - norm.epsilon)]
    )
    return model


class OwnDense(L.Dense):
    def call(self, inputs):
        return -super().call(inputs)


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = L.Dense(1)

    def call(self, x):
        return self.inner(x)


class OwnFunctional(keras.Model):
    def __init__(self):
        x = keras.Input(shape=(2,))
        super().__init__(inputs=x, outputs=L.Dense(1)(x))

    def call(self, x):
        return -super().call(x)


def two_inputs():
    x, y = keras.Input(shape=(2,)), keras.Input(shape=(2,))
    return keras.Model([x, y], L.Dense(1)(L.Add()([x, y])))


def inner_with_two_outputs():
    inner = functional(lambda x: [L.Dense(1)(x), L.Dense(1)(x)], name="inner")
    return functional(lambda x: L.Add()(inner(x)))


def fixed_rows():
    x = keras.Input(batch_shape=(4, 1))
    return keras.Model(x, L.Concatenate(axis=0, name="bad")([x, x]))


def doubled(x):
    return 2.0 * x


doubled.__module__ = "mine"
FREE = 'Constrain it (kernel_constraint="non_neg") and train it.'
FROM = (
    "where it multiplies what comes from the convex layer 'convex'; there it must be non-negative"
)
REFUSED = {
    "negative": (
        negative,
        NotConvex,
        f"layer 'bad', row 1, column 0: the kernel is -0.25 {FROM}. {FREE}",
    ),
    "negative-before-linear": (
        lambda: negative([L.Dense(4), L.Rescaling(3.0), L.Dense(1)]),
        NotConvex,
        "layer 'bad', row 1, column 0: the kernel is -0.25",
    ),
    "negative-before-relu": (
        lambda: negative([L.Dense(4, "relu"), L.Dense(1)]),
        NotConvex,
        "layer 'bad', row 1, column 0: the kernel is -0.25",
    ),
    "negative-scale": (
        lambda: sequence(L.Dense(2, "relu"), L.Rescaling(-1.5, name="bad")),
        NotConvex,
        "layer 'bad', row 0, column 0: the scale is -1.5 where it multiplies",
    ),
    "negative-gamma": (
        scaled_down,
        NotConvex,
        "layer 'bad', row 1, column 1: the scale is -2 where it multiplies",
    ),
    "tanh": (
        lambda: sequence(L.Dense(2, "tanh", name="bad")),
        NotConvex,
        "layer 'bad': its activation tanh is not convex",
    ),
    "relu6": (
        lambda: sequence(L.Activation("relu6", name="bad")),
        NotConvex,
        "layer 'bad': its activation relu6 is not convex",
    ),
    "exponential": (
        lambda: sequence(L.Dense(2, "exponential", name="bad")),
        NotSupported,
        "layer 'bad': its activation exponential is not one of linear, relu, leaky_relu, softplus",
    ),
    "own-activation": (
        lambda: sequence(L.Dense(2, doubled, name="bad")),
        NotSupported,
        "layer 'bad': its activation doubled is not one of linear, relu",
    ),
    "max-value": (
        lambda: sequence(L.ReLU(max_value=6.0, name="bad")),
        NotConvex,
        "layer 'bad': ReLU with max_value=6.0 is not convex: it bends down again",
    ),
    "threshold": (
        lambda: sequence(L.ReLU(threshold=1.0, name="bad")),
        NotConvex,
        "layer 'bad': ReLU with threshold=1.0 is not convex: it jumps there",
    ),
    "steep-leak": (
        lambda: sequence(L.LeakyReLU(negative_slope=1.5, name="bad")),
        NotConvex,
        "layer 'bad': leaky ReLU is convex and non-decreasing for slopes in [0, 1], not 1.5",
    ),
    "elu-2": (
        lambda: sequence(L.ELU(alpha=2.0, name="bad")),
        NotConvex,
        "layer 'bad': ELU is convex and non-decreasing for alpha in (0, 1], not 2.0",
    ),
    "minimum": (
        lambda: functional(lambda x: L.Minimum(name="bad")([L.Dense(1)(x), L.Dense(1)(x)])),
        NotSupported,
        "layer 'bad' is a Minimum, which from_keras does not read; it reads Activation, Acti",
    ),
    "reshape": (
        lambda: sequence(L.Reshape((2,), name="bad")),
        NotSupported,
        "layer 'bad' is a Reshape, which from_keras does not read",
    ),
    "own-layer": (
        lambda: sequence(OwnDense(2, name="bad")),
        NotSupported,
        "layer 'bad' is a OwnDense, which from_keras does not read",
    ),
    "operation": (
        lambda: functional(lambda x: L.Dense(1)(x + x)),
        NotSupported,
        "(Add) is not a layer; write a + b as keras.layers.Add()([a, b])",
    ),
    "dropout-in-training": (
        lambda: functional(lambda x: L.Dense(1)(L.Dropout(0.5, name="bad")(x, training=True))),
        NotSupported,
        "layer 'bad' (Dropout) is called with True; from_keras reads layers that are called on",
    ),
    "axis": (
        fixed_rows,
        NotSupported,
        "layer 'bad' joins along axis 0, not the last one",
    ),
    "own-model": (
        OwnModel,
        NotSupported,
        "is a OwnModel with a call() of its own, whose graph cannot be read",
    ),
    "own-call": (
        OwnFunctional,
        NotSupported,
        "is a OwnFunctional with a call() of its own, whose graph cannot be read",
    ),
    "own-model-inside": (
        lambda: sequence(OwnModel()),
        NotSupported,
        "is a OwnModel with a call() of its own, whose graph cannot be read",
    ),
    "not-built": (
        lambda: keras.Sequential([L.Dense(1)], name="bad"),
        BadData,
        "model 'bad' is not built; give it a keras.Input(shape=(n,)) or call it once",
    ),
    "no-layers": (
        lambda: keras.Sequential([keras.Input(shape=(2,))], name="bad"),
        BadData,
        "model 'bad' is not built",
    ),
    "two-inputs": (
        two_inputs,
        NotSupported,
        "has 2 inputs; from_keras reads one input",
    ),
    "two-outputs": (
        lambda: functional(lambda x: [L.Dense(1)(x), L.Dense(1)(x)], name="bad"),
        NotSupported,
        "model 'bad' has 2 outputs; from_keras reads one output",
    ),
    "two-outputs-inside": (
        inner_with_two_outputs,
        NotSupported,
        "model 'inner' has 2 outputs; from_keras reads one output",
    ),
    "two-units": (
        lambda: stack(2, [L.Dense(2)], R),
        NotSupported,
        "ends with 2 units; a function has one, so end with Dense(1)",
    ),
    "rank-3": (
        lambda: keras.Sequential([keras.Input(shape=(5, 2)), L.Dense(1)], name="bad"),
        NotSupported,
        "model 'bad' takes inputs of shape (None, 5, 2); a function of n columns takes (None, n)",
    ),
    "whole-numbers": (
        lambda: keras.Sequential([keras.Input((2,), dtype="int32"), L.Dense(1)], name="bad"),
        NotSupported,
        "model 'bad' takes inputs of type int32, and rounds all others",
    ),
    "nan": (lambda: spoiled(np.nan), BadData, "layer 'bad': kernel[1, 2] is nan"),
    "inf": (lambda: spoiled(np.inf), BadData, "layer 'bad': kernel[1, 2] is inf"),
    "quantised": (
        quantised,
        NotSupported,
        "layer 'bad' is quantised: its kernel is int8",
    ),
    "not-a-model": (lambda: [1.0], BadData, "model must be a Keras 3 model, not list"),
    "a-layer": (lambda: L.Dense(1), BadData, "model must be a Keras 3 model, not Dense"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_sentence(name):
    make, error, sentence = REFUSED[name]
    model = make()
    with pytest.raises(error) as caught:
        icnn.from_keras(model)
    assert sentence in str(caught.value)


def test_every_activation_of_keras_is_read_or_refused_by_name():
    known = {"linear", "relu", "leaky_relu", "softplus", "elu"}
    for function in {
        f for f in vars(keras.activations).values() if isinstance(f, types.FunctionType)
    }:
        if function.__name__ in {"get", "serialize", "deserialize"}:
            continue
        model = sequence(L.Activation(function))
        if function.__name__ in known:
            assert icnn.from_keras(model).n == 2
        else:
            with pytest.raises(
                (NotConvex, NotSupported), match=f"activation {function.__name__} is"
            ):
                icnn.from_keras(model)


def test_activations_called_not_convex_are_not():
    """A chord lies below each of them somewhere on each unit it makes."""
    from icnn.interop.vocabulary import NOT_CONVEX

    x = np.linspace(-8, 8, 1601)
    for name in NOT_CONVEX - {"glu", "softmax", "log_softmax", "sparsemax", "threshold"}:
        f = keras.activations.get(name)
        y = f(keras.ops.convert_to_tensor(x)).numpy()
        bend = y[:-2] + y[2:] - 2 * y[1:-1]
        assert bend.min() < -1e-6, name
    for name in ("softmax", "log_softmax", "sparsemax"):
        pair = keras.ops.convert_to_tensor(np.stack([x, 0 * x], 1))
        y = keras.activations.get(name)(pair).numpy()
        assert (y[:-2] + y[2:] - 2 * y[1:-1]).min() < -1e-6, name


def test_the_constraint_is_named_when_it_is_set_but_has_not_acted():
    bad = L.Dense(1, kernel_constraint="non_neg", name="bad")
    model = stack(2, [L.Dense(3, "relu"), bad], R)
    bad.set_weights([np.array([[1.0], [2.0], [-0.5]]), np.zeros(1)])
    with pytest.raises(NotConvex, match="NonNeg is set, but Keras applies it after an update"):
        icnn.from_keras(model)


def test_without_keras_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(NotSupported, match=r"needs Keras 3 .*pip install 'icnn-opt\[keras\]'"):
        icnn.from_keras(object())


def test_keras_2_is_refused(monkeypatch):
    old = types.ModuleType("keras")
    old.__version__ = "2.15.0"
    monkeypatch.setitem(sys.modules, "keras", old)
    with pytest.raises(NotSupported, match=r"needs Keras 3, and Keras 2\.15\.0 is installed"):
        icnn.from_keras(object())


def test_import_icnn_loads_no_keras():
    code = "import sys, icnn; icnn.from_keras; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
