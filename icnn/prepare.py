"""prepare: a problem solved again for new contexts, prices, bounds, sides and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.changes import Changes, moved_limits, moved_rows
from icnn.decide.decision import Decision
from icnn.decide.program import Learned, Program
from icnn.decide.relay import BatchSolver
from icnn.decide.sets import Box, fix, read_bounds, whole
from icnn.decide.solve import solve
from icnn.decide.solvers import pick
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.solver import AbstractSolver, Start
from icnn.errors import BadData
from icnn.learn.surrogate import AbstractSurrogate
from icnn.network import LARGEST, Network
from icnn.problem import (
    check_context,
    check_sense,
    finished,
    held_box,
    intersected,
    limits_of,
    network_of,
    read_problem,
    turned,
)
from icnn.queries import floats, named_prices, price_fault
from icnn.searches import Searches
from icnn.variants import Variants

Array = NDArray[np.float64]


@final
class Prepared:
    """A problem that was read once; `solve` changes what it is given.

    Made by `prepare`. Names, sets and constraints stay; every decision is judged afresh.
    Threads may share it; they take turns.
    """

    def __init__(
        self,
        f: Any,
        limits: tuple[Any, ...],
        program: Program,
        *,
        held: Box,
        solver: AbstractSolver | None,
    ) -> None:
        self.f, self._limits, self.program, self._solver = f, limits, program, solver
        self._held = held  # (n,), inside which new bounds lie
        self._concave = _concave(f)
        self._start: Start | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what it found on the way: a copy, or one from a pickle, starts afresh."""
        left = {k: v for k, v in self.__dict__.items() if k not in ("variants", "_searches")}
        return left | {"_start": None}

    @cached_property
    def variants(self) -> Variants | None:
        """The problem as a batch solver takes it; None if it refuses, or another one is wanted."""
        solver = self._solver or pick(self.program)[0]
        if not isinstance(solver, BatchSolver) or solver.refusal(self.program) is not None:
            return None
        return Variants(self.f, self.program, solver)

    @cached_property
    def _searches(self) -> Searches | None:
        return None if self.variants is None else Searches(self.variants)

    def solve(
        self,
        *,
        context: Any = None,
        linear: Any = None,
        bounds: Any = None,
        sides: tuple[Any, Any] | None = None,
        limits: Sequence[float | None] | None = None,
        fixed: Mapping[str, float] | None = None,
        throw: bool = True,
    ) -> Decision:
        """The decision of the problem with these changes; what is not given stays as prepared.

        Args:
            context: a new context of the functions that take one.
            linear: prices c, (n,) or a dict by column: the objective becomes f(x) + c·x.
            bounds: new bounds, as in `minimize`; a dict changes only its columns. Fixed columns and
                what `variable` says of itself stay.
            sides: new (lower, upper), each (m,), of the linear rows in their order.
            limits: new right-hand sides of the learned limits in their order; None keeps one.
            fixed: columns held at a value.
            throw: raise if there is no proved decision.
        """
        decision = None
        priced = context is None and bounds is None and sides is None
        if priced and limits is None and fixed is None:
            decision = self._at_price(linear)
            if decision is not None and decision.success:
                return self._turned(decision)
        changes = self._changes(context, linear, bounds, sides=sides, limits=limits, fixed=fixed)
        if decision is None and self._searches is not None:  # None where functions are limited
            decision = self._searches.changed(changes)
        if decision is None or not decision.success:
            decision = self.slowly(changes, searched=decision is not None)
        return finished(self._turned(decision), "", throw)

    def left_open(self, context: Any, linear: Any, bounds: Any) -> Decision:
        """The decision with these changes, which a sweep of the same problem did not close."""
        return self._turned(self.slowly(self._changes(context, linear, bounds), searched=True))

    def _turned(self, decision: Decision) -> Decision:
        return turned(decision) if self._concave else decision

    def forget(self) -> None:
        """Start the next search from nothing, not from the cuts and bases of the last."""
        self._start = self._start and self._start.forgotten()
        if self._searches is not None:
            self._searches.forget()

    def _at_price(self, linear: Any) -> Decision | None:
        """By the compiled search and judge at once; None where they cannot."""
        searches = self._searches
        if searches is None:
            return None
        price = self.price(linear)
        return searches.priced(price) if price is None or price.ndim == 1 else None

    def _changes(
        self,
        context: Any,
        linear: Any,
        bounds: Any,
        *,
        sides: Any = None,
        limits: Any = None,
        fixed: Any = None,
    ) -> Changes:
        check_context([self.f, *(limit.function for limit in self._limits)], context)
        return Changes(
            context,
            self._one_price(linear),
            self._box(bounds, fixed),
            moved_rows(self.program, sides),
            moved_limits(self._limits, limits),
        )

    def slowly(self, asked: Changes, *, searched: bool = False) -> Decision:
        """As `minimize` would; where the bundle was asked already, with the other solvers."""
        program = self._at(asked.context)
        if asked.limits:
            moved = zip(program.learned, asked.limits, strict=True)
            learned = tuple(replace(old, limit=old.sign * rhs) for old, rhs in moved)
            program = replace(program, learned=learned)
        if asked.box or asked.rows:
            box, rows = asked.box or program.box, asked.rows or program.rows
            program = replace(program, box=box, rows=rows)
        if asked.price is not None:
            program = program.priced(asked.price)
        # after a new context the last basis is a bad start: 9.1 ms against 8.2 at n = 20, 64 x 2
        start = self._start if asked.context is None else None
        tried = Bundle if searched and self._solver is None else None
        decision, self._start = solve(program, self._solver, start, tried=tried)
        return decision

    def _at(self, context: Any) -> Program:
        """The program with every function at this context."""
        program = self.program
        if context is None:
            return program
        n = len(program.columns)
        visible = np.eye(n, program.n)

        def at(f: Any) -> Network:
            network = network_of(f, context, program.columns)
            return network if program.n == n else network.compose_affine(visible)

        learned = zip(self._limits, program.learned, strict=True)
        return replace(
            program,
            objective=at(self.f),
            learned=tuple(
                Learned(at(limit.function), old.limit, old.sign) for limit, old in learned
            ),
        )

    def _one_price(self, linear: Any) -> Array | None:
        price = self.price(linear)
        if price is not None and price.ndim > 1:
            raise BadData(f"linear has shape {price.shape}; one row of prices is taken here")
        given = [] if price is None else price[: len(self.program.columns)].tolist()
        for c, name in zip(given, self.program.columns, strict=False):
            if not abs(c) <= LARGEST:
                raise BadData(price_fault(name, -c if self._concave else c))
        return price

    def price(self, linear: Any) -> Array | None:
        """Prices of the minimised function, (..., n) with auxiliary columns; rows as given."""
        if linear is None:
            return None
        columns = self.program.columns
        named = isinstance(linear, Mapping)
        prices = named_prices(linear, columns) if named else floats(linear, "linear")
        if prices.shape[-1:] != (len(columns),):
            raise BadData(f"linear has shape {prices.shape}; x has {len(columns)}: {columns}")
        c = -prices if self._concave else prices.copy()
        more = len(self.program.box.lower) - len(columns)  # auxiliary columns
        return np.concatenate([c, np.zeros((*c.shape[:-1], more))], axis=-1) if more else c

    def _box(self, bounds: Any, fixed: Any) -> Box | None:
        if bounds is None and fixed is None:
            return None
        old, columns = self.program.box, self.program.columns
        n = len(columns)
        own = read_bounds(bounds, columns, Box(old.lower[:n], old.upper[:n]))
        own = fix(intersected(own, self._held, columns), fixed, columns)
        if len(old.lower) > n:  # auxiliary columns
            ends = zip((own.lower, own.upper), (old.lower, old.upper), strict=True)
            own = Box(*(np.append(new, kept[n:]) for new, kept in ends))
        return whole(own, self.program.integral)


def prepare(
    f: AbstractSurrogate | Network,
    *,
    bounds: Any = None,
    constraints: Any = (),
    integrality: Any = None,
    fixed: Mapping[str, float] | None = None,
    context: Any = None,
    variable: Any = None,
    solver: AbstractSolver | None = None,
) -> Prepared:
    """Read a problem once, to solve it for many contexts, prices, bounds, sides or limits.

    Arguments are those of `minimize`; a concave f is maximised. The context given here is where
    the problem is read, and the one that `solve` uses when it gets none.
    """
    check_sense(f, "maximize" if _concave(f) else "minimize")
    program, _ = read_problem(
        f,
        bounds=bounds,
        constraints=constraints,
        integrality=integrality,
        fixed=fixed,
        context=context,
        variable=variable,
    )
    held = held_box(variable, fixed, program.columns)
    return Prepared(f, limits_of(constraints), program, held=held, solver=solver)


def _concave(f: Any) -> bool:
    return isinstance(f, AbstractSurrogate) and f.concave
