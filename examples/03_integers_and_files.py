"""Whole numbers without binaries for the ReLUs, fixed columns, and a model kept in a file."""

import tempfile
from pathlib import Path

import icnn

data = icnn.datasets.snar()
X, waste = data.frame[list(data.decisions)], data.frame["e_factor"]
surrogate = icnn.fit(icnn.FICNN(4), X, waste)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "snar.icnn"
    icnn.save(surrogate, path)
    kept = icnn.load(path)
assert (kept.predict(X) == surrogate.predict(X)).all()

# the thermostat knows whole degrees only
decision = icnn.minimize(kept, integrality={"temperature": 1}, fixed={"concentration": 0.4})
print(decision)
print(f"the best row of the table: {waste.min():.3f}")
try:
    icnn.minimize(kept, bounds={"temperature": (200, 100)})
except icnn.BadData as error:
    print(f"refused: {error}")
