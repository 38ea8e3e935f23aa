"""Additive: a sum of convex piecewise linear functions of one column each."""

from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY, RELU
from icnn.learn.model import AbstractConvexModel, positive_int, seeded
from icnn.learn.weights import NonNegative, fill_normal
from icnn.network import Layer

SPAN = 2.0  # of the first knots, in standard deviations of a column


@final
class Additive(AbstractConvexModel):
    """f(x) = Σ_j (a_j x_j + Σ_k w_jk max(x_j − t_jk, 0)) + b, w ≥ 0: no two columns meet.

    The convex additive model, with knots t that are learned too. Few rows teach it where the
    truth is separable, as costs of units that run side by side.

    Args:
        n_inputs: columns of x.
        knots: of each column.
        positivity: how w stays non-negative: "softplus", "square", "exp" or "projection".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self, n_inputs: int, knots: int = 16, *, positivity: str = "softplus", seed: int = 0
    ) -> None:
        super().__init__()
        n, count = positive_int("n_inputs", n_inputs), positive_int("knots", knots)
        self.config = dict(n_inputs=n, knots=count, positivity=positivity, seed=seed)
        self.knot = nn.Parameter(torch.zeros(n * count))
        self.outer = NonNegative(1, n * count, positivity)
        self.slope = nn.Parameter(torch.zeros(1, n))
        self.offset = nn.Parameter(torch.zeros(1))
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        each = torch.eye(self.n_inputs, dtype=self.knot.dtype, device=self.knot.device)
        columns = each.repeat_interleave(self.config["knots"], 0)
        hidden = Layer(RELU, columns, -self.knot)
        return hidden, Layer(IDENTITY, self.slope, self.offset, ((0, self.outer()),))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Knots roughly side by side; every column a convex curve that is least in the middle."""
        n, count = self.n_inputs, self.config["knots"]
        fill_normal(self.knot, (0.25 * SPAN / count) ** 2, generator)
        self.knot.add_(torch.linspace(-SPAN, SPAN, count).repeat(n))
        self.outer.fill(torch.full_like(self.outer.raw, 0.5 / count / n**0.5))
        self.slope.fill_(-0.25 / n**0.5)
        self.offset.zero_()

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.offset.add_(by)
