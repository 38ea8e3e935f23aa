"""The rival of a convex network: a ReLU network of equal size with free weights."""

import copy

import numpy as np
import torch
from torch import nn

from benchmarks.truths import HIGH, LOW

STEPS, BATCH, RATE, EVERY = 1500, 256, 1e-2, 25
STARTS, DESCENT = 100, 500

Weights = list[tuple[np.ndarray, np.ndarray]]  # (W, b) of each layer, ReLU between them


def train(X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], *, seed: int) -> nn.Sequential:
    """Adam with a falling rate; the weights of the best hold-out count, as in `icnn.fit`.

    Inputs are divided by the half-width of the box, folded into the first layer afterwards.
    """
    generator = torch.Generator().manual_seed(seed)
    x, t = torch.tensor(X / HIGH, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    order = torch.randperm(len(x), generator=generator)
    held, kept = order[: len(x) // 5], order[len(x) // 5 :]
    net = _stack(x.shape[1], sizes, generator)
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    least, best = np.inf, copy.deepcopy(net)
    for step in range(1, STEPS + 1):
        rows = kept[torch.randint(len(kept), (BATCH,), generator=generator)]
        loss = nn.functional.mse_loss(net(x[rows])[:, 0], t[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % EVERY == 0:
            with torch.no_grad():
                error = float(nn.functional.mse_loss(net(x[held])[:, 0], t[held]))
            if error < least:
                least, best = error, copy.deepcopy(net)
    best = best.double().requires_grad_(False)
    best[0].weight.div_(HIGH)
    return best


def _stack(n: int, sizes: tuple[int, ...], generator: torch.Generator) -> nn.Sequential:
    """Linear and ReLU layers in turn, with He's initial values."""
    layers: list[nn.Module] = []
    for below, above in zip((n, *sizes), (*sizes, 1), strict=True):
        linear = nn.Linear(below, above)
        nn.init.normal_(linear.weight, std=(2 / below) ** 0.5, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def weights(net: nn.Sequential) -> Weights:
    """(W, b) of each linear layer."""
    return [(k.weight.numpy(), k.bias.numpy()) for k in net if isinstance(k, nn.Linear)]


def value(net: nn.Sequential, X: np.ndarray) -> np.ndarray:
    """(N, n) -> (N,) in float64, by the network itself."""
    with torch.no_grad():
        return net(torch.from_numpy(X))[:, 0].numpy()


def descend(net: nn.Sequential, n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Projected Adam from uniform starts: the last points (STARTS, n) and their values."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.uniform(LOW, HIGH, (STARTS, n))).requires_grad_(True)
    optimiser = torch.optim.Adam([x], 0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, DESCENT)
    for _ in range(DESCENT):
        optimiser.zero_grad()
        net(x).sum().backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            x.clamp_(LOW, HIGH)
    points = x.detach().numpy()
    return points, value(net, points)
