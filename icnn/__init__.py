"""icnn: learn the objective, then solve it, with proof."""

from icnn import atoms, datasets, models, sets, solvers, theory
from icnn.atoms import Max as Max
from icnn.atoms import PiecewiseLinear as PiecewiseLinear
from icnn.convert import to_cvxpy
from icnn.decide.decision import Decision
from icnn.decide.decision import Status as Status
from icnn.errors import BadData, ICNNError, NotConvex
from icnn.errors import NotSolved as NotSolved
from icnn.errors import NotSupported as NotSupported
from icnn.interop.keras import from_keras
from icnn.learn.ficnn import FICNN
from icnn.learn.fit import fit
from icnn.learn.maxaffine import LogSumExp, MaxAffine
from icnn.learn.picnn import PICNN
from icnn.learn.relusum import ReLUSum
from icnn.learn.sum import Sum
from icnn.learn.surrogate import Surrogate
from icnn.learn.train import Budget
from icnn.minimize import maximize, minimize
from icnn.minimize_batch import maximize_batch as maximize_batch
from icnn.minimize_batch import minimize_batch
from icnn.monotone import monotone as monotone
from icnn.network import Layer as Layer
from icnn.network import Network, affine, relu_network
from icnn.prepare import prepare
from icnn.regret import regret as regret
from icnn.store import load, save

__all__ = [
    "FICNN",
    "PICNN",
    "BadData",
    "Budget",
    "Decision",
    "ICNNError",
    "LogSumExp",
    "MaxAffine",
    "Network",
    "NotConvex",
    "ReLUSum",
    "Sum",
    "Surrogate",
    "affine",
    "atoms",
    "datasets",
    "fit",
    "from_keras",
    "load",
    "maximize",
    "minimize",
    "minimize_batch",
    "models",
    "prepare",
    "relu_network",
    "save",
    "sets",
    "solvers",
    "theory",
    "to_cvxpy",
]
