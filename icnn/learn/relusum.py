"""ReLUSum: a non-negative sum of ReLUs."""

from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY
from icnn.learn.model import AbstractConvexModel, activation_atom, positive_int, seeded
from icnn.learn.weights import NonNegative, fill_normal, fill_principled
from icnn.network import Layer


@final
class ReLUSum(AbstractConvexModel):
    """f(x) = Σ_k w_k s(w_k · x − w_k0) − w_0 with outer weights w_k ≥ 0, s = ReLU by default.

    The one-hidden-layer network of "Why Rectified Linear Neurons: Two Convexity-Related
    Explanations" (Contreras, Ceberio, Kosheleva, Kreinovich & Phuong).
    """

    def __init__(
        self,
        n_inputs: int,
        units: int = 64,
        activation: str = "relu",
        *,
        positivity: str = "softplus",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, h = positive_int("n_inputs", n_inputs), positive_int("units", units)
        self.atom = activation_atom(activation)
        self.config = dict(
            n_inputs=n, units=h, activation=activation, positivity=positivity, seed=seed
        )
        self.V = nn.Parameter(torch.zeros(h, n))
        self.threshold = nn.Parameter(torch.zeros(h))
        self.outer = NonNegative(1, h, positivity)
        self.offset = nn.Parameter(torch.zeros(1))
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        hidden = Layer(self.atom, self.V, -self.threshold)
        no_skip = self.V.new_zeros(1, self.n_inputs)
        return hidden, Layer(IDENTITY, no_skip, -self.offset, ((0, self.outer()),))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        fill_normal(self.V, 1.0 / self.n_inputs, generator)
        fill_normal(self.threshold, 1.0, generator)
        fill_principled(self.outer, self.offset, generator)
        self.offset.neg_()

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.offset.sub_(by)
