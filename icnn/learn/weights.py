"""Non-negative weights: a free raw parameter, its map to a weight ≥ 0, and initial values."""

import abc
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast, final

import torch
from torch import Tensor, nn

from icnn.errors import BadData

M = TypeVar("M", bound=nn.Module)


class AbstractPositivity(abc.ABC):
    """A map from any raw number to a non-negative weight."""

    @property
    @abc.abstractmethod
    def floor(self) -> float:
        """The least raw value; a trainer moves raw back to it after each step."""

    @abc.abstractmethod
    def weight(self, raw: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def raw(self, weight: Tensor) -> Tensor:
        """The inverse of `weight`, for positive weights."""


@final
@dataclass(frozen=True)
class Softplus(AbstractPositivity):
    """w = log(1 + e^raw)."""

    floor: float = -math.inf

    def weight(self, raw: Tensor) -> Tensor:
        return nn.functional.softplus(raw)

    def raw(self, weight: Tensor) -> Tensor:
        return weight + torch.log(-torch.expm1(-weight))


@final
@dataclass(frozen=True)
class Square(AbstractPositivity):
    """w = raw²."""

    floor: float = -math.inf

    def weight(self, raw: Tensor) -> Tensor:
        return raw.square()

    def raw(self, weight: Tensor) -> Tensor:
        return weight.sqrt()


@final
@dataclass(frozen=True)
class Exp(AbstractPositivity):
    """w = e^raw."""

    floor: float = -math.inf

    def weight(self, raw: Tensor) -> Tensor:
        return raw.exp()

    def raw(self, weight: Tensor) -> Tensor:
        return weight.log()


@final
@dataclass(frozen=True)
class Projection(AbstractPositivity):
    """w = max(raw, 0), and the trainer projects raw onto [0, ∞) after each step.

    The maximum keeps the model convex even for a trainer that forgets to project.
    """

    floor: float = 0.0

    def weight(self, raw: Tensor) -> Tensor:
        return raw.clamp(min=0.0)

    def raw(self, weight: Tensor) -> Tensor:
        return weight


POSITIVITIES: dict[str, AbstractPositivity] = {
    "softplus": Softplus(),
    "square": Square(),
    "exp": Exp(),
    "projection": Projection(),
}


def check_positivity(name: str) -> AbstractPositivity:
    """The parametrisation of this name."""
    if not isinstance(name, str) or name not in POSITIVITIES:
        raise BadData(f"positivity is one of {', '.join(POSITIVITIES)}, not {name!r}")
    return POSITIVITIES[name]


@final
class Modules(nn.ModuleList, Generic[M]):
    """A `ModuleList` whose entries have one known type."""

    def __init__(self, modules: Iterable[M]) -> None:
        super().__init__(modules)

    def __iter__(self) -> Iterator[M]:
        return cast(Iterator[M], super().__iter__())


@final
class NonNegative(nn.Module):
    """A matrix of weights ≥ 0 (rows, columns), whatever its raw parameter is."""

    def __init__(self, rows: int, columns: int, positivity: str = "softplus") -> None:
        super().__init__()
        self.positivity = check_positivity(positivity)
        self.raw = nn.Parameter(torch.zeros(rows, columns))

    def forward(self) -> Tensor:
        return self.positivity.weight(self.raw)

    @torch.no_grad()
    def fill(self, weight: Tensor) -> None:
        """Set the weights to these positive values."""
        self.raw.copy_(self.positivity.raw(weight))


@torch.no_grad()
def fill_principled(W: NonNegative, b: Tensor, generator: torch.Generator) -> None:
    """Log-normal weights and the bias that keep mean 0, variance 1, correlation 1/2 under ReLU.

    Hoedt & Klambauer, "Principled Weight Initialisation for Input-Convex Neural Networks" (2023).
    """
    fan_in = W.raw.shape[1]
    spread = 6 * (math.pi - 1) + (fan_in - 1) * (3 * math.sqrt(3) + 2 * math.pi - 6)
    mean, variance = math.sqrt(6 * math.pi / (fan_in * spread)), 1 / fan_in
    log_variance = math.log1p(variance / mean**2)
    log_mean = math.log(mean) - log_variance / 2
    noise = torch.randn(W.raw.shape, generator=generator, dtype=W.raw.dtype)
    W.fill((log_mean + math.sqrt(log_variance) * noise).exp())
    b.fill_(-math.sqrt(3 * fan_in / spread))


@torch.no_grad()
def fill_normal(V: Tensor, variance: float, generator: torch.Generator) -> None:
    """Independent normal entries (LeCun: variance 1 / fan-in)."""
    noise = torch.randn(V.shape, generator=generator, dtype=V.dtype)
    V.copy_(math.sqrt(variance) * noise)


@final
class Skip(nn.Module):
    """A matrix V (rows, n) whose columns keep the sign that `monotone` asks for."""

    def __init__(
        self, rows: int, n: int, monotone: Sequence[int] | None = None, positivity: str = "softplus"
    ) -> None:
        super().__init__()
        signs = list(monotone or [0] * n)
        bound = [j for j, sign in enumerate(signs) if sign]
        loose = [j for j, sign in enumerate(signs) if not sign]
        self.order = [[*loose, *bound].index(j) for j in range(n)]
        self.signs = [float(signs[j]) for j in bound]
        self.free = nn.Parameter(torch.zeros(rows, len(loose)))
        self.bound = NonNegative(rows, len(bound), positivity) if bound else None

    def forward(self) -> Tensor:
        if self.bound is None:
            return self.free
        weight = self.bound() * self.free.new_tensor(self.signs)
        return torch.cat([self.free, weight], -1)[..., self.order]

    @torch.no_grad()
    def fill(self, variance: float, generator: torch.Generator) -> None:
        """Independent normal entries, and their absolute values where the sign is bound."""
        fill_normal(self.free, variance, generator)
        if self.bound is not None:
            draw = torch.empty_like(self.bound.raw)
            fill_normal(draw, variance, generator)
            self.bound.fill(draw.abs().clamp(min=1e-2 * math.sqrt(variance)))
