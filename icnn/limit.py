"""Limit: a comparison of a learned function with a number; it knows nothing of solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from icnn.errors import BadData, NotConvex

WHY = (
    "the set of such points is not convex, and its epigraph would be met by points above the "
    "surface while the function itself is not"
)


@final
@dataclass(frozen=True, eq=False)
class Limit:
    """function(x) ≤ rhs for a convex function, function(x) ≥ rhs for a concave one."""

    function: Any
    sense: str  # "<=" or ">="
    rhs: float

    def __bool__(self) -> bool:
        raise BadData("a comparison of a learned function is a constraint, not true or false")


def limit(function: Any, sense: str, rhs: Any, *, concave: bool) -> Limit:
    """The constraint `function sense rhs`.

    Raises:
        NotConvex: a convex function ≥, a concave one ≤, or an equality.
        BadData: rhs is not a finite number.
    """
    rhs = right_side(rhs)
    kind, allowed = ("concave", ">=") if concave else ("convex", "<=")
    if sense != allowed:
        raise NotConvex(
            f"a {kind} function {sense} {rhs:g} cannot be a constraint: {WHY}; only {allowed} can"
        )
    return Limit(function, sense, rhs)


def right_side(rhs: Any) -> float:
    """The number that a learned function is compared with."""
    if not isinstance(rhs, int | float | np.number) or not np.isfinite(float(rhs)):
        raise BadData(f"a learned function is compared with a finite number, not {rhs!r}")
    return float(rhs)
