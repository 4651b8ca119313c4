"""Attributes that follow from the rest of an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class derived(Generic[T]):
    """An attribute that is computed when it is first wanted, then kept: for immutable objects.

    `functools.cached_property` holds a lock while it computes (before Python 3.12), one for all
    objects of the class: other threads wait for it, and a child that is forked meanwhile waits for
    ever. Here threads that come at once all compute it, and all get the one that was first.
    """

    def __init__(self, compute: Callable[[Any], T]):
        self.compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, obj: None, owner: type | None = None) -> derived[T]: ...

    @overload
    def __get__(self, obj: object, owner: type | None = None) -> T: ...

    def __get__(self, obj, owner=None):
        if obj is None:
            return self
        return obj.__dict__.setdefault(self.name, self.compute(obj))
