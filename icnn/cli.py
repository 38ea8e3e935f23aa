"""cli: `icnn demo`, `icnn fit` and `icnn minimize`, for people with a CSV and a question.

Exit codes: 0 done, 1 no certified decision, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, final

from icnn import commands
from icnn.errors import BadData, ICNNError, NotSolved
from icnn.learn.choose import AUTO
from icnn.learn.train import Budget

DONE, NO_DECISION, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
ABOUT = """Learn a cost from a table, then minimise it with proof.

A table of observations goes in, a decision with a certified bound comes out: no allowed
point is better by more than the gap, as far as the learned function goes."""
CODES = "exit codes: 0 done, 1 no certified decision, 2 bad input"
DEMO = """example:
  icnn demo --out reformer.png"""
FIT = """example:
  icnn fit plant.csv --target cost --decisions load,speed --out cost.icnn"""
MINIMIZE = """example:
  icnn {} cost.icnn --bound load=0:10 --where "load + 2*speed <= 5" --integer speed

--where takes sums of columns times numbers, compared by <=, >= or == (0 <= a + b <= 5 too);
names with other characters stand in `backticks`. A concave model is maximised.
A model of a context needs its values: --at wave=2 --at wind=5, or a table of them:
  icnn {} cost.icnn --contexts contexts.csv --out decisions.csv
writes a decision a row with its bound, and says of the rows that have none why.
Exit code 0 if every row is decided, 1 if some are not."""


@final
class _Parser(argparse.ArgumentParser):
    """argparse, with errors in one line and no guessing of options."""

    def __init__(self, **options: Any) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(allow_abbrev=False, formatter_class=layout, **options)

    def error(self, message: str) -> NoReturn:
        if "expected one argument" in message:
            message += "; a value that begins with '-' is written with =, as --where='-a <= 5'"
        raise BadData(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        args = _parser().parse_args(argv)
        args.run(args)
        sys.stdout.flush()
        return DONE
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except NotSolved as error:
        return _complain(f"no certified decision: {error}", NO_DECISION)
    except ICNNError as error:
        return _complain(str(error), BAD_INPUT)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}", BAD_INPUT)


def _complain(message: str, code: int) -> int:
    line = "".join(c if c.isprintable() else " " for c in message)
    print(f"icnn: {line}", file=sys.stderr)
    return code


def _parser() -> _Parser:
    top = _Parser(prog="icnn", description=ABOUT, epilog=CODES)
    top.add_argument("--version", action="version", version=_version())
    chosen = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _demo_options(chosen.add_parser("demo", help="the whole way on real data", epilog=DEMO))
    _fit_options(chosen.add_parser("fit", help="learn a function from a CSV", epilog=FIT))
    what = "the best point of a model, with proof"
    for name in ("minimize", "maximize"):
        command = chosen.add_parser(name, help=what, epilog=MINIMIZE.format(name, name))
        _minimize_options(command, name)
        what = "the same for a concave model"
    return top


def _demo_options(command: argparse.ArgumentParser) -> None:
    command.description = "Fit a table that ships with icnn, decide with proof, compare with truth."
    command.add_argument(
        "--out",
        metavar="FILE.png",
        default="icnn-demo.png",
        help="the picture to save (default: icnn-demo.png)",
    )
    _training_options(command)
    command.set_defaults(run=commands.demo)


def _fit_options(command: argparse.ArgumentParser) -> None:
    command.description = "Learn a convex (or concave) function of some columns of a CSV table."
    add = command.add_argument
    add("table", metavar="TABLE.csv", help="a table with a header, in UTF-8")
    add("--target", metavar="COL", required=True, help="the column to learn")
    add("--decisions", metavar="A,B,C", help="columns it depends on (default: all numeric ones)")
    add("--context", metavar="C,D", help="columns it depends on, but nobody decides")
    add("--groups", metavar="C,D", help="rows with equal entries here are held out together")
    add("--concave", action="store_true", help="learn a gain to maximise, instead of a cost")
    add(
        "--model",
        choices=[*commands.MODELS, commands.AUTO],
        help="kind of function (default: ficnn, and picnn with --context); auto mixes several",
    )
    add("--separator", metavar="S", default=",", help="between the fields (default: a comma)")
    add("--out", metavar="MODEL.icnn", required=True, help="the file to write")
    _training_options(command)
    command.set_defaults(run=commands.fit)


def _training_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--seed", type=_whole, default=0, metavar="N", help="of the training (default: 0)")
    add(
        "--steps",
        type=_whole,
        metavar="N",
        help=f"training steps at most (default: {Budget().steps}; of auto {AUTO.steps})",
    )


def _minimize_options(command: argparse.ArgumentParser, name: str) -> None:
    command.description = "Find the best point of a model, with a bound that proves it."
    add = command.add_argument
    many: dict[str, Any] = {"action": "append", "default": []}
    add("model", metavar="MODEL.icnn", help="a file from icnn fit")
    add(
        "--bound",
        metavar="COL=LOW:HIGH",
        help="an end may be empty (default: the observed range)",
        **many,
    )
    add("--where", metavar="CONDITION", help='such as "a + 2*b <= 5"', **many)
    add("--integer", metavar="COL", help="a column of whole numbers", **many)
    add("--at", metavar="COL=VALUE", help="the value of a context column", **many)
    add("--fix", metavar="COL=VALUE", help="hold a column at a value", **many)
    add(
        "--contexts",
        metavar="TABLE.csv",
        help="a table of contexts (.parquet too), to be decided row by row",
    )
    add("--separator", metavar="S", default=",", help="between its fields (default: a comma)")
    add(
        "--out",
        metavar="FILE",
        help="write the decision there, as JSON; with --contexts as a table",
    )
    command.set_defaults(run=commands.minimize, command=name)


def _whole(text: str) -> int:
    """A count that a 32-bit computer knows."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**31 - 1}")
    return int(text)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"icnn {version('icnn-opt')}"
    except PackageNotFoundError:
        return "icnn, not installed"
