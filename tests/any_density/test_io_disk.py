"""What `save` may replace: ordinary files, and nothing else on a disk."""

import os
import stat

import pytest

from flowcore import Affine, Shift
from flowcore.files import load, save

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


@posix
def test_only_ordinary_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "folder").mkdir()
    os.symlink(os.devnull, tmp_path / "device")
    os.symlink("FIFO", tmp_path / "link to a FIFO")
    names = sorted(os.listdir(tmp_path))
    kinds = [stat.S_IFMT(os.stat(tmp_path / name).st_mode) for name in names]
    for name in (*names, "folder/", "new/"):
        with pytest.raises(OSError, match="not an ordinary file"):
            save(Shift(), f"{tmp_path}/{name}")
    assert sorted(os.listdir(tmp_path)) == names
    assert [stat.S_IFMT(os.stat(tmp_path / name).st_mode) for name in names] == kinds


@posix
def test_a_link_to_nothing_yet_is_followed(tmp_path):
    (tmp_path / "link.npz").symlink_to(tmp_path / "real.npz")
    save(Affine(2.0), tmp_path / "link.npz")
    assert (tmp_path / "link.npz").is_symlink() and load(tmp_path / "real.npz") == Affine(2.0)
