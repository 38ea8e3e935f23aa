"""Surrogates of a context, each fitted for a moment, once."""

from functools import cache

import numpy as np
import pandas as pd

import icnn
from icnn import models

SHORT = icnn.Budget(steps=60, restarts=1, polish=5)
MODELS = {
    "picnn": lambda: icnn.PICNN(3, 2, hidden=(10, 8)),
    "picnn-softplus": lambda: icnn.PICNN(3, 2, hidden=(6,), activation="softplus"),
    "max-affine": lambda: icnn.MaxAffine(3, 9, n_context=2),
    "log-sum-exp": lambda: icnn.LogSumExp(3, 9, 0.5, n_context=2),
    "hyper": lambda: models.HyperICNN(3, 2, (8,), (7,)),
}


def table(seed=0):
    """Three decisions, two context numbers and a cost."""
    r = np.random.default_rng(seed)
    X, C = r.uniform(-1, 1, (120, 3)), r.uniform(-1, 1, (120, 2))
    return X, C, np.square(X - np.tanh(C @ r.normal(size=(2, 3)))).sum(1) + np.abs(X).sum(1)


@cache
def learned(kind):
    """A surrogate of a, b, c given c0, c1."""
    X, C, y = table()
    options = dict(context=C, columns=["a", "b", "c"], budget=SHORT)
    return icnn.fit(MODELS[kind](), X, y, **options)


@cache
def sites():
    """A surrogate whose context is a number and a category."""
    X, C, y = table(1)
    given = pd.DataFrame({"wind": C[:, 0], "site": np.where(C[:, 1] > 0, "north", "south")})
    options = dict(context=given, columns=["a", "b", "c"], budget=SHORT)
    return icnn.fit(icnn.PICNN(3, 3, hidden=(8,)), X, y, **options)
