"""priced: learned limits g ≤ r as terms ρ max(0, g − r) of the objective, which is convex again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.atoms import IDENTITY, RELU
from icnn.decide.program import Program
from icnn.network import Layer, Network, affine, shifted, with_output

Array = NDArray[np.float64]


def priced(program: Program, price: Array) -> Program:
    """minimise f + Σ price max(0, g − r): the hidden layers of f and each g in turn, then terms."""
    layers: list[Layer] = []
    outputs = []
    for f in (program.objective, *(limit.function for limit in program.learned)):
        *hidden, out = with_output(f)
        outputs.append(replace(out, W=shifted(out.W, len(layers))))
        layers += [replace(k, W=shifted(k.W, len(layers))) for k in hidden]
    total, *limited = outputs
    at = len(layers)
    for out, limit in zip(limited, program.learned, strict=True):
        layers.append(replace(out, atom=RELU, b=out.b - limit.limit))
    terms = tuple(
        (at + k, torch.full((1, 1), rho, dtype=torch.float64)) for k, rho in enumerate(price)
    )
    network = Network._unchecked((*layers, Layer(IDENTITY, total.V, total.b, total.W + terms)))
    return replace(program, objective=network, learned=())


def excess_alone(program: Program) -> Program:
    """minimise Σ max(0, g − r) over the range of g: above 0 nowhere but where limits contradict."""
    nothing = replace(program, objective=affine(np.zeros(program.n)))
    return priced(nothing, np.array([1 / part.spread for part in program.parts[1:]]))
