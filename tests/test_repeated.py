"""Contexts that rows share are read once, and the error and its slopes stay the same."""

import numpy as np
import pytest
import torch
from context_zoo import MODELS

import icnn
from icnn.learn.loss import Split, loss
from icnn.learn.model import seeded
from icnn.learn.repeated import distinct
from icnn.models import NormTerm, Quadratic, Sum

N, DIFFERENT = 60, 7
TERMS = {"terms": lambda: Sum(Quadratic(3, "full", n_context=2), NormTerm(3, 1, 2, n_context=2))}
EVERY = {**MODELS, **TERMS}


def split(model, different=DIFFERENT):
    """Rows of a model's width, with so many different contexts in no order."""
    g = seeded(3)
    contexts = torch.randn(different, model.n_context, generator=g)
    of_row = torch.randint(0, different, (N,), generator=g)
    x, y = torch.randn(N, model.n_inputs, generator=g), torch.randn(N, generator=g)
    return Split(x, y, torch.rand(N, generator=g), contexts[of_row]).double()


@pytest.mark.parametrize("kind", EVERY)
def test_error_and_slopes_are_the_same(kind):
    model = EVERY[kind]().double()
    model.reset_parameters(seeded(1))
    data, params = split(model), list(model.parameters())
    together = data.together()
    assert len(together.c) <= DIFFERENT < len(together.of_row) == N
    plain, found = loss(model, data), loss(model, together)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=0)
    slopes = torch.autograd.grad(plain, params, allow_unused=True)
    for a, b in zip(torch.autograd.grad(found, params, allow_unused=True), slopes, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-13)


def test_contexts_that_few_rows_share_stay_one_a_row():
    assert distinct(torch.arange(10.0)[:, None]) is None
    each, of_row = distinct(torch.tensor([[1.0, 2.0], [0.0, 2.0], [1.0, 2.0], [1.0, 2.0]]))
    assert each.tolist() == [[0.0, 2.0], [1.0, 2.0]]
    assert of_row.tolist() == [1, 0, 1, 1]


def test_slopes_as_labels_are_read_row_by_row():
    model = MODELS["picnn"]().double()
    data = split(model)
    data = Split(data.x, data.y, data.w, data.c, torch.zeros_like(data.x))
    assert data.together() is data


def test_a_fit_reads_them_once_and_comes_out_the_same(monkeypatch):
    """The polish of a table with ten contexts of twelve rows each."""
    rng = np.random.default_rng(0)
    X, c = rng.uniform(-1, 1, (120, 2)), np.repeat(rng.normal(size=(10, 1)), 12, axis=0)
    y = ((X - 0.3 * c) ** 2).sum(1)
    model = icnn.PICNN(2, 1, (8,))
    budget = icnn.Budget(restarts=1, steps=60, polish=15)

    def fitted():
        return icnn.fit(model, X, y, context=c, budget=budget, seed=0, progress=False)

    sizes = []

    def seen(contexts):
        found = distinct(contexts)
        sizes.append((len(contexts), None if found is None else len(found[0])))
        return found

    monkeypatch.setattr("icnn.learn.loss.distinct", seen)
    together = fitted()
    assert len(sizes) == 2  # what is learned from, and the hold-out
    assert sizes[0] == (len(c) - sizes[1][0], 10)
    monkeypatch.setattr("icnn.learn.loss.distinct", lambda _: None)
    apart = fitted()
    np.testing.assert_allclose(together.predict(X, c), apart.predict(X, c), rtol=1e-6, atol=1e-8)
