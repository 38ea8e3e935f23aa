"""Groups of rows that a hold-out must not tear apart: who belongs together, and who is held out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData
from icnn.learn.context import Given
from icnn.learn.model import seeded
from icnn.learn.table import is_frame

Labels = NDArray[np.intp]  # (N,) 0, 1, … a group
CONTEXT = "context"


def named_apart(X: Any, groups: Any) -> tuple[Any, Any]:
    """X and the groups; a column of X that is named as the group is a label, not a decision.

    Raises:
        BadData: X has no such column, or more than one.
    """
    if not isinstance(groups, str):
        return X, groups
    found = [str(name) for name in X.columns].count(groups) if is_frame(X) else 0
    if groups == CONTEXT:
        if found:
            raise BadData(
                f'groups="{CONTEXT}" stands for rows of equal context, but X has a column of that '
                f"name too; give the column itself, groups=X[{CONTEXT!r}]"
            )
        return X, groups
    if found != 1:
        what = "more than one column" if found else "no column"
        raise BadData(
            f'groups={groups!r}: X has {what} of this name; give one label a row, or "{CONTEXT}" '
            "for rows of equal context"
        )
    at = [str(name) for name in X.columns].index(groups)
    return X.drop(columns=X.columns[at]), X.iloc[:, at]


def read_groups(groups: Any, context: Given, rows: int) -> Labels | None:
    """The group of each row; None without groups.

    Args:
        groups: one label a row, of any kind that can be compared; or "context", for the rows of
            equal context.
        context: its columns by name, (rows,) entries each.
        rows: of the table.

    Raises:
        BadData: not one label a row, or one is missing.
    """
    if groups is None:
        return None
    if isinstance(groups, str):  # "context"
        if not context:
            raise BadData(f'groups="{groups}", but there is no context; give context=, or labels')
        return _numbered(list(zip(*(part.tolist() for part in context.values()), strict=True)))
    values = groups.detach().cpu() if isinstance(groups, torch.Tensor) else groups
    try:
        shape, entries = np.shape(values), np.asarray(values, dtype=object)
    except ValueError:
        shape, entries = (), np.empty(0)
    if shape == (rows, 1):
        shape, entries = (rows,), entries[:, 0]
    if shape != (rows,):
        raise BadData(
            f"groups has shape {shape}, but X has {rows} rows; give one label a row: ({rows},)"
        )
    for row, entry in enumerate(entries):
        if entry is None or type(entry).__name__ == "NAType" or entry != entry:
            raise BadData(f"groups, row {row} is missing ({entry}); give every row a label")
    return _numbered(entries.tolist())


def _numbered(labels: Sequence[Hashable]) -> Labels:
    """0, 1, … in the order in which the labels first appear."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in labels], dtype=np.intp)


def held_out_rows(labels: Labels, share: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers of the hold-out and of the rest: whole groups, near a share of the rows.

    In random order each group joins the hold-out that brings it nearer to the share; where none
    does, the smallest is held out.

    Raises:
        BadData: there is one group only.
    """
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise BadData(
            f"all {len(labels)} rows are of one group; a hold-out of whole groups needs two"
        )
    aim, held = share * len(labels), 0
    chosen = np.zeros(len(sizes), dtype=bool)
    for k in torch.randperm(len(sizes), generator=seeded(seed)).tolist():
        if abs(held + sizes[k] - aim) < abs(held - aim) and chosen.sum() < len(sizes) - 1:
            chosen[k] = True
            held += sizes[k]
    if not held:
        chosen[np.argmin(sizes)] = True
    out = chosen[group]
    return torch.from_numpy(np.flatnonzero(out)), torch.from_numpy(np.flatnonzero(~out))


def folded(labels: Labels, count: int, seed: int) -> Labels:
    """The fold of each row, 0 to count - 1: whole groups, of nearly as many rows in each.

    The largest groups come first, in random order, each to the fold that is emptiest.
    """
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = torch.randperm(len(sizes), generator=seeded(seed)).numpy()
    filled, fold = np.zeros(count, dtype=np.intp), np.empty(len(sizes), dtype=np.intp)
    for k in order[np.argsort(-sizes[order], kind="stable")]:
        fold[k] = np.argmin(filled)
        filled[fold[k]] += sizes[k]
    return np.asarray(fold[group])
