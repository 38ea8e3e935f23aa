"""Surrogates: f in the user's units, columns by name."""

import numpy as np
import pandas as pd
import pytest
import torch
from laws import assert_convex
from test_fit import X, Y, fit

import icnn
from icnn import BadData, NotConvex

FRAME = pd.DataFrame(X, columns=["load", "temperature"])


@pytest.fixture(scope="module")
def s():
    return fit(X=FRAME)


@pytest.fixture(scope="module")
def concave():
    return fit(X=FRAME, y=-Y, concave=True)


def test_predicts_points_batches_frames_and_tensors(s):
    plain = s.predict(X)
    assert plain.shape == (len(X),)
    assert s.predict(X[3]) == pytest.approx(plain[3], rel=1e-12)
    np.testing.assert_array_equal(s.predict(torch.from_numpy(X)), plain)
    np.testing.assert_array_equal(
        s.predict(FRAME.assign(other="text")[["other", "temperature", "load"]]), plain
    )
    np.testing.assert_array_equal(s.predict(X.tolist()), plain)
    assert s.predict(X[:0]).shape == (0,)


def test_score_is_r_squared(s):
    miss = np.square(Y - s.predict(X)).sum()
    assert s.score(FRAME, Y) == pytest.approx(1 - miss / np.square(Y - Y.mean()).sum(), rel=1e-12)
    assert s.score(X, s.predict(X)) == 1.0
    assert np.isnan(s.score(X, np.ones(len(X))))


def test_at_is_in_the_users_units(s, concave):
    for one, sign in ((s, 1), (concave, -1)):
        assert isinstance(one.at(), icnn.Network)
        np.testing.assert_array_equal(one.at()(X), sign * one.predict(X))
        assert_convex(one.at(), 2)
    np.testing.assert_array_equal(s.lower, X.min(0))
    np.testing.assert_array_equal(s.upper, X.max(0))


def test_sums_align_by_name_never_by_position(s):
    swapped = fit(X=FRAME[["temperature", "load"]])
    other = s.rename({"load": "pressure"})
    total = 2.0 * s + swapped + other * 0.5
    assert total.columns == ("load", "temperature", "pressure")
    rows = pd.DataFrame({"pressure": X[::-1, 0], "temperature": X[:, 1], "load": X[:, 0]})
    parts = 2 * s.predict(rows) + swapped.predict(rows) + 0.5 * other.predict(rows)
    np.testing.assert_allclose(total.predict(rows), parts, rtol=1e-12)
    np.testing.assert_allclose(total.at()(rows[list(total.columns)].to_numpy()), parts, rtol=1e-12)
    np.testing.assert_allclose(total.lower, [*s.lower, s.lower[0]])


def test_builtin_sum_works(s):
    np.testing.assert_allclose(sum([s, s]).predict(X), 2 * s.predict(X))


def test_decisions_of_sums_are_named(s):
    total = s.rename({"load": "a"}) + s.rename({"load": "b"})
    both = icnn.minimize(total)
    assert set(both.x_named) == {"a", "b", "temperature"}
    assert both.value == pytest.approx(2 * icnn.minimize(s).value, rel=1e-9)


def test_rename_swaps_and_leaves_the_original(s):
    swapped = s.rename({"load": "temperature", "temperature": "load"})
    assert swapped.columns == ("temperature", "load")
    assert s.columns == ("load", "temperature")
    np.testing.assert_array_equal(swapped.predict(X), s.predict(X))
    assert icnn.minimize(swapped).x_named["load"] == icnn.minimize(s).x_named["temperature"]


@pytest.mark.parametrize(
    ("wrong", "error", "sentence"),
    [
        (lambda s: s.rename({"pressure": "p"}), BadData, "no column 'pressure' to rename"),
        (
            lambda s: s.rename({"load": "temperature"}),
            BadData,
            "'temperature' appears more than once",
        ),
        (lambda s: s.rename({"load": ""}), BadData, "missing or not text"),
        (lambda s: s.predict(FRAME[["load"]]), BadData, "X has no column 'temperature'"),
        (
            lambda s: s.predict([1.0, 2.0, 3.0]),
            BadData,
            r"X has shape \(3,\), but the surrogate reads",
        ),
        (
            lambda s: s.predict([[1.0, np.nan]]),
            BadData,
            "column 'temperature', row 0 is not finite",
        ),
        (lambda s: s.predict([["a", 1.0]]), BadData, "'a' is not a number"),
        (lambda s: s.predict("ab"), BadData, "X"),
        (lambda s: s.score(X, Y[:3]), BadData, r"y has shape \(3,\)"),
        (lambda s: -1.0 * s, NotConvex, "use a factor ≥ 0"),
        (lambda s: np.nan * s, NotConvex, "use a factor ≥ 0"),
        (lambda s: s * s, TypeError, "support"),
        (lambda s: s + 3.0, TypeError, "unsupported operand"),
    ],
)
def test_refused_with_a_sentence(s, wrong, error, sentence):
    with pytest.raises(error, match=sentence):
        wrong(s)


def test_convex_and_concave_do_not_mix(s, concave):
    with pytest.raises(NotConvex, match="neither"):
        s + concave
    assert (concave + concave).concave


def test_minimize_of_concave_and_maximize_of_convex_are_refused(s, concave):
    with pytest.raises(
        NotConvex, match=r"concave surrogate is not a convex problem.* use maximize"
    ):
        icnn.minimize(concave)
    for f in (s, s.at()):
        with pytest.raises(NotConvex, match=r"maximize of a convex function.* concave=True"):
            icnn.maximize(f)


def test_ranges_that_do_not_meet_are_refused(s):
    far = fit(X=FRAME + 100)
    with pytest.raises((BadData, icnn.NotSolved), match="load"):
        icnn.minimize(s + far)


def test_observed_range_is_the_default_and_is_said(s):
    d = icnn.minimize(s)
    assert "observed range of each column" in d.message
    assert ((d.x >= s.lower) & (d.x <= s.upper)).all()
    inside = {name: (-0.5, 0.5) for name in s.columns}
    assert "observed range" not in icnn.minimize(s, bounds=inside).message
    partly = icnn.minimize(s, bounds={"load": (-9, 9)})
    assert s.lower[1] <= partly.x_named["temperature"] <= s.upper[1]


def test_maximize_speaks_of_f(concave, s):
    up = icnn.maximize(concave, constraints=[])
    down = icnn.minimize(s)
    assert up.value == pytest.approx(-down.value, rel=1e-12)
    assert up.value == concave.predict(up.x)
    assert up.bound >= up.value
    assert 0 <= up.gap <= 1e-9 * up.scale
    assert "maximize" in repr(up)
    assert "f ≤" in repr(up)
    assert (concave.predict(X[((s.lower <= X) & (s.upper >= X)).all(1)]) <= up.bound).all()


def test_repr_names_columns_and_shape(s, concave):
    assert repr(s) == "Surrogate(convex in load, temperature; FICNN)"
    assert "concave" in repr(concave)
