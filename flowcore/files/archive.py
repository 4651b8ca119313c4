"""Arrays <-> the bytes of a sealed archive. Nothing here knows what a flow is.

The archive's comment, the last bytes of the file, is the SHA-256 of all that precedes them: any
changed byte is noticed before anything is interpreted.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile

import numpy as np

DESCRIPTION = "flowcore.json"  # the member that holds JSON, the first one
SEAL = b"flowcore sha256 "  # and 64 hexadecimal digits: the end of a file, in every format
DIGITS = 64


def pack(arrays: dict[str, np.ndarray]) -> bytes:
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


def unpack(data: bytes) -> dict[str, np.ndarray]:
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


def check_seal(data: bytes) -> None:
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
