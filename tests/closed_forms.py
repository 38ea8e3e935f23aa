"""Random piecewise linear problems whose least value is known in closed form."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint

from icnn import Layer, Network, affine
from icnn.atoms import ABS, IDENTITY, RELU, Max
from icnn.sets import Simplex

FAR = 50.0


@dataclass(frozen=True)
class Case:
    """A problem, its least value, and where it is attained if that is one point."""

    f: Network
    least: float
    arguments: dict
    x: np.ndarray | None = None


def box(low, high):
    return {"bounds": Bounds(low, high)}


def row(a, low, high):
    n = len(a)
    return box(np.full(n, -FAR), np.full(n, FAR)) | {"constraints": LinearConstraint(a, low, high)}


def simplex(total=1.0):
    return {"constraints": Simplex(total)}


def single(atom, V, b):
    """atom(V x + b), a layer of its own."""
    return Network((Layer(atom, V, b),))


def separable(atom, weight, centre):
    """Σ weight · atom(x − centre)."""
    n = len(centre)
    out = Layer(IDENTITY, np.zeros((1, n)), [0.0], ((0, weight[None]),))
    return Network((Layer(atom, np.eye(n), -centre), out))


def draw(r):
    n = int(r.integers(1, 7))
    return n, r.normal(0, 2, n), r.uniform(0.1, 3, n)


def ends(r, n):
    low = r.normal(0, 2, n)
    return low, low + r.exponential(2, n)


def abs_box(r):
    n, c, w = draw(r)
    low, high = ends(r, n)
    x = np.clip(c, low, high)
    return Case(separable(ABS, w, c), w @ np.abs(x - c), box(low, high), x)


def abs_budget(r):
    """The cheapest column alone pays for the whole distance."""
    n, c, w = draw(r)
    a, side = r.uniform(0.5, 2, n) * r.choice([-1, 1], n), r.normal(0, 3)
    least = np.min(w / np.abs(a)) * abs(side - a @ c)
    return Case(separable(ABS, w, c), least, row(a, side, side))


def largest_equality(r):
    """max (x + c) with Σ x = s: all equal."""
    n, c, _ = draw(r)
    s = r.normal(0, 3)
    level = (s + c.sum()) / n
    return Case(single(Max(n), np.eye(n), c), level, row(np.ones(n), s, s), level - c)


def largest_simplex(r):
    n, c, _ = draw(r)
    least = max(c.max(), (1 + c.sum()) / n)
    return Case(single(Max(n), np.eye(n), c), least, simplex())


def chebyshev_half_space(r):
    """The sup-norm distance to a half-space: the dual norm is the 1-norm."""
    n, c, _ = draw(r)
    a, side = r.normal(size=n), r.normal(0, 3)
    f = single(Max(2 * n), np.vstack([np.eye(n), -np.eye(n)]), np.concatenate([-c, c]))
    return Case(f, max(side - a @ c, 0) / np.abs(a).sum(), row(a, side, np.inf))


def linear_simplex(r):
    _, c, _ = draw(r)
    total = r.uniform(0.1, 5)
    return Case(affine(c, 1.0), total * c.min() + 1, simplex(total))


def knapsack(r):
    """−v·x with w·x ≤ W, 0 ≤ x ≤ 1: the best by value per weight, the last in part."""
    n, _, w = draw(r)
    v, room = r.uniform(0, 3, n), r.uniform(0, w.sum())
    x, left = np.zeros(n), room
    for j in np.argsort(-v / w):
        x[j] = min(1.0, left / w[j])
        left -= x[j] * w[j]
    weight = {"constraints": LinearConstraint(w, -np.inf, room)}
    return Case(affine(-v), -v @ x, box(np.zeros(n), np.ones(n)) | weight, x)


def hinges_equality(r):
    """Σ (x − c)⁺ with Σ x = s: what the sum exceeds."""
    n, c, _ = draw(r)
    s = r.normal(0, 3)
    return Case(separable(RELU, np.ones(n), c), max(s - c.sum(), 0.0), row(np.ones(n), s, s))


LINEAR = (
    *(abs_box, abs_budget, largest_equality, largest_simplex),
    *(chebyshev_half_space, linear_simplex, knapsack, hinges_equality),
)
