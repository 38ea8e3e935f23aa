"""Level: a function of the context alone, for a context that moves no decision."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from icnn.atoms import IDENTITY
from icnn.learn.model import AbstractConvexModel, positive_int, seeded, unit_counts
from icnn.learn.path import ContextPath, Shaped
from icnn.network import Layer


@final
class Level(AbstractConvexModel):
    """f(x, c) = r(c), an ordinary network of the context; constant in x.

    Beside a model without context, as `Sum(Quadratic(n), Level(n, m))`, it says that the context
    costs something, but that the best x is the same in all contexts.

    Args:
        n_inputs: columns of x.
        n_context: numbers in the context (one for each category of a categorical column).
        context_hidden: units of each layer of r.
        context_activation: of those units, "silu", "relu" or "softplus".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        n_context: int,
        context_hidden: Sequence[int] = (64,),
        *,
        context_activation: str = "silu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, m = positive_int("n_inputs", n_inputs), positive_int("n_context", n_context)
        sizes = unit_counts("context_hidden", context_hidden)
        self.config = dict(
            n_inputs=n,
            n_context=m,
            context_hidden=sizes,
            context_activation=context_activation,
            seed=seed,
        )
        self.path = ContextPath(m, sizes, context_activation)
        self.offset = Shaped((1,), self.path.width)
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        b = self.offset(self.path(context))
        return (Layer(IDENTITY, b.new_zeros(1, self.n_inputs), b),)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        self.path.reset_parameters(generator)
        self.offset.base.zero_()
        self.offset.fill_slope(0.1, generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.offset.base.add_(by)
