"""Arrays <-> the bytes of a sealed archive, for flows and checkpoints alike.

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them: any
changed byte is detected before anything is interpreted.

The archive itself is zipfile's, both ways, so that every program can open it. `unpack` never makes
anything larger than the file: it refuses compressed members, members that together are larger than
the file, and arrays that are not numbers or whose size differs from their header.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import struct
import zipfile

import numpy as np

from .disk import check_ordinary
from .messages import expect, printable

DESCRIPTION = "flowcore.json"  # the member that holds JSON, the first one
SEAL = b"flowcore sha256 "  # and 64 hexadecimal digits: the end of a file, in every format
DIGITS = 64
LONGEST = 40  # characters of a number: 128 bits, as in the states of random generators

# The start of an .npy array of numbers, as NumPy has written it ever since.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..{'descr': '([<>|][biufc]\d\d?)', 'fortran_order': (False|True), "
    rb"'shape': \(([\d, ]{0,999})\), } *\n",
    re.DOTALL,
)
# Errors of zipfile for an archive that is damaged.
_BROKEN = (zipfile.BadZipFile, EOFError, OSError, OverflowError, RuntimeError, struct.error)


class _Archive(zipfile.ZipFile):
    """A zip archive in memory that Ctrl-C may leave at any line, even in the middle of its making.

    Its finalizer would close it then, and complain: of attributes that are not there yet, or of a
    member that is still open. An interrupt that comes in a finalizer written in Python is lost.
    """

    __del__ = object.__hash__  # does nothing


def sealed(description: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """A whole file: the arrays, and the description as JSON that people can read."""
    text = json.dumps(
        description, indent=1, ensure_ascii=False, allow_nan=False, default=np.ndarray.tolist
    )
    # A line break is never part of a JSON string, so these are brackets and not text.
    innermost = r"(?<=[\[{])\n *([^\[\]{}]*?)\n *(?=[\]}])"
    text = re.sub(innermost, lambda m: re.sub(r"\n *", " ", m[1]), text)
    return pack({DESCRIPTION: np.frombuffer(text.encode(), np.uint8), **arrays})


def unsealed(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """(description, arrays) of a whole file, whose checksum is right.

    Errors: ValueError, whose message continues '<path> ...'.
    """
    try:
        arrays = unpack(data)
        expect(DESCRIPTION in arrays, f"there is no {DESCRIPTION}")
        description = _value_of_json(arrays.pop(DESCRIPTION).tobytes())
        expect(isinstance(description, dict), "its description is {}", description)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"is damaged: {printable(str(problem))}") from problem
    return description, arrays


def _value_of_json(text: bytes):
    """The value of a JSON text; a ValueError for any other text, and for endless numbers."""

    def number(digits: str):
        expect(len(digits) <= LONGEST, "the number {} is too long", digits)
        return int(digits) if digits.lstrip("-").isdigit() else float(digits)

    return json.loads(text.decode(), parse_int=number, parse_float=number)


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz archive, without compression and without clock times, sealed by its comment."""
    buffer = io.BytesIO()
    archive = _Archive(buffer, "w", zipfile.ZIP_STORED)
    for name, array in arrays.items():
        info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980
        info.create_system, info.external_attr = 3, 0o644 << 16  # on every system
        info.file_size = array.nbytes + 128  # only decides whether a header for 4 GB is needed
        with archive.open(info, "w") as member:
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
    archive.comment = SEAL + b"0" * DIGITS
    archive.close()
    with buffer.getbuffer() as content:
        digest = hashlib.sha256(content[:-DIGITS]).hexdigest()
    buffer.seek(-DIGITS, os.SEEK_END)
    buffer.write(digest.encode())
    return buffer.getvalue()


def read_sealed(path: str) -> bytes:
    """The bytes of a sealed file, whole and undamaged.

    A special file, or one that does not begin and end like flowcore's, is refused before the rest
    is read. Errors: OSError; ValueError, whose message continues '<path> ...'.
    """
    check_ordinary(path)
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - DIGITS - len(SEAL)))
        end = file.read(DIGITS + len(SEAL))
        file.seek(0)
        _check_ends(file.read(DIGITS), end)
        file.seek(0)
        data = file.read()
    digest = hashlib.sha256(memoryview(data)[:-DIGITS]).hexdigest().encode()
    expect(digest == data[-DIGITS:], "is damaged: its bytes do not match its checksum")
    return data


def _check_ends(start: bytes, end: bytes) -> None:
    """A ValueError unless a file that starts and ends so may be one of flowcore's."""
    name = f"{DESCRIPTION}.npy".encode()  # of the first member, behind a header of 30 bytes
    ours = b"PK\x03\x04".startswith(start[:4]) and name.startswith(start[30 : 30 + len(name)])
    whole = end.startswith(SEAL) and len(end) == len(SEAL) + DIGITS
    expect(start, "is empty: not even a truncated flow")
    expect(ours or not whole, "is damaged: it ends like a file of flowcore's, but begins otherwise")
    if not ours:
        raise ValueError(f"was not written by flowcore: it begins with {start[:8]!r}")
    expect(whole, "is truncated, or was rewritten by another program: its checksum is missing")


def unpack(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive; a ValueError for anything that `pack` does not write."""
    arrays = {}
    try:
        archive = _Archive(io.BytesIO(data))
        members = archive.infolist()
        expect(sum(m.file_size for m in members) < len(data), "members larger than the file")
        places = {member.header_offset for member in members}
        expect(len(places) == len(members), "members that overlap")
        for member in members:
            expect(member.compress_type == zipfile.ZIP_STORED, "compressed members")
            name = member.filename.removesuffix(".npy")
            expect(name not in arrays, "two members of the same name")
            arrays[name] = _array(archive.read(member))
    except _BROKEN as problem:
        raise ValueError(f"an archive that cannot be read: {problem}") from problem
    return arrays


def _array(raw: bytes) -> np.ndarray:
    """The array of an .npy member: numbers only, and all of them there."""
    header = _HEADER.match(raw)
    expect(header is not None, "a member that is no .npy array of numbers, in format 1.0")
    shape = tuple(map(int, re.findall(rb"\d+", header[3])))
    try:
        dtype = np.dtype(header[1].decode())
    except TypeError:
        raise ValueError(f"numbers of type {header[1].decode()}, unknown to this machine") from None
    size, place = math.prod(shape), header.end()
    fits = size * dtype.itemsize == len(raw) - place
    expect(fits, f"an array of {{}} numbers in {len(raw) - place} bytes", size)
    array = np.ndarray(shape, dtype, raw, place, order="F" if header[2] == b"True" else "C")
    truth = dtype.kind != "b" or array.view(np.uint8).max(initial=0) <= 1
    expect(truth, "an array of truth values other than 0 and 1")
    return array.copy(order="K")
