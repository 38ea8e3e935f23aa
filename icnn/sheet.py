"""sheet: a CSV or Parquet file becomes a frame and back; which columns decide and which do not."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from icnn.errors import BadData, NotSupported

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}
LIKELY = ";\t|"


def read_csv(path: str, separator: str = ",") -> pd.DataFrame:
    """The table in a CSV file with a header.

    Raises:
        BadData: the file is no such table, or two of its columns have the same name.
        OSError: the file cannot be read.
    """
    separator = SEPARATORS.get(separator, separator)
    if len(separator) != 1 or separator in '"\r\n':
        raise BadData(f"--separator {separator!r}: it is one character, or the word tab")
    raw = Path(path).read_bytes()
    names = [str(name).strip() for name in _parsed(path, raw, separator, header=True).iloc[0]]
    for name in names:
        if name and names.count(name) > 1:
            raise BadData(f"{path}: column {name!r} appears more than once; rename one of them")
    if len(names) == 1 and (found := [s for s in LIKELY if s in names[0]]):
        name = "tab" if found[0] == "\t" else found[0]
        raise BadData(f"{path} seems to be separated by {name!r}; say --separator '{name}'")
    if len(names) == 1:  # there an empty line is a row without a value, but for those around all
        raw = raw.strip(b"\r\n")
    frame = _parsed(path, raw, separator, header=False, blank=len(names) == 1)
    frame.columns = [name or f"Unnamed: {j}" for j, name in enumerate(names)]
    if frame.empty:
        raise BadData(f"{path} has a header but no rows")
    return frame


def read_table(path: str, separator: str = ",") -> pd.DataFrame:
    """The table in a file, by its ending: Parquet, or CSV otherwise.

    Raises:
        BadData, OSError: as `read_csv`.
        NotSupported: Parquet without the library that reads it.
    """
    import pandas as pd

    if not is_parquet(path):
        return read_csv(path, separator)
    raw = io.BytesIO(Path(path).read_bytes())
    try:
        frame = pd.read_parquet(raw, engine="pyarrow").reset_index(drop=True)
    except ValueError as error:
        raise BadData(f"{path} is not a Parquet table: {error}") from None
    frame.columns = [str(name) for name in frame.columns]
    if frame.empty:
        raise BadData(f"{path} has no rows")
    return frame


def as_bytes(frame: pd.DataFrame, path: str, separator: str = ",") -> bytes:
    """The content of the file `path`, by its ending."""
    if is_parquet(path):
        return bytes(frame.to_parquet(engine="pyarrow", index=False))
    text = frame.to_csv(index=False, sep=SEPARATORS.get(separator, separator), lineterminator="\n")
    return text.encode()


def is_parquet(path: str) -> bool:
    """Whether a name is that of a Parquet file.

    Raises:
        NotSupported: it is, and nothing here reads such files.
    """
    if not path.lower().endswith((".parquet", ".pq")):
        return False
    if find_spec("pyarrow") is None:
        raise NotSupported(f"{path}: Parquet needs pyarrow; pip install pyarrow, or use a CSV file")
    return True


def choose(
    frame: pd.DataFrame,
    target: str,
    listed: str | None,
    context: str | None = None,
    *,
    groups: str | None = None,
) -> tuple[list[str], list[str], str]:
    """Names of the decision and the context columns, and a sentence on those left out.

    Args:
        frame: the table.
        target: the column to learn.
        listed: names of decisions between commas; by default every other named numeric column.
        context: names of what cannot be decided, between commas.
        groups: names of labels of rows, between commas: decisions only where they are listed.
    """
    if target not in frame:
        raise BadData(f"--target: there is no column {target!r} among {_joined(frame)}")
    given = [] if context is None else _listed(frame, target, context, "--context")
    labels = [] if groups is None else _listed(frame, target, groups, "--groups")
    apart = {target, *given, *labels}
    others = [str(name) for name in frame if name not in apart]
    if listed is not None:
        names, why = _listed(frame, target, listed, "--decisions"), "not listed"
        if both := [name for name in names if name in given]:
            raise BadData(f"column {both[0]!r} is in --decisions and in --context; choose one")
    else:
        _refuse_spoiled(frame, others)
        names = [name for name in others if frame[name].dtype.kind in "iufb" and _named(name)]
        why = "not numeric or without a name"
        if not names:
            raise BadData(f"no column but the target {target!r} is numeric: {_joined(frame)}")
    left_out = [name for name in others if name not in names]
    return names, given, f"Left out ({why}): {_joined(left_out)}." if left_out else ""


def group_labels(frame: pd.DataFrame, groups: str | None) -> pd.Series | None:
    """One number a row, the same where the columns named between commas have equal entries."""
    if groups is None:
        return None
    names = _names(groups)
    for name in names:
        if (missing := frame[name].isna()).any():
            row = int(missing.to_numpy().argmax())
            raise BadData(
                f"--groups: column {name!r} is empty in row {row} (line {row + 2} of the file)"
            )
    return frame.groupby(names).ngroup()


def _refuse_spoiled(frame: pd.DataFrame, names: list[str]) -> None:
    """A column of numbers with a few cells of text is a mistake, not a column of text."""
    import pandas as pd

    for name in names:
        if frame[name].dtype.kind in "iufb":
            continue
        text = pd.to_numeric(frame[name], errors="coerce").isna() & frame[name].notna()
        if 0 < text.sum() < len(frame) / 2:
            row = int(text.to_numpy().argmax())
            raise BadData(
                f"column {name!r}, row {row} (line {row + 2} of the file): "
                f"{frame[name].iloc[row]!r} is not a number; mend it, or leave the column out "
                "with --decisions"
            )


def _listed(frame: pd.DataFrame, target: str, listed: str, option: str) -> list[str]:
    names = _names(listed)
    if not names:
        raise BadData(f"{option} names no column; write it as a,b,c")
    for name in names:
        if name == target:
            raise BadData(f"{option}: {name!r} is the target; leave it out")
        if name not in frame:
            raise BadData(f"{option}: there is no column {name!r} among {_joined(frame)}")
        if names.count(name) > 1:
            raise BadData(f"{option} names column {name!r} more than once")
    return names


def _names(listed: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([listed], skipinitialspace=True), [])]


def _parsed(
    path: str, raw: bytes, separator: str, *, header: bool, blank: bool = False
) -> pd.DataFrame:
    """The header alone as text, or the whole table."""
    import pandas as pd
    from pandas.errors import EmptyDataError, ParserError, ParserWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)
            return pd.read_csv(
                io.BytesIO(raw),
                sep=separator,
                encoding="utf-8-sig",
                skipinitialspace=True,
                skip_blank_lines=not blank,
                index_col=False,
                header=None if header else 0,
                nrows=1 if header else None,
                dtype=str if header else None,
                keep_default_na=not header,
                low_memory=False,
            )
    except EmptyDataError:
        raise BadData(f"{path} is empty; it needs a header and rows") from None
    except UnicodeDecodeError as error:
        place = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise BadData(f"{path} is not text in UTF-8 ({place}); save it as CSV in UTF-8") from None
    except ParserWarning:
        raise BadData(f"{path} has rows with more fields than its header has names") from None
    except ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise BadData(f"{path} is not a CSV table: {reason}") from None


def _named(name: str) -> bool:
    return not name.startswith("Unnamed: ")


def _joined(names: Sequence[str] | pd.DataFrame) -> str:
    return ", ".join(map(str, names))
