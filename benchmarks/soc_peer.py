"""The authors' own code of experiment 3, run from a checkout, and its networks as ours.

`SOC_ICNN` names the folder of a clone of github.com/Kanyooo/SOC-ICNN (commit 0b91ddd); nothing of
it is in this repository. Two things are put in its place while it runs: the processor's clock for
the wall's, and batches cut from the tensors for a `DataLoader` that collects row by row.
"""

import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.soc_tasks import CONTEXT, PARTS, SEED, TASKS, Array, task
from icnn.atoms import IDENTITY, RELU, Norm, SumSquares
from icnn.network import Layer, Network

CASES = 20  # test contexts a decision is made for
TRAIN = dict(epochs=120, batch_size=1024, lr=2e-3, weight_decay=1e-6, patience=5, val_ratio=0.1)
DECIDE = dict(n_restart=5, n_steps=200, lr=2e-3, max_test_instances=CASES)
WANTED = (
    "the authors' code is needed: git clone https://github.com/Kanyooo/SOC-ICNN and set SOC_ICNN "
    "to its folder"
)


def checkout() -> Path:
    """The folder of the authors' code."""
    folder = Path(os.environ.get("SOC_ICNN", "nowhere"))
    if not (folder / "exp3_train.py").exists():
        sys.exit(WANTED)
    return folder


@cache
def script(name: str) -> ModuleType:
    """One of their scripts as a module."""
    spec = importlib.util.spec_from_file_location(name, checkout() / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    with contextlib.redirect_stdout(io.StringIO()):
        spec.loader.exec_module(module)
    return module


class _Batches:
    """What their loops read of a `DataLoader`: dicts of rows, shuffled anew each time."""

    def __init__(self, data: Any, batch_size: int, shuffle: bool, **_: Any) -> None:
        self.columns = {"theta": data.theta, "x": data.x, "y": data.y, "y_raw": data.y_raw}
        self.rows, self.size, self.shuffle = len(data), batch_size, shuffle

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        order = torch.randperm(self.rows) if self.shuffle else torch.arange(self.rows)
        for index in order.split(self.size):
            yield {name: column[index] for name, column in self.columns.items()}


@dataclass(frozen=True, eq=False)
class Trained:
    """One network of theirs, what their protocol decided with it and what it cost."""

    weights: dict[str, torch.Tensor]
    figures: dict[str, Any]  # their metrics
    points: list[Array]  # x (d,) of each test context
    values: list[float]  # of their network there, in units of y
    seconds: list[float]  # of the processor, a decision
    same_data: bool  # our generator gives their rows, bit for bit

    @property
    def parameters(self) -> int:
        return int(self.figures["config"]["num_parameters"])

    def at(self, theta: Array) -> Network:
        """The very function that their Adam minimises, at a context (8,)."""
        c = self.figures["config"]
        t = (theta - np.array(c["theta_mean"][0])) / np.array(c["theta_std"][0])
        f = _network({k: v.double() for k, v in self.weights.items()}, torch.from_numpy(t))
        return float(c["y_std"]) * f + float(c["y_mean"])


def write_data(name: str, d: int, folder: Path) -> bool:
    """Their files by their generator, and whether ours gives the same, bit for bit.

    The optima of the 1,200 programs are left out: nothing reads them, and no draw hangs on them.
    """
    module, same = script("exp3_data_gen"), True
    module.solve_convex_instance = lambda *_: (0.0, 0.0, "not solved", "")
    seed = SEED + 1000 * list(TASKS).index(name) + d
    template = module.make_task_template(name, d, CONTEXT, seed)
    for part, (offset, contexts, candidates) in PARTS.items():
        found = module.generate_split_dataset(template, contexts, candidates, seed + offset)
        module.save_npz(folder / name / f"d{d}" / f"{part}.npz", found)
        ours = zip(("contexts", "cand_X", "cand_y"), task(name, d).table(part), strict=True)
        same &= all(np.array_equal(found[key], values) for key, values in ours)
    return same


def train(name: str, d: int, model: str, seed: int) -> Trained:
    """Their network of this kind, trained and decided with as published."""
    module, points, values, seconds = script("exp3_train"), [], [], []
    module.DataLoader = _Batches
    module.time = SimpleNamespace(perf_counter=time.process_time)
    decide = module.solve_learned_decision

    def recorded(**arguments: Any) -> Any:
        began = time.process_time()
        x, value = decide(**arguments)
        seconds.append(time.process_time() - began)
        points.append(np.asarray(x, dtype=np.float64))
        values.append(float(value))
        return x, value

    module.solve_learned_decision = recorded
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            same = write_data(name, d, Path(folder))
            config = {"device": "cpu", "data_root": folder, "save_root": folder}
            config |= {"decision_eval": DECIDE}
            config |= {"train": {**TRAIN, "num_workers": 0}}
            module.set_seed(seed)
            module.run_single_experiment(config, name, d, model, seed)
            at = Path(folder) / name / f"d{d}" / model / f"seed{seed}"
            figures = json.loads((at / "metrics.json").read_text())
            weights = torch.load(at / "best_model.pt")
    finally:
        module.solve_learned_decision = decide
    c = figures["config"]
    values = [c["y_std"] * value + c["y_mean"] for value in values]
    return Trained(weights, figures, points, values, seconds, same)


def chosen(seed: int) -> list[int]:
    """Which of the test contexts their decisions are made for."""
    index = np.arange(PARTS["test"][1])
    np.random.default_rng(seed).shuffle(index)
    return [int(i) for i in index[:CASES]]


def _network(p: dict[str, torch.Tensor], t: torch.Tensor) -> Network:
    """ReLU layers, then the squares and norms, then their sum; the context is in the biases."""
    lines: list[Layer] = []
    depth = sum(key.startswith("backbone.wx_layers") for key in p)
    for k in range(depth):
        b = p[f"backbone.wt_layers.{k}.weight"] @ t + p[f"backbone.wt_layers.{k}.bias"]
        W = ((k - 1, _positive(p[f"backbone.uz_layers.{k - 1}.weight_raw"])),) if k else ()
        lines.append(Layer(RELU, p[f"backbone.wx_layers.{k}.weight"], b, W))
    edges = [(depth - 1, _positive(p["backbone.out_z.weight_raw"]))]
    for branch, factor in (("quad_branch", "alpha_raw"), ("norm_branch", "lambda_raw")):
        for g in range(sum(key.startswith(f"{branch}.x_layers") for key in p)):
            V, weight = p[f"{branch}.x_layers.{g}.weight"], _positive(p[f"{branch}.{factor}.{g}"])
            b = p[f"{branch}.t_layers.{g}.weight"] @ t + p[f"{branch}.t_layers.{g}.bias"]
            atom = SumSquares(len(V)) if branch == "quad_branch" else Norm(len(V))
            lines.append(Layer(atom, V, b))
            half = 0.5 if branch == "quad_branch" else 1.0
            edges.append((len(lines) - 1, (half * weight).reshape(1, 1)))
    b = p["backbone.out_t.weight"] @ t + p["backbone.out_t.bias"]
    return Network((*lines, Layer(IDENTITY, p["backbone.out_x.weight"], b, tuple(edges))))


def _positive(raw: torch.Tensor) -> torch.Tensor:
    return F.softplus(raw) + 1e-8
