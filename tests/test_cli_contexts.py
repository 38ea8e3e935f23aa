"""`icnn minimize --contexts`: a table of contexts in, the same table with its decisions out."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from context_zoo import SHORT, sites, table
from scipy.optimize import LinearConstraint

import icnn
from icnn import cli

ROWS = pd.DataFrame(
    {
        "when": ["mon", "tue", "wed", "thu"],
        "wind": [0.1, -0.4, 0.7, 0.2],
        "site": ["north", "south", "north", "south"],
    }
)
FIGURES = ["value", "bound", "gap", "violation", "status", "message"]
needs_parquet = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="Parquet needs pyarrow"
)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run a command in a folder with a model and its contexts: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    icnn.save(sites(), "sites.icnn")
    ROWS.to_csv("contexts.csv", index=False)

    def run(*argv):
        capsys.readouterr()
        code = cli.main(argv)
        return code, *capsys.readouterr()

    return run


MANY = ("minimize", "sites.icnn", "--contexts", "contexts.csv", "--out", "decisions.csv")


def assert_rows(frame, **arguments):
    """Each row is the single decision at its context."""
    assert list(frame)[:3] == list(ROWS)
    assert list(frame)[3:] == ["a", "b", "c", *FIGURES]
    for i, row in frame.iterrows():
        d = icnn.minimize(sites(), context={k: row[k] for k in ("wind", "site")}, **arguments)
        assert row["value"] == pytest.approx(d.value, abs=1e-7 * d.scale)
        assert row["bound"] == pytest.approx(d.bound, abs=1e-6 * d.scale)
        assert row["gap"] == pytest.approx(row["value"] - row["bound"], abs=1e-12 * d.scale)
        assert (row["status"], ROWS["when"][i]) == ("optimal", row["when"])
        x = row[["a", "b", "c"]].to_numpy(dtype=float)
        value = sites().predict(x, {k: row[k] for k in ("wind", "site")})
        assert value == pytest.approx(row["value"], abs=1e-9 * d.scale)


def test_a_decision_a_row(run):
    code, out, err = run(*MANY)
    assert (code, err) == (0, "")
    assert out.startswith("Decided 4 of 4 rows with proof in ")
    assert out.endswith("Decisions: decisions.csv\n")
    frame = pd.read_csv("decisions.csv")
    assert_rows(frame)
    assert frame["message"].isna().all()


def test_bounds_conditions_and_fixed_columns_hold_for_all_rows(run):
    options = ("--bound", "a=-0.5:0.5", "--where", "b + c <= 0.1", "--fix", "b=0.25")
    assert run(*MANY, *options)[0] == 0
    row = LinearConstraint([[0, 1, 1]], ub=0.1)
    frame = pd.read_csv("decisions.csv")
    assert_rows(frame, bounds={"a": (-0.5, 0.5)}, constraints=row, fixed={"b": 0.25})
    assert (frame["b"] == 0.25).all()


def test_whole_numbers(run):
    assert run(*MANY, "--integer", "a")[0] == 0
    frame = pd.read_csv("decisions.csv")
    assert_rows(frame, integrality={"a": 1})
    assert (frame["a"] == frame["a"].round()).all()


def test_at_gives_what_the_table_lacks(run):
    ROWS.drop(columns="site").to_csv("contexts.csv", index=False)
    code, out, err = run(*MANY)
    assert (code, out) == (2, "")
    assert "contexts.csv has no column 'site'; the model depends on wind, site" in err
    assert run(*MANY, "--at", "site=south")[0] == 0
    frame = pd.read_csv("decisions.csv")
    d = icnn.minimize(sites(), context={"wind": ROWS["wind"][2], "site": "south"})
    assert frame["value"][2] == pytest.approx(d.value, abs=1e-7 * d.scale)


def test_rows_that_cannot_be_decided_say_why_and_change_no_other(run):
    assert run(*MANY)[0] == 0
    good = pd.read_csv("decisions.csv")
    bad = ROWS.astype(object)
    bad.loc[1, "wind"] = "calm"
    bad.loc[3, "site"] = "west"
    bad.to_csv("contexts.csv", index=False)
    code, out, err = run(*MANY)
    assert code == 1
    assert err == (
        "icnn: no certified decision: 2 of 4 rows; decisions.csv says why in its last column\n"
    )
    assert "Decided 2 of 4 rows" in out
    assert "Rows: 2. The row could not be read." in out
    frame = pd.read_csv("decisions.csv")
    columns = ["a", "b", "c", *FIGURES[:-1]]
    pd.testing.assert_frame_equal(frame.loc[[0, 2], columns], good.loc[[0, 2], columns])
    assert frame.loc[[1, 3], ["a", "b", "c", "value"]].isna().all(axis=None)
    assert frame["message"][1] == "context column 'wind': 'calm' is not a number"
    assert "'west' was not in the table" in frame["message"][3]


def test_rows_without_a_point(run):
    code, _, err = run(*MANY, "--where", "a + b >= 99")
    assert (code, "4 of 4 rows" in err) == (1, True)
    frame = pd.read_csv("decisions.csv")
    assert set(frame["status"]) == {"infeasible"}
    assert frame["message"].str.startswith("The bounds and constraint rows contradict").all()


def test_columns_with_the_names_of_decisions_give_way(run):
    ROWS.assign(a=1.0, value=2.0).to_csv("contexts.csv", index=False)
    code, out, _ = run(*MANY)
    assert code == 0
    assert "Left out, as the decisions have these names: a, value.\n" in out
    assert_rows(pd.read_csv("decisions.csv"))


@pytest.mark.parametrize("command", ["minimize", "maximize"])
def test_a_concave_model_is_maximised(run, command):
    X, C, y = table()
    gain = icnn.fit(icnn.PICNN(3, 2, hidden=(6,)), X, -y, context=C, concave=True, budget=SHORT)
    icnn.save(gain, "gain.icnn")
    pd.DataFrame(C[:3], columns=["c0", "c1"]).to_csv("contexts.csv", index=False)
    code, out, _ = run(command, "gain.icnn", *MANY[2:])
    assert code == 0
    assert "The model is concave, so these are its greatest values." in out
    frame = pd.read_csv("decisions.csv")
    for i in range(3):
        d = icnn.maximize(gain, context=C[i])
        assert frame["value"][i] == pytest.approx(d.value, abs=1e-7 * d.scale)
        assert frame["bound"][i] >= frame["value"][i] - 1e-9 * d.scale


def test_other_separators(run):
    ROWS.to_csv("contexts.csv", index=False, sep=";")
    assert run(*MANY, "--separator", ";")[0] == 0
    assert_rows(pd.read_csv("decisions.csv", sep=";"))


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (MANY[:-2], "--contexts needs a file for its decisions, such as --out decisions.csv"),
        ((*MANY[:-1], "d.json"), "such as --out decisions.csv, not --out d.json"),
        ((*MANY[:-1], "contexts.csv"), "--out contexts.csv would overwrite the input"),
        ((*MANY, "--at", "wind=1"), "--at names 'wind', which is a column of contexts.csv too"),
        ((*MANY, "--at", "zz=1"), "--at names column 'zz', but the columns are wind, site"),
        ((*MANY, "--bound", "zz=0:1"), "--bound names column 'zz'"),
        ((*MANY[:2], "--contexts", "no.csv", *MANY[4:]), "no.csv: No such file or directory"),
        (("maximize", *MANY[1:]), "maximize of a convex function is not a convex problem"),
    ],
)
def test_bad_input_is_one_line(run, argv, sentence):
    code, out, err = run(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_tables_without_a_readable_row_or_any_row(run):
    ROWS.assign(wind=np.nan).to_csv("contexts.csv", index=False)
    assert "none of the 4 rows can be read; row 0: context column 'wind' is nan" in run(*MANY)[2]
    ROWS[:0].to_csv("contexts.csv", index=False)
    assert "contexts.csv has a header but no rows" in run(*MANY)[2]


def test_a_model_without_a_context(run):
    icnn.save(icnn.affine([1.0, 2.0]), "net.icnn")
    code, _, err = run("minimize", "net.icnn", *MANY[2:])
    assert code == 2
    assert "--contexts contexts.csv: the model has no context; leave --contexts out" in err


def test_parquet_without_its_library(run, monkeypatch):
    monkeypatch.setattr("icnn.sheet.find_spec", lambda name: None)
    for argv in ((*MANY[:-1], "d.parquet"), (*MANY[:3], "c.parquet", *MANY[4:])):
        code, out, err = run(*argv)
        assert (code, out) == (2, "")
        assert "Parquet needs pyarrow; pip install pyarrow, or use a CSV file" in err


@needs_parquet
def test_parquet_in_and_out(run):
    ROWS.astype({"site": "category"}).to_parquet("contexts.parquet")
    assert run(*MANY[:3], "contexts.parquet", "--out", "decisions.parquet")[0] == 0
    assert_rows(pd.read_parquet("decisions.parquet").astype({"site": str}))


@needs_parquet
def test_what_is_no_parquet(run, tmp_path):
    (tmp_path / "c.parquet").write_text("a,b\n1,2\n")
    code, _, err = run(*MANY[:3], "c.parquet", *MANY[4:])
    assert (code, "c.parquet is not a Parquet table" in err) == (2, True)


def test_an_empty_line_of_one_context_is_a_row(run):
    X, C, y = table()
    icnn.save(
        icnn.fit(icnn.PICNN(3, 1, hidden=(6,)), X, y, context=C[:, :1], budget=SHORT), "one.icnn"
    )
    Path("contexts.csv").write_text("c0\n0.1\n\n0.2\n\n", encoding="utf-8")
    code, out, _ = run("minimize", "one.icnn", *MANY[2:])
    assert (code, "Decided 2 of 3 rows" in out) == (1, True)
    assert list(pd.read_csv("decisions.csv")["status"]) == ["optimal", "bad_data", "optimal"]
