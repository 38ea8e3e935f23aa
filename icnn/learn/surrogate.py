"""A fitted cost in the user's own units: model, scalers, column names and observed ranges."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData, NotConvex
from icnn.learn.model import AbstractConvexModel
from icnn.learn.table import check_names, is_frame, numbers, read_column
from icnn.network import Layer, Network

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class History:
    """What the training saw: mean squared errors of standardised y, one row an evaluation."""

    step: Array  # (evaluations,)
    train: Array  # (evaluations, restarts)
    validation: Array  # (evaluations, restarts)
    chosen: int = 0
    polish_steps: int = 0
    seconds: float = 0.0


class AbstractSurrogate(abc.ABC):
    """A learned function of named columns; `s + t` and `2.0 * s` align columns by name."""

    columns: tuple[str, ...]
    lower: Array  # (n,), the observed range
    upper: Array
    concave: bool

    @abc.abstractmethod
    def at(self) -> Network:
        """The convex function in the user's units: f itself, or −f for a concave one."""

    def predict(self, X: Any) -> Array:
        """f at each row of X (N, n), or at one point (n,); frames are read by column name."""
        values = self.at()(self._matrix(X))
        return -values if self.concave else values

    def score(self, X: Any, y: Any) -> float:
        """R² of the predictions: 1 − Σ(y − f)² / Σ(y − mean y)²."""
        predicted = np.atleast_1d(self.predict(X))
        truth = read_column(y, "y", len(predicted))
        total = np.square(truth - truth.mean()).sum()
        return float(1 - np.square(truth - predicted).sum() / total) if total else float("nan")

    def _matrix(self, X: Any) -> Array:
        if is_frame(X):
            missing = [name for name in self.columns if name not in X.columns]
            if missing:
                raise BadData(f"X has no column {missing[0]!r}; the surrogate reads {self.columns}")
            X = np.column_stack([numbers(X[name], f"column {name!r}") for name in self.columns])
        values = numbers(X, "X")
        if values.ndim not in (1, 2) or values.shape[-1] != len(self.columns):
            raise BadData(f"X has shape {values.shape}, but the surrogate reads {self.columns}")
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(np.atleast_2d(values)))[0]
            raise BadData(f"column {self.columns[column]!r}, row {row} is not finite")
        return values

    def __add__(self, other: AbstractSurrogate) -> Total:
        if not isinstance(other, AbstractSurrogate):
            return NotImplemented
        return _total((*_terms(self), *_terms(other)))

    def __radd__(self, other: Any) -> AbstractSurrogate:
        """Makes `sum([s, t])` work."""
        return self if other == 0 else NotImplemented

    def __mul__(self, factor: float) -> Total:
        if not factor >= 0:
            raise NotConvex(
                f"{factor} times a surrogate turns its curvature round; use a factor ≥ 0"
            )
        return _total(tuple((factor * weight, term) for weight, term in _terms(self)))

    __rmul__ = __mul__


@final
@dataclass(frozen=True, eq=False)
class Surrogate(AbstractSurrogate):
    """What `fit` returns: predicts f, and lowers to a convex `Network` with `.at()`."""

    model: AbstractConvexModel
    columns: tuple[str, ...]
    lower: Array
    upper: Array
    x_mean: Array
    x_scale: Array
    y_mean: float
    y_scale: float
    concave: bool = False
    history: History | None = field(default=None, repr=False)

    @cached_property
    def _network(self) -> Network:
        with torch.no_grad():
            layers = self.model.lower().layers
        plain = tuple(Layer(k.atom, k.V.detach(), k.b.detach(), k.W) for k in layers)
        inner = Network(plain).compose_affine(
            np.diag(1 / self.x_scale), -self.x_mean / self.x_scale
        )
        return self.y_scale * inner + (-self.y_mean if self.concave else self.y_mean)

    def at(self) -> Network:
        return self._network

    def rename(self, names: Mapping[str, str]) -> Surrogate:
        """The same function with other column names: `{"load": "load_1"}`."""
        unknown = [name for name in names if name not in self.columns]
        if unknown:
            raise BadData(f"no column {unknown[0]!r} to rename; the surrogate reads {self.columns}")
        columns = tuple(names.get(name, name) for name in self.columns)
        check_names(columns, len(columns))
        return replace(self, columns=columns)

    def __repr__(self) -> str:
        kind = "concave" if self.concave else "convex"
        return f"Surrogate({kind} in {', '.join(self.columns)}; {type(self.model).__name__})"


@final
@dataclass(frozen=True, eq=False)
class Total(AbstractSurrogate):
    """Σ weight · surrogate over the union of their columns, matched by name, never by position."""

    terms: tuple[tuple[float, Surrogate], ...]
    columns: tuple[str, ...]
    lower: Array
    upper: Array
    concave: bool

    @cached_property
    def _network(self) -> Network:
        parts = [
            weight * aligned(term.at(), term.columns, self.columns) for weight, term in self.terms
        ]
        return sum(parts[1:], start=parts[0])

    def at(self) -> Network:
        return self._network

    def __repr__(self) -> str:
        return " + ".join(f"{weight:g} * {term!r}" for weight, term in self.terms)


def _total(terms: tuple[tuple[float, Surrogate], ...]) -> Total:
    """The sum, over the part of each column's range where every term has seen data."""
    if len({term.concave for _, term in terms}) > 1:
        raise NotConvex("a convex plus a concave surrogate is neither; fit both the same way")
    ranges: dict[str, tuple[float, float]] = {}
    for _, term in terms:
        for name, low, high in zip(term.columns, term.lower, term.upper, strict=True):
            before = ranges.get(name, (low, high))
            ranges[name] = (max(before[0], low), min(before[1], high))
    lower, upper = np.array(list(ranges.values())).T
    return Total(terms, tuple(ranges), lower, upper, terms[0][1].concave)


def aligned(f: Network, columns: tuple[str, ...], among: tuple[str, ...]) -> Network:
    """f of its own `columns` as a function of the columns `among`."""
    return f.compose_affine(
        np.array([[float(name == other) for other in among] for name in columns])
    )


def _terms(s: AbstractSurrogate) -> tuple[tuple[float, Surrogate], ...]:
    if isinstance(s, Total):
        return s.terms
    assert isinstance(s, Surrogate)
    return ((1.0, s),)
