"""Learned limits by the bundle: the exact penalty against HiGHS and Clarabel, over a zoo."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import LinearConstraint

import icnn
from icnn import Network, NotSupported
from icnn.decide.kernel import library
from icnn.models import FICNN
from icnn.solvers import Clarabel, HiGHS, Penalty

pytestmark = pytest.mark.skipif(
    library() is None, reason="the bundle kernel was not built: no C compiler at installation"
)


def network(n: int, seed: int, *, activation: str = "relu") -> Network:
    """Random weights of one shape out of four."""
    torch.manual_seed(seed)
    hidden = [(4,), (8,), (8, 8), (16, 8)][seed % 4]
    model = FICNN(n, hidden, activation=activation)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.6 * torch.randn_like(p))
    return model.double().requires_grad_(False).lower()


def problem(seed: int, *, share: float = 0.3, activation: str = "relu"):
    """f, one or two limits that hold on a share of the box, now and then a row as well."""
    r = np.random.default_rng(seed)
    n, count = int(r.integers(1, 7)), int(r.integers(1, 3))
    f, *functions = (network(n, 3 * seed + i, activation=activation) for i in range(1 + count))
    box = np.column_stack([-r.uniform(0, 2, n), r.uniform(0, 2, n)])
    points = r.uniform(*box.T, (200, n))
    limits = [(g, float(np.quantile(g(points), share))) for g in functions]
    a = r.standard_normal((1, n))
    side = float(np.quantile(points @ a[0], 0.7))
    rows = [LinearConstraint(a, -np.inf, side)] if seed % 2 else []
    return f, limits, {"bounds": box, "rows": rows}


def solved(f, limits, arguments, solver):
    given = [g <= side for g, side in limits] + arguments["rows"]
    return icnn.minimize(
        f, bounds=arguments["bounds"], constraints=given, solver=solver, throw=False
    )


def same(d, other):
    assert d.status is other.status
    if not d.success:
        return
    assert d.value == pytest.approx(other.value, abs=3e-6 * d.scale)
    assert d.bound <= other.value + 2e-6 * d.scale
    assert d.gap <= 1e-8 * d.scale
    assert d.violation <= 1e-7  # PAID


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_piecewise_linear_limits_agree_with_highs(seed, share):
    p = problem(seed, share=share)
    same(solved(*p, Penalty()), solved(*p, HiGHS()))


@pytest.mark.parametrize("seed", range(15))
def test_smooth_limits_agree_with_clarabel(seed):
    p = problem(seed, activation="softplus")
    same(solved(*p, Penalty()), solved(*p, Clarabel()))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "scales", [(1e-6, 1.0), (1e6, 1.0), (1.0, 1e-6), (1.0, 1e6), (1e-30, 1e20), (1e30, 1e-20)]
)
def test_units_of_f_and_of_limits_change_nothing(seed, scales):
    f, limits, arguments = problem(seed)
    plain = solved(f, limits, arguments, Penalty())
    of_f, of_g = scales
    scaled = [(of_g * g, of_g * side) for g, side in limits]
    d = solved(of_f * f, scaled, arguments, Penalty())
    assert d.status is plain.status
    if d.success:
        assert d.value / of_f == pytest.approx(plain.value, abs=3e-6 * plain.scale)
        again = d.multipliers["limits"] * of_g / of_f
        assert again == pytest.approx(
            plain.multipliers["limits"], abs=1e-2 * (1 + abs(again).max())
        )


@pytest.mark.parametrize("seed", range(20))
def test_limits_that_no_point_meets(seed):
    f, limits, arguments = problem(seed)
    least = [icnn.minimize(g, bounds=arguments["bounds"]) for g, _ in limits]
    beyond = [(g, d.bound - 0.1 * d.scale) for (g, _), d in zip(limits, least, strict=True)]
    assert solved(f, beyond, arguments, Penalty()).status is icnn.Status.INFEASIBLE


def test_two_limits_that_only_together_contradict():
    g, h = icnn.affine([1.0]), icnn.affine([-1.0])
    f = icnn.affine([2.0])
    d = solved(f, [(g, -0.5), (h, 0.4)], {"bounds": [(-1.0, 1.0)], "rows": []}, Penalty())
    assert d.status is icnn.Status.INFEASIBLE


def test_a_limit_that_one_point_alone_meets():
    """|x − 0.25| ≤ 0 has no interior, and no multiplier either where f falls fast enough."""
    g = icnn.relu_network([[[1.0], [-1.0]], [[0.0]]], [[-0.25, 0.25], [0.0]], [[[1.0, 1.0]]])
    f = icnn.affine([1.0])
    d = solved(f, [(g, 0.0)], {"bounds": [(-1.0, 1.0)], "rows": []}, Penalty())
    assert d.success
    assert d.x == pytest.approx([0.25], abs=1e-6)


@pytest.mark.parametrize("steep", [1e6, 1e9, 1e12])
def test_a_rise_that_no_sample_sees_is_not_taken_for_a_contradiction(steep):
    """f rises from x = 0.995 on, and the limit asks for 0.9995: a certified bound of thousands of
    ranges above what f was seen to be says nothing of feasibility."""
    f = icnn.relu_network([[[1.0]], [[1.0]]], [[-0.995], [0.0]], [[[steep]]])
    limits, arguments = [(icnn.affine([-1.0]), -0.9995)], {"bounds": [(-1.0, 1.0)], "rows": []}
    assert solved(f, limits, arguments, Penalty()).status is icnn.Status.INACCURATE
    d = solved(f, limits, arguments, None)  # the point that meets the limit, though HiGHS is asked
    assert d.violation <= 1e-6
    assert d.value == pytest.approx(0.9995 + 0.0045 * steep, rel=1e-6)


def test_limits_that_bind_nowhere_have_no_multiplier():
    f, limits, arguments = problem(4)
    free = icnn.minimize(f, bounds=arguments["bounds"], constraints=arguments["rows"])
    loose = [(g, float(g(free.x)) + 1.0) for g, _ in limits]
    d = solved(f, loose, arguments, Penalty())
    assert d.value == pytest.approx(free.value, abs=2e-6 * d.scale)
    assert d.multipliers["limits"] == pytest.approx(0.0, abs=1e-9)


def test_it_is_asked_first_and_refuses_what_it_cannot():
    f, limits, arguments = problem(5)
    d = solved(f, limits, arguments, None)
    assert d.solver == "Penalty"
    with pytest.raises(NotSupported, match="no learned limits"):
        icnn.minimize(f, bounds=arguments["bounds"], solver=Penalty())
    with pytest.raises(NotSupported, match="Penalty"):
        icnn.minimize(
            f,
            bounds=arguments["bounds"],
            constraints=[limits[0][0] <= 9.0],
            integrality=1,
            solver=Penalty(),
        )
    with pytest.raises(NotSupported, match="; Penalty: there are no learned limits;"):
        icnn.minimize(network(2, 0, activation="softplus"), bounds=[(-1, 1)] * 2, integrality=1)
    with pytest.raises(ValueError, match="tolerance"):
        Penalty(tolerance=-1.0)


def test_no_time_is_said():
    f, limits, arguments = problem(6)
    assert solved(f, limits, arguments, Penalty(seconds=1e-9)).status is icnn.Status.TIME_LIMIT


def test_a_round_that_has_no_time_keeps_the_bound_of_the_last(monkeypatch):
    """At the first price x stays at 0.8, with a bound of 1.1; the second price would decide."""
    f = icnn.relu_network([[[1.0]], [[1.0]]], [[-0.8], [0.0]], [[[20.0]]])
    g, arguments = icnn.affine([-1.0]), {"bounds": [(-1.0, 1.0)], "rows": []}
    assert solved(f, [(g, -0.9)], arguments, Penalty()).value == pytest.approx(2.9)
    times = iter([0.0, 0.0])
    clock = SimpleNamespace(perf_counter=lambda: next(times, 1e9))
    monkeypatch.setattr("icnn.decide.solvers.penalty.time", clock)
    d = solved(f, [(g, -0.9)], arguments, Penalty(seconds=100.0))
    assert d.status is icnn.Status.TIME_LIMIT
    assert 1.0 < d.bound <= 2.9
    assert d.x == pytest.approx([0.8], abs=1e-6)
    assert d.message.startswith("The time limit came before any feasible point")


@pytest.mark.parametrize("seed", range(8))
def test_moved_sides_are_those_of_a_new_problem(seed):
    f, limits, arguments = problem(seed)
    given = [g <= side for g, side in limits] + arguments["rows"]
    prepared = icnn.prepare(f, bounds=arguments["bounds"], constraints=given)
    r = np.random.default_rng(seed)
    for _ in range(4):
        sides = [side + float(r.uniform(-0.2, 0.5)) for _, side in limits]
        price = 0.3 * r.standard_normal(f.n)
        moved = prepared.solve(linear=price, limits=sides, throw=False)
        new = [(g, side) for (g, _), side in zip(limits, sides, strict=True)]
        fresh = solved(f + icnn.affine(price), new, arguments, HiGHS())
        assert moved.status is fresh.status
        if fresh.success:
            assert moved.value == pytest.approx(fresh.value, abs=3e-6 * fresh.scale)


@pytest.mark.parametrize("solver", [None, icnn.solvers.HiGHS(), icnn.solvers.Clarabel()], ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_contradictions_are_proved_where_columns_have_no_ends(seed, solver):
    """g and h are sums of absolute values, far apart: each can be met, and both cannot."""
    r = np.random.default_rng(seed)
    V, point = r.standard_normal((4, 3)), r.standard_normal(3)

    def distance(b):
        lines = [np.vstack([V, -V]), np.zeros((1, 3))]
        return icnn.relu_network(lines, [np.concatenate([b, -b]), [0.0]], [np.ones((1, 8))])

    g, h = distance(-V @ point), distance(-V @ (point + 1.0))
    apart = float(g(point + 1.0))  # a norm, so that half of it is reached midway
    f, limits = icnn.affine(r.standard_normal(3)), [(g, 0.4 * apart), (h, 0.55 * apart)]
    arguments = {"bounds": None, "rows": []}
    assert solved(f, limits, arguments, solver).status is icnn.Status.INFEASIBLE
    met = [(g, 0.5 * apart), (h, 0.55 * apart)]
    assert solved(f, met, arguments, solver).status is icnn.Status.OPTIMAL
    below = icnn.minimize(g, constraints=[h <= 0.1 * apart]).bound
    alone = [(g, 0.99 * below), (h, 0.1 * apart)]
    assert solved(f, alone, arguments, solver).status is icnn.Status.INFEASIBLE
