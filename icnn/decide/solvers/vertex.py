"""vertex: the n kinks and ends that hold the optimum of each row, solved for exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from icnn.decide.solvers.stages import Slopes, Stages

CANDIDATES = 2  # times n, of the units with the greatest curvature: some may be copies


class Curvature(NamedTuple):
    """J diag(weights) Jᵀ + diag(ends), the second derivative in t."""

    J: list[Tensor]  # (B | 1, n, units) a stage
    weights: list[Tensor]  # (B, units) a stage
    ends: Tensor  # (B, n)


class _Held(NamedTuple):
    """What holds a row: n units or columns."""

    unit: Tensor  # (B, n), counted through all stages
    column: Tensor  # (B, n)
    is_end: Tensor  # (B, n) whether it is a column


def vertex(
    stages: Stages, t: Tensor, a: Slopes, curvature: Curvature
) -> tuple[Tensor, Any, Tensor, Tensor]:
    """The vertex near t (B, n) and the minorant of its multipliers: t, u, slope, constant.

    `a` are the arguments at t. Units that hold are zero there and have free multipliers; all others
    stay on the side of their kink where they are.
    """
    held = _held(curvature)
    zero = _marked(held, [x.shape[1] for x in a])
    fixed = [
        torch.where(mask, 0.0, stage.mean + stage.half * x.sign())
        for stage, x, mask in zip(stages.stages, a, zero, strict=True)
    ]
    now, _ = stages.forward(t, lambda k, x: fixed[k] * x)
    _, _, slope, _ = stages.backward(lambda k, lam: lam * fixed[k])
    eye = torch.eye(t.shape[1], dtype=t.dtype, device=t.device)
    M = _columns(stages.jacobians(fixed), held.unit).mT  # a row for each that holds
    M = torch.where(held.is_end[:, :, None], eye[held.column], M)
    factor, pivots, _ = torch.linalg.lu_factor_ex(M)
    missing = torch.where(
        held.is_end,
        _to_end(t, curvature.ends).gather(1, held.column),
        -torch.cat(now, 1).gather(1, held.unit),
    )
    move = torch.linalg.lu_solve(factor, pivots, missing[:, :, None])[:, :, 0]
    free = torch.linalg.lu_solve(factor, pivots, -slope[:, :, None], adjoint=True)[:, :, 0]
    free = torch.where(held.is_end, 0.0, free).nan_to_num(0.0, 0.0, 0.0)
    spare = torch.zeros_like(torch.cat([*zero], 1), dtype=t.dtype).scatter_add(1, held.unit, free)
    wanted = torch.split(spare, [x.shape[1] for x in a], 1)

    def pull(k: int, lam: Tensor) -> Tensor:
        low, high = stages.stages[k].ends(lam)
        return torch.where(zero[k], wanted[k].maximum(low).minimum(high), lam * fixed[k])

    u, _, slope, constant = stages.backward(pull)
    return (t + move.nan_to_num(0.0, 0.0, 0.0)).clamp(-1, 1), u, slope, constant


def _to_end(t: Tensor, ends: Tensor) -> Tensor:
    """What takes each column to the end that presses on it; nothing where none does."""
    return torch.where(ends > 1, torch.where(t < 0, -1.0, 1.0) - t, 0.0)


def _held(curvature: Curvature) -> _Held:
    """n kinks and ends of each row, by pivoted Gram-Schmidt on √weight · gradient."""
    B, n = curvature.ends.shape
    weight, side = torch.cat(curvature.weights, 1).sqrt(), curvature.ends.sqrt()
    sizes = [(J * J).sum(1).sqrt().expand(B, -1) for J in curvature.J]
    count = min(CANDIDATES * n, weight.shape[1])
    top = (weight * torch.cat(sizes, 1)).topk(count, 1).indices
    rows = _columns(curvature.J, top) * weight.gather(1, top)[:, None, :]  # (B, n, count)
    eye = torch.eye(n, dtype=side.dtype, device=side.device)
    left = torch.cat([(rows * rows).sum(1), curvature.ends], 1)  # squares of what is not spanned
    basis, picks = rows.new_zeros(B, n, 0), top[:, :0]
    for _ in range(n):
        pick = left.argmax(1, keepdim=True)
        picks = torch.cat([picks, pick], 1)
        v = rows.gather(2, pick.clamp(max=count - 1)[:, None].expand(B, n, 1))
        v = torch.where((pick < count)[:, None], v, eye[(pick - count).clamp(min=0)].mT)
        v = v - basis @ (basis.mT @ v)
        v = v / torch.linalg.vector_norm(v, dim=1, keepdim=True).clamp(min=1e-300)
        basis = torch.cat([basis, v], 2)
        part = torch.cat([(v.mT @ rows)[:, 0], v[:, :, 0] * side], 1)
        left = (left - part * part).scatter(1, picks, -torch.inf)
    unit = top.gather(1, picks.clamp(max=count - 1))
    return _Held(unit, (picks - count).clamp(min=0), picks >= count)


def _marked(held: _Held, units: list[int]) -> Sequence[Tensor]:
    """Which units hold, (B, units) a stage."""
    mark = held.unit.new_zeros(len(held.unit), sum(units))
    mark = mark.scatter_add(1, held.unit, (~held.is_end).long())
    return torch.split(mark > 0, units, 1)


def _columns(J: Slopes, unit: Tensor) -> Tensor:
    """The columns (B, n, k) of units (B, k), counted through all stages."""
    (B, k), first = unit.shape, 0
    found = J[0].new_zeros(B, J[0].shape[1], k)
    for x in J:
        at = unit - first
        own = (at >= 0) & (at < x.shape[2])
        index = at.clamp(0, x.shape[2] - 1)[:, None, :].expand(found.shape)
        found = torch.where(own[:, None, :], x.expand(B, -1, -1).gather(2, index), found)
        first += x.shape[2]
    return found
