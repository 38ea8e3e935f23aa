"""A certificate without bounds: minorants that rise in every open direction hold the minimum in.

Where a column has no end, or a far one, one minorant r·x + c has least value −∞ (or so) unless r is
exactly zero, which rounding does not grant. So each open direction (j, s) gets a minorant of its
own, from the program with s·δ·x_j taken off: its slope is near s·δ·e_j. If in each of them the rise
along its own direction outweighs what all other open columns can take, then f is everywhere at
least the least of the values that these minorants have with the open columns held at x*.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from icnn.decide import certificate
from icnn.decide.certificate import Minorant
from icnn.decide.program import Program
from icnn.decide.solvers.solver import AbstractSolver
from icnn.network import affine

Array = NDArray[np.float64]
TILTS = (1e-4, 1e-7, 1e-10)  # slopes tried, relative to the range of f over the reach of x


def bound_without_ends(
    program: Program, solver: AbstractSolver, x: Array, *, deadline: float
) -> float:
    """A lower bound of f over all feasible points, −∞ if the minimum is not held in."""
    best = -np.inf
    for tilt in TILTS:
        best = max(best, _bound(program, solver, x, tilt, deadline))
    return best


def _bound(
    program: Program, solver: AbstractSolver, x: Array, tilt: float, deadline: float
) -> float:
    bound = np.inf
    for sign, far in zip((-1.0, 1.0), program.far, strict=True):
        for j in np.flatnonzero(far):
            left = deadline - time.perf_counter()
            if left <= 0:
                return -np.inf
            c = np.zeros(program.n)
            c[j] = -sign * tilt * program.spread / program.reach[1][j]
            tilted = replace(program.opened, objective=program.objective + affine(c))
            answer = solver.solve(tilted, seconds=left)
            if answer.proof is None:
                return -np.inf
            m = certificate.lagrangian(program, answer.proof)
            bound = min(bound, _held(m, program, x, (int(j), sign)))
    return float(bound)


def _held(m: Minorant, program: Program, x: Array, along: tuple[int, float]) -> float:
    """The minorant's least value if it rises along its own direction by more than others take."""
    lower, upper, h = program.finite.lower, program.finite.upper, program.reach[1]
    open_down, open_up = program.far
    d, e, (j, sign) = m.slope, m.error, along
    takes = np.maximum(np.where(open_up, -d, 0.0), np.where(open_down, d, 0.0)).clip(0.0)
    takes = (takes + e) * np.where(open_up | open_down, h, 0.0)
    own = (sign * d[j] - e[j]) * h[j]
    takes[j] = 0.0
    if not own > takes.sum() * (1 + 1e-9):
        return -np.inf
    return float(certificate.least(m, np.where(open_down, x, lower), np.where(open_up, x, upper)))
