"""Few rows: what the folds hold out, whom a committee is made of, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from laws import assert_convex
from zoo import table

import icnn
from icnn import BadData, Budget
from icnn.learn import folds
from icnn.learn.choose import LEAST_SHARE, Plan, shares
from icnn.learn.folds import FEW, folds_of
from icnn.learn.loss import Split, batched_loss, loss
from icnn.models import FICNN, PICNN, Quadratic, Sum

TINY = Budget(restarts=2, steps=40, every=10, polish=10)
X, Y = table(2, rows=22)
KINDS = [FICNN(2, (4,)), Quadratic(2)]


def fit(models=KINDS, X=X, y=Y, budget=TINY, **options):
    return icnn.fit(models, X, y, combine="mix", budget=budget, progress=False, **options)


def plan(groups=None, seed=0, **options):
    budget = replace(TINY, **options)
    return Plan(budget, budget, seed, groups=groups)


@pytest.mark.parametrize(("rows", "share", "count"), [(22, 0.2, 5), (4, 0.25, 4), (30, 0.01, 10)])
def test_every_row_is_held_out_once_by_folds_of_nearly_as_many(rows, share, count):
    out = folds_of(rows, plan(validation=share))
    assert out.shape == (count, rows)
    assert (out.sum(0) == 1).all()
    assert np.ptp(out.sum(1).numpy()) <= 1
    assert not torch.equal(out, folds_of(rows, plan(validation=share, seed=1)))
    assert torch.equal(out, folds_of(rows, plan(validation=share)))


def test_groups_stay_whole_and_no_fold_is_empty():
    labels = np.repeat([3, 0, 1, 2, 7, 9], [9, 5, 1, 2, 3, 1])
    out = folds_of(len(labels), plan(labels))
    assert (out.sum(0) == 1).all()
    assert out.any(1).all()
    for group in np.unique(labels):
        assert out[:, labels == group].any(1).sum() == 1
    assert len(folds_of(8, plan(np.repeat([0, 1], 4)))) == 2


def test_where_one_hold_out_has_rows_enough_there_are_no_folds(monkeypatch):
    assert folds_of(4 * FEW, plan()) is not None
    assert folds_of(5 * FEW, plan()) is None
    assert folds_of(22, plan(batch_size=21)) is None
    assert folds_of(22, plan(validation=0.7)) is None
    monkeypatch.setattr(folds, "committee", None)  # would fail
    many, y = table(2, rows=5 * FEW)
    fit(X=many, y=y)
    icnn.fit(KINDS, X, Y, budget=TINY, progress=False)  # nor where the best is kept


def test_one_group_is_refused_as_ever():
    with pytest.raises(BadData, match="all 22 rows are of one group"):
        fit(groups=np.zeros(22))


def test_weights_are_the_shares_of_errors_of_rows_that_a_model_did_not_see(monkeypatch):
    seen, train = [], folds._train

    def recording(model, data, out, plan):
        seen.append((data, out, train(model, data, out, plan)))
        return seen[-1][-1]

    monkeypatch.setattr(folds, "_train", recording)
    weight = np.linspace(0.5, 2.0, len(X))
    s = fit(sample_weight=weight)
    pooled = []
    for data, out, kind in seen:
        errors = torch.empty(len(X)).double()
        for mask, one in zip(out, kind, strict=True):
            part = data.rows(torch.nonzero(mask).squeeze(1)).double()
            errors[mask] = (one.model(part.x) - part.y).square()
            assert one.loss == pytest.approx(float(loss(one.model, part)))
        pooled.append(np.average(errors, weights=weight))
    expected = shares(np.array(pooled), weight.sum() ** 2 / np.square(weight).sum())
    assert isinstance(s.model, Sum)
    np.testing.assert_allclose(s.model.weights, np.repeat(expected[expected > 0] / 5, 5), rtol=1e-5)
    assert s.history.held_out <= expected @ pooled * (1 + 1e-6)  # by convexity
    assert s.history.train.shape[1] == 2 * 5


def test_a_committee_is_convex_reproducible_and_decides():
    s = fit()
    assert sum(s.model.weights) == pytest.approx(1)
    assert min(s.model.weights) >= LEAST_SHARE / 5
    assert_convex(s.at(), 2)
    assert icnn.minimize(s).success
    np.testing.assert_array_equal(s.predict(X), fit().predict(X))
    assert not np.array_equal(s.predict(X), fit(seed=1).predict(X))


def test_slopes_contexts_and_a_warm_start_go_along():
    slopes = np.full_like(X, np.nan)
    slopes[0] = 0.0
    assert not np.array_equal(fit(gradients=slopes).predict(X), fit().predict(X))
    given = fit([PICNN(1, 1, (4,), (4,))], X[:, :1], context=X[:, 1:], groups="context")
    assert np.isfinite(given.predict(X[:, :1], X[:, 1:])).all()
    short = replace(TINY, steps=1, learning_rate=1e-9, polish=0)
    start = Quadratic(2)
    warm = fit([start], budget=short, warm_start=True)
    for one in warm.model.terms:
        for mine, own in zip(one.parameters(), start.parameters(), strict=True):
            torch.testing.assert_close(mine, own.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "models",
    [
        [FICNN(2, (4,), seed=k) for k in range(3)],
        [FICNN(2, (4,), "softplus", seed=k) for k in range(3)],
    ],
)
def test_weights_a_model_are_the_losses_of_its_own_rows(models):
    models = [one.double() for one in models]
    w = torch.rand(3, len(X), generator=torch.Generator().manual_seed(0)).double().round(decimals=1)
    data = Split(torch.from_numpy(X), torch.from_numpy(Y), w)
    _, losses = batched_loss(models)
    expected = [loss(one, replace(data, w=row)) for one, row in zip(models, w, strict=True)]
    torch.testing.assert_close(losses(data), torch.stack(expected))
