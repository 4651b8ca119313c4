"""StandardizeContext and EmbedContext, and the recipes that have them."""

import numpy as np
import pytest

import flowcore as fc
from flowcore.distributions.conditioning import with_standardized_context
from flowcore.testing import randomize

QUICK = {"epochs": 3, "batch_size": 32, "validation_split": 0, "rng": 0}


def incomes(n=200, seed=0):
    """x near a function of a context in large units."""
    rng = np.random.default_rng(seed)
    context = rng.normal([5e4, 1990.0], [1e4, 12.0], (n, 2))
    x = (context - [5e4, 1990.0]) / [1e4, 12.0] + 0.1 * rng.normal(size=(n, 2))
    return x, context


def small(**options):
    return fc.flows.maf(2, layers=2, hidden=[8], context_dim=2, **options)


@pytest.mark.parametrize(
    "recipe", ["maf", "iaf", "realnvp", "nice", "nsf", "made", "made_mog", "maf_mog", "glow"]
)
def test_every_recipe_standardises_its_context(recipe):
    make = getattr(fc.flows, recipe)
    (x, context), options = incomes(), {"hidden": [8], "context_dim": 2}
    flow = make(2, **options)
    assert not flow.initialized
    flow = randomize(flow.initialize(x, context), 0.3)
    bare = make(2, standardize_context=False, **options).initialize(x, context)
    bare = bare.with_params(flow.params)
    scaled = (context - context.mean(axis=0)) / context.std(axis=0)
    assert [type(b).__name__ for b in flow.bijector] == ["Standardize", "StandardizeContext"]
    np.testing.assert_allclose(
        flow.log_prob(x, context=context), bare.log_prob(x, context=scaled), rtol=1e-9
    )
    draws = [f.sample(3, rng=1, context=c) for f, c in ((flow, context), (bare, scaled))]
    np.testing.assert_allclose(*draws, rtol=1e-7)
    assert draws[0].std(axis=1).min() > 0.1  # each row has its own


def test_constants_are_those_of_the_training_rows_and_stay():
    x, context = incomes()
    options = {**QUICK, "validation_data": (x[150:], context[150:])}
    flow, _ = fc.fit(small(), x[:150], context=context[:150], **options)
    constants = flow.bijector[1].standardize
    np.testing.assert_allclose(constants.mean, context[:150].mean(axis=0))
    again, _ = fc.fit(flow, x, context=2 * context, **QUICK)
    np.testing.assert_array_equal(again.bijector[1].standardize.mean, constants.mean)


def test_a_constant_column_of_a_context_is_no_error():
    x, context = incomes()
    context[:, 1] = 7.0
    flow = small().initialize(x, context)
    np.testing.assert_array_equal(flow.bijector[1].standardize.scale[1], 1.0)
    assert np.isfinite(flow.log_prob(x, context=context)).all()


def test_inside_an_invert_its_parts_are_initialised_on_the_other_side():
    x, context = incomes()
    layers = [fc.ActNorm(2), randomize(fc.RealNVP(2, hidden=[8], context_dim=2))]
    inner = fc.StandardizeContext(fc.Chain(layers))
    turned = fc.Invert(inner).initialize(x, context)
    np.testing.assert_allclose(turned.inverse(x, context=context).std(axis=0), 1.0)
    np.testing.assert_allclose(turned.bijector.standardize.mean, context.mean(axis=0))


def raw():
    """A flow that reads its context as it is, and differs from one row of it to the next."""
    flow = small(standardize=False, standardize_context=False)
    return randomize(flow, 0.5, rng=1)


DENSITIES = {
    "flow": raw,
    "mixture": lambda: fc.Mixture([raw(), fc.StudentT(2)], [3, 1]),
    "mixture in a flow": lambda: fc.TransformedDistribution(
        fc.Mixture([fc.Mixture([raw(), raw()]), fc.Normal(2)]), fc.ElementwiseAffine([1.0, 2.0])
    ),
    "flow over a flow": lambda: fc.TransformedDistribution(raw(), raw().bijector),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_gets_its_context_standardised_in_all_of_its_parts(name, tmp_path):
    (x, context), density = incomes(20), DENSITIES[name]()
    standardize = fc.Standardize.from_data(context)
    found = with_standardized_context(density, standardize)
    scaled = standardize.inverse(context)
    expected = density.log_prob(x, context=scaled)
    np.testing.assert_allclose(found.log_prob(x, context=context), expected, rtol=1e-12)
    np.testing.assert_allclose(
        found.sample(3, 0, context), density.sample(3, 0, scaled), rtol=1e-12
    )
    np.testing.assert_array_equal(found.params, density.params)
    assert found.log_prob(x, context=context[::-1]).std() > 0.1
    fc.save(found, tmp_path / "density.npz")
    again = fc.load(tmp_path / "density.npz")
    np.testing.assert_array_equal(
        again.log_prob(x, context=context), found.log_prob(x, context=context)
    )


def test_float32_separates_times():
    seconds = 1.7e9 + 5.0 * np.arange(200)[:, None]
    flow = fc.flows.maf(1, layers=2, hidden=[8], context_dim=1, dtype=np.float32)
    flow = randomize(flow.initialize(incomes()[0][:, :1], seconds), 0.5)
    wide = fc.flows.maf(1, layers=2, hidden=[8], context_dim=1)
    wide = wide.initialize(incomes()[0][:, :1], seconds).with_params(flow.params)
    x = np.ones((200, 1))
    found = flow.log_prob(x, context=seconds)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wide.log_prob(x, context=seconds), atol=1e-4)
    assert len(np.unique(found)) > 150


# ---------------------------------------------------------------- a network before the context


def with_network(recipe="maf", dtype=float):
    net = fc.MLP(5, (2,), hidden=[4], activation="tanh", rng=2, dtype=dtype)
    flow = getattr(fc.flows, recipe)(2, hidden=[6], context_net=net, dtype=dtype)
    rng = np.random.default_rng(0)
    x, context = rng.normal(size=(40, 2)), 10 + 3 * rng.normal(size=(40, 5))
    return randomize(flow.initialize(x, context), 0.7, rng=1), x, context


@pytest.mark.parametrize(
    "recipe", ["maf", "iaf", "realnvp", "nice", "nsf", "made", "made_mog", "maf_mog", "glow"]
)
def test_a_recipe_reads_what_its_network_makes_of_the_context(recipe):
    """By the layers alone, given h((c - mean) / scale); the parameters are in one vector."""
    flow, x, context = with_network(recipe)
    embed = flow.bijector[1].bijector
    inner = embed.bijector.n_params + flow.base.n_params
    assert flow.context_dim == 5 and flow.n_params == embed.network.n_params + inner
    embedded = embed.network((context - context.mean(axis=0)) / context.std(axis=0))
    assert embedded.std(axis=0).min() > 0.05
    bare = fc.TransformedDistribution(flow.base, fc.Chain([flow.bijector[0], embed.bijector]))
    np.testing.assert_allclose(
        flow.log_prob(x, context=context), bare.log_prob(x, context=embedded), rtol=1e-9
    )
    draws = [f.sample(3, rng=1, context=c) for f, c in ((flow, context), (bare, embedded))]
    np.testing.assert_allclose(*draws, rtol=1e-7)


def test_a_context_of_angles_is_periodic_or_refused():
    net = fc.MLP(1, (3,), hidden=[8], circular=[0])
    with pytest.raises(ValueError, match="standardize_context=False"):
        fc.flows.maf(2, layers=1, hidden=[8], context_net=net)
    flow = fc.flows.maf(2, layers=1, hidden=[8], context_net=net, standardize_context=False)
    rng = np.random.default_rng(0)
    x, context = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    flow = randomize(flow.initialize(x, context), 0.5)
    found = [flow.log_prob(x, context=context + turn) for turn in (0.0, 1.0, 2 * np.pi)]
    np.testing.assert_allclose(found[2], found[0], atol=1e-12)
    assert np.abs(found[1] - found[0]).max() > 1e-3
