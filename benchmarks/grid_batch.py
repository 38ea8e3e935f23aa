"""Time a decision against the number of decisions asked at once, for the grid's picture."""

import importlib.util
import time
from collections.abc import Callable

import numpy as np

import icnn
from benchmarks.instances import Case, case
from benchmarks.log import Log
from benchmarks.lp_rivals import highs, moreau_batch

SIZE = (10, 64, 2)
SIZES = (1, 10, 100, 1000, 10_000)
MOST = {"minimize_batch": 10_000, "HiGHS, one by one": 100, "moreau, a batch": 1000}
ROUNDS = 3


def ours(instance: Case, C: np.ndarray) -> Callable[[], None]:
    """minimize_batch from arguments to `Decisions`, every row certified."""
    solver = icnn.solvers.Bundle(tolerance=1e-6)

    def run() -> None:
        bounds = instance.said["bounds"]
        found = icnn.minimize_batch(instance.f, linear=C, bounds=bounds, solver=solver, threads=1)
        assert found.success.all()

    return run


def loop(instance: Case, C: np.ndarray) -> Callable[[], None]:
    """HiGHS on arrays that it holds, row after row."""
    solve, _ = highs(instance)

    def run() -> None:
        for c in C:
            solve(c)

    return run


def compiled(instance: Case, C: np.ndarray) -> Callable[[], None]:
    """moreau's compiled batch."""
    solve = moreau_batch(instance, len(C))

    def run() -> None:
        solve(C)

    return run


WAYS = {"minimize_batch": ours, "HiGHS, one by one": loop, "moreau, a batch": compiled}


def run(log: Log) -> None:
    """Processor seconds of one thread, the least of some rounds after a warm-up."""
    instance = case(SIZE, "dense", "box")
    rng = np.random.default_rng(3)
    for size in SIZES:
        C = rng.standard_normal((size, instance.n)) * instance.prices.std()
        for name, way in WAYS.items():
            key = (*SIZE, "dense", f"batch of {size}", name)
            absent = name.startswith("moreau") and importlib.util.find_spec("moreau") is None
            if absent or size > MOST[name] or log.has(*key):
                continue
            log.add(key, size=size, seconds=least(way(instance, C)))


def least(run: Callable[[], None]) -> float:
    """The least processor seconds of some rounds, after one that warms up."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return min(seconds)
