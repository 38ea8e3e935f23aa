"""commands: what `icnn demo`, `icnn fit` and `icnn minimize` do with their arguments."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np

from icnn import many, report
from icnn.decide.decision import Decision
from icnn.decide.sets import Box, fix, index_of, read_bounds
from icnn.errors import BadData
from icnn.learn.context import learn_encoder, read_contexts
from icnn.learn.ficnn import FICNN
from icnn.learn.fit import fit as learn
from icnn.learn.maxaffine import MaxAffine
from icnn.learn.model import AbstractConvexModel
from icnn.learn.picnn import PICNN
from icnn.learn.relusum import ReLUSum
from icnn.learn.surrogate import AbstractSurrogate, Surrogate
from icnn.learn.table import read_column
from icnn.learn.train import Budget
from icnn.minimize import maximize as greatest
from icnn.minimize import minimize as least
from icnn.network import Network
from icnn.problem import ERRORS

if TYPE_CHECKING:
    import pandas as pd
    from scipy.optimize import LinearConstraint

MODELS: dict[str, type[AbstractConvexModel]] = {
    "ficnn": FICNN,
    "picnn": PICNN,
    "relusum": ReLUSum,
    "maxaffine": MaxAffine,
}
AUTO = "auto"  # a mixture that `fit` puts together itself
T = TypeVar("T")


def demo(args: Namespace) -> None:
    """Fit the shipped table, decide, compare with the truth, and draw."""
    from icnn.demo import run
    from icnn.plot import check_ending

    check_ending(args.out)
    _check_out(args.out)
    decision = run(args.out, seed=args.seed, budget=_budget(args.steps))
    _insist(decision)


def fit(args: Namespace) -> None:
    """Learn a function of some columns of a CSV file, and save it."""
    from icnn.sheet import choose, group_labels, read_csv
    from icnn.store import save

    _check_out(args.out, args.table)
    budget = _budget(args.steps)
    frame = read_csv(args.table, args.separator)
    asked = (args.target, args.decisions, args.context)
    names, given, left_out = choose(frame, *asked, groups=args.groups)
    y = read_column(frame[args.target], f"column {args.target!r}", len(frame))
    if left_out:
        print(left_out)
    context = frame[given] if given else None
    model = _model(args.model, len(names), context)
    options = {"seed": args.seed, "concave": args.concave, "budget": budget}
    options["groups"] = group_labels(frame, args.groups)
    f = learn(model, frame[names], y, context=context, **options)
    save(f, args.out)
    shape = "concave" if f.concave else "convex"
    print(f"Learned {args.target} as a {shape} function from {len(frame)} rows; observed ranges:")
    print(report.ranges(f.columns, Box(f.lower, f.upper)))
    if given:
        print(f"Context, to be given by --at: {', '.join(given)}")
    print(f"R² on the table: {f.score(frame, y, context):.5f}\nModel: {args.out}")


def _model(name: str | None, n: int, context: pd.DataFrame | None) -> AbstractConvexModel | str:
    """The model of this name, wide enough for the decisions and the context."""
    if name == AUTO:
        return AUTO
    if context is None:
        if name == "picnn":
            raise BadData("--model picnn needs the columns of --context")
        return MODELS[name or "ficnn"](n)
    rows = len(context)
    width = learn_encoder(read_contexts(context, None, rows), np.ones(rows)).width
    if name in {"ficnn", "relusum"}:
        raise BadData(f"--model {name} takes no context; use --model picnn or leave --model out")
    return MODELS[name or "picnn"](n, n_context=width)


def minimize(args: Namespace) -> None:
    """Find the best point of a saved model, print it with its proof, and write it as JSON.

    With --contexts, one for each row of a table, written as a table.
    """
    from icnn.store import load

    f = load(args.model)
    if args.out:
        _check_out(args.out, args.model)
    if args.contexts:
        many.check_files(args.contexts, args.out)
        _check_out(args.out, args.contexts)
    task = _task(f, args)
    options: dict[str, Any] = {
        "bounds": task.bounds,
        "constraints": task.rows,
        "integrality": dict.fromkeys(args.integer, 1),
        "fixed": task.fixed,
    }
    if args.contexts:
        return many.decide_table(f, args, task.context, options)
    concave = isinstance(f, AbstractSurrogate) and f.concave
    solve = greatest if concave or args.command == "maximize" else least
    decision = solve(f, **options, context=task.context or None, throw=False)
    try:
        if args.out:
            told = report.as_json(decision, task.conditions, _numbered(f, task.context))
            report.write_text(told, args.out)
    finally:  # a full disk must not lose the decision
        print(_told(task, decision, f))
    if args.out:
        print(f"\nDecision: {args.out}")
    _insist(decision)


@final
@dataclass(frozen=True, eq=False)
class Task:
    """What the command line asks of a model."""

    box: Box
    remarks: dict[str, str]
    bounds: dict[str, tuple[float, float]] | None = None
    fixed: dict[str, float] = field(default_factory=dict)
    rows: list[LinearConstraint] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)  # the text of each row
    context: dict[str, str] = field(default_factory=dict)


def _task(f: AbstractSurrogate | Network, args: Namespace) -> Task:
    """Read all options, so that a slip in the last one costs no solve."""
    if isinstance(f, AbstractSurrogate):
        columns, box, source = f.columns, Box(f.lower, f.upper), "observed range"
    else:
        columns, source = tuple(f"x{j}" for j in range(f.n)), ""
        box = Box(np.full(f.n, -np.inf), np.full(f.n, np.inf))
    bounds = _by_column(args.bound, "--bound", _ends, columns=columns)
    fixed = _by_column(args.fix, "--fix", _number, columns=columns)
    box = _held(read_bounds(bounds, columns, box), fixed, columns)
    remarks = dict.fromkeys(columns, source) | dict.fromkeys(bounds, "given")
    for name in args.integer:
        index_of(name, columns, "--integer")
        remarks[name] = ", ".join(part for part in (remarks[name], "whole number") if part)
    remarks |= dict.fromkeys(fixed, "fixed")
    rows = [_condition(text, columns) for text in args.where]
    texts = [text.strip() for text, row in zip(args.where, rows, strict=True) for _ in row.A]
    return Task(
        box, remarks, bounds or None, fixed, rows, texts, _context(f, args.at, bool(args.contexts))
    )


def _context(f: AbstractSurrogate | Network, texts: Sequence[str], some: bool) -> dict[str, str]:
    """What --at says, one value for each context column of the model, or for some of them."""
    if not isinstance(f, AbstractSurrogate) or not f.context_columns:
        if texts:
            raise BadData(f"--at {texts[0]!r}: the model has no context; leave --at out")
        return {}
    columns = f.context_columns
    given = _by_column(texts, "--at", str.strip, columns=columns)
    if some:
        return given
    if missing := [name for name in columns if name not in given]:
        raise BadData(
            f"the model depends on the context {', '.join(columns)}; "
            f"add --at {missing[0]}=VALUE for {', '.join(missing)}, or a table by --contexts"
        )
    f.at(given)  # a value that it does not know is refused before the rest is read
    return given


def _numbered(f: AbstractSurrogate | Network, context: Mapping[str, str]) -> dict[str, float | str]:
    """The values of a context as numbers, and as text where the column holds categories."""
    if not isinstance(f, Surrogate) or f.encoder is None:
        return {}
    known = dict(zip(f.encoder.columns, f.encoder.categories, strict=True))
    return {name: float(text) if known[name] is None else text for name, text in context.items()}


def _told(task: Task, decision: Decision, f: AbstractSurrogate | Network) -> str:
    """The decision for a reader."""
    parts = []
    if decision.sense == "maximize":
        parts.append("The model is concave, so this is its greatest value.")
    if isinstance(f, AbstractSurrogate) and len(task.bounds or ()) < len(f.columns):
        parts.append("Columns without --bound stay in the range observed in the table.")
    if task.context:
        told = ", ".join(f"{name} = {value}" for name, value in task.context.items())
        parts.append(f"At {told}.")
    parts += ["", report.chosen(decision, task.box, task.remarks)]
    if task.conditions:
        parts += ["", report.conditions(decision, task.conditions)]
    if np.isfinite(decision.x).all():
        parts += ["", report.certificate(decision)]
    if decision.success:
        parts += ["", decision.message]
    return "\n".join(parts).strip("\n")


def _insist(decision: Decision) -> None:
    if not decision.success:
        raise ERRORS[decision.status](decision.message, decision)


def _budget(steps: int | None) -> Budget | None:
    """The budget that was asked for, or None for the usual one of a model."""
    if steps is not None and steps < 1:
        raise BadData(f"--steps {steps}: training takes at least one step")
    return None if steps is None else Budget(steps=steps)


def _held(box: Box, fixed: dict[str, float], columns: Sequence[str]) -> Box:
    """The box with the --fix values, or the --bound that a value needs."""
    try:
        return fix(box, fixed, columns)
    except BadData as error:
        reason = str(error).partition(";")[0]
        raise BadData(f"--fix: {reason}; widen them by --bound COL=LOW:HIGH") from None


def _by_column(
    texts: Sequence[str], option: str, read: Callable[[str], T], *, columns: Sequence[str]
) -> dict[str, T]:
    """`COL=VALUE` texts as a dict; the last = divides."""
    found: dict[str, T] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        name = name.strip()
        try:
            if not equals or not name:
                raise ValueError
            content = read(value)
        except ValueError:
            form = "COL=LOW:HIGH, as a=0:10" if option == "--bound" else "COL=VALUE, as a=3"
            raise BadData(f"{option} {text!r} is not of the form {form}") from None
        index_of(name, columns, option)
        if name in found:
            raise BadData(f"{option} names column {name!r} more than once")
        found[name] = content
    return found


def _ends(text: str) -> tuple[float, float]:
    """`0:10`; an empty end is open."""
    low, high = text.split(":")
    ends = float(low or "-inf"), float(high or "inf")
    if any(map(math.isnan, ends)):
        raise ValueError
    return ends


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _condition(text: str, columns: Sequence[str]) -> LinearConstraint:
    from icnn.where import parse

    try:
        return parse(text, columns)
    except BadData as error:
        raise BadData(f"--where {error}") from None


def _check_out(path: str, source: str | None = None) -> None:
    """Refuse a place that cannot be written before the work is done, not after."""
    target = Path(path)
    if target.exists() and not target.is_file():
        raise BadData(f"--out {path}: that is no ordinary file; name another")
    if not target.parent.is_dir():
        raise BadData(f"--out {path}: there is no folder {target.parent}; make it first")
    if not os.access(target.parent, os.W_OK):
        raise BadData(f"--out {path}: the folder {target.parent} cannot be written")
    if source and target.exists() and Path(source).exists() and target.samefile(source):
        raise BadData(f"--out {path} would overwrite the input; name another file")
