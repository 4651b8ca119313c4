"""Flows in files: `save` and `load`. Plain arrays and a JSON description, never pickle.

A file is an .npz archive that `np.load` opens too. Its member "flowcore.json" (a uint8 array of
utf-8) describes the tree, node by node (see `_describe.py`), and names the other arrays:

    {"format": 1, "flowcore": "0.1.0", "nodes": [
     {"class": "Affine", "config": {"log_scale_bound": 3.0}},
     {"class": "MADE", "config": {"dim": 2, "order": {"array": "1.order"}, ...},
      "weights": [["1.W0", "1.b0"], ["1.W1", "1.b1"]]},
     {"class": "MaskedAutoregressiveFlow",
      "config": {"made": {"node": 1}, "transformer": {"node": 0}, "method": "by_degree"}}]}

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them: any
changed byte is noticed before anything is interpreted. It guards against accidents; what guards
against malice is that nothing in a file is ever executed, that class names are looked up in
flowcore's public classes and the reader's own `classes` only, and that every size is checked
against what the file really holds before anything of that size is made.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import json
import math
import os
import re
import secrets
import shutil
import sys
import time
import zipfile
from collections.abc import Iterable

import numpy as np

from ._describe import Writer, first_difference, is_node, unsavable
from ._rebuild import Reader, class_registry

FORMAT = 1
DESCRIPTION = "flowcore.json"
SEAL = b"flowcore sha256 "  # and 64 hexadecimal digits: the end of a file, in every format
DIGITS = 64


def save(flow, path) -> None:
    """Write a flow (or a bijector, network, transformer, base) to `path`, whole or not at all.

    path   str or PathLike, used as it is; ".npz" is customary. The bytes go to a temporary file in
           the same folder, which then replaces `path`: an earlier file survives any failure

    The bytes are read back and compared before they are written, so what was saved can be loaded.
    The same flow gives the same bytes. Your own classes are saved like flowcore's: argument `foo`
    of the constructor is the attribute `foo`, and else a method `config()` returns the arguments
    as a dict. Errors: ValueError for an object that cannot be described, with the fix; OSError.
    Cost: that of making the flow twice; memory for about four copies of the weights.

    >>> import tempfile, flowcore
    >>> flow = flowcore.flows.maf(2, layers=2, hidden=[8])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(flow, f"{folder}/moons.npz")
    ...     again = load(f"{folder}/moons.npz")
    >>> bool(again.log_prob([0.3, 0.1]) == flow.log_prob([0.3, 0.1]))
    True
    """
    if not is_node(flow):
        raise TypeError(f"save takes a flow, bijector, network, transformer or base, not {flow!r}")
    _write_atomically(os.fsdecode(path), _to_bytes(flow))


def load(path, classes: Iterable[type] = ()):
    """What `save` wrote to `path`; its numbers are, bit for bit, those of the saved object.

    classes   your own classes (bijectors, transformers, bases) that the file may contain

    Nothing in the file is executed, but constructors of `classes` get the file's arguments.
    Errors: FileNotFoundError; ValueError for a file that is empty, truncated, damaged, not
    flowcore's, of a newer format, or contains a class that is neither flowcore's nor in `classes`.
    """
    name, registry = os.fsdecode(path), class_registry(classes)
    with open(name, "rb") as file:
        data = file.read()
    try:
        return _from_bytes(data, registry)[-1]
    except ValueError as problem:
        raise ValueError(f"{name} {problem}") from problem


# ---------------------------------------------------------------- objects <-> bytes


def _to_bytes(flow) -> bytes:
    """The whole file, proven to give the same objects again."""
    writer = Writer()
    writer.add(flow)
    version = sys.modules[__package__].__version__
    description = {"format": FORMAT, "flowcore": version, "nodes": writer.nodes}
    text = np.frombuffer(_readable_json(description).encode(), np.uint8)
    data = _pack({DESCRIPTION: text, **writer.arrays})
    try:
        again = _from_bytes(data, class_registry({type(obj): 0 for obj in writer.objects}))
    except ValueError as problem:
        raise unsavable(type(flow), f"its file {problem}") from problem
    for old, new in zip(writer.objects, again, strict=True):
        lost = first_difference(old, new)
        if lost:
            raise unsavable(type(old), f"its attribute {lost!r} would be lost or changed")
    return data


def _from_bytes(data: bytes, registry: dict[str, type]) -> list:
    """All objects of a file, the one that was saved last; its errors continue '<path> ...'."""
    _check_seal(data)
    try:
        arrays = _unpack(data)
        text = arrays.pop(DESCRIPTION).tobytes().decode()
        description = json.loads(text, parse_int=_small_int)
        version = description["format"]
    except MemoryError:
        raise
    except Exception as problem:  # whatever a forged archive provokes in a parser
        raise ValueError(f"is damaged: {type(problem).__name__}: {problem}") from problem
    if description.get("kind") is not None:
        raise ValueError(f"is a {description['kind']}, not a flow: give it to fit(checkpoint=)")
    if type(version) is not int or version < 1:
        raise ValueError(f"is damaged: its format is {version!r}")
    if version > FORMAT:
        raise ValueError(
            f"has format {version}, written by flowcore {description.get('flowcore')}; this is "
            f"flowcore {sys.modules[__package__].__version__}, which reads formats up to {FORMAT}: "
            "update flowcore"
        )
    return Reader(arrays, registry, len(text)).read(description.get("nodes"))


def _readable_json(value) -> str:
    """Indented JSON with the innermost lists and objects on one line each."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    # A line break is never part of a JSON string, so these are brackets and not text.
    innermost = r"(?<=[\[{])\n *([^\[\]{}]*?)\n *(?=[\]}])"
    return re.sub(innermost, lambda m: re.sub(r"\n *", " ", m[1]), text)


def _small_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"the number {digits[:20]}... is too large")
    return int(digits)


# ---------------------------------------------------------------- arrays <-> bytes


def _pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz archive, without compression and without clock times, sealed by its comment."""
    buffer = io.BytesIO()
    archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED)
    try:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980
            info.create_system, info.external_attr = 3, 0o644 << 16  # on every system
            archive.writestr(info, member.getvalue())
        archive.comment = SEAL + b"0" * DIGITS
        archive.close()
    except BaseException:  # such as Ctrl-C in the middle of a member
        # its finalizers may close it without errors of their own, which would hide the interrupt
        archive._writing = False
        if archive.fp is not None:
            archive.fp = io.BytesIO()
        raise
    content = buffer.getvalue()[:-DIGITS]
    return content + hashlib.sha256(content).hexdigest().encode()


def _unpack(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive; nothing larger than the archive is ever made."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED for m in members):
            raise ValueError("compressed members")
        if sum(m.file_size for m in members) > len(data):
            raise ValueError("overlapping members")
        if len({m.filename for m in members}) < len(members):
            raise ValueError("two members of the same name")
        return {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}


def _array(raw: bytes) -> np.ndarray:
    """The array of an .npy member: numbers only, and all of them there."""
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is not in .npy format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "biufc":
        raise ValueError(f"an array of {dtype}, not of numbers")
    start = stream.tell()
    if len(raw) - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {shape} in {len(raw) - start} bytes")
    flat = np.frombuffer(raw, dtype, offset=start) if start < len(raw) else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C").copy(order="K")  # aligned


def _check_seal(data: bytes) -> None:
    """A ValueError that says what is wrong with a file whose checksum is."""
    sealed = data[:-DIGITS]
    if sealed.endswith(SEAL):
        if hashlib.sha256(sealed).hexdigest().encode() != data[-DIGITS:]:
            raise ValueError("is damaged: its bytes do not match its checksum")
        return
    if not data:
        raise ValueError("is empty: not even a truncated flow")
    if not data.startswith(b"PK\x03\x04"[: len(data)]):
        kinds = {b"\x80": "a pickle", b"\x93NUMPY": "an .npy array"}
        kind = next((k for start, k in kinds.items() if data.startswith(start)), "another file")
        raise ValueError(f"was not written by flowcore.save: it is {kind}, {data[:8]!r}...")
    name = f"{DESCRIPTION}.npy".encode()  # of the first member, behind a header of 30 bytes
    if not name.startswith(data[30 : 30 + len(name)]):
        raise ValueError(f"was not written by flowcore.save: an archive without {DESCRIPTION}")
    raise ValueError("is truncated, or was rewritten by another program: its checksum is missing")


# ---------------------------------------------------------------- bytes -> disk


def _write_atomically(path: str, content: bytes) -> None:
    """All of content at path, or what was there before; also through a link, also in a crash."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {folder}")
    temporary = f"{_unfinished(path)}{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # a folder cannot be synced everywhere
        _sync_folder(folder)


def _unfinished(path: str) -> str:
    """What the names of files begin with that will replace the one at path."""
    folder, name = os.path.split(os.path.realpath(path))
    return os.path.join(folder, f".{name[:50]}-")


def _remove_unfinished(path: str, seconds: float = 600.0) -> None:
    """Remove what a killed process left behind, if it is so old that nobody can be writing it."""
    ours = glob.escape(_unfinished(path)) + "[0-9a-f]" * 16 + ".tmp"
    for left in glob.glob(ours):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(left) > seconds:
                os.unlink(left)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
