"""Sets that are empty, alone or together, and sets that are no sets: refused in words."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from test_shapes import BOX, function
from zoo import NETWORKS

import icnn
from icnn import BadData, affine
from icnn.errors import Infeasible
from icnn.sets import Ball, Ellipsoid, Hull, SecondOrderCone, Simplex

EMPTY = {
    "balls": [Ball([0, 0], 0.5), Ball([1.5, 0], 0.5)],
    "ball-box": [Ball([9, 0], 1.0)],
    "ellipsoid-box": [Ellipsoid([0, -9], np.eye(2))],
    "cone": [SecondOrderCone(np.eye(2), [0, 0], [0, 0], -1.0)],
    "simplex-box": [Simplex(9.0)],
    "hull-box": [Hull([[5, 5], [6, 7]])],
    "hull-simplex": [Hull([[-1, -1], [0.2, 0.2]]), Simplex()],
    "ball-row": [Ball([0, 0], 0.5), LinearConstraint([1, 1], 1.5, np.inf)],
    "ball-limit": [Ball([0, 0], 0.5), affine([-1.0, 0.0]) <= -0.8],
}


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("name", ["relu-2-8", "softplus"])
def test_nothing_feasible(name, kind):
    with pytest.raises(Infeasible):
        icnn.minimize(function(name), **BOX, constraints=EMPTY[kind])


REFUSED = {
    "radius": (lambda: Ball([0, 0], -1.0), "radius -1.0 leaves no point"),
    "radius-nan": (lambda: Ball([0, 0], np.nan), "radius nan"),
    "radius-inf": (lambda: Ball([0, 0], np.inf), "radius inf"),
    "radius-text": (lambda: Ball([0, 0], "wide"), "radius"),
    "center": (lambda: Ball([0, 0, 0], 1.0), "2 finite numbers"),
    "center-nan": (lambda: Ball([0, np.nan], 1.0), "2 finite numbers"),
    "center-text": (lambda: Ball(["a", "b"], 1.0), "center"),
    "not-symmetric": (lambda: Ellipsoid([0, 0], [[1, 0.5], [0, 1]]), r"symmetric \(2, 2\)"),
    "not-definite": (lambda: Ellipsoid([0, 0], [[1, 2], [2, 1]]), "not positive definite"),
    "flat": (lambda: Ellipsoid([0, 0], [[1, 0], [0, 0]]), "not positive definite"),
    "shape-nan": (lambda: Ellipsoid([0, 0], [[np.nan, 0], [0, 1]]), "symmetric|finite"),
    "shape-inf": (lambda: Ellipsoid([0, 0], [[np.inf, 0], [0, 1]]), "symmetric|finite"),
    "shape-3": (lambda: Ellipsoid([0, 0], np.eye(3)), r"symmetric \(2, 2\)"),
    "rows": (lambda: SecondOrderCone(np.eye(3), [0, 0, 0], [0, 0], 1), r"must be \(m, 2\)"),
    "offset": (lambda: SecondOrderCone(np.eye(2), [0], [0, 0], 1), r"must be \(m, 2\)"),
    "cone-nan": (lambda: SecondOrderCone(np.eye(2), [0, np.nan], [0, 0], 1), "not finite"),
    "cone-side": (lambda: SecondOrderCone(np.eye(2), [0, 0], [0, 0], [1, 2]), "d"),
    "total": (lambda: Simplex(-1.0), "no x ≥ 0 has the sum -1.0"),
    "total-nan": (lambda: Simplex(np.nan), "the sum nan"),
    "total-text": (lambda: Simplex("one"), "sum"),
    "no-points": (lambda: Hull(np.empty((0, 2))), "N at least 1"),
    "points-3": (lambda: Hull(np.eye(3)), r"must be \(N, 2\)"),
    "point-nan": (lambda: Hull([[0, np.nan]]), "not finite"),
    "ragged": (lambda: Hull([[0, 1], [1]]), "points"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_in_words(kind):
    make, words = REFUSED[kind]
    with pytest.raises(BadData, match=words):
        icnn.minimize(NETWORKS["relu-2-8"].f, **BOX, constraints=[make()])
