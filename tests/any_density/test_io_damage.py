"""`load` of files that are empty, truncated, damaged, foreign, or of another format."""

import io
import os
import pickle
import random
import re
import zipfile

import numpy as np
import pytest
from support.saved import digest, put_together, refused, reseal, small_flow, taken_apart

from flowcore import Affine, Standardize
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
        assert "allow_pickle" in refused(path)
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
