"""Five decisions with known truth: a simulator, what x may be, and the best it can do.

reformer: `icnn.datasets.reformer_truth` (Cantera 3.2.0, GRI-Mech 3.0), profit in moles of
hydrogen with temperature and methane slip limited, both learned. siting: `benchmarks.power`.
compressor: CoolProp 8.0.0, four intercooled stages of CO2 from 1 to 60 bar. PV: pvlib 0.16.1 with
the weather it ships (TMY3 723170). chillers: `icnn.datasets.chillers_truth`, with 2 % noise on
each machine's power as in its readings. Every objective is a cost here, gains with a minus.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import power
from icnn.datasets import chillers_truth, reformer_truth

Array = NDArray[np.float64]
ROWS = 500  # of a table; smaller ones are its first rows
STAGES, MASS_FLOW, INLET, OUTLET, WARM = (0.84, 0.82, 0.79, 0.75), 10.0, 1e5, 60e5, 308.15
LOSS = 0.02  # of the pressure between two stages
PEAK, OFF_PEAK = 0.30, 0.10  # $/kWh, from 16 to 21 o'clock and else
LOAD, CONDENSER = 5000.0, 24.0  # kW cooling, °C


@dataclass(frozen=True, eq=False)
class Case:
    """min cost(x) over low <= x <= high, A_low <= A x <= A_high and limits(x) <= rhs.

    ``truth`` maps x (d,) to cost and limits (1 + k,); ``noise`` is the relative noise of the rows.
    """

    name: str
    low: Array  # (d,)
    high: Array
    truth: Callable[[Array], Array]
    A: Array  # (m, d)
    A_low: Array
    A_high: Array
    rhs: tuple[float, ...] = ()
    wide: bool = False  # whether rows lie in the box, and not only where A x is allowed
    rows: Callable[[Array, np.random.Generator], Array] | None = None  # noisy costs

    def points(self, rng: np.random.Generator, n: int, *, wide: bool = False) -> Array:
        """(n, d) uniform points, of the box or of the part where A x is allowed."""
        if wide:
            return rng.uniform(self.low, self.high, (n, len(self.low)))
        if self.name == "siting":
            return _capped(rng, n)
        if (self.A_low == self.A_high).any():
            return _on_plane(self, rng, n)
        found = np.empty((0, len(self.low)))
        while len(found) < n:
            x = rng.uniform(self.low, self.high, (4 * n, len(self.low)))
            Ax = x @ self.A.T
            found = np.vstack([found, x[((Ax >= self.A_low) & (Ax <= self.A_high)).all(1)]])
        return found[:n]

    def table(self, seed: int) -> tuple[Array, Array]:
        """X (500, d) and the targets (500, 1 + k), kept on disk."""
        if self.name == "siting":
            return _siting_table(seed)
        file = power.CACHE / f"{self.name}-{seed}.npz"
        if not file.exists():
            rng = np.random.default_rng(seed)
            X = self.points(rng, ROWS, wide=self.wide)
            y = np.array([self.truth(x) for x in X])
            if self.rows is not None:
                y[:, 0] = self.rows(X, rng)
            power.CACHE.mkdir(parents=True, exist_ok=True)
            np.savez(file, X=X, y=y)
        kept = np.load(file)
        return kept["X"], kept["y"]

    @cached_property
    def optimum(self) -> tuple[Array, float, Array]:
        """Best x (d,), its true cost, and the shadow price (k,) of each limit."""
        return OPTIMA[self.name](self)

    def regret(self, x: Array) -> tuple[float, list[float]]:
        """True cost above the optimum in % of it, and how far each limit is broken.

        A broken limit costs twice its shadow price at the optimum: enough that none pays.
        """
        _, best, prices = self.optimum
        cost, *limits = self.truth(x)
        broken = [max(0.0, value - rhs) for value, rhs in zip(limits, self.rhs, strict=True)]
        total = cost - best + 2 * float(np.dot(prices, broken))
        return float(100 * total / abs(best)), broken


def _capped(rng: np.random.Generator, n: int) -> Array:
    x = power.TOTAL * rng.dirichlet(np.ones(len(power.BUSES)), 8 * n)
    return x[(x <= power.HIGH).all(1)][:n]


def _on_plane(case: Case, rng: np.random.Generator, n: int) -> Array:
    """Uniform points of a box on one plane sum x = total, the last column by rejection."""
    found = np.empty((0, len(case.low)))
    while len(found) < n:
        x = rng.uniform(case.low, case.high, (4 * n, len(case.low)))
        x[:, -1] = case.A_low[0] - x[:, :-1].sum(1)
        found = np.vstack([found, x[(x[:, -1] >= case.low[-1]) & (x[:, -1] <= case.high[-1])]])
    return found[:n]


@cache
def pool() -> tuple[Array, Array, Array]:
    """The 500 sitings with cost and gradient, which every seed shuffles anew."""
    X = power.sitings(0, ROWS)
    found = [power.siting(x) for x in X]
    return X, np.array([f for f, _ in found]), np.array([g for _, g in found])


def _siting_table(seed: int) -> tuple[Array, Array]:
    X, f, _ = pool()
    order = np.random.default_rng(seed).permutation(ROWS)
    return X[order], f[order, None]


def slopes(seed: int) -> Array:
    """(500, 6) gradients that belong to the siting table."""
    return pool()[2][np.random.default_rng(seed).permutation(ROWS)]


def reform(x: Array) -> Array:
    """Minus profit [mol H2], temperature [100 K] and slip [mol] at x = (o2c, sc)."""
    truth = reactor()
    values = [float(truth.at(t, x)) for t in ("profit", "temperature", "slip")]
    return np.array([-values[0], values[1] / 100, values[2]])


@cache
def reactor() -> Any:
    """The simulated reformer."""
    return reformer_truth()


def compress(x: Array) -> Array:
    """Power [kW] of the train with x = ln(p / 1 bar) between its stages."""
    PropsSI = power.package("CoolProp.CoolProp").PropsSI
    levels, total = [INLET, *(INLET * np.exp(x)), OUTLET], 0.0
    for k, efficiency in enumerate(STAGES):
        start = levels[k] * (1 - LOSS if k else 1.0)
        enthalpy = PropsSI("H", "T", WARM, "P", start, "CO2")
        entropy = PropsSI("S", "T", WARM, "P", start, "CO2")
        ideal = PropsSI("H", "P", levels[k + 1], "S", entropy, "CO2")
        total += MASS_FLOW * (ideal - enthalpy) / efficiency
    return np.array([total / 1000])


@cache
def sky() -> Any:
    """pvlib, the weather of a year, the sun's positions and its strength outside the air."""
    import pandas as pd

    pvlib = power.package("pvlib")
    file = Path(pvlib.__file__).parent / "data" / "723170TYA.CSV"
    weather, place = pvlib.iotools.read_tmy3(file, map_variables=True, coerce_year=1990)
    site = pvlib.location.Location(*(place[k] for k in ("latitude", "longitude", "TZ", "altitude")))
    sun = site.get_solarposition(weather.index - pd.Timedelta(minutes=30))  # middle of the hour
    sun.index = weather.index
    return pvlib, weather, sun, pvlib.irradiance.get_extra_radiation(weather.index)


def shine(x: Array) -> Array:
    """Minus the yearly revenue [$] of 1 kWp at x = (tilt, azimuth) in degrees."""
    pvlib, weather, sun, extra = sky()
    plane = pvlib.irradiance.get_total_irradiance(
        *x, sun.apparent_zenith, sun.azimuth, weather.dni, weather.ghi, weather.dhi,
        dni_extra=extra, model="haydavies", albedo=0.2,
    )["poa_global"].fillna(0)  # fmt: skip
    cell = pvlib.temperature.faiman(plane, weather.temp_air, weather.wind_speed)
    direct = pvlib.pvsystem.pvwatts_dc(plane, cell, 1000.0, -0.004)
    alternating = pvlib.inverter.pvwatts(direct, 1000.0 / 1.2 / 0.96)
    hour = weather.index.hour
    price = np.where((hour >= 16) & (hour < 21), PEAK, OFF_PEAK)
    return np.array([-float((alternating / 1000 * price).sum())])


@cache
def curves() -> Any:
    """Coefficients and bounds of the five chillers."""
    return chillers_truth().curves(CONDENSER)


def machines(x: Array) -> Array:
    """Power [kW] of each chiller at loads x (..., 5)."""
    a, b, c = curves()[["a", "b", "c"]].to_numpy().T
    return np.asarray(a + b * x + c * x**2)


def _read(X: Array, rng: np.random.Generator) -> Array:
    return np.asarray((machines(X) * (1 + 0.02 * rng.standard_normal(X.shape))).sum(1))


def _searched(case: Case) -> tuple[Array, float, Array]:
    """Optimum by SLSQP and then a simplex search on the simulator itself."""
    from scipy.optimize import LinearConstraint, minimize

    start = case.points(np.random.default_rng(0), 200).mean(0)
    box = list(zip(case.low, case.high, strict=True))
    inside = [LinearConstraint(case.A, case.A_low, case.A_high)] if len(case.A) else []
    found = minimize(
        lambda x: case.truth(x)[0], start, method="SLSQP", bounds=box, constraints=inside
    )
    again = minimize(
        lambda x: case.truth(x)[0], found.x, method="Nelder-Mead", bounds=box,
        options=dict(xatol=1e-4, fatol=1e-7),
    )  # fmt: skip
    best = min((found, again), key=lambda run: run.fun)
    return best.x, float(best.fun), np.zeros(0)


def _reformed(case: Case) -> tuple[Array, float, Array]:
    """Optimum by grids; shadow prices by how it moves with each limit."""

    def best(*rhs: float) -> tuple[Array, float]:
        def allowed(x: Array) -> Array:
            hot, slip = reactor().at("temperature", x) / 100, reactor().at("slip", x)
            return np.asarray((hot <= rhs[0]) & (slip <= rhs[1]))

        x, profit = reactor().best("profit", allowed)
        return x, -profit

    x, cost = best(*case.rhs)
    steps = (0.05, 0.001)
    looser = [[r + (s if k == j else 0.0) for j, r in enumerate(case.rhs)]
              for k, s in enumerate(steps)]  # fmt: skip
    prices = [(cost - best(*rhs)[1]) / s for rhs, s in zip(looser, steps, strict=True)]
    return x, cost, np.maximum(prices, 0.0)


def _sited(case: Case) -> tuple[Array, float, Array]:
    found = power.best()
    return found.x, float(found.fun), np.zeros(0)


def _shared(case: Case) -> tuple[Array, float, Array]:
    loads, total = chillers_truth().optimal_sharing(LOAD, CONDENSER)
    return loads.to_numpy(), total, np.zeros(0)


OPTIMA = {
    "reformer": _reformed,
    "siting": _sited,
    "compressor": _searched,
    "pv": _searched,
    "chillers": _shared,
}


def cases() -> list[Case]:
    """The five, cheapest simulators first."""
    none, ones = np.empty((0, 2)), np.ones((1, 6))
    part = np.array([[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
    low, high, end = np.log(1.3), np.log(6.0), np.log(OUTLET / INLET)
    k = curves()
    total = np.array([power.TOTAL])
    return [
        Case("reformer", np.array([0.3, 0.5]), np.array([0.9, 3.5]), reform, none,
             *2 * (none[:, 0],), rhs=(11.5, 0.03)),
        Case("chillers", k["low"].to_numpy(), k["high"].to_numpy(),
             lambda x: machines(x).sum(keepdims=True), ones[:, :5], *2 * (np.array([LOAD]),),
             wide=True, rows=_read),
        Case("compressor", np.full(3, low), np.array([high, end - low, end - low]), compress,
             np.vstack([part, [0.0, 0.0, 1.0]]), np.array([low, low, end - high]),
             np.array([high, high, end - low])),
        Case("pv", np.array([0.0, 120.0]), np.array([60.0, 270.0]), shine, none,
             *2 * (none[:, 0],)),
        Case("siting", np.zeros(6), np.full(6, power.HIGH), _cost, ones, total, total),
    ]  # fmt: skip


def _cost(x: Array) -> Array:
    return np.array([power.siting(x)[0]])
