"""prepare: one problem, solved again and again for new contexts, prices, bounds and sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.decision import Decision
from icnn.decide.program import Learned, Program
from icnn.decide.sets import Box, Rows, fix, index_of, read_bounds, whole
from icnn.decide.solve import solve
from icnn.decide.solvers.solver import AbstractSolver
from icnn.errors import BadData
from icnn.learn.surrogate import AbstractSurrogate
from icnn.network import Network, affine
from icnn.problem import check_sense, finished, limits_of, network_of, read_problem, turned

Array = NDArray[np.float64]


@final
class Prepared:
    """A problem that was read once; `solve` changes what it is given.

    Made by `prepare`. Names, sets and constraints stay; every decision is judged afresh.
    """

    def __init__(
        self, f: Any, limits: tuple[Any, ...], program: Program, solver: AbstractSolver | None
    ) -> None:
        self.f, self._limits, self._program, self._solver = f, limits, program, solver
        self._start: Any = None

    def solve(
        self,
        *,
        context: Any = None,
        linear: Any = None,
        bounds: Any = None,
        sides: tuple[Any, Any] | None = None,
        fixed: Mapping[str, float] | None = None,
        throw: bool = True,
    ) -> Decision:
        """The decision of the problem with these changes; what is not given stays as prepared.

        Args:
            context: a new context of the functions that take one.
            linear: prices c, (n,) or a dict by column: the objective becomes f(x) + c·x.
            bounds: new bounds, as in `minimize`; a dict changes only its columns.
            sides: new (lower, upper), each (m,), of the linear rows in their order.
            fixed: columns held at a value.
            throw: raise if there is no proved decision.
        """
        program = self._at(context)
        program = replace(program, objective=program.objective + self._price(linear, program.n))
        program = replace(program, box=self._box(bounds, fixed), rows=self._rows(sides))
        # after a new context the last basis is a bad start: 9.1 ms against 8.2 at n = 20, 64 x 2
        start = self._start if context is None else None
        decision, self._start = solve(program, self._solver, start)
        return finished(turned(decision) if _concave(self.f) else decision, "", throw)

    def _at(self, context: Any) -> Program:
        """The program with every function at this context."""
        program = self._program
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

    def _price(self, linear: Any, width: int) -> Network:
        columns, c = self._program.columns, np.zeros(width)
        if isinstance(linear, Mapping):
            for name, price in linear.items():
                c[index_of(name, columns, "linear")] = price
        elif linear is not None:
            prices = np.asarray(linear, dtype=np.float64)
            if prices.shape != (len(columns),):
                raise BadData(f"linear has shape {prices.shape}; x has {len(columns)}: {columns}")
            c[: len(columns)] = prices
        if not np.isfinite(c).all():
            raise BadData("linear has a price that is not finite")
        return affine(-c if _concave(self.f) else c)

    def _box(self, bounds: Any, fixed: Any) -> Box:
        old, columns = self._program.box, self._program.columns
        n = len(columns)
        own = fix(read_bounds(bounds, columns, Box(old.lower[:n], old.upper[:n])), fixed, columns)
        lower, upper = np.append(own.lower, old.lower[n:]), np.append(own.upper, old.upper[n:])
        return whole(Box(lower, upper), self._program.integral)

    def _rows(self, sides: tuple[Any, Any] | None) -> Rows:
        old, m = self._program.rows, self._program.named_rows or 0
        if sides is None:
            return old
        ends = [np.array(old.lower), np.array(old.upper)]
        for end, new in zip(ends, sides, strict=True):
            values = np.asarray(new, dtype=np.float64)
            if values.shape not in ((), (m,)) or np.isnan(values).any():
                raise BadData(f"sides are two arrays of {m} numbers, not of shape {values.shape}")
            end[:m] = values
        for i in np.flatnonzero(ends[0] > ends[1]):
            raise BadData(f"row {i}: no number lies between {ends[0][i]:g} and {ends[1][i]:g}")
        return Rows(old.A, ends[0], ends[1])


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
    """Read a problem once, to solve it for many contexts, prices, bounds or sides.

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
    return Prepared(f, limits_of(constraints), program, solver)


def _concave(f: Any) -> bool:
    return isinstance(f, AbstractSurrogate) and f.concave
