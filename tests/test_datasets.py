"""Tables that ship: what their numbers must satisfy, and their truths by a second method."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from icnn.datasets import Dataset, chillers, chillers_truth, reformer, reformer_truth, snar
from icnn.errors import BadData

ROOT = Path(__file__).resolve().parents[1]
LOADERS = {"reformer": (reformer, 300), "chillers": (chillers, 300), "snar": (snar, 66)}


@pytest.fixture(scope="module")
def truth():
    return reformer_truth()


@pytest.fixture(scope="module")
def generator():
    file = ROOT / "benchmarks" / "make_datasets.py"
    spec = importlib.util.spec_from_file_location("make_datasets", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", LOADERS)
def test_table_is_whole(name):
    load, rows = LOADERS[name]
    data = load()
    assert isinstance(data, Dataset)
    assert data.name == name
    assert len(data.frame) == rows
    assert not data.frame.isna().any(axis=None)
    assert {*data.decisions, *data.context, *data.targets} == set(data.frame) == set(data.units)
    assert all(word in repr(data) for word in (*data.frame, data.licence, data.question))


def test_loaders_read_a_fresh_frame():
    frame = snar().frame
    frame.loc[0, "e_factor"] = np.nan
    assert snar().frame["e_factor"].notna().all()


def test_importing_datasets_loads_neither_pandas_nor_scipy():
    files = sorted((ROOT / "icnn" / "datasets").glob("*.py"))
    lines = [line for f in files for line in f.read_text(encoding="utf-8").splitlines()]
    top = [line for line in lines if line.startswith(("import ", "from "))]
    assert not [line for line in top if "pandas" in line or "scipy" in line]


def test_notice_names_every_file():
    folder = ROOT / "icnn" / "datasets" / "data"
    notice = (folder / "NOTICE.md").read_text(encoding="utf-8")
    assert all(f"`{file.name}`" in notice for file in folder.glob("*.csv"))


def test_snar_ranges_are_those_explored():
    low, high = [0.5, 1.0, 0.1, 60.0], [2.0, 5.0, 0.5, 140.0]
    data = snar()
    assert data.frame[list(data.decisions)].ge(low).all(axis=None)
    assert data.frame[list(data.decisions)].le(high).all(axis=None)
    assert data.frame["e_factor"].min() == 0.24


def test_reformer_profit_identity():
    f = reformer().frame
    np.testing.assert_allclose(f["profit"], f.hydrogen - 0.12 * f.sc - 0.05 * 4.76 * f.o2c)


def test_reformer_truth_agrees_with_the_samples(truth):
    data = reformer()
    tolerance = {"hydrogen": 2e-5, "temperature": 0.03, "slip": 3e-6, "profit": 2e-5}
    for target, most in tolerance.items():
        gap = truth.at(target, data.frame[list(data.decisions)]) - data.frame[target]
        assert gap.abs().max() < most


def test_reformer_truth_has_the_known_best_points(truth):
    x, value = truth.best("profit")
    assert value == pytest.approx(1.77034, abs=2e-5)
    x, value = truth.best("profit", where=lambda p: p @ [4.76, 1.0] <= 4.0)
    assert value == pytest.approx(1.74640, abs=2e-5)
    assert x @ [4.76, 1.0] == pytest.approx(4.0, abs=1e-3)


def test_reformer_best_is_the_grid_optimum_under_two_limits(truth):
    def allowed(p):
        return (truth.at("temperature", p) <= 1150) & (truth.at("slip", p) <= 0.03)

    published = np.array([0.5825, 2.2375])  # best of 241 x 241 Cantera runs
    assert truth.at("profit", published) == pytest.approx(1.767405, abs=1e-5)
    x, value = truth.best("profit", allowed)
    assert allowed(x[None])[0]
    assert 1.7674 <= value <= 1.7676


def test_reformer_truth_refuses(truth):
    with pytest.raises(BadData, match="shape"):
        truth.at("profit", [[0.2, 1.0]])
    with pytest.raises(BadData, match=r"'co'.*choose one of hydrogen"):
        truth.at("co", [[0.5, 1.0]])
    with pytest.raises(BadData, match="loosen"):
        truth.best("profit", where=lambda p: p[:, 0] > 1)


def test_reformer_rows_are_what_cantera_says(generator):
    pytest.importorskip("cantera")
    f = reformer().frame
    design = generator.design()
    np.testing.assert_array_equal(f[["o2c", "sc"]], design)
    for i in range(0, 300, 30):
        said = [float(v) for v in generator.reform(*design[i].tolist())]
        np.testing.assert_allclose(f.loc[i, ["hydrogen", "temperature", "slip"]], said, rtol=1e-5)


def test_chillers_readings_scatter_around_the_truth_by_two_percent():
    plant = chillers_truth()
    for name, rows in chillers().frame.groupby("chiller"):
        curves = [plant.curves(t).loc[name] for t in rows["condenser"]]
        exact = [k.a + k.b * q + k.c * q**2 for k, q in zip(curves, rows["load"], strict=True)]
        noise = rows["power"] / exact - 1
        assert len(rows) == 60
        assert abs(noise.mean()) < 0.01
        assert 0.013 < noise.std() < 0.027
        pairs = zip(curves, rows["load"], strict=True)
        assert all(k.low - 0.1 <= q <= k.high + 0.1 for k, q in pairs)


@pytest.mark.parametrize("condenser", [16.0, 24.0, 29.0])
def test_chillers_are_convex_in_the_load(condenser):
    assert (chillers_truth().curves(condenser)["c"] > 0).all()


@pytest.mark.parametrize("condenser", [16.0, 24.0, 29.0])
@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
def test_optimal_sharing_equals_a_general_solver(condenser, share):
    plant = chillers_truth()
    k = plant.curves(condenser)
    total = share * k.capacity.sum()
    loads, power = plant.optimal_sharing(total, condenser)
    assert loads.sum() == pytest.approx(total, rel=1e-12)
    assert loads.between(k.low - 1e-9, k.high + 1e-9).all()
    assert plant.power(loads, condenser).sum() == pytest.approx(power)
    found = minimize(  # in MW, so that SLSQP is well scaled
        lambda z: (k.a / 1e3 + k.b * z + k.c * 1e3 * z**2).sum(),
        share * k.capacity / 1e3,
        method="SLSQP",
        bounds=list(zip(k.low / 1e3, k.high / 1e3, strict=True)),
        constraints={"type": "eq", "fun": lambda z: z.sum() - total / 1e3},
        options={"ftol": 1e-13},
    )
    assert power == pytest.approx(1e3 * found.fun, rel=1e-7)
    assert power < plant.power(share * k.capacity, condenser).sum()


def test_chillers_truth_refuses():
    plant = chillers_truth()
    with pytest.raises(BadData, match=r"condenser = 40.* outside 15\.56 to 29\.44"):
        plant.curves(40.0)
    with pytest.raises(BadData, match=r"total = 1\.0 kW is outside"):
        plant.optimal_sharing(1.0, 24.0)
