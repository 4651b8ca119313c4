"""The plain twins: the engine's values and gradients, and all higher derivatives.

The twin must give what the engine gives, autograd through the twin what the engine's hand-written
gradient gives, and autograd through that, which is what the engine asks for when it is
differentiated twice, what finite differences of the engine's gradient give.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from autograd.tracer import getval
from support.families import over
from support.registry import CASES, case, close

import flowcore as fc
from flowcore.spec import twins, twins_scalar


def loss_of(f, rng=7):
    """A random scalar of all outputs of f, curved in each of them."""

    def loss(*args):
        draw, total = np.random.default_rng(rng), 0.0
        for a in f(*args):
            linear, square = draw.standard_normal((2, *a.shape))
            a = anp.where(np.isfinite(getval(a)), a, 0.0)  # -inf outside of a support
            total = total + anp.sum(linear * a + 0.1 * square * a * a)
        return total

    return loss


def gradients(f, args):
    """Of the loss, by every argument that is not empty, in one way back."""
    found = grad(lambda args: loss_of(f)(*args))(tuple(args))
    return {k: found[k] for k, a in enumerate(args) if a.size}


def along(f, args, directions):
    """The derivative of the loss along the directions, traced by whoever differentiates again."""
    found = grad(lambda args: loss_of(f)(*args))(args)
    return sum(anp.sum(found[k] * v) for k, v in directions.items())


def gradients_along(f, args, directions):
    """Second derivatives: the gradient of `along`, by every argument that has a direction."""
    found = grad(lambda args: along(f, args, directions))(tuple(args))
    return {k: found[k] for k in directions}


def directions_and_ends(args, step):
    """Random directions, and the arguments a step along them and against them."""
    rng = np.random.default_rng(9)
    directions = {k: rng.standard_normal(a.shape) for k, a in enumerate(args) if a.size}
    ends = [
        [a + sign * step * directions.get(k, 0.0) for k, a in enumerate(args)] for sign in (1, -1)
    ]
    return directions, ends


def precision(name):
    """1e-9 where a root is searched by both, 1e-12 elsewhere."""
    return 1e-9 if "mixture" in name or "mog" in name else 1e-12


@over(CASES)
def test_gradients_are_the_engines(name, way):
    """And the values."""
    engine, tol = case(name, way), precision(name)
    for a, b in zip(engine.twin(*engine.args), engine(*engine.args), strict=True):
        close(a, b, tol)
    found, expected = gradients(engine.twin, engine.args), gradients(engine, engine.args)
    for k, a in found.items():
        close(a, expected[k], max(1e-10, tol))


# What is made of others has the derivatives of its parts: these are for all of their kind.
MADE_OF_OTHERS = (
    "maf-", "iaf-", "coupling-", "nice-", "flow", "blockwise-", "invert", "chain", "again",
    "recipe",
)  # fmt: skip
FOR_ALL = (
    "maf-tanh", "maf-context-first-2", "maf-own-transformer", "maf-residual-context-first",
    "maf-textbook-loop", "iaf-spline", "iaf-mixture", "coupling-residual", "coupling-composed",
    "coupling-own-conditioner", "chain-nested", "flow-student", "flow-over-a-flow-context",
    "flow-own-bijector", "mixture-of-flows", "continuous-1",
)  # fmt: skip
LARGE = ("wide", "many-inputs", "random", "continuous")  # like others, but slow
FORMULAS = [
    c for c in CASES if c[0] in FOR_ALL
    or not (c[0].startswith(MADE_OF_OTHERS) or any(word in c[0] for word in LARGE))
]  # fmt: skip


@over(FORMULAS)
def test_second_derivatives_of_the_engine_are_differences_of_its_gradients(name, way):
    engine = case(name, way)
    directions, ends = directions_and_ends(engine.args, 3e-8)
    up, down = (gradients(engine, a) for a in ends)
    for k, found in gradients_along(engine, engine.args, directions).items():
        close(found, (up[k] - down[k]) / 6e-8, 1e-5)


SMOOTH = [
    ("maf-wide", "inverse"),
    ("transformer-spline", "inverse"),
    ("radial-3", "inverse"),
    ("lu-3", "inverse"),
    ("flow-student", "log_prob"),
]


@pytest.mark.parametrize("name, way", SMOOTH)
def test_third_derivatives_are_differences_of_second_ones(name, way):
    engine = case(name, way)
    directions, ends = directions_and_ends(engine.args, 1e-6)

    def second(args):
        slopes = grad(lambda args: along(engine, args, directions))(args)
        return sum(anp.sum(slopes[k] * v) for k, v in directions.items())

    up, down = (second(tuple(a)) for a in ends)
    third = grad(second)(tuple(engine.args))
    found = sum(np.sum(third[k] * v) for k, v in directions.items())
    np.testing.assert_allclose(found, (up - down) / 2e-6, rtol=1e-5)


BY_DESIGN = [("fixed-exp", "forward"), ("invert-exp", "inverse")]
FAR_OUT = [c for c in FORMULAS if "unbounded" not in c[0] and "own" not in c[0]]


@over([c for c in FAR_OUT if c not in BY_DESIGN])
def test_far_out_second_derivatives_are_finite(name, way):
    """Nothing overflows at points of size 1e3: a branch that is not taken, least of all."""
    engine = case(name, way)
    theta, x, *context = engine.args
    far = x * np.array([1, 1e3, -1e3, 30])[:, None] if way != "phi" else 1e3 * x
    args = [theta, far, *context]
    directions = {k: np.ones(a.shape) for k, a in enumerate(args) if a.size}
    for found in gradients_along(engine.twin, args, directions).values():
        assert np.isfinite(found).all()


SLOPES = {  # a function of one number, its first and its second derivative at -1e150, 0 and 1e150
    "softplus": ([0, 0.5, 1], [0, 0.25, 0]),
    "sigmoid": ([0, 0.25, 0], [0, 0, 0]),
    "elu": ([0, 1, 1], [0, 0, 0]),
    "log_one_plus_square": ([-2e-150, 0, 2e-150], [-2e-300, 2, -2e-300]),
}


@pytest.mark.parametrize("name", SLOPES)
def test_functions_of_one_number_are_smooth_and_do_not_overflow(name):
    first = elementwise_grad(getattr(twins_scalar, name))
    x = np.array([-1e150, 0, 1e150])
    for slope, expected in zip((first, elementwise_grad(first)), SLOPES[name], strict=True):
        np.testing.assert_allclose(slope(x), expected, rtol=1e-12)


def test_outputs_that_depend_on_nothing_have_zero_gradients():
    """And autograd, which would warn of them, does not."""
    part, x = fc.Chain([fc.Permute([1, 0]), fc.LULinear(2)]), np.ones((4, 2))
    by_x = grad(lambda x: anp.sum(twins.evaluate(part, "forward", part.params, x)[1]))(x)
    np.testing.assert_array_equal(by_x, np.zeros((4, 2)))


def test_every_class_of_the_package_has_a_formula():
    """The fallback, a class's own methods, would lead from a built-in class back to its twin."""
    kinds = [
        (fc.Transformer, twins_scalar.transform),
        (fc.MADE, twins.network),
        (fc.MLP, twins.network),
        (fc.Bijector, twins.bijector),
        (fc.Distribution, twins.log_prob),
        (fc.TransformedDistribution, twins.log_prob),
    ]
    classes = [found for name in fc.__all__ if isinstance(found := getattr(fc, name), type)]
    for kind, function in kinds:
        for cls in classes:
            if issubclass(cls, kind) and cls not in (fc.Transformer, fc.Bijector, fc.Distribution):
                assert function.dispatch(cls) is not function.dispatch(object), cls
