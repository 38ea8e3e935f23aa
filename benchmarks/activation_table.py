"""The table of activations in the docs."""

from pathlib import Path

import torch

from icnn.theory import activation_table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "activations.md"
HEAD = """# Activations of torch.nn

Which of them keep a network convex, which also keep a *convex argument* convex (convex and
non-decreasing), and which build every convex function of one variable from non-negative
combinations of scaled shifts (second derivative on one point, see [Why ReLU](why-relu.md)).
"certified" means that interval arithmetic with outward rounding proved the row on the whole real
line: signs of derivatives on every piece and slopes where pieces meet, or three points with the
middle one above the chord. Options that change an answer have rows of their own.
`icnn.theory.activation_report(module)` says the same of one module, with the reasons.
"""


def main() -> None:
    """Write docs/activations.md."""
    version = torch.__version__.split("+")[0]
    made = f"Made by `python -m benchmarks theory activations` with torch {version}."
    PAGE.write_text("\n".join([HEAD, activation_table(), "", made, ""]), encoding="utf-8")
    print(f"wrote {PAGE.name}")
