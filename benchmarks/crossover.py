"""Which solver by problem class and size: Bundle, HiGHS, Clarabel, and Clarabel through CVXPY."""

import time
from functools import cache

import numpy as np
import torch

import icnn
from benchmarks.networks import trained
from benchmarks.report import write
from icnn.models import Quadratic
from icnn.solvers import CVXPY, Bundle, Clarabel, HiGHS

COLUMNS = (2, 10, 50, 200)
WIDTHS = (32, 128)
PRICES = 5
SOLVERS = {
    "Bundle": Bundle(),
    "HiGHS": HiGHS(),
    "Clarabel": Clarabel(),
    "CVXPY": CVXPY("CLARABEL"),
}
LP, SOFT, SQUARES = "ReLU (LP)", "softplus (exponential cones)", "ReLU + full quadratic (SOCP)"
CLAIM = (
    "The table that the order of preference (icnn/decide/solvers/__init__.py) follows: which "
    "solver is fastest for one decision, by class and size, each with its default options."
)
NOTES = (
    f"Median milliseconds (processor time) of `minimize` over {PRICES} priced rows on [-2, 2]^n "
    "after one warm-up, "
    "building, certificate and judging included, solvers taking turns; in brackets the largest "
    "certified gap relative to the range of f. The ReLU networks are `benchmarks.networks.trained` "
    "of depth 2; the smooth ones are fitted to its values. One thread. All proved values agree to "
    "1e-6 of the range of f; inf: a row was not proved."
)


@cache
def smooth(kind: str, n: int, width: int) -> icnn.Network:
    """A smooth network fitted to the values of the trained ReLU one of this size."""
    X = np.random.default_rng(2).uniform(-2, 2, (4000, n))
    model: icnn.models.FICNN | icnn.Sum
    if kind == SOFT:
        model = icnn.FICNN(n, (width, width), "softplus", positivity="projection")
    else:
        relu = icnn.FICNN(n, (width, width), positivity="projection")
        model = icnn.Sum(relu, Quadratic(n, "full"))
    budget = icnn.Budget(steps=600, restarts=1, polish=0)
    return icnn.fit(model, X, trained(n, width, 2)(X), budget=budget, progress=False).at()


def timed(f: icnn.Network, names: list[str]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each solver for each price, and its largest relative gap."""
    rng = np.random.default_rng(1)
    scale = np.ptp(f(rng.uniform(-2, 2, (1000, f.n))))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gaps = dict.fromkeys(names, 0.0)
    for k in range(PRICES + 1):
        g = f + icnn.affine(0.05 * scale * rng.standard_normal(f.n))
        values = []
        for name in names:
            began = time.process_time()
            d = icnn.minimize(g, bounds=[(-2, 2)] * f.n, solver=SOLVERS[name], throw=False)
            if k:
                seconds[name].append(time.process_time() - began)
            gaps[name] = max(gaps[name], d.gap / d.scale)
            if d.success:
                values.append(d.value)
            else:  # shown by its gap, and never the fastest
                gaps[name] = np.inf
        assert np.ptp(values) <= 1e-6 * d.scale
    return seconds, gaps


def main() -> None:
    """Every class, every number of columns, every width."""
    torch.set_num_threads(1)
    rows, records = [], []
    for kind in (LP, SOFT, SQUARES):
        names = [name for name in SOLVERS if kind == LP or name != "HiGHS"]
        for n in COLUMNS if kind == LP else COLUMNS[:3]:
            for width in WIDTHS if n <= 50 else WIDTHS[:1]:
                f = trained(n, width, 2) if kind == LP else smooth(kind, n, width)
                seconds, gaps = timed(f, names)
                median = {name: 1e3 * float(np.median(s)) for name, s in seconds.items()}
                cells = [
                    f"{median[name]:.1f} ({gaps[name]:.0e})" if name in median else "refused"
                    for name in SOLVERS
                ]
                closed = [name for name in median if gaps[name] < np.inf]
                fastest = min(closed, key=lambda name: median[name])
                rows.append([kind, f"{n}, {width}x2", *cells, fastest])
                record = {"kind": kind, "n": n, "width": width, "depth": 2}
                records.append(record | {"seconds": seconds, "gaps": gaps})
                print(rows[-1], flush=True)
    header = ["network", "columns, units", *SOLVERS, "fastest"]
    write("solve-crossover", CLAIM, header, rows, records, NOTES)


if __name__ == "__main__":
    main()
