"""Objects as data: the description of a tree that `save` writes and `load` reads.

A description is a list of nodes: bijectors, networks, transformers, densities, records. A node
refers to earlier nodes by number, so there are no cycles. An object that appears twice is one node,
so ties are kept. The last node is the whole.

    class     the name of the class
    config    the constructor's arguments: argument `foo` is the attribute `foo`, unless the class
              has a method `config()` that returns them. `rng` is left out
    weights   of a network: (W, b) or (W, b, C) per layer, dense, (in, out); or
    params    of any other leaf: its flat vector. Either decides the argument `dtype`
    fitted    constants set after construction: the attributes named in the class's `fitted`
    parts     parts that the constructor makes by itself; null for those in `config`

A value is JSON's null, true, number, string or list, or, with exactly one key, {"node": 3},
{"array": "5.order"} (a name in the archive), {"scalar": ...} (a NumPy number), {"tuple": [...]},
{"dict": {...}}, {"float": "nan"}.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ..core.parameters import Parametric
from ..distributions import Foreign
from ..networks.network import Network
from ..transformers import Transformer

FORMAT = 2  # of the file; 1 had float64 numbers as they are
BASE = ("sample", "log_prob")  # what a density has, of whatever class
PLAIN = (type(None), bool, int, float, str)  # the same in JSON
LEFT_OUT = ("rng", "dtype")  # arguments that the arrays answer


class Record:
    """A base of dataclasses that files hold: their fields are the constructor's arguments."""


def is_node(value) -> bool:
    """Whether a value is described by class and arguments; a base may be of any class."""
    return not isinstance(value, type) and (
        is_describable(type(value)) or all(hasattr(value, name) for name in BASE)
    )


@lru_cache(maxsize=256)
def is_describable(cls: type) -> bool:
    """Whether objects of this class are nodes: by its base classes, or its methods."""
    known = issubclass(cls, (Parametric, Transformer, Record)) or _has_config_method(cls)
    return known or all(hasattr(cls, name) for name in BASE)


def nodes_in(value) -> Iterator:
    """The nodes among the values of a config, also within lists and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from nodes_in(item)
    elif type(value) not in PLAIN and is_node(value):
        yield value


def unsavable(cls: type, reason: str) -> ValueError:
    """The error for an object that cannot be described."""
    return ValueError(
        f"{cls.__name__} cannot be saved: {reason}. Add a method config() that returns the "
        "constructor's arguments as a dict (of numbers, strings, arrays, lists, bijectors), and "
        "name what is set after construction in a class attribute fitted = (...)"
    )


class Writer:
    """An object -> `nodes` and `arrays`, parts before wholes; `objects[k]` is node k.

    Errors: ValueError for what cannot be described.
    """

    def __init__(self, obj):
        self.nodes: list[dict] = []
        self.objects: list = []
        self.arrays: dict[str, np.ndarray] = {}
        self._numbers: dict[int, int] = {}  # id of an object -> its node
        self._add(obj)

    def _add(self, obj) -> None:
        """Append the nodes of everything in obj that has none yet, then its own."""
        if id(obj) in self._numbers:
            return
        config = _arguments(obj)
        parts = _unnamed_parts(obj, config)
        fitted = {name: getattr(obj, name) for name in fitted_names(obj)}
        for child in nodes_in([config, parts, fitted]):
            self._add(child)
        k = self._numbers[id(obj)] = len(self.objects)
        self.objects.append(obj)
        self.nodes.append(self._node(obj, k, config, parts, fitted))

    def _node(self, obj, k: int, config: dict, parts: list, fitted: dict) -> dict:
        def encoded(values):
            return {name: self._encode(v, f"{k}.{name}", obj) for name, v in values.items()}

        node = {"class": type(obj).__name__, "config": encoded(config)}
        if isinstance(obj, Network):
            node["weights"] = [
                [
                    self._store(a, f"{k}.{letter}{i}", obj)
                    for letter, a in zip("WbC", layer, strict=True)
                    if a is not None
                ]
                for i, layer in enumerate(obj.weights())
            ]
        elif has_params(obj):
            node["params"] = self._store(obj.params, f"{k}.params", obj)
        if fitted:
            node["fitted"] = encoded(fitted)
        if parts:
            node["parts"] = self._encode(parts, f"{k}.parts", obj)
        return node

    def _encode(self, value, name: str, owner):
        kind = type(value)
        if kind is float and not math.isfinite(value):
            return {"float": str(value)}
        if kind in PLAIN:
            return value
        if kind is np.ndarray:
            return {"array": self._store(value, name, owner)}
        if isinstance(value, np.generic):  # not a Python number: its width counts in arithmetic
            return {"scalar": self._store(np.asarray(value), name, owner)}
        if kind in (list, tuple):
            items = [self._encode(v, f"{name}.{i}", owner) for i, v in enumerate(value)]
            return items if kind is list else {"tuple": items}
        if kind is dict and all(type(key) is str for key in value):
            pairs = enumerate(value.items())
            return {"dict": {key: self._encode(v, f"{name}.{i}", owner) for i, (key, v) in pairs}}
        if id(value) in self._numbers:
            return {"node": self._numbers[id(value)]}
        held = f"{kind.__name__} {value!r:.40}"
        raise unsavable(type(owner), f"its {name.split('.')[1]!r} holds the {held}")

    def _store(self, array: np.ndarray, name: str, owner) -> str:
        if array.dtype.kind not in "biufc":
            raise unsavable(type(owner), f"its {name.split('.')[1]!r} is an array of {array.dtype}")
        while name in self.arrays:
            name += "_"
        self.arrays[name] = array
        return name


def _has_config_method(cls: type) -> bool:
    """Whether the class has a method `config`; an attribute of that name is the user's own."""
    return callable(getattr(cls, "config", None))


def fitted_names(obj) -> tuple[str, ...]:
    """The attributes that are set after construction; () unless the class names them."""
    names = getattr(type(obj), "fitted", ())
    return names if isinstance(names, tuple) else ()


def _arguments(obj) -> dict:
    """The constructor's arguments: `config()`, or the attributes of the same names."""
    cls = type(obj)
    if _has_config_method(cls):
        config = obj.config()
        if not isinstance(config, dict):
            raise unsavable(cls, f"its config() returns {config!r}, not a dict")
        return config
    names = [name for name in argument_names(cls) if name not in LEFT_OUT]
    for name in names:
        if not hasattr(obj, name):
            raise unsavable(cls, f"its constructor's argument {name!r} is not an attribute")
    return {name: getattr(obj, name) for name in names}


@lru_cache(maxsize=256)  # by far the slowest part of making an object
def argument_names(cls: type) -> tuple[str, ...]:
    """The arguments of `__init__`; not those of a base class's `__new__(cls, *args, **kwargs)`."""
    if cls.__init__ is object.__init__:
        return ()
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    for p in parameters:
        if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            raise unsavable(cls, f"its constructor's argument {str(p)!r} has no name to pass it by")
    return tuple(p.name for p in parameters)


def _unnamed_parts(obj, config: dict) -> list:
    """The parts that config does not hold, None in place of the others; [] if it holds all."""
    if not isinstance(obj, Parametric):  # the `parts` of another class mean something else
        return []
    named = {id(node) for node in nodes_in(config)}
    parts = [None if id(p) in named or isinstance(p, Foreign) else p for p in obj.parts]
    return parts if any(part is not None for part in parts) else []


def has_params(obj) -> bool:
    """Whether it is a leaf with parameters (or an empty vector whose dtype is not float64)."""
    is_leaf = isinstance(obj, Parametric) and not obj.parts
    return is_leaf and (obj.params.size > 0 or obj.params.dtype != float)


def first_difference(old, new) -> str | None:
    """The name of a plain-data attribute that differs between two objects, or None."""
    a, b = _state(old), _state(new)
    return next((k for k in {**a, **b} if a.get(k) != b.get(k)), None)


def _state(obj) -> dict:
    state = {k: v for k, v in getattr(obj, "__dict__", {}).items() if k[:5] != "_memo"}
    state.pop("params", None)  # no parameters may be an empty array, or no array
    state |= {"params": obj.params} if has_params(obj) else {}
    return {name: _bits(value) for name, value in state.items()}


def _bits(value):
    """A key that two values share only if they are equal bit for bit; () for what is no plain
    data (nodes are compared by themselves)."""
    if type(value) in PLAIN:
        return repr(value)
    if isinstance(value, (list, tuple)):
        return type(value), [*map(_bits, value)]
    if isinstance(value, np.integer):
        return repr(int(value))
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype, value.shape, value.tobytes()
    return (dict, list(value), [*map(_bits, value.values())]) if isinstance(value, dict) else ()
