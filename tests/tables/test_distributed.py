"""Dask: the numbers of one machine, whatever the blocks and the workers, even if they die."""

import importlib
import math
import os
import signal
import sys
import warnings

import autograd.numpy as anp
import numpy as np
import pytest

import flowcore as fc
from flowcore import distributed
from flowcore.testing import randomize
from flowcore.training import Likelihood, Rows, TrainingDivergedError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
cluster = pytest.importorskip("distributed")
pd = pytest.importorskip("pandas")

D, C, N = 3, 2, 500
TEXTBOOK = dict(learning_rate=3e-3, schedule="constant", average=None)


@pytest.fixture(scope="module")
def table():
    """X, contexts, weights of which some are 0."""
    rng = np.random.default_rng(0)
    c = rng.normal(size=(N, C))
    x = rng.normal(size=(N, D)) * [1, 2, 3] + 5 + c[:, :1]
    return x, c, rng.uniform(size=N) * (rng.uniform(size=N) > 0.1)


@pytest.fixture(scope="module")
def client():
    """Two workers, which are threads of this process."""
    with (
        cluster.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as workers,
        cluster.Client(workers) as client,
    ):
        yield client


def flow_for(c=None, **options):
    return fc.flows.maf(D, layers=2, hidden=[16], context_dim=0 if c is None else C, **options)


def wild(c=None):
    return randomize(flow_for(c, standardize=False), 0.3)


def cut(array, rows=170):
    return da.from_array(array, chunks=(rows, *(2,) * (array.ndim - 1)))


def frame(x, c=None):
    columns = np.column_stack([x] if c is None else [x, c])
    names = list("xyzab")[: columns.shape[1]]
    return pd.DataFrame(columns, index=7 * np.arange(len(x)), columns=names)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------- log_prob


@pytest.mark.parametrize("rows", [1, 170, N])
def test_log_prob_of_an_array(table, rows):
    x, flow = table[0][:40] if rows == 1 else table[0], wild()
    found = distributed.log_prob(flow, cut(x, rows))
    assert found.shape == (len(x),) and found.dtype == flow.dtype
    assert found._meta.shape == (0,) and found._meta.dtype == flow.dtype
    same(found.compute(), flow.log_prob(x))


def test_log_prob_with_contexts_cut_otherwise(table):
    x, c, _ = table
    flow = wild(c)
    same(distributed.log_prob(flow, cut(x), cut(c, 99)).compute(), flow.log_prob(x, context=c))
    same(distributed.log_prob(flow, cut(x), c[0]).compute(), flow.log_prob(x, context=c[0]))
    lead = (5, 100)
    found = distributed.log_prob(flow, cut(x).reshape((*lead, D)), cut(c).reshape((*lead, C)))
    same(found.compute(), flow.log_prob(x, context=c).reshape(lead))


def test_log_prob_of_a_frame(table):
    x, c, _ = table
    flow, whole = wild(c), frame(x, c)
    some = dd.from_pandas(whole, npartitions=4)
    found = distributed.log_prob(flow, some[list("xyz")], some[list("ab")])
    assert found._meta.name == "log_prob" and found.dtype == flow.dtype
    series = found.compute()
    assert series.name == "log_prob" and series.index.equals(whole.index)
    same(series, flow.log_prob(x, context=c))
    one = distributed.log_prob(flow, some[list("xyz")], c[0]).compute()
    same(one, flow.log_prob(x, context=c[0]))
    scored = some.assign(log_p=distributed.log_prob(flow, some[list("xyz")], some[list("ab")]))
    same(scored[scored.x > 5].log_p.compute(), series[whole.x > 5])


def test_partitions_without_rows(table):
    some = dd.from_pandas(frame(table[0]), npartitions=4)
    some = some[some.index.to_series() < 700]
    same(distributed.log_prob(wild(), some).compute(), wild().log_prob(table[0][:100]))


def test_float32_stays_float32(table):
    flow = flow_for(dtype=np.float32, standardize=False)
    assert distributed.log_prob(flow, cut(table[0])).compute().dtype == np.float32
    assert distributed.sample(flow, 5, 0).compute().dtype == np.float32
    some = dd.from_pandas(frame(table[0]), npartitions=2)
    assert distributed.log_prob(flow, some).compute().dtype == np.float32


def test_a_density_of_somebodys_own(table):
    class Own:
        dim = D

        def log_prob(self, x):
            return -anp.sum(x, axis=-1)

    same(distributed.log_prob(Own(), cut(table[0])).compute(), -table[0].sum(axis=1))


def test_one_thread_and_one_of_blas_a_block(table, monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    class Seen(fc.Distribution):
        dim, sample = D, None

        def log_prob(self, x, params=None, context=None, threads=None):
            found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
            pools = [pool["num_threads"] for pool in found]
            return np.full(len(x), 100 * (threads or 0) + max(pools))

    with threadpool_limits(2):
        seen = distributed.log_prob(Seen(), cut(table[0])).compute()
    assert set(seen) == {101.0}


def test_nothing_is_computed_before_it_is_asked_for():
    def fail(x):
        raise AssertionError("computed")

    x = da.ones((9, D), chunks=(3, D)).map_blocks(fail, meta=np.empty((0, 0)))
    found = distributed.log_prob(wild(), x)
    with pytest.raises(AssertionError, match="computed"):
        found.compute()


def test_the_flow_is_in_the_graph_once(table):
    flow = wild()
    graph = dict(distributed.log_prob(flow, cut(table[0], 5)).__dask_graph__())
    import pickle

    size = len(pickle.dumps(flow))
    sizes = [len(pickle.dumps(task)) for key, task in graph.items() if "log_prob" in str(key)]
    assert len(sizes) == N // 5 and max(sizes) < size / 2


@pytest.mark.parametrize(
    ("problem", "x", "context", "what"),
    [
        (TypeError, np.zeros((4, D)), None, "X must be a Dask array or dataframe, not ndarray"),
        (ValueError, da.zeros((4, 2)), None, r"takes arrays of shape \(..., 3\), not \(0, 2\)"),
        (ValueError, da.zeros((4, D)), da.zeros((4, C)), "takes no context"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(problem, x, context, what):
    with pytest.raises(problem, match=what):
        distributed.log_prob(wild(), x, context)


def test_contexts_that_do_not_fit_are_refused(table):
    x, c, _ = table
    some = dd.from_pandas(frame(x, c), npartitions=4)
    other = dd.from_pandas(frame(x, c), npartitions=3)[list("ab")]
    shifted = dd.from_pandas(frame(x, c)[30:], npartitions=4)[list("ab")]
    for X, context, message in (
        (cut(x), None, "needs context"),
        (cut(x), cut(c[:9]), "Chunks do not add up"),
        (some[list("xyz")], other, "X has 4 partitions, context 3"),
        (some[list("xyz")], shifted, "a block of X has 125 rows, and that of context 117"),
    ):
        with pytest.raises(ValueError, match=message):
            distributed.log_prob(wild(c), X, context).compute()


def test_an_error_in_a_block_names_the_column(table):
    bad = frame(table[0]).assign(y="text")
    with pytest.raises(ValueError, match="column 1 'y'"):
        distributed.log_prob(wild(), dd.from_pandas(bad, npartitions=2)).compute()


def test_columns_are_selected_by_name(client, table):
    """Also where a partition has them in another order than its frame announces."""
    x, c, _ = table

    def some(names):
        def load(i):
            part = frame(x, c)[250 * i : 250 * i + 250][list(names)]
            return part[list(names)[::-1]] if i else part

        return dd.from_map(load, [0, 1], meta=load(0))

    flow, expected = wild(c), frame(x, c)[:500]
    expected = flow.log_prob(expected[list("xyz")].to_numpy(), context=expected[list("ab")])
    for own in (flow, flow.with_names(list("xyz"), list("ab"))):
        found = distributed.log_prob(own, some("xyz"), some("ab")).compute()
        same(found, expected)
    whole = some("azybx")  # needs names of its own
    same(distributed.log_prob(own, whole, whole).compute(), expected)
    given = dd.from_pandas(frame(x, c)[:500], npartitions=2)
    named, plain = (
        distributed.fit(client, flow_for(c), x, context=context, epochs=1)[0]
        for x, context in ((some("xyz"), some("ab")), (given[list("xyz")], given[list("ab")]))
    )
    np.testing.assert_array_equal(named.params, plain.params)
    assert named.names == list("xyz")
    again, other = (
        distributed.fit(client, named, given[0], context=given[1], validation_data=given, epochs=1)[
            1
        ].val_nll
        for given in ((some("xyz"), some("ab")), (whole, whole))
    )
    assert again == other
    with pytest.raises(ValueError, match="X lacks 'x': its columns are 'z', 'y'"):
        distributed.log_prob(own, some("zy"), whole)
    wrong = dd.from_map(
        lambda i: frame(x, c)[list("xyz")].rename(columns={"y": "w"} if i else {}), [0, 1],
        meta=frame(x, c)[list("xyz")],
    )  # fmt: skip
    with pytest.raises(ValueError, match="a partition of X lacks 'y'"):
        distributed.log_prob(wild(), wrong).compute()


def test_numbers_are_labels(client, table):
    x = pd.DataFrame(table[0])
    turned = dd.from_pandas(x, npartitions=2)[[2, 0, 1]]
    same(distributed.log_prob(wild(), turned).compute(), wild().log_prob(x))
    flow, _ = distributed.fit(client, flow_for(), turned, epochs=1)
    array = cut(table[0][:, [2, 0, 1]], 250)
    named, _ = distributed.fit(client, flow_for(), array, epochs=1)
    assert flow.names == [2, 0, 1] and named.names is None
    np.testing.assert_array_equal(flow.params, named.params)
    same(distributed.log_prob(flow, turned).compute(), flow.log_prob(x))


@pytest.mark.parametrize("dtype", ["float64", "Float32", "Int64", "float64[pyarrow]"])
def test_a_missing_cell_is_nan_in_every_dtype(table, dtype):
    whole = frame(table[0]).round()
    whole = whole.assign(y=whole.y.where(whole.y > 5).astype(dtype))
    flow, expected = wild(), wild().log_prob(whole.astype(float))
    assert np.isnan(expected).any() and np.isfinite(expected).any()
    same(distributed.log_prob(flow, dd.from_pandas(whole, npartitions=2)).compute(), expected)
    given = wild(table[1])
    context = dd.from_pandas(whole[["y", "x"]], npartitions=2)
    found = distributed.log_prob(given, dd.from_pandas(frame(table[0]), npartitions=2), context)
    np.testing.assert_array_equal(np.isnan(found.compute()), np.isnan(expected))


# ---------------------------------------------------------------- everywhere else


def never(part):
    raise AssertionError("computed")


COLLECTIONS = {
    "frame": dd.from_pandas(frame(np.ones((9, D))), npartitions=2).map_partitions(
        never, meta=frame(np.ones((0, D)))
    ),
    "array": da.ones((9, D), chunks=(3, D)).map_blocks(never, meta=np.empty((0, 0))),
}
ROWS = np.random.default_rng(0).normal(size=(9, D))
FITTED = fc.FlowDensity(budget=0.01).fit(np.tile(ROWS, (3, 1)))
GIVEN = wild(ROWS)
DOORS = {
    "fit": lambda X: fc.fit(flow_for(), X, epochs=1),
    "fit's context": lambda X: fc.fit(flow_for(X), ROWS, context=X, epochs=1),
    "fit's validation": lambda X: fc.fit(flow_for(), ROWS, validation_data=X, epochs=1),
    "fit's noise": lambda X: fc.fit(flow_for(), ROWS, noise=X, epochs=1),
    "a context": lambda X: GIVEN.log_prob(ROWS, context=X),
    "a sample's context": lambda X: GIVEN.sample(1, 0, X),
    **{name: getattr(wild(), name) for name in ("log_prob", "prob", "to_latent", "from_latent")},
    "MADE": fc.MADE(D, [8]),
    "target": fc.targets.two_moons().log_prob,
    "mixture": lambda X: fc.GaussianMixture.from_data(X, 2),
    "conditionals": fc.Conditionals(wild()).impute,
    "FlowDensity": fc.FlowDensity(budget=0.01).fit,
    **{name: getattr(FITTED, name) for name in ("score_samples", "impute", "explain")},
    "imputer": fc.FlowImputer().fit,
    "diagnose": lambda X: fc.diagnose(wild(), X),
    "plot": fc.plots.pairs,
    "fit_table": fc.tables.fit_table,
    "schema": fc.tables.Schema.from_data,
    "columns": lambda X: fc.tables.Schema.from_data({"a": X.x if hasattr(X, "x") else X[:, 0]}),
}


@pytest.mark.parametrize("kind", COLLECTIONS)
@pytest.mark.parametrize("door", DOORS)
def test_a_collection_is_never_computed_in_secret(door, kind):
    with pytest.raises(TypeError, match=r"is a Dask .* by its .compute\(\)"):
        DOORS[door](COLLECTIONS[kind])


# ---------------------------------------------------------------- sample


def test_draws_depend_on_the_seed_alone(client):
    flow = wild()
    found = distributed.sample(flow, 1000, rng=3, rows=300)
    assert found.chunks == ((300, 300, 300, 100), (D,)) and found.dtype == flow.dtype
    first = found.compute(scheduler="synchronous")
    np.testing.assert_array_equal(found.compute(scheduler="threads", num_workers=3), first)
    np.testing.assert_array_equal(client.compute(found).result(), first)
    again = distributed.sample(flow, 1000, np.random.default_rng(3), rows=300)
    np.testing.assert_array_equal(again.compute(scheduler="synchronous"), first)
    assert len(np.unique(first[:, 0])) == 1000  # no block repeats another
    assert not np.isin(distributed.sample(flow, 9, rng=4).compute(), first).any()
    assert distributed.sample(flow, 0).compute().shape == (0, D)
    assert 2**21 < D * distributed.sample(flow, 10**7).chunks[0][0] <= 2**22  # numbers of a block


def test_draws_are_the_flows(table):
    c = np.array([1.0, -1.0])
    flow = wild(c)
    draws = distributed.sample(flow, 40_000, 0, context=c, rows=9000).compute()
    assert_same_density(draws, flow.sample(40_000, 1, context=c))
    whole = distributed.sample(flow, 100, 0, context=c, rows=30, columns=list("xyz"))
    assert list(whole.columns) == list("xyz") and whole.npartitions == 4
    assert whole.compute().shape == (100, D)


def assert_same_density(a, b):
    """Means within five standard errors."""
    error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / len(a))
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 5 * error).all()


def test_draws_for_rows_of_context(table):
    c = table[1]
    found = distributed.sample(wild(c), 4, 0, context=cut(c, 99))
    assert found.shape == (4, N, D) and found.chunks[1] == cut(c, 99).chunks[0]
    draws = found.compute()
    z = wild(c).to_latent(draws, context=c)  # of the flow, each in its context, and no two alike
    assert z.shape == (4, N, D) and len(np.unique(z.round(9))) == z.size
    assert abs(z.mean()) < 0.05 and z.std() == pytest.approx(1, abs=0.05)
    with pytest.raises(ValueError, match="2"):
        distributed.sample(wild(c), 4, 0, context=cut(c), columns=list("xyz"))
    with pytest.raises(ValueError, match="columns"):
        distributed.sample(wild(), 4, 0, columns=["x", "y"])


# ---------------------------------------------------------------- fit


def test_all_rows_at_once_is_the_fit_of_one_machine(client, table):
    """The history, and so every gradient: with contexts, weights, a penalty, validation data."""
    x, c, w = table
    options = dict(
        epochs=15, batch_size=None, clip_norm=0.05, rng=0, penalty=lambda t: 1e-3 * anp.sum(t**2)
    )
    flow, history = fc.fit(
        flow_for(c), x, context=c, sample_weight=w, validation_data=(x[:99], c[:99]), **options
    )
    held = cut(x[:99], 40), cut(c[:99], 40)
    found, record = distributed.fit(
        client, flow_for(c), cut(x), context=cut(c, 99), sample_weight=cut(w, 500),
        validation_data=held, **options,
    )  # fmt: skip
    np.testing.assert_allclose(record.train_nll, history.train_nll, rtol=1e-12)
    np.testing.assert_allclose(record.val_nll, history.val_nll, rtol=1e-12)
    np.testing.assert_allclose(found.params, flow.params, rtol=0, atol=1e-10)
    assert record.best_epoch == history.best_epoch and len(record.train_nll) == 15
    assert record.settings == {**history.settings, "blocks": 3}
    assert np.abs(found.params - flow_for(c).params).max() > 1e-3


def test_a_block_of_weight_0_and_weights_of_validation_rows(client, table):
    """Weights may be a mask, or blocks days: such a block has no row to train on."""
    x, c, w = table
    w = w.copy()
    w[:300] = 0.0
    held = x[:99], c[:99], np.arange(99.0)
    options = dict(epochs=9, batch_size=None, rng=0, patience=1, optimizer=fc.Adam(0.05))
    _, history = fc.fit(flow_for(c), x, context=c, sample_weight=w, validation_data=held, **options)
    _, found = distributed.fit(
        client, flow_for(c), cut(x, 250), context=cut(c, 250), sample_weight=cut(w, 250),
        validation_data=tuple(cut(part, 40) for part in held), **options,
    )  # fmt: skip
    assert 1 < len(found.val_nll) < 9
    np.testing.assert_allclose(found.train_nll, history.train_nll, rtol=1e-12)
    np.testing.assert_allclose(found.val_nll, history.val_nll, rtol=1e-12)


def test_the_gradient_of_a_batch_is_that_of_its_rows(client, table):
    """Of every batch of an epoch; and each row is in one of them."""
    from flowcore.distributed import Block, TotalLikelihood, _order

    x, c, w = table
    w = w + 0.1
    flow = wild(c)
    blocks = [
        Block(Rows(x[a:b], w[a:b], c[a:b]), Rows(x[:0])) for a, b in [(0, 30), (30, 200), (200, N)]
    ]
    loss = TotalLikelihood(client, flow, None, client.scatter(blocks), n_batches=7, shuffle=True)
    batches = loss.batches(np.random.default_rng(2), epoch=0)
    seeds = np.random.default_rng(2).integers(2**63, size=3).tolist()
    orders = [_order(block, seed) for block, seed in zip(blocks, seeds, strict=True)]
    seen = []
    for batch in batches:
        value, gradient = loss(flow.params, batch)
        ends = [(len(s.train.x) * batch // 7, len(s.train.x) * (batch + 1) // 7) for s in blocks]
        rows = [
            s.train.take(order[a:b]) for s, order, (a, b) in zip(blocks, orders, ends, strict=True)
        ]
        rows = Rows(*map(np.concatenate, [*zip(*rows, strict=True)][:3]))
        expected, slope = Likelihood(flow)(np.array(flow.params), rows)
        assert math.isclose(value, expected, rel_tol=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-10)
        assert math.isclose(loss.weight, rows.total_weight)
        seen.append(rows.x)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen), axis=0), np.sort(x, axis=0))
    assert not np.array_equal(_order(blocks[2], 3), orders[2])


def test_the_standard_error_of_held_out_rows(client, table):
    from flowcore.distributed import Block, TotalLikelihood

    x, c, w = table
    flow, w = wild(c), w + 0.1
    blocks = [Block(Rows(x[:0]), Rows(x[a:b], w[a:b], c[a:b])) for a, b in [(0, 30), (30, N)]]
    found = TotalLikelihood(client, flow, None, [], client.scatter(blocks)).validation(flow.params)
    expected = Likelihood(flow).value_and_error(flow.params, [Rows(x, w, c)])
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_a_fit_in_batches(client, table):
    """It learns, and is reproducible."""
    options = dict(epochs=3, rng=1)
    flow, history = distributed.fit(client, flow_for(), cut(table[0]), **options)
    assert history.settings["optimizer"].learning_rate.steps == 9  # three batches an epoch
    assert len(history.val_nll) == 3 and history.settings["batch_size"] == 3 * 64  # of 3 blocks
    assert history.train_nll[-1] < history.train_nll[0] - 0.01
    again, record = distributed.fit(client, flow_for(), cut(table[0]), **options)
    assert record.train_nll == history.train_nll and record.val_nll == history.val_nll
    np.testing.assert_array_equal(again.params, flow.params)


class Drawn(fc.Standardize):
    """A part that starts from rng."""

    def initialize(self, x, context=None, rng=None):
        return self.with_moments(rng.normal(size=D), np.ones(D))


@pytest.mark.parametrize("start, shuffle", [(False, False), (True, False), (False, True)])
def test_rng_decides_the_start_and_the_order(client, table, start, shuffle):
    """And nothing else, if no row is set aside."""
    parts = [Drawn(D), wild().bijector] if start else [wild().bijector]
    flow = fc.TransformedDistribution(fc.Normal(D), fc.Chain(parts))
    options = dict(epochs=1, batch_size=100, validation_split=0, shuffle=shuffle)
    a, b = (distributed.fit(client, flow, cut(table[0]), rng=k, **options)[1] for k in (0, 1))
    assert (a.train_nll == b.train_nll) == (not (start or shuffle))


STRAIGHT = np.random.default_rng(0).normal(size=(99, D)) @ [[1, 1, 0], [0, 1e-4, 0], [0, 0, 1]]
SAID = {  # options and rows that are refused, or warned of
    **{f"{name}={value!r}": ({name: value}, ROWS) for name, value in {
        "average": 2.0, "batch_size": 0, "callbacks": [1], "clip_norm": -1.0, "epochs": 0,
        "learning_rate": -1.0, "optimizer": "?", "patience": 0, "schedule": "?",
        "validation_split": 1.0, "warm_up": -1}.items()},
    "nearly dependent": ({}, STRAIGHT), "dependent": ({}, STRAIGHT[:, [0, 0, 2]]),
    "on a grid": ({}, np.rint(STRAIGHT)), "constant": ({}, STRAIGHT * [1, 0, 1]),
}  # fmt: skip


def said(fit, *args, **options):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            fit(*args, **options)
        except (TypeError, ValueError) as problem:
            return str(problem)
    return [str(each.message) for each in seen if each.category is UserWarning]


@pytest.mark.parametrize("name", SAID)
def test_it_refuses_and_warns_as_fit_does(client, name):
    options, x = SAID[name]
    options = {"epochs": 1, "validation_split": 0, **options}
    expected = said(fc.fit, flow_for(), x, **options)
    assert expected and said(distributed.fit, client, flow_for(), cut(x), **options) == expected


def test_equal_rows_of_a_block_are_one_row(client, table):
    """With the numbers of one machine, `initialize` included."""
    x = np.repeat(table[0], np.random.default_rng(0).integers(1, 4, N), axis=0)
    whole = np.flatnonzero((x[1:] != x[:-1]).any(axis=1))[150] + 1  # no row is in two blocks
    options = dict(epochs=3, batch_size=None, validation_split=0.0, **TEXTBOOK)
    blocks = da.from_array(x, chunks=((whole, len(x) - whole), D))
    found, _ = distributed.fit(client, flow_for(), blocks, **options)
    flow, history = fc.fit(flow_for(), x, **options)
    assert history.settings["distinct_rows"] == N
    np.testing.assert_allclose(found.params, flow.params, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.log_prob(x), flow.log_prob(x), rtol=0, atol=1e-9)


def test_divergence_comes_back(client, table):
    with pytest.raises(TrainingDivergedError, match="training diverged at epoch 0, batch") as error:
        distributed.fit(
            client, flow_for(), cut(table[0]), epochs=2, batch_size=100, optimizer=fc.Adam(1e200),
        )  # fmt: skip
    assert np.isfinite(error.value.flow.params).all()


def test_what_fit_refuses(client, table):
    x, c, w = table
    alone, bad = "context_noise= are for fits on one machine", np.where(x == x[171], np.nan, x)
    for error, on, flow, X, options, message in (
        (TypeError, None, flow_for(), x, {},
         r"client must be a dask\.distributed\.Client, not None"),
        (ValueError, client, flow_for(), x, {"checkpoint": "run.npz"}, alone),
        (ValueError, client, flow_for(), x, {"threads": 2}, alone),
        (ValueError, client, flow_for(), x, {"noise": 0.1}, alone),
        (TypeError, client, flow_for(), x, {"epoch": 2}, "unexpected keyword argument 'epoch'"),
        (TypeError, client, flow_for(), x, {"sample_weight": w}, "sample_weight must be a Dask"),
        (ValueError, client, flow_for(), x[:, :2], {},
         r"X has shape \(1.0, 2\), but the flow has dim 3"),
        (ValueError, client, flow_for(c), x, {"context": cut(c[:99])},
         "context has not as many blocks as X, 3: cut both alike"),
        (ValueError, client, flow_for(), x, {"patience": 3, "validation_split": 0},
         "validation_split=0 leaves no row for validation"),
        (ValueError, client, flow_for(), bad, {},
         r"NaN or infinite values in row 1 .* in block 1\)"),
        (ValueError, client, flow_for(), x * [1, 0, 1], {}, "X is constant in column 1"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            distributed.fit(on, flow, cut(X), **options)
    with pytest.raises(ValueError, match="leaves no row for validation: take larger blocks"):
        distributed.fit(client, flow_for(), cut(x[:20], 4))


def test_no_batch_is_empty(client, table, few_epochs):
    """As many batches as the largest block has rows, at most; blocks of one row take part. And
    without validation no epoch is left out."""
    x = da.from_array(table[0][:6], chunks=((1, 1, 4), D))
    _, history = distributed.fit(client, flow_for(), x, batch_size=1, validation_split=0)
    assert len(history.train_nll) == 8 and np.isfinite(history.train_nll).all()


def test_blocks_of_unknown_length(client, table):
    """As a frame's `.to_dask_array()` has them."""
    x, c, w = table
    some = dd.from_pandas(frame(x, c).assign(w=w), npartitions=3)
    unknown = some[list("xyz")].to_dask_array(), some[list("ab")].to_dask_array()
    assert math.isnan(unknown[0].shape[0])
    found = distributed.log_prob(wild(c), *unknown).compute()
    same(found, wild(c).log_prob(x, context=c))
    options = dict(epochs=2, batch_size=None, validation_split=0.0)
    flow, _ = distributed.fit(
        client, flow_for(c), unknown[0], context=unknown[1], sample_weight=some.w, **options
    )
    expected, _ = fc.fit(flow_for(c), x, context=c, sample_weight=w, **options)
    np.testing.assert_allclose(flow.params, expected.params, rtol=0, atol=1e-10)


# ---------------------------------------------------------------- processes


def test_without_dask_it_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.array", None)
    monkeypatch.delitem(sys.modules, "flowcore.distributed")
    with pytest.raises(ImportError, match=r"pip install 'flowcore\[dask\]'"):
        importlib.import_module("flowcore.distributed")


@pytest.fixture
def processes():
    with (
        cluster.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as workers,
        cluster.Client(workers) as client,
    ):
        yield client


@pytest.mark.slow
def test_a_worker_that_dies_is_survived(processes, table):
    """Killed in the middle of a fit, or while it scores: the same numbers."""
    x, flow = table[0], wild()
    options = dict(epochs=6, batch_size=50, **TEXTBOOK)
    expected, history = distributed.fit(processes, flow_for(), cut(x), **options)
    victim = next(iter(processes.run(os.getpid).values()))

    def kill(report):
        if report.epoch == 2:
            os.kill(victim, signal.SIGKILL)

    found, record = distributed.fit(processes, flow_for(), cut(x), callbacks=[kill], **options)
    assert victim not in processes.run(os.getpid).values()
    assert record.train_nll == history.train_nll and record.val_nll == history.val_nll
    np.testing.assert_array_equal(found.params, expected.params)

    scores = processes.compute(distributed.log_prob(flow, cut(np.tile(x, (400, 1)), 5000)))
    os.kill(next(iter(processes.run(os.getpid).values())), signal.SIGKILL)
    same(scores.result(), np.tile(flow.log_prob(x), 400))


@pytest.mark.slow
def test_members_on_joblibs_backend(processes, table):
    """The recipe of docs/use/past_one_machine.md: joblib's loops, on the workers."""
    import joblib

    def member(seed):
        return fc.fit(flow_for(), table[0], epochs=2, rng=seed, threads=1)[0], os.getpid()

    with joblib.parallel_config(backend="dask"):
        found = joblib.Parallel()(joblib.delayed(member)(seed) for seed in range(4))
    assert os.getpid() not in {pid for _, pid in found}
    for seed, (flow, _) in enumerate(found):
        np.testing.assert_array_equal(flow.params, member(seed)[0].params)
