"""A flow is a base for another flow: values, gradients, fits, samples, context, files."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import flowcore as fc
from flowcore.testing import randomize

D, N = 2, 7
X = np.random.default_rng(0).normal(size=(N, D))
C = np.random.default_rng(1).normal(size=(N, 3))


def layer(rng, context_dim=0):
    """One autoregressive layer, smooth, so that finite differences see its slope."""
    made = fc.MADE(D, [8], activation="tanh", context_dim=context_dim, rng=rng)
    return fc.MaskedAutoregressiveFlow(made)


def over(base, *bijectors):
    return fc.TransformedDistribution(base, fc.Chain(bijectors))


FLOWS = {
    "a permutation over a flow": lambda: over(over(fc.Normal(D), layer(1)), fc.Permute([1, 0])),
    "a flow over a flow": lambda: over(over(fc.Normal(D), layer(1)), layer(2)),
    "nested twice": lambda: over(over(over(fc.Normal(D), layer(1)), layer(2)), layer(3)),
    "over a trained base": lambda: over(
        over(fc.StudentT(D, trainable=True), layer(1)), fc.Invert(layer(2))
    ),
    "context inside": lambda: over(over(fc.Normal(D), layer(1, 3)), layer(2)),
    "context outside": lambda: over(over(fc.Normal(D), layer(1)), layer(2, 3)),
    "context in both": lambda: over(over(fc.Normal(D), layer(1, 3)), layer(2, 3)),
    "context at the bottom": lambda: over(
        over(over(fc.Normal(D), layer(1, 3)), layer(2)), layer(3)
    ),
}  # fmt: skip
for_all_flows = pytest.mark.parametrize("name", FLOWS)


def made_of(name):
    """The flow, at random parameters, and its context."""
    flow = randomize(FLOWS[name](), 0.5, rng=4)
    return flow, C if flow.context_dim else None


@for_all_flows
def test_its_log_density_is_the_change_of_variables(name):
    flow, context = made_of(name)
    own = [context if part.context_dim else None for part in (flow.base, flow.bijector)]
    z, log_det = flow.bijector.inverse_and_log_det(X, context=own[1])
    expected = flow.base.log_prob(z, context=own[0]) + log_det
    np.testing.assert_allclose(flow.log_prob(X, context=context), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        flow.log_prob(X, flow.params, context), flow.log_prob(X, context=context)
    )
    assert flow.n_params == flow.base.n_params + flow.bijector.n_params


@for_all_flows
def test_its_gradient_is_the_slope_of_its_values(name):
    flow, context = made_of(name)

    def loss(args):
        theta, x = args[: flow.n_params], anp.reshape(args[flow.n_params :], X.shape)
        return anp.mean(flow.log_prob(x, theta, context))

    at = np.concatenate([flow.params, X.ravel()])
    found, step = grad(loss)(at), 1e-6
    slope = [(loss(at + e) - loss(at - e)) / (2 * step) for e in step * np.eye(len(at))]
    np.testing.assert_allclose(found, slope, atol=1e-8)
    assert (np.abs(found[: flow.base.n_params]).max() > 1e-3) == (flow.base.n_params > 0)


@for_all_flows
def test_fit_trains_the_base_too(name):
    flow, _ = made_of(name)
    rng = np.random.default_rng(5)
    x, c = rng.normal(1, 2, size=(200, D)), rng.normal(size=(200, 3))
    context = c if flow.context_dim else None
    fitted, history = fc.fit(flow, x, epochs=3, batch_size=50, context=context, rng=0)
    assert type(fitted.base) is type(flow.base)
    assert (fitted.base.params != flow.base.params).mean() > 0.9
    assert history.train_nll[-1] < history.train_nll[0]
    before, after = (f.log_prob(x, context=context).mean() for f in (flow, fitted))
    assert after > before


@for_all_flows
def test_its_draws_are_images_of_the_bases_draws(name):
    flow, context = made_of(name)
    shape = (N,) if context is None else ()  # then one draw for every row of the context
    x, log_prob = flow.sample_and_log_prob(shape, rng=6, context=context)
    assert x.shape == (N, D)
    np.testing.assert_array_equal(x, flow.sample(shape, rng=6, context=context))
    np.testing.assert_allclose(log_prob, flow.log_prob(x, context=context), rtol=1e-9)
    own = [context if part.context_dim else None for part in (flow.base, flow.bijector)]
    z = flow.base.sample(N if own[0] is None else (), 6, *([] if own[0] is None else [own[0]]))
    np.testing.assert_allclose(x, flow.bijector.forward(z, context=own[1]), rtol=1e-12)
    if context is not None:
        assert flow.sample((4, 2), rng=0, context=context).shape == (4, 2, N, D)


def test_every_draw_belongs_to_its_row_of_the_context():
    shift = fc.MADE(1, [], n_out=1, context_dim=1)
    shift = shift.with_weights([(np.zeros((1, 1)), np.zeros(1), np.ones((1, 1)))])  # mu(c) = c
    inner = over(fc.Normal(1), fc.MaskedAutoregressiveFlow(shift, fc.Shift()))
    flow = over(inner, fc.ElementwiseAffine([0.0], 2.0))
    context = 100.0 * np.arange(5)[:, None]
    x = flow.sample(3, rng=0, context=context)
    assert x.shape == (3, 5, 1)
    assert np.abs(x - 2 * context).max() < 20


def test_a_base_that_waits_for_data_gets_those_of_its_own_end():
    x = np.random.default_rng(7).normal([10, -20], [3, 0.1], size=(300, D))
    inner = over(fc.Normal(D), fc.Standardize(D), layer(1))
    flow = over(inner, fc.Permute([1, 0]))
    assert not flow.initialized
    new = flow.initialize(x)
    assert new.initialized
    np.testing.assert_allclose(new.base.bijector[0].mean, x.mean(axis=0)[::-1], rtol=1e-12)


def test_the_parts_of_a_mixture_are_initialised():
    """As a base and alone, with a context and without; a part that is there twice, once."""
    rng = np.random.default_rng(0)
    x, context = rng.normal(5, 3, (200, D)), rng.normal(100, 9, (200, 1))
    part = fc.flows.maf(D, 1, [4], context_dim=1)
    mixture = fc.Mixture([part, fc.flows.nsf(D, 1, [4]), fc.Normal(D), part])
    base = over(mixture, fc.Permute([1, 0])).initialize(x, context=context).base
    assert base.initialized and not mixture.initialized and base.parts[0] is base.parts[3]
    z = x[:, ::-1]
    expected = part.initialize(z, context=context).log_prob(z, context=context)
    np.testing.assert_allclose(base.parts[0].log_prob(z, context=context), expected)
    found, history = fc.fit(mixture, x, context=context, epochs=2)
    assert found.n_params == mixture.n_params and np.isfinite(history.train_nll).all()


def test_a_tie_between_base_and_bijector_is_one_set_of_parameters():
    tied = layer(1)
    flow = randomize(over(over(fc.Normal(D), tied), fc.Permute([1, 0]), tied), 0.5)
    assert flow.n_params == tied.n_params

    def loss(theta):
        return anp.mean(flow.log_prob(X, theta))

    step = 1e-6
    slope = [
        (loss(flow.params + e) - loss(flow.params - e)) / (2 * step)
        for e in step * np.eye(flow.n_params)
    ]
    np.testing.assert_allclose(grad(loss)(flow.params), slope, atol=1e-8)
