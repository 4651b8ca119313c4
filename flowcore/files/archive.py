"""Arrays <-> the bytes of a sealed archive, for flows and checkpoints alike.

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them: any
changed byte is detected before anything is interpreted. The archive itself is zipfile's, so that
`np.load` and every other program can open it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from functools import partial

import numpy as np

DESCRIPTION = "flowcore.json"  # the member that holds JSON
SEAL = b"flowcore sha256 "  # and 64 hexadecimal digits: the end of a file, in every format
DIGITS = 64
WIDE = "-float64"  # ends the name of a member that is float32, and float64 when it is read


def sealed(description: dict, arrays: dict[str, np.ndarray], small: bool = False) -> bytes:
    """A whole file: the arrays, and the description as JSON that people can read; small: `pack`."""
    text = json.dumps(description, ensure_ascii=False, allow_nan=False, default=np.ndarray.tolist)
    text = text.replace('{"class": ', '\n {"class": ')  # a node a line; quotes in texts have a \
    return pack({DESCRIPTION: np.frombuffer(text.encode(), np.uint8), **arrays}, small)


def unsealed(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """(description, arrays) of a whole file, whose checksum is right."""
    arrays = unpack(data)
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
                np.lib.format.write_array(member, array, allow_pickle=False)
        archive.comment = SEAL + b"0" * DIGITS
    data = buffer.getvalue()[:-DIGITS]
    return data + hashlib.sha256(data).hexdigest().encode()


def unpack(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive. Nothing is unpickled: an array of objects is a ValueError."""
    read = partial(np.lib.format.read_array, allow_pickle=False)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    found = {name: read(io.BytesIO(member)) for name, member in members.items()}
    return {
        name.removesuffix(WIDE): array.astype(float) if name.endswith(WIDE) else array
        for name, array in found.items()
    }


@np.errstate(over="ignore")
def _is_narrow(array: np.ndarray) -> bool:
    """Whether these are float64 numbers that float32 holds exactly."""
    return array.dtype == float and bool((array.astype(np.float32) == array).all())


def read_sealed(path: str) -> bytes:
    """The bytes of a sealed file, whole and undamaged.

    Errors: OSError; ValueError, whose message continues '<path> ...'.
    """
    with open(path, "rb") as file:
        data = file.read()
    if data[-DIGITS - len(SEAL) : -DIGITS] != SEAL:
        raise ValueError(
            "was not written by flowcore, is truncated, or was rewritten by another program: its "
            "checksum is missing"
        )
    if hashlib.sha256(data[:-DIGITS]).hexdigest().encode() != data[-DIGITS:]:
        raise ValueError("is damaged: its bytes do not match its checksum")
    return data
