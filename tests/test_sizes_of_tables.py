"""Tables whose numbers have no scale, slopes that contradict y, and where fit is called."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import icnn
from icnn import BadData

CENTRE = np.array([0.3, -0.2])
X = np.random.default_rng(1).uniform(-1, 1, (60, 2))
Y, G = np.square(X - CENTRE).sum(1), 2 * (X - CENTRE)
BUDGET = icnn.Budget(restarts=1, steps=100, polish=20)


def fit(x=X, y=Y, model=None, **more):
    model = model or icnn.FICNN(2, hidden=(8,))
    return icnn.fit(model, x, y, budget=BUDGET, progress=False, **more)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X * 1e160, Y, r"column 'x0' reaches .*e\+1.*, whose square overflows; use a larger unit"),
        (X * 1e-200, Y, r"column 'x0' varies by .*e-200 alone; use a smaller unit"),
        (X, Y * 1e200, r"y reaches .*, whose square overflows"),
        (X, Y * 1e-310, r"y varies by .* alone; use a smaller unit"),
    ],
)
def test_numbers_without_a_scale_are_refused(x, y, words):
    with pytest.raises(BadData, match=words):
        fit(x, y)


def test_a_context_without_a_scale_is_refused():
    with pytest.raises(BadData, match=r"context column 'c0' reaches .*, whose square overflows"):
        fit(model=icnn.PICNN(2, 1, hidden=(8,)), context=X[:, :1] * 1e160)


@pytest.mark.parametrize("unit", [1e100, 1e-100])
def test_units_up_to_there_give_the_same_fit(unit):
    np.testing.assert_allclose(fit(X * unit).predict(X * unit), fit().predict(X), rtol=1e-9)
    np.testing.assert_allclose(fit(X, Y * unit).predict(X), fit().predict(X) * unit, rtol=1e-9)


def test_slopes_that_no_float_holds_beside_y_name_their_row():
    G_bad = G.copy()
    G_bad[7, 1] = 1e20
    with pytest.raises(
        BadData, match=r"gradients of 'x1', row 7 is 1e\+20, more than 1e\+10 times"
    ):
        fit(gradients=G_bad)
    weight = np.ones(len(X))
    weight[7] = 0.0  # a row that does not count
    assert fit(gradients=G_bad, sample_weight=weight).score(X, Y) > 0.9


def test_slopes_that_contradict_y_are_said_aloud():
    with pytest.warns(
        RuntimeWarning, match="times the variance of y .* the gradients contradict y"
    ):
        fit(gradients=1e6 * G)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(gradients=G)


def test_a_frame_of_slopes_has_the_columns_of_x():
    frame, slopes = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(G, columns=["a", "b"])
    fit(frame, gradients=slopes[["b", "a"]])
    with pytest.raises(BadData, match="gradients has a column 'c'; X has"):
        fit(frame, gradients=slopes.assign(c=0.0))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fit_learns_wherever_it_is_called(mode):
    usual = fit().predict(X)
    with mode():
        inside = fit()
        made = icnn.FICNN(2, hidden=(8,))
        again = fit(model=made)
    for surrogate in (inside, again):
        np.testing.assert_array_equal(surrogate.predict(X), usual)
        assert icnn.minimize(surrogate).success


@pytest.mark.parametrize("seed", range(4))
def test_a_warm_start_is_never_worse_than_where_it_started(seed):
    first = icnn.fit(icnn.FICNN(2), X, Y, seed=seed, progress=False)
    short = icnn.Budget(restarts=1, steps=25, every=25, polish=0)
    again = icnn.fit(first.model, X, Y, seed=seed, warm_start=True, budget=short, progress=False)
    assert again.history.held_out <= first.history.held_out * (1 + 1e-3)
