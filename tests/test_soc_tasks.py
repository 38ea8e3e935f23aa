"""The decision tasks of `decide soc`: their optima are optima, their rows feasible."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

NAMES = (
    "simplex_socp",
    "box_socp",
    "budget_twocone_socp",
    "simplex_logistic",
    "box_logsumexp",
    "budget_huber",
)


@pytest.fixture(scope="module")
def tasks():
    file = Path(__file__).resolve().parents[1] / "benchmarks" / "soc_tasks.py"
    spec = importlib.util.spec_from_file_location("soc_tasks", file)
    module = sys.modules["soc_tasks"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["soc_tasks"]


@pytest.mark.parametrize("name", NAMES)
def test_no_feasible_direction_descends_from_the_optimum(tasks, name):
    task, rng = tasks.Task(name, 10), np.random.default_rng(0)
    others = rng.dirichlet(np.ones(10), 300)
    if task.feasible == "box":
        others = rng.uniform(size=(300, 10)).round(rng.integers(0, 2))
    elif task.feasible == "budget":
        others = 3.0 * others[(3.0 * others).max(1) <= 1]
    for theta in task.validation(2):
        f = task.at(theta)
        x, best = tasks.optimum(task, f)
        assert task.violation(x) < 1e-6
        for step in (1.0, 1e-1, 1e-2):
            assert (f(x + step * (others - x)) >= best - 1e-7).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_objective_is_convex_on_chords(tasks, name):
    task, rng = tasks.Task(name, 20), np.random.default_rng(1)
    f = task.at(task.validation(1)[0])
    a, b = rng.normal(size=(2, 200, 20))
    share = rng.uniform(size=(200, 1))
    between = share[:, 0] * f(a) + (1 - share[:, 0]) * f(b)
    assert (f(share * a + (1 - share) * b) <= between + 1e-12).all()


@pytest.mark.parametrize("name", ["simplex_logistic", "box_socp"])
def test_rows_are_feasible_and_carry_the_true_value(tasks, name):
    task = tasks.Task(name, 10)
    theta, X, y = task.table("test")
    assert max(task.violation(x) for x in X.reshape(-1, 10)) < 1e-12
    assert all((task.at(c)(x) == v).all() for c, x, v in zip(theta, X, y, strict=True))


def test_a_violation_is_told(tasks):
    assert tasks.Task("budget_huber", 10).violation(np.full(10, 0.5)) == pytest.approx(2.0)
    assert tasks.Task("box_socp", 4).violation(np.array([-1.0, 0.0, 2.0, 1.0])) == 2.0
