"""A non-negative kernel under a linear and a ReLU unit: in PyTorch, and in Keras if it is there."""

import importlib.util
import os

import numpy as np
import torch

import icnn

os.environ.setdefault("KERAS_BACKEND", "torch")
ACTIVATIONS = {"linear": lambda a: a, "relu": torch.relu}
X = np.array([[-4.0], [-2.0], [0.0], [2.0], [4.0]], dtype=np.float32)
RUNS = [  # activation, first weight, slope of the target, epochs
    *[("linear", 0.0, 2.0, 100), ("linear", 0.0, 2.0, 4000), ("linear", -1.0, 2.0, 1)],
    *[("relu", 0.0, 2.0, 100), ("relu", 1.0, 2.0, 100), ("linear", 0.0, -2.0, 100)],
]


def trained(activation, w, slope, epochs):
    """w before and after each epoch: one Adam step, and then w ← w·[w ≥ 0], as Keras does it."""
    x, w, path = torch.from_numpy(X), torch.tensor([[w]], requires_grad=True), [w]
    adam = torch.optim.Adam([w], lr=1e-3, eps=1e-7)  # the numbers of Keras
    for _ in range(epochs):
        adam.zero_grad()
        (ACTIVATIONS[activation](x @ w) - slope * x).square().mean().backward()
        adam.step()
        with torch.no_grad():
            w.mul_(w >= 0)
        path.append(w.item())
    return path


def unit(keras, activation, w):
    """A real Dense(1) with NonNeg, started at w."""
    start = keras.initializers.Constant(w)
    options = {"kernel_initializer": start, "kernel_constraint": "non_neg", "use_bias": False}
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation, **options)])


def keras_agrees(keras):
    """Every claim again with Keras itself."""
    three = np.array([[-2.0], [0.0], [2.0]], dtype=np.float32)
    for activation, w in (("linear", 1.0), ("relu", 1.0), ("linear", -1.0)):
        found = keras.ops.convert_to_numpy(unit(keras, activation, w)(three))[:, 0]
        wanted = ACTIVATIONS[activation](w * torch.from_numpy(three)).numpy()[:, 0]
        print(
            f"  forward, {activation}, w = {w:g}: {found + 0.0}, agrees:",
            np.allclose(found, wanted),
        )
    for run in RUNS:
        model = unit(keras, *run[:2])
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        model.fit(X, run[2] * X, epochs=run[3], verbose=0)
        w = float(keras.ops.convert_to_numpy(model.layers[0].kernel)[0, 0])
        print(f"  {run}: w = {w:.4f}, agrees:", abs(w - trained(*run)[-1]) < 1e-4)
    try:
        keras.layers.Dense(1)(np.array([-2.0, 0.0, 2.0]))
    except ValueError as error:
        print(f"  Dense(1)(x) with x of rank 1: {str(error).split('layer:')[-1].strip()}")
    rank_one = unit(keras, "linear", 1.0)(np.array([-2.0, 0.0, 2.0], dtype=np.float32))
    print("  a Sequential with Input((1,)) makes a column of it:", tuple(rank_one.shape))


def fits():
    """Least squares of a valley and of a descent by networks that are convex by construction."""
    x, budget = np.linspace(-2, 2, 81)[:, None], icnn.Budget(restarts=1)
    for name, y in (("(x + 0.5)²", np.square(x[:, 0] + 0.5)), ("exp(−x)", np.exp(-x[:, 0]))):
        for held in ((1,), None):  # a monotone FICNN is NonNeg everywhere; else the skips are free
            s = icnn.fit(icnn.FICNN(1, (8, 8), monotone=held), x, y, budget=budget, progress=False)
            yield (
                name,
                "NonNeg everywhere" if held else "NonNeg between layers, free skips",
                s,
                x,
                y,
            )


def main():
    """Print every claim with what came out."""
    print("PyTorch: (activation, first w, target slope, epochs): w at the end")
    for run in RUNS:
        print(f"  {run}: {trained(*run)[-1] + 0.0:.4f}")
    for name, kind, s, x, y in fits():
        print(f"{name}, {kind}: R² {s.score(x, y):.4f}, monotone {icnn.monotone(s.at())}")
    if importlib.util.find_spec("keras") is None:
        return print("Keras is not installed: pip install 'icnn-opt[keras]' for the cross-check")
    import keras

    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    keras_agrees(keras)
    model = unit(keras, "relu", 1.0)
    print(icnn.minimize(icnn.from_keras(model) + icnn.affine([-0.5], 1.0), bounds=[(-4, 4)]))


if __name__ == "__main__":
    main()
