"""A CVXPY problem of your own: learned chillers beside your terms, solved for each weather."""

import cvxpy as cp
import numpy as np

import icnn

LOAD = 4000.0  # kW of cooling to share
BEFORE = np.array([0.25, 0.25, 0.25, 0.25]) * LOAD  # what each chiller gives now
data = icnn.datasets.chillers().frame

load = cp.Variable(4, name="load")
condenser = cp.Parameter(1, name="condenser")  # °C: the weather, known but not decided

power, rules, learned = 0.0, [cp.sum(load) == LOAD], []
for k, (name, rows) in enumerate(list(data.groupby("chiller"))[:4]):
    one = icnn.fit(
        icnn.PICNN(1, 1, hidden=(8,), context_hidden=(8,)),
        rows[["load"]],
        rows["power"],
        context=rows[["condenser"]],
        budget=icnn.Budget(restarts=2, steps=300),
        progress=False,
    )
    term, constraints = icnn.to_cvxpy(one, load[[k]], condenser)
    power += term
    rules += [*constraints, load[k] >= one.lower[0], load[k] <= one.upper[0]]
    learned.append((name, one))

wear = cp.sum_squares((load - BEFORE) / 100)  # kW: your own price of moving a chiller
problem = cp.Problem(cp.Minimize(power + wear), [*rules, cp.norm_inf(load - BEFORE) <= 600])
assert problem.is_dcp(dpp=True)  # a new condenser value costs a solve, not a new problem

for temperature in (18.0, 22.0, 26.0):
    condenser.value = [temperature]
    problem.solve(solver="CLARABEL")
    shares = ", ".join(f"{name} {x:.0f}" for (name, _), x in zip(learned, load.value, strict=True))
    true = sum(
        one.predict([x], [temperature]) for (_, one), x in zip(learned, load.value, strict=True)
    )
    print(
        f"{temperature:.0f} °C: {shares} kW; power {power.value:.1f} kW, by the models {true:.1f}"
    )
