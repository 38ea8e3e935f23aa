"""CVXPY: every solver that it knows, from sparse arrays.

The only module that imports cvxpy, and only when called: `import icnn` does not load it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.decide.cones import Cone, Kind
from icnn.decide.form import Form, conic_form, not_linear
from icnn.decide.program import Program
from icnn.decide.solvers.highs import unannounced
from icnn.decide.solvers.solver import AbstractSolver, Answer, Outcome
from icnn.errors import BadData

Array = NDArray[np.float64]
# close enough for the certificate: the defaults of these leave a gap of 1e-4 of the range of f
CLOSE: dict[str, dict[str, Any]] = {
    "CLARABEL": dict(tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9),
    "HIGHS": dict(mip_rel_gap=0.0, mip_abs_gap=1e-9),
    "OSQP": dict(eps_abs=1e-9, eps_rel=1e-9, max_iter=100_000),
    "SCIPY": dict(scipy_options=dict(mip_rel_gap=0.0)),
    "SCS": dict(eps_abs=1e-8, eps_rel=1e-8, max_iters=100_000),
}


def modelling() -> Any:
    """The cvxpy package."""
    import cvxpy

    return cvxpy


@final
@dataclass(frozen=True)
class CVXPY(AbstractSolver):
    """Any installed solver of CVXPY, one matrix-level problem.

    Args:
        solver: a name from `cvxpy.installed_solvers()`.
        options: what `cvxpy.Problem.solve` passes on to that solver, as `{"max_iter": 500}`.
    """

    solver: str = "CLARABEL"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.solver, str) or not isinstance(self.options, Mapping):
            raise BadData(
                "CVXPY takes the name of a solver and a dict of its options, "
                f"not {self.solver!r} and {self.options!r}"
            )
        object.__setattr__(self, "solver", self.solver.upper())
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def refusal(self, program: Program) -> str | None:
        installed = modelling().installed_solvers()
        if self.solver not in installed:
            return f"CVXPY: no solver {self.solver} is installed; there are {', '.join(installed)}"
        whole = bool(program.integral.any())
        kinds: set[Kind] = set()
        if not_linear(program) is not None:
            kinds = {cone.kind for cone in conic_form(program).cones}
        if self._takes(whole, kinds):
            return None
        if whole and not self._takes(whole, set()):
            return f"CVXPY: {self.solver} has no branch and bound for whole numbers"
        names = " and ".join(sorted(kind.name.lower().replace("_", "-") for kind in kinds))
        both = " together with whole numbers" if whole and self._takes(False, kinds) else ""
        return f"CVXPY: {self.solver} takes no {names} cones{both}"

    def _takes(self, whole: bool, kinds: set[Kind]) -> bool:
        """Whether CVXPY finds a way from a small problem of this class to the solver."""
        cp = modelling()
        v = cp.Variable(3, integer=whole)
        cones = {
            Kind.SECOND_ORDER: cp.SOC(v[0], v[1:]),
            Kind.EXPONENTIAL: cp.ExpCone(v[0], v[1], v[2]),
        }
        problem = cp.Problem(cp.Minimize(cp.sum(v)), [v >= 0, *(cones[kind] for kind in kinds)])
        try:
            problem.get_problem_data(self.solver)
        except cp.SolverError:
            return False
        return True

    def solve(self, program: Program, *, seconds: float = math.inf, start: Any = None) -> Answer:
        cp, form = modelling(), conic_form(program)
        v, rows, cones = _problem(form)
        constraints = [constraint for _, _, constraint in rows] + [c for _, c in cones]
        problem = cp.Problem(cp.Minimize(form.c @ v + form.offset), constraints + _box(form, v))
        options = {**CLOSE.get(self.solver, {}), **self.options}
        with warnings.catch_warnings(), unannounced():
            warnings.simplefilter("ignore")  # its words on accuracy: the judge has better ones
            try:
                problem.solve(solver=self.solver, **options)
            except cp.SolverError:
                return Answer(Outcome.NO_POINT)
        outcome = Outcome.STOPPED if problem.status == cp.USER_LIMIT else Outcome.POINT
        if v.value is None or not np.isfinite(v.value).all():
            return Answer(outcome if outcome is Outcome.STOPPED else Outcome.NO_POINT)
        x = form.x(np.asarray(v.value))
        if program.integral.any():
            return Answer(outcome, x, None, _mip_bound(problem, form))
        if problem.solution.dual_vars:
            return Answer(outcome, x, form.multipliers(*_duals(form, rows, cones)))
        return Answer(outcome, x)


def _problem(form: Form) -> tuple[Any, list[tuple[Any, float, Any]], list[tuple[list[int], Any]]]:
    """The variable, (rows, sign of their dual, constraint), and (cones, constraint)."""
    cp = modelling()
    whole = tuple(np.flatnonzero(form.integral).tolist())
    v = cp.Variable(len(form.c), integer=[whole] if whole else False)
    M = sp.csr_array(
        (form.M.data, form.M.indices, np.concatenate([[0], np.cumsum(form.M.counts)])),
        shape=(len(form.M.counts), len(form.c)),
    )
    lower, upper = form.M.lower, form.M.upper
    equal = np.flatnonzero(lower == upper)
    low = np.flatnonzero(np.isfinite(lower) & (lower < upper))
    high = np.flatnonzero(np.isfinite(upper) & (lower < upper))
    rows: list[tuple[Any, float, Any]] = []
    if len(equal):
        rows.append((equal, -1.0, M[equal] @ v == lower[equal]))
    if len(low):
        rows.append((low, 1.0, M[low] @ v >= lower[low]))
    if len(high):
        rows.append((high, -1.0, M[high] @ v <= upper[high]))
    alike: dict[tuple[Kind, int], list[int]] = {}
    for k, cone in enumerate(form.cones):
        alike.setdefault((cone.kind, len(cone.b)), []).append(k)
    return v, rows, [(ks, _cone([form.cones[k] for k in ks], v)) for ks in alike.values()]


def _cone(cones: Sequence[Cone], v: Any) -> Any:
    """One constraint for cones of one kind and size."""
    cp, size = modelling(), len(cones[0].b)
    A = sp.csr_array(sp.vstack([cone.A for cone in cones]))
    b = np.concatenate([cone.b for cone in cones])
    y = [A[i::size] @ v + b[i::size] for i in range(size)]
    if cones[0].kind is Kind.EXPONENTIAL:
        return cp.ExpCone(*y)
    return cp.SOC(y[0], cp.vstack(y[1:]), axis=0)


def _box(form: Form, v: Any) -> list[Any]:
    below, above = (np.flatnonzero(np.isfinite(end)) for end in (form.lower, form.upper))
    low = [v[below] >= form.lower[below]] if len(below) else []
    return low + ([v[above] <= form.upper[above]] if len(above) else [])


def _duals(
    form: Form, rows: Sequence[tuple[Any, float, Any]], cones: Sequence[tuple[list[int], Any]]
) -> tuple[Array, tuple[Array, ...]]:
    """Row duals, positive at a lower side, and the duals of the cones."""
    row, found = np.zeros(len(form.M.lower)), [np.empty(0)] * len(form.cones)
    for index, sign, constraint in rows:
        row[index] += sign * constraint.dual_value
    for ks, constraint in cones:
        each = np.vstack([np.atleast_2d(part) for part in constraint.dual_value])
        for k, w in zip(ks, each.T, strict=True):
            found[k] = w
    return row, tuple(found)


def _mip_bound(problem: Any, form: Form) -> float | None:
    """The solver's bound where CVXPY hands one on (HiGHS and SciPy)."""
    stats = problem.solver_stats.extra_stats
    bound = stats.get("mip_dual_bound") if isinstance(stats, dict) else None
    bound = getattr(stats, "mip_dual_bound", bound)
    return None if bound is None else (float(bound) + form.offset) * float(form.scaling.parts[0])
