"""`save` and `load`: what comes back is what was saved, bit for bit.

Bad files: test_io_damage.py.
"""

import copy
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from support.places import TESTS
from support.saved import (
    CLASSES,
    THINGS,
    Block,
    Box,
    Options,
    Shear,
    Still,
    digest,
    maf,
    make,
    over,
)

import flowcore
from flowcore import (
    MADE,
    MLP,
    Affine,
    Chain,
    Elementwise,
    Invert,
    MaskedAutoregressiveFlow,
    Normal,
    Permute,
    Scale,
    Shift,
    Standardize,
)
from flowcore.files import load, pack, save, unpack
from flowcore.testing import randomize


def through_file(thing, tmp_path, classes=CLASSES):
    save(thing, tmp_path / "flow.npz")
    return load(tmp_path / "flow.npz", classes)


def test_the_same_numbers_in_a_fresh_process(tmp_path):
    for i, name in enumerate(THINGS):
        save(make(name), tmp_path / f"{i}.npz")
    script = (
        "import sys; from support.saved import *; from flowcore.files import load\n"
        "for i, name in enumerate(THINGS):\n"
        "    print(digest(load(f'{sys.argv[1]}/{i}.npz', CLASSES)))"
    )
    root = Path(flowcore.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(root)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [digest(make(name)) for name in THINGS]


# ---------------------------------------------------------------- details of the tree


def test_values_nan_and_minus_zero_are_kept(tmp_path):
    theta = np.array([np.nan, -0.0, np.inf])
    again = through_file(Elementwise(3, Scale()).with_params(theta), tmp_path)
    assert again.params.tobytes() == theta.tobytes()
    mlp = MLP(1, (2,), hidden=[]).with_params([-0.0, np.nan, 1.0, -0.0])
    assert through_file(mlp, tmp_path).params.tobytes() == mlp.params.tobytes()


# ---------------------------------------------------------------- ties


def tied():
    """One MAF twice, its MADE in a third bijector, all in an Invert, used twice as well."""
    shared = maf(2, rng=4)
    other = MaskedAutoregressiveFlow(shared.made, Affine(1.0))
    inner = Chain([shared, Permute([1, 0]), Invert(shared), other, maf(2, rng=5)])
    return over(Normal(2), inner, Invert(Chain([inner, shared])), Standardize(2))


def through_pickle(thing, tmp_path):
    return pickle.loads(pickle.dumps(thing))


def through_deepcopy(thing, tmp_path):
    return copy.deepcopy(thing)


@pytest.mark.parametrize("copied", [through_file, through_pickle, through_deepcopy])
@pytest.mark.parametrize("name", THINGS)
def test_the_same_numbers_bit_for_bit(name, copied, tmp_path):
    thing = make(name)
    assert digest(copied(thing, tmp_path)) == digest(thing)


@pytest.mark.parametrize("copied", [through_file, through_pickle, through_deepcopy])
def test_ties_are_kept(copied, tmp_path):
    flow = randomize(tied(), rng=0)
    again = copied(flow, tmp_path)
    assert again.n_params == flow.n_params == 2 * maf(2).n_params
    assert digest(again) == digest(flow)
    changed = np.random.default_rng(3).normal(scale=0.1, size=flow.n_params)
    assert digest(again.with_params(changed)) == digest(flow.with_params(changed))
    inner = again.bijector[0]
    assert inner[0] is inner[2].bijector is again.bijector[1].bijector[1]
    assert inner[3].made is inner[0].made and inner is again.bijector[1].bijector[0]
    assert inner[4].made is not inner[0].made


def test_parts_that_a_constructor_makes_are_kept_and_stay_tied(tmp_path):
    block = randomize(Block(3, rng=1), rng=2)
    flow = Chain([block, Invert(block), Block(3)])
    again = through_file(flow, tmp_path)
    assert digest(again) == digest(flow)
    assert again[0] is again[1].bijector
    assert again[0].parts[0][0] is again[0].parts[0][2]


# ---------------------------------------------------------------- classes of the user


def test_every_kind_of_argument(tmp_path):
    shared, rng = maf(2), np.random.default_rng(0)
    table = {
        "none": None, "text": 'a "quoted"\n[ line ]  \u00e9', "big": 2**62, "inf": -np.inf,
        "nested": [(1, [True, shared]), {"x": ()}], "tiny": 5e-324, "maf": shared,
        "fortran": np.asfortranarray(rng.normal(size=(3, 4))), "empty": np.zeros((0, 3), int),
        "nan": np.nan, "minus zero": -0.0, "scalar": np.float32(0.1),
        "bools": rng.random(5) > 0.5, "complex": np.array(1j),
    }  # fmt: skip
    old = Options(2, [1, 2.5], names=("b", "c"), table=table, flag=False)
    new = through_file(old, tmp_path)
    assert new.numbers == [1, 2.5] and new.names == ("b", "c") and new.flag is False
    assert list(new.table) == list(table)
    for key, a in table.items():
        b = new.table[key]
        assert type(a) is type(b), key
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.flags.f_contiguous) == (
                b.dtype,
                b.shape,
                b.flags.f_contiguous,
            ), key
            assert a.tobytes() == b.tobytes(), key
        elif key not in ("nested", "maf"):
            assert repr(a) == repr(b), key
    assert new.table["nested"][0][:1] == (1,) and new.table["nested"][1] == {"x": ()}
    assert new.table["nested"][0][1][1] is new.table["maf"]


def test_an_unknown_class_is_named_with_the_fix(tmp_path):
    save(over(Box(2), Shear()), tmp_path / "flow.npz")
    with pytest.raises(ValueError, match=r"class 'Shear' .* load\(path, classes=\[Shear\]\)"):
        load(tmp_path / "flow.npz", classes=[Box])
    with pytest.raises(ValueError, match="class 'Box'"):
        load(tmp_path / "flow.npz")
    assert load(tmp_path / "flow.npz", classes=(c for c in (Box, Shear))).base.dim == 2


class Unnamed(Still):
    def __init__(self, size):
        super().__init__(size)


class Variable(Still):
    def __init__(self, *sizes):
        super().__init__(len(sizes))


class SetLater(Still):
    def __init__(self):
        super().__init__(2)
        self.offset, self.shift = 0.0, np.zeros(1)


class WrongConfig(Still):
    def config(self):
        return {"size": 2}


def set_later(name, value):
    thing = SetLater()
    setattr(thing, name, value)
    return thing


def clash():
    return type("Affine", (Still,), {})()


UNSAVABLE = {
    "Unnamed cannot .*'size' is not an attribute.*config": lambda: Unnamed(2),
    r"Variable cannot .*'\*sizes'.*config": lambda: Variable(2, 3),
    "SetLater .*'offset' would be lost.*fitted": lambda: set_later("offset", 1.5),
    "SetLater .*'shift' would be lost.*fitted": lambda: set_later("shift", np.ones(1)),
    r"\(WrongConfig\): .*unexpected.*config": WrongConfig,
    "Options .*'numbers' holds the builtin.*config": lambda: Options(2, len),
    "Options .*'names' holds the Generator": lambda: Options(2, 1, np.random.default_rng(0)),
    "Options .*'numbers' holds the set": lambda: Options(2, [{1}]),
    "Options .*'numbers' is an array of object": lambda: Options(2, np.array([None])),
    "Options .*'numbers' is an array of <U1": lambda: Options(2, [np.array(["a"])]),
    "Options .*'numbers' holds the dict": lambda: Options(2, {1: 2}),
    "two classes named Affine": clash,
}  # fmt: skip


@pytest.mark.parametrize("message", UNSAVABLE)
def test_what_cannot_be_described_is_refused_before_writing(message, tmp_path):
    path = tmp_path / "flow.npz"
    path.write_bytes(b"earlier")
    with pytest.raises(ValueError, match=f"(?s){message}"):
        save(over(Normal(2), UNSAVABLE[message]()), path)
    assert path.read_bytes() == b"earlier" and os.listdir(tmp_path) == ["flow.npz"]


def test_deep_trees(tmp_path):
    flow = maf(2)
    for _ in range(200):
        flow = Invert(flow)
    again = through_file(flow, tmp_path)
    assert np.array_equal(again.params, flow.params)


def test_save_and_load_name_what_they_take(tmp_path):
    for call, what, error, message in (
        (lambda a: save(a, tmp_path / "flow.npz"), np.zeros(2), TypeError,
         r"save takes a flow.*not array"),
        (lambda a: save(a, tmp_path / "flow.npz"), Affine, TypeError, "save takes a flow"),
        (lambda a: load(tmp_path / "flow.npz", classes=[a]), Shear(), TypeError, "list of classes"),
        (lambda a: load(tmp_path / "flow.npz", classes=[a]), type("Affine", (), {}), ValueError,
         "two classes named Affine"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            call(what)


def test_a_narrow_made_warns_once(tmp_path):
    with pytest.warns(UserWarning, match="minimum width"):
        made = MADE(5, hidden=[2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert digest(through_file(made, tmp_path)) == digest(made)


class Ordinary(Box):
    """A base of somebody who uses the words that mean something to flowcore."""

    fitted = True
    config = "uniform"

    def __init__(self, dim, width=1.0):
        super().__init__(dim, width)
        self.parts = ["a box"]


def test_words_that_mean_something_else_to_others(tmp_path):
    flow = over(Ordinary(2, width=3.0), Elementwise(2, Scale()))
    again = through_file(flow, tmp_path, [Ordinary])
    assert type(again.base) is Ordinary and again.base.parts == ["a box"]
    np.testing.assert_array_equal(again.sample(5, rng=0), flow.sample(5, rng=0))


# ---------------------------------------------------------------- files


def test_the_same_flow_gives_the_same_bytes(tmp_path, monkeypatch):
    save(make("realnvp"), tmp_path / "a")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 5, 33, 20, 2, 138, 0))
    save(make("realnvp"), tmp_path / "b")
    save(load(tmp_path / "a"), tmp_path / "c")
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b == c


def test_numpy_reads_the_file_and_people_read_the_description(tmp_path):
    flow = make("iaf with context")
    save(flow, tmp_path / "flow.npz")
    with np.load(tmp_path / "flow.npz", allow_pickle=False) as archive:
        text = archive["flowcore.json"].tobytes().decode()
        names = [name for name in archive.files if name.endswith(".W0")]
        made = flow.bijector[1].bijector[0].bijector.made
        assert np.array_equal(archive[names[0]], made.weights()[0][0])
        assert archive[names[0]].shape == (3, 8)
    assert '\n {"class": "MaskedAutoregressiveFlow", "config": {' in text
    assert '"order": {"array": ' in text and '"context_dim": 2' in text


@pytest.mark.parametrize("name", ["flow", "flow.npz", "flow.pkl", "flow.npz.old"])
@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_the_path_is_used_as_it_is(kind, name, tmp_path):
    save(Shift(), kind(tmp_path / name))
    assert os.listdir(tmp_path) == [name]
    assert load(kind(tmp_path / name)) == Shift()


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "flow.npz")
    with pytest.raises(FileNotFoundError, match=r"nowhere/flow.npz"):
        save(Shift(), tmp_path / "nowhere" / "flow.npz")
    with pytest.raises(OSError):
        save(Shift(), tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync"])
@pytest.mark.parametrize("problem", [OSError("no space"), KeyboardInterrupt()])
def test_an_earlier_file_survives_a_failed_save(broken, problem, tmp_path, monkeypatch):
    path = tmp_path / "flow.npz"
    save(make("maf"), path)
    before = path.read_bytes()

    def fail(*_):
        raise problem

    monkeypatch.setattr(broken, fail)
    with pytest.raises(type(problem)):
        save(make("realnvp"), path)
    monkeypatch.undo()
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["flow.npz"]
    save(make("realnvp"), path)
    assert digest(load(path)) == digest(make("realnvp"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX links and modes")
def test_links_are_followed_and_modes_kept(tmp_path):
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    save(Shift(), real)
    real.chmod(0o600)
    link.symlink_to(real)
    save(Affine(2.0), link)
    assert link.is_symlink() and load(real) == Affine(2.0)
    assert real.stat().st_mode & 0o777 == 0o600


def test_constants_are_read_only_also_after_loading(tmp_path):
    x = np.random.default_rng(0).normal(size=(9, 2))
    flow = flowcore.flows.maf(2, layers=1, hidden=[4]).initialize(x)
    flowcore.save(flow, tmp_path / "flow.npz")
    others = flowcore.load(tmp_path / "flow.npz"), pickle.loads(pickle.dumps(flow))
    for again in (flow, *others):
        standardize = again.bijector[0]
        for array in (standardize.mean, standardize.scale):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 99.0
    with pytest.raises(ValueError, match="read-only"):
        flow.bijector[1].made.degrees[0][0] = 2
    with pytest.raises(ValueError, match="read-only"):
        flowcore.MultivariateNormalDiag([0.0, 1.0]).loc[0] = 3.0


def test_a_file_is_small_and_loads_the_same_to_the_bit(tmp_path):
    """Masked weights are zeros, and numbers that float32 holds take four bytes."""
    flow = randomize(flowcore.flows.maf(6, layers=3, hidden=[64, 64]), 0.5, rng=0)
    layers = [layer for leaf in flow.leaves if isinstance(leaf, MADE) for layer in leaf.weights()]
    dense = sum(a.size for layer in layers for a in layer if a is not None)
    theta = flow.params.astype(np.float32).astype(float)
    for own, size in ((flow, 8), (flow.with_params(theta), 4)):
        save(own, tmp_path / "flow.npz")
        again = load(tmp_path / "flow.npz")
        assert again.params.dtype == float and again.params.tobytes() == own.params.tobytes()
        assert os.path.getsize(tmp_path / "flow.npz") < 0.75 * size * dense


def test_numbers_that_float32_holds_are_float64_again():
    arrays = {
        "narrow": np.array([0.5, -0.0, np.inf, 2.0**-149]),
        "wide": np.array([0.1, 1e300]),
        "nan": np.array([np.nan]),
        "float32": np.ones(2, np.float32),
        "empty": np.zeros((0, 3)),
        "big-endian": np.ones(2, ">f8"),
    }
    again = unpack(pack(arrays, small=True))
    for name, a in arrays.items():
        b = again[name]
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), name
