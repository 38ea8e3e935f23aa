"""What every convex model is: a torch module that lowers to a `Network`."""

import abc
import operator
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from icnn.atoms import ABS, ELU, IDENTITY, RELU, AbstractAtom, Softplus, leaky_relu
from icnn.errors import BadData, NotConvex
from icnn.network import Layer, Network

Sizes = Sequence[int] | Literal["auto"]
ACTIVATIONS: dict[str, AbstractAtom] = {
    "relu": RELU,
    "leaky_relu": leaky_relu(),
    "identity": IDENTITY,
    "abs": ABS,
    "softplus": Softplus(),
    "elu": ELU(),
}


class AbstractConvexModel(nn.Module, abc.ABC):
    """A torch module that is convex in its input for every context and value of its parameters.

    `config` holds the constructor's arguments as JSON values, so that a file can rebuild the model.
    """

    config: dict[str, Any]

    @property
    def n_inputs(self) -> int:
        """Width of the input."""
        return int(self.config["n_inputs"])

    @property
    def n_context(self) -> int:
        """Width of the context, 0 for a model without one."""
        return int(self.config.get("n_context", 0))

    @property
    def signed(self) -> tuple[bool, ...]:
        """For each column whether the model promises a monotone direction."""
        return tuple(sign != 0 for sign in self.config.get("monotone") or (0,) * self.n_inputs)

    @abc.abstractmethod
    def layers(self, context: Tensor | None) -> tuple[Layer, ...]:
        """The lines of the program, with gates; the context has been checked.

        Without context and gates, and with ReLU and identity only, the parameters may have one more
        axis in front, and so has then what is made of them: `learn.rectified` trains restarts so.
        """

    @abc.abstractmethod
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new initial values."""

    @abc.abstractmethod
    def shift_output(self, by: Tensor) -> None:
        """Add a constant to the function, in place."""

    def lower(self, context: Tensor | None = None) -> Network:
        """The function of the present parameters, with their dtype and gradients.

        Args:
            context: (n_context,) for one function, or (N, n_context) for one a row of x.
        """
        width = 0 if context is None else context.shape[-1]
        if width != self.n_context or (context is None) != (self.n_context == 0):
            shape = "none" if context is None else tuple(context.shape)
            wanted = f"one of {self.n_context} numbers" if self.n_context else "none"
            raise BadData(f"the context is {shape}, but {type(self).__name__} takes {wanted}")
        return Network._unchecked(self.layers(context))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, n_inputs) and a context, one for all or one a row -> (N,)."""
        return self.lower(context)(x)


def activation_atom(name: str) -> AbstractAtom:
    """The atom of this name."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise BadData(f"activation is one of {', '.join(ACTIVATIONS)}, not {name!r}")
    return ACTIVATIONS[name]


def hidden_atom(name: str, sizes: Sequence[int]) -> AbstractAtom:
    """The atom of this name, if it may stand in each of the hidden layers."""
    atom = activation_atom(name)
    if len(sizes) > 1 and not atom.nondecreasing:
        raise NotConvex(f"{name} may decrease, so it cannot follow a hidden layer; use one")
    return atom


def positive_int(name: str, value: Any) -> int:
    """`value` as an int ≥ 1, or a sentence that names the argument."""
    if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
        raise BadData(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def context_width(value: Any) -> int:
    """`value` as an int ≥ 0."""
    return 0 if type(value) is int and value == 0 else positive_int("n_context", value)


def hidden_units(sizes: Any) -> list[int]:
    """The units of each hidden layer; two of 64 for a model whose sizes `fit` will choose."""
    named = isinstance(sizes, str) and sizes == "auto"
    return [64, 64] if named else unit_counts("hidden", sizes)


def unit_counts(name: str, sizes: Any) -> list[int]:
    """The units of each layer, or a sentence that names the argument."""
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        raise BadData(f"{name} lists the units of each layer, as (64, 64), not {sizes!r}")
    return [positive_int(f"each entry of {name}", units) for units in sizes]


def check_seed(seed: Any) -> int:
    """A whole number from 0 to 2^53, numpy's too."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**53:
        raise BadData(f"seed must be a whole number from 0 to 2^53, not {seed!r}")
    return number


def seeded(seed: int) -> torch.Generator:
    """A generator of its own, so that no global seed is touched."""
    return torch.Generator().manual_seed(check_seed(seed))


def check_monotone(monotone: Any, n: int, atom: AbstractAtom) -> list[int] | None:
    """A direction for each column, or a sentence on what is wrong with it."""
    if monotone is None:
        return None
    signs = list(monotone) if isinstance(monotone, Sequence | np.ndarray) else []
    if len(signs) != n or any(isinstance(s, bool) or s not in (-1, 0, 1) for s in signs):
        raise BadData(f"monotone lists +1, 0 or -1 for each of {n} columns, not {monotone!r}")
    if any(signs) and not atom.nondecreasing:
        raise BadData(f"monotone needs an activation that never decreases, not {atom}")
    return [int(sign) for sign in signs]
