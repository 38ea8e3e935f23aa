"""The point amid the kinks: least squares as by singular values, without their price."""

import numpy as np
import pytest

import icnn
from icnn.decide import program
from icnn.decide.program import least_squares

RNG = np.random.default_rng(0)
TALL, WIDE = RNG.normal(size=(40, 7)), RNG.normal(size=(7, 40))
UNREAD = TALL * ([1.0] * 5 + [0.0] * 2)
DEAD = WIDE * ([[1.0]] * 5 + [[0.0]] * 2)
FULL = {
    "tall": TALL,
    "wide": WIDE,
    "square": TALL[:7],
    "one": TALL[:1, :1],
    "unread columns": UNREAD,
    "dead units": DEAD,
    "units of columns": TALL * 10.0 ** np.arange(-3, 4),
    "sizes of rows": WIDE * 10.0 ** np.arange(-3, 4)[:, None],
    "tiny": 1e-200 * TALL,
    "huge": 1e200 * WIDE,
    "nothing": np.zeros((3, 4)),
}
POOR = {
    "a column twice": TALL[:, [0, 1, 1]],
    "a row twice": WIDE[[0, 1, 1]],
    "nearly twice": TALL[:, [0, 1, 1]] + 1e-7 * TALL[:, :3],
    "rank two": TALL[:, :2] @ WIDE[:2],
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
