"""CVXPY both ways: functions as expressions, its constraints as sets, its solvers as solvers."""

from dataclasses import replace
from functools import cache

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint
from zoo import NETWORKS, build, sets

import icnn
from icnn.atoms import ELU, IDENTITY, RELU, Huber, LogSumExp, Norm, Softplus, SumSquares
from icnn.convert import to_cvxpy
from icnn.decide.solvers.canonical import conic_parts, is_cvxpy
from icnn.decide.solvers.cvxpy import CVXPY
from icnn.models import Additive, HyperICNN, NormTerm, Quadratic, Sum

SMOOTH = {
    "softplus": build(2, (RELU, Softplus(), IDENTITY), (4, 3, 1)),
    "log-sum-exp": build(2, (RELU, LogSumExp(3, 0.3), IDENTITY), (4, 3, 1)),
    "log-sum-exp-last": build(2, (LogSumExp(5),), (1,)),
    "norm": build(2, (Norm(3), IDENTITY), (4, 1)),
    "squares": build(2, (SumSquares(2), RELU, IDENTITY), (4, 3, 1)),
    "squares-last": build(3, (SumSquares(4),), (1,)),
    "elu": build(2, (ELU(0.5), ELU(), IDENTITY), (4, 3, 1)),
    "huber": build(2, (Huber(0.7), IDENTITY), (5, 1)),
}
# units far from 1 are the user's to scale in the user's own CVXPY problem; minimize does it itself
FAR = {"huge-x", "tiny-y", "huge-x-tiny-y"}
CONTEXTUAL = {
    "picnn": lambda: icnn.PICNN(3, 2, (12, 12), (8,)),
    "hyper": lambda: HyperICNN(3, 2, (6, 6), (5,)),
    "max-affine": lambda: icnn.MaxAffine(3, 8, n_context=2),
    "log-sum-exp": lambda: icnn.LogSumExp(3, 8, n_context=2),
    "sum": lambda: Sum(
        icnn.PICNN(3, 2, (8,), (8,)), Quadratic(3, n_context=2), NormTerm(3, n_context=2)
    ),
    "mixture": lambda: Sum(icnn.PICNN(3, 2, (8,), (8,)), Additive(3, 4), weights=[0.7, 0.4]),
}


def network(name):
    return SMOOTH[name] if name in SMOOTH else NETWORKS[name].f


def width(name):
    return 1.0 if name in SMOOTH else NETWORKS[name].width


@cache
def contextual(kind, concave=False):
    r = np.random.default_rng(0)
    X, C = r.uniform(-2, 2, (150, 3)), r.uniform(-1, 1, (150, 2))
    y = np.square(X - C[:, [0]]).sum(1) + np.abs(X[:, 0] + C[:, 1])
    budget = icnn.Budget(restarts=1, steps=40, every=20, polish=0)
    y = -y if concave else y
    model = CONTEXTUAL[kind]()
    return icnn.fit(model, X, y, context=C, budget=budget, progress=False, concave=concave)


MIXED = {
    "alone": lambda: Additive(3, 5),
    "with kinks": lambda: Sum(icnn.FICNN(3, (8,)), Additive(3, 5), weights=[0.7, 0.4]),
    "with curves": lambda: Sum(
        icnn.FICNN(3, (6,), activation="softplus"), Quadratic(3), Additive(3, 5)
    ),
    "nested": lambda: Sum(Sum(Additive(3, 3), Quadratic(3), weights=[0.5, 2.0]), Additive(3, 4)),
}


@cache
def additive(kind, concave=False):
    """A mixture with an additive part, in units far from those of training."""
    X = np.random.default_rng(0).uniform(-2, 2, (150, 3))
    y = np.abs(X[:, 0] - 0.3) + np.square(X[:, 1:]).sum(1)
    budget = icnn.Budget(restarts=1, steps=40, every=20, polish=0)
    X, y = X * [1.0, 10.0, 0.1] + [0.0, 50.0, 1.0], 5 * (-y if concave else y)
    return icnn.fit(MIXED[kind](), X, y, budget=budget, progress=False, concave=concave)


def solve(objective, constraints):
    problem = cp.Problem(objective, constraints)
    assert problem.is_dcp(dpp=True)
    return problem.solve(solver="CLARABEL")


@pytest.mark.parametrize("name", [*NETWORKS, *SMOOTH])
def test_a_pinned_expression_is_the_function(name, rng):
    f, x = network(name), cp.Variable(network(name).n)
    expression, constraints = to_cvxpy(f, x)
    point = rng.uniform(-1, 1, f.n) * width(name)
    value = solve(cp.Minimize(expression), [*constraints, x == point])
    assert value == pytest.approx(f(point), rel=1e-6, abs=1e-6 if "tiny-y" not in name else 1e-8)


@pytest.mark.parametrize("name", [name for name in [*NETWORKS, *SMOOTH] if name not in FAR])
def test_both_find_the_same_optimum(name):
    f, w = network(name), width(name)
    x = cp.Variable((f.n, 1))
    expression, constraints = to_cvxpy(f, x)
    value = solve(cp.Minimize(expression), [*constraints, x >= -2 * w, x <= 2 * w])
    decision = icnn.minimize(f, bounds=[(-2 * w, 2 * w)] * f.n, throw=False)
    assert abs(value - decision.value) <= 1e-6 * max(decision.scale, abs(decision.value))


@pytest.mark.parametrize("solver", ["CLARABEL", "HIGHS", "SCIPY", "OSQP", "SCS"])
def test_the_expression_goes_to_every_solver(solver):
    f = NETWORKS["relu-3-6-5-4"].f
    x = cp.Variable(f.n)
    expression, constraints = to_cvxpy(f, x)
    problem = cp.Problem(cp.Minimize(expression), [*constraints, cp.norm1(x) <= 1])
    reference = solve(cp.Minimize(expression), problem.constraints)
    assert problem.solve(solver=solver) == pytest.approx(reference, abs=1e-4)


def test_a_users_own_problem():
    """Their terms, their constraints, an affine expression for x, a limit on another function."""
    f, g = NETWORKS["relu-2-8"].f, NETWORKS["relu-2-8-8"].f
    y = cp.Variable(4)
    cost, first = to_cvxpy(f, y[:2] - y[2:])
    load, second = to_cvxpy(g, y[:2])
    limit = float(g(np.zeros(2))) + 0.1
    own = 0.3 * cp.sum_squares(y - 1) + cost
    solve(cp.Minimize(own), [*first, *second, load <= limit, cp.sum(y) == 1])
    assert cost.value == pytest.approx(f(y.value[:2] - y.value[2:]), abs=1e-6)
    assert g(y.value[:2]) <= limit + 1e-6


def test_the_wrong_direction_is_not_dcp():
    """The layers alone would be affine, and `>= 50` would be met above the surface."""
    f, x = NETWORKS["relu-2-8"].f, cp.Variable(2)
    expression, constraints = to_cvxpy(f, x)
    assert expression.is_convex()
    assert not expression.is_affine()
    assert not cp.Problem(cp.Maximize(expression), constraints).is_dcp()
    assert not (expression >= 50).is_dcp()
    assert to_cvxpy(icnn.affine([1.0, 2.0], 3.0), x)[0].is_affine()


@pytest.mark.parametrize("concave", [False, True])
@pytest.mark.parametrize("kind", CONTEXTUAL)
def test_one_problem_serves_every_context(kind, concave, rng):
    s, x, context = contextual(kind, concave), cp.Variable(3), cp.Parameter(2)
    goal = cp.Maximize if concave else cp.Minimize
    expression, constraints = to_cvxpy(s, x, context)
    problem = cp.Problem(goal(expression), [*constraints, x >= -2, x <= 2])
    assert problem.is_dcp(dpp=True)
    exact = dict(tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    for _ in range(3):
        context.value = rng.uniform(-1, 1, 2)
        again = problem.solve(solver="CLARABEL", **exact)
        assert s.predict(x.value, context.value) == pytest.approx(again, abs=1e-7)
        fresh, own = to_cvxpy(s, x, context.value)
        built = cp.Problem(goal(fresh), [*own, x >= -2, x <= 2]).solve(solver="CLARABEL", **exact)
        assert again == pytest.approx(built, abs=1e-8)


@pytest.mark.parametrize("concave", [False, True])
@pytest.mark.parametrize("kind", MIXED)
def test_a_mixture_with_an_additive_part(kind, concave, rng):
    """Values where x is pinned, the optimum at several prices of one DPP problem."""
    s, x = additive(kind, concave), cp.Variable(3)
    price, goal = cp.Parameter(3), cp.Maximize if concave else cp.Minimize
    expression, constraints = to_cvxpy(s, x)
    for point in rng.uniform(s.lower, s.upper, (3, 3)):
        value = solve(goal(expression), [*constraints, x == point])
        assert value == pytest.approx(s.predict(point), rel=1e-6)
        assert expression.value == pytest.approx(s.predict(point), rel=1e-6)
    box = [x >= s.lower, x <= s.upper]
    problem = cp.Problem(goal(expression + price @ x), [*constraints, *box])
    assert problem.is_dcp(dpp=True)
    ours = icnn.prepare(s)
    for c in rng.normal(size=(3, 3)) * [1.0, 0.1, 10.0]:
        price.value = c
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        decision = ours.solve(linear=c)
        assert problem.value == pytest.approx(decision.value, abs=1e-6 * decision.scale)


def test_a_mixture_that_fit_puts_together():
    X = np.random.default_rng(1).uniform(-1, 1, (100, 2))
    models = [icnn.FICNN(2, (2,), "identity"), Additive(2, 4)]  # a plane, which bends nowhere
    budget = icnn.Budget(restarts=2, steps=100, every=10, polish=0)
    s = icnn.fit(models, X, np.abs(X).sum(1), combine="mix", budget=budget, progress=False)
    assert any(isinstance(term, Additive) for term in s.model.modules())
    x = cp.Variable(2)
    expression, constraints = to_cvxpy(s, x)
    value = solve(cp.Minimize(expression), [*constraints, x >= s.lower, x <= s.upper])
    assert value == pytest.approx(icnn.minimize(s).value, abs=1e-6)


def test_a_total_takes_columns_and_context_by_name():
    s = contextual("picnn")
    t = s.rename({"x0": "other", "c1": "c2"})
    total, x, context = s + 0.5 * t, cp.Variable(4), cp.Parameter(3)
    expression, constraints = to_cvxpy(total, x, context)
    point = np.array([0.3, -0.5, 0.7, 1.1])
    context.value = [0.2, -0.4, 0.6]
    value = solve(cp.Minimize(expression), [*constraints, x == point])
    named = dict(zip(total.context_columns, context.value, strict=True))
    assert value == pytest.approx(total.predict(point, named), abs=1e-6)


def test_what_to_cvxpy_refuses():
    f, s, x = NETWORKS["relu-2-8"].f, contextual("picnn"), cp.Variable(3)
    for wrong, sentence in [
        (cp.Variable(3), r"x has shape \(3,\); f reads 2 columns, x0, x1"),
        (cp.Variable((1, 2)), r"so x has shape \(2,\) or \(2, 1\)"),
        (cp.square(cp.Variable(2)), "not a convex expression"),
        (np.zeros(2), r"x is a cvxpy.Variable\(2\) or an affine"),
        (cp.Variable(2, complex=True), "x is complex"),
    ]:
        with pytest.raises(icnn.BadData, match=sentence):
            to_cvxpy(f, wrong)
    for context, sentence in [
        (cp.Parameter(3), r"context has shape \(3,\); f depends on c0, c1, so it is \(2,\)"),
        (cp.Variable(2), "f is not convex in it"),
        (None, "f depends on the context c0, c1"),
        ([1.0], "context"),
    ]:
        with pytest.raises(icnn.BadData, match=sentence):
            to_cvxpy(s, x, context)
    with pytest.raises(icnn.BadData, match="a Network takes no context"):
        to_cvxpy(f, cp.Variable(2), [1.0])
    with pytest.raises(icnn.BadData, match="must be a Surrogate or a Network"):
        to_cvxpy(np.square, x)
    expression, constraints = to_cvxpy(s, x, cp.Parameter(2, name="weather"))
    with pytest.raises(icnn.BadData, match="parameter weather has no value"):
        cp.Problem(cp.Minimize(expression), constraints).solve()


def test_categories_do_not_fit_a_parameter():
    r = np.random.default_rng(0)
    X, kind = r.uniform(-1, 1, (60, 3)), r.choice(["wet", "dry"], 60)
    budget = icnn.Budget(restarts=1, steps=20, every=20, polish=0)
    s = icnn.fit(
        icnn.PICNN(3, 2, (4,), (4,)),
        X,
        np.square(X).sum(1),
        context=kind.reshape(-1, 1),
        budget=budget,
        progress=False,
    )
    with pytest.raises(icnn.NotSupported, match="'c0' holds categories"):
        to_cvxpy(s, cp.Variable(3), cp.Parameter(1))
    x = cp.Variable(3)
    expression, constraints = to_cvxpy(s, x, {"c0": "wet"})
    value = solve(cp.Minimize(expression), [*constraints, x == 0.5])
    assert value == pytest.approx(s.predict(np.full(3, 0.5), {"c0": "wet"}), abs=1e-6)


# ------------------------------------------------------------------ solvers


CERTIFIED = [n for n in [*NETWORKS, *SMOOTH] if n not in {"cancelling"}]


@pytest.mark.parametrize("name", CERTIFIED)
def test_clarabel_through_cvxpy_is_certified(name):
    f, w = network(name), width(name)
    for key in ("box", "budget", "equality", "simplex", "fixed", "thin"):
        decision = icnn.minimize(f, **sets(f.n)[key].arguments(w), solver=CVXPY())
        assert decision.success, (key, decision)
        assert decision.certified
        assert decision.gap <= 1e-6 * decision.scale


@pytest.mark.parametrize("solver", ["HIGHS", "SCIPY", "OSQP", "SCS"])
@pytest.mark.parametrize("name", ["relu-2-8-8", "max-middle", "pieces", "flat"])
def test_other_solvers_say_what_they_reached(name, solver):
    f = NETWORKS[name].f
    arguments = sets(f.n)["budget"].arguments()
    reference = icnn.minimize(f, **arguments)
    decision = icnn.minimize(f, **arguments, solver=CVXPY(solver), throw=False)
    assert decision.bound <= reference.value + 1e-9 * reference.scale
    if decision.success:
        assert decision.value == pytest.approx(reference.value, abs=2e-6 * reference.scale)
    assert decision.success or solver in {"OSQP", "SCS"}


@pytest.mark.parametrize("solver", ["HIGHS", "SCIPY"])
def test_whole_numbers(solver):
    f = NETWORKS["relu-5-16-16"].f
    for key in ("integer", "integer-budget"):
        arguments = sets(f.n)[key].arguments()
        decision = icnn.minimize(f, **arguments, solver=CVXPY(solver))
        assert decision.value == pytest.approx(icnn.minimize(f, **arguments).value, abs=1e-9)
        assert not decision.certified


def test_what_the_solvers_refuse():
    f, smooth = NETWORKS["relu-2-8"].f, SMOOTH["softplus"]
    box = dict(bounds=[(-1, 1)] * 2)
    for g, solver, more, sentence in [
        (f, "NOSUCH", {}, r"no solver NOSUCH is installed; there are .*CLARABEL"),
        (f, "CLARABEL", {"integrality": 1}, "CLARABEL has no branch and bound"),
        (smooth, "HIGHS", {}, "HIGHS takes no exponential cones$"),
        (SMOOTH["norm"], "OSQP", {}, "OSQP takes no second-order cones$"),
    ]:
        with pytest.raises(icnn.NotSupported, match=sentence):
            icnn.minimize(g, **box, **more, solver=CVXPY(solver))
    with pytest.raises(icnn.BadData, match="a dict of its options"):
        CVXPY("CLARABEL", "fast")
    with pytest.raises(TypeError):
        CVXPY(options={"max_iter": 5}).options["max_iter"] = 6


def test_infeasible_unbounded_and_stopped_are_not_the_solvers_word():
    f = NETWORKS["relu-2-8"].f
    above = LinearConstraint([[1.0, 1.0]], 5.0, np.inf)
    with pytest.raises(icnn.errors.Infeasible):
        icnn.minimize(f, bounds=[(-1, 1)] * 2, constraints=above, solver=CVXPY())
    with pytest.raises(icnn.errors.Unbounded):
        icnn.minimize(icnn.affine([1.0, 0.0]), solver=CVXPY())
    stopped = icnn.minimize(
        f, bounds=[(-1, 1)] * 2, solver=CVXPY(options={"max_iter": 1}), throw=False
    )
    assert not stopped.success


# ------------------------------------------------------------------ constraints

CONSTRAINTS = {
    "ball": lambda x: [cp.norm(x) <= 1.3],
    "quad-over-lin": lambda x: [cp.quad_over_lin(x, 2.0) <= cp.Parameter(value=0.5)],
    "squares": lambda x: [cp.sum_squares(x - 1) <= 2, cp.sum(x) == 3.0],
    "exp": lambda x: [cp.sum(cp.exp(x)) <= 6],
    "linear": lambda x: [x >= -1, x <= np.ones(x.shape), cp.sum(x) <= 0.3],
    "absolute": lambda x: [cp.norm1(x) <= 1, cp.norm_inf(x) <= 0.5],
    "several": lambda x: [cp.norm(x) <= 1, cp.norm(x - 1) <= 2, cp.exp(x[0]) + cp.sum(x) <= 2],
    "equality": lambda x: [cp.sum(x) == 0.25],
    "power": lambda x: [cp.sum(cp.power(x - 1, 4)) <= 2],
    "least": lambda x: [cp.min(x) >= 0.4],
    "log": lambda x: [cp.sum(cp.log(x)) >= -2],
    "logistic": lambda x: [cp.sum(cp.logistic(x)) <= 3],
    "log-sum-exp": lambda x: [cp.log_sum_exp(x) <= 1.0],
    "huber": lambda x: [cp.sum(cp.huber(x)) <= 0.5],
    "entropy": lambda x: [cp.sum(cp.entr(x)) >= 0.7],
}


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
@pytest.mark.parametrize("key", CONSTRAINTS)
def test_cvxpy_constraints_are_sets(key, shape):
    f, x = NETWORKS["relu-5-16-16"].f, cp.Variable(shape)
    theirs = CONSTRAINTS[key](x)
    expression, own = to_cvxpy(f, x)
    value = solve(cp.Minimize(expression), [*theirs, *own, x >= -2, x <= 2, x[0] + x[1] <= 1])
    row = LinearConstraint([[1.0, 1.0, 0, 0, 0]], -np.inf, 1.0)
    decision = icnn.minimize(f, bounds=[(-2, 2)] * 5, constraints=[row, *theirs], variable=x)
    assert decision.success
    assert decision.gap <= 1e-6 * decision.scale
    assert decision.value == pytest.approx(value, abs=1e-6 * decision.scale)
    assert decision.x.shape == (5,)


def test_polyhedral_constraints_stay_linear_and_whole():
    f = NETWORKS["relu-2-8"].f
    x = cp.Variable(2, integer=True, bounds=[-2, 3])
    decision = icnn.minimize(f, constraints=[cp.norm1(x) <= 2], variable=x)
    assert decision.solver == "HiGHS"
    grid = np.array([(a, b) for a in range(-2, 4) for b in range(-2, 4) if abs(a) + abs(b) <= 2])
    assert decision.value == pytest.approx(f(grid).min())


def test_attributes_become_bounds_and_whole_numbers():
    columns = ("a", "b")
    parts = conic_parts({}, cp.Variable(2, boolean=True), columns)
    assert parts.integral.all()
    assert (parts.box.lower == 0).all()
    assert (parts.box.upper == 1).all()
    assert (conic_parts({}, cp.Variable(2, nonneg=True), columns).box.lower == 0).all()
    assert (conic_parts({}, cp.Variable((2, 1), neg=True), columns).box.upper == 0).all()
    some = conic_parts({}, cp.Variable(2, integer=[(1,)], bounds=[None, [3, np.inf]]), columns)
    assert some.integral.tolist() == [False, True]
    assert some.box.upper.tolist() == [3, np.inf]


class TestRefused:
    """One sentence each, with the place of the constraint in the user's list."""

    x = cp.Variable(2, name="x")

    @pytest.mark.parametrize(
        ("constraint", "error", "sentence"),
        [
            (cp.Variable(2, name="y") <= 1, icnn.BadData, "on the variable y, but only x"),
            (cp.norm(x) >= 1, icnn.BadData, r"constraint 7 .* is not convex by CVXPY's rules"),
            (cp.norm(x), icnn.BadData, "is an expression; compare it"),
            (np.bool_(True), icnn.BadData, "is a plain truth value"),
            (True, icnn.BadData, "constraint 7 .* is a plain truth value"),
            ("x <= 1", icnn.BadData, "is a str, not a CVXPY constraint"),
            (cp.sum(x) <= cp.Parameter(name="p"), icnn.BadData, "parameter p has no value"),
            (
                cp.Constant(1) <= cp.Parameter(value=2),
                icnn.BadData,
                "does not contain the variable",
            ),
            (cp.sum(x) <= cp.Parameter(value=np.inf), icnn.BadData, "entry that is not finite"),
            (
                cp.lambda_max(cp.diag(x)) <= 1,
                icnn.NotSupported,
                "constraint 7 .* needs a semidefinite or power cone",
            ),
            pytest.param(
                cp.FiniteSet(x[0], [0.5, 1.0]),
                icnn.NotSupported,
                "constraint 7 .* is a choice, for which CVXPY adds whole numbers of its own",
                marks=pytest.mark.filterwarnings("ignore::FutureWarning"),  # CVXPY's, on its order
            ),
        ],
    )
    def test_constraint(self, constraint, error, sentence):
        with pytest.raises(error, match=sentence):
            conic_parts({3: self.x <= 1, 7: constraint}, self.x, ("a", "b"))

    def test_what_needs_attributes_of_the_variable(self):
        """They are bounds and whole numbers here; an atom that asks for them gets a sentence."""
        on, positive = cp.Variable(2, boolean=True), cp.Variable(2, nonneg=True)
        for variable, constraint, sentence in [
            (on, ~on >= 1, "constraint 3 .* is a choice"),
            (positive, cp.sum(cp.xexp(positive)) <= 2, "constraint 3 .* only by an attribute of"),
        ]:
            with pytest.raises(icnn.NotSupported, match=sentence):
                conic_parts({3: constraint}, variable, ("a", "b"))

    @pytest.mark.parametrize(
        ("variable", "error", "sentence"),
        [
            (cp.Variable(3), icnn.BadData, r"shape \(3,\); x has 2 columns, a, b"),
            (cp.Parameter(2), icnn.BadData, "variable is the cvxpy.Variable"),
            (np.zeros(2), icnn.BadData, "variable is the cvxpy.Variable"),
            (cp.Variable(2, complex=True), icnn.NotSupported, "has the attribute complex"),
        ],
    )
    def test_variable(self, variable, error, sentence):
        with pytest.raises(error, match=sentence):
            conic_parts({}, variable, ("a", "b"))


def test_only_cvxpys_things_are_cvxpys():
    x = cp.Variable(2)
    assert is_cvxpy(x <= 1)
    assert is_cvxpy(x)
    assert is_cvxpy(cp.Parameter())
    assert not is_cvxpy(True)
    assert not is_cvxpy(LinearConstraint([[1.0]], 0, 1))
    assert not is_cvxpy(1.0)


def test_a_variable_is_left_as_it_was():
    x = cp.Variable(2, nonneg=True)
    before = replace(conic_parts({0: cp.sum(x) <= 1}, x, ("a", "b")))
    assert x.attributes["nonneg"]
    assert x.value is None
    assert before.rows.A.shape == (1, 2)
