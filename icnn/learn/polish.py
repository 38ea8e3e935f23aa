"""The last steps of a training: L-BFGS-B in float64 on all rows of the training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icnn.learn.loss import Split, loss
from icnn.learn.model import AbstractConvexModel
from icnn.learn.train import Budget, floors_of

Array = NDArray[np.float64]
PROGRESS = 2.220446049250313e-4  # scipy's own ratio of its two tolerances
UNLIMITED = 2**31 - 1  # evaluations: scipy would end at 15,000, whatever the budget says


def polish(
    model: AbstractConvexModel, train: Split, held_out: Split, *, budget: Budget
) -> tuple[int, float]:
    """L-BFGS-B in float64 on the whole training part; keeps the best point on the hold-out.

    Returns the iteration it kept and its validation loss.
    """
    import scipy.optimize

    train, held_out = train.together(), held_out.together()
    params, floors = list(model.parameters()), floors_of(model)
    low = np.concatenate(
        [np.full(p.numel(), floors.get(name, -np.inf)) for name, p in model.named_parameters()]
    )
    watch = _Watch(model, held_out, budget.polish_patience)
    if budget.polish == 0:  # scipy makes one iteration even with maxiter=0
        return 0, watch.loss

    def value(point: Array) -> tuple[float, Array]:
        _assign(params, point)
        error = loss(model, train)
        return error.item(), _flat(torch.autograd.grad(error, params))

    scipy.optimize.minimize(
        value,
        np.maximum(watch.point, low),
        jac=True,
        method="L-BFGS-B",
        bounds=scipy.optimize.Bounds(low, np.inf) if floors else None,
        callback=watch,
        options={
            "maxiter": budget.polish,
            "maxfun": UNLIMITED,
            "maxcor": 20,
            "gtol": budget.polish_tolerance,
            "ftol": PROGRESS * budget.polish_tolerance,
        },
    )
    _assign(params, watch.point)
    return watch.kept_at, watch.loss


class _Watch:
    """Keeps the best point seen on the hold-out, and stops when nothing better comes."""

    def __init__(self, model: AbstractConvexModel, held_out: Split, patience: int) -> None:
        self.model, self.held_out, self.patience = model, held_out, patience
        self.point, self.loss = _flat(list(model.parameters())), loss(model, held_out).item()
        self.kept_at = self.now = 0

    def __call__(self, point: Array) -> None:
        self.now += 1
        _assign(list(self.model.parameters()), point)
        error = loss(self.model, self.held_out).item()
        if error < self.loss:
            self.point, self.loss, self.kept_at = point.copy(), error, self.now
        if self.now - self.kept_at >= self.patience:
            raise StopIteration


def _flat(tensors: Sequence[Tensor]) -> Array:
    return np.concatenate([t.detach().reshape(-1).numpy() for t in tensors])


@torch.no_grad()
def _assign(params: Sequence[Tensor], point: Array) -> None:
    start = 0
    for p in params:
        p.copy_(torch.from_numpy(point[start : start + p.numel()]).view(p.shape))
        start += p.numel()
