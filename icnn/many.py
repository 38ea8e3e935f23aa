"""many: the contexts of a table, row by row, become a table of decisions with their bounds."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from icnn import report
from icnn.decide.decision import Status
from icnn.decide.decisions import Decisions
from icnn.errors import BadData, NotSolved
from icnn.learn.surrogate import AbstractSurrogate, Surrogate
from icnn.minimize_batch import maximize_batch, minimize_batch
from icnn.network import Network
from icnn.sheet import as_bytes, is_parquet, read_table

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet", ".pq")


def check_files(contexts: str, out: str | None) -> None:
    """Refuse names of files that cannot be read or written, before the work is done."""
    if not out or not out.lower().endswith(ENDINGS):
        given = f"--out {out}" if out else "nothing"
        raise BadData(
            f"--contexts needs a file for its decisions, such as --out decisions.csv, not {given}"
        )
    is_parquet(contexts)
    is_parquet(out)


def decide_table(
    f: AbstractSurrogate | Network, args: Namespace, at: Mapping[str, str], options: dict[str, Any]
) -> None:
    """A decision for each row of --contexts, written beside it to --out.

    Raises:
        NotSolved: some rows are not decided; the file says which, and why.
    """
    frame = read_table(args.contexts, args.separator)
    options = {"context": contexts_of(f, frame, args.contexts, at), **options}
    concave = isinstance(f, AbstractSurrogate) and f.concave
    solve: Any = maximize_batch if concave or args.command == "maximize" else minimize_batch
    decisions = solve(f, **options)
    table, taken = beside(decisions, frame)
    report.write_bytes(as_bytes(table, args.out, args.separator), args.out)
    print(summary(decisions, taken))
    print(f"Decisions: {args.out}")
    if bad := int((~decisions.success).sum()):
        raise NotSolved(f"{bad} of {len(decisions)} rows; {args.out} says why in its last column")


def contexts_of(
    f: AbstractSurrogate | Network, frame: pd.DataFrame, path: str, at: Mapping[str, str]
) -> dict[str, Any]:
    """The columns (rows,) that f depends on: those of the table, the others by --at.

    Raises:
        BadData: f has no context, or a column is in neither or in both.
    """
    if not isinstance(f, AbstractSurrogate) or not f.context_columns:
        raise BadData(f"--contexts {path}: the model has no context; leave --contexts out")
    names = f.context_columns
    if both := [name for name in at if name in frame]:
        raise BadData(f"--at names {both[0]!r}, which is a column of {path} too; choose one")
    if missing := [name for name in names if name not in frame and name not in at]:
        raise BadData(
            f"{path} has no column {missing[0]!r}; the model depends on {', '.join(names)}: "
            "add the column, or its value by --at"
        )
    numeric = _numeric(f)
    cells = {name: frame[name] if name in frame else [at[name]] * len(frame) for name in names}
    return {name: _entries(column, name in numeric) for name, column in cells.items()}


def beside(decisions: Decisions, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with the decisions at its right, and its columns that they took the names of."""
    import pandas as pd

    found = decisions.to_frame()
    name = "message_" if "message" in found else "message"
    pairs = zip(decisions.success, decisions.message, strict=True)
    found[name] = ["" if good else told for good, told in pairs]
    taken = [str(name) for name in frame if name in found]
    return pd.concat([frame.drop(columns=taken), found], axis=1), taken


def summary(decisions: Decisions, taken: Sequence[str]) -> str:
    """What came out, for a reader."""
    done, count = int(decisions.success.sum()), len(decisions)
    parts = [f"Decided {done} of {count} rows with proof in {decisions.seconds:.3g} s."]
    if decisions.sense == "maximize":
        parts.insert(0, "The model is concave, so these are its greatest values.")
    counts = [(s, int((decisions.status == s).sum())) for s in Status if s is not Status.OPTIMAL]
    parts += [f"Rows: {number}. {status.value}" for status, number in counts if number]
    if taken:
        parts.append(f"Left out, as the decisions have these names: {', '.join(taken)}.")
    return "\n".join(parts)


def _numeric(f: AbstractSurrogate) -> set[str]:
    """Names of the context columns that hold numbers."""
    if not isinstance(f, Surrogate) or f.encoder is None:
        return set()
    pairs = zip(f.encoder.columns, f.encoder.categories, strict=True)
    return {name for name, known in pairs if known is None}


def _entries(column: Any, numeric: bool) -> Any:
    """A column as an array; text in a column of numbers is read cell by cell, if it can be."""
    import numpy as np

    entries = np.asarray(column)
    if not numeric or entries.dtype.kind in "iuf":
        return entries.astype(object) if entries.dtype.kind in "US" else entries
    cells = [_number(cell) for cell in entries.tolist()]
    return np.array(cells, dtype=object if any(isinstance(c, str) for c in cells) else float)


def _number(cell: Any) -> Any:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return str(cell)
