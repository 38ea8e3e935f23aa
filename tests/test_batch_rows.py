"""minimize_batch: one bad row changes only itself; what concerns all rows is one sentence."""

import numpy as np
import pandas as pd
import pytest
import torch
from context_zoo import learned, sites
from scipy.optimize import Bounds, LinearConstraint
from zoo import NETWORKS

import icnn
from icnn import Status

F = NETWORKS["relu-5-16-16"].f
BOX = [(-2.0, 2.0)] * 5


def assert_only(bad, batch, good):
    """Rows but `bad` are bit for bit those of the batch without it, and its own are NaN."""
    rest = np.arange(len(batch)) != bad
    for name in ("x", "value", "bound", "gap", "violation", "status", "message", "certified"):
        np.testing.assert_array_equal(getattr(batch, name)[rest], getattr(good, name)[rest])
    for name, y in batch.multipliers.items():
        np.testing.assert_array_equal(y[rest], good.multipliers[name][rest])
    assert np.isnan(batch.x[bad]).all()
    assert not batch.success[bad]
    assert batch.success[rest].all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_context_that_is_no_number(value, rng):
    f, C = learned("picnn"), rng.uniform(-1, 1, (6, 2))
    good = icnn.minimize_batch(f, context=C)
    C[3, 1] = value
    batch = icnn.minimize_batch(f, context=C)
    assert_only(3, batch, good)
    assert batch.status[3] is Status.BAD_DATA
    assert batch.message[3] == f"context column 'c1' is {value}; give a finite number"


def test_a_category_that_was_not_in_the_table():
    given = pd.DataFrame({"wind": [0.1, -0.4, 0.7], "site": ["north", "south", "north"]})
    good = icnn.minimize_batch(sites(), context=given)
    given.loc[1, "site"] = "west"
    batch = icnn.minimize_batch(sites(), context=given)
    assert_only(1, batch, good)
    assert batch.status[1] is Status.BAD_DATA
    assert "'west' was not in the table" in batch.message[1]


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_category_that_is_missing(missing):
    given = pd.DataFrame({"wind": [0.1, -0.4, 0.7], "site": ["north", "south", "north"]})
    good = icnn.minimize_batch(sites(), context=given)
    given = given.astype({"site": object})
    given.loc[2, "site"] = missing
    batch = icnn.minimize_batch(sites(), context=given)
    assert_only(2, batch, good)
    assert "'site' is missing" in batch.message[2]


def test_a_price_that_is_no_number(rng):
    prices = rng.normal(size=(5, 5))
    good = icnn.minimize_batch(F, linear=prices, bounds=BOX)
    prices[0, 2] = np.nan
    batch = icnn.minimize_batch(F, linear=prices, bounds=BOX)
    assert_only(0, batch, good)
    assert "the price of column 'x2' is nan; give a number" in batch.message[0]


def test_crossed_bounds_and_bounds_that_no_row_meets(rng):
    pairs = np.stack([np.full((5, 5), -2.0), np.full((5, 5), 2.0)], -1)
    row = LinearConstraint(np.ones((1, 5)), 3.0, np.inf)
    good = icnn.minimize_batch(F, bounds=pairs, constraints=row)
    crossed, low = pairs.copy(), pairs.copy()
    crossed[2, 4] = (1.0, 0.5)
    low[2, :, 1] = 0.5
    batch = icnn.minimize_batch(F, bounds=crossed, constraints=row)
    assert_only(2, batch, good)
    assert batch.status[2] is Status.BAD_DATA
    assert batch.message[2] == "column 'x4': no number lies between 1 and 0.5"
    batch = icnn.minimize_batch(F, bounds=low, constraints=row)
    assert_only(2, batch, good)
    assert batch.status[2] is Status.INFEASIBLE
    assert batch.message[2].startswith("The bounds and constraint rows contradict each other")
    assert batch.value[2] == batch.bound[2] == np.inf


def test_no_row_is_good():
    with pytest.raises(icnn.BadData, match=r"none of the 3 rows can be read; row 0: .* is nan"):
        icnn.minimize_batch(learned("picnn"), context=np.full((3, 2), np.nan))
    crossed = np.tile([1.0, 0.0], (2, 5, 1))
    with pytest.raises(icnn.BadData, match="no number lies between 1 and 0"):
        icnn.minimize_batch(F, bounds=crossed)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "a batch needs rows: give context, linear or bounds with one entry a row"),
        ({"linear": np.ones((3, 4))}, r"linear has shape \(3, 4\); a batch takes \(rows, 5\)"),
        ({"linear": np.ones(5)}, r"linear has shape \(5,\)"),
        ({"linear": {"z": np.ones(3)}}, "linear names column 'z', but the columns are x0"),
        ({"linear": {"x0": ["a"]}}, "linear of column 'x0' holds something that is not a number"),
        ({"linear": {"x0": [1, 2], "x1": [1, 2, 3]}}, "give each column as many"),
        ({"bounds": np.ones((3, 4, 2))}, r"bounds has shape \(3, 4, 2\); .* \(rows, 5, 2\)"),
        ({"bounds": {"z": (np.zeros(3), 1.0)}}, "bounds names column 'z'"),
        (
            {"bounds": {"x0": (np.zeros(3), 1.0), "x1": (np.zeros(2), 1.0)}},
            "bounds: give each end one number, or one a row, the same number of rows",
        ),
        ({"bounds": Bounds(np.zeros((3, 4)), np.ones((3, 4)))}, "bounds has 4 pairs for 5 columns"),
        (
            {"linear": np.ones((3, 5)), "bounds": np.ones((4, 5, 2))},
            "the rows do not agree: linear has 3, bounds has 4",
        ),
        ({"linear": np.ones((0, 5))}, "linear has no rows; a batch needs at least one"),
        ({"linear": np.ones((2, 5)), "context": [1.0]}, "a context was given"),
        ({"linear": np.ones((2, 5)), "fixed": {"x9": 1.0}}, "fixed names column 'x9'"),
    ],
)
def test_what_concerns_all_rows(asked, sentence):
    with pytest.raises(icnn.BadData, match=sentence):
        icnn.minimize_batch(F, **{"bounds": BOX, **asked} if "bounds" not in asked else asked)


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        (None, "f depends on the context c0, c1"),
        (np.ones((3, 3)), r"context has shape \(3, 3\), but f depends on 2"),
        ({"c0": [1.0, 2.0], "c1": [1.0]}, "context column 'c1' has shape"),
        ({"c0": [1.0, 2.0]}, "context has no 'c1'"),
    ],
)
def test_contexts_that_do_not_fit(context, sentence):
    with pytest.raises(icnn.BadData, match=sentence):
        icnn.minimize_batch(learned("picnn"), context=context)


def test_what_is_no_function():
    with pytest.raises(icnn.BadData, match="f must be a Surrogate or a Network, not str"):
        icnn.minimize_batch("f", linear=np.ones((2, 5)))


def test_decisions_as_a_frame_and_one_by_one(rng):
    batch = icnn.minimize_batch(F, linear=rng.normal(size=(4, 5)), bounds=BOX)
    frame = batch.to_frame()
    figures = ["value", "bound", "gap", "violation", "status"]
    assert list(frame) == [*batch.columns, *figures]
    np.testing.assert_array_equal(frame[list(batch.columns)], batch.x)
    assert set(frame["status"]) == {"optimal"}
    d = batch[-1]
    assert isinstance(d, icnn.Decision)
    assert d.success
    assert (d.value, d.bound, d.solver) == (batch.value[3], batch.bound[3], batch.solver[3])
    np.testing.assert_array_equal(d.x, batch.x[3])
    assert "minimize: optimal" in repr(d)
    assert repr(batch).startswith("minimize: 4 of 4 rows optimal, ")
    assert sum(decision.value for decision in batch) == pytest.approx(batch.value.sum())


def test_a_decision_named_value_keeps_its_column(rng):
    f = learned("picnn").rename({"a": "value"})
    frame = icnn.minimize_batch(f, context=rng.uniform(-1, 1, (2, 2))).to_frame()
    assert list(frame)[:4] == ["value", "b", "c", "value_"]


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "two"])
def test_threads_are_a_whole_number(threads):
    with pytest.raises(icnn.BadData, match="threads must be a whole number of at least 1"):
        icnn.minimize_batch(F, linear=np.ones((2, 5)), bounds=BOX, threads=threads)


def test_prices_may_come_from_a_graph():
    prices = torch.ones((2, 5), dtype=torch.float64, requires_grad=True)
    assert icnn.minimize_batch(F, linear=prices, bounds=BOX).success.all()


@pytest.mark.filterwarnings("error")
def test_a_context_that_overflows_says_so_without_a_warning():
    f = learned("picnn")
    contexts = np.zeros((3, 2))
    contexts[1] = 1e300
    batch = icnn.minimize_batch(f, context=contexts)
    assert [s.name for s in batch.status] == ["OPTIMAL", "BAD_DATA", "OPTIMAL"]
