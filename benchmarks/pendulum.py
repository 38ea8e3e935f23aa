"""Optimal costs of swinging a pendulum up: 1,000 control problems solved side by side.

Schaller, Bemporad & Boyd (arXiv 2506.04183), repository cvxgrp/lpcf,
examples/example_adp_nonlinear_pendulum.py: model, costs, ranges and seeds are as there. They
descend with L-BFGS from no control; this is a Gauss-Newton sweep (iterative LQR) from the same
start.
"""

import numpy as np

PROBLEMS, HORIZON, STEP = 1000, 150, 0.02
GRAVITY, DAMPING, TARGET = 9.81, 0.05, np.pi  # over a length of 1 m
SPEED_COST, CONTROL_COST = 0.01, 0.001
LOW, HIGH = np.array([-np.pi / 6, -1.0]), np.array([np.pi * 7 / 6, 1.0])
MASS = (0.5, 2.0)
SWEEPS, SHARES = 100, 0.5 ** np.arange(8)
Array = np.ndarray


def draws() -> tuple[Array, Array]:
    """First states (1000, 2) and masses (1000,), each problem from a seed of its own."""
    states, masses = np.empty((PROBLEMS, 2)), np.empty(PROBLEMS)
    for k in range(PROBLEMS):
        rng = np.random.RandomState(k)
        states[k] = (HIGH - LOW) * rng.rand(2) + LOW
        masses[k] = MASS[0] + rng.rand() * (MASS[1] - MASS[0])
    return states, masses


def roll(state: Array, u: Array, mass: Array) -> tuple[Array, Array]:
    """States (steps, problems, 2) under u (steps, problems), and the costs (problems,)."""
    path = np.empty((len(u), *state.shape))
    for k, push in enumerate(u):
        path[k] = state
        state = _next(state, push, mass)
    return path, _cost(path, u)


def _next(state: Array, u: Array, mass: Array) -> Array:
    angle, speed = state[..., 0], state[..., 1]
    change = -DAMPING / mass * speed - GRAVITY * np.sin(angle) + u / mass
    return np.stack([angle + STEP * speed, speed + STEP * change], -1)


def _cost(path: Array, u: Array) -> Array:
    angle, speed = path[..., 0] - TARGET, path[..., 1]
    return (angle**2 + SPEED_COST * speed**2 + CONTROL_COST * u**2).sum(0)


def _gains(path: Array, u: Array, mass: Array) -> tuple[Array, Array, Array]:
    """Step (steps, problems), feedback (steps, problems, 2) and what is left to gain."""
    problems = len(mass)
    slope, curve = np.zeros((problems, 2)), np.zeros((problems, 2, 2))
    step, feedback = np.empty_like(u), np.empty((*u.shape, 2))
    left = np.zeros(problems)
    A = np.zeros((problems, 2, 2))
    A[:, 0, 0], A[:, 0, 1] = 1.0, STEP
    A[:, 1, 1] = 1 - STEP * DAMPING / mass
    b = STEP / mass  # of the speed alone
    weight = 2 * np.array([1.0, SPEED_COST])
    for k in reversed(range(len(u))):
        A[:, 1, 0] = -STEP * GRAVITY * np.cos(path[k, :, 0])
        pushed = curve[:, 1] * b[:, None]  # curve B
        across = np.einsum("pi,pij->pj", pushed, A)
        strength = 2 * CONTROL_COST + pushed[:, 1] * b
        pull = 2 * CONTROL_COST * u[k] + slope[:, 1] * b
        step[k], feedback[k] = -pull / strength, -across / strength[:, None]
        left += 0.5 * pull**2 / strength
        away = path[k] - np.array([TARGET, 0.0])
        slope = weight * away + np.einsum("pi,pij->pj", slope, A) + across * step[k][:, None]
        curve = np.einsum("pki,pkl,plj->pij", A, curve, A) + np.diag(weight)
        curve += across[:, :, None] * feedback[k][:, None]
    return step, feedback, left


def _try(path: Array, u: Array, mass: Array, gains: tuple) -> tuple[Array, Array, Array]:
    """The best of several shares of the step, problem by problem."""
    step, feedback, _ = gains
    state = np.broadcast_to(path[0], (len(SHARES), *path[0].shape))
    new = np.empty((len(u), len(SHARES), len(mass)))
    states = np.empty((len(u), *state.shape))
    for k in range(len(u)):
        moved = np.einsum("pi,spi->sp", feedback[k], state - path[k])
        new[k], states[k] = u[k] + SHARES[:, None] * step[k] + moved, state
        state = _next(state, new[k], mass)
    costs = _cost(states, new)
    best, one = costs.argmin(0), np.arange(len(mass))
    return states[:, best, one], new[:, best, one], costs[best, one]


def optimal_costs(state: Array, mass: Array) -> Array:
    """Least cost of each problem, at a point that gains less than 1e-12 of it."""
    u = np.zeros((HORIZON, len(mass)))
    path, cost = roll(state, u, mass)
    for _ in range(SWEEPS):
        gains = _gains(path, u, mass)
        if (gains[2] <= 1e-12 * cost).all():
            break
        found, pushed, value = _try(path, u, mass, gains)
        better = value < cost
        path[:, better], u[:, better] = found[:, better], pushed[:, better]
        cost = np.where(better, value, cost)
    return cost
