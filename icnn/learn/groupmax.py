"""GroupMax: a deep convex network whose units are maxima of affine maps."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY, Max
from icnn.learn.model import (
    AbstractConvexModel,
    Sizes,
    context_width,
    hidden_units,
    positive_int,
    seeded,
    unit_counts,
)
from icnn.learn.path import ContextPath, Shaped
from icnn.learn.weights import Modules, NonNegative, fill_normal
from icnn.network import Layer


@final
class GroupMax(AbstractConvexModel):
    """z_{l+1} = max_{i ≤ size}(W_l^i z_l + V_l^i x + b_l^i(c)), W ≥ 0; f is affine in z and x.

    HyCNN with groups of two (Hundrieser, Kong & Schmidt-Hieber, arXiv 2604.26942): the units may
    be negative, and the pieces double with each layer.

    Args:
        n_inputs: columns of x.
        hidden: units of each hidden layer, or "auto" for those that `fit` finds best on the
            hold-out.
        size: affine maps of each unit.
        positivity: how W stays non-negative: "softplus", "square", "exp" or "projection".
        n_context: numbers in the context, which moves every b; 0 for none.
        context_hidden: units of each layer between the context and the b.
        context_activation: of those units, "silu", "relu" or "softplus".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sizes = (24, 24),
        size: int = 2,
        *,
        positivity: str = "softplus",
        n_context: int = 0,
        context_hidden: Sequence[int] = (64,),
        context_activation: str = "silu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, m = positive_int("n_inputs", n_inputs), context_width(n_context)
        units, group = hidden_units(hidden), positive_int("size", size)
        sizes = unit_counts("context_hidden", context_hidden)
        self.config = dict(
            n_inputs=n,
            hidden=hidden if isinstance(hidden, str) else units,
            size=group,
            positivity=positivity,
            n_context=m,
            context_hidden=sizes,
            context_activation=context_activation,
            seed=seed,
        )
        self.atoms = [Max(group)] * len(units) + [IDENTITY]
        rows = [*(group * k for k in units), 1]
        self.path = ContextPath(m, sizes, context_activation)
        self.V = nn.ParameterList(torch.zeros(count, n) for count in rows)
        self.b = Modules(Shaped((count,), self.path.width) for count in rows)
        self.W = Modules(
            NonNegative(above, below, positivity)
            for below, above in zip(units, rows[1:], strict=True)
        )
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        u = self.path(context)
        edges = [(), *(((k, W()),) for k, W in enumerate(self.W))]
        shifts = [b(u) for b in self.b]
        return tuple(Layer(*part) for part in zip(self.atoms, self.V, shifts, edges, strict=True))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        self.path.reset_parameters(generator)
        for k, (V, b) in enumerate(zip(self.V, self.b, strict=True)):
            fill_normal(V, (1.0 if k == 0 else 0.25) / self.n_inputs, generator)
            b.base.zero_()
            b.fill_slope(0.1, generator)
        for W, b in zip(self.W, list(self.b)[1:], strict=True):
            _fill(W, b.base, generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        list(self.b)[-1].base.add_(by)


def _fill(W: NonNegative, b: Tensor, generator: torch.Generator) -> None:
    """Log-normal weights for maxima of two, whose mean is 1/√π where that of a ReLU is 1/√(2π)."""
    m = W.raw.shape[1]
    square, variance = 1 / (m**2 + (1 - 1 / math.pi) * m), 1 / (4 * m)
    log_variance = math.log1p(variance / square)
    noise = torch.randn(W.raw.shape, generator=generator, dtype=W.raw.dtype)
    W.fill((0.5 * (math.log(square) - log_variance) + math.sqrt(log_variance) * noise).exp())
    b.fill_(-math.sqrt(m / (2 * math.pi * m + 2 * math.pi - 2)))
