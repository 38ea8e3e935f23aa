"""ELU: exact, admissible in fifty digits, solved in closed form, known to every consumer."""

import math

import cvxpy as cp
import mpmath as mp
import numpy as np
import pytest
from smooth_zoo import SMOOTH, precise

import icnn
from icnn import Layer, Network, NotConvex
from icnn.atoms import ELU, IDENTITY
from icnn.decide.kernel import library
from icnn.solvers import Bundle, Clarabel

ALPHAS = (1e-3, 0.3, 1.0)
every = pytest.mark.parametrize("alpha", ALPHAS)


def unit(alpha, slope=1.0):
    return Network((Layer(ELU(alpha), [[slope]], [0.0]),))


@every
def test_value_and_slope_near_and_far_from_the_bend(alpha):
    f = unit(alpha)
    for a in (-800.0, -40.0, -1.0, -1e-9, -5e-324, 0.0, 1e-9, 1.0, 700.0, 1e9):
        assert f([a]) == pytest.approx(float(precise(f, [a])), rel=1e-15, abs=0)
        slope = 1.0 if a > 0 else alpha * math.exp(a)
        assert f.subgradient([a])[0] == pytest.approx(slope, rel=1e-15)


@every
def test_tilt_is_admissible_for_any_slopes_in_fifty_digits(alpha, rng):
    """Also where lam is wrong by nearly gamma, which is what gamma is for."""
    atom, gamma = ELU(alpha), 1e-12
    lam = rng.uniform(0.1, 3, 60) * rng.choice([1, 1e-9, 1e9], 60)
    slopes = lam * rng.choice([0, -1, alpha, alpha * (1 - 1e-9), 0.5 * alpha, 1, 2, 1e-12], 60)
    tilt = atom.tilt(slopes, lam, gamma)
    assert not tilt.loose.any()
    for u, cost, k in zip(tilt.slopes, tilt.cost, lam, strict=True):
        touching = [mp.log(mp.mpf(u) / (mp.mpf(k) * alpha))] if 0 < u < k * alpha else []
        for a in (*touching, *map(mp.mpf, (-1e6, -50, -1, -1e-8, 0, 1e-8, 1, 1e6))):
            value = a if a > 0 else alpha * mp.expm1(a)
            for wrong in (1 - 0.9 * gamma, 1.0, 1 + 0.9 * gamma):
                assert mp.mpf(u) * a - mp.mpf(cost) <= mp.mpf(k) * mp.mpf(wrong) * value


@every
def test_tilt_keeps_the_slopes_of_a_subgradient_and_touches(alpha, rng):
    atom, f = ELU(alpha), unit(alpha)
    for a in rng.normal(0, 2, 30):
        slope = f.subgradient([a])
        tilt = atom.tilt(slope, np.ones(1), 1e-12)
        np.testing.assert_allclose(tilt.slopes, slope, rtol=1e-11)
        assert tilt.slopes[0] * a - tilt.cost[0] == pytest.approx(f([a]), abs=1e-10)


@every
@pytest.mark.parametrize("share", [1e-4, 0.3, 0.999])
def test_the_least_value_is_minus_the_conjugate(alpha, share):
    """min ELU(x) − s x is at log(s / alpha) for s < alpha, at the kink for alpha ≤ s ≤ 1."""
    below, above = share * alpha, alpha + share * (1 - alpha)
    for s, x in ((below, math.log(share)), (above, 0.0)):
        f = unit(alpha) + icnn.affine([-s])
        value = (alpha * math.expm1(x) if x < 0 else 0.0) - s * x
        d = icnn.minimize(f, bounds=[(-30, 30)])
        assert d.certified
        assert d.value == pytest.approx(value, abs=1e-6 * d.scale)
        assert mp.mpf(d.bound) <= precise(f, d.x)
        assert d.gap <= 1e-6 * d.scale


@pytest.mark.parametrize("width", [1e-2, 1.0, 1e2, 1e4])
def test_certified_however_far_the_arguments_reach(width):
    f = unit(0.5, width) + unit(1.0, -width) + icnn.affine([-0.1 * width])
    d = icnn.minimize(f, bounds=[(-3, 2)])
    x = np.linspace(-3, 2, 20_001)[:, None]
    assert d.success, d
    assert d.bound <= f(x).min() + 1e-12
    assert d.value <= f(x).min() + 1e-6 * d.scale


@pytest.mark.skipif(library() is None, reason="installed without a C compiler")
@pytest.mark.parametrize("name", [name for name in SMOOTH if "elu" in name and name != "elu-last"])
def test_the_compiled_search_finds_the_same(name):
    f = SMOOTH[name]
    found, wanted = (
        icnn.minimize(f, bounds=[(-2, 1.5)] * f.n, solver=solver)
        for solver in (Bundle(), Clarabel())
    )
    assert found.certified
    assert found.value == pytest.approx(wanted.value, abs=1e-6 * wanted.scale)
    assert mp.mpf(found.bound) <= precise(f, wanted.x)


@every
def test_as_a_cvxpy_expression(alpha):
    f = Network(
        (
            Layer(ELU(alpha), [[1.0], [-2.0]], [0.3, 0.1]),
            Layer(IDENTITY, [[0.1]], [0.0], ((0, [[1, 0.5]]),)),
        )
    )
    x = cp.Variable(1)
    expression, constraints = icnn.to_cvxpy(f, x)
    problem = cp.Problem(cp.Minimize(expression), [*constraints, x >= -3, x <= 3])
    assert problem.is_dcp(dpp=True)
    problem.solve(solver=cp.CLARABEL)
    d = icnn.minimize(f, bounds=[(-3, 3)], solver=Clarabel())
    assert problem.value == pytest.approx(d.value, abs=1e-6)
    assert f(x.value) == pytest.approx(problem.value, abs=1e-6)


def test_a_file_keeps_alpha(tmp_path):
    f = unit(0.25)
    icnn.save(f, tmp_path / "elu.icnn")
    assert icnn.load(tmp_path / "elu.icnn").layers[0].atom == ELU(0.25)


def test_a_fall_without_end_is_named():
    with pytest.raises(icnn.NotSolved, match=r"improves without end along -1 x0"):
        icnn.minimize(unit(0.5) + icnn.affine([0.1]))


def test_it_may_follow_a_convex_layer_but_not_through_a_negative_weight():
    first = Layer(ELU(), [[1.0]], [0.0])
    assert Network((first, Layer(ELU(0.5), [[0.0]], [0.0], ((0, [[2.0]]),)))).n == 1
    with pytest.raises(NotConvex, match="layer 1, row 0, column 0"):
        Network((first, Layer(ELU(0.5), [[0.0]], [0.0], ((0, [[-2.0]]),))))


@pytest.mark.parametrize("alpha", [0, -0.5, 1.0001, 2, np.nan, np.inf])
def test_alphas_that_are_not_convex_are_refused(alpha):
    with pytest.raises(NotConvex, match=r"alpha in \(0, 1\], not .*; for 0 use RELU"):
        ELU(alpha)


@every
def test_what_it_says_of_itself(alpha, rng):
    """`lip` and `at_zero` bound it from below as AbstractAtom promises to the certificate."""
    atom, a = ELU(alpha), np.sort(rng.normal(0, 5, 500))
    value = unit(alpha)(a[:, None])
    assert (np.diff(value) >= 0).all() == atom.nondecreasing
    assert (value >= 0).all() == atom.nonnegative
    assert (np.abs(np.diff(value)) <= atom.lip * np.diff(a) * (1 + 1e-12) + 1e-15).all()
    assert (value >= -atom.lip * np.maximum(-a, 0) - atom.at_zero).all()


def test_highs_names_it():
    with pytest.raises(icnn.NotSupported, match="HiGHS: layer 0: ELU is not piecewise linear"):
        icnn.minimize(unit(1.0), bounds=[(-1, 1)], solver=icnn.solvers.HiGHS())
