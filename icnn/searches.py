"""searches: a prepared problem by a batch solver, one decision at a time."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from icnn.changes import Changes
from icnn.decide.batch import Batch
from icnn.decide.decision import Decision
from icnn.decide.relay import Relay, sweeper_of
from icnn.decide.sets import Box
from icnn.decide.sweep import Sweeper
from icnn.problem import own_context
from icnn.variants import Variants, priced_decision, swept_decision

Array = NDArray[np.float64]


@final
class Searches:
    """The sweepers of one problem: for layers of its own box, of every box, and of a context.

    A search starts from what the last one with the same sweeper left.
    """

    def __init__(self, variants: Variants) -> None:
        self._variants, self._program = variants, variants.program
        self._free = np.zeros(self._program.n)  # prices where none are given
        self._keep = 2 * (self._program.n + 1)  # cuts
        self._contexts: Sweeper | Relay | None = None

    @cached_property
    def _own(self) -> Sweeper | Relay:
        return sweeper_of(self._variants.base, self._variants.solver)

    @cached_property
    def _beyond(self) -> Sweeper | Relay:
        base = replace(self._variants.base, lines=self._variants.whole, kept=())
        return sweeper_of(base, self._variants.solver)

    @cached_property
    def _pricing(self) -> Sweeper | None:
        """The first of them, where it is the bundle's."""
        return self._own if isinstance(self._own, Sweeper) else None

    def forget(self) -> None:
        """Drop what searches left."""
        for name in ("_own", "_beyond"):
            if name in self.__dict__:
                self.__dict__[name].forget()

    def priced(self, price: Array | None) -> Decision | None:
        """At a price (n,), by search and judge in one call; None where they cannot."""
        return self._decided(self._pricing, price, None)

    def moved(self, price: Array | None, ends: Array, *, inside: bool) -> Decision | None:
        """The same at other ends, as `Variants.ends` gives them."""
        sweeper = self._own if inside else self._beyond
        return self._decided(sweeper if isinstance(sweeper, Sweeper) else None, price, ends)

    def _decided(
        self, sweeper: Sweeper | None, price: Array | None, ends: Array | None
    ) -> Decision | None:
        if sweeper is None:
            return None
        began = time.perf_counter()
        found = sweeper.price(self._free if price is None else price, self._keep, ends)
        if found is None:
            return None
        return priced_decision(found, self._program, time.perf_counter() - began)

    def changed(self, asked: Changes) -> Decision | None:
        """With these changes; None if they make no batch."""
        if asked.context is None and (asked.box is not None or asked.rows is not None):
            ends = self._variants.ends(asked.box, asked.rows)
            decision = None if ends is None else self.moved(asked.price, ends[0], inside=ends[1])
            if decision is not None:
                return decision
        return self._swept(asked)

    def _swept(self, asked: Changes) -> Decision | None:
        """On arrays of which only what changed is made anew."""
        began = time.perf_counter()
        context, price, box, rows, _ = asked
        if context is None and box is None and rows is None:
            prices = (self._free if price is None else price)[None]
            swept = self._own.prices(prices, keep=self._keep)
            return swept_decision(swept, self._program, time.perf_counter() - began)
        batch = self._variants.batch(
            1,
            context=None if context is None else own_context(self._variants.f, context),
            price=None if price is None else price[None],
            box=None if box is None else Box(box.lower[None], box.upper[None]),
            sides=None if rows is None else (rows.lower[None], rows.upper[None]),
        )
        if batch is None:
            return None
        swept = self._sweeper(batch, context)(batch)
        return swept_decision(swept, self._program, time.perf_counter() - began)

    def _sweeper(self, batch: Batch, context: object) -> Sweeper | Relay:
        if context is None:
            return self._own if batch.lines is self._variants.base.lines else self._beyond
        if self._contexts is None:  # unfolded weights
            self._contexts = sweeper_of(batch, self._variants.solver)
        return self._contexts
