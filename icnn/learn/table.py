"""Read a table from numpy, pandas or torch, and name the place of what is wrong with it."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData

Array = NDArray[np.float64]
LARGE = 1e150  # whose square is still a number


def is_frame(X: Any) -> bool:
    """Whether X is a pandas frame; pandas is not imported to find out."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


def is_row(X: Any) -> bool:
    """Whether X is a pandas Series whose index holds names: one row of a frame."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(X, pandas.Series):
        return False
    return all(isinstance(name, str) for name in X.index)


def read_table(X: Any, columns: Sequence[str] | None = None) -> tuple[Array, tuple[str, ...]]:
    """X as (N, n) float64 and the names of its columns (x0, x1, … where it has none)."""
    if is_frame(X):
        names = frame_names(X) if columns is None else tuple(columns)
        parts = [numbers(X.iloc[:, j].to_numpy(), f"column {name!r}") for j, name in enumerate(X)]
        values = np.column_stack(parts) if parts else np.empty((len(X), 0))
    else:
        values = numbers(X, "X")
        if values.ndim != 2:
            raise BadData(
                f"X has shape {values.shape}; expected (rows, columns), as X.reshape(-1, 1)"
            )
        plain = (f"x{j}" for j in range(values.shape[1]))
        names = tuple(plain if columns is None else columns)
    check_names(names, values.shape[1])
    if 0 in values.shape:
        raise BadData(f"the table is empty: {values.shape[0]} rows, {values.shape[1]} columns")
    check_finite(values, [f"column {name!r}" for name in names])
    return values, names


def check_order(X: Any, **others: Any) -> None:
    """Refuse what has the rows of the frame X in another order: rows are told by position."""
    for name, other in others.items():
        index: Any = getattr(other, "index", None)
        if not is_frame(X) or not hasattr(index, "equals") or index.equals(X.index):
            continue
        if len(index) == len(X.index) and index.is_unique and index.isin(X.index).all():
            raise BadData(
                f"{name} has the rows of X in another order; give {name}.loc[X.index], or arrays"
            )


def read_column(y: Any, name: str, rows: int) -> Array:
    """y as (rows,) float64; a single column (rows, 1) is accepted."""
    values = numbers(y.to_numpy() if is_frame(y) else y, name)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (rows,):
        raise BadData(f"{name} has shape {values.shape}, but X has {rows} rows; expected ({rows},)")
    check_finite(values[:, None], [name])
    return values


def read_weight(weight: Any, rows: int) -> Array:
    """Sample weights (rows,), non-negative and not all zero; ones by default."""
    if weight is None:
        return np.ones(rows)
    values = read_column(weight, "sample_weight", rows)
    if (values < 0).any():
        row = int(np.argmax(values < 0))
        raise BadData(f"sample_weight is {values[row]} in row {row}; weights must be at least 0")
    if not values.any():
        raise BadData("every sample_weight is 0; at least one row must count")
    return np.asarray(values / values.mean())


def read_slopes(slopes: Any, names: Sequence[str], rows: int) -> Array | None:
    """Slopes (rows, n) of y by each column, NaN where one is not known."""
    if slopes is None:
        return None
    named = is_frame(slopes)
    extra = [name for name in slopes.columns if str(name) not in names] if named else []
    if extra:
        raise BadData(f"gradients has a column {str(extra[0])!r}; X has {tuple(names)}")
    values = by_name(slopes, names, "gradients", "X has") if named else numbers(slopes, "gradients")
    if values.shape != (rows, len(names)):
        raise BadData(
            f"gradients has shape {values.shape}; expected ({rows}, {len(names)}) as that of X"
        )
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise BadData(f"gradients of {names[column]!r}, row {row} is infinite; give NaN if unknown")
    if np.isnan(values).all():
        raise BadData("gradients are all NaN; leave them out")
    return values


def check_size(values: Array, names: Sequence[str]) -> None:
    """Columns whose squares, or those of their range, are numbers: others have no scale."""
    for name, column in zip(names, values.T, strict=True):
        top, reach = float(np.abs(column).max()), float(np.ptp(column / 2))
        if top > LARGE:
            raise BadData(f"{name} reaches {top:.3g}, whose square overflows; use a larger unit")
        if 0 < reach < 1 / LARGE:
            raise BadData(f"{name} varies by {2 * reach:.3g} alone; use a smaller unit")


def by_name(frame: Any, names: Sequence[str], title: str, reader: str) -> Array:
    """The columns of these names, (N, n); the names of a frame may be whole numbers too."""
    known = [str(name) for name in frame.columns]
    for name in names:
        if known.count(name) != 1:
            count = "more than one" if name in known else "no"
            raise BadData(f"{title} has {count} column {name!r}; {reader} {tuple(names)}")
    place = "" if title == "X" else f"{title}, "
    return np.column_stack(
        [numbers(frame.iloc[:, known.index(name)], f"{place}column {name!r}") for name in names]
    )


def check_names(names: Sequence[Any], count: int) -> None:
    """Refuse a wrong number of names, names that are not text, and duplicates."""
    if len(names) != count:
        raise BadData(f"{len(names)} column names {tuple(names)} for {count} columns")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise BadData(f"column name {name!r} is missing or not text; name every column")
        if list(names).count(name) > 1:
            raise BadData(f"column {name!r} appears more than once; rename one of them")


def numbers(values: Any, place: str) -> Array:
    """`values` as float64, or the first entry that is not a number."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    if isinstance(values, np.ma.MaskedArray):  # what the mask hides is not known
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.asarray(values)
        if array.dtype.kind in "mM":
            raise BadData(f"{place}: a date is not a number; use days since a date")
        if array.dtype.kind != "c":
            return array.astype(np.float64)
    except BadData:
        raise
    except (TypeError, ValueError):
        pass
    entries = np.atleast_1d(np.asarray(values, dtype=object))
    for row, entry in enumerate(entries.reshape(len(entries), -1)):
        for item in entry:
            _check_number(item, f"{place}, row {row}")
    raise BadData(f"{place} is not an array of numbers")


def _check_number(item: Any, place: str) -> None:
    try:
        float(item)
    except (TypeError, ValueError):
        raise BadData(f"{place}: {item!r} is not a number") from None


def frame_names(X: Any) -> tuple[str, ...]:
    """The column names of a frame, all of them given."""
    for j, name in enumerate(X.columns):
        if name is None or name != name or str(name).startswith("Unnamed:"):
            raise BadData(f"column {j} has no name; name every column")
    return tuple(str(name) for name in X.columns)


def check_finite(values: Array, places: Sequence[str]) -> None:
    """Refuse NaN and infinities; `places` names the columns of values (N, n)."""
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = (int(k) for k in np.argwhere(bad)[0])
        raise BadData(
            f"{places[column]}, row {row} is {values[row, column]}; remove or fill the row "
            f"({int(bad.any(1).sum())} of {len(values)} rows have such entries; rows count from 0)"
        )
