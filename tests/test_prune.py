"""Units that nothing reads are left out: the same function, and proofs for the whole one."""

import numpy as np
import pytest
from zoo import NETWORKS, draw

import icnn
from icnn.decide.batch import Batch
from icnn.decide.prune import expanded, pruned
from icnn.decide.sets import Box
from icnn.problem import read_problem


def program(f, bounds=None):
    return read_problem(
        f,
        bounds=[(-2, 2)] * f.n if bounds is None else bounds,
        constraints=(),
        integrality=None,
        fixed=None,
        context=None,
        variable=None,
    )[0]


def idle():
    """Two layers of 8 units of which the output reads 3, and those read 4 below."""
    V, b, W = draw(2, (8, 8), 7)
    W[1][:, 3:] = 0.0
    W[0][:, 4:] = 0.0
    return icnn.relu_network(V, b, W)


@pytest.mark.parametrize("name", [*NETWORKS, "idle"])
def test_the_same_function(name, rng):
    f = idle() if name == "idle" else NETWORKS[name].f
    p = program(f)
    x = rng.uniform(-2, 2, (20, f.n))
    batch = Batch.of(p)
    expected = f(x)
    found = np.array([batch.values(point[None])[0] for point in x])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9 * np.ptp(expected))
    lines, kept = pruned(p.lines)
    full = expanded([np.ones(line.b.shape) for line in lines], p.lines, kept)
    for u, line, mask in zip(full, p.lines, kept, strict=True):
        assert u.shape == line.b.shape
        np.testing.assert_array_equal(u != 0, np.repeat(mask, line.atom.group))


def test_only_what_is_read_is_kept():
    p = program(idle())
    assert [int(mask.sum()) for mask in pruned(p.lines)[1]] == [4, 3, 1]
    d = icnn.minimize(idle(), bounds=[(-2, 2)] * 2, solver=icnn.solvers.Bundle())
    e = icnn.minimize(idle(), bounds=[(-2, 2)] * 2, solver=icnn.solvers.HiGHS())
    assert d.success
    assert d.value == pytest.approx(e.value, abs=1e-9 * e.scale)


def test_a_function_of_nothing_keeps_a_unit():
    f = icnn.relu_network(
        [np.ones((3, 2)), np.ones((1, 2))], [np.zeros(3), [0.0]], [np.zeros((1, 3))]
    )
    assert int(pruned(program(f).lines)[1][0].sum()) == 1
    assert icnn.minimize(f, bounds=[(-1, 1)] * 2).value == pytest.approx(-2.0)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("half", [1e-3, 0.1, 0.5])
def test_units_that_a_box_keeps_off_are_not_missed(name, half, rng):
    item = NETWORKS[name]
    centre = item.width * rng.uniform(-0.7, 0.7, item.f.n)
    low, high = centre - half * item.width, centre + half * item.width
    p = program(item.f, bounds=list(zip(low, high, strict=True)))
    batch = Batch.of(p)
    x = rng.uniform(low, high, (40, item.f.n))
    expected = item.f(x)
    found = np.array([batch.values(point[None])[0] for point in x])
    size = 1e6 if name == "cancelling" else np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * size)


def test_a_small_box_leaves_few_units_and_the_same_decision(rng):
    V, b, W = draw(4, (60, 60), 3)
    f = icnn.relu_network(V, b, W)
    bounds = [(0.4, 0.5)] * 4
    kept = pruned(f_lines := program(f).lines, Box(np.full(4, 0.4), np.full(4, 0.5)))[1]
    assert len(f_lines) == 3
    assert kept[0].sum() + kept[1].sum() < 100
    d = icnn.minimize(f, bounds=bounds, solver=icnn.solvers.Bundle())
    e = icnn.minimize(f, bounds=bounds, solver=icnn.solvers.HiGHS())
    assert d.success
    assert d.gap <= 1e-9 * d.scale
    assert d.value == pytest.approx(e.value, abs=1e-9 * e.scale)


def test_wider_bounds_bring_them_back(rng):
    """Prepared over a small box, asked over other ones."""
    V, b, W = draw(4, (60, 60), 3)
    f = icnn.relu_network(V, b, W)
    prepared = icnn.prepare(f, bounds=[(0.4, 0.5)] * 4)
    for low, high in [(-2, 2), (0.42, 0.45), (0.3, 0.5), (-2, -1)]:
        d = prepared.solve(bounds=[(low, high)] * 4)
        e = icnn.minimize(f, bounds=[(low, high)] * 4, solver=icnn.solvers.HiGHS())
        assert d.success
        assert d.value == pytest.approx(e.value, abs=1e-9 * e.scale)
        swept = prepared.variants.batch(1, box=Box(np.full((1, 4), low), np.full((1, 4), high)))
        x = rng.uniform(low, high, 4)
        assert swept.values(x[None])[0] == pytest.approx(f(x), rel=1e-12)
