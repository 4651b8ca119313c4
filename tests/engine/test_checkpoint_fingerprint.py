"""Which run a checkpoint belongs to: flows, data and options; keys for functions and objects."""

import os
import tracemalloc

import autograd.numpy as anp
import numpy as np
import pytest
from support.flows import Banana, Conditional, GradientDescent
from support.runs import C, W, X, assert_same, run

import flowcore
from flowcore import MADE, Chain, MaskedAutoregressiveFlow, Standardize, TransformedDistribution
from flowcore.training import Adam, Likelihood
from flowcore.training.resume import fingerprint


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"flow": Banana(np.full(6, 0.1))}, "flow"),
        ({"flow": Banana(dtype=np.float32)}, "flow"),
        ({"X": np.where(np.arange(300)[:, None] == 299, X + 1e-12, X)}, "X"),
        ({"sample_weight": W}, "sample_weight"),
        ({"batch_size": 51}, r"batch_size \(50 there, 51 here\)"),
        ({"learning_rate": 0.2}, r"optimizer \(Adam\(learning_rate=0.1.*Adam\(learning_rate=0.2"),
        ({"optimizer": Adam(0.1, beta2=0.9), "learning_rate": "auto"}, "optimizer"),
        ({"schedule": "cosine"}, "optimizer"),
        ({"average": 0.5}, r"average \(None there, 0.5 here\)"),
        ({"validation_split": 0.2}, "validation_split"),
        ({"validation_data": X[:5]}, "validation_data"),
        ({"shuffle": False}, "shuffle"),
        ({"clip_norm": 1.0}, "clip_norm"),
        ({"rng": 4}, "rng"),
    ],
)
def test_a_file_of_another_run_is_refused(path, change, named):
    run(path, epochs=1)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=rf"run\.npz belongs to .* differs in .*\b{named}.*delete the file"
    ):
        run(path, **change)
    assert path.read_bytes() == before


def test_contexts_and_validation_weights_are_part_of_it_too(path):
    options = dict(flow=Conditional(), X=X[:, :1], context=C, validation_data=(X[:50, :1], C[:50]))
    run(path, **options)
    with pytest.raises(ValueError, match=r"differs in context \("):
        run(path, **options | {"context": C[::-1]})
    for named, held in (("context", (C[1:51],)), ("weights", (C[:50], W[:50]))):
        with pytest.raises(ValueError, match=f"differs in {named} of validation_data"):
            run(path, **options | {"validation_data": (X[:50, :1], *held)})


def test_the_pairing_of_flow_matching_is_part_of_it(path):
    flow = flowcore.flows.continuous(2, hidden=[4] * 3)
    flowcore.fit_matching(flow, X, epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match=r"differs in pairing \('random' there, 'optimal' here\)"):
        flowcore.fit_matching(flow, X, epochs=1, checkpoint=path, pairing="optimal")


def test_structure_is_part_of_a_flow(path):
    def flow(hidden, seed=0):
        return flowcore.flows.maf(2, layers=1, hidden=[hidden], activation="tanh", rng=seed)

    run(path, flow=flow(8), epochs=1)
    run(path, flow=flow(8), epochs=1)
    relu = flowcore.flows.maf(2, layers=1, hidden=[8], activation="relu", rng=0)
    relu = relu.with_params(flow(8).params).untrained()
    np.testing.assert_array_equal(relu.params, flow(8).params)
    for other in (relu, flow(9), flow(8, seed=1)):
        with pytest.raises(ValueError, match="differs in flow"):
            run(path, flow=other, epochs=1)


class Wide:
    """Somebody's base that cannot be described: its argument is no attribute."""

    dim = 2

    def __init__(self, width):
        self._width = width

    def sample(self, n, rng=None):
        return self._width * np.random.default_rng(rng).normal(size=(n, 2))

    def log_prob(self, z):
        u = z / self._width
        return anp.sum(-0.5 * u * u - np.log(self._width * np.sqrt(2 * np.pi)), axis=-1)


def wide():
    bijector = Chain([Standardize(2), MaskedAutoregressiveFlow(MADE(2, hidden=[6], rng=1))])
    return TransformedDistribution(Wide(1.0), bijector)


def test_a_flow_that_cannot_be_described_needs_a_key(path):
    with pytest.raises(ValueError, match=r"cannot compare flow \(.*pass checkpoint_key=.*change"):
        run(path, flow=wide())
    run(path, flow=wide(), epochs=2, checkpoint_key="1")
    run(path, flow=wide(), epochs=3, checkpoint_key="1")
    other = wide().with_params(wide().params + 1.0)
    for name, value in (("flow", other), ("checkpoint_key", "2")):
        options = {"flow": wide(), "checkpoint_key": "1", name: value}
        with pytest.raises(ValueError, match=f"another run, which differs in {name}"):
            run(path, epochs=4, **options)


# ---------------------------------------------------------------- functions and objects


def falling(step):
    return 0.1 * 0.9**step


def l2(theta):
    return 0.1 * anp.sum(theta**2)


class Slower(Adam):
    """Derived from a class of flowcore's, but the user's own."""


OWN = {
    "optimizer.learning_rate": {"learning_rate": falling},
    "penalty": {"penalty": l2},
    "optimizer": {"optimizer": GradientDescent(0.1), "learning_rate": "auto"},
    "optimizer (Slower": {"optimizer": Slower(0.1), "learning_rate": "auto"},
}


@pytest.mark.parametrize("name", OWN)
def test_what_is_the_users_own_needs_a_key(path, name):
    options = OWN[name]
    message = f"cannot compare {name}.*checkpoint_key=.1., any text that you change whenever"
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        run(path, **options)
    assert os.listdir(path.parent) == []
    run(path, epochs=2, checkpoint_key="1", **options)
    for key in ("2", None):
        with pytest.raises(
            ValueError, match=r"cannot compare|differs in checkpoint_key .'1' there"
        ):
            run(path, checkpoint_key=key, **options)
    assert_same(run(path, checkpoint_key="1", **options), run(**options))


def test_a_key_is_a_text_and_callbacks_need_none(path):
    for key in (1, b"1", l2):
        with pytest.raises(TypeError, match="checkpoint_key must be a str, not"):
            run(path, checkpoint_key=key)
    run(path, lambda report: None, epochs=2)
    assert_same(run(path, lambda report: False), run())


def test_blocks_of_a_table_are_hashed_in_bounded_memory(tmp_path):
    table = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", float, (2**20, 3))
    tracemalloc.start()
    try:
        whole = fingerprint._table_text(table)
        assert tracemalloc.get_traced_memory()[1] < 2**23 < table.nbytes
    finally:
        tracemalloc.stop()
    assert fingerprint._table_text(np.zeros(table.shape)) == whole
    table[-1, -1] = 1e-300
    assert fingerprint._table_text(table) != whole
    assert fingerprint._table_text(np.asfortranarray(table)) == fingerprint._table_text(table)


def test_a_run_is_known_by_its_rows_and_not_by_what_history_notes_of_them():
    flow, x = flowcore.flows.maf(2, layers=1, hidden=[4]), np.repeat(X[:40], 2, axis=0)
    names = ["context", "sample_weight", "validation_data", "penalty", "threads"]
    given = {**dict.fromkeys(names), "batch_size": 10, "shuffle": True, "validation_split": 0.1}
    loss = Likelihood.of_rows(flow, x, rng=np.random.default_rng(0), **given)
    _, options = loss.compared()
    assert loss.options["distinct_rows"] == 40
    assert not {"rows", "distinct_rows"} & options.keys()
