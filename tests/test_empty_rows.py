"""A row of zeros holds for every x or for none, and every path says the same of it."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import LinearConstraint

import icnn
from icnn.decide.decision import TOLERANCE
from icnn.decide.sets import EMPTY
from icnn.errors import Infeasible
from icnn.solvers import CVXPY, Bundle, Clarabel, HiGHS

F = icnn.relu_network([np.eye(3), np.zeros((1, 3))], [np.zeros(3), [0.0]], [np.ones((1, 3))])
BOX = [(-1.0, 1.0)] * 3
SOLVERS = [None, Bundle(), HiGHS(), Clarabel(), CVXPY()]
ZEROS = np.zeros((1, 3))
STORED = sp.csr_array(([0.0, 0.0], ([0, 0], [0, 2])), shape=(1, 3))
PAIR = sp.csr_array(([1.0, -1.0], ([0, 0], [1, 1])), shape=(1, 3))  # entries that cancel
SIDES = [
    (0.0, 0.0, True),
    (2e-7, np.inf, True),
    (-np.inf, -2e-7, True),
    (2e-7, 2e-7, True),
    (-1.0, 1e-3, True),
    (np.nextafter(EMPTY, 1), np.inf, False),
    (1e-3, np.inf, False),
    (-np.inf, -1.0, False),
]


def statuses(solver, row):
    """What minimize, a prepared problem and a batch say."""
    said = {"bounds": BOX, "constraints": row, "solver": solver}
    yield icnn.minimize(F, **said, throw=False).success
    yield icnn.prepare(F, **said).solve(throw=False).success
    yield icnn.prepare(F, **said).solve(linear=np.ones(3), throw=False).success
    yield from icnn.minimize_batch(F, linear=np.zeros((2, 3)), **said).success.tolist()


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize(("lower", "upper", "met"), SIDES)
@pytest.mark.parametrize("A", [ZEROS, STORED, PAIR], ids=["dense", "stored", "cancelling"])
def test_every_path_says_the_same_of_a_row_of_zeros(solver, lower, upper, met, A):
    assert set(statuses(solver, LinearConstraint(A, lower, upper))) == {met}


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_new_sides_follow_the_same_rule(solver):
    problem = icnn.prepare(F, bounds=BOX, constraints=LinearConstraint(ZEROS, -1, 1), solver=solver)
    assert problem.solve(sides=([2e-7], [1.0])).success
    with pytest.raises(Infeasible):
        problem.solve(sides=([1e-3], [1.0]))


def test_the_rule_is_that_of_the_judge():
    assert EMPTY == TOLERANCE


def test_a_small_side_of_a_row_that_reads_columns_stays():
    row = LinearConstraint(1e-9 * np.ones((1, 3)), 2e-10, np.inf)
    d = icnn.minimize(F, bounds=BOX, constraints=row)
    assert d.x.sum() == pytest.approx(0.2, abs=1e-5)
