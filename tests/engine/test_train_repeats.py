"""Rows that repeat, as in a Metropolis chain or a bootstrap, count as one row with a weight."""

import numpy as np
import pytest
from support.flows import Spy, banana_data, find_rows
from support.flows import textbook_fit as fit

import flowcore as fc
from flowcore.training import repeats, table

X = banana_data()
TIMES = np.random.default_rng(0).integers(1, 5, 300)
AGAIN = np.repeat(X, TIMES, axis=0)
MIXED = np.random.default_rng(1).permutation(AGAIN)


def metropolis(target, n, step, seed=0):
    """A random walk that stays where it is when a proposal is rejected."""
    rng = np.random.default_rng(seed)
    here = target.sample(1, rng)
    chain = [here]
    for _ in range(n - 1):
        there = here + step * rng.standard_normal((1, target.dim))
        if rng.random() < np.exp(target.log_prob(there) - target.log_prob(here)):
            here = there
        chain.append(here)
    return np.concatenate(chain)


@pytest.mark.parametrize("kind", [float, np.float32])
@pytest.mark.parametrize("hashes", ["as they are", "eight of them"])
def test_the_first_equal_row(kind, hashes, monkeypatch):
    """Also where different rows have equal hashes, where 0 has a sign, and in blocks."""
    monkeypatch.setattr(repeats, "blocks", lambda n, width: [slice(0, 70), slice(70, n)])
    if hashes == "eight of them":
        few = repeats.row_hashes
        monkeypatch.setattr(repeats, "row_hashes", lambda parts: few(parts) % np.uint64(8))
    x = np.random.default_rng(0).integers(-2, 3, (200, 2)).astype(kind)
    x[x == 0] *= np.random.default_rng(1).choice([-1, 1], (x == 0).sum())
    context = np.random.default_rng(2).integers(0, 2, (200, 1)).astype(float)
    for parts in ([x], [x, context]):
        rows = np.concatenate(parts, axis=1)
        expected = [int(np.flatnonzero((rows == row).all(axis=1))[0]) for row in rows]
        found = repeats.first_equal(*parts)
        if hashes == "as they are":
            assert found.tolist() == expected
        assert (rows[found] == rows).all() and (found <= np.arange(200)).all()


def test_nothing_repeats():
    assert repeats.first_equal(X) is None
    assert repeats.first_equal(X[:0]) is None
    assert repeats.first_equal(np.ones((3, 1)), np.arange(3.0)[:, None]) is None
    rows = table.Rows(X)
    assert table.merged(rows) is rows


def test_no_copy_of_a_training_row_is_held_out():
    spy = Spy()
    _, history = fit(spy, MIXED, epochs=1, batch_size=10, validation_split=0.3)
    trained = find_rows(np.concatenate(spy.seen("train")), X)
    held = find_rows(spy.seen("score")[0], X)
    assert sorted([*trained, *held]) == [*range(300)] and len(held) == 90
    assert history.settings["rows"] == len(MIXED) and history.settings["distinct_rows"] == 300
    assert f"rows={len(MIXED)}, distinct_rows=300" in repr(history)
    assert "distinct_rows" not in fit(Spy(), X, epochs=1)[1].settings


def test_rows_of_another_context_are_other_rows():
    context = np.arange(len(AGAIN), dtype=float)[:, None]
    flow = fc.flows.maf(2, layers=1, hidden=[8], context_dim=1)
    _, history = fit(flow, AGAIN, context=context, epochs=1)
    assert "distinct_rows" not in history.settings
    _, history = fit(flow, AGAIN, context=np.round(AGAIN[:, :1]), epochs=1)
    assert history.settings["distinct_rows"] == 300


@pytest.mark.parametrize("mapped", [False, True])
def test_initialize_counts_weights(tmp_path, monkeypatch, mapped):
    """The mean and the standard deviation are those of the training rows as they were given."""
    flow = fc.flows.maf(2, layers=1, hidden=[8])
    options = {"epochs": 1, "validation_split": 0, "batch_size": 32}

    def constants(table, **more):
        if mapped:
            np.save(tmp_path / "X.npy", table)
            table = np.load(tmp_path / "X.npy", mmap_mode="r")
        standardize = fit(flow, table, **options, **more)[0].bijector.bijectors[0]
        return np.array([standardize.mean, standardize.scale])

    given = np.array([AGAIN.mean(axis=0), AGAIN.std(axis=0)])
    np.testing.assert_allclose(constants(MIXED), given, rtol=1e-9)
    np.testing.assert_allclose(constants(X, sample_weight=TIMES / 7), given, rtol=1e-9)
    few, w = X[:30], np.random.default_rng(3).exponential(size=30) ** 2
    mean, _ = constants(few, sample_weight=w)
    np.testing.assert_allclose(mean, np.average(few, axis=0, weights=w), rtol=1e-3)
    monkeypatch.setattr(table, "MOST_ROWS", 100)  # of a memmap alone
    np.testing.assert_allclose(constants(MIXED), given, rtol=0.3 if mapped else 1e-9)


def test_a_chain_is_not_learned_by_heart():
    """Copies among the validation rows chose the last epoch, with a KL of 0.42."""
    truth = fc.targets.correlated_gaussian()
    chain = metropolis(truth, 1500, 1.4)
    flow, history = fc.fit(fc.flows.nsf(2, layers=2), chain)
    assert 300 < history.settings["distinct_rows"] < 600
    assert fc.kl_to_truth(flow, truth, 5000).kl < 0.2
