"""Sets: what the forms mean, and that implied bounds cut off nothing."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint
from scipy.sparse import csr_array

from icnn import BadData
from icnn.decide.sets import Box, fix, implied, read_bounds, read_integrality, read_rows

COLUMNS = ("a", "b", "c")
OPEN = Box(np.full(3, -np.inf), np.full(3, np.inf))


def test_dict_bounds_keep_the_default_elsewhere():
    box = read_bounds({"b": (0, None)}, COLUMNS, Box(np.full(3, -5.0), np.full(3, 5.0)))
    np.testing.assert_array_equal(box.lower, [-5, 0, -5])
    np.testing.assert_array_equal(box.upper, [5, np.inf, 5])


def test_reading_leaves_the_arguments_alone():
    lower, default = np.zeros(3), Box(np.zeros(3), np.ones(3))
    box = read_bounds(Bounds(lower, np.ones(3)), COLUMNS, default)
    fixed = fix(box, {"a": 0.5}, COLUMNS)
    read_bounds({"a": (-3, 3)}, COLUMNS, default)
    assert (lower == 0).all()
    assert (default.lower == 0).all()
    assert (box.lower == 0).all()
    assert fixed.lower[0] == fixed.upper[0] == 0.5


def test_rows_are_stacked_in_their_order():
    given = [
        LinearConstraint([1, 2, 3], 0, 1),
        LinearConstraint(csr_array(np.eye(3)), -1, [1, 2, 3]),
    ]
    rows = read_rows(given, COLUMNS)
    np.testing.assert_array_equal(rows.A.toarray(), np.vstack([[1, 2, 3], np.eye(3)]))
    np.testing.assert_array_equal(rows.lower, [0, -1, -1, -1])
    np.testing.assert_array_equal(rows.upper, [1, 1, 2, 3])
    assert read_rows((), COLUMNS).A.shape == (0, 3)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [0, 0, 0]),
        (1, [1, 1, 1]),
        ([0, 1, 0], [0, 1, 0]),
        ({"c": 1}, [0, 0, 1]),
        ([True, False, True], [1, 0, 1]),
    ],
)
def test_integrality(given, expected):
    assert read_integrality(given, COLUMNS).tolist() == [bool(v) for v in expected]


def test_integrality_by_unknown_name():
    with pytest.raises(BadData, match="columns are a, b, c"):
        read_integrality({"d": 1}, COLUMNS)


def test_implied_bounds_of_a_simplex_and_a_chain():
    rows = read_rows(LinearConstraint([1, 1, 1], 1, 1), COLUMNS)
    box = implied(Box(np.zeros(3), np.full(3, np.inf)), rows)
    np.testing.assert_allclose(box.upper, 1.0, rtol=1e-8)
    chain = read_rows(
        LinearConstraint([[1, 0, 0], [-1, 1, 0], [0, 2, -4]], [-1, -1, -1], [1, 1, 1]), COLUMNS
    )
    box = implied(OPEN, chain)
    np.testing.assert_allclose(box.lower, [-1, -2, -1.25], rtol=1e-7)
    np.testing.assert_allclose(box.upper, [1, 2, 1.25], rtol=1e-7)


def test_rows_tighten_wide_bounds_and_never_widen_them():
    rows = read_rows(LinearConstraint([1, 1, 0], 0, 0.1), COLUMNS)
    box = implied(Box(np.zeros(3), np.ones(3)), rows)
    np.testing.assert_allclose(box.upper, [0.1, 0.1, 1.0])
    np.testing.assert_array_equal(box.lower, np.zeros(3))


@pytest.mark.parametrize("seed", range(20))
def test_implied_bounds_cut_off_no_feasible_point(seed):
    r = np.random.default_rng(seed)
    A = np.round(r.normal(size=(3, 3)) * r.choice([0, 1], (3, 3)) * 8) / 8
    x = np.round(r.normal(0, 5, (400, 3)) * 16) / 16
    at = x @ A.T
    low, high = np.quantile(at, 0.2, axis=0), np.quantile(at, 0.8, axis=0)
    keep = ((at >= low) & (at <= high)).all(1)
    lower = np.where(r.random(3) < 0.5, -np.inf, x[keep].min(0, initial=np.inf))
    upper = np.where(r.random(3) < 0.5, np.inf, x[keep].max(0, initial=-np.inf))
    box = implied(Box(lower, upper), read_rows(LinearConstraint(A, low, high), COLUMNS))
    assert ((x[keep] >= box.lower) & (x[keep] <= box.upper)).all()


def test_explicit_zeros_in_sparse_rows_imply_nothing():
    A = csr_array(([0.0, 2.0], [0, 1], [0, 2]), shape=(1, 3))
    box = implied(OPEN, read_rows(LinearConstraint(A, 1, 4), COLUMNS))
    assert box.lower[0] == -np.inf
    np.testing.assert_allclose([box.lower[1], box.upper[1]], [0.5, 2.0], rtol=1e-8)


def test_tiny_and_huge_coefficients_stay_sound():
    rows = read_rows(LinearConstraint([[1e-9, 1e9, 0]], -1, 1), COLUMNS)
    box = implied(Box(np.array([-np.inf, -3, 0]), np.array([np.inf, 7, 1])), rows)
    exact = (-1 - Fraction(1e9) * 7) / Fraction(1e-9)
    assert Fraction(box.lower[0]) <= exact
