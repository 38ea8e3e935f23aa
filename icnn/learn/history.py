"""History: what a training saw."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class History:
    """What the training saw: mean squared errors of standardised y, one row an evaluation.

    `train` and `validation` are Adam's; `held_out` is the error on the hold-out of what was kept,
    after the polish or of the mixture, and the figure to choose between fits of one table and seed.
    With folds each has restarts of its own, and `held_out` is the error of all rows, each by the
    models that did not see it.
    """

    step: Array  # (evaluations,)
    train: Array  # (evaluations, restarts), or folds * restarts
    validation: Array  # (evaluations, restarts)
    chosen: int = 0
    polish_steps: int = 0
    seconds: float = 0.0
    held_out: float = math.nan
