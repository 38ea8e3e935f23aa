"""fit: free of units, reproducible, and it names the place of what is wrong with a table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from laws import assert_convex
from zoo import MODELS, QUICK, table

import icnn
from icnn import Budget

TINY = Budget(restarts=2, steps=60, every=10, polish=10)
X, Y = table(2, rows=80)


def fit(model=None, X=X, y=Y, budget=TINY, **options):
    return icnn.fit(model or icnn.FICNN(2, (8,)), X, y, budget=budget, progress=False, **options)


@pytest.mark.parametrize("name", MODELS)
def test_learns_and_stays_convex(name):
    s = fit(MODELS[name](), budget=QUICK)
    limit = {"ficnn-identity": 0.0, "ficnn-linear": 0.0, "ficnn-monotone": 0.0}.get(name, 0.85)
    limit = 0.3 if name == "ficnn-half-monotone" else limit
    assert s.score(X, Y) > limit
    assert_convex(s.at(), 2)
    np.testing.assert_allclose(s.predict(X), s.at()(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "d", "c", "e"),
    [
        (1000.0, 0.0, 1.0, 0.0),
        (1.0, 0.0, 1e4, 0.0),
        (250.0, 500.0, 1e-6, 3e-6),
        (1e-6, 1.0, 1e6, -1e6),
    ],
)
@pytest.mark.parametrize("name", ["ficnn-softplus", "ficnn-projection", "sum-exp", "max-affine"])
def test_units_do_not_matter(name, a, d, c, e):
    plain, other = fit(MODELS[name]()), fit(MODELS[name](), a * X + d, c * Y + e)
    near = 1e-6 * np.ptp(Y)
    np.testing.assert_allclose((other.predict(a * X + d) - e) / c, plain.predict(X), atol=near)
    assert other.score(a * X + d, c * Y + e) == pytest.approx(plain.score(X, Y), rel=1e-6)


def test_the_model_stays_as_it_is_and_only_seed_decides():
    model = icnn.FICNN(2, (8,), seed=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = fit(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
    again = fit(icnn.FICNN(2, (8,), seed=9))
    np.testing.assert_array_equal(first.predict(X), again.predict(X))
    assert np.abs(fit(model, seed=1).predict(X) - first.predict(X)).max() > 1e-6


def test_warm_start_begins_at_the_given_weights():
    good = fit(budget=QUICK).model
    still = replace(TINY, learning_rate=1e-12, steps=1, polish=0)
    kept = fit(good, budget=still, warm_start=True)
    np.testing.assert_allclose(kept.predict(X), fit(budget=QUICK).predict(X), rtol=1e-4, atol=1e-4)
    assert fit(good, budget=still).score(X, Y) < kept.score(X, Y)


def test_no_polish_is_none():
    """The weights are then those of Adam, which float32 can hold."""
    for seed in range(5):
        s = fit(budget=replace(TINY, polish=0), seed=seed)
        assert all(torch.equal(p, p.float().double()) for p in s.model.parameters())


def test_concave_is_minus_convex():
    convex, concave = fit(), fit(y=-Y, concave=True)
    np.testing.assert_array_equal(concave.predict(X), -convex.predict(X))
    assert concave.score(X, -Y) == convex.score(X, Y)
    assert_convex(concave.at(), 2)
    np.testing.assert_array_equal(concave.at()(X), -concave.predict(X))


def test_rows_of_weight_zero_have_no_influence(rng):
    weight = rng.choice([0.0, 1.0, 2.5], len(Y))
    noisy = np.where(weight == 0, 1e3 * rng.normal(size=len(Y)), Y)
    moved = np.where(weight[:, None] == 0, rng.uniform(-2, 2, X.shape), X)
    first, second = fit(sample_weight=weight), fit(X=moved, y=noisy, sample_weight=weight)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    scaled = fit(sample_weight=1e5 * weight)
    np.testing.assert_allclose(scaled.predict(X), first.predict(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_a_hold_out_never_consists_of_weight_zero(seed):
    weight = np.zeros(len(Y))
    weight[:5] = 1.0
    s = fit(sample_weight=weight, seed=seed)
    assert np.isfinite(s.history.validation).all()
    assert np.isfinite(s.history.train).all()


def test_whole_weights_count_like_duplicates_in_the_loss():
    from icnn.learn.loss import Split, loss

    model, count = icnn.FICNN(2, (8,)), np.arange(len(Y)) % 3
    x, y = torch.from_numpy(X).float(), torch.from_numpy(Y).float()
    repeat = torch.from_numpy(np.repeat(np.arange(len(Y)), count))
    weighted = loss(model, Split(x, y, torch.from_numpy(count).float()))
    torch.testing.assert_close(
        weighted, loss(model, Split(x[repeat], y[repeat], torch.ones(len(repeat))))
    )


def test_history_is_what_it_says():
    h = fit().history
    assert h.train.shape == h.validation.shape == (len(h.step), 2)
    assert h.step[-1] == TINY.steps
    assert h.seconds > 0
    assert h.chosen == np.argmin(h.validation.min(0))


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a.tolist(),
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=0)[::2],
        torch.from_numpy,
        lambda a: torch.tensor(a, requires_grad=True),
        pd.DataFrame,
    ],
    ids=["list", "fortran", "strided", "torch", "gradient", "frame"],
)
def test_tables_of_every_kind(convert):
    s = fit(X=convert(X), y=torch.from_numpy(Y)[:, None])
    np.testing.assert_allclose(s.predict(X), fit().predict(X), rtol=1e-9, atol=1e-9)


def test_names_come_from_the_frame_or_the_argument():
    frame = pd.DataFrame(X, columns=["load", "temperature"])
    assert fit(X=frame, y=pd.Series(Y)).columns == ("load", "temperature")
    assert fit(X=frame, columns=["a", "b"]).columns == ("a", "b")
    assert fit(columns=frame.columns).columns == ("load", "temperature")
    assert fit().columns == ("x0", "x1")


def test_few_rows_and_short_budgets_fit():
    assert np.isfinite(fit(X=X[:4], y=Y[:4]).predict(X)).all()
    assert np.isfinite(fit(budget=Budget(restarts=1, steps=1, polish=0)).predict(X)).all()
    assert np.isfinite(fit(budget=replace(TINY, batch_size=7)).predict(X)).all()
