"""Constraints written in CVXPY as rows and cones over x and auxiliary columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.decide.cones import Cone, Kind
from icnn.decide.sets import WIDER, Box, Rows
from icnn.decide.solvers.cvxpy import modelling
from icnn.errors import BadData, NotSupported

Array = NDArray[np.float64]
BOUNDED = {"nonneg", "nonpos", "pos", "neg", "bounds"}  # attributes that become a box
WHOLE = {"integer", "boolean"}
FOREIGN = "needs a semidefinite or power cone; linear, second-order and exponential ones are taken"
CHOICE = (
    "is a choice, for which CVXPY adds whole numbers of its own; "
    "only x itself can be whole here (integrality=, or an integer variable)"
)


@final
@dataclass(frozen=True, eq=False)
class Parts:
    """What CVXPY constraints say about x (n,) and auxiliary columns after it."""

    aux: Box  # of the auxiliary columns, mostly infinite
    rows: Rows  # over (x, aux)
    cones: tuple[Cone, ...]  # over (x, aux)
    box: Box  # of x, from the variable's attributes
    integral: NDArray[np.bool_]  # (n,), from the variable's attributes


def is_cvxpy(thing: Any) -> bool:
    """Whether `thing` is CVXPY's, without loading CVXPY."""
    return any(kind.__module__.partition(".")[0] == "cvxpy" for kind in type(thing).__mro__)


def conic_parts(constraints: Mapping[int, Any], variable: Any, columns: Sequence[str]) -> Parts:
    """Rows and cones of CVXPY constraints on `variable`, canonicalised once by CVXPY.

    Args:
        constraints: each by its position in the user's list, for the messages.
        variable: the `cvxpy.Variable` that stands for x, (n,) or (n, 1).
        columns: the names of x.

    Raises:
        BadData: not a constraint, not convex (DCP), on another variable, or without its data.
        NotSupported: a semidefinite or power cone, whole numbers of CVXPY's own, or an attribute
            of the variable.
    """
    cp = modelling()
    _check_variable(variable, columns)
    for k, constraint in constraints.items():
        _check_constraint(f"constraint {k} ({_short(constraint)})", constraint, variable)
    box, integral = _attributes(variable)
    if not constraints:
        rows = Rows(sp.csr_array((0, len(columns))), np.empty(0), np.empty(0))
        return Parts(Box(np.empty(0), np.empty(0)), rows, (), box, integral)
    plain = cp.Variable(variable.shape)  # the attributes are in box and integral
    swapped = {k: _swapped(k, c, variable, plain) for k, c in constraints.items()}
    data = _data(list(swapped.values()))
    for kind, word in ((_foreign_cones, FOREIGN), (_whole_numbers, CHOICE)):
        if kind(data):
            k = next(k for k, c in swapped.items() if kind(_data([c])))
            raise NotSupported(f"constraint {k} ({_short(constraints[k])}) {word}")
    return _parts(data, plain.id, (box, integral))


def _parts(data: Any, variable_id: int, attributes: tuple[Box, NDArray[np.bool_]]) -> Parts:
    """The canonical data with the columns of x moved to the front."""
    n = len(attributes[0].lower)
    first = data["param_prob"].var_id_to_col[variable_id]
    order = np.r_[first : first + n, 0:first, first + n : data["A"].shape[1]]
    A, b = sp.csr_array(data["A"])[:, order], np.asarray(data["b"], dtype=np.float64)
    A.eliminate_zeros()
    if not (np.isfinite(A.data).all() and np.isfinite(b).all()):
        raise BadData("a CVXPY constraint has an entry that is not finite; remove or replace it")
    dims = data["dims"]
    at = dims.zero + dims.nonneg
    lower = np.concatenate([b[: dims.zero], np.full(dims.nonneg, -np.inf)])
    rows, cones = Rows(A[:at], lower, b[:at].copy()), []
    sizes = [(Kind.SECOND_ORDER, m) for m in dims.soc] + [(Kind.EXPONENTIAL, 3)] * dims.exp
    for kind, m in sizes:
        cones.append(Cone(kind, -A[at : at + m], b[at : at + m].copy()))
        at += m
    return Parts(_mirrored(rows, n), rows, tuple(cones), *attributes)


def _mirrored(rows: Rows, n: int) -> Box:
    """Bounds of the auxiliary columns from pairs such as s ≤ t and −s ≤ t, which give 0 ≤ 2 t.

    With s free, no single row bounds t, and without a bound of t there is no certificate.
    """
    lower, upper = np.full(rows.A.shape[1], -np.inf), np.full(rows.A.shape[1], np.inf)
    pairs: dict[tuple[int, ...], list[int]] = {}
    for i in np.flatnonzero((np.diff(rows.A.indptr) == 2) & np.isinf(rows.lower)).tolist():
        at = rows.A.indices[slice(*rows.A.indptr[i : i + 2])]
        pairs.setdefault(tuple(sorted(at.tolist())), []).append(i)
    for columns, found in pairs.items():
        for both in map(list, combinations(found, 2)):
            total = rows.A[both][:, list(columns)].toarray().sum(0)
            for j, a in zip(columns, total, strict=True):
                if a == total.sum() != 0.0:  # the other column cancels
                    sides = rows.upper[both]
                    end = (sides.sum() + WIDER * np.abs(sides).sum()) / a
                    if a < 0:
                        lower[j] = max(lower[j], end)
                    else:
                        upper[j] = min(upper[j], end)
    return Box(lower[n:], upper[n:])


def _data(constraints: list[Any]) -> Any:
    """b − A v in zero, non-negative, second-order and exponential cones, in this order."""
    cp = modelling()
    problem = cp.Problem(cp.Minimize(0), constraints)
    return problem.get_problem_data("CLARABEL", ignore_dpp=True)[0]


def _foreign_cones(data: Any) -> bool:
    return any(getattr(data["dims"], name, ()) for name in ("psd", "p3d", "pnd"))


def _whole_numbers(data: Any) -> bool:
    """Whether columns that CVXPY added, as for a finite set, are whole; x itself is plain here."""
    attributes = data["param_prob"].x.attributes
    return bool(attributes["boolean"]) or bool(attributes["integer"])


def _swapped(k: int, constraint: Any, variable: Any, plain: Any) -> Any:
    """The constraint on `plain`, a variable without attributes, instead of `variable`."""
    place = f"constraint {k} ({_short(constraint)})"
    try:
        swapped = constraint.tree_copy({id(variable): plain})
    except ValueError as error:  # an atom for booleans alone
        raise NotSupported(f"{place} {CHOICE}; CVXPY says: {error}") from None
    if not swapped.is_dcp():
        raise NotSupported(
            f"{place} is convex only by an attribute of {variable.name()}, which is read as a "
            "bound here; write it so that it is convex for every x"
        )
    return swapped


def _short(constraint: Any) -> str:
    text = " ".join(str(constraint).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_variable(variable: Any, columns: Sequence[str]) -> None:
    cp, n = modelling(), len(columns)
    if not isinstance(variable, cp.Variable):
        raise BadData(f"variable is the cvxpy.Variable of the constraints, not {variable!r}")
    if variable.shape not in ((n,), (n, 1)):
        raise BadData(
            f"variable has shape {variable.shape}; x has {n} columns, {', '.join(columns)}, "
            f"so it has shape ({n},) or ({n}, 1)"
        )


def _check_constraint(place: str, constraint: Any, variable: Any) -> None:
    cp = modelling()
    if isinstance(constraint, bool | np.bool_):
        raise BadData(f"{place} is a plain truth value: it compares numbers, not the variable")
    if isinstance(constraint, cp.Expression):
        raise BadData(f"{place} is an expression; compare it with something, as in expression <= 3")
    if not isinstance(constraint, cp.constraints.constraint.Constraint):
        raise BadData(f"{place} is a {type(constraint).__name__}, not a CVXPY constraint")
    names = [v.name() for v in constraint.variables() if v.id != variable.id]
    if names:
        raise BadData(
            f"{place} is on the variable {names[0]}, "
            f"but only {variable.name()}, the one of variable=, is decided here"
        )
    if not constraint.variables():
        raise BadData(f"{place} does not contain the variable {variable.name()}")
    for parameter in constraint.parameters():
        if parameter.value is None:
            raise BadData(f"{place}: the parameter {parameter.name()} has no value; set it first")
    if not constraint.is_dcp():
        raise BadData(
            f"{place} is not convex by CVXPY's rules (DCP): convex ≤ concave and "
            "affine == affine are; a set that is not convex has no certified minimum"
        )


def _attributes(variable: Any) -> tuple[Box, NDArray[np.bool_]]:
    """Bounds and whole numbers that the variable brings along."""
    given = {name: value for name, value in variable.attributes.items() if _is_set(value)}
    strange = sorted(set(given) - BOUNDED - WHOLE)
    if strange:
        raise NotSupported(
            f"variable has the attribute {strange[0]}; "
            f"of these {', '.join(sorted(BOUNDED | WHOLE))} are taken"
        )
    ends = [np.full(variable.shape, -np.inf), np.full(variable.shape, np.inf)]
    if "bounds" in given:
        ends = [np.broadcast_to(_value(end), variable.shape).copy() for end in given["bounds"]]
    lower, upper = ends
    if {"nonneg", "pos"} & set(given):
        lower = np.maximum(lower, 0.0)
    if {"nonpos", "neg"} & set(given):
        upper = np.minimum(upper, 0.0)
    integral = np.zeros(variable.shape, dtype=bool)
    for name in WHOLE & set(given):
        at = tuple(getattr(variable, f"{name}_idx"))
        integral[at] = True
        if name == "boolean":
            lower[at], upper[at] = np.maximum(lower[at], 0.0), np.minimum(upper[at], 1.0)
    return Box(lower.ravel(), upper.ravel()), integral.ravel()


def _is_set(value: Any) -> bool:
    return value is not None and value is not False


def _value(end: Any) -> Array:
    value = end.value if is_cvxpy(end) else end
    if value is None:
        raise BadData("a bound of variable is a parameter without a value; set it first")
    return np.asarray(value, dtype=np.float64)
