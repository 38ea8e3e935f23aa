"""The certificate: bound ≤ f(x) for the exact f, whatever the multipliers are."""

from fractions import Fraction

import numpy as np
import pytest
from laws import exact, extended
from zoo import NETWORKS, build, draw

import icnn
from icnn.atoms import ABS, IDENTITY, RELU, Max, leaky_relu
from icnn.decide import certificate
from icnn.decide.certificate import Multipliers
from icnn.decide.decision import active_multipliers, judge
from icnn.decide.program import Program
from icnn.decide.sets import Box, Rows, implied, read_rows

KINDS = ("right", "perturbed", "noise", "not finite", "huge", "zero")


def program(f, lower, upper, A=None, low=(), high=()):
    A = np.zeros((0, f.n)) if A is None else A
    from scipy.sparse import csr_array

    rows = Rows(csr_array(A), np.asarray(low, float), np.asarray(high, float))
    columns = tuple(f"x{j}" for j in range(f.n))
    return Program(f, Box(lower, upper), rows, np.zeros(f.n, dtype=bool), columns)


def multipliers(kind, right, r):
    noise = [r.normal(0, 1, len(u)) for u in right]
    if kind == "perturbed":
        return [u * (1 + 1e-3 * v) + 1e-9 * v for u, v in zip(right, noise, strict=True)]
    if kind == "not finite":
        return [
            np.where(v > 0.5, r.choice([np.nan, np.inf, -np.inf]), u)
            for u, v in zip(right, noise, strict=True)
        ]
    factor = {"noise": 1.0, "huge": 1e12, "zero": 0.0}.get(kind)
    return right if factor is None else [factor * v for v in noise]


def active_slopes(p, x):
    return active_multipliers(p, x).slopes[0]


def bound(p, slopes, y):
    m = certificate.lagrangian(p, Multipliers((tuple(slopes),), y, np.empty(0), ()))
    return certificate.least(m, p.finite.lower, p.finite.upper)


def networks(r, count):
    """Random networks of every atom, some with cancelling biases or odd units."""
    atoms = [(RELU, IDENTITY), (ABS, RELU, IDENTITY), (Max(3), leaky_relu(0.1), IDENTITY)]
    atoms += [
        (icnn.PiecewiseLinear(((-1, 0.3), (0.5, 0.1), (2, -1))), RELU, Max(2)),
        (IDENTITY, RELU),
    ]
    for k in range(count):
        kinds = atoms[k % len(atoms)]
        f = build(int(r.integers(1, 5)), kinds, [*r.integers(1, 9, len(kinds) - 1), 1], seed=k)
        f = 10.0 ** r.integers(-6, 7) * f if k % 3 == 0 else f
        yield f.compose_affine(10.0 ** r.integers(-6, 7) * np.eye(f.n)) if k % 4 == 0 else f


def test_a_hundred_thousand_pairs():
    r, pairs = np.random.default_rng(1), 0
    for f in networks(r, 90):
        size = 10.0 ** r.integers(-3, 4)
        lower = r.normal(0, size, f.n)
        p = program(f, lower, lower + r.exponential(size, f.n))
        points = r.uniform(p.box.lower, p.box.upper, (200, f.n))
        points[: 2 * f.n] = np.where(r.random((2 * f.n, f.n)) < 0.5, p.box.lower, p.box.upper)
        f_min = extended(f, points).min()
        for kind in KINDS:
            slopes = multipliers(kind, active_slopes(p, points[0]), r)
            assert bound(p, slopes, np.zeros(0)) <= f_min, (kind, f)
            pairs += len(points)
    assert pairs >= 100_000


def test_with_rows_and_garbage_row_multipliers():
    r = np.random.default_rng(2)
    for f in networks(r, 60):
        points = np.round(r.normal(0, 2, (100, f.n)) * 64) / 64
        A = np.round(r.normal(0, 1, (3, f.n)) * 8) / 8
        at = points @ A.T
        ends = [at.min(0), np.where(r.random(3) < 0.4, np.inf, at.max(0))]
        p = program(f, points.min(0), points.max(0), A, *ends)
        for kind in KINDS:
            slopes = multipliers(kind, active_slopes(p, points[0]), r)
            y = multipliers(kind, [r.normal(0, 1, 3)], r)[0]
            assert bound(p, slopes, y) <= extended(f, points).min(), (kind, f)


def sharpest(count, seed=3):
    """(exact − bound, exact, right?) at boxes of one point."""
    r = np.random.default_rng(seed)
    for f in networks(r, count):
        for _ in range(4):
            x = r.normal(0, 3, f.n)
            p = program(f, x, x)
            value = exact(f, x)
            for kind in KINDS:
                slopes = multipliers(kind, active_slopes(p, x), r)
                least = bound(p, slopes, np.zeros(0))
                size = 1 + np.abs(extended(f, x[None]))[0] + largest(f, x)
                yield value - Fraction(least), float(size), kind


def largest(f, x):
    return max(
        np.abs(layer.V.numpy()) @ np.abs(x) + np.abs(layer.b.numpy()) for layer in f.layers[:1]
    ).max()


def test_sharpest_box_never_above_the_rational_value_and_hardly_below():
    for slack, size, kind in sharpest(100):
        assert slack >= 0, kind
        if kind in ("right", "zero"):
            assert kind == "zero" or slack <= 1e-10 * size


def steep(seed):
    """Slopes of 1e6 that cancel between active units (for x > 0) and the skip connection."""
    V, b, W = draw(4, (16,), seed)
    V[0], b[0] = 1e6 * np.abs(V[0]), np.abs(b[0])
    V[1] -= W[0] @ V[0]
    return icnn.relu_network(V, b, W)


def test_without_the_error_slack_the_bound_would_be_wrong(monkeypatch, rng):
    wrong = 0
    for seed, x in enumerate(rng.uniform(1, 2, (60, 4))):
        f = steep(seed)
        p = program(f, x, x)
        slopes = active_slopes(p, x)
        with monkeypatch.context() as patch:
            patch.setattr(certificate, "gamma", lambda terms: 0.0)
            wrong += Fraction(bound(p, slopes, np.zeros(0))) > exact(f, x)
        assert Fraction(bound(p, slopes, np.zeros(0))) <= exact(f, x)
    assert wrong >= 5


@pytest.mark.parametrize("name", NETWORKS)
def test_judge_is_exact_at_one_point(name, rng):
    f, width = NETWORKS[name].f, NETWORKS[name].width
    for x in width * rng.normal(0, 1, (3, f.n)):
        d = judge(program(f, x, x), x, [], solver="none", seconds=0.0)
        assert Fraction(d.bound) <= exact(f, x)
        assert d.value == f(x)


def test_cancelling_biases_of_a_wide_network(rng):
    V, b, W = draw(4, (64, 64), 9)
    b[0] += 1e6
    b[2] -= float((W[1] @ (W[0] @ b[0]))[0])
    f = icnn.relu_network(V, b, W)
    x = rng.normal(size=4)
    d = judge(program(f, x, x), x, [], solver="none", seconds=0.0)
    assert Fraction(d.bound) <= exact(f, x)


def test_open_columns_give_minus_infinity_not_a_small_lie(rng):
    f = NETWORKS["relu-2-8"].f
    p = program(f, np.array([-np.inf, 0.0]), np.array([1.0, np.inf]))
    for kind in KINDS:
        assert (
            bound(p, multipliers(kind, active_slopes(p, np.zeros(2)), rng), np.zeros(0)) == -np.inf
        )


@pytest.mark.parametrize("size", [1.0, 1e3, 1e9])
def test_implied_bounds_hold_exactly(size):
    """x0 ≥ (rhs − a1 u1 − a2 u2) / a0, where the difference nearly cancels."""
    from scipy.optimize import LinearConstraint

    for seed in range(100):
        r = np.random.default_rng(seed)
        a = np.r_[round(r.uniform(0.5, 2), 2), np.round(r.uniform(0.1, 3, 2), 3)]
        u = np.round(r.uniform(1, 9, 2) * size, 3)
        rhs = float(a[1:] @ u) + 1e-10 * size
        rows = read_rows(LinearConstraint(a[None], rhs, np.inf), ("x0", "x1", "x2"))
        box = implied(Box(np.array([-np.inf, 0, 0]), np.array([np.inf, *u])), rows)
        at = Fraction(rhs) - sum(Fraction(v) * Fraction(w) for v, w in zip(a[1:], u, strict=True))
        assert Fraction(box.lower[0]) <= at / Fraction(a[0])
