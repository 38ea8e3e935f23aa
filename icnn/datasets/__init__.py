"""Small real tables that ship with the package, each with its source and licence."""

from icnn.datasets.dataset import Dataset
from icnn.datasets.flow import snar
from icnn.datasets.plant import Plant, chillers, chillers_truth
from icnn.datasets.reactor import Truth, reformer, reformer_truth

__all__ = [
    "Dataset",
    "Plant",
    "Truth",
    "chillers",
    "chillers_truth",
    "reformer",
    "reformer_truth",
    "snar",
]
