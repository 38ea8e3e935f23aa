"""The three problems of LPCF (arXiv 2506.04183), from the examples of its repository cvxgrp/lpcf.

Generators, seeds and settings are those of example_pwa.py, example_battery.py and
example_adp_nonlinear_pendulum.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from benchmarks import pendulum

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """Variables (N, n), parameters (N, p) and values (N,)."""

    x: Array
    theta: Array
    y: Array


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to learn from and to test on, their settings of `PCF` and of its fit, and the score."""

    train: Rows
    test: Rows
    network: dict[str, Any]
    fit: dict[str, Any]
    score: Callable[[Array, Array], dict[str, float]]  # predictions on both -> figures


def r2(y: Array, predicted: Array) -> float:
    return float(1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum())


def rms(error: Array) -> float:
    return float(np.sqrt(np.square(error).mean()))


def pwa() -> Problem:
    """s⁺ (x − m)₊ + s⁻ (m − x)₊ + v on [-1, 1]; half of the parameters give a convex function."""

    def value(x: Array, theta: Array) -> Array:
        up, down, m, v = theta.T
        return up * np.maximum(x - m, 0) + down * np.maximum(m - x, 0) + v

    def crossed(grid: Array, thetas: Array, pairs: list[tuple[int, int]]) -> Rows:
        where = np.array(pairs)
        x, theta = grid[where[:, 0]], thetas[where[:, 1]]
        return Rows(x[:, None], theta, value(x, theta))

    thetas = -1 + 2 * np.random.RandomState(3).rand(2000, 4)
    train = crossed(np.linspace(-1, 1, 50), thetas, list(product(range(50), range(2000))))
    rng = np.random.RandomState(0)
    thetas = np.array([-1 + 2 * rng.rand(4) for _ in range(1000)])
    pairs = [(j, k) for k, j in product(range(1000), range(100))]
    test = crossed(np.linspace(-1, 1, 100), thetas, pairs)
    convex = test.theta[:, 0] >= -test.theta[:, 1]

    def score(_: Array, predicted: Array) -> dict[str, float]:
        error = test.y - predicted
        return {"rms convex": rms(error[convex]), "rms": rms(error)}

    return Problem(train, test, {}, {}, score)


def battery() -> Problem:
    """Capacity lost by a battery, of charge and current; parameters are throughput and heat."""
    scale, z, alpha, beta, eta = 1000.0, 0.60, 28.966, 74.112, 152.5

    def value(x: Array, theta: Array) -> Array:
        (q, b), (A, T) = x.T, theta.T
        heat = np.exp((-31500.0 + eta * b) / (8.3145 * (273.15 + T)))
        return scale * z * A ** (z - 1) * np.abs(b) * (alpha * q + beta) * heat

    def grids(seed: int, thetas: int, points: int) -> Rows:
        rng = np.random.RandomState(seed)
        theta = np.array([[0, 10] + np.array([50, 40]) * rng.rand(2) for _ in range(thetas)])
        x = np.array(list(product(np.linspace(0.2, 0.8, points), np.linspace(0, 30, points))))
        x, theta = np.tile(x, (thetas, 1)), np.repeat(theta, points**2, 0)
        return Rows(x, theta, value(x, theta))

    train, test = grids(3, 1000, 10), grids(0, 10, 100)
    network = {"widths": [5, 5], "widths_psi": [10], "activation": "logistic"}
    fit = {"rho_th": 0.0, "adam_epochs": 1000, "lbfgs_epochs": 4000}

    def score(_: Array, predicted: Array) -> dict[str, float]:
        return {"rms": rms((test.y - predicted) / scale)}

    return Problem(train, test, network, fit, score)


def value_function() -> Problem:
    """Least cost of swinging a pendulum up from x, with its mass as the parameter."""
    states, masses = pendulum.draws()
    costs = pendulum.optimal_costs(states, masses)
    order = np.random.RandomState(0).permutation(len(costs))
    first, rest = order[:700], order[700:]
    train = Rows(states[first], masses[first, None], costs[first])
    test = Rows(states[rest], masses[rest, None], costs[rest])
    network = {
        "activation": "logistic",
        "activation_psi": "logistic",
        "widths": [20, 20],
        "widths_psi": [10, 10],
        "quadratic": True,
    }
    fit = {"rho_th": 1e-8, "tau_th": 0.1, "adam_epochs": 1000, "lbfgs_epochs": 5000}
    fit |= {"argmin": [pendulum.TARGET, 0.0], "penalty": 100.0}

    def score(seen: Array, predicted: Array) -> dict[str, float]:
        return {"r2 train": r2(train.y, seen), "r2": r2(test.y, predicted)}

    return Problem(train, test, network, fit, score)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "piecewise affine": pwa,
    "battery ageing": battery,
    "value function": value_function,
}
