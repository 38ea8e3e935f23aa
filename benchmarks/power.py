"""AC optimal power flow as a simulator: what it costs to serve 400 MW more, by where it sits.

New England system of MATPOWER (case39), solved by PYPOWER 5.1.21. Calls are kept in a file
outside the repository, since one takes 0.4 s.
"""

import importlib
import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BUSES, TOTAL, FACTOR = (4, 8, 15, 20, 24, 29), 400.0, 0.95
HIGH = TOTAL / 2  # MW at one bus
TANGENT = float(np.tan(np.arccos(FACTOR)))  # MVAr a MW
CACHE = Path(os.environ.get("ICNN_BENCHMARK_CACHE", Path(tempfile.gettempdir()) / "icnn-cache"))


def package(name: str) -> Any:
    """An optional package, or what to do without it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SystemExit(f"{name} is missing; pip install 'icnn-opt[peers]' brings it") from None


def solve(x: Array) -> tuple[float, Array]:
    """Cost [$/h] with x (6,) MW at the six buses, and its gradient [$/MWh].

    A marginal MW at a bus costs the price of its real power and, at this power factor, of its
    reactive power: the multipliers of the two balances. NaN where the flow has no solution.
    """
    power = package("pypower.api")
    case = power.case39()
    rows = [int(np.flatnonzero(case["bus"][:, 0] == bus)[0]) for bus in BUSES]
    case["bus"][rows, 2] += x
    case["bus"][rows, 3] += TANGENT * x
    found = power.runopf(case, power.ppoption(VERBOSE=0, OUT_ALL=0))
    if not found["success"]:
        return np.nan, np.full(len(x), np.nan)
    bus = found["bus"][rows]
    return float(found["f"]), bus[:, 13] + TANGENT * bus[:, 14]


@cache
def kept() -> dict[tuple[float, ...], tuple[float, list[float]]]:
    """Every call on disk."""
    file = CACHE / "case39.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {tuple(x): (f, g) for x, f, g in map(json.loads, lines)}


def siting(x: Array) -> tuple[float, Array]:
    """`solve`, kept on disk to 1e-6 MW."""
    key = tuple(np.round(x, 6).tolist())
    if key not in kept():
        f, g = solve(np.array(key))
        kept()[key] = f, g.tolist()
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "case39.jsonl").open("a") as file:
            file.write(json.dumps([key, f, g.tolist()]) + "\n")
    f, gradient = kept()[key]
    return f, np.array(gradient)


def sitings(seed: int, n: int = 500) -> Array:
    """(n, 6) points, uniform over {0 <= x <= 200, sum x = 400}; fewer rows are the first ones."""
    rng = np.random.default_rng(seed)
    points = TOTAL * rng.dirichlet(np.ones(len(BUSES)), 2 * n)
    return points[(points <= HIGH).all(axis=1)][:n].round(6)


def best() -> Any:
    """Optimum over the same set, by SLSQP on the simulator with its own gradients."""
    from scipy.optimize import minimize

    k = len(BUSES)
    total: Any = dict(type="eq", fun=lambda x: x.sum() - TOTAL, jac=lambda x: np.ones(k))
    return minimize(
        siting,
        np.full(k, TOTAL / k),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, HIGH)] * k,
        constraints=[total],
        options=dict(ftol=1e-10, maxiter=80),
    )


if __name__ == "__main__":
    for which in map(int, sys.argv[1:]):
        for point in sitings(which):
            siting(point)
