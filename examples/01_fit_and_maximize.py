"""From a table to a proved decision: how much oxygen and steam should a reformer get?"""

from scipy.optimize import LinearConstraint

import icnn

data = icnn.datasets.reformer()
X, profit = data.frame[["o2c", "sc"]], data.frame["profit"]

surrogate = icnn.fit(icnn.FICNN(2), X, profit, concave=True)
print(f"R² on the table: {surrogate.score(X, profit):.4f}")

# at most 4 mol of air (4.76 per mol of oxygen) and steam per mol of methane
blower = LinearConstraint([[4.76, 1.0]], ub=4.0)
decision = icnn.maximize(surrogate, constraints=blower)
print(decision)

truth = icnn.datasets.reformer_truth()
best = truth.best("profit", where=lambda x: 4.76 * x[:, 0] + x[:, 1] - 4.0 <= 0)[1]
print(f"true profit {truth.at('profit', decision.x):.5f}, the best there is {best:.5f}")
print(f"one more mol of gas would be worth {decision.multipliers['rows'][0]:.4f}")
