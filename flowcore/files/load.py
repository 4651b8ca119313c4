"""`load`: reads files of `save`, and trusts nothing in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..core import remaking
from .archive import read_sealed, unsealed
from .describe import FORMAT
from .disk import path_text
from .messages import expect, unquoted
from .rebuild import Reader, foreign_classes

if TYPE_CHECKING:
    from os import PathLike


def load(path: str | PathLike[str], classes: Iterable[type] = ()) -> Any:
    """Load a file of `save`; every number equals the saved object's, bit for bit.

    Nothing in the file is executed, but constructors of `classes` get the file's arguments.
    Parameters that are not finite, as in a diverged flow, are loaded unchanged. Constants must be
    valid. Errors: FileNotFoundError, or another OSError for anything but an ordinary file;
    ValueError for a file that is empty, truncated, damaged, not from flowcore (detected before it
    is read), of a newer format, or with a class that is neither in flowcore nor in `classes`.

    Parameters
    ----------
    path : str or PathLike
        The file.
    classes : iterable of classes
        Your own classes (bijectors, transformers, bases) that the file may contain.

    Returns
    -------
    object
        The saved object: a flow, bijector, network, transformer, base, Dequantize, `FlowDensity`.
    """
    name, foreign = path_text("path", path), foreign_classes(classes)
    try:
        found = from_bytes(read_sealed(name), foreign)[-1]
        return found.restored() if hasattr(type(found), "restored") else found
    except ValueError as problem:
        raise ValueError(f"{name} {problem}") from problem


def from_bytes(data: bytes, foreign: dict[str, type]) -> list:
    """All objects of a file, the saved one last; its errors continue '<path> ...'."""
    description, arrays = unsealed(data)
    version, kind, writer = (description.get(name) for name in ("format", "kind", "flowcore"))
    if kind is not None:
        raise ValueError(f"is a {unquoted(kind)}, not a flow: give it to fit(checkpoint=)")
    expect(type(version) is int and version >= 1, "is damaged: its format is {}", version)
    if version > FORMAT:
        raise ValueError(
            f"has format {version}, written by flowcore {unquoted(writer)}; this is flowcore "
            f"{__version__}, which reads formats up to {FORMAT}: update flowcore"
        )
    with remaking(), np.errstate(all="ignore"):  # its maker has been warned
        return Reader(arrays, foreign, len(data)).read(description.get("nodes"))
