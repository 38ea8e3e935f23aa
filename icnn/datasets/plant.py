"""Chiller plant: readings of five real chillers, with the exact best sharing of a load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from icnn.datasets.dataset import Dataset, read
from icnn.errors import BadData

if TYPE_CHECKING:
    import pandas as pd

CHILLED = 7.0  # temperature of the chilled water that leaves, °C


def chillers() -> Dataset:
    """Return 60 power readings of each of five water-cooled chillers, with 2 % sensor noise.

    The curves behind them describe real machines of 781 to 2771 kW, surveyed from 1991 to 2001;
    loads, condenser temperatures (16 to 29 °C) and noise are drawn by us. The chilled water
    leaves at 7 °C. At a fixed condenser temperature the true power is a convex quadratic of the
    load: see ``chillers_truth``.
    """
    return Dataset(
        name="chillers",
        frame=read("chillers.csv"),
        decisions=("load",),
        context=("condenser", "chiller"),
        targets=("power",),
        units={"chiller": "name", "load": "kW cooling", "condenser": "°C", "power": "kW electric"},
        source="curves of EnergyPlus 25.2.0 DataSets/Chillers.idf (CoolTools project), sampled",
        licence="EnergyPlus, BSD-style",
        question="How should five chillers share a cooling load to draw the least power?",
    )


@final
@dataclass(frozen=True, eq=False)
class Plant:
    """The five chillers as exact curves: power = a + b load + c load², all in kW.

    Source of the formula: EnergyPlus Engineering Reference, "Electric Chiller Model Based on
    Condenser Entering Temperature".
    """

    sheet: pd.DataFrame  # one row a chiller, coefficients as published

    def curves(self, condenser: float) -> pd.DataFrame:
        """Return ``a, b, c, capacity, low, high`` of each chiller; low and high bound its load.

        ``condenser`` is the temperature of the water that enters the condenser, in °C.
        """
        s = self.sheet
        coldest, hottest = s["condenser_low"].max(), s["condenser_high"].min()
        if not coldest <= condenser <= hottest:
            raise BadData(f"condenser = {condenser} °C is outside {coldest} to {hottest} °C")
        w, t = CHILLED, condenser
        terms = np.array([1.0, w, w**2, t, t**2, w * t])
        capacity = s["capacity"] * (s[[f"cap{i}" for i in range(6)]].to_numpy() @ terms)
        full = capacity / s["cop"] * (s[[f"eir{i}" for i in range(6)]].to_numpy() @ terms)
        columns = {f: full * s[f"plr{i}"] / capacity**i for i, f in enumerate("abc")}
        low, high = s["plr_low"] * capacity, s["plr_high"] * capacity
        return s[[]].assign(**columns, capacity=capacity, low=low, high=high)

    def power(self, loads: pd.Series, condenser: float) -> pd.Series:
        """Return the true power of each chiller at ``loads`` (indexed by chiller), in kW."""
        k = self.curves(condenser)
        return k["a"] + k["b"] * loads + k["c"] * loads**2

    def optimal_sharing(self, total: float, condenser: float) -> tuple[pd.Series, float]:
        """Return the loads that carry ``total`` kW with the least power, and that power.

        All five run. At the optimum each chiller off its limits has the same marginal power λ,
        load = (λ - b) / 2c; the sum of loads is piecewise linear in λ, so λ follows exactly.
        """
        k = self.curves(condenser)
        if not k["low"].sum() <= total <= k["high"].sum():
            raise BadData(
                f"total = {total} kW is outside what the five chillers can carry at "
                f"{condenser} °C: {k['low'].sum():.1f} to {k['high'].sum():.1f} kW"
            )
        a, b, c, low, high = k[["a", "b", "c", "low", "high"]].to_numpy().T
        prices = np.sort(np.concatenate([b + 2 * c * low, b + 2 * c * high]))
        sums = np.clip((prices[:, None] - b) / (2 * c), low, high).sum(axis=1)
        loads = np.clip((np.interp(total, sums, prices) - b) / (2 * c), low, high)
        return k.assign(load=loads)["load"], float((a + b * loads + c * loads**2).sum())


def chillers_truth() -> Plant:
    """Return the exact curves of the five chillers.

    At 24 °C and half to 70 % of the capacity, equal part loads cost 0.8 to 1.0 % more power than
    the optimal sharing (5000 kW: 662.37 against 657.19 kW).
    """
    return Plant(read("chillers_truth.csv").set_index("chiller"))
