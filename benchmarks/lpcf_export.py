"""lpcf's export to CVXPY with given weights; run by the interpreter of ICNN_LPCF_PYTHON.

Reads JSON lines: first layers and box, then prices; answers each with a line. Imports nothing of
this project, because lpcf asks for an older numpy and jax.
"""

import json
import os
import sys
import time

import cvxpy as cp
import numpy as np
from lpcf.pcf import PCF


def surrogate(layers: list) -> PCF:
    """A PCF whose parameter does nothing: the psi network is its bias, which holds our weights."""
    n, hidden = len(layers[0][0][0]), [len(layer[1]) for layer in layers[:-1]]
    pcf = PCF(widths=hidden, widths_psi=[], activation="relu")
    rng = np.random.default_rng(0)
    X, theta = rng.standard_normal((4, n)), np.zeros((4, 1))
    pcf.fit(X[:, :1], X, theta, seeds=[0], cores=1, adam_epochs=1, lbfgs_epochs=0)
    W = [np.array(layer[2]).ravel() for layer in layers[1:]]
    V = [np.array(layer[0]).ravel() for layer in layers]
    b = [np.array(layer[1]).ravel() for layer in layers]
    flat = np.concatenate([*W, *V, *b])
    assert len(flat) == pcf.m
    pcf.model.params = [np.zeros((pcf.m, 1)), flat[:, None]]
    return pcf


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print is no answer
    given = json.loads(sys.stdin.readline())
    pcf, n = surrogate(given["layers"]), len(given["low"])
    x, theta, price = cp.Variable((n, 1)), cp.Parameter((1, 1)), cp.Parameter(n)
    theta.value = np.zeros((1, 1))
    f = pcf.tocvxpy(x, theta)
    low, high = np.array(given["low"])[:, None], np.array(given["high"])[:, None]
    problem = cp.Problem(cp.Minimize(f[0, 0] + price @ x[:, 0]), [x >= low, x <= high])
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        price.value = np.array(json.loads(line)["price"])
        began = time.process_time()
        problem.solve(solver="HIGHS", ignore_dpp=True)
        seconds = time.process_time() - began
        found = {"seconds": seconds, "says": problem.status, "x": x.value[:, 0].tolist()}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
