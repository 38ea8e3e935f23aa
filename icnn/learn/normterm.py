"""NormTerm: a non-negative sum of Euclidean norms of affine maps."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY, Norm
from icnn.learn.model import (
    AbstractConvexModel,
    context_width,
    positive_int,
    seeded,
    unit_counts,
)
from icnn.learn.path import ContextPath, Shaped
from icnn.learn.weights import NonNegative, fill_normal
from icnn.network import Layer


@final
class NormTerm(AbstractConvexModel):
    """f(x, c) = Σ_g λ_g ‖A_g x + d_g(c)‖ + a(c) · x + b(c), λ ≥ 0.

    The conic part of SOC-ICNN (Liu, Hu & Peng, arXiv 2604.22355).

    Args:
        n_inputs: columns of x.
        norms: how many.
        dim: rows of each A_g; by default n_inputs.
        positivity: how λ stays non-negative: "softplus", "square", "exp" or "projection".
        n_context: numbers in the context, which moves d, a and b; 0 for none.
        context_hidden: units of each layer between the context and those.
        context_activation: of those units, "silu", "relu" or "softplus".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        norms: int = 2,
        dim: int | None = None,
        *,
        positivity: str = "softplus",
        n_context: int = 0,
        context_hidden: Sequence[int] = (),
        context_activation: str = "silu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, m = positive_int("n_inputs", n_inputs), context_width(n_context)
        count, rows = positive_int("norms", norms), positive_int("dim", n if dim is None else dim)
        sizes = unit_counts("context_hidden", context_hidden)
        self.config = dict(
            n_inputs=n,
            norms=count,
            dim=rows,
            positivity=positivity,
            n_context=m,
            context_hidden=sizes,
            context_activation=context_activation,
            seed=seed,
        )
        self.atom = Norm(rows)
        self.A = nn.Parameter(torch.zeros(count * rows, n))
        self.weight = NonNegative(1, count, positivity)
        self.path = ContextPath(m, sizes, context_activation)
        self.d = Shaped((count * rows,), self.path.width)
        self.slope = Shaped((1, n), self.path.width)
        self.offset = Shaped((1,), self.path.width)
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        u = self.path(context)
        norms = Layer(self.atom, self.A, self.d(u))
        return norms, Layer(IDENTITY, self.slope(u), self.offset(u), ((0, self.weight()),))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        self.path.reset_parameters(generator)
        fill_normal(self.A, 1.0 / self.n_inputs, generator)
        self.weight.fill(torch.full_like(self.weight.raw, 1.0 / self.weight.raw.numel()))
        for moved in (self.d, self.slope, self.offset):
            moved.fill_slope(0.1, generator)
        fill_normal(self.d.base, 0.1, generator)
        fill_normal(self.slope.base, 0.1 / self.n_inputs, generator)
        self.offset.base.zero_()

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.offset.base.add_(by)
