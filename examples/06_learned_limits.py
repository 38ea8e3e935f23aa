"""Several learned functions at once: most profit where a learned temperature and slip stay low."""

import icnn

data = icnn.datasets.reformer()
X = data.frame[["o2c", "sc"]]

profit = icnn.fit(icnn.FICNN(2), X, data.frame["profit"], concave=True)
heat = icnn.fit(icnn.FICNN(2), X, data.frame["temperature"])
slip = icnn.fit(icnn.FICNN(2), X, data.frame["slip"])

decision = icnn.maximize(profit, constraints=[heat <= 1150.0, slip <= 0.03])
print(decision)
per_kelvin, per_mol = decision.multipliers["limits"]
print(f"one more kelvin is worth {per_kelvin:.2e}, one more mol of slip {per_mol:.3f}")

truth = icnn.datasets.reformer_truth()
for name, limit in [("temperature", 1150.0), ("slip", 0.03)]:
    print(f"true {name} {truth.at(name, decision.x):.5g}, limit {limit}")

try:
    _ = heat >= 1150.0
except icnn.NotConvex as error:
    print(f"refused: {error}")
