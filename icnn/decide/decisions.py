"""Decisions: what a batch came to, an array a figure and a status a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from icnn.decide.decision import Decision, Status

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Decisions:
    """Many decisions with their proofs, row by row as in `Decision`.

    A row that could not be decided has NaN in x and says why in `status` and `message`; it changes
    no other row. `decisions[i]` is one `Decision`.
    """

    x: Array  # (B, n)
    value: Array  # (B,)
    bound: Array  # (B,)
    gap: Array  # (B,)
    violation: Array  # (B,)
    scale: Array  # (B,) the range of f
    status: NDArray[np.object_]  # (B,) of Status
    message: NDArray[np.object_]  # (B,) of str
    multipliers: Mapping[str, Array]  # "rows" (B, m), "lower" (B, n), "upper" (B, n)
    certified: NDArray[np.bool_]  # (B,)
    solver: NDArray[np.object_]  # (B,) of str
    columns: tuple[str, ...]
    seconds: float
    sense: str = "minimize"

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each row is optimal, by the rule of `Decision.success`, (B,)."""
        return np.asarray(self.status == Status.OPTIMAL)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, i: int) -> Decision:
        return Decision(
            x=self.x[i],
            value=float(self.value[i]),
            bound=float(self.bound[i]),
            gap=float(self.gap[i]),
            violation=float(self.violation[i]),
            status=self.status[i],
            message=self.message[i],
            multipliers={name: y[i] for name, y in self.multipliers.items()},
            solver=self.solver[i],
            seconds=self.seconds / len(self),
            columns=self.columns,
            scale=float(self.scale[i]),
            certified=bool(self.certified[i]),
            sense=self.sense,
        )

    def to_frame(self) -> Any:
        """A `pandas.DataFrame`: a column a decision, then value, bound, gap, violation, status."""
        import pandas as pd

        figures = ("value", "bound", "gap", "violation")
        frame = pd.DataFrame(self.x, columns=list(self.columns))
        for name in figures:  # a decision of that name keeps it
            frame[_free(name, self.columns)] = getattr(self, name)
        frame[_free("status", self.columns)] = [status.name.lower() for status in self.status]
        return frame

    def __repr__(self) -> str:
        done = int(self.success.sum())
        rest = {
            s.name.lower(): int((self.status == s).sum()) for s in Status if s is not Status.OPTIMAL
        }
        others = ", ".join(f"{count} {name}" for name, count in rest.items() if count)
        rate = f"{1e3 * self.seconds / max(len(self), 1):.3g} ms a row"
        return (
            f"{self.sense}: {done} of {len(self)} rows optimal"
            f"{f' ({others})' if others else ''}, {self.seconds:.3g} s, {rate}"
        )


def _free(name: str, taken: tuple[str, ...]) -> str:
    while name in taken:
        name = f"{name}_"
    return name
