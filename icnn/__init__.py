"""icnn: learn the objective, then solve it, with proof."""

from icnn import atoms, datasets, errors, solvers
from icnn.atoms import Max, PiecewiseLinear
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
    "FICNN",
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
    "atoms",
    "datasets",
    "errors",
    "fit",
    "load",
    "maximize",
    "minimize",
    "relu_network",
    "save",
    "solvers",
]
