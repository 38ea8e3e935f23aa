"""SOC-ICNN's decisions: their network and minimiser, the same weights minimised here, our fit."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import icnn
from benchmarks import soc_peer, soc_report
from benchmarks.log import Log
from benchmarks.soc_tasks import CONTEXT, TASKS, Array, Task, optimum, task
from icnn.models import PICNN, NormTerm, Quadratic, Sum

NAME, KEYS = "decide-soc", ("task", "d", "seed", "method")
DIMENSIONS, SEEDS = (10, 20, 50), (2026, 2027)
BUDGET = icnn.Budget(
    restarts=1, validation=0.1, steps=2000, batch_size=1024, learning_rate=5e-2, every=250, polish=0
)
PROTOCOL = (
    "1,000 contexts with 64 candidates each to fit, 20 of the 200 test contexts to decide (the "
    "authors' choice of them). Regret is in units of the true objective, mean (standard error "
    "over contexts); the true optimum is Clarabel's by CVXPY. Published: smooth L1, Adam at 2e-3, "
    "at most 120 epochs, then projected Adam from 5 starts, 200 steps of 2e-3; the authors' own "
    "code, with one `set_seed` before each network. Their rows equal ours bit for bit. "
    "Milliseconds are processor time of one thread; ours and `exact` include the lowering of the "
    "network at the context. Our model and its training were chosen on contexts of another seed "
    "(30,000 above the task's) at d = 10 alone; no model was changed after a look at the test "
    "contexts (four cells of d = 10 were run twice, as a kernel was not yet compiled). Cells that "
    "are not in the table were not run; each has two seeds of theirs and of ours, 2026 and 2027. "
    "With the first, ours was fitted and timed once more when the bundle's master had learned to "
    "carry smooth parts (before, it was 3 to 8 times faster in four cells at d = 50), and the "
    "times of the other two methods are from before. Their training "
    "stops early (patience 5); ours is 2,000 steps of 1,024 rows, of another shape."
)


@dataclass(frozen=True, eq=False)
class Cases:
    """Test contexts and what is best there."""

    task: Task
    contexts: Array  # (cases, 8)
    best: list[tuple[Array, float]]

    def score(self, points: list[Array]) -> dict[str, Any]:
        """True regret, its ratio to |optimum|, distance and violation of points, one a context."""
        at = [self.task.at(theta) for theta in self.contexts]
        regrets = [
            float(f(x[None])[0]) - best
            for f, x, (_, best) in zip(at, points, self.best, strict=True)
        ]
        apart = [
            float(np.linalg.norm(x - best)) for x, (best, _) in zip(points, self.best, strict=True)
        ]
        scales = [abs(best) + 1e-8 for _, best in self.best]
        relative = [r / scale for r, scale in zip(regrets, scales, strict=True)]
        worst = max(self.task.violation(x) for x in points)
        return {"regret": regrets, "relative": relative, "distance": apart, "violation": worst}


def cases(name: str, d: int, seed: int) -> Cases:
    """The test contexts that the authors' code decides for, with this seed."""
    problem = task(name, d)
    contexts = problem.table("test")[0][soc_peer.chosen(seed)]
    return Cases(problem, contexts, [optimum(problem, problem.at(theta)) for theta in contexts])


def model(d: int) -> Sum:
    """Ours: the three terms of SOC-ICNN, with a context that may gate the ReLU part."""
    network = PICNN(d, CONTEXT, (48, 48), (24,), "softplus")
    squares = Quadratic(d, "full", n_context=CONTEXT)
    return Sum(network, squares, NormTerm(d, 3, d, n_context=CONTEXT))


def minimised(given: Cases, at: Callable[[Array], Any]) -> dict[str, Any]:
    """The decision at each context by `icnn.minimize`, with its processor time and proof."""
    points, seconds, proved, values, solvers = [], [], 0, [], set()
    ends = [(0.0, 1.0)] * given.task.d
    for theta in given.contexts:
        began = time.process_time()
        f = at(theta)
        found = icnn.minimize(f, bounds=ends, constraints=given.task.constraints, throw=False)
        seconds.append(time.process_time() - began)
        points.append(found.x)
        values.append(found.value)
        proved += found.success
        solvers.add(found.solver)
    counted = {"seconds": seconds, "proved": proved, "solver": "/".join(sorted(solvers))}
    return given.score(points) | counted | {"value": values}


def authors(log: Log, name: str, d: int, seed: int, kind: str) -> None:
    """Two records: as published, and the same weights minimised with proof."""
    theirs, given = soc_peer.train(name, d, kind, seed), cases(name, d, seed)
    fitted = {
        "parameters": theirs.parameters,
        "relative_l2": theirs.figures["test_regression"]["rel_l2"],
        "training": theirs.figures["config"]["total_train_time_sec"],
        "epochs": theirs.figures["config"]["best_epoch"],
        "same_data": theirs.same_data,
    }
    exact = minimised(given, theirs.at)
    log.add((name, d, seed, f"{kind}, exact"), **fitted, **exact)
    pairs = zip(given.contexts, theirs.points, theirs.values, strict=True)
    values = [float(theirs.at(theta)(x)) for theta, x, _ in pairs]
    apart = float(np.abs(np.array(values) - theirs.values).max())
    found = given.score(theirs.points) | {"seconds": theirs.seconds, "value": values}
    found |= {"network_apart": apart}  # of ours from theirs, in float32
    log.add((name, d, seed, f"{kind}, Adam"), **fitted, **found)


def ours(log: Log, name: str, d: int, seed: int, _: str) -> None:
    """Our fit to the same rows, minimised with proof."""
    given = cases(name, d, seed)
    theta, X, y = given.task.table("train")
    rows = np.repeat(theta, X.shape[1], axis=0)
    began = time.process_time()
    points, values = X.reshape(-1, d), y.reshape(-1)
    s = icnn.fit(model(d), points, values, context=rows, seed=seed, budget=BUDGET, progress=False)
    took = time.process_time() - began
    fitted = {
        "parameters": sum(p.numel() for p in s.model.parameters()),
        "relative_l2": _relative(s, given.task),
        "training": took,
    }
    log.add((name, d, seed, "ours"), **fitted, **minimised(given, s.at))


def _relative(s: icnn.Surrogate, problem: Task) -> float:
    theta, X, y = problem.table("test")
    points, rows = X.reshape(-1, problem.d), np.repeat(theta, X.shape[1], axis=0)
    return float(np.linalg.norm(s.predict(points, rows) - y.reshape(-1)) / np.linalg.norm(y))


METHODS: dict[str, tuple[Callable[..., None], str]] = {
    "soc": (authors, "soc, Adam"),
    "ours": (ours, "ours"),
    "relu": (authors, "relu, Adam"),
}


def main() -> None:
    """Run what is missing, then the tables; further arguments name methods, sizes or tasks."""
    torch.set_num_threads(1)
    log, wanted = Log(NAME, KEYS), sys.argv[3:]
    methods, sizes, tasks = (
        [one for one in options if str(one) in wanted] or list(options)
        for options in (METHODS, DIMENSIONS, TASKS)
    )
    cells = [(s, d, t, m) for s in SEEDS for d in sizes for t in tasks for m in methods]
    for seed, d, name, method in tqdm(cells):
        run, key = METHODS[method]
        if not log.has(name, d, seed, key):
            run(log, name, d, seed, method)
    soc_report.report(NAME, log.records, PROTOCOL)


if __name__ == "__main__":
    main()
