"""formulas: the activations of torch.nn in pieces whose slope and curvature are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import nn

from icnn.errors import BadData
from icnn.theory.interval import (
    ONE,
    PI,
    ZERO,
    Interval,
    enclosing,
    normal,
    sigmoid,
    softplus,
    tanh,
)

Map = Callable[[Interval], Interval]
INFINITE, THREE, SIX = Decimal("Infinity"), Decimal(3), Decimal(6)
HALF, SINGLE = Decimal("0.5"), 2.0**-24  # half a unit in the last place of float32, relative
SELU_ALPHA = Decimal("1.6732632423543772848170429916717")
SELU_SCALE = Decimal("1.0507009873554804934193349852946")


@final
@dataclass(frozen=True)
class Piece:
    """An activation from low to high; a curvature of None is exactly zero.

    The formulas hold up to both ends; where they are missing nothing is known of them.
    """

    low: Decimal
    high: Decimal
    value: Map
    slope: Map | None = None
    curvature: Map | None = None
    is_affine: bool = False

    @property
    def whole(self) -> Interval:
        """All of its arguments."""
        return Interval(self.low, self.high)


@final
@dataclass(frozen=True)
class Formula:
    """Neighbouring pieces that cover the real line, and what else is to be said."""

    pieces: tuple[Piece, ...]
    note: str = ""

    @property
    def junctions(self) -> list[Decimal]:
        """Where one piece ends and the next begins."""
        return [piece.high for piece in self.pieces[:-1]]


def _line(low: Any, high: Any, slope: Any, intercept: Any) -> Piece:
    m, t = Decimal(slope), Decimal(intercept)
    return Piece(
        Decimal(low), Decimal(high), lambda x: x * m + t, lambda x: enclosing(m), None, True
    )


def _lines(ends: list[Any], lines: list[tuple[Any, Any]], note: str = "") -> Formula:
    """Pieces slope · x + intercept between the ends; those of no length are left out."""
    ends = [Decimal(end) for end in ("-Infinity", *ends, "Infinity")]
    spans = zip(ends, ends[1:], lines, strict=False)
    return Formula(tuple(_line(a, b, m, t) for a, b, (m, t) in spans if a < b), note)


def _smooth(value: Map, slope: Map | None = None, curvature: Map | None = None) -> Formula:
    return Formula((Piece(-INFINITE, INFINITE, value, slope, curvature),))


def _leaky(slope: float, note: str = "") -> Formula:
    return _lines([0], [(slope, 0), (1, 0)], note)


def _prelu(module: nn.PReLU) -> Formula | str:
    if module.num_parameters != 1:
        return f"has {module.num_parameters} slopes, one a channel; give one channel"
    slope = float(module.weight.detach())
    if not math.isfinite(slope):
        raise BadData(f"PReLU has weight {slope}; it must be finite")
    return _leaky(slope)


def _rrelu(module: nn.RReLU) -> Formula:
    note = "random slopes while training; this is the mean one, which evaluation uses"
    return _leaky((module.lower + module.upper) / 2, note)


def _threshold(module: nn.Threshold) -> Formula:
    return _lines([module.threshold], [(0, module.value), (1, 0)])


def _clip(low: float, high: float) -> Formula:
    ends: list[float] = []
    lines: list[tuple[Any, Any]] = [(1, 0)]
    if math.isfinite(low):
        ends, lines = [low], [(0, low), *lines]
    if math.isfinite(high):
        ends, lines = [*ends, high], [*lines, (0, high)]
    return _lines(ends, lines)


def _shrink(width: float, shift: float) -> Formula:
    if width <= 0:
        return _lines([], [(1, 0)])
    return _lines([-width, width], [(1, shift), (0, 0), (1, -shift)])


def _exponential(alpha: Decimal, rate: Decimal, scale: Decimal = ONE) -> Formula:
    """scale · (x above 0, and alpha (e^(x / rate) - 1) below)."""
    right = _line(0, INFINITE, scale, 0)
    if alpha == 0:
        return Formula((_line(-INFINITE, 0, 0, 0), right))
    a, by = enclosing(alpha) * scale, enclosing(ONE) / rate
    m = enclosing(scale) if alpha == rate else a * by
    left = Piece(
        -INFINITE,
        ZERO,
        lambda x: ((x * by).exp() - ONE) * a,
        lambda x: (x * by).exp() * m,
        lambda x: (x * by).exp() * m * by,
    )
    return Formula((left, right))


def _celu(module: nn.CELU) -> Formula:
    if module.alpha == 0:
        raise BadData("CELU has alpha 0, by which it divides")
    return _exponential(Decimal(module.alpha), Decimal(module.alpha))


def _softplus(module: nn.Softplus) -> Formula:
    beta, end = Decimal(module.beta), module.threshold
    if beta == 0:
        raise BadData("Softplus has beta 0, by which it divides")
    whole = Piece(
        -INFINITE,
        INFINITE,
        lambda x: softplus(x * beta) / beta,
        lambda x: sigmoid(x * beta),
        lambda x: sigmoid(x * beta) * sigmoid(-(x * beta)) * beta,
    )
    step = math.log1p(math.exp(-end)) if end > -700 else -end
    if step <= SINGLE * end:
        note = f"torch takes x itself beyond {end:g} / beta, a step of {step:.1e} / beta"
        return Formula((whole,), note + " that float32 does not show")
    at = Decimal(end / module.beta)
    curved = Piece(whole.low, at, whole.value, whole.slope, whole.curvature)
    if beta > 0:
        return Formula((curved, _line(at, INFINITE, 1, 0)))
    curved = Piece(at, whole.high, whole.value, whole.slope, whole.curvature)
    return Formula((_line(-INFINITE, at, 1, 0), curved))


def _mish(x: Interval) -> Interval:
    square = (x.exp() + ONE).square()
    return x * (ONE - (square + ONE).inverse() * Decimal(2))


def _gelu(module: nn.GELU) -> Formula:
    if module.approximate == "none":
        return _smooth(lambda x: x * normal(x))
    factor = (enclosing(2) * PI.inverse()).root()
    cubic = Decimal("0.044715")
    return _smooth(lambda x: x * HALF * (tanh(factor * (x + x * x * x * cubic)) + ONE))


def _hardswish(module: nn.Module) -> Formula:
    middle = Piece(-THREE, THREE, lambda x: x * (x + THREE) / SIX)
    return Formula((_line(-INFINITE, -3, 0, 0), middle, _line(3, INFINITE, 1, 0)))


def _hardsigmoid(module: nn.Module) -> Formula:
    middle = Piece(-THREE, THREE, lambda x: (x + THREE) / SIX, lambda x: enclosing(ONE) / SIX)
    return Formula((_line(-INFINITE, -3, 0, 0), middle, _line(3, INFINITE, 0, 1)))


def _softsign(module: nn.Module) -> Formula:
    left = Piece(
        -INFINITE, ZERO, lambda x: x * (ONE - x).inverse(), lambda x: (ONE - x).square().inverse()
    )
    right = Piece(
        ZERO, INFINITE, lambda x: x * (x + ONE).inverse(), lambda x: (x + ONE).square().inverse()
    )
    return Formula((left, right))


FORMULAS: dict[type[nn.Module], Callable[[Any], Formula | str]] = {
    nn.ReLU: lambda m: _leaky(0),
    nn.LeakyReLU: lambda m: _leaky(m.negative_slope),
    nn.PReLU: _prelu,
    nn.RReLU: _rrelu,
    nn.Threshold: _threshold,
    nn.Hardtanh: lambda m: _clip(m.min_val, m.max_val),
    nn.ReLU6: lambda m: _clip(0.0, 6.0),
    nn.Softshrink: lambda m: _shrink(m.lambd, m.lambd),
    nn.Hardshrink: lambda m: _shrink(m.lambd, 0.0),
    nn.Hardsigmoid: _hardsigmoid,
    nn.Hardswish: _hardswish,
    nn.ELU: lambda m: _exponential(Decimal(m.alpha), ONE),
    nn.CELU: _celu,
    nn.SELU: lambda m: _exponential(SELU_ALPHA, ONE, SELU_SCALE),
    nn.Softplus: _softplus,
    nn.LogSigmoid: lambda m: _smooth(lambda x: -softplus(-x), lambda x: sigmoid(-x)),
    nn.Sigmoid: lambda m: _smooth(sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    nn.Tanh: lambda m: _smooth(tanh, lambda x: sigmoid(x + x) * sigmoid(-(x + x)) * Decimal(4)),
    nn.Tanhshrink: lambda m: _smooth(lambda x: x - tanh(x), lambda x: tanh(x).square()),
    nn.Softsign: _softsign,
    nn.SiLU: lambda m: _smooth(lambda x: x * sigmoid(x)),
    nn.Mish: lambda m: _smooth(_mish),
    nn.GELU: _gelu,
}
SEVERAL = (nn.GLU, nn.MultiheadAttention, nn.Softmin, nn.Softmax, nn.Softmax2d, nn.LogSoftmax)
FUNCTIONS: dict[Any, Callable[[], nn.Module]] = {
    F.relu: nn.ReLU,
    F.leaky_relu: nn.LeakyReLU,
    F.elu: nn.ELU,
    F.celu: nn.CELU,
    F.selu: nn.SELU,
    F.softplus: nn.Softplus,
    F.gelu: nn.GELU,
    F.silu: nn.SiLU,
    F.mish: nn.Mish,
    F.relu6: nn.ReLU6,
    F.hardtanh: nn.Hardtanh,
    F.hardswish: nn.Hardswish,
    F.hardsigmoid: nn.Hardsigmoid,
    F.logsigmoid: nn.LogSigmoid,
    F.softsign: nn.Softsign,
    F.tanhshrink: nn.Tanhshrink,
    F.softshrink: nn.Softshrink,
    F.hardshrink: nn.Hardshrink,
    torch.relu: nn.ReLU,
    torch.tanh: nn.Tanh,
    torch.sigmoid: nn.Sigmoid,
}
