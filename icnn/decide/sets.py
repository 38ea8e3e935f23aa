"""What x may be: bounds, linear rows and integrality, from the forms that scipy users have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.decide.cones import Cone
from icnn.errors import BadData, NotSupported

Array = NDArray[np.float64]
EMPTY = 1e-6  # what the judge lets any row miss, of its size
PASSES = 10
WIDER = 1e-12  # of the terms of a row: more than the rounding of any row of a thousand columns


@final
@dataclass(frozen=True, eq=False)
class Box:
    """lower ≤ x ≤ upper, entries may be infinite."""

    lower: Array  # (n,)
    upper: Array  # (n,)


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """lower ≤ A x ≤ upper."""

    A: Any  # (m, n), scipy.sparse.csr_array
    lower: Array  # (m,)
    upper: Array  # (m,)


def settled(rows: Rows) -> Rows:
    """The rows, where one of zeros holds for every x or for none: 0 is inside its sides or not.

    A side within EMPTY of 0 counts as 0, whoever is asked: nothing else gives such a row a size.
    """
    low = (rows.lower > 0) & (rows.lower <= EMPTY)
    high = (rows.upper < 0) & (rows.upper >= -EMPTY)
    if not (low | high).any():
        return rows
    empty = abs(rows.A).sum(1) == 0
    lower = np.where(low & empty, 0.0, rows.lower)
    return Rows(rows.A, lower, np.where(high & empty, 0.0, rows.upper))


def read_bounds(bounds: Any, columns: Sequence[str], default: Box) -> Box:
    """A box from `scipy.optimize.Bounds`, pairs, or a dict by column; `default` for the rest."""
    if bounds is None:
        return _checked(default, columns)
    if isinstance(bounds, Mapping):
        lower, upper = default.lower.copy(), default.upper.copy()
        for name, pair in bounds.items():
            j = index_of(name, columns, "bounds")
            lower[j], upper[j] = _pair(pair, f"the bounds of column {name!r}")
    elif type(bounds).__name__ == "Bounds":
        lower, upper = (_spread(end, columns, "bounds") for end in (bounds.lb, bounds.ub))
    else:
        pairs = _listed(bounds)
        if len(pairs) != len(columns):
            raise BadData(
                f"bounds has {len(pairs)} pairs for {len(columns)} columns {tuple(columns)}"
            )
        lower, upper = _ends(pairs, columns)
    return _checked(Box(_ended(lower), _ended(upper)), columns)


def fix(box: Box, fixed: Mapping[str, float] | None, columns: Sequence[str]) -> Box:
    """The box with some columns held at a value inside their bounds."""
    lower, upper = box.lower.copy(), box.upper.copy()
    if fixed is not None and not isinstance(fixed, Mapping):
        raise BadData(f"fixed is a dict of column names and values, not {fixed!r}")
    for name, value in (fixed or {}).items():
        j, number = index_of(name, columns, "fixed"), _number(value, f"fixed column {name!r}")
        if not (lower[j] <= number <= upper[j] and np.isfinite(number)):
            raise BadData(
                f"fixed column {name!r} = {number:g} lies outside its bounds "
                f"[{lower[j]:g}, {upper[j]:g}]; widen bounds= to allow it"
            )
        lower[j] = upper[j] = number
    return Box(lower, upper)


def read_rows(
    constraints: Any, columns: Sequence[str], places: Sequence[int] | None = None
) -> Rows:
    """The rows of one or several `scipy.optimize.LinearConstraint`, stacked in their order.

    `places` are their positions among all constraints of the user, for the messages.
    """
    if constraints is None:
        constraints = ()
    given = list(constraints) if isinstance(constraints, list | tuple) else [constraints]
    numbered = zip(range(len(given)) if places is None else places, given, strict=True)
    blocks = [_rows_of(k, constraint, columns) for k, constraint in numbered]
    empty = Rows(sp.csr_array((0, len(columns))), np.empty(0), np.empty(0))
    blocks = blocks or [empty]
    return Rows(
        sp.csr_array(sp.vstack([block.A for block in blocks])),
        np.concatenate([block.lower for block in blocks]),
        np.concatenate([block.upper for block in blocks]),
    )


def read_integrality(integrality: Any, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Which columns are whole numbers: 0 or 1 each, as in `scipy.optimize.milp`, or by name."""
    if integrality is None:
        return np.zeros(len(columns), dtype=bool)
    if isinstance(integrality, Mapping):
        kinds = np.zeros(len(columns))
        for name, kind in integrality.items():
            kinds[index_of(name, columns, "integrality")] = _number(kind, "integrality")
    else:
        kinds = _spread(integrality, columns, "integrality")
    for kind, name in zip(kinds, columns, strict=True):
        if kind not in (0, 1):
            raise NotSupported(
                f"integrality of column {name!r} is {kind:g}; "
                "0 (continuous) and 1 (integer) are taken"
            )
    return kinds.astype(bool)


def whole(box: Box, integral: NDArray[np.bool_]) -> Box:
    """The box with the bounds of whole-number columns moved inwards to whole numbers.

    Where none lies between, lower ends above upper: nothing is feasible.
    """
    if not integral.any():
        return box
    lower = np.where(integral, np.ceil(box.lower), box.lower)
    return Box(lower, np.where(integral, np.floor(box.upper), box.upper))


def implied(box: Box, rows: Rows, cones: Sequence[Cone] = ()) -> Box:
    """Bounds that rows and cones imply, a hair wider against rounding."""
    lower, upper = box.lower.copy(), box.upper.copy()
    if not cones and not len(rows.lower):
        return box
    A = sp.csr_array(sp.vstack([rows.A, *(cone.A for cone in cones)])) if cones else rows.A
    for _ in range(PASSES):
        before = lower.copy(), upper.copy()
        sides = [(rows.lower, rows.upper), *(c.sides(lower, upper) for c in cones)]
        low, high = (np.concatenate(part) for part in zip(*sides, strict=True))
        _tighten(A, low, high, lower, upper)
        for cone in cones:
            columns, least, most = cone.around(lower, upper)
            lower[columns] = np.fmax(lower[columns], least)
            upper[columns] = np.fmin(upper[columns], most)
        if np.array_equal(before, (lower, upper)):
            break
    crossed = lower > upper  # nothing is feasible: whoever looks for a point will say so
    return Box(np.where(crossed, box.lower, lower), np.where(crossed, box.upper, upper))


def index_of(name: str, columns: Sequence[str], where: str) -> int:
    """The position of a column, or an error that lists the columns there are."""
    if name not in columns:
        raise BadData(f"{where} names column {name!r}, but the columns are {', '.join(columns)}")
    return list(columns).index(name)


def _tighten(A: Any, row_lower: Array, row_upper: Array, lower: Array, upper: Array) -> None:
    """What each row implies for each of its columns, written into `lower` and `upper`."""
    a, at = A.data, A.indices
    row = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    with np.errstate(invalid="ignore"):
        products = np.stack([a * lower[at], a * upper[at]])
    terms = np.sort(np.where(a == 0, 0.0, products), axis=0)  # least, greatest
    a = np.where(a == 0, np.nan, a)  # says nothing about its column
    ends, wider = [], []
    for side, term in ((row_lower, terms[1]), (row_upper, terms[0])):
        infinite = ~np.isfinite(term)
        value = np.where(infinite, 0.0, term)
        rest = np.bincount(row, value, A.shape[0])[row] - value
        size = np.bincount(row, np.abs(value), A.shape[0]) + np.abs(side)
        open_others = np.bincount(row, infinite, A.shape[0])[row] - infinite
        ends.append(np.where(open_others > 0, np.nan, (side[row] - rest) / a))
        wider.append(WIDER * size[row] / np.abs(a))  # covers cancellation
    for k, (end, margin) in enumerate(zip(ends, wider, strict=True)):
        end = np.where(np.isfinite(end), end, np.nan)
        below = (a > 0) == (k == 0)  # the row's lower side bounds x from below where a > 0
        for mask, bound, pick, sign in ((below, lower, np.fmax, -1), (~below, upper, np.fmin, 1)):
            pick.at(bound, at[mask], (end + sign * margin)[mask])


def _rows_of(k: int, constraint: Any, columns: Sequence[str]) -> Rows:
    from scipy.optimize import LinearConstraint

    if not isinstance(constraint, LinearConstraint):
        raise NotSupported(
            f"constraint {k} is a {type(constraint).__name__}; a constraint is a "
            "scipy.optimize.LinearConstraint, a comparison of a learned function (f <= 3.0), "
            "a set of icnn.sets or a CVXPY constraint on variable="
        )
    A = sp.csr_array(np.atleast_2d(constraint.A) if not sp.issparse(constraint.A) else constraint.A)
    A = A.astype(np.float64)
    A.sum_duplicates()
    A.eliminate_zeros()
    if A.shape[1] != len(columns):
        raise BadData(
            f"constraint {k} has {A.shape[1]} columns; x has {len(columns)}: {tuple(columns)}"
        )
    lower, upper = (
        np.broadcast_to(np.asarray(s, float), A.shape[0]) for s in (constraint.lb, constraint.ub)
    )
    if not np.isfinite(A.data).all() or np.isnan(lower).any() or np.isnan(upper).any():
        raise BadData(f"constraint {k} has an entry that is not a number; remove or replace it")
    for i in np.flatnonzero((lower > upper) | (lower == np.inf) | (upper == -np.inf)):
        raise BadData(
            f"constraint {k}, row {i}: no number lies between {lower[i]:g} and {upper[i]:g}"
        )
    return Rows(A, np.array(lower), np.array(upper))


def _ended(ends: Array) -> Array:
    """Ends of 1e20 and more are no ends, as in every LP solver."""
    far = np.abs(ends) >= 1e20
    return np.where(far, np.copysign(np.inf, ends), ends) if far.any() else ends


def _checked(box: Box, columns: Sequence[str]) -> Box:
    right = (box.lower <= box.upper) & (box.lower < np.inf) & (box.upper > -np.inf)
    for j in [] if right.all() else np.flatnonzero(~right):
        raise BadData(
            f"column {columns[int(j)]!r}: no number lies between the bounds "
            f"{box.lower[j]:g} and {box.upper[j]:g}"
        )
    return box


def _listed(bounds: Any) -> list[Any]:
    try:
        return list(bounds)
    except TypeError:
        raise BadData(
            f"bounds are scipy.optimize.Bounds, pairs (lower, upper) or a dict, not {bounds!r}"
        ) from None


def _spread(value: Any, columns: Sequence[str], place: str) -> Array:
    try:
        values = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadData(f"{place}: {value!r} is not a number for each column") from None
    if values.shape not in ((), (1,), (len(columns),)):
        raise BadData(
            f"{place} has {values.size} entries for {len(columns)} columns {tuple(columns)}"
        )
    return np.broadcast_to(values, len(columns)).copy()


def _ends(pairs: Sequence[Any], columns: Sequence[str]) -> tuple[Array, Array]:
    """All pairs at once where they are numbers; else one by one, to name the column."""
    try:
        ends = np.array(pairs, dtype=np.float64)
    except (TypeError, ValueError):
        ends = np.empty(0)
    if ends.shape != (len(columns), 2) or np.isnan(ends).any():  # None reads as NaN
        named = zip(pairs, columns, strict=True)
        ends = np.array([_pair(pair, f"the bounds of column {name!r}") for pair, name in named])
    return ends[:, 0].copy(), ends[:, 1].copy()


def _pair(pair: Any, place: str) -> tuple[float, float]:
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise BadData(f"{place} must be a pair (lower, upper), not {pair!r}") from None
    return (
        -np.inf if low is None else _number(low, place),
        np.inf if high is None else _number(high, place),
    )


def _number(value: Any, place: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadData(f"{place}: {value!r} is not a number") from None
