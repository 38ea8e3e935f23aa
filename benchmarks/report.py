"""Results on disk: JSON lines for machines, a Markdown table for people, versions in both."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def setting() -> dict[str, Any]:
    """Machine and versions, without names of anything private."""
    packages = (
        "icnn-opt",
        "torch",
        "highspy",
        "clarabel",
        "numpy",
        "scipy",
        "cvxpy",
        "scikit-learn",
    )
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return {"python": platform.python_version(), "machine": machine, **found}


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def write(
    name: str,
    claim: str,
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    records: Sequence[dict[str, Any]],
    notes: str = "",
) -> None:
    """`results/NAME.md` with the table and `results/NAME.jsonl` with every record.

    A log that is only reported again keeps the versions of its first line.
    """
    RESULTS.mkdir(exist_ok=True)
    body = [f"# {name}", "", claim, "", table(header, rows)]
    path, told = RESULTS / f"{name}.jsonl", [json.dumps(record) for record in records]
    kept = path.read_text().splitlines() if path.exists() else []
    first = json.loads(kept[0]) if kept[1:] == told else {"benchmark": name, **setting()}
    facts = ", ".join(f"{key} {value}" for key, value in first.items() if key != "benchmark")
    body += [
        "",
        notes,
        "",
        f"Made by `python -m benchmarks {name.replace('-', ' ')}` with {facts}.",
        "",
    ]
    (RESULTS / f"{name}.md").write_text("\n".join(body))
    path.write_text("\n".join([json.dumps(first), *told]) + "\n")
    print("\n".join(body))
