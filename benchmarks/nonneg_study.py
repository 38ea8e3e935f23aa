"""The three pictures of docs/nonneg-constraint-study.md, drawn from the example's own functions."""

import runpy
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
BLUE, VERMILLION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"  # Okabe & Ito
FORWARD = [  # title, activation, first weight, weight after one update
    ("linear, w = 1", "linear", 1.0, None),
    ("ReLU, w = 1", "relu", 1.0, None),
    ("linear, NonNeg, started at w = −1", "linear", -1.0, 0.0),
]
PATHS = [  # label, activation, first weight, slope of the target, colour, line
    ("linear from 0, y = 2x", "linear", 0.0, 2.0, BLUE, "-"),
    ("ReLU from 1, y = 2x", "relu", 1.0, 2.0, VERMILLION, "-"),
    ("ReLU from 0, y = 2x", "relu", 0.0, 2.0, VERMILLION, "--"),
    ("linear from 1, y = −2x", "linear", 1.0, -2.0, GREEN, "-"),
    ("linear from 0, y = −2x", "linear", 0.0, -2.0, GREEN, ":"),
]


def figure(columns: int, height: float) -> tuple[Figure, list]:
    drawing = Figure(figsize=(3.3 * columns, height), layout="constrained")
    axes = list(np.atleast_1d(drawing.subplots(1, columns)))
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    return drawing, axes


def save(drawing: Figure, name: str) -> None:
    path = ROOT / "docs" / f"nonneg-{name}.png"
    drawing.savefig(path, dpi=110)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KiB")


def forward(study: dict) -> None:
    """What a unit answers before and after its first update."""
    drawing, axes = figure(3, 2.5)
    x = torch.linspace(-2.5, 2.5, 101)
    marks = torch.tensor([-2.0, 0.0, 2.0])
    for panel, (title, activation, w, after) in zip(axes, FORWARD, strict=True):
        f = study["ACTIVATIONS"][activation]
        panel.plot(x, f(w * x), color=BLUE, label="at the first forward pass")
        panel.plot(marks, f(w * marks), "o", color=BLUE)
        if after is not None:
            panel.plot(x, f(after * x), "--", color=VERMILLION, label="after one update (w = 0)")
            panel.legend(fontsize=7, frameon=False, loc="upper center")
            panel.set_ylim(-2.8, 4.2)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("x", fontsize=8)
    save(drawing, "forward")


def training(study: dict) -> None:
    """The weight over the epochs of Adam."""
    drawing, (panel,) = figure(1, 3.0)
    drawing.set_size_inches(6.6, 3.2)
    for label, activation, w, slope, colour, line in PATHS:
        path = study["trained"](activation, w, slope, 4000)
        panel.plot(path, line, color=colour, label=label)
        if label.startswith("linear from 0, y = 2x"):
            for epoch, place in ((100, (8, -6)), (4000, (-38, -14))):
                panel.plot(epoch, path[epoch], "o", color=colour, markersize=4)
                text = f"{path[epoch]:.4f}" if epoch == 100 else f"{path[epoch]:.2f}"
                panel.annotate(
                    text, (epoch, path[epoch]), place, textcoords="offset points", fontsize=8
                )
    panel.axhline(2.0, color=GREY, linewidth=0.8)
    panel.annotate("slope of the data", (1, 2.03), fontsize=8, color=GREY)
    panel.set_xlabel("epoch (one Adam step, rate 0.001)", fontsize=8)
    panel.set_ylabel("w, held ≥ 0 after each step", fontsize=8)
    panel.legend(fontsize=7.5, frameon=False, loc="center right", bbox_to_anchor=(1.0, 0.42))
    save(drawing, "training")


def shapes(study: dict) -> None:
    """What networks can follow that are NonNeg everywhere, or only between hidden layers."""
    drawing, axes = figure(2, 2.9)
    colours = {"NonNeg everywhere": VERMILLION, "NonNeg between layers, free skips": BLUE}
    for i, (name, kind, surrogate, x, y) in enumerate(study["fits"]()):
        panel = axes[i // 2]
        if i % 2 == 0:
            panel.plot(x[::4], y[::4], "o", color=GREY, markersize=3, label="data")
            panel.set_title(f"y = {name}", fontsize=9)
            panel.set_xlabel("x", fontsize=8)
        label = f"{kind}: R² {surrogate.score(x, y):.2f}"
        panel.plot(x, surrogate.predict(x), color=colours[kind], label=label)
        panel.legend(fontsize=7, frameon=False)
    save(drawing, "shapes")


def main() -> None:
    study = runpy.run_path(str(ROOT / "examples" / "nonneg_constraint_study.py"))
    forward(study)
    training(study)
    shapes(study)


if __name__ == "__main__":
    main()
