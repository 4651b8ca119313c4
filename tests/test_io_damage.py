"""`load` of files that are empty, truncated, damaged, foreign, or of a newer format."""

import io
import pickle
import random
import zipfile

import numpy as np
import pytest
from stub_saved import digest, put_together, refused, small_flow, taken_apart

from flowcore import Affine
from flowcore.files import DIGITS, SEAL, load, save


@pytest.fixture
def path(tmp_path):
    save(small_flow(), tmp_path / "flow.npz")
    return tmp_path / "flow.npz"


def test_any_changed_byte_is_noticed(path):
    rng, data = random.Random(0), path.read_bytes()
    assert len(data) < 10_000  # so that really all of them can be changed
    for i in range(len(data)):
        path.write_bytes(data[:i] + bytes([data[i] ^ rng.randrange(1, 256)]) + data[i + 1 :])
        message = refused(path)
        if i < len(data) - DIGITS - len(SEAL):
            assert "is damaged" in message
    path.write_bytes(data)
    assert digest(load(path)) == digest(small_flow())


def test_any_truncation_is_noticed(path):
    data = path.read_bytes()
    for n in range(1, len(data)):
        path.write_bytes(data[:n])
        assert "is truncated" in refused(path), n
    path.write_bytes(b"")
    assert "is empty" in refused(path)


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
    assert "was not written by flowcore: it begins with" in refused(path)


def test_a_file_written_again_by_numpy_has_lost_its_checksum(path):
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays)
    assert "rewritten by another program" in refused(path)


def test_a_newer_format_is_named(path):
    description, arrays = taken_apart(path)
    put_together(path, {**description, "format": 2, "flowcore": "9.1"}, arrays)
    assert "has format 2, written by flowcore 9.1; this is" in refused(path)
    put_together(path, {"format": 3, "tree": {}}, {})
    assert "update flowcore" in refused(path)
    for nonsense in (0, -1, True, None, "1", 1.0, [1]):
        put_together(path, {**description, "format": nonsense}, arrays)
        assert "is damaged: its format is" in refused(path)
