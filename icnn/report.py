"""report: a decision as text for a terminal, and as JSON for another program."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icnn.decide.decision import Decision
from icnn.decide.sets import Box


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as aligned columns, indented by two."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line.rstrip()}" for line in lines)


def span(low: float, high: float) -> str:
    """`0 … 10`, or `≤ 10` and `≥ 0` where an end is open."""
    if math.isfinite(low) and math.isfinite(high):
        return f"{low:.6g} … {high:.6g}"
    if math.isfinite(low):
        return f"≥ {low:.6g}"
    return f"≤ {high:.6g}" if math.isfinite(high) else "any number"


def ranges(columns: Sequence[str], box: Box) -> str:
    """One line a column with its range."""
    ends = zip(columns, box.lower, box.upper, strict=True)
    return table([(name, span(low, high)) for name, low, high in ends])


def certificate(decision: Decision) -> str:
    """Value, bound, gap and violation, in words."""
    proof = "certified by its multipliers" if decision.certified else "the solver's own bound"
    side = "above" if decision.sense == "maximize" else "below"
    rows = [
        ("value", f"{decision.value:.10g}", "the learned function at the decision"),
        ("bound", f"{decision.bound:.10g}", f"no allowed point has a value {side} it: {proof}"),
        ("gap", f"{decision.gap:.2g}", "between value and bound"),
        ("violation", f"{decision.violation:.2g}", "of bounds and conditions, relative"),
    ]
    return table(rows)


def chosen(decision: Decision, box: Box, remarks: Mapping[str, str]) -> str:
    """The decision, one line a column, with its bounds and a remark on each."""
    rows = [("column", "decision", "bounds", "")]
    for name, x, low, high in zip(decision.columns, decision.x, box.lower, box.upper, strict=True):
        end = "at its lower bound" if x <= low else "at its upper bound" if x >= high else ""
        remark = remarks.get(name, "")
        note = remark if remark == "fixed" else ", ".join(part for part in (remark, end) if part)
        rows.append((name, f"{x:.7g}" if math.isfinite(x) else "–", span(low, high), note))
    return table(rows)


def conditions(decision: Decision, texts: Sequence[str]) -> str:
    """What each row is worth: the change of the optimal value per unit of its right-hand side."""
    rows = [("row", "condition", "multiplier")]
    for i, (text, y) in enumerate(zip(texts, decision.multipliers["rows"], strict=True)):
        rows.append((str(i), text, f"{y + 0.0:.4g}" if math.isfinite(y) else "–"))
    return table(rows)


def as_json(
    decision: Decision,
    conditions: Sequence[str] = (),
    context: Mapping[str, float | str] | None = None,
) -> str:
    """Everything about a decision; what is not a finite number becomes null."""
    sides = {
        side: dict(zip(decision.columns, decision.multipliers[side].tolist(), strict=True))
        for side in ("lower", "upper")
    }
    content = {
        "x": decision.x_named,
        "context": dict(context or {}),
        "value": decision.value,
        "bound": decision.bound,
        "gap": decision.gap,
        "violation": decision.violation,
        "status": decision.status.name.lower(),
        "success": decision.success,
        "certified": decision.certified,
        "sense": decision.sense,
        "message": decision.message,
        "conditions": list(conditions),
        "multipliers": {"rows": decision.multipliers["rows"].tolist(), **sides},
        "solver": decision.solver,
        "seconds": decision.seconds,
    }
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a file whole or not at all."""
    write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: str | os.PathLike[str]) -> None:
    """Write a file whole or not at all."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _finite(value: Any) -> Any:
    """The same value with None for NaN and ±∞, deep inside too."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # + 0.0 turns −0 into 0
    return value
