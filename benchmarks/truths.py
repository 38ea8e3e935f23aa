"""Convex functions with a known minimiser, to judge decisions and not only fits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LOW, HIGH = -2.0, 2.0  # of every column


@dataclass(frozen=True, eq=False)
class Truth:
    """A convex function on [-2, 2]^n of mean 0 and standard deviation 1 there, least at `best`."""

    f: Callable[[np.ndarray], np.ndarray]  # (N, n) -> (N,), 0 at best
    best: np.ndarray  # (n,)
    mean: float
    deviation: float

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(N, n) -> (N,)."""
        return (self.f(X) - self.mean) / self.deviation

    def regret(self, x: np.ndarray) -> float:
        """How far the truth at x is above its least value, in its standard deviations."""
        return float(self.f(x[None])[0] / self.deviation)

    def sample(self, rows: int, rng: np.random.Generator, *, noise: float) -> tuple:
        """Uniform points and noisy values; `noise` is in standard deviations of the truth."""
        X = rng.uniform(LOW, HIGH, (rows, len(self.best)))
        return X, self(X) + noise * rng.standard_normal(rows)


def truth(kind: str, n: int, seed: int) -> Truth:
    """ "smooth", "kinked" or their sum, "mixed"; every term is least at the same random point."""
    rng = np.random.default_rng([n, seed])
    best = rng.uniform(-1, 1, n)
    A, M = rng.standard_normal((n, n)), rng.standard_normal((3 * n, n))
    Q, weight = A @ A.T / n + 0.1 * np.eye(n), rng.uniform(0.2, 1.0, n)

    def smooth(X: np.ndarray) -> np.ndarray:
        d = X - best
        return 0.5 * ((d @ Q) * d).sum(1) + (np.logaddexp(0, d @ M.T) - d @ M.T / 2).mean(1)

    def kinked(X: np.ndarray) -> np.ndarray:
        d = X - best
        return np.abs(d) @ weight + np.abs(d @ M.T).max(1)

    least = float(smooth(best[None])[0])
    terms = {
        "smooth": lambda X: smooth(X) - least,
        "kinked": kinked,
        "mixed": lambda X: smooth(X) - least + np.abs(X - best).max(1),
    }
    values = terms[kind](rng.uniform(LOW, HIGH, (20000, n)))
    return Truth(terms[kind], best, float(values.mean()), float(values.std()))
