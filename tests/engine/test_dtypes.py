"""One dtype per object, that of its parameters, whatever its parts and its data are made of."""

import autograd.numpy as anp
import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import randomize

D, F32, F64 = 2, np.float32, np.float64
SIZES = [0, 5, 5000]


def maf(dtype, base, standardize=True, rng=1):
    """One autoregressive layer of this dtype over a base."""
    made = fc.MADE(D, [16], dtype=dtype, activation="tanh", rng=rng)
    bijector = fc.MaskedAutoregressiveFlow(made)
    if standardize:
        rows = np.random.default_rng(0).normal(3, 2, size=(100, D))
        bijector = fc.Chain([fc.Standardize.from_data(rows), bijector])
    return fc.TransformedDistribution(base, bijector)


class Wide(fc.Bijector):
    """Somebody's own shift by float64 numbers, whatever it is given."""

    def __init__(self):
        super().__init__(D)

    def forward_and_log_det(self, z, params=None, context=None):
        return z + np.ones(D), np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        return x - np.ones(D), np.zeros(x.shape[:-1])


class WideBase:
    """Somebody's own density, in float64 whatever it is given."""

    dim = D

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).normal(size=(n, D))

    def log_prob(self, z):
        return -0.5 * anp.sum((z * np.ones(D)) ** 2, axis=-1) - np.log(2 * np.pi)


def student(dtype):
    return fc.StudentT(D, df=3.0, trainable=True, dtype=dtype)


BASES = {
    "Normal": lambda: fc.Normal(D),
    "MultivariateNormalDiag": lambda: fc.MultivariateNormalDiag([0.5, -0.5], [1.0, 2.0]),
    "StudentT, trained, float32": lambda: student(F32),
    "StudentT, trained, float64": lambda: student(F64),
    "GaussianMixture, float64": lambda: fc.GaussianMixture.spread(3, D),
    "a flow in float32": lambda: maf(F32, fc.Normal(D), False, rng=2),
    "a flow in float64": lambda: maf(F64, fc.Normal(D), False, rng=2),
    "somebody's own": WideBase,
}

FLOWS = {
    **{f"float32 over {name}": lambda base=base: maf(F32, base()) for name, base in BASES.items()},
    "float64 over float32": lambda: maf(F64, student(F32)),
    "float32 without a Standardize": lambda: maf(F32, fc.Normal(D), False),
    "float32 and float64 layers": lambda: fc.TransformedDistribution(
        fc.Normal(D), fc.Chain([maf(F32, fc.Normal(D)).bijector, fc.LULinear(D)])
    ),
    "float32 and somebody's own": lambda: fc.TransformedDistribution(
        fc.Normal(D), fc.Chain([maf(F32, fc.Normal(D)).bijector, Wide()])
    ),
    "a spline": lambda: fc.flows.nsf(D, 1, [8], dtype=F32).initialize(rows(9)),
    "a mixture, walked": lambda: fc.TransformedDistribution(
        fc.Normal(D), fc.Invert(fc.flows.made_mog(D, hidden=[8], dtype=F32).bijector)
    ),
}  # fmt: skip
for_all_flows = pytest.mark.parametrize("name", FLOWS)


def rows(n, dtype=float):
    return np.random.default_rng(3).normal(3, 2, size=(n, D)).astype(dtype)


def made_of(name):
    """The flow at random parameters, each part in the dtype that it was made with."""
    flow = FLOWS[name]()
    leaves = {leaf: randomize(leaf, 0.3, rng=4) for leaf in flow.leaves}
    return flow.rebuilt({id(leaf): new for leaf, new in leaves.items()})


@for_all_flows
@pytest.mark.parametrize("n", SIZES)
def test_float32_stays_float32_for_every_number_of_rows(name, n):
    """The narrower of the parts' dtypes is the dtype of all; its own parameters change nothing."""
    flow = made_of(name)
    theta = np.array(flow.params)
    rebuilt = flow.with_params(theta)
    assert theta.dtype == rebuilt.params.dtype == F32
    assert flow.with_params(theta.astype(F64)).params.dtype == F64
    for dtype in (F32, F64):
        x = rows(n, dtype)
        if n == 5:
            x[1, 0], x[3, 1] = np.inf, np.nan
        found, z = flow.log_prob(x), flow.to_latent(x)
        assert found.dtype == flow.prob(x).dtype == z.dtype == flow.from_latent(x).dtype == F32
        assert z.shape == (n, D) and found.shape == (n,)
        assert n != 5 or (found[1] == -np.inf and np.isnan(found[3]))
        for a in flow.bijector.inverse_and_log_det(rows(n), theta[-flow.bijector.n_params :]):
            assert a.dtype == F32
        for run in (flow.log_prob, flow.to_latent, flow.from_latent):
            np.testing.assert_array_equal(run(x), run(x, params=theta))
        np.testing.assert_array_equal(found, rebuilt.log_prob(x))
    x, log_prob = flow.sample_and_log_prob(n, rng=0)
    assert x.dtype == log_prob.dtype == F32
    np.testing.assert_array_equal(x, rebuilt.sample(n, rng=0))


FAR = {
    "a normal mixture": lambda x: fc.MultivariateNormalMixture.from_data(x, 2),
    "a t mixture": lambda x: fc.MultivariateTMixture.from_data(x, "bic"),
    "holes": lambda x: fc.MultivariateNormalMixture.from_data(
        np.where(x > 1e6 + 2, x, np.nan), 1, missing="learn"
    ),
    "GaussianMixture": lambda x: fc.GaussianMixture.from_data(x, 2),
    "MultivariateNormalDiag": lambda x: fc.MultivariateNormalDiag([1e6 + 0.3] * D, 2.0),
    "Laplace": lambda x: fc.Laplace(D, 1e6 + 0.3, 2.0),
}


@pytest.mark.parametrize("name", FAR)
def test_far_from_0_float32_rows_have_the_densities_of_float64(name):
    x = 1e6 + rows(400, F32)
    found, expected = (FAR[name](own).log_prob(own) for own in (x, x.astype(F64)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
