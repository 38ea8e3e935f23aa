"""A batch of priced rows by PrimalDual and by Bundle, on a processor or, with `cuda`, on a GPU."""

import sys
import time
from collections import Counter
from typing import Any

import numpy as np
import torch

import icnn
from benchmarks.networks import trained
from benchmarks.report import write
from icnn.solvers import Bundle, PrimalDual

CASES = [(10, 64, 2, 1000), (20, 128, 2, 200)]
TIMES = 3
CLAIM = (
    "Claim: the primal-dual method closes nearly every row by itself, and the bundle the rest; on "
    "a processor the bundle alone is several times faster."
)


def batch(f: icnn.Network, prices: np.ndarray, solver: Bundle | PrimalDual) -> Any:
    return icnn.minimize_batch(
        f, linear=prices, bounds=[(-2, 2)] * f.n, solver=solver, threads=1, progress=False
    )


def main() -> None:
    """Both solvers in turn; the median of a few runs."""
    torch.set_num_threads(1)
    device = "cuda" if "cuda" in sys.argv else "cpu"
    # a shared processor is not ours all the time; a GPU works while the processor waits
    clock = time.perf_counter if device == "cuda" else time.process_time
    ways = {"PrimalDual": PrimalDual(device), "Bundle": Bundle()}
    rows, records = [], []
    for n, width, depth, size in CASES:
        f, rng = trained(n, width, depth), np.random.default_rng(0)
        spread = np.ptp(f(rng.uniform(-2, 2, (1000, n))))
        prices = 0.05 * spread * rng.standard_normal((size, n))
        found = {name: batch(f, prices, solver) for name, solver in ways.items()}  # warm-up
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TIMES):
            for name, solver in ways.items():
                began = clock()
                batch(f, prices, solver)
                seconds[name].append(clock() - began)
        a, b = found.values()
        assert all(status.name == "OPTIMAL" for d in (a, b) for status in d.status)
        assert (np.abs(a.value - b.value) <= 1e-6 * a.scale).all()
        ms = {name: 1e3 * float(np.median(s)) / size for name, s in seconds.items()}
        own = Counter(a.solver)["PrimalDual"] / size
        cells = [f"{ms[name]:.3f}" for name in ways]
        rows.append([f"{n}, {width}x{depth}", size, *cells, f"{100 * own:.1f} %"])
        records.append({"n": n, "width": width, "depth": depth, "device": device, **seconds})
    header = ["network", "rows", *(f"{name}, ms a row" for name in ways), "closed without bundle"]
    of = "Time" if device == "cuda" else "Processor time"
    notes = f"{of}, medians of {TIMES} runs in turn, judging included; one thread, device {device}."
    write("solve-torch", CLAIM, header, rows, records, notes)


if __name__ == "__main__":
    main()
