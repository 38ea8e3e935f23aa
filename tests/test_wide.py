"""Wide problems go to HiGHS first, and both ways end at the same certified value."""

import highspy
import numpy as np
import pytest

import icnn
from icnn.decide.sets import Box, read_bounds
from icnn.decide.solvers import WIDE

RNG = np.random.default_rng(0)


def wide(n):
    V, b = RNG.normal(size=(12, n)), RNG.normal(size=12)
    return icnn.relu_network([V, np.zeros((1, n))], [b, [0.0]], [np.ones((1, 12))])


@pytest.mark.parametrize(("n", "first"), [(WIDE, "Bundle"), (WIDE + 1, "HiGHS")])
def test_the_number_of_columns_decides_who_is_asked_first(n, first):
    f, box = wide(n), [(-1.0, 1.0)] * n
    c = 0.1 * RNG.normal(size=n)
    decision = icnn.minimize(f + icnn.affine(c), bounds=box)
    prepared = icnn.prepare(f, bounds=box).solve(linear=c)
    other = icnn.minimize(
        f + icnn.affine(c),
        bounds=box,
        solver=icnn.solvers.HiGHS() if first == "Bundle" else icnn.solvers.Bundle(),
    )
    assert decision.solver == prepared.solver == first
    assert decision.success
    assert prepared.success
    assert other.success
    assert decision.value == pytest.approx(other.value, abs=1e-6 * decision.scale)
    assert prepared.value == pytest.approx(other.value, abs=1e-6 * decision.scale)


@pytest.mark.parametrize(("whole", "presolve"), [(0, "off"), (1, "choose")])
def test_only_whole_numbers_are_presolved(whole, presolve, monkeypatch):
    asked, run = [], highspy.Highs.run

    def recording(highs):
        asked.append(highs.getOptionValue("presolve")[1])
        return run(highs)

    monkeypatch.setattr(highspy.Highs, "run", recording)
    f, n = wide(4), 4
    d = icnn.minimize(f, bounds=[(-1, 1)] * n, integrality=[whole] * n, solver=icnn.solvers.HiGHS())
    assert d.success
    assert asked[0] == presolve


@pytest.mark.parametrize("form", [list, tuple, np.array, lambda pairs: [list(p) for p in pairs]])
def test_pairs_are_read_alike_at_once_and_one_by_one(form):
    columns = tuple("abc")
    free = Box(np.full(3, -np.inf), np.full(3, np.inf))
    pairs = [(0.0, 1.0), (-2.0, 5.0), (-np.inf, 3.0)]
    at_once = read_bounds(form(pairs), columns, free)
    one_by_one = read_bounds([(0.0, 1.0), (-2.0, 5.0), (None, 3.0)], columns, free)
    for box in (at_once, one_by_one):
        assert box.lower.tolist() == [0.0, -2.0, -np.inf]
        assert box.upper.tolist() == [1.0, 5.0, 3.0]
        assert box.lower.flags.owndata
    for wrong in ((1.0, "b"), (1.0,), 3.0, (0, 1, 2)):
        with pytest.raises(icnn.BadData, match="the bounds of column 'b'"):
            read_bounds([(0.0, 1.0), wrong, (0.0, 1.0)], columns, free)
