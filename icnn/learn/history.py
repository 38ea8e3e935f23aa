"""History: what a training saw."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class History:
    """What the training saw: mean squared errors of standardised y, one row an evaluation."""

    step: Array  # (evaluations,)
    train: Array  # (evaluations, restarts)
    validation: Array  # (evaluations, restarts)
    chosen: int = 0
    polish_steps: int = 0
    seconds: float = 0.0
