"""Every benchmark can be loaded: a renamed function is not found out by a run of hours."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMES = sorted(file.stem for file in (ROOT / "benchmarks").glob("[!_]*.py"))
SCRIPT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module("benchmarks." + name)
    except ModuleNotFoundError as error:  # of a rival's package
        if error.name.split(".")[0] in ("benchmarks", "icnn"):
            raise
"""


def test_they_load():
    """In a process of its own: their models would join those of the package."""
    assert len(NAMES) > 40
    command = [sys.executable, "-c", SCRIPT, *NAMES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
