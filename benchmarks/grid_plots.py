"""Pictures of the grid: time against width, columns, and decisions asked at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
STYLE = {  # Okabe & Ito's palette; ours is heavy
    "prepare": ("ours", "#0072B2", "o", 2.6),
    "HiGHS": ("HiGHS, arrays", "#D55E00", "s", 1.3),
    "Gurobi": ("Gurobi, arrays", "#CC79A7", "v", 1.3),
    "moreau": ("moreau", "#009E73", "^", 1.3),
    "CVXPY + HiGHS": ("CVXPY + HiGHS", "#E69F00", "D", 1.3),
    "CVXPY + Clarabel": ("CVXPY + Clarabel", "#56B4E9", "P", 1.3),
    "projected Adam": ("projected Adam, to no gap", "#767676", "x", 1.0),
}
BATCH = {"minimize_batch": "prepare", "HiGHS, one by one": "HiGHS", "moreau, a batch": "moreau"}


def line(axes: Axes, name: str, label: str, points: Sequence[tuple[float, float]]) -> None:
    """Milliseconds of a method, named at the right end of its line."""
    _, colour, marker, width = STYLE[name]
    x, y = zip(*sorted(points), strict=True)
    shown = {"color": colour, "marker": marker, "linewidth": width, "markersize": 5}
    axes.loglog(x, np.array(y) * 1e3, **shown, label=label)


def finished(figure: Figure, axes: Axes, *, title: str, xlabel: str, name: str) -> None:
    """Titles, a quiet frame, a legend beside the lines."""
    axes.set_title(title, fontsize=10.5, fontweight="bold", loc="left")
    axes.set_xlabel(xlabel)
    axes.set_ylabel("processor time a decision, ms")
    axes.grid(alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    ticks = sorted({x for drawn in axes.lines for x in drawn.get_xdata()})
    axes.set_xticks(ticks, [f"{int(x):,}" for x in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(DOCS / f"{name}.png", dpi=110)


def along(results: Any, axis: int, fixed: dict[int, int], **shown: str) -> None:
    """A line a method over one axis of size, medians over the prices; failures leave a gap."""
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for method, (label, *_) in STYLE.items():
        times: dict[int, list[float]] = {}
        for key, row in results.rows.get(method, {}).items():
            here = key[3:5] == ("dense", "box") and all(key[a] == v for a, v in fixed.items())
            if here and (row["success"] or (method == "projected Adam" and "seconds" in row)):
                times.setdefault(key[axis], []).append(row["seconds"])
        if times:
            line(axes, method, label, [(x, float(np.median(t))) for x, t in times.items()])
    finished(figure, axes, **shown)


def batches(records: Sequence[dict[str, Any]]) -> None:
    """Time a decision against the number asked at once."""
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for method, style in BATCH.items():
        points = [(r["size"], r["seconds"] / r["size"]) for r in records if r["method"] == method]
        if points:
            line(axes, style, method, points)
    shown = {"title": "One thread, 64x2 units, 10 columns: new prices a row", "name": "grid-batch"}
    finished(figure, axes, xlabel="decisions asked at once", **shown)


def plots(results: Any, records: Sequence[dict[str, Any]]) -> None:
    """All three."""
    wide = {"title": "Two layers, 20 columns, box: one decision to a gap of 1e-6"}
    along(results, 1, {0: 20, 2: 2}, **wide, xlabel="units a layer", name="grid-width")
    long = {"title": "128x2 units, box: one decision to a gap of 1e-6"}
    along(results, 0, {1: 128, 2: 2}, **long, xlabel="columns n", name="grid-columns")
    batches(records)
