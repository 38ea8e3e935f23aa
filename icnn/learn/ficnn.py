"""FICNN: the fully input-convex network with skip connections."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY
from icnn.errors import NotConvex
from icnn.learn.model import (
    AbstractConvexModel,
    activation_atom,
    positive_int,
    seeded,
    unit_counts,
)
from icnn.learn.weights import NonNegative, check_positivity, fill_normal, fill_principled
from icnn.network import Layer, Network


@final
class FICNN(AbstractConvexModel):
    """z_{l+1} = g(W_l z_l + V_l x + b_l) with W_l ≥ 0, and f the last, affine layer.

    Amos, Xu & Kolter, "Input Convex Neural Networks" (2017), eq. 2.

    Args:
        n_inputs: columns of x.
        hidden: units of each hidden layer.
        activation: "relu", "leaky_relu", "identity" or, with one hidden layer, "abs".
        positivity: how W stays non-negative: "softplus", "square", "exp" or "projection".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sequence[int] = (64, 64),
        activation: str = "relu",
        *,
        positivity: str = "softplus",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n = positive_int("n_inputs", n_inputs)
        sizes = unit_counts("hidden", hidden)
        check_positivity(positivity)
        self.atom = activation_atom(activation)
        if len(sizes) > 1 and not self.atom.nondecreasing:
            raise NotConvex(
                f"{activation} may decrease, so it cannot follow a hidden layer; use one"
            )
        self.config = dict(
            n_inputs=n, hidden=sizes, activation=activation, positivity=positivity, seed=seed
        )
        rows = [*sizes, 1]
        self.V = nn.ParameterList(torch.zeros(units, n) for units in rows)
        self.b = nn.ParameterList(torch.zeros(units) for units in rows)
        self.W = nn.ModuleList(
            NonNegative(above, below, positivity)
            for below, above in zip(sizes, rows[1:], strict=True)
        )
        self.reset_parameters(seeded(seed))

    def lower(self) -> Network:
        edges = [(), *(((k, W()),) for k, W in enumerate(self.W))]
        atoms = [self.atom] * len(self.W) + [IDENTITY]
        parts = zip(atoms, self.V, self.b, edges, strict=True)
        return Network._unchecked(tuple(Layer(*part) for part in parts))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        n = self.n_inputs
        for k, V in enumerate(self.V):
            fill_normal(V, (1.0 if k == 0 else 0.25) / n, generator)
        for W, b in zip(self.W, list(self.b)[1:], strict=True):
            assert isinstance(W, NonNegative)
            fill_principled(W, b, generator)
        self.b[0].zero_()

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.b[-1].add_(by)
