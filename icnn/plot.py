"""plot_decision: one picture of a decision, the function that it minimises, and its proof."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from icnn.decide.decision import Decision
from icnn.decide.sets import Rows, read_rows
from icnn.errors import BadData
from icnn.learn.surrogate import AbstractSurrogate
from icnn.limit import Limit

Array = NDArray[np.float64]
# Okabe & Ito's palette, told apart by colour-blind readers.
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#767676"
TITLE: dict[str, Any] = {"fontsize": 10.5, "fontweight": "bold"}
ENDINGS = (".png", ".svg", ".pdf")
MOST_SLICES = 6
POINTS = 201
DPI = 150


@final
@dataclass(frozen=True, eq=False)
class Scene:
    """What every panel draws from."""

    surrogate: AbstractSurrogate
    decision: Decision
    rows: Rows
    limits: tuple[Limit, ...]
    truth: Callable[[Array], Any] | None
    data: Array | None  # (N, n)
    units: Mapping[str, str]
    target: str
    lower: Array  # (n,), of what is drawn
    upper: Array

    def label(self, name: str) -> str:
        """A name with its unit, safe from matplotlib's mathematics mode."""
        unit = self.units.get(name, "")
        return (f"{name} [{unit}]" if unit else name).replace("$", r"\$")

    def axis(self, j: int) -> Array:
        """Values of column j, the decision among them."""
        return np.union1d(np.linspace(self.lower[j], self.upper[j], POINTS), self.decision.x[j])

    @property
    def sides(self) -> tuple[Array, Array, Array]:
        """Dense A (m, n), lower and upper of the rows."""
        return self.rows.A.toarray(), self.rows.lower, self.rows.upper

    def allowed(self, points: Array) -> NDArray[np.bool_]:
        """Which points (N, n) meet the rows and the learned limits."""
        at = points @ self.rows.A.toarray().T
        slack = 1e-6 * (abs(self.rows.A) @ np.abs(self.decision.x) + 1e-300)
        inside = (at >= self.rows.lower - slack) & (at <= self.rows.upper + slack)
        allowed = inside.all(axis=1)
        for limit in self.limits:
            allowed = allowed & (self.excess(limit, points) <= 1e-6 * abs(limit.rhs))
        return np.asarray(allowed)

    def excess(self, limit: Limit, points: Array) -> Array:
        """How far each point (..., n) is beyond a learned limit."""
        own = [self.surrogate.columns.index(name) for name in limit.function.columns]
        values = limit.function.predict(points.reshape(-1, points.shape[-1])[:, own])
        sign = 1.0 if limit.sense == "<=" else -1.0
        return np.asarray(sign * (values - limit.rhs)).reshape(points.shape[:-1])


def plot_decision(
    surrogate: AbstractSurrogate,
    decision: Decision,
    *,
    rows: Any = (),
    truth: Callable[[Array], Any] | None = None,
    data: Any = None,
    units: Mapping[str, str] | None = None,
    target: str = "f",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw the learned function, the decision, and how value and certified bound meet.

    Args:
        surrogate: what `fit` returned.
        decision: what `minimize` or `maximize` returned for it.
        rows: the `LinearConstraint`s and learned limits of the decision, if there were any.
        truth: the true function of points (N, n), drawn beside the learned one.
        data: the table's points, a frame with the surrogate's columns or (N, n).
        units: of columns and target, by name.
        target: the name of the learned quantity.
        path: where to save the picture; its ending says how (.png, .svg, .pdf).

    Raises:
        BadData: the decision has no point, or the ending of `path` is unknown.
    """
    if path is not None:
        check_ending(path)
    if not np.isfinite(decision.x).all():
        raise BadData(f"the decision has no point to draw: {decision.message}")
    given = list(rows) if isinstance(rows, list | tuple) else [rows]
    limits = tuple(c for c in given if isinstance(c, Limit))
    linear = read_rows([c for c in given if not isinstance(c, Limit)], surrogate.columns)
    scene = _scene(surrogate, decision, linear, data)
    extra = {"truth": truth, "units": units or {}, "target": target, "limits": limits}
    scene = Scene(**{**vars(scene), **extra})
    figure = _map_and_slices(scene) if len(decision.x) == 2 else _slices_only(scene)
    if path is not None:
        figure.savefig(path, dpi=DPI, format=Path(path).suffix[1:].lower())
    return figure


def check_ending(path: str | os.PathLike[str]) -> None:
    """Refuse a file name whose ending is no picture format."""
    if Path(path).suffix.lower() not in ENDINGS:
        raise BadData(f"{path}: the name of a picture ends in {', '.join(ENDINGS)}")


def _scene(surrogate: AbstractSurrogate, decision: Decision, rows: Rows, data: Any) -> Scene:
    if decision.columns != surrogate.columns:
        raise BadData(
            f"the decision is about {decision.columns}, but the surrogate reads {surrogate.columns}"
        )
    points = None if data is None else surrogate._matrix(data)
    lower = np.minimum(surrogate.lower, decision.x)
    upper = np.maximum(surrogate.upper, decision.x)
    return Scene(surrogate, decision, rows, (), None, points, {}, "f", lower, upper)


def _map_and_slices(scene: Scene) -> Figure:
    """Two columns: a map, and beside it a slice along each."""
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1.0])
    _map(figure, figure.add_subplot(grid[:, 0]), scene)
    panels = [figure.add_subplot(grid[j, 1]) for j in range(2)]
    _draw_slices(panels, scene)
    return figure


def _slices_only(scene: Scene) -> Figure:
    count = min(len(scene.decision.x), MOST_SLICES)
    across = 2 if count == 4 else min(count, 3)
    down = -(-count // across)
    figure = Figure(figsize=(max(5.0, 3.4 * across), 0.6 + 2.7 * down), layout="constrained")
    panels = [figure.add_subplot(down, across, j + 1) for j in range(count)]
    _draw_slices(panels, scene)
    return figure


def _map(figure: Figure, axes: Axes, scene: Scene) -> None:
    """The learned function as filled contours, with data, rows and decision on it."""
    a, b = (np.linspace(scene.lower[j], scene.upper[j], POINTS) for j in (0, 1))
    points = np.stack(np.meshgrid(a, b), axis=-1)
    values = scene.surrogate.predict(points.reshape(-1, 2)).reshape(POINTS, POINTS)
    filled = axes.contourf(a, b, values, levels=24, cmap="cividis")
    if scene.data is not None:
        dots: dict[str, Any] = {"s": 11, "facecolor": "white", "edgecolor": "black"}
        axes.scatter(*scene.data.T, linewidth=0.5, label=f"{len(scene.data)} data rows", **dots)
    _forbid(axes, scene, points)
    _mark(axes, *scene.decision.x, size=17, label="decision")
    axes.set_xlabel(scene.label(scene.decision.columns[0]))
    axes.set_ylabel(scene.label(scene.decision.columns[1]))
    axes.set_title(f"Learned {scene.label(scene.target)}", loc="left", **TITLE)
    axes.legend(loc="upper right", fontsize=8, framealpha=0.95)
    bar = figure.colorbar(filled, ax=axes, pad=0.02, aspect=35, ticks=MaxNLocator(7))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, color=GREY)
    _quiet(axes)


def _forbid(axes: Axes, scene: Scene, points: Array) -> None:
    """The boundary of each row, and a veil over what the rows forbid."""
    grid = points[0, :, 0], points[:, 0, 1]
    for row, low, high in zip(*scene.sides, strict=True):
        at = points @ row
        if low != high:
            outside = np.maximum(low - at, at - high)
            axes.contourf(*grid, outside, levels=[0.0, np.inf], colors=["white"], alpha=0.62)
        for side in {low, high}:
            if np.isfinite(side) and at.min() < side < at.max():
                axes.contour(*grid, at, levels=[side], colors=[VERMILLION], linewidths=2.0)
    for limit in scene.limits:
        beyond = scene.excess(limit, points)
        if beyond.max() > 0:
            axes.contourf(*grid, beyond, levels=[0.0, np.inf], colors=["white"], alpha=0.62)
            axes.contour(*grid, beyond, levels=[0.0], colors=[VERMILLION], linewidths=2.0)
    if len(scene.rows.lower) or scene.limits:
        axes.plot([], [], color=VERMILLION, linewidth=2.0, label="edge of what is allowed")


def _draw_slices(panels: list[Axes], scene: Scene) -> None:
    for j, axes in enumerate(panels):
        _slice(axes, scene, j)
        axes.set_ylabel(scene.target.replace("$", r"\$"))
    panels[0].set_title(_proof(scene.decision), loc="left", **TITLE)
    panels[0].legend(fontsize=8, loc="best", framealpha=0.95)


def _slice(axes: Axes, scene: Scene, j: int) -> None:
    """The learned function through the decision along column j, against the certified bound."""
    t = scene.axis(j)
    points = np.repeat(scene.decision.x[None, :], len(t), axis=0)
    points[:, j] = t
    f, allowed = scene.surrogate.predict(points), scene.allowed(points)
    if not allowed.all():
        veil: dict[str, Any] = {"color": GREY, "alpha": 0.13, "linewidth": 0}
        whole = axes.get_xaxis_transform()
        axes.fill_between(t, 0, 1, where=~allowed, transform=whole, label="not allowed", **veil)
    axes.plot(t, f, color=BLUE, linewidth=1.2, alpha=0.45)
    axes.plot(t, np.where(allowed, f, np.nan), color=BLUE, linewidth=2.6, label="learned")
    if scene.truth is not None:
        true = np.asarray(scene.truth(points))
        axes.plot(t, true, color="black", linewidth=1.1, linestyle=(0, (4, 2)), label="true")
    if np.isfinite(scene.decision.bound):
        line: dict[str, Any] = {"color": VERMILLION, "linewidth": 1.4, "linestyle": ":"}
        word = "certified bound" if scene.decision.certified else "the solver's bound"
        axes.axhline(scene.decision.bound, label=word, **line)
    _mark(axes, scene.decision.x[j], scene.decision.value, size=13)
    axes.set_xlabel(scene.label(scene.decision.columns[j]))
    axes.set_xlim(t[0], t[-1])
    _quiet(axes)


def _proof(decision: Decision) -> str:
    if not np.isfinite(decision.bound):
        return f"Value {decision.value:.6g}, no bound"
    word = "certified gap" if decision.certified else "gap by the solver's bound"
    return f"Value {decision.value:#.7g}, {word} {decision.gap:.1e}"


def _mark(axes: Axes, x: float, y: float, *, size: float, label: str | None = None) -> None:
    star: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 1.2, "zorder": 5}
    axes.plot([x], [y], "*", color=VERMILLION, markersize=size, label=label, clip_on=False, **star)


def _quiet(axes: Axes) -> None:
    """Nothing but data: no frame, pale ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=8, color=GREY)
