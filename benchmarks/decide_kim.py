"""Decisions for 500 contexts, after Kim & Kim (arXiv 2201.06298): theirs beside ours."""

import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import torch

import icnn
from benchmarks import kim
from benchmarks.kim import PUBLISHED, SIZES, Found
from benchmarks.log import Log
from benchmarks.report import write
from icnn.models import Level, Quadratic

NAME, SEEDS, THEIR_SEEDS = "decide-kim", (1, 2, 3), (1,)
GOALS = {(1, 1): 0.005, (61, 20): 0.5, (376, 17): 0.3}
METHODS = (
    "FNN + descent",
    "PLSE + SCS",
    "PLSE + icnn",
    "PICNN + icnn",
    "Quadratic + PICNN + icnn",
    "Quadratic + level + icnn",
    "Quadratic without context + icnn",
)
CHOSEN = "chosen by hold-out + icnn"
CLAIM = (
    "Minimise a fitted f(x, u) over u in [-1, 1]^m for 500 new contexts x; the truth ½ (‖u‖²/m − "
    "‖x‖²/n) is least at u = 0. Means over contexts. Goals for the distance: 0.005, 0.5 and 0.3 "
    "with every decision faster than PLSE's."
)


def picnn(n: int, m: int) -> icnn.PICNN:
    return icnn.PICNN(m, n, hidden=(16,), context_hidden=(32,))


def both(n: int, m: int) -> icnn.Sum:
    return icnn.Sum(Quadratic(m), picnn(n, m))


def level(n: int, m: int) -> icnn.Sum:
    return icnn.Sum(Quadratic(m), Level(m, n))


CANDIDATES = {
    "Quadratic + PICNN": both,
    "Quadratic + level": level,
    "PICNN": picnn,
    "Quadratic without context": lambda _, m: Quadratic(m),
}


def fitted(model: Any, rows: tuple, seed: int) -> icnn.Surrogate:
    x, u, y, _ = rows
    context = x if model.n_context else None
    return icnn.fit(model, u, y, context=context, seed=seed, progress=False)


def decide(surrogate: icnn.Surrogate, contexts: np.ndarray, m: int) -> Found:
    """Every context by `minimize_batch`; a model without context is asked as many times."""
    ask: dict[str, Any] = {"linear": np.zeros((len(contexts), m))}
    if surrogate.model.n_context:
        ask = {"context": contexts}
    box, began = [(-1.0, 1.0)] * m, time.process_time()
    found = icnn.minimize_batch(surrogate, bounds=box, progress=False, threads=1, **ask)
    spent = time.process_time() - began
    assert found.success.all()
    return found.x, found.value, spent / len(contexts)


def same_weights(model: kim.PLSE, contexts: np.ndarray, m: int) -> Found:
    """Their trained PLSE under our minimiser: one `Network` a context."""
    points, values, spent = [], [], 0.0
    for a, b in zip(*kim.weights(model, contexts), strict=True):
        f = icnn.Network((icnn.Layer(icnn.atoms.LogSumExp(len(b), kim.TEMPERATURE), a, b),))
        began = time.process_time()
        found = icnn.minimize(f, bounds=[(-1.0, 1.0)] * m)
        spent += time.process_time() - began
        assert found.success
        points.append(found.x)
        values.append(found.value)
    return np.array(points), np.array(values), spent / len(contexts)


def theirs(n: int, m: int, rows: tuple, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Their two models, each trained once and minimised by each of its methods."""
    x, u, y, contexts = rows
    began = time.process_time()
    plse = kim.train(kim.PLSE, x, u, y, seed)
    facts = {"fit": time.process_time() - began, "parameters": size(plse)}
    plain = kim.train(kim.FNN, x, u, y, seed)
    found = judged(kim.by_descent(plain, contexts, seed), contexts)
    yield "FNN + descent", found | {"parameters": size(plain)}
    yield "PLSE + SCS", judged(kim.by_scs(plse, contexts), contexts) | facts
    yield "PLSE + icnn", judged(same_weights(plse, contexts, m), contexts) | facts


def ours(n: int, m: int, rows: tuple, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every candidate, and its loss on the hold-out in the training rows."""
    for name, make in CANDIDATES.items():
        began = time.process_time()
        surrogate = fitted(make(n, m), rows, seed)
        facts = {"fit": time.process_time() - began, "parameters": size(make(n, m))}
        facts["held_out"] = surrogate.history.held_out
        yield f"{name} + icnn", judged(decide(surrogate, rows[3], m), rows[3]) | facts


def chosen(log: Log, n: int, m: int) -> list[dict[str, Any]]:
    """For each seed the candidate with the least loss on the hold-out."""
    part = [r for r in log.records if (r["n"], r["m"]) == (n, m) and "held_out" in r]
    by = {seed: [r for r in part if r["seed"] == seed] for seed in SEEDS}
    return [min(found, key=lambda r: r["held_out"]) for found in by.values() if found]


def judged(found: Found, contexts: np.ndarray) -> dict[str, float]:
    u, values, seconds = found
    least = kim.truth(contexts, np.zeros_like(u))
    return {
        "distance": float(np.linalg.norm(u, axis=1).mean()),
        "value": float(np.abs(values - least).mean()),
        "regret": float((kim.truth(contexts, u) - least).mean()),
        "seconds": seconds,
    }


def size(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def run(log: Log, *sides: Any) -> None:
    for seed, (n, m) in product(SEEDS, SIZES):
        rows = kim.data(n, m, seed)
        for side in sides:
            expected = METHODS[:3] if side is theirs else METHODS[3:]
            if seed not in (THEIR_SEEDS if side is theirs else SEEDS):
                continue
            if all(log.has(n, m, method, seed) for method in expected):
                continue
            for method, record in side(n, m, rows, seed):
                if not log.has(n, m, method, seed):
                    log.add((n, m, method, seed), **record)


def table(log: Log) -> list[list[str]]:
    rows = []
    for n, m in SIZES:
        distance, value, seconds = PUBLISHED[n, m]
        printed = [f"{distance:.4g}", f"{value:.4g}", "", f"{1e3 * seconds:.3g}", ""]
        rows.append([f"({n}, {m})", "PLSE, published", *printed])
        for method in METHODS:
            part = [r for r in log.records if (r["n"], r["m"], r["method"]) == (n, m, method)]
            rows.append([f"({n}, {m})", method, *cells(part)])
        best = chosen(log, n, m)
        missed = max(r["distance"] for r in best) > GOALS[n, m]
        picked = "; ".join(sorted({r["method"].removesuffix(" + icnn") for r in best}))
        found = cells(best)
        found[0] += f" (goal {GOALS[n, m]})" if missed else ""
        rows.append([f"({n}, {m})", f"{CHOSEN}: {picked}", *found])
    return rows


def cells(part: list[dict[str, Any]]) -> list[str]:
    def spread(name: str, factor: float = 1.0) -> str:
        values = [factor * r[name] for r in part]
        several = f" ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else ""
        return f"{np.median(values):.3g}{several}"

    found = [spread("distance"), spread("value"), spread("regret"), spread("seconds", 1e3)]
    return [*found, str(part[0].get("parameters", ""))]


def main() -> None:
    """Three sizes, seven ways, three seeds of data and weights alike."""
    torch.set_num_threads(1)
    log = Log(NAME, ("n", "m", "method", "seed"))
    run(log, theirs, ours)
    header = ["(n, m)", "method", "mean ‖û − u*‖", "mean |f̂* − f*|", "mean true regret"]
    header += ["ms a decision", "parameters"]
    write(NAME, CLAIM, header, table(log), log.records, notes(log))


def notes(log: Log) -> str:
    ratios = []
    for n, m in SIZES:
        here = [r["seconds"] for r in log.records if (r["n"], r["method"]) == (n, "PLSE + SCS")]
        ratios.append(f"({n}, {m}) {np.median(here) / PUBLISHED[n, m][2]:.2f}")
    return (
        f"Median and range of {len(SEEDS)} seeds (theirs {len(THEIR_SEEDS)}); 4,500 rows to learn "
        "from. PLSE (30 pieces, T = 0.1, 64x2) and FNN 64x2 are our torch re-implementation of "
        "their protocol (100 epochs, batches of 16, Adam 1e-3). Processor time of one thread. "
        "Julia was not at hand: PLSE by SCS through a parametrised CVXPY problem takes, to the "
        f"printed time of Convex.jl and SCS, {', '.join(ratios)}; the columns of one run here "
        "compare with each other. 'PLSE + icnn' minimises the same weights exactly, so that what "
        "is left is the fit's. The truth is quadratic in u: the quadratic branch can hold it and "
        "the PICNN alone cannot; 'level' is a network of the context alone. The search starts in "
        "the middle of the box, where the truth is least, which flatters distances below the "
        "tolerance of the decision. 'Chosen by hold-out' is, seed by seed, the least final loss "
        f"on a fifth of the training rows among {', '.join(CANDIDATES)}. Models and sizes were "
        "settled on data of other seeds."
    )


if __name__ == "__main__":
    main()
