"""One dtype per object, that of its parameters, whatever its parts and its data are made of."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, value_and_grad

import flowcore as fc
from flowcore.testing import randomize

D, F32, F64 = 2, np.float32, np.float64
SIZES = [0, 1, 5, 5000]


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
    "MultivariateNormalMixture": lambda: fc.MultivariateNormalMixture(
        [[0.5] * D, [-0.5] * D], [np.eye(D), 2 * np.eye(D)]
    ),
    "MultivariateTMixture": lambda: fc.MultivariateTMixture([[0.5] * D], [np.eye(D)]),
    "Uniform": lambda: fc.Uniform(D, -50.0, 50.0),
    "Laplace": lambda: fc.Laplace(D, 0.5, 2.0),
    "StudentT": lambda: fc.StudentT(D, df=5.0),
    "StudentT, trained, float32": lambda: student(F32),
    "StudentT, trained, float64": lambda: student(F64),
    "GaussianMixture, float32": lambda: fc.GaussianMixture.spread(3, D, dtype=F32),
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
    "a recipe": lambda: fc.flows.realnvp(D, 2, [8], dtype=F32).initialize(rows(9)),
    "a spline": lambda: fc.flows.nsf(D, 1, [8], dtype=F32).initialize(rows(9)),
    "a mixture": lambda: fc.flows.maf_mog(D, hidden=[8], dtype=F32, standardize=False),
    "a mixture, walked": lambda: fc.TransformedDistribution(
        fc.Normal(D), fc.Invert(fc.flows.made_mog(D, hidden=[8], dtype=F32).bijector)
    ),
    "planar": lambda: fc.TransformedDistribution(fc.Normal(D), fc.Planar(D, dtype=F32)),
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


@for_all_flows
def test_traced_values_are_the_plain_ones_and_gradients_are_of_their_dtype(name):
    flow, x = made_of(name), rows(5)

    def loss(theta):
        return anp.sum(flow.log_prob(x, params=theta))

    value, slope = value_and_grad(loss)(flow.params)
    assert value == flow.log_prob(x).sum()
    assert slope.dtype == F32 and slope.shape == flow.params.shape
    by_x = grad(lambda x: anp.sum(flow.log_prob(x)))
    assert by_x(x).dtype == F64 and by_x(x.astype(F32)).dtype == F32


@pytest.mark.parametrize("name", list(FLOWS)[::3])
def test_fit_keeps_the_dtype(name):
    flow, x = made_of(name), rows(60)
    fitted, history = fc.fit(flow, x, epochs=2, batch_size=20, rng=0)
    assert fitted.params.dtype == F32
    assert fitted.log_prob(x).dtype == fitted.sample(7, rng=0).dtype == F32
    assert np.isfinite(history.train_nll).all()
    np.testing.assert_array_equal(fitted.log_prob(x), fitted.log_prob(x, params=fitted.params))


@pytest.mark.parametrize("name", [name for name in BASES if "float32" not in name])
def test_a_float64_flow_over_a_float64_base_stays_float64(name):
    flow = maf(F64, BASES[name]())
    for n in SIZES:
        x = rows(n, F32)
        assert flow.log_prob(x).dtype == flow.sample(n, rng=0).dtype == F64


@pytest.mark.parametrize("n", SIZES)
def test_the_dtype_of_the_context_changes_nothing(n):
    flow = randomize(fc.flows.maf(D, 2, [8], context_dim=1, standardize=False, dtype=F32), 0.3)
    x, wide = rows(n), np.random.default_rng(5).normal(size=(n, 1)).astype(F32).astype(F64)
    for context in (wide, wide.astype(F32)):
        found = flow.log_prob(x, context=context)
        assert found.dtype == flow.sample((), rng=0, context=context).dtype == F32
        np.testing.assert_array_equal(found, flow.log_prob(x, context=wide))
