"""Atoms: value, envelope, and slopes that are admissible whatever is asked for."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo import HINGE, RISE, VALLEY

import icnn
from icnn import BadData, NotConvex
from icnn.atoms import ABS, IDENTITY, RELU, Max, PiecewiseLinear, leaky_relu

ATOMS = {
    "identity": IDENTITY,
    "relu": RELU,
    "leaky": leaky_relu(0.1),
    "abs": ABS,
    "hinge": HINGE,
    "valley": VALLEY,
    "rise": RISE,
    "falling": PiecewiseLinear(((-2.0, 1.0), (-0.5, 0.2))),
    "constant": PiecewiseLinear(((0.0, 3.0),)),
    "max-1": Max(1),
    "max-3": Max(3),
}
every = pytest.mark.parametrize("name", ATOMS)
GAMMA = 1e-12


def values(atom, a):
    return atom.value(torch.from_numpy(a)).numpy()


@every
def test_convex_monotone_and_bounded_as_it_says(name, rng):
    atom = ATOMS[name]
    a, b = rng.normal(0, 3, (2, 500, atom.group))
    middle = values(atom, (a + b) / 2)
    assert (middle <= (values(atom, a) + values(atom, b)) / 2 + 1e-14).all()
    rise = values(atom, np.maximum(a, b)) - values(atom, np.minimum(a, b))
    if atom.nondecreasing:
        assert (rise >= 0).all()
    else:
        assert (rise < 0).any()
    change = np.abs(values(atom, a) - values(atom, b))
    assert (change <= atom.lip * np.abs(a - b).sum(1, keepdims=True) + 1e-14).all()
    assert np.abs(values(atom, np.zeros((1, atom.group)))) <= atom.at_zero


@every
def test_tilt_is_admissible_for_any_slopes(name, rng):
    atom, units = ATOMS[name], 40
    lam = rng.uniform(0, 3, units) * rng.choice([0, 1, 1e-9, 1e9], units)
    slopes = rng.normal(0, 2, units * atom.group) * rng.choice([0, 1, 1e9], units * atom.group)
    tilt = atom.tilt(slopes, lam, GAMMA)
    for a in rng.normal(0, 1, (30, units * atom.group)) * rng.choice([1e-3, 1, 1e6], (30, 1)):
        below = (tilt.slopes * a - tilt.loose * np.abs(a)).reshape(units, -1).sum(1) - tilt.cost
        size = (np.abs(tilt.slopes * a).reshape(units, -1).sum(1) + np.abs(tilt.cost)) * 1e-14
        assert (below <= lam * values(atom, a[None])[0] + size).all()


@every
@pytest.mark.parametrize("wrong", [1 - 0.9 * GAMMA, 1.0, 1 + 0.9 * GAMMA])
def test_tilt_stands_an_error_of_gamma_in_lam_exactly(name, wrong, rng):
    atom = ATOMS[name]
    for _ in range(60):
        lam, slopes = rng.uniform(0.5, 2, 1), rng.normal(0, 3, atom.group)
        tilt = atom.tilt(slopes, lam, GAMMA)
        a = [Fraction(float(v)) for v in rng.normal(0, 1, atom.group)]
        if isinstance(atom, Max):
            value = max(a)
        else:
            value = max(Fraction(s) * a[0] + Fraction(t) for s, t in atom.pieces)
        parts = zip(tilt.slopes.tolist(), tilt.loose.tolist(), a, strict=True)
        below = sum(Fraction(u) * v - Fraction(e) * abs(v) for u, e, v in parts)
        cost = Fraction(tilt.cost[0])
        cost += Fraction(GAMMA) * abs(cost)  # as the certificate adds it
        assert below - cost <= Fraction(lam[0]) * Fraction(wrong) * value + Fraction(1e-15)


@every
def test_tilt_keeps_the_slopes_of_a_subgradient(name, rng):
    atom = ATOMS[name]
    a = torch.from_numpy(rng.normal(0, 2, atom.group)).requires_grad_()
    value = atom.value(a).sum()
    slopes = torch.autograd.grad(value, a)[0].numpy()
    tilt = atom.tilt(slopes, np.ones(1), GAMMA)
    np.testing.assert_allclose(tilt.slopes, slopes, atol=1e-10)
    reached = float((tilt.slopes * a.detach().numpy()).sum() - tilt.cost[0])
    assert reached == pytest.approx(value.item(), abs=1e-9)


pairs = st.tuples(*[st.floats(-5, 5).map(lambda v: round(v, 2))] * 2)


@given(st.lists(pairs, min_size=1, max_size=7), st.floats(-10, 10))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_dropping_pieces_changes_no_value(pieces, a):
    atom = PiecewiseLinear(tuple(pieces))
    full = max(s * a + t for s, t in pieces)
    assert float(atom.value(torch.tensor(a, dtype=torch.float64))) == pytest.approx(full, abs=1e-9)
    slopes = [s for s, _ in atom.pieces]
    assert slopes == sorted(set(slopes))


def test_special_pieces_are_recognised():
    assert PiecewiseLinear(((1, 0), (0, 0), (0.5, -1))) == RELU
    assert PiecewiseLinear(((1.0, 0.0),)).is_affine
    assert IDENTITY.nondecreasing
    assert not ABS.nondecreasing
    assert leaky_relu(1.0) == IDENTITY
    assert leaky_relu(0.0) == RELU


@pytest.mark.parametrize("pieces", [(), ((np.nan, 0.0),), ((1.0, np.inf),)])
def test_bad_pieces_are_refused(pieces):
    with pytest.raises(BadData, match="finite"):
        PiecewiseLinear(pieces)


@pytest.mark.parametrize("slope", [-0.1, 1.5, np.nan])
def test_bad_leaks_are_refused(slope):
    with pytest.raises(NotConvex, match=r"slopes in \[0, 1\]"):
        leaky_relu(slope)


@pytest.mark.parametrize("size", [0, -1, 1.5, "2"])
def test_bad_groups_are_refused(size):
    with pytest.raises(BadData, match="at least one row"):
        Max(size)


def test_a_new_atom_must_be_known_to_every_consumer():
    from icnn.decide.form import pieces

    for atom in ATOMS.values():
        assert pieces(atom, 6).floor.shape == (6 // atom.group,)
    with pytest.raises(icnn.NotSupported, match="object is not piecewise linear"):
        pieces(object(), 1)
