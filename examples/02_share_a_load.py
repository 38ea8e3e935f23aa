"""Several learned functions at once: share a cooling load among five chillers, aligned by name."""

import numpy as np
import pandas as pd
from scipy.optimize import LinearConstraint

import icnn

LOAD, CONDENSER = 5000.0, 24.0  # kW, °C
data = icnn.datasets.chillers().frame

total, names = None, []
for k, (name, rows) in enumerate(data.groupby("chiller"), start=1):
    one = icnn.fit(icnn.FICNN(2, hidden=(16, 16)), rows[["load", "condenser"]], rows["power"])
    one = one.rename({"load": f"load_{k}"})  # "condenser" keeps its name: one weather for all
    total = one if total is None else total + one
    names.append(name)

share = np.array([[float(name.startswith("load")) for name in total.columns]])
decision = icnn.minimize(
    total, constraints=LinearConstraint(share, LOAD, LOAD), fixed={"condenser": CONDENSER}
)
print(decision)
print(f"price of the last kW of cooling: {decision.multipliers['rows'][0]:.4f} kW")

plant = icnn.datasets.chillers_truth()
loads = pd.Series([decision.x_named[f"load_{k}"] for k in range(1, 6)], index=names)
best, least = plant.optimal_sharing(LOAD, CONDENSER)
print(f"true power {plant.power(loads, CONDENSER).sum():.2f} kW, the least there is {least:.2f} kW")
