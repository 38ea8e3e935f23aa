"""Does the activation matter? Every convex one on the same data with the same budget."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import LinearConstraint
from tqdm import tqdm

import icnn
from benchmarks.log import Log
from benchmarks.report import write
from benchmarks.truths import HIGH, LOW, truth
from icnn.datasets import reformer, reformer_truth
from icnn.errors import NotConvex
from icnn.learn.model import ACTIVATIONS

NAME, SEEDS, ROWS, NOISE = "decide-activations", 5, 500, 0.05
HIDDEN = ((64,), (32, 32))
SIMULATED = [(kind, n) for n in (5, 10) for kind in ("smooth", "kinked")]
BUDGET = icnn.Budget(restarts=2)
BLOWER = LinearConstraint([[4.76, 1.0]], ub=4.0)
KEYS = ("problem", "hidden", "activation", "seed")
CLAIM = (
    "Whether the choice among the convex activations matters for a decision: fit, true regret, "
    "time and proof, on the same rows with the same budget."
)


@dataclass(frozen=True, eq=False)
class Task:
    """A table to fit, new points to score it on, and decisions whose truth is known."""

    table: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    concave: bool
    bounds: list[tuple[float, float]]
    decisions: dict[str, tuple[Any, Callable[[np.ndarray], float]]]  # constraints, regret


def simulated(kind: str, n: int, seed: int) -> Task:
    """A convex function with a known minimiser and 5 % noise."""
    t, rng = truth(kind, n, seed), np.random.default_rng([seed, 1])
    table, test = t.sample(ROWS, rng, noise=NOISE), t.sample(4000, rng, noise=0.0)
    return Task(table, test, False, [(LOW, HIGH)] * n, {f"{kind}, n = {n}": ((), t.regret)})


def simulated_reformer(seed: int) -> Task:
    """The profit of the reformer: 240 rows to fit, 60 to score; free, and under a blower limit."""
    data, t = reformer(), reformer_truth()
    X, y = data.frame[list(data.decisions)].to_numpy(), data.frame["profit"].to_numpy()
    order, scale = np.random.default_rng(seed).permutation(len(y)), y.std()
    test, kept = order[:60], order[60:]
    free, limited = t.best("profit")[1], t.best("profit", lambda p: p @ [4.76, 1.0] <= 4.0)[1]

    def regret(x: np.ndarray, best: float) -> float:
        return float(best - t.at("profit", np.clip(x, t.low, t.high))) / scale

    decisions = {
        "reformer": ((), lambda x: regret(x, free)),
        "reformer, blower": (BLOWER, lambda x: regret(x, limited)),
    }
    bounds = list(zip(t.low, t.high, strict=True))
    return Task((X[kept], y[kept]), (X[test], y[test]), True, bounds, decisions)


def cases() -> Iterator[tuple[int, tuple[int, ...], str, str, Callable[[], Task]]]:
    """Seed, layers, activation, name of the table and the task."""
    tables: dict[str, Callable[[int], Task]] = {"reformer": simulated_reformer}
    for kind, n in SIMULATED:
        tables[f"{kind}, n = {n}"] = lambda seed, kind=kind, n=n: simulated(kind, n, seed)
    for seed in range(SEEDS):
        for name, make in tables.items():
            for hidden in HIDDEN:
                for activation in ACTIVATIONS:
                    yield seed, hidden, activation, name, lambda make=make, seed=seed: make(seed)


def run(log: Log, seed: int, hidden: tuple[int, ...], activation: str, task: Task) -> None:
    """One fit, scored, and its decisions, each solved four times; the first is a warm-up."""
    X, y = task.table
    try:
        model = icnn.FICNN(X.shape[1], hidden, activation)
    except NotConvex:
        return
    began = time.perf_counter()
    s = icnn.fit(model, X, y, seed=seed, concave=task.concave, budget=BUDGET, progress=False)
    took, (points, values) = time.perf_counter() - began, task.test
    fvu = float(np.square(s.predict(points) - values).mean() / values.var())
    decide = icnn.maximize if task.concave else icnn.minimize
    for name, (rows, regret) in task.decisions.items():
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            d = decide(s, bounds=task.bounds, constraints=rows, throw=False)
            seconds.append(time.perf_counter() - start)
        found = {"fvu": fvu, "fit_seconds": took, "seconds": float(np.median(seconds[1:]))}
        found |= {"regret": regret(d.x), "gap": d.gap / d.scale, "success": d.success}
        shape = "x".join(map(str, hidden))
        log.add((name, shape, activation, seed), **found, status=d.status.name, solver=d.solver)


def ends(values: list[float], form: str = ".3f") -> str:
    """Median and, in brackets, least and largest."""
    middle, low, high = np.median(values), min(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def table(records: list[dict[str, Any]]) -> list[list[str]]:
    """One row a problem, shape and activation."""
    rows = []
    for key in dict.fromkeys((r["problem"], r["hidden"], r["activation"]) for r in records):
        part = [r for r in records if (r["problem"], r["hidden"], r["activation"]) == key]
        column = {name: [r[name] for r in part] for name in ("fvu", "regret", "seconds", "gap")}
        solved = sum(r["success"] for r in part)
        rows.append(
            [
                *key,
                ends([1 - v for v in column["fvu"]], ".4f"),
                ends(column["regret"], ".4f"),
                f"{1e3 * np.median(column['seconds']):.1f}",
                f"{np.max(np.abs(column['gap'])):.0e}",
                f"{solved} of {len(part)}",
                "/".join(sorted({r["solver"] for r in part})),
            ]
        )
    return rows


def summary(records: list[dict[str, Any]]) -> str:
    """Each activation against ReLU of the same shape, problem and seed."""
    by = {(r["hidden"], r["activation"], r["problem"], r["seed"]): r for r in records}
    lines = ["| layers | activation | FVU / ReLU's | regret - ReLU's | time / ReLU's | proved |"]
    lines.append("|" + "---|" * 6)
    for hidden, activation in dict.fromkeys((r["hidden"], r["activation"]) for r in records):
        part = [r for k, r in by.items() if k[:2] == (hidden, activation)]
        relu = [by[hidden, "relu", r["problem"], r["seed"]] for r in part]
        pairs = list(zip(part, relu, strict=True))
        fit, speed = (
            float(np.exp(np.mean([np.log(r[name] / q[name]) for r, q in pairs])))
            for name in ("fvu", "seconds")
        )
        less = [r["regret"] - q["regret"] for r, q in pairs]
        wins = sum(difference < 0 for difference in less)
        regret = f"{np.mean(less):+.4f} (less in {wins} of {len(less)})"
        proved = f"{sum(r['success'] for r in part)} of {len(part)}"
        lines.append(f"| {hidden} | {activation} | {fit:.2f} | {regret} | {speed:.1f} | {proved} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then the tables."""
    torch.set_num_threads(1)
    log = Log(NAME, KEYS)
    for seed, hidden, activation, name, make in tqdm(list(cases())):
        if not log.has(name, "x".join(map(str, hidden)), activation, seed):
            run(log, seed, hidden, activation, make())
    records = sorted(log.records, key=lambda r: (r["problem"], r["hidden"]))
    header = ["problem", "layers", "activation", "R² on new points", "true regret"]
    header += ["ms a decision", "largest gap", "proved", "solver"]
    notes = (
        f"Over {SEEDS} seeds (function, rows, noise and fit): median (least to largest). The "
        "functions of `benchmarks.truths` have known minimisers; the table has "
        f"{ROWS} rows with noise of {NOISE} standard deviations, R² is on 4,000 new points without "
        "noise. The reformer is fitted concave on 240 of its 300 rows and scored on the other 60; "
        "its decisions are judged by the simulation. Regret is in standard deviations of the true "
        "function, gap relative to the range of f; a millisecond figure is the median of whole "
        "calls after a warm-up, one thread. `identity` is the control: an affine function. `abs` "
        "may decrease, so it cannot follow a hidden layer.\n\n"
        "The same against ReLU, pair by pair; FVU and time are geometric means over all problems "
        "and seeds:\n\n" + summary(records)
    )
    write(NAME, CLAIM, header, table(records), records, notes)


if __name__ == "__main__":
    main()
