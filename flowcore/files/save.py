"""`save`: a flow as a file, after a proof that `load` makes the same flow again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._version import __version__
from .archive import sealed
from .describe import FORMAT, Writer, first_difference, is_node, unsavable
from .disk import write_atomically
from .load import rebuilt
from .rebuild import foreign_classes

if TYPE_CHECKING:
    from os import PathLike


def save(flow: object, path: str | PathLike[str]) -> None:
    """Write a flow (or a bijector, network, transformer, base, ...) to `path`, whole or not at all.

    Every saved file can be loaded, because the flow is first rebuilt from its description and
    compared with the original. The same flow gives the same bytes. Your own classes can be saved if
    each argument `foo` of the constructor is an attribute `foo`, or if a method `config()` returns
    the arguments as a dict. Errors: ValueError, with the fix, for an object that cannot be
    described; OSError, also if `path` is a folder, a device or a FIFO: only an ordinary file is
    replaced. Cost: the flow is made twice; memory for about four copies of the weights.

    Parameters
    ----------
    flow : object
        A flow or a part of one, a fitted `FlowDensity`, an `Inference` (without its target), ...
    path : str or PathLike
        The file; ".npz" is customary, but is not added. It is replaced only when the new one is
        complete, so an earlier file survives any failure. If `path` is a link, its target is
        written.

    Examples
    --------
    >>> import tempfile, flowcore
    >>> flow = flowcore.flows.maf(2, layers=2, hidden=[8])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     flowcore.save(flow, f"{folder}/moons.npz")
    ...     again = flowcore.load(f"{folder}/moons.npz")
    >>> bool(again.log_prob([0.3, 0.1]) == flow.log_prob([0.3, 0.1]))
    True
    """
    if hasattr(type(flow), "as_record"):
        flow = flow.as_record()
    if not is_node(flow):
        raise TypeError(
            f"save takes a flow, bijector, network, transformer, base, fitted FlowDensity or "
            f"Inference, not {flow!r:.200}"
        )
    write_atomically(os.fsdecode(path), _to_bytes(flow))


def _to_bytes(flow) -> bytes:
    """The whole file, proven to give the same objects again."""
    writer = Writer(flow)
    description = {"format": FORMAT, "flowcore": __version__, "nodes": writer.nodes}
    classes = foreign_classes({type(obj): 0 for obj in writer.objects})
    try:
        again = rebuilt(description, writer.arrays, classes)
    except ValueError as problem:
        raise unsavable(type(flow), f"its file {problem}") from problem
    for old, new in zip(writer.objects, again, strict=True):
        lost = first_difference(old, new)
        if lost:
            raise unsavable(type(old), f"its attribute {lost!r} would be lost or changed")
    return sealed(description, writer.arrays, small=True)
