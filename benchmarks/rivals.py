"""What else one would fit to a table and minimise: five regressors, two ways to search them.

One setting each. The smooth ones (Gaussian process by botorch: `SingleTaskGP`, posterior mean;
full quadratic by ridge, its strength by leave-one-out; MLP 64x2) are searched by SLSQP from the 8
best of 2,000 random points, which is exact where the quadratic is convex; boosting takes the best
of 20,000 random points.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.power import package
from benchmarks.simulators import Case

Array = NDArray[np.float64]
Predict = Callable[[Array], Array]  # (N, d) -> (N,)
STARTS, FEW, MANY = 8, 2_000, 20_000


def gaussian_process(X: Array, y: Array, seed: int) -> Predict:
    """Posterior mean of botorch's default process, inputs scaled to the unit box."""
    import torch

    package("botorch")
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Normalize, Standardize
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = SingleTaskGP(
        torch.from_numpy(X), torch.from_numpy(y)[:, None],
        input_transform=Normalize(X.shape[1]), outcome_transform=Standardize(1),
    )  # fmt: skip
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))

    def predict(x: Array) -> Array:
        with torch.no_grad():
            mean = model.posterior(torch.from_numpy(np.atleast_2d(x))).mean
        return np.asarray(mean[:, 0].numpy())

    return predict


def scikit(name: str) -> Callable[[Array, Array, int], Predict]:
    """A regressor of scikit-learn by the name it has in `benchmarks.tables`."""

    def fit(X: Array, y: Array, seed: int) -> Predict:
        from benchmarks.tables import PEERS

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = PEERS[name](seed).fit(X, y)

        def predict(x: Array) -> Array:
            return np.asarray(model.predict(np.atleast_2d(x)))

        return predict

    return fit


def searched(case: Case, models: list[Predict], seed: int, *, n: int = MANY) -> Array:
    """The best of n random points; where no point keeps the limits, the one nearest to it."""
    x = case.points(np.random.default_rng(seed), n)
    return np.asarray(x[np.argsort(_penalised(case, models, x))[0]])


def _penalised(case: Case, models: list[Predict], x: Array) -> Array:
    cost = models[0](x)
    over = sum(
        (
            np.maximum(0, model(x) - rhs - 1e-6)
            for model, rhs in zip(models[1:], case.rhs, strict=True)
        ),
        np.zeros(len(x)),
    )
    return np.asarray(cost + 1e6 * over)


def descended(case: Case, models: list[Predict], seed: int) -> Array:
    """SLSQP in units of the box from the best random points; the best of its ends."""
    from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

    span = case.high - case.low
    x = case.points(np.random.default_rng(seed), FEW)
    starts = x[np.argsort(_penalised(case, models, x))[:STARTS]]
    scale = float(np.ptp(models[0](x))) or 1.0
    rules: list[Any] = []
    if len(case.A):
        offset = case.A @ case.low
        rules.append(LinearConstraint(case.A * span, case.A_low - offset, case.A_high - offset))
    for model, rhs in zip(models[1:], case.rhs, strict=True):
        rules.append(
            NonlinearConstraint(_one(model, case.low, span, 1.0), -np.inf, rhs,
                                jac=_slope(model, case.low, span, 1.0))
        )  # fmt: skip
    ends = [
        minimize(
            _one(models[0], case.low, span, scale), (start - case.low) / span,
            jac=_slope(models[0], case.low, span, scale), method="SLSQP",
            bounds=[(0.0, 1.0)] * len(span), constraints=rules,
            options=dict(maxiter=100, ftol=1e-10),
        ).x
        for start in starts
    ]  # fmt: skip
    points = np.clip(case.low + span * np.array(ends), case.low, case.high)
    kept = points[_allowed(case, points)]
    points = np.vstack([kept, starts[:1]])
    return np.asarray(points[np.argmin(_penalised(case, models, points))])


def _allowed(case: Case, x: Array) -> Any:
    Ax = x @ case.A.T
    slack = 1e-6 * (1 + np.abs(case.A_low))
    return ((Ax >= case.A_low - slack) & (Ax <= case.A_high + slack)).all(1)


def _one(model: Predict, low: Array, span: Array, scale: float) -> Callable[[Array], float]:
    return lambda u: float(model((low + span * u)[None])[0] / scale)


def _slope(model: Predict, low: Array, span: Array, scale: float) -> Callable[[Array], Array]:
    """Central differences, all in one call."""
    step = 1e-5 * np.eye(len(span))

    def slope(u: Array) -> Array:
        values = model(low + span * np.vstack([u + step, u - step])) / scale
        return np.asarray((values[: len(u)] - values[len(u) :]) / 2e-5)

    return slope


RIVALS: dict[str, tuple[Callable[[Array, Array, int], Predict], Callable[..., Array]]] = {
    "Gaussian process": (gaussian_process, descended),
    "quadratic": (scikit("quadratic"), descended),
    "boosting": (scikit("boosting"), searched),
    "MLP 64x2": (scikit("MLP 64x2"), descended),
}


def decide(method: str, case: Case, X: Array, y: Array, seed: int) -> Array:
    """Fit every target (n, 1 + k) and return the decision (d,)."""
    fit, search = RIVALS[method]
    models = [fit(X, target, seed) for target in y.T]
    return search(case, models, seed)
