"""activations: is s convex, does it rise, and do its scaled shifts build every convex function?"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from icnn.errors import BadData, NotConvex, NotSupported
from icnn.theory.evaluate import scalar
from icnn.theory.expansion import expansion_error, relu_expansion, relu_terms
from icnn.theory.formulas import FORMULAS, FUNCTIONS, SEVERAL, Formula
from icnn.theory.kinks import kinks
from icnn.theory.proofs import Points, convexity, monotonicity, single_kink
from icnn.theory.samples import Samples, sampled

REACH = (-16.0, 16.0)
FINE = 4097
EVERY = "every convex f is c0 + c1 x + ∫ max(0, x - t) f''(dt) on an interval, and f'' >= 0"
Form = tuple[float, float, float, float, float]


@final
@dataclass(frozen=True, repr=False)
class ActivationReport:
    """What can be said of an activation s, after Contreras et al. 2023.

    Requirement 1: s is convex. Requirement 2: with affine terms, non-negative combinations of
    s(a0 + a1 x) give every convex function of one variable. s meets both exactly if its second
    derivative sits on one point, which is to say that s spans an extreme ray of the cone of convex
    functions (affine ones aside); then s(x) = b0 + b1 x + b2 max(0, a0 + a1 x) with b2 > 0.
    """

    name: str
    convex: bool
    nondecreasing: bool
    one_kink: bool  # the second derivative is supported on one point
    form: Form | None  # (a0, a1, b0, b1, b2) if so
    proof: str  # "certified" by interval arithmetic, or "numerical"
    reasons: tuple[str, ...]
    counterexample: Points = ()  # three points, the middle one above the chord, if not convex

    def __repr__(self) -> str:
        words = {True: "yes", False: "no"}
        lines = [
            f"{self.name} ({self.proof})",
            f"  convex: {words[self.convex]}",
            f"  non-decreasing: {words[self.nondecreasing]}",
            f"  second derivative on one point: {words[self.one_kink]}",
        ]
        if self.form:
            a0, a1, b0, b1, b2 = self.form
            lines.append(f"  s(x) = {b0:g} + {b1:g} x + {b2:g} max(0, {a0:g} + {a1:g} x)")
        return "\n".join([*lines, *(f"  {reason}" for reason in self.reasons)])


def activation_report(s: Any, *, interval: tuple[float, float] = REACH) -> ActivationReport:
    """Whether the activation s is convex, non-decreasing, and enough to build all convex functions.

    A module of torch.nn (or the function of the same name, with its defaults) is judged on the
    whole line, by interval arithmetic on its formula. Anything else is sampled on the interval, and
    the report says "numerical".

    Args:
        s: a torch module or any callable of one variable.
        interval: where to look if the formula is not known.

    Raises:
        NotSupported: s takes several numbers at once, as Softmax does.
        BadData: s is not finite somewhere, or a parameter of it is not.
    """
    module = FUNCTIONS[s]() if _hashable(s) and s in FUNCTIONS else s
    if isinstance(module, SEVERAL):
        what = "takes several numbers at once; only functions of one variable are judged"
        raise NotSupported(f"{type(module).__name__} {what}")
    if type(module) not in FORMULAS or _changed(module):
        return _numerical(s, interval)
    for key, value in vars(module).items():
        if isinstance(value, float) and not (math.isfinite(value) or key in ("min_val", "max_val")):
            raise BadData(f"{type(module).__name__} has {key} {value}; it must be finite")
    try:
        formula = FORMULAS[type(module)](module)
    except (TypeError, ArithmeticError):  # a parameter that is no Python number: an array, a word
        return _numerical(s, interval)
    if isinstance(formula, str):
        raise NotSupported(f"{type(module).__name__} {formula}")
    return _certified(module, formula) or _numerical(s, interval)


def _changed(module: torch.nn.Module) -> bool:
    """Whether hooks or a forward of its own make this one compute something else than its class."""
    own = vars(module)
    return "forward" in own or bool(module._forward_hooks or module._forward_pre_hooks)


def _hashable(s: Any) -> bool:
    try:
        hash(s)
    except TypeError:
        return False
    return True


def _name(s: Any) -> str:
    if isinstance(s, torch.nn.Module):
        text = repr(s)
        return type(s).__name__ if "\n" in text else text
    return str(getattr(s, "__name__", type(s).__name__))


def _certified(module: torch.nn.Module, formula: Formula) -> ActivationReport | None:
    """The report that proofs give; None if one of them is missing."""
    f = scalar(copy.deepcopy(module).eval(), np.linspace(-1, 1, 3))
    convex, rises = convexity(formula, f), monotonicity(formula, f)
    if convex.holds is None or rises.holds is None:
        return None
    form = single_kink(formula) if convex.holds else None
    bends = len(formula.pieces) > 1 or not formula.pieces[0].is_affine
    reasons = _obligations(convex.holds, form, bends, convex.reason)
    reasons += [f"non-decreasing: {rises.reason}"] if rises.holds else [f"falls: {rises.reason}"]
    reasons += [f"note: {formula.note}"] if formula.note else []
    return ActivationReport(
        _name(module), convex.holds, rises.holds, form is not None, form, "certified",
        tuple(reasons), convex.points,
    )  # fmt: skip


def _obligations(convex: bool, form: Form | None, bends: bool, reason: str) -> list[str]:
    """What is to be shown of an activation, and what came of it."""
    if not convex:
        return [
            f"requirement 1 (convex) fails: {reason}",
            "requirement 2 fails: s itself is a combination, and not a convex function",
        ]
    first = f"requirement 1 (convex) holds: {reason}"
    if form:
        return [
            first,
            f"requirement 2 holds: max(0, a0 + a1 x) = (s - b0 - b1 x) / b2; {EVERY}",
            "extreme ray: yes, s'' is one point mass, so convex p and q with p + q = s are"
            " multiples of s but for affine terms",
        ]
    if not bends:
        return [
            first,
            "requirement 2 fails: s is affine, and so is every combination",
        ]
    return [
        first,
        "requirement 2 fails: s'' is on more than one point, and so is that of every non-negative"
        " combination of scaled shifts; that of max(0, x) is on one",
        "extreme ray: no, s'' is a sum of two parts of it",
    ]


def _numerical(s: Any, interval: tuple[float, float]) -> ActivationReport:
    """The same from values on a grid, with rounding allowed for."""
    grid = sampled(s, interval, FINE)
    where = f"on {FINE} points of [{grid.x[0]:g}, {grid.x[-1]:g}]"
    points = _refuted(grid)
    rises = bool((np.diff(grid.y) >= -2 * grid.noise).all())
    form = None if points else _one_kink(s, interval, grid)
    reason = f"no value above a chord {where}"
    if points:
        reason = "{:g} is above the chord at {:g}".format(*points[1][::-1])
    reasons = _obligations(not points, form, grid.gaps().max() > grid.floor, reason)
    return ActivationReport(
        _name(s), not points, rises, form is not None, form, "numerical", tuple(reasons), points
    )


def _refuted(grid: Samples) -> Points:
    """Three points of the grid with the middle one above the chord, by more than rounding."""
    stride = 1
    while stride < len(grid.x) - 1:
        part = Samples(grid.f, grid.x[::stride], grid.y[::stride], grid.noise)
        k, excess = part.worst()
        if excess > 0:
            return tuple((float(part.x[j]), float(part.y[j])) for j in (k, k + 1, k + 2))
        stride *= 4
    return ()


def _one_kink(s: Any, interval: tuple[float, float], grid: Samples) -> Form | None:
    """(a0, a1, b0, b1, b2) if one unit is s to rounding."""
    try:
        g = relu_expansion(s, interval, units=1)
        close = expansion_error(g, s, interval) <= 4 * grid.floor
    except NotConvex:
        return None
    terms = relu_terms(g)
    if not close or len(terms.c) != 1 or len(kinks(grid)[1]) > 1:
        return None
    return 0.0 - float(terms.knots[0]), 1.0, terms.b0, terms.b1, float(terms.c[0])
