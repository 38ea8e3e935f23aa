"""Smooth networks, their CVXPY form by hand, and their values in fifty digits."""

import cvxpy as cp
import mpmath as mp
import numpy as np
from zoo import VALLEY, build

from icnn.atoms import (
    ABS,
    ELU,
    IDENTITY,
    RELU,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
    leaky_relu,
)

SOFT, LEAKY = Softplus(), leaky_relu(0.1)
mp.mp.dps = 50


def _seeded(n, atoms, units):
    return build(n, atoms, units, seed=10 * len(units) + n)


def _mixed():
    parts = [SMOOTH["softplus"], SMOOTH["huber"], SMOOTH["norm"], SMOOTH["lse"]]
    total = SMOOTH["squares"]
    for weight, part in zip((0.5, 2.0, 1.0, 0.3), parts, strict=True):
        total = total + weight * part
    return total + build(2, (RELU, Max(2), IDENTITY), (5, 3, 1), seed=1)


SMOOTH = {
    "softplus": _seeded(2, (SOFT, IDENTITY), (5, 1)),
    "softplus-last": _seeded(2, (SOFT,), (1,)),
    "softplus-deep": _seeded(3, (SOFT, SOFT, IDENTITY), (6, 5, 1)),
    "lse": _seeded(2, (LogSumExp(4),), (1,)),
    "lse-cold": _seeded(2, (LogSumExp(5, 0.02),), (1,)),
    "lse-hot": _seeded(2, (LogSumExp(5, 30.0),), (1,)),
    "lse-hidden": _seeded(3, (LogSumExp(3, 0.4), LogSumExp(2, 1.5), RELU, IDENTITY), (4, 3, 2, 1)),
    "lse-of-one": _seeded(2, (RELU, LogSumExp(1, 2.0), IDENTITY), (4, 3, 1)),
    "norm": _seeded(2, (Norm(3), IDENTITY), (4, 1)),
    "norm-last": _seeded(3, (Norm(4),), (1,)),
    "norm-of-one": _seeded(2, (Norm(1), RELU, IDENTITY), (4, 3, 1)),
    "norm-softplus": _seeded(2, (Norm(2), SOFT, IDENTITY), (4, 3, 1)),
    "norm-max": _seeded(2, (Norm(2), Max(3)), (4, 1)),
    "squares": _seeded(2, (SumSquares(3), IDENTITY), (2, 1)),
    "squares-last": _seeded(3, (SumSquares(4),), (1,)),
    "squares-relu": _seeded(2, (SumSquares(2), RELU, IDENTITY), (3, 2, 1)),
    "squares-leaky": _seeded(2, (SumSquares(2), LEAKY, SOFT, IDENTITY), (3, 2, 2, 1)),
    "squares-max": _seeded(2, (SumSquares(2), Max(3)), (3, 1)),
    "squares-lse": _seeded(2, (SumSquares(2), LogSumExp(3)), (3, 1)),
    "squares-affine": _seeded(2, (SumSquares(2), IDENTITY, RELU), (3, 2, 1)),
    "huber": _seeded(2, (Huber(0.7), IDENTITY), (5, 1)),
    "huber-narrow": _seeded(2, (Huber(1e-3), IDENTITY), (5, 1)),
    "huber-relu": _seeded(3, (Huber(2.0), RELU, IDENTITY), (5, 4, 1)),
    "relu-then-lse": _seeded(2, (RELU, LogSumExp(3)), (5, 1)),
    "max-then-softplus": _seeded(2, (Max(3), SOFT, Max(2)), (4, 4, 1)),
    "abs-then-softplus": _seeded(2, (ABS, SOFT, IDENTITY), (4, 3, 1)),
    "valley-then-lse": _seeded(2, (VALLEY, LogSumExp(2, 0.3)), (4, 1)),
}
SMOOTH["mixed"] = _mixed()
SMOOTH["squares-and-norm"] = 3.0 * SMOOTH["squares"] + 0.5 * SMOOTH["norm"]
SMOOTH |= {
    "elu": _seeded(2, (ELU(), IDENTITY), (5, 1)),
    "elu-last": _seeded(2, (ELU(0.5),), (1,)),
    "elu-deep": _seeded(3, (ELU(0.3), ELU(), ELU(1e-3), IDENTITY), (6, 5, 3, 1)),
    "squares-elu": _seeded(2, (SumSquares(2), ELU(0.7), IDENTITY), (3, 3, 1)),
    "elu-then-max": _seeded(2, (ELU(), Max(2), RELU, IDENTITY), (6, 3, 2, 1)),
}


def by_hand(f, x):
    """(f, constraints) with CVXPY's own atoms: a variable for each hidden unit."""
    z, constraints = [], []
    for layer in f.layers:
        a = layer.V.numpy() @ x + layer.b.numpy()
        for source, W in layer.W:
            a = a + W.numpy() @ z[source]
        z.append(cp.Variable(layer.units))
        size = layer.atom.group
        groups = [a[k * size : (k + 1) * size] for k in range(layer.units)]
        values = [_by_cvxpy(layer.atom, group) for group in groups]
        constraints += [z[-1][k] >= value for k, value in enumerate(values)]
    return z[-1][0], constraints


def _by_cvxpy(atom, a):
    if isinstance(atom, LogSumExp):
        return atom.temperature * cp.log_sum_exp(a / atom.temperature)
    if isinstance(atom, PiecewiseLinear):
        return cp.max(cp.hstack([s * a[0] + t for s, t in atom.pieces]))
    if isinstance(atom, Huber):
        return cp.huber(a[0], atom.width)
    if isinstance(atom, Softplus):
        return cp.logistic(a[0])
    if isinstance(atom, ELU):
        low = cp.Variable(nonpos=True)  # a is split at zero; `precise` knows the formula itself
        return cp.pos(a[0] - low) + atom.alpha * (cp.exp(low) - 1)
    return {Norm: cp.norm, SumSquares: cp.sum_squares, Max: cp.max}[type(atom)](a)


def precise(f, x):
    """f(x) in fifty digits."""
    x, z = [mp.mpf(float(v)) for v in x], []
    for layer in f.layers:
        a = [mp.fdot(row, x) + c for row, c in zip(layer.V.tolist(), layer.b.tolist(), strict=True)]
        for source, W in layer.W:
            a = [s + mp.fdot(row, z[source]) for s, row in zip(a, W.tolist(), strict=True)]
        size = layer.atom.group
        z.append([_precise(layer.atom, a[k : k + size]) for k in range(0, len(a), size)])
    return z[-1][0]


def _precise(atom, a):
    if isinstance(atom, LogSumExp):
        T, top = mp.mpf(atom.temperature), max(a)
        return top + T * mp.log(mp.fsum(mp.exp((v - top) / T) for v in a))
    if isinstance(atom, PiecewiseLinear):
        return max(s * a[0] + t for s, t in atom.pieces)
    if isinstance(atom, Huber):
        w = mp.mpf(atom.width)
        return a[0] ** 2 if abs(a[0]) <= w else 2 * w * abs(a[0]) - w**2
    if isinstance(atom, Softplus):
        return max(a[0], mp.mpf(0)) + mp.log1p(mp.exp(-abs(a[0])))
    if isinstance(atom, Max):
        return max(a)
    if isinstance(atom, ELU):
        return a[0] if a[0] > 0 else mp.mpf(atom.alpha) * mp.expm1(a[0])
    total = mp.fsum(v**2 for v in a)
    return total if isinstance(atom, SumSquares) else mp.sqrt(total)


def by_cvxpy(f, zoo_set, scale=1.0):
    """(status, least value) of f over a set of the zoo."""
    x = cp.Variable(f.n)
    value, rows = by_hand(f, x)
    rows += [x[j] >= low for j, low in enumerate(zoo_set.lower) if np.isfinite(low)]
    rows += [x[j] <= up for j, up in enumerate(zoo_set.upper) if np.isfinite(up)]
    rows += [x[int(name[1:])] == at for name, at in zoo_set.fixed.items()]
    for a, low, up in zip(zoo_set.A, *zoo_set.sides, strict=True) if len(zoo_set.A) else ():
        rows += [a @ x >= low] if np.isfinite(low) else []
        rows += [a @ x <= up] if np.isfinite(up) else []
    problem = cp.Problem(cp.Minimize(value / scale), rows)
    close = dict(tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    problem.solve(solver=cp.CLARABEL, **close)
    return problem.status, problem.value
