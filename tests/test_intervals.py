"""Interval arithmetic: what is enclosed stays enclosed, whatever the caller's context."""

import decimal
import math
from fractions import Fraction

import numpy as np
import pytest

from icnn.theory.interval import (
    DIGITS,
    Interval,
    enclosing,
    normal,
    sigmoid,
    softplus,
    tanh,
)

TINY = Fraction(1, 10 ** (DIGITS - 20))


def test_sums_products_and_quotients_enclose_the_rational_result(rng):
    for a, b in rng.normal(size=(200, 2)) * 10.0 ** rng.integers(-8, 9, size=(200, 2)):
        x, y, p, q = enclosing(float(a)), enclosing(float(b)), Fraction(a), Fraction(b)
        cases = [(x + y, p + q), (x - y, p - q), (x * y, p * q), (x / y.low, p / q)]
        cases += [((x * x + y * y).inverse(), 1 / (p * p + q * q)), (x.square(), p * p)]
        for found, exact in cases:
            assert Fraction(found.low) <= exact <= Fraction(found.high)
            assert Fraction(found.high) - Fraction(found.low) <= TINY * max(1, abs(exact))


def test_what_cannot_be_written_is_rounded_outwards():
    third = enclosing(decimal.Decimal(1)) / decimal.Decimal(3)
    assert Fraction(third.low) < Fraction(1, 3) < Fraction(third.high)
    wide = Interval(decimal.Decimal(-2), decimal.Decimal(3))
    assert (wide * wide) == Interval(decimal.Decimal(-6), decimal.Decimal(9))
    assert wide.square() == Interval(decimal.Decimal(0), decimal.Decimal(9))


def test_exp_and_ln_invert_each_other_and_obey_their_laws(rng):
    for a, b in rng.uniform(-30, 30, (50, 2)):
        x, y = enclosing(float(a)), enclosing(float(b))
        back = x.exp().ln()
        assert back.low < x.low < back.high
        difference = (x + y).exp() - x.exp() * y.exp()
        assert difference.low < 0 < difference.high  # the two enclosures overlap
        assert x.exp().high - x.exp().low <= x.exp().high * decimal.Decimal(10) ** (3 - DIGITS)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (lambda x: x.exp(), math.exp),
        (sigmoid, lambda x: 1 / (1 + math.exp(-x))),
        (tanh, math.tanh),
        (softplus, lambda x: math.log1p(math.exp(x))),
        (normal, lambda x: 0.5 * math.erfc(-x / math.sqrt(2))),
        (lambda x: x.square().root() if x.low else x, abs),
    ],
)
def test_functions_agree_with_the_standard_library(mine, theirs):
    for x in np.arange(-8, 8.1, 0.37):
        found = mine(enclosing(float(x)))
        assert float(found.low) == pytest.approx(theirs(x), rel=1e-13)
        assert found.high - found.low < decimal.Decimal(10) ** -45


def test_infinite_ends_are_open_ends():
    line = Interval(-decimal.Decimal("Infinity"), decimal.Decimal("Infinity"))
    assert sigmoid(line) == Interval(decimal.Decimal(0), decimal.Decimal(1))
    assert line.exp().low == 0
    zero = enclosing(0.0)
    assert zero * line == zero


def test_the_context_of_the_caller_does_not_matter():
    x = enclosing(0.1)
    expected = [(-x).low, x.exp(), (x - x * x) / decimal.Decimal(3), normal(x)]
    with decimal.localcontext(decimal.Context(prec=3)):
        assert [(-x).low, x.exp(), (x - x * x) / decimal.Decimal(3), normal(x)] == expected
