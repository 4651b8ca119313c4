"""`load` of files that are empty, truncated, damaged, foreign, or of another format."""

import io
import json
import os
import pickle
import random
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from support.kept_files import FOLDER
from support.saved import (
    Centred,
    Shear,
    archive_of,
    digest,
    over,
    put_together,
    refused,
    reseal,
    small_flow,
    taken_apart,
)

from flowcore import Affine, Normal, Standardize
from flowcore.files import DIGITS, SEAL, load, save
from flowcore.files.describe import FORMAT

TINY = Standardize.from_data([[0.0], [1.0]])  # 844 bytes, all of which are changed


@pytest.fixture
def path(tmp_path):
    save(small_flow(), tmp_path / "flow.npz")
    return tmp_path / "flow.npz"


def test_any_changed_byte_is_noticed(path):
    save(TINY, path)
    rng, data = random.Random(0), path.read_bytes()
    for i in range(len(data)):
        path.write_bytes(data[:i] + bytes([data[i] ^ rng.randrange(1, 256)]) + data[i + 1 :])
        message = refused(path)
        if i < len(data) - DIGITS - len(SEAL):
            assert "is damaged" in message
    path.write_bytes(data)
    assert digest(load(path)) == digest(TINY)


def test_any_truncation_is_noticed(path):
    save(TINY, path)
    data = path.read_bytes()
    for n in range(1, len(data)):
        path.write_bytes(data[:n])
        assert "is truncated" in refused(path), n
    path.write_bytes(b"")
    assert "was not written by flowcore" in refused(path)


@pytest.mark.parametrize("more", [b"\n", b"\0" * 100, b"PK"])
def test_bytes_too_many_are_noticed(more, path):
    path.write_bytes(path.read_bytes() + more)
    assert "checksum is missing" in refused(path)
    save(Affine(), path)
    path.write_bytes(more + path.read_bytes())
    assert "is damaged" in refused(path)


def written(save, *content):
    file = io.BytesIO()
    save(file, *content)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"\x00" * 1000,
        b'{"format": 1, "nodes": []}',
        pickle.dumps(small_flow()),
        written(np.save, np.zeros(3)),
        written(np.savez, np.zeros(3)),
        written(lambda file: zipfile.ZipFile(file, "w").close()),
    ],
)
def test_foreign_files(data, tmp_path):
    path = tmp_path / "flow.npz"
    path.write_bytes(data)
    assert "was not written by flowcore" in refused(path)


def test_a_file_written_again_by_numpy_has_lost_its_checksum(path):
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays)
    assert "rewritten by another program" in refused(path)


def test_another_format_is_named(path):
    description, arrays = taken_apart(path)
    put_together(path, {**description, "format": 1, "flowcore": "0.3.0"}, arrays)
    assert re.search(r"format 1, .* 0\.3\.0; .*: fit anew, or load it with 0\.3\.0", refused(path))
    put_together(path, {**description, "format": 3, "flowcore": "9.1"}, arrays)
    assert "has format 3, written by flowcore 9.1; this is" in refused(path)
    put_together(path, {"format": 4, "tree": {}}, {})
    assert "update flowcore" in refused(path)


# ---------------------------------------------------------------- with a valid checksum


class Bomb:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_a_pickle_is_never_opened(path, tmp_path):
    marker = tmp_path / "exploded"
    bomb = np.array([Bomb(marker)], object)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    raw = io.BytesIO()
    np.save(raw, bomb)
    for victim in members:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, raw.getvalue() if name == victim else content)
            archive.comment = SEAL + b"0" * DIGITS
        path.write_bytes(reseal(file.getvalue()))
        assert "cannot create an OBJECT array" in refused(path)
    path.write_bytes(pickle.dumps(Bomb(marker)))
    assert "was not written by flowcore" in refused(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()  # it would have


CONSTANTS = {"mean": {"array": "m"}, "scale": {"array": "s"}, "reach": None, "initialized": True}
NODES = {
    "neither flowcore's nor in classes": {"class": "os.system", "config": {"command": "ls"}},
    "class 'Adam' is neither": {"class": "Adam", "config": {}},
    r"node 0 \(Affine\): .*unexpected keyword": {"class": "Affine", "config": {"bound": 3.0}},
    "log_scale_bound must be": {"class": "Affine", "config": {"log_scale_bound": -1}},
    "the scale must be positive": {
        "class": "Standardize", "config": {"dim": 1}, "fitted": CONSTANTS,
    },
}  # fmt: skip


@pytest.mark.parametrize("message", NODES)
def test_constructors_check_files_as_they_check_everybody(message, path):
    put_together(
        path, {"format": FORMAT, "nodes": [NODES[message]]}, {"m": np.zeros(1), "s": np.zeros(1)}
    )
    assert re.search(message, refused(path))


# what a value of a description is replaced by: no large numbers, since constructors would obey
VALUES = [None, True, -1, 0, 3, 1.5, "", "Chain", [], [1], {}, {"node": 0}, {"node": 99},
          {"array": "0.params"}, {"scalar": "x"}, {"float": "x"}, {"dict": {}}, {"tuple": [1]},
          {"class": "Affine", "config": {}}]  # fmt: skip


def places(value, at=()):
    """The keys that lead to every value of JSON."""
    yield at
    pairs = {dict: dict.items, list: enumerate}.get(type(value), lambda value: ())
    for key, inner in pairs(value):
        yield from places(inner, (*at, key))


def mutated(description, rng):
    found = here = json.loads(json.dumps(description))
    *way, last = rng.choice([*places(found)][1:])
    for key in way:
        here = here[key]
    here[last] = rng.choice(VALUES)
    if rng.random() < 0.3:
        del here[last]
    return found


def with_flips(data, rng):
    data = bytearray(data)
    for i in rng.choices(range(len(data) - DIGITS - len(SEAL)), k=rng.choice([1, 3, 20])):
        data[i] ^= rng.randrange(1, 256)
    return reseal(bytes(data))


@pytest.mark.parametrize("kind", ["flow", "table", "estimator", "found"])
def test_a_forger_gets_nothing_but_value_errors(kind, path):
    """Changed, and sealed anew: bytes, the description, and arrays."""
    rng, data = random.Random(kind), (FOLDER / f"{kind}.npz").read_bytes()
    description, arrays = taken_apart(FOLDER / f"{kind}.npz")
    odd = [np.zeros(0), np.zeros((2, 3)), np.array(["a"]), np.full(3, np.nan), np.array(1j)]
    changes = [
        lambda: path.write_bytes(with_flips(data, rng)),
        lambda: put_together(path, mutated(description, rng), arrays),
        lambda: put_together(path, description, {**arrays, rng.choice([*arrays]): rng.choice(odd)}),
    ]
    n_refused = 0
    for change in changes * 40:
        change()
        try:
            load(path)
        except ValueError as problem:
            assert f"{path} " in str(problem) and problem.__cause__ is not None
            n_refused += 1
    assert n_refused > 60


CRAFTED = {
    "no description": ([], "AttributeError|TypeError|KeyError"),
    "no nodes": ({"format": FORMAT}, "KeyError: 'nodes'"),
    "empty": ({"format": FORMAT, "nodes": []}, "IndexError"),
    "a format in words": ({"format": "two"}, "TypeError"),
    **{
        f"{node}": ({"format": FORMAT, "nodes": [node]}, "node 0")
        for node in ({}, 7, None, "Affine", [], {"class": []}, {"class": "Affine"},
                     {"class": "Affine", "config": {"log_scale_bound": [[]]}})
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_descriptions(name, path):
    description, message = CRAFTED[name]
    put_together(path, description, {})
    assert re.search(f"is damaged, or was made by something else.*({message})", refused(path))


class Fails(Centred):
    """A class of the caller's, which takes no context."""

    def __init__(self, dim):
        super().__init__(dim)
        if Fails.error:
            raise Fails.error


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), OSError("mine"), MemoryError("mine")])
def test_errors_of_the_callers_own_classes_keep_their_type(error, path, monkeypatch):
    monkeypatch.setattr(Fails, "error", None, raising=False)
    save(over(Normal(2), Fails(2), Shear()), path)
    Fails.error = error
    with pytest.raises(type(error), match=r"^mine$"):
        load(path, classes=[Fails, Shear])


# ---------------------------------------------------------------- memory


def npy(shape: tuple, content: bytes = b"") -> bytes:
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    return written(np.lib.format.write_array_header_1_0, header) + content


BOMBS = {
    "honest": (npy((2**23,), bytes(2**26)), None, r"67,108,992 bytes .* limit is 1,000,000"),
    "twice as wide": (npy((80_000,), bytes(640_000)), None, r"1,280,256 bytes .* 1,000,000"),
    "its announced size is too small": (npy((2**23,), bytes(2**26)), 1000, "Bad CRC|buffer size"),
    "its announced size is too large": (npy((8,), bytes(64)), 2**40, r"limit is 1,000,000"),
    "its shape is too large": (npy((2**40,)), None, "cannot reshape"),
    "its text would take far more": (bytes(40_000), None, r"1,280,000 bytes .* 1,000,000"),
}
NAMES = {"twice as wide": "0.W-float64", "its text would take far more": "flowcore.json"}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name, path):
    member, announced, message = BOMBS[name]
    archive_of(path, member, announced, NAMES.get(name, "0.W"))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            load(path, max_bytes=1e6)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def test_the_limit_can_be_raised(path):
    data = sum(info.file_size for info in zipfile.ZipFile(path).infolist())
    with pytest.raises(ValueError, match=r"needs .* but the limit is 1,000: .*max_bytes="):
        load(path, max_bytes=1000)
    assert load(path, max_bytes=40 * data).dim == 2
    for wrong in (0, -1, "2 GB", None):
        with pytest.raises(ValueError, match="max_bytes must "):
            load(path, max_bytes=wrong)
