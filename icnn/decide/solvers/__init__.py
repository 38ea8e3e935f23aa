"""The solvers, in order of preference."""

from icnn.atoms import Max, PiecewiseLinear
from icnn.decide.program import Program
from icnn.decide.solvers.bundle import Bundle
from icnn.decide.solvers.clarabel import Clarabel
from icnn.decide.solvers.highs import HiGHS
from icnn.decide.solvers.solver import AbstractSolver
from icnn.errors import NotSupported

MANY_COLUMNS = 150  # beyond which the bundle's dense master costs more than a sparse simplex


def ranked(program: Program) -> list[AbstractSolver]:
    """The solvers that accept the program, the fastest first (`results/solve-crossover.md`).

    Raises:
        NotSupported: none does; the message lists each refusal.
    """
    bundle, highs, clarabel = Bundle(), HiGHS(), Clarabel()
    flat = all(isinstance(line.atom, PiecewiseLinear | Max) for line in program.lines)
    order: list[AbstractSolver] = [bundle, highs, clarabel]
    if program.n > MANY_COLUMNS or not flat:
        order = [highs, clarabel, bundle]
    refusals = [(solver, solver.refusal(program)) for solver in order]
    found = [solver for solver, reason in refusals if reason is None]
    if not found:
        reasons = "; ".join(str(reason) for _, reason in refusals)
        raise NotSupported(f"no solver takes this program; {reasons}")
    return found


def pick(program: Program) -> AbstractSolver:
    """The first of the ranked solvers."""
    return ranked(program)[0]
