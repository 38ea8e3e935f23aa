"""The solvers, in order of preference."""

from icnn.decide.program import Program
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.clarabel import Clarabel
from icnn.decide.solvers.highs import HiGHS
from icnn.decide.solvers.penalty import Penalty
from icnn.decide.solvers.solver import AbstractSolver
from icnn.errors import NotSupported

# the fastest first by `benchmarks/results/solve-crossover.md`; at 2 columns, 32 x 2 they are equal;
# with a learned limit HiGHS is up to 1.4 times faster at 32 x 2, Penalty 1.5 to 2.5 at 128 x 2
PREFERENCE: tuple[AbstractSolver, ...] = (Bundle(), Penalty(), HiGHS(), Clarabel())
# and where x is wide: a cut a column is more than the simplex method needs for few units; the
# crossing lies between 200 and 784 columns (`solve-grid.md` and NOTES)
WIDE, WIDE_PREFERENCE = 300, (HiGHS(), Bundle(), Clarabel(), Penalty())


def pick(program: Program) -> list[AbstractSolver]:
    """The solvers that accept the program, in order of preference for its number of columns.

    Raises:
        NotSupported: none does; the message lists each refusal.
    """
    order = PREFERENCE if program.n <= WIDE else WIDE_PREFERENCE
    refusals = [(solver, solver.refusal(program)) for solver in order]
    found = [solver for solver, reason in refusals if reason is None]
    if not found:
        reasons = "; ".join(str(reason) for _, reason in refusals)
        raise NotSupported(f"no solver takes this program; {reasons}")
    return found
