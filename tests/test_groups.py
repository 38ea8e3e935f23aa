"""groups: whole groups are held out, whatever names them, and never a part of one."""

import numpy as np
import pandas as pd
import pytest
import torch
from zoo import table

import icnn
from icnn import BadData, Budget
from icnn.learn import train
from icnn.learn.groups import held_out_rows, read_groups
from icnn.models import PICNN

TINY = Budget(restarts=1, steps=20, every=10, polish=0)
X, Y = table(2, rows=80)
DAY = np.repeat(np.arange(8), 10)
TEXT = [f"day {day}" for day in DAY]
WIND = np.sin(DAY)[:, None] * [1.0, 2.0]


def fit(model=None, X=X, y=Y, **options):
    return icnn.fit(model or icnn.FICNN(2, (4,)), X, y, budget=TINY, progress=False, **options)


@pytest.fixture
def seen(monkeypatch):
    """The rows of each training: (kept, held out)."""
    found, adam = [], train.adam

    def recording(models, kept, held_out, **options):
        found.append((kept, held_out))
        return adam(models, kept, held_out, **options)

    monkeypatch.setattr(train, "adam", recording)
    return found


def days_of(split, X=X):
    """The days of the rows of a split, known by their standardised decisions."""
    every = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float32))
    return DAY[torch.cdist(split.x, every).argmin(1)].tolist()


@pytest.mark.parametrize(
    "groups",
    [
        DAY,
        DAY.astype(float)[:, None],
        TEXT,
        pd.Series(TEXT, index=range(100, 180)),
        pd.Series(TEXT, dtype="category"),
        torch.from_numpy(DAY),
        pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(DAY, unit="D")),
    ],
    ids=["numbers", "column", "texts", "series", "categories", "tensor", "dates"],
)
def test_a_group_is_on_one_side_whatever_labels_it(seen, groups):
    fit(groups=groups)
    kept, held_out = map(days_of, seen[0])
    assert set(kept) | set(held_out) == set(DAY)
    assert not set(kept) & set(held_out)
    assert len(held_out) == 20  # two of eight days are the nearest to a fifth of the rows
    seen.clear()
    fit()
    assert set(days_of(seen[0][0])) & set(days_of(seen[0][1]))  # rows at random tear days apart


def test_every_model_of_a_list_sees_the_same_hold_out(seen):
    fit([icnn.FICNN(2, (4,)), icnn.MaxAffine(2, 4)], groups=DAY)
    assert len(seen) == 2
    for part in range(2):
        assert torch.equal(seen[0][part].x, seen[1][part].x)


def test_rows_of_equal_context_are_held_out_together(seen):
    for model in (PICNN(2, 2, (4,), (4,)), "auto"):
        seen.clear()
        fit(model, context=WIND, groups="context")
        assert seen
        for kept, held_out in seen:
            assert not {tuple(c) for c in kept.c.tolist()} & {tuple(c) for c in held_out.c.tolist()}


def test_a_column_of_the_frame_that_names_the_groups_is_no_decision():
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(day=TEXT)[["a", "day", "b"]]
    s = fit(X=frame, groups="day")
    assert s.columns == ("a", "b")
    other = fit(X=frame[["a", "b"]], groups=TEXT)
    np.testing.assert_array_equal(s.predict(X), other.predict(X))


def test_groups_of_one_row_each_are_a_hold_out_of_rows():
    held_out, kept = held_out_rows(np.arange(50), 0.2, seed=3)
    assert len(held_out) == 10
    assert sorted([*held_out.tolist(), *kept.tolist()]) == list(range(50))
    other, _ = held_out_rows(np.arange(50), 0.2, seed=4)
    assert held_out.tolist() != other.tolist()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_uneven_groups_stay_whole_and_near_the_share(share, seed):
    labels = np.repeat([0, 1, 2, 3], [70, 20, 6, 4])
    held_out, kept = (set(labels[rows].tolist()) for rows in held_out_rows(labels, share, seed))
    assert held_out
    assert kept
    assert not held_out & kept
    if share == 0.01:  # no group is so small
        assert held_out == {3}
    if share == 0.2:
        assert 0 not in held_out


def test_rows_that_do_not_count_are_no_group_to_hold_out():
    weight = np.where(DAY < 7, 0.0, 1.0)
    with pytest.raises(BadData, match="all 10 rows are of one group"):
        fit(groups=DAY, sample_weight=weight)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (DAY[:-1], r"groups has shape \(79,\), but X has 80 rows"),
        (np.zeros(80), "all 80 rows are of one group; a hold-out of whole groups needs two"),
        (np.where(DAY == 3, np.nan, DAY), r"groups, row 30 is missing \(nan\)"),
        ([None, *TEXT[1:]], r"groups, row 0 is missing \(None\)"),
        (pd.Series(TEXT).where(DAY != 1), "groups, row 10 is missing"),
        (pd.Series(DAY, dtype="Int64").where(DAY != 1), r"groups, row 10 is missing \(<NA>\)"),
        (5, r"groups has shape \(\), but X has 80 rows"),
        ([[1], [2, 3]], "groups has shape"),
        ("day", "groups='day': X has no column of this name"),
        ("context", 'groups="context", but there is no context'),
    ],
)
def test_groups_that_cannot_be_used_say_why(groups, message):
    with pytest.raises(BadData, match=message):
        fit(groups=groups)


def test_names_that_are_not_clear_are_refused():
    frame = pd.DataFrame(X, columns=["a", "context"])
    with pytest.raises(BadData, match="X has a column of that name too"):
        fit(X=frame, groups="context")
    twice = pd.DataFrame(np.column_stack([X, DAY, DAY]), columns=["a", "b", "day", "day"])
    with pytest.raises(BadData, match="X has more than one column of this name"):
        fit(X=twice, groups="day")


def test_without_groups_nothing_is_grouped():
    assert read_groups(None, {}, 80) is None
