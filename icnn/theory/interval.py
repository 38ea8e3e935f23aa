"""interval: enclosures of real numbers that rounding cannot leave, in decimal arithmetic.

Sums, products and quotients are rounded outwards. The decimal module rounds exp, ln and square
roots correctly to nearest, so that one unit in the last place more on each side encloses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
)
from typing import final

DIGITS = 200  # sums and products of a few float64 numbers of everyday size are exact


def _context(rounding: str) -> Context:
    return Context(prec=DIGITS, rounding=rounding, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


DOWN, UP, NEAR = _context(ROUND_FLOOR), _context(ROUND_CEILING), _context(ROUND_HALF_EVEN)
ZERO, ONE = Decimal(0), Decimal(1)


@final
@dataclass(frozen=True)
class Interval:
    """All real numbers from low to high; an end may be infinite."""

    low: Decimal
    high: Decimal

    @property
    def is_point(self) -> bool:
        """Whether it is one number, known exactly."""
        return self.low == self.high

    def __add__(self, other: Interval | Decimal) -> Interval:
        b = enclosing(other)
        return Interval(DOWN.add(self.low, b.low), UP.add(self.high, b.high))

    def __neg__(self) -> Interval:
        return Interval(self.high.copy_negate(), self.low.copy_negate())

    def __sub__(self, other: Interval | Decimal) -> Interval:
        return self + -enclosing(other)

    def __rsub__(self, other: Decimal) -> Interval:
        return enclosing(other) - self

    def __mul__(self, other: Interval | Decimal) -> Interval:
        b = enclosing(other)
        pairs = [(x, y) for x in (self.low, self.high) for y in (b.low, b.high)]
        return Interval(
            min(_product(DOWN, x, y) for x, y in pairs), max(_product(UP, x, y) for x, y in pairs)
        )

    def __truediv__(self, other: Decimal) -> Interval:
        ends = (self.low, self.high) if other > 0 else (self.high, self.low)
        return Interval(DOWN.divide(ends[0], other), UP.divide(ends[1], other))

    def inverse(self) -> Interval:
        """1 / self, for a positive interval."""
        assert self.low > 0
        return Interval(DOWN.divide(ONE, self.high), UP.divide(ONE, self.low))

    def square(self) -> Interval:
        """self², which is never negative."""
        product = self * self
        return product if product.low >= 0 else Interval(ZERO, product.high)

    def exp(self) -> Interval:
        """e to the power of self."""
        return Interval(_exp(self.low).low, _exp(self.high).high)

    def ln(self) -> Interval:
        """The natural logarithm, for a positive interval."""
        assert self.low > 0
        return Interval(_nearest(NEAR.ln(self.low)).low, _nearest(NEAR.ln(self.high)).high)

    def root(self) -> Interval:
        """The square root, for a positive interval."""
        assert self.low > 0
        return Interval(_nearest(NEAR.sqrt(self.low)).low, _nearest(NEAR.sqrt(self.high)).high)


def enclosing(value: Interval | Decimal | float) -> Interval:
    """The number as an interval: a float is taken for exactly what it is."""
    if isinstance(value, Interval):
        return value
    return Interval(Decimal(value), Decimal(value))


def sigmoid(x: Interval) -> Interval:
    """1 / (1 + e^-x)."""
    return ((-x).exp() + ONE).inverse()


def tanh(x: Interval) -> Interval:
    """The hyperbolic tangent, 2 σ(2x) - 1."""
    return sigmoid(x + x) * Decimal(2) - ONE


def softplus(x: Interval) -> Interval:
    """ln(1 + e^x)."""
    return (x.exp() + ONE).ln()


PI = Interval(
    Decimal("3.1415926535897932384626433832795028841971693993751"),
    Decimal("3.1415926535897932384626433832795028841971693993752"),
)


def normal(x: Interval) -> Interval:
    """Φ at a point |x| <= 8: 1/2 + φ(x) Σ x^(2n+1) / (1 · 3 ··· (2n+1))."""
    assert x.is_point
    assert -8 <= x.low <= 8
    square, term = x * x, x
    total, n = x, 1
    while n < 200:
        term = term * square * enclosing(2 * n + 1).inverse()
        total, n = total + term, n + 1
    # for n >= 200 the terms fall by at least x² / 401 < 1/2 each, so the rest is below the last
    rest = max(term.low.copy_abs(), term.high.copy_abs())
    density = (square * Decimal("-0.5")).exp() * (PI + PI).root().inverse()
    return density * (total + Interval(rest.copy_negate(), rest)) + Decimal("0.5")


def _product(context: Context, x: Decimal, y: Decimal) -> Decimal:
    return ZERO if ZERO in (x, y) else context.multiply(x, y)  # an infinite end is never reached


def _nearest(value: Decimal) -> Interval:
    """What may have been rounded to nearest to give `value`."""
    return Interval(NEAR.next_minus(value), NEAR.next_plus(value))


def _exp(x: Decimal) -> Interval:
    if x == 0:
        return Interval(ONE, ONE)
    if x.is_infinite():
        return enclosing(x if x > 0 else ZERO)
    near = _nearest(NEAR.exp(x))
    return Interval(max(near.low, ZERO), near.high)
