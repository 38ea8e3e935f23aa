"""parts: some rows of a batch, and their results put back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch
from icnn.decide.program import Line
from icnn.decide.sets import Box, Rows

T = TypeVar("T")


def rows_of(batch: Batch, at: NDArray[np.intp]) -> Batch:
    """The variants at these places."""

    def part(x: Any) -> Any:
        return x[at] if x is not None and x.ndim > 1 and len(x) > 1 else x

    def line(k: Line) -> Line:
        return replace(k, b=part(k.b), h=part(k.h), gates=tuple(part(g) for g in k.gates))

    box, finite = (Box(part(b.lower), part(b.upper)) for b in (batch.box, batch.finite))
    rows = Rows(batch.rows.A, part(batch.rows.lower), part(batch.rows.upper))
    lines = tuple(line(k) for k in batch.lines)
    return Batch(lines, part(batch.price), box, finite, rows, len(at))


def merged(all_rows: T, at: NDArray[np.intp], some: T) -> T:
    """The arrays (B, ...) with those of `some` at these places; one for all rows stays."""
    if is_dataclass(all_rows) and not isinstance(all_rows, type):
        parts = {
            f.name: merged(getattr(all_rows, f.name), at, getattr(some, f.name))
            for f in fields(all_rows)
        }
        return replace(all_rows, **parts)
    own: Any = np.array(all_rows)
    if len(own) > at.max(initial=-1):
        own[at] = some
    return cast(T, own)
