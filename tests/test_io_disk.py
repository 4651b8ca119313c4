"""What `save` may replace and `load` may read: ordinary files, and nothing else on a disk."""

import os
import socket
import stat
import time
import tracemalloc

import pytest
from stub_cost import cpu_seconds

from flowcore import Affine, Shift
from flowcore.files import DIGITS, SEAL, load, save

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


def special_files(folder):
    os.mkfifo(folder / "FIFO")
    bound = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(folder)  # the path of a socket must be short
    try:
        bound.bind("socket")
    finally:
        os.chdir(here)
        bound.close()
    (folder / "folder").mkdir()
    os.symlink(os.devnull, folder / "device")
    os.symlink("FIFO", folder / "link to a FIFO")
    return sorted(os.listdir(folder))


@posix
def test_only_ordinary_files_are_replaced_and_read(tmp_path):
    names = special_files(tmp_path)
    kinds = {name: stat.S_IFMT(os.stat(tmp_path / name).st_mode) for name in names}
    for name in names:
        for act in (lambda path: save(Shift(), path), load):
            with pytest.raises(OSError, match=r"is a folder|not an ordinary file"):
                act(tmp_path / name)
    assert {name: stat.S_IFMT(os.stat(tmp_path / name).st_mode) for name in names} == kinds
    assert sorted(os.listdir(tmp_path)) == names


@pytest.mark.parametrize("path", ["new/", "new/.", "", "folder/"])
def test_a_path_that_names_a_folder_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    with pytest.raises(OSError):
        save(Shift(), path)
    assert os.listdir() == ["folder"] and os.listdir("folder") == []


@pytest.mark.parametrize("act", [load, lambda path: save(Shift(), path)])
def test_what_is_no_path_is_refused(act, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (5, None, ["flow.npz"], 1.5):
        with pytest.raises(TypeError, match=r"^path must be a str or a PathLike, not"):
            act(path)
    for path in ("a\0b", b"a\0b"):
        with pytest.raises(ValueError, match=r"^path must not contain NUL .*'a\\x00b'$"):
            act(path)
    assert os.listdir() == []


@posix
def test_a_link_to_nothing_yet_is_followed(tmp_path):
    (tmp_path / "link.npz").symlink_to(tmp_path / "real.npz")
    save(Affine(2.0), tmp_path / "link.npz")
    assert (tmp_path / "link.npz").is_symlink() and load(tmp_path / "real.npz") == Affine(2.0)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(OSError):
        save(Shift(), tmp_path / "circle")
    assert (tmp_path / "circle").is_symlink()


def leave_behind(path, name, age):
    left = path.parent / f".{name}-{'0123456789abcdef'}.tmp"
    left.write_bytes(b"half a flow")
    os.utime(left, (time.time() - age,) * 2)
    return left


def test_what_a_killed_save_left_behind_is_removed_when_it_is_old(tmp_path):
    path = tmp_path / "flow.npz"
    old = leave_behind(path, "flow.npz", age=3600)
    others = leave_behind(path, "other.npz", age=3600)
    save(Shift(), path)
    assert not old.exists() and others.exists()
    being_written = leave_behind(path, "flow.npz", age=5)
    save(Shift(), path)
    assert being_written.exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="sparse files")
@pytest.mark.parametrize("end", [b"", b"x" * 80, SEAL + b"0" * DIGITS])
@pytest.mark.parametrize("start", [b"", b"PK\x03\x04" + b"\0" * 60, b"\x80\x04"])
def test_a_huge_foreign_file_is_refused_unread(start, end, tmp_path):
    path = tmp_path / "flow.npz"
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(3 * 10**9)
        file.seek(-len(end), os.SEEK_END)
        file.write(end)
    tracemalloc.start()
    with cpu_seconds() as seconds:
        with pytest.raises(ValueError, match=r"was not written by flowcore|is damaged"):
            load(path)
        assert seconds() < 0.2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6
