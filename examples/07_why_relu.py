"""Why ReLU: sums of max(0, x - t) follow every convex function, with a proof of how closely."""

import numpy as np
import torch

import icnn
from icnn.theory import (
    activation_report,
    approximation_floor,
    expansion_error,
    relu_expansion,
    relu_terms,
)

interval = (-1.0, 2.0)
print("e^x as b0 + b1 x + Σ c_k max(0, x - x_k), c_k >= 0:")
for units in (1, 3, 7, 15):
    f = relu_expansion(np.exp, interval, units=units)
    bound = expansion_error(f, np.exp, interval)
    scaled = bound * (units + 1) ** 2
    print(f"  {units:2d} units: within {bound:.5f} everywhere, times pieces² {scaled:.3f}")

f = relu_expansion(np.exp, interval, error=1e-3)
terms = relu_terms(f)
print(f"  within 0.001: {len(terms.c)} units, the first kinks at {np.round(terms.knots[:4], 3)}")

# a kink stays where it is, and what is piecewise linear is reproduced
tariff = relu_expansion(lambda q: max(3 * q, 5 * q - 4, 9 * q - 20), (0.0, 6.0), units=2)
print(f"a tariff has its kinks at {relu_terms(tariff).knots}")

# the expansion is a Network: e^x - 2 x is minimised over it, with a certified bound
decision = icnn.minimize(f - icnn.affine([2.0]), bounds=[interval])
print(decision)
print(f"the true minimum is 2 - 2 log 2 = {2 - 2 * np.log(2):.4f}, within the error of {1e-3}")

for module in (torch.nn.LeakyReLU(0.1), torch.nn.Softplus(), torch.nn.GELU()):
    print(activation_report(module))

print("the least error against max(0, x) with slopes of at most 16 inside:")
for module in (torch.nn.ReLU(), torch.nn.Softplus(), torch.nn.ELU()):
    few, many = (approximation_floor(module, 16.0, shifts=k) for k in (1, 129))
    print(f"  {type(module).__name__}: {few:.5f} from 6 units, {many:.5f} from 774")
