"""The menu of convex models: from icnn.models import HyperICNN."""

from icnn.learn.additive import Additive
from icnn.learn.ficnn import FICNN
from icnn.learn.groupmax import GroupMax
from icnn.learn.hypericnn import HyperICNN
from icnn.learn.level import Level
from icnn.learn.maxaffine import LogSumExp, MaxAffine
from icnn.learn.normterm import NormTerm
from icnn.learn.picnn import PICNN
from icnn.learn.quadratic import Quadratic
from icnn.learn.relusum import ReLUSum
from icnn.learn.sum import Sum

__all__ = [
    "FICNN",
    "PICNN",
    "Additive",
    "GroupMax",
    "HyperICNN",
    "Level",
    "LogSumExp",
    "MaxAffine",
    "NormTerm",
    "Quadratic",
    "ReLUSum",
    "Sum",
]
