"""regret: its parts add up, and it finds the best of the truth inside the decision's limits."""

import numpy as np
import pytest
import torch
from scipy.optimize import LinearConstraint

import icnn
from icnn import BadData
from icnn.models import Quadratic

BUDGET = icnn.Budget(restarts=1, steps=200, every=50, polish=50)
CENTRE = np.array([0.4, -0.2])
ROW = LinearConstraint([[1.0, 0.0]], 0.5, np.inf)


def truth(x):
    return float(np.square(np.asarray(x) - CENTRE).sum())


def surrogate(shift=0.0, concave=False):
    """A quadratic that errs by its shift."""
    X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    y = np.square(X - CENTRE - shift).sum(1)
    return icnn.fit(
        Quadratic(2), X, -y if concave else y, concave=concave, budget=BUDGET, progress=False
    )


@pytest.fixture(scope="module", params=[False, True], ids=["convex", "concave"])
def decided(request):
    concave = request.param
    f = surrogate(0.3, concave)
    decision = (icnn.maximize if concave else icnn.minimize)(f)
    return decision, (lambda x: -truth(x)) if concave else truth


def test_the_parts_add_up_and_the_fit_is_to_blame(decided):
    decision, true = decided
    found = icnn.regret(decision, true, best=CENTRE)
    assert found.total == pytest.approx(truth(decision.x), rel=1e-9)
    assert found.total == pytest.approx(0.18, abs=0.03)
    assert found.fit + found.minimiser + found.context == pytest.approx(found.total, rel=1e-12)
    assert 0 <= found.minimiser < 1e-5 < found.fit
    assert found.context == 0
    assert found.truth == true(decision.x)
    np.testing.assert_array_equal(found.best_x, CENTRE)


def test_the_best_is_found_where_it_is_not_given(decided):
    decision, true = decided
    found = icnn.regret(decision, true)
    assert found.searched
    assert found.best == pytest.approx(0, abs=1e-8)
    given = icnn.regret(decision, true, best=0.0)
    assert not given.searched
    assert given.best_x is None
    assert found.total == pytest.approx(given.total, abs=1e-8)


def test_a_best_that_is_not_zero_keeps_its_sign(decided):
    decision, true = decided
    away = lambda x: true(x) + 3.0  # noqa: E731
    top = away(CENTRE)
    for best in (top, CENTRE, None):
        found = icnn.regret(decision, away, best=best)
        assert found.best == pytest.approx(top, abs=1e-6)
        assert found.total == pytest.approx(truth(decision.x), abs=1e-6)


def test_a_point_outside_the_rows_is_never_the_best(monkeypatch):
    import scipy.optimize

    row = LinearConstraint([[1.0, 1.0]], -np.inf, 0.0)
    decision = icnn.minimize(surrogate(0.3), constraints=row)
    outside = scipy.optimize.OptimizeResult(x=CENTRE)
    monkeypatch.setattr(scipy.optimize, "minimize", lambda *given, **options: outside)
    found = icnn.regret(decision, truth)
    np.testing.assert_array_equal(found.best_x, decision.x)
    assert found.total == 0


def test_the_search_stays_inside_bounds_rows_and_learned_limits():
    f, g = surrogate(0.3), surrogate(0.3)
    decision = icnn.minimize(
        f,
        bounds={"x0": (-1.0, 0.9), "x1": (-1.0, 0.9)},
        constraints=[LinearConstraint([[1.0, 1.0]], -np.inf, 0.0), g <= 0.5],
    )
    found = icnn.regret(decision, truth)
    assert found.best_x.sum() <= 1e-6
    assert g.predict(found.best_x) <= 0.5 + 1e-5
    assert found.best == pytest.approx(min_on_grid(g), abs=2e-3)
    assert found.total >= 0


def test_a_truth_that_ends_at_the_rows_is_searched_inside_them():
    f = surrogate(0.3)
    row = LinearConstraint([[1.0, 1.0]], -np.inf, 0.0)
    decision = icnn.minimize(f, constraints=row)
    partial = lambda x: truth(x) if x.sum() <= 1e-6 else np.nan  # noqa: E731
    whole = icnn.regret(decision, truth)
    assert icnn.regret(decision, partial).best == pytest.approx(whole.best, abs=1e-3)


def test_a_truth_may_write_into_what_it_is_given():
    decision = icnn.minimize(surrogate(0.3))
    before = decision.x.copy()

    def careless(x):
        x -= CENTRE
        return float(x @ x)

    total = icnn.regret(decision, truth).total
    assert icnn.regret(decision, careless).total == pytest.approx(total, abs=1e-9)
    np.testing.assert_array_equal(decision.x, before)


def min_on_grid(g):
    x = np.stack(np.meshgrid(*[np.linspace(-1, 0.9, 381)] * 2), -1).reshape(-1, 2)
    inside = (x.sum(1) <= 0) & (g.predict(x) <= 0.5)
    return np.square(x[inside] - CENTRE).sum(1).min()


def test_a_truth_that_changed_is_the_context_s_part():
    decision = icnn.minimize(surrogate())
    moved = lambda x: truth(np.asarray(x) - 0.5)  # noqa: E731
    found = icnn.regret(decision, moved, best=0.0, expected=truth)
    assert found.total == pytest.approx(0.5, abs=0.02)
    assert found.context == pytest.approx(found.total, abs=1e-3)
    assert found.fit + found.minimiser + found.context == pytest.approx(found.total)


def test_the_minimiser_s_part_is_the_gap():
    from dataclasses import replace

    decision = icnn.minimize(surrogate())
    lazy = replace(decision, gap=0.1)
    found = icnn.regret(lazy, truth, best=0.0)
    assert found.minimiser == 0.1
    assert found.fit == pytest.approx(found.total - 0.1)


def test_it_reads_as_a_report():
    decision = icnn.minimize(surrogate(0.3))
    told = repr(icnn.regret(decision, truth, best=0.0))
    for word in ("regret 0.", "the best is 0", "by the fit", "by the minimiser", "by the context"):
        assert word in told
    assert "local search" in repr(icnn.regret(decision, truth))
    shifted = icnn.regret(decision, lambda x: truth(x) - 2.0, best=-2.0)
    assert shifted.relative == pytest.approx(shifted.total / 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: icnn.regret(d, lambda x: np.nan, best=0.0), "not a finite number"),
        (lambda d: icnn.regret(d, lambda x: x, best=0.0), "not a finite number"),
        (lambda d: icnn.regret(d, truth, best=[1.0]), "give a point of 2 finite numbers"),
        (lambda d: icnn.regret(d, truth, best=[1.0, np.nan]), "give a point of 2 finite numbers"),
        (lambda d: icnn.regret(icnn.prepare(surrogate()).solve(), truth), "give best="),
        (lambda d: icnn.regret(d, truth, best=np.nan), "best is nan; give"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(BadData) as caught:
        call(icnn.minimize(surrogate()))
    assert words in str(caught.value)


def test_a_decision_without_a_point_cannot_be_regretted():
    f = surrogate()
    row = LinearConstraint([[1.0, 1.0]], 5.0, np.inf)
    decision = icnn.minimize(f, constraints=row, throw=False)
    with pytest.raises(BadData, match="has no point"):
        icnn.regret(decision, truth)


@pytest.mark.parametrize("box", [True, False], ids=["bounds", "row"])
def test_a_best_outside_the_decisions_limits_is_refused(box):
    limits = {"bounds": [(0.5, 0.9), (-1, 1)]} if box else {"constraints": ROW}
    decision = icnn.minimize(surrogate(), **limits)
    with pytest.raises(BadData, match=r"misses the decision's bounds or constraints by"):
        icnn.regret(decision, truth, best=CENTRE)
    found = icnn.regret(decision, truth, best=[0.5, -0.2])
    assert found.best == pytest.approx(0.01)


def test_a_best_that_the_decision_beats_is_refused(decided):
    decision, true = decided
    reached = true(decision.x)
    better = -1.0 if decision.sense == "maximize" else 1.0
    side = "above" if decision.sense == "maximize" else "below"
    with pytest.raises(ValueError, match=f"the truth at the decision is .*, {side} the best given"):
        icnn.regret(decision, true, best=reached + better * 1e-2 * decision.scale)
    with pytest.raises(BadData, match="not the best of the truth"):
        icnn.regret(decision, true, best=[0.9, 0.9])
    for rounding in (0.0, 1e-9):  # what a decision may miss is no mistake
        found = icnn.regret(decision, true, best=reached + better * rounding * decision.scale)
        assert abs(found.total) <= 2e-9 * decision.scale


@pytest.mark.parametrize(
    "value",
    [float("nan"), None, "much", 1j, [1.0, 2.0], torch.ones(1, requires_grad=True)],
    ids=repr,
)
def test_a_truth_that_is_no_number_at_the_decision(value):
    decision = icnn.minimize(surrogate())
    with pytest.raises(BadData, match=r"the truth at .* is "):
        icnn.regret(decision, lambda x: value)


def test_regret_is_of_one_decision():
    f = surrogate()
    for wrong in (3, icnn.minimize_batch(f, linear=np.zeros((2, 2)), progress=False)):
        with pytest.raises(BadData, match="regret takes one Decision, not"):
            icnn.regret(wrong, truth)


def test_the_best_of_what_was_expected_may_be_given():
    """Where it cannot be searched: a row of a batch, whole numbers."""
    f = surrogate()
    moved = lambda x: truth(np.asarray(x) - 0.1)  # noqa: E731
    rows = icnn.minimize_batch(f, linear=np.zeros((1, 2)))
    X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    y = np.square(X - CENTRE).sum(1)
    kinked = icnn.fit(icnn.FICNN(2, hidden=(8,)), X, y, budget=BUDGET, progress=False)
    for decision in (rows[0], icnn.minimize(kinked, integrality=[1, 0])):
        with pytest.raises(BadData, match="give expected_best="):
            icnn.regret(decision, moved, best=0.0, expected=truth)
        for given in (0.0, CENTRE) if decision is rows[0] else (truth([0.0, -0.2]),):
            found = icnn.regret(decision, moved, best=0.0, expected=truth, expected_best=given)
            planned = truth(decision.x) - (truth(given) if np.ndim(given) else given)
            assert found.context == pytest.approx(found.total - planned, abs=1e-9)
            assert found.fit + found.minimiser + found.context == pytest.approx(found.total)


@pytest.mark.parametrize(
    ("words", "bad"),
    [
        ("seed must be a whole number", {"seed": -1}),
        ("seed must be a whole number", {"seed": "a"}),
        ("the truth is a function of x, not 5.0", {"expected": 5.0}),
        ("expected_best is 'x'; give", {"expected": truth, "expected_best": "x"}),
    ],
)
def test_what_regret_cannot_use_is_said(words, bad):
    with pytest.raises(BadData, match=words):
        icnn.regret(icnn.minimize(surrogate()), truth, **bad)
    with pytest.raises(BadData, match="the truth is a function of x"):
        icnn.regret(icnn.minimize(surrogate()), 3.0)
