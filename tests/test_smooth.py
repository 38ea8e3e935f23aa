"""Smooth atoms with Clarabel: certified, equal to CVXPY's own atoms, and never a wrong bound."""

import warnings
from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from laws import assert_convex, assert_feasible, assert_subgradient
from smooth_zoo import SMOOTH, by_cvxpy, precise
from zoo import NETWORKS, SETS, sets

import icnn
from icnn import NotSupported, Status
from icnn.atoms import Softplus
from icnn.models import Quadratic
from icnn.sets import Ball
from icnn.solvers import Clarabel, HiGHS

CONTINUOUS = [kind for kind in SETS if "integer" not in kind]
REFUSED = ("infeasible", "unbounded", "infeasible_or_unbounded", "unbounded_inaccurate")
BOX = {"bounds": [(-2.0, 1.5)] * 2}


def runs_off(name, zoo_set, value, scale):
    """Whether the least value is at infinity or further than 1e4."""
    if name in ("softplus-last", "elu-last"):  # a least value that is nowhere attained
        return True
    lower, upper = np.maximum(zoo_set.lower, -1e4), np.minimum(zoo_set.upper, 1e4)
    return by_cvxpy(SMOOTH[name], replace(zoo_set, lower=lower, upper=upper), scale)[1] > value + 1


PAIRS = [
    (name, kind)
    for i, name in enumerate(SMOOTH)
    for k, kind in enumerate(CONTINUOUS)
    if kind in ("box", "simplex") or (i + k) % 2
]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_smooth_network_on_every_set(name, kind):
    f, zoo_set = SMOOTH[name], sets(SMOOTH[name].n)[kind]
    d = icnn.minimize(f, **zoo_set.arguments(), solver=Clarabel(), throw=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        status, value = by_cvxpy(f, zoo_set, d.scale)
        if not d.success and "open" in kind:
            assert d.status is Status.UNBOUNDED or "Nothing holds the minimum in" in d.message
            assert status in REFUSED or runs_off(name, zoo_set, value, d.scale)
            return
    assert d.success, d
    assert_feasible(d, zoo_set, tolerance=1e-7)
    assert d.value == f(d.x)
    assert d.certified
    assert -1e-7 * d.scale <= d.gap <= 1e-6 * d.scale
    assert d.value / d.scale == pytest.approx(value, abs=1e-6)
    points = zoo_set.points(300)
    assert (f(points) >= d.bound).all()
    nearest = points[np.argsort(f(points))[:3]]
    assert all(mp.mpf(d.bound) <= precise(f, x) for x in nearest)


@pytest.mark.parametrize("name", SMOOTH)
def test_laws_of_the_networks(name):
    f, r = SMOOTH[name], np.random.default_rng(1)
    assert_convex(f, f.n)
    assert_subgradient(f, f.n)
    for x in r.normal(0, 2, (5, f.n)):
        assert f(x) == pytest.approx(float(precise(f, x)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_free_of_units(name):
    f = SMOOTH[name]
    lower, upper = np.full(f.n, -2.0), np.full(f.n, 1.5)
    d = icnn.minimize(f, bounds=list(zip(lower, upper, strict=True)))
    for factor in (1e-6, 1e6):
        scaled = icnn.minimize(factor * f, bounds=list(zip(lower, upper, strict=True)))
        assert scaled.value / factor == pytest.approx(d.value, abs=1e-6 * d.scale)
        moved = f.compose_affine(np.eye(f.n) / factor, np.full(f.n, -0.5))
        ends = [factor * (end + 0.5) for end in (lower, upper)]
        other = icnn.minimize(moved, bounds=list(zip(*ends, strict=True)))
        assert other.value == pytest.approx(d.value, abs=1e-6 * d.scale)
        assert other.gap <= 1e-6 * other.scale
        both = icnn.minimize(factor * moved, bounds=list(zip(*ends, strict=True)))
        assert both.value / factor == pytest.approx(d.value, abs=1e-6 * d.scale)
    lifted = icnn.minimize(f + 1e3 * d.scale, bounds=list(zip(lower, upper, strict=True)))
    assert lifted.value - 1e3 * d.scale == pytest.approx(d.value, abs=1e-6 * d.scale)


def test_one_scale_a_column(rng):
    """Columns in kilometres beside columns in microns."""
    units = np.array([1e-6, 1e4])
    for name in ("softplus", "lse", "norm", "squares", "huber", "mixed"):
        f = SMOOTH[name]
        d = icnn.minimize(f, **BOX)
        other = icnn.minimize(
            f.compose_affine(np.diag(1 / units)), bounds=[(-2 * u, 1.5 * u) for u in units]
        )
        assert other.value == pytest.approx(d.value, abs=1e-6 * d.scale), name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("softplus", "layer 0: Softplus"),
        ("relu-then-lse", "layer 1: LogSumExp"),
        ("norm-last", "layer 0: Norm"),
        ("squares-relu", "layer 0: SumSquares"),
        ("huber", "layer 0: Huber"),
        ("max-then-softplus", "layer 1: Softplus"),
    ],
)
def test_highs_names_the_layer_it_cannot_take(name, words):
    f = SMOOTH[name]
    with pytest.raises(NotSupported, match=f"HiGHS: {words} is not piecewise linear"):
        icnn.minimize(f, bounds=[(-1, 1)] * f.n, solver=HiGHS())
    assert icnn.minimize(f, bounds=[(-1, 1)] * f.n).solver in {"Bundle", "Clarabel"}


def test_whole_numbers_with_cones_are_refused_with_both_reasons():
    with pytest.raises(NotSupported, match=r"HiGHS: layer 0: Softplus .*; Clarabel: .* whole"):
        icnn.minimize(SMOOTH["softplus"], **BOX, integrality=1)
    with pytest.raises(NotSupported, match=r"HiGHS: a set has a cone.*; Clarabel: .* whole"):
        icnn.minimize(
            NETWORKS["relu-2-8"].f, **BOX, integrality=[1, 0], constraints=Ball([0, 0], 1)
        )
    with pytest.raises(NotSupported, match=r"Clarabel: .* whole"):
        icnn.minimize(NETWORKS["relu-2-8"].f, **BOX, integrality=1, solver=Clarabel())


def test_a_smooth_limit_refuses_highs_too():
    cost, limit = NETWORKS["relu-2-8"].f, SMOOTH["softplus"]
    with pytest.raises(NotSupported, match=r"HiGHS: .*layer 0: Softplus"):
        icnn.minimize(cost, **BOX, constraints=[limit <= 5.0], solver=HiGHS())


def test_softplus_is_exact_and_certified_far_from_its_bend():
    """log(1 + e^a) − a is 2e-9 at a = 20, where some libraries leave it out."""
    f = icnn.Network((icnn.Layer(Softplus(), [[1.0]], [0.0]),))
    for a in (-300.0, -25.0, 19.9, 20.1, 21.0, 30.0, 800.0):
        assert f([a]) == pytest.approx(float(precise(f, [a])), rel=1e-15)
        d = icnn.minimize(f, bounds=[(a, a + 1e-3)], throw=False)
        assert mp.mpf(d.bound) <= precise(f, [a])
        assert d.bound <= d.value


@pytest.mark.parametrize("kind", ["diagonal", "low_rank", "full"])
def test_a_model_with_a_quadratic_term_is_certified(kind):
    terms = (icnn.FICNN(3, (8, 6)), Quadratic(3, kind), icnn.FICNN(3, (5,), "softplus"))
    f = icnn.Network(icnn.Sum(*terms).double().lower().layers)
    d = icnn.minimize(f, bounds=[(-2, 2)] * 3)
    assert 0 <= d.gap <= 1e-6 * d.scale
