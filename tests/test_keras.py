"""from_keras: the same values and minima as a network by hand, whatever the graph looks like."""

import numpy as np
import pytest
from keras_zoo import L, held, keras, random_pair, random_sequence, stack

import icnn
from icnn import monotone

MODELS = [(make, seed) for make in (random_sequence, random_pair) for seed in range(50)]


def values(model, X):
    return model(np.asarray(X, dtype=np.float32), training=False).detach().numpy()[:, 0]


def assert_same(model, f, seed=0):
    """f is the model to float32's accuracy, on points around zero."""
    X = np.random.default_rng(seed).uniform(-2, 2, (64, f.n)).astype(np.float32)
    found, wanted = f(X), values(model, X)
    np.testing.assert_allclose(
        found, wanted, rtol=0, atol=1e-6 * (np.ptp(found) + abs(found).max())
    )
    return X


@pytest.mark.parametrize(("make", "seed"), MODELS)
def test_a_random_model_is_the_network_by_hand(make, seed):
    """Values to 1e-6 of their size in float32, to 1e-13 in float64; the same certified minimum."""
    model, by_hand = make(seed)
    f = icnn.from_keras(model)
    X = assert_same(model, f, seed)
    np.testing.assert_allclose(f(X), by_hand(X), rtol=1e-13, atol=1e-13 * np.ptp(by_hand(X)))
    found, wanted = (icnn.minimize(g, bounds=[(-2, 2)] * f.n) for g in (f, by_hand))
    assert found.success
    assert found.certified
    assert found.value == pytest.approx(wanted.value, abs=1e-6 * wanted.scale)
    assert found.bound <= by_hand(wanted.x)


@pytest.mark.parametrize("sign", [1, -1])
def test_affine_layers_are_free_wherever_they_stand(sign, rng):
    """Two negative kernels in a row make a convex function, and so does a cancelled one."""
    x = keras.Input(shape=(2,))
    h = held(L.Dense(4, activation="relu"), x, rng)
    turned = held(L.Dense(3), h, rng, sign)
    f = icnn.from_keras(keras.Model(x, held(L.Dense(1), turned, rng, sign)))
    assert [layer.units for layer in f.layers] == [4, 1]
    both = L.Concatenate()([h, h])
    half = L.Dense(1, use_bias=False)
    out = half(both)
    half.set_weights([np.r_[np.ones((4, 1)), -0.25 * np.ones((4, 1))]])
    model = keras.Model(x, out)
    assert_same(model, icnn.from_keras(model))


def test_only_the_columns_that_act_on_convex_units_are_held(rng):
    x = keras.Input(shape=(3,))
    h = L.Dense(4, activation="softplus")(x)
    joined = L.Concatenate()([x, h])
    out = L.Dense(1)
    model = keras.Model(x, out(joined))
    free, K = rng.normal(size=(3, 1)), rng.uniform(size=(4, 1))
    out.set_weights([np.r_[free, K], np.zeros(1)])
    assert_same(model, icnn.from_keras(model))
    K[2] = -1e-3
    out.set_weights([np.r_[free, K], np.zeros(1)])
    with pytest.raises(icnn.NotConvex, match=f"layer '{out.name}', row 5, column 0"):
        icnn.from_keras(model)


def test_a_part_of_width_one_serves_every_unit(rng):
    x = keras.Input(shape=(2,))
    one, many = (L.Dense(m, activation="relu")(x) for m in (1, 4))
    for merge in (L.Add, L.Maximum):
        model = keras.Model(x, held(L.Dense(1), merge()([one, many]), rng))
        assert_same(model, icnn.from_keras(model))
    same = keras.Model(x, L.Add()([one, one]))
    assert_same(same, icnn.from_keras(same))


def test_shared_layers_and_models_inside_models(rng):
    x = keras.Input(shape=(2,))
    shared = L.Dense(2, activation="elu")
    inner = stack(2, [L.Dense(3, activation="relu"), L.Dense(2)], rng)
    again = keras.Model(x, L.Add()([shared(x), inner(x)]))
    out = held(L.Dense(1), L.Add()([inner(shared(x)), again(x)]), rng)
    shared.set_weights([rng.uniform(size=(2, 2)), rng.normal(size=2)])
    model = keras.Model(x, out)
    assert_same(model, icnn.from_keras(model))


def test_scales_and_normalisations(rng):
    X = rng.normal(3, 5, (200, 2))
    known = L.Normalization(mean=[1.0, -1.0], variance=[4.0, 0.25])
    adapted, back = L.Normalization(), L.Normalization(mean=2.0, variance=9.0, invert=True)
    adapted.adapt(X)
    batch, bare = L.BatchNormalization(), L.BatchNormalization(scale=False, center=False)
    layers = [known, L.Rescaling(-0.5, offset=0.25), adapted, L.Flatten(), L.Identity()]
    layers += [L.Dense(3, activation="relu"), batch, L.GaussianNoise(1.0), L.Dense(2), bare]
    layers += [L.Rescaling([2.0, 0.0]), back, L.Dense(1)]
    model = stack(2, layers, rng)
    batch.set_weights([rng.uniform(size=3), *rng.normal(size=(2, 3)), rng.uniform(size=3)])
    bare.set_weights([rng.normal(size=2), rng.uniform(size=2)])
    assert_same(model, icnn.from_keras(model))


@pytest.mark.parametrize(
    "activation", [lambda: L.LeakyReLU(negative_slope=0.4), lambda: L.ELU(0.25), lambda: None]
)
def test_a_layer_in_the_place_of_an_activation(activation, rng):
    model = stack(2, [L.Dense(4, activation=activation()), L.Dense(1)], rng)
    assert_same(model, icnn.from_keras(model))


def test_nonneg_everywhere_is_monotone_and_a_free_kernel_is_not(rng):
    """The study's point: NonNeg on the first kernel is a promise of monotony, not of convexity."""
    layers = [L.Dense(6, "relu"), L.Dense(5, "elu"), L.Dense(1)]
    model = stack(3, layers, rng)
    f = icnn.from_keras(model)
    assert monotone(f) == (1, 1, 1)
    d = icnn.minimize(f, bounds=[(-1, 2), (0, 1), (-3, 3)])
    assert d.value == pytest.approx(f([-1, 0, -3]), abs=1e-6 * d.scale)
    K, b = (w.value.detach().numpy().copy() for w in layers[0].weights)
    K[0], K[1, 0], K[1, 1] = -K[0], -1.0, 1.0
    layers[0].set_weights([K, b])
    f = icnn.from_keras(model)
    assert monotone(f) == (-1, 0, 1)
    assert_same(model, f)


def test_training_with_the_constraint_makes_a_model_that_is_read(rng):
    """What NonNeg promises: false at the start, true after one update."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape=(2,)), L.Dense(8, "relu")])
    model.add(L.Dense(1, kernel_constraint="non_neg"))
    with pytest.raises(icnn.NotConvex, match="NonNeg is set, but Keras applies it after an update"):
        icnn.from_keras(model)
    model.compile("adam", "mse")
    X = rng.normal(size=(32, 2)).astype(np.float32)
    model.fit(X, np.square(X).sum(1, keepdims=True), verbose=0)
    assert_same(model, icnn.from_keras(model))
