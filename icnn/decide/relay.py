"""relay: a batch through the primal-dual method, and what it leaves open through the bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch, judge_batch
from icnn.decide.decision import bound_multipliers
from icnn.decide.flat import flat
from icnn.decide.kernel import library
from icnn.decide.parts import merged, rows_of
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.primal_dual import PrimalDual
from icnn.decide.sweep import Sweeper, Swept

Array = NDArray[np.float64]
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
            return merged(swept, left, self._bundle(rows_of(batch, left)))
        return swept

    def prices(self, price: Array, keep: int = 0) -> Swept:
        """The batch that this was made for, at other prices (B, n); no cuts are kept."""
        return self(replace(self._first, price=price, size=len(price)))

    def forget(self) -> None:
        """Nothing is kept from search to search."""


def sweeper_of(batch: Batch, solver: BatchSolver) -> Sweeper | Relay:
    """What searches batches of this kind."""
    return Sweeper(batch, solver) if isinstance(solver, Bundle) else Relay(batch, solver)
