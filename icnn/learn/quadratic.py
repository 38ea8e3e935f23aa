"""Quadratic: a convex quadratic, diagonal, of low rank, or full."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from icnn.atoms import IDENTITY, SumSquares
from icnn.errors import BadData
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

KINDS = ("diagonal", "low_rank", "full")


@final
class Quadratic(AbstractConvexModel):
    """f(x, c) = ‖B x + e(c)‖² + a(c) · x + b(c), convex whatever B is.

    Args:
        n_inputs: columns of x.
        kind: of BᵀB: "diagonal", "low_rank" (plus a diagonal) or "full".
        rank: rows of the low-rank part.
        n_context: numbers in the context, which moves e, a and b; 0 for none.
        context_hidden: units of each layer between the context and those.
        context_activation: of those units, "silu", "relu" or "softplus".
        seed: of the initial values; `fit` draws its own.
    """

    def __init__(
        self,
        n_inputs: int,
        kind: str = "diagonal",
        rank: int = 1,
        *,
        n_context: int = 0,
        context_hidden: Sequence[int] = (),
        context_activation: str = "silu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        n, m = positive_int("n_inputs", n_inputs), context_width(n_context)
        if kind not in KINDS:
            raise BadData(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
        r, sizes = positive_int("rank", rank), unit_counts("context_hidden", context_hidden)
        self.config = dict(
            n_inputs=n,
            kind=kind,
            rank=r,
            n_context=m,
            context_hidden=sizes,
            context_activation=context_activation,
            seed=seed,
        )
        rows = {"diagonal": 0, "low_rank": r, "full": n}[kind]
        self.diagonal = None if kind == "full" else nn.Parameter(torch.zeros(n))
        self.factor = None if kind == "diagonal" else nn.Parameter(torch.zeros(rows, n))
        self.atom = SumSquares(rows if kind == "full" else n + rows)
        self.path = ContextPath(m, sizes, context_activation)
        self.shift = Shaped((self.atom.size,), self.path.width)
        self.slope = Shaped((1, n), self.path.width)
        self.offset = Shaped((1,), self.path.width)
        self.reset_parameters(seeded(seed))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        u, parts = self.path(context), []
        if self.diagonal is not None:
            parts.append(torch.diag_embed(self.diagonal))
        if self.factor is not None:
            parts.append(self.factor)
        squares = Layer(self.atom, torch.cat(parts), self.shift(u))
        one = self.offset.base.new_ones(1, 1)
        return squares, Layer(IDENTITY, self.slope(u), self.offset(u), ((0, one),))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        self.path.reset_parameters(generator)
        for part in (self.diagonal, self.factor):
            if part is not None:
                fill_normal(part, 0.25 / self.n_inputs, generator)
        if self.diagonal is not None:  # away from zero, where the gradient vanishes
            self.diagonal.abs_().add_(0.1 * self.n_inputs**-0.5)
        for moved in (self.shift, self.slope, self.offset):
            moved.base.zero_()
            moved.fill_slope(0.1, generator)
        fill_normal(self.slope.base, 0.1 / self.n_inputs, generator)

    @torch.no_grad()
    def shift_output(self, by: Tensor) -> None:
        self.offset.base.add_(by)
