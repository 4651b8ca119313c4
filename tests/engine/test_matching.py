"""`fit_matching`: the loss and its gradient, the exact velocity, the loop it shares with `fit`."""

import numpy as np
import pytest
from autograd import value_and_grad
from support.flows import STILL

import flowcore as fc
from flowcore import flows, targets
from flowcore.core.rows import Rows, as_rows
from flowcore.testing import randomize
from flowcore.training.matching import Matching, Path, closest
from flowcore.training.table import as_training_table, merged

X = targets.two_moons().sample(200, rng=0)
SMALL = {"hidden": [8] * 3}


def matching(flow, x, batch_size=50, pairing="random", **options):
    rows = as_rows(x, 2, options.get("context"), options.get("weight"))
    table = as_training_table(
        rows, merged(rows), 0.2, None, batch_size, True, np.random.default_rng(0)
    )
    return Matching(flow, table, rng=3, pairing=pairing)


def conditional():
    context = np.random.default_rng(1).normal(50, 9, (200, 2))
    flow = randomize(flows.continuous(2, context_dim=2, **SMALL).initialize(X, context))
    return flow, context


def test_the_gradient_is_autograds():
    flow, context = conditional()
    weight = np.random.default_rng(2).uniform(0.5, 2, 200)
    loss = matching(flow, X, context=context, weight=weight)
    pairs = next(loss.batches(np.random.default_rng(0), 0))
    net, dim = Path.of(flow).continuous.velocity, 2
    z, x, t = ends(pairs)

    def by_autograd(theta):
        x_t = (1 - t)[:, None] * z + t[:, None] * x
        v = net(np.column_stack([x_t, t]), theta, pairs.context)
        w = pairs.weight / pairs.weight.sum()
        return (w[:, None] * (v - (x - z)) ** 2).sum() / dim

    value, gradient = loss(flow.params, pairs)
    expected, slope = value_and_grad(by_autograd)(flow.params)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12)
    assert abs(pairs.context.mean()) < 1  # standardised
    assert np.average(loss.values(flow.params, pairs), weights=pairs.weight) == pytest.approx(value)


def ends(pairs):
    """Starts z and ends x of the paths, and the times t."""
    x_t, t = pairs.inputs[:, :2], pairs.inputs[:, 2]
    z = x_t - t[:, None] * pairs.target
    return z, z + pairs.target, t


def test_paths_lead_from_draws_of_the_base_to_the_rows():
    flow = flows.continuous(2, **SMALL).initialize(X)
    batches = matching(flow, X).batches(np.random.default_rng(0), 4)
    pieces = zip(*map(ends, batches), strict=True)
    z, x, _ = (np.concatenate(piece) for piece in pieces)
    rows = flow.bijector[0].inverse(X)
    distances = np.abs(x[:, None] - rows).max(axis=2)
    assert distances.min(axis=1).max() < 1e-12 and len(set(distances.argmin(axis=1))) == len(x)
    assert np.abs(z.mean(axis=0)).max() < 0.4 and np.abs(z.std(axis=0) - 1).max() < 0.3


def test_pairs_follow_from_seed_epoch_and_number_alone():
    loss = matching(flows.continuous(2, **SMALL).initialize(X), X)
    all_of_them = list(loss.batches(np.random.default_rng(0), 4))
    (last,) = loss.batches(np.random.default_rng(0), 4, first=3)
    assert np.array_equal(all_of_them[-1].inputs, last.inputs)
    assert np.array_equal(all_of_them[-1].target, last.target)
    assert not np.array_equal(ends(all_of_them[0])[0], ends(all_of_them[1])[0])
    assert sum(len(pairs.target) for pairs in loss.held_out) == 1000  # 40 rows, again and again
    for pairs in all_of_them:  # stratified
        t = ends(pairs)[2]
        assert (np.floor(np.sort(t) * len(t)) == np.arange(len(t))).all()


def test_batches_have_about_equal_sizes():
    """160 training rows, in batches of at most 150: an update by the last ten is all noise."""
    loss = matching(flows.continuous(2, **SMALL).initialize(X), X, batch_size=150)
    sizes = [len(pairs.target) for pairs in loss.batches(np.random.default_rng(0), 0)]
    assert sizes == [80, 80]


def test_optimal_pairs_are_the_closest_of_all():
    from itertools import permutations

    rng = np.random.default_rng(0)
    z, x = rng.normal(size=(2, 5, 3))
    best = min(permutations(range(5)), key=lambda p: ((z[[*p]] - x) ** 2).sum())
    assert closest(z, x).tolist() == [*best]
    loss = matching(flows.continuous(2, **SMALL).initialize(X), X, pairing="optimal")
    alone = Matching(loss.flow, pairing="optimal").pairs(Rows(X[:20]), 0, 0)  # without a table
    for pairs in (next(loss.batches(np.random.default_rng(0), 0)), alone):
        z, x, _ = ends(pairs)
        assert closest(z, x).tolist() == [*range(len(x))]


@pytest.mark.parametrize("repeats", [False, True])
def test_optimal_pairs_of_weighted_rows_leave_the_base_alone(repeats):
    """Three quarters of the weight at -2: as many pairs, and draws that are normal there."""
    x = np.random.default_rng(0).normal(np.repeat([-2.0, 2.0], 400)[:, None], 0.1, (800, 2))
    weight = np.where(x[:, 0] < 0, 3.0, 1.0)
    if repeats:
        x, weight = np.repeat(x, weight.astype(int), axis=0), None
    flow = flows.continuous(2, standardize=False, **SMALL)
    loss = matching(flow, x, 10**4, "optimal", weight=weight)
    pairs = next(loss.batches(np.random.default_rng(0), 0))
    assert np.ptp(pairs.weight) == 0
    assert pairs.weight[0] == pytest.approx(loss._table.everything.weight.mean())
    z, x, _ = ends(pairs)
    assert np.mean(x[:, 0] < 0) == pytest.approx(0.75, abs=0.06)
    assert abs(np.average(z[:, 0], weights=pairs.weight)) < 0.2


def test_the_velocity_between_two_gaussians_is_learned():
    """Exact: v(x, t) = m + (t s^2 - (1 - t)) / ((1 - t)^2 + t^2 s^2) (x - t m), s = 0.7, m = 1."""
    m, s = 1.0, 0.7
    x = np.random.default_rng(0).normal(m, s, (20_000, 1))
    x = (x - x.mean()) / x.std() * s + m
    flow = flows.continuous(1, hidden=[24] * 3, standardize=False, rng=2)
    flow, _ = fc.fit_matching(flow, x, epochs=60, batch_size=500, validation_split=0, rng=1)
    errors, sizes = [], []
    for t in np.linspace(0, 1, 21):
        variance = (1 - t) ** 2 + t**2 * s**2
        at = t * m + np.sqrt(variance) * np.linspace(-1.96, 1.96, 41)[:, None]
        exact = m + (t * s**2 - (1 - t)) / variance * (at - t * m)
        errors.append(Path.of(flow).continuous.field(at, t) - exact)
        sizes.append(exact)
    assert np.sqrt(np.mean(np.square(errors))) < 0.02 * np.sqrt(np.mean(np.square(sizes)))


def test_a_flow_that_is_fitted():
    flow = flows.continuous(2, **SMALL, rng=1)
    flow, history = fc.fit_matching(flow, X, epochs=30, nll_every=12, rng=0)
    assert len(history.train_nll) == len(history.val_nll) == 30
    assert min(history.val_nll) < history.val_nll[0]  # always of the same draws
    assert [*history.settings["nll"]] == [12, 24, 30]
    assert history.settings["batch_size"] == 180 and history.settings["pairing"] == "random"
    assert history.settings["n_steps"] == Path.of(flow).continuous.n_steps
    x = flow.sample(5, rng=0)
    np.testing.assert_allclose(flow.from_latent(flow.to_latent(x)), x, atol=1e-3)


def test_the_nll_counts_validation_rows_by_their_weights():
    weight = np.where(X[:, 0] > 0, 9.0, 1.0)
    flow = flows.continuous(2, **SMALL)
    flow, history = fc.fit_matching(flow, X, epochs=1, validation_data=(X, None, weight))
    nll = -np.average(flow.log_prob(X), weights=weight)
    assert history.settings["nll"] == {1: pytest.approx(nll, abs=0.02)}


def test_the_grid_of_times_does_not_depend_on_the_units_of_the_context():
    flow, context = conditional()
    options = {"tolerance": 1e-6, "epochs": 1, "learning_rate": STILL}
    runs = [fc.fit_matching(flow.restandardized(), X, context=c, **options)[1]
            for c in (context, 100 * context, context / 100)]  # fmt: skip
    assert len({run.settings["n_steps"] for run in runs} | {2}) == 2  # more than two, for all


@pytest.mark.parametrize(
    "flow",
    [
        lambda: flows.maf(2, layers=1, hidden=[4]),
        lambda: flows.continuous(2, base="student_t", **SMALL),
        lambda: fc.TransformedDistribution(
            fc.Normal(2), fc.Chain([fc.LULinear(2), fc.ContinuousFlow.of(2, activation="tanh")])
        ),
    ],
)
def test_other_flows_are_refused(flow):
    with pytest.raises(ValueError, match="fit_matching takes a ContinuousFlow over a base"):
        fc.fit_matching(flow(), X)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"pairing": "best"}, "pairing must be one of"),
        ({"tolerance": 0}, "tolerance must be a positive number"),
        ({"nll_every": 0}, "nll_every must be an integer >= 1"),
        ({"patience": 3, "validation_split": 0}, "patience=3 needs"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        fc.fit_matching(flows.continuous(2, **SMALL), X, **options)
