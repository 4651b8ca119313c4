"""Whose file a checkpoint is: which flows, data, options, functions and objects are the same."""

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pickle import PicklingError

import autograd.numpy as anp
import numpy as np
import pytest
from stub_flows import Banana, Conditional, Gaussian, GradientDescent
from stub_runs import C, W, X, assert_same, interrupt_at, run

import flowcore
from flowcore import (
    MADE,
    Affine,
    Chain,
    MaskedAutoregressiveFlow,
    Standardize,
    TransformedDistribution,
)
from flowcore.files import disk
from flowcore.training import Adam, table
from flowcore.training.resume import marks as marking

HERE = os.path.dirname(__file__)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(disk.os, "fsync", lambda handle: None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"flow": Banana(np.full(6, 0.1))}, "flow"),
        ({"flow": Gaussian()}, "flow"),
        ({"flow": Banana(dtype=np.float32)}, "flow"),
        ({"X": X[::-1].copy()}, "X"),
        ({"X": np.where(np.arange(300)[:, None] == 299, X + 1e-12, X)}, "X"),
        ({"X": X.astype(np.float32)}, "X"),
        ({"sample_weight": W}, "sample_weight"),
        ({"batch_size": 51}, r"batch_size \(50 there, 51 here\)"),
        ({"learning_rate": 0.2}, r"optimizer \(Adam\(learning_rate=0.1.*Adam\(learning_rate=0.2"),
        ({"optimizer": Adam(0.1, beta2=0.9), "learning_rate": "auto"}, "optimizer"),
        ({"schedule": "cosine"}, "optimizer"),
        ({"warm_up": 3}, "optimizer"),
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


def test_contexts_are_part_of_it_too(path):
    options = dict(flow=Conditional(), X=X[:, :1], context=C, validation_data=(X[:50, :1], C[:50]))
    run(path, **options)
    for change in ({"context": C[::-1]}, {"validation_data": (X[:50, :1], C[1:51])}):
        with pytest.raises(ValueError, match=r"differs in context"):
            run(path, **options | change)


def test_structure_is_part_of_a_flow(path):
    def flow(hidden, seed=0):
        return flowcore.flows.maf(2, layers=1, hidden=[hidden], activation="tanh", rng=seed)

    run(path, flow=flow(8), epochs=1)
    run(path, flow=flow(8), epochs=1)
    relu = flowcore.flows.maf(2, layers=1, hidden=[8], activation="relu", rng=0)
    relu = relu.with_params(flow(8).params).unseen()
    np.testing.assert_array_equal(relu.params, flow(8).params)
    for other in (relu, flow(9), flow(8, seed=1)):
        with pytest.raises(ValueError, match="differs in flow"):
            run(path, flow=other, epochs=1)


def test_a_generator_that_has_moved_on_is_refused(path):
    rng = np.random.default_rng(3)
    run(path, interrupt_at(1), rng)
    with pytest.raises(ValueError, match=r"differs in rng \(PCG64 "):
        run(path, rng=rng)


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


def wide(width=1.0, activation="relu", bound=3.0):
    made = MADE(2, hidden=[6], activation=activation, rng=1)
    bijector = Chain([Standardize(2), MaskedAutoregressiveFlow(made, Affine(bound))])
    return TransformedDistribution(Wide(width), bijector)


def test_what_an_undescribable_part_may_hold(path):
    """Modules, classes, sets, and what contains itself; its state is the same in every process."""
    base = Wide(1.0)
    base.module, base.kind, base.names, base.itself = np, Adam, {"b", "a", "c"}, [base]
    flow = TransformedDistribution(base, wide().bijector)
    run(path, flow=flow, epochs=2)
    run(path, flow=flow, epochs=3)
    marks = marking._state_of(base, {})
    assert marks[1]["names"] == ["\"'a'\"", "\"'b'\"", "\"'c'\""] and marks[1]["itself"] == [0]


@pytest.mark.parametrize("other", [{"width": 5.0}, {"activation": "tanh"}, {"bound": 1.0}])
def test_another_flow_is_refused_also_if_it_cannot_be_described(path, other):
    run(path, flow=wide(), epochs=2)
    run(path, flow=wide(), epochs=3)
    with pytest.raises(ValueError, match="belongs to another run, which differs in flow"):
        run(path, flow=wide(**other), epochs=4)


def test_a_memmap_of_which_a_part_is_looked_at_is_another_run(path, monkeypatch):
    monkeypatch.setattr(table, "FIRST_LOOK", 50)
    np.save(path.with_name("X.npy"), X)
    run(path, X=np.load(path.with_name("X.npy"), mmap_mode="r"))
    with pytest.raises(ValueError, match="differs in rows for initialize"):
        run(path)


def test_equal_numbers_of_other_types_are_the_same_run(path):
    run(path, clip_norm=1, average=0.9, schedule="cosine", learning_rate=1e-3)
    same = {"clip_norm": np.float64(1), "average": np.float64(0.9)}
    run(path, **same, schedule="cosine", learning_rate=np.float64(1e-3))


# ---------------------------------------------------------------- functions and objects


class Slotted(GradientDescent):
    __slots__ = ("hidden",)

    def __init__(self, rate):
        super().__init__(0.01)
        self.hidden = rate


@dataclass(frozen=True)
class Descent:
    rate: float

    def start(self, theta, arrays=None):
        return GradientDescent(self.rate)


class Named(Descent):
    """A dataclass that holds more than its fields."""

    def __init__(self, rate):
        super().__init__(0.01)
        object.__setattr__(self, "more", [rate])


def halving(rate):
    return Adam(lambda step: rate * 0.5**step)


def with_default(rate):
    return Adam(lambda step, rate=rate: rate)


def with_keyword(rate):
    return Adam(functools.partial(lambda step, *, rate: rate, rate=rate))


def with_constant(rate):
    return Adam({0.1: lambda step: 0.1, 0.2: lambda step: 0.2}[rate])


def with_inner_code(rate):
    inner = {0.1: lambda step: (lambda: 0.1)(), 0.2: lambda step: (lambda: 0.2)()}
    return Adam(inner[rate])


def with_method(rate):
    class Schedule:
        def __init__(self):
            self.rates = np.array([rate])

        def at(self, step):
            return self.rates[0]

    return Adam(Schedule().at)


def with_helper(rate):
    def helper():
        return rate

    return Adam(lambda step: helper())


class Private(GradientDescent):
    """The slot is stored under another name."""

    __slots__ = ("__rate",)

    def __init__(self, rate):
        super().__init__(0.01)
        self.__rate = rate


def with_list(rate):
    return Adam(([rate] * 5000).__getitem__)


def with_tuple(rate):
    return Adam(((rate,) * 5000).__getitem__)


def with_array(rate):
    return Adam(np.full(5000, rate).item)


def with_dict(rate):
    return Adam(dict.fromkeys(range(5000), rate).get)


def with_attribute_of(kind):
    def optimizer(rate):
        held = type("Container", (kind,), {})()
        held.rate = rate
        return Adam(lambda step: held.rate)

    return optimizer


def with_memory(rate):
    rates = memoryview(np.array([rate]))
    return Adam(lambda step: rates[0])


def with_generator(rate):
    rng = np.random.default_rng(int(10 * rate))
    return Adam(lambda step, rng=rng: 0.1)


def with_call(rate):
    class Schedule:
        def __call__(self, step):
            return 0.1

    class Other(Schedule):
        def __call__(self, step):
            return 0.2

    Other.__name__, Other.__qualname__ = Schedule.__name__, Schedule.__qualname__
    return Adam({0.1: Schedule, 0.2: Other}[rate]())


RATE = 0.1


def with_global(rate):
    return Adam(eval("lambda step: RATE", {"RATE": rate}))


@pytest.mark.parametrize(
    "optimizer",
    [
        GradientDescent,
        Slotted,
        Descent,
        Named,
        Adam,
        halving,
        with_default,
        with_keyword,
        with_constant,
        with_inner_code,
        with_method,
        with_helper,
        with_global,
        Private,
        with_list,
        with_tuple,
        with_array,
        with_dict,
        with_attribute_of(list),
        with_attribute_of(tuple),
        with_attribute_of(dict),
        with_attribute_of(str),
        with_memory,
        with_generator,
        with_call,
    ],
)
def test_another_learning_rate_is_another_run(path, optimizer):
    options = {"learning_rate": "auto"}
    run(path, optimizer=optimizer(0.1), epochs=2, **options)
    with pytest.raises(ValueError, match="belongs to another run, which differs in optimizer"):
        run(path, optimizer=optimizer(0.2), **options)
    found = run(path, optimizer=optimizer(0.1), **options)
    assert_same(found, run(optimizer=optimizer(0.1), **options))


def test_another_penalty_is_another_run(path):
    def l2(scale):
        return lambda theta: scale * anp.sum(theta**2)

    run(path, penalty=l2(0.1), epochs=2)
    with pytest.raises(ValueError, match=r"differs in penalty \(test.*l2.<locals>.<lambda> \w+ th"):
        run(path, penalty=l2(0.2))
    assert_same(run(path, penalty=l2(0.1)), run(penalty=l2(0.1)))


MARKS = """
import functools, json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from flowcore.training.resume.marks import _mark_of_option as mark
import test_checkpoint_marks as t
def penalty(theta, *, kinds=frozenset("abc"), n=3):
    inner = lambda x: x in {"left", "right", "up"}
    return [inner(x) for x in ("left", 1, 1.0, True, None, kinds)] + [t.RATE, np.sum(theta)]
penalty.itself = penalty
made = [kind(0.1) for kind in (t.GradientDescent, t.Slotted, t.Named, t.halving, t.with_inner_code,
        t.with_method, t.with_helper, t.with_global, t.Private, t.with_list, t.with_array,
        t.with_dict, t.with_attribute_of(list), t.with_memory, t.with_generator, t.with_call)]
print(json.dumps([mark(value) for value in [penalty, functools.partial(penalty, n=2), *made]]))
"""


def test_marks_are_the_same_in_every_process():
    """Also with another seed of hashes, and under a tracer, such as that of a coverage tool."""
    traced = "import sys; sys.settrace(lambda *_: None)\n"
    found = [
        subprocess.run(
            [sys.executable, "-c", program, HERE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed, program in (("1", MARKS), ("2", traced + MARKS))
    ]
    assert found[0] == found[1]
    marks = json.loads(found[0])
    assert len(set(marks)) == len(marks) == 18 and not any("0x" in mark for mark in marks)


def test_equal_functions_are_the_same_and_constants_of_other_types_are_not():
    mark = marking._mark_of_option

    def function(text, before=""):
        return eval(f"({before}lambda x: {text})", {})

    texts = ["x + 1", "x + 1.0", "x + True", "x + 1j", "x - 1", "x + 2", "x.a", "x.b", "x + 0.0"]
    texts += ["x + -0.0", "x in {1, 2}", "x in {1, 3}", "(lambda: 1)()", "(lambda: 2)()", "f(x)"]
    marks = [mark(function(text)) for text in texts]
    assert marks == [mark(function(text, before="\n\n")) for text in texts]
    assert len(set(marks)) == len(marks)


def test_what_an_object_remembers_is_no_part_of_it():
    class Remembers:
        @functools.cached_property
        def sum(self):
            return 3

    flow = flowcore.flows.maf(2, layers=1, hidden=[8], standardize=False)
    thing = Remembers()
    thing.flow = flow
    before = marking._mark_of_option(thing)
    assert thing.sum == 3
    flow.log_prob(np.zeros((5, 2)))
    flow.sample(5, rng=0)
    assert marking._mark_of_option(thing) == before


def test_functions_that_hold_themselves_or_nothing_yet():
    def itself(n):
        return itself(n - 1) if n else early

    before = marking._mark_of_option(itself)
    early = 1
    assert marking._mark_of_option(itself) != before


def test_a_table_of_pandas_is_its_numbers():
    """Not what it has computed of them, which it keeps."""
    pandas = pytest.importorskip("pandas")
    mark = marking._mark_of_option
    for made in (lambda x: pandas.Series([0.1, x]), lambda x: pandas.DataFrame({"a": [0.1, x]})):
        table = made(0.2)
        before = mark(table)
        assert before == mark(made(0.2)) != mark(made(0.3))
        assert table.index.is_unique and table.loc[0] is not None and table.sum() is not None
        assert mark(table) == before


@pytest.mark.parametrize("error", [TypeError, RuntimeError, NotImplementedError, PicklingError])
def test_what_cannot_be_pickled_is_its_attributes(error):
    class Locked:
        def __init__(self, rate):
            self.rate = rate

        def __reduce__(self):
            raise error

    mark = marking._mark_of_option
    assert mark(Locked(0.1)) == mark(Locked(0.1)) != mark(Locked(0.2))


class Link:
    def __init__(self, inner):
        self.inner = inner


@dataclass
class Node:
    inner: object
    rate: float = 0.1


def chain(kind, length, end=0.1):
    for _ in range(length):
        end = kind(end)
    return end


@pytest.mark.parametrize("kind", [Link, Node])
def test_what_is_too_deep_is_refused_by_name(path, kind):
    links = chain(kind, 2000)

    def penalty(theta, *, links=links):
        return 0.0 * anp.sum(theta)

    with pytest.raises(ValueError, match=r"^penalty cannot be told .*in one list or array"):
        run(path, penalty=penalty)
    optimizer = Descent(chain(kind, 2000))
    with pytest.raises(ValueError, match=r"^optimizer cannot be told .*in one list or array"):
        run(path, optimizer=optimizer, learning_rate="auto")
    assert not path.exists()


@pytest.mark.parametrize("kind", [Link, Node])
def test_what_holds_itself_has_a_mark(kind):
    def ring(length, end):
        last = kind(end)
        last.inner = [end, chain(kind, length, last)]
        return last

    mark = marking._mark_of_option
    marks = [mark(ring(length, end)) for length in (0, 1, 3) for end in (0.1, 0.2)]
    assert marks == [mark(ring(length, end)) for length in (0, 1, 3) for end in (0.1, 0.2)]
    assert len(set(marks)) == len(marks)
    itself = kind(0.1)
    itself.inner = itself
    assert mark(itself) == mark(itself) != mark(kind(0.1))
