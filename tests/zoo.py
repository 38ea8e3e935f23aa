"""Every instance once: networks, models and sets, with ids."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy.optimize import LinearConstraint
from scipy.sparse import csr_matrix

import icnn
from icnn import Layer, Network, models
from icnn.atoms import ABS, IDENTITY, RELU, Max, PiecewiseLinear

HINGE = PiecewiseLinear(((0.0, 0.0), (0.5, -0.25), (2.0, -2.5)))
VALLEY = PiecewiseLinear(((-1.5, 0.3), (-0.2, 0.1), (0.7, 0.4), (3.0, -2.0)))
RISE = PiecewiseLinear(((2.0, 1.0),))
QUICK = icnn.Budget(restarts=2, steps=300, every=20, polish=40)


def draw(n, hidden, seed=0):
    """V, b, W of a random network with skip connections."""
    r, rows = np.random.default_rng(seed), (*hidden, 1)
    W = [r.uniform(0, 2, (m, k)) / k for k, m in zip(hidden, rows[1:], strict=True)]
    return [r.normal(size=(k, n)) for k in rows], [r.normal(size=k) for k in rows], W


def build(n, atoms, units, seed=0):
    """A network of these atoms, one a layer, with this many units (the last has one)."""
    r, layers, below = np.random.default_rng(seed), [], 0
    for k, (atom, m) in enumerate(zip(atoms, units, strict=True)):
        rows = m * atom.group
        edges = ((k - 1, r.uniform(0, 2, (rows, below)) / below),) if below else ()
        layers.append(Layer(atom, r.normal(size=(rows, n)), r.normal(size=rows), edges))
        below = m
    return Network(tuple(layers))


def duplicated():
    V, b, W = draw(2, (4,), 3)
    return icnn.relu_network(
        [np.tile(V[0], (3, 1)), V[1]], [np.tile(b[0], 3), b[1]], [np.tile(W[0], 3)]
    )


def zeroed():
    V, b, W = draw(2, (5, 4), 4)
    W[0][:, ::2] = 0.0
    W[1][0, 1] = 0.0
    V[0][1] = 0.0
    b[0][1] = 0.0
    return icnn.relu_network(V, b, W)


def flat():
    """max(0, |x0| − 1) + max(0, x1 − 1): the optimum is a region."""
    V = [np.array([[1.0, 0], [-1, 0], [0, 1]]), np.zeros((1, 2))]
    return icnn.relu_network(V, [-np.ones(3), np.zeros(1)], [np.ones((1, 3))])


def cancelling():
    """Biases of 1e6 that cancel in the output."""
    V, b, W = draw(2, (6,), 5)
    return icnn.relu_network(V, [b[0] + 1e6, b[1] - 1e6 * W[0].sum()], W)


def odd(x_unit, y_unit):
    V, b, W = draw(2, (6, 5), 6)
    f = icnn.relu_network(V, b, W).compose_affine(np.eye(2) / x_unit)
    return y_unit * f


def table(n, rows=150, seed=0):
    r = np.random.default_rng(seed)
    X = r.uniform(-2, 2, (rows, n))
    return X, np.square(X - 0.3).sum(1) + np.abs(X[:, 0] - X[:, -1])


@cache
def fitted(kind):
    """A surrogate trained for a moment on a convex table, once per session."""
    X, y = table(2)
    return icnn.fit(MODELS[kind](), X, y, budget=QUICK, progress=False)


@dataclass(frozen=True)
class Item:
    """How to make a network, and the width of x on which it bends."""

    make: object
    width: float = 1.0

    @property
    def f(self):
        return _made(self.make)


@cache
def _made(make):
    return make()


def _relu(n, hidden, seed):
    return Item(lambda: icnn.relu_network(*draw(n, hidden, seed)))


def _built(n, atoms, units):
    return Item(lambda: build(n, atoms, units, seed=len(units)))


NETWORKS = {
    "relu-1-4": _relu(1, (4,), 0),
    "relu-2-8": _relu(2, (8,), 1),
    "relu-2-8-8": _relu(2, (8, 8), 2),
    "relu-3-6-5-4": _relu(3, (6, 5, 4), 3),
    "relu-5-16-16": _relu(5, (16, 16), 4),
    "leaky": _built(
        2, (icnn.atoms.leaky_relu(0.1), icnn.atoms.leaky_relu(0.1), IDENTITY), (6, 5, 1)
    ),
    "abs": _built(2, (ABS, RELU, IDENTITY), (6, 4, 1)),
    "abs-3": _built(3, (ABS, IDENTITY), (7, 1)),
    "pieces": _built(2, (VALLEY, HINGE, IDENTITY), (5, 4, 1)),
    "pieces-last": _built(2, (RELU, HINGE), (5, 1)),
    "max-hidden": _built(2, (Max(3), RELU, IDENTITY), (4, 3, 1)),
    "max-middle": _built(3, (RELU, Max(2), IDENTITY), (5, 3, 1)),
    "max-last": _built(2, (RELU, Max(4)), (5, 1)),
    "max-affine": _built(2, (Max(6),), (1,)),
    "identity-hidden": _built(2, (RELU, IDENTITY, RELU, IDENTITY), (4, 3, 3, 1)),
    "affine-hidden": _built(2, (RISE, RELU, IDENTITY), (4, 3, 1)),
    "sum": Item(
        lambda: NETWORKS["relu-2-8"].f + 0.5 * NETWORKS["max-last"].f + icnn.affine([1, -2], 3)
    ),
    "composed": Item(
        lambda: NETWORKS["relu-3-6-5-4"].f.compose_affine([[1, 2], [0, 1], [-1, 0.5]], [0.1, 0, 3])
    ),
    "affine": Item(lambda: icnn.affine([1.5, -0.5], 2.0)),
    "constant": Item(lambda: icnn.affine([0.0, 0.0], -7.0)),
    "zero": Item(lambda: icnn.affine([0.0, 0.0])),
    "duplicated": Item(duplicated),
    "zeroed": Item(zeroed),
    "flat": Item(flat),
    "cancelling": Item(cancelling),
    "tiny-x": Item(lambda: odd(1e-6, 1.0), 1e-6),
    "huge-x": Item(lambda: odd(1e6, 1.0), 1e6),
    "tiny-y": Item(lambda: odd(1.0, 1e-6)),
    "huge-y": Item(lambda: odd(1.0, 1e6)),
    "huge-x-tiny-y": Item(lambda: odd(1e6, 1e-6), 1e6),
    "trained-ficnn": Item(lambda: fitted("ficnn-projection").at()),
    "trained-sum": Item(lambda: fitted("sum-softplus").at()),
    "trained-max": Item(lambda: fitted("max-affine").at()),
}

KINDS = ("diagonal", "low_rank", "full")
POSITIVITIES = ("softplus", "square", "exp", "projection")
MODELS = {
    **{f"ficnn-{p}": lambda p=p: icnn.FICNN(2, (12, 12), positivity=p) for p in POSITIVITIES},
    **{f"sum-{p}": lambda p=p: icnn.ReLUSum(2, 16, positivity=p) for p in POSITIVITIES},
    "ficnn-leaky": lambda: icnn.FICNN(2, (8, 8, 8), "leaky_relu"),
    "ficnn-elu": lambda: icnn.FICNN(2, (8, 8), "elu"),
    "ficnn-abs": lambda: icnn.FICNN(2, (12,), "abs"),
    "ficnn-identity": lambda: icnn.FICNN(2, (5, 5), "identity"),
    "ficnn-linear": lambda: icnn.FICNN(2, ()),
    "sum-abs": lambda: icnn.ReLUSum(2, 12, "abs"),
    "max-affine": lambda: icnn.MaxAffine(2, 12),
    "ficnn-smooth": lambda: icnn.FICNN(2, (8, 8), "softplus"),
    "ficnn-monotone": lambda: icnn.FICNN(2, (8, 8), monotone=(1, -1)),
    "ficnn-half-monotone": lambda: icnn.FICNN(2, (8,), positivity="projection", monotone=(0, 1)),
    "sum-smooth": lambda: icnn.ReLUSum(2, 12, "softplus"),
    "log-sum-exp": lambda: icnn.LogSumExp(2, 12),
    **{f"quadratic-{kind}": lambda kind=kind: models.Quadratic(2, kind) for kind in KINDS},
    "norm": lambda: models.NormTerm(2, 3),
    "group-max": lambda: models.GroupMax(2, (6, 5)),
    "group-max-3": lambda: models.GroupMax(2, (4,), 3, positivity="exp"),
    "terms": lambda: icnn.Sum(icnn.FICNN(2, (8,)), models.Quadratic(2), models.NormTerm(2, 1, 3)),
    "additive": lambda: models.Additive(2, 6),
    "mixture": lambda: icnn.Sum(
        icnn.FICNN(2, (8,), "softplus"), models.Additive(2, 5), weights=[0.7, 0.3]
    ),
}
ACTIVATIONS = {
    "relu": (8, 6),
    "leaky_relu": (8, 6),
    "softplus": (8, 6),
    "identity": (4,),
    "abs": (8,),
}
CONTEXT_MODELS = {  # of two inputs and three context numbers
    **{
        f"picnn-{p}": lambda p=p: icnn.PICNN(2, 3, (8, 6), (5,), positivity=p) for p in POSITIVITIES
    },
    **{
        f"picnn-{a}-units": lambda a=a, h=h: icnn.PICNN(2, 3, h, (5,), a)
        for a, h in ACTIVATIONS.items()
    },
    "picnn-linear": lambda: icnn.PICNN(2, 3, (), ()),
    "picnn-deep": lambda: icnn.PICNN(2, 3, (5, 4, 3), (6, 5)),
    "picnn-monotone": lambda: icnn.PICNN(2, 3, (8, 6), (5,), monotone=(1, -1)),
    **{
        f"hyper-{p}": lambda p=p: models.HyperICNN(2, 3, (6, 5), (7,), positivity=p)
        for p in POSITIVITIES
    },
    **{
        f"hyper-{a}-units": lambda a=a, h=h: models.HyperICNN(2, 3, h, (5,), a)
        for a, h in ACTIVATIONS.items()
    },
    "max-affine": lambda: icnn.MaxAffine(2, 9, n_context=3, context_hidden=(6,)),
    "max-affine-straight": lambda: icnn.MaxAffine(2, 9, n_context=3, context_hidden=()),
    "log-sum-exp": lambda: icnn.LogSumExp(2, 9, 0.5, n_context=3),
    **{f"quadratic-{k}": lambda k=k: models.Quadratic(2, k, 2, n_context=3) for k in KINDS},
    "norm": lambda: models.NormTerm(2, 3, 1, n_context=3, context_hidden=(4,)),
    "level": lambda: models.Level(2, 3, (5,)),
    "picnn-relu-path": lambda: icnn.PICNN(2, 3, (8, 6), (5, 4), context_activation="relu"),
    "hyper-softplus-path": lambda: models.HyperICNN(2, 3, (6,), context_activation="softplus"),
    "group-max": lambda: models.GroupMax(2, (6, 5), n_context=3),
    "terms": lambda: icnn.Sum(
        icnn.Sum(icnn.PICNN(2, 3, (5,), (4,)), models.Quadratic(2)), models.NormTerm(2, n_context=3)
    ),
}


@dataclass(frozen=True)
class Set:
    """Arguments of `minimize` on x = width * t, and points of the set for |t| <= 2."""

    lower: np.ndarray
    upper: np.ndarray
    A: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    sides: tuple = ()
    integral: bool = False
    fixed: dict = field(default_factory=dict)

    def arguments(self, width=1.0):
        rows = [LinearConstraint(csr_matrix(self.A), *(width * np.array(s) for s in self.sides))]
        return dict(
            bounds=list(zip(width * self.lower, width * self.upper, strict=True)),
            constraints=rows if len(self.A) else (),
            integrality=1 if self.integral else None,
            fixed={name: width * value for name, value in self.fixed.items()} or None,
        )

    def points(self, count, seed=0):
        """Dyadic points (about `count`, n) that fit bounds and rows exactly, in units of width."""
        r = np.random.default_rng(seed)
        grid = 1.0 if self.integral else 2.0**-10
        low, high = np.maximum(self.lower, -2.0), np.minimum(self.upper, 2.0)
        x = np.round(r.uniform(low, high, (20 * count, len(low))) / grid) * grid
        for k, (name, value) in enumerate(self.fixed.items()):
            assert name == f"x{k}"
            x[:, k] = value
        equal = [i for i in range(len(self.A)) if self.sides[0][i] == self.sides[1][i]]
        for i in equal:
            x[:, -1] = self.sides[0][i] - x[:, :-1] @ self.A[i, :-1]
        fits = (x >= self.lower).all(1) & (x <= self.upper).all(1)
        if len(self.A):
            at = x @ self.A.T
            fits &= ((at >= self.sides[0]) & (at <= self.sides[1])).all(1)
        return x[fits][:count]


def sets(n):
    """Every set in n columns, by id; all hold a point."""
    inf, one = np.inf, np.ones(n)
    alternate = np.where(np.arange(n) % 2 == 0, 1, 0).astype(bool)
    budget = np.vstack([one, np.where(alternate, 1.0, -0.5)])
    return {
        "box": Set(-2 * one, 2 * one),
        "decimals": Set(-1.1 * one, 0.7 * one),
        "half-open": Set(np.where(alternate, -1.0, -inf), np.where(alternate, inf, 1.0)),
        "open": Set(-inf * one, inf * one),
        "simplex": Set(0 * one, inf * one, one[None], ([1.0], [1.0])),
        "budget": Set(-2 * one, 2 * one, budget, ([-0.5, -inf], [0.75, 0.25])),
        "equality": Set(-2 * one, 2 * one, one[None], ([0.5], [0.5])),
        "open-equality": Set(-inf * one, inf * one, one[None], ([0.5], [0.5])),
        "thin": Set(np.where(alternate, 0.25, -2.0), np.where(alternate, 0.25, 2.0)),
        "point": Set(0.3 * one, 0.3 * one),
        "fixed": Set(-2 * one, 2 * one, fixed={"x0": 0.25}),
        "integer": Set(-2.5 * one, 2.25 * one, integral=True),
        "integer-budget": Set(-2.0 * one, 2 * one, budget, ([-0.5, -inf], [0.75, 0.25]), True),
    }


SETS = tuple(sets(2))
