"""The Flow Bench, docs/live, with everything it loads, in one folder for any static server.

    python docs/builder/live.py docs/_build/html/live
    python docs/builder/live.py FOLDER --serve          # and look at it; --serve 8080 for a port
    python docs/builder/live.py FOLDER --pyodide URL    # Pyodide and NumPy come from that folder

The page makes no request off the machine, but for the last one's. What has to be downloaded, by
npm and pip, is kept in docs/built/downloads and held against a checksum every time.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[1]
LIVE = DOCS / "live"
CACHE = DOCS / "built" / "downloads"
BENCH = "flow_bench"  # the page's own Python
NOT_OF_THE_PAGE = shutil.ignore_patterns(BENCH, "wheels", "*.md", "__pycache__")
OF_THE_WHEEL = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
OF_PYODIDE = (
    "pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"
)  # fmt: skip


class Problem(Exception):
    """Why the page cannot be assembled, in one line."""


class Pinned(NamedTuple):
    """A file of a package registry: its sum, and the command that downloads it into a folder."""

    file: str
    sha256: str
    command: tuple[str, ...]


PYODIDE = Pinned(
    "pyodide-0.27.7.tgz",
    "89d5d952675eb08e11286e52c7238f1248ce71726e896db9703e73bef23dc343",
    ("npm", "pack", "pyodide@0.27.7", "--fetch-retries=1", "--pack-destination"),
)
PIP_DOWNLOAD = ("pip", "download", "--no-deps", "--only-binary=:all:", "--python-version=3.12")
AUTOGRAD = Pinned(
    "autograd-1.9.1-py3-none-any.whl",
    "b788bae3fa010cbffb4cfb7b8ba2a3f0daa6072a8506da6164c779fe9cf3e05a",
    (*PIP_DOWNLOAD, "autograd==1.9.1", "--dest"),
)


def assemble(folder: Path, pyodide: str | None = None) -> dict:
    """Write the page into `folder`, which is new, empty, or an earlier one; its settings.

    `pyodide` is the URL of a folder with Pyodide's distribution; None copies it into `folder`.
    """
    if folder.exists() and not (folder / "settings.json").is_file() and any(folder.iterdir()):
        raise Problem(f"{folder} has other files, which would be lost: name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as new:
        made = Path(new) / "page"  # whole, or not at all
        shutil.copytree(LIVE, made, ignore=NOT_OF_THE_PAGE)
        (made / "wheels").mkdir()
        if pyodide is None:
            pyodide = f"./{_copy_pyodide(made).name}/"
        own = own_wheel()
        for wheel in (fetched(AUTOGRAD), own):
            shutil.copy(wheel, made / "wheels")
        _zip_bench(made / "wheels")
        settings = {
            "pyodide": pyodide.rstrip("/") + "/",
            "wheels": [f"./wheels/{path.name}" for path in sorted((made / "wheels").iterdir())],
            "version": own.name.split("-")[1],
        }
        text = json.dumps(settings, indent=2) + "\n"
        (made / "settings.json").write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return settings


# ---------------------------------------------------------------- downloads


def fetched(thing: Pinned) -> Path:
    """The file in the cache, where it is put unless it is there; its sum is the pinned one."""
    path = CACHE / thing.file
    if not (path.is_file() and sha256(path) == thing.sha256):
        with _new_in_cache() as new:
            by_hand = f"{path} may also be put there by hand"
            run(*thing.command, str(new), what=thing.file, otherwise=by_hand)
            _check(new / thing.file, thing.sha256, "if it is meant, pin it in docs/builder/live.py")
            os.replace(new / thing.file, path)
    return path


def sha256(path: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(tool: str, *arguments: str, what: str, otherwise: str = "") -> None:
    """A command of npm, or of this Python's pip, which is to bring `what`."""
    if tool == "pip":
        if importlib.util.find_spec("pip") is None:
            raise Problem(f"pip, which brings {what}, is missing: python -m ensurepip installs it")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    elif found := shutil.which(tool):
        command = [found]
    else:
        raise Problem(f"{tool}, which brings {what}, is missing: install it (Debian: apt install)")
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    if done.returncode:
        errors = [line.strip() for line in done.stderr.splitlines() if "error" in line.lower()]
        why = "; ".join(errors[:2]) or f"exit {done.returncode}"
        raise Problem(
            f"{tool} did not bring {what}: {why}; is there a network? {otherwise}".strip()
        )


def _check(path: Path, expected: str, fix: str) -> None:
    if not path.is_file():
        raise Problem(f"{path.name} is not there; {fix}")
    if (found := sha256(path)) != expected:
        raise Problem(f"{path.name} has the sha256 {found}, and should have {expected}; {fix}")


@contextlib.contextmanager
def _new_in_cache() -> Iterator[Path]:
    """A folder for what is not yet known to be whole."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as new:
        yield Path(new)


# ---------------------------------------------------------------- the parts


def _copy_pyodide(page: Path) -> Path:
    """Pyodide's core, and NumPy beside its list; the folder's name has the version."""
    folder = page / PYODIDE.file.removesuffix(".tgz")
    folder.mkdir()
    with tarfile.open(fetched(PYODIDE)) as packed:
        for name in OF_PYODIDE:
            (folder / name).write_bytes(packed.extractfile(f"package/{name}").read())
    lock = json.loads((folder / "pyodide-lock.json").read_text(encoding="utf-8"))
    numpy = lock["packages"]["numpy"]
    wheel = LIVE / "wheels" / numpy["file_name"]
    _check(wheel, numpy["sha256"], "take it from Pyodide's distribution of that version")
    shutil.copy(wheel, folder)
    return folder


def own_wheel() -> Path:
    """A wheel of flowcore as it stands in this tree, built once for every state of the tree.

    A sum of the sources is in its name, as a build number: browsers keep files by their names.
    """
    root = DOCS.parent
    sources = sorted((root / "flowcore").rglob("*.py"))
    sources += [root / "flowcore" / name for name in ("__init__.pyi", "py.typed")]
    sources += [root / name for name in OF_THE_WHEEL]
    tag = "0" + _sum_of({path.relative_to(root).as_posix(): path.read_bytes() for path in sources})
    if known := sorted(CACHE.glob(f"flowcore-*-{tag}-*.whl")):
        return known[0]
    with _new_in_cache() as new:
        tree, built = new / "tree", new / "built"
        for path in sources:  # a copy: an old build/ in the tree would get into the wheel
            copy = tree / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        run("pip", "wheel", "--no-deps", "--wheel-dir", str(built), str(tree), what="setuptools")
        wheel = next(built.glob("flowcore-*.whl"))
        name, version, rest = wheel.name.split("-", 2)
        path = CACHE / f"{name}-{version}-{tag}-{rest}"
        for old in CACHE.glob("flowcore-*.whl"):
            old.unlink()
        os.replace(wheel, path)
    return path


def _zip_bench(folder: Path) -> None:
    """The package of the page's own Python; the same files give the same bytes and name."""
    paths = sorted((LIVE / BENCH).rglob("*.py"))
    files = {path.relative_to(LIVE).as_posix(): path.read_bytes() for path in paths}
    with zipfile.ZipFile(folder / f"{BENCH}-{_sum_of(files)}.zip", "w") as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _sum_of(files: dict[str, bytes]) -> str:
    """Twelve digits that stand for names and contents."""
    each = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in files.items()]
    return hashlib.sha256("\n".join(each).encode()).hexdigest()[:12]


# ---------------------------------------------------------------- a server


class Handler(SimpleHTTPRequestHandler):
    """Files under the types that browsers insist on for modules and WebAssembly."""

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
        ".whl": "application/zip",
        ".zip": "application/zip",
    }

    def end_headers(self):
        """A page that was assembled anew is the one that is shown."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_request(self, code="-", size="-"):
        """Only what is missing is logged."""


class Server(ThreadingHTTPServer):
    """It serves a folder on this machine: `Server(folder).serve_forever()`."""

    def __init__(self, folder: Path, port: int = 0):
        super().__init__(("127.0.0.1", port), functools.partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request, client_address):
        """A browser that goes away in the middle of a file is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _server(folder: Path, port: int) -> Server:
    try:
        return Server(folder, port)
    except OSError as error:
        raise Problem(f"port {port}: {error.strerror}; name another: --serve {port + 1}") from None


def serve(folder: Path, port: int) -> None:
    """Until Ctrl-C."""
    with _server(folder, port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"{server.url} (Ctrl-C ends it)", flush=True)
        server.serve_forever()


def main(arguments: list[str]) -> str | None:
    """Assemble the page, and serve it if asked; what is wrong, or None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pyodide", metavar="URL", help="where Pyodide and NumPy are taken from")
    parser.add_argument("--serve", metavar="PORT", nargs="?", const=8000, type=int)
    options = parser.parse_args(arguments)
    try:
        settings = assemble(options.folder, options.pyodide)
        sizes = [path.stat().st_size for path in options.folder.rglob("*") if path.is_file()]
        print(f"{options.folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB; {settings}")
        if options.serve is not None:
            serve(options.folder, options.serve)
    except (Problem, OSError) as problem:
        return f"live.py: {problem}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
