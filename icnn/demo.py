"""demo: fit the shipped reformer table, decide with proof, and compare with the truth."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from icnn import report
from icnn.datasets import Dataset, reformer, reformer_truth
from icnn.decide.decision import Decision
from icnn.learn.ficnn import FICNN
from icnn.learn.fit import fit
from icnn.learn.surrogate import Surrogate
from icnn.learn.train import Budget
from icnn.limit import Limit
from icnn.minimize import maximize

TARGET = "profit"
HOTTEST, MOST_SLIP = 1150.0, 0.03  # K, mol CH4 per mol CH4
OUT = "icnn-demo.png"


def run(out: str = OUT, *, seed: int = 0, budget: Budget | None = None) -> Decision:
    """Print the whole way from the table to the judged decision, and save its picture."""
    table = reformer()
    print(_question(table))
    began = time.perf_counter()
    learned = _learn(table, seed, budget)
    seconds = time.perf_counter() - began
    scores = ", ".join(
        f"{n} {f.score(table.frame, table.frame[n]):.5f}" for n, f in learned.items()
    )
    print(f"\nLearned {len(learned)} functions in {seconds:.1f} s; R² on the table: {scores}.\n")
    limits = [learned["temperature"] <= HOTTEST, learned["slip"] <= MOST_SLIP]
    decision = maximize(learned[TARGET], constraints=limits, throw=False)
    print(_decision(table, decision))
    if np.isfinite(decision.x).all():
        print(_worth(table, decision))
        _draw(table, learned[TARGET], decision, limits, out=out)
        print(f"Picture: {out}")
    return decision


def _learn(table: Dataset, seed: int, budget: Budget | None) -> dict[str, Surrogate]:
    """A concave profit, a convex temperature and a convex slip."""
    X, names = table.frame[list(table.decisions)], (TARGET, "temperature", "slip")
    return {
        name: fit(
            FICNN(X.shape[1]),
            X,
            table.frame[name],
            seed=seed,
            budget=budget,
            concave=name == TARGET,
        )
        for name in names
    }


def _question(table: Dataset) -> str:
    columns = [
        (name, report.span(table.frame[name].min(), table.frame[name].max()), table.units[name])
        for name in table.decisions
    ]
    return "\n".join(
        [
            table.question,
            f"{len(table.frame)} operating points of a methane reformer, {table.source}.",
            "",
            "To decide",
            report.table(columns),
            f"for the most {TARGET} [{table.units[TARGET]}]: hydrogen less its price in steam and",
            f"air, where the learned temperature stays within {HOTTEST:g} K and the learned slip",
            f"of methane within {MOST_SLIP:g} mol.",
        ]
    )


def _decision(table: Dataset, decision: Decision) -> str:
    if not decision.success:
        print(f"No certified decision: {decision.message}")
    named = [(name, f"{x:.6g}", table.units[name]) for name, x in decision.x_named.items()]
    parts = ["Decision", report.table(named), "", "Certificate", report.certificate(decision)]
    return "\n".join(parts)


def _worth(table: Dataset, decision: Decision) -> str:
    """The decision, the best recorded row and the true optimum, all simulated."""
    truth, names = reformer_truth(), list(table.decisions)
    frame = table.frame
    recorded = frame[(frame["temperature"] <= HOTTEST) & (frame["slip"] <= MOST_SLIP)]
    best = recorded.iloc[int(recorded[TARGET].argmax())]
    true = float(truth.at(TARGET, decision.x))
    x, optimum = truth.best(
        TARGET,
        lambda p: (truth.at("temperature", p) <= HOTTEST) & (truth.at("slip", p) <= MOST_SLIP),
    )
    heat, slip = (float(truth.at(name, decision.x)) for name in ("temperature", "slip"))
    lines = [
        ("best recorded row", f"{best[TARGET]:.6f}", _at(best[names])),
        ("the decision, simulated", f"{true:.6f}", _at(decision.x)),
        ("true optimum", f"{optimum:.6f}", _at(x)),
        ("true regret", f"{optimum - true:+.6f}", f"{(optimum - true) / optimum:.1e} of it"),
        ("true temperature", f"{heat:.2f} K", f"{heat - HOTTEST:+.2f} of the limit"),
        ("true slip", f"{slip:.5f} mol", f"{slip - MOST_SLIP:+.5f} of the limit"),
    ]
    head = f"What it is worth in truth (the best of the {len(recorded)} rows within both limits)"
    return f"\n{head}\n{report.table(lines)}\n"


def _draw(
    table: Dataset, profit: Surrogate, decision: Decision, limits: list[Limit], *, out: str
) -> None:
    from icnn.plot import plot_decision

    truth = reformer_truth()
    plot_decision(
        profit,
        decision,
        rows=limits,
        truth=lambda points: truth.at(TARGET, points),
        data=table.frame,
        units=table.units,
        target=TARGET,
        path=out,
    )


def _at(x: Any) -> str:
    return f"at ({', '.join(f'{v:.4f}' for v in x)})"
