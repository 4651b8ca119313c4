"""`fit` on a table that stays on disk: the results of the array in memory, without a copy of it."""

import tracemalloc

import autograd.numpy as anp
import numpy as np
import pytest
from support.flows import Banana, Gaussian, banana_data
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
