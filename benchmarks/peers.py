"""Tools that embed a trained ReLU network in a mixed-integer program; each may be missing.

Each gives point, bound, whether it calls it optimal, and processor seconds of the search alone.
"""

import importlib.metadata
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
from torch import nn

from benchmarks.bigm import GAP, stop_after
from benchmarks.unconstrained import weights

Pair = tuple[np.ndarray, np.ndarray]


def gurobi(net: nn.Sequential, box: Pair, seconds: float) -> dict:
    """gurobi-machinelearning with Gurobi, under the size-limited licence that pip installs."""
    import gurobipy
    from gurobi_ml import add_predictor_constr

    with redirect_stdout(StringIO()), gurobipy.Env(params={"OutputFlag": 0}) as environment:
        model = gurobipy.Model(env=environment)
        x = model.addMVar(len(box[0]), lb=box[0], ub=box[1])
        y = model.addMVar(1, lb=-gurobipy.GRB.INFINITY)
        add_predictor_constr(model, net, x, y)
        model.setObjective(y.sum())
        options = {"Threads": 1, "MIPGap": GAP, "MIPGapAbs": GAP}
        options |= {"FeasibilityTol": 1e-9, "IntFeasTol": 1e-9, "OptimalityTol": 1e-9}
        for name, setting in options.items():
            model.setParam(name, setting)
        model.update()
        began = time.process_time()
        model.optimize(
            lambda m, _: m.terminate() if time.process_time() > began + seconds else None
        )
        took, optimal = time.process_time() - began, model.Status == gurobipy.GRB.OPTIMAL
        x = x.X if model.SolCount else None
        return {"x": x, "bound": model.ObjBound, "optimal": optimal, "seconds": took}


def omlt(net: nn.Sequential, box: Pair, seconds: float) -> dict:
    """OMLT's big-M formulation in Pyomo, with the same HiGHS as ours and the same options."""
    import highspy
    import pyomo.environ as pyo
    from omlt import OmltBlock
    from omlt.neuralnet import NetworkDefinition, ReluBigMFormulation
    from omlt.neuralnet.layer import DenseLayer, InputLayer
    from pyomo.contrib.appsi.solvers import Highs

    low, high = box
    definition = NetworkDefinition(scaled_input_bounds=dict(enumerate(zip(low, high, strict=True))))
    last = InputLayer([len(low)])
    definition.add_layer(last)
    layers = weights(net)
    for k, (W, b) in enumerate(layers):
        activation = "relu" if k < len(layers) - 1 else "linear"
        layer = DenseLayer([W.shape[1]], [W.shape[0]], W.T, b, activation=activation)
        definition.add_layer(layer)
        definition.add_edge(last, layer)
        last = layer
    model = pyo.ConcreteModel()
    model.net = OmltBlock()
    model.net.build_formulation(ReluBigMFormulation(definition))
    model.least = pyo.Objective(expr=model.net.outputs[0])
    solver = Highs()
    solver.config.load_solution = False
    solver.highs_options = {"threads": 1, "mip_rel_gap": GAP, "mip_abs_gap": GAP}
    solver.highs_options |= {"mip_feasibility_tolerance": 1e-9}
    solver.highs_options |= {"primal_feasibility_tolerance": 1e-9}
    highspy.Highs.resetGlobalScheduler(True)  # else `threads` may not differ from an earlier run
    solver.set_instance(model)
    stop_after(solver._solver_model, seconds)
    began = time.process_time()
    found = solver.solve(model)
    took, x = time.process_time() - began, None
    if found.best_feasible_objective is not None:
        found.solution_loader.load_vars()
        x = np.array([pyo.value(model.net.inputs[j]) for j in range(len(low))])
    optimal = found.termination_condition.name == "optimal"
    return {"x": x, "bound": found.best_objective_bound, "optimal": optimal, "seconds": took}


def scip(net: nn.Sequential, box: Pair, seconds: float, *, formulation: str = "sos") -> dict:
    """PySCIPOpt-ML with SCIP."""
    from pyscipopt import Model
    from pyscipopt_ml.add_predictor import add_predictor_constr

    model = Model()
    model.hideOutput()
    x = np.array([[model.addVar(lb=lo, ub=hi) for lo, hi in zip(*box, strict=True)]], dtype=object)
    y = np.array([[model.addVar(lb=None, ub=None)]], dtype=object)
    add_predictor_constr(model, net, x, y, unique_naming_prefix="net_", formulation=formulation)
    model.setObjective(y[0, 0])
    options = {"timing/clocktype": 1, "limits/time": seconds}  # processor seconds
    options |= {"limits/gap": GAP, "numerics/feastol": 1e-9}
    model.setParams(options | {"limits/absgap": GAP})
    began = time.process_time()
    model.optimize()
    took = time.process_time() - began
    point = np.array([model.getVal(v) for v in x[0]]) if model.getNSols() else None
    optimal = model.getStatus() in ("optimal", "gaplimit")
    return {"x": point, "bound": model.getDualbound(), "optimal": optimal, "seconds": took}


Peer = Callable[[nn.Sequential, Pair, float], dict]
PEERS: dict[str, tuple[Peer, tuple[str, ...]]] = {
    "gurobi-machinelearning": (gurobi, ("gurobi-machinelearning", "gurobipy")),
    "OMLT + HiGHS": (omlt, ("omlt", "pyomo", "highspy")),
    "PySCIPOpt-ML": (scip, ("PySCIPOpt-ML", "PySCIPOpt")),
}


def versions() -> dict[str, str]:
    """Of every package that the peers need; "not installed" where one is missing."""
    found = {}
    for name in sorted({name for _, needed in PEERS.values() for name in needed}):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
