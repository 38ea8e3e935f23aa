"""sweep: the bundle method over every variant of a batch, each answer judged alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch, Verdict, judge_batch, same_weights, verdict
from icnn.decide.decision import NEAR, bound_multipliers, closed
from icnn.decide.flat import Flat, flat
from icnn.decide.kernel import INFEASIBLE, STOPPED, Ints, Options, Placed, Searcher
from icnn.decide.kernel.pricing import Pricer, Single
from icnn.decide.parts import merged, rows_of
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
    """Memory for one sweep at a time over batches that share weights and rows.

    Threads wait for each other: the compiled search runs while others hold the interpreter.
    """

    def __init__(self, batch: Batch, solver: Bundle) -> None:
        self._own, self._solver, self._alone = batch, solver, RLock()
        self._start(batch)

    def _start(self, batch: Batch) -> None:
        self._first = flat(batch)
        self._pricer: Pricer | None = None
        self._asked: Options | None = None  # of prices
        self._searcher = Searcher(self._first.net, self._first.sides.A, capacity(batch.n))
        placed = Placed(self._first.places())
        self._coarse = self._solver.coarse(self._first, self._searcher, placed)

    def __call__(self, batch: Batch) -> Swept:
        """Search and judge each variant."""
        with self._alone:
            return self._sweep(batch)

    def _sweep(self, batch: Batch) -> Swept:
        first = self._first
        if not (same_weights(batch, first.batch) and first.sides.cover(batch.rows)):
            self._start(batch)
        self._searcher.forget()  # cuts that prices left would not hold here
        arrays = Flat(batch, self._first.net, self._first.sides)
        placed = Placed(arrays.places())
        swept, outcome = self._judged(arrays, placed, coarse=self._coarse)
        ended = swept.verdict.optimal | np.isin(outcome, (INFEASIBLE, STOPPED))
        left = np.flatnonzero(~ended)
        if not self._coarse or not len(left):
            return swept
        rest = Flat(rows_of(batch, left), self._first.net, self._first.sides)
        return merged(swept, left, self._judged(rest, Placed(rest.places()), coarse=False)[0])

    def _judged(self, arrays: Flat, placed: Placed, *, coarse: bool) -> tuple[Swept, Ints]:
        """One search a row, what the judge says, and how the search ended."""
        batch = arrays.batch
        found = self._searcher(placed, self._solver.options(arrays, coarse=coarse))
        x, y = arrays.x(found.x), arrays.row_multipliers(found.y)
        if arrays.plain:
            figures = self._searcher.judge(arrays.own_places, arrays.case(x, found.u, y))
            judged = verdict(batch, x, figures, batch.samples)
        else:
            judged = judge_batch(batch, x, arrays.slopes(found.u), y)
        return _swept(batch, x, judged, (y, found.outcome)), found.outcome

    def forget(self) -> None:
        """Drop the cuts that were kept."""
        with self._alone:
            self._searcher.forget()

    def prices(self, price: Array, keep: int = 0) -> Swept:
        """The batch that the sweeper was made for, at other prices (B, n).

        With `keep` cuts each search starts from those of the one before.
        """
        with self._alone:
            pricer = self._ready()
            if pricer is None:
                return self._sweep(replace(self._own, price=price, size=len(price)))
            out = pricer(price, self._options(keep))
        optimal = closed(out.value - out.bound, out.scale, out.value, out.violation)
        judged = Verdict(out.value, out.bound, out.violation, out.scale, optimal, out.slope)
        return Swept(out.x, judged, out.rows, out.lower, out.upper, out.outcome == INFEASIBLE)

    def price(self, price: Array, keep: int = 0, ends: Array | None = None) -> Single | None:
        """The same at one price (n,), and at other ends (see `Pricer.one`) where the layers hold.

        None where the compiled part cannot: it does not know f, the price or one of the sides.
        """
        with self._alone:
            pricer = self._ready()
            return None if pricer is None else pricer.one(price, self._options(keep), ends)

    def _ready(self) -> Pricer | None:
        if self._first.batch is not self._own:
            self._start(self._own)
        if self._pricer is None and self._first.plain:
            first = self._first
            nothing = np.empty((1, 0))
            self._pricer = Pricer(
                self._searcher,
                (first.places(), first.own_places),
                first.case(nothing, nothing, nothing),
                pricing=first.pricing(),
                near=NEAR,
            )
        return self._pricer

    def _options(self, keep: int) -> Options:
        if self._asked is None or self._asked.keep != keep:
            self._asked = self._solver.options(self._first, keep=keep, coarse=self._coarse)
        return self._asked


def _swept(batch: Batch, x: Array, judged: Verdict, rest: tuple[Array, Any]) -> Swept:
    y, outcome = rest
    lower, upper = bound_multipliers(x, batch.box, batch.reach[1], judged.slope)
    return Swept(x, judged, y, lower, upper, outcome == INFEASIBLE)
