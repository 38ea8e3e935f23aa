"""newton: the smoothed primal-dual method on many rows at once.

|a| becomes √(a² + 4τᵢ²) with τᵢ = τ/Λᵢ, the box a barrier with τ, so that every unit and every end
adds about 2τ to the gap, in whatever units its layer counts. Slopes q of |a| and multipliers of
the ends are unknowns of their own, which keeps Newton's steps long near kinks (Chan, Golub and
Mulet 1999, for total variation). As τ falls, the n kinks and ends that hold the optimum stand out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from icnn.decide.solvers.stages import Slopes, Stages
from icnn.decide.solvers.vertex import Curvature, vertex

FIRST = 0.05  # τ, in ranges of f; 0.3 and 0.02 take half a step to one step more
LEAST = 1e-13
WIDEST = 100.0  # a τᵢ, in spreads of its argument: Λᵢ may vanish; 10 takes four steps more
TRIALS = 2  # of the line search; one takes 0.6 steps more a row at 10, 64 x 2, six save none
BOUNDARY = 0.95  # of the way to the box in one step
FIRM = 1 - 1e-4  # |q| at most


class _Place(NamedTuple):
    """What is known at the current points: arguments, √(a² + 4τᵢ²), slopes of |a| and of units."""

    a: list[Tensor]
    r: list[Tensor]
    p: list[Tensor]
    slopes: list[Tensor]


@final
class Newton:
    """Rows that are not done yet: where they are, and the best that is known of each."""

    def __init__(self, stages: Stages, size: int) -> None:
        n, like = stages.c.shape[1], stages.c
        self._stages, self._n = stages, n
        self._pairs = 2 * (n + sum(len(stage.V) for stage in stages.stages))
        self._spread = _spreads(stages, size)
        self.rows = torch.arange(size, device=like.device)
        self._t, self._best_t = like.new_zeros(size, n), like.new_zeros(size, n)
        self._tau = like.new_full((size, 1), FIRST)
        self._low, self._high = like.new_full((2, size, n), FIRST)  # multipliers of the ends
        self._best = like.new_full((size,), torch.inf)
        self._bound = -self._best
        self._best_u = [like.new_zeros(size, len(stage.V)) for stage in stages.stages]
        self._q = [torch.zeros_like(u) for u in self._best_u]
        _, lam, _, _ = stages.backward(lambda k, lam: lam * stages.stages[k].mean)
        self._blur = self._blurred(lam)

    def step(self, cross: bool) -> None:
        """One step of Newton's method, after a look at the vertex if asked."""
        a, r, z = self._smoothed(self._t)
        p = [x / size for x, size in zip(a, r, strict=True)]
        place = _Place(a, r, p, self._slopes(p))
        lam, slope, curvature = self._bounds(place)
        if cross:
            self._note(*vertex(self._stages, self._t, place.a, curvature))
        barrier = self._tau * (1 / (1 - self._t) - 1 / (1 + self._t))
        d = _direction(slope + barrier, curvature)
        value = self._stages.value(self._t, z) + self._barrier(self._t)
        length = self._length(d, value, ((slope + barrier) * d).sum(-1))
        self._move(d, length, place)
        self._blur = self._blurred(lam)

    def leave(self, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
        """Drop the rows whose gap is closed to this part of the range of f: which, t and u."""
        done = self._best - self._bound <= tolerance
        out = self.rows[done], self._best_t[done], torch.cat([u[done] for u in self._best_u], 1)
        if done.any():
            self._keep((~done).nonzero()[:, 0])
        return out

    def _smoothed(self, t: Tensor) -> tuple[Any, list[Tensor], Any]:
        """Arguments, √(a² + 4τᵢ²) and units at t (B, n)."""
        r: list[Tensor] = []
        stages = self._stages.stages

        def unit(k: int, a: Tensor) -> Tensor:
            r.append((a * a + self._blur[k]).sqrt())
            return stages[k].mean * a + stages[k].half * r[k]

        a, z = self._stages.forward(t, unit)
        return a, r, z

    def _blurred(self, lam: Slopes) -> list[Tensor]:
        """4τᵢ², (rows, units) a stage."""
        widths = [
            self._tau * torch.minimum(1 / x.clamp(min=1e-300), WIDEST * spread)
            for x, spread in zip(lam, self._spread, strict=True)
        ]
        return [4 * width * width for width in widths]

    def _slopes(self, p: Slopes) -> list[Tensor]:
        return [k.mean + k.half * x for k, x in zip(self._stages.stages, p, strict=True)]

    def _bounds(self, at: _Place) -> tuple[Any, Tensor, Curvature]:
        """Λ, gradient and curvature of the smoothed f; notes the bounds of both kinds of slopes."""
        stages = self._stages
        soft = self._slopes(self._q)
        u, _, slope, constant = stages.backward(lambda k, lam: lam * soft[k])
        self._note(None, u, slope, constant)
        u, lam, slope, constant = stages.backward(lambda k, lam: lam * at.slopes[k])
        self._note(self._t, u, slope, constant)
        weights = [
            stage.half * weight * (1 - q * p).clamp(min=0) / r
            for stage, weight, q, p, r in zip(stages.stages, lam, self._q, at.p, at.r, strict=True)
        ]
        ends = self._low / (1 + self._t) + self._high / (1 - self._t)
        return lam, slope, Curvature(stages.jacobians(at.slopes), weights, ends)

    def _barrier(self, t: Tensor) -> Tensor:
        return -(self._tau * (torch.log1p(t) + torch.log1p(-t))).sum(-1)

    def _note(self, t: Tensor | None, u: Slopes, slope: Tensor, constant: Tensor) -> None:
        """Keep what is better than before."""
        if t is not None:
            value = self._stages.exact(t)
            better = value < self._best
            self._best = torch.where(better, value, self._best)
            self._best_t = torch.where(better[:, None], t, self._best_t)
        bound = constant - slope.abs().sum(-1)
        better = bound > self._bound
        self._bound = torch.where(better, bound, self._bound)
        pairs = zip(u, self._best_u, strict=True)
        self._best_u = [torch.where(better[:, None], new, old) for new, old in pairs]

    def _length(self, d: Tensor, value: Tensor, fall: Tensor) -> Tensor:
        """How far to go along d, (rows, 1)."""
        room = torch.where(d < 0, -1 - self._t, 1 - self._t) / d
        room = torch.where(d == 0, torch.inf, room).amin(-1)
        length = (BOUNDARY * room).clamp(max=1.0)
        for _ in range(TRIALS):
            t = self._t + length[:, None] * d
            new = self._stages.value(t, self._smoothed(t)[2]) + self._barrier(t)
            bad = new > value + 1e-4 * length * fall + 1e-12 * value.abs()
            if not bad.any():
                break
            length = torch.where(bad, 0.35 * length, length)
        return length[:, None]

    def _move(self, d: Tensor, length: Tensor, at: _Place) -> None:
        """The step for t and its linear consequence for q and the multipliers; τ may fall."""
        moved = zip(self._stages.change(d, at.slopes), at.r, at.p, self._q, strict=True)
        self._q = [
            (q + length * (p - q + (1 - q * p) / r * da)).clamp(-FIRM, FIRM)
            for da, r, p, q in moved
        ]
        below, above = 1 + self._t, 1 - self._t
        low = self._low + length * (self._tau / below - self._low - self._low / below * d)
        high = self._high + length * (self._tau / above - self._high + self._high / above * d)
        self._low, self._high = low.maximum(0.05 * self._low), high.maximum(0.05 * self._high)
        self._t = self._t + length * d
        mean = (self._best - self._bound)[:, None] / self._pairs  # what each pair adds to the gap
        self._tau = torch.minimum(self._tau, mean).clamp(min=LEAST)

    def _keep(self, at: Tensor) -> None:
        self._stages = self._stages.rows(at)
        for name in ("rows", "_t", "_best_t", "_tau", "_low", "_high", "_best", "_bound"):
            setattr(self, name, getattr(self, name)[at])
        for name in ("_q", "_best_u", "_blur"):
            setattr(self, name, [x[at] for x in getattr(self, name)])


def _direction(gradient: Tensor, curvature: Curvature) -> Tensor:
    """Newton's step d (B, n); zero where the curvature is not finite."""
    parts = zip(curvature.J, curvature.weights, strict=True)
    H: Tensor = torch.diag_embed(curvature.ends * (1 + 1e-12) + 1e-12)
    for J, weights in parts:
        H = torch.baddbmm(H, J * weights[:, None, :], J.mT.expand(len(H), -1, -1))
    factor, _ = torch.linalg.cholesky_ex(H)
    d = -torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
    return d.nan_to_num(0.0, 0.0, 0.0)


def _spreads(stages: Stages, size: int) -> Sequence[Tensor]:
    """How far each argument spreads over the box, (units,) a stage."""
    points, like = 64, stages.c
    some = stages.rows(torch.arange(points, device=like.device) % size)
    random = torch.Generator().manual_seed(0)
    t = torch.rand(points, like.shape[1], generator=random, dtype=like.dtype).to(like.device)
    a, _ = some.forward(2 * t - 1, lambda k, a: stages.stages[k].exact(a))
    spread, largest = [x.std(0) for x in a], [x.abs().amax(0) for x in a]
    return [
        torch.where(s > 1e-9 * m, s, torch.where(m > 0, m, 1.0))
        for s, m in zip(spread, largest, strict=True)
    ]
