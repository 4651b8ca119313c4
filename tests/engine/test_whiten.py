"""Whiten: its constants, at the data end of recipes, and as the constants of a context."""

import warnings

import numpy as np
import pytest

import flowcore as fc
from flowcore.bijectors.linear import reach_of
from flowcore.bijectors.margins import spread
from flowcore.spec import reference
from flowcore.testing import randomize

RECIPES = ["maf", "iaf", "realnvp", "nice", "nsf", "made", "made_mog", "maf_mog", "glow"]


def magnitudes(n=400, seed=0, dim=3):
    """Columns of different units whose correlations are near 0.999."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=(n, 1)), rng.normal(size=(n, dim))
    return (20 + shared + 0.03 * own) * 10.0 ** np.arange(dim)


def flow_of(standardize_context="whiten", dtype=float, recipe="maf", dim=2, **options):
    make = getattr(fc.flows, recipe)
    return make(
        dim, hidden=[8], context_dim=3, standardize_context=standardize_context, dtype=dtype,
        **options,
    )  # fmt: skip


def fitted(**options):
    """A flow with constants of the rows, far from the identity; its rows and contexts."""
    context, x = magnitudes(), magnitudes(seed=1)[:, :2]
    return randomize(flow_of(**options).initialize(x, context), 0.4, rng=1), x, context


# ---------------------------------------------------------------- the constants


def test_training_rows_become_uncorrelated_with_variance_1():
    x = magnitudes()
    whiten = fc.Whiten.from_data(x)
    z, log_det = whiten.inverse_and_log_det(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(3), atol=1e-3)
    mean, L = reference.whitening(x)
    wanted = np.linalg.solve(L, (x - mean).T).T
    np.testing.assert_allclose(z, wanted, atol=2e-3)
    np.testing.assert_allclose(log_det, -np.linalg.slogdet(whiten.matrix)[1], rtol=1e-12)
    many = magnitudes(20_000)
    np.testing.assert_allclose(
        fc.Whiten.from_data(many).matrix, reference.whitening(many)[1], rtol=1e-3
    )


@pytest.mark.parametrize("width", [1e-2, 1e-3, 3e-4])
def test_near_copies_have_variance_1_from_twenty_rows_a_column_on(width):
    """Eight columns of correlations up to .9999999: their differences are what is to be seen."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 1)) + width * rng.normal(size=(160, 8))
    covariance = np.cov(fc.Whiten.from_data(x).inverse(x).T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(8), atol=0.06)


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e150])
def test_units_do_not_matter(unit):
    x, units = magnitudes(), np.array([unit, 1.0, 7.0])
    z = fc.Whiten.from_data(x).inverse(x)
    np.testing.assert_allclose(fc.Whiten.from_data(x * units).inverse(x * units), z, atol=1e-9)


def test_constant_columns_and_copies_do_not_explode():
    """Components without variance stay near 0, also of new rows."""
    a = np.random.default_rng(0).normal(size=(500, 5))
    rows = np.column_stack(
        [
            a,
            a[:, 0],
            np.full(500, 7.0),
            1000 * a[:, 1] + 3,
            a[:, 2] + a[:, 3],
            a[:, 4] - 1e-6 * a[:, 0],
        ]
    )
    whiten, new = fc.Whiten.from_data(rows[:400]), rows[400:]
    z = whiten.inverse(new)
    assert np.isfinite(whiten.matrix).all() and np.abs(z).max() < 6
    np.testing.assert_allclose(whiten.forward(z), new, rtol=1e-6, atol=1e-6)
    moved = new + np.eye(10)[6]
    np.testing.assert_allclose(np.linalg.norm(whiten.inverse(moved) - z, axis=1), 1.0, rtol=1e-6)


def test_the_copy_of_many_rows_is_not_scaled_by_more_than_ten_thousand():
    column = np.random.default_rng(0).normal(size=(100_000, 1))
    whiten = fc.Whiten.from_data(np.hstack([column, column]))
    difference = whiten.inverse([[1.0, 0.0]]) - whiten.inverse([[0.0, 0.0]])
    np.testing.assert_allclose(np.abs(difference).max(), 1e4 / np.sqrt(2), rtol=0.01)


@pytest.mark.parametrize("n", [2, 5, 30])
def test_few_rows_of_many_columns_do_not_make_new_rows_explode(n):
    x = np.random.default_rng(0).normal(size=(n + 500, 10)) + 5
    z = fc.Whiten.from_data(x[:n]).inverse(x[n:])
    single = fc.Standardize.from_data(x[:n]).inverse(x[n:])
    assert np.mean(z**2) < 2 * np.mean(single**2)


# ---------------------------------------------------------------- recipes


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_whiten_their_rows_and_contexts(recipe):
    flow, x, context = fitted(recipe=recipe, standardize="whiten")
    kinds = type(flow.bijector[0]), type(flow.bijector[1].standardize)
    assert kinds == (fc.Whiten, fc.Whiten)
    of_x, of_context = fc.Whiten.from_data(x), fc.Whiten.from_data(context)
    bare = flow_of(False, recipe=recipe, standardize=False)
    z, c = of_x.inverse(x), of_context.inverse(context)
    bare = bare.initialize(z, c).with_params(flow.params)
    wanted = bare.log_prob(z, context=c) + of_x.inverse_log_det(x)
    np.testing.assert_allclose(flow.log_prob(x, context=context), wanted, rtol=1e-9)
    draws = flow.sample(2, rng=3, context=context)
    np.testing.assert_allclose(draws, of_x.forward(bare.sample(2, rng=3, context=c)), rtol=1e-9)


def test_angles_are_not_whitened():
    flow = fc.flows.nsf(4, layers=1, hidden=[8], circular=[1], standardize="whiten")
    assert [type(part).__name__ for part in flow.bijector[0].bijectors] == [
        "Whiten", "Permute", "Whiten",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["standardize", "standardize_context"])
@pytest.mark.parametrize("wrong", ["white", 2, [True]])
def test_other_kinds_are_refused(name, wrong):
    kinds = '"whiten", "margins"' if name == "standardize" else '"whiten"'
    with pytest.raises(ValueError, match=f"{name} must be True, False, {kinds}, not"):
        fc.flows.maf(2, context_dim=1, **{name: wrong})


def test_restandardized_keeps_the_kind_and_fit_sets_it_anew():
    flow, x, context = fitted(standardize="whiten")
    again = flow.restandardized()
    assert not again.initialized
    with pytest.warns(UserWarning, match="has not seen data"):
        again.sample(2, rng=0, context=context[0])
    again = again.initialize(2 * x + 1, 3 * context)
    np.testing.assert_allclose(again.bijector[0].mean, 2 * flow.bijector[0].mean + 1)
    np.testing.assert_allclose(
        again.bijector[1].standardize.matrix, 3 * flow.bijector[1].standardize.matrix
    )
    np.testing.assert_allclose(
        again.bijector[1].standardize.reach, 3 * flow.bijector[1].standardize.reach
    )


def test_float32_keeps_small_components_of_large_numbers():
    """Components of 0.01 around 1e6, which float32 does not resolve: contexts come in float64."""
    context, x = 1e6 + magnitudes(), magnitudes(seed=1)[:, :1]
    wide = flow_of(dim=1).initialize(x, context)
    narrow = randomize(flow_of(dim=1, dtype=np.float32).initialize(x, context), 0.4, rng=1)
    wide = wide.with_params(narrow.params.astype(float))
    found = narrow.log_prob(x, context=context)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wide.log_prob(x, context=context), atol=2e-4)


def test_float32_of_draws_is_pointed_out():
    rows = magnitudes() + 1e9
    whiten = fc.Whiten.from_data(rows)
    with pytest.warns(UserWarning, match="float32 is too coarse for Whiten"):
        whiten.forward(np.zeros((2, 3), np.float32))


def test_files_keep_it(tmp_path):
    flow, x, context = fitted(standardize="whiten")
    fc.save(flow, tmp_path / "flow.npz")
    again = fc.load(tmp_path / "flow.npz")
    np.testing.assert_array_equal(
        again.log_prob(x, context=context), flow.log_prob(x, context=context)
    )
    np.testing.assert_array_equal(
        again.bijector[1].standardize.reach, flow.bijector[1].standardize.reach
    )


# ---------------------------------------------------------------- contexts that are far outside


NAMES = ["u", "g", "r"]


def test_far_contexts_are_one_warning_with_their_columns():
    flow, x, context = fitted()
    flow = flow.with_names(context_names=NAMES)
    context[[3, 5], 1], context[5, 2] = -9999, 99_000.0
    message = r"columns 1 'g', 2 'r', in 2 of 400 rows \(column 1: -9999, but from 1\d\d"
    calls = {
        "log_prob": lambda: flow.log_prob(x, context=context),
        "prob": lambda: flow.prob(x, context=context),
        "sample": lambda: flow.sample(2, 0, context=context),
        "sample_and_log_prob": lambda: flow.sample_and_log_prob(2, 0, context=context),
        "to_latent": lambda: flow.to_latent(x, context=context),
        "from_latent": lambda: flow.from_latent(x, context=context),
        "stages": lambda: flow.stages(x, context=context),
    }
    for name, call in calls.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert len(caught) == 1, (name, [str(one.message) for one in caught])
        assert caught[0].filename == __file__
        with pytest.warns(UserWarning, match=message):
            call()


def test_rows_that_overflow_are_one_warning_too():
    flow, x, context = fitted()
    context[3, 1], x[3, 0] = 1e300, np.inf
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = flow.log_prob(x, context=context)
    assert len(caught) == 1 and not np.isfinite(found[3]) and np.isfinite(found[4:]).all()


def test_near_contexts_nan_and_flows_without_constants_are_silent():
    flow, x, context = fitted(standardize_context=True)
    context[0] = np.nan
    assert np.isnan(flow.log_prob(x, context=context)[0])
    wide = context.max(axis=0) - context.min(axis=0)
    flow.log_prob(x[1:], context=context[1:] + 0.5 * np.nan_to_num(wide))
    by_hand = fc.StandardizeContext(
        flow.bijector[1].bijector, fc.Standardize.from_data(context[1:])
    )
    fc.TransformedDistribution(fc.Normal(2), by_hand).log_prob(x, context=1e9 + 0 * x[:, [0, 0, 0]])


HEAVY = {
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "t, df 1.5": lambda rng, n: rng.standard_t(1.5, n),
    "lognormal, sigma 2": lambda rng, n: np.exp(2 * rng.normal(size=n)),
    "Pareto, alpha 1": lambda rng, n: rng.pareto(1.0, n),
    "rare ones": lambda rng, n: (rng.random(n) < 0.01).astype(float),
    "uniform": lambda rng, n: rng.random(n),
}


@pytest.mark.parametrize("name", HEAVY)
def test_held_out_rows_of_heavy_tails_are_not_far(name):
    """In at most 1 of 100 tables of 1,000 training and 1,000 held-out rows."""
    rng, tables = np.random.default_rng(1), 200
    rows = HEAVY[name](rng, 1000 * tables).reshape(1000, tables)
    new = HEAVY[name](rng, 1000 * tables).reshape(1000, tables)
    low, high, margin = reach_of(rows)
    assert ((new < low - margin) | (new > high + margin)).any(axis=0).sum() <= 2


@pytest.mark.parametrize("name", ["t, df 1.5", "lognormal, sigma 2"])
def test_few_training_rows_show_little_of_how_far_others_are(name):
    """In at most 1 of 100 tables of 20 training rows, too."""
    rng, tables = np.random.default_rng(1), 200
    rows, new = (HEAVY[name](rng, n * tables).reshape(n, tables) for n in (20, 1000))
    low, high, margin = reach_of(rows)
    assert ((new < low - margin) | (new > high + margin)).any(axis=0).sum() <= 2


# ---------------------------------------------------------------- a condition number


def test_nearly_dependent_columns_are_pointed_out_once():
    x = magnitudes(2000)
    x[:, 1] = 10 * x[:, 0] + 0.05 * (x[:, 1] - 10 * x[:, 0])
    quick = {"epochs": 1, "rng": 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fc.fit(fc.flows.maf(3, 1, [8]), x, **quick)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert "condition number" in str(caught[0].message)
    assert 'standardize="whiten"' in str(caught[0].message)
    fc.fit(fc.flows.maf(3, 1, [8], standardize="whiten"), x, **quick)
    y, noise = x[:, :1] / 20, np.random.default_rng(1).normal(size=x.shape)
    with pytest.warns(UserWarning, match="of the context have the condition number .*_context="):
        fc.fit(flow_of(True, dim=1), y, context=x, **quick)
    fc.fit(flow_of("whiten", dim=1), y, context=x, **quick)
    x = magnitudes(2000) / 10.0 ** np.arange(3) + 0.05 * noise
    fc.fit(fc.flows.maf(3, 1, [8]), x, **quick)


def test_the_reach_is_that_of_the_context_and_not_of_what_a_network_makes_of_it():
    rng = np.random.default_rng(0)
    inner = fc.StandardizeContext(fc.MaskedAutoregressiveFlow(fc.MADE(1, context_dim=2)))
    flow = fc.TransformedDistribution(
        fc.Normal(1), fc.EmbedContext(inner, fc.MLP(3, (2,), hidden=[4]))
    )
    x, c = rng.normal(size=(50, 1)), rng.normal(size=(50, 3))
    flow, _ = fc.fit(flow, x, context=c, epochs=1)
    assert np.isfinite(flow.log_prob(x, context=1000 * c)).all()


def test_a_mixture_of_flows_warns_of_far_contexts():
    x, c = np.random.default_rng(0).normal(size=(2, 60, 1))
    flow, _ = fc.fit(fc.flows.maf(1, context_dim=1, layers=1, hidden=[4]), x, context=c, epochs=1)
    for density in (flow, fc.Mixture([flow, flow])):
        density.log_prob(x, context=c)
        with pytest.warns(UserWarning, match="far outside of the training rows in column 0"):
            density.log_prob(x, context=c + 5000)


def test_the_margin_of_a_context_is_the_documented_one():
    """500 rows of a uniform column, whose central 90% is 0.9 wide; then one of them far out."""
    rows = np.linspace(0, 1, 500)[:, None]
    np.testing.assert_allclose(reach_of(rows)[:, 0], [0, 1, 2], rtol=1e-12)
    rows[-1] = 9.0
    inner = np.diff(np.quantile(rows, [0.05, 0.95]))[0]
    np.testing.assert_allclose(reach_of(rows)[2, 0], 9 * (9 / inner) ** 3 / 10 * 2, rtol=1e-9)


def test_margins_train_in_a_flow_of_few_skewed_rows():
    """The map is set by the training rows, once; log p is that of the data's own units."""
    x = np.exp(np.random.default_rng(0).normal([1.0, 3.0], size=(200, 2)))
    flow = fc.flows.maf(2, layers=1, hidden=[4], standardize="margins")
    flow, _ = fc.fit(flow, x, epochs=2)
    plain, _ = fc.fit(fc.flows.maf(2, layers=1, hidden=[4]), x, epochs=2)
    truth = -np.log(x).sum(axis=1) - 0.5 * ((np.log(x) - [1.0, 3.0]) ** 2).sum(axis=1)
    truth = (truth - np.log(2 * np.pi)).mean()
    assert truth + 0.05 > flow.log_prob(x).mean() > truth - 0.25 > plain.log_prob(x).mean()
    again, _ = fc.fit(flow, 2 * x, epochs=1)
    before, after = (
        [part.loc.tolist() for part, _ in own.bijector.steps("forward") if hasattr(part, "loc")]
        for own in (flow, again)
    )
    assert len(before) == 1 and before == after


def test_the_margin_of_a_weighted_column_is_that_of_repeated_rows():
    x, times = np.random.default_rng(1).gamma(1, size=(300, 1)), np.arange(300) % 4
    x = np.sort(x, axis=0) + times[:, None]  # weights matter
    own, copies, equal = (
        fc.TransformedDistribution(fc.Normal(1), fc.Margins.from_data(*rows)).log_prob(x)
        for rows in ((x, times), (np.repeat(x, times, axis=0),), (x,))
    )
    apart = [np.average(np.abs(own - other), weights=times) for other in (copies, equal)]
    assert 5 * apart[0] < apart[1]
    for wrong in (times[1:], -times, 0 * times):
        with pytest.raises(ValueError, match="sample_weight"):
            fc.Margins.from_data(x, wrong)
    known = np.append(x, [[np.nan]], axis=0)
    np.testing.assert_array_equal(fc.Margins.from_data(known).loc, fc.Margins.from_data(x).loc)
    same = fc.Margins.from_data(np.full((9, 1), 4.0))
    assert (same.loc, same.scale, same.tails) == (4.0, 1.0, 1.0)
    for unit in (1e-300, 1e-12, 1e300):  # squares of such numbers are no floats
        margin = fc.Margins.from_data(unit * x)
        np.testing.assert_allclose(margin.inverse(unit * x), fc.Margins.from_data(x).inverse(x))


def test_equal_values_make_no_spike():
    """Of 200 rows 120 are 0: without spreading them, s shrinks around 0 for ever."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(200) < 0.6, 0.0, rng.exponential(size=200))[:, None]
    flow = fc.TransformedDistribution(fc.Normal(1), fc.Margins.from_data(x))
    assert flow.log_prob(x).max() < 3 and np.isfinite(flow.log_prob([[-50.0], [500.0]])).all()


def test_values_that_do_not_repeat_stay_where_they_are():
    """Of the others each copy has a place of its own, around the value."""
    values, count = np.array([0.0, 1.0, 5.0, 6.0]), np.array([1, 1, 1, 4])
    x, weight = spread(values, count.astype(float), count)
    assert x[:3].tolist() == [0.0, 1.0, 5.0] and len({*x}) == 7 and weight.tolist() == [1.0] * 7
    assert x.mean() == values.repeat(count).mean()  # at an end, too
    mirrored, weight = spread(-values[::-1], np.arange(4.0), count[::-1])
    np.testing.assert_array_equal(mirrored, -x[::-1])
    assert weight.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0]


HARM = {
    "constant": lambda c: np.full(300, 99.0),
    "copy": lambda c: c[:, 0],
    "sum": lambda c: c[:, 0] - c[:, 1],
    "tiny": lambda c: 1e-12 * c[:, 1],
    "huge": lambda c: 1e12 * c[:, 1],
    "integer": lambda c: np.arange(300) % 3,
}


@pytest.mark.parametrize("harm", HARM)
def test_a_whitened_context_survives_its_columns(harm):
    """A little beside the training rows, too: rounding in a tiny axis is no signal."""
    rng = np.random.default_rng(0)
    x, c = (
        rng.normal(size=(300, 1)),
        20 + rng.normal(size=(300, 1)) + 0.02 * rng.normal(size=(300, 4)),
    )
    c[:, 3] = HARM[harm](c)
    flow = fc.flows.maf(1, 1, [8], context_dim=4, standardize_context="whiten")
    flow, history = fc.fit(flow, x, context=c, epochs=5, batch_size=256, learning_rate=0.01)
    log_p = flow.log_prob(x, context=c)
    assert np.isfinite(history.train_nll).all() and np.isfinite(log_p).all()
    np.testing.assert_allclose(flow.log_prob(x, context=c * (1 + 1e-9)), log_p, atol=1e-3)


def test_a_flag_of_99_warns_once_by_name_in_all_questions():
    rng = np.random.default_rng(1)
    x, c = rng.normal(size=(300, 1)), rng.normal(20, 1, size=(300, 2))
    flow = fc.flows.maf(1, 1, [8], context_dim=2)
    flow = fc.fit(flow, x, context=c, epochs=2)[0].with_names(context_names=["u", "g"])
    flow.log_prob(x, context=c)  # no training row is far out
    flagged = np.column_stack([c[:5, 0], np.full(5, 99.0)])
    for call in (
        lambda: flow.pit(x[:5], context=flagged),
        lambda: flow.quantiles([0.1, 0.9], context=flagged),
        lambda: flow.posterior(context=flagged),
    ):
        with pytest.warns(UserWarning, match="'g'") as found:
            call()
        (message,) = {str(one.message) for one in found}  # a user sees equal ones once
        assert "'u'" not in message and "5 of 5 rows" in message
