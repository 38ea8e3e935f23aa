"""How a context shapes a model: an ordinary network of it, and tensors that its units move."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from icnn.errors import BadData
from icnn.learn.weights import fill_normal

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": nn.functional.silu,
    "relu": nn.functional.relu,
    "softplus": nn.functional.softplus,
}


@final
class Shaped(nn.Module):
    """A tensor that a context may move: base + A u / √width, or the base without a context.

    The root makes a step of Adam move the tensor alike for every width: a PICNN of 64 units from
    300 rows had R² 0.98 on new rows, and 0.47 to 0.90 without it.
    """

    def __init__(self, shape: Sequence[int], width: int) -> None:
        super().__init__()
        self.base = nn.Parameter(torch.zeros(*shape))
        self.slope = nn.Parameter(torch.zeros(*shape, width)) if width else None

    def forward(self, u: Tensor | None) -> Tensor:
        """u (*context, width) -> (*context, *shape)."""
        if u is None or self.slope is None:
            return self.base
        width = u.shape[-1]
        moved = nn.functional.linear(u, self.slope.reshape(-1, width)) / math.sqrt(width)
        return self.base + moved.reshape(*u.shape[:-1], *self.base.shape)

    @torch.no_grad()
    def fill_slope(self, variance: float, generator: torch.Generator) -> None:
        """Normal entries, so that A u has this variance for a u of variance 1."""
        if self.slope is not None:
            fill_normal(self.slope, variance, generator)


def path_activation(name: str) -> Callable[[Tensor], Tensor]:
    """The function of this name; of c nothing needs to be convex, so any would do."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise BadData(f"context_activation is one of {', '.join(ACTIVATIONS)}, not {name!r}")
    return ACTIVATIONS[name]


@final
class ContextPath(nn.Module):
    """u(c): the context, and beside it the last layer of an ordinary network of it."""

    def __init__(self, n_context: int, hidden: Sequence[int], activation: str = "silu") -> None:
        super().__init__()
        self.activation = path_activation(activation)
        sizes = [n_context, *hidden] if n_context else [0]
        self.width = n_context + (sizes[-1] if len(sizes) > 1 else 0)
        self.A = nn.ParameterList(torch.zeros(above, below) for below, above in pairwise(sizes))
        self.b = nn.ParameterList(torch.zeros(units) for units in sizes[1:])

    def forward(self, context: Tensor | None) -> Tensor | None:
        u = context
        if u is None or context is None or len(self.A) == 0:
            return u
        for A, b in zip(self.A, self.b, strict=True):
            u = self.activation(nn.functional.linear(u, A, b))
        return torch.cat([context, u], -1)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Normal weights that keep the size of a standardised context; biases that spread kinks."""
        for A, b in zip(self.A, self.b, strict=True):
            fill_normal(A, 2.0 / A.shape[1], generator)
            fill_normal(b, 1.0, generator)
