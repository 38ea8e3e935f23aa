"""Trained networks for solver benchmarks: untrained ones flatter every method."""

from functools import cache

import numpy as np

import icnn


@cache
def trained(n: int, width: int, depth: int, *, steps: int = 1500, seed: int = 0) -> icnn.Network:
    """An FICNN fitted to a convex function over [-2, 2]^n, lowered.

    ½ xᵀQx + c·x + mean log(1 + e^(Mx + d)) + max|x|, with Q = AAᵀ/n + 0.1 I and normal A, c, M, d.
    """
    rng = np.random.default_rng(seed)
    A, c = rng.standard_normal((n, n)), rng.standard_normal(n)
    M, d = rng.standard_normal((3 * n, n)), rng.standard_normal(3 * n)
    Q = A @ A.T / n + 0.1 * np.eye(n)
    X = rng.uniform(-2, 2, (4000, n))
    y = 0.5 * np.einsum("ij,jk,ik->i", X, Q, X) + X @ c
    y += np.logaddexp(0, X @ M.T + d).mean(1) + np.abs(X).max(1)
    model = icnn.FICNN(n, hidden=(width,) * depth, positivity="projection")
    budget = icnn.Budget(steps=steps, restarts=1, polish=0)
    return icnn.fit(model, X, y, budget=budget, progress=False).at()
