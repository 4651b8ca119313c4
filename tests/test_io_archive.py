"""`load` of archives that `pack` does not write, with a valid checksum."""

import contextlib
import gc
import io
import json
import os
import pickle
import sys
import warnings
import zipfile

import numpy as np
import pytest
from stub_saved import refused, reseal, small_flow, taken_apart

from flowcore.files import DIGITS, SEAL, load, pack, save, unpack


@pytest.fixture
def path(tmp_path):
    save(small_flow(), tmp_path / "flow.npz")
    return tmp_path / "flow.npz"


class Bomb:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_a_pickle_is_never_opened(path, tmp_path):
    marker = tmp_path / "exploded"
    bomb = np.array([Bomb(marker)], object)
    member = io.BytesIO()
    np.lib.format.write_array(member, bomb, allow_pickle=True)
    description, arrays = taken_apart(path)
    name = next(name for name in arrays if name.endswith(".mean"))
    files = {"flowcore.json": description, **arrays}
    for victim in files:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for each, content in files.items():
                raw = io.BytesIO()
                if each == "flowcore.json":
                    content = np.frombuffer(json.dumps(content).encode(), np.uint8)
                np.save(raw, content)
                data = member if each == victim else raw
                archive.writestr(f"{each}.npy", data.getvalue())
            archive.comment = SEAL + b"0" * DIGITS
        path.write_bytes(reseal(file.getvalue()))
        assert "no .npy array of numbers" in refused(path)
    path.write_bytes(pickle.dumps(Bomb(marker)))
    assert "was not written by flowcore" in refused(path)
    np.savez(path, **{**arrays, name: bomb})
    refused(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()  # it would have


def archive_with(path, members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = SEAL + b"0" * DIGITS
    path.write_bytes(reseal(file.getvalue()))


def npy(header: str, content=b"") -> bytes:
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def lie(shape, descr="<f8", content=b"\0" * 16) -> bytes:
    return npy(f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}", content)


@pytest.mark.parametrize(
    "raw",
    [
        lie("(10000000000000,)"),
        lie("(3,)"),
        lie("(-1,)"),
        lie("(2, 0, 10000000000)"),
        lie("()"),
        lie("'aa'"),
        lie(f"({'1, ' * 70}2)"),
        lie("(16,)", "|b1", b"\7" * 16),
        lie("(" * 3000),
        lie("(2,)", "|O"),
        lie("(2,)", "<M8[s]"),
        lie("(2,)", [("a", "<f4"), ("b", "<f4")]),
        lie("(10000000000,)", "|V0"),
        lie("(2,)")[:20],
        b"\x93NUMPY\x02\x00" + lie("(2,)")[8:],
        npy("__import__('os').mkdir('exploded')"),
        npy("{'a': " * 500),
        b"hello",
    ],
)
def test_arrays_that_lie_about_themselves(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flow.npz"
    description = {"format": 1, "nodes": [
        {"class": "Elementwise", "config": {"dim": 2, "transformer": {"node": 0}},
         "params": "0.params"}]}  # fmt: skip
    text = json.dumps(description).encode()
    good = [("flowcore.json.npy", lie(f"({len(text)},)", "|u1", text))]
    archive_with(path, [*good, ("0.params.npy", raw)])
    assert "is damaged" in refused(path)
    archive_with(path, [("flowcore.json.npy", raw)])
    refused(path)
    assert os.listdir(tmp_path) == ["flow.npz"]


def test_archives_that_pack_does_not_write(tmp_path):
    path, zeros = tmp_path / "flow.npz", b"\0" * 10**6
    good = ("flowcore.json.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }"))
    for more, message in [
        (good, "two members of the same name"),
        (("flowcore.json", good[1]), "two members of the same name"),
        (("a", zeros), "no .npy array"),
        (("a.npy", b""), "no .npy array"),
        (("a.npy", zeros), "no .npy array"),
    ]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # zipfile's, of duplicates
            archive_with(path, [good, more])
        assert message in refused(path)
    for n, message in ((100, "compressed members"), (10**6, "members larger than the file")):
        archive_with(path, [("flowcore.json.npy", zeros[:n])], zipfile.ZIP_DEFLATED)
        assert message in refused(path)
    for name in ("flowcore.json.npy.npy", "flowcore.json.npyx"):
        archive_with(path, [(name, good[1])])
        assert "there is no flowcore.json" in refused(path)
    path.write_bytes(reseal(SEAL + b"0" * DIGITS))
    assert "is damaged" in refused(path)


def test_a_directory_that_lies_about_the_archive(path):
    data = path.read_bytes()
    directory = data.rindex(b"PK\x01\x02")
    for place, lie, message in [
        (8, b"\x01\x00", "cannot be read"),  # encrypted
        (10, b"\x08\x00", "compressed"),
        (24, b"\xff\xff\xff\x7f", "members larger than the file"),
        (24, b"\x05\0\0\0", "cannot be read|no .npy array"),
        (42, b"\xff\xff\xff\x7f", "cannot be read"),
        (42, b"\0\0\0\0", "members that overlap"),
    ]:
        at = directory + place
        path.write_bytes(reseal(data[:at] + lie + data[at + len(lie) :]))
        assert any(part in refused(path) for part in message.split("|")), (place, refused(path))
    for cut in range(len(data) - 300, len(data) - 1):
        path.write_bytes(reseal(data[:cut] + SEAL + b"0" * DIGITS))
        with contextlib.suppress(ValueError):
            load(path)


def interrupted_at(k, run):
    """Whether a KeyboardInterrupt before the k-th line of `run`, library code included, came."""
    left = k

    def tracer(frame, event, _):
        nonlocal left
        left -= event == "line"
        if event == "line" and left == 0:
            raise KeyboardInterrupt
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupt_at_any_line_of_packing_is_all_that_is_heard_of_it(monkeypatch):
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    arrays, k = {"a": np.arange(3.0), "b": np.ones((2, 2))}, 1
    while interrupted_at(k, lambda: pack(arrays)):
        gc.collect() if k % 50 == 0 else None
        k += 1
    gc.collect()
    # from Python 3.13 on, a member of a ZipFile that an interrupt left half made complains
    of_others = "zipfile" if sys.version_info >= (3, 13) else None
    ours = [one for one in complaints if type(one.object).__module__ != of_others]
    assert k > 200 and not ours, (k, ours)
    assert unpack(pack(arrays)).keys() == arrays.keys()
