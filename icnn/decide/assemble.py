"""assemble: an objective, its box and rows, sets and learned limits become one `Program`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from icnn.decide.cones import Cone
from icnn.decide.program import Learned, Program
from icnn.decide.sets import Box, Rows, settled
from icnn.decide.shapes import Lowered
from icnn.network import Network


def assemble(
    objective: Network,
    box: Box,
    rows: Rows,
    *,
    integral: NDArray[np.bool_],
    columns: tuple[str, ...],
    sets: Sequence[Lowered] = (),
    learned: Sequence[Learned] = (),
) -> Program:
    """The program over (x, auxiliaries of each set in turn); the rows of the user come first."""
    n, named = len(columns), len(rows.lower)
    sizes = [len(part.aux.lower) for part in sets]
    width = n + sum(sizes)
    blocks, cones, at = [_widened(rows, n, n, width)], [], n
    for part, size in zip(sets, sizes, strict=True):
        blocks.append(_widened(part.rows, n, at, width))
        cones += [Cone(c.kind, _columns(c.A, n, at, width), c.b) for c in part.cones]
        at += size
    visible = np.eye(n, width)
    return Program(
        objective if width == n else objective.compose_affine(visible),
        Box(
            np.concatenate([box.lower, *(part.aux.lower for part in sets)]),
            np.concatenate([box.upper, *(part.aux.upper for part in sets)]),
        ),
        settled(
            Rows(
                sp.csr_array(sp.vstack([block.A for block in blocks])),
                np.concatenate([block.lower for block in blocks]),
                np.concatenate([block.upper for block in blocks]),
            )
        ),
        np.concatenate([integral, np.zeros(width - n, dtype=bool)]),
        columns,
        tuple(cones),
        tuple(
            g if width == n else Learned(g.function.compose_affine(visible), g.limit, g.sign)
            for g in learned
        ),
        named,
    )


def _widened(rows: Rows, n: int, at: int, width: int) -> Rows:
    return Rows(_columns(rows.A, n, at, width), rows.lower, rows.upper)


def _columns(A: sp.csr_array, n: int, at: int, width: int) -> sp.csr_array:
    """A over (x, own auxiliaries), moved to the columns of the whole program."""
    A = sp.csr_array(A)
    index = np.where(A.indices < n, A.indices, A.indices - n + at)
    return sp.csr_array((A.data, index, A.indptr), shape=(A.shape[0], width))
