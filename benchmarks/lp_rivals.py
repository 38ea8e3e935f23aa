"""The grid's methods that are exact: ours, and linear programs in other hands.

Each is built once for a case; a solve gets new prices. What is built beforehand is not timed.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cvxpy as cp
import highspy
import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import icnn
from benchmarks.instances import Case
from benchmarks.isolated import Array, Method
from icnn.decide.solvers import WIDE

CLOSE = 1e-7  # asked of interior points: a tenth of what success asks of the range of f


@dataclass(frozen=True, eq=False)
class Arrays:
    """min c·z + c0, lower <= M z <= upper, low <= z <= high, where z = (x, units of each layer)."""

    c: Array
    M: sp.csr_array
    lower: Array
    upper: Array
    low: Array
    high: Array

    def priced(self, price: Array) -> Array:
        """The costs with other prices of x."""
        c = self.c.copy()
        c[: len(price)] += price
        return c


def arrays(case: Case) -> Arrays:
    """The epigraph of a ReLU network over its set, unscaled."""
    *hidden, out = case.f.layers
    n, sizes = case.n, [case.n, *(layer.units for layer in hidden)]
    starts = np.cumsum(sizes)
    blocks, lower = [], []
    for k, layer in enumerate(hidden):
        row = [sp.csr_array((sizes[k + 1], size)) for size in sizes]
        row[0], row[k + 1] = sp.csr_array(-layer.V.numpy()), sp.eye_array(sizes[k + 1]).tocsr()
        for source, W in layer.W:
            row[source + 1] = sp.csr_array(-W.numpy())
        blocks.append(sp.hstack(row))
        lower.append(layer.b.numpy())
    c = np.zeros(starts[-1])
    c[:n] = out.V.numpy()[0]
    for source, W in out.W:
        c[starts[source] : starts[source + 1]] += W.numpy()[0]
    units = len(c) - n
    blocks.append(sp.hstack([sp.csr_array(case.A), sp.csr_array((len(case.A), units))]))
    return Arrays(
        c,
        sp.csr_array(sp.vstack(blocks)),
        np.concatenate([*lower, case.lower]),
        np.concatenate([np.full(units, np.inf), case.upper]),
        np.concatenate([case.low, np.zeros(units)]),
        np.concatenate([case.high, np.full(units, np.inf)]),
    )


def prepared(case: Case) -> Any:
    loose = icnn.solvers.Bundle(tolerance=1e-6)
    solver = loose if case.n <= WIDE or not case.linear else None  # what it picks by itself
    problem = icnn.prepare(case.f, **case.said, solver=solver)

    def run(c: Array) -> icnn.Decision:
        problem.forget()
        return problem.solve(linear=c, throw=False)

    return run, of_decision


def minimized(case: Case) -> Any:
    return lambda c: icnn.minimize(case.f + icnn.affine(c), **case.said, throw=False), of_decision


def of_decision(d: icnn.Decision) -> tuple[Array, dict]:
    """The point, and what the certificate says."""
    facts = {"bound": d.bound, "scale": d.scale, "proved": d.success, "says": d.solver}
    return d.x, facts


def highs(case: Case, presolve: str = "choose") -> Any:
    """HiGHS on arrays that it holds: new costs, no basis from before, as ours starts anew."""
    a, solver, n = arrays(case), highspy.Highs(), case.n
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(a.c), len(a.lower)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = a.c, a.low, a.high
    lp.row_lower_, lp.row_upper_ = a.lower, a.upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = a.M.indptr, a.M.indices
    lp.a_matrix_.value_ = a.M.data
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("presolve", presolve)
    solver.passModel(lp)
    every = np.arange(n, dtype=np.int32)

    def run(c: Array) -> None:
        solver.clearSolver()
        solver.changeColsCost(n, every, a.c[:n] + c)
        solver.run()

    def read(_: None) -> tuple[Array, dict]:
        says = solver.modelStatusToString(solver.getModelStatus())
        return np.array(solver.getSolution().col_value)[:n], {"says": says}

    return run, read


def scipy_linprog(case: Case) -> Any:
    a, n = arrays(case), case.n
    equal = a.lower == a.upper
    up, down = np.isfinite(a.upper) & ~equal, np.isfinite(a.lower) & ~equal
    rows = sp.csr_array(sp.vstack([a.M[up], -a.M[down]]))
    sides = np.concatenate([a.upper[up], -a.lower[down]])
    given = {"A_ub": rows, "b_ub": sides, "bounds": np.stack([a.low, a.high], 1)}
    if equal.any():
        given |= {"A_eq": a.M[equal], "b_eq": a.lower[equal]}
    return lambda c: linprog(a.priced(c), **given, method="highs-ds"), partial(of_scipy, n)


def scipy_milp(case: Case) -> Any:
    a, n = arrays(case), case.n
    rows, box = LinearConstraint(a.M, a.lower, a.upper), Bounds(a.low, a.high)
    return lambda c: milp(a.priced(c), constraints=rows, bounds=box), partial(of_scipy, n)


def of_scipy(n: int, found: Any) -> tuple[Array | None, dict]:
    """The point of a result of scipy."""
    return None if found.x is None else found.x[:n], {"says": found.message[:60]}


def modelled(solver: str, options: dict, case: Case) -> Any:
    """CVXPY on `icnn.to_cvxpy`, re-solved by the value of a parameter (DPP).

    Cold: handing HiGHS the last solution, CVXPY's default, makes it two to four times slower.
    """
    x, price = cp.Variable(case.n), cp.Parameter(case.n)
    expression, rows = icnn.to_cvxpy(case.f, x)
    rows = [*rows, x >= case.low, x <= case.high]
    if len(case.A):  # a simplex's one equality, or budgets
        rows.append(
            case.A @ x == case.upper if case.kind == "simplex" else case.A @ x <= case.upper
        )
    problem = cp.Problem(cp.Minimize(expression + price @ x), rows)
    assert problem.is_dcp(dpp=True)

    def run(c: Array) -> None:
        price.value = c
        problem.solve(solver=solver, warm_start=False, **options)

    return run, lambda _: (x.value, {"says": problem.status})


def gurobi(case: Case) -> Any:
    """Gurobi under the licence that pip installs: 2,000 rows and columns."""
    import gurobipy

    a, n = arrays(case), case.n
    if max(a.M.shape) > 2000:
        raise ValueError("does not fit the licence")
    model = gurobipy.Model(env=gurobipy.Env(params={"OutputFlag": 0, "Threads": 1}))
    z = model.addMVar(len(a.c), lb=a.low, ub=a.high)
    for side, sense in ((a.lower, ">"), (a.upper, "<")):
        at = np.isfinite(side)
        if at.any():
            model.addMConstr(a.M[at], z, sense, side[at])
    z.Obj = a.c
    model.update()

    def run(c: Array) -> None:
        model.reset()
        z[:n].Obj = a.c[:n] + c
        model.optimize()

    return run, lambda _: (z.X[:n], {"says": model.Status})


def moreau(case: Case) -> Any:
    """moreau's compiled solver, one thread, its own choice of factorisation."""
    solve = moreau_batch(case, 1)
    return lambda c: solve(c[None]), lambda x: (x[0], {})


def moreau_batch(case: Case, size: int) -> Any:
    """A function from prices (size, n) to points (size, n): arrays built and shared beforehand."""
    import moreau

    a, n = arrays(case), case.n
    M, E = a.M, sp.eye_array(len(a.c), format="csr")
    equal = a.lower == a.upper
    up, down = np.isfinite(a.upper) & ~equal, np.isfinite(a.lower) & ~equal
    blocks = [M[equal], M[up], -M[down], E[np.isfinite(a.high)], -E]
    rows = sp.csr_array(sp.vstack(blocks))
    sides = [a.lower[equal], a.upper[up], -a.lower[down], a.high[np.isfinite(a.high)], -a.low]
    count = int(equal.sum())
    ipm = moreau.IPMSettings(tol_gap_abs=CLOSE, tol_gap_rel=CLOSE, tol_feas=CLOSE)
    solver = moreau.CompiledSolver(
        len(a.c),
        rows.shape[0],
        np.zeros(len(a.c) + 1, dtype=int),
        [],
        rows.indptr,
        rows.indices,
        cones=moreau.Cones(num_zero_cones=count, num_nonneg_cones=rows.shape[0] - count),
        settings=moreau.Settings(device="cpu", batch_size=size, solver="ipm", ipm_settings=ipm),
    )
    solver.setup(np.zeros(0), rows.data)
    b, q = np.tile(np.concatenate(sides), (size, 1)), np.tile(a.c, (size, 1))

    def solve(C: Array) -> Array:
        q[:, :n] = a.c[:n] + C
        return solver.solve(q, b).x[:, :n]

    return solve


def lpcf(case: Case) -> Any:
    """lpcf's own export to CVXPY, with our weights, in the environment that it needs."""
    python = os.environ.get("ICNN_LPCF_PYTHON")
    if not python:
        raise ValueError("ICNN_LPCF_PYTHON names no interpreter with lpcf")
    script = str(Path(__file__).parent / "lpcf_export.py")
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([python, script], **pipe)

    def ask(message: dict) -> dict:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline() or '{"reason": "ended"}')

    layers = [[k.V.tolist(), k.b.tolist(), *(W.tolist() for _, W in k.W)] for k in case.f.layers]
    box = {"low": case.low.tolist(), "high": case.high.tolist()}
    ask({"layers": layers, **box})

    def read(found: dict) -> tuple[Array, dict]:
        if "reason" in found:
            raise RuntimeError(found["reason"])
        return np.array(found["x"]), {"seconds": found["seconds"], "says": found["says"]}

    return lambda c: ask({"price": c.tolist()}), read


CLARABEL = dict(tol_gap_abs=CLOSE, tol_gap_rel=CLOSE, tol_feas=CLOSE)
EXACT: dict[str, Method] = {
    "minimize": minimized,  # first: its bound at 1e-9 judges the points of all others
    "prepare": prepared,
    "HiGHS": highs,
    "HiGHS, no presolve": partial(highs, presolve="off"),
    "linprog": scipy_linprog,
    "milp": scipy_milp,
    "CVXPY + HiGHS": partial(modelled, "HIGHS", {}),
    "CVXPY + Clarabel": partial(modelled, "CLARABEL", CLARABEL),
    "Gurobi": gurobi,
    "moreau": moreau,
    "lpcf + HiGHS": lpcf,
}
