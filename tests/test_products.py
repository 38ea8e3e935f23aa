"""Products of rows with a matrix, in pieces where BLAS would share them out."""

import numpy as np
import pytest

from icnn.decide.batch import FEW_ROWS, ONE_THREAD, product


@pytest.mark.parametrize("shape", [(1,), (700,), (8, 1), (8, 700), (3, 0)])
@pytest.mark.parametrize("size", [(64, 10), (64, 64), (1, 7), (256, 128), (600, 600), (0, 5)])
def test_pieces_are_the_whole_product(shape, size, rng):
    V, x = rng.normal(size=size), rng.normal(size=(*shape, size[1]))
    np.testing.assert_allclose(product(x, V), x @ V.T, rtol=1e-12, atol=1e-12)


def test_a_row_does_not_depend_on_the_others(rng):
    V, x = rng.normal(size=(64, 64)), rng.normal(size=(500, 64))
    assert FEW_ROWS <= ONE_THREAD // V.size < len(x)  # in pieces
    other = np.where(np.arange(500)[:, None] == 7, x, rng.normal(size=x.shape))
    np.testing.assert_array_equal(product(other, V)[7], product(x, V)[7])
