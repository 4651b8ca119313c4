"""Checkpoints with a valid seal and a content that `fit` never wrote: refused, or harmless."""

import json
import math
import random
import warnings

import numpy as np
import pytest
from stub_flows import Banana
from stub_forged import with_array_changed, with_value_changed
from stub_runs import interrupt_at, run

from flowcore.files import DESCRIPTION, disk, pack, unpack
from flowcore.training import Adam, TrainingDivergedError

GONE = object()


class Case:
    """A run of two epochs that was stopped somewhere, as the parts of its file."""

    def __init__(self, path, generator=np.random.PCG64, stop=None, **options):
        self.path, self.generator, self.options = path, generator, {"epochs": 2, **options}
        self.path.unlink(missing_ok=True)
        self.run(stop)
        self.arrays = unpack(self.path.read_bytes())
        self.facts = json.loads(self.arrays.pop(DESCRIPTION).tobytes())

    def run(self, callback=None):
        rng = np.random.Generator(self.generator(3))
        return run(self.path, callback, rng, **self.options)

    def forge(self, facts, arrays):
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        self.path.write_bytes(pack({DESCRIPTION: text, **arrays}))

    def refused(self, match, facts=None, arrays=None):
        """With these facts and arrays; as changes (path of keys, new value) of the good ones."""
        changed, others = json.loads(json.dumps(self.facts)), dict(self.arrays)
        for place, value in (facts or {}).items():
            *way, last = place.split(".")
            inner = changed
            for key in way:
                inner = inner[key]
            if value is GONE:
                del inner[last]
            else:
                inner[last] = value
        for name, value in (arrays or {}).items():
            others[name] = value
        self.forge(changed, {k: v for k, v in others.items() if v is not GONE})
        with pytest.raises(ValueError, match=rf"run\.npz is damaged: .*{match}"):
            self.run()


class InTheMiddle(Banana):
    """Is interrupted in the middle of the second epoch."""

    def density(self, x, p, context):
        type(self).left -= 1
        if type(self).left == 0:
            raise KeyboardInterrupt
        return super().density(x, p, context)


def in_the_middle(path, generator=np.random.PCG64, **options):
    InTheMiddle.left = 12  # 1 + 6 batches + 1, and 3 batches
    return Case(path, generator, flow=InTheMiddle(), **options)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(disk.os, "fsync", lambda handle: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# ---------------------------------------------------------------- every fact has its check


@pytest.mark.parametrize(
    ("place", "values", "message"),
    [
        ("fingerprint", [None, [], "x", GONE], "its fingerprint is"),
        ("run", [None, [], 3, GONE, {}], "run is"),
        ("run.seconds", [-1.0, math.nan, math.inf, 3, "3", None], "seconds is"),
        ("run.epochs", [0, 2.0, True, 2**70], "epochs is"),
        ("run.epoch", [-1, 0, 2, 3, 1.0, None, "1", GONE], ""),
        ("run.batch", [-1, 0, 7, 3.0, True, None], ""),
        ("run.reported", [False, 1, None, "yes"], "reported is"),
        ("run.stopped", [1, None, []], "stopped is"),
        ("run.more", [1], "run is"),
        ("run.rng_state", [None, {}, [], "x", GONE], "rng_state"),
        ("run.rng_state.bit_generator", ["MT19937", None, {}, GONE], "rng_state"),
        ("run.rng_state.has_uint32", [2, -1, 0.0, True, GONE], "rng_state"),
        ("run.rng_state.uinteger", [2**32, -3, {}], "uinteger is"),
        ("run.rng_state.state.state", [2**128, 10**50, "x", 1.0], ""),
        ("run.rng_state.more", [1], "rng_state is"),
    ],
)
def test_facts_that_cannot_be(path, place, values, message):
    case = in_the_middle(path, average=0.5)
    for value in values:
        case.refused(message, {place: value})
    case.forge(case.facts, case.arrays)
    assert len(case.run()[1].train_nll) == 2  # as it was, it goes on


def test_arrays_that_cannot_be(path):
    case = in_the_middle(path, average=0.5)
    for name, good in case.arrays.items():
        bad = [GONE, good[None], good.astype(np.float16), np.zeros((0, 7))]
        if name in ("theta", "best", "latest", "earlier", "average"):
            bad += [np.where(np.arange(6) == 2, value, good) for value in (np.nan, np.inf)]
        for array in bad:
            case.refused(name.removeprefix("optimizer."), arrays={name: array})
    for value in (math.nan, math.inf, 0.0, -1.0):
        case.refused("weight is .* after 3 batches", arrays={"weight": np.array(value)})
    case.refused("first_nll is nan", arrays={"first_nll": np.array(np.nan)})
    for name, value in (("m", np.nan), ("m", np.inf), ("v", -1.0), ("v", np.nan)):
        case.refused("m must be finite", arrays={f"optimizer.{name}": np.full(6, value)})
    for t in (-1, 9.0, [9], np.nan, True, 1j):
        case.refused("t must be a number of steps", arrays={"optimizer.t": np.array(t)})


@pytest.mark.parametrize(
    ("generator", "place", "values"),
    [
        (np.random.MT19937, "state.pos", [625, -1, 2**32 - 1]),
        (np.random.MT19937, "state.key", [None, 3, [0] * 623]),
        (np.random.MT19937, "state.key", [[n] * 624 for n in (-1, 2**32, 1.0, "x", [0])]),
        (np.random.Philox, "buffer_pos", [5, 2**32 - 1, None]),
        (np.random.Philox, "state.counter", [[0, 0, 0, 2**64], 3, []]),
        (np.random.SFC64, "state.state", [[0, 0, 0], [[0], [0], [0], [0]]]),
    ],
)
def test_states_of_generators_that_would_be_read_beyond_their_ends(path, generator, place, values):
    case = in_the_middle(path, generator)
    for value in values:
        case.refused(place, {f"run.rng_state.{place}": value})
    case.forge(case.facts, case.arrays)
    case.run()


def test_a_refusal_changes_no_generator(path):
    """That of the caller is where the split has left it, and not where the file's was."""
    case, rng, expected = in_the_middle(path), np.random.default_rng(3), np.random.default_rng(3)
    case.forge(case.facts, case.arrays | {"optimizer.v": np.full(6, -1.0)})
    with pytest.raises(ValueError, match="damaged"):
        run(path, rng=rng, **case.options)
    expected.shuffle(np.arange(300, dtype=np.int32))
    assert rng.bit_generator.state == expected.bit_generator.state


def test_what_is_shown_of_a_foreign_file_is_short_and_printable(path):
    case = Case(path)
    evil = "\x1b[31m" * 9 + "x" * 10**5
    for facts in (
        case.facts | {"fingerprint": dict.fromkeys([evil, *map(str, range(99))], evil[:999])},
        case.facts | {"format": evil, "flowcore": evil},
        case.facts | {"run": case.facts["run"] | {"seconds": evil}},
        case.facts | {"fingerprint": evil},
    ):
        case.forge(facts, case.arrays)
        with pytest.raises(ValueError, match=r"run\.npz") as caught:
            case.run()
        assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 15_000
    for array in (np.zeros((9, 9)), np.full((9, 9, 9), 1e300), np.full(99, 1j)):
        for name in ("optimizer.t", "optimizer.m", "theta"):
            case.forge(case.facts, case.arrays | {name: array})
            with pytest.raises(ValueError, match=r"run\.npz is damaged") as caught:
                case.run()
            assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


# ---------------------------------------------------------------- anything


OPTIONS = {
    "middle": lambda path: in_the_middle(path, average=0.5),
    "finished": lambda path: Case(path),
    "unreported": lambda path: Case(path, stop=interrupt_at(0)),
    "no validation": lambda path: Case(path, np.random.MT19937, validation_split=0),
    "schedule": lambda path: in_the_middle(path, np.random.Philox, schedule="cosine"),
    "decay": lambda path: in_the_middle(
        path, np.random.SFC64, optimizer=Adam(0.1, weight_decay=0.1), learning_rate="auto"
    ),
}


def refused_or_harmless(case, facts, arrays):
    """A ValueError, or the run goes on and ends with finite parameters (of `fit`, or its error)."""
    case.forge(facts, arrays)
    InTheMiddle.left = 10**9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it ends worse than it began, or numbers overflow
        try:
            flow, history = case.run()
        except ValueError as problem:
            assert "run.npz" in str(problem) and len(str(problem)) < 15_000
            return False
        except TrainingDivergedError as problem:
            flow, history = problem.flow, problem.history
    assert np.isfinite(flow.params).all()
    assert history.best_epoch is None or 0 <= history.best_epoch < len(history.train_nll)
    return True


@pytest.mark.parametrize("n", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", OPTIONS)
def test_a_forged_file_is_refused_or_harmless(path, kind, n):
    case, harmless = OPTIONS[kind](path), 0
    for seed in range(n):
        rng, facts, arrays = random.Random(seed), case.facts, case.arrays
        for _ in range(rng.choice([1, 1, 2])):
            if rng.random() < 0.5:
                arrays = with_array_changed(arrays, rng)
            else:
                facts = {**facts, "run": with_value_changed(facts["run"], rng)}
        harmless += refused_or_harmless(case, facts, arrays)
    assert 0 < harmless < n
