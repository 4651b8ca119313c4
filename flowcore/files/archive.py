"""Arrays <-> the bytes of a sealed archive, for flows and checkpoints alike.

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them: any
changed byte is detected before anything is interpreted. The archive itself is zipfile's, so that
`np.load` and every other program can open it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile

import numpy as np
from numpy.lib import format as npy

DESCRIPTION = "flowcore.json"  # the member that holds JSON
SEAL = b"flowcore sha256 "  # and 64 hexadecimal digits: the end of a file, in every format
DIGITS = 64
WIDE = "-float64"  # ends the name of a member that is float32, and float64 when it is read
MAX_BYTES = 2**31  # of memory: MAFs of 784 columns, with 15 million parameters, need 0.4 GB
OF_TEXT = 32  # bytes of memory for a byte of JSON, at most, about
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others inflate more than they are asked for


class Refused(ValueError):
    """An error about a whole file, whose message continues '<path> ...'."""


def sealed(description: dict, arrays: dict[str, np.ndarray], small: bool = False) -> bytes:
    """A whole file: the arrays, and the description as JSON that people can read; small: `pack`."""
    text = json.dumps(description, ensure_ascii=False, allow_nan=False, default=np.ndarray.tolist)
    text = text.replace('{"class": ', '\n {"class": ')  # a node a line; quotes in texts have a \
    return pack({DESCRIPTION: np.frombuffer(text.encode(), np.uint8), **arrays}, small)


def unsealed(data: bytes, max_bytes: float = math.inf) -> tuple[dict, dict[str, np.ndarray]]:
    """(description, arrays) of a whole file, whose checksum is right; max_bytes: of `unpack`."""
    arrays = unpack(data, max_bytes)
    return json.loads(arrays.pop(DESCRIPTION).tobytes()), arrays


def pack(arrays: dict[str, np.ndarray], small: bool = False) -> bytes:
    """An .npz archive, without clock times, sealed by its comment.

    small: compressed, and float64 numbers that are all float32 numbers are written as those. Masked
    weights are zeros, which then take no room.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            is_narrow = small and _is_narrow(array)
            array = array.astype(np.float32) if is_narrow else array
            info = zipfile.ZipInfo(f"{name}{WIDE * is_narrow}.npy")  # dated 1980
            info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)
        archive.comment = SEAL + b"0" * DIGITS
    data = buffer.getvalue()[:-DIGITS]
    return data + hashlib.sha256(data).hexdigest().encode()


def unpack(data: bytes, max_bytes: float = math.inf) -> dict[str, np.ndarray]:
    """The arrays of an archive, if all together they take no more memory than max_bytes.

    Nothing is unpickled: an array of objects is a ValueError. Other errors, of zipfile, zlib and
    NumPy, can be of any class.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        needed = sum(map(_memory_of, members))
        if needed > max_bytes:
            raise Refused(
                f"needs {needed:,} bytes of memory, but the limit is {max_bytes:,.0f}: if you "
                "trust it, raise the limit in Python, flowcore.load(path, max_bytes=...)"
            )
        found = {info.filename.removesuffix(".npy"): _array(archive, info) for info in members}
    return {
        name.removesuffix(WIDE): array.astype(float) if name.endswith(WIDE) else array
        for name, array in found.items()
    }


def _memory_of(info: zipfile.ZipInfo) -> int:
    """The bytes that a member takes when it is read, by the size that it announces."""
    name = info.filename.removesuffix(".npy")
    return info.file_size * (OF_TEXT if name == DESCRIPTION else 1 + name.endswith(WIDE))


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """A member as an array. What it announces may be wrong: no more bytes are read, and the shape
    of the array has to be that of the bytes which are there."""
    if info.compress_type not in METHODS:
        raise ValueError(f"{info.filename} is compressed by method {info.compress_type}")
    with archive.open(info) as member:
        npy.read_magic(member)
        shape, is_fortran, dtype = npy.read_array_header_1_0(member)
        flat = np.frombuffer(member.read(info.file_size), dtype)
    return np.array(flat.reshape(shape, order="F" if is_fortran else "C"))  # which can be changed


@np.errstate(over="ignore")
def _is_narrow(array: np.ndarray) -> bool:
    """Whether these are float64 numbers that float32 holds exactly."""
    return array.dtype == float and bool((array.astype(np.float32) == array).all())


def read_sealed(path: str) -> bytes:
    """The bytes of a sealed file, whole and undamaged.

    Errors: OSError, Refused.
    """
    with open(path, "rb") as file:
        data = file.read()
    if data[-DIGITS - len(SEAL) : -DIGITS] != SEAL:
        raise Refused(
            "was not written by flowcore, is truncated, or was rewritten by another program: its "
            "checksum is missing"
        )
    if hashlib.sha256(data[:-DIGITS]).hexdigest().encode() != data[-DIGITS:]:
        raise Refused("is damaged: its bytes do not match its checksum")
    return data
