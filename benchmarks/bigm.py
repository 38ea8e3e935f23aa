"""The least value of a ReLU network over a box, as a mixed-integer program for HiGHS."""

import time

import highspy
import numpy as np

from benchmarks.unconstrained import Weights

GAP = 1e-7  # at which a search may stop, relative and absolute; f has deviation 1
MARGIN = 1e-6  # of bounds that a linear program gives to a tolerance

Pair = tuple[np.ndarray, np.ndarray]


def preactivations(weights: Weights, box: Pair) -> list[Pair]:
    """Bounds of what enters each ReLU: intervals, cut with linear bounds, cut with two LPs a unit.

    Zhang et al., "Efficient Neural Network Robustness Certification" (2018): each ReLU lies
    between two lines, which substituted layer by layer leave an affine function of x. The LPs are
    over the relaxed program of the layers below.
    """
    found: list[Pair] = []
    below = box
    for k, (W, b) in enumerate(weights[:-1]):
        plain = _interval(W, b, below)
        low = np.maximum(plain[0], -_carried(weights[:k], found, (-W, -b), box))
        high = np.minimum(plain[1], _carried(weights[:k], found, (W, b), box))
        found.append(_cut(weights[: k + 1], found, box, (low, high)) if k else (low, high))
        below = np.maximum(found[-1][0], 0), np.maximum(found[-1][1], 0)
    return found


def _cut(weights: Weights, found: list[Pair], box: Pair, bounds: Pair) -> Pair:
    """The bounds of the last layer, where a linear program over the layers below betters them."""
    (low, high), (W, b) = (bounds[0].copy(), bounds[1].copy()), weights[-1]
    model, parts = _assembled(weights[:-1], found, box)
    below = parts[-1][1].astype(np.int32)
    highs = _loaded(model, (below, (0 * W[:1], 0 * b[:1])), np.array([], dtype=int), np.inf)
    optimal = highspy.HighsModelStatus.kOptimal
    for i, row in enumerate(W):
        for side in (1.0, -1.0):
            highs.changeColsCost(len(below), below, side * row)
            highs.run()
            if highs.getModelStatus() != optimal:
                continue
            least = highs.getInfo().objective_function_value - MARGIN
            if side > 0:
                low[i] = max(low[i], least + b[i])
            else:
                high[i] = min(high[i], b[i] - least)
    return low, high


def _interval(W: np.ndarray, b: np.ndarray, box: Pair) -> Pair:
    middle, half = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    at, reach = W @ middle + b, np.abs(W) @ half
    return at - reach, at + reach


def _carried(weights: Weights, found: list[Pair], top: Pair, box: Pair) -> np.ndarray:
    """An upper bound of A z + c, z the outputs of the last of these layers."""
    A, c = top
    for (W, b), (lo, hi) in zip(reversed(weights), reversed(found), strict=True):
        either = (lo < 0) & (hi > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            chord = np.where(either, hi / (hi - lo), (lo >= 0).astype(float))
        lift = np.where(either, -lo * chord, 0.0)
        floor = np.where(either, (hi > -lo).astype(float), chord)
        up = np.maximum(A, 0)
        c = c + up @ lift
        A = up * chord + np.minimum(A, 0) * floor
        A, c = A @ W, c + A @ b
    return _interval(A, c, box)[1]


class _Model:
    """Columns x, z and binaries, and the rows between them, gathered layer by layer."""

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low, self.high = list(low), list(high)
        self.rows: list[Pair] = []
        self.sides: list[tuple[float, float]] = []

    def columns(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Indices of new columns."""
        start = len(self.low)
        self.low += list(low)
        self.high += list(high)
        return np.arange(start, len(self.low))

    def row(self, terms: list[tuple[np.ndarray, np.ndarray]], low: float, high: float) -> None:
        """One row, from (columns, coefficients) pairs."""
        at = np.concatenate([columns for columns, _ in terms])
        of = np.concatenate([coefficients for _, coefficients in terms])
        self.rows.append((at, of))
        self.sides.append((low, high))


def minimize(
    weights: Weights, box: Pair, *, seconds: float, start: np.ndarray | None = None
) -> dict:
    """Point, bound, status and processor seconds, of bounding the units and of the search.

    z ≥ a, z ≤ a - lo (1 - d), 0 ≤ z ≤ hi d with a binary d for each unit that may be on or off;
    units that are always on or always off take none. `start` is a point to begin with.
    """
    highspy.Highs.resetGlobalScheduler(True)  # else `threads` may not differ from an earlier run
    began = time.process_time()
    bounds = preactivations(weights, box)
    model, parts = _assembled(weights[:-1], bounds, box)
    binary = np.concatenate([d for _, _, d in parts])
    highs = _loaded(model, (parts[-1][1], weights[-1]), binary, seconds)
    if start is not None:
        _begin(highs, model, weights, (parts, start))
    highs.run()
    took = time.process_time() - began
    solution = highs.getSolution()
    return {
        "x": np.array(solution.col_value[: len(box[0])]) if solution.value_valid else None,
        "bound": highs.getInfo().mip_dual_bound,
        "optimal": highs.getModelStatus() == highspy.HighsModelStatus.kOptimal,
        "seconds": took,
        "binaries": int(sum(((lo < 0) & (hi > 0)).sum() for lo, hi in bounds)),
    }


def _assembled(weights: Weights, bounds: list[Pair], box: Pair) -> tuple[_Model, list]:
    """The hidden layers over the box, and the columns (below, z, d) of each."""
    model, below, parts = _Model(*box), np.arange(len(box[0])), []
    for (W, b), (lo, hi) in zip(weights, bounds, strict=True):
        z = model.columns(np.maximum(lo, 0), np.maximum(hi, 0))
        d = model.columns(np.zeros(len(lo)), np.ones(len(lo)))
        for i in range(len(b)):
            _unit(model, (below, W[i], b[i]), (z[i], d[i]), (lo[i], hi[i]))
        parts.append((below, z, d))
        below = z
    return model, parts


def _unit(model: _Model, a: tuple, columns: tuple[int, int], bounds: tuple[float, float]) -> None:
    """z = max(0, a): the rows of one unit."""
    (below, w, b), (z, d), (lo, hi) = a, columns, bounds
    plus = [(below, -w), (np.array([z]), np.ones(1))]  # z - W z_below
    if lo >= 0:
        model.row(plus, b, b)
    elif hi > 0:
        model.row(plus, b, np.inf)
        model.row([*plus, (np.array([d]), np.array([-lo]))], -np.inf, b - lo)
        model.row([(np.array([z, d]), np.array([1.0, -hi]))], -np.inf, 0.0)
    if lo >= 0 or hi <= 0:
        model.low[d] = model.high[d] = float(lo >= 0)


def _loaded(model: _Model, out: tuple, binary: np.ndarray, seconds: float) -> highspy.Highs:
    below, (W, b) = out
    columns, lp = len(model.low), highspy.HighsLp()
    cost = np.zeros(columns)
    cost[below] = W[0]
    lp.num_col_, lp.num_row_, lp.offset_ = columns, len(model.rows), float(b[0])
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.array(model.low), np.array(model.high)
    lower, upper = np.array(model.sides).T
    lp.row_lower_, lp.row_upper_ = lower, upper
    counts = [len(at) for at, _ in model.rows]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    lp.a_matrix_.index_ = np.concatenate([at for at, _ in model.rows]).astype(np.int32)
    lp.a_matrix_.value_ = np.concatenate([of for _, of in model.rows])
    kinds = [highspy.HighsVarType.kContinuous] * columns
    for k in binary:
        kinds[k] = highspy.HighsVarType.kInteger
    lp.integrality_ = kinds
    highs = highspy.Highs()
    stop_after(highs, seconds)
    options = dict(output_flag=False, threads=1)
    options |= dict(mip_rel_gap=GAP, mip_abs_gap=GAP, mip_feasibility_tolerance=1e-9)
    options |= dict(primal_feasibility_tolerance=1e-9, dual_feasibility_tolerance=1e-9)
    for name, setting in options.items():
        highs.setOptionValue(name, setting)
    highs.passModel(lp)
    return highs


def stop_after(highs: highspy.Highs, seconds: float) -> None:
    """Let branch and bound stop after so many processor seconds; HiGHS itself counts real ones."""
    deadline = time.process_time() + seconds

    def check(event: highspy.highs.HighsCallbackEvent) -> None:
        if time.process_time() > deadline:
            event.interrupt()

    if seconds < np.inf:
        highs.cbMipInterrupt += check


def _begin(highs: highspy.Highs, model: _Model, weights: Weights, at: tuple) -> None:
    """A start: the values of all columns at a point."""
    (parts, x), full = at, np.zeros(len(model.low))
    full[: len(x)] = x
    for (W, b), (below, z, d) in zip(weights[:-1], parts, strict=True):
        a = W @ full[below] + b
        full[z], full[d] = np.maximum(a, 0), a > 0
    solution = highspy.HighsSolution()
    solution.col_value = list(full)
    highs.setSolution(solution)
