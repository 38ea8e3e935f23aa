"""Records on disk, appended one by one, so that a long run can be cut off and go on."""

import json
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from benchmarks.report import RESULTS, setting


class Log:
    """`results/NAME.jsonl`: what is there is not run again; delete the file to begin anew.

    Args:
        name: of the benchmark.
        keys: the entries that tell one record from another.
        facts: versions, beside those of every benchmark, for the first line.
    """

    def __init__(self, name: str, keys: Sequence[str], **facts: Any) -> None:
        self.path, self.keys = RESULTS / f"{name}.jsonl", tuple(keys)
        if not self.path.exists():
            RESULTS.mkdir(exist_ok=True)
            self._append({"benchmark": name, **setting(), **facts})
        self.records = [json.loads(line) for line in self.path.read_text().splitlines()][1:]

    def _append(self, record: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def add(self, key: Sequence[Any], **found: Any) -> None:
        """Keep a record, on disk too, and print it."""
        record = dict(zip(self.keys, key, strict=True)) | found
        self.records.append(record)
        self._append(record)
        shown = ("status", "seconds", "gap", "regret")
        line = ", ".join(f"{name} {found[name]}" for name in shown if name in found)
        tqdm.write(f"{' '.join(map(str, key))}: {line}")

    def has(self, *key: Any) -> bool:
        """Whether there is a record of this key."""
        return any([record[name] for name in self.keys] == list(key) for record in self.records)
