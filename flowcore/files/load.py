"""`load`: reads files of `save`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..core import without_warnings
from ..core.inputs import positive
from .archive import MAX_BYTES, Refused, read_sealed, unsealed
from .describe import FORMAT
from .rebuild import OwnError, Reader, foreign_classes

if TYPE_CHECKING:
    from os import PathLike


def load(
    path: str | PathLike[str], classes: Iterable[type] = (), max_bytes: float = MAX_BYTES
) -> Any:
    """Load a file of `save`; every number equals the saved object's, bit for bit.

    Nothing in the file is executed, but its arguments are passed to constructors of flowcore and of
    `classes`: load only files of people you trust. Parameters that are not finite, as in a diverged
    flow, are loaded unchanged; constants must be valid. Errors: FileNotFoundError, or another
    OSError; ValueError for a file that is truncated, damaged, not from flowcore or of another
    format, whatever was written into it, and for a class that is neither in flowcore nor in
    `classes`. What the constructors of `classes` raise keeps its type.

    Parameters
    ----------
    path : str or PathLike
        The file.
    classes : iterable of classes
        Your own classes (bijectors, transformers, bases) that the file may contain.
    max_bytes : float
        The memory that the numbers and the description in the file may take; the default is 2 GiB.
        A small file can hold large arrays, because it is compressed, so one that needs more is a
        ValueError before anything is read. For comparison, a MAF of 784 columns with 15 million
        parameters needs 0.4 GB. The limit does not count what constructors make from their
        arguments, such as the masks of wide layers.

    Returns
    -------
    object
        The saved object: a flow, bijector, network, transformer, base, Dequantize, `FlowDensity`,
        or `Inference`, whose target is a function: pass that to its `with_target`.
    """
    name, foreign = os.fsdecode(path), foreign_classes(classes)
    limit = positive("max_bytes", max_bytes)
    try:
        saved = rebuilt(*unsealed(read_sealed(name), limit), foreign)[-1]
        return saved.restored() if hasattr(type(saved), "restored") else saved
    except (OSError, MemoryError):
        raise
    except OwnError as problem:
        raise problem.__cause__ from None
    except Refused as problem:
        raise ValueError(f"{name} {problem}") from problem
    except Exception as problem:
        kind = "" if isinstance(problem, ValueError) else f"{type(problem).__name__}: "
        raise ValueError(
            f"{name} is damaged, or was made by something else than flowcore: {kind}{problem}"
        ) from (problem.__cause__ or problem)


def rebuilt(description: dict, arrays: dict[str, np.ndarray], foreign: dict[str, type]) -> list:
    """All objects of a file, the saved one last."""
    if "kind" in description:
        raise Refused(f"is a {description['kind']}, not a flow: pass it to fit(checkpoint=)")
    number, writer = description["format"], description.get("flowcore")
    if number != FORMAT:
        way = "update flowcore" if number > FORMAT else f"fit anew, or load it with {writer}"
        raise Refused(
            f"has format {number}, written by flowcore {writer}; this is flowcore {__version__}, "
            f"which reads format {FORMAT}: {way}"
        )
    with without_warnings(), np.errstate(all="ignore"):  # its maker has been warned
        return Reader(arrays, foreign).read(description["nodes"])
