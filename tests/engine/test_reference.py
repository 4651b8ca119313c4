"""The engine is what flowcore.reference prints: row by row, at random parameters.

test_golden.py holds the engine equal to TensorFlow Probability, so both hold for the formulas too.
"""

import numpy as np
import pytest
from support.registry import NETWORKS, case, data, maf

import flowcore as fc
from flowcore import reference as ref
from flowcore.testing import randomize

SIGNS, P = [1, -1, -1, 1], [2, 0, 3, 1]
X = np.random.default_rng(0).standard_normal((5, 4))


class Printed(fc.Transformer):
    """x = mu + sigma z, where the network reads z: Affine, the other way round."""

    n_out = 2
    forward_and_log_det = staticmethod(fc.Affine(None).inverse_and_log_det)
    inverse_and_log_det = staticmethod(fc.Affine(None).forward_and_log_det)


def weights_of(net):
    return [(w, b) for w, b, _ in net.weights()]


def by_made(formula):
    def run(b, x):
        made = getattr(b, "bijector", b).made
        return formula(x, weights_of(made), made.degrees, made.activation)

    return run


def by_networks(formula):
    """Of a coupling: shifts stand in the even columns, log-scales in the odd ones."""

    def run(b, x):
        *body, (w, bias) = weights_of(b)
        s, t = ([*body, (w[:, k::2], bias[k::2])] for k in (1, 0))
        return formula(x, s, t, b.num_masked, b.conditioner.activation)

    return run


def of_nice(formula):
    return lambda b, x: formula(x, weights_of(b), b.num_masked, b.conditioner.activation)


def of_lu(b, z):
    L, U = np.eye(4), np.zeros((4, 4))
    L[np.tril_indices(4, -1)], U.T[np.tril_indices(4, -1)] = b.params[:6], b.params[6:12]
    scales = np.array(SIGNS) * np.exp(20 * np.tanh(b.params[12:16] / 20))
    W, log_det = ref.lu_matrix(np.eye(4)[P], L, U, scales)
    np.testing.assert_allclose(b.matrix(), W, rtol=1e-13)
    np.testing.assert_array_equal(b.bias, b.params[16:])
    return W @ z + b.bias, log_det


def of_actnorm(b, x):
    s = np.exp(-b.params[4:])
    return ref.actnorm_inverse(x, s, -b.params[:4] * s)


def of_sinh_arcsinh(b, x):
    """TFP's skewness and tailweight are the paper's epsilon and 1 / delta, x is scaled by m."""
    m = 2 / np.sinh(1.3 * np.arcsinh(2))
    z, log_slopes = zip(*(ref.sinh_arcsinh_inverse(v / m, 0.4, 1 / 1.3) for v in x), strict=True)
    return np.array(z), sum(log_slopes) - 4 * np.log(m)


SKEWED = fc.Margins.from_data(np.random.default_rng(0).gamma(2, size=(200, 4)))


def of_margins(b, x):
    u = (x - SKEWED.loc) / SKEWED.scale
    pairs = zip(u, SKEWED.skewness, SKEWED.tails, strict=True)
    z, log_slopes = zip(*(ref.sinh_arcsinh_inverse(*pair) for pair in pairs), strict=True)
    return np.array(z), sum(log_slopes) - np.log(SKEWED.scale).sum()


ORDER = dict(order=[2, 4, 1, 3], activation="sigmoid")
UNBOUNDED = dict(transformer=fc.Affine(None), hidden=[8, 7], activation="tanh")
FORMULAS = {  # what is built, and its printed formula forward and inverse, if there is one
    "maf": (
        maf(4, transformer=fc.Affine(None), **ORDER),
        by_made(ref.maf_forward), by_made(ref.maf_inverse),
    ),
    "iaf": (
        fc.Invert(maf(4, transformer=Printed(), **ORDER)),
        by_made(ref.iaf_forward), by_made(ref.iaf_inverse),
    ),
    **{
        f"realnvp {n}": (
            fc.RealNVP(4, n, **UNBOUNDED),
            by_networks(ref.realnvp_forward), by_networks(ref.realnvp_inverse),
        )
        for n in (1, -1)
    },
    "nice": (fc.NICE(4, 3, hidden=[8]), of_nice(ref.nice_forward), of_nice(ref.nice_inverse)),
    "nice's scaling": (
        fc.Elementwise(4, fc.Scale()),
        lambda b, z: ref.nice_scaling_forward(z, -b.params),
        lambda b, x: ref.nice_scaling_inverse(x, -b.params),
    ),
    "lu": (fc.LULinear(4, P, signs=SIGNS), of_lu, None),
    "actnorm": (fc.ActNorm(4).initialize(data(4)), None, of_actnorm),
    "margins": (SKEWED, None, of_margins),
    "sinh-arcsinh": (fc.SinhArcsinh(4, 0.4, 1.3), None, of_sinh_arcsinh),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_a_bijector_is_the_printed_formula(name):
    b, *formulas = FORMULAS[name]
    b = randomize(b, rng=1)
    for way, formula in zip(("forward", "inverse"), formulas, strict=True):
        if formula is not None:
            values, log_dets = getattr(b, f"{way}_and_log_det")(X)
            for x, value, log_det in zip(X, values, log_dets, strict=True):
                printed, its_log_det = formula(b, x)
                np.testing.assert_allclose(value, printed, rtol=1e-11, atol=1e-11)
                np.testing.assert_allclose(log_det, its_log_det, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_the_printed_formula(name, monkeypatch):
    """A context is a change of the biases."""
    elu = {"elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0)))}
    softplus = {"softplus": lambda a: np.logaddexp(0, a)}
    monkeypatch.setattr(ref, "ACTIVATIONS", {**ref.ACTIVATIONS, **elu, **softplus})
    net, _, (_, x, *context) = case(name, "phi")
    phi = net(x, None, *context).reshape(len(x), -1)
    for i, row in enumerate(x):
        weights = [(w, b if c is None else b + context[0][i] @ c) for w, b, c in net.weights()]
        if "residual" in name:
            printed = ref.residual_network(row, weights, net.activation)
        elif isinstance(net, fc.MADE):
            printed = ref.made(row, weights, net.degrees, net.n_out, net.activation).ravel()
        else:
            printed = ref.network(row, weights, net.activation)
        np.testing.assert_allclose(phi[i], printed, rtol=1e-11, atol=1e-11)
    if isinstance(net, fc.MADE):
        for mask, expected in zip(net.masks, ref.made_masks(net.degrees, net.n_out), strict=True):
            np.testing.assert_array_equal(mask, expected)


def test_equal_degrees_are_the_printed_ones():
    for order in (None, [2, 3, 1]):
        made = fc.MADE(3, [7, 9], order="left-to-right" if order is None else order)
        for mine, printed in zip(made.degrees, ref.made_degrees(3, [7, 9], order), strict=True):
            np.testing.assert_array_equal(mine, printed)


def test_the_density_of_a_maf_three_times():
    """By the change of variables, by its brute-force Jacobian, and as a product of conditionals."""
    b = randomize(FORMULAS["maf"][0], rng=1)
    args = weights_of(b.made), b.made.degrees, b.made.activation
    for x, log_p in zip(X, fc.TransformedDistribution(fc.Normal(4), b).log_prob(X), strict=True):
        np.testing.assert_allclose(ref.maf_log_density(x, *args), log_p, rtol=1e-11)
        z = ref.maf_inverse(x, *args)[0]
        jacobian = ref.numerical_jacobian(lambda v: ref.maf_forward(v, *args)[0], z)
        brute = ref.change_of_variables(ref.standard_normal_log_prob, z, jacobian)
        np.testing.assert_allclose(brute, log_p, rtol=1e-7)
        mu, alpha = ref.made(x, *args[:2], 2, args[2]).T
        terms = -0.5 * ((x - mu) / np.exp(alpha)) ** 2 - alpha - 0.5 * np.log(2 * np.pi)
        np.testing.assert_allclose(np.sum(terms), log_p, rtol=1e-11)


def test_made_applies_its_masks():
    """What stands where the mask forbids changes nothing."""
    made = randomize(fc.MADE(4, [8], order=[2, 4, 1, 3]))
    spoilt = [(w + 7.0 * ~m, b) for (w, b), m in zip(weights_of(made), made.masks, strict=True)]
    np.testing.assert_allclose(ref.made(X[0], spoilt, made.degrees), made(X[0]), rtol=1e-12)


def test_steps_are_composed_the_first_one_first():
    first, second = (randomize(FORMULAS[name][0]) for name in ("maf", "nice"))
    steps = [first.forward_and_log_det, second.forward_and_log_det]
    found = fc.Chain([second, first]).forward_and_log_det(X[0])
    for a, b in zip(ref.compose(steps, X[0]), found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
