"""What each kind of Keras layer means: an atom, weights, a merge, or nothing at inference."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icnn.atoms import ELU, IDENTITY, RELU, AbstractAtom, Softplus, leaky_relu
from icnn.errors import BadData, NotConvex, NotSupported
from icnn.interop.units import Weights

Array = NDArray[np.float64]
NOT_CONVEX = frozenset(  # the functions of keras.activations that curve both ways
    {
        *("gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "log_sigmoid"),
        *("log_softmax", "mish", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax"),
        *("softsign", "sparse_sigmoid", "sparsemax", "tanh", "tanh_shrink", "threshold"),
    }
)
CURE = 'Constrain it (kernel_constraint="non_neg") and train it.'
UNTRAINED = (
    "NonNeg is set, but Keras applies it after an update, not at the start: train it, or set "
    "non-negative weights."
)


class Vocabulary:
    """Tables from layer classes, which are compared exactly: a subclass may compute anything."""

    def __init__(self, keras: Any) -> None:
        self.keras = keras

    @cached_property
    def functions(self) -> dict[Any, AbstractAtom]:
        a = self.keras.activations  # Keras gives these slopes to the bare names
        known = {a.linear: IDENTITY, a.relu: RELU, a.softplus: Softplus()}
        return known | {a.leaky_relu: leaky_relu(0.2), a.elu: ELU(1.0)}

    @cached_property
    def atoms(self) -> dict[type, Any]:
        known = self.keras.layers
        return {known.ReLU: _relu, known.LeakyReLU: _leaky, known.ELU: _elu}

    @cached_property
    def affine(self) -> dict[type, Any]:
        known = self.keras.layers
        return {
            known.Dense: self._dense,
            known.BatchNormalization: self._batch_normalization,
            known.Normalization: self._normalization,
            known.Rescaling: self._rescaling,
        }

    @cached_property
    def merges(self) -> frozenset[type]:
        known = self.keras.layers
        return frozenset({known.Add, known.Maximum, known.Concatenate})

    @cached_property
    def idle(self) -> frozenset[type]:
        """Layers that do nothing to (batch, n) at inference."""
        known = self.keras.layers
        noise = {known.Dropout, known.AlphaDropout, known.GaussianDropout, known.GaussianNoise}
        return frozenset(noise | {known.Identity, known.ActivityRegularization, known.Flatten})

    @property
    def known(self) -> set[type]:
        return {*self.atoms, *self.affine, *self.merges, *self.idle, self.keras.layers.Activation}

    def _dense(self, layer: Any, width: int) -> Weights:
        K = self._array(layer, "kernel", layer.kernel)
        bias = (
            np.zeros(K.shape[1]) if layer.bias is None else self._array(layer, "bias", layer.bias)
        )
        held = isinstance(layer.kernel_constraint, self.keras.constraints.NonNeg)
        return Weights(K, bias, layer.name, cure=UNTRAINED if held else CURE)

    def _batch_normalization(self, layer: Any, width: int) -> Weights:
        if layer.axis not in (-1, 1):
            raise NotSupported(
                f"layer {layer.name!r} normalises axis {layer.axis}, not the last one"
            )
        mean = self._array(layer, "moving_mean", layer.moving_mean)
        variance = self._array(layer, "moving_variance", layer.moving_variance)
        scale = 1 / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            scale = scale * self._array(layer, "gamma", layer.gamma)
        shift = self._array(layer, "beta", layer.beta) if layer.center else np.zeros(width)
        return _each(layer.name, scale, shift - scale * mean)

    def _normalization(self, layer: Any, width: int) -> Weights:
        mean = np.broadcast_to(self._array(layer, "mean", layer.mean).ravel(), width)
        variance = np.broadcast_to(self._array(layer, "variance", layer.variance).ravel(), width)
        step = np.maximum(np.sqrt(variance), self.keras.config.epsilon())
        if layer.invert:
            return _each(layer.name, step, mean)
        return _each(layer.name, 1 / step, -mean / step)

    def _rescaling(self, layer: Any, width: int) -> Weights:
        scale = np.broadcast_to(np.asarray(layer.scale, dtype=np.float64), width)
        return _each(layer.name, scale, np.broadcast_to(np.asarray(layer.offset, float), width))

    def _array(self, layer: Any, word: str, value: Any) -> Array:
        """A weight as float64, if it is a finite float array."""
        with warnings.catch_warnings():  # of torch's __array__ under numpy 2.4, inside Keras
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            found = np.asarray(self.keras.ops.convert_to_numpy(value))
        if found.dtype.kind in "iub":
            raise NotSupported(f"layer {layer.name!r} is quantised: its {word} is {found.dtype}")
        array = found.astype(np.float64)
        if not np.isfinite(array).all():
            place = np.argwhere(~np.isfinite(array))[0].tolist()
            raise BadData(f"layer {layer.name!r}: {word}{place} is {array[tuple(place)]}")
        return array


def _each(name: str, scale: Array, shift: Array) -> Weights:
    """A factor and a shift for each unit."""
    return Weights(np.diag(scale), np.array(shift, dtype=np.float64), name, "scale")


def _relu(layer: Any) -> AbstractAtom:
    if layer.max_value is not None:
        raise NotConvex(f"ReLU with max_value={layer.max_value} is not convex: it bends down again")
    if layer.threshold != 0:
        raise NotConvex(f"ReLU with threshold={layer.threshold} is not convex: it jumps there")
    return leaky_relu(float(layer.negative_slope))


def _leaky(layer: Any) -> AbstractAtom:
    return leaky_relu(float(layer.negative_slope))


def _elu(layer: Any) -> AbstractAtom:
    alpha = float(layer.alpha)
    return RELU if alpha == 0 else ELU(alpha)
