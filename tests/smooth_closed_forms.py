"""Random smooth problems whose least value is known in closed form."""

import numpy as np
from closed_forms import FAR, Case, box, draw, ends, row, separable, simplex, single
from scipy.optimize import LinearConstraint

from icnn.atoms import Huber, LogSumExp, Norm, Softplus, SumSquares


def filled(c, total):
    """θ with Σ (θ − c)⁺ = total: the level of water over a floor c."""
    floor = np.sort(c)
    level = (total + np.cumsum(floor)) / np.arange(1, len(c) + 1)
    return level[np.flatnonzero(level > floor)[-1]]


def lse(v, T):
    return T * np.log(np.exp((v - v.max()) / T).sum()) + v.max()


def squares_box(r):
    n, c, w = draw(r)
    low, high = ends(r, n)
    x = np.clip(c, low, high)
    root = np.sqrt(w)
    return Case(
        single(SumSquares(n), np.diag(root), -root * c), w @ (x - c) ** 2, box(low, high), x
    )


def squares_simplex(r):
    """The projection onto the simplex."""
    n, c, _ = draw(r)
    x = np.maximum(filled(-c, 1.0) + c, 0)
    return Case(single(SumSquares(n), np.eye(n), -c), np.square(x - c).sum(), simplex(), x)


def squares_equalities(r):
    """(x − c)ᵀ Q (x − c) with A x = s."""
    n = int(r.integers(2, 7))
    c, R = r.normal(0, 2, n), r.normal(size=(n, n)) + 2 * np.eye(n)
    m = int(r.integers(1, n))
    A, s = r.normal(size=(m, n)), r.normal(0, 2, m)
    Q1A = np.linalg.solve(R.T @ R, A.T)
    step = np.linalg.solve(A @ Q1A, s - A @ c)
    rows = {"constraints": LinearConstraint(A, s, s)}
    x = c + Q1A @ step
    near = box(x - FAR, x + FAR)
    return Case(single(SumSquares(n), R, -R @ c), (s - A @ c) @ step, near | rows, x)


def squares_budget(r):
    """Σ w (x − c)² with a·x ≤ s."""
    n, c, w = draw(r)
    a, s, root = r.normal(size=n), r.normal(0, 3), np.sqrt(w)
    over = max(a @ c - s, 0.0)
    x = c - a / w * over / np.sum(a**2 / w)
    least = over**2 / np.sum(a**2 / w)
    return Case(single(SumSquares(n), np.diag(root), -root * c), least, row(a, -np.inf, s), x)


def norm_half_space(r):
    n, c, _ = draw(r)
    a, s = r.normal(size=n), r.normal(0, 3)
    least = max(s - a @ c, 0) / np.linalg.norm(a)
    return Case(single(Norm(n), np.eye(n), -c), least, row(a, s, np.inf))


def norm_box(r):
    n, c, _ = draw(r)
    low, high = ends(r, n)
    x = np.clip(c, low, high)
    return Case(single(Norm(n), np.eye(n), -c), np.linalg.norm(x - c), box(low, high))


def norm_simplex(r):
    n, c, _ = draw(r)
    x = np.maximum(filled(-c, 1.0) + c, 0)
    return Case(single(Norm(n), np.eye(n), -c), np.linalg.norm(x - c), simplex())


def lse_equality(r):
    n, c, _ = draw(r)
    s, T = r.normal(0, 3), 10 ** r.uniform(-1, 1)
    least = T * np.log(n) + (s + c.sum()) / n
    f = single(LogSumExp(n, T), np.eye(n), c)
    return Case(f, least, row(np.ones(n), s, s), (s + c.sum()) / n - c)


def lse_simplex(r):
    """The least of a symmetric convex function pours water over c."""
    n, c, _ = draw(r)
    T = 10 ** r.uniform(-1, 1)
    full = np.maximum(c, filled(c, 1.0))
    return Case(single(LogSumExp(n, T), np.eye(n), c), lse(full, T), simplex())


def lse_box(r):
    """Non-decreasing in each column: the lower corner."""
    n, c, _ = draw(r)
    low, high = ends(r, n)
    T = 10 ** r.uniform(-1, 1)
    return Case(single(LogSumExp(n, T), np.eye(n), c), lse(low + c, T), box(low, high))


def softplus_equality(r):
    n, c, _ = draw(r)
    s = r.normal(0, 3)
    level = (s - c.sum()) / n
    f = separable(Softplus(), np.ones(n), c)
    return Case(f, n * np.logaddexp(0, level), row(np.ones(n), s, s), c + level)


def huber_box(r):
    n, c, w = draw(r)
    low, high = ends(r, n)
    width = 10 ** r.uniform(-1, 1)
    miss = np.abs(np.clip(c, low, high) - c)
    value = np.where(miss <= width, miss**2, 2 * width * miss - width**2)
    return Case(separable(Huber(width), w, c), w @ value, box(low, high))


SMOOTH = (
    *(squares_box, squares_simplex, squares_equalities, squares_budget),
    *(norm_half_space, norm_box, norm_simplex),
    *(lse_equality, lse_simplex, lse_box, softplus_equality, huber_box),
)
