"""sweep: the bundle method over every variant of a batch, each answer judged alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch, Verdict, judge_batch, same_weights, verdict
from icnn.decide.decision import bound_multipliers
from icnn.decide.flat import Flat, flat
from icnn.decide.kernel import INFEASIBLE, Placed, Searcher
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
    solver: NDArray[np.object_] = field(  # (1 | B,) names
        default_factory=lambda: np.array([Bundle.__name__], dtype=object)
    )


@final
class Sweeper:
    """Memory for one sweep at a time over batches that share weights and rows."""

    def __init__(self, batch: Batch, solver: Bundle) -> None:
        self._own, self._solver = batch, solver
        self._start(batch)

    def _start(self, batch: Batch) -> None:
        self._first = flat(batch)
        self._template: _Template | None = None
        self._searcher = Searcher(self._first.net, self._first.sides.A, capacity(batch.n))

    def __call__(self, batch: Batch) -> Swept:
        """Search and judge each variant."""
        if not same_weights(batch, self._first.batch):
            self._start(batch)
        self._searcher.forget()  # cuts that prices left would not hold here
        arrays = Flat(batch, self._first.net, self._first.sides)
        found = self._searcher(arrays.places(), self._solver.options(arrays))
        x, y = arrays.x(found.x), arrays.row_multipliers(found.y)
        if arrays.plain:
            figures = self._searcher.judge(arrays.own_places, arrays.case(x, found.u, y))
            judged = verdict(batch, x, figures, batch.samples)
        else:
            judged = judge_batch(batch, x, arrays.slopes(found.u), y)
        return _swept(batch, x, judged, (y, found.outcome))

    def forget(self) -> None:
        """Drop the cuts that were kept."""
        self._searcher.forget()

    def prices(self, price: Array, keep: int = 0) -> Swept:
        """The batch that the sweeper was made for, at other prices (B, n).

        With `keep` cuts each search starts from those of the one before.
        """
        if self._first.batch is not self._own:
            self._start(self._own)
        first = self._first
        if not first.plain:
            return self(replace(first.batch, price=price, size=len(price)))
        made = self._template = self._template or _Template(first)
        options = self._solver.options(first, keep=keep)
        c = made.own.c + price
        found = self._searcher(made.search.priced(c * made.to_search), options)
        x, y = first.x(found.x), first.row_multipliers(found.y)
        size = made.case.size + np.abs(price)
        case = made.case._replace(x=x, u=found.u, y=y, size=size)
        figures = self._searcher.judge(made.judge.priced(c), case)
        samples = first.batch.samples + first.batch.points[:, 0] @ price.T
        judged = verdict(first.batch, x, figures, samples)
        return _swept(first.batch, x, judged, (y, found.outcome))


@final
class _Template:
    """What stays the same from price to price."""

    def __init__(self, first: Flat) -> None:
        self.own = first.own_places
        self.search, self.judge = Placed(first.places()), Placed(self.own)
        self.to_search = first.reach[1] / first.scale[:, None]
        nothing = np.empty((1, 0))
        self.case = first.case(nothing, nothing, nothing)


def _swept(batch: Batch, x: Array, judged: Verdict, rest: tuple[Array, Any]) -> Swept:
    y, outcome = rest
    lower, upper = bound_multipliers(x, batch.box, batch.reach[1], judged.slope)
    return Swept(x, judged, y, lower, upper, outcome == INFEASIBLE)
