"""The command line: what it prints, its exit codes, and one line for each mistake."""

import json
import subprocess
import sys

import numpy as np
import pytest

import icnn
from icnn import cli, commands, demo
from icnn.decide.decision import Status

ROWS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table and a model of its two columns."""
    folder = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 10, ROWS), rng.uniform(-2, 2, ROWS)])
    y = (X[:, 0] - 4) ** 2 + X[:, 1] ** 2 + 1
    lines = [f"{i},m{i},{a},{b},{c}" for i, ((a, b), c) in enumerate(zip(X, y, strict=True))]
    (folder / "gap.csv").write_text("a,day,cost\n1,x,1\n2,,2\n")
    (folder / "t.csv").write_text("\n".join(["id,name,a,b c,cost", *lines]) + "\n")
    options = {"budget": icnn.Budget(steps=50, polish=5), "columns": ["a", "b c"]}
    icnn.save(icnn.fit(icnn.MaxAffine(2, 8), X, y, **options), folder / "m.icnn")
    f = icnn.fit(icnn.MaxAffine(2, 8), X, -y, concave=True, **options)
    icnn.save(f, folder / "gain.icnn")
    _waves(folder, rng)
    return folder


def _waves(folder, rng):
    """A table and a model of a decision with a context of a number, a text and a truth value."""
    a, wave = rng.uniform(0, 10, ROWS), rng.uniform(1, 3, ROWS)
    site, calm = rng.integers(0, 2, ROWS), rng.integers(0, 2, ROWS)
    y = (a - 2 * wave) ** 2 + site + calm
    lines = [
        f"{r[0]},{r[1]},{['north', 'south east'][r[2]]},{bool(r[3])},{r[4]}"
        for r in zip(a, wave, site, calm, y, strict=True)
    ]
    (folder / "waves.csv").write_text("\n".join(["a,wave,site,calm,cost", *lines]) + "\n")
    argv = ["fit", str(folder / "waves.csv"), "--target", "cost", "--steps", "60"]
    argv += ["--context", "wave,site,calm", "--out", str(folder / "w.icnn")]
    assert cli.main(argv) == 0


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """Run a command in the folder: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)

    def run(*argv):
        code = cli.main(argv)
        return code, *capsys.readouterr()

    return run


def refused(run, *argv):
    """The one line on stderr of a command that cannot be done."""
    code, out, err = run(*argv)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("icnn: ")
    assert "Traceback" not in out + err
    return err.removeprefix("icnn: ").rstrip()


@pytest.mark.parametrize("argv", [[], ["demo"], ["fit"], ["minimize"], ["maximize"]])
def test_help_is_readable_and_has_an_example(run, argv):
    code, out, err = run(*argv, "--help")
    assert (code, err) == (0, "")
    assert "usage: icnn" in out
    assert not argv or f"example:\n  icnn {argv[0][:3]}" in out
    assert max(map(len, out.splitlines())) <= 100


def test_python_m_icnn():
    done = subprocess.run(
        [sys.executable, "-m", "icnn", "--help"], capture_output=True, text=True, check=True
    )
    assert "usage: icnn" in done.stdout
    assert done.stderr == ""


def test_version(run):
    assert run("--version")[1].startswith("icnn 0.")


def test_fit_then_minimize(run, folder):
    options = ["--target", "cost", "--out", "new.icnn", "--steps", "5", "--model", "maxaffine"]
    code, out, err = run("fit", "t.csv", *options, "--decisions", "a,b c", "--seed", "3")
    assert (code, err) == (0, "")
    assert "Left out (not listed): id, name.\n" in out
    assert "Learned cost as a convex function from 60 rows" in out
    assert "R² on the table: " in out
    f = icnn.load(folder / "new.icnn")
    assert f.columns == ("a", "b c")
    assert f"{f.lower[0]:.6g} … {f.upper[0]:.6g}" in out
    code, out, _ = run("minimize", "new.icnn")
    assert code == 0
    assert "Columns without --bound stay in the range observed in the table." in out


def test_by_default_all_numeric_columns_decide(run, folder):
    code, out, _ = run(
        *["fit", "t.csv", "--target", "cost", "--concave", "--steps", "3", "--out", "all.icnn"]
    )
    assert code == 0
    assert "Left out (not numeric or without a name): name.\n" in out
    assert "as a concave function" in out
    assert icnn.load(folder / "all.icnn").columns == ("id", "a", "b c")


@pytest.mark.parametrize("model", sorted(set(commands.MODELS) - {"picnn"}))
def test_every_model_can_be_chosen(run, folder, model):
    options = ["--target", "cost", "--steps", "1", "--model", model, "--out", "one.icnn"]
    assert run("fit", "t.csv", "--decisions", "a", *options)[0] == 0
    assert isinstance(icnn.load(folder / "one.icnn").model, commands.MODELS[model])


def test_a_mixture_can_be_chosen_and_minimised(run, folder):
    options = ["--target", "cost", "--steps", "60", "--model", "auto", "--out", "mix.icnn"]
    assert run("fit", "t.csv", "--decisions", "a", *options)[0] == 0
    code, out, _ = run("minimize", "mix.icnn")
    assert code == 0
    assert "The decision is optimal" in out


AT = ("--at", "wave=2", "--at", "site=south east", "--at", "calm=False")


def test_a_context_is_named_by_fit_and_given_by_minimize(run, folder):
    f = icnn.load(folder / "w.icnn")
    assert isinstance(f.model, icnn.PICNN)
    assert f.columns == ("a",)
    assert f.context_columns == ("wave", "site", "calm")
    code, out, err = run("minimize", "w.icnn", *AT, "--out", "d.json")
    assert (code, err) == (0, "")
    assert "At wave = 2, site = south east, calm = False." in out
    expected = icnn.minimize(f, context={"wave": 2.0, "site": "south east", "calm": False})
    found = json.loads((folder / "d.json").read_text())
    assert found["value"] == pytest.approx(expected.value, rel=1e-12)
    assert found["context"] == {"wave": 2.0, "site": "south east", "calm": "False"}
    assert f.predict(list(found["x"].values()), found["context"]) == pytest.approx(found["value"])
    options = ["--target", "cost", "--steps", "2", "--out", "v.icnn", "--decisions", "a"]
    code, out, _ = run("fit", "waves.csv", *options, "--context", "wave", "--model", "maxaffine")
    assert code == 0
    assert "Left out (not listed): site, calm.\n" in out
    assert "Context, to be given by --at: wave\n" in out
    assert icnn.load(folder / "v.icnn").model.n_context == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "the model depends on the context wave, site, calm; add --at wave=VALUE for wave"),
        (AT[:2], "add --at site=VALUE for site, calm"),
        ((*AT, "--at", "wave=3"), "--at names column 'wave' more than once"),
        (("--at", "tide=3"), "--at names column 'tide', but the columns are wave, site, calm"),
        (("--at", "a=3"), "--at names column 'a', but the columns are wave, site, calm"),
        (("--at", "wave"), "--at 'wave' is not of the form COL=VALUE, as a=3"),
        (("--at", "wave=high", *AT[2:]), "context column 'wave': 'high' is not a number"),
        (("--at", "wave=nan", *AT[2:]), "context column 'wave' is nan; give a finite number"),
        ((*AT[:2], "--at", "site=west", *AT[4:]), "'west' was not in the table; its categories"),
        ((*AT[:4], "--at", "calm=no"), "'no' was not in the table; its categories are False, True"),
    ],
)
def test_bad_values_of_a_context_are_one_line(run, options, sentence):
    assert sentence in refused(run, "minimize", "w.icnn", *options)


def test_a_context_for_a_model_without_one(run):
    sentence = "--at 'a=3': the model has no context; leave --at out"
    assert refused(run, "minimize", "m.icnn", "--at", "a=3") == sentence


WAVES = ("fit", "waves.csv", "--target", "cost", "--out", "x.icnn")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--context", "zz"), "--context: there is no column 'zz' among a, wave, site"),
        (("--context", "cost"), "--context: 'cost' is the target; leave it out"),
        (("--context", "wave,wave"), "--context names column 'wave' more than once"),
        (("--context", ""), "--context names no column; write it as a,b,c"),
        (("--context", "a", "--decisions", "a"), "'a' is in --decisions and in --context"),
        (("--context", "wave", "--model", "ficnn"), "--model ficnn takes no context; use --model"),
        (("--context", "wave", "--model", "relusum"), "--model relusum takes no context"),
        (("--model", "picnn"), "--model picnn needs the columns of --context"),
    ],
)
def test_bad_contexts_of_fit_are_one_line(run, options, sentence):
    assert sentence in refused(run, *WAVES, *options)


def test_minimize_does_what_the_library_does(run, folder):
    code, out, err = run(
        *["minimize", "m.icnn", "--bound", "a=:3", "--where", "0.5 <= `b c` <= 1"],
        *["--fix", "a=2", "--out", "d.json"],
    )
    assert (code, err) == (0, "")
    found = json.loads((folder / "d.json").read_text())
    f = icnn.load(folder / "m.icnn")
    expected = icnn.minimize(f, bounds={"a": (2, 2), "b c": (0.5, 1)})
    assert found["value"] == pytest.approx(expected.value, abs=1e-9)
    assert found["context"] == {}
    assert found["x"] == pytest.approx({"a": 2.0, "b c": found["x"]["b c"]})
    assert 0.5 - 1e-9 <= found["x"]["b c"] <= 1 + 1e-9
    assert found["success"] is True
    assert found["status"] == "optimal"
    assert found["bound"] <= found["value"]
    assert found["conditions"] == ["0.5 <= `b c` <= 1"]
    assert list(found["multipliers"]) == ["rows", "lower", "upper"]
    names = ("gap", "violation", "message", "solver", "seconds")
    assert all(found[name] is not None for name in names)
    assert "fixed" in out
    assert "no allowed point has a value below it: certified" in out


def test_a_concave_model_is_maximised(run):
    for command in ("minimize", "maximize"):
        code, out, _ = run(command, "gain.icnn")
        assert code == 0
        assert "The model is concave, so this is its greatest value." in out
    assert refused(run, "maximize", "m.icnn").startswith("maximize of a convex function is not")


def test_whole_numbers_and_open_ends(run, folder):
    code, out, _ = run(
        *["minimize", "m.icnn", "--integer", "a", "--bound", "a=0:", "--out", "d.json"]
    )
    assert code == 0
    found = json.loads((folder / "d.json").read_text())
    assert found["x"]["a"] == round(found["x"]["a"])
    assert found["certified"] is False
    assert found["multipliers"]["rows"] == []
    assert found["multipliers"]["lower"] == {"a": None, "b c": None}
    assert "given, whole number" in out
    assert "≥ 0" in out
    assert "the solver's own bound" in out


def test_a_network_has_no_observed_range(run, folder):
    icnn.save(icnn.affine([1.0, 2.0], 3.0), folder / "net.icnn")
    code, out, err = run("minimize", "net.icnn")
    assert code == 1
    assert "any number" in out
    assert "improves without end along" in err
    assert run("minimize", "net.icnn", "--bound", "x0=0:1", "--bound", "x1=0:1")[0] == 0


def test_no_decision_is_code_1_and_still_written(run, folder):
    code, out, err = run("minimize", "m.icnn", "--where", "a <= -5", "--out", "none.json")
    assert code == 1
    assert err.startswith("icnn: no certified decision: The bounds and constraint rows contradict")
    assert err.count("\n") == 1
    assert "0    a <= -5" in out
    text = (folder / "none.json").read_text()
    found = json.loads(text)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert found["success"] is False
    assert found["status"] == Status.INFEASIBLE.name.lower()
    assert found["x"] == {"a": None, "b c": None}
    assert found["value"] is None
    assert not list(folder.glob(".*partial"))


def test_the_demo_tells_the_whole_story(run, folder, monkeypatch):
    code, out, err = run("demo", "--steps", "60", "--out", "demo.png")
    assert (code, err) == (0, "")
    for part in ("To decide", "within 1150 K", "Certificate", "gap", "best recorded row"):
        assert part in out
    assert "1.7675" in out  # the true optimum within both limits
    for part in ("true regret", "true temperature", "true slip", "of the limit"):
        assert part in out
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert demo.OUT == "icnn-demo.png"


FIT = ("fit", "t.csv", "--target", "cost", "--out", "x.icnn")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ((), "the following arguments are required: COMMAND; see icnn --help"),
        (("bogus",), "argument COMMAND: invalid choice: 'bogus'"),
        (("fit",), "the following arguments are required: TABLE.csv, --target, --out"),
        (("minimize", "m.icnn", "--fox", "1"), "unrecognized arguments: --fox 1"),
        (("fit", "no.csv", *FIT[2:]), "no.csv: No such file or directory"),
        (("fit", ".", *FIT[2:]), ".: Is a directory"),
        ((*FIT, "--target", "zz"), "--target: there is no column 'zz' among id, name, a, b c"),
        ((*FIT, "--target", "name"), "column 'name', row 0: 'm0' is not a number"),
        ((*FIT, "--decisions", "zz"), "--decisions: there is no column 'zz' among"),
        ((*FIT, "--decisions", "name"), "column 'name', row 0: 'm0' is not a number"),
        ((*FIT, "--decisions", "a,cost"), "'cost' is the target; leave it out"),
        ((*FIT, "--decisions", "a,a"), "--decisions names column 'a' more than once"),
        ((*FIT, "--decisions", ""), "--decisions names no column; write it as a,b,c"),
        ((*FIT, "--out", "t.csv"), "--out t.csv would overwrite the input; name another file"),
        ((*FIT, "--out", "no/x.icnn"), "--out no/x.icnn: there is no folder no; make it first"),
        ((*FIT, "--out", "/dev/null"), "that is no ordinary file; name another"),
        ((*FIT, "--steps", "0"), "--steps 0: training takes at least one step"),
        ((*FIT, "--steps", "x"), "argument --steps: 'x' is not a whole number from 0 to"),
        ((*FIT, "--seed", "-1"), "argument --seed: '-1' is not a whole number from 0 to"),
        ((*FIT, "--model", "tree"), "argument --model: invalid choice: 'tree'"),
        ((*FIT, "--separator", ",,"), "--separator ',,': it is one character, or the word tab"),
        (("minimize", "no.icnn"), "no.icnn does not exist or is not a file"),
        (("minimize", "t.csv"), "t.csv is not an icnn file"),
        (("minimize", "m.icnn", "--out", "m.icnn"), "would overwrite the input"),
        (("demo", "--out", "x.bmp"), "the name of a picture ends in .png, .svg, .pdf"),
    ],
)
def test_bad_input_is_one_line(run, argv, sentence):
    assert sentence in refused(run, *argv)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--bound=a", "--bound 'a' is not of the form COL=LOW:HIGH, as a=0:10"),
        ("--bound=a=1", "is not of the form COL=LOW:HIGH"),
        ("--bound=a=nan:1", "is not of the form COL=LOW:HIGH"),
        ("--bound=zz=0:1", "--bound names column 'zz', but the columns are a, b c"),
        ("--bound=a=3:2", "column 'a': no number lies between the bounds 3 and 2"),
        ("--fix=a", "--fix 'a' is not of the form COL=VALUE, as a=3"),
        ("--fix=a=inf", "is not of the form COL=VALUE"),
        ("--fix=zz=1", "--fix names column 'zz', but the columns are a, b c"),
        ("--fix=a=99", "lies outside its bounds"),
        ("--fix=a=99", "widen them by --bound COL=LOW:HIGH"),
        ("--integer=zz", "--integer names column 'zz', but the columns are a, b c"),
        ("--where=a + 2*?a <= 5", "--where at character 7: \"a + 2*?a <= 5\": unexpected '?'"),
        ("--where=zz <= 1", "there is no column 'zz'; the columns are a, b c"),
        ("--where", "expected one argument; a value that begins with '-' is written with ="),
    ],
)
def test_bad_options_of_minimize_are_one_line(run, option, sentence):
    assert sentence in refused(run, "minimize", "m.icnn", option)


def test_an_option_for_one_column_twice(run):
    twice = ("--bound", "a=0:1", "--bound", "a=1:2")
    assert refused(run, "minimize", "m.icnn", *twice) == "--bound names column 'a' more than once"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "bad.csv is empty; it needs a header and rows"),
        (b"a,y\n", "bad.csv has a header but no rows"),
        (b"a,a,y\n1,2,3\n", "bad.csv: column 'a' appears more than once; rename one of them"),
        (b"a;y\n1;2\n", "bad.csv seems to be separated by ';'; say --separator ';'"),
        (b"a\ty\n1\t2\n", "say --separator 'tab'"),
        (b"a,y\n1,2,3\n3,4,5\n", "bad.csv has rows with more fields than its header has names"),
        (b"a,y\n1,2\n3,4,5\n", "bad.csv is not a CSV table: Expected 2 fields in line 3, saw 3"),
        (b"a,y\n1,\xe9\n", "bad.csv is not text in UTF-8 (byte 0xe9 at 6); save it as CSV"),
        (b"a,y\nu,1\nv,2\n", "no column but the target 'y' is numeric: a, y"),
        (b"a,y\n1,1\n,2\n3,3\n4,4\n", "column 'a', row 1 is nan; remove or fill the row"),
        (b"a,y\n1,1\n2,\n3,3\n4,4\n", "column 'y', row 1 is nan; remove or fill the row"),
        (b"a,y\n1,1\n1,2\n1,3\n1,4\n", "column 'a' is constant (1.0); leave it out"),
        (b"a,y\n1,2\n", "the table has 1 row(s); a fit needs at least"),
    ],
)
def test_what_is_not_a_table(run, folder, content, sentence):
    (folder / "bad.csv").write_bytes(content)
    assert sentence in refused(run, "fit", "bad.csv", "--target", "y", "--out", "x.icnn")
    assert not (folder / "x.icnn").exists()


def test_other_separators_byte_order_marks_and_nameless_columns(run, folder):
    rows = "".join(f"{i}\t{i}\t{(i - 3) ** 2}\n" for i in range(8))
    (folder / "tab.csv").write_bytes(b"\xef\xbb\xbf\ta\t y\n" + rows.encode())
    code, out, err = run(
        *["fit", "tab.csv", "--target", "y", "--separator", "tab", "--steps", "2"],
        *["--out", "tab.icnn"],
    )
    assert (code, err) == (0, "")
    assert "Left out (not numeric or without a name): Unnamed: 0." in out
    assert icnn.load(folder / "tab.icnn").columns == ("a",)


def test_an_interrupt_is_code_130(run, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("icnn.store.load", interrupted)
    assert run("minimize", "m.icnn") == (130, "", "icnn: interrupted\n")


def test_a_full_disk_does_not_lose_the_decision(run, monkeypatch):
    def full(text, path):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr("icnn.report.write_text", full)
    code, out, err = run("minimize", "m.icnn", "--out", "d.json")
    assert (code, err) == (2, "icnn: d.json: No space left on device\n")
    assert "no allowed point" in out


def test_the_reader_may_leave_early(folder):
    line = f"{sys.executable} -m icnn minimize m.icnn | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_few_cells_of_text_do_not_drop_a_column(run, folder):
    rows = "".join(f"{k},{k % 5},{k * k}\n" for k in range(20)).replace("7,2,49", "oops,2,49")
    (folder / "spoiled.csv").write_text("a,b,cost\n" + rows)
    code, _, err = run("fit", "spoiled.csv", "--target", "cost", "--out", "x.icnn")
    assert code == 2
    assert "column 'a', row 7 (line 9 of the file): 'oops' is not a number" in err


def test_fit_holds_out_whole_groups_of_the_named_columns(run, monkeypatch):
    asked = []

    def recording(model, X, y, **options):
        asked.append((list(X), options["groups"]))
        return icnn.fit(model, X, y, **options)

    monkeypatch.setattr(commands, "learn", recording)
    argv = ["fit", "waves.csv", "--target", "cost", "--steps", "5", "--out", "g.icnn"]
    assert run(*argv, "--context", "wave,site", "--groups", "site,calm")[0] == 0
    (decisions, labels), *_ = asked
    assert decisions == ["a"]  # a label is no decision unless it is listed
    assert labels.nunique() == 4
    run(*argv, "--decisions", "a,wave")
    assert asked[1][1] is None
    assert "--groups: there is no column 'day'" in refused(run, *argv, "--groups", "day")
    assert refused(run, "fit", "gap.csv", *argv[2:], "--groups", "day") == (
        "--groups: column 'day' is empty in row 1 (line 3 of the file)"
    )
