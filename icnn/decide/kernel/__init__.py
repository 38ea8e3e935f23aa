"""The compiled bundle method: C structures, and the one door to them."""

from __future__ import annotations

import ctypes
import warnings
import weakref
from collections.abc import Sequence
from ctypes import POINTER, Structure, addressof, byref, c_double, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
CLOSED, STOPPED, STALLED, INFEASIBLE = range(4)
VERSION = 9  # of bundle.c
POINTS = 8  # at which single precision is compared with double
ATOMS = ("PIECES", "SOFTPLUS", "MAX", "LOGSUMEXP", "NORM", "SQUARES", "HUBER", "ELU")


class Net(NamedTuple):
    """The hidden layers that many decisions share; matrices column by column (oracle.h)."""

    rows: Ints  # (layers + 1,) where the rows of a layer start
    units: Ints  # (layers + 1,)
    atom: Ints  # (layers,) positions in ATOMS
    parameter: Array  # (layers,) such as a temperature
    piece: Ints  # (layers + 1,) where the pieces of a layer start
    pieces: Array  # (pieces, 2) slope and intercept
    V: Array
    v: Ints  # (layers,) where V starts, −1 where it is zero
    edge: Ints  # (layers + 1,) where the edges of a layer start
    source: Ints  # (edges,)
    W: Array
    w: Ints  # (edges,) where W starts, −1 where S loses nothing
    S: NDArray[np.float32]  # all matrices in single precision
    sv: Ints  # (layers,) where those of V start
    s: Ints  # (edges,) where those of W start
    gate: Ints  # (edges + 1,) where the gates of an edge start


class Places(NamedTuple):
    """What each decision adds, (1, ...) for all or (B, ...) one a row, and the output c·x + e·z."""

    b: Array  # (B, rows)
    h: Array  # (B, layers, n) factors on x
    gates: Array  # (B, gates)
    c: Array  # (B, n)
    e: Array  # (B, units)
    D: Array  # (B, rows of the set) their right-hand sides
    half: Array  # (B, n) of each column: rows of the set are A · half


class Found(NamedTuple):
    """What a search found for each row."""

    x: Array  # (B, n) in the box [−1, 1]
    value: Array  # (B,) ∞ without a feasible point
    bound: Array  # (B,) the master's own
    u: Array  # (B, rows) multipliers of the units
    y: Array  # (B, rows of the set) ≥ 0
    outcome: Ints  # (B,)
    calls: Ints  # (B,) of the oracle


@final
@dataclass(frozen=True)
class Options:
    """How long to search, and how."""

    tolerance: float
    calls: int
    keep: int  # cuts that stay for the next row
    seconds: float  # for each row
    coarse: bool = False  # products in single precision: for cuts that a judge reads again
    across: int = 0  # steps across cuts on the way to the next point


class _Net(Structure):
    _fields_ = [("n", c_int64), ("layers", c_int64), *((name, c_void_p) for name in Net._fields)]


class _Places(Structure):
    _fields_ = [
        *((name, c_void_p) for name in Places._fields),
        *((f"{name}_stride", c_int64) for name in Places._fields),
    ]


class _Options(Structure):
    _fields_ = [
        ("tolerance", c_double),
        ("calls", c_int64),
        ("keep", c_int64),
        ("seconds", c_double),
        ("coarse", c_int64),
        ("across", c_int64),
    ]


class Case(NamedTuple):
    """What is judged, in the user's units; a leading axis of 1 means the same for all (judge.h)."""

    x: Array  # (B, n)
    u: Array  # (B, rows) multipliers, in units of `scale`
    scale: Array  # (B | 1,)
    y: Array  # (B, m) multipliers of the rows
    A: Array  # (m, n)
    lower: Array  # (B | 1, m) sides
    upper: Array  # (B | 1, m)
    low: Array  # (B | 1, n) finite ends
    high: Array  # (B | 1, n)
    size: Array  # (B | 1, n) absolute parts of the output's slope
    constant: Array  # (B | 1,) the output bias


class _Case(Structure):
    _fields_ = [
        *((name, c_void_p) for name in Case._fields),
        ("m", c_int64),
        *((f"{name}_stride", c_int64) for name in ("side", "end", "size", "scale", "constant")),
        *((name, c_void_p) for name in ("value", "bound", "slope")),
    ]


class _Found(Structure):
    _fields_ = [(name, c_void_p) for name in Found._fields]


STALE = (
    "icnn's compiled part is of another version, so HiGHS and Clarabel decide, many times slower; "
    "run the installation of icnn again"
)


@cache
def library() -> Any:
    """The compiled library; None where it was not built, or from an older bundle.c."""
    files = [Path(__file__).with_name(f"_bundle{suffix}") for suffix in EXTENSION_SUFFIXES]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        return None
    try:
        lib = ctypes.CDLL(str(found))
        if lib.icnn_version() != VERSION:
            warnings.warn(STALE, RuntimeWarning, stacklevel=2)
            return None
    except (OSError, AttributeError):
        return None
    lib.icnn_room_new.restype = c_void_p
    lib.icnn_room_new.argtypes = [POINTER(_Net), c_void_p, c_int64, c_int64]
    lib.icnn_room_free.argtypes = lib.icnn_forget.argtypes = [c_void_p]
    lib.icnn_judge.argtypes = [POINTER(_Net), POINTER(_Places), c_int64, POINTER(_Case)]
    lib.icnn_judge.restype = c_int64
    lib.icnn_search.argtypes = [
        POINTER(_Net), POINTER(_Places), c_int64, c_void_p, POINTER(_Options), POINTER(_Found),
    ]  # fmt: skip
    lib.icnn_oracle.argtypes = [
        POINTER(_Net), POINTER(_Places), c_int64, c_void_p, c_int64, c_void_p, c_void_p,
        c_void_p,
    ]  # fmt: skip
    lib.icnn_price.argtypes = [c_void_p, c_void_p, c_int64, c_void_p, c_void_p]
    lib.icnn_price.restype = lib.icnn_move.restype = c_int64
    lib.icnn_move.argtypes = [c_void_p, c_void_p]
    return lib


@final
class Searcher:
    """A network and the rows A of a set, with memory for one search at a time.

    Args:
        net: the hidden layers.
        A: (rows, n), the rows (A · half) t ≤ D of the set.
        capacity: cuts that memory is kept for.
    """

    def __init__(self, net: Net, A: Array, capacity: int) -> None:
        rows, n = A.shape
        self._net, self._n, self._A = net, n, np.ascontiguousarray(A, dtype=np.float64)
        arrays: tuple[NDArray[Any], ...] = net
        self._struct = _Net(n, len(net.atom), *map(address, arrays))
        self._c_net = byref(self._struct)
        self.net_address = addressof(self._struct)
        lib = library()
        room = lib.icnn_room_new(self._c_net, address(self._A), rows, rows + capacity)
        if not room:
            raise MemoryError(f"no memory for {capacity} cuts of {n} columns")
        self.room = room
        weakref.finalize(self, lib.icnn_room_free, room)

    def __call__(self, places: Places | Placed, options: Options) -> Found:
        """Search row by row; a row may start from the cuts of the one before."""
        placed = places if isinstance(places, Placed) else Placed(places)
        B, n, R = placed.size, self._n, int(self._net.rows[-1])
        found = Found(
            np.empty((B, n)), np.empty(B), np.empty(B), np.empty((B, R)),
            np.empty((B, len(self._A))), np.empty(B, np.int64), np.empty(B, np.int64),
        )  # fmt: skip
        c_options, c_found = options_struct(options), _Found(*map(address, found))
        library().icnn_search(
            self._c_net, placed.c_places, B, self.room, byref(c_options), byref(c_found)
        )
        return found

    def forget(self) -> None:
        """Drop the cuts that were kept for the next search."""
        library().icnn_forget(self.room)

    def oracle(self, places: Placed, x: Array, *, coarse: bool = False) -> tuple[Array, Array]:
        """Values (B,) and subgradients (B, n) at x (B, n), as a search asks for them."""
        x = np.ascontiguousarray(x, dtype=np.float64)
        value, g = np.empty(len(x)), np.empty_like(x)
        given = (self._c_net, places.c_places, len(x), self.room, int(coarse))
        library().icnn_oracle(*given, address(x), address(value), address(g))
        return value, g

    def rounding(self, places: Placed) -> float:
        """The largest error of single precision in f at some points, a row's place in turn."""
        rng, found = np.random.default_rng(0), [0.0]
        rows = min(places.size, POINTS) if places.size > 1 else POINTS
        for _ in range(-(-POINTS // rows)):
            x = rng.uniform(-1, 1, (rows, self._n))
            exact, coarse = (self.oracle(places, x, coarse=kind)[0] for kind in (False, True))
            with np.errstate(invalid="ignore"):  # infinite in single precision
                found.append(float(np.abs(exact - coarse).max()))
        return float(np.max(found))  # NaN if one is

    def judge(self, places: Places | Placed, case: Case) -> tuple[Array, Array, Array]:
        """Value (B,), certified bound (B,) and the slope (B, n) of its minorant.

        For atoms of at most two pieces through the origin; the places are in the user's units.
        """
        placed = places if isinstance(places, Placed) else Placed(places)
        B = len(case.x)
        results = (np.empty(B), np.empty(B), np.empty((B, self._n)))
        c_case, _kept = case_struct(case, results)
        if not library().icnn_judge(self._c_net, placed.c_places, B, byref(c_case)):
            raise MemoryError("no memory to judge a decision")
        return results


@final
class Placed:
    """Places as C reads them: the arrays live as long as the pointers to them."""

    def __init__(self, places: Places) -> None:
        self._arrays = [np.ascontiguousarray(a, dtype=np.float64) for a in places]
        strides = (0 if len(a) == 1 else a[0].size for a in self._arrays)
        self._struct = _Places(*map(address, self._arrays), *strides)
        self.c_places = byref(self._struct)
        self.address = addressof(self._struct)
        self.size = max(map(len, self._arrays))


_OPTIONS = tuple(field[0] for field in _Options._fields_)


def options_struct(options: Options) -> Structure:
    """The options as C reads them."""
    return _Options(*(getattr(options, name) for name in _OPTIONS))


def case_struct(case: Case, results: Sequence[Array]) -> tuple[Structure, Case]:
    """A case as C reads it, and the arrays that must live as long."""
    case = Case(*(np.ascontiguousarray(a, dtype=np.float64) for a in case))
    (_, n), m = case.x.shape, len(case.A)
    wide = [len(a) > 1 for a in (case.lower, case.low, case.size, case.scale, case.constant)]
    strides = (size * several for size, several in zip((m, n, n, 1, 1), wide, strict=True))
    return _Case(*map(address, case), m, *strides, *map(address, results)), case


def address(a: NDArray[Any]) -> int:
    """Where the numbers of an array start."""
    return int(a.__array_interface__["data"][0])
