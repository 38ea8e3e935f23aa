"""What cannot be decided: infeasible, unbounded, out of time, inaccurate; and bad arguments."""

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint
from scipy.sparse import coo_array, csr_array
from zoo import NETWORKS, draw

import icnn
from icnn import BadData, NotSolved, Status, errors
from icnn.solvers import HiGHS

F = NETWORKS["relu-2-8"].f
BOX = [(-1.0, 1.0)] * 2
ROUND = NETWORKS["flat"].f  # bounded below


def minimize(f=F, **options):
    return icnn.minimize(f, **{"bounds": BOX, **options})


CONTRADICTIONS = {
    "row": LinearConstraint([1, 1], 5, np.inf),
    "equality": LinearConstraint([[1, 1], [1, 1]], [0, 1], [0, 1]),
    "zero-row": LinearConstraint([0, 0], 1, 2),
    "two": [LinearConstraint([1, 0], 0.5, np.inf), LinearConstraint([1, 0], -np.inf, 0.4)],
}


@pytest.mark.parametrize(
    ("name", "bounds"),
    [(name, BOX) for name in CONTRADICTIONS]
    + [(name, None) for name in CONTRADICTIONS if name != "row"],  # feasible without bounds
)
def test_infeasible(name, bounds):
    with pytest.raises(errors.Infeasible, match=r"contradict.* misses rows? \d") as caught:
        minimize(bounds=bounds, constraints=CONTRADICTIONS[name])
    d = caught.value.decision
    assert (d.status, d.success, d.value) == (Status.INFEASIBLE, False, np.inf)
    assert np.isnan(d.x).all()
    assert (
        minimize(bounds=bounds, constraints=CONTRADICTIONS[name], throw=False).message == d.message
    )
    assert issubclass(errors.Infeasible, NotSolved)
    assert issubclass(NotSolved, RuntimeError)


@pytest.mark.parametrize(
    "options",
    [
        dict(bounds=[(0.2, 0.8), (-1, 1)], integrality=[1, 0]),
        dict(integrality=[1, 0], fixed={"x0": 0.5}),
        dict(integrality=1, constraints=LinearConstraint([2, 2], 1, 1)),
    ],
)
def test_no_whole_numbers(options):
    with pytest.raises(errors.Infeasible, match=r"[Nn]o whole number"):
        minimize(**options)


def test_all_columns_fixed_against_a_row():
    with pytest.raises(errors.Infeasible, match="misses row 0"):
        minimize(fixed={"x0": 0.5, "x1": -0.5}, constraints=LinearConstraint([1, 1], 1, 1))


UNBOUNDED = {
    "affine": (icnn.affine([1.0, 0.0]), {}, r"along -1 x0; give bounds for x0"),
    "pair": (icnn.affine([1.0, 2.0]), {}, r"along .*give bounds for x0, x1"),
    "half": (
        icnn.affine([-1.0, 1.0]),
        {"bounds": [(0, None), (0, None)]},
        r"along \+1 x0; give",
    ),
    "row": (
        icnn.affine([1.0, 1.0]),
        {"constraints": LinearConstraint([1, -1], 0, 0)},
        r"along -1 x0 -1 x1",
    ),
    "flat": (ROUND + icnn.affine([0.0, 0.1]), {}, r"along -1 x1; give bounds for x1"),
    "integer": (icnn.affine([1.0, 0.0]), {"integrality": 1}, r"along -1 x0"),
    "integer-relu": (F, {"integrality": 1}, r"along"),
    "integer-half": (F, {"integrality": 1, "bounds": [(0, None), (None, 3)]}, r"along"),
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_unbounded_names_the_direction(name):
    f, options, sentence = UNBOUNDED[name]
    with pytest.raises(errors.Unbounded, match=r"improves without end " + sentence) as caught:
        icnn.minimize(f, **options)
    assert caught.value.decision.value == -np.inf


def test_a_row_that_forbids_the_direction_is_not_unbounded():
    """x0 ≥ 1e-10-ish by a row whose other columns are fixed by their bounds."""
    rows = LinearConstraint([[1.0, 1e10]], 0.0, np.inf)
    d = icnn.minimize(
        icnn.affine([1.0, 0.0]),
        bounds=[(None, 1), (0.2e-9, 1e-9)],
        integrality=[0, 1],
        constraints=rows,
        throw=False,
    )
    assert d.status is Status.INFEASIBLE


@pytest.mark.parametrize("row", [False, True], ids=["box", "row"])
def test_time_limit_keeps_an_incumbent_and_a_valid_bound(row):
    f = NETWORKS["relu-5-16-16"].f
    rows = LinearConstraint(np.ones(5), 0.5, np.inf) if row else ()
    options = dict(f=f, bounds=[(-1, 1)] * 5, constraints=rows)
    with pytest.raises(errors.TimeLimit, match="time limit came first") as caught:
        icnn.minimize(**options, solver=HiGHS(seconds=1e-9))
    d, best = caught.value.decision, icnn.minimize(**options)
    assert d.bound <= best.value <= d.value == f(d.x)
    assert d.violation == 0
    assert not d.success


def test_time_limit_of_branch_and_bound():
    r = np.random.default_rng(0)
    f = icnn.relu_network(*draw(30, (64, 64), 0))
    rows = LinearConstraint(r.normal(size=(5, 30)), -1, 1)
    d = icnn.minimize(
        f,
        bounds=[(-10, 10)] * 30,
        constraints=rows,
        integrality=1,
        solver=HiGHS(seconds=0.3),
        throw=False,
    )
    assert d.status is Status.TIME_LIMIT
    assert d.bound <= d.value


def test_inaccurate_keeps_the_point(monkeypatch):
    from icnn.decide import decision

    monkeypatch.setattr(decision, "TOLERANCE", -1.0)
    with pytest.raises(
        errors.Inaccurate, match="not proved optimal: see gap and violation"
    ) as caught:
        minimize()
    assert caught.value.decision.value == minimize(throw=False).value


BOUNDS = {
    "pairs": [(-1, 1), (-1, 1)],
    "integers": np.array([[-1, 1], [-1, 1]]),
    "Bounds": Bounds([-1, -1], [1, 1]),
    "scalar": Bounds(-1, 1),
    "dict": {"x0": (-1, 1), "x1": [-1.0, 1.0]},
    "iterator": zip([-1, -1], [1, 1], strict=True),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_in_every_form(name):
    np.testing.assert_array_equal(minimize(bounds=BOUNDS[name]).x, minimize().x)


def test_none_is_no_bound():
    d = icnn.minimize(icnn.affine([1.0, -1.0]), bounds=[(2, None), (None, 3)])
    np.testing.assert_array_equal(d.x, [2.0, 3.0])
    assert icnn.minimize(ROUND, bounds={"x0": (0, 1)}).value == 0.0


WRONG = {
    "crossed": (dict(bounds=[(1, 0), (0, 1)]), r"column 'x0': no number lies between .* 1 and 0"),
    "short": (dict(bounds=[(0, 1)]), r"bounds has 1 pairs for 2 columns"),
    "long": (dict(bounds=[(0, 1)] * 3), r"bounds has 3 pairs"),
    "long-Bounds": (dict(bounds=Bounds([0] * 3, [1] * 3)), r"3 entries for 2 columns"),
    "nan": (dict(bounds=[(np.nan, 1), (0, 1)]), r"column 'x0'"),
    "infinite": (dict(bounds=[(np.inf, np.inf), (0, 1)]), r"column 'x0'"),
    "not-pairs": (dict(bounds=(-1, 1)), r"must be a pair \(lower, upper\), not -1"),
    "text": (dict(bounds=[("a", 1), (0, 1)]), r"bounds of column 'x0': 'a' is not a number"),
    "unknown": (dict(bounds={"load": (0, 1)}), r"'load', but the columns are x0, x1"),
    "number": (dict(bounds=3), r"bounds"),
    "fixed-outside": (dict(fixed={"x0": 5}), r"fixed column 'x0' = 5 lies outside .*\[-1, 1\]"),
    "fixed-unknown": (dict(fixed={"y": 0}), r"fixed names column 'y'"),
    "fixed-nan": (dict(fixed={"x0": np.nan}), r"fixed column 'x0'"),
    "fixed-infinite": (dict(bounds=None, fixed={"x0": np.inf}), r"fixed column 'x0'"),
    "fixed-text": (dict(fixed={"x0": "high"}), r"'high' is not a number"),
    "fixed-list": (dict(fixed=[0.0]), r"fixed"),
    "integrality-long": (dict(integrality=[1, 0, 1]), r"3 entries for 2 columns"),
    "integrality-text": (dict(integrality=["a", "b"]), r"integrality"),
    "integrality-word": (dict(integrality={"x0": "yes"}), r"integrality"),
    "integrality-unknown": (dict(integrality={"y": 1}), r"integrality names column 'y'"),
    "columns": (
        dict(constraints=LinearConstraint([1, 1, 1], 0, 1)),
        r"constraint 0 has 3 columns; x has 2",
    ),
    "columns-behind-others": (
        dict(
            constraints=[
                icnn.affine([1.0, 0.0]) <= 1.0,
                icnn.sets.Ball([0, 0], 1),
                LinearConstraint([1, 1, 1], 0, 1),
            ]
        ),
        r"constraint 2 has 3 columns; x has 2",
    ),
    "nan-row": (
        dict(constraints=LinearConstraint([np.nan, 1], 0, 1)),
        r"constraint 0 has an entry",
    ),
    "crossed-row": (
        dict(constraints=LinearConstraint([1, 1], 1, 0)),
        r"constraint 0, row 0: no number",
    ),
    "function": (dict(f=lambda x: x), r"f must be a Surrogate or a Network, not function"),
    "model": (dict(f=icnn.FICNN(2)), r"not a model in training; .* icnn.Network\(model.lower"),
    "live weights": (dict(f=icnn.FICNN(2).lower()), r"not a model in training; give what fit"),
}


def test_a_copy_of_live_weights_is_minimised():
    model = icnn.FICNN(2)
    d = icnn.minimize(icnn.Network(model.lower().layers), bounds=[(-1, 1)] * 2)
    assert d.success


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name):
    options, sentence = WRONG[name]
    with pytest.raises(BadData, match=sentence):
        minimize(**options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            dict(constraints={"type": "eq"}),
            "constraint 0 is a dict; a constraint is a .*LinearConstraint, a comparison of",
        ),
        (dict(constraints=[LinearConstraint([1, 1]), 3]), "constraint 1 is a int"),
        (dict(integrality=[2, 0]), r"integrality of column 'x0' is 2; 0 \(continuous\) and 1"),
        (dict(solver="highs"), "solver"),
        (dict(solver=HiGHS), "solver"),
    ],
)
def test_refused_objects(options, sentence):
    with pytest.raises(icnn.ICNNError, match=sentence):
        minimize(**options)


ROWS = {
    "none": None,
    "one-dimensional": LinearConstraint([1, 1], 0.5),
    "sparse-scalar": LinearConstraint(csr_array([[1, 1]]), 0.5, np.inf),
    "coo-repeated": LinearConstraint(
        coo_array(([0.5, 0.5, 1.0], ([0, 0, 0], [0, 0, 1])), shape=(1, 2)), 0.5, np.inf
    ),
    "list": [LinearConstraint([1, 1], 0.5, np.inf), LinearConstraint(np.zeros((0, 2)), [], [])],
    "tuple-free-row": (
        LinearConstraint([1, 1], 0.5, np.inf),
        LinearConstraint([3, 1], -np.inf, np.inf),
    ),
    "explicit-zero": LinearConstraint(
        csr_array(([1.0, 1.0, 0.0], [0, 1, 0], [0, 2, 3]), shape=(2, 2)), [0.5, 0], [np.inf, 1]
    ),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("open_columns", [False, True])
def test_rows_in_every_form(name, open_columns):
    expected = minimize(
        ROUND, constraints=LinearConstraint([1, 1], 0.5, np.inf) if name != "none" else ()
    )
    d = minimize(ROUND, constraints=ROWS[name], bounds=None if open_columns else BOX)
    assert d.value == pytest.approx(expected.value, abs=1e-9)


@pytest.mark.parametrize("width", [1e-15, 1e-12, 1e-10, 1e-8, 1e-4])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_thin_boxes_succeed(width, offset):
    """The range of f over a tiny set is tiny too, and no bound is finer than the rounding of f."""
    d = minimize(F + offset, bounds=[(0.5, 0.5 + width)] * 2)
    assert d.success


def test_large_offsets_succeed():
    for offset in (1e3, 1e6, 1e9):
        assert minimize(F + offset, throw=False).status is Status.OPTIMAL, offset
