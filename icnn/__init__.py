"""icnn: learn the objective, then solve it, with proof."""

from icnn import datasets, errors, solvers
from icnn.atoms import ABS, IDENTITY, RELU, Max, PiecewiseLinear, leaky_relu
from icnn.decide.decision import Decision, Status
from icnn.errors import BadData, ICNNError, NotConvex, NotSolved, NotSupported
from icnn.learn.ficnn import FICNN
from icnn.learn.fit import fit
from icnn.learn.shallow import MaxAffine, ReLUSum
from icnn.learn.surrogate import Surrogate
from icnn.learn.train import Budget
from icnn.minimize import maximize, minimize
from icnn.network import Layer, Network, affine, relu_network
from icnn.store import load, save

__all__ = [
    "ABS",
    "FICNN",
    "IDENTITY",
    "RELU",
    "BadData",
    "Budget",
    "Decision",
    "ICNNError",
    "Layer",
    "Max",
    "MaxAffine",
    "Network",
    "NotConvex",
    "NotSolved",
    "NotSupported",
    "PiecewiseLinear",
    "ReLUSum",
    "Status",
    "Surrogate",
    "affine",
    "datasets",
    "errors",
    "fit",
    "leaky_relu",
    "load",
    "maximize",
    "minimize",
    "relu_network",
    "save",
    "solvers",
]
