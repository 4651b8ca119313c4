"""Data as objects: what `load` makes of a description (see `describe.py`), trusting nothing.

Constructors are called by class and arguments, so all sizes are compared with the arrays that the
file really holds before a constructor makes something of that size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from .. import bijectors, distributions, networks, targets, transformers
from ..bijectors import Coupling, LULinear
from ..core import remaking
from ..core.parameters import Parametric, frozen
from ..networks.network import MLP, Network
from ..transformers import Transformer
from .describe import (
    LEFT_OUT,
    MAX_DEPTH,
    argument_names,
    constructor_parameters,
    fitted_names,
    has_params,
    is_int,
    is_leaf,
    parts_of,
)

SMALL = 2**22  # a description may ask for this many numbers even if the file holds fewer
INTERNAL = ("Foreign", "Network", "Pointwise")  # never in a file
MAX_STEPS = 100_000  # nodes, when everything that is shared is written out


def own_classes() -> dict[str, type]:
    """flowcore's public classes that can be nodes, by name."""
    rooms = (bijectors, distributions, networks, targets, transformers)
    names = {name: value for room in rooms for name, value in vars(room).items()}
    kinds = (Parametric, Transformer, targets.Target)
    classes = {k: c for k, c in names.items() if isinstance(c, type) and issubclass(c, kinds)}
    return {name: cls for name, cls in classes.items() if name not in INTERNAL}


def class_registry(classes: Iterable[type]) -> dict[str, type]:
    """The classes that a file may name: flowcore's and these."""
    registry = own_classes()
    for cls in [classes] if isinstance(classes, type) else classes:
        if not isinstance(cls, type):
            raise TypeError(f"classes must be a list of classes, but contains {cls!r}")
        if registry.setdefault(cls.__name__, cls) is not cls:
            raise ValueError(f"there are two classes named {cls.__name__}: rename yours")
    return registry


class Reader:
    """Nodes and arrays -> objects, trusting neither: whatever is wrong is a ValueError."""

    def __init__(self, arrays: dict[str, np.ndarray], registry: dict[str, type], n_text: int):
        self._arrays, self._registry, self._own = dict(arrays), registry, own_classes()
        self._limit = max(SMALL, n_text, sum(a.size for a in arrays.values()))
        self._objects: list = []
        self._extents: list[tuple[int, int]] = []  # (depth, nodes with shared ones repeated)
        self._refs: list[int] = []

    def read(self, nodes) -> list:
        """The objects of all nodes, in their order."""
        _expect(isinstance(nodes, list) and nodes, "does not describe a flow: no list of nodes")
        for k, node in enumerate(nodes):
            try:
                self._objects.append(self._object(node))
            except Exception as problem:  # also what bad arguments provoke in a constructor
                name = str(node.get("class"))[:80] if isinstance(node, dict) else "?"
                kind = "" if isinstance(problem, ValueError) else f"{type(problem).__name__}: "
                raise ValueError(
                    f"cannot be rebuilt: node {k} ({name}): {kind}{problem}"
                ) from problem
        idle = sorted(set(range(len(nodes) - 1)) - set(self._refs))
        unused = [*map("node {}".format, idle), *self._arrays]
        _expect(not unused, f"holds what nothing refers to: {', '.join(unused[:5])}")
        return self._objects

    def _object(self, node):
        _check_keys(node, {"class", "config"}, {"weights", "params", "fitted", "parts"})
        cls, start = self._class(node["class"]), len(self._refs)
        config, fitted = self._values(node["config"]), self._values(node.get("fitted", {}))
        parts = self._decode(node.get("parts", []))
        weights, params = self._weights(node.get("weights")), self._params(node.get("params"))
        self._check_extent(self._refs[start:])
        own = self._own.get(cls.__name__) is cls
        if own:
            _expect(not parts, "parts that belong into config")
            _check_sizes(cls, config, weights, self._limit)
        obj = _with_parts(_construct(cls, config, weights, params), parts)
        _set_fitted(obj, fitted, strict=own)
        return _with_arrays(obj, weights, params)

    def _class(self, name) -> type:
        _expect(isinstance(name, str), f"its class is {name!r}")
        if name not in self._registry:
            name = name[:80]
            raise ValueError(
                f"class {name!r} is neither flowcore's nor in classes: if it is yours, "
                f"load(path, classes=[{name}])"
            )
        return self._registry[name]

    def _values(self, encoded) -> dict:
        _expect(isinstance(encoded, dict), f"{encoded!r} instead of named values")
        return {name: self._decode(value) for name, value in encoded.items()}

    def _decode(self, value):
        if isinstance(value, list):
            return [self._decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        _expect(len(value) == 1, f"a value with keys {list(value)[:5]}")
        [(tag, inner)] = value.items()
        if tag == "node":
            known = type(inner) is int and 0 <= inner < len(self._objects)
            _expect(known, f"no earlier node {inner!r}")
            self._refs.append(inner)
            return self._objects[inner]
        if tag in ("array", "scalar"):
            array = self._take(inner)
            return array[()] if tag == "scalar" else array
        if tag == "tuple" and isinstance(inner, list):
            return tuple(self._decode(inner))
        if tag == "dict":
            return self._values(inner)
        if tag == "float" and inner in ("nan", "inf", "-inf"):
            return float(inner)
        raise ValueError(f"a value {tag!r} of {inner!r}")

    def _take(self, name, kinds="biufc") -> np.ndarray:
        """An array, which no other place in the description may name."""
        known = isinstance(name, str) and name in self._arrays
        _expect(known, f"array {name!r} is missing, or named twice")
        array = self._arrays.pop(name)
        _expect(array.dtype.kind in kinds, f"array {name!r} of {array.dtype}")
        return array

    def _params(self, name):
        return None if name is None else self._take(name, "f")

    def _weights(self, layers):
        """[[W, b] or [W, b, C], ...], all of one dtype; None without."""
        if layers is None:
            return None
        weights = [[self._take(name, "f") for name in layer] for layer in layers]
        dtypes = {a.dtype for layer in weights for a in layer}
        _expect(len(dtypes) == 1, f"weights of {len(dtypes)} dtypes")
        return weights

    def _check_extent(self, refs: list[int]) -> None:
        extents = [self._extents[i] for i in refs]
        depth = 1 + max((d for d, _ in extents), default=0)
        steps = 1 + sum(n for _, n in extents)
        _expect(depth <= MAX_DEPTH, f"nested more than {MAX_DEPTH} times")
        _expect(steps <= MAX_STEPS, f"more than {MAX_STEPS} nodes, with shared ones repeated")
        self._extents.append((depth, steps))


def _check_sizes(cls: type, config: dict, weights, limit: int) -> None:
    """What a constructor of flowcore's will make is in the file, before it makes it."""
    _expect(not set(config) & set(LEFT_OUT), f"arguments {LEFT_OUT} are not stored")
    for parameter in constructor_parameters(cls):
        name = parameter.name
        if parameter.annotation == "int" and name in config:
            _expect(is_int(config[name]), f"{name} is {config[name]!r}, not an integer")
    if issubclass(cls, Network):
        found = [[a.shape for a in layer] for layer in weights or ()]
        _expect(found == _layer_shapes(cls, config), f"weights of shapes {found[:5]}")
    elif issubclass(cls, Coupling):
        _expect(isinstance(config.get("conditioner"), Parametric), "a Coupling's conditioner")
    else:
        transformers = [v.n_out for v in config.values() if isinstance(v, Transformer)]
        numbers = [v for v in (*config.values(), *transformers) if is_int(v)]
        if issubclass(cls, LULinear):
            numbers.append(config["dim"])  # its matrices are (D, D)
        size = math.prod(max(1, abs(int(v))) for v in numbers)
        _expect(size <= limit, f"arguments that ask for {size} numbers")


def _layer_shapes(cls: type, config: dict) -> list[list[tuple]]:
    """[[shape of W, of b(, of C)], ...] of a network with these arguments."""
    if issubclass(cls, MLP):
        first, last = config["in_dim"], config["out_shape"]
    else:
        first, last = config["dim"], (config["dim"], config["n_out"])
    n_context, which = config["context_dim"], config.get("context_layers", "all")
    for v in (first, *config["hidden"], *last, n_context + 1):
        _expect(is_int(v) and v >= 1, f"a width of {v!r}")
    widths = [first, *config["hidden"], math.prod(last)]
    return [
        [(a, b), (b,)] + [(n_context, b)] * bool(n_context and (i == 0 or which == "all"))
        for i, (a, b) in enumerate(pairwise(widths))
    ]


def _construct(cls: type, config: dict, weights, params):
    """cls(**config), with the dtype of its arrays."""
    array = params if weights is None else weights[0][0]
    if array is not None and "dtype" in argument_names(cls):
        config = {"dtype": array.dtype, **config}
    with remaking():
        return cls(**config)


def _with_parts(obj, parts):
    """The object with some of the parts that it made by itself replaced."""
    if not parts:
        return obj
    made = parts_of(obj)
    new = {id(a): b for a, b in zip(made, parts, strict=True) if b is not None}
    for a in made:
        b = new.get(id(a), a)
        _expect(type(a) is type(b), f"a {type(b).__name__} as the part {type(a).__name__}")
    return obj.rebuilt(new)


def _set_fitted(obj, fitted: dict, strict: bool) -> None:
    names = fitted_names(obj)
    _expect(sorted(fitted) == sorted(names), f"fitted constants {list(fitted)}, not {list(names)}")
    for name, value in fitted.items():
        fresh = getattr(obj, name)
        same = type(value) is type(fresh) and np.shape(value) == np.shape(fresh)
        _expect(same or not strict, f"the fitted constant {name!r} cannot be {value!r}")
        setattr(obj, name, frozen(value) if isinstance(value, np.ndarray) else value)


def _with_arrays(obj, weights, params):
    """The object with its own parameters, if it has any."""
    if isinstance(obj, Network):
        _expect(weights is not None and params is None, "a network without weights")
        return obj.with_weights(weights)
    _expect(weights is None, "weights, but it is no network")
    if params is None:
        _expect(not has_params(obj), "its params are missing")
        return obj
    _expect(is_leaf(obj), "params, but it has none of its own")
    return obj.with_params(params)


def _check_keys(node, required: set, optional: set) -> None:
    _expect(isinstance(node, dict), f"{node!r} instead of a node")
    good = required <= set(node) <= required | optional
    _expect(good, f"a node with keys {sorted(node)[:8]}")


def _expect(condition, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
