"""relay: a batch through the primal-dual method, and what it leaves open through the bundle."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch, judge_batch
from icnn.decide.decision import bound_multipliers
from icnn.decide.flat import flat
from icnn.decide.kernel import library
from icnn.decide.program import Line
from icnn.decide.sets import Box, Rows
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.primal_dual import PrimalDual
from icnn.decide.sweep import Sweeper, Swept

Array = NDArray[np.float64]
T = TypeVar("T")
BatchSolver = Bundle | PrimalDual


@final
class Relay:
    """Two solvers in a row over batches that share weights."""

    def __init__(self, batch: Batch, solver: PrimalDual) -> None:
        self._first, self._solver = batch, solver
        self._bundle = None if library() is None else Sweeper(batch, Bundle())

    def __call__(self, batch: Batch) -> Swept:
        """Search, judge, and search again where the gap is not closed."""
        x, slopes = self._solver.search(flat(batch))
        y = np.zeros((batch.size, 0))
        verdict = judge_batch(batch, x, slopes, y)
        swept = Swept(
            x,
            verdict,
            y,
            *bound_multipliers(x, batch.box, batch.reach[1], verdict.slope),
            np.zeros(batch.size, dtype=bool),
            np.full(batch.size, PrimalDual.__name__, dtype=object),
        )
        left = np.flatnonzero(~verdict.optimal)
        if len(left) and self._bundle is not None:
            return _merged(swept, left, self._bundle(rows_of(batch, left)))
        return swept

    def prices(self, price: Array, keep: int = 0) -> Swept:
        """The batch that this was made for, at other prices (B, n); no cuts are kept."""
        return self(replace(self._first, price=price, size=len(price)))

    def forget(self) -> None:
        """Nothing is kept from search to search."""


def sweeper_of(batch: Batch, solver: BatchSolver) -> Sweeper | Relay:
    """What searches batches of this kind."""
    return Sweeper(batch, solver) if isinstance(solver, Bundle) else Relay(batch, solver)


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


def _merged(all_rows: T, at: NDArray[np.intp], some: T) -> T:
    """The arrays (B, ...) with those of `some` at these places."""
    if is_dataclass(all_rows) and not isinstance(all_rows, type):
        parts = {
            f.name: _merged(getattr(all_rows, f.name), at, getattr(some, f.name))
            for f in fields(all_rows)
        }
        return replace(all_rows, **parts)
    merged: Any = np.array(all_rows)
    merged[at] = some
    return cast(T, merged)
