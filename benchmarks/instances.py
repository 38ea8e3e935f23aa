"""The instances of the grid: trained networks, dense and pruned, on a box, a simplex, budgets."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import LinearConstraint

import icnn
from benchmarks.crossover import SQUARES, of_kind
from benchmarks.networks import trained
from icnn.network import Layer

Array = np.ndarray
Size = tuple[int, int, int]
CACHE = Path(os.environ.get("ICNN_BENCHMARK_CACHE", Path(__file__).parent / "cache"))
# columns, width, depth: the sizes with a goal, a line of n at 128x2, one of widths at 20 columns,
# and the depths 1, 3 and 4 at small and large n
SIZES: tuple[Size, ...] = (
    *((10, 64, 2), (20, 256, 3), (20, 512, 4), (50, 128, 2), (100, 256, 2)),
    *((n, 128, 2) for n in (2, 5, 10, 20, 100, 784)),
    *((20, width, 2) for width in (32, 64, 256, 512, 1024)),
    *((2, 32, 1), (10, 1024, 1), (784, 64, 1)),
    *((5, 64, 4), (10, 32, 3), (50, 64, 4), (784, 32, 3)),
)
CURVED: tuple[Size, ...] = ((10, 64, 2), (50, 128, 2))  # ReLU and a full quadratic
SETS = ("box", "simplex", "budget")
PRICES, DEAR = 3, 2
PRUNED, SHARE, BUDGET = 0.8, 0.18, 0.35


@dataclass(frozen=True, eq=False)
class Case:
    """f on low <= x <= high with lower <= A x <= upper; prices (K + 1, n), starts (5, n)."""

    f: icnn.Network
    kind: str
    low: Array
    high: Array
    A: Array
    lower: Array
    upper: Array
    prices: Array
    starts: Array

    @property
    def n(self) -> int:
        """Number of columns."""
        return self.f.n

    @property
    def linear(self) -> bool:
        """Whether f is piecewise linear, so that arrays of a linear program say it all."""
        return all(type(layer.atom).__name__ == "PiecewiseLinear" for layer in self.f.layers)

    @property
    def said(self) -> dict:
        """Bounds and rows as `minimize` takes them."""
        rows = [LinearConstraint(self.A, self.lower, self.upper)] if len(self.A) else []
        return {"bounds": list(zip(self.low, self.high, strict=True)), "constraints": rows}


def dear(size: Size) -> bool:
    """Whether the rivals take seconds: fewer prices, and not every set with every weight."""
    return size[1] * size[2] >= 512 or size[0] * size[1] > 20_000


def groups(size: Size) -> list[tuple[str, str]]:
    """Weights and set of the groups of a size."""
    if dear(size):
        return [("dense", "box"), ("pruned", "budget")]
    return [(weights, kind) for kind in SETS for weights in ("dense", "pruned")]


def network(size: Size, weights: str) -> icnn.Network:
    """The trained network, from the cache where it is there already."""
    n, width, depth = size
    steps = 1500 if width < 256 else 600 if width < 1024 else 300
    name = "curved" if weights == "curved" else "relu"
    path = CACHE / f"{name}-{n}-{width}x{depth}-{steps}.icnn"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        f = of_kind(SQUARES, n, width) if weights == "curved" else trained(*size, steps=steps)
        icnn.save(f, path)
    f = icnn.load(path)
    return pruned(f) if weights == "pruned" else f


def pruned(f: icnn.Network) -> icnn.Network:
    """f without the smallest 80 % of each matrix of its hidden layers; not trained again."""

    def thin(M: Array) -> Array:
        return np.where(np.abs(M) > np.quantile(np.abs(M), PRUNED), M, 0.0)

    *hidden, out = f.layers
    return icnn.Network(
        (
            *(
                Layer(k.atom, thin(k.V.numpy()), k.b, tuple((j, thin(W.numpy())) for j, W in k.W))
                for k in hidden
            ),
            out,
        )
    )


def case(size: Size, weights: str, kind: str) -> Case:
    """The instances of a group: only prices differ.

    c·x varies over the set by the same share of the range of f at every n: without that, prices
    would outweigh the network where there are many columns.
    """
    f, n = network(size, weights), size[0]
    rng = np.random.default_rng([1, *size, SETS.index(kind)])
    low, high = np.full(n, 0.0 if kind == "simplex" else -2.0), np.full(n, 2.0)
    A, lower, upper = np.zeros((0, n)), np.zeros(0), np.zeros(0)
    if kind == "simplex":
        high, A, lower, upper = np.ones(n), np.ones((1, n)), np.ones(1), np.ones(1)
    if kind == "budget":
        A = rng.uniform(0, 1, (3, n))
        lower, upper = np.full(3, -np.inf), A @ low + BUDGET * A @ (high - low)
    points = (
        rng.dirichlet(np.ones(n), 1000) if kind == "simplex" else rng.uniform(low, high, (1000, n))
    )
    if kind == "budget":
        points = within(points, low, A, upper)
    C = rng.standard_normal(((DEAR if dear(size) else PRICES) + 1, n))
    C *= SHARE * np.ptp(f(points)) / np.std(points @ C.T, axis=0)[:, None]
    return Case(f, kind, low, high, A, lower, upper, C, points[:5])


def within(points: Array, low: Array, A: Array, upper: Array) -> Array:
    """Points (B, n) drawn towards the corner low, each as far as the rows A x <= upper ask."""
    step = points - low
    need = step @ A.T
    share = np.where(need > 0, (upper - A @ low) / np.where(need > 0, need, 1.0), 1.0)
    return low + np.minimum(share.min(1), 1.0)[:, None] * step
