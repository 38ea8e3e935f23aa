"""The bound of smooth atoms, cones and learned limits under multipliers that may be anything."""

import mpmath as mp
import numpy as np
import pytest
from scipy.sparse import csr_array
from smooth_zoo import SMOOTH, precise
from test_certificate import KINDS, multipliers
from zoo import NETWORKS

from icnn.decide import certificate
from icnn.decide.certificate import Multipliers
from icnn.decide.cones import Cone, Kind
from icnn.decide.decision import active_multipliers
from icnn.decide.program import Learned, Program
from icnn.decide.sets import Box, Rows
from icnn.decide.shapes import Ball
from icnn.decide.solvers.clarabel import Clarabel


def program(f, lower, upper, cones=(), learned=()):
    rows = Rows(csr_array((0, f.n)), np.empty(0), np.empty(0))
    columns = tuple(f"x{j}" for j in range(f.n))
    whole = np.zeros(f.n, dtype=bool)
    return Program(f, Box(lower, upper), rows, whole, columns, tuple(cones), tuple(learned))


def bound(p, proof):
    m = certificate.lagrangian(p, proof)
    return certificate.least(m, p.finite.lower, p.finite.upper)


def shaken(proof, kind, r):
    """Every multiplier of a proof, made worse in this way."""
    slopes = tuple(tuple(multipliers(kind, part, r)) for part in proof.slopes)
    y, mu = (multipliers(kind, [part], r)[0] for part in (proof.y, proof.mu))
    return Multipliers(slopes, y, mu, tuple(multipliers(kind, proof.w, r)))


def around(p, x, r):
    """A proof from subgradients at x, with some weight on everything that limits x."""
    slopes = [
        active_multipliers(program(limit.function, p.box.lower, p.box.upper), x).slopes[0]
        for limit in p.learned
    ]
    return Multipliers(
        (active_multipliers(p, x).slopes[0], *slopes),
        np.zeros(0),
        r.exponential(1.0, len(p.learned)),
        tuple(r.normal(size=len(cone.b)) for cone in p.cones),
    )


@pytest.mark.parametrize("name", SMOOTH)
def test_sharp_at_a_point_and_never_above(name):
    """A box of one point: the bound against fifty digits."""
    r, f = np.random.default_rng(1), SMOOTH[name]
    for x_unit, y_unit in ((1.0, 1.0), (1e6, 1e-6), (1e-6, 1e6), (3.0, 1e3)):
        g = y_unit * f.compose_affine(np.eye(f.n) / x_unit)
        for x in x_unit * r.normal(0, 2, (4, f.n)):
            p, value = program(g, x, x), precise(g, x)
            right = around(p, x, r)
            for kind in KINDS:
                found = mp.mpf(bound(p, shaken(right, kind, r)))
                assert found <= value, (kind, x_unit, y_unit)
                if kind == "right":
                    assert value - found <= 1e-10 * (abs(value) + y_unit)


@pytest.mark.parametrize("name", SMOOTH)
def test_never_above_the_function_in_a_box(name):
    r, f = np.random.default_rng(2), SMOOTH[name]
    for size in (1e-3, 1.0, 1e3):
        lower = r.normal(0, size, f.n)
        p = program(f, lower, lower + r.exponential(size, f.n))
        points = r.uniform(p.box.lower, p.box.upper, (100, f.n))
        least = points[np.argmin(f(points))]
        value = precise(f, least)
        for kind in KINDS:
            assert bound(p, shaken(around(p, least, r), kind, r)) <= value, (kind, size)


def exponential(points, r):
    """v e^(u / v) ≤ w with affine rows that hold at all points, sharply at one."""
    A = r.normal(size=(3, points.shape[1]))
    at = points @ A.T
    v = 0.1 - at[:, 1].min()
    w = (at[:, 1] + v) * np.exp(at[:, 0] / (at[:, 1] + v)) - at[:, 2]
    return Cone(Kind.EXPONENTIAL, csr_array(A), np.array([0.0, v, w.max() * (1 + 1e-14) + 1e-13]))


@pytest.mark.parametrize("name", ["softplus", "norm", "squares", "mixed", "lse-cold"])
def test_with_cones_and_learned_limits(name):
    """The bound holds at every feasible point, and the limits are met with equality at one."""
    r, f = np.random.default_rng(3), SMOOTH[name]
    for limiting in ("huber", "squares", "norm-softplus", "lse"):
        points = r.normal(0, 1, (60, f.n))
        radius = np.nextafter(np.linalg.norm(points, axis=1).max() * (1 + 1e-15), np.inf)
        cones = [*Ball(np.zeros(f.n), radius).lower(f.n).cones, exponential(points, r)]
        g = SMOOTH[limiting]
        learned = [Learned(g, float(g(points).max()) * (1 + 1e-15) + 1e-15)]
        learned.append(Learned(NETWORKS["relu-2-8"].f, float(NETWORKS["relu-2-8"].f(points).max())))
        p = program(f, points.min(0), points.max(0), cones, learned)
        values = f(points)
        for k in (int(np.argmin(values)), int(np.argmax(g(points)))):
            for kind in KINDS:
                found = bound(p, shaken(around(p, points[k], r), kind, r))
                assert found <= values.min() + 1e-12 * np.abs(values).max(), (kind, limiting)


@pytest.mark.parametrize("kind", Kind)
def test_the_dual_cone_is_met_by_whatever_comes(kind):
    """w·y ≥ 0 for every y of the cone, in fifty digits."""
    r = np.random.default_rng(4)
    for _ in range(300):
        w = 10.0 ** r.integers(-8, 9) * r.normal(size=3) * 10.0 ** r.integers(-3, 4, 3)
        w = np.where(r.random(3) < 0.1, r.choice([0.0, np.nan, np.inf, -np.inf]), w)
        w = Cone(kind, csr_array((3, 1)), np.zeros(3)).dual(w)
        assert np.isfinite(w).all()
        for _ in range(4):
            u, v = (mp.mpf(float(part)) for part in r.normal(size=2) * 10.0 ** r.integers(-2, 3))
            if kind is Kind.SECOND_ORDER:
                y = [mp.sqrt(u**2 + v**2), u, v]
            else:
                y = [u, abs(v), abs(v) * mp.exp(u / abs(v))]
            assert mp.fdot(list(map(float, w)), y) >= 0
        if kind is Kind.EXPONENTIAL and w[0] < 0 and w[1] / w[0] > -700:  # where it is least
            u, v = (mp.mpf(float(part)) for part in w[:2])
            y = [1 - v / u, mp.mpf(1), mp.exp(1 - v / u)]
            assert mp.fdot(list(map(float, w)), y) >= 0


@pytest.mark.parametrize("name", SMOOTH)
def test_the_solvers_multipliers_close_the_gap_and_small_errors_hardly_open_it(name):
    f, r = SMOOTH[name], np.random.default_rng(5)
    p = program(f, np.full(f.n, -2.0), np.full(f.n, 1.5))
    answer = Clarabel().solve(p)
    closed = f(answer.x) - bound(p, answer.proof)
    right = answer.proof
    shifted = tuple(u * (1 + 1e-9 * r.normal(size=u.shape)) for u in right.slopes[0])
    proof = Multipliers((shifted,), right.y, right.mu, right.w)
    assert closed <= 1e-6 * p.spread
    assert f(answer.x) - bound(p, proof) <= 1e-6 * p.spread + 2 * closed
