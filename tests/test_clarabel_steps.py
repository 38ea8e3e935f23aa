"""Clarabel stuck at a boundary is asked again with shorter steps."""

from types import SimpleNamespace

import clarabel
import numpy as np
import pytest

import icnn
from icnn.decide.solvers.clarabel import STEPS
from icnn.models import Quadratic

SOLVER = clarabel.DefaultSolver


def problem():
    model = Quadratic(2).double().requires_grad_(False)
    return {"f": model.lower(), "bounds": [(-1.0, 1.0)] * 2, "solver": icnn.solvers.Clarabel()}


@pytest.mark.parametrize("stuck", range(len(STEPS) + 1))
def test_shorter_steps_follow_until_one_gets_through(monkeypatch, stuck):
    asked = []

    class Sometimes:
        def __init__(self, *parts):
            asked.append(parts[-1].max_step_fraction)
            self.real = SOLVER(*parts)

        def solve(self):
            found = self.real.solve()
            if len(asked) > stuck:
                return found
            nothing = clarabel.SolverStatus.InsufficientProgress
            return SimpleNamespace(
                status=nothing, x=np.zeros_like(found.x), z=np.zeros_like(found.z)
            )

    monkeypatch.setattr(clarabel, "DefaultSolver", Sometimes)
    decision = icnn.minimize(**problem(), throw=False)
    assert asked == list(STEPS[: min(stuck + 1, len(STEPS))])
    assert decision.success == (stuck < len(STEPS))


def test_the_time_limit_holds_for_all_attempts_together(monkeypatch):
    left = []

    class Stuck:
        def __init__(self, *parts):
            left.append(parts[-1].time_limit)
            self.size = len(parts[1]), parts[2].shape[0]

        def solve(self):
            nothing = clarabel.SolverStatus.InsufficientProgress
            return SimpleNamespace(
                status=nothing, x=np.zeros(self.size[0]), z=np.zeros(self.size[1])
            )

    monkeypatch.setattr(clarabel, "DefaultSolver", Stuck)
    icnn.minimize(**problem() | {"solver": icnn.solvers.Clarabel(seconds=50.0)}, throw=False)
    assert len(left) == len(STEPS)
    assert 50.0 >= left[0] > left[1] > left[2] > 0
