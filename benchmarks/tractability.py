"""Feasible against infeasible: an ICNN and a free ReLU network, both minimised with proof."""

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import icnn
from benchmarks import bigm, peers, tractability_report, unconstrained
from benchmarks.log import Log
from benchmarks.truths import HIGH, LOW, Truth, truth
from icnn.decide.solvers.solver import AbstractSolver

NAME, N, ROWS, NOISE = "solve-tractability", 10, 2000, 0.05
WIDTHS = {
    1: (16, 32, 48, 64, 80, 96, 112, 128, 192),
    2: (16, 24, 32, 36, 40, 48, 64, 96),
    3: (8, 16, 24, 28, 32, 40, 48, 64),
}
LARGE = {1: (256, 512), 2: (128, 256, 512), 3: (128, 256)}  # ours alone, seed 0
SEEDS, LIMIT, TOLERANCE = 3, 60.0, 1e-6
OURS: dict[str, AbstractSolver | None] = {"icnn": None}  # None lets `minimize` pick
BIGM, DESCENT = "HiGHS, big-M", "descent"
ONE_SEED = tuple(peers.PEERS)  # the other tools see seed 0 only: each miss costs a minute
KEYS = ("depth", "width", "seed", "method")
BOX = np.full(N, LOW), np.full(N, HIGH)


def stopped(log: Log, depth: int, width: int, seed: int, method: str) -> bool:
    """Whether this method did not finish at a smaller width of the same depth and seed."""
    same = [r for r in log.records if (r["depth"], r["seed"], r["method"]) == (depth, seed, method)]
    return any(r["width"] < width and not r["finished"] for r in same)


def data(seed: int) -> tuple[Truth, np.ndarray, np.ndarray]:
    """The function behind the data, and the same table for both networks."""
    t = truth("mixed", N, seed)
    return t, *t.sample(ROWS, np.random.default_rng(seed), noise=NOISE)


def fitted(X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], seed: int) -> icnn.Surrogate:
    budget = icnn.Budget(steps=unconstrained.STEPS, restarts=1, polish=0)
    model = icnn.FICNN(N, sizes)
    return icnn.fit(model, X, y, seed=seed, budget=budget, progress=False)


def decided(s: icnn.Surrogate, solver: AbstractSolver | None) -> tuple[icnn.Decision, list[float]]:
    """The decision and the processor seconds of three whole calls of `minimize`."""
    seconds = []
    for _ in range(3):
        began = time.process_time()
        d = icnn.minimize(s, bounds=[(LOW, HIGH)] * N, solver=solver, throw=False)
        seconds.append(time.process_time() - began)
    return d, seconds


def searched(method: str, net: nn.Sequential, start: np.ndarray) -> dict:
    """The answer of a method, judged by the network itself."""
    try:
        if method == BIGM:
            layers = unconstrained.weights(net)
            found = bigm.minimize(layers, BOX, seconds=LIMIT, start=start)
        else:
            found = peers.PEERS[method][0](net, BOX, LIMIT)
    except ImportError:
        return {"status": "not installed", "finished": False}
    except Exception as error:  # what a tool refuses is a result
        return {"status": f"refused: {error}", "finished": False}
    x, optimal = found.pop("x"), found.pop("optimal")
    found["status"] = "optimal by its own word" if optimal else "not finished"
    if x is None:
        return found | {"finished": False}
    x = np.clip(x, *BOX)
    value = float(unconstrained.value(net, x[None])[0])
    seen = unconstrained.value(net, np.random.default_rng(0).uniform(LOW, HIGH, (1000, N)))
    gap = (value - found["bound"]) / (seen.max() - value)
    finished = bool(optimal and abs(gap) <= TOLERANCE)
    return found | {"x": x.tolist(), "value": value, "gap": gap, "finished": finished}


def cases(depths: list[int]) -> Iterator[tuple[int, int, int]]:
    """Depth, width and seed, small ones first."""
    for depth in depths or WIDTHS:
        widths = WIDTHS[depth]
        for width in (*widths, *LARGE[depth]):
            for seed in range(SEEDS if width in widths else 1):
                yield depth, width, seed


def wanted(log: Log, depth: int, width: int, seed: int) -> list[str]:
    """The methods still to run."""
    methods = [*OURS]
    if width in WIDTHS[depth]:
        rivals = [BIGM, *(ONE_SEED if seed == 0 else ())]
        methods += [DESCENT, *(m for m in rivals if not stopped(log, depth, width, seed, m))]
    return [m for m in methods if not log.has(depth, width, seed, m)]


def run(log: Log, depth: int, width: int, seed: int) -> None:
    """Ours before each rival, so that a busy machine slows both."""
    todo = wanted(log, depth, width, seed)
    if not todo or (seed > 0 and stopped(log, depth, width, seed, BIGM)):
        return
    t, X, y = data(seed)
    s = fitted(X, y, (width,) * depth, seed)
    for name, solver in OURS.items():
        decided(s, solver)
        d, seconds = decided(s, solver)
        if name in todo:
            judged = {"finished": d.success, "status": d.status.name, "solver": d.solver}
            judged |= {"gap": d.gap / d.scale, "regret": t.regret(d.x), "r2": r2(t, s.predict)}
            log.add((depth, width, seed, name), seconds=float(np.median(seconds)), **judged)
    rivals = [m for m in todo if m not in OURS]
    if not rivals:
        return
    net = unconstrained.train(X, y, (width,) * depth, seed=seed)
    began = time.process_time()
    points, values = unconstrained.descend(net, N, seed=seed)
    took, start = time.process_time() - began, points[values.argmin()]
    if DESCENT in rivals:
        found = {"value": values.min(), "seconds": took, "finished": False, "status": "no proof"}
        found |= {"regret": t.regret(start), "r2": r2(t, lambda X: unconstrained.value(net, X))}
        spread = np.quantile(values, [0.0, 0.5, 1.0]).tolist()
        log.add((depth, width, seed, DESCENT), **found, values=spread)
    for method in rivals:
        if method != DESCENT:
            mine = {name: decided(s, solver)[1] for name, solver in OURS.items()}
            found = searched(method, net, start)
            regret = t.regret(np.array(found["x"])) if "x" in found else None
            log.add((depth, width, seed, method), **found, regret=regret, ours=mine)


def r2(t: Truth, predict: Callable[[np.ndarray], np.ndarray]) -> float:
    """On 4,000 new points, against the truth without noise."""
    X = np.random.default_rng(99).uniform(LOW, HIGH, (4000, N))
    y = t(X)
    return float(1 - np.square(predict(X) - y).mean() / y.var())


def main() -> None:
    """Run what is missing, then write table and plot; `... tractability 2` runs depth 2 only."""
    torch.set_num_threads(1)
    log, depths = Log(NAME, KEYS, **peers.versions()), [int(d) for d in sys.argv[3:]]
    log.records = [r for r in log.records if r["status"] != "not installed"]  # tried again
    for case in tqdm(list(cases(depths))):
        run(log, *case)
    if not depths:
        tractability_report.main(log.records)


if __name__ == "__main__":
    main()
