"""The floor plan, enforced: imports go down only, and the two towers never meet."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "icnn"
FOUNDATION = [
    {"errors", "progress"},
    {"atoms", "datasets", "limit", "where", "sheet"},
    {"network"},
    {"theory", "family", "monotone"},
]
MODELS = {  # a new model is one new file
    "learn.additive",
    "learn.ficnn",
    "learn.groupmax",
    "learn.hypericnn",
    "learn.level",
    "learn.maxaffine",
    "learn.normterm",
    "learn.picnn",
    "learn.quadratic",
    "learn.relusum",
    "learn.sum",
}
LEARN = [
    {"learn.weights", "learn.table", "learn.history", "learn.rectified", "learn.repeated"},
    {"learn.model", "learn.path", "learn.context"},
    {"learn.loss", "learn.groups"},
    {"learn.train", "learn.surrogate", *MODELS},
    {"learn.polish"},
    {"learn.choose"},
    {"learn.folds"},
    {"learn.fit"},
]
DECIDE = [
    {"decide.cones", "decide.kernel"},
    {"decide.epigraph", "decide.sets"},
    {"decide.program", "decide.shapes"},
    {"decide.assemble", "decide.priced"},
    {"decide.certificate", "decide.scaling"},
    {"decide.form"},
    {"decide.decision"},
    {"decide.prune", "decide.decisions", "decide.diagnose"},
    {"decide.batch"},
    {"decide.flat", "decide.parts"},
    {"decide.solvers"},
    {"decide.growth", "decide.sweep"},
    {"decide.solve", "decide.relay"},
]
ROOF = [
    {"problem"},
    {"variants", "queries"},
    {"changes"},
    {"searches"},
    {"models", "sets", "solvers", "minimize", "prepare", "store", "convert"},
    {"minimize_batch", "regret"},
    {"plot", "report", "interop"},
    {"demo", "many"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
OWNER = {  # each foreign library is imported by exactly one module
    "highspy": "decide.solvers.highs",
    "clarabel": "decide.solvers.clarabel",
    "cvxpy": "decide.solvers.cvxpy",
    "matplotlib": "plot",
    "tqdm": "progress",
    "keras": "interop.keras",
}
LAZY = {"cvxpy", "pandas", "matplotlib", "scipy.optimize", "sklearn", "keras"}


def part(name):
    """`learn.fit` for icnn/learn/fit.py, `decide.solvers` for a solver, `cli` for icnn/cli.py."""
    head, *rest = name.split(".")
    return f"{head}.{rest[0]}" if head in {"learn", "decide"} and rest else head


def below(name):
    if name.startswith("learn.") and name not in set().union(*LEARN):
        name = "learn.ficnn"
    for tower in (LEARN, DECIDE):
        floors = [*FOUNDATION, *tower]
        for depth, floor in enumerate(floors):
            if name in floor:
                return set().union(*floors[:depth])
    floors = [*FOUNDATION, set().union(*LEARN, *DECIDE), *ROOF]
    depth = next((k for k, floor in enumerate(floors) if name in floor), None)
    assert depth is not None, f"give {name} a floor in this file"
    return set().union(*floors[:depth])


def imports(path):
    """Absolute names imported anywhere in a file, function bodies included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = {".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in PACKAGE.rglob("*.py")}
ROOMS = sorted(name for name in MODULES if not name.endswith("__init__"))


@pytest.mark.parametrize("name", ROOMS)
def test_floors(name):
    for target in imports(MODULES[name]):
        head, _, rest = target.partition(".")
        if head == "icnn" and part(rest) != part(name):
            assert part(rest) in below(part(name)), f"{name} may not import {target}"
        assert OWNER.get(head, name) == name, f"only {OWNER[head]} may import {head}, not {name}"


def test_parts_of_one_floor_do_not_import_each_other_in_a_circle():
    for floors in (LEARN, DECIDE, ROOF):
        for floor in floors:
            for name in floor:
                assert not below(name) & floor


def test_optional_libraries_stay_optional():
    code = f"import sys, icnn; print(sorted(sys.modules.keys() & {LAZY!r}))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_files_and_functions_stay_small(name):
    source = MODULES[name].read_text(encoding="utf-8")
    assert source.count("\n") <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            assert node.end_lineno - first.lineno < 45, f"{name}.{node.name} is too long"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_functions_take_few_positional_arguments(name):
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            count = sum(a.arg not in {"self", "cls"} for a in node.args.args)
            assert count <= 4, f"{name}.{node.name} takes {count} positional arguments"
