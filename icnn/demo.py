"""demo: fit the shipped reformer table, decide with proof, and compare with the truth."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from icnn import report
from icnn.datasets import Dataset, reformer, reformer_truth
from icnn.decide.decision import Decision
from icnn.learn.ficnn import FICNN
from icnn.learn.fit import fit
from icnn.learn.surrogate import Surrogate
from icnn.learn.train import Budget
from icnn.minimize import maximize
from icnn.where import parse

if TYPE_CHECKING:
    from scipy.optimize import LinearConstraint

ROW = "4.76*o2c + sc <= 4"
TARGET = "profit"
OUT = "icnn-demo.png"


def run(out: str = OUT, *, seed: int = 0, budget: Budget | None = None) -> Decision:
    """Print the whole way from the table to the judged decision, and save its picture."""
    table = reformer()
    rows = parse(ROW, table.decisions)
    print(_question(table))
    began = time.perf_counter()
    X, y = table.frame[list(table.decisions)], table.frame[TARGET]
    profit = fit(FICNN(len(table.decisions)), X, y, seed=seed, budget=budget, concave=True)
    seconds, r2 = time.perf_counter() - began, profit.score(X, y)
    print(f"\nLearned a concave {TARGET} in {seconds:.1f} s: R² = {r2:.5f} on the table.\n")
    decision = maximize(profit, constraints=rows, throw=False)
    print(_decision(table, decision))
    if np.isfinite(decision.x).all():
        print(_worth(table, rows, decision))
        _draw(table, profit, decision, rows, out=out)
        print(f"Picture: {out}")
    return decision


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
            f"air, with {ROW}, since the blower moves 4 mol of air and steam per mol CH4.",
        ]
    )


def _decision(table: Dataset, decision: Decision) -> str:
    if not decision.success:
        print(f"No certified decision: {decision.message}")
    named = [(name, f"{x:.6g}", table.units[name]) for name, x in decision.x_named.items()]
    parts = ["Decision", report.table(named), "", "Certificate", report.certificate(decision)]
    return "\n".join(parts)


def _worth(table: Dataset, rows: LinearConstraint, decision: Decision) -> str:
    """The decision, the best recorded row and the true optimum, all in true profit."""
    truth, names = reformer_truth(), list(table.decisions)
    recorded = table.frame[_meets(rows, table.frame[names].to_numpy())]
    best = recorded.iloc[int(recorded[TARGET].argmax())]
    true = float(truth.at(TARGET, decision.x))
    x, optimum = truth.best(TARGET, lambda points: _meets(rows, points))
    lines = [
        ("best recorded row", f"{best[TARGET]:.6f}", _at(best[names])),
        ("the decision, simulated", f"{true:.6f}", _at(decision.x)),
        ("true optimum", f"{optimum:.6f}", _at(x)),
        (
            "true regret",
            f"{optimum - true:.6f}",
            f"{(optimum - true) / optimum:.1e} of the optimum",
        ),
    ]
    head = f"What it is worth in true {TARGET} (the best of the {len(recorded)} rows that meet it)"
    return f"\n{head}\n{report.table(lines)}\n"


def _draw(
    table: Dataset, profit: Surrogate, decision: Decision, rows: LinearConstraint, *, out: str
) -> None:
    from icnn.plot import plot_decision

    truth = reformer_truth()
    plot_decision(
        profit,
        decision,
        rows=rows,
        truth=lambda points: truth.at(TARGET, points),
        data=table.frame,
        units=table.units,
        target=TARGET,
        path=out,
    )


def _meets(rows: LinearConstraint, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    at = points @ np.asarray(rows.A).T
    return np.asarray(((at >= rows.lb) & (at <= rows.ub)).all(axis=1))


def _at(x: Any) -> str:
    return f"at ({', '.join(f'{v:.4f}' for v in x)})"
