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
from icnn.family import composed, family, placed, stretched, summed
from icnn.learn.context import ContextEncoder, Given, read_context
from icnn.learn.history import History
from icnn.learn.model import AbstractConvexModel
from icnn.learn.table import by_name, check_names, is_frame, is_row, numbers, read_column
from icnn.limit import Limit, limit
from icnn.network import Network

Array = NDArray[np.float64]
CHUNK = 4096  # rows at a time, when every row has weights of its own


class AbstractSurrogate(abc.ABC):
    """A learned function of named columns; `s + t` and `2.0 * s` align columns by name."""

    columns: tuple[str, ...]
    lower: Array  # (n,), the observed range
    upper: Array
    concave: bool

    @property
    @abc.abstractmethod
    def context_columns(self) -> tuple[str, ...]:
        """Names of the context, empty for a function without one."""

    @abc.abstractmethod
    def _at(self, given: Given) -> Network:
        """The convex function at a context that has been read."""

    @abc.abstractmethod
    def _values(self, points: Array, given: Given) -> Array:
        """The convex function at points (N, n), each with a context of its own."""

    @abc.abstractmethod
    def _family(self, given: Given) -> Network | None:
        """The convex functions at many contexts; None if they share no weights."""

    @abc.abstractmethod
    def faults(self, given: Given) -> dict[int, str]:
        """Why a context cannot be used, by its row, among contexts that have been read."""

    def family(self, context: Any, rows: int) -> Network | None:
        """The convex functions at this many contexts (rows, m); None if they share no weights."""
        return self._family(read_context(context, self.context_columns, rows))

    def at(self, context: Any = None) -> Network:
        """The convex function in the user's units: f itself, or −f for a concave one.

        Args:
            context: one, as a dict by name, values in the order of `context_columns`, or a row.
        """
        return self._at(read_context(context, self.context_columns))

    def predict(self, X: Any, context: Any = None) -> Array:
        """f at each row of X (N, n), or at one point (n,); frames are read by column name.

        Args:
            X: the points.
            context: one for all rows, as in `at`, or one a row: a frame or (N, m) values.
        """
        points = self._matrix(X)
        given = read_context(context, self.context_columns, len(np.atleast_2d(points)))
        if any(np.ndim(entries) for entries in given.values()):
            values = self._values(points, given)
        else:
            values = self._at(given)(points)
        return -values if self.concave else values

    def score(self, X: Any, y: Any, context: Any = None) -> float:
        """R² of the predictions: 1 − Σ(y − f)² / Σ(y − mean y)²."""
        predicted = np.atleast_1d(self.predict(X, context))
        truth = read_column(y, "y", len(predicted))
        total = np.square(truth - truth.mean()).sum()
        return float(1 - np.square(truth - predicted).sum() / total) if total else float("nan")

    def _matrix(self, X: Any) -> Array:
        if is_row(X):  # a Series is one point, by name
            return np.asarray(self._matrix(X.to_frame().T)[0])
        if is_frame(X):
            X = by_name(X, self.columns, "X", "the surrogate reads")
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
        if not isinstance(factor, int | float | np.number):
            return NotImplemented
        if not factor >= 0:
            raise NotConvex(
                f"{factor} times a surrogate turns its curvature round; use a factor ≥ 0"
            )
        return _total(tuple((factor * weight, term) for weight, term in _terms(self)))

    __rmul__ = __mul__

    def __le__(self, rhs: float) -> Limit:
        return limit(self, "<=", rhs, concave=self.concave)

    def __ge__(self, rhs: float) -> Limit:
        return limit(self, ">=", rhs, concave=self.concave)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | float | np.number):
            limit(self, "==", other, concave=self.concave)  # says why not
        return self is other

    __hash__ = object.__hash__


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
    encoder: ContextEncoder | None = None
    history: History | None = field(default=None, repr=False)

    @property
    def context_columns(self) -> tuple[str, ...]:
        return () if self.encoder is None else self.encoder.columns

    def faults(self, given: Given) -> dict[int, str]:
        return {} if self.encoder is None else self.encoder.faults(given)

    @cached_property
    def _network(self) -> Network:
        return self._lowered(None)

    def _lowered(self, context: torch.Tensor | None) -> Network:
        with torch.no_grad():
            inner = Network(self.model.lower(context).layers)
        inner = inner.compose_affine(np.diag(1 / self.x_scale), -self.x_mean / self.x_scale)
        return self.y_scale * inner + (-self.y_mean if self.concave else self.y_mean)

    def _at(self, given: Given) -> Network:
        if self.encoder is None:
            return self._network
        return self._lowered(torch.from_numpy(self.encoder.encode(given)))

    def _family(self, given: Given) -> Network | None:
        assert self.encoder is not None
        with torch.no_grad():
            inner = family(self.model.layers(torch.from_numpy(self.encoder.encode(given))))
        if inner is None:
            return None
        inner = composed(inner, 1 / self.x_scale, -self.x_mean / self.x_scale)
        return stretched(inner, self.y_scale, -self.y_mean if self.concave else self.y_mean)

    def _values(self, points: Array, given: Given) -> Array:
        assert self.encoder is not None
        x = torch.from_numpy((points - self.x_mean) / self.x_scale)
        context = torch.from_numpy(self.encoder.encode(given))
        with torch.no_grad():
            parts = zip(torch.split(x, CHUNK), torch.split(context, CHUNK), strict=True)
            values = torch.cat([self.model(*part) for part in parts]).numpy()
        return self.y_scale * values + (-self.y_mean if self.concave else self.y_mean)

    def rename(self, names: Mapping[str, str]) -> Surrogate:
        """The same function with other names of decisions and context: `{"load": "load_1"}`."""
        known = (*self.columns, *self.context_columns)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise BadData(f"no column {unknown[0]!r} to rename; the surrogate reads {known}")
        renamed = tuple(names.get(name, name) for name in known)
        check_names(renamed, len(known))
        encoder = self.encoder and self.encoder.rename(names)
        return replace(self, columns=renamed[: len(self.columns)], encoder=encoder)

    def __repr__(self) -> str:
        kind = "concave" if self.concave else "convex"
        given = f" given {', '.join(self.context_columns)}" if self.encoder else ""
        return f"Surrogate({kind} in {', '.join(self.columns)}{given}; {type(self.model).__name__})"


@final
@dataclass(frozen=True, eq=False)
class Total(AbstractSurrogate):
    """Σ weight · surrogate over the union of their columns, matched by name, never by position."""

    terms: tuple[tuple[float, Surrogate], ...]
    columns: tuple[str, ...]
    lower: Array
    upper: Array
    concave: bool

    @property
    def context_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, term in self.terms for name in term.context_columns))

    def faults(self, given: Given) -> dict[int, str]:
        return {i: told for _, term in self.terms for i, told in term.faults(given).items()}

    @cached_property
    def _network(self) -> Network:
        return self._summed({})

    def _summed(self, given: Given) -> Network:
        parts = [
            weight * aligned(term._at(given), term.columns, self.columns)
            for weight, term in self.terms
        ]
        return sum(parts[1:], start=parts[0])

    def _at(self, given: Given) -> Network:
        return self._summed(given) if self.context_columns else self._network

    def _family(self, given: Given) -> Network | None:
        parts = []
        for weight, term in self.terms:
            own = {name: given[name] for name in term.context_columns}
            f = term._family(own) if own else term._at({})
            if f is None:
                return None
            at = [self.columns.index(name) for name in term.columns]
            parts.append(stretched(placed(f, at, len(self.columns)), weight, 0.0))
        return summed(parts)

    def _values(self, points: Array, given: Given) -> Array:
        total = np.zeros(points.shape[:-1])
        for weight, term in self.terms:
            own = points[..., [self.columns.index(name) for name in term.columns]]
            total = total + weight * (
                term._values(own, given) if term.context_columns else term._at(given)(own)
            )
        return total

    def __repr__(self) -> str:
        return " + ".join(f"{weight:g} * {term!r}" for weight, term in self.terms)


def _total(terms: tuple[tuple[float, Surrogate], ...]) -> Total:
    """The sum, over the part of each column's range where every term has seen data."""
    if len({term.concave for _, term in terms}) > 1:
        raise NotConvex("a convex plus a concave surrogate is neither; fit both the same way")
    contexts = {name for _, term in terms for name in term.context_columns}
    ranges: dict[str, tuple[float, float]] = {}
    for _, term in terms:
        for name, low, high in zip(term.columns, term.lower, term.upper, strict=True):
            before = ranges.get(name, (low, high))
            ranges[name] = (max(before[0], low), min(before[1], high))
    if both := sorted(contexts & set(ranges)):
        raise BadData(
            f"{both[0]!r} is a decision of one term and a context of another; rename one of them"
        )
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
