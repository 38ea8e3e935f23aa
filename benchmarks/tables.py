"""Out-of-fold R² on the shipped tables, beside five regressors of scikit-learn."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from tqdm import tqdm

import icnn
from benchmarks.log import Log
from benchmarks.report import write
from icnn.datasets import chillers, reformer, snar

NAME, FOLDS, REPEATS, GOAL = "fit-tables", 5, 5, 0.01
KEYS = ("table", "repeat", "method")


class Ours:
    """`icnn.fit` with its defaults, as an estimator."""

    def __init__(self, concave: bool, seed: int, auto: bool) -> None:
        self.concave, self.seed, self.auto = concave, seed, auto

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Ours":
        model = "auto" if self.auto else icnn.FICNN(X.shape[1])
        self.surrogate = icnn.fit(model, X, y, concave=self.concave, seed=self.seed, progress=False)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.surrogate.predict(X)


class Process:
    """Gaussian process with a length scale a column and white noise."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Process":
        kernel = ConstantKernel() * RBF(np.ones(X.shape[1]), (1e-2, 1e3)) + WhiteKernel(
            1e-2, (1e-8, 1e1)
        )
        inner = GaussianProcessRegressor(kernel, normalize_y=True)
        self.model = make_pipeline(StandardScaler(), inner).fit(X, y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict(X))


PEERS: dict[str, Callable[[int], Any]] = {
    "linear": lambda seed: LinearRegression(),
    "quadratic": lambda seed: make_pipeline(
        StandardScaler(), PolynomialFeatures(2), StandardScaler(), RidgeCV(np.logspace(-6, 2, 17))
    ),
    "MLP 64x2": lambda seed: make_pipeline(
        StandardScaler(),
        TransformedTargetRegressor(
            MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=2000, random_state=seed),
            transformer=StandardScaler(),
        ),
    ),
    "boosting": lambda seed: GradientBoostingRegressor(n_estimators=300, random_state=seed),
    "Gaussian process": lambda seed: Process(),
}
OURS = {"icnn FICNN": False, "icnn auto": True}


def tables() -> Iterator[tuple[str, bool, np.ndarray, np.ndarray]]:
    """Name, whether concave, inputs and target of each regression."""
    data = reformer()
    for target, concave in [
        ("profit", True),
        ("hydrogen", True),
        ("temperature", False),
        ("slip", False),
    ]:
        yield (
            f"reformer, {target}",
            concave,
            data.frame[list(data.decisions)].to_numpy(),
            data.frame[target].to_numpy(),
        )
    plant = chillers()
    for name, part in plant.frame.groupby("chiller"):
        yield (
            f"chillers, {name}",
            False,
            part[["load", "condenser"]].to_numpy(),
            part["power"].to_numpy(),
        )
    flow = snar()
    yield (
        "snar, e_factor",
        False,
        flow.frame[list(flow.decisions)].to_numpy(),
        flow.frame[flow.targets[0]].to_numpy(),
    )


def out_of_fold(make: Callable[[], Any], X: np.ndarray, y: np.ndarray, repeat: int) -> float:
    """R² of the pooled out-of-fold predictions of one shuffle."""
    predicted = np.empty_like(y)
    for train, test in KFold(FOLDS, shuffle=True, random_state=repeat).split(X):
        predicted[test] = make().fit(X[train], y[train]).predict(X[test])
    return float(1 - np.square(y - predicted).sum() / np.square(y - y.mean()).sum())


def measure(log: Log, method: str, repeat: int) -> None:
    """One shuffle of every table."""
    for name, concave, X, y in tables():
        if log.has(name, repeat, method):
            continue

        def make(concave: bool = concave) -> Any:
            if method in PEERS:
                return PEERS[method](repeat)
            return Ours(concave, repeat, OURS[method])

        began = time.process_time()
        score = out_of_fold(make, X, y, repeat)
        seconds = (time.process_time() - began) / FOLDS
        log.add((name, repeat, method), r2=score, seconds=round(seconds, 3))


def scores(records: list[dict[str, Any]], table: str, method: str) -> dict[int, float]:
    """R² by shuffle."""
    mine = [r for r in records if (r["table"], r["method"]) == (table, method)]
    return {r["repeat"]: r["r2"] for r in mine}


def cell(found: dict[int, float]) -> str:
    """Mean and standard deviation, with the number of shuffles where some are missing."""
    values = list(found.values())
    if not values:
        return "—"
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    count = "" if len(values) == REPEATS else f" ({len(values)} of {REPEATS})"
    return f"{np.mean(values):.4f}{spread}{count}"


def comparison(found: dict[str, dict[int, float]], mine: str) -> tuple[float, float]:
    """What convexity costs, and how far ours is below the MLP, on the shuffles that ours has."""
    shared = {
        method: float(np.mean([values[k] for k in found[mine]]))
        for method, values in found.items()
        if found[mine] and all(k in values for k in found[mine])
    }
    cost = max((shared[m] for m in PEERS if m in shared), default=np.nan) - shared.get(mine, np.nan)
    return cost, shared.get("MLP 64x2", np.nan) - shared.get(mine, np.nan)


def report(records: list[dict[str, Any]]) -> None:
    """Write the table from whatever has been measured."""
    measured = {record["method"] for record in records}
    methods = [m for m in (*PEERS, *OURS) if m in measured]
    mine = [m for m in OURS if m in measured]
    rows: list[list[Any]] = []
    missed: dict[str, list[str]] = {m: [] for m in mine}
    for name, _, X, _ in tables():
        found = {method: scores(records, name, method) for method in methods}
        costs, seconds = [], []
        for m in mine:
            cost, behind = comparison(found, m)
            costs.append("—" if np.isnan(cost) else f"{cost:+.4f}")
            timed = [r["seconds"] for r in records if (r["table"], r["method"]) == (name, m)]
            seconds.append(f"{np.mean(timed):.1f}" if timed else "—")
            if behind > GOAL:
                missed[m].append(f"{name} ({behind:.3f})")
        shape = f"{X.shape[0]} x {X.shape[1]}"
        rows.append([name, shape, *map(cell, found.values()), *costs, ", ".join(seconds)])
    header = ["table", "rows x columns", *methods]
    header += [f"convexity costs {m}" for m in mine] + [f"s a fit: {', '.join(mine)}"]
    goals = "; ".join(f"{m}: {', '.join(missed[m]) or 'nowhere'}" for m in mine)
    notes = (
        "What convexity costs: the best unconstrained R² less ours; below zero it helps. icnn is "
        "fitted concave for profit and hydrogen, convex for the rest, with the defaults of "
        "`icnn.fit`; processor seconds. Shuffles and models of seeds 0 to 4. More than 0.01 below "
        f"the MLP (goal: nowhere the table is convex): {goals}."
    )
    claim = (
        f"Out-of-fold R² (5 folds), mean ± standard deviation of {REPEATS} shuffles, one setting a "
        "method for all tables."
    )
    write(NAME, claim, header, rows, records, notes)


def main() -> None:
    """Shuffles outermost; names of methods on the command line pick them."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    log = Log(NAME, KEYS)
    methods = [m for m in (*PEERS, *OURS) if m in sys.argv[3:]] or [*PEERS, *OURS]
    for repeat in tqdm(range(REPEATS)):
        for method in methods:
            measure(log, method, repeat)
    report(Log(NAME, KEYS).records)  # with what another process may have added


if __name__ == "__main__":
    main()
