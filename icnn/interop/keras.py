"""from_keras: a Keras 3 model whose signs make it convex, as a `Network`.

A kernel is free where it acts on what is affine in x, and must be non-negative where it acts on a
convex unit: `NonNeg` from the second layer on is enough. `NonNeg` on every layer makes the function
non-decreasing in every input besides, and `icnn.monotone` says so.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

from icnn.atoms import AbstractAtom, Max
from icnn.errors import BadData, NotConvex, NotSupported
from icnn.interop.units import Stack, Units, inputs, side_by_side, spread, times
from icnn.interop.vocabulary import NOT_CONVEX, Vocabulary
from icnn.network import Network


def from_keras(model: Any) -> Network:
    """The function of a Keras 3 model (Sequential or functional) as a `Network`.

    It reads Dense, Activation, ReLU, LeakyReLU, ELU, Add, Maximum, Concatenate, BatchNormalization,
    Normalization, Rescaling, models inside the model, and layers that do nothing at inference;
    activations linear, relu, leaky_relu, softplus and elu. Weights are read once, as float64.

    Args:
        model: one input (batch, n), one output (batch, 1), built; any back end.

    Raises:
        NotConvex: a negative weight acts on a convex unit, or an activation is not convex; the
            message names layer, row (input) and column (unit) of the kernel.
        NotSupported: a layer, activation or graph that has no convex form here; or no Keras.
        BadData: not a Keras model, not built, or a weight that is not finite.
    """
    keras = _keras()
    if not isinstance(model, keras.Model):
        raise BadData(f"model must be a Keras 3 model, not {type(model).__name__}")
    reader = _Reader(keras)
    source, target = reader.ends(model)
    if len(source.shape) != 2 or source.shape[1] is None:
        raise NotSupported(
            f"model {model.name!r} takes inputs of shape {source.shape}; a function of n columns "
            "takes (None, n): keras.Input(shape=(n,))"
        )
    if not str(source.dtype).startswith(("float", "bfloat")):
        raise NotSupported(
            f"model {model.name!r} takes inputs of type {source.dtype}, and rounds all others; "
            'a function of real numbers takes keras.Input(shape=(n,), dtype="float32")'
        )
    value = reader.value(target, {id(source): inputs(int(source.shape[1]))})
    if value.width != 1:
        raise NotSupported(
            f"model {model.name!r} ends with {value.width} units; a function has one, so end with "
            "Dense(1)"
        )
    return reader.stack.network(value)


def _keras() -> Any:
    """Keras, loaded now: a model of it exists already, or the message says what to install."""
    try:
        import keras
    except ImportError as error:
        raise NotSupported(
            "from_keras needs Keras 3 and one of its back ends: pip install 'icnn-opt[keras]'"
        ) from error
    if int(keras.__version__.split(".")[0]) < 3:
        raise NotSupported(f"from_keras needs Keras 3, and Keras {keras.__version__} is installed")
    return keras


class _Reader:
    """Walks the graph of a model from its output to its input."""

    def __init__(self, keras: Any) -> None:
        self.keras = keras
        self.words = Vocabulary(keras)
        self.stack = Stack()

    def ends(self, model: Any) -> tuple[Any, Any]:
        """The symbolic input and output of a model, if it has one of each."""
        known = isinstance(model, self.keras.Sequential | self.keras.Function)
        if not known or not type(model).call.__module__.startswith("keras."):
            raise NotSupported(
                f"model {model.name!r} is a {type(model).__name__} with a call() of its own, "
                "whose graph cannot be read; use keras.Sequential or keras.Model(inputs, outputs)"
            )
        if not model.built:
            raise BadData(
                f"model {model.name!r} is not built; give it a keras.Input(shape=(n,)) or call it "
                "once"
            )
        for side, tensors in (("input", model.inputs), ("output", model.outputs)):
            if len(tensors) != 1:
                raise NotSupported(
                    f"model {model.name!r} has {len(tensors)} {side}s; from_keras reads one {side}"
                )
        return model.inputs[0], model.outputs[0]

    def value(self, tensor: Any, known: dict[int, Units]) -> Units:
        """The units of a symbolic tensor; `known` holds those found, by id.

        Keras has no public way to ask what made a tensor; its own tools use `_keras_history`.
        """
        if id(tensor) not in known:
            operation, index, _ = tensor._keras_history
            node = operation._inbound_nodes[index]
            self._check_call(operation, node.arguments)
            found = [self.value(source, known) for source in node.input_tensors]
            known[id(tensor)] = self.apply(operation, found)
        return known[id(tensor)]

    def _check_call(self, operation: Any, arguments: Any) -> None:
        """A layer called on the outputs of others and nothing else, or its reason in words."""
        kind = type(operation).__name__
        if not isinstance(operation, self.keras.layers.Layer):
            raise NotSupported(
                f"operation {operation.name!r} ({kind}) is not a layer; write a + b as "
                "keras.layers.Add()([a, b]), and scales as keras.layers.Rescaling"
            )
        for leaf in self.keras.tree.flatten((arguments.args, arguments.kwargs)):
            if not (leaf is None or leaf is False or isinstance(leaf, self.keras.KerasTensor)):
                raise NotSupported(
                    f"layer {operation.name!r} ({kind}) is called with {leaf!r}; from_keras reads "
                    "layers that are called on outputs of layers, at inference"
                )

    def apply(self, layer: Any, found: Sequence[Units]) -> Units:
        """What a layer makes of its inputs."""
        kind, name = type(layer), layer.name
        if isinstance(layer, self.keras.Model):
            source, target = self.ends(layer)
            return self.value(target, {id(source): found[0]})
        if kind in self.words.merges:
            return self._merge(layer, found)
        if len(found) == 1:
            (v,) = found
            if kind in self.words.idle:
                return v
            if kind in self.words.affine:
                v = times(v, self.words.affine[kind](layer, v.width), self.stack.names)
                return self._activate(layer, v) if kind is self.keras.layers.Dense else v
            if kind is self.keras.layers.Activation:
                return self._activate(layer, v)
            if kind in self.words.atoms:
                return self.stack.put(v, self._named(layer), name)
        raise NotSupported(
            f"layer {name!r} is a {kind.__name__}, which from_keras does not read; it reads "
            f"{', '.join(sorted(k.__name__ for k in self.words.known))}"
        )

    def _merge(self, layer: Any, found: Sequence[Units]) -> Units:
        layers, name, kind = self.keras.layers, layer.name, type(layer)
        if kind is layers.Concatenate:
            if layer.axis not in (-1, 1):
                raise NotSupported(
                    f"layer {name!r} joins along axis {layer.axis}, not the last one"
                )
            return side_by_side(found)
        maximum = kind is layers.Maximum and len(found) > 1
        stacked, weights = spread(found, name=name, together=not maximum)
        merged = times(stacked, weights, self.stack.names)
        return self.stack.put(merged, Max(len(found)), name) if maximum else merged

    def _activate(self, layer: Any, v: Units) -> Units:
        """The activation of a Dense or Activation layer: a function, or a layer in its place."""
        function = layer.activation
        if isinstance(function, self.keras.layers.Layer):
            return self.apply(function, [v])
        if function in self.words.functions:
            return self.stack.put(v, self.words.functions[function], layer.name)
        is_function = isinstance(function, types.FunctionType)
        called = function.__name__ if is_function else repr(function)
        if is_function and function.__module__.startswith("keras.") and called in NOT_CONVEX:
            raise NotConvex(f"layer {layer.name!r}: its activation {called} is not convex")
        raise NotSupported(
            f"layer {layer.name!r}: its activation {called} is not one of linear, relu, "
            "leaky_relu, softplus and elu"
        )

    def _named(self, layer: Any) -> AbstractAtom:
        """The atom of an activation layer; what is not convex is refused with the layer's name."""
        try:
            atom: AbstractAtom = self.words.atoms[type(layer)](layer)
        except NotConvex as error:
            raise NotConvex(f"layer {layer.name!r}: {error}") from error
        return atom
