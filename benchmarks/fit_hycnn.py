"""Convex regression in 50 dimensions, after HyCNN (arXiv 2604.26942): theirs beside ours."""

import json
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

import icnn
from benchmarks import hycnn
from benchmarks.hycnn import COLUMNS, MODELS, PUBLISHED, TARGETS, Pair
from benchmarks.log import Log
from benchmarks.report import write
from icnn.models import Additive, MaxAffine, Quadratic

NAME, ROWS, SEEDS, GOAL, MOST = "fit-hycnn", (1000, 2000, 5000), range(3), 0.05, 5000
PENALTIES = np.logspace(-2, 5, 15)
Predict = Callable[[np.ndarray], np.ndarray]
CANDIDATES = {
    "diagonal quadratic": Quadratic(COLUMNS),
    "FICNN 16 + diagonal quadratic": icnn.Sum(icnn.FICNN(COLUMNS, (16,)), Quadratic(COLUMNS)),
    "additive, 8 knots": Additive(COLUMNS, 8),
    "max of 16 affine": MaxAffine(COLUMNS, 16),
}
RIDGES = {
    "ridge, diagonal quadratic": FunctionTransformer(lambda x: np.hstack([x, x * x])),
    "ridge, full quadratic": PolynomialFeatures(2, include_bias=False),
}
CLAIM = (
    "Mean squared error without noise on 1,000 new points (their prediction set) after a fit to n "
    "rows with noise of variance 1 in 50 columns. Goal: ‖x‖², n = 5,000: 0.7612 published for "
    f"HyCNN with 147,555 parameters; at most {GOAL} with at most {MOST} here."
)


def ridge(name: str, data: Pair, _: int) -> tuple[Predict, dict[str, Any]]:
    steps = (RIDGES[name], StandardScaler(), RidgeCV(PENALTIES))
    model = make_pipeline(*steps).fit(*data)
    return model.predict, {"parameters": int(model[-1].coef_.size) + 1}


def theirs(name: str, data: Pair, seed: int) -> tuple[Predict, dict[str, Any]]:
    model, predict = hycnn.train(name, data, hycnn.METHOD_SEED + seed)
    return predict, {"parameters": size(model)}


def ours(_: str, data: Pair, seed: int) -> tuple[Predict, dict[str, Any]]:
    """The defaults; the hold-out inside the training rows chooses among the candidates."""
    surrogate = icnn.fit(list(CANDIDATES.values()), *data, seed=seed, progress=False)
    kept = json.dumps(surrogate.model.config)
    chosen = next(name for name, m in CANDIDATES.items() if json.dumps(m.config) == kept)
    return surrogate.predict, {"chosen": chosen, "parameters": size(surrogate.model)}


def size(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


METHODS: dict[str, Callable[..., tuple[Predict, dict[str, Any]]]] = {
    **dict.fromkeys(RIDGES, ridge),
    **dict.fromkeys(MODELS, theirs),
    "icnn": ours,
}


def seeds(target: str, n: int, method: str) -> range:
    """How often: a ridge draws nothing, and what takes long and is not published runs once."""
    often = n == ROWS[-1] if method == "icnn" else target == "‖x‖²" and method in MODELS
    return SEEDS if often else range(1)


def run(log: Log) -> None:
    for seed, target, n in product(SEEDS, TARGETS, ROWS):
        points, values = hycnn.prediction(TARGETS[target])
        data = hycnn.training(TARGETS[target], n)
        for method, train in METHODS.items():
            if seed not in seeds(target, n, method) or log.has(target, n, method, seed):
                continue
            began = time.process_time()
            predict, facts = train(method, data, seed)
            spent = time.process_time() - began
            error = float(np.square(predict(points) - values).mean())
            log.add((target, n, method, seed), mse=error, seconds=spent, **facts)


def cell(found: list[dict[str, Any]]) -> str:
    errors = [record["mse"] for record in found]
    spread = f" ({min(errors):.3f} to {max(errors):.3f})" if len(errors) > 1 else ""
    return f"{np.median(errors):.3f}{spread}"


def table(log: Log) -> list[list[str]]:
    rows = []
    for target in TARGETS:
        for n in ROWS:
            by = {
                method: [
                    r
                    for r in log.records
                    if (r["target"], r["rows"], r["method"]) == (target, n, method)
                ]
                for method in METHODS
            }
            chosen = sorted({f"{r['chosen']} ({r['parameters']})" for r in by["icnn"]})
            rows.append([target, str(n), *map(cell, by.values()), "; ".join(chosen)])
    return rows


def main() -> None:
    """Three targets, three numbers of rows, six methods, three seeds of the trained ones."""
    torch.set_num_threads(1)
    assert max(size(model) for model in CANDIDATES.values()) <= MOST
    log = Log(NAME, ("target", "rows", "method", "seed"))
    run(log)
    header = ["target", "n", *METHODS, "chosen by the hold-out (parameters)"]
    write(NAME, CLAIM, header, table(log), log.records, notes(log))


def notes(log: Log) -> str:
    first = [
        r["mse"]
        for r in log.records
        if (r["target"], r["rows"]) == ("‖x‖²", 5000) and r["method"] == "icnn"
    ]
    verdict = "reached by all" if max(first) <= GOAL else "missed by some"
    seconds = {
        m: np.median([r["seconds"] for r in log.records if r["method"] == m and r["rows"] == 5000])
        for m in METHODS
    }
    spent = ", ".join(f"{m} {s:.1f}" for m, s in seconds.items())
    published = ", ".join(f"{name} {value}" for name, value in PUBLISHED.items())
    return (
        f"Median and range of {len(SEEDS)} seeds of the fit; data and prediction set have the "
        f"published seeds. The goal is {verdict} of our seeds. Published for ‖x‖², n = 5,000: "
        f"{published}; the columns here are our re-implementation of their protocol (last epoch, "
        "method seed 10 and two more). icnn fits every candidate with the defaults and takes the "
        "one whose hold-out inside the training rows (a fifth) is least; the prediction set is "
        "read once, by the chosen one. ‖x‖² lies in the class of the quadratic branch and of both "
        "ridges, so that row is no contest of networks; the other two targets are not quadratic. "
        "A cell without a range is one seed. Before these seeds, one seed of five candidates was "
        "seen on the prediction set of each target; two plain FICNNs were then dropped (never "
        "least on the hold-out) and the additive model taken in when `fit` got it. "
        f"Processor seconds a fit at n = 5,000: {spent} (icnn: all {len(CANDIDATES)} candidates)."
    )


if __name__ == "__main__":
    main()
