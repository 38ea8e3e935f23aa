"""Random convex functions of one variable, as (kind, f, interval), and their worst differences."""

from fractions import Fraction

import numpy as np


def affine_pieces(rng):
    s, t = rng.normal(size=(2, rng.integers(1, 8))) * 10.0 ** rng.integers(-3, 4)
    return lambda x: (np.multiply.outer(x, s) + t).max(-1)


def quadratic_pieces(rng):
    k = rng.integers(1, 8)
    c, t, s = rng.exponential(size=k), rng.uniform(-3, 3, k), rng.normal()
    return lambda x: (c * np.maximum(0, np.subtract.outer(x, t)) ** 2).sum(-1) + s * x


def largest_quadratic(rng):
    k = rng.integers(1, 5)
    c, t, o = rng.exponential(size=k), rng.uniform(-3, 3, k), rng.normal(size=k)
    return lambda x: (c * np.subtract.outer(x, t) ** 2 + o).max(-1)


def exponential_and_kink(rng):
    a, b, t, u = rng.normal(size=4)
    return lambda x: np.exp(a * x) + abs(b) * np.abs(x - t) + abs(u) * x * x


def log_sum_exp(rng):
    s, t = 3 * rng.normal(size=(2, rng.integers(1, 6)))
    return lambda x: np.log(np.exp(np.multiply.outer(x, s) + t).sum(-1))


def entropy(rng):
    a = rng.uniform(0.01, 2)
    return lambda x: a * (x + 5) * np.log(x + 5)


def power(rng):
    p, t = rng.uniform(1, 4), rng.normal()
    return lambda x: np.abs(x - t) ** p


KINDS = [
    affine_pieces,
    quadratic_pieces,
    largest_quadratic,
    exponential_and_kink,
    log_sum_exp,
    entropy,
    power,
]


def draw(kind, rng):
    """A function of that kind and an interval."""
    a = rng.uniform(-4, 3)
    return kind(rng), (a, a + rng.uniform(0.05, 4))


def worst(f, g, interval, knots):
    """The largest |f - g| on a grid that has all knots."""
    x = np.union1d(np.linspace(*interval, 701), knots)
    return np.abs(f(x) - g(x[:, None])).max()


def exact_worst(s, t, terms, interval):
    """sup |max_k (s_k x + t_k) - expansion| in rational arithmetic.

    The difference is affine between crossings of pieces and knots, so these decide.
    """
    s, t = [Fraction(v) for v in s], [Fraction(v) for v in t]
    a, b = map(Fraction, interval)
    pairs = [(i, j) for i in range(len(s)) for j in range(i) if s[i] != s[j]]
    x = [a, b, *map(Fraction, terms.knots), *((t[j] - t[i]) / (s[i] - s[j]) for i, j in pairs)]
    c = [(Fraction(ck), Fraction(xk)) for ck, xk in zip(terms.c, terms.knots, strict=True)]

    def difference(x):
        g = Fraction(terms.b0) + Fraction(terms.b1) * x + sum(ck * max(0, x - xk) for ck, xk in c)
        return abs(max(sk * x + tk for sk, tk in zip(s, t, strict=True)) - g)

    return float(max(difference(v) for v in x if a <= v <= b))
