"""Arrays <-> the bytes of a sealed archive. Nothing here knows what a flow is.

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them: any
changed byte is noticed before anything is interpreted.

`pack` leaves the writing to zipfile, so that every program can open the file. `unpack` reads that
one layout and no other: members stand one after the other, uncompressed, each an .npy array behind
its own header. (The directory that follows them is for other programs.) So members cannot overlap,
and nothing is ever made that is larger than the file.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import struct
import zipfile

import numpy as np

from .disk import open_ordinary

DESCRIPTION = "flowcore.json"  # the member that holds JSON, the first one
SEAL = b"flowcore sha256 "  # and 64 hexadecimal digits: the end of a file, in every format
DIGITS = 64

_MEMBER, _DIRECTORY = b"PK\x03\x04", b"PK\x01\x02"  # what they begin with
# version, flags, method, time, date, checksum, size, size uncompressed, lengths of name and extra
_HEADER = struct.Struct("<4x5H3I2H")
_UTF8 = 0x800  # the flag of a name that is not ASCII
_LARGE, _SIZES = 0xFFFFFFFF, struct.Struct("<2H2Q")  # "see the extra", which holds both sizes

# The header of an .npy array of numbers, as NumPy has written it ever since.
_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"
_SHAPE = rb"|%b,|%b(?:, %b){1,63}" % (_NUMBER, _NUMBER, _NUMBER)
_ARRAY = re.compile(
    rb"\x93NUMPY\x01\x00(..){'descr': '(.{1,9})', 'fortran_order': (False|True), "
    rb"'shape': \((%b)\), } *\n" % _SHAPE,
    re.DOTALL,
)
_DTYPES = {np.dtype(f"{order}{code}").str: np.dtype(f"{order}{code}")
           for order in "<>" for code in "?bhilqBHILQefdgFDG"}  # fmt: skip


class _Archive(zipfile.ZipFile):
    """A zip archive in memory that Ctrl-C may leave at any line, even in the middle of its making.

    Its finalizer would close it then, and complain: of attributes that are not there yet, or of a
    member that is still open. An interrupt that comes in a finalizer written in Python is lost.
    """

    __del__ = object.__hash__  # does nothing


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz archive, without compression and without clock times, sealed by its comment."""
    buffer = io.BytesIO()
    archive = _Archive(buffer, "w", zipfile.ZIP_STORED)
    for name, array in arrays.items():
        info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980
        info.create_system, info.external_attr = 3, 0o644 << 16  # on every system
        info.file_size = array.nbytes + 128  # says only whether a header for 4 GB is needed
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

    What is no ordinary file, or does not begin and end like one of flowcore's, is refused before
    the rest is read. Errors: OSError; ValueError, whose message continues '<path> ...'.
    """
    with open_ordinary(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - DIGITS - len(SEAL)))
        end = file.read(DIGITS + len(SEAL))
        file.seek(0)
        _check_ends(file.read(DIGITS), end)
        file.seek(0)
        data = file.read()
    check_seal(data)
    return data


def check_seal(data: bytes) -> None:
    """A ValueError that says what is wrong with a file whose checksum is."""
    _check_ends(data[:DIGITS], data[-DIGITS - len(SEAL) :])
    if hashlib.sha256(memoryview(data)[:-DIGITS]).hexdigest().encode() != data[-DIGITS:]:
        raise ValueError("is damaged: its bytes do not match its checksum")


def _check_ends(start: bytes, end: bytes) -> None:
    """A ValueError unless a file that starts and ends so may be one of flowcore's."""
    name = f"{DESCRIPTION}.npy".encode()  # of the first member, behind a header of 30 bytes
    archive = _MEMBER.startswith(start[:4])
    ours = archive and name.startswith(start[30 : 30 + len(name)])
    if end.startswith(SEAL) and len(end) == len(SEAL) + DIGITS:
        if not ours:
            raise ValueError("is damaged: it ends like a file of flowcore's, but begins otherwise")
        return
    if not start:
        raise ValueError("is empty: not even a truncated flow")
    if not archive:
        kinds = {b"\x80": "a pickle", b"\x93NUMPY": "an .npy array"}
        kind = next((k for begin, k in kinds.items() if start.startswith(begin)), "another file")
        raise ValueError(f"was not written by flowcore.save: it is {kind}, {start[:8]!r}...")
    if not ours:
        raise ValueError(f"was not written by flowcore.save: an archive without {DESCRIPTION}")
    raise ValueError("is truncated, or was rewritten by another program: its checksum is missing")


def unpack(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive; a ValueError for anything that `pack` does not write."""
    arrays, place, view = {}, 0, memoryview(data)
    while data.startswith(_MEMBER, place):
        name, begin, end = _member(data, place)
        if name in arrays:
            raise ValueError("two members of the same name")
        arrays[name] = _array(view[begin:end])
        place = end
    if not data.startswith(_DIRECTORY, place):
        raise ValueError("members that do not follow each other")
    return arrays


def _member(data: bytes, place: int) -> tuple[str, int, int]:
    """(name, where its content begins, where it ends) of the member with its header at place."""
    if len(data) < place + _HEADER.size:
        raise ValueError("a member without its header")
    _, flags, method, _, _, _, size, whole, n_name, n_extra = _HEADER.unpack_from(data, place)
    if method != zipfile.ZIP_STORED or flags not in (0, _UTF8):
        raise ValueError("compressed or encrypted members")
    extra = place + _HEADER.size + n_name
    begin = extra + n_extra
    if size == whole == _LARGE and n_extra == _SIZES.size and begin <= len(data):
        *_, whole, size = _SIZES.unpack_from(data, extra)
    if size != whole or begin + size > len(data):
        raise ValueError("a member that is larger than the file")
    name = data[place + _HEADER.size : extra].decode()
    if not name.endswith(".npy"):
        raise ValueError("a member that is no .npy array")
    return name.removesuffix(".npy"), begin, begin + size


def _array(raw: memoryview) -> np.ndarray:
    """The array of an .npy member: numbers only, and all of them there."""
    header = _ARRAY.match(raw)
    if header is None or int.from_bytes(header[1], "little") != header.end() - 10:
        raise ValueError("a member that is no .npy array of numbers, in format 1.0")
    descr, shape = header[2].decode("latin-1"), tuple(map(int, re.findall(_NUMBER, header[4])))
    if descr not in _DTYPES:
        raise ValueError(f"an array of {descr!r}, which are no numbers of this machine")
    dtype, size, content = _DTYPES[descr], math.prod(shape), raw[header.end() :]
    if size * dtype.itemsize != len(content):
        raise ValueError(f"an array of {size} numbers in {len(content)} bytes")
    flat = np.frombuffer(content, dtype) if size else np.empty(0, dtype)
    if dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        raise ValueError("an array of truth values other than 0 and 1")
    return flat.reshape(shape, order="F" if header[3] == b"True" else "C").copy(order="K")
