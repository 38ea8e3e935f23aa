"""Tools that embed a trained ReLU network in a mixed-integer program; each may be missing."""

import importlib.metadata
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
from torch import nn

from benchmarks.bigm import GAP
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
        options = {"Threads": 1, "TimeLimit": seconds, "MIPGap": GAP, "MIPGapAbs": GAP}
        options |= {"FeasibilityTol": 1e-9, "IntFeasTol": 1e-9, "OptimalityTol": 1e-9}
        for name, setting in options.items():
            model.setParam(name, setting)
        model.update()
        began = time.perf_counter()
        model.optimize()
        took = time.perf_counter() - began
        status = {2: "Optimal", 9: "Time limit reached"}.get(model.Status, str(model.Status))
        x = x.X if model.SolCount else None
        return {"x": x, "bound": model.ObjBound, "status": status, "seconds": took}


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
    solver.highs_options |= {"time_limit": seconds, "mip_feasibility_tolerance": 1e-9}
    solver.highs_options |= {"primal_feasibility_tolerance": 1e-9}
    highspy.Highs.resetGlobalScheduler(True)  # else `threads` may not differ from an earlier run
    began = time.perf_counter()
    found = solver.solve(model)
    took = time.perf_counter() - began
    status, x = found.termination_condition.name, None
    if found.best_feasible_objective is not None:
        found.solution_loader.load_vars()
        x = np.array([pyo.value(model.net.inputs[j]) for j in range(len(low))])
    words = {"optimal": "Optimal", "maxTimeLimit": "Time limit reached"}
    bound = found.best_objective_bound
    return {"x": x, "bound": bound, "status": words.get(status, status), "seconds": took}


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
    options = {"limits/time": seconds, "limits/gap": GAP, "numerics/feastol": 1e-9}
    model.setParams(options | {"limits/absgap": GAP})
    began = time.perf_counter()
    model.optimize()
    took = time.perf_counter() - began
    words = {"optimal": "Optimal", "gaplimit": "Optimal", "timelimit": "Time limit reached"}
    status, point = model.getStatus(), None
    if model.getNSols():
        point = np.array([model.getVal(v) for v in x[0]])
    bound = model.getDualbound()
    return {"x": point, "bound": bound, "status": words.get(status, status), "seconds": took}


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
