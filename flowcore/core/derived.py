"""Attributes that follow from the rest of an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class derived(Generic[T]):
    """An attribute that is computed at its first use, then kept: for immutable objects.

    Before Python 3.12, `functools.cached_property` holds one lock for all objects of the class
    while it computes: other threads wait, and a child that is forked meanwhile waits forever. Here
    several threads may compute the value at the same time, and all of them get the first result.
    """

    def __init__(self, compute: Callable[[Any], T]):
        self.compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, obj: Any, owner: type | None = None) -> T:
        if obj is None:  # of the class: for documentation
            return self
        return obj.__dict__.setdefault(self.name, self.compute(obj))
