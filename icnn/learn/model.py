"""What every convex model is: a torch module that lowers to a `Network`."""

import abc
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
    if name not in ACTIVATIONS:
        raise BadData(f"activation is one of {', '.join(ACTIVATIONS)}, not {name!r}")
    return ACTIVATIONS[name]


def positive_int(name: str, value: Any) -> int:
    """`value` as an int ≥ 1, or a sentence that names the argument."""
    if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
        raise BadData(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def seeded(seed: int) -> torch.Generator:
    """A generator of its own, so that no global seed is touched."""
    if isinstance(seed, bool) or not (isinstance(seed, int) and 0 <= seed < 2**53):
        raise BadData(f"seed must be a whole number from 0 to 2^53, not {seed!r}")
    return torch.Generator().manual_seed(seed)
