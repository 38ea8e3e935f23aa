"""Small random problems with everything that degenerates, and points that satisfy them exactly.

Points, bounds and rows are dyadic and x is scaled by a power of two, so that A x is exact.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import LinearConstraint

from icnn import Layer, Network
from icnn.atoms import (
    ABS,
    IDENTITY,
    RELU,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
    leaky_relu,
)

ATOMS = (RELU, RELU, ABS, Max(2), Max(3), IDENTITY, leaky_relu(0.1))
SMOOTH = (
    *(Softplus(), LogSumExp(3), LogSumExp(2, 0.02), Norm(2), Norm(3)),
    *(SumSquares(2), Huber(0.7), Huber(1e-3), RELU, ABS),
)
RISING = (Softplus(), LogSumExp(3), Max(2), RELU)
VALLEY = PiecewiseLinear(((-1.5, 0.3), (-0.2, 0.1), (0.7, 0.4), (3.0, -2.0)))


@dataclass(frozen=True)
class Instance:
    """minimise f over bounds and rows; `points` (k, n) are feasible, none where nothing is."""

    f: Network
    lower: np.ndarray
    upper: np.ndarray
    A: np.ndarray
    sides: tuple[np.ndarray, np.ndarray]
    points: np.ndarray

    @property
    def arguments(self):
        rows = LinearConstraint(self.A, *self.sides) if len(self.A) else ()
        return dict(bounds=list(zip(self.lower, self.upper, strict=True)), constraints=rows)


def instance(seed, *, smooth=False):
    """The instance of a seed, piecewise linear or with smooth atoms."""
    r = np.random.default_rng(seed)
    n = int(r.integers(1, 9))
    size = 2.0 ** r.choice([0, 0, r.integers(-20, 21)])
    points = _dyadic(r, (5, n), 2.0)
    points[:, r.random(n) < 0.1] = 0.25  # a column that only one value fits, perhaps
    A, sides, points = _rows(r, points)
    low, high = points.min(0), points.max(0)
    wide = np.where(r.random(n) < 0.8, 1.0, 0.0)
    lower = low - wide * np.abs(_dyadic(r, n, 2.0))
    upper = high + wide * np.abs(_dyadic(r, n, 2.0))
    f = (smooth_network if smooth else network)(r, n).compose_affine(np.eye(n) / size)
    if len(A) and r.random() < 0.15:
        A, sides, points = _contradicted(r, A, sides, lower, upper)
    sides = tuple(size * side for side in sides)
    return Instance(f, size * lower, size * upper, A, sides, size * points)


def pinned(seed, offset):
    """As many equalities as columns or more, which rounding makes contradict a little."""
    r = np.random.default_rng(seed)
    n = int(r.integers(1, 6))
    rows, size = int(r.integers(1, n + 3)), 10.0 ** r.integers(-6, 7)
    x = offset + r.uniform(-1, 1, n)
    lower, upper = (x + s * r.exponential(size=n) * (r.random(n) < 0.8) for s in (-1.0, 1.0))
    f = (smooth_network if seed % 2 else network)(r, n)
    f = f.compose_affine(np.eye(n) / size, -offset * np.ones(n))
    A = r.normal(size=(rows, n))
    b = A @ (size * x)
    return Instance(f, size * lower, size * upper, A, (b, b), size * x[None])


def network(r, n):
    """Random layers with skips: ties, zeros, duplicates, large biases, scales of 1e-6 to 1e6."""
    depth, below, layers = int(r.integers(0, 4)), [], []
    whole = r.random() < 0.4  # small whole numbers: many ties
    for k in range(depth + 1):
        atom = IDENTITY if k == depth and r.random() < 0.7 else ATOMS[r.integers(len(ATOMS))]
        atom = VALLEY if k == 0 < depth and r.random() < 0.1 else atom
        monotone = below and any(atom is a for a in (ABS, VALLEY))
        atom = RELU if monotone else atom
        units = 1 if k == depth else int(r.integers(1, 11))
        rows = units * atom.group
        V, b = r.normal(size=(rows, n)), r.normal(size=rows)
        edges = [
            (j, r.uniform(0, 2, (rows, m)) / m) for j, m in below if j == k - 1 or r.random() < 0.2
        ]
        if whole:
            V, b = np.round(V), np.round(b)
            edges = [(j, np.round(W * W.shape[1])) for j, W in edges]
        V = V * (r.random(V.shape) < r.choice([0.0, 0.3, 0.9, 1.0], p=[0.1, 0.2, 0.3, 0.4]))
        edges = [(j, W * (r.random(W.shape) < r.choice([0.5, 1.0]))) for j, W in edges]
        if r.random() < 0.2:  # duplicated units
            V, b = np.repeat(V[:1], rows, 0), np.repeat(b[:1], rows)
            edges = [(j, np.repeat(W[:1], rows, 0)) for j, W in edges]
        if r.random() < 0.05:
            b = b + 1e6
        layers.append(Layer(atom, V, b, tuple(edges)))
        below.append((k, units))
    factor = 10.0 ** r.choice([0, 0, r.integers(-6, 7)])
    return factor * Network(tuple(layers)) + r.choice([0.0, 0.0, 1e3 * factor])


def smooth_network(r, n):
    """One or two hidden layers, the first of any smooth atom, with ties, duplicates and scales."""
    layers, below = [], 0
    depth = int(r.integers(1, 3))
    for k in range(depth + 1):
        choice = SMOOTH if k == 0 else RISING if k < depth else (IDENTITY,)
        atom = choice[r.integers(len(choice))]
        units = 1 if k == depth else int(r.integers(1, 8))
        rows = units * atom.group
        V, b = r.normal(size=(rows, n)), r.normal(size=rows)
        if r.random() < 0.3:
            V, b = np.round(V), np.round(b)
        V = V * (r.random(V.shape) < r.choice([0.3, 1.0]))
        if r.random() < 0.2:
            V, b = np.repeat(V[:1], rows, 0), np.repeat(b[:1], rows)
        edges = ((k - 1, r.uniform(0, 2, (rows, below)) / below),) if k else ()
        layers.append(Layer(atom, V, b, edges))
        below = units
    return 10.0 ** r.choice([0, 0, r.integers(-6, 7)]) * Network(tuple(layers))


def _dyadic(r, shape, reach):
    return np.round(r.uniform(-reach, reach, shape) * 64) / 64


def _rows(r, points):
    """Rows (m, n) that the points satisfy, after their last columns were moved to equalities."""
    n = points.shape[1]
    equal = int(r.choice([0, 0, 1, 2])) if n > 2 else 0
    A = np.round(r.normal(size=(equal, n)) * 2) / 2
    A[:, n - equal :] = np.eye(equal)
    side = _dyadic(r, equal, 1.0)
    points[:, n - equal :] = side - points[:, : n - equal] @ A[:, : n - equal].T
    B = np.round(r.normal(size=(int(r.choice([0, 0, 1, 2, 5])), n)) * 2) / 2
    if len(B) > 1 and r.random() < 0.4:
        B[1] = 2.0 * B[0]  # parallel
    if len(B) and r.random() < 0.1:
        B[0] = 0.0
    if equal and len(B) and r.random() < 0.3:
        B[-1] = A[0]  # what an equality says already
    at = points @ B.T
    give = np.abs(_dyadic(r, (2, len(B)), 1.0)) * (r.random((2, len(B))) < 0.5)
    low = np.where(r.random(len(B)) < 0.5, -np.inf, at.min(0, initial=np.inf) - give[0])
    high = np.where(r.random(len(B)) < 0.5, np.inf, at.max(0, initial=-np.inf) + give[1])
    stacked = np.vstack([A, B])
    return stacked, (np.r_[side, low], np.r_[side, high]), points


def _contradicted(r, A, sides, lower, upper):
    """One more row, beyond what the box can give."""
    a = A[r.integers(len(A))].copy()
    a[0] = a[0] if a.any() else 1.0
    most = np.maximum(a * lower, a * upper).sum()
    weight = np.abs(a) @ (upper - lower) + np.abs(most) + 1.0
    need = most + weight * 2.0 ** -float(r.integers(0, 14))
    low, high = sides
    return np.vstack([A, a]), (np.r_[low, need], np.r_[high, np.inf]), np.zeros((0, len(lower)))
