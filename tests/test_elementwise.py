"""Fixed elementwise maps and Blockwise: golden values, tails, supports, compositions."""

from pathlib import Path

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from registry import BIJECTORS

from flowcore import (
    ActNorm,
    Chain,
    Elementwise,
    Invert,
    LULinear,
    Normal,
    Permute,
    Scale,
    Standardize,
    TransformedDistribution,
    fit,
    reference,
)
from flowcore.bijectors import (
    Blockwise,
    ElementwiseAffine,
    Exp,
    Logit,
    Sigmoid,
    SinhArcsinh,
    Softplus,
    Tanh,
)
from flowcore.testing import check_bijector, randomize

GOLDEN = dict(np.load(Path(__file__).parent / "data" / "golden_maps.npz"))
EVERYWHERE = (-np.inf, np.inf)
LOW = np.array([-2.0, 0.0, 1.0])


def rows(n, dim, rng=0):
    return np.random.default_rng(rng).standard_normal((n, dim))


def density(bijector):
    return TransformedDistribution(Normal(bijector.dim), bijector)


# ---------------------------------------------------------------- golden values

TFP = {
    "elem/scale": lambda: ElementwiseAffine(0.0, [2.0, -0.5, 3.0]),
    "elem/scale_log": lambda: Elementwise(3, Scale()).with_params([0.3, -1.0, 0.0]),
    "elem/shift": lambda: ElementwiseAffine([1.0, -2.0, 0.5]),
    "elem/softplus": lambda: Softplus(3),
    "elem/softplus_h": lambda: Softplus(3, hinge_softness=0.3, low=1),
    "elem/exp": lambda: Exp(3),
    "elem/tanh": lambda: Tanh(3),
    "elem/sigmoid": lambda: Sigmoid(3),
    "elem/sigmoid_lh": lambda: Sigmoid(3, low=-2, high=5),
    "elem/sinharcsinh": lambda: SinhArcsinh(3, skewness=0.4, tailweight=1.3),
    "blockwise": lambda: Blockwise([Exp(2), Sigmoid(1)], sizes=[2, 1]),
}


@pytest.mark.parametrize("name", TFP)
@pytest.mark.parametrize("way, arg, log_det", [("forward", "x", "fldj"), ("inverse", "y", "ildj")])
def test_golden(name, way, arg, log_det):
    value, found = getattr(TFP[name](), f"{way}_and_log_det")(GOLDEN[f"{name}/{arg}"])
    np.testing.assert_allclose(value, GOLDEN[f"{name}/{way}"], rtol=1e-10, atol=1e-10)
    expected = np.broadcast_to(GOLDEN[f"{name}/{log_det}"], (4,))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_golden_logit():
    """TFP's Sigmoid, the other way round."""
    value, log_det = Logit(3, -2, 5).forward_and_log_det(GOLDEN["elem/sigmoid_lh/y"])
    np.testing.assert_allclose(value, GOLDEN["elem/sigmoid_lh/inverse"], rtol=1e-10)
    np.testing.assert_allclose(log_det, GOLDEN["elem/sigmoid_lh/ildj"], rtol=1e-10)


def test_sinh_arcsinh_is_the_papers():
    """TFP's skewness and tailweight are the paper's epsilon and 1 / delta, x is scaled by m."""
    b, x = SinhArcsinh(1, 0.4, 1.3), 1.7
    m = 2 / np.sinh(1.3 * np.arcsinh(2))
    z, log_slope = reference.sinh_arcsinh_inverse(x / m, 0.4, 1 / 1.3)
    value, log_det = b.inverse_and_log_det([x])
    np.testing.assert_allclose(value, [z], rtol=1e-13)
    np.testing.assert_allclose(log_det, log_slope - np.log(m), rtol=1e-12)


# ---------------------------------------------------------------- tails

FAR = np.array([40.0, 800.0, 1e3, 1e6])


@pytest.mark.parametrize(
    "b, low, high, right, left",
    [
        (Sigmoid(1), 0, 1, -FAR, -FAR),
        (Sigmoid(1, -2, 5), -2, 5, np.log(7) - FAR, np.log(7) - FAR),
        (Tanh(1), -1, 1, np.log(4) - 2 * FAR, np.log(4) - 2 * FAR),
        (Softplus(1), 0, FAR, -np.exp(-FAR), -FAR),
        (Softplus(1, 0.5, 3), 3, 3 + FAR, -np.exp(-2 * FAR), -2 * FAR),
        (Exp(1), 0, [np.exp(40.0), np.inf, np.inf, np.inf], FAR, -FAR),
    ],
)
def test_far_out(b, low, high, right, left):
    """The asymptotes: no warning, no NaN, and log-dets that are exact where x has saturated."""
    found = b.forward_and_log_det(FAR[:, None]), b.forward_and_log_det(-FAR[:, None])
    (x_right, l_right), (x_left, l_left) = found
    np.testing.assert_allclose(x_right[:, 0], np.broadcast_to(high, 4), rtol=1e-15)
    np.testing.assert_allclose(x_left[:, 0], np.full(4, low), atol=1e-17)
    np.testing.assert_allclose(l_right, right, rtol=1e-14)
    np.testing.assert_allclose(l_left, left, rtol=1e-14)


@pytest.mark.parametrize("b", [Sigmoid(1), Exp(1), Softplus(1), Softplus(1, 0.1), Logit(1)])
def test_inverse_near_an_end_at_zero(b):
    """Where floats are dense, down to the smallest: z follows the logarithm of x."""
    x = np.array([1e-10, 1e-100, 1e-300, 5e-324])[:, None]
    run = b.forward if isinstance(b, Logit) else b.inverse
    c = b.hinge_softness if isinstance(b, Softplus) else 1.0
    np.testing.assert_allclose(run(x)[:3], c * np.log(x / c)[:3], rtol=1e-9)
    assert np.isfinite(run(x)).all() and np.isfinite(b.inverse_log_det(x)).all()


def test_inverse_near_the_other_end():
    """One float below high; the distance to it is exact."""
    for b, slope in ((Sigmoid(1), 1.0), (Sigmoid(1, -2, 5), 1.0), (Tanh(1), 0.5)):
        high = b.codomain[1]
        x = np.nextafter(high, 0)
        z = b.inverse([x])[0]
        width = high - b.codomain[0]
        np.testing.assert_allclose(z, slope * np.log(width / (high - x)), rtol=1e-12)
        np.testing.assert_allclose(b.forward([z]), [x], rtol=1e-16)


def test_a_softplus_of_subnormal_distance():
    value, log_det = Softplus(1, hinge_softness=4.0).inverse_and_log_det([5e-324])
    assert np.isfinite(value).all() and np.isfinite(log_det)


def test_a_heavy_map_beyond_floats():
    """x = sinh(1071), which is inf; its log-slope, about that of z^50, is not."""
    z = np.array([1e9])
    x, log_det = SinhArcsinh(1, tailweight=50.0).forward_and_log_det(z)
    m = np.log(2 / np.sinh(50 * np.arcsinh(2)))
    assert x == np.inf
    np.testing.assert_allclose(log_det, m + np.log(50) + 49 * np.log(z[0]) + 49 * np.log(2))


def test_a_heavy_map_inverted_beyond_floats():
    """z would be about exp(2000)."""
    b = density(SinhArcsinh(1, tailweight=0.01))
    assert b.log_prob(np.array([1e9])) == -np.inf and np.isnan(b.to_latent(np.array([1e9])))


# ---------------------------------------------------------------- supports

SUPPORTS = {
    "sigmoid": (Sigmoid(2), [0.5, 0.2], [[0, 0.5], [0.5, 1], [-3, 0.5], [2, 2], [np.inf, 0.5]]),
    "sigmoid-5": (Sigmoid(2, -2, [5, 1]), [4, 0.5], [[-2, 0], [4, 1], [5, 0], [0, -np.inf]]),
    "inverted-logit": (Invert(Logit(2)), [0.5, 0.2], [[0, 0.5], [0.5, 1], [-3, 0.5]]),
    "tanh": (Tanh(2), [0.5, -0.2], [[1, 0], [0, -1], [7, 0], [-1e30, 0]]),
    "exp": (Exp(2), [3, 1e-5], [[0, 1], [1, -1], [1, -np.inf], [np.inf, 1]]),
    "softplus": (Softplus(2, 0.3, 1), [3, 1.1], [[1, 2], [2, 0], [-5, -5], [np.inf, 2]]),
    "sinh-arcsinh": (SinhArcsinh(2, 0.4, 1.3), [3, 0], [[np.inf, 0], [0, -np.inf]]),
    "affine": (ElementwiseAffine(0.0, [1, -2]), [3, 0], [[np.inf, 0], [0, -np.inf]]),
}


@pytest.mark.parametrize("name", SUPPORTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_prob_out_of_support(name, dtype):
    """-inf outside and on the boundary, NaN for NaN, and nothing in the rows between."""
    b, inside, outside = SUPPORTS[name]
    for bijector in (b, Chain([b, Permute([1, 0])]), Blockwise([b])):
        flow = density(bijector)
        outside = np.array(outside, dtype)
        n = len(outside)
        x = np.full((2 * n + 2, 2), inside, dtype)
        x[1 : 2 * n : 2] = outside
        x[2 * n] = np.nan, inside[1]
        x[2 * n + 1] = outside[0, 0], np.nan
        log_prob = flow.log_prob(x)
        assert log_prob.dtype == dtype
        assert (log_prob[1 : 2 * n : 2] == -np.inf).all()
        np.testing.assert_array_equal(log_prob[0 : 2 * n : 2], flow.log_prob(x[0]))
        assert np.isfinite(flow.log_prob(x[0])) and np.isnan(log_prob[2 * n :]).all()
        z = flow.to_latent(x)
        assert np.isfinite(z[: 2 * n : 2]).all() and np.isnan(z[1 : 2 * n : 2]).all()
        assert np.isnan(z[2 * n :]).any(axis=1).all()
        assert (flow.prob(x)[1 : 2 * n : 2] == 0).all()


@pytest.mark.parametrize("name", SUPPORTS)
def test_gradients_next_to_rows_out_of_support(name):
    """Zero there, and the same as alone everywhere else."""
    b, inside, outside = SUPPORTS[name]
    flow = density(Chain([b, ElementwiseAffine([0.3, -0.2], 1.5)]))
    x = np.array([inside, *outside], float)
    gradient = autograd.grad(lambda x: anp.sum(flow.log_prob(x)))(x)
    alone = autograd.grad(lambda x: anp.sum(flow.log_prob(x)))(x[:1])
    assert np.isfinite(gradient).all() and alone.all()
    np.testing.assert_array_equal(gradient[:1], alone)
    is_out = ~np.isfinite(b.inverse_log_det(x))
    both = np.stack([density_of(b, x, k) for k in range(2)], axis=1)
    np.testing.assert_array_equal(gradient[both], 0)
    assert is_out.tolist() == [False] + [True] * len(outside)


def density_of(b, x, k):
    """Whether coordinate k alone puts a row out of the support."""
    alone = np.tile(x[0], (len(x), 1))
    alone[:, k] = x[:, k]
    return b.inverse_log_det(alone) == -np.inf


def test_a_uniform_density():
    """Sigmoid of a logistic variable is uniform: its log-slope is the logistic log-density."""
    z = np.linspace(-30, 30, 7)[:, None]
    logistic = -z[:, 0] - 2 * np.log1p(np.exp(-z[:, 0]))
    np.testing.assert_allclose(Sigmoid(1).forward_log_det(z), logistic, rtol=1e-12)


# ---------------------------------------------------------------- domains


def test_domains():
    b = Sigmoid(3, LOW, 9.0)
    assert b.domain == EVERYWHERE and b.codomain[1] == 9 and (b.codomain[0] == LOW).all()
    assert Invert(b).domain[0] is b.codomain[0] and Invert(b).codomain == EVERYWHERE
    assert Logit(1, 2, 3).domain == (2, 3) and Logit(1).codomain == EVERYWHERE
    assert Exp(1).codomain == Softplus(1).codomain == (0, np.inf)
    low, high = Blockwise([Exp(1), Sigmoid(3, LOW, 9.0), Permute([1, 0])]).codomain
    np.testing.assert_array_equal(low, [0, *LOW, -np.inf, -np.inf])
    np.testing.assert_array_equal(high, [np.inf, 9, 9, 9, np.inf, np.inf])
    assert Permute([0]).domain == Permute([0]).codomain == EVERYWHERE


def test_check_bijector_needs_the_domain():
    """Without it Logit is tested at points where it is not defined; arguments still win."""
    check_bijector(Logit(3, -2, 5))
    check_bijector(Logit(3, -2, 5), domain=(0, 1), codomain=(-3, 3))
    with pytest.raises(AssertionError, match=r"needs domain=\(low, high\)"):
        check_bijector(Logit(3), domain=EVERYWHERE)


# ---------------------------------------------------------------- arguments, copies, dtypes


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Sigmoid(0), "dim must be an integer"),
        (lambda: Sigmoid(2, 1.0, 1.0), "low must be less than high, not 1.0 and 1.0"),
        (lambda: Logit(2, [0.0, 2.0], 1.0), "low must be less than high"),
        (lambda: Sigmoid(2, -np.inf), r"low must be finite, a number or of shape \(2,\): -inf"),
        (lambda: Sigmoid(2, high=[1.0, 2.0, 3.0]), r"high must be .* \[1.0, 2.0, 3.0\]"),
        (lambda: Softplus(2, 0.0), "hinge_softness must be positive, a number .*: 0.0"),
        (lambda: Softplus(2, low=np.nan), "low must be finite"),
        (lambda: SinhArcsinh(2, tailweight=[1.0, -1.0]), "tailweight must be positive"),
        (lambda: SinhArcsinh(2, tailweight=51.0), "at most 50"),
        (lambda: SinhArcsinh(2, skewness=np.inf), "skewness must be finite"),
        (lambda: ElementwiseAffine([1.0, 2.0], 0.0), "scale must not be 0: 0.0"),
        (lambda: ElementwiseAffine([1.0, 2.0], [1.0, np.nan]), "scale must be finite"),
        (lambda: ElementwiseAffine(1.0, 2.0), "must be a vector of length D"),
        (lambda: ElementwiseAffine([1.0, 2.0], [1.0, 2.0, 3.0]), "must be a vector of length D"),
        (lambda: ElementwiseAffine([[1.0, 2.0]], [1.0, 2.0]), "loc must be finite, a number"),
        (lambda: ElementwiseAffine([], []), "dim must be an integer"),
        (lambda: Blockwise([]), "at least one"),
        (lambda: Blockwise([Exp(2)], sizes=[1]), r"sizes are \[1\], but the bijectors' dims \[2\]"),
        (lambda: Blockwise([Exp(2)]).forward(np.ones(3)), r"\(..., 2\), not \(3,\)"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_blockwise_takes_bijectors():
    with pytest.raises(TypeError, match="takes bijectors, not 3"):
        Blockwise([Exp(2), 3])


def test_constants_cannot_be_changed():
    low = LOW.copy()
    b = Sigmoid(3, low, 9.0)
    low[0] = 100.0
    assert b.low[0] == LOW[0] and not b.low.flags.writeable


def test_reprs():
    assert repr(Sigmoid(3, LOW, 9)) == "Sigmoid(3, low=[-2.0, 0.0, 1.0], high=9.0)"
    assert repr(Logit(9, 0, np.ones(9))) == "Logit(9, low=0.0, high=[1.0, 1.0, 1.0, 1.0, ...])"
    assert repr(ElementwiseAffine(0, [1, -2])) == "ElementwiseAffine(loc=0.0, scale=[1.0, -2.0])"
    assert repr(Blockwise([Exp(2), Tanh(1)])) == "Blockwise([Exp(2), Tanh(1)])"


# ---------------------------------------------------------------- Blockwise


def test_blockwise_is_its_parts_side_by_side():
    b, context = randomize(BIJECTORS["blockwise-mixed"]()), rows(6, 2, 3)
    f, g, h = b.bijectors
    z = rows(6, 5)
    x, log_det = b.forward_and_log_det(z, context=context)
    parts = [
        f.forward_and_log_det(z[:, :1]),
        g.forward_and_log_det(z[:, 1:3]),
        h.forward_and_log_det(z[:, 3:], context=context),
    ]
    np.testing.assert_array_equal(x, np.concatenate([value for value, _ in parts], axis=-1))
    np.testing.assert_allclose(log_det, sum(l for _, l in parts), rtol=1e-14)
    assert b.sizes == (1, 2, 2) and b.dim == 5 and b.context_dim == 2
    assert b.n_params == g.n_params + h.n_params


def test_blockwise_keeps_ties():
    b = BIJECTORS["blockwise-tied"]()
    assert b.n_params == 6 + 2
    new = randomize(b)
    assert new.bijectors[0] is new.bijectors[1][1]
    z = np.tile(rows(1, 2)[0], 2)
    x = new.forward([*z, 0.0])
    np.testing.assert_array_equal(x[:2], x[2:4][::-1])


def test_blockwise_initialises_every_range_from_its_columns():
    X = rows(50, 4) * [1, 2, 3, 4] + [9, 8, 7, 6]
    positive = Chain([Exp(1), ActNorm(1)])
    b = Blockwise([positive, Standardize(2), Invert(ActNorm(1))])
    assert not b.initialized
    new = b.initialize(X)
    assert new.initialized and not b.initialized
    z = new.inverse(X)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-10)
    new = Invert(Blockwise([ActNorm(1), Standardize(3)])).initialize(X)
    np.testing.assert_allclose(new.inverse(X).std(axis=0), 1, rtol=1e-10)


def test_blockwise_initialises_a_tied_part_once():
    X = rows(50, 2) * [1, 2] + [9, 8]
    part = ActNorm(1)
    new = Blockwise([part, part]).initialize(X)
    assert new.bijectors[0] is new.bijectors[1] and new.n_params == 2
    np.testing.assert_allclose(new.params, [X[:, 0].mean(), np.log(X[:, 0].std())])


def test_a_flow_of_columns_of_different_kinds():
    """Positive, in (0, 1), anywhere: fitted in their own units, sampled within their supports."""
    X = rows(600, 3) @ np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.5], [0.0, 0.0, 1.0]])
    X = np.stack([np.exp(X[:, 0]), 1 / (1 + np.exp(-X[:, 1])), X[:, 2] + 50], axis=1)
    supports = Blockwise([Exp(1), Sigmoid(1), Permute([0])])
    flow = density(Chain([supports, ActNorm(3), LULinear(3)]))
    flow, history = fit(flow, X, epochs=30, learning_rate=0.03, validation_split=0)
    assert history.train_nll[-1] < history.train_nll[0] - 0.2
    samples = flow.sample(500, rng=0)
    assert (samples[:, 0] > 0).all() and (np.abs(samples[:, 1] - 0.5) < 0.5).all()
    Z = supports.inverse(X)
    best = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.cov(Z.T, bias=True))[1]
    best -= supports.inverse_log_det(X).mean()
    np.testing.assert_allclose(-flow.log_prob(X).mean(), best, atol=0.01)
