"""Why ReLU, why convex: expansions in max(0, x - t), and what activations can build."""

from icnn.theory.activations import ActivationReport, activation_report
from icnn.theory.converse import approximation_floor
from icnn.theory.expansion import Terms, expansion_error, relu_expansion, relu_terms
from icnn.theory.table import activation_table

__all__ = [
    "ActivationReport",
    "Terms",
    "activation_report",
    "activation_table",
    "approximation_floor",
    "expansion_error",
    "relu_expansion",
    "relu_terms",
]
