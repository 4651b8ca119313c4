"""`load`: what `save` wrote, trusting nothing in the file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .._version import __version__
from .archive import DESCRIPTION, read_sealed, unpack
from .describe import FORMAT
from .rebuild import Reader, class_registry

if TYPE_CHECKING:
    from os import PathLike


def load(path: str | PathLike[str], classes: Iterable[type] = ()) -> Any:
    """What `save` wrote to `path`; its numbers are, bit for bit, those of the saved object.

    Nothing in the file is executed, but constructors of `classes` get the file's arguments.
    Errors: FileNotFoundError; ValueError for a file that is empty, truncated, damaged, not
    flowcore's, of a newer format, or contains a class that is neither flowcore's nor in `classes`.

    Parameters
    ----------
    path : str or PathLike
        The file.
    classes : iterable of classes
        Your own classes (bijectors, transformers, bases) that the file may contain.

    Returns
    -------
    object
        The flow, bijector, network, transformer or base that was saved.
    """
    name, registry = os.fsdecode(path), class_registry(classes)
    try:
        return from_bytes(read_sealed(name), registry)[-1]
    except ValueError as problem:
        raise ValueError(f"{name} {problem}") from problem


def from_bytes(data: bytes, registry: dict[str, type]) -> list:
    """All objects of a file, the one that was saved last; its errors continue '<path> ...'."""
    try:
        arrays = unpack(data)
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
            f"flowcore {__version__}, which reads formats up to {FORMAT}: "
            "update flowcore"
        )
    return Reader(arrays, registry, len(text)).read(description.get("nodes"))


def _small_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"the number {digits[:20]}... is too large")
    return int(digits)
