"""HyCNN and its regression data, written anew from the paper (arXiv 2604.26942) and its notebook.

Hundrieser, Kong & Schmidt-Hieber, "Hyper Input Convex Neural Networks" (2026); repository
hundrieser/HyCNN, Regression.ipynb: seeds, sizes and optimiser are as published there.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

COLUMNS = 50
TRAIN_SEED, PREDICTION_SEED, METHOD_SEED = 1 + 123, 1 + 2027, 10
EPOCHS, BATCH, RATE = 100, 1000, 1e-2
PUBLISHED = {"MLP 64x16": 3.9261, "HyCNN 48x4": 1.1497, "HyCNN 48x16": 0.7612}
Target = Callable[[np.ndarray], np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]

_PLANES = 0.8 * np.random.default_rng(7).standard_normal((10, COLUMNS))
TARGETS: dict[str, Target] = {
    "‖x‖²": lambda x: np.square(x).sum(1),
    "‖x‖₁": lambda x: np.abs(x).sum(1),
    "max of 10 affine": lambda x: (x @ _PLANES.T).max(1),
}


def sample(target: Target, rows: int, *, noise: float, seed: int) -> Pair:
    """x (rows, 50) uniform on [-1, 1], then the noise, both in float32 as published."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (rows, COLUMNS)).astype(np.float32)
    y = target(x).astype(np.float32)
    if noise > 0:
        y = y + rng.normal(0.0, noise, rows).astype(np.float32)
    return x.astype(float), y.astype(float)


def training(target: Target, rows: int) -> Pair:
    return sample(target, rows, noise=1.0, seed=TRAIN_SEED)


def prediction(target: Target) -> Pair:
    return sample(target, 1000, noise=0.0, seed=PREDICTION_SEED)


class HyCNN(nn.Module):
    """z_{k+1} = max(V z_k + W x + b, V' z_k + W' x + b'), V ≥ 0; both gates in one product."""

    def __init__(self, n: int, hidden: Sequence[int]) -> None:
        super().__init__()
        rows = [*(2 * units for units in hidden), 1]
        self.W = nn.ModuleList(nn.Linear(n, r) for r in rows)
        self.V = nn.ParameterList(torch.empty(r, m) for r, m in zip(rows[1:], hidden, strict=True))
        with torch.no_grad():
            self._start(n)

    def _start(self, n: int) -> None:
        for k, skip in enumerate(self.W):
            skip.weight.normal_(0.0, (1.0 if k == 0 else 0.5) / math.sqrt(n))
            units = skip.out_features // 2 if k < len(self.V) else 1
            spread = 2 * math.pi * units + 2 * math.pi - 2
            skip.bias.fill_(0.0 if k == 0 else -math.sqrt(units / spread))
        for raw in self.V:
            m = raw.shape[1]
            square, variance = 1 / (m * m + (1 - 1 / math.pi) * m), 1 / (4 * m)
            mean = math.log(square / math.sqrt(square + variance))
            weight = raw.normal_(mean, math.sqrt(math.log(1 + variance / square))).exp_()
            raw.copy_(torch.log(torch.expm1(weight)))

    def forward(self, x: Tensor) -> Tensor:
        z = self.W[0](x)
        for raw, skip in zip(self.V, list(self.W)[1:], strict=True):
            z = torch.maximum(*z.chunk(2, -1))
            z = nn.functional.linear(z, nn.functional.softplus(raw)) + skip(x)
        return z


def mlp(n: int, hidden: Sequence[int]) -> nn.Sequential:
    sizes, parts = [n, *hidden], []
    for below, above in itertools.pairwise(sizes):
        parts += [nn.Linear(below, above), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(sizes[-1], 1))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "MLP 64x16": lambda: mlp(COLUMNS, (64,) * 16),
    "HyCNN 48x4": lambda: HyCNN(COLUMNS, (48,) * 4),
    "HyCNN 48x16": lambda: HyCNN(COLUMNS, (48,) * 16),
}


def train(name: str, data: Pair, seed: int) -> tuple[nn.Module, Callable[[np.ndarray], np.ndarray]]:
    """Their loop: standardised columns, Adam, shuffled batches, no hold-out, the last epoch."""
    torch.manual_seed(seed)
    model = MODELS[name]()
    x, y = (torch.from_numpy(v).float() for v in data)
    shift, scale = x.mean(0), x.std(0, unbiased=False)
    mean, deviation = y.mean(), y.std(unbiased=False)
    x, y = (x - shift) / scale, ((y - mean) / deviation)[:, None]
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            (model(x[rows]) - y[rows]).square().mean().backward()
            optimizer.step()

    @torch.no_grad()
    def predict(points: np.ndarray) -> np.ndarray:
        standard = (torch.from_numpy(points).float() - shift) / scale
        return (model(standard)[:, 0] * deviation + mean).double().numpy()

    return model, predict
