"""`load`: reads files of `save`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..core import without_warnings
from .archive import read_sealed, unsealed
from .describe import FORMAT
from .rebuild import Reader, foreign_classes

if TYPE_CHECKING:
    from os import PathLike


def load(path: str | PathLike[str], classes: Iterable[type] = ()) -> Any:
    """Load a file of `save`; every number equals the saved object's, bit for bit.

    Nothing in the file is executed, but its arguments are passed to constructors of flowcore and of
    `classes`: load only files of people you trust. Parameters that are not finite, as in a diverged
    flow, are loaded unchanged; constants must be valid. Errors: FileNotFoundError, or another
    OSError; ValueError for a file that is truncated, damaged, not from flowcore or of another
    format, and for a class that is neither in flowcore nor in `classes`.

    Parameters
    ----------
    path : str or PathLike
        The file.
    classes : iterable of classes
        Your own classes (bijectors, transformers, bases) that the file may contain.

    Returns
    -------
    object
        The saved object: a flow, bijector, network, transformer, base, Dequantize, `FlowDensity`,
        or `Inference`, whose target is a function: pass that to its `with_target`.
    """
    name, foreign = os.fsdecode(path), foreign_classes(classes)
    try:
        saved = rebuilt(*unsealed(read_sealed(name)), foreign)[-1]
        return saved.restored() if hasattr(type(saved), "restored") else saved
    except ValueError as problem:
        raise ValueError(f"{name} {problem}") from problem


def rebuilt(description: dict, arrays: dict[str, np.ndarray], foreign: dict[str, type]) -> list:
    """All objects of a file, the saved one last; its errors continue '<path> ...'."""
    if "kind" in description:
        raise ValueError(f"is a {description['kind']}, not a flow: pass it to fit(checkpoint=)")
    number, writer = description["format"], description.get("flowcore")
    if number != FORMAT:
        way = "update flowcore" if number > FORMAT else f"fit anew, or load it with {writer}"
        raise ValueError(
            f"has format {number}, written by flowcore {writer}; this is flowcore {__version__}, "
            f"which reads format {FORMAT}: {way}"
        )
    with without_warnings(), np.errstate(all="ignore"):  # its maker has been warned
        return Reader(arrays, foreign).read(description["nodes"])
