"""minimize with HiGHS: certified to 1e-9, and equal to CVXPY and to brute force."""

import itertools
import subprocess
import sys
import warnings
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from laws import assert_certified, assert_equivariant, assert_feasible, largest_bias
from zoo import NETWORKS, SETS, draw, sets

import icnn
from icnn import Status
from icnn.atoms import Max

REFUSED = ("infeasible", "infeasible_or_unbounded", "unbounded")
pairs = [
    pytest.param(name, kind, id=f"{name}-{kind}")
    for name, item in NETWORKS.items()
    for kind in SETS
    if item.width == 1.0 or "integer" not in kind
]


def epigraph(f, t):
    """(f, rows) of the epigraph by hand: a variable a unit, a row a piece."""
    z, rows = [], []
    for layer in f.layers:
        a = layer.V.numpy() @ t + layer.b.numpy()
        for source, W in layer.W:
            a = a + W.numpy() @ z[source]
        z.append(cp.Variable(layer.units))
        if isinstance(layer.atom, Max):
            rows += [z[-1] >= a[k :: layer.atom.size] for k in range(layer.atom.size)]
        else:
            rows += [z[-1] >= s * a + c for s, c in layer.atom.pieces]
    return z[-1][0], rows


def by_cvxpy(f, zoo_set, width, scale):
    """(status, least value) in units where x and y are near 1."""
    g = (1 / scale) * f.compose_affine(width * np.eye(f.n))
    t = cp.Variable(f.n, integer=zoo_set.integral)
    value, rows = epigraph(g, t)
    rows += [t[j] >= low for j, low in enumerate(zoo_set.lower) if np.isfinite(low)]
    rows += [t[j] <= up for j, up in enumerate(zoo_set.upper) if np.isfinite(up)]
    rows += [t[int(name[1:])] == value for name, value in zoo_set.fixed.items()]
    for a, low, up in zip(zoo_set.A, *zoo_set.sides, strict=True) if len(zoo_set.A) else ():
        rows += [a @ t >= low] if np.isfinite(low) else []
        rows += [a @ t <= up] if np.isfinite(up) else []
    problem = cp.Problem(cp.Minimize(value), rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver=cp.HIGHS)
    return problem.status, problem.value


def most_gap(f, zoo_set, d):
    """1e-9 of the range and the rounding of huge biases; open columns have no finite range."""
    ends = np.isfinite([zoo_set.lower, zoo_set.upper]).all() or len(zoo_set.A) > 0
    return (1e-9 if ends else 1e-6) * d.scale + 2e-14 * largest_bias(f)


@pytest.mark.parametrize(("name", "kind"), pairs)
def test_every_network_on_every_set(name, kind):
    item = NETWORKS[name]
    f, width, zoo_set = item.f, item.width, sets(item.f.n)[kind]
    d = icnn.minimize(f, **zoo_set.arguments(width), throw=False)
    if d.status is Status.UNBOUNDED:
        assert by_cvxpy(f, zoo_set, width, 1.0)[0] in REFUSED
        return
    assert d.status is Status.OPTIMAL, d
    assert d.success
    assert_feasible(d, zoo_set, width)
    assert d.value == f(d.x)
    assert -1e-9 * d.scale <= d.gap <= most_gap(f, zoo_set, d)
    assert d.certified is not zoo_set.integral
    points = width * zoo_set.points(300)
    if d.certified:
        assert_certified(f, d, points[:8] if width >= 1.0 else [])
    if len(points):
        assert f(points).min() >= d.bound - (0 if d.certified else 1e-9 * d.scale)
    status, value = by_cvxpy(f, zoo_set, width, d.scale)
    assert status in ("optimal", "optimal_inaccurate")
    assert d.value / d.scale == pytest.approx(value, abs=1e-7)


SMALL = [name for name, item in NETWORKS.items() if item.f.n <= 3]


def least(g, lower, upper, parts=11, stages=14):
    """The minimum of a convex g over a box by nested interval reduction."""
    if len(lower) == 0:
        return g(np.empty((1, 0)))[0]
    if len(lower) == 1:
        low, high = lower[0], upper[0]
        for _ in range(stages):
            at = np.linspace(low, high, parts)
            values = g(at[:, None])
            k = int(np.argmin(values))
            low, high = at[max(k - 1, 0)], at[min(k + 1, parts - 1)]
        return values.min()
    return least(
        lambda x: np.array([_inner(g, v, lower, upper, parts, stages) for v in x[:, 0]]),
        lower[:1],
        upper[:1],
        parts,
        stages,
    )


def _inner(g, first, lower, upper, parts, stages):
    def rest(x):
        return g(np.column_stack([np.full(len(x), first), x]))

    return least(rest, lower[1:], upper[1:], parts, stages)


@pytest.mark.parametrize("name", [name for name in SMALL if NETWORKS[name].f.n <= 2])
@pytest.mark.parametrize("kind", ["box", "decimals", "thin"])
def test_brute_force_on_boxes(name, kind):
    item = NETWORKS[name]
    zoo_set = sets(item.f.n)[kind]
    d = icnn.minimize(item.f, **zoo_set.arguments(item.width))
    found = least(item.f, item.width * zoo_set.lower, item.width * zoo_set.upper)
    assert found >= d.bound
    assert found == pytest.approx(d.value, abs=1e-7 * d.scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SMALL if NETWORKS[name].f.n == 3])
def test_brute_force_on_cubes(name):
    f = NETWORKS[name].f
    d = icnn.minimize(f, bounds=[(-2, 2)] * 3)
    found = least(f, -2 * np.ones(3), 2 * np.ones(3), parts=15, stages=8)
    assert found >= d.bound
    assert found == pytest.approx(d.value, abs=1e-5 * d.scale)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", ["integer", "integer-budget"])
def test_integers_equal_enumeration(name, kind):
    f, zoo_set = NETWORKS[name].f, sets(NETWORKS[name].f.n)[kind]
    d = icnn.minimize(f, **zoo_set.arguments())
    grid = np.array(list(itertools.product(range(-2, 3), repeat=f.n)), dtype=float)
    if len(zoo_set.A):
        at = grid @ zoo_set.A.T
        grid = grid[((at >= zoo_set.sides[0]) & (at <= zoo_set.sides[1])).all(1)]
    assert d.value == pytest.approx(f(grid).min(), abs=1e-9 * d.scale)
    np.testing.assert_array_equal(d.x, np.round(d.x))
    assert all(np.isnan(m).all() for m in d.multipliers.values())


@pytest.mark.parametrize("ends", [(-2, 2), (-2.5, 2.25), (-2.5, 2.5)])
def test_bounds_of_integers_need_not_be_whole(ends):
    """Ranges seen in data rarely are; a bound above the least value would be a lie."""
    for seed in range(120):
        n = 1 + seed % 2
        f = icnn.relu_network(*draw(n, (5, 4) if seed % 2 else (4,), 300 + seed))
        d = icnn.minimize(f, bounds=[ends] * n, integrality=1)
        found = f(np.array(list(itertools.product(range(-2, 3), repeat=n)), dtype=float)).min()
        assert d.bound <= found + 1e-9 * d.scale, (seed, d.bound, found)
        assert d.value == pytest.approx(found, abs=1e-9 * d.scale), seed


def test_some_integers_and_the_rest_not(rng):
    f = NETWORKS["relu-3-6-5-4"].f
    d = icnn.minimize(f, bounds=[(-2.5, 2.5)] * 3, integrality=[1, 0, 1])
    slices = [
        icnn.minimize(f, bounds=[(-2.5, 2.5)] * 3, fixed={"x0": a, "x2": b}).value
        for a in range(-2, 3)
        for b in range(-2, 3)
    ]
    assert d.value == pytest.approx(min(slices), abs=1e-9 * d.scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_equivariant(name):
    item = NETWORKS[name]
    if item.width == 1.0 and name != "cancelling":
        assert_equivariant(item.f, {"bounds": [(-2.0, 1.5)] * item.f.n}, item.width)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_larger_set_never_has_a_larger_minimum(name):
    f, width = NETWORKS[name].f, NETWORKS[name].width
    before = np.inf
    for size in (0.0, 0.3, 1.0, 1.7, 10.0, 1e3):
        d = icnn.minimize(f, bounds=[(-size * width, size * width)] * f.n)
        assert d.bound <= before
        before = d.value


def test_many_columns_and_wide_networks(rng):
    f = icnn.relu_network(*draw(300, (40,), 1))
    d = icnn.minimize(f, bounds=[(-1, 1)] * 300)
    assert 0 <= d.gap <= 1e-9 * d.scale
    x = np.sign(-f.subgradient(np.zeros(300)))
    assert d.bound <= f(x)


@pytest.mark.parametrize("solver", ["HiGHS()", "CVXPY('HIGHS')"])
@pytest.mark.parametrize("more", ["", ", integrality=1"])
def test_nothing_is_printed(solver, more):
    """A solver's banner would land in what the command line prints."""
    code = (
        "import icnn, highspy; own = highspy.Highs; "
        "icnn.minimize(icnn.affine([1.0, 2.0]), bounds=[(0, 1)] * 2, "
        f"solver=icnn.solvers.{solver}{more}); assert highspy.Highs is own"
    )
    home = Path(icnn.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=home)
    assert done.stdout == done.stderr == b""
