"""Which solver by problem class and size: Bundle, HiGHS, Clarabel, and Clarabel through CVXPY."""

import time
from functools import cache
from typing import Any

import numpy as np
import torch

import icnn
from benchmarks.networks import trained
from benchmarks.report import write
from icnn.models import Quadratic
from icnn.solvers import CVXPY, Bundle, Clarabel, HiGHS, Penalty

COLUMNS = (2, 10, 50, 200)
WIDTHS = (32, 128)
PRICES = 5
SOLVERS = {
    "Bundle": Bundle(),
    "Penalty": Penalty(),
    "HiGHS": HiGHS(),
    "Clarabel": Clarabel(),
    "CVXPY": CVXPY("CLARABEL"),
}
LP, SOFT, SQUARES = "ReLU (LP)", "softplus (exponential cones)", "ReLU + full quadratic (SOCP)"
LIMITED, SHARE = ", one learned limit", 0.2  # of the box, where the limit holds
FREE, BOUND = ("Bundle", "HiGHS", "Clarabel", "CVXPY"), ("Penalty", "HiGHS", "Clarabel")
CLAIM = (
    "The table that the order of preference (icnn/decide/solvers/__init__.py) follows: which "
    "solver is fastest for one decision, by class and size, each with its default options."
)
NOTES = (
    f"Median milliseconds (processor time) of `minimize` over {PRICES} priced rows on [-2, 2]^n "
    "after one warm-up, "
    "building, certificate and judging included, solvers taking turns; in brackets the largest "
    "certified gap relative to the range of f. The ReLU networks are `benchmarks.networks.trained` "
    "of depth 2; the smooth ones are fitted to its values. A learned limit is a network of the "
    f"same kind and size, trained on another function, below its {SHARE:.0%} quantile there. "
    "One thread. All proved values agree to "
    "1e-6 of the range of f; inf: a row was not proved."
)


@cache
def of_kind(kind: str, n: int, width: int, seed: int = 0) -> icnn.Network:
    """The trained ReLU network of this size, or a smooth one fitted to its values."""
    relu = trained(n, width, 2, seed=seed)
    if kind == LP:
        return relu
    X = np.random.default_rng(2).uniform(-2, 2, (4000, n))
    model: icnn.models.FICNN | icnn.Sum
    if kind == SOFT:
        model = icnn.FICNN(n, (width, width), "softplus", positivity="projection")
    else:
        branch = icnn.FICNN(n, (width, width), positivity="projection")
        model = icnn.Sum(branch, Quadratic(n, "full"))
    budget = icnn.Budget(steps=600, restarts=1, polish=0)
    return icnn.fit(model, X, relu(X), budget=budget, progress=False).at()


def limit(kind: str, n: int, width: int) -> Any:
    """A second network below what it is on SHARE of the box."""
    g = of_kind(kind, n, width, seed=1)
    points = np.random.default_rng(3).uniform(-2, 2, (1000, n))
    return g <= float(np.quantile(g(points), SHARE))


def timed(
    f: icnn.Network, limits: list[Any], names: list[str]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each solver for each price, and its largest relative gap."""
    rng = np.random.default_rng(1)
    scale = np.ptp(f(rng.uniform(-2, 2, (1000, f.n))))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gaps = dict.fromkeys(names, 0.0)
    given = dict(bounds=[(-2, 2)] * f.n, constraints=limits, throw=False)
    for k in range(PRICES + 1):
        g = f + icnn.affine(0.05 * scale * rng.standard_normal(f.n))
        values = []
        for name in names:
            began = time.process_time()
            d = icnn.minimize(g, solver=SOLVERS[name], **given)
            if k:
                seconds[name].append(time.process_time() - began)
            gaps[name] = max(gaps[name], d.gap / d.scale)
            if d.success:
                values.append(d.value)
            else:  # shown by its gap, and never the fastest
                gaps[name] = np.inf
        assert np.ptp(values) <= 1e-6 * d.scale
    return seconds, gaps


def row(kind: str, n: int, width: int, *, limited: bool) -> tuple[list[str], dict[str, Any]]:
    """One class and size: cells of the table, and the record."""
    names = [name for name in (BOUND if limited else FREE) if kind == LP or name != "HiGHS"]
    limits = [limit(kind, n, width)] if limited else []
    seconds, gaps = timed(of_kind(kind, n, width), limits, names)
    median = {name: 1e3 * float(np.median(s)) for name, s in seconds.items()}
    cells = dict.fromkeys(SOLVERS, "refused") | ({"CVXPY": "not asked"} if limited else {})
    cells |= {name: f"{median[name]:.1f} ({gaps[name]:.0e})" for name in median}
    closed = [name for name in median if gaps[name] < np.inf]
    fastest = min(closed, key=lambda name: median[name])
    called = kind + LIMITED * limited
    record = {"kind": called, "n": n, "width": width, "depth": 2}
    return [called, f"{n}, {width}x2", *cells.values(), fastest], record | {
        "seconds": seconds,
        "gaps": gaps,
    }


def main() -> None:
    """Every class, every number of columns, every width; then with a learned limit."""
    torch.set_num_threads(1)
    plan = [(LP, COLUMNS, False), (SOFT, COLUMNS[:3], False), (SQUARES, COLUMNS[:3], False)]
    plan += [(LP, COLUMNS[:3], True), (SOFT, COLUMNS[:3], True), (SQUARES, COLUMNS[:3], True)]
    rows, records = [], []
    for kind, columns, limited in plan:
        for n in columns:
            for width in WIDTHS if n <= 50 else WIDTHS[:1]:
                cells, record = row(kind, n, width, limited=limited)
                rows.append(cells)
                records.append(record)
                print(cells, flush=True)
    header = ["network", "columns, units", *SOLVERS, "fastest"]
    write("solve-crossover", CLAIM, header, rows, records, NOTES)


if __name__ == "__main__":
    main()
