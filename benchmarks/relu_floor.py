"""What activations with spread curvature cannot build, whatever the width."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.report import write
from icnn.theory import approximation_floor

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "relu-floor.png"
ACTIVATIONS = {
    "ReLU": (torch.relu, "black"),
    "softplus": (torch.nn.Softplus(threshold=600.0), "#0072B2"),
    "ELU": (torch.nn.ELU(), "#D55E00"),
}
SLOPES = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
WIDTH = 129
SHIFTS = (1, 3, 5, 9, 17, 33, 65, 129)
SLOPE = 16.0
CLAIM = (
    "Claim: with slopes of at most S inside the activation, the least error of "
    "b0 + b1 x + Σ c_j s(w_j (x − t_j)), c ≥ 0, against max(0, x) on [−1, 1] falls as 1/S and not "
    "with the width: S · error grows to log 2 / 2 for softplus and to about 0.17 for ELU; it is "
    "zero for one ReLU."
)


def main() -> None:
    """Two linear programs' worth of floors: against the slope, and against the width."""
    steep = {
        name: [approximation_floor(s, slope, shifts=WIDTH) for slope in SLOPES]
        for name, (s, _) in ACTIVATIONS.items()
    }
    wide = {
        name: [approximation_floor(s, SLOPE, shifts=shifts) for shifts in SHIFTS]
        for name, (s, _) in ACTIVATIONS.items()
    }
    scaled = {name: np.multiply(SLOPES, floors) for name, floors in steep.items()}
    assert max(steep["ReLU"] + wide["ReLU"]) <= 1e-7
    assert (scaled["softplus"] < np.log(2) / 2).all()
    assert scaled["softplus"][-1] > 0.97 * np.log(2) / 2
    assert 0.15 < scaled["ELU"][-1] < 0.18
    assert min(wide["softplus"]) > 0.999 * max(wide["softplus"])
    assert wide["ELU"][-1] > 0.98 * wide["ELU"][-2]
    _draw(steep, wide)
    rows = [[name, *(f"{v:.3g}" for v in steep[name])] for name in ACTIVATIONS]
    rows += [[f"S · error, {name}", *(f"{v:.4f}" for v in scaled[name])] for name in ACTIVATIONS]
    records = [
        {"s": n, "slopes": SLOPES, "floors": steep[n], "shifts": SHIFTS, "wide": wide[n]}
        for n in steep
    ]
    units = "; ".join(
        f"{name}: " + ", ".join(f"{v:.3g}" for v in wide[name]) for name in ("softplus", "ELU")
    )
    widths = ", ".join(str(6 * k) for k in SHIFTS)
    tenth = 10 * approximation_floor(ACTIVATIONS["softplus"][0], 10.0) / np.log(2)
    notes = (
        f"{6 * WIDTH} units offered. At S = {SLOPE:g}, with {widths} units, the floors are: "
        f"{units}. For softplus, log 2 / (2 S) is what one unit and a constant reach on the whole "
        f"line; on [−1, 1] with free affine terms S · error is {tenth:.2f} log 2 at S = 10."
    )
    write("theory-floor", CLAIM, ["error", *(f"S = {s:g}" for s in SLOPES)], rows, records, notes)


def _draw(steep: dict[str, list[float]], wide: dict[str, list[float]]) -> None:
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    least = 1e-4  # where the zero of ReLU is drawn
    for name, (_, colour) in ACTIVATIONS.items():
        style = {"color": colour, "marker": "o", "markersize": 4, "label": name}
        left.loglog(SLOPES, np.maximum(steep[name], least), **style)
        right.loglog(np.multiply(6, SHIFTS), np.maximum(wide[name], least), **style)
    line = np.log(2) / 2 / np.array(SLOPES)
    left.loglog(SLOPES, line, color="#767676", linestyle=":", label="log 2 / (2 S)")
    left.set_xlabel("steepest slope S inside the activation")
    left.set_ylabel("least error against max(0, x)")
    right.set_xlabel(f"units offered, at S = {SLOPE:g}")
    left.set_title("Only steeper slopes help", loc="left", fontsize=10.5, fontweight="bold")
    right.set_title("More units soon do not", loc="left", fontsize=10.5, fontweight="bold")
    right.annotate("zero, with one unit", (6, least), (9, 1.6e-4), fontsize=8)
    left.legend(fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    main()
