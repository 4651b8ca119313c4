"""The recipes: architecture, data's own units, every parameter trainable."""

import copy
import pickle
from functools import partial
from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import randomize

RECIPES = {
    "maf": fc.flows.maf,
    "iaf": fc.flows.iaf,
    "realnvp": fc.flows.realnvp,
    "nice": fc.flows.nice,
    "nsf": fc.flows.nsf,
    "nsf-coupling": partial(fc.flows.nsf, kind="coupling", affine=True),
    "glow": fc.flows.glow,
    "made": lambda dim, layers=1, **options: fc.flows.made(dim, **options),
    "made_mog": lambda dim, layers=1, **options: fc.flows.made_mog(dim, components=3, **options),
    "maf_mog": partial(fc.flows.maf_mog, components=3),
}
COUPLINGS = ("realnvp", "nice", "nsf-coupling", "glow")
MIXTURES = ("made_mog", "maf_mog")  # only close to the identity at first
CASES = [(n, d) for n in RECIPES for d in (1, 3, 4) if d > 1 or n not in COUPLINGS]


def data(dim, n=60):
    rng = np.random.default_rng(dim)
    return rng.standard_normal((n, dim)) * 10.0 ** np.arange(dim) + 100


def base_of(name):
    return fc.StudentT if "nsf" in name else fc.Normal


def steps(flow):
    """[(part, inverted?), ...] from the base to the data."""
    return [
        (part.bijector, True) if isinstance(part, fc.Invert) else (part, False)
        for part in reversed(flow.bijector.bijectors)
    ]


@pytest.mark.parametrize(("name", "dim"), CASES)
def test_standardize_is_part_of_the_density(name, dim):
    """log_prob in the data's own units: a Gaussian fit, with its log-det."""
    x = data(dim)
    flow = RECIPES[name](dim, layers=2, hidden=[8])
    assert not flow.initialized
    ready = flow.initialize(x)
    assert ready.initialized and not flow.initialized and ready.n_params == flow.n_params
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = flow.base.log_prob(scaled) - np.log(x.std(axis=0)).sum()
    if name in MIXTURES:
        assert abs(ready.log_prob(x).mean() - expected.mean()) < 0.02 * dim
    else:
        np.testing.assert_allclose(ready.log_prob(x), expected, rtol=1e-10)
    again = ready.initialize(3 * x + 1)
    np.testing.assert_array_equal(again.log_prob(x), ready.log_prob(x))
    assert isinstance(ready.bijector[0], fc.Standardize)
    np.testing.assert_array_equal(ready.bijector[0].mean, x.mean(axis=0))


@pytest.mark.parametrize(("name", "dim"), [case for case in CASES if case[1] in (1, 3)])
@pytest.mark.parametrize("context_dim", [0, 2])
def test_one_step_changes_every_parameter(name, context_dim, dim):
    """From random parameters and with tanh units: nothing is silently left out of training."""
    options = {"hidden": [8, 8], "activation": "tanh", "context_dim": context_dim}
    rng = np.random.default_rng(1)
    x = data(dim)
    context = rng.standard_normal((len(x), context_dim)) if context_dim else None
    flow = randomize(RECIPES[name](dim, layers=3, **options), scale=0.5)
    flow = flow.initialize(x, context=context)
    value, gradient = autograd.value_and_grad(
        lambda th: -anp.mean(flow.log_prob(x, params=th, context=context))
    )(flow.params)
    unused = gradient == 0  # of a spline: the slopes at knots that no row comes near to
    assert np.isfinite(value) and unused.mean() <= (0.2 if "nsf" in name else 0)
    direction = rng.standard_normal(flow.n_params)
    up, down = (
        -np.mean(flow.log_prob(x, params=flow.params + t * direction, context=context))
        for t in (1e-6, -1e-6)
    )
    np.testing.assert_allclose((up - down) / 2e-6, gradient @ direction, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", RECIPES)
def test_defaults_and_options(name):
    recipe = RECIPES[name]
    for context_dim, activation in ((0, "tanh"), (1, "elu")):
        flow = recipe(3, context_dim=context_dim)
        networks = [leaf for leaf in flow.leaves if hasattr(leaf, "activation")]
        n_layers = {"made": 1, "made_mog": 1, "maf_mog": 6}.get(name, 5)
        assert len(networks) == n_layers and {n.activation for n in networks} == {activation}
        assert {n.hidden for n in networks} == {(64, 64)} and isinstance(flow.base, base_of(name))
    wide = [leaf for leaf in recipe(40, layers=1).leaves if hasattr(leaf, "hidden")]
    assert {n.hidden for n in wide} == {(80, 80)}
    options = {"layers": 2, "hidden": [8]}
    for base, kind in (("normal", fc.Normal), ("student_t", fc.StudentT)):
        found = recipe(3, base=base, **options).base
        assert isinstance(found, kind) and (found.n_params > 0) == (kind is fc.StudentT)
    laplace = fc.Laplace(2)
    assert recipe(2, base=laplace, **options).base is laplace
    assert recipe(2, dtype=np.float32, **options).params.dtype == np.float32
    own = recipe(2, rng=np.random.default_rng(1), **options)
    np.testing.assert_array_equal(recipe(2, rng=1, **options).params, own.params)
    first = [leaf.weights()[0] for leaf in own.leaves if hasattr(leaf, "hidden")]
    assert all((a[1] != b[1]).any() for a, b in pairwise(first))  # not one seed for every layer


def orders(layers):
    """The degrees of the inputs, from the base to the data."""
    return [part.made.degrees[0].tolist() for part, _ in layers]


@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize(("order", "last"), [("right-to-left", [3, 2, 1]), ([2, 3, 1], [2, 3, 1])])
def test_orders_are_counted_from_the_data_end(layers, order, last):
    """Whatever the number of layers, the one next to the Standardize has the order asked for."""
    wanted = [last, [4 - degree for degree in last]] * 3
    for recipe in (fc.flows.maf, fc.flows.iaf, fc.flows.nsf, fc.flows.maf_mog):
        parts = steps(recipe(3, layers=layers, hidden=[8], order=order))[:-1]
        assert len(parts) == layers + (recipe is fc.flows.maf_mog)
        assert orders(parts)[::-1] == wanted[: len(parts)]
    for recipe in (fc.flows.made, fc.flows.made_mog):
        assert orders(steps(recipe(3, hidden=[8], order=order))[:-1]) == [last]


@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize(("order", "moved"), [("left-to-right", [2, 3]), ("right-to-left", [0, 1])])
def test_which_half_a_coupling_transforms_at_the_data_end(layers, order, moved):
    for recipe in (fc.flows.realnvp, fc.flows.nice, partial(fc.flows.nsf, kind="coupling")):
        flow = recipe(4, layers=layers, hidden=[8], order=order)
        couplings = [part for part, _ in steps(flow) if isinstance(part, fc.Coupling)][::-1]
        stays = [part.num_masked > 0 for part in couplings]
        assert stays == [(i % 2 == 0) == (order == "left-to-right") for i in range(layers)]
        z = np.ones((1, 4))
        changed = randomize(couplings[0]).forward(z) != z
        assert np.flatnonzero(changed).tolist() == moved
        if layers > 2:  # the pair next to the data stays together
            kinds = [type(part) for part in flow.bijector]
            assert kinds[1:4] == [fc.Coupling, fc.Coupling, fc.Permute]


def test_permutations_stand_between_pairs_of_couplings():
    kinds = [type(part).__name__ for part, _ in steps(fc.flows.realnvp(4, layers=4, hidden=[8]))]
    assert kinds == ["Coupling", "Coupling", "Permute", "Coupling", "Coupling", "Standardize"]
    different = {
        part.permutation
        for part, _ in steps(fc.flows.realnvp(9, layers=20, hidden=[8]))
        if isinstance(part, fc.Permute)
    }
    assert len(different) > 5


def test_splines_and_what_stands_around_them():
    spline = fc.RationalQuadratic(bins=6, tail=4.0)
    alone = fc.flows.nsf(2, layers=1, bins=6, tail=4.0, affine=False).bijector[1]
    assert alone.transformer == spline
    options = {"bins": 6, "tail": 4.0, "affine": fc.Affine(3.0)}
    both = fc.flows.nsf(2, layers=1, kind="coupling", **options).bijector[1]
    assert isinstance(both, fc.Coupling)
    assert both.transformer == fc.Compose([fc.Affine(3.0), spline])
    with pytest.raises(TypeError, match=r"affine must be True, False or an Affine\(...\), not 5.0"):
        fc.flows.nsf(2, affine=5.0)


# ---------------------------------------------------------------- recipes that have not seen data


def pickled(flow):
    return pickle.loads(pickle.dumps(flow))


@pytest.mark.parametrize("again", [lambda flow: flow, copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_without_data_warns(name, again):
    """Most often `fit(flow, X)` was called, and what it returns was not kept."""
    flow = again(RECIPES[name](2, hidden=[8]))
    with pytest.warns(
        UserWarning, match="has not seen data.* of median size .* fit returns"
    ) as caught:
        flow.log_prob(data(2))
    assert [w.filename for w in caught] == [__file__]
    rare = [[np.nan] * 2, [np.inf, -np.inf], [1.7e308] * 2]
    with np.errstate(all="raise"), pytest.warns(UserWarning, match="has not seen data.* median"):
        flow.to_latent(data(2)), flow.log_prob(rare)
    for draw in (flow.sample, flow.sample_and_log_prob):
        with pytest.warns(UserWarning, match="has not seen data.* draws of its base") as caught:
            draw(3, rng=0)
        assert [w.filename for w in caught] == [__file__]


@pytest.mark.parametrize("ask", ["quantiles", "ppf"])
def test_quantiles_of_a_recipe_without_data_warn(ask):
    flow = fc.flows.maf(1, layers=1, hidden=[4])
    with pytest.warns(UserWarning, match="has not seen data.* quantiles of its base") as caught:
        assert getattr(flow, ask)([0.5]) == 0
    assert [w.filename for w in caught] == [__file__]
    x = data(1)
    assert getattr(flow.initialize(x), ask)([0.5]) == pytest.approx(x.mean())


def test_a_recipe_that_has_been_worked_on_does_not_warn():
    flow, far = fc.flows.maf(2, hidden=[8]), data(2)
    flow.log_prob(np.ones((3, 2)))  # near N(0, I) it may be meant
    for known in (
        flow.initialize(far), flow.with_params(flow.params),
        fc.flows.maf(2, hidden=[8], standardize=False), fc.fit(flow, far, epochs=1)[0],
        fc.TransformedDistribution(flow.base, flow.bijector),
    ):  # fmt: skip
        known.log_prob(far), known.sample(3, rng=0)


# ---------------------------------------------------------------- bounds, and other rows


@pytest.mark.parametrize("name", RECIPES)
def test_bounds_confine_the_density(name):
    """One column in an interval, one on a half-line, one on the line."""
    low, high = [0.0, 2.0, -np.inf], [1.0, np.inf, np.inf]
    options = {"layers": 1, "hidden": [8], "bounded": (low, high)}
    rng = np.random.default_rng(0)
    x = np.column_stack(
        [rng.beta(0.5, 0.5, 400), 2 + rng.gamma(0.5, size=400), rng.normal(size=400)]
    )
    flow = RECIPES[name](3, **options).initialize(x)
    flow = randomize(flow, 0.3)
    draws, log_p = flow.sample_and_log_prob(500, rng=1)
    assert (draws >= low).all() and (draws <= high).all()
    inside = (draws > low).all(axis=1) & (draws < high).all(axis=1)  # else rounded to an end
    assert inside.mean() > 0.9 and np.isfinite(log_p[inside]).all()
    near = inside & (np.abs(draws[:, 0] - 0.5) < 0.499) & (draws[:, 1] > 2.001)
    np.testing.assert_allclose(flow.log_prob(draws[near]), log_p[near], rtol=1e-5, atol=1e-5)
    outside = np.array([[0.5, 1.9, 0.0], [1.5, 3.0, 0.0], [0.0, 3.0, 0.0]])
    np.testing.assert_array_equal(flow.log_prob(outside), -np.inf)
    step = flow.bijector.bijectors[1]
    assert isinstance(step, fc.Standardize) and step.initialized
    z = flow.bijector.bijectors[0].inverse(x)
    np.testing.assert_allclose(step.mean, z.mean(axis=0))


@pytest.mark.parametrize(
    ("bounded", "message"),
    [
        ((0, None), "high holds None: write -np.inf or np.inf for a side"),
        (([0, None], 1), "low holds None"),
        ((0, 1, 2), "a pair"),
        ((1, 0), "less than"),
        (([0, 0, 0], 1), "shape"),
    ],
)
def test_bounds_that_are_none(bounded, message):
    with pytest.raises(ValueError, match=message):
        fc.flows.maf(2, bounded=bounded)


def test_a_warm_start_that_standardises_anew():
    x = np.random.default_rng(0).normal(5, 2, size=(300, 2))
    flow, _ = fc.fit(fc.flows.maf(2, layers=2, hidden=[8], context_dim=1), x, epochs=2,
                     context=x[:, :1])  # fmt: skip
    fresh = flow.restandardized()
    assert not fresh.initialized and flow.initialized
    np.testing.assert_array_equal(fresh.params, flow.params)
    moved = fresh.initialize(1000 * x, context=7 * x[:, :1])
    np.testing.assert_allclose(
        moved.log_prob(1000 * x, context=7 * x[:, :1]),
        flow.initialize(x).log_prob(x, context=x[:, :1]) - 2 * np.log(1000), atol=0.4,
    )  # the split of fit saw fewer rows  # fmt: skip
    again, history = fc.fit(fresh, 1000 * x, epochs=1, context=7 * x[:, :1], learning_rate=1e-9)
    assert again.bijector[0].mean[0] > 4000 and history.train_nll
    np.testing.assert_allclose(again.params, flow.params, atol=1e-3)


def test_a_made_reaches_the_widths_of_strong_correlations():
    """A correlation of 0.9999, by its one layer."""
    transformer = fc.flows.made(2, standardize=False).bijector[0].transformer
    assert transformer.log_scale_bound > -0.5 * np.log(1 - 0.9999**2)
