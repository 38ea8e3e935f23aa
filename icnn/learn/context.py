"""ContextEncoder: what cannot be decided, by column name, as the numbers that a model reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData
from icnn.learn.table import (
    check_finite,
    check_names,
    check_size,
    frame_names,
    is_frame,
    numbers,
)

Array = NDArray[np.float64]
Given = dict[str, Any]  # column name -> (N,) entries, or one entry: the context of all rows


@final
@dataclass(frozen=True, eq=False)
class ContextEncoder:
    """Numbers are standardised; a category becomes one 0 or 1 for each of those it knows."""

    columns: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]  # None: the column holds numbers
    mean: Array  # (columns,), 0 and 1 for categories
    scale: Array

    @property
    def width(self) -> int:
        """Numbers in an encoded context."""
        return sum(1 if known is None else len(known) for known in self.categories)

    def encode(self, given: Given) -> Array:
        """(N, width), or (width,) for one context."""
        blocks = []
        for j, (name, known) in enumerate(zip(self.columns, self.categories, strict=True)):
            if known is None:
                values = _finite(given[name], name)
                blocks.append(((values - self.mean[j]) / self.scale[j])[..., None])
            else:
                blocks.append(_one_hot(given[name], name, known))
        return np.concatenate(blocks, axis=-1)

    def faults(self, given: Given) -> dict[int, str]:
        """Why a row cannot be encoded, by its number, where the entries (N,) come one a row."""
        found: dict[int, str] = {}
        for name, known in zip(self.columns, self.categories, strict=True):
            entries = np.asarray(given[name])
            if entries.ndim == 0:
                continue
            plain = known is None and entries.dtype.kind in "iuf"
            for i in np.flatnonzero(~np.isfinite(entries)) if plain else range(len(entries)):
                try:
                    if known is None:
                        _finite(entries[i], name)
                    else:
                        _one_hot(entries[i], name, known)
                except BadData as error:
                    found.setdefault(int(i), str(error))
        return found

    def rename(self, names: Mapping[str, str]) -> ContextEncoder:
        """The same encoder for other column names."""
        return replace(self, columns=tuple(names.get(name, name) for name in self.columns))

    def __repr__(self) -> str:
        parts = [
            name if known is None else f"{name} ({len(known)} categories)"
            for name, known in zip(self.columns, self.categories, strict=True)
        ]
        return f"ContextEncoder({', '.join(parts)})"


def learn_encoder(given: Given, weight: Array) -> ContextEncoder:
    """The encoder of a table: its categories, and the weighted mean and spread of its numbers."""
    categories: list[tuple[str, ...] | None] = []
    mean, scale = np.zeros(len(given)), np.ones(len(given))
    for j, (name, entries) in enumerate(given.items()):
        if _categorical(entries, name):
            labels = sorted(set(_labels(entries, name)))
            categories.append(tuple(labels))
            if len(labels) == len(entries):
                raise BadData(
                    f"context column {name!r} has another category in each row; leave it out"
                )
            constant = len(labels) == 1
        else:
            values = _finite(entries, name)
            categories.append(None)
            check_size(values[:, None], [f"context column {name!r}"])
            mean[j] = np.average(values, weights=weight)
            spread = np.sqrt(np.average(np.square(values - mean[j]), weights=weight))
            scale[j] = spread if spread > 0 else np.abs(values - mean[j]).max() or 1.0
            constant = values.min() == values.max()
        if constant:
            raise BadData(
                f"context column {name!r} is constant ({entries[0]}); leave it out, "
                "it explains nothing"
            )
    return ContextEncoder(tuple(given), tuple(categories), mean, scale)


def read_contexts(C: Any, columns: Sequence[str] | None, rows: int) -> Given:
    """The columns of C by name (c0, c1, … where it has none), one context a row."""
    if C is None:
        return {}
    if is_frame(C):
        names = frame_names(C) if columns is None else tuple(columns)
        check_names(names, C.shape[1])
        given: Given = {name: _series(C.iloc[:, j]) for j, name in enumerate(names)}
    elif _is_series(C):
        names = (C.name,) if columns is None else tuple(columns)
        check_names(names, 1)
        given = {names[0]: _series(C)}
    else:
        values = _array(C)
        if values.ndim != 2:
            raise BadData(
                f"context has shape {values.shape}; expected (rows, columns), "
                "as context.reshape(-1, 1)"
            )
        plain = (f"c{j}" for j in range(values.shape[1]))
        names = tuple(plain if columns is None else columns)
        check_names(names, values.shape[1])
        given = {name: values[:, j] for j, name in enumerate(names)}
    if not given:
        raise BadData("context has no columns; leave it out")
    _check_rows(given, rows)
    return given


def read_context(context: Any, names: tuple[str, ...], rows: int | None = None) -> Given:
    """One context (a dict by name, a sequence in column order, a row), or `rows` of them."""
    if not names:
        if context is not None:
            raise BadData("a context was given, but f was fitted without one; leave it out")
        return {}
    if context is None:
        raise BadData(
            f"f depends on the context {', '.join(names)}; give context={_example(names)}"
        )
    if _is_series(context) and names == (context.name,) and names[0] not in context.index:
        context = context.to_frame()  # the column itself, one entry a row, as fit takes it
    if is_named(context):
        missing = [name for name in names if name not in context]
        if missing:
            raise BadData(f"context has no {missing[0]!r}; f depends on {', '.join(names)}")
        if isinstance(context, Mapping):
            _check_only(context, names)
        given = {name: _entries(context[name]) for name in names}
    else:
        values = _array(context)
        values = values[None] if values.ndim == 0 else values
        if values.ndim > 2 or values.shape[-1] != len(names):
            raise BadData(
                f"context has shape {values.shape}, but f depends on {len(names)} column(s): "
                f"{', '.join(names)}"
            )
        given = {name: values[..., j] for j, name in enumerate(names)}
    return _aligned(given, rows)


def is_named(context: Any) -> bool:
    """Whether the values of a context come with names: a dict, a frame, or a row of one."""
    if is_frame(context) or isinstance(context, Mapping):
        return True
    return _is_series(context) and any(isinstance(label, str) for label in context.index)


def _aligned(given: Given, rows: int | None) -> Given:
    """One context, where there is one only, or as many as there are rows."""
    if all(np.size(entries) == 1 for entries in given.values()):
        return {name: np.ravel(entries).tolist()[0] for name, entries in given.items()}
    if rows is None:
        count = max(np.size(entries) for entries in given.values())
        raise BadData(f"context has {count} rows, but one context is needed here")
    _check_rows(given, rows)
    return given


def _check_rows(given: Given, rows: int) -> None:
    for name, entries in given.items():
        if np.shape(entries) != (rows,):
            raise BadData(
                f"context column {name!r} has shape {np.shape(entries)}, but X has {rows} rows"
            )


def _check_only(context: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """A misspelt key would otherwise be ignored; a row of a table may hold more."""
    foreign = [key for key in context if key not in names]
    if foreign:
        raise BadData(f"context names {foreign[0]!r}, but f depends on {', '.join(names)}")


def _entries(value: Any) -> Any:
    """A column of a frame as an array, a scalar as it is."""
    return _array(value)[()]


def _array(value: Any) -> Any:
    """`value` as an array: of numbers where it holds numbers only, of objects otherwise."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
        if array.dtype.kind in "mM":
            raise BadData("context: a date is not a number; use days since a date")
        return array if array.dtype.kind in "iufO" else np.asarray(value, dtype=object)
    except BadData:
        raise
    except ValueError:
        raise BadData("context is ragged; every row needs the same columns") from None


def _categorical(entries: Any, name: str) -> bool:
    """Whether all entries are texts or truth values (or missing)."""
    present = [entry for entry in entries.tolist() if not _missing(entry)]
    if not present:
        raise BadData(f"context column {name!r} is empty; leave it out")
    return all(isinstance(entry, str | bool | np.bool_) for entry in present)


def _labels(entries: Any, name: str) -> list[str]:
    flat = np.atleast_1d(np.asarray(entries, dtype=object)).tolist()
    for row, entry in enumerate(flat):
        if _missing(entry):
            raise BadData(f"context column {name!r}, row {row} is missing; remove or fill the row")
    return [_label(entry) for entry in flat]


def _label(entry: Any) -> str:
    """The text of a category; 1.0 and 1 are the same."""
    if isinstance(entry, float) and entry.is_integer():
        entry = int(entry)
    return str(entry)


def _missing(entry: Any) -> bool:
    return entry is None or type(entry).__name__ == "NAType" or entry != entry


def _one_hot(entries: Any, name: str, known: tuple[str, ...]) -> Array:
    if np.ndim(entries) == 0 and _missing(entries):
        raise BadData(f"context column {name!r} is missing; give one of {', '.join(known)}")
    labels = _labels(entries, name)
    for label in labels:
        if label not in known:
            raise BadData(
                f"context column {name!r}: {label!r} was not in the table; "
                f"its categories are {', '.join(known)}"
            )
    hot = np.array([[float(label == other) for other in known] for label in labels])
    return hot.reshape(*np.shape(entries), len(known))


def _finite(entries: Any, name: str) -> Array:
    place = f"context column {name!r}"
    if np.ndim(entries) == 0:  # one context has no rows to name
        try:
            value = np.float64(float(entries))
        except (TypeError, ValueError):
            given = entries.item() if isinstance(entries, np.generic) else entries
            raise BadData(f"{place}: {given!r} is not a number") from None
        if not np.isfinite(value):
            raise BadData(f"{place} is {value:g}; give a finite number")
        return np.asarray(value)
    values = numbers(entries, place)
    check_finite(np.atleast_1d(values)[:, None], [place])
    return values


def _series(column: Any) -> Any:
    """The entries of a column; categories, also whole numbers among them, as text."""
    if column.dtype.name != "category":
        return column.to_numpy()
    entries = [None if _missing(entry) else _label(entry) for entry in column]
    return np.array(entries, dtype=object)


def _is_series(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.Series)


def _example(names: tuple[str, ...]) -> str:
    return "{" + ", ".join(f"{name!r}: …" for name in names) + "}"
