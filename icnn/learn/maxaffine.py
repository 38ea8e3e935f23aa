"""MaxAffine and LogSumExp: the maximum of affine pieces, sharp and soft, for any context."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import LogSumExp as SoftMax
from icnn.atoms import Max
from icnn.learn.model import (
    AbstractConvexModel,
    context_width,
    positive_int,
    seeded,
    unit_counts,
)
from icnn.learn.path import ContextPath, Shaped
from icnn.learn.weights import fill_normal
from icnn.network import Layer


@final
class Pieces(nn.Module):
    """The affine pieces a_k(c) · x + b_k(c), as the rows of a layer."""

    def __init__(self, n: int, count: int, path: ContextPath) -> None:
        super().__init__()
        self.path = path
        self.slopes = Shaped((count, n), self.path.width)
        self.intercepts = Shaped((count,), self.path.width)

    def forward(self, context: Tensor | None) -> tuple[Tensor, Tensor]:
        u = self.path(context)
        return self.slopes(u), self.intercepts(u)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        n = self.slopes.base.shape[-1]
        fill_normal(self.slopes.base, 1.0 / n, generator)
        fill_normal(self.intercepts.base, 0.01, generator)
        self.path.reset_parameters(generator)
        self.slopes.fill_slope(0.1 / n, generator)
        self.intercepts.fill_slope(0.1, generator)


@final
class MaxAffine(AbstractConvexModel):
    """f(x, c) = max_k (a_k(c) · x + b_k(c)).

    With a context this is PMA (Kim & Kim, "Parameterized convex universal approximators for
    decision-making problems", 2022): an ordinary network of c gives the pieces.

    Args:
        n_inputs: columns of x.
        pieces: how many.
        n_context: numbers in the context; 0 for none.
        context_hidden: units of each layer between the context and the pieces.
        context_activation: of those units, "silu", "relu" or "softplus".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        pieces: int = 32,
        *,
        n_context: int = 0,
        context_hidden: Sequence[int] = (64,),
        context_activation: str = "silu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, k = positive_int("n_inputs", n_inputs), positive_int("pieces", pieces)
        m, sizes = context_width(n_context), unit_counts("context_hidden", context_hidden)
        self.config = dict(
            n_inputs=n,
            pieces=k,
            n_context=m,
            context_hidden=sizes,
            context_activation=context_activation,
            seed=seed,
        )
        self.pieces = Pieces(n, k, ContextPath(m, sizes, context_activation))
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        slopes, intercepts = self.pieces(context)
        return (Layer(Max(intercepts.shape[-1]), slopes, intercepts),)

    def reset_parameters(self, generator: torch.Generator) -> None:
        self.pieces.reset_parameters(generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.pieces.intercepts.base.add_(by)


@final
class LogSumExp(AbstractConvexModel):
    """f(x, c) = T log Σ_k exp((a_k(c) · x + b_k(c)) / T), at most T log(pieces) above the maximum.

    With a context this is PLSE (Kim & Kim 2022).

    Args:
        n_inputs: columns of x.
        pieces: how many.
        temperature: T, in units of the standardised y.
        n_context: numbers in the context; 0 for none.
        context_hidden: units of each layer between the context and the pieces.
        context_activation: of those units, "silu", "relu" or "softplus".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        pieces: int = 32,
        temperature: float = 0.1,
        *,
        n_context: int = 0,
        context_hidden: Sequence[int] = (64,),
        context_activation: str = "silu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, k = positive_int("n_inputs", n_inputs), positive_int("pieces", pieces)
        m, sizes = context_width(n_context), unit_counts("context_hidden", context_hidden)
        self.atom = SoftMax(k, float(temperature))
        self.config = dict(
            n_inputs=n,
            pieces=k,
            temperature=self.atom.temperature,
            n_context=m,
            context_hidden=sizes,
            context_activation=context_activation,
            seed=seed,
        )
        self.pieces = Pieces(n, k, ContextPath(m, sizes, context_activation))
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        return (Layer(self.atom, *self.pieces(context)),)

    def reset_parameters(self, generator: torch.Generator) -> None:
        self.pieces.reset_parameters(generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.pieces.intercepts.base.add_(by)
