"""The six decision tasks of SOC-ICNN with known optima, drawn as their authors draw them.

Liu, Hu & Peng, "SOC-ICNN" (arXiv 2604.22355), experiment 3. The order of the draws is that of
`exp3_data_gen.py` in github.com/Kanyooo/SOC-ICNN, so that a seed gives the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint

Array = NDArray[np.float64]
TASKS = {
    "simplex_socp": ("cone", "simplex"),
    "box_socp": ("cone", "box"),
    "budget_twocone_socp": ("two cones", "budget"),
    "simplex_logistic": ("logistic", "simplex"),
    "box_logsumexp": ("logsumexp", "box"),
    "budget_huber": ("huber", "budget"),
}
CONTEXT, SEED, DELTA, SHARE = 8, 2026, 0.35, 0.3  # SHARE: of the budget in the number of columns
PARTS = {"train": (10_000, 1000, 64), "test": (20_000, 200, 128)}  # seed, contexts, candidates
VALIDATION = 30_000  # our own seed: contexts to choose a model by
SETS = {"simplex": (0.08, 0.20), "box": (0.25, 0.25), "budget": (0.20, 0.20)}  # M and C scales
CONES = {"simplex": (0.2, 0.6), "box": (0.25, 0.8), "budget": (0.2, 0.7)}  # cone weights


def _softplus(a: Array) -> Array:
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0.0)


def _huber(a: Array) -> Array:
    size = np.abs(a)
    return np.where(size <= DELTA, a * a, 2.0 * DELTA * size - DELTA * DELTA)


def _norm(a: Array) -> Array:
    return np.linalg.norm(a, axis=1)


def _logsumexp(a: Array) -> Array:
    top = np.max(a, axis=1, keepdims=True)
    return np.squeeze(top + np.log(np.sum(np.exp(a - top), axis=1, keepdims=True)), axis=1)


@dataclass(frozen=True)
class Family:
    """What an objective adds to a quadratic: weighted convex functions of affine maps."""

    quadratic: float  # factor of the quadratic
    least: float  # of a weight
    weights: tuple[float, float, float]  # range, and how far a context moves them
    shifts: tuple[float, float, float]
    blocks: Callable[[int], list[int]]  # rows of each affine map
    value: Callable[[Array], Array]  # (N, rows) -> (N,), or (N, rows) with a weight a row


def family(name: str, feasible: str) -> Family:
    """The family of this name over this set."""
    cone = (1.0, 0.1, (*CONES[feasible], SETS[feasible][1]), (-0.3, 0.3, 0.25))
    families = {
        "cone": Family(*cone, lambda d: [max(4, d // 3)], _norm),
        "two cones": Family(*cone, lambda d: [max(4, d // 4), max(3, d // 5)], _norm),
        "logistic": Family(
            0.35, 0.05, (0.2, 0.7, 0.15), (-0.4, 0.4, 0.25), lambda d: [max(6, d // 3)], _softplus
        ),
        "logsumexp": Family(
            0.35,
            0.05,
            (0.2, 0.6, 0.15),
            (-0.35, 0.35, 0.22),
            lambda d: 2 * [max(4, d // 5)],
            _logsumexp,
        ),
        "huber": Family(
            0.25, 0.05, (0.1, 0.45, 0.10), (-0.3, 0.3, 0.18), lambda d: [max(8, d // 2)], _huber
        ),
    }
    return families[name]


@dataclass(frozen=True, eq=False)
class Objective:
    """The true function at one context; X (N, d) -> (N,)."""

    family: Family
    w: Array
    m: Array
    c: Array
    weights: Array
    maps: list[tuple[Array, Array]]  # A (rows, d) and the shift (rows,)

    def __call__(self, X: Array) -> Array:
        quadratic = 0.5 * self.family.quadratic * np.sum((self.w * (X - self.m)) ** 2, axis=1)
        out = quadratic + X @ self.c
        values = [self.family.value(X @ A.T - shift) for A, shift in self.maps]
        if values[0].ndim == 2:
            return np.asarray(out + np.sum(self.weights * values[0], axis=1))
        for weight, value in zip(self.weights, values, strict=True):
            out += weight * value
        return out


class Task:
    """One task in d columns: its objectives, feasible set and tables."""

    def __init__(self, name: str, d: int) -> None:
        self.name, self.d, (kind, self.feasible) = name, d, TASKS[name]
        self._tables: dict[str, tuple[Array, Array, Array]] = {}
        self.seed = SEED + 1000 * list(TASKS).index(name) + d
        self.family = family(kind, self.feasible)
        rng, (moved, priced) = np.random.default_rng(self.seed), SETS[self.feasible]
        self.m0 = _centre(self.feasible, d, rng)
        self.w = rng.uniform(0.8, 1.6, size=d)
        self.M = _normal(rng, d, CONTEXT, moved)
        self.c0 = rng.uniform(-0.30, 0.30, size=d)
        self.C = _normal(rng, d, CONTEXT, priced)
        blocks, (low, high, scale) = self.family.blocks(d), self.family.weights
        count = blocks[0] if kind in ("logistic", "huber") else len(blocks)
        self.B = _normal(rng, count, CONTEXT, scale)
        self.b = rng.uniform(low, high, size=count)
        self.maps = [_affine(rng, rows, d, self.family.shifts) for rows in blocks]

    def at(self, theta: Array) -> Objective:
        """The objective at a context (8,)."""
        m = self.m0 + self.M @ theta
        if self.feasible == "simplex":
            m = _softplus(m) + 1e-6
            m = m / np.sum(m)
        else:
            m = np.clip(m, 0.0, 1.0)
        c = np.clip(self.c0 + self.C @ theta, -2.0, 2.0)
        weights = self.family.least + _softplus(self.B @ theta + self.b)
        maps = [(A, shift + D @ theta) for A, shift, D in self.maps]
        return Objective(self.family, self.w, m, c, weights, maps)

    def table(self, part: str) -> tuple[Array, Array, Array]:
        """Contexts (N, 8), candidates (N, K, d) and values (N, K) of "train" or "test"."""
        if part not in self._tables:
            self._tables[part] = self._drawn(*PARTS[part])
        return self._tables[part]

    def _drawn(self, offset: int, contexts: int, candidates: int) -> tuple[Array, Array, Array]:
        rng = np.random.default_rng(self.seed + offset)
        found = []
        for _ in range(contexts):
            theta = rng.standard_normal(CONTEXT)
            X = _candidates(self.feasible, candidates, self.d, rng)
            found.append((theta, X, self.at(theta)(X)))
        theta, X, y = (np.array(column) for column in zip(*found, strict=True))
        return theta, X, y

    def validation(self, contexts: int) -> Array:
        """Contexts of a seed of our own, to choose a model by."""
        rng = np.random.default_rng(self.seed + VALIDATION)
        return rng.standard_normal((contexts, CONTEXT))

    @property
    def total(self) -> float | None:
        """What the columns add up to; None on the box."""
        return {"simplex": 1.0, "box": None, "budget": SHARE * self.d}[self.feasible]

    @property
    def constraints(self) -> Any:
        """The rows of the feasible set, whose bounds are 0 and 1."""
        total = self.total
        return () if total is None else LinearConstraint(np.ones((1, self.d)), total, total)

    def violation(self, x: Array) -> float:
        """How far x (d,) is from feasible, summed as the authors do."""
        total = self.total
        row = 0.0 if total is None else abs(x.sum() - total)
        return float(np.maximum(-x, 0.0).sum() + np.maximum(x - 1.0, 0.0).sum() + row)


@lru_cache(1)
def task(name: str, d: int) -> Task:
    """The task, made once."""
    return Task(name, d)


def optimum(problem: Task, f: Objective) -> tuple[Array, float]:
    """The best feasible x and its true value, by CVXPY and Clarabel."""
    import cvxpy as cp

    x = cp.Variable(problem.d)
    atoms: dict[Any, Callable[[Any], Any]] = {
        _norm: lambda a: cp.norm(a, 2),
        _softplus: cp.logistic,
        _logsumexp: cp.log_sum_exp,
        _huber: lambda a: cp.huber(a, DELTA),
    }
    atom = atoms[f.family.value]
    terms = [atom(A @ x - shift) for A, shift in f.maps]
    if len(terms) < len(f.weights):
        terms = [f.weights @ terms[0]]
    else:
        terms = [weight * term for weight, term in zip(f.weights, terms, strict=True)]
    squares = cp.sum_squares(cp.multiply(f.w, x - f.m))
    goal = cp.Minimize(0.5 * f.family.quadratic * squares + f.c @ x + sum(terms))
    inside = [x >= 0.0, x <= 1.0, *([] if problem.total is None else [cp.sum(x) == problem.total])]
    cp.Problem(goal, inside).solve(solver=cp.CLARABEL)
    best = np.asarray(x.value, dtype=np.float64)
    return best, float(f(best[None])[0])


def _normal(rng: Generator, rows: int, columns: int, scale: float) -> Array:
    return np.asarray(scale * (rng.standard_normal((rows, columns)) / np.sqrt(columns)))


def _centre(feasible: str, d: int, rng: Generator) -> Array:
    if feasible == "simplex":
        m = rng.random(d)
        return np.asarray(m / m.sum())
    low, high = (0.2, 0.8) if feasible == "box" else (0.1, 0.55)
    return rng.uniform(low, high, size=d)


def _affine(
    rng: Generator, rows: int, d: int, shifts: tuple[float, float, float]
) -> tuple[Array, Array, Array]:
    low, high, scale = shifts
    A = _normal(rng, rows, d, 1.0)
    return A, rng.uniform(low, high, size=rows), _normal(rng, rows, CONTEXT, scale)


def _candidates(feasible: str, count: int, d: int, rng: Generator) -> Array:
    if feasible == "simplex":
        return rng.dirichlet(alpha=np.ones(d), size=count)
    if feasible == "box":
        return rng.uniform(0.0, 1.0, size=(count, d))
    chunks: list[Array] = []
    while len(chunks) < count:  # chunks and not rows, as in the authors' generator
        z = rng.gamma(shape=1.0, scale=1.0, size=(max(4 * count, 256), d))
        x = SHARE * d * (z / z.sum(axis=1, keepdims=True))
        x = x[np.max(x, axis=1) <= 1.0 + 1e-12]
        if len(x):
            chunks.append(x)
    return np.concatenate(chunks)[:count]
