"""Bad tables: each is refused with a sentence that names row and column."""

import numpy as np
import pandas as pd
import pytest
from test_fit import TINY, X, Y, fit

import icnn
from icnn import BadData


def changed(a, at, value):
    a = np.array(a)
    a[at] = value
    return a


def frame(**columns):
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], **columns})


TABLES = {
    "nan": (changed(X, (7, 1), np.nan), Y, r"column 'x1', row 7 is nan"),
    "inf": (changed(X, (0, 0), np.inf), Y, r"column 'x0', row 0 is inf"),
    "masked": (np.ma.masked_equal(X, X[5, 0]), Y, r"column 'x0', row 5 is nan"),
    "masked-y": (X, np.ma.masked_equal(Y, Y[2]), r"y, row 2 is nan"),
    "rows in another order": (frame(), pd.Series(Y)[::-1], r"y has the rows of X in another order"),
    "nan-frame": (frame(b=changed(Y, 3, np.nan)), Y, r"column 'b', row 3 is nan"),
    "nan-y": (X, changed(Y, 4, np.nan), r"y, row 4 is nan"),
    "inf-y": (X, changed(Y, 79, -np.inf), r"y, row 79 is -inf"),
    "empty": (X[:0], Y[:0], r"the table is empty: 0 rows, 2 columns"),
    "empty-frame": (pd.DataFrame(), [], r"the table is empty"),
    "no-columns": (X[:, :0], Y, r"the table is empty: 80 rows, 0 columns"),
    "one-row": (X[:1], Y[:1], r"the table has 1 row\(s\); a fit needs at least 4"),
    "constant": (changed(X, (slice(None), 1), 3.0), Y, r"column 'x1' is constant \(3\.0\)"),
    "constant-y": (X, np.full(80, 2.0), r"y is constant \(2\.0\)"),
    "one-column": (X[:, :1], Y, r"the model takes 2 columns, but X has 1"),
    "vector": (X[:, 0], Y, r"X has shape \(80,\); expected \(rows, columns\)"),
    "cube": (X[None], Y, r"X has shape \(1, 80, 2\)"),
    "number": (3.0, Y, r"X has shape \(\)"),
    "none": (None, Y, r"X"),
    "word": ("abc", Y, r"X"),
    "ragged": ([[1, 2], [3]], [1, 2], r"X, row 0: \[1, 2\] is not a number"),
    "complex": (X + 1j, Y, r"X, row 0: .*j\) is not a number"),
    "text": (frame(b=["low"] * 80), Y, r"column 'b', row 0: 'low' is not a number"),
    "some-text": (frame(b=[1.5] * 79 + ["?"]), Y, r"column 'b', row 79: '\?' is not a number"),
    "text-y": (X, ["a"] * 80, r"y, row 0: 'a' is not a number"),
    "dates": (frame(a=pd.date_range("2026", periods=80)), Y, r"column 'a'.* is not a number"),
    "missing": (frame(b=pd.array([1] * 79 + [None], dtype="Int64")), Y, r"column 'b', row 79"),
    "short-y": (X, Y[:5], r"y has shape \(5,\), but X has 80 rows"),
    "two-y": (X, np.c_[Y, Y], r"y has shape \(80, 2\)"),
    "duplicate": (frame().set_axis(["a", "a"], axis=1), Y, r"column 'a' appears more than once"),
    "unnamed": (frame().set_axis(["a", None], axis=1), Y, r"column 1 has no name"),
    "blank": (frame().set_axis(["a", "  "], axis=1), Y, r"column name '  ' is missing"),
    "csv-unnamed": (frame().set_axis(["Unnamed: 0", "a"], axis=1), Y, r"column 0 has no name"),
}


@pytest.mark.parametrize("name", TABLES)
def test_bad_table(name):
    table, y, sentence = TABLES[name]
    with pytest.raises(BadData, match=sentence):
        fit(X=table, y=y)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(columns=["a"]), r"1 column names \('a',\) for 2 columns"),
        (dict(columns=["a", "a"]), r"column 'a' appears more than once"),
        (dict(columns=["a", 3]), r"column name 3 is missing or not text"),
        (dict(sample_weight=np.ones(3)), r"sample_weight has shape \(3,\)"),
        (dict(sample_weight=-np.ones(80)), r"sample_weight is -1\.0 in row 0"),
        (dict(sample_weight=np.zeros(80)), r"every sample_weight is 0"),
        (dict(sample_weight=np.full(80, np.nan)), r"sample_weight, row 0 is nan"),
    ],
)
def test_bad_options(options, sentence):
    with pytest.raises(BadData, match=sentence):
        fit(**options)


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"validation": share} for share in (0.0, 1.0, -0.1, np.nan)],
        *[{"restarts": count} for count in (0, -1, 1.5)],
        *[{"steps": count} for count in (0, -1)],
        *[{"every": 0}, {"batch_size": 0}, {"batch_size": -1}],
        *[{"learning_rate": rate} for rate in (0.0, -1.0, np.nan)],
    ],
    ids=str,
)
def test_bad_budget(wrong):
    with pytest.raises(BadData, match=next(iter(wrong))):
        fit(budget=icnn.Budget(**{**vars(TINY), **wrong}))


@pytest.mark.parametrize("model", [icnn.FICNN, "ficnn", None, 3], ids=str)
def test_bad_model(model):
    with pytest.raises(BadData, match="model"):
        icnn.fit(model, X, Y, budget=TINY)


@pytest.mark.parametrize("seed", [None, 1.5, "a"])
def test_bad_seed(seed):
    with pytest.raises(BadData, match="seed"):
        fit(seed=seed)


def test_all_that_comes_with_rows_is_in_the_order_of_x():
    given, other = frame(), np.arange(len(Y))[::-1]
    for name in ("context", "sample_weight", "gradients"):
        rows = given.iloc[other] if name != "sample_weight" else pd.Series(np.ones(80), other)
        with pytest.raises(BadData, match=rf"{name} has the rows of X in another order"):
            icnn.fit(icnn.FICNN(2), given, Y, budget=TINY, progress=False, **{name: rows})
    shuffled = given.iloc[other]
    fit(X=shuffled, y=pd.Series(Y, given.index)[shuffled.index])  # in one order


def test_half_precision_of_torch():
    import torch

    half = torch.from_numpy(X).to(torch.bfloat16)
    found, double = fit(X=half, y=Y), fit(X=half.double().numpy(), y=Y)
    assert (found.predict(half) == double.predict(half.double())).all()


def test_rows_of_no_weight_are_not_counted():
    weight = np.zeros(80)
    weight[:3] = 1.0
    with pytest.raises(BadData, match=r"the table has 3 row\(s\) of positive weight; a fit needs"):
        icnn.fit(icnn.FICNN(2), X, Y, sample_weight=weight, progress=False)
