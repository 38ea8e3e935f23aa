"""prune: layers without the units that nothing reads, exactly the same function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from icnn.decide.program import Line

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def pruned(lines: Sequence[Line]) -> tuple[tuple[Line, ...], list[Mask]]:
    """The layers that are left, with the same number of layers, and which units each kept.

    A projected weight is often exactly zero: of 256 units in the last hidden layer of a trained
    network, 61 were read. A layer keeps at least one unit.
    """
    kept = [np.zeros(line.units, dtype=bool) for line in lines]
    kept[-1][:] = True
    for line, mask in zip(reversed(lines), reversed(kept), strict=True):
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


def _cut(line: Line, mask: Mask, kept: Sequence[Mask]) -> Line:
    rows = np.repeat(mask, line.atom.group)
    W = tuple((source, np.ascontiguousarray(W[rows][:, kept[source]])) for source, W in line.W)
    gates = tuple(
        None if gate is None else gate[..., kept[source]] for source, _, gate in line.edges
    )
    return replace(line, V=line.V[rows], b=line.b[..., rows], W=W, gates=gates)
