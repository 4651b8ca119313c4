"""Lazy imports: modules, and names of a package, at their first use (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

imported = import_module  # by name, where it is used


def lazy_names(
    package: str, rooms: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """(`__getattr__`, `__dir__`) of a package.

    rooms   a module, as import_module takes it -> its names that the package offers
    """

    def attribute(name: str) -> Any:
        for module, names in rooms.items():
            if name in names:
                return getattr(imported(module, package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module = sys.modules[package]
        return sorted({*vars(module), *module.__all__})

    return attribute, names
