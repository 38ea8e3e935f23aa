"""Changes: what a prepared problem is given anew, read and checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icnn.decide.program import Program
from icnn.decide.sets import Box, Rows, settled
from icnn.errors import BadData
from icnn.limit import Limit, right_side
from icnn.queries import floats

Array = NDArray[np.float64]


class Changes(NamedTuple):
    """What differs from the problem that was prepared; None where nothing does."""

    context: Any
    price: Array | None  # (n,)
    box: Box | None
    rows: Rows | None
    limits: list[float]  # in the user's units; empty where all stay


def moved_rows(program: Program, sides: Any) -> Rows | None:
    """The rows with new (lower, upper), each (m,), for the user's own."""
    old, m = program.rows, program.named_rows or 0
    if sides is None:
        return None
    if m == 0:
        raise BadData("sides were given, but the problem has no linear rows; leave sides= out")
    try:
        lower, upper = sides
    except (TypeError, ValueError):
        raise BadData(f"sides are a pair (lower, upper), not {sides!r}") from None
    ends = [np.array(old.lower), np.array(old.upper)]
    for end, new in zip(ends, (lower, upper), strict=True):
        values = floats(new, "sides")
        if values.shape not in ((), (m,)):
            raise BadData(f"sides are two arrays of {m} numbers, not of shape {values.shape}")
        if np.isnan(values).any():
            raise BadData(f"the side of row {int(np.argmax(np.isnan(values)))} is NaN")
        end[:m] = values
    for i in np.flatnonzero((ends[0] > ends[1]) | (ends[0] == np.inf) | (ends[1] == -np.inf)):
        raise BadData(f"row {i}: no number lies between {ends[0][i]:g} and {ends[1][i]:g}")
    return settled(Rows(old.A, ends[0], ends[1]))


def moved_limits(known: tuple[Limit, ...], limits: Any) -> list[float]:
    """New right-hand sides of the learned limits; None keeps one."""
    if limits is None:
        return []
    if not isinstance(limits, list | tuple | np.ndarray) or len(limits) != len(known):
        raise BadData(
            f"limits are a list of {len(known)} numbers, one per learned limit "
            f"(None keeps it), not {limits!r}"
        )
    pairs = zip(known, limits, strict=True)
    return [old.rhs if new is None else right_side(new) for old, new in pairs]
