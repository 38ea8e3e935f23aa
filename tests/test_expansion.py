"""Expansions in max(0, x - t): within their bound, with the fewest units and the best knots."""

import math

import numpy as np
import pytest
import torch
from convex_functions import KINDS, draw, exact_worst, worst

import icnn
from icnn import BadData, NotConvex
from icnn.theory import expansion_error, relu_expansion, relu_terms

UNIT = (-1.0, 1.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_thousand_random_functions_stay_within_their_bounds(kind, rng):
    for _ in range(-(-1000 // len(KINDS))):
        f, interval = draw(kind, rng)
        g = relu_expansion(f, interval, units=int(rng.integers(1, 6)))
        terms, bound = relu_terms(g), expansion_error(g, f, interval)
        assert (terms.c >= 0).all()
        assert worst(f, g, interval, terms.knots) <= bound


@pytest.mark.parametrize("units", [1, 3, 8])
def test_the_bound_of_piecewise_linear_functions_in_rational_arithmetic(units, rng):
    for _ in range(30):
        s, t = rng.normal(size=(2, 9))
        f = lambda x, s=s, t=t: (np.multiply.outer(x, s) + t).max(-1)  # noqa: E731
        g = relu_expansion(f, (-2, 3), units=units)
        error, bound = exact_worst(s, t, relu_terms(g), (-2, 3)), expansion_error(g, f, (-2, 3))
        assert error <= bound <= 1.001 * error + 1e-12
        if units == 8:  # as many as there can be kinks
            assert error < 1e-13


CURVED = {  # ∫ √f'' over the interval
    "square": (lambda x: x * x, (-1, 2), 3 * 2**0.5),
    "exponential": (np.exp, (-1, 2), 2 * (math.exp(1) - math.exp(-0.5))),
    "softplus": (lambda x: np.logaddexp(0, x), (-6, 6), 2 * math.atan(math.sinh(3))),
    "log-sum-exp": (lambda x: np.logaddexp(x, -x), (-3, 3), 2 * math.atan(math.sinh(3))),
    "huber": (lambda x: np.where(abs(x) <= 1, x * x / 2, abs(x) - 0.5), (-3, 3), 2.0),
}


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("pieces", [64, 128])
def test_the_error_falls_as_one_over_the_square_with_the_best_constant(name, pieces):
    f, interval, root = CURVED[name]
    g = relu_expansion(f, interval, units=pieces - 1)
    assert 0.999 <= expansion_error(g, f, interval) * 16 * pieces**2 / root**2 <= 1.05


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 20])
def test_a_square_has_the_best_error_that_there_is(pieces):
    g = relu_expansion(lambda x: x * x, (0, 1), units=pieces)
    assert expansion_error(g, lambda x: x * x, (0, 1)) == pytest.approx(
        1 / (8 * (pieces + 1) ** 2), rel=2e-5
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_choice_of_knots_on_a_grid_is_better(kind, rng):
    for _ in range(3):
        f, interval = draw(kind, rng)
        bound = expansion_error(relu_expansion(f, interval, units=3), f, interval)
        assert bound <= 1.021 * best_on_a_grid(f, interval, 4) + 1e-12 * np.abs(f(interval[1]))


def best_on_a_grid(f, interval, pieces):
    """Half of the least largest gap under chords, by dynamic programming over 81 places."""
    x = np.linspace(*interval, 81)
    y = f(x)
    gap = np.full((81, 81), np.inf)
    for i in range(81):
        for j in range(i + 1, 81):
            chord = y[i] + (y[j] - y[i]) * (x[i : j + 1] - x[i]) / (x[j] - x[i])
            gap[i, j] = (chord - y[i : j + 1]).max()
    cost = gap[0]
    for _ in range(pieces - 1):
        cost = np.minimum(cost, np.maximum(cost[:, None], gap).min(axis=0))
    return cost[-1] / 2


@pytest.mark.parametrize("name", CURVED)
def test_an_error_takes_the_fewest_units(name):
    f, interval, _ = CURVED[name]
    for error in (0.3, 0.01, 1e-3):
        g = relu_expansion(f, interval, error=error)
        units = len(relu_terms(g).c)
        assert expansion_error(g, f, interval) <= error
        if units > 1:
            fewer = relu_expansion(f, interval, units=units - 1)
            assert expansion_error(fewer, f, interval) > error


def test_an_affine_function_needs_no_unit():
    g = relu_expansion(lambda x: 3 * x + 1, UNIT, error=1e-9)
    assert len(relu_terms(g).c) == 0
    assert g(np.array([[0.5]])) == pytest.approx([2.5], abs=1e-15)


@pytest.mark.parametrize("units", [1, 2, 50])
def test_a_kink_is_a_knot(units):
    terms = relu_terms(relu_expansion(lambda x: abs(x - 0.3) - 2.0 * x, UNIT, units=units))
    assert terms.knots == pytest.approx([0.3], abs=1e-15)
    assert terms.c == pytest.approx([2.0], abs=1e-14)


def test_kinks_of_a_curved_function_are_knots():
    f = lambda x: np.exp(x) + abs(x - math.pi / 10) + max(0.0, 2 * x + 1)  # noqa: E731
    knots = relu_terms(relu_expansion(f, UNIT, units=12)).knots
    for kink in (math.pi / 10, -0.5):
        assert np.abs(knots - kink).min() <= 1e-14


def test_many_kinks_are_found(rng):
    t, c = np.sort(rng.uniform(-3, 3, 40)), rng.uniform(0.5, 2, 40)
    f = lambda x: (c * np.maximum(0, np.subtract.outer(x, t))).sum(-1) - 9 * x  # noqa: E731
    terms = relu_terms(relu_expansion(f, (-3.1, 3.1), error=1e-9))
    np.testing.assert_allclose(terms.knots, t, atol=1e-11)
    np.testing.assert_allclose(terms.c, c, atol=1e-9)


def test_the_network_is_minimised_to_what_brute_force_finds(rng):
    for kind in KINDS:
        for _ in range(3):
            f, interval = draw(kind, rng)
            g = relu_expansion(f, interval, units=6)
            decision = icnn.minimize(g, bounds=[interval])
            corners = np.array([*interval, *relu_terms(g).knots])
            least = g(corners[:, None]).min()
            assert decision.value == pytest.approx(least, rel=1e-9, abs=1e-9 * decision.scale)
            assert decision.bound <= least


def test_shift_and_scale_move_the_expansion(rng):
    f, interval = CURVED["softplus"][:2]
    terms = relu_terms(relu_expansion(f, interval, units=4))
    moved = relu_terms(
        relu_expansion(lambda x: 8 * f(4 * (x - 100)) + 3 * x, (98.5, 101.5), units=4)
    )
    np.testing.assert_allclose(4 * (moved.knots - 100), terms.knots, atol=1e-4)
    np.testing.assert_allclose(moved.c / 32, terms.c, rtol=1e-4)
    assert moved.b1 == pytest.approx(32 * terms.b1 + 3, abs=1e-4)


FORMS = {
    "numbers": math.exp,
    "arrays": np.exp,
    "tensors": torch.exp,
    "in place": lambda x: np.exp(x, out=x),
    "one in an array": lambda x: np.array([math.exp(x)]),
    "one in a list": lambda x: [math.exp(x)],
    "branches": lambda x: math.exp(x) if x > 0 else 1 / math.exp(-x),
    "module": torch.nn.Sequential(torch.nn.Identity(), torch.nn.ELU()),
    "network": relu_expansion(np.exp, UNIT, units=30),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_callable_is_taken(form):
    f = FORMS[form]
    g = relu_expansion(f, UNIT, units=5)
    values = {"network": lambda x: FORMS["network"](x[:, None]), "module": lambda x: x.clip(0) +
              np.expm1(x.clip(None, 0))}.get(form, np.exp)  # fmt: skip
    assert worst(values, g, UNIT, relu_terms(g).knots) <= expansion_error(g, f, UNIT)


def test_a_function_of_all_points_at_once_is_asked_one_by_one():
    f = lambda x: np.square(x) + np.max(x)  # noqa: E731
    g = relu_expansion(f, UNIT, units=5)
    assert worst(lambda x: x**2 + x, g, UNIT, relu_terms(g).knots) <= expansion_error(g, f, UNIT)


def test_single_precision_is_known_to_be_coarser():
    f = lambda x: np.abs(x - np.float32(0.25)).astype(np.float32)  # noqa: E731
    assert 1e-7 < expansion_error(relu_expansion(f, UNIT, units=5), f, UNIT) < 1e-4


def test_modules_of_one_input_are_taken_and_others_refused():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Softplus(), torch.nn.Flatten(0))
    column = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Softplus())
    column[0].load_state_dict(module[0].state_dict())
    one, other = (relu_terms(relu_expansion(m.double(), UNIT, units=3)) for m in (module, column))
    np.testing.assert_array_equal(one.c, other.c)
    with pytest.raises(BadData, match=r"Linear does not take a tensor \(N,\) or \(N, 1\)"):
        relu_expansion(torch.nn.Linear(2, 1), UNIT, units=5)


def test_infinite_slopes_at_an_end_are_followed():
    f = lambda x: -np.sqrt(x)  # noqa: E731
    g = relu_expansion(f, (0, 1), error=1e-3)
    assert worst(f, g, (0, 1), relu_terms(g).knots) <= expansion_error(g, f, (0, 1)) <= 1e-3


def test_the_bound_sees_a_wrong_expansion(rng):
    g = relu_expansion(np.exp, UNIT, units=4)
    terms = relu_terms(g)
    for shift in (-0.1, 0.1):
        spoiled = g + icnn.affine([shift], shift)
        assert worst(np.exp, spoiled, UNIT, terms.knots) <= expansion_error(spoiled, np.exp, UNIT)
    for k in range(4):
        c = terms.c.copy()
        c[k] *= 1.3
        spoiled = icnn.relu_network(
            [np.ones((4, 1)), [[terms.b1]]], [-terms.knots, [terms.b0]], [c[None, :]]
        )
        assert worst(np.exp, spoiled, UNIT, terms.knots) <= expansion_error(spoiled, np.exp, UNIT)
    with pytest.raises(BadData, match="is not b0"):
        expansion_error(
            2.0 * icnn.relu_network([[[2.0]], [[0.0]]], [[1.0], [0.0]], [[[1.0]]]), abs, UNIT
        )


@pytest.mark.parametrize(
    ("f", "interval"),
    [
        (np.sin, (-1, 2)),
        (lambda x: float(x > 0.3), UNIT),
        (lambda x: -abs(x), UNIT),
        (np.tanh, (-3, 3)),
    ],
)
def test_what_is_not_convex_is_refused_with_three_points(f, interval):
    with pytest.raises(NotConvex, match=r"the middle value is .* above the chord") as caught:
        relu_expansion(f, interval, units=3)
    pairs = str(caught.value).removeprefix("f is not convex: ").split("; ")[0].split(", ")
    (x, y), (u, v), (p, q) = (map(float, pair[2:].split(") = ")) for pair in pairs)
    assert interval[0] <= x < u < p <= interval[1]
    assert (f(x), f(u), f(p)) == (y, v, q)
    assert "where rounding was taken to be at most" in str(caught.value)
    assert v > y + (q - y) * (u - x) / (p - x)


ONE = {"units": 1}


@pytest.mark.parametrize(
    ("f", "interval", "options", "sentence"),
    [
        (np.exp, UNIT, {}, "give exactly one of them"),
        (np.exp, UNIT, {"units": 2, "error": 0.1}, "error is 0.1 and units is 2; give exactly one"),
        (np.exp, UNIT, {"units": 0}, "units is 0; give 1 to 5000"),
        (np.exp, UNIT, {"units": 1.5}, "units is 1.5; give a whole number"),
        (np.exp, UNIT, {"units": True}, "units is True"),
        (np.exp, UNIT, {"error": 0.0}, "error is 0.0; give a positive number"),
        (np.exp, UNIT, {"error": -1}, "error is -1; give a positive number"),
        (np.exp, UNIT, {"error": math.nan}, "error is nan"),
        (np.exp, UNIT, {"error": "small"}, "error is 'small'"),
        (np.exp, UNIT, {"error": 1e-18}, "error 1e-18 is too small: values of f are known to"),
        (np.exp, UNIT, {"error": 1e-11}, "needs more than 5000 units"),
        (lambda x: 5.0 * (x in UNIT), UNIT, {"error": 0.1}, "f jumps at an end of the interval"),
        (abs, UNIT, {"error": 1e-17}, "error 1e-17 is too small"),
        (np.exp, (1, 1), ONE, r"interval is \(1.0, 1.0\); it must be finite, with its lower end"),
        (np.exp, (2, 1), ONE, r"interval is \(2.0, 1.0\)"),
        (np.exp, (0, math.inf), ONE, "must be finite"),
        (np.exp, 3, ONE, "interval is 3; give two numbers"),
        (np.exp, (1e9, 1e9 + 1e-6), ONE, "width is too small"),
        (np.log, UNIT, ONE, r"f\(-1.0\) is nan; f must be finite"),
        (lambda x: 1 / x if x else math.inf, (0, 1), ONE, r"f\(0.0\) is inf"),
        (math.exp, (0, 1000), ONE, "below 1e200"),
        (lambda x: "much", UNIT, ONE, "failed: ValueError"),
        (lambda x: [x, x], UNIT, ONE, "failed: TypeError"),
        (3.0, UNIT, ONE, "f is 3.0; it must be callable"),
        (icnn.affine([1.0, 2.0]), UNIT, ONE, "f has 2 inputs"),
    ],
)
def test_bad_arguments_are_refused(f, interval, options, sentence):
    with pytest.raises(BadData, match=sentence):
        relu_expansion(f, interval, **options)
