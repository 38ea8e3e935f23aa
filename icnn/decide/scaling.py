"""The scales of a program: powers of two, so that dividing by them is exact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.program import Program

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Scaling:
    """Powers of two that bring columns, units, rows and functions near 1."""

    centre: Array  # (n,)
    step: Array  # (n,)
    units: tuple[tuple[Array, ...], ...]  # of each hidden layer of each part
    rows: Array  # of the user's rows
    parts: Array  # of the objective and each learned function
    cones: Array

    def ranged(self, program: Program) -> Scaling:
        """The same with the ranges of other functions."""
        return replace(self, parts=_ranges(program))


def scaling_of(program: Program) -> Scaling:
    """Half-widths of columns, sizes of units, rows and cones, and the range of each function."""
    centre, half = program.reach
    step = np.where(program.integral | (half == 0), 1.0, _power_of_two(half))
    centre = np.where(program.integral, np.round(centre), centre)
    A = abs(program.rows.A) @ step if program.rows.A.shape[0] else np.empty(0)
    cones = [(abs(cone.A) @ step).max(initial=0.0) for cone in program.cones]
    return Scaling(
        centre,
        step,
        tuple(tuple(_power_of_two(size) for size in part.unit_sizes) for part in program.parts),
        _power_of_two(A),
        _ranges(program),
        _power_of_two(np.array(cones)),
    )


def _ranges(program: Program) -> Array:
    return _power_of_two(np.array([part.spread for part in program.parts]))


def _power_of_two(size: Array) -> Array:
    """Near `size`, so that dividing by it is exact; 1 for 0."""
    return np.exp2(np.round(np.log2(np.where(size > 0, size, 1.0))))
