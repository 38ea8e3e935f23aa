"""The grid: one decision by every method at hand, on trained networks of many sizes.

Ours, raw HiGHS, scipy, CVXPY, Gurobi, moreau and lpcf's export minimise exactly; L-BFGS-B,
projected Adam (the protocol of SOC-ICNN, arXiv 2604.22355: 5 starts, 200 steps, rate 2e-3) and
white-box Newton (arXiv 2605.04722) descend. Whatever answers, one rule judges.
"""

import importlib.metadata
import importlib.util
import os
from functools import partial
from typing import Any

import numpy as np
import torch

import icnn
from benchmarks import grid_batch, grid_report
from benchmarks.descent import DESCENT
from benchmarks.instances import CURVED, SIZES, Size, case, dear, groups
from benchmarks.isolated import Method, rows_of
from benchmarks.log import Log
from benchmarks.lp_rivals import EXACT, modelled
from icnn.decide.decision import closed, violation_of
from icnn.decide.program import Program

LIMIT = 20
FREE = 2000  # rows and columns under the licence that pip installs
NAME, KEYS = "solve-grid", ("n", "width", "depth", "weights", "set", "method")
NEEDS = {"Gurobi": "gurobipy", "moreau": "moreau", "CVXPY + moreau": "moreau"}
PACKAGES = tuple(dict.fromkeys(NEEDS.values()))
SMOOTH: dict[str, Method] = {  # methods that take a quadratic branch
    "minimize": EXACT["minimize"],
    "prepare": EXACT["prepare"],
    "CVXPY + Clarabel": EXACT["CVXPY + Clarabel"],
    "CVXPY + moreau": partial(modelled, "MOREAU", {}),
    **DESCENT,
}


def versions() -> dict[str, str]:
    """Of the rivals beside those of every benchmark."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def missing(method: str) -> str | None:
    """What has to be installed before a method can be asked; None if it is there."""
    if method == "lpcf + HiGHS" and not os.environ.get("ICNN_LPCF_PYTHON"):
        return "set ICNN_LPCF_PYTHON to an interpreter with lpcf, jax<=0.4.31, numpy<2 and highspy"
    package = NEEDS.get(method)
    if package is None or importlib.util.find_spec(package) is not None:
        return None
    return f"install {package} (pip install icnn-opt[peers])"


def applies(method: str, size: Size, weights: str, kind: str) -> bool:
    """Whether a method is asked at all; what it cannot take is no failure."""
    if method in ("L-BFGS-B", "white-box Newton"):
        return kind == "box"
    if method == "lpcf + HiGHS":
        return kind == "box" and weights == "dense" and not dear(size)
    if method == "Gurobi":
        return max(size[0] + size[1] * size[2], size[1] * size[2] + 3) <= FREE
    return True


def judged(row: dict[str, Any], program: Program, reference: dict[str, Any]) -> dict:
    """The record of an answer: its gap to the certified bound, and whether it is a success.

    The judge's rule on value, violation and bound; ours must bring the bound itself.
    """
    x = row.pop("x", None)
    if x is None or reference.get("bound") is None:
        return row | {"success": False, "reason": row.get("reason", "no point")}
    value, scale = float(program.objective(x)), reference["scale"]
    violation = violation_of(program, x)
    bound = max(reference["bound"], row.get("bound", -np.inf))
    success = bool(closed(value - bound, scale, value, violation)) and row.pop("proved", True)
    found = {"gap": rounded((value - bound) / scale), "violation": rounded(violation)}
    found |= {"seconds": rounded(row.pop("seconds")), "success": success}
    if success:
        row.pop("says", None)
        return row | found
    return row | found | {"reason": "inaccurate"}


def rounded(number: float) -> float:
    """Four digits: the log is kept in the repository."""
    return float(f"{number:.4g}")


def group(log: Log, size: Size, held: tuple[str, str], methods: dict[str, Method]) -> None:
    """Every method on the instances of a group, as far as the log does not have it."""
    weights, kind = held
    key = (*size, weights, kind)
    asked = [m for m in methods if applies(m, size, weights, kind) and not log.has(*key, m)]
    if not asked:
        return
    instance = case(size, weights, kind)
    priced = [instance.f + icnn.affine(c) for c in instance.prices[1:]]
    programs = [icnn.prepare(f, **instance.said).program for f in priced]
    for name in asked:
        rows = rows_of(methods[name], instance, instance.prices, LIMIT)
        known = [r for r in log.records if [r[k] for k in KEYS] == [*key, "minimize"]]
        references = known[0]["rows"] if known else [dict(row) for row in rows]
        found = [judged(*parts) for parts in zip(rows, programs, references, strict=True)]
        if name != "minimize":
            found = [{k: v for k, v in row.items() if k not in ("bound", "scale")} for row in found]
        log.add((*key, name), rows=found, status=word(found))


def word(rows: list[dict[str, Any]]) -> str:
    """What a line on the screen says of some rows."""
    failures = sorted({row["reason"] for row in rows if not row["success"]})
    seconds = [row["seconds"] for row in rows if "seconds" in row]
    middle = f"{1e3 * np.median(seconds):.2f} ms" if seconds else "no time"
    return f"{middle}, {sum(row['success'] for row in rows)}/{len(rows)} {failures or ''}"


def main() -> None:
    """Every size; then batches, tables and pictures from what the log holds."""
    torch.set_num_threads(1)
    os.environ["RAYON_NUM_THREADS"] = "1"  # moreau's
    log = Log(NAME, KEYS, **versions())
    absent = {method: missing(method) for method in EXACT | SMOOTH}
    for method, why in absent.items():
        if why:
            print(f"without {method}: {why}")
    straight = {name: way for name, way in (EXACT | DESCENT).items() if not absent.get(name)}
    curved = {name: way for name, way in SMOOTH.items() if not absent[name]}
    for size in SIZES:
        for held in groups(size):
            group(log, size, held, straight)
    for size in CURVED:
        group(log, size, ("curved", "box"), curved)
    grid_batch.run(log)
    grid_report.report(log, versions())


if __name__ == "__main__":
    main()
