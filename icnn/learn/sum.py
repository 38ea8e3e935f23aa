"""Sum: several convex models added up and trained together."""

import copy
import math
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from icnn.atoms import IDENTITY
from icnn.errors import BadData
from icnn.learn.model import AbstractConvexModel
from icnn.learn.weights import Modules
from icnn.network import Layer, shifted


@final
class Sum(AbstractConvexModel):
    """f(x, c) = Σ_k w_k f_k(x, c); the context goes to the terms that take one.

    Such as `Sum(FICNN(n), Quadratic(n), NormTerm(n))`, the SOC-ICNN. The terms are copied.

    Args:
        models: the terms.
        weights: w ≥ 0, not trained; ones by default.
    """

    def __init__(
        self, *models: AbstractConvexModel, weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        for model in models:
            if not isinstance(model, AbstractConvexModel):
                raise BadData(f"Sum adds convex models, not {model!r}")
            if model.config.get("hidden") == "auto":
                raise BadData(
                    'hidden="auto" stands for a model of its own; give its sizes in a Sum'
                )
        widths = sorted({model.n_inputs for model in models})
        contexts = sorted({model.n_context for model in models} - {0})
        if not models or len(widths) > 1 or len(contexts) > 1:
            raise BadData(
                "Sum takes models of one input and one context width, "
                f"not of {widths} inputs and {contexts} context numbers"
            )
        self.weights = _read(weights, len(models))
        self.terms = Modules(copy.deepcopy(model) for model in models)
        self.config = dict(
            n_inputs=widths[0],
            n_context=contexts[0] if contexts else 0,
            terms=[{"model": type(model).__name__, "config": model.config} for model in models],
            weights=self.weights,
        )

    @property
    def signed(self) -> tuple[bool, ...]:
        return tuple(any(column) for column in zip(*(t.signed for t in self.terms), strict=True))

    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        lines: list[Layer] = []
        ends = []
        for term in self.terms:
            part = term.layers(context if term.n_context else None)
            moved = [Layer(k.atom, k.V, k.b, shifted(k.W, len(lines)), k.h) for k in part]
            lines.extend(moved)
            ends.append(len(lines) - 1)
        b = lines[-1].b
        W = tuple((end, b.new_full((1, 1), w)) for end, w in zip(ends, self.weights, strict=True))
        return *lines, Layer(IDENTITY, b.new_zeros(1, self.n_inputs), b.new_zeros(1), W)

    def reset_parameters(self, generator: torch.Generator) -> None:
        for term in self.terms:
            term.reset_parameters(generator)

    def shift_output(self, by: Tensor) -> None:
        weight, term = max(zip(self.weights, self.terms, strict=True), key=lambda pair: pair[0])
        term.shift_output(by / weight)


def _read(weights: Any, count: int) -> list[float]:
    """A weight a model, or a sentence."""
    try:
        read = [1.0] * count if weights is None else [float(w) for w in weights]
    except (TypeError, ValueError):
        read = []
    usable = all(0 <= w < math.inf for w in read) and sum(read) > 0
    if len(read) != count or not usable:
        raise BadData(f"Sum takes a weight ≥ 0 for each of {count} models, not all 0: {weights!r}")
    return read
