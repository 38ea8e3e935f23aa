"""FICNN: the fully input-convex network with skip connections."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY
from icnn.learn.model import (
    AbstractConvexModel,
    Sizes,
    check_monotone,
    hidden_atom,
    hidden_units,
    positive_int,
    seeded,
)
from icnn.learn.weights import Modules, NonNegative, Skip, check_positivity, fill_principled
from icnn.network import Layer


@final
class FICNN(AbstractConvexModel):
    """z_{l+1} = g(W_l z_l + V_l x + b_l) with W_l ≥ 0, and f the last, affine layer.

    Amos, Xu & Kolter, "Input Convex Neural Networks" (2017), eq. 2.

    Args:
        n_inputs: columns of x.
        hidden: units of each hidden layer, or "auto" for those that `fit` finds best on the
            hold-out.
        activation: "relu", "leaky_relu", "softplus", "elu", "identity" or, with one hidden
            layer, "abs".
        positivity: how W stays non-negative: "softplus", "square", "exp" or "projection".
        monotone: for each column +1 (f never falls), 0 (free) or -1 (f never rises), by
            construction. After `fit` it holds for the fitted f, convex or concave.
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sizes = (64, 64),
        activation: str = "relu",
        *,
        positivity: str = "softplus",
        monotone: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        n = positive_int("n_inputs", n_inputs)
        sizes = hidden_units(hidden)
        check_positivity(positivity)
        self.atom = hidden_atom(activation, sizes)
        signs = check_monotone(monotone, n, self.atom)
        self.config = dict(
            n_inputs=n,
            hidden=hidden if isinstance(hidden, str) else sizes,
            activation=activation,
            positivity=positivity,
            monotone=signs,
            seed=seed,
        )
        rows = [*sizes, 1]
        self.V = Modules(Skip(units, n, signs, positivity) for units in rows)
        self.b = nn.ParameterList(torch.zeros(units) for units in rows)
        self.W = Modules(
            NonNegative(above, below, positivity)
            for below, above in zip(sizes, rows[1:], strict=True)
        )
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        edges = [(), *(((k, W()),) for k, W in enumerate(self.W))]
        atoms = [self.atom] * len(self.W) + [IDENTITY]
        V = [skip() for skip in self.V]
        return tuple(Layer(*part) for part in zip(atoms, V, self.b, edges, strict=True))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        for k, V in enumerate(self.V):
            V.fill((1.0 if k == 0 else 0.25) / self.n_inputs, generator)
        for W, b in zip(self.W, list(self.b)[1:], strict=True):
            fill_principled(W, b, generator)
        self.b[0].zero_()

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.b[-1].add_(by)
