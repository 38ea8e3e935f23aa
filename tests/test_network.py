"""The waist: every `Network` is convex, exact in float64, and closed under its operations."""

import numpy as np
import pytest
import torch
from laws import assert_convex, assert_subgradient, exact
from zoo import NETWORKS, draw

import icnn
from icnn import BadData, Layer, Network, NotConvex
from icnn.atoms import ABS, IDENTITY, RELU, Max

every = pytest.mark.parametrize("name", NETWORKS)


@every
def test_convex_on_chords(name):
    item = NETWORKS[name]
    assert_convex(item.f, item.f.n, item.width)


@every
def test_subgradients_support_and_batches_are_points(name):
    item = NETWORKS[name]
    assert_subgradient(item.f, item.f.n, item.width)


@every
def test_value_is_that_of_rational_arithmetic(name, rng):
    item = NETWORKS[name]
    x = item.width * rng.normal(size=(3, item.f.n))
    size = max(1e-300, *(float(layer.b.abs().max()) for layer in item.f.layers), *np.abs(item.f(x)))
    for point in x:
        assert float(exact(item.f, point)) == pytest.approx(
            item.f(point), abs=1e-13 * size, rel=1e-12
        )


@every
def test_operations_are_pointwise(name, rng):
    item = NETWORKS[name]
    f, n = item.f, item.f.n
    c, x = rng.normal(size=n) / item.width, item.width * rng.normal(size=(20, n))
    A, d = rng.normal(size=(n, 3)), item.width * rng.normal(size=n)
    near = dict(rtol=1e-9, atol=1e-9 * max(np.abs(f(x)).max(), 1e-300))
    np.testing.assert_allclose((f + f)(x), 2 * f(x), **near)
    np.testing.assert_allclose((np.float64(2.5) * f)(x), 2.5 * f(x), **near)
    np.testing.assert_allclose((f * 0)(x), np.zeros(20), **near)
    np.testing.assert_allclose(
        (f + icnn.affine(c, 0.5))(x), f(x) + x @ c + 0.5, rtol=1e-9, atol=1e-7
    )
    np.testing.assert_allclose((f - icnn.affine(c))(x), f(x) - x @ c, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose((3 + f - 1)(x), f(x) + 2, rtol=1e-9, atol=1e-7)
    y = item.width * rng.normal(size=(20, 3))
    np.testing.assert_allclose(f.compose_affine(A, d)(y), f(y @ A.T + d), **near)


@pytest.mark.parametrize("kind", ["ficnn-projection", "sum-softplus", "max-affine"])
def test_sum_of_different_columns_is_one_network(kind, rng):
    from zoo import fitted

    f = fitted(kind).at()
    parts = [f.compose_affine(np.eye(6)[2 * k : 2 * k + 2]) for k in range(3)]
    x = rng.normal(size=(9, 6))
    total = sum(parts)
    np.testing.assert_allclose(total(x), f(x[:, :2]) + f(x[:, 2:4]) + f(x[:, 4:]), rtol=1e-12)


@pytest.mark.parametrize(
    "x",
    [
        [0.5, 1.0],
        (0.5, 1.0),
        np.array([0.5, 1.0], np.float32),
        np.array([1, 1]),
        np.array([0.5, 9, 1])[::2],
    ],
    ids=["list", "tuple", "float32", "integer", "strided"],
)
def test_inputs_of_every_kind(x):
    f = NETWORKS["relu-2-8"].f
    assert f(x) == f(np.array(x, dtype=np.float64))
    assert f(np.asarray([x, x])).shape == (2,)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int64])
def test_tensors_give_tensors(dtype):
    f = NETWORKS["relu-2-8"].f
    value = f(torch.ones(3, 2, dtype=dtype))
    assert isinstance(value, torch.Tensor)
    assert value.tolist() == f(np.ones((3, 2))).tolist()


@every
def test_empty_batch(name):
    f = NETWORKS[name].f
    assert f(np.zeros((0, f.n))).shape == (0,)
    assert f.subgradient(np.zeros((0, f.n))).shape == (0, f.n)


def test_later_changes_of_the_arrays_do_not_reach_the_network():
    V, b, W = (torch.ones(1, 2).double(), torch.zeros(1).double(), torch.ones(1, 1).double())
    f = icnn.relu_network([V, V], [b, b], [W])
    before = f([1.0, 1.0])
    W.fill_(-5.0)
    V.fill_(0.0)
    assert f([1.0, 1.0]) == before


def test_weights_that_carry_gradients_can_be_minimised():
    f = Network(icnn.FICNN(2, (4,)).lower().layers)
    assert icnn.minimize(f, bounds=[(-1, 1)] * 2).success


def layer(atom=RELU, rows=2, n=2, W=()):
    return Layer(atom, np.ones((rows, n)), np.zeros(rows), W)


def test_negative_weight_is_named():
    V, b, W = draw(2, (3, 4), 0)
    W[0][2, 1] = -0.5
    with pytest.raises(NotConvex, match=r"layer 1, row 2, column 1: .*-0\.5.* non-negative"):
        icnn.relu_network(V, b, W)
    assert issubclass(NotConvex, ValueError)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["V", "b", "W"])
def test_entries_that_are_not_finite_are_named(part, bad):
    arrays = dict(zip("VbW", draw(2, (3,), 0), strict=True))
    arrays[part][0].flat[1] = bad
    with pytest.raises(BadData, match=rf"layer {int(part == 'W')}: {part}\[.*1\] is .*finite"):
        icnn.relu_network(**arrays)


@pytest.mark.parametrize(
    ("layers", "error", "sentence"),
    [
        ((), BadData, "at least one layer"),
        ((layer(), layer(ABS, 1, W=((0, np.ones((1, 2))),))), NotConvex, "may decrease"),
        ((layer(rows=3),), BadData, "the last layer has 3 units"),
        ((layer(), layer(rows=1, n=3)), BadData, r"must be \(rows, 2\)"),
        ((layer(), layer(rows=1, W=((1, np.ones((1, 2))),))), BadData, "does not come before"),
        ((layer(), layer(rows=1, W=((0, np.ones((1, 3))),))), BadData, r"expected \(1, 2\)"),
        ((layer(Max(2), rows=3),), BadData, "must be"),
        ((Layer(RELU, np.ones(2), np.zeros(1)),), BadData, "must be"),
        ((Layer(RELU, np.ones((4, 1, 2)), np.zeros(1)),), BadData, "must be"),
    ],
)
def test_refused_with_a_sentence(layers, error, sentence):
    with pytest.raises(error, match=sentence):
        Network(layers)


def test_an_affine_argument_needs_only_a_convex_atom(rng):
    f = Network((layer(IDENTITY), layer(ABS, 1, W=((0, np.ones((1, 2))),))))
    assert_convex(f, 2)


def test_operations_that_leave_convexity_are_refused():
    f = NETWORKS["relu-2-8"].f
    for wrong in (lambda: -f, lambda: -0.5 * f, lambda: f - f, lambda: np.nan * f):
        with pytest.raises(NotConvex, match="not convex"):
            wrong()
    with pytest.raises(BadData, match="cannot add a function of 3 inputs to one of 2"):
        f + NETWORKS["abs-3"].f
    with pytest.raises(BadData, match=r"must be \(2, m\) and \(2,\)"):
        f.compose_affine(np.eye(3))
    with pytest.raises(BadData, match=r"x has shape \(3,\), but f takes \(2,\) or \(N, 2\)"):
        f([1, 2, 3])
    with pytest.raises(BadData, match="expected L, L and L - 1"):
        icnn.relu_network([[[1.0]]], [[0.0]], [[[1.0]]])
    with pytest.raises(TypeError):
        f * f


def test_networks_compare_and_hash_by_identity():
    f, g = NETWORKS["relu-2-8"].f, NETWORKS["affine"].f
    assert f != g
    assert len({f, g, f}) == 2
    assert repr(f) == "Network(2 inputs → 8 → 1)"
