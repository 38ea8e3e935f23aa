"""Contexts: columns by name, categories, one context or one a row, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from laws import assert_convex

import icnn
from icnn import BadData
from icnn.learn.context import learn_encoder, read_contexts

TINY = icnn.Budget(restarts=2, steps=60, every=10, polish=10)
ROWS = 90
_r = np.random.default_rng(0)
X = pd.DataFrame({"load": _r.uniform(0, 10, ROWS), "speed": _r.uniform(-1, 1, ROWS)})
C = pd.DataFrame(
    {
        "wave": _r.uniform(1, 3, ROWS),
        "site": np.array(["north", "south", "west"])[_r.integers(0, 3, ROWS)],
        "night": _r.integers(0, 2, ROWS).astype(bool),
    }
)
Y = np.square(X["load"] - 2 * C["wave"]) + X["speed"].abs() * (1 + C["night"]) + len(C["site"])
WIDTH = 6
ONE = {"wave": 2.0, "site": "south", "night": True}


def fit(model=None, X=X, y=Y, context=C, **options):
    model = model or icnn.PICNN(2, WIDTH, (6,), (5,))
    return icnn.fit(model, X, y, context=context, budget=TINY, progress=False, **options)


@pytest.fixture(scope="module")
def s():
    return fit()


def test_columns_are_named(s):
    assert s.columns == ("load", "speed")
    assert s.context_columns == ("wave", "site", "night")
    assert repr(s) == "Surrogate(convex in load, speed given wave, site, night; PICNN)"
    assert repr(s.encoder) == ("ContextEncoder(wave, site (3 categories), night (2 categories))")
    assert fit(context_columns=["a", "b", "c"]).context_columns == ("a", "b", "c")
    plain = fit(icnn.PICNN(2, 1, (6,), (5,)), context=C[["wave"]].to_numpy())
    assert plain.context_columns == ("c0",)
    assert fit(icnn.PICNN(2, 1, (6,), (5,)), context=C["wave"]).context_columns == ("wave",)


def test_the_encoder_standardises_and_knows_categories():
    weight = np.where(np.arange(ROWS) % 2, 0.5, 1.5)
    given = read_contexts(C, None, ROWS)
    encoder = learn_encoder(given, weight)
    codes = encoder.encode(given)
    assert codes.shape == (ROWS, encoder.width) == (ROWS, WIDTH)
    assert np.average(codes[:, 0], weights=weight) == pytest.approx(0, abs=1e-12)
    assert np.average(np.square(codes[:, 0]), weights=weight) == pytest.approx(1)
    np.testing.assert_array_equal(codes[:, 1:4].sum(1), 1)
    np.testing.assert_array_equal(codes[:, 2], C["site"] == "south")
    np.testing.assert_array_equal(codes[:, 5], C["night"])
    assert encoder.categories == (None, ("north", "south", "west"), ("False", "True"))


@pytest.mark.parametrize(
    "context",
    [
        ONE,
        {name: ONE[name] for name in reversed(ONE)},
        [2.0, "south", True],
        (2, "south", "True"),
        np.array([2.0, "south", True], dtype=object),
        pd.Series(ONE),
        pd.Series({**ONE, "price": 3}),
        pd.DataFrame([ONE]),
        pd.DataFrame([{"other": 1, **ONE}]),
        {"wave": np.float64(2), "site": np.str_("south"), "night": np.bool_(True)},
        {"wave": torch.tensor(2.0), "site": "south", "night": 1 == 1},
    ],
    ids=lambda c: type(c).__name__,
)
def test_one_context_in_every_form(s, context):
    f = s.at(context)
    assert isinstance(f, icnn.Network)
    np.testing.assert_array_equal(f(X.to_numpy()), s.at(ONE)(X.to_numpy()))
    near = dict(rtol=1e-13, atol=1e-13 * np.ptp(Y))  # the order of a sum depends on the layout
    np.testing.assert_allclose(s.predict(X, context), f(X.to_numpy()), **near)
    np.testing.assert_allclose(s.predict(X.to_numpy()[0], context), f(X.to_numpy()[0]), **near)
    assert_convex(f, 2)


def test_a_context_for_each_row(s):
    values = s.predict(X, C)
    loop = [s.predict(X.iloc[[k]], C.iloc[[k]])[0] for k in range(ROWS)]
    np.testing.assert_allclose(values, loop, rtol=1e-10, atol=1e-10)
    shuffled = C[["night", "wave", "site"]].assign(more="text")
    np.testing.assert_array_equal(s.predict(X.to_numpy(), shuffled), values)
    np.testing.assert_array_equal(s.predict(X, C.to_numpy(object)), values)
    assert s.predict(X[:0], C[:0]).shape == (0,)
    miss = np.square(Y - values).sum() / np.square(Y - Y.mean()).sum()
    assert s.score(X, Y, C) == pytest.approx(1 - miss)
    assert s.score(X, Y, context=C) > 0.5


def test_a_series_is_a_row_by_its_names_and_a_column_by_its_own(s):
    plain = fit(icnn.PICNN(2, 1, (6,), (5,)), context=C["wave"])
    for column in (C["wave"], C["wave"].set_axis([f"day {k}" for k in range(ROWS)])):
        np.testing.assert_array_equal(plain.predict(X, column), plain.predict(X, C[["wave"]]))
    assert plain.score(X, Y, C["wave"]) == plain.score(X, Y, C[["wave"]])
    with pytest.raises(BadData, match="context has no 'wave'; f depends on wave, site, night"):
        s.at(pd.Series({"height": 2.0, "place": "south", "dark": True}))
    with pytest.raises(BadData, match="context has no 'wave'"):
        plain.at(pd.Series({"height": 2.0}))


def test_texts_and_truth_values_of_numpy_are_categories_too(s):
    rows = [[w, np.str_(t), np.bool_(n)] for w, t, n in C.itertuples(index=False)]
    for table in (rows, np.array(rows, dtype=object)):
        other = fit(context=table)
        assert other.encoder.categories == s.encoder.categories
        np.testing.assert_array_equal(other.predict(X, table), s.predict(X, C))


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_categories_of_every_dtype(s, dtype):
    other = fit(context=C.astype({"site": dtype}))
    np.testing.assert_array_equal(other.predict(X, C), s.predict(X, C))


def test_whole_numbers_may_be_categories():
    table = pd.DataFrame({"line": pd.Categorical(_r.integers(1, 4, ROWS))})
    t = fit(icnn.PICNN(2, 3, (6,), (5,)), context=table)
    assert t.encoder.categories == (("1", "2", "3"),)
    assert t.predict(X, {"line": 2.0})[0] == t.predict(X, ["2"])[0] == t.at(2)(X.to_numpy()[0])


def test_tables_of_every_kind_and_units_that_do_not_matter():
    model, W = icnn.PICNN(2, 1, (6,), (5,)), C[["wave"]].to_numpy()
    plain = fit(model, context=W)
    for table in (C[["wave"]], torch.tensor(W), W.tolist(), C["wave"]):
        np.testing.assert_array_equal(fit(model, context=table).predict(X, W), plain.predict(X, W))
    other = fit(model, context=1e4 * W + 7e4)
    np.testing.assert_allclose(
        other.predict(X, 1e4 * W + 7e4), plain.predict(X, W), atol=1e-3 * np.ptp(Y)
    )


def test_rows_of_weight_zero_have_no_influence():
    weight = (np.arange(ROWS) % 3 > 0).astype(float)
    changed = C.copy()
    changed.loc[weight == 0, "wave"] = 1e5
    first, second = (fit(context=c, sample_weight=weight) for c in (C, changed))
    np.testing.assert_array_equal(first.predict(X, C), second.predict(X, C))


@pytest.mark.parametrize("concave", [False, True])
def test_files_keep_contexts_bit_for_bit(concave, tmp_path):
    s = fit(y=-Y if concave else Y, concave=concave)
    icnn.save(s, tmp_path / "m.icnn")
    loaded = icnn.load(tmp_path / "m.icnn")
    np.testing.assert_array_equal(loaded.predict(X, C), s.predict(X, C))
    np.testing.assert_array_equal(loaded.at(ONE)(X.to_numpy()), s.at(ONE)(X.to_numpy()))
    assert loaded.context_columns == s.context_columns
    assert loaded.encoder.categories == s.encoder.categories
    assert loaded.model.config == s.model.config


def test_minimize_and_maximize_at_a_context(s):
    for context in (ONE, {**ONE, "wave": 1.5}):
        d = icnn.minimize(s, context=context)
        assert d.value == pytest.approx(s.predict(d.x, context), rel=1e-12)
        np.testing.assert_allclose(
            d.value,
            icnn.minimize(s.at(context), bounds=list(zip(s.lower, s.upper, strict=True))).value,
        )
    gain = fit(y=-Y, concave=True)
    up = icnn.maximize(gain, context=ONE)
    assert up.value == pytest.approx(gain.predict(up.x, ONE), rel=1e-12)


def test_sums_align_contexts_by_name(s):
    other = fit(icnn.PICNN(2, 1, (6,), (5,)), context=C[["wave"]]).rename({"wave": "wind"})
    free = fit(icnn.FICNN(2, (6,)), context=None)
    total = 2.0 * s + other.rename({"load": "other load"}) + free
    assert total.context_columns == ("wave", "site", "night", "wind")
    table = C.assign(wind=C["wave"][::-1].to_numpy())
    rows = X.assign(**{"other load": 10 - X["load"]})
    parts = 2 * s.predict(X, C) + free.predict(X)
    parts += other.predict(np.column_stack([10 - X["load"], X["speed"]]), table[["wind"]])
    np.testing.assert_allclose(total.predict(rows, table), parts, rtol=1e-12)
    one = dict(table.iloc[3])
    np.testing.assert_allclose(total.at(one)(rows[list(total.columns)].to_numpy()[3]), parts[3])
    assert icnn.minimize(total, context=one).success
    same = s + s
    np.testing.assert_allclose(same.predict(X, C), 2 * s.predict(X, C), rtol=1e-12)
    assert same.context_columns == s.context_columns


def test_rename_reaches_the_context(s):
    renamed = s.rename({"wave": "height", "load": "wave"})
    assert (renamed.columns, renamed.context_columns[0]) == (("wave", "speed"), "height")
    assert s.context_columns[0] == "wave"
    values = renamed.predict(X.to_numpy(), C.rename(columns={"wave": "height"}))
    np.testing.assert_array_equal(values, s.predict(X, C))


BAD_FITS = {
    "wrong width": (dict(context=C[["wave"]]), "the model takes a context of 6 numbers, .* has 1"),
    "none": (dict(context=None), r"the model takes a context of 6 numbers; give fit\(.*context=C"),
    "free": (dict(model=icnn.FICNN(2)), r"this FICNN takes none; use .* n_context=6"),
    "nan": (dict(context=C.assign(wave=np.nan)), "context column 'wave'.* is empty"),
    "one nan": (
        dict(context=C.assign(wave=C["wave"].where(C.index != 7))),
        "context column 'wave', row 7 is nan",
    ),
    "one text missing": (
        dict(context=C.assign(site=C["site"].where(C.index != 7))),
        "context column 'site', row 7 is missing",
    ),
    "inf": (dict(context=C.assign(wave=np.inf)), "context column 'wave', row 0 is inf"),
    "constant": (dict(context=C.assign(wave=3.5)), r"context column 'wave' is constant \(3\.5\)"),
    "one category": (dict(context=C.assign(site="a")), r"context column 'site' is constant \(a\)"),
    "identifier": (
        dict(context=C.assign(site=[f"m{k}" for k in range(ROWS)])),
        "context column 'site' has another category in each row; leave it out",
    ),
    "both": (dict(context=C.rename(columns={"wave": "load"})), "'load' is both a decision and a"),
    "duplicate": (dict(context=C.set_axis(["a", "b", "a"], axis=1)), "'a' appears more than once"),
    "short": (dict(context=C[:5]), r"context column 'wave' has shape \(5,\), but X has 90 rows"),
    "vector": (dict(context=C["wave"].to_numpy()), r"context has shape \(90,\); expected"),
    "mixed": (dict(context=C.assign(wave=[*C["wave"][1:], "?"])), r"row 89: '\?' is not a number"),
    "names": (dict(context_columns=["a"]), "1 column names"),
    "dates": (dict(context=C.assign(wave=pd.date_range("2026", periods=ROWS))), "a date is not"),
    "no columns": (dict(context=C[[]]), "context has no columns"),
    "unnamed": (dict(context=C.set_axis(["a", "b", None], axis=1)), "column 2 has no name"),
}


@pytest.mark.parametrize("name", BAD_FITS)
def test_bad_contexts_of_fit(name):
    options, sentence = BAD_FITS[name]
    with pytest.raises(BadData, match=sentence):
        fit(**options)


BAD = {
    "none": (None, "f depends on the context wave, site, night; give context={'wave': …"),
    "wrong width": ([1.0, 2.0], r"context has shape \(2,\), but f depends on 3 column\(s\): wave"),
    "missing": ({"wave": 1.0, "site": "west"}, "context has no 'night'; f depends on wave"),
    "foreign": ({**ONE, "wafe": 1.0}, "context names 'wafe', but f depends on wave, site, night"),
    "unseen": (
        {**ONE, "site": "east"},
        "context column 'site': 'east' was not in the table; its categories are north, south, west",
    ),
    "nan": ({**ONE, "wave": np.nan}, "context column 'wave' is nan; give a finite number"),
    "inf": ({**ONE, "wave": "1e400"}, "context column 'wave' is inf; give a finite number"),
    "nan category": (
        {**ONE, "site": None},
        "context column 'site' is missing; give one of north, south, west",
    ),
    "text": ({**ONE, "wave": "high"}, "context column 'wave': 'high' is not a number"),
    "date": ({**ONE, "wave": np.datetime64("2026-01-01", "ns")}, "a date is not a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_contexts_of_a_surrogate(s, name):
    context, sentence = BAD[name]
    for ask in (s.at, lambda c: s.predict(X, c), lambda c: s.score(X, Y, c), (s + s).at):
        with pytest.raises(BadData, match=sentence):
            ask(context)
    with pytest.raises(BadData):
        icnn.minimize(s, context=context)


def test_a_context_that_nobody_takes(s):
    free = fit(icnn.FICNN(2, (6,)), context=None)
    for ask in (free.at, lambda c: free.predict(X, c), (free + free).at):
        with pytest.raises(BadData, match="a context was given, but f was fitted without one"):
            ask(ONE)
    for f in (free, free.at()):
        with pytest.raises(BadData, match="a context was given"):
            icnn.minimize(f, context=ONE)


def test_contexts_of_the_wrong_length(s):
    with pytest.raises(BadData, match="context has 90 rows, but one context is needed here"):
        s.at(C)
    with pytest.raises(BadData, match=r"context column 'wave' has shape \(5,\), but X has 90 rows"):
        s.predict(X, C[:5])
    with pytest.raises(BadData, match="is a decision of one term and a context of another"):
        s + s.rename({"load": "wave", "wave": "height"})
    with pytest.raises(BadData, match="no column 'price' to rename"):
        s.rename({"price": "p"})
    with pytest.raises(BadData, match="'load' appears more than once"):
        s.rename({"wave": "load"})
