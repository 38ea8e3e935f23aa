"""queries: what a caller of minimize_batch asks, row by row, and which rows cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.program import Program
from icnn.decide.sets import Box, index_of
from icnn.errors import BadData
from icnn.learn.context import read_context
from icnn.learn.surrogate import AbstractSurrogate
from icnn.learn.table import is_frame
from icnn.network import LARGEST
from icnn.problem import check_function

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Queries:
    """Contexts, prices and bounds of B rows; each may also be one for all."""

    size: int
    columns: tuple[str, ...]
    context: Mapping[str, Any] | None  # arrays (B,) or scalars
    linear: Array | None  # (B | 1, n)
    box: Box | None  # (B, n)
    shared: Any  # bounds for all rows, as `minimize` takes them
    faults: Mapping[int, str]  # why a row cannot be read

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which rows can be read, (B,)."""
        good = np.ones(self.size, dtype=bool)
        good[list(self.faults)] = False
        return good

    @property
    def hull(self) -> Any:
        """Bounds that hold every row's."""
        if self.box is None:
            return self.shared
        ends = self.box.lower[self.good].min(0), self.box.upper[self.good].max(0)
        return list(zip(*ends, strict=True))

    def contexts_of(self, rows: NDArray[np.intp]) -> Any:
        """The contexts of these rows by name; None without contexts."""
        if self.context is None:
            return None
        return {
            k: v[rows] if np.ndim(v) else np.full(len(rows), v) for k, v in self.context.items()
        }

    def context_of(self, i: int) -> Any:
        """The context of row i."""
        if self.context is None:
            return None
        return {k: v[i] if np.ndim(v) else v for k, v in self.context.items()}

    def linear_of(self, rows: NDArray[np.intp]) -> Array | None:
        """The prices of these rows, (rows | 1, n)."""
        if self.linear is None or len(self.linear) == 1:
            return self.linear
        return self.linear[rows]

    def linear_row(self, i: int) -> Array | None:
        """The prices of row i, (n,)."""
        return None if self.linear is None else self.linear[i if len(self.linear) > 1 else 0]

    def boxes_of(self, rows: NDArray[np.intp], program: Program) -> Box | None:
        """The boxes of these rows inside the program's, (rows, n) with its auxiliary columns.

        Raises:
            BadData: a row of which nothing is inside, as where a column is fixed elsewhere.
        """
        if self.box is None:
            return None
        shape = (len(rows), program.n)
        lower, upper = (
            np.broadcast_to(e, shape).copy() for e in (program.box.lower, program.box.upper)
        )
        own = np.s_[:, : len(self.columns)]
        lower[own] = np.maximum(lower[own], self.box.lower[rows])
        upper[own] = np.minimum(upper[own], self.box.upper[rows])
        if (lower > upper).any():
            raise BadData("the bounds of a row leave nothing of what holds for all rows")
        return Box(lower, upper)

    def bounds_of(self, i: int) -> Any:
        """The bounds of row i as pairs; None where they are the same for all."""
        if self.box is None:
            return None
        return list(zip(self.box.lower[i], self.box.upper[i], strict=True))


def read_queries(f: Any, context: Any, linear: Any, bounds: Any) -> Queries:
    """Contexts, prices and bounds of a batch, with the faults of each row.

    Raises:
        BadData: names, shapes or numbers of rows that do not fit, or no row can be read.
    """
    check_function(f)
    columns = f.columns if isinstance(f, AbstractSurrogate) else tuple(f"x{j}" for j in range(f.n))
    prices = _prices(linear, columns)
    box = _boxes(f, bounds, columns)
    sizes = {"linear": _length(prices), "bounds": _length(None if box is None else box.lower)}
    given, sizes["context"] = _contexts(f, context)
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(set(known.values())) > 1:
        told = ", ".join(f"{name} has {size}" for name, size in known.items())
        raise BadData(f"the rows do not agree: {told}")
    if not known:
        raise BadData("a batch needs rows: give context, linear or bounds with one entry a row")
    size = next(iter(known.values()))
    if size == 0:
        raise BadData(f"{next(iter(known))} has no rows; a batch needs at least one")
    faults = _faults(size, columns, prices, box)
    if given and isinstance(f, AbstractSurrogate):
        faults = f.faults(dict(given)) | faults
    if len(faults) == size:
        raise BadData(f"none of the {size} rows can be read; row 0: {faults[0]}")
    return Queries(size, columns, given, prices, box, bounds if box is None else None, faults)


def _length(values: Array | None) -> int | None:
    return None if values is None else len(values)


def _contexts(f: Any, context: Any) -> tuple[Mapping[str, Any] | None, int | None]:
    names = f.context_columns if isinstance(f, AbstractSurrogate) else ()
    if context is None and not names:
        return None, None
    rows = _rows_in(context)
    given = read_context(context, names, rows)
    if all(np.ndim(entries) == 0 for entries in given.values()) and rows == 1:
        given = {name: np.array([entry]) for name, entry in given.items()}
    return given, rows


def _rows_in(context: Any) -> int | None:
    """How many contexts there are; None for one that stands for all rows."""
    if isinstance(context, Mapping):
        sizes = [len(v) for v in map(np.asarray, context.values()) if v.ndim]
        return max(sizes) if sizes else None
    shape = np.shape(context)
    return int(shape[0]) if len(shape) == 2 else None


def _prices(linear: Any, columns: tuple[str, ...]) -> Array | None:
    if linear is None:
        return None
    if isinstance(linear, Mapping):
        return np.atleast_2d(named_prices(linear, columns))
    if is_frame(linear):
        return _prices({str(name): linear[name] for name in linear.columns}, columns)
    prices = floats(linear, "linear")
    if prices.ndim != 2 or prices.shape[1] != len(columns):
        raise BadData(
            f"linear has shape {prices.shape}; "
            f"a batch takes (rows, {len(columns)}) prices of {columns}"
        )
    return prices


def _boxes(f: Any, bounds: Any, columns: tuple[str, ...]) -> Box | None:
    """Boxes (B, n) if any end has a row a decision; None if the bounds are the same for all."""
    n = len(columns)
    free = (np.full(n, -np.inf), np.full(n, np.inf))
    lower, upper = (f.lower, f.upper) if isinstance(f, AbstractSurrogate) else free
    if type(bounds).__name__ == "Bounds":
        ends = [floats(end, "bounds") for end in (bounds.lb, bounds.ub)]
        if max(end.ndim for end in ends) < 2:
            return None
        return Box(*np.broadcast_arrays(*ends))
    if isinstance(bounds, Mapping):
        pairs = {name: [floats(end, "bounds") for end in pair] for name, pair in bounds.items()}
        shapes = {end.shape for pair in pairs.values() for end in pair} - {()}
        if not shapes:
            return None
        if len(shapes) > 1 or len(shape := shapes.pop()) > 1:
            raise BadData("bounds: give each end one number, or one a row, the same number of rows")
        ends = [np.tile(end, (*shape, 1)) for end in (lower, upper)]
        for name, pair in pairs.items():
            for end, own in zip(ends, pair, strict=True):
                end[:, index_of(name, columns, "bounds")] = own
        return Box(*ends)
    values = None if bounds is None else floats(bounds, "bounds")
    if values is None or values.ndim < 3:
        return None
    if values.shape[1:] != (n, 2):
        raise BadData(f"bounds has shape {values.shape}; a batch takes (rows, {n}, 2)")
    return Box(values[..., 0], values[..., 1])


def _faults(
    size: int, columns: tuple[str, ...], prices: Array | None, box: Box | None
) -> dict[int, str]:
    """Rows with a price that is not a number, or bounds that cross."""
    faults: dict[int, str] = {}
    if prices is not None and len(prices) == size:
        for i, j in np.argwhere(~(np.abs(prices) <= LARGEST)):
            faults.setdefault(int(i), price_fault(columns[j], prices[i, j]))
    if box is not None:
        for i, j in np.argwhere(~(box.lower <= box.upper)):
            low, high = box.lower[i, j], box.upper[i, j]
            faults.setdefault(
                int(i), f"column {columns[j]!r}: no number lies between {low:g} and {high:g}"
            )
    return faults


def price_fault(column: str, price: float) -> str:
    """Why a price cannot be used."""
    return (
        f"the price of column {column!r} is {price:g}; give a number of at most {LARGEST:g} in size"
    )


def named_prices(linear: Mapping[str, Any], columns: tuple[str, ...]) -> Array:
    """Prices by column as an array (..., n), 0 where there is none."""
    given = {
        index_of(name, columns, "linear"): floats(c, f"linear of column {name!r}")
        for name, c in linear.items()
    }
    shapes = [c.shape for c in given.values()]
    if len({*shapes} - {()}) > 1:
        raise BadData(f"linear has prices of shapes {shapes}; give each column as many")
    prices = np.zeros((*np.broadcast_shapes(*shapes), len(columns)))
    for j, c in given.items():
        prices[..., j] = c
    return prices


def floats(values: Any, place: str) -> Array:
    """An array of numbers, or an error that names the place."""
    values = values.detach() if hasattr(values, "detach") else values  # a tensor, from its graph
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadData(f"{place} holds something that is not a number") from None
