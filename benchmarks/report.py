"""Results on disk: JSON lines for machines, a Markdown table for people, versions in both."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


PACKAGES = (
    "icnn-opt",
    "torch",
    "highspy",
    "clarabel",
    "numpy",
    "scipy",
    "cvxpy",
    "scikit-learn",
)


def setting() -> dict[str, Any]:
    """Machine and versions, without names of anything private."""
    found = {}
    for package in PACKAGES:
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
    first = json.dumps({"benchmark": name, **setting()})
    if path.exists() and path.read_text().splitlines()[1:] == told:
        first = path.read_text().splitlines()[0]
    known = {key: value for key, value in json.loads(first).items() if key != "benchmark"}
    facts = ", ".join(f"{key} {value}" for key, value in known.items())
    body += [
        "",
        notes,
        "",
        f"Made by `python -m benchmarks {name.replace('-', ' ')}` with {facts}.",
        "",
    ]
    (RESULTS / f"{name}.md").write_text("\n".join(body))
    path.write_text("\n".join([first, *told]) + "\n")
    print("\n".join(body))
