"""minimize_batch: a decision a row, for many contexts, prices or bounds of one problem."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icnn.decide.batch import Batch
from icnn.decide.decision import Status
from icnn.decide.decisions import Decisions
from icnn.decide.program import Program
from icnn.decide.relay import Relay, sweeper_of
from icnn.decide.solvers.primal_dual import PrimalDual
from icnn.decide.solvers.solver import AbstractSolver
from icnn.decide.sweep import Sweeper, Swept
from icnn.errors import BadData, ICNNError
from icnn.learn.model import positive_int
from icnn.learn.surrogate import AbstractSurrogate
from icnn.network import Network
from icnn.prepare import Prepared, prepare
from icnn.problem import check_sense
from icnn.progress import bar
from icnn.queries import Queries, read_queries

Array = NDArray[np.float64]
CHUNK = 512  # rows at a time: many for the processor's sake, few for memory's and the bar's
NUMBERS = 2**22  # in the largest array of a chunk


def minimize_batch(
    f: AbstractSurrogate | Network,
    *,
    context: Any = None,
    linear: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    integrality: Any = None,
    fixed: Mapping[str, float] | None = None,
    variable: Any = None,
    solver: AbstractSolver | None = None,
    progress: bool | None = None,
    threads: int | None = None,
) -> Decisions:
    """The x that minimises f + linear·x for each row, each with a certified bound.

    Args:
        f: a convex surrogate or a `Network`.
        context: (B, m) values, a frame, or a dict of columns; one for all rows is taken too.
        linear: prices (B, n), or a dict of columns.
        bounds: (B, n, 2) pairs, `scipy.optimize.Bounds` with ends (B, n), or a dict by column of
            pairs whose ends may be (B,); or one for all rows as in `minimize`.
        constraints, integrality, fixed, variable: as in `minimize`, the same for all rows.
        solver: from `icnn.solvers`; None takes the bundle where it can.
        progress: whether a bar shows; None hides it where nobody looks.
        threads: that work at a time; None means one a processor.

    Raises:
        BadData, NotSupported, NotConvex: what concerns all rows, as in `minimize`. What concerns
            one row is its `status` and `message`, and no other row changes.
    """
    check_sense(f, "minimize")
    return _batch(
        f,
        read_queries(f, context, linear, bounds),
        dict(
            constraints=constraints,
            integrality=integrality,
            fixed=fixed,
            variable=variable,
            solver=solver,
        ),
        (progress, threads),
    )


def maximize_batch(f: AbstractSurrogate, **arguments: Any) -> Decisions:
    """The x that maximises a concave f + linear·x for each row; arguments as `minimize_batch`."""
    check_sense(f, "maximize")
    named = {key: arguments.pop(key, None) for key in ("context", "linear", "bounds")}
    show = (arguments.pop("progress", None), arguments.pop("threads", None))
    return _batch(f, read_queries(f, *named.values()), arguments, show)


def _batch(f: Any, asked: Queries, arguments: dict[str, Any], show: tuple[Any, Any]) -> Decisions:
    began = time.perf_counter()
    if show[1] is not None:
        positive_int("threads", show[1])
    concave = isinstance(f, AbstractSurrogate) and f.concave
    first = asked.context_of(int(np.argmax(asked.good)))
    problem = prepare(f, bounds=asked.hull, context=first, **arguments)
    result = _Table(problem.program, asked)
    with closing(bar("decide", asked.size, show[0])) as shown:
        if problem.variants is not None:
            for rows, swept in _swept(problem, asked, show[1]):
                result.write(rows, swept)
                shown.update(len(rows))
        for i in np.flatnonzero(result.open):
            result.write_one(int(i), problem)
            if problem.variants is None:
                shown.update()
    return result.decisions(time.perf_counter() - began, concave)


def _swept(
    problem: Prepared, asked: Queries, threads: int | None
) -> Iterator[tuple[NDArray[np.intp], Swept]]:
    """The rows in chunks, several at a time, as they are done.

    A row that cannot be read is worked on in the place of a good one: a product of matrices rounds
    otherwise for another number of rows, and no bad row shall change a bit of the others.
    """
    variants = problem.variants
    assert variants is not None
    wide = int(sum(line.b.shape[-1] for line in variants.base.lines)) + problem.program.n
    most = variants.solver.rows if isinstance(variants.solver, PrimalDual) else CHUNK
    chunk = int(np.clip(NUMBERS // wide, 1, most))
    mine = _Mine()

    @np.errstate(over="ignore", invalid="ignore")  # of a row that overflows; it says so itself
    def work(at: NDArray[np.intp]) -> tuple[NDArray[np.intp], Swept] | None:
        rows = readable[at]
        if mine.sweeper is None:
            mine.sweeper = sweeper_of(variants.base, variants.solver)
        prices = problem.price(asked.linear_of(rows))
        if prices is not None and asked.context is None and asked.box is None:
            return at, mine.sweeper.prices(prices)
        try:
            batch = _variants(problem, asked, rows)
        except ICNNError:  # one row among them; it will say so itself
            return None
        return None if batch is None else (at, mine.sweeper(batch))

    count = (os.cpu_count() or 1) if threads is None else threads
    every = np.arange(asked.size)
    readable = np.where(asked.good, every, np.argmax(asked.good))
    parts = [every[k : k + chunk] for k in range(0, asked.size, chunk)]
    with ThreadPoolExecutor(count) as pool:
        for done in pool.map(work, parts):
            if done is not None:
                yield done


class _Mine(threading.local):
    """What each thread has of its own."""

    sweeper: Sweeper | Relay | None = None


def _variants(problem: Prepared, asked: Queries, rows: NDArray[np.intp]) -> Batch | None:
    assert problem.variants is not None
    return problem.variants.batch(
        len(rows),
        context=asked.contexts_of(rows),
        price=problem.price(asked.linear_of(rows)),
        box=asked.boxes_of(rows, problem.program),
    )


class _Table:
    """The arrays of `Decisions` while they fill."""

    def __init__(self, program: Program, asked: Queries) -> None:
        B, n = asked.size, len(program.columns)
        m = len(program.rows.lower) if program.named_rows is None else program.named_rows
        self._program, self._asked = program, asked
        self.open = np.ones(B, dtype=bool)  # rows that still need a decision
        self.searched = np.zeros(B, dtype=bool)  # rows that were in a sweep
        self.x = np.full((B, n), np.nan)
        self.figures = {name: np.full(B, np.nan) for name in _FIGURES}
        self.status = np.full(B, Status.INACCURATE, dtype=object)
        self.message = np.full(B, "", dtype=object)
        self.solver = np.full(B, "", dtype=object)
        self.certified = np.zeros(B, dtype=bool)
        self.multipliers = {"rows": np.full((B, m), np.nan)}
        self.multipliers |= {side: np.full((B, n), np.nan) for side in ("lower", "upper")}

    def write(self, rows: NDArray[np.intp], swept: Swept) -> None:
        """The optimal rows of a sweep; the others stay open."""
        v, good = swept.verdict, self._asked.good[rows]
        done = v.optimal & ~swept.infeasible & good
        at, n = rows[done], self.x.shape[1]
        self.searched[rows] = good
        self.x[at] = swept.x[done, :n]
        for name, values in zip(
            _FIGURES, (v.value, v.bound, v.value - v.bound, v.violation, v.scale), strict=True
        ):
            self.figures[name][at] = values[done]
        self.status[at], self.message[at] = Status.OPTIMAL, Status.OPTIMAL.value
        self.solver[at] = np.broadcast_to(swept.solver, len(rows))[done]
        self.certified[at], self.open[at] = True, False
        m = self.multipliers["rows"].shape[1]
        for name, values in (
            ("rows", swept.rows[:, :m]),
            ("lower", swept.lower),
            ("upper", swept.upper),
        ):
            width = self.multipliers[name].shape[1]
            self.multipliers[name][at] = values[done, :width]

    def write_one(self, i: int, problem: Prepared) -> None:
        """Row i by itself, with every solver at hand, or the reason why not."""
        self.open[i] = False
        try:
            if not self._asked.good[i]:
                raise BadData(self._asked.faults[i])
            context, linear = self._asked.context_of(i), self._asked.linear_row(i)
            bounds = self._asked.bounds_of(i)
            if self.searched[i]:
                d = problem.left_open(context, linear, bounds)
            else:
                d = problem.solve(context=context, linear=linear, bounds=bounds, throw=False)
        except ICNNError as error:
            self.status[i], self.message[i] = Status.BAD_DATA, str(error)
            return
        flip = -1.0 if d.sense == "maximize" else 1.0
        self.x[i], self.status[i], self.message[i] = d.x, d.status, d.message
        self.solver[i], self.certified[i] = d.solver, d.certified
        figures = (flip * d.value, flip * d.bound, d.gap, d.violation, d.scale)
        for name, value in zip(_FIGURES, figures, strict=True):
            self.figures[name][i] = value
        for name, values in self.multipliers.items():
            values[i] = flip * d.multipliers[name]

    def decisions(self, seconds: float, concave: bool) -> Decisions:
        """Everything, in terms of f where −f was minimised."""
        flip = -1.0 if concave else 1.0
        figures = dict(self.figures)
        figures["value"], figures["bound"] = flip * figures["value"], flip * figures["bound"]
        return Decisions(
            x=self.x,
            **figures,
            status=self.status,
            message=self.message,
            multipliers={name: flip * values for name, values in self.multipliers.items()},
            certified=self.certified,
            solver=self.solver,
            columns=self._program.columns,
            seconds=seconds,
            sense="maximize" if concave else "minimize",
        )


_FIGURES = ("value", "bound", "gap", "violation", "scale")
