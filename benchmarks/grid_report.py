"""Tables of the grid: by method, by size, by set; shifted geometric means, failures counted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.grid_plots import plots
from benchmarks.instances import SIZES
from benchmarks.log import Log
from benchmarks.report import table, write

SHIFT, LIMIT = 1e-3, 20.0
OURS, ANYHOW, SLOWER = "prepare", "minimize", 1.2
RAW = ("HiGHS", "HiGHS, no presolve")
DESCENT = ("L-BFGS-B", "projected Adam", "white-box Newton")
ORDER = (
    *(OURS, ANYHOW, "HiGHS", "HiGHS, no presolve", "linprog", "milp", "CVXPY + HiGHS"),
    *("CVXPY + Clarabel", "Gurobi", "moreau", "lpcf + HiGHS", "CVXPY + moreau", *DESCENT),
)
SET = ("n", "width", "depth", "weights", "set")
Row = dict[str, Any]
CLAIM = (
    "Goal: on trained networks of 2 to 784 columns, 32 to 1,024 units a layer and 1 to 4 layers, "
    "dense and pruned, on boxes, a simplex and budget rows, nowhere slower than 1.2 times raw "
    "HiGHS. Success is a gap of 1e-6 of the range of f and a violation of 1e-6, by one judge."
)


def mean(seconds: Sequence[float]) -> float:
    """The geometric mean, shifted by 1 ms."""
    return float(np.exp(np.mean(np.log(np.array(seconds) + SHIFT))) - SHIFT)


def counted(row: Row) -> float:
    """Seconds of an instance; a failure counts as the limit."""
    return float(row["seconds"]) if row["success"] else LIMIT


class Results:
    """Rows of the log by instance and method."""

    def __init__(self, records: Sequence[Row]) -> None:
        self.records = [record for record in records if "rows" in record]
        found = {record["method"] for record in self.records}
        self.methods = [name for name in ORDER if name in found]
        self.rows: dict[str, dict[tuple, Row]] = {method: {} for method in self.methods}
        for record in self.records:
            for k, row in enumerate(record["rows"]):
                key = (*(record[name] for name in SET), k)
                self.rows[record["method"]][key] = row

    def pair(self, method: str, keep: Callable[[tuple], bool]) -> tuple[list[Row], list[Row]]:
        """Rows of a method and ours on the same instances."""
        keys = [key for key in self.rows[method] if key in self.rows[OURS] and keep(key)]
        return [self.rows[method][key] for key in keys], [self.rows[OURS][key] for key in keys]

    def ratio(self, method: str, keep: Callable[[tuple], bool]) -> str:
        """How many times longer than ours a method takes, with its failures."""
        theirs, ours = self.pair(method, keep)
        if not theirs:
            return "–"
        failures = sum(not row["success"] for row in theirs)
        times = mean([counted(row) for row in theirs]) / mean([counted(row) for row in ours])
        return f"{short(times)}" + (f" ({failures} of {len(theirs)} failed)" if failures else "")


def short(ratio: float) -> str:
    """A ratio in two digits or so."""
    return f"{ratio:.2f}" if ratio < 3 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def by_method(results: Results) -> list[list[str]]:
    """Exact methods: each against ours on the instances that it takes."""
    rows = []
    for method in results.methods:
        if method in DESCENT:
            continue
        theirs, ours = results.pair(method, lambda _: True)
        reasons: dict[str, int] = {}
        for row in theirs:
            if not row["success"]:
                reasons[row["reason"][:60]] = reasons.get(row["reason"][:60], 0) + 1
        gaps = [row["gap"] for row in theirs if row["success"]]
        rows.append(
            [
                f"**{method}**" if method in (OURS, ANYHOW) else method,
                str(len(theirs)),
                str(sum(row["success"] for row in theirs)),
                "; ".join(f"{count} {reason}" for reason, count in reasons.items()) or "–",
                f"{1e3 * mean([counted(row) for row in theirs]):.2f}",
                f"{1e3 * mean([counted(row) for row in ours]):.2f}",
                results.ratio(method, lambda _: True).split(" (")[0],
                f"{max(gaps):.0e}" if gaps else "–",
            ]
        )
    return rows


def by_descent(results: Results) -> list[list[str]]:
    """Methods without a bound: how often they reach 1e-6, and the gap where they stop."""
    rows = []
    for method in DESCENT:
        theirs, ours = results.pair(method, lambda _: True)
        gaps = [row["gap"] for row in theirs if "gap" in row]
        time = mean([row["seconds"] for row in theirs if "seconds" in row])
        done = sum(row["success"] for row in theirs)
        quartiles = " / ".join(f"{q:.0e}" for q in np.quantile(gaps, (0.25, 0.5, 0.75, 1.0)))
        ratio = f"{time / mean([counted(row) for row in ours]):.0f}"
        rows.append([method, f"{done} of {len(theirs)}", quartiles, f"{1e3 * time:.0f}", ratio])
    return rows


def by_group(results: Results, methods: Sequence[str], parts: Sequence[tuple]) -> list[list[str]]:
    """A row a part of the instances: our milliseconds, and the ratios of the others to them."""
    rows = []
    for name, keep in parts:
        _, ours = results.pair(OURS, keep)
        if not ours:
            continue
        time = f"{1e3 * mean([counted(row) for row in ours]):.2f}"
        rows.append([name, time, *(results.ratio(method, keep) for method in methods)])
    return rows


def losses(results: Results) -> str:
    """Where ours is slower than 1.2 times raw HiGHS, at its defaults and without its presolve."""
    return ". ".join(lost_to(results, m) for m in RAW if m in results.rows)


def lost_to(results: Results, method: str) -> str:
    """Where ours is slower than 1.2 times a method."""
    found: dict[str, list[float]] = {}
    for key, row in results.rows[method].items():
        mine = results.rows[OURS].get(key)
        if mine and counted(mine) > SLOWER * counted(row):
            name = f"{key[0]}, {key[1]}x{key[2]}, {key[3]}, {key[4]}"
            found.setdefault(name, []).append(counted(mine) / counted(row))
    total = len(results.rows[method])
    lost = sum(map(len, found.values()))
    where = "; ".join(f"{name}: {max(ratios):.1f} times" for name, ratios in found.items())
    said = f"Slower than 1.2 times raw {method} (goal: nowhere): {lost} of {total} instances"
    return f"{said}. {where}" if where else said


def slope(results: Results, method: str, axis: int, fixed: dict[int, int]) -> str:
    """Of the time against a size, on logarithmic scales, over dense networks in the box."""
    sizes: dict[int, list[float]] = {}
    for key, row in results.rows[method].items():
        if key[3:5] == ("dense", "box") and all(key[a] == v for a, v in fixed.items()):
            sizes.setdefault(key[axis], []).append(counted(row))
    medians = [float(np.median(seconds)) for seconds in sizes.values()]
    return f"{np.polyfit(np.log(list(sizes)), np.log(medians), 1)[0]:.2f}"


def slopes(results: Results) -> str:
    """Along the two lines of the pictures."""
    wide, long = (1, {0: 20, 2: 2}), (0, {1: 128, 2: 2})
    width = [slope(results, method, *wide) for method in (OURS, "HiGHS", "moreau")]
    columns = [slope(results, method, *long) for method in (OURS, "HiGHS", "moreau")]
    return (
        f"Log-log slope of the time against width (20 columns, two layers): ours {width[0]} (goal "
        f"at most 2.1), HiGHS {width[1]}, moreau {width[2]}; against n (128x2): ours {columns[0]}, "
        f"HiGHS {columns[1]}, moreau {columns[2]}."
    )


def report(log: Log, versions: dict[str, str]) -> None:
    """Markdown and pictures, with the versions of the rivals."""
    results = Results(log.records)
    others = [m for m in results.methods if m not in (OURS, *DESCENT) and m != "CVXPY + moreau"]
    sizes = dict.fromkeys((r["n"], r["width"], r["depth"]) for r in results.records)
    straight = [
        (f"{n}, {w}x{d}", lambda k, s=(n, w, d): k[:3] == s and k[3] != "curved")
        for n, w, d in sizes
    ]
    kinds = [
        (f"{weights}, {kind}", lambda k, p=(weights, kind): k[3:5] == p)
        for weights in ("dense", "pruned", "curved")
        for kind in ("box", "simplex", "budget")
    ]
    head = ["ours, ms", *(f"{method} / ours" for method in others)]
    notes = [
        NOTES,
        "## Methods without a bound",
        table(
            ["method", "successes", "gap reached: quartiles / largest", "time, ms", "/ ours"],
            by_descent(results),
        ),
        "## By size", table(["network", *head], by_group(results, others, straight)),
        "## By weights and set", table(["instances", *head], by_group(results, others, kinds)),
        losses(results),
        slopes(results),
        PICTURES,
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
    ]  # fmt: skip
    header = [
        "method", "instances", "successes", "failures", "time, ms", "ours on the same, ms",
        "/ ours", "largest gap of a success",
    ]  # fmt: skip
    write(log.path.stem, CLAIM, header, by_method(results), log.records, "\n\n".join(notes))
    plots(results, log.records)


NOTES = (
    "Times are shifted geometric means (shift 1 ms) of processor seconds of all threads (one is "
    "allowed), the least of three rounds where a round takes under a second; *a failure counts as "
    "the limit, 20 s*. Each method is compared with ours on the instances that it takes, each "
    "group of instances in a process of its own, after a warm-up on another price; what can be "
    "built beforehand is not timed. *prepare* is `icnn.prepare(...).solve(linear=c)` to 1e-6, from "
    "nothing (`forget`), certificate and `Decision` included, and *ours* in all columns; beyond "
    "300 columns it asks HiGHS, to 1e-9 and without its presolve, which finds nothing in networks; "
    "*minimize* reads and builds anew and goes to 1e-9, where its bound judges all points: rivals "
    "need not prove anything. HiGHS gets new costs on the arrays that it holds and forgets its "
    "basis, as ours does; CVXPY re-solves by parameter (DPP), cold: its "
    "default, the last solution handed over, was up to four times slower; Gurobi under the "
    "licence that pip installs (2,000 rows and columns; larger networks are not asked of it); "
    "moreau's compiled solver and Clarabel are asked for 1e-7; lpcf's own export with our weights, "
    "in its own environment (CVXPY 1.7, jax 0.4.31), only dense networks in boxes up to 768 units. "
    "L-BFGS-B and Newton take boxes alone; L-BFGS-B runs from all five starts of Adam. On the "
    "pieces of a ReLU network Newton has no curvature: it is a damped gradient step there.\n\n"
    f"{len(SIZES)} sizes cover every n, width and depth, but not every combination: a line of n at "
    "128x2, one of widths at 20 columns, the sizes with a goal, depths 1, 3 and 4. Three prices "
    "for each set (box [-2, 2]^n, the unit simplex, three budget rows at 35 %) and weights (dense; "
    "*pruned*: the smallest 80 % of each hidden matrix set to zero, not trained again); where "
    "rivals take seconds, two prices, dense in the box and pruned under budgets only. *curved*: "
    "two networks with a full quadratic branch. Prices vary by 0.18 of the range of f over the "
    "set, at every n. Networks of `benchmarks.networks.trained`, seed 0. All methods ran "
    "one after the other on a machine with other work. *HiGHS* is HiGHS at "
    "its defaults; *no presolve*, its faster way here, is also what ours asks of it at 784 columns."
)
PICTURES = (
    "Pictures: `docs/grid-width.png`, `docs/grid-columns.png` (dense networks in the box), "
    "`docs/grid-batch.png`."
)
