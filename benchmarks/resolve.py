"""Re-solving after a small change: the kept cuts against HiGHS from its last basis."""

import time
from typing import Any, NamedTuple

import highspy
import numpy as np
import torch
from scipy.optimize import LinearConstraint

import icnn
from benchmarks.networks import trained
from benchmarks.overhead import raw_model, timed_run
from benchmarks.report import write

# columns, width, depth: the goal of the ratio to warm-started HiGHS, where the project has one
CASES: dict[tuple[int, int, int], float | None] = {
    (10, 64, 2): None,
    (20, 128, 2): 20.0,
    (20, 256, 3): None,
    (50, 128, 2): None,
}
CHANGES = {  # prices: of the range of f for one unit of x; the others: of what they range over
    "prices": (0.0002, 0.001, 0.01),
    "bounds": (0.0025, 0.01, 0.1),
    "sides": (0.0025, 0.01, 0.1),
}
STEPS, ROUNDS, LOW, HIGH = 30, 2, -2.0, 2.0
WAYS = ("prepared", "fresh", "warm", "cold")
GOAL = (
    "Goal: after a price change of 1 % of the range a prepared problem solves again at least 20 "
    "times faster than HiGHS from its last basis at 20, 128x2, context-free."
)


class Walk(NamedTuple):
    """Rows A (m, n), and what `solve` is given at each step (STEPS + 1)."""

    A: np.ndarray
    moves: list[dict[str, Any]]

    @property
    def upper(self) -> np.ndarray:
        """Sides at the start, (m,): a third of the way from the least to the largest A x."""
        return (0.65 * LOW + 0.35 * HIGH) * self.A.sum(1)


def prices(f: icnn.Network, change: float) -> Walk:
    """Prices of a random walk; `change` counts them in the range of f, as 0.05 does in
    `benchmarks.bundle`.
    """
    rng = np.random.default_rng(2)
    scale = float(np.ptp(f(rng.uniform(LOW, HIGH, (1000, f.n)))))
    first = 0.05 * scale * rng.standard_normal(f.n)
    steps = change * scale * rng.standard_normal((STEPS, f.n))
    walk = np.vstack([first, first + np.cumsum(steps, axis=0)])
    return Walk(np.zeros((0, f.n)), [{"linear": c} for c in walk])


def bounds(f: icnn.Network, change: float) -> Walk:
    """Both ends of each column from ±1.5, within the outer three eighths of [-2, 2]."""
    rng = np.random.default_rng(3)
    low, high, moves = np.full(f.n, -1.5), np.full(f.n, 1.5), []
    for _ in range(STEPS + 1):
        moves.append({"bounds": np.stack([low, high], 1)})
        low = np.clip(low + change * (HIGH - LOW) * rng.standard_normal(f.n), LOW, -0.5)
        high = np.clip(high + change * (HIGH - LOW) * rng.standard_normal(f.n), 0.5, HIGH)
    return Walk(np.zeros((0, f.n)), moves)


def sides(f: icnn.Network, change: float) -> Walk:
    """Right-hand sides of three budgets of uniform weights, drawn back to where they started."""
    rng = np.random.default_rng(4)
    walk = Walk(rng.uniform(0, 1, (3, f.n)), [])
    span = (HIGH - LOW) * walk.A.sum(1)
    upper = walk.upper
    for _ in range(STEPS + 1):
        walk.moves.append({"sides": (np.full(3, -np.inf), upper)})
        upper = walk.upper + 0.9 * (upper - walk.upper) + change * span * rng.standard_normal(3)
        upper = np.maximum(upper, LOW * walk.A.sum(1) + 0.1 * span)
    return walk


WALKS = {"prices": prices, "bounds": bounds, "sides": sides}


def case(f: icnn.Network, walk: Walk) -> dict[str, list[float]]:
    """Processor seconds of each way for each step, way after way, in rounds."""
    problem = icnn.prepare(
        f,
        bounds=[(LOW, HIGH)] * f.n,
        constraints=LinearConstraint(walk.A, -np.inf, walk.upper) if len(walk.A) else (),
        solver=icnn.solvers.Bundle(tolerance=1e-6),
    )
    own = f.layers[-1].V.numpy()[0]
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        problem.forget()
        values = {"prepared": [ours(problem, move, found["prepared"]) for move in walk.moves]}
        values["fresh"] = [ours(problem, m, found["fresh"], fresh=True) for m in walk.moves]
        model = arrays(f, walk)
        values["warm"] = [highs(model, m, own, found["warm"]) for m in walk.moves]
        values["cold"] = [highs(arrays(f, walk), m, own, found["cold"]) for m in walk.moves]
        for way in WAYS:  # the first has nothing to start from
            del found[way][-len(walk.moves)]
        check(values)
    return found


def ours(
    problem: icnn.prepare, move: dict[str, Any], seconds: list[float], *, fresh: bool = False
) -> icnn.Decision:
    if fresh:
        problem.forget()
    began = time.process_time()
    decision = problem.solve(**move)
    seconds.append(time.process_time() - began)
    return decision


def arrays(f: icnn.Network, walk: Walk) -> highspy.Highs:
    """f over the box and the rows as a linear program; the rows come last."""
    model = raw_model(f, LOW, HIGH)
    for a, upper in zip(walk.A, walk.upper, strict=True):
        model.addRow(-highspy.kHighsInf, upper, f.n, np.arange(f.n, dtype=np.int32), a)
    return model


def highs(
    model: highspy.Highs, move: dict[str, Any], own: np.ndarray, seconds: list[float]
) -> float:
    """The basis is kept if there is one; presolve, which would drop it, does not run then."""
    columns = np.arange(len(own), dtype=np.int32)
    if "linear" in move:
        model.changeColsCost(len(own), columns, own + move["linear"])
    if "bounds" in move:
        model.changeColsBounds(len(own), columns, *np.ascontiguousarray(move["bounds"].T))
    if "sides" in move:
        upper = move["sides"][1]
        for k, row in enumerate(range(model.getNumRow() - len(upper), model.getNumRow())):
            model.changeRowBounds(row, -highspy.kHighsInf, upper[k])
    took, value = timed_run(model)
    seconds.append(took)
    return value


def check(values: dict[str, list]) -> None:
    """All ways agree on every value, and ours are certified."""
    for kept, fresh, warmed, colds in zip(*(values[way] for way in WAYS), strict=True):
        assert kept.success
        assert fresh.success
        for value in (fresh.value, warmed, colds):
            assert abs(kept.value - value) <= 2e-6 * kept.scale, (kept, value)


def main() -> None:
    """One row a network, what moves and by how much."""
    torch.set_num_threads(1)
    table, records = [], []
    for (n, width, depth), goal in CASES.items():
        f = trained(n, width, depth)
        for kind, change in ((k, change) for k, sizes in CHANGES.items() for change in sizes):
            found = case(f, WALKS[kind](f, change))
            named = {"n": n, "width": width, "depth": depth, "kind": kind, "change": change}
            records.append(named | found)
            aim = goal if kind == "prices" and change == 0.01 else None
            table.append([f"{n}, {width}x{depth}", kind, f"{100 * change:g} %", *row(found, aim)])
            print(table[-1], flush=True)
    header = [
        "network", "what moves", "by", "prepared, ms (10 to 90 %)", "from nothing, ms",
        "HiGHS warm, ms", "HiGHS cold, ms", "HiGHS warm / prepared", "from nothing / prepared",
    ]  # fmt: skip
    write("solve-resolve", GOAL, header, table, records, NOTES)


def row(found: dict[str, list[float]], goal: float | None) -> list[str]:
    """The figures of one walk."""
    mid = {way: 1e3 * float(np.median(seconds)) for way, seconds in found.items()}
    low, high = np.percentile(1e3 * np.array(found["prepared"]), [10, 90])
    marked = f" (goal {goal:.0f})" if goal else ""
    return [
        f"{mid['prepared']:.3f} ({low:.3f} to {high:.3f})",
        f"{mid['fresh']:.3f}",
        f"{mid['warm']:.2f}",
        f"{mid['cold']:.2f}",
        f"{mid['warm'] / mid['prepared']:.0f}{marked}",
        f"{mid['fresh'] / mid['prepared']:.1f}",
    ]


NOTES = (
    f"Medians over {ROUNDS} rounds of a walk of {STEPS} steps over [-2, 2]^n, way after way, one "
    "thread, processor seconds. *Prices* are a normal number times 0.05 of the range of f, a "
    "step a normal number times *by* of it; with a column of width 4, 1 % moves the objective by "
    "4 % of the range. *Bounds*: both ends of each column start at -1.5 and 1.5, a step of each "
    "is a normal number times *by* of 4. *Sides*: those of three budgets with uniform weights, "
    "about a third of the way from the least to the largest value of their row, a step of each a "
    "normal number times *by* of what its row ranges over. *prepared* is "
    "`icnn.prepare(...).solve(...)` with the cuts it keeps, to a gap of 1e-6 of the range; *from "
    "nothing* the same after `forget()`; both with reading, judging and the `Decision`. *HiGHS "
    "warm* is its `run()` alone after the change on arrays built once, the basis kept; *HiGHS "
    "cold* its `run()` on new arrays; both with default options. Networks of "
    "`benchmarks.networks.trained`, seed 0; prices of seed 2, bounds of 3, sides of 4. Every "
    "value agrees to 2e-6 of the range, every row of ours is certified."
)


if __name__ == "__main__":
    main()
