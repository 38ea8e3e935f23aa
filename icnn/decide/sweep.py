"""sweep: the bundle method over every variant of a batch, each answer judged alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch, Verdict, judge_batch, verdict
from icnn.decide.flat import Flat, flat
from icnn.decide.kernel import INFEASIBLE, Found, Searcher
from icnn.decide.solvers.bundle import Bundle, capacity

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Swept:
    """What came out for each variant; `infeasible` is only the search's word."""

    x: Array  # (B, n)
    verdict: Verdict
    rows: Array  # (B, m) multipliers
    lower: Array  # (B, n)
    upper: Array  # (B, n)
    infeasible: NDArray[np.bool_]  # (B,)


@final
class Sweeper:
    """Memory for one sweep at a time over batches that share weights and rows."""

    def __init__(self, batch: Batch, solver: Bundle) -> None:
        self._first, self._solver = flat(batch), solver
        self._searcher = Searcher(self._first.net, self._first.sides.A, capacity(batch.n))

    def __call__(self, batch: Batch, keep: int = 0) -> Swept:
        """Search and judge; with `keep` cuts the next search starts from those of the last."""
        unit = self._first.scale if keep else None  # kept cuts are counted in it
        arrays = Flat(batch, self._first.net, self._first.sides, unit)
        found = self._searcher(arrays.places(), self._solver.options(arrays, keep=keep))
        return self._judged(arrays, found)

    def _judged(self, arrays: Flat, found: Found) -> Swept:
        """The judge's figures and the multipliers of what a search found."""
        batch, x = arrays.batch, arrays.x(found.x)
        y = arrays.row_multipliers(found.y)
        if arrays.plain:
            case = arrays.case(x, found.u, y)
            value, bound, slope = self._searcher.judge(arrays.own_places, case)
            figures = verdict(batch, x, value, bound, slope=slope)
        else:
            figures = judge_batch(batch, x, arrays.slopes(found.u), y)
        return _swept(batch, x, figures, (y, found.outcome == INFEASIBLE))


def _swept(batch: Batch, x: Array, figures: Verdict, rest: tuple[Array, Any]) -> Swept:
    slope, box = figures.slope, batch.box
    y, infeasible = rest
    return Swept(
        x,
        figures,
        y,
        np.where(x <= box.lower, np.maximum(slope, 0.0), 0.0),
        np.where(x >= box.upper, np.minimum(slope, 0.0), 0.0),
        infeasible,
    )
