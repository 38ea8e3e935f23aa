"""PLSE and FNN of Kim & Kim, written anew from the paper (arXiv 2201.06298) and v0.1.1 of its code.

Repository JinraeKim/ParametrisedConvexApproximators.jl, main/basic.jl: sizes, data and training as
there; Julia's random numbers cannot be had, so the draws differ.
"""

import time
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

SIZES = ((1, 1), (61, 20), (376, 17))
ROWS, KEPT, EPOCHS, BATCH, RATE, PIECES, TEMPERATURE = 5000, 4500, 100, 16, 1e-3, 30, 0.1
PUBLISHED = {  # PLSE: mean ‖û − u*‖, mean |f̂* − f*|, seconds a decision
    (1, 1): (0.00967, 0.00171, 0.0065),
    (61, 20): (1.974, 0.0892, 0.0111),
    (376, 17): (0.5204, 0.0815, 0.00704),
}
Found = tuple[np.ndarray, np.ndarray, float]  # u (N, m), value (N,), processor seconds a decision


def truth(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """½ (‖u‖²/m − ‖x‖²/n), row by row; least at u = 0 for every x."""
    return 0.5 * (np.square(u).mean(1) - np.square(x).mean(1))


def data(n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Contexts, decisions and values of 4,500 rows, and 500 contexts to decide for."""
    rng = np.random.default_rng([2021, n, m, seed])
    x, u = rng.uniform(-1, 1, (ROWS, n)), rng.uniform(-1, 1, (ROWS, m))
    return x[:KEPT], u[:KEPT], truth(x, u)[:KEPT], x[KEPT:]


def network(*sizes: int) -> nn.Sequential:
    """Leaky ReLU, Glorot's uniform weights and zero biases, as Flux starts them."""
    parts: list[nn.Module] = []
    for below, above in pairwise(sizes):
        layer = nn.Linear(below, above)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        parts += [layer, nn.LeakyReLU(0.01)]
    return nn.Sequential(*parts[:-1])


class PLSE(nn.Module):
    """T log Σ exp((a_i(x) · u + b_i(x)) / T), the pieces from one network of x."""

    def __init__(self, n: int, m: int) -> None:
        super().__init__()
        self.net = network(n, 64, 64, PIECES * (m + 1))

    def pieces(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, n) -> slopes (N, 30, m) and intercepts (N, 30)."""
        found = self.net(x).view(len(x), PIECES, -1)
        return found[..., :-1], found[..., -1]

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        a, b = self.pieces(x)
        affine = (a @ u[..., None]).squeeze(-1) + b
        return TEMPERATURE * torch.logsumexp(affine / TEMPERATURE, -1)


class FNN(nn.Module):
    """A plain network of x and u together."""

    def __init__(self, n: int, m: int) -> None:
        super().__init__()
        self.net = network(n + m, 64, 64, 1)

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        return self.net(torch.cat([x, u], -1))[:, 0]


def train(
    kind: type[nn.Module], x: np.ndarray, u: np.ndarray, y: np.ndarray, seed: int
) -> nn.Module:
    torch.manual_seed(seed)
    model = kind(x.shape[1], u.shape[1])
    x, u, y = (torch.from_numpy(v).float() for v in (x, u, y))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(y))[: len(y) // BATCH * BATCH].view(-1, BATCH):
            optimizer.zero_grad(set_to_none=True)
            (model(x[rows], u[rows]) - y[rows]).square().mean().backward()
            optimizer.step()
    return model


@torch.no_grad()
def weights(model: PLSE, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pieces of every context in float64."""
    a, b = model.pieces(torch.from_numpy(x).float())
    return a.double().numpy(), b.double().numpy()


def by_scs(model: PLSE, x: np.ndarray) -> Found:
    """One parametrised CVXPY problem for all contexts, solved by SCS with its defaults."""
    import cvxpy

    slopes, intercepts = weights(model, x)
    m = slopes.shape[-1]
    u, A = cvxpy.Variable(m), cvxpy.Parameter((PIECES, m))
    b = cvxpy.Parameter(PIECES)
    objective = TEMPERATURE * cvxpy.log_sum_exp((A @ u + b) / TEMPERATURE)
    problem = cvxpy.Problem(cvxpy.Minimize(objective), [u >= -1, u <= 1])
    points, values, seconds = [], [], 0.0
    for k, (a, c) in enumerate(zip(slopes, intercepts, strict=True)):
        began = time.process_time()
        A.value, b.value = a, c
        problem.solve(solver=cvxpy.SCS)
        seconds += (time.process_time() - began) if k else 0.0  # the first one compiles
        points.append(u.value)
        values.append(problem.value)
    return np.array(points), np.array(values), seconds / (len(x) - 1)


def by_descent(model: FNN, x: np.ndarray, seed: int) -> Found:
    """L-BFGS-B from one random point, for the interior-point Newton method of Optim.jl."""
    from scipy.optimize import minimize

    model = model.double()  # else rounding ends the search by its iterations
    contexts, m = torch.from_numpy(x), model.net[0].in_features - x.shape[1]
    rng, points, values, began = np.random.default_rng(seed), [], [], time.process_time()
    for row in contexts:

        def value(u: np.ndarray, row: Tensor = row) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(u.copy()).requires_grad_()
            f = model(row[None], point[None])
            return f.item(), torch.autograd.grad(f, point)[0].numpy()

        found = minimize(value, rng.uniform(-1, 1, m), jac=True, bounds=[(-1, 1)] * m)
        points.append(found.x)
        values.append(found.fun)
    return np.array(points), np.array(values), (time.process_time() - began) / len(x)
