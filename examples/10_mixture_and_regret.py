"""No model in mind: let `fit` mix several, and see what the decision cost in truth, and why."""

import icnn

data = icnn.datasets.reformer()
rows = data.frame.sample(60, random_state=0)
profit = icnn.fit("auto", rows[["o2c", "sc"]], rows["profit"], concave=True)
print(f"R² on all {len(data.frame)} rows: {profit.score(data.frame, data.frame['profit']):.5f}")

decision = icnn.maximize(profit)
print(decision)

truth = icnn.datasets.reformer_truth()
best, _ = truth.best("profit")
print(icnn.regret(decision, lambda x: truth.at("profit", x), best=best))
