"""Additive terms: their formulas, and sums of models."""

import numpy as np
import pytest
import torch
from laws import assert_convex
from zoo import CONTEXT_MODELS, KINDS, MODELS, QUICK

import icnn
from icnn import BadData
from icnn.atoms import Norm, SumSquares
from icnn.models import FICNN, PICNN, GroupMax, Level, NormTerm, Quadratic, Sum

TINY = icnn.Budget(restarts=2, steps=60, every=10, polish=10)
X = torch.randn(30, 3, generator=torch.Generator().manual_seed(0)).double()
C = torch.randn(30, 2, generator=torch.Generator().manual_seed(1)).double()


def moved(shaped, context):
    return shaped.base + torch.einsum("...j,nj->n...", shaped.slope, context) / 2**0.5


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_quadratic_is_its_formula(kind):
    model = Quadratic(3, kind, rank=2, n_context=2).double()
    squares = model.lower(C).layers[0]
    assert isinstance(squares.atom, SumSquares)
    B = squares.V
    assert B.shape == {"diagonal": (3, 3), "low_rank": (5, 3), "full": (3, 3)}[kind]
    value = (X @ B.T + moved(model.shift, C)).square().sum(1)
    value += (moved(model.slope, C)[:, 0] * X).sum(1) + moved(model.offset, C)[:, 0]
    torch.testing.assert_close(model(X, C), value)
    curvature = torch.autograd.functional.hessian(lambda x: model(x, C[0]), X[0])
    torch.testing.assert_close(curvature, 2 * B.T @ B)


@torch.no_grad()
def test_a_norm_term_is_its_formula():
    model = NormTerm(3, norms=2, dim=4, n_context=2).double()
    assert isinstance(model.lower(C).layers[0].atom, Norm)
    rows = (X @ model.A.T + moved(model.d, C)).reshape(-1, 2, 4)
    value = rows.norm(dim=2) @ model.weight()[0]
    value += (moved(model.slope, C)[:, 0] * X).sum(1) + moved(model.offset, C)[:, 0]
    torch.testing.assert_close(model(X, C), value)


@pytest.mark.parametrize("size", [1, 2, 3])
@torch.no_grad()
def test_a_group_max_is_its_formula(size):
    model = GroupMax(3, (4, 5), size).double()
    V, b, W = list(model.V), [b.base for b in model.b], [W() for W in model.W]
    z = (X @ V[0].T + b[0]).reshape(-1, 4, size).amax(2)
    z = (X @ V[1].T + b[1] + z @ W[0].T).reshape(-1, 5, size).amax(2)
    torch.testing.assert_close(model(X), (X @ V[2].T + b[2] + z @ W[1].T)[:, 0])


def test_a_level_moves_the_cost_and_no_decision(rng):
    """Rows of ‖x − 0.3‖² + sin 3c: one decision for all contexts, at costs that differ by c."""
    x, c = rng.uniform(-1, 1, (400, 2)), rng.uniform(-1, 1, (400, 1))
    y = np.square(x - 0.3).sum(1) + np.sin(3 * c[:, 0])
    model = Sum(Quadratic(2), Level(2, 1, (16,)))
    budget = icnn.Budget(restarts=2, steps=400, polish=100)
    s = icnn.fit(model, x, y, context=c, budget=budget, progress=False)
    low, high = (icnn.minimize(s, context=[at]) for at in (-0.5, 0.5))
    np.testing.assert_allclose(low.x, high.x, atol=1e-3)
    np.testing.assert_allclose(high.x, 0.3, atol=0.05)
    assert abs(high.value - low.value - 2 * np.sin(1.5)) < 0.1
    with torch.no_grad():
        level = s.model.terms[1](torch.zeros(5, 2).double() + 1e6, torch.ones(5, 1).double())
        at_zero = s.model.terms[1](torch.zeros(5, 2).double(), torch.ones(5, 1).double())
    torch.testing.assert_close(level, at_zero, rtol=0, atol=0)


@torch.no_grad()
def test_a_sum_adds_and_passes_the_context_to_those_who_take_one():
    terms = [PICNN(3, 2, (4,), (3,)), Quadratic(3), NormTerm(3, n_context=2), FICNN(3, (4,))]
    total = Sum(*terms).double()
    parts = [term.double()(X, C if term.n_context else None) for term in terms]
    torch.testing.assert_close(total(X, C), sum(parts))
    assert total.n_context == 2
    nested = Sum(Sum(*terms[:2]), Sum(*terms[2:])).double()
    torch.testing.assert_close(nested(X, C), total(X, C))
    twice = Sum(terms[1], terms[1])
    assert len(list(twice.parameters())) == 2 * len(list(terms[1].parameters()))


def test_a_sum_knows_which_columns_are_signed():
    assert Sum(FICNN(2, monotone=(0, 1)), Quadratic(2)).signed == (False, True)
    assert Quadratic(2).signed == (False, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quadratic_learns_a_quadratic(kind, rng):
    X = rng.uniform(-2, 2, (120, 2))
    y = 3 * np.square(X - 0.5).sum(1) + (0 if kind == "diagonal" else X[:, 0] * X[:, 1])
    s = icnn.fit(Quadratic(2, kind), X, y, budget=QUICK, progress=False)
    assert s.score(X, y) > 0.9999
    assert_convex(s.at(), 2)


def test_a_norm_learns_a_norm(rng):
    X = rng.uniform(-2, 2, (200, 2))
    y = np.linalg.norm(X @ [[1.0, 0.5], [0.0, 2.0]] - 0.3, axis=1)
    s = icnn.fit(NormTerm(2, 1), X, y, budget=QUICK, progress=False)
    assert s.score(X, y) > 0.999


@pytest.mark.parametrize("concave", [False, True])
@pytest.mark.parametrize(
    "name", ["terms", "quadratic-low_rank", "norm", "group-max", "ficnn-monotone"]
)
def test_files_keep_terms_bit_for_bit(name, concave, tmp_path, rng):
    X = rng.normal(size=(60, 2))
    y = (-1 if concave else 1) * np.abs(X).sum(1)
    options = dict(concave=concave, budget=TINY, progress=False)
    s = icnn.fit(MODELS[name](), X, y, **options)
    icnn.save(s, tmp_path / "m.icnn")
    loaded = icnn.load(tmp_path / "m.icnn")
    np.testing.assert_array_equal(loaded.predict(X), s.predict(X))
    icnn.save(s.at(), tmp_path / "n.icnn")
    np.testing.assert_array_equal(icnn.load(tmp_path / "n.icnn")(X), s.at()(X))


@pytest.mark.parametrize("name", CONTEXT_MODELS)
def test_every_model_of_a_context_fits_and_is_kept(name, tmp_path, rng):
    X, C = rng.normal(size=(90, 2)), rng.normal(size=(90, 3))
    y = np.square(X - C[:, :1]).sum(1)
    s = icnn.fit(CONTEXT_MODELS[name](), X, y, context=C, budget=TINY, progress=False)
    assert s.score(X, y, C) > (0.0 if name == "picnn-linear" else 0.2)
    icnn.save(s, tmp_path / "m.icnn")
    loaded = icnn.load(tmp_path / "m.icnn")
    np.testing.assert_array_equal(loaded.predict(X, C), s.predict(X, C))
    np.testing.assert_array_equal(loaded.at(C[3])(X), s.at(C[3])(X))
    values = s.predict(X, C)
    single = [s.at(c)(x) for x, c in zip(X, C, strict=True)]
    np.testing.assert_allclose(single, values, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(s.predict(X, C[3]), s.at(C[3])(X), rtol=1e-12)
    for c in C[:3]:
        assert_convex(s.at(c), 2)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Sum(), "Sum takes models of one input"),
        (lambda: Sum(FICNN(2), FICNN(3)), r"not of \[2, 3\] inputs"),
        (lambda: Sum(PICNN(2, 1), PICNN(2, 3)), r"\[1, 3\] context numbers"),
        (lambda: Sum(FICNN(2), 3), "Sum adds convex models, not 3"),
        (lambda: Quadratic(2, "round"), "kind is one of diagonal, low_rank, full, not 'round'"),
        (lambda: Quadratic(2, "low_rank", 0), "rank must be"),
        (lambda: NormTerm(2, 0), "norms must be"),
        (lambda: NormTerm(2, dim=-1), "dim must be"),
        (lambda: GroupMax(2, size=0), "size must be"),
    ],
)
def test_refused_with_a_sentence(make, sentence):
    with pytest.raises(BadData, match=sentence):
        make()
