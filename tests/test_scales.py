"""The point amid the kinks: least squares as by singular values, without their price."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import icnn
from icnn.decide import program
from icnn.decide.program import least_squares
from icnn.decide.solvers import WIDE

RNG = np.random.default_rng(0)
TALL, BROAD = RNG.normal(size=(40, 7)), RNG.normal(size=(7, 40))
UNREAD = TALL * ([1.0] * 5 + [0.0] * 2)
DEAD = BROAD * ([[1.0]] * 5 + [[0.0]] * 2)
FULL = {
    "tall": TALL,
    "wide": BROAD,
    "square": TALL[:7],
    "one": TALL[:1, :1],
    "unread columns": UNREAD,
    "dead units": DEAD,
    "units of columns": TALL * 10.0 ** np.arange(-3, 4),
    "sizes of rows": BROAD * 10.0 ** np.arange(-3, 4)[:, None],
    "tiny": 1e-200 * TALL,
    "huge": 1e200 * BROAD,
    "nothing": np.zeros((3, 4)),
}
POOR = {
    "a column twice": TALL[:, [0, 1, 1]],
    "a row twice": BROAD[[0, 1, 1]],
    "nearly twice": TALL[:, [0, 1, 1]] + 1e-7 * TALL[:, :3],
    "rank two": TALL[:, :2] @ BROAD[:2],
}


def by_singular_values(V, b):
    return np.linalg.lstsq(V, b, rcond=1e-10)[0]


@pytest.mark.parametrize("name", FULL | POOR)
def test_least_squares_are_those_of_the_singular_values(name):
    V = (FULL | POOR)[name]
    b = RNG.normal(size=len(V))
    x, expected = least_squares(V, b), by_singular_values(V, b)
    np.testing.assert_allclose(x, expected, atol=1e-9 * np.abs(expected).max(initial=0.0))


@pytest.mark.parametrize("name", FULL)
def test_sound_equations_need_no_singular_values(name, monkeypatch):
    V = FULL[name]
    b = RNG.normal(size=len(V))
    expected = by_singular_values(V, b)
    monkeypatch.setattr(program.np.linalg, "lstsq", None)
    near = 1e-9 * np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(least_squares(V, b), expected, atol=near)


@pytest.mark.parametrize("shape", [(30, 5), (5, 30), (5, 5)])
def test_a_network_without_bounds_is_measured_around_its_kinks(shape, monkeypatch):
    V, b = RNG.normal(size=shape), RNG.normal(size=shape[0])
    f = icnn.relu_network([V, np.zeros((1, shape[1]))], [b, [0.0]], [np.ones((1, shape[0]))])
    x, far = icnn.prepare(f).program.kinks
    monkeypatch.setattr(program, "least_squares", by_singular_values)
    other, other_far = icnn.prepare(f).program.kinks
    np.testing.assert_allclose(x, other, rtol=1e-9)
    np.testing.assert_allclose(far, other_far, rtol=1e-9)


F = {
    "relu": lambda: icnn.relu_network(
        [TALL, np.ones((1, 7))], [np.ones(40), [0.5]], [np.ones((1, 40))]
    ),
    "maximum": lambda: icnn.models.MaxAffine(7, 5).double().requires_grad_(False).lower(),
    "affine": lambda: icnn.affine(np.arange(7.0)),
}


@pytest.mark.parametrize("name", F)
@pytest.mark.parametrize("bounded", [True, False])
def test_a_priced_program_is_measured_as_one_that_is_read_anew(name, bounded):
    f, price = F[name](), RNG.normal(size=7)
    rows = [LinearConstraint(np.ones((1, 7)), -np.inf, 5.0)]
    said = {"bounds": [(-1.0, 2.0)] * 7, "constraints": rows} if bounded else {}
    base = icnn.prepare(f, **said).program
    priced, anew = base.priced(price), icnn.prepare(f + icnn.affine(price), **said).program
    near = 1e-12 * (1 + np.abs(anew.parts[0].values).max())
    x = RNG.normal(size=(5, 7))
    np.testing.assert_allclose(priced.objective(x), anew.objective(x), atol=near)
    for measured in ("kinks", "reach", "far"):
        for old, new in zip(getattr(priced, measured), getattr(anew, measured), strict=True):
            np.testing.assert_allclose(old, new, rtol=1e-12)
    np.testing.assert_array_equal(priced.samples, anew.samples)
    np.testing.assert_allclose(priced.parts[0].values, anew.parts[0].values, atol=near)
    assert priced.spread == pytest.approx(anew.spread, rel=1e-9)
    for old, new in zip(priced.parts[0].unit_sizes, anew.parts[0].unit_sizes, strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-12)
    for old, new in zip(priced.lines, anew.lines, strict=True):
        np.testing.assert_allclose(old.V, new.V, atol=1e-12)
        np.testing.assert_array_equal(old.b, new.b)
    if name != "affine":
        assert priced.kinks is base.kinks


def test_prices_of_a_wide_problem_are_decided_as_by_a_new_one():
    n = WIDE + 1
    V = RNG.normal(size=(12, n))
    f = icnn.relu_network([V, np.zeros((1, n))], [V @ np.ones(n), [0.0]], [np.ones((1, 12))])
    problem = icnn.prepare(f, bounds=[(-1.0, 1.0)] * n)
    for c in 0.3 * RNG.normal(size=(3, n)):
        d, anew = problem.solve(linear=c), icnn.minimize(f + icnn.affine(c), bounds=[(-1, 1)] * n)
        assert (d.solver, d.success) == ("HiGHS", True)
        assert d.value == pytest.approx(anew.value, abs=1e-6 * anew.scale)
        assert d.bound == pytest.approx(anew.bound, abs=1e-6 * anew.scale)
        assert d.scale == pytest.approx(anew.scale, rel=1e-9)
