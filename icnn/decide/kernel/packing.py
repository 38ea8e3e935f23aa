"""Packing: matrices one after the other in memory, as the kernel reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LINE = 16  # numbers, a cache line at least


def packed(
    matrices: Sequence[Array], kind: Any, *, apart: bool = False
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Matrices column by column from the start of a cache line on, and where each is; −1: empty.

    With `apart` each column is filled up with zeros to whole lines.
    """
    if apart:
        matrices = [np.pad(M, ((0, -len(M) % LINE), (0, 0))) for M in matrices]
    sizes = [-(-M.size // LINE) * LINE for M in matrices]
    starts = starts_of(sizes)
    room = np.zeros(starts[-1] + LINE, dtype=kind)
    first = -room.ctypes.data % 64 // room.itemsize
    packed = room[first : first + starts[-1]]
    with np.errstate(over="ignore"):  # beyond single precision: infinite there, and not used
        for start, M in zip(starts, matrices, strict=False):
            packed[start : start + M.size] = M.T.ravel()
    return packed, ints([s if M.size else -1 for s, M in zip(starts, matrices, strict=False)])


def fits_single(M: Array) -> bool:
    """Whether single precision holds every number of a matrix exactly."""
    with np.errstate(over="ignore"):
        return bool((M.astype(np.float32) == M).all())


def starts_of(sizes: Sequence[int]) -> NDArray[np.int64]:
    """Where each of several things of these sizes starts, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def ints(values: Sequence[int]) -> NDArray[np.int64]:
    """As the kernel counts."""
    return np.array(values, dtype=np.int64)
