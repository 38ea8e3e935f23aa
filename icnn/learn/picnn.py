"""PICNN: convex in x, arbitrary in the context."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from icnn.atoms import IDENTITY
from icnn.learn.model import (
    AbstractConvexModel,
    Sizes,
    check_monotone,
    hidden_atom,
    hidden_units,
    positive_int,
    seeded,
    unit_counts,
)
from icnn.learn.path import ContextPath, Shaped
from icnn.learn.weights import Modules, NonNegative, Skip, check_positivity, fill_principled
from icnn.network import Layer


@final
class PICNN(AbstractConvexModel):
    """z_{l+1} = g(W_l (z_l ∘ [G_l u + γ_l]_+) + V_l (x ∘ (H_l u + η_l)) + B_l u + b_l), W_l ≥ 0.

    Amos, Xu & Kolter, "Input Convex Neural Networks" (2017), eq. 3. The context path u runs first;
    every layer reads its last units and, beside them, the context itself. It starts near the
    network without context: gates around 1, shifts around b.

    Args:
        n_inputs: columns of x.
        n_context: numbers in the context (one for each category of a categorical column).
        hidden: units of each hidden layer, or "auto" for those that `fit` finds best on the
            hold-out.
        context_hidden: units of each layer of the context path.
        context_activation: of those units, "silu", "relu" or "softplus".
        activation: "relu", "leaky_relu", "softplus", "elu", "identity" or, with one hidden
            layer, "abs".
        positivity: how W stays non-negative: "softplus", "square", "exp" or "projection".
        monotone: for each column +1 (f never falls), 0 (free) or -1 (f never rises), for every
            context, by construction. After `fit` it holds for the fitted f, convex or concave.
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        n_context: int,
        hidden: Sizes = (64, 64),
        context_hidden: Sequence[int] = (64,),
        activation: str = "relu",
        *,
        context_activation: str = "silu",
        positivity: str = "softplus",
        monotone: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, m = positive_int("n_inputs", n_inputs), positive_int("n_context", n_context)
        sizes = hidden_units(hidden)
        path = unit_counts("context_hidden", context_hidden)
        check_positivity(positivity)
        self.atom = hidden_atom(activation, sizes)
        signs = check_monotone(monotone, n, self.atom)
        self.config = dict(
            n_inputs=n,
            n_context=m,
            hidden=hidden if isinstance(hidden, str) else sizes,
            context_hidden=path,
            context_activation=context_activation,
            activation=activation,
            positivity=positivity,
            monotone=signs,
            seed=seed,
        )
        self.path = ContextPath(m, path, context_activation)
        rows, width = [*sizes, 1], self.path.width
        self.V = Modules(Skip(units, n, signs, positivity) for units in rows)
        self.h = Modules(Shaped((n,), width) for _ in rows)
        self.b = Modules(Shaped((units,), width) for units in rows)
        self.W = Modules(
            NonNegative(above, below, positivity)
            for below, above in zip(sizes, rows[1:], strict=True)
        )
        self.gates = Modules(Shaped((units,), width) for units in sizes)
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        u, signed = self.path(context), torch.tensor(self.signed)
        edges = [
            (),
            *(
                ((k, W(), torch.relu(gate(u))),)
                for k, (W, gate) in enumerate(zip(self.W, self.gates, strict=True))
            ),
        ]
        lines = []
        for k, (V, h, b) in enumerate(zip(self.V, self.h, self.b, strict=True)):
            atom = self.atom if k < len(self.W) else IDENTITY
            factor = h(u)
            if any(self.signed):  # the product keeps its sign if the factor is not negative
                factor = torch.where(signed, torch.relu(factor), factor)
            lines.append(Layer(atom, V(), b(u), edges[k], factor))
        return tuple(lines)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        self.path.reset_parameters(generator)
        for k, (V, h, b) in enumerate(zip(self.V, self.h, self.b, strict=True)):
            V.fill((1.0 if k == 0 else 0.25) / self.n_inputs, generator)
            h.base.fill_(1.0)
            h.fill_slope(0.01, generator)
            b.base.zero_()
            b.fill_slope(0.1, generator)
        for W, gate, b in zip(self.W, self.gates, list(self.b)[1:], strict=True):
            fill_principled(W, b.base, generator)
            gate.base.fill_(1.0)
            gate.fill_slope(0.01, generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        list(self.b)[-1].base.add_(by)
