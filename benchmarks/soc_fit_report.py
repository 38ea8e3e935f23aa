"""The tables of `fit soc`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.report import write

Records = list[dict[str, Any]]
CLAIM = (
    "Relative L2 error on test rows of SOC-ICNN's ten functions: their networks trained by their "
    "own code for its 240 steps, ours of fewer parameters for 240 steps, and ours without that end."
)


def errors(records: Records, d: int, function: str, method: str) -> list[float]:
    """One a seed."""
    at = (d, function, method)
    return [r["error"] for r in records if (r["d"], r["function"], r["method"]) == at]


def spread(values: Sequence[float]) -> str:
    """Mean and, in brackets, the deviation over the seeds."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{np.mean(values):.4f} ({np.std(values, ddof=1):.4f})"


def finding(records: Records, methods: list[str], ours: list[str]) -> str:
    """Wins and losses of each of ours against each of theirs, seed by seed."""
    at = {(r["d"], r["function"], r["seed"], r["method"]): r["error"] for r in records}
    told = []
    for mine in ours:
        keys, parts = [key[:3] for key in at if key[3] == mine], []
        for other in [m for m in methods if m not in ours]:
            pairs = [(at[*k, mine], at[*k, other]) for k in keys if (*k, other) in at]
            if pairs:
                ratio = float(np.median([a / b for a, b in pairs]))
                less = sum(a < b for a, b in pairs)
                parts.append(f"{other} in {less} of {len(pairs)} (median ratio {ratio:.3f})")
        told.append(f"`{mine}` has less error than {', '.join(parts)}.")
    return " ".join(told)


def sizes(records: Records, methods: list[str]) -> str:
    """Parameters and processor seconds of each method and dimension."""
    lines = []
    for method in methods:
        cells = []
        for d in sorted({r["d"] for r in records}):
            part = [r for r in records if (r["d"], r["method"]) == (d, method)]
            if part:
                seconds = np.mean([r["seconds"] for r in part])
                cells.append(f"d = {d}: {part[0]['parameters']} in {seconds:.1f} s")
        lines.append(f"- {method}: " + "; ".join(cells))
    return "\n".join(lines)


def report(name: str, records: Records, methods: Sequence[str], protocol: str) -> None:
    """Write the tables of what is there."""
    known = [m for m in methods if any(r["method"] == m for r in records)]
    ours = [m for m in known if m.startswith("ours")]
    functions = list(dict.fromkeys(r["function"] for r in records))
    rows = []
    for d in sorted({r["d"] for r in records}):
        for function in functions:
            cells = [spread(errors(records, d, function, method)) for method in known]
            rows.append([str(d), function, *cells])
    same = all(r.get("same_data", True) for r in records)
    told = "Rows equal theirs in every cell run." if same else "Rows differ from theirs somewhere."
    notes = f"{protocol} {told}\n\nParameters, processor seconds of a training:\n\n"
    notes += sizes(records, known)
    header = ["d", "function", *known]
    write(name, f"{CLAIM} {finding(records, known, ours)}", header, rows, records, notes)
