"""How long a fit takes, and what one step of it costs beside a hand-written network."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

import icnn
from benchmarks.report import write
from benchmarks.truths import truth
from icnn.learn import train
from icnn.learn.loss import Split

ROWS, COLUMNS, WIDTH, SEEDS, ROUNDS = 10_000, 10, 64, 3, 21
STEPS, WARM = {256: 200, 4096: 40}, 20
GOAL, GOALS = 20.0, {256: 1.35, 4096: 1.1}
CLAIM = (
    f"Goals: {ROWS} x {COLUMNS} rows into FICNN(10, hidden=(64, 64)) with the defaults of "
    "`icnn.fit` "
    f"in {GOAL:g} s; one Adam step of one restart at most {GOALS[256]} (batch 256) and "
    f"{GOALS[4096]} "
    "(batch 4096) times that of an eager torch MLP 64x2 written by hand."
)


def data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return truth("mixed", COLUMNS, 0).sample(rows, np.random.default_rng(seed), noise=0.1)


def mlp_steps(part: Split, steps: int, batch: int, *, fused: bool = False) -> float:
    """Processor seconds of the loop that everybody writes: gather, loss, backward, Adam."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(COLUMNS, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, 1),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2, fused=fused)
    began = time.process_time()
    for _ in range(steps):
        rows = torch.randint(len(part.y), (batch,))
        optimizer.zero_grad(set_to_none=True)
        (net(part.x[rows]).squeeze(-1) - part.y[rows]).square().mean().backward()
        optimizer.step()
    return time.process_time() - began


def our_steps(part: Split, steps: int, batch: int, *, restarts: int) -> float:
    """Processor seconds a restart of what `icnn.fit` does; evaluated once, at the end."""
    budget = icnn.Budget(restarts=restarts, steps=steps, batch_size=batch, every=steps)
    models = train.restarts_of(icnn.FICNN(COLUMNS), restarts, seed=0)
    began = time.process_time()
    train.adam(models, part, part, budget=budget, seed=0, progress=False)
    return (time.process_time() - began) / restarts


def a_step(run: Callable[[int], float], steps: int) -> float:
    """Microseconds a step, without what a run costs before and after its steps."""
    return (run(steps + WARM) - run(WARM)) / steps * 1e6


def compare(batch: int) -> dict:
    """The rivals by turns, so that a busy minute of the machine meets all of them."""
    X, y = data(8000, 0)
    part = Split(*(torch.from_numpy(v).float() for v in (X, y, np.ones(len(y)))))
    runs: dict[str, Callable[[int], float]] = {
        "mlp": lambda n: mlp_steps(part, n, batch),
        "fused": lambda n: mlp_steps(part, n, batch, fused=True),
        "alone": lambda n: our_steps(part, n, batch, restarts=1),
        "four": lambda n: our_steps(part, n, batch, restarts=4),
    }
    found = np.array(
        [[a_step(run, STEPS[batch]) for run in runs.values()] for _ in range(ROUNDS + 1)][1:]
    )
    record: dict = {"batch": batch, "rounds": ROUNDS}
    for k, name in enumerate(runs):
        ratio = found[:, k] / found[:, 0]
        record[name] = float(np.median(found[:, k]))
        record[f"{name} ratio"] = [float(q) for q in np.quantile(ratio, (0.5, 0.25, 0.75))]
    return record


def fits() -> list[dict]:
    records = []
    for seed in range(SEEDS):
        X, y = data(ROWS, seed)
        began, real = time.process_time(), time.perf_counter()
        surrogate = icnn.fit(icnn.FICNN(COLUMNS), X, y, seed=seed, progress=False)
        spent = {"seconds": time.process_time() - began, "real": time.perf_counter() - real}
        steps, polish = int(surrogate.history.step[-1]), int(surrogate.history.polish_steps)
        records.append({"fit": seed, **spent, "steps": steps, "polish": polish})
    return records


def main() -> None:
    """Whole fits, then steps; one thread throughout, as `fit` takes for this size."""
    torch.set_num_threads(1)
    whole, steps = fits(), [compare(batch) for batch in STEPS]
    seconds = [record["seconds"] for record in whole]
    rows = [
        [
            f"fit of {ROWS} x {COLUMNS}, 4 restarts, {SEEDS} seeds",
            f"{np.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})",
            "",
            f"{GOAL:g} s" + (" missed" if max(seconds) > GOAL else ""),
        ]
    ]
    labels = {
        "mlp": "MLP by hand",
        "fused": "MLP by hand, fused Adam",
        "alone": "one restart alone",
        "four": "one of four restarts",
    }
    for record in steps:
        for name, label in labels.items():
            middle, low, high = record[f"{name} ratio"]
            goal = GOALS[record["batch"]]
            shown = (
                "" if name in ("mlp", "fused") else f"{goal}" + (" missed" if middle > goal else "")
            )
            ratio = "1" if name == "mlp" else f"{middle:.2f} ({low:.2f} to {high:.2f})"
            what = f"step of {record['batch']} rows, {label}"
            rows.append([what, f"{record[name]:.0f} µs", ratio, shown])
    write("fit-speed", CLAIM, ["what", "time", "to the MLP", "goal"], rows, whole + steps, NOTES)


NOTES = (
    "Processor seconds of one thread (`fit` takes one for this size), so two cores do no better; "
    "the range is over seeds. Steps: medians, and quartiles of the ratio, of "
    f"{ROUNDS} rounds in which all run by turns; the cost of a run of {WARM} steps is taken off. "
    "An ICNN of this size has three more products with x, and softplus of its weights. The MLP by "
    "hand has torch's default Adam and autograd and is what the goals speak of; `fit` has the "
    "fused Adam and writes the gradient of a ReLU network out. It trains its restarts as one "
    "batched program: one of four costs a quarter of such a step."
)


if __name__ == "__main__":
    main()
