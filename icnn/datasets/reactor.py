"""Autothermal reformer: hydrogen from methane, steam and air, with the simulated truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icnn.datasets.dataset import Dataset, read
from icnn.errors import BadData

if TYPE_CHECKING:
    from scipy.interpolate import RectBivariateSpline

AIR = 4.76  # moles of dry air that hold one mole of oxygen
STEAM_PRICE, AIR_PRICE = 0.12, 0.05  # in moles of hydrogen per mole
SIMULATED = ("hydrogen", "temperature", "slip")
DECISIONS = ("o2c", "sc")


def reformer() -> Dataset:
    """Return 300 simulated operating points of an autothermal methane reformer.

    One mole of methane at 800 K and 20 bar meets ``o2c`` moles of oxygen (as 4.76 times as many
    moles of air) and ``sc`` moles of steam, and comes to adiabatic equilibrium. ``slip`` is
    unreacted methane; ``profit = hydrogen - 0.12 sc - 0.05 (4.76 o2c)``. Latin hypercube, no
    noise.

    Shape of the truth on 20,000 chords of a 121 x 121 grid: ``slip`` is convex (violated by at
    most 6e-6 of its standard deviation); ``hydrogen``, and with it ``profit``, is concave on
    94 % (by at most 0.04 standard deviations of hydrogen on the others); ``temperature`` is
    convex on 86 % only (0.14).

    True best profit: 1.77034 at (0.5692, 2.2885), inside the box. With a blower that moves at
    most 4 mol of air and steam, ``4.76 o2c + sc <= 4``, which binds: 1.74640 at (0.5701, 1.2865).
    """
    frame = read("reformer.csv")
    frame["profit"] = _profit(frame["hydrogen"], frame["o2c"], frame["sc"])
    return Dataset(
        name="reformer",
        frame=frame,
        decisions=DECISIONS,
        context=(),
        targets=(*SIMULATED, "profit"),
        units={
            "o2c": "mol O2 per mol CH4",
            "sc": "mol H2O per mol CH4",
            "hydrogen": "mol per mol CH4",
            "temperature": "K",
            "slip": "mol CH4 per mol CH4",
            "profit": "mol H2 per mol CH4",
        },
        source="generated with Cantera 3.2.0 and its mechanism gri30",
        licence="same as icnn",
        question="How much oxygen and steam should each mole of methane get?",
    )


@final
@dataclass(frozen=True, eq=False)
class Truth:
    """The simulated reformer at any ``(o2c, sc)`` in [0.3, 0.9] x [0.5, 3.5].

    Cubic splines through a 61 x 61 grid of Cantera results; worst error at 500 random points:
    1e-5 mol (hydrogen, profit), 0.01 K, 1e-6 mol (slip). Linear interpolation: 5e-4, 0.13, 1e-4.
    """

    splines: dict[str, RectBivariateSpline]
    low: NDArray[np.float64]  # (2,)
    high: NDArray[np.float64]  # (2,)

    def at(self, target: str, points: ArrayLike) -> NDArray[np.float64]:
        """Return the true ``target`` at points of shape (..., 2), columns ``o2c, sc``."""
        x = np.asarray(points, dtype=np.float64)
        if x.shape[-1:] != (2,) or not ((x >= self.low) & (x <= self.high)).all():
            raise BadData(
                f"points (o2c, sc) must have shape (..., 2), here {x.shape}, "
                f"and lie between {self.low} and {self.high}"
            )
        o2c, sc = x[..., 0], x[..., 1]
        if target == "profit":
            return np.asarray(_profit(self.at("hydrogen", x), o2c, sc))
        if target not in self.splines:
            known = ", ".join((*self.splines, "profit"))
            raise BadData(f"the reformer has no target {target!r}; choose one of {known}")
        return np.asarray(self.splines[target].ev(o2c, sc))

    def best(
        self, target: str, where: Callable[[NDArray[np.float64]], Any] | None = None
    ) -> tuple[NDArray[np.float64], float]:
        """Return the point with the largest ``target`` and its value, by grids that zoom in.

        ``where`` takes points (N, 2) and returns N truth values: the points that are allowed.
        """
        low, high = self.low, self.high
        x, value = low, -np.inf
        for _ in range(5):
            points = _mesh(low, high)
            points = points if where is None else points[np.asarray(where(points), dtype=bool)]
            values = self.at(target, points)
            if values.size and values.max() > value:
                x, value = points[values.argmax()], float(values.max())
            if value == -np.inf:
                raise BadData("`where` allows no point of the grid; loosen it")
            reach = (high - low) / 10
            low, high = np.maximum(self.low, x - reach), np.minimum(self.high, x + reach)
        return x, value


def reformer_truth() -> Truth:
    """Return the simulated reformer as a function, to judge decisions without Cantera."""
    from scipy.interpolate import RectBivariateSpline

    grid = read("reformer_truth.csv").pivot(index="o2c", columns="sc")
    o2c, sc = grid.index.to_numpy(float), grid[SIMULATED[0]].columns.to_numpy(float)
    splines = {t: RectBivariateSpline(o2c, sc, grid[t].to_numpy(), s=0) for t in SIMULATED}
    return Truth(splines, np.array([o2c[0], sc[0]]), np.array([o2c[-1], sc[-1]]))


def _profit(hydrogen: Any, o2c: Any, sc: Any) -> Any:
    return hydrogen - STEAM_PRICE * sc - AIR_PRICE * AIR * o2c


def _mesh(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    axes = np.linspace(low, high, 201).T
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
