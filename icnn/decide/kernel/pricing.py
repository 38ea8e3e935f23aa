"""Prices: a search and its judge in one call, for a problem of which prices and ends change."""

from __future__ import annotations

from ctypes import Structure, addressof, c_double, c_int64, c_void_p
from typing import Any, NamedTuple, final

import numpy as np

from icnn.decide.kernel import (
    Array,
    Case,
    Ints,
    Options,
    Placed,
    Places,
    Searcher,
    address,
    case_struct,
    library,
    options_struct,
)

NOTHING = np.empty(0)


class Pricing(NamedTuple):
    """What stays the same from price to price (price.h)."""

    to_search: Array  # (n,) from the user's prices to those of the search
    centre: Array  # (n,) of the search's box
    half: Array  # (n,)
    low: Array  # (n,) its ends
    high: Array  # (n,)
    lower: Array  # (n,) the box
    upper: Array  # (n,)
    reach: Array  # (n,) half-widths of the finite box
    row: Ints  # (sides,) which row of the set
    sign: Array  # (sides,) which side of it
    size: Array  # (sides,)
    points: Array  # (S, n) where f is looked at for its range
    samples: Array  # (S,) its values there
    steps: Array  # (S, n) the points in half-widths around the centre


class Priced(NamedTuple):
    """The decision at each price and the judge's figures, in the user's units."""

    value: Array  # (B,)
    bound: Array  # (B,)
    violation: Array  # (B,)
    scale: Array  # (B,) the range of f + price·x
    x: Array  # (B, n)
    rows: Array  # (B, m) multipliers
    lower: Array  # (B, n)
    upper: Array  # (B, n)
    slope: Array  # (B, n) of the minorant that gives the bound
    outcome: Ints  # (B,) of the search


class Single(NamedTuple):
    """The same for one price, in numbers and arrays of its own."""

    value: float
    bound: float
    violation: float
    scale: float
    x: Array  # (n,)
    rows: Array  # (m,)
    lower: Array  # (n,)
    upper: Array  # (n,)


class _Pricing(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("net", "room", "search", "own", "judged")),
        *((name, c_void_p) for name in Pricing._fields),
        ("sides", c_int64),
        ("count", c_int64),
        ("near", c_double),
    ]


class _Priced(Structure):
    _fields_ = [(name, c_void_p) for name in Priced._fields]


@final
class Pricer:
    """One problem of a searcher at many prices.

    Args:
        searcher: what searches.
        places: of one row, in the units of the search and in the user's.
        case: of one row; x, u, y are not read.
        pricing: the rest of what stays the same.
        near: the part of a half-width from an end at which x counts as there.
    """

    def __init__(
        self,
        searcher: Searcher,
        places: tuple[Places, Places],
        case: Case,
        *,
        pricing: Pricing,
        near: float,
    ) -> None:
        search, own = (Placed(_own(place)) for place in places)
        fixed, case = _own(pricing), _own(case)
        self._kept = searcher, search, own, fixed
        self._case = case_struct(case, (NOTHING,) * 3)
        self._n, self._m = len(pricing.lower), len(case.A)
        ends = fixed.lower, fixed.upper, case.low, case.high, case.lower, case.upper
        self._home = np.concatenate([np.ravel(end) for end in ends])
        self._ends, self._at = self._home.copy(), self._home
        self._struct = _Pricing(
            searcher.net_address, searcher.room, search.address, own.address,
            addressof(self._case[0]), *map(address, fixed),
            len(fixed.row), len(fixed.samples), near,
        )  # fmt: skip
        self._options: tuple[Options, Structure] | None = None
        self._search, self._move = library().icnn_price, library().icnn_move
        self._single()

    def _single(self) -> None:
        """Memory for one price at a time, whose place C is told once."""
        n, m = self._n, self._m
        self._price, self._out = np.zeros(n), np.empty(4 + 4 * n + m)
        self._figures = self._out[:4]
        self._outcome = np.empty(1, np.int64)
        starts = np.cumsum([0, 1, 1, 1, 1, n, m, n, n])
        places = [address(self._out) + 8 * int(k) for k in starts]
        self._c_out = _Priced(*places, address(self._outcome))
        self._parts = [
            slice(int(k), int(k) + size) for k, size in zip(starts[4:8], (n, m, n, n), strict=True)
        ]
        self._arguments = (addressof(self._struct), address(self._price), 1), addressof(self._c_out)

    def __call__(self, price: Array, options: Options) -> Priced:
        """The decisions at prices (B, n), with the ends that the problem came with."""
        self._moved(self._home)
        price = np.ascontiguousarray(price, dtype=np.float64)
        B, n, m = len(price), self._n, self._m
        out = Priced(
            np.empty(B), np.empty(B), np.empty(B), np.empty(B), np.empty((B, n)),
            np.empty((B, m)), np.empty((B, n)), np.empty((B, n)), np.empty((B, n)),
            np.empty(B, np.int64),
        )  # fmt: skip
        c_out = _Priced(*map(address, out))
        given = addressof(self._struct), address(price), B
        _checked(self._search(*given, self._told(options), addressof(c_out)))
        return out  # a row whose price is not finite, or too large, has NaN in x

    def one(self, price: Array, options: Options, ends: Array | None = None) -> Single | None:
        """The decision at one price (n,); None if it is not finite, or too large.

        Args:
            price: of the search.
            options: of the search.
            ends: (4 n + 2 m,) lower and upper ends of the box, finite ones inside it, and sides of
                the rows, one after the other; None for those that the problem came with. None comes
                back too where a finite side had been infinite.
        """
        if not self._moved(self._home if ends is None else ends):
            return None
        self._price[:] = price
        given, c_out = self._arguments
        if not _checked(self._search(*given, self._told(options), c_out)):
            return None
        out = self._out.copy()
        x, rows, lower, upper = self._parts
        value, bound, violation, scale = self._figures.tolist()
        return Single(value, bound, violation, scale, out[x], out[rows], out[lower], out[upper])

    def _moved(self, ends: Array) -> bool:
        """Whether the problem has these ends now, kept cuts in their units."""
        if ends is self._at:
            return True
        self._ends[:] = ends
        found = bool(_checked(self._move(self._arguments[0][0], address(self._ends))))
        self._at = ends if found else self._at
        return found

    def _told(self, options: Options) -> int:
        if self._options is None or self._options[0] is not options:
            self._options = options, options_struct(options)
        return addressof(self._options[1])


def _own(arrays: Any) -> Any:
    """The same with memory that may be written."""
    return type(arrays)(*(np.array(a, order="C") for a in arrays))


def _checked(count: int) -> int:
    if count < 0:
        raise MemoryError("no memory to judge a decision")
    return count
