"""Verdicts on activations agree with what torch computes, and formulas with its derivatives."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import activation

import icnn
from icnn import BadData, NotSupported
from icnn.theory import activation_report, activation_table, approximation_floor
from icnn.theory.formulas import FORMULAS, FUNCTIONS, SEVERAL
from icnn.theory.interval import enclosing
from icnn.theory.table import OPTIONS

ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    module
    for name in activation.__all__
    if name not in {kind.__name__ for kind in SEVERAL}
    for module in OPTIONS.get(name) or [getattr(nn, name)()]
]
MODULES += [
    nn.ELU(0.0),
    nn.ELU(-1.0),
    nn.CELU(-0.5),
    nn.CELU(3.0),
    nn.LeakyReLU(1.0),
    nn.Softplus(-1),
]
MODULES += [nn.Threshold(-20.0, -20.0), nn.Threshold(0.1, 0.1), nn.Hardtanh(-float("inf"), 1.0)]
every = pytest.mark.parametrize("module", MODULES, ids=repr)


def values(module, x):
    """The module at x in float64, as evaluation does it."""
    with torch.no_grad():
        return copy.deepcopy(module).eval().double()(torch.tensor(x)).numpy()


def above_chords(module):
    """The largest height of a value above the chord of two others, over many spacings."""
    x = np.arange(-2400, 2401) / 64
    y = values(module, x)
    heights = [y[h:-h] - (y[: -2 * h] + y[2 * h :]) / 2 for h in (1, 2, 5, 16, 64, 256, 1024)]
    return max(float(height.max()) for height in heights)


@every
def test_a_verdict_on_convexity_agrees_with_chords_of_torch_values(module):
    report = activation_report(module)
    height = above_chords(module)
    assert report.convex == (height <= 3e-9), height  # 2e-9 is the step of torch's softplus
    if not report.convex:
        (a, b, c) = (x for x, _ in report.counterexample)
        ya, yb, yc = values(module, np.array([a, b, c]))
        assert a < b < c
        assert yb > ya + (yc - ya) * (b - a) / (c - a)


@every
def test_a_verdict_on_monotonicity_agrees_with_torch_values(module):
    y = values(module, np.arange(-2400, 2401) / 64)
    assert activation_report(module).nondecreasing == bool((np.diff(y) >= -3e-9).all())


@every
def test_the_form_is_the_activation(module):
    report = activation_report(module)
    assert report.proof == "certified"
    x = np.linspace(-25, 25, 997)
    y = values(module, x)
    bends = np.abs(np.diff(y, 2)) > 1e-9
    assert report.one_kink == (report.convex and 1 <= bends.sum() <= 2 and not bends[[0, -1]].any())
    assert (report.form is not None) == report.one_kink
    if report.form:
        a0, a1, b0, b1, b2 = report.form
        np.testing.assert_allclose(b0 + b1 * x + b2 * np.maximum(0, a0 + a1 * x), y, atol=1e-6)
        assert b2 > 0


@every
def test_formulas_are_what_torch_computes_and_differentiates(module):
    formula = FORMULAS[type(module)](module)
    fresh = copy.deepcopy(module).eval().double()
    for x in np.arange(-7.03, 7, 0.61):
        t = torch.tensor(float(x), dtype=torch.float64, requires_grad=True)
        y = fresh(t)
        (slope,) = torch.autograd.grad(y, t, create_graph=True)
        (piece,) = (p for p in formula.pieces if float(p.low) < x < float(p.high))
        point, near = enclosing(float(x)), dict(rel=1e-6, abs=1e-8)
        assert float(piece.value(point).low) == pytest.approx(y.item(), **near)
        if piece.slope:
            assert float(piece.slope(point).low) == pytest.approx(slope.item(), **near)
        if piece.curvature:
            (curvature,) = torch.autograd.grad(slope, t)
            assert float(piece.curvature(point).low) == pytest.approx(curvature.item(), **near)


def test_every_activation_of_torch_has_a_row():
    table = activation_table()
    for name in activation.__all__:
        assert f"| {name} |" in table or f"`{name}(" in table
    assert "numerical" not in table


def test_the_table_on_disk_is_the_one_that_is_made():
    assert activation_table() in (ROOT / "docs" / "activations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("value", [-1.5, -0.2, 0.0, 0.3, 1.0, 1.0000001, 1.7])
def test_parameters_decide(value):
    assert activation_report(nn.ELU(value)).convex == (0 <= value <= 1)
    assert activation_report(nn.LeakyReLU(value)).convex == (value <= 1)
    assert activation_report(nn.LeakyReLU(value)).nondecreasing == (value >= 0)
    assert activation_report(nn.PReLU(init=value)).convex == (np.float32(value) <= 1)
    assert activation_report(nn.RReLU(value - 0.1, value + 0.1)).convex == (value <= 1)
    assert activation_report(nn.Threshold(value, 0.3)).convex == (value == 0.3)
    if value:
        assert activation_report(nn.CELU(value)).convex == (value > 0)
        assert activation_report(nn.Softplus(value)).convex == (value > 0)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions_are_judged_as_their_modules(function):
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    torch.testing.assert_close(function(x), FUNCTIONS[function]()(x))
    assert repr(activation_report(function)) == repr(activation_report(FUNCTIONS[function]()))


def test_other_callables_are_judged_numerically_and_say_so():
    report = activation_report(lambda x: max(0.1 * x, 2 * x - 5))
    assert (report.proof, report.convex, report.nondecreasing) == ("numerical", True, True)
    assert report.form == pytest.approx((-5 / 1.9, 1, 0, 0.1, 1.9), abs=1e-12)
    assert "numerical" in repr(report)
    two = activation_report(lambda x: abs(x - 1) + abs(x + 1))
    assert (two.convex, two.nondecreasing, two.one_kink) == (True, False, False)
    line = activation_report(lambda x: 3 * x + 1)
    assert (line.convex, line.one_kink, "s is affine" in repr(line)) == (True, False, True)
    wave = activation_report(np.sin)
    assert not wave.convex
    (a, fa), (b, fb), (c, fc) = wave.counterexample
    assert np.sin(b) == fb > fa + (fc - fa) * (b - a) / (c - a)
    assert activation_report(np.exp, interval=(-3, 3)).convex
    own = activation_report(nn.Sequential(nn.Softplus(), nn.Softplus()))
    assert (own.proof, own.convex, own.name) == ("numerical", True, "Sequential")


def test_a_subclass_is_not_taken_for_its_parent():
    class Bent(nn.ReLU):
        def forward(self, x):
            return torch.minimum(super().forward(x), torch.ones_like(x))

    report = activation_report(Bent())
    assert (report.proof, report.convex) == ("numerical", False)


@pytest.mark.parametrize("how", ["forward", "register_forward_hook", "register_forward_pre_hook"])
def test_a_module_that_was_changed_is_not_taken_for_its_class(how):
    module = nn.ReLU()
    if how == "forward":
        module.forward = torch.negative
    else:
        getattr(module, how)(
            lambda *args: torch.negative(args[-1][0] if "pre" in how else args[-1])
        )
    report = activation_report(module)
    assert (report.proof, report.nondecreasing) == ("numerical", False)


@pytest.mark.parametrize("kind", [nn.RReLU, lambda: nn.BatchNorm1d(1)])
def test_the_module_is_left_as_it_was(kind):
    module = kind().train()
    before = copy.deepcopy(module.state_dict())
    activation_report(module)
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_dropout_is_judged_as_evaluation_uses_it():
    report = activation_report(nn.Sequential(nn.ReLU(), nn.Dropout(0.5)).train())
    assert report.form == (0.0, 1.0, 0.0, 0.0, 1.0)


def learned(slope):
    module = nn.PReLU()
    nn.init.constant_(module.weight, slope)
    return module


@pytest.mark.parametrize("slope", [np.float32(0.25), torch.tensor(0.25)], ids=["numpy", "torch"])
def test_a_parameter_that_is_no_python_number_is_judged_numerically(slope):
    report = activation_report(nn.LeakyReLU(slope))
    assert report.proof == "numerical"
    assert report.form == pytest.approx((0, 1, 0, 0.25, 0.75))


@pytest.mark.parametrize("module", [kind.__name__ for kind in SEVERAL])
def test_functions_of_several_numbers_are_refused(module):
    options = {"MultiheadAttention": (2, 1), "Softmax": (0,), "Softmin": (0,), "LogSoftmax": (0,)}
    with pytest.raises(NotSupported, match=f"{module} takes several numbers at once"):
        activation_report(getattr(nn, module)(*options.get(module, ())))


@pytest.mark.parametrize(
    ("s", "error", "sentence"),
    [
        (nn.PReLU(3), NotSupported, "has 3 slopes"),
        (nn.ELU(float("nan")), BadData, "ELU has alpha nan"),
        (nn.LeakyReLU("steep"), BadData, "LeakyReLU does not take a tensor"),
        (learned(float("nan")), BadData, "PReLU has weight nan"),
        (nn.CELU(0.0), BadData, "CELU has alpha 0"),
        (nn.Softplus(0.0), BadData, "Softplus has beta 0"),
        (np.log, BadData, r"f\(-16.0\) is nan"),
        (lambda x: torch.softmax(x, -1), BadData, "must be Tensor, not float"),
        (lambda x: x + np.random.default_rng().normal(), BadData, "different values for the same"),
        (3, BadData, "must be callable"),
    ],
)
def test_what_cannot_be_judged_is_refused(s, error, sentence):
    with pytest.raises(error, match=sentence):
        activation_report(s)


@pytest.mark.parametrize("slope", [2.0, 8.0, 64.0, 1024.0])
def test_the_floor_of_softplus_does_not_fall_with_the_width(slope):
    softplus = nn.Softplus(threshold=600.0)
    narrow, wide = (approximation_floor(softplus, slope, shifts=k) for k in (1, 65))
    assert wide == pytest.approx(narrow, rel=1e-6)
    assert 0 < wide < np.log(2) / (2 * slope)  # what one unit and a constant reach on all x
    assert slope < 1000 or wide * slope == pytest.approx(np.log(2) / 2, rel=0.01)


def test_the_floor_of_elu_falls_with_the_slope_only():
    floors = [approximation_floor(nn.ELU(), 32.0, shifts=k) for k in (1, 17, 129)]
    assert floors == sorted(floors, reverse=True)
    assert floors[2] > 0.9 * floors[1]
    halved = approximation_floor(nn.ELU(), 64.0, shifts=129)
    assert halved == pytest.approx(floors[2] / 2, rel=0.1)


@pytest.mark.parametrize("module", [m for m in MODULES if activation_report(m).one_kink], ids=repr)
def test_one_unit_of_one_kink_has_no_floor(module):
    at = activation_report(module).form[0]
    floor = approximation_floor(lambda x: values(module, x - at), 4.0, shifts=1)
    assert floor == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"slope": 0.0}, "slope is 0.0; give a positive number"),
        ({"slope": -1.0}, "slope is -1.0"),
        ({"slope": 1.0, "shifts": 4}, "shifts is 4; give an odd number"),
    ],
)
def test_floors_of_nothing_are_refused(options, sentence):
    with pytest.raises(BadData, match=sentence):
        approximation_floor(abs, **options)


def test_theory_is_reached_from_the_menu():
    assert icnn.theory.activation_report is activation_report
