"""Learned constraints of surrogates: convex ≤, concave ≥, columns by name, both senses."""

import numpy as np
import pandas as pd
import pytest
from test_fit import X, fit
from zoo import NETWORKS

import icnn
from icnn import BadData, NotConvex
from icnn.errors import Infeasible

COST = NETWORKS["relu-2-8"].f
BOX = {"bounds": [(-2.0, 1.5)] * 2}
COLUMNS = ["load", "temperature"]


@pytest.fixture(scope="module")
def cost():
    return fit(X=pd.DataFrame(X, columns=COLUMNS))


@pytest.fixture(scope="module")
def emission():
    """Of the same columns the other way round."""
    return fit(X=pd.DataFrame(X[:, ::-1], columns=COLUMNS[::-1]), y=np.square(X).sum(1))


@pytest.fixture(scope="module")
def strength():
    """Concave, of a column of the cost and one of its own."""
    frame = pd.DataFrame(X, columns=["temperature", "speed"])
    return fit(X=frame, y=-np.square(X - 0.5).sum(1), concave=True)


def named(d, s):
    return np.array([d.x_named[name] for name in s.columns])


def test_surrogates_are_aligned_by_name(cost, emission, strength):
    limits = [emission <= 1.0, strength >= -1.0]
    d = icnn.minimize(cost, constraints=limits)
    assert d.success
    assert d.columns == ("load", "temperature", "speed")
    assert emission.predict(named(d, emission)) <= 1.0 + 1e-6
    assert strength.predict(named(d, strength)) >= -1.0 - 1e-6
    assert d.value == pytest.approx(cost.predict(named(d, cost)), abs=1e-9 * d.scale)
    r = np.random.default_rng(1)
    names = dict(zip(d.columns, r.uniform(-2, 2, (3, 5000)), strict=True))
    kept = emission.predict(np.column_stack([names[c] for c in emission.columns])) <= 1.0
    kept &= strength.predict(np.column_stack([names[c] for c in strength.columns])) >= -1.0
    at = cost.predict(np.column_stack([names[c] for c in cost.columns]))
    assert kept.sum() > 20
    assert (at[kept] >= d.bound).all()


@pytest.fixture(scope="module")
def concave():
    """Greatest near (0.5, 0.5) and near (-0.5, -0.5), of the columns of the cost."""
    frame = pd.DataFrame(X, columns=COLUMNS)
    return [fit(X=frame, y=-np.square(X - c).sum(1), concave=True) for c in (0.5, -0.5)]


@pytest.mark.parametrize("sense", ["<=", ">="])
@pytest.mark.parametrize("run", [icnn.minimize, icnn.maximize])
def test_multipliers_in_every_sense(run, sense, cost, emission, concave):
    """The change of the best value per unit of the right-hand side, sign included."""
    f, step = cost if run is icnn.minimize else concave[0], 1e-4
    limiting = emission if sense == "<=" else concave[1]
    most = (icnn.minimize if sense == "<=" else icnn.maximize)(limiting).value
    rhs = 0.5 * (most + limiting.predict(named(run(f), limiting)))

    def solve(side):
        return run(f, constraints=[limiting <= side if sense == "<=" else limiting >= side])

    d = solve(rhs)
    ends = sorted([(solve(rhs + s).value - d.value) / s for s in (step, -step)])
    (m,) = d.multipliers["limits"]
    assert ends[0] - 1e-3 <= m <= ends[1] + 1e-3
    assert abs(m) > 1e-3
    assert limiting.predict(named(d, limiting)) == pytest.approx(rhs, abs=1e-6)


def test_surrogates_refuse_the_wrong_direction_and_networks_beside_them(cost, strength):
    with pytest.raises(NotConvex, match="convex function >="):
        _ = cost >= 1.0
    with pytest.raises(NotConvex, match=r"concave function <= .* only >= can"):
        _ = strength <= 1.0
    with pytest.raises(BadData, match="no column names to align"):
        icnn.minimize(cost, constraints=[COST <= 1.0])
    with pytest.raises(BadData, match="no column names to align"):
        icnn.minimize(COST, **BOX, constraints=[cost <= 1.0])
    with pytest.raises(BadData, match="not true or false"):
        bool(strength >= 0.0)


def test_an_infeasible_learned_limit(cost, strength):
    with pytest.raises(Infeasible):
        icnn.minimize(cost, constraints=[strength >= 1e3])


def test_contexts_of_several_functions_are_aligned_by_name():
    """Two functions list the same context in another order: names say which is which."""
    r = np.random.default_rng(0)
    X = pd.DataFrame(r.uniform(-1, 1, (60, 2)), columns=COLUMNS)
    C = pd.DataFrame(r.uniform(0, 1, (60, 2)), columns=["wave", "wind"])
    y = np.square(X.to_numpy() - C.to_numpy()).sum(1)
    options = dict(budget=icnn.Budget(restarts=1, steps=40, polish=0), progress=False)
    f = icnn.fit(icnn.PICNN(2, 2, (6,), (4,)), X, y, context=C, **options)
    g = icnn.fit(icnn.PICNN(2, 2, (6,), (4,)), X, y, context=C[["wind", "wave"]], **options)
    at = {"wave": 0.9, "wind": 0.1}
    least = icnn.minimize(g, context=at).value
    limit = g <= least + 1e-3
    d = icnn.minimize(f, constraints=[limit], context=at)
    assert g.predict(d.x, at) <= least + 1e-3 + 1e-6
    for named in (pd.Series({"wind": 0.1, "wave": 0.9}), pd.DataFrame([{**at, "more": 1}])):
        assert icnn.minimize(f, constraints=[limit], context=named).value == d.value
    for unnamed in ([0.9, 0.1], np.array([0.9, 0.1]), pd.Series([0.9, 0.1])):
        with pytest.raises(BadData, match=r"\(wave, wind and wind, wave\).*give .* as a dict"):
            icnn.minimize(f, constraints=[limit], context=unnamed)
        assert icnn.minimize(f, constraints=[f <= 1e3], context=unnamed).success
