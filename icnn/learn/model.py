"""What every convex model is: a torch module that lowers to a `Network`."""

import abc
import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from icnn.atoms import ABS, IDENTITY, RELU, AbstractAtom, leaky_relu
from icnn.errors import BadData
from icnn.network import Network

ACTIVATIONS: dict[str, AbstractAtom] = {
    "relu": RELU,
    "leaky_relu": leaky_relu(),
    "identity": IDENTITY,
    "abs": ABS,
}


class AbstractConvexModel(nn.Module, abc.ABC):
    """A torch module that is convex in its input for every value of its parameters.

    `config` holds the constructor's arguments as JSON values, so that a file can rebuild the model.
    """

    config: dict[str, Any]

    @property
    def n_inputs(self) -> int:
        """Width of the input."""
        return int(self.config["n_inputs"])

    @abc.abstractmethod
    def lower(self) -> Network:
        """The function of the present parameters, with their dtype and gradients."""

    @abc.abstractmethod
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw new initial values."""

    @abc.abstractmethod
    def shift_output(self, by: Tensor) -> None:
        """Add a constant to the function, in place."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_inputs) -> (N,)."""
        return self.lower()(x)


def activation_atom(name: str) -> AbstractAtom:
    """The atom of this name."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise BadData(f"activation is one of {', '.join(ACTIVATIONS)}, not {name!r}")
    return ACTIVATIONS[name]


def positive_int(name: str, value: Any) -> int:
    """`value` as an int ≥ 1, or a sentence that names the argument."""
    if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
        raise BadData(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def unit_counts(name: str, sizes: Any) -> list[int]:
    """The units of each layer, or a sentence that names the argument."""
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        raise BadData(f"{name} lists the units of each layer, as ({sizes!r},), not {sizes!r}")
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
