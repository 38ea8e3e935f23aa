"""The tables of `decide soc`."""

from typing import Any

import numpy as np

from benchmarks.report import write
from benchmarks.soc_tasks import TASKS

Records = list[dict[str, Any]]
ADAM, EXACT, OURS = "soc, Adam", "soc, exact", "ours"
CLAIM = (
    "True regret of a decision on SOC-ICNN's six tasks: their network and their projected Adam, as "
    "published; the same weights minimised by `icnn.minimize`; and our own fit of at most as many "
    "parameters, minimised by `icnn.minimize`."
)


def pooled(records: Records, d: int, name: str, method: str) -> dict[str, np.ndarray]:
    """Every figure of a cell, over contexts and seeds; empty without a record."""
    part = [r for r in records if (r["d"], r["task"], r["method"]) == (d, name, method)]
    keys = set.intersection(*(set(r) for r in part)) if part else set()
    return {key: np.concatenate([np.atleast_1d(r[key]) for r in part]) for key in keys}


def spread(values: np.ndarray) -> str:
    """Mean and, in brackets, its standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.4f} ({error:.4f})"


def cells(records: Records) -> list[tuple[int, str, list[dict[str, np.ndarray]]]]:
    """Dimension, task and the three methods, where all three are there."""
    found = []
    for d in sorted({r["d"] for r in records}):
        for name in TASKS:
            parts = [pooled(records, d, name, method) for method in (ADAM, EXACT, OURS)]
            if all(parts):
                found.append((d, name, parts))
    return found


def row(d: int, name: str, parts: list[dict[str, np.ndarray]]) -> list[str]:
    """Regrets, their ratios, times and their ratio, proofs."""
    adam, exact, ours = (part["regret"].mean() for part in parts)
    milliseconds = [1e3 * np.mean(part["seconds"]) for part in parts]
    proved = int(parts[2]["proved"].sum())
    return [
        str(d),
        name,
        *(spread(part["regret"]) for part in parts),
        f"{ours / adam:.3f}",
        f"{ours / exact:.3f}",
        " / ".join(f"{value:.1f}" for value in milliseconds),
        f"{milliseconds[0] / milliseconds[2]:.0f}",
        f"{proved} of {len(parts[2]['regret'])}",
    ]


def more(d: int, name: str, parts: list[dict[str, np.ndarray]]) -> list[str]:
    """What else was measured: one cell a figure, the methods in order."""
    figures = ("relative", "distance", "relative_l2", "training", "parameters")
    forms = (".3f", ".3f", ".4f", ".0f", ".0f")
    columns = [
        " / ".join(f"{np.mean(part[figure]):{form}}" for part in parts)
        for figure, form in zip(figures, forms, strict=True)
    ]
    less = int((parts[2]["regret"] < parts[0]["regret"]).sum())
    worst = " / ".join(f"{np.max(part['violation']):.0e}" for part in parts)
    return [str(d), name, *columns, worst, f"{less} of {len(parts[2]['regret'])}"]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def finding(found: list[tuple[int, str, list[dict[str, np.ndarray]]]]) -> str:
    """Wins, losses and the worst ratios of each goal."""
    ratios = np.array(
        [[p[2]["regret"].mean() / p[k]["regret"].mean() for k in (0, 1)] for _, _, p in found]
    )
    faster = [p[0]["seconds"].mean() / p[2]["seconds"].mean() for _, _, p in found]
    own = [p[1]["regret"].mean() / p[0]["regret"].mean() for _, _, p in found]
    return (
        f"Found over {len(found)} cells: our regret is at most half of the published protocol's in "
        f"{int((ratios[:, 0] <= 0.5).sum())} (goal: all; largest ratio {ratios[:, 0].max():.2f}, "
        f"median {np.median(ratios[:, 0]):.3f}); below their network minimised exactly "
        f"in {int((ratios[:, 1] < 1).sum())} (goal: all; largest ratio {ratios[:, 1].max():.2f}, "
        f"median {np.median(ratios[:, 1]):.3f}); {min(faster):.0f} to {max(faster):.0f} times "
        f"faster a decision (goal: 10). Their own weights minimised exactly regret less than by "
        f"Adam in {sum(r < 1 for r in own)}; for their ReLU baseline see the last table."
    )


def baseline(records: Records) -> str:
    """Their ReLU baseline, where it was run."""
    rows, worse = [], 0
    for d in sorted({r["d"] for r in records}):
        for name in TASKS:
            parts = [pooled(records, d, name, f"relu, {how}") for how in ("Adam", "exact")]
            if all(parts):
                rows.append([str(d), name, *(spread(part["regret"]) for part in parts)])
                worse += parts[1]["regret"].mean() > parts[0]["regret"].mean()
    if not rows:
        return ""
    head = (
        "\n\nTheir ReLU baseline, of at least as many parameters; its exact minimum regrets more "
        f"than Adam's point in {worse} of {len(rows)} cells:\n\n"
    )
    return head + markdown(["d", "task", "regret, as published", "same weights, exact"], rows)


def report(name: str, records: Records, protocol: str) -> None:
    """Write the tables of what is there."""
    found = cells(records)
    if not found:
        return
    header = ["d", "task", "regret, as published", "same weights, exact", "ours"]
    header += ["ours / published (goal 0.5)", "ours / exact (goal < 1)"]
    header += ["ms a decision, three methods", "times faster (goal 10)", "ours proved"]
    second = ["d", "task", "relative regret", "‖x − x*‖", "rel. L2 on test rows"]
    second += ["training, s", "parameters", "largest violation", "less regret than published"]
    wide = markdown(second, [more(*cell) for cell in found])
    notes = f"{protocol}\n\nThe same three methods in each cell:\n\n{wide}{baseline(records)}"
    rows = [row(*cell) for cell in found]
    write(name, f"{CLAIM} {finding(found)}", header, rows, records, notes)
