"""`fit` on a table that stays on disk: the results of the array in memory, without a copy of it."""

import tracemalloc

import autograd.numpy as anp
import numpy as np
import pytest
from support.flows import Banana, Gaussian, Spy, banana_data, find_rows
from support.flows import textbook_fit as fit

from flowcore.training import checks
from flowcore.training import table as tables

X = banana_data()


def mapped(array, folder, name="X.npy"):
    np.save(folder / name, array)
    return np.load(folder / name, mmap_mode="r")


class Wide(Gaussian):
    """Independent standard normals around loc, in 64 dimensions."""

    dim = size = 64

    def density(self, x, p, context):
        return -0.5 * anp.sum((x - p) ** 2, axis=-1)


def test_what_counts_as_mapped(tmp_path):
    table = mapped(X, tmp_path)
    assert all(map(tables.is_mapped, (table, table[5:], np.asarray(table), table.T)))
    assert not any(map(tables.is_mapped, (X, X[5:], table[[1, 2]], table + 1)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block", [40, 10**6])
def test_the_same_results_as_in_memory(tmp_path, monkeypatch, weighted, block):
    """Blocks only change the order in which the validation losses are summed."""
    monkeypatch.setattr(tables, "BLOCK", block)
    options = {"epochs": 5, "batch_size": 32, "validation_split": 0.4}
    if weighted:
        options["sample_weight"] = np.random.default_rng(0).exponential(size=300)
    flow, history = fit(Banana(), mapped(X, tmp_path), **options)
    expected, straight = fit(Banana(), X, **options)
    np.testing.assert_array_equal(flow.params, expected.params)
    assert history.train_nll == straight.train_nll
    np.testing.assert_allclose(history.val_nll, straight.val_nll, rtol=1e-14)


def test_the_validation_rows_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", 40)
    spy, table = Spy(), mapped(X, tmp_path)
    fit(spy, table, epochs=1, batch_size=None, validation_split=0.5, rng=1)
    blocks = spy.seen("score")
    assert [len(x) for x in blocks] == 2 * (7 * [20] + [10])  # before and after the epoch
    trained = find_rows(spy.seen("train")[0], X)
    seen = np.concatenate([find_rows(x, X) for x in blocks])
    assert set(seen) == set(range(300)) - set(trained)


@pytest.mark.parametrize("split", [0, 0.1])
def test_initialize_gets_evenly_spaced_rows_of_a_memmap(tmp_path, monkeypatch, split):
    monkeypatch.setattr(tables, "MOST_ROWS", 50)
    context = np.arange(300.0)[:, None] / 300

    class Two(Spy):
        def density(self, x, p, context):
            return super().density(x, p, None)

    table, spy, plain = mapped(X, tmp_path), Two(), Two()
    fit(spy, table, epochs=1, batch_size=64, validation_split=split, context=context)
    fit(plain, X, epochs=1, batch_size=64, validation_split=split, context=context)
    (given,) = spy.seen("initialize")
    (everything,) = plain.seen("initialize")
    assert len(given) == 50 and len(everything) == 300 - round(300 * split)
    rows = find_rows(given, everything)
    assert rows[0] == 0 and set(np.diff(rows)) <= {5, 6} and rows[-1] >= len(everything) - 6
    contexts = [c for name, _, c in spy.calls if name == "initialize"]
    np.testing.assert_array_equal(contexts[0][:, 0], find_rows(given, X) / 300)


def test_a_full_batch_of_a_memmap_has_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 50)
    table = mapped(X, tmp_path)
    for split, n in ((0, 300), (0.1, 270)):
        spy = Spy()
        fit(spy, table, epochs=1, batch_size=None, validation_split=split)
        assert [len(x) for x in spy.seen("train")] == [n]
        assert np.shares_memory(spy.seen("train")[0], table) is (n == 300)


@pytest.mark.parametrize("validation", ["split", "data", None])
def test_nothing_copies_the_table(tmp_path, monkeypatch, validation):
    monkeypatch.setattr(tables, "MOST_ROWS", 1000)
    monkeypatch.setattr(tables, "BLOCK", 2**16)
    monkeypatch.setattr(checks, "EXAMINED", 1000)  # these cost the same for any table
    rng = np.random.default_rng(0)
    table = mapped(rng.standard_normal((100_000, 64), dtype=np.float32), tmp_path)  # 26 MB
    options = {"epochs": 1, "batch_size": 1000, "validation_split": 0.3 * (validation == "split")}
    if validation == "data":
        options["validation_data"] = table[:2000]
    tracemalloc.start()
    try:
        fit(Wide(), table, checkpoint=tmp_path / "run.npz", **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < table.nbytes / 4  # indices of 8 bytes a row, three times, and some batches
