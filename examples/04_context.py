"""Contexts: one function for five chillers, whose name and weather are known but not decided."""

import numpy as np
from scipy.optimize import LinearConstraint

import icnn

LOAD, CONDENSER = 5000.0, 24.0  # kW, °C
data = icnn.datasets.chillers().frame
names = sorted(data["chiller"].unique())

# power is convex in the load for every chiller and condenser temperature; 1 number and 5 categories
model = icnn.PICNN(1, n_context=1 + len(names), hidden=(32, 32), context_hidden=(32,))
context = data[["condenser", "chiller"]]
power = icnn.fit(model, data[["load"]], data["power"], context=context)
print(power)
print(f"R² on the table: {power.score(data, data['power'], context):.5f}")

# the same function five times, each at its own context and of its own load
total = sum(
    power.at({"chiller": name, "condenser": CONDENSER}).compose_affine(row[None])
    for name, row in zip(names, np.eye(len(names)), strict=True)
)
loads = data.groupby("chiller")["load"]
bounds = list(zip(loads.min()[names], loads.max()[names], strict=True))
share = LinearConstraint(np.ones((1, len(names))), LOAD, LOAD)
decision = icnn.minimize(total, bounds=bounds, constraints=share)
print(decision)

plant = icnn.datasets.chillers_truth()
best, least = plant.optimal_sharing(LOAD, CONDENSER)
chosen = best.copy()
chosen[names] = decision.x
for name in names:
    print(f"  {name:<20} {chosen[name]:7.1f} kW, at the true optimum {best[name]:7.1f} kW")
drawn = plant.power(chosen, CONDENSER).sum()
print(f"true power {drawn:.2f} kW, the least there is {least:.2f} kW")
