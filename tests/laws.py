"""What must hold for every network, model and decision."""

from fractions import Fraction

import numpy as np
import torch

import icnn
from icnn.atoms import Max


def exact(f, x):
    """f(x) in rational arithmetic."""
    x, z = [Fraction(float(v)) for v in x], []
    for layer in f.layers:
        a = [sum(map(_product, row, x), Fraction(c)) for row, c in _rows(layer)]
        for source, W in layer.W:
            a = [
                s + sum(map(_product, row, z[source])) for s, row in zip(a, W.tolist(), strict=True)
            ]
        z.append(_atom(layer.atom, a))
    return z[-1][0]


def _rows(layer):
    return zip(layer.V.tolist(), layer.b.tolist(), strict=True)


def _product(w, v):
    return Fraction(w) * v if w else 0


def _atom(atom, a):
    if isinstance(atom, Max):
        return [max(a[k : k + atom.size]) for k in range(0, len(a), atom.size)]
    pieces = [(Fraction(s), Fraction(t)) for s, t in atom.pieces]
    return [max(s * v + t for s, t in pieces) for v in a]


def extended(f, X):
    """f at the rows of X in 80-bit arithmetic, 2000 times finer than float64."""
    X, z = np.asarray(X, np.longdouble), []
    for layer in f.layers:
        a = X @ layer.V.numpy().astype(np.longdouble).T + layer.b.numpy()
        for source, W in layer.W:
            a = a + z[source] @ W.numpy().astype(np.longdouble).T
        if isinstance(layer.atom, Max):
            z.append(a.reshape(len(X), -1, layer.atom.size).max(-1))
        else:
            z.append(
                np.max([np.longdouble(s) * a + np.longdouble(t) for s, t in layer.atom.pieces], 0)
            )
    return z[-1][:, 0]


def largest_bias(f):
    """What the values of f may be the difference of."""
    return max((float(layer.b.detach().abs().max()) for layer in f.layers), default=0.0)


def assert_convex(f, n, width=1.0, seed=0, tolerance=1e-12):
    """f((1 − t) a + t b) ≤ (1 − t) f(a) + t f(b) on random chords."""
    r = np.random.default_rng(seed)
    a, b = width * r.normal(0, 3, (2, 300, n))
    t = r.uniform(0, 1, 300)
    fa, fb, middle = f(a), f(b), f(a + t[:, None] * (b - a))
    size = np.abs(fa) + np.abs(fb) + np.ptp(fa)
    if isinstance(f, icnn.Network):
        size += largest_bias(f)
    assert (middle <= (1 - t) * fa + t * fb + tolerance * size).all()


def assert_lower_is_forward(model):
    """A model, its `Network` and the constructor's checked copy of it are the same function."""
    x = torch.randn(50, model.n_inputs, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        checked = icnn.Network(model.double().lower().layers)
        assert torch.equal(model(x.double()), model.lower()(x.double()))
        np.testing.assert_array_equal(checked(x.numpy()), model(x.double()).numpy())


def assert_subgradient(f, n, width=1.0, seed=0):
    """f(b) ≥ f(a) + g(a)·(b − a), and batches agree with points."""
    r = np.random.default_rng(seed)
    a, b = width * r.normal(0, 2, (2, 60, n))
    g = f.subgradient(a)
    rise = ((b - a) * g).sum(1)
    size = np.abs(f(a)) + np.abs(f(b)) + np.abs(rise) + largest_bias(f)
    assert (f(b) >= f(a) + rise - 1e-9 * size).all()
    np.testing.assert_allclose(f.subgradient(a[0]), g[0], rtol=1e-12, atol=1e-12 / width)
    np.testing.assert_allclose([f(p) for p in a], f(a), rtol=1e-12, atol=1e-14 * size.max())


def assert_feasible(d, zoo_set, width=1.0, tolerance=1e-9):
    """The decision lies in its set, by our own arithmetic."""
    t = d.x / width
    assert (t >= zoo_set.lower - tolerance).all()
    assert (t <= zoo_set.upper + tolerance).all()
    if len(zoo_set.A):
        at = zoo_set.A @ t
        assert (at >= np.array(zoo_set.sides[0]) - tolerance).all()
        assert (at <= np.array(zoo_set.sides[1]) + tolerance).all()
    if zoo_set.integral:
        np.testing.assert_array_equal(d.x, np.round(d.x))
    assert d.violation <= tolerance


def assert_certified(f, d, points):
    """bound ≤ f(x), in rational arithmetic, at the given feasible points."""
    for x in points:
        assert Fraction(d.bound) <= exact(f, x)


def assert_equivariant(f, arguments, width):
    """Shifting and scaling x and y moves the decision's value with them."""
    d = icnn.minimize(f, **arguments)
    n, tolerance = f.n, 1e-9 * d.scale
    lower, upper = (np.array(end) for end in zip(*arguments["bounds"], strict=True))
    assert (
        abs(icnn.minimize(f + 2.0 * d.scale, **arguments).value - 2 * d.scale - d.value)
        <= tolerance
    )
    for factor in (1e-6, 3.0, 1e6):
        scaled = icnn.minimize(factor * f, **arguments)
        assert abs(scaled.value / factor - d.value) <= tolerance
        shift = 0.375 * width
        moved = f.compose_affine(np.eye(n) / factor, -shift / factor * np.ones(n))
        ends = zip(factor * lower + shift, factor * upper + shift, strict=True)
        assert abs(icnn.minimize(moved, bounds=list(ends)).value - d.value) <= tolerance
    turned = f.compose_affine(np.eye(n)[::-1])
    assert abs(icnn.minimize(turned, bounds=arguments["bounds"][::-1]).value - d.value) <= tolerance
