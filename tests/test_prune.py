"""Units that nothing reads are left out: the same function, and proofs for the whole one."""

import numpy as np
import pytest
from zoo import NETWORKS, draw

import icnn
from icnn.decide.batch import Batch
from icnn.decide.prune import expanded, pruned
from icnn.problem import read_problem


def program(f):
    return read_problem(
        f,
        bounds=[(-2, 2)] * f.n,
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
