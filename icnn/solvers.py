"""The menu of solvers: `minimize(f, solver=icnn.solvers.HiGHS(seconds=10))`."""

from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.clarabel import Clarabel
from icnn.decide.solvers.cvxpy import CVXPY
from icnn.decide.solvers.highs import HiGHS
from icnn.decide.solvers.penalty import Penalty
from icnn.decide.solvers.primal_dual import PrimalDual

__all__ = ["CVXPY", "Bundle", "Clarabel", "HiGHS", "Penalty", "PrimalDual"]
