"""plot: what is drawn, and what cannot be."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import icnn
from icnn.plot import plot_decision

TINY = icnn.Budget(steps=20, polish=5)


def fitted(n, *, concave=False, names=None):
    X = np.random.default_rng(n).uniform(-1, 1, size=(40, n))
    y = np.square(X).sum(axis=1) * (-1 if concave else 1)
    f = icnn.fit(icnn.MaxAffine(n, 4), X, y, budget=TINY, concave=concave, columns=names)
    return f, X


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_one_slice_a_column_up_to_six_and_a_map_for_two(n, tmp_path):
    f, X = fitted(n)
    path = tmp_path / "plot.png"
    figure = plot_decision(f, icnn.minimize(f), data=X, path=path)
    slices = [a for a in figure.axes if a.get_ylabel() == "f"]
    assert len(slices) == min(n, 6)
    assert len(figure.axes) == len(slices) + (2 if n == 2 else 0)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_rows_truth_units_and_certificate_are_shown(tmp_path):
    f, X = fitted(2, concave=True, names=["a", "cost [$] of $"])
    rows = [LinearConstraint([[1, 1]], -np.inf, -0.5), LinearConstraint([[1, 0]], -0.5, -0.5)]
    decision = icnn.maximize(f, constraints=rows)
    figure = plot_decision(
        f,
        decision,
        rows=rows,
        truth=lambda p: -np.square(p).sum(axis=1),
        data=X,
        units={"a": "kg", "profit": "EUR"},
        target="profit",
        path=tmp_path / "plot.svg",
    )
    shown, slices = figure.axes[0], [a for a in figure.axes if a.get_ylabel() == "profit"]
    assert shown.get_xlabel() == "a [kg]"
    assert shown.get_title(loc="left") == "Learned profit [EUR]"
    assert "certified gap" in slices[0].get_title(loc="left")
    labels = slices[0].get_legend_handles_labels()[1]
    assert labels == ["not allowed", "learned", "true", "certified bound"]


def test_the_bound_line_stands_at_the_bound():
    f, _ = fitted(1)
    decision = icnn.minimize(f)
    axes = plot_decision(f, decision).axes[0]
    (line,) = (line for line in axes.get_lines() if line.get_label() == "certified bound")
    assert set(line.get_ydata()) == {decision.bound}


def test_a_decision_without_a_point_cannot_be_drawn():
    f, _ = fitted(1)
    decision = icnn.minimize(f, constraints=LinearConstraint([[1]], 5, 6), throw=False)
    with pytest.raises(icnn.BadData, match="the decision has no point to draw: The bounds"):
        plot_decision(f, decision)


def test_an_unknown_ending_and_another_surrogate_are_refused(tmp_path):
    f, _ = fitted(1)
    decision = icnn.minimize(f)
    with pytest.raises(icnn.BadData, match=r"the name of a picture ends in \.png, \.svg, \.pdf"):
        plot_decision(f, decision, path=tmp_path / "plot.bmp")
    with pytest.raises(icnn.BadData, match=r"about \('x0',\), but the surrogate reads \('load',\)"):
        plot_decision(f.rename({"x0": "load"}), decision)
