"""Convex atoms as data; a new atom is one class in this folder."""

from icnn.atoms.atom import AbstractAtom, Tilt
from icnn.atoms.elu import ELU
from icnn.atoms.piecewise import ABS, IDENTITY, RELU, Max, PiecewiseLinear, leaky_relu
from icnn.atoms.smooth import Huber, LogSumExp, Norm, Softplus, SumSquares

__all__ = [
    "ABS",
    "ELU",
    "IDENTITY",
    "RELU",
    "AbstractAtom",
    "Huber",
    "LogSumExp",
    "Max",
    "Norm",
    "PiecewiseLinear",
    "Softplus",
    "SumSquares",
    "Tilt",
    "leaky_relu",
]
