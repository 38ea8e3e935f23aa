"""Variants: one problem at many contexts, prices, bounds and sides, as a batch for the sweep."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch
from icnn.decide.decision import Decision, Status, closed
from icnn.decide.kernel.pricing import Single
from icnn.decide.program import Line, Program
from icnn.decide.prune import pruned
from icnn.decide.relay import BatchSolver
from icnn.decide.sets import Box, Rows
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.sweep import Swept
from icnn.family import placed
from icnn.learn.surrogate import AbstractSurrogate
from icnn.network import Network, with_output

Array = NDArray[np.float64]


@final
class Variants:
    """What is shared by the variants of a program whose objective comes from f."""

    def __init__(self, f: Any, program: Program, solver: BatchSolver) -> None:
        self.f, self.program, self.solver = f, program, solver

    @cached_property
    def base(self) -> Batch:
        """The program itself."""
        return Batch.of(self.program)

    def batch(
        self,
        size: int,
        *,
        context: Any = None,
        price: Array | None = None,
        box: Box | None = None,
        sides: tuple[Array, Array] | None = None,
    ) -> Batch | None:
        """The variants with these changes; None if they are not alike enough for one sweep.

        Args:
            size: how many, B.
            context: of f, one for all or B rows.
            price: (1 or B, n) added to the minimised function.
            box: (1 or B, n).
            sides: (1 or B, m) lower and upper.
        """
        base, n = self.base, self.program.n
        own = base.box if box is None else box
        rows = base.rows if sides is None else Rows(base.rows.A, *sides)
        found = self._finite(own, sides is None)
        if found is None:
            return None
        finite, held = found
        if context is not None:
            lines = self._lines(context, size)
        else:
            lines = base.lines if held else self.whole
        if lines is None:
            return None
        price = np.zeros((1, n)) if price is None else price
        return Batch(lines, price, own, finite, rows, size)

    def ends(self, box: Box | None, rows: Rows | None) -> tuple[Array, bool] | None:
        """A box (n,) and sides (m,) as a `Pricer` takes them; None if the box has no finite ends.

        And whether the layers of the program's own box hold there.
        """
        base = self.base
        own = base.box if box is None else box
        sides = base.rows if rows is None else rows
        found = self._finite(own, rows is None)
        if found is None:
            return None
        finite, held = found
        ends = own.lower, own.upper, finite.lower, finite.upper, sides.lower, sides.upper
        return np.concatenate(ends, axis=None), held

    @cached_property
    def whole(self) -> tuple[Line, ...]:
        """Layers that hold on every box."""
        return pruned(self.program.lines)[0]

    def _lines(self, context: Any, size: int) -> tuple[Line, ...] | None:
        f = self.f.family(context, size) if isinstance(self.f, AbstractSurrogate) else None
        if f is None:
            return None
        if f.n < self.program.n or self.f.columns != self.program.columns:
            at = [self.program.columns.index(name) for name in self.f.columns]
            f = placed(f, at, self.program.n)
        return pruned(lines_of(f))[0]

    def _finite(self, box: Box, same_rows: bool) -> tuple[Box, bool] | None:
        """Finite ends of each variant's box: its own, or those that rows imply for all.

        And whether all lie in those of the program.
        """
        base = self.base.finite
        if same_rows and inside(box, self.base.box):
            return Box(np.maximum(box.lower, base.lower), np.minimum(box.upper, base.upper)), True
        if np.isfinite(box.lower).all() and np.isfinite(box.upper).all():
            return box, inside(box, base)
        return None


def inside(box: Box, other: Box) -> bool:
    """Whether all boxes (B | 1, n) lie in another (1, n)."""
    return bool((box.lower >= other.lower).all() and (box.upper <= other.upper).all())


def lines_of(f: Network) -> tuple[Line, ...]:
    """The layers of a family as arrays."""
    found = []
    for k in with_output(f):
        edges = [(source, W, *gate) for source, W, *gate in k.W]
        found.append(
            Line(
                k.atom,
                k.V.numpy(),
                k.b.numpy(),
                tuple((edge[0], edge[1].numpy()) for edge in edges),
                None if k.h is None else k.h.numpy(),
                tuple(edge[2].numpy() if len(edge) > 2 else None for edge in edges),
            )
        )
    return tuple(found)


def swept_decision(swept: Swept, program: Program, seconds: float) -> Decision:
    """The only variant of a sweep as a `Decision`."""
    v = swept.verdict
    only = Single(
        float(v.value[0]),
        float(v.bound[0]),
        float(v.violation[0]),
        float(v.scale[0]),
        swept.x[0],
        swept.rows[0],
        swept.lower[0],
        swept.upper[0],
    )
    return priced_decision(only, program, seconds, solver=swept.solver[0])


def priced_decision(
    found: Single, program: Program, seconds: float, *, solver: str = Bundle.__name__
) -> Decision:
    """What a sweeper found at one price as a `Decision`."""
    value, bound, violation, scale, x, rows, lower, upper = found
    n, gap = len(program.columns), value - bound
    if len(x) > n:  # auxiliary columns
        x, lower, upper = x[:n], lower[:n], upper[:n]
    status = Status.OPTIMAL if closed(gap, scale, value, violation) else Status.INACCURATE
    return Decision(
        x=x,
        value=value,
        bound=bound,
        gap=gap,
        violation=violation,
        status=status,
        message=status.value,
        multipliers={"rows": rows[: program.named_rows], "lower": lower, "upper": upper},
        solver=solver,
        seconds=seconds,
        columns=program.columns,
        scale=scale,
    )
