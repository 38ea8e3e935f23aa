"""The grid's methods without a bound: subgradients, projected Adam, and damped Newton.

Each starts from the same five feasible points where it takes several, and keeps its best value.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from benchmarks.instances import Case, within
from benchmarks.isolated import Array, Method

RATE, STEPS = 2e-3, 200  # the protocol of SOC-ICNN's decisions (arXiv 2604.22355)
ARMIJO, NEWTON, STILL = 1e-4, 50, 1e-8  # white-box Newton (arXiv 2605.04722)
SWEEPS, TINY = 50, 1e-10


def projection(case: Case) -> Callable[[Array], Array]:
    """The nearest points (B, n) of the set."""
    if case.kind == "box":
        return lambda X: np.clip(X, case.low, case.high)
    return onto_simplex if case.kind == "simplex" else partial(onto_budget, case)


def onto_simplex(X: Array) -> Array:
    """By sorting (Held, Wolfe & Crowder 1974)."""
    S = -np.sort(-X, axis=1)
    excess = (np.cumsum(S, 1) - 1) / np.arange(1, X.shape[1] + 1)
    last = (excess < S).sum(1) - 1
    return np.maximum(X - np.take_along_axis(excess, last[:, None], 1), 0.0)


def onto_budget(case: Case, X: Array) -> Array:
    """By Dykstra's alternating projections; what they leave is taken off towards the corner."""
    norms, Y = np.square(case.A).sum(1), X
    corrections = [np.zeros_like(X) for _ in range(len(case.A) + 1)]
    for _ in range(SWEEPS):
        before = Y
        for i, (row, side, norm) in enumerate(zip(case.A, case.upper, norms, strict=True)):
            Z = Y + corrections[i]
            Y = Z - np.maximum(Z @ row - side, 0.0)[:, None] / norm * row
            corrections[i] = Z - Y
        Z = Y + corrections[-1]
        Y = np.clip(Z, case.low, case.high)
        corrections[-1] = Z - Y
        if np.abs(Y - before).max() < TINY:
            break
    return within(Y, case.low, case.A, case.upper)


def values(case: Case, c: Array, X: Array) -> tuple[Array, Array]:
    """f + c·x and a subgradient at each point (B, n)."""
    return case.f(X) + X @ c, case.f.subgradient(X) + c


def adam(case: Case) -> Any:
    """Five starts, 200 steps of 2e-3, each followed by the projection."""
    project = projection(case)

    def run(c: Array) -> Array:
        X = torch.from_numpy(case.starts.copy())
        optimizer = torch.optim.Adam([X], lr=RATE)
        best, least = case.starts[0], np.inf
        for _ in range(STEPS + 1):
            value, gradient = values(case, c, X.numpy())
            if value.min() < least:
                best, least = X.numpy()[np.argmin(value)].copy(), value.min()
            X.grad = torch.from_numpy(gradient)
            optimizer.step()
            X.copy_(torch.from_numpy(project(X.numpy())))
        return best

    return run, lambda x: (x, {})


def lbfgsb(case: Case) -> Any:
    """scipy's L-BFGS-B with a subgradient in place of the gradient; it takes bounds alone."""
    if case.kind != "box":
        raise ValueError("takes bounds alone")
    bounds = list(zip(case.low, case.high, strict=True))

    def of(c: Array, x: Array) -> tuple[float, Array]:
        value, gradient = values(case, c, x[None])
        return float(value[0]), gradient[0]

    def run(c: Array) -> Any:
        found = [
            minimize(partial(of, c), x, jac=True, method="L-BFGS-B", bounds=bounds)
            for x in case.starts
        ]
        return min(found, key=lambda one: one.fun)

    return run, lambda found: (found.x, {"says": found.message[:60]})


def newton(case: Case) -> Any:
    """Damped Newton on the smooth piece at hand, in a box by two metrics (Bertsekas 1982).

    A ReLU network has no curvature on its pieces: there the step is a damped gradient step.
    """
    if case.kind != "box":
        raise ValueError("takes bounds alone")
    curve = None if case.linear else torch.func.hessian(lambda x: case.f(x).sum())
    across = float(np.linalg.norm(case.high - case.low)) / 2

    def run(c: Array) -> Array:
        x = case.starts.mean(0)
        for _ in range(NEWTON):
            value, g = (part[0] for part in values(case, c, x[None]))
            g = np.where((x <= case.low) & (g > 0) | (x >= case.high) & (g < 0), 0.0, g)
            size = np.linalg.norm(g)
            if size <= STILL:
                break
            H = np.zeros((case.n, case.n)) if curve is None else curve(torch.from_numpy(x)).numpy()
            free = g != 0
            H = H[np.ix_(free, free)] + (size / across if curve is None else STILL) * np.eye(
                free.sum()
            )
            step = np.zeros(case.n)
            step[free] = -np.linalg.solve(H, g[free])
            new = backtracked(case, c, (x, value, g, step))
            if new is None:
                break
            x = new
        return x

    return run, lambda x: (x, {})


def backtracked(case: Case, c: Array, at: tuple[Any, ...]) -> Array | None:
    """The first point of the arc with Armijo's decrease; None if halving does not find one."""
    x, value, g, step = at
    for halvings in range(40):
        new = np.clip(x + 0.5**halvings * step, case.low, case.high)
        if (new != x).any() and case.f(new) + c @ new <= value + ARMIJO * min(g @ (new - x), 0.0):
            return new
    return None


DESCENT: dict[str, Method] = {
    "L-BFGS-B": lbfgsb,
    "projected Adam": adam,
    "white-box Newton": newton,
}
