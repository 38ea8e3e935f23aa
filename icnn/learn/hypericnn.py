"""HyperICNN: an input-convex network all of whose weights are functions of the context."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from icnn.atoms import IDENTITY
from icnn.learn.model import (
    AbstractConvexModel,
    Sizes,
    hidden_atom,
    hidden_units,
    positive_int,
    seeded,
    unit_counts,
)
from icnn.learn.path import ContextPath, Shaped
from icnn.learn.weights import Modules, NonNegative, check_positivity, fill_normal, fill_principled
from icnn.network import Layer


@final
class HyperICNN(AbstractConvexModel):
    """z_{l+1} = g(W_l(c) z_l + V_l(c) x + b_l(c)), every W_l(c) ≥ 0.

    Schaller, Bemporad & Boyd, "Learning parametric convex functions" (2025). An ordinary network
    of c gives the raw weights, so it holds (weights × units of its last layer) numbers: keep both
    small.

    Args:
        n_inputs: columns of x.
        n_context: numbers in the context (one for each category of a categorical column).
        hidden: units of each hidden layer, or "auto" for those that `fit` finds best on the
            hold-out.
        context_hidden: units of each layer between the context and the weights.
        context_activation: of those units, "silu", "relu" or "softplus".
        activation: "relu", "leaky_relu", "softplus", "elu", "identity" or, with one hidden
            layer, "abs".
        positivity: how W stays non-negative: "softplus", "square", "exp" or "projection".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        n_context: int,
        hidden: Sizes = (16, 16),
        context_hidden: Sequence[int] = (32,),
        activation: str = "relu",
        *,
        context_activation: str = "silu",
        positivity: str = "softplus",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, m = positive_int("n_inputs", n_inputs), positive_int("n_context", n_context)
        sizes = hidden_units(hidden)
        path = unit_counts("context_hidden", context_hidden)
        self.positivity = check_positivity(positivity)
        self.atom = hidden_atom(activation, sizes)
        self.config = dict(
            n_inputs=n,
            n_context=m,
            hidden=hidden if isinstance(hidden, str) else sizes,
            context_hidden=path,
            context_activation=context_activation,
            activation=activation,
            positivity=positivity,
            seed=seed,
        )
        self.path = ContextPath(m, path, context_activation)
        rows, width = [*sizes, 1], self.path.width
        self.V = Modules(Shaped((units, n), width) for units in rows)
        self.b = Modules(Shaped((units,), width) for units in rows)
        self.raw = Modules(
            Shaped((above, below), width) for below, above in zip(sizes, rows[1:], strict=True)
        )
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        u = self.path(context)
        W = [self.positivity.weight(raw(u)) for raw in self.raw]
        edges = [(), *(((k, weight),) for k, weight in enumerate(W))]
        atoms = [self.atom] * len(W) + [IDENTITY]
        V, b = [v(u) for v in self.V], [b(u) for b in self.b]
        return tuple(Layer(*part) for part in zip(atoms, V, b, edges, strict=True))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        self.path.reset_parameters(generator)
        for k, (V, b) in enumerate(zip(self.V, self.b, strict=True)):
            variance = (1.0 if k == 0 else 0.25) / self.n_inputs
            fill_normal(V.base, variance, generator)
            V.fill_slope(0.1 * variance, generator)
            b.base.zero_()
            b.fill_slope(0.1, generator)
        for raw, b in zip(self.raw, list(self.b)[1:], strict=True):
            rows, columns = raw.base.shape
            start = NonNegative(rows, columns, self.config["positivity"]).to(raw.base.dtype)
            fill_principled(start, b.base, generator)
            raw.base.copy_(start.raw)
            raw.fill_slope(0.01 * float(start.raw.square().mean()), generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        list(self.b)[-1].base.add_(by)
