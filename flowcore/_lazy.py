"""Names that a package offers, and imports when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from ._forks import unforked


def door(package: str, rooms: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package; rooms: a module, as import_module takes it -> its names."""

    def found(name: str) -> Any:
        for module, names in rooms.items():
            if name in names:
                with unforked():  # a fork waits until the room is whole
                    return getattr(import_module(module, package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return found
