"""prune: layers without the units that nothing reads or that a box keeps at zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import PiecewiseLinear
from icnn.decide.program import Line
from icnn.decide.sets import Box

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
MARGIN = 1e-9  # of the terms of a sum: far above its rounding


def pruned(lines: Sequence[Line], box: Box | None = None) -> tuple[tuple[Line, ...], list[Mask]]:
    """The layers that are left, with the same number of layers, and which units each kept.

    A projected weight is often exactly zero: of 256 units in the last hidden layer of a trained
    network, 61 were read. Over a box of a tenth of the range of the data 14 to 62 % of the units of
    a layer were always zero. A layer keeps at least one unit.

    Args:
        lines: the layers.
        box: (n,) where the function stays the same; everywhere without one.
    """
    kept = [np.zeros(line.units, dtype=bool) for line in lines]
    kept[-1][:] = True
    none = [np.zeros_like(mask) for mask in kept]
    off = none if box is None else _always_zero(lines, box)
    for line, mask, zero in zip(reversed(lines), reversed(kept), reversed(off), strict=True):
        mask &= ~zero
        if not mask.any():
            mask[0] = True
        rows = np.repeat(mask, line.atom.group)
        for source, W in line.W:
            kept[source] |= (W[rows] != 0).any(0)
    if all(mask.all() for mask in kept):
        return tuple(lines), kept
    return tuple(_cut(line, mask, kept) for line, mask in zip(lines, kept, strict=True)), kept


def expanded(slopes: Sequence[Array], lines: Sequence[Line], kept: Sequence[Mask]) -> list[Array]:
    """Multipliers (*batch, rows) of each of the full layers; 0 for what was left out."""
    full = []
    for u, line, mask in zip(slopes, lines, kept, strict=True):
        rows = np.repeat(mask, line.atom.group)
        out = np.zeros((*u.shape[:-1], len(rows)))
        out[..., rows] = u
        full.append(out)
    return full


@np.errstate(invalid="ignore")  # 0 times what is not known: NaN, and so not zero
def _always_zero(lines: Sequence[Line], box: Box) -> list[Mask]:
    """Which units of each layer are zero over a box, by interval arithmetic."""
    nowhere = [np.zeros(line.units, dtype=bool) for line in lines]
    plain = all(line.h is None and not any(g is not None for g in line.gates) for line in lines)
    if not plain or not np.isfinite([box.lower, box.upper]).all():
        return nowhere
    zero: list[Mask] = []
    ranges: list[tuple[Array, Array]] = []
    for line in lines:
        low, high, size = _arguments(line, box, ranges)
        if isinstance(line.atom, PiecewiseLinear):
            slopes, intercepts = np.array(line.atom.pieces).T
            ends = np.stack([low, high])[..., None] * slopes + intercepts
            zero.append((line.atom.pieces[0] == (0.0, 0.0)) & (high <= -MARGIN * size))
            ranges.append((ends.min(0).max(-1), ends.max(-1).max(0)))
        else:
            zero.append(np.zeros(line.units, dtype=bool))
            ranges.append((np.full(line.units, -np.inf), np.full(line.units, np.inf)))
    return zero


def _arguments(
    line: Line, box: Box, ranges: Sequence[tuple[Array, Array]]
) -> tuple[Array, Array, Array]:
    """Least and largest argument of each row over the box, and the size of their terms."""
    centre, half = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
    middle, reach = line.V @ centre + line.b, np.abs(line.V) @ half
    low, high = middle - reach, middle + reach
    size = np.abs(line.V) @ np.abs(centre) + np.abs(line.b) + reach
    for source, W in line.W:
        below, above = ranges[source]
        low, high = low + W @ below, high + W @ above
        size = size + W @ np.maximum(np.abs(below), np.abs(above))
    return low, high, size


def _cut(line: Line, mask: Mask, kept: Sequence[Mask]) -> Line:
    rows = np.repeat(mask, line.atom.group)
    W = tuple((source, np.ascontiguousarray(W[rows][:, kept[source]])) for source, W in line.W)
    gates = tuple(
        None if gate is None else gate[..., kept[source]] for source, _, gate in line.edges
    )
    return replace(line, V=line.V[rows], b=line.b[..., rows], W=W, gates=gates)
