"""The squared error of ReLU networks and its gradient, written out: several networks at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from icnn.atoms import IDENTITY, RELU
from icnn.network import Layer

BLOCK = 2**20  # bytes of a layer's values at once: the system maps larger ones anew at each step


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs (N, n), targets (N,) and weights (N,) or (networks, N); none has a gradient."""

    x: Tensor
    y: Tensor
    w: Tensor

    def blocks(self, size: int) -> Iterator[tuple[Tensor, ...]]:
        if len(self.x) <= size:
            yield self.x, self.y, self.w
        else:
            for start in range(0, len(self.x), size):
                at = slice(start, start + size)
                yield self.x[at], self.y[at], self.w[..., at]


@final
@dataclass(frozen=True)
class _Line:
    """A layer, with the places of its V, b and W in one list of tensors."""

    rectified: bool
    V: int
    b: int
    W: tuple[tuple[int, int], ...]  # (index of an earlier layer, place)


def is_rectified(layers: Sequence[Layer]) -> bool:
    """Whether there are layers, all of them ReLU or identity, without gates."""
    return bool(layers) and all(
        layer.atom in (RELU, IDENTITY) and layer.h is None and all(len(e) == 2 for e in layer.W)
        for layer in layers
    )


def squared_errors(layers: Sequence[Layer], rows: Rows) -> Tensor:
    """Σ w (f(x) − y)² of rectified networks, (networks,); differentiable once, by the weights.

    V and W are (networks, units, columns) and b (networks, units), or without the first axis where
    they are the same for all.
    """
    lines: list[_Line] = []
    tensors: list[tuple[Tensor, int]] = []  # and how many axes it has if it is one a network
    for layer in layers:
        at = len(tensors)
        edges = tuple((source, at + 2 + k) for k, (source, _) in enumerate(layer.W))
        lines.append(_Line(layer.atom == RELU, at, at + 1, edges))
        tensors += [(layer.V, 3), (layer.b, 2), *((W, 3) for _, W in layer.W)]
    count = max((len(t) for t, axes in tensors if t.ndim == axes), default=1)
    stacked = (t if t.ndim == axes else t.expand(count, *t.shape) for t, axes in tensors)
    by_hand: Callable[..., Tensor] = _SquaredErrors.apply
    return by_hand(rows, lines, torch.is_grad_enabled(), *stacked)


class _SquaredErrors(torch.autograd.Function):
    """Forward makes the slopes too, block by block, so that no layer's values are kept."""

    @staticmethod
    def forward(ctx: Any, rows: Rows, lines: list[_Line], wanted: bool, *tensors: Tensor) -> Tensor:
        networks = _Networks(lines, tensors)
        errors = tensors[0].new_zeros(len(tensors[0]))
        ctx.slopes = [torch.zeros_like(t) for t in tensors] if wanted else []
        for x, y, w in rows.blocks(networks.rows_at_once):
            x = x.expand(len(errors), *x.shape)
            z = networks.values(x)
            away = z[-1].squeeze(-1) - y
            weighted = w * away
            errors += (weighted * away).sum(-1)
            if wanted:
                networks.descend(x, z, weighted.mul_(2).unsqueeze(-1), ctx.slopes)
        return errors

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        factor = {axes: above.view(-1, *[1] * (axes - 1)) for axes in (2, 3)}
        return None, None, None, *(slope * factor[slope.ndim] for slope in ctx.slopes)


@final
@dataclass(frozen=True, eq=False)
class _Networks:
    """Layers and their tensors, each with an axis for the networks in front."""

    lines: list[_Line]
    tensors: tuple[Tensor, ...]

    @property
    def rows_at_once(self) -> int:
        """So many that no layer's values take more than a block."""
        widest = max(self.tensors[line.b].numel() for line in self.lines)
        return max(1, BLOCK // (widest * self.tensors[0].element_size()))

    def values(self, x: Tensor) -> list[Tensor]:
        """The value of each layer at x (networks, rows, n): (networks, rows, units)."""
        z: list[Tensor] = []
        for line in self.lines:
            V, b = self.tensors[line.V], self.tensors[line.b]
            a = torch.baddbmm(b.unsqueeze(1), x, V.mT)
            for source, W in line.W:
                a.baddbmm_(z[source], self.tensors[W].mT)
            z.append(a.relu_() if line.rectified else a)
        return z

    def descend(self, x: Tensor, z: list[Tensor], end: Tensor, slopes: list[Tensor]) -> None:
        """Add an error's slopes by each tensor, given those by f; uses up z and `end`."""
        above: list[Tensor | None] = [None] * (len(z) - 1) + [end]
        for line, value in zip(reversed(self.lines), reversed(z), strict=True):
            d = above.pop()
            if d is None:  # no later layer reads this one
                continue
            if line.rectified:
                d.mul_(value.sign_())
            slopes[line.V].baddbmm_(d.mT, x)
            slopes[line.b].add_(d.sum(1))
            for source, at in line.W:
                slopes[at].baddbmm_(d.mT, z[source])
                W, sum_ = self.tensors[at], above[source]
                above[source] = d @ W if sum_ is None else sum_.baddbmm_(d, W)
