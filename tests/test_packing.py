"""Matrices go to the kernel in single precision exactly where that loses nothing."""

from fractions import Fraction

import numpy as np
import pytest
from laws import exact
from zoo import NETWORKS, draw

import icnn
from icnn.decide.batch import Batch, judge_batch
from icnn.decide.flat import flat
from icnn.decide.kernel import Placed, Searcher, library
from icnn.decide.kernel.packing import packed
from icnn.decide.solvers.bundle import Bundle, capacity

pytestmark = pytest.mark.skipif(library() is None, reason="the bundle kernel was not built")
WIDTHS = [(83, 71, 67), (64, 96, 80), (65, 66, 67)]  # also no multiples of a vector


def network(widths, seed):
    """The first W fits into single precision; one weight of the second misses by its last bit."""
    V, b, W = draw(6, widths, seed)
    W = [w.astype(np.float32).astype(float) for w in W]
    W[1][3, 5] = np.nextafter(W[1][3, 5], 1.0)
    return icnn.relu_network(V, b, W)


@pytest.mark.parametrize("widths", WIDTHS)
def test_both_kinds_are_searched_and_judged(widths, rng):
    f = network(widths, 4)
    arrays = flat(icnn.prepare(f, bounds=[(-2, 2)] * 6).variants.base)
    assert (arrays.net.w >= 0).tolist() == [False, True]
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(6))
    found = searcher(arrays.places(), Bundle().options(arrays))
    x = arrays.x(found.x)
    for u in (found.u, found.u * (1 + 1e-3 * rng.normal(size=found.u.shape))):
        expected = judge_batch(arrays.batch, x, arrays.slopes(u), np.zeros((1, 0)))
        case = arrays.case(x, u, np.zeros((1, 0)))
        value, bound, _ = searcher.judge(arrays.own_places, case)
        slack = 1e-12 * max(expected.scale[0], abs(expected.bound[0]))
        assert value[0] == pytest.approx(f(x[0]), abs=slack)
        assert bound[0] == pytest.approx(expected.bound[0], abs=slack)
        for point in rng.uniform(-2, 2, (5, 6)):
            assert Fraction(bound[0]) <= exact(f, point)
    best = icnn.minimize(f, bounds=[(-2, 2)] * 6, solver=icnn.solvers.HiGHS())
    assert f(x[0]) == pytest.approx(best.value, abs=1e-8 * best.scale)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_matrices_lie_by_column_from_a_cache_line_on(kind, rng):
    matrices = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 5), (0, 0), (17, 2))]
    room, starts = packed(matrices, kind)
    assert starts[1] == -1
    for start, M in zip(starts, matrices, strict=True):
        if M.size:
            assert (room.ctypes.data + start * room.itemsize) % 64 == 0
            assert (room[start : start + M.size].reshape(M.shape[::-1]).T == M).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_oracle_gives_values_and_subgradients(name, rng):
    item = NETWORKS[name]
    problem = icnn.prepare(item.f, bounds=[(-item.width, item.width)] * item.f.n)
    if Bundle().refusal(problem.program) is not None:
        return
    arrays = flat(Batch.of(problem.program))
    searcher = Searcher(arrays.net, arrays.sides.A, capacity(item.f.n))
    t = rng.uniform(-1, 1, (40, item.f.n))
    value, g = searcher.oracle(Placed(arrays.places()), t)
    centre, half = arrays.reach
    # f in its own range, up to the constant that the search leaves out
    own = item.f(centre + half * t) / arrays.scale[0]
    size = np.abs(own).max() + np.abs(value).max() + 1.0
    rounding = 1e-6 if name == "cancelling" else 1e-11  # biases of 1e6 that cancel
    assert np.ptp(value - own) <= rounding * size
    cuts = value[:, None] + g @ t.T - (g * t).sum(1)[:, None]
    assert (cuts <= value + rounding * size).all()


def test_a_compiled_part_of_another_version_is_said_and_left_out(monkeypatch):
    import icnn.decide.kernel as kernel

    monkeypatch.setattr(kernel, "VERSION", kernel.VERSION + 1)
    with pytest.warns(RuntimeWarning, match="run the installation of icnn again"):
        assert kernel.library.__wrapped__() is None
