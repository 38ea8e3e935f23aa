"""Re-solving for a new context: prepared, fresh, CVXPY rebuilt, and CVXPY with DPP parameters."""

import time

import cvxpy as cp
import numpy as np

import icnn
from benchmarks.report import write

CASES, CONTEXTS = [(20, 64), (20, 128)], 25
WAYS = ("prepare", "minimize", "CVXPY rebuilt", "CVXPY DPP")
CLAIM = (
    "Goal: a prepared re-solve at least 4 times faster than rebuilding through CVXPY at n = 20, "
    "64 x 2, and 2 times at 128 x 2, on the same trained PICNN (CVXPY with HiGHS)."
)


def case(n: int, width: int) -> dict[str, list[float]]:
    """Processor seconds of each way, alternating, after two warm-up rounds."""
    rng = np.random.default_rng(0)
    X, C = rng.uniform(-1, 1, (1000, n)), rng.uniform(-1, 1, (1000, 4))
    y = np.square(X - np.tanh(C @ rng.standard_normal((4, n)))).sum(1)
    y += np.abs(X).max(1)
    budget = icnn.Budget(restarts=1, polish=0)
    model = icnn.PICNN(n, 4, hidden=(width, width))
    s = icnn.fit(model, X, y, context=C, budget=budget, progress=False)
    prepared = icnn.prepare(s, bounds=[(-1, 1)] * n, context=C[0])
    x, parameter = cp.Variable(n), cp.Parameter(4)
    expression, rows = icnn.to_cvxpy(s, x, parameter)
    dpp = cp.Problem(cp.Minimize(expression), [*rows, x >= -1, x <= 1])
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}

    def rebuilt(c: np.ndarray) -> float:
        expression, rows = icnn.to_cvxpy(s.at(c), x)
        return cp.Problem(cp.Minimize(expression), [*rows, x >= -1, x <= 1]).solve(solver="HIGHS")

    def with_parameter(c: np.ndarray) -> float:
        parameter.value = c
        return dpp.solve(solver="HIGHS", warm_start=False)

    ways = {
        "prepare": lambda c: prepared.solve(context=c).value,
        "minimize": lambda c: icnn.minimize(s, bounds=[(-1, 1)] * n, context=c).value,
        "CVXPY rebuilt": rebuilt,
        "CVXPY DPP": with_parameter,
    }
    for k in range(CONTEXTS + 2):
        values = []
        for way, solve in ways.items():
            began = time.process_time()
            values.append(solve(C[k]))
            if k >= 2:
                seconds[way].append(time.process_time() - began)
        assert np.ptp(values) <= 1e-6 * np.ptp(y)
    return seconds


def main() -> None:
    """One row a size."""
    rows, records = [], []
    for n, width in CASES:
        seconds = case(n, width)
        medians = {way: float(np.median(seconds[way])) for way in WAYS}
        ratio = medians["CVXPY rebuilt"] / medians["prepare"]
        rows.append([f"{n}, {width}x2", *(f"{1e3 * medians[w]:.1f}" for w in WAYS), f"{ratio:.1f}"])
        records.append({"n": n, "width": width, **seconds})
    write(
        "solve-prepared",
        CLAIM,
        ["PICNN", *(f"{way}, ms" for way in WAYS), "CVXPY rebuilt / prepare"],
        rows,
        records,
        f"Medians of {CONTEXTS} contexts, one thread, processor seconds; values agree to 1e-6.",
    )


if __name__ == "__main__":
    main()
