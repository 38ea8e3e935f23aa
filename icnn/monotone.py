"""monotone: in which inputs a `Network` can be seen to never decrease, or never increase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icnn.network import Layer, Network


def monotone(f: Network) -> tuple[int, ...]:
    """For each input 1 if f is non-decreasing in it, −1 if non-increasing, 0 if neither is shown.

    The signs of the weights show it, so 0 is no proof of the contrary. An input that f does not
    depend on counts as 1. `all(sign == 1 for sign in monotone(f))` is what `NonNeg` on every
    kernel of a Keras model gives: the least value then lies at the lower bounds.
    """
    rises: list[NDArray[np.bool_]] = []  # (units, n) by layer
    falls: list[NDArray[np.bool_]] = []
    for layer in f.layers:
        V = layer.V.numpy()
        up, down = _units(V >= 0, layer, rises), _units(V <= 0, layer, falls)
        if not layer.atom.nondecreasing:  # then only what does not move at all is sure
            up = down = np.logical_and(up, down)
        rises.append(up)
        falls.append(down)
    ends = zip(rises[-1][0], falls[-1][0], strict=True)
    return tuple(1 if up else -1 if down else 0 for up, down in ends)


def _units(
    keeps: NDArray[np.bool_], layer: Layer, below: list[NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """The units (units, n) whose every row and source keeps a direction, if the atom does."""
    for source, W in layer.W:
        keeps = np.logical_and(keeps, ~((W.numpy() > 0) @ ~below[source]))
    return np.array(keeps.reshape(layer.units, layer.atom.group, -1).all(1))
