"""Why ReLU, why convex: expansions in max(0, x - t), and what activations can build."""

from icnn.theory.expansion import Terms, expansion_error, relu_expansion, relu_terms

__all__ = ["Terms", "expansion_error", "relu_expansion", "relu_terms"]
