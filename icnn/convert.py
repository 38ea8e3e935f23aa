"""convert: a learned function as an expression of another modelling language, here CVXPY."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.decide.solvers.canonical import is_cvxpy
from icnn.decide.solvers.cvxpy import modelling
from icnn.decide.solvers.layered import Stage, layered
from icnn.errors import BadData, NotSupported
from icnn.learn.surrogate import AbstractSurrogate, Surrogate, Total
from icnn.network import Layer, Network, with_output
from icnn.problem import check_function

Array = NDArray[np.float64]


def to_cvxpy(f: AbstractSurrogate | Network, x: Any, context: Any = None) -> tuple[Any, list[Any]]:
    """f(x) as (expression, constraints) for a CVXPY problem of your own.

    The expression is convex, or concave for a concave surrogate: minimise the one, maximise the
    other, or compare it the right way (`expression <= 3`), always beside all the constraints. Its
    value after a solve is f(x) wherever the problem presses it there, as an objective does.

    Args:
        f: a surrogate or a `Network`.
        x: a `cvxpy.Variable` or an affine expression, (n,) or (n, 1), in the order of f's columns.
        context: for a surrogate with one, as in `predict`, or a `cvxpy.Parameter` with its numbers
            in the order of the context columns; the problem is then DPP: a new value of the
            parameter is solved without building the problem again.

    Raises:
        BadData: x, f or the context is something else.
    """
    check_function(f)
    if isinstance(f, Network):
        if context is not None:
            raise BadData("a Network takes no context; give the surrogate, not surrogate.at(…)")
        return layered(_stages(f), _vector(x, tuple(f"x{j}" for j in range(f.n))))
    vector = _vector(x, f.columns)
    if is_cvxpy(context):
        expression, constraints = _parametric(f, vector, context)
    else:
        expression, constraints = layered(_stages(f.at(context)), vector)
    return (-expression if f.concave else expression), constraints


def _stages(f: Network) -> list[Stage]:
    return [
        Stage(k.atom, k.V.numpy(), k.b.numpy(), tuple((j, W.numpy(), None) for j, W in k.W))
        for k in with_output(f)
    ]


def _parametric(f: AbstractSurrogate, x: Any, context: Any) -> tuple[Any, list[Any]]:
    """Σ weight · term, each with the parameters that follow its part of the context."""
    _check_parameter(f, context)
    expression: Any = 0.0
    constraints: list[Any] = []
    for weight, term in _terms(f):
        at = x[[f.columns.index(name) for name in term.columns]]
        follows = bool(term.context_columns)
        stages = _followed(term, context, f.context_columns) if follows else _stages(term.at())
        part, own = layered(stages, at)
        expression, constraints = expression + weight * part, constraints + own
    return expression, constraints


def _check_parameter(f: AbstractSurrogate, context: Any) -> None:
    m, names = len(f.context_columns), ", ".join(f.context_columns)
    if not isinstance(context, modelling().Parameter):
        raise BadData("context is an array, a dict or a cvxpy.Parameter: f is not convex in it")
    if not m:
        raise BadData("a context was given, but f was fitted without one; leave it out")
    if context.shape != (m,):
        raise BadData(f"context has shape {context.shape}; f depends on {names}, so it is ({m},)")
    for _, term in _terms(f):
        for name, known in zip(term.context_columns, _categories(term), strict=True):
            if known is not None:
                raise NotSupported(
                    f"context column {name!r} holds categories, and a cvxpy.Parameter numbers; "
                    "give the context as a dict"
                )


def _terms(f: AbstractSurrogate) -> tuple[tuple[float, Surrogate], ...]:
    if isinstance(f, Total):
        return f.terms
    assert isinstance(f, Surrogate)
    return ((1.0, f),)


def _categories(term: Surrogate) -> tuple[tuple[str, ...] | None, ...]:
    return () if term.encoder is None else term.encoder.categories


def _followed(term: Surrogate, context: Any, names: tuple[str, ...]) -> list[Stage]:
    """The layers in the user's units, with a parameter for whatever the context moves."""
    encoder = term.encoder
    assert encoder is not None
    at = [names.index(name) for name in term.context_columns]

    @lru_cache(maxsize=1)  # one solve asks for every parameter: lower once
    def lowered(values: bytes) -> list[Stage]:
        numbers = dict(zip(term.context_columns, np.frombuffer(values), strict=True))
        return _user_stages(term, encoder.encode(numbers))

    def now() -> list[Stage]:
        if context.value is None:
            raise BadData(f"the context parameter {context.name()} has no value; set it first")
        return lowered(np.asarray(context.value, dtype=np.float64)[at].tobytes())

    start = _user_stages(term, np.zeros(encoder.width))
    moved = _moved(term, encoder.width)
    return [_tied(k, start[k], moved[k], now) for k in range(len(start))]


def _tied(k: int, start: Stage, moved: Stage, now: Callable[[], list[Stage]]) -> Stage:
    """Stage k with parameters in place of what moves."""
    cp = modelling()

    def entry(moves: bool, pick: Callable[[Stage], Any], *, nonneg: bool = False) -> Any:
        value = pick(start)
        if not moves or value is None:
            return value
        return cp.CallbackParam(lambda: pick(now()[k]), value.shape, nonneg=nonneg)

    edges = tuple(
        (
            source,
            entry(weights, partial(_edge, e, 1), nonneg=True),
            entry(gate, partial(_edge, e, 2), nonneg=True),
        )
        for e, (source, weights, gate) in enumerate(moved.W)
    )
    V, b, h = attrgetter("V"), attrgetter("b"), attrgetter("h")
    return Stage(start.atom, entry(moved.V, V), entry(moved.b, b), edges, entry(moved.h, h))


def _edge(e: int, part: int, stage: Stage) -> Any:
    return stage.W[e][part]


def _user_stages(term: Surrogate, encoded: Array) -> list[Stage]:
    """The convex layers of a surrogate at an encoded context, gates apart, in the user's units."""
    step, at = 1 / term.x_scale, term.x_mean / term.x_scale
    stages = []
    for k in _lines(term, torch.from_numpy(encoded)):
        V, b = _array(k.V), _array(k.b)
        h = None if k.h is None else _array(k.h)
        b = b - V @ (at if h is None else h * at)
        W = tuple((j, _array(w), _array(g[0]) if g else None) for j, w, g in _edges(k))
        stages.append(
            Stage(k.atom, V if h is not None else V * step, b, W, None if h is None else h * step)
        )
    *rest, out = stages
    y, y0 = term.y_scale, -term.y_mean if term.concave else term.y_mean
    W = tuple((j, y * w, gate) for j, w, gate in out.W)
    return [*rest, Stage(out.atom, y * out.V, y * out.b + y0, W, out.h)]


def _moved(term: Surrogate, width: int) -> list[Stage]:
    """Which entries of the layers depend on the context, by the graph of their computation."""
    context = torch.zeros(width).double().requires_grad_()

    def moves(value: Any) -> bool:
        if value is None or not value.requires_grad:
            return False
        return (
            torch.autograd.grad(value.sum(), context, retain_graph=True, allow_unused=True)[0]
            is not None
        )

    stages = []
    for k in _lines(term, context):
        W = tuple((j, moves(w), bool(g) and moves(g[0])) for j, w, g in _edges(k))
        V, h = moves(k.V), moves(k.h)
        stages.append(Stage(k.atom, V, V or h or moves(k.b), W, h))
    return stages


def _lines(term: Surrogate, context: Any) -> tuple[Layer, ...]:
    """The model's layers at an encoded context, closed by an affine one."""
    layers = term.model.lower(context.to(next(term.model.parameters()).dtype)).layers
    return with_output(Network._unchecked(layers))


def _edges(layer: Layer) -> list[tuple[int, Any, tuple[Any, ...]]]:
    """(source, weights, (gate,) or ()) of each edge."""
    return [(edge[0], edge[1], tuple(edge[2:])) for edge in layer.W]


def _array(value: Any) -> Array:
    return np.asarray(value.detach().double().numpy())


def _vector(x: Any, columns: Sequence[str]) -> Any:
    """x with shape (n,), or an error."""
    cp, n = modelling(), len(columns)
    if not isinstance(x, cp.Expression) or not x.is_affine():
        kind = f"a {x.curvature.lower()} expression" if isinstance(x, cp.Expression) else repr(x)
        raise BadData(f"x is a cvxpy.Variable({n}) or an affine expression of one, not {kind}")
    if x.shape not in ((n,), (n, 1)):
        raise BadData(
            f"x has shape {x.shape}; f reads {n} columns, {', '.join(columns)}, "
            f"so x has shape ({n},) or ({n}, 1)"
        )
    if x.is_complex():
        raise BadData("x is complex; f reads real numbers")
    return x if x.ndim == 1 else cp.reshape(x, (n,), order="C")
