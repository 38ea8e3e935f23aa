"""Several models for one table: the best on the hold-out, mixtures, slopes as labels, decay."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import torch
from laws import assert_convex
from zoo import MODELS, QUICK, table

import icnn
from icnn import BadData, Budget
from icnn.learn import choose
from icnn.learn.choose import (
    AUTO_SMOOTH,
    LEAST_SHARE,
    WIDTHS,
    Trained,
    candidates_for,
    mixed,
    shares,
)
from icnn.learn.loss import Split, batched_loss, loss
from icnn.learn.train import _shrink
from icnn.models import FICNN, PICNN, Additive, GroupMax, HyperICNN, Quadratic, Sum

TINY = Budget(restarts=2, steps=60, every=10, polish=10)
SHORT = Budget(restarts=2, steps=400, polish=20)
X, Y = table(2, rows=80)
NOISY = Y + 2 * Y.std() * np.random.default_rng(8).standard_normal(len(Y))  # no model stands out
SPREAD = np.random.default_rng(7)
SQUARE_X = SPREAD.uniform(-1, 1, (200, 3))
SQUARE_Y = np.square(SQUARE_X - 0.3) @ np.array([1.0, 2.0, 3.0]) + SQUARE_X[:, 0]


def fit(model, X=X, y=Y, budget=TINY, **options):
    return icnn.fit(model, X, y, budget=budget, progress=False, **options)


def held_out_loss(s):
    return s.history.validation.min()


@torch.no_grad()
def test_an_additive_model_is_its_formula():
    model = Additive(3, knots=4).double()
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)).double()
    knot, weight = model.knot.view(3, 4), model.outer().view(3, 4)
    kinks = (torch.relu(x[:, :, None] - knot) * weight).sum((1, 2))
    torch.testing.assert_close(model(x), x @ model.slope[0] + kinks + model.offset[0])


def test_an_additive_model_learns_kinks_of_columns_that_stand_alone():
    y = np.abs(SQUARE_X[:, 0] - 0.2) + np.maximum(SQUARE_X[:, 1], -0.4) + 0.5 * SQUARE_X[:, 2]
    assert fit(Additive(3), SQUARE_X, y, SHORT).score(SQUARE_X, y) > 0.999


def test_the_better_of_two_models_is_kept():
    flat, square = FICNN(3, (2,), "identity"), Quadratic(3)
    for models in ([flat, square], (square, flat)):
        s = fit(models, SQUARE_X, SQUARE_Y, SHORT)
        assert type(s.model) is Quadratic
        alone = fit(square, SQUARE_X, SQUARE_Y, SHORT)
        np.testing.assert_array_equal(s.predict(SQUARE_X), alone.predict(SQUARE_X))


def test_the_figure_kept_with_a_fit_is_the_one_that_chooses():
    """Of several models it is the least of their own; after the polish."""
    models = [FICNN(3, (6,)), Quadratic(3)]
    alone = [fit(model, SQUARE_X, SQUARE_Y).history for model in models]
    least = min(one.held_out for one in alone)
    assert fit(models, SQUARE_X, SQUARE_Y).history.held_out == least
    assert all(one.held_out <= one.validation.min() * (1 + 1e-6) for one in alone)
    assert any(one.polish_steps and one.held_out < one.validation.min() for one in alone)


def test_a_polish_ends_at_the_slope_that_is_asked_for():
    """On exact squares no slope ends it at 0: the hold-out falls to the squares of rounding."""
    losses = []
    for tolerance in (1e6, 1e-5, 0.0):
        budget = Budget(restarts=1, steps=40, polish=300, polish_tolerance=tolerance)
        history = fit(Quadratic(3), SQUARE_X, SQUARE_Y, budget).history
        losses.append((history.held_out, history.polish_steps))
    (rough, first), (usual, some), (fine, many) = losses
    assert first <= 1 < some < many
    assert rough > usual > 1e-13 > fine  # the rows were rounded to float32


def test_only_the_budget_counts_the_steps_of_a_polish(monkeypatch):
    """scipy would end it after 15,000 evaluations as well."""
    asked, minimize = [], scipy.optimize.minimize

    def seen(*arguments, **options):
        asked.append(options["options"])
        return minimize(*arguments, **options)

    monkeypatch.setattr(scipy.optimize, "minimize", seen)
    fit(Quadratic(3), SQUARE_X, SQUARE_Y, Budget(restarts=1, steps=40, polish=20_000))
    assert asked[0]["maxiter"] == 20_000
    assert asked[0]["maxfun"] > 20 * asked[0]["maxiter"]  # as many as a step may take


def test_a_mixture_is_a_weighted_mean_of_convex_models():
    models = [FICNN(2, (8,)), Quadratic(2)]
    mixed = fit(models, y=NOISY, combine="mix", budget=QUICK)
    assert isinstance(mixed.model, Sum)
    assert sum(mixed.model.weights) == pytest.approx(1)
    assert min(mixed.model.weights) >= LEAST_SHARE
    assert_convex(mixed.at(), 2)
    np.testing.assert_allclose(mixed.predict(X), mixed.at()(X), rtol=1e-12)
    decision = icnn.minimize(mixed)
    assert decision.success
    assert decision.value <= mixed.predict(X).min() + 1e-9


@pytest.mark.parametrize("slopes", [False, True])
def test_a_mixture_has_the_shares_of_its_losses_and_by_convexity_at_most_their_mean(slopes):
    models = [FICNN(2, (6,), seed=k).double().requires_grad_(False) for k in range(4)]
    x = torch.from_numpy(X)
    y = models[0](x) + 0.5 * models[1](x).std() * torch.sin(9 * x[:, 0])
    g = torch.ones_like(x) if slopes else None
    held_out = Split(x, y, torch.linspace(0.5, 1.5, len(y)).double(), None, g)
    errors = [float(loss(model, held_out)) for model in models]
    found = mixed([Trained(*pair, None) for pair in zip(models, errors, strict=True)], held_out)
    rows = float(held_out.w.sum() ** 2 / held_out.w.square().sum())
    expected = shares(np.array(errors), rows)
    terms = found.model.weights if isinstance(found.model, Sum) else [1.0]
    np.testing.assert_allclose(terms, expected[expected > 0])
    assert found.loss == pytest.approx(float(loss(found.model, held_out)))
    assert found.loss <= expected @ errors * (1 + 1e-9)


def test_shares_are_equal_where_losses_are_and_fall_by_e_squared_a_standard_error():
    np.testing.assert_allclose(shares(np.full(5, 0.3), 40), 0.2)
    for rows in (4, 50):
        one_off = np.exp(np.sqrt(2 / rows))
        few = shares(np.array([0.1, 0.1 * one_off]), rows)
        assert few[0] / few[1] == pytest.approx(np.e**2)
        np.testing.assert_allclose(shares(np.array([1e3, 1e3 * one_off]), rows), few)


def test_shares_drop_what_is_tiny_and_take_the_best_of_many_rows():
    near = np.array([1.0, 1.2, 5.0])
    few, many = shares(near, 4), shares(near, 2000)
    assert few.sum() == many.sum() == pytest.approx(1)
    assert few[0] > few[1] > few[2] == 0.0
    assert many.tolist() == [1, 0, 0]
    assert shares(np.array([0.0, 1e-20, 1.0]), 9).tolist() == [0.5, 0.5, 0.0]


def test_every_restart_comes_to_the_mixture_with_its_own_decay(monkeypatch):
    seen = []

    def recording(trained, held_out):
        seen.extend(trained)
        return mixed(trained, held_out)

    monkeypatch.setattr(choose, "mixed", recording)
    budget = Budget(restarts=2, decay=(0.0, 30.0), steps=100, every=100, polish=0)
    fit(FICNN(2, (8,)), combine="mix", budget=budget)
    first, second = (float(one.model.V[0].free.abs().max()) for one in seen)
    assert second < 0.5 * first


def test_decay_leaves_biases_and_weights_that_a_map_keeps_positive():
    params = {name: torch.ones(shape) for name, shape in [("V", (2, 3, 4)), ("b", (2, 3))]}
    params["W.0.raw"] = torch.ones(2, 3, 3)
    _shrink(params, torch.tensor([1.0, 0.5]))
    assert params["V"].amax((1, 2)).tolist() == [1.0, 0.5]
    assert (params["b"] == 1).all()
    assert (params["W.0.raw"] == 1).all()


@torch.no_grad()
def test_a_weighted_sum_is_its_formula_and_shifts_by_what_it_is_told():
    parts = [FICNN(2, (6,)), Quadratic(2)]
    model = Sum(*parts, weights=[0.3, 2.5])
    x = torch.from_numpy(X).float()
    expected = 0.3 * parts[0](x) + 2.5 * parts[1](x)
    torch.testing.assert_close(model(x), expected)
    model.shift_output(torch.tensor(1.5))
    torch.testing.assert_close(model(x), expected + 1.5)


@pytest.mark.parametrize("concave", [False, True])
def test_auto_is_at_least_as_good_as_its_parts_on_a_quadratic_truth(concave):
    y = -SQUARE_Y if concave else SQUARE_Y
    s = fit("auto", SQUARE_X, y, SHORT, concave=concave)
    rng = np.random.default_rng(1)
    new = rng.uniform(-0.9, 0.9, (500, 3))
    truth = np.square(new - 0.3) @ np.array([1.0, 2.0, 3.0]) + new[:, 0]
    assert s.score(new, -truth if concave else truth) > 0.999
    assert (icnn.maximize if concave else icnn.minimize)(s).success


def test_auto_finds_a_convex_quadratic_whose_columns_meet_from_few_rows():
    """Ten coefficients from 30 rows, as a mixture without a full quadratic does not."""
    rng = np.random.default_rng(3)
    B, rows = rng.normal(size=(3, 3)), rng.uniform(-1, 1, (530, 3))
    y = np.square(rows @ B.T - 0.2).sum(1)
    budget = replace(AUTO_SMOOTH, restarts=2, steps=300)
    s = fit("auto", rows[:30], y[:30], budget)
    assert 1 - s.score(rows[30:], y[30:]) < 1e-4
    without = fit(candidates_for(3, 0)[:-1], rows[:30], y[:30], budget, combine="mix")
    assert 1 - without.score(rows[30:], y[30:]) > 1e-3


def test_auto_takes_a_context():
    rng = np.random.default_rng(0)
    x, c = rng.uniform(-1, 1, (300, 2)), pd.DataFrame({"wind": rng.uniform(-1, 1, 300)})
    y = np.square(x[:, 0] - c["wind"].to_numpy()) + np.abs(x[:, 1])
    s = fit("auto", x, y, SHORT, context=c)
    assert s.score(x, y, c) > 0.98
    assert icnn.minimize(s, context={"wind": 0.5}).x[0] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("model", "context"),
    [
        (lambda: FICNN(2, "auto"), None),
        (lambda: GroupMax(2, "auto"), None),
        (lambda: PICNN(2, 1, "auto", (4,)), X[:, :1] ** 2),
        (lambda: HyperICNN(2, 1, "auto", (2,)), X[:, :1] ** 2),
    ],
)
def test_sizes_are_chosen_on_the_hold_out(model, context, tmp_path):
    s = fit(model(), budget=Budget(restarts=1, steps=30, every=10, polish=0), context=context)
    assert s.model.config["hidden"] in [list(sizes) for sizes in WIDTHS]
    icnn.save(s, tmp_path / "s.icnn")
    again = icnn.load(tmp_path / "s.icnn").predict(X, context)
    np.testing.assert_array_equal(again, s.predict(X, context))


def test_a_mixture_survives_a_file_with_its_weights(tmp_path):
    s = fit([FICNN(2, (4,)), Quadratic(2)], y=NOISY, combine="mix", budget=QUICK)
    assert isinstance(s.model, Sum)
    icnn.save(s, tmp_path / "s.icnn")
    again = icnn.load(tmp_path / "s.icnn")
    assert again.model.weights == s.model.weights
    np.testing.assert_array_equal(again.predict(X), s.predict(X))


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_of_slopes_is_that_of_finite_differences(name):
    model = MODELS[name]().double()
    generator = torch.Generator().manual_seed(3)
    x, y, w, g = (
        torch.randn(shape, generator=generator).double() for shape in [(9, 2), (9,), (9,), (9, 2)]
    )
    w, g[2, 1], g[5] = w.abs(), torch.nan, torch.nan
    step = 1e-6 * torch.eye(2).double()
    with torch.no_grad():
        slopes = torch.stack([(model(x + h) - model(x - h)) / 2e-6 for h in step], 1)
        away = torch.where(g.isnan(), 0.0, slopes - g).square().mean(1)
        expected = (w * ((model(x) - y).square() + away)).sum() / w.sum()
    torch.testing.assert_close(loss(model, Split(x, y, w, None, g)), expected, rtol=1e-5, atol=0)
    _, losses = batched_loss([model, model])
    both = losses(Split(x, y, w, None, g))
    torch.testing.assert_close(both, expected.repeat(2), rtol=1e-5, atol=0)


@pytest.mark.parametrize("concave", [False, True])
def test_slopes_teach_what_few_values_cannot(concave):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (25, 5)) * 100 + 300
    q = np.arange(1.0, 6.0)
    sign = -1.0 if concave else 1.0
    truth = lambda x: sign * np.square((x - 320) / 100) @ q  # noqa: E731
    slopes = sign * 2 * (x - 320) / 1e4 * q
    new = rng.uniform(-1, 1, (500, 5)) * 100 + 300
    plain = fit(FICNN(5, (32,)), x, truth(x), SHORT, concave=concave)
    taught = fit(FICNN(5, (32,)), x, truth(x), SHORT, concave=concave, gradients=slopes)
    assert taught.score(new, truth(new)) > 0.9 > plain.score(new, truth(new))
    some = slopes.copy()
    some[::2] = np.nan
    frame = pd.DataFrame(some[:, ::-1], columns=[f"x{j}" for j in range(4, -1, -1)])
    half = fit(FICNN(5, (32,)), x, truth(x), SHORT, concave=concave, gradients=frame)
    assert half.score(new, truth(new)) > plain.score(new, truth(new))


def test_slopes_of_a_promised_direction_keep_their_sign():
    x = np.random.default_rng(0).uniform(0, 1, (40, 2))
    y = np.sqrt(x[:, 0] + 0.1) - np.square(x[:, 1])
    slopes = np.column_stack([0.5 / np.sqrt(x[:, 0] + 0.1), -2 * x[:, 1]])
    model = FICNN(2, (16,), monotone=(1, -1))
    s = fit(model, x, y, SHORT, concave=True, gradients=slopes)
    assert s.score(x, y) > 0.98


def test_a_frame_of_whole_numbers_as_names_is_read_by_them():
    frame, slopes = pd.DataFrame(X), pd.DataFrame(2 * X)[[1, 0]]
    s = fit(FICNN(2, (4,)), X=frame, gradients=slopes)
    assert s.columns == ("0", "1")
    plain = fit(FICNN(2, (4,)), gradients=2 * X)
    np.testing.assert_array_equal(s.predict(frame[[1, 0]]), plain.predict(X))


def test_decay_lists_may_be_arrays():
    assert Budget(decay=np.array([0.0, 0.5])) == Budget(decay=[0.0, 0.5])


def test_weights_too_small_to_be_seen_count_as_none():
    """A hold-out of them alone had NaN for an error, and the initial values were kept."""
    tiny = np.where(np.arange(len(Y)) < 20, 1.0, 1e-60)
    s = fit(FICNN(2, (4,)), sample_weight=tiny)
    np.testing.assert_array_equal(
        s.predict(X), fit(FICNN(2, (4,)), sample_weight=(tiny > 0.5) * 1.0).predict(X)
    )


def test_decay_shrinks_free_weights_and_leaves_the_rest():
    sizes = []
    for decay in (0.0, 10.0):
        s = fit(FICNN(2, (8,)), budget=Budget(restarts=1, decay=(decay,), steps=200, polish=0))
        sizes.append(float(s.model.V[0].free.abs().max()))
    assert sizes[1] < 0.5 * sizes[0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit("best"), "a list of them or \"auto\", not 'best'"),
        (lambda: fit([]), "the list of models is empty"),
        (lambda: fit([FICNN(2), "x"]), "model must be a convex model"),
        (lambda: fit([FICNN(2), FICNN(3)]), "the model takes 3 columns, but X has 2"),
        (lambda: fit(FICNN(2), combine="all"), 'combine is "best" or "mix", not \'all\''),
        (lambda: fit(FICNN(2), gradients=X[:5]), "gradients has shape (5, 2); expected (80, 2)"),
        (lambda: fit(FICNN(2), gradients=X / 0.0), "row 0 is infinite"),
        (lambda: fit(FICNN(2), gradients=np.nan * X), "gradients are all NaN"),
        (lambda: fit(FICNN(2), gradients=pd.DataFrame({"x0": Y})), "gradients has no column 'x1'"),
        (lambda: fit(FICNN(2), combine=""), 'combine is "best" or "mix", not \'\''),
        (lambda: fit("auto", warm_start=True), 'but "auto" makes new models'),
        (lambda: fit(FICNN(2, "auto"), warm_start=True), 'but "auto" makes new models'),
        (lambda: fit([Quadratic(2), FICNN(2, "auto")], warm_start=True), "warm_start starts from"),
        (
            lambda: fit(FICNN(2), gradients=pd.DataFrame(np.c_[X, Y], columns=["x0", "x1", "x1"])),
            "gradients has more than one column 'x1'",
        ),
        (lambda: Budget(decay=0.1), "Budget.decay lists numbers of at least 0, not 0.1"),
        (lambda: Budget(polish_tolerance=-1.0), "polish_tolerance is a number of at least 0, not"),
        (lambda: Budget(decay=("a",)), "Budget.decay lists numbers of at least 0, not ('a',)"),
        (lambda: Budget(decay=(0.0, 51.0)), "at learning_rate 0.02 give at most 50"),
        (lambda: Sum(FICNN(2), weights=2.0), "a weight ≥ 0 for each of 1 models, not all 0: 2.0"),
        (lambda: Sum(FICNN(2), weights=["a"]), "a weight ≥ 0 for each of 1 models"),
        (lambda: Budget(decay=()), "Budget.decay lists numbers of at least 0"),
        (lambda: Budget(decay=(-1.0,)), "Budget.decay lists numbers of at least 0"),
        (lambda: Sum(FICNN(2), weights=[0.0]), "a weight ≥ 0 for each of 1 models, not all 0"),
        (lambda: Sum(FICNN(2), weights=[1.0, 1.0]), "a weight ≥ 0 for each of 1 models"),
        (lambda: Sum(FICNN(2), weights=[-1.0]), "a weight ≥ 0 for each of 1 models"),
        (lambda: Sum(FICNN(2, "auto"), Quadratic(2)), "give its sizes in a Sum"),
        (lambda: FICNN(2, "many"), "lists the units of each layer"),
        (lambda: Additive(0), "n_inputs must be"),
        (lambda: Additive(2, 0), "knots must be"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with np.errstate(divide="ignore"), pytest.raises(BadData) as caught:
        call()
    assert words in str(caught.value)
