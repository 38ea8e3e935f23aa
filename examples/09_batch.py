"""A decision for each of 2,000 contexts in one call, each with its certified bound."""

import numpy as np
from scipy.optimize import LinearConstraint

import icnn

rng = np.random.default_rng(0)
names = ["pump", "fan", "valve"]


def cost(x, weather):
    """The best settings of three machines move with temperature and humidity."""
    best = np.column_stack([weather[:, 0], weather.sum(1) / 2, -weather[:, 1]])
    return np.square(x - best).sum(1) + 0.3 * np.abs(x).sum(1)


X, weather = rng.uniform(-1, 1, (600, 3)), rng.uniform(-1, 1, (600, 2))
given = {"columns": names, "context_columns": ["temperature", "humidity"]}
model = icnn.PICNN(3, n_context=2, hidden=(32, 32))
f = icnn.fit(model, X, cost(X, weather), context=weather, **given)
print(f"R² on the table: {f.score(X, cost(X, weather), weather):.4f}")

forecasts = rng.uniform(-1, 1, (2000, 2))
forecasts[7, 0] = np.nan  # a sensor that failed: its row says so, the others stay as they are
budget = LinearConstraint([[1.0, 1.0, 1.0]], ub=0.5)
decisions = icnn.minimize_batch(f, context=forecasts, constraints=budget)
print(decisions)
print(decisions.to_frame().iloc[5:9].to_string())
print(f"row 7: {decisions.message[7]}")

good = decisions.success
worth = decisions.multipliers["rows"][good, 0]
regret = cost(decisions.x[good], forecasts[good]).mean()
print(f"largest gap {decisions.gap[good].max():.2g}; mean true cost {regret:.4f}")
print(f"one more unit of the budget changes the cost by {worth.mean():.4f} on average")

one = icnn.minimize(f, context=forecasts[0], constraints=budget)
print(f"row 0 alone: {one.value:.9g}, in the batch: {decisions.value[0]:.9g}")
