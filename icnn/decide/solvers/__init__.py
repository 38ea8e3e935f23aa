"""The solvers, in order of preference."""

from icnn.decide.program import Program
from icnn.decide.solvers.clarabel import Clarabel
from icnn.decide.solvers.highs import HiGHS
from icnn.decide.solvers.solver import AbstractSolver
from icnn.errors import NotSupported

PREFERENCE: tuple[AbstractSolver, ...] = (HiGHS(), Clarabel())


def pick(program: Program) -> AbstractSolver:
    """The first solver that accepts the program.

    Raises:
        NotSupported: none does; the message lists each refusal.
    """
    refusals = []
    for solver in PREFERENCE:
        reason = solver.refusal(program)
        if reason is None:
            return solver
        refusals.append(reason)
    raise NotSupported("no solver takes this program; " + "; ".join(refusals))
