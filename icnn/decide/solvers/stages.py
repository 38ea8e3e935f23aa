"""Stages: layers of two-piece units in torch, many rows at once, on the box [−1, 1]^n."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from icnn.atoms import PiecewiseLinear
from icnn.decide.flat import Flat
from icnn.decide.program import Line

Slopes = Sequence[Tensor]  # (B, units) a stage


@final
@dataclass(frozen=True, eq=False)
class Stage:
    """units z = mean · a + half · |a| of a = V (h ∘ t) + Σ W (gate ∘ z_source) + b.

    A leading axis of 1 means the same for all rows.
    """

    V: Tensor  # (units, n)
    b: Tensor  # (B | 1, units)
    h: Tensor  # (B | 1, n)
    edges: tuple[tuple[int, Tensor, Tensor], ...]  # source, W, gate (B | 1, units of the source)
    mean: float
    half: float

    def exact(self, a: Tensor) -> Tensor:
        """The units themselves."""
        return self.mean * a + self.half * a.abs()

    def ends(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the largest u of units with these Λ ≥ 0."""
        return (self.mean - self.half) * lam, (self.mean + self.half) * lam


@final
@dataclass(frozen=True, eq=False)
class Stages:
    """f(t) = c·t + Σ e·z, up to a constant and in units of its range."""

    stages: tuple[Stage, ...]
    c: Tensor  # (B | 1, n)
    e: tuple[Tensor, ...]  # (B | 1, units) a stage

    def forward(self, t: Tensor, unit: Callable[[int, Tensor], Tensor]) -> tuple[Any, Any]:
        """Arguments and units of each stage at t (B, n), where `unit` stands for the atom."""
        a: list[Tensor] = []
        z: list[Tensor] = []
        for k, stage in enumerate(self.stages):
            total = (t * stage.h) @ stage.V.T + stage.b
            for source, W, gate in stage.edges:
                total = total + (z[source] * gate) @ W.T
            a.append(total)
            z.append(unit(k, total))
        return a, z

    def value(self, t: Tensor, z: Slopes) -> Tensor:
        """f (B,) where the units are z."""
        return (t * self.c).sum(-1) + sum((e * u).sum(-1) for e, u in zip(self.e, z, strict=True))

    def exact(self, t: Tensor) -> Tensor:
        """f(t), (B,)."""
        _, z = self.forward(t, lambda k, a: self.stages[k].exact(a))
        return self.value(t, z)

    def change(self, d: Tensor, slopes: Slopes) -> list[Tensor]:
        """How each argument moves with t along d (B, n), at these slopes."""
        moved: list[Tensor] = []
        for stage in self.stages:
            total = (d * stage.h) @ stage.V.T
            for source, W, gate in stage.edges:
                total = total + (slopes[source] * moved[source] * gate) @ W.T
            moved.append(total)
        return moved

    def backward(self, pull: Callable[[int, Tensor], Tensor]) -> tuple[Any, Any, Tensor, Tensor]:
        """u = pull(stage, Λ) from the top down: u, Λ, the minorant's slope (B, n) and constant.

        f(t) ≥ slope · t + constant for every t, if each u lies between Λ's least and largest slope.
        """
        lam, u = list(self.e), list(self.e)
        slope, constant = self.c, torch.zeros_like(self.c[:, 0])
        for k in range(len(self.stages) - 1, -1, -1):
            stage = self.stages[k]
            u[k] = pull(k, lam[k])
            slope = slope + (u[k] @ stage.V) * stage.h
            constant = constant + (u[k] * stage.b).sum(-1)
            for source, W, gate in stage.edges:
                lam[source] = lam[source] + (u[k] @ W) * gate
        return u, lam, slope, constant

    def jacobians(self, slopes: Slopes) -> list[Tensor]:
        """∂a/∂t of each stage at these slopes, (B | 1, n, units)."""
        found: list[Tensor] = []
        for stage in self.stages:
            J = stage.V.T * stage.h[:, :, None]
            for source, W, gate in stage.edges:
                J = ((found[source] * (slopes[source] * gate)[:, None, :]) @ W.T).add_(J)
            found.append(J)
        return found

    def rows(self, at: Tensor) -> Stages:
        """Only these rows."""

        def part(x: Tensor) -> Tensor:
            return x[at] if len(x) > 1 else x

        stages = tuple(
            replace(
                stage,
                b=part(stage.b),
                h=part(stage.h),
                edges=tuple((source, W, part(gate)) for source, W, gate in stage.edges),
            )
            for stage in self.stages
        )
        return Stages(stages, part(self.c), tuple(part(e) for e in self.e))


def stages_of(arrays: Flat, device: torch.device) -> Stages:
    """The hidden layers of a batch in the units of the search, without the output's bias."""

    def sent(x: Any) -> Tensor:
        return torch.from_numpy(np.array(x, dtype=np.float64)).to(device)

    places = arrays.places()
    gates = iter(sent(g) for g in _cut(places.gates, arrays.net.gate))
    biases = _cut(places.b, arrays.net.rows)
    found: list[Stage] = []
    levels: list[Tensor] = []  # of each unit at its kink
    for k, line in enumerate(arrays.batch.lines[:-1]):
        mean, half, kink, level = _two_pieces(line)
        edges = tuple((source, sent(W), next(gates)) for source, W in line.W)
        b = sent(biases[k]) - kink
        for source, W, gate in edges:
            b = b + (gate * levels[source]) @ W.T
        found.append(Stage(sent(line.V), b, sent(places.h[:, k]), edges, mean, half))
        levels.append(torch.full((line.units,), level, dtype=torch.float64, device=device))
    e = tuple(sent(part) for part in _cut(places.e, arrays.net.units))
    return Stages(tuple(found), sent(places.c), e)


def _two_pieces(line: Line) -> tuple[float, float, float, float]:
    """mean, half, kink and level of max(s₀ a + t₀, s₁ a + t₁) = level + mean a' + half |a'|."""
    assert isinstance(line.atom, PiecewiseLinear)
    (s0, t0), (s1, t1) = line.atom.pieces[0], line.atom.pieces[-1]
    kink = (t0 - t1) / (s1 - s0) if s1 > s0 else 0.0
    return (s0 + s1) / 2, (s1 - s0) / 2, kink, s0 * kink + t0


def _cut(x: Any, starts: Any) -> list[Any]:
    return [x[:, i:j] for i, j in pairwise(starts)]
