"""Every benchmark can be loaded: a renamed function is not found out by a run of hours."""

import importlib
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parent.parent / "benchmarks").glob("[!_]*.py"))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_it_loads(name):
    """Or lacks only a rival's package."""
    try:
        importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if error.name.split(".")[0] in ("benchmarks", "icnn"):
            raise
