"""Data as objects: rebuilds a tree from its description (see `describe.py`), trusting nothing.

Constructors are called by class and arguments. So the types of the arguments are checked first, and
all sizes are compared with the arrays in the file, before a constructor makes anything of such a
size. Constructors check the rest, as they do for every caller: their ordinary errors become a
ValueError that names the node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..bijectors import Coupling, LULinear
from ..core import imported
from ..core.parameters import Parametric, frozen
from ..networks import MADE, MLP, Network
from ..transformers import Transformer
from .describe import (
    LEFT_OUT,
    argument_names,
    constructor_parameters,
    fitted_names,
    has_params,
    is_describable,
    is_leaf,
    parts_of,
)
from .kinds import fits, is_int
from .messages import expect, printable, shown, unquoted

MAX_DEPTH = 300  # of nested nodes
MAX_VALUES = 100  # of nested lists and dicts within a node
SMALL = 2**20  # a description may ask for this many numbers even if the file holds fewer
MAX_STEPS = 30_000  # nodes more than there are, when everything that is shared is written out
# where a class that a file names is looked up, in this order; a room is imported when it is reached
ROOMS = ("bijectors", "transformers", "networks", "distributions", "discrete", "targets",
         "estimator", "tables")  # fmt: skip
# never in a file: abstract classes, and what others make use of
INTERNAL = ("BaseDistribution", "Bijector", "Distribution", "Foreign", "Network", "Pointwise",
            "Target", "Transformer")  # fmt: skip
# name of a class that is gone -> "room.function" which builds today's object from its arguments
RETIRED = {
    "CircularMLP": "networks.network.from_circular",
    "Given": "distributions.conditioning.from_given",
    "TableDensity": "tables.record.from_frequencies",
}
# arguments that are gone, which older files still have: a density with probes is exact now
RETIRED_ARGUMENTS = {"ContinuousFlow": {"probes"}}
PACKAGE = __name__.partition(".")[0]
ORDINARY = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
            ValueError)  # fmt: skip


@lru_cache(maxsize=256)  # a file names few classes, in many nodes
def own_class(name: str) -> type | None:
    """flowcore's public class of this name, if it has one that can be a node."""
    for room in ROOMS:
        found = getattr(imported(f"{PACKAGE}.{room}"), name, None)
        own = isinstance(found, type) and found.__module__.startswith(PACKAGE)
        if own and found.__name__ == name:
            return found if is_describable(found) and name not in INTERNAL else None
    return None


def constructor(name: str) -> Callable | None:
    """The constructor of flowcore's class of this name; None if flowcore has no such class."""
    if name in RETIRED:
        room, _, function = RETIRED[name].rpartition(".")
        return getattr(imported(f"{PACKAGE}.{room}"), function)
    return own_class(name)


def foreign_classes(classes: Iterable[type]) -> dict[str, type]:
    """The user's own classes, which a file may name beside flowcore's, by name."""
    found: dict[str, type] = {}
    for cls in [classes] if isinstance(classes, type) else classes:
        if not isinstance(cls, type):
            raise TypeError(f"classes must be a list of classes, but contains {cls!r}")
        first = found.setdefault(cls.__name__, cls)
        if first is not cls or own_class(cls.__name__) not in (None, cls):
            raise ValueError(f"there are two classes named {cls.__name__}: rename yours")
    return {name: cls for name, cls in found.items() if own_class(name) is None}


class Reader:
    """Nodes and arrays -> objects, trusting neither: whatever is wrong is a ValueError."""

    def __init__(self, arrays: dict[str, np.ndarray], foreign: dict[str, type], n_bytes: int):
        self._arrays, self._foreign = dict(arrays), foreign
        self._room = SMALL + 2 * n_bytes  # how many more numbers constructors may make
        self._objects: list = []
        self._extents: list[tuple[int, int]] = []  # (depth, nodes with shared ones repeated)
        self._refs: list[int] = []

    def read(self, nodes) -> list:
        """The objects of all nodes, in their order."""
        expect(isinstance(nodes, list) and nodes, "does not describe a flow: no list of nodes")
        self._steps = MAX_STEPS + len(nodes)
        for k, node in enumerate(nodes):
            try:
                self._objects.append(self._object(node))
            except ORDINARY as problem:
                name = unquoted(node.get("class")) if isinstance(node, dict) else "?"
                kind = "" if isinstance(problem, ValueError) else f"{type(problem).__name__}: "
                raise ValueError(
                    f"cannot be rebuilt: node {k} ({name}): {kind}{printable(str(problem))}"
                ) from problem
        idle = sorted(set(range(len(nodes) - 1)) - set(self._refs))
        expect(not idle, "holds what nothing refers to: node {}", *idle[:1])
        expect(not self._arrays, "holds what nothing refers to: array {}", *[*self._arrays][:1])
        return self._objects

    def _object(self, node):
        expect(isinstance(node, dict), "{} instead of a node", node)
        optional = {"weights", "params", "fitted", "parts"}
        good = {"class", "config"} <= set(node) <= {"class", "config"} | optional
        expect(good, "a node with keys {}", list(node))
        cls, start = self._class(node["class"]), len(self._refs)
        config, fitted = self._values(node["config"]), self._values(node.get("fitted", {}))
        for name in RETIRED_ARGUMENTS.get(node["class"], ()):
            config.pop(name, None)
        parts = self._decode(node.get("parts", []))
        weights, params = self._weights(node.get("weights")), node.get("params")
        params = None if params is None else self._take(params, "f")
        self._check_extent(self._refs[start:])
        expect(isinstance(parts, list), "{} instead of parts", parts)
        own = node["class"] not in self._foreign
        if own:
            expect(not parts, "parts that belong into config")
            self._check_config(cls, config, weights)
        obj = _with_parts(_construct(cls, config, weights, params), parts)
        _set_fitted(obj, fitted, strict=own)
        if node["class"] in RETIRED:  # it has the parameters of its arguments
            expect(weights is None and params is None, "arrays that belong into config")
            return obj
        return _with_arrays(obj, weights, params)

    def _class(self, name) -> Callable:
        expect(isinstance(name, str), "its class is {}", name)
        found = self._foreign.get(name) or constructor(name)
        if found is None:
            raise ValueError(
                f"class {shown(name)} is neither flowcore's nor in classes: if it is yours, "
                f"load(path, classes=[{unquoted(name)}])"
            )
        return found

    def _values(self, encoded, depth: int = 0) -> dict:
        expect(isinstance(encoded, dict), "{} instead of named values", encoded)
        return {name: self._decode(value, depth) for name, value in encoded.items()}

    def _decode(self, value, depth: int = 0):
        expect(depth <= MAX_VALUES, "values nested more than {} deep", MAX_VALUES)
        if isinstance(value, str):
            value.encode()  # half of a pair of surrogates is no text: a ValueError
        if isinstance(value, float):
            expect(math.isfinite(value), "{} as a plain number", value)
        if isinstance(value, int):
            expect(abs(value) < 2**63, "the number {} is too large", value)
        if isinstance(value, list):
            return [self._decode(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        expect(len(value) == 1, "a value with several keys, or none: {}", value)
        [(tag, inner)] = value.items()
        if tag == "node":
            known = type(inner) is int and 0 <= inner < len(self._objects)
            expect(known, "no earlier node {}", inner)
            self._refs.append(inner)
            return self._objects[inner]
        if tag == "array":
            return self._take(inner)
        if tag == "scalar":
            array = self._take(inner)
            expect(array.ndim == 0, "{} instead of a scalar", array)
            return array[()]
        if tag == "tuple" and isinstance(inner, list):
            return tuple(self._decode(inner, depth + 1))
        if tag == "dict":
            return self._values(inner, depth + 1)
        if tag == "float" and inner in ("nan", "inf", "-inf"):
            return float(inner)
        raise ValueError(f"a value {shown(tag)} of {shown(inner)}")

    def _take(self, name, kinds="biufc") -> np.ndarray:
        """An array, which no other place in the description may name."""
        known = isinstance(name, str) and name in self._arrays
        expect(known, "array {} is missing, or named twice", name)
        array = self._arrays.pop(name)
        expect(array.dtype.kind in kinds, f"array {{}} of {array.dtype}", name)
        return array

    def _weights(self, layers):
        """[[W, b] or [W, b, C], ...], all of one dtype; None without."""
        if layers is None:
            return None
        lists = isinstance(layers, list) and all(isinstance(v, list) and v for v in layers)
        expect(lists, "{} instead of weights", layers)
        weights = [[self._take(name, "f") for name in layer] for layer in layers]
        dtypes = {a.dtype for layer in weights for a in layer}
        expect(len(dtypes) == 1, "weights of {} dtypes", len(dtypes))
        return weights

    def _check_extent(self, refs: list[int]) -> None:
        extents = [self._extents[i] for i in refs]
        depth = 1 + max((d for d, _ in extents), default=0)
        steps = 1 + sum(n for _, n in extents)
        expect(depth <= MAX_DEPTH, "nested more than {} times", MAX_DEPTH)
        expect(steps <= self._steps, "more than {} nodes, with shared ones repeated", self._steps)
        self._extents.append((depth, steps))

    def _check_config(self, cls: Callable, config: dict, weights) -> None:
        """A ValueError unless the arguments of one of flowcore's constructors have its types, and
        the file holds all that it will make of them."""
        parameters = {p.name: p for p in constructor_parameters(cls) if p.name not in LEFT_OUT}
        for name, value in config.items():
            expect(name in parameters, "unexpected argument {}", name)
            kind = parameters[name].annotation
            expect(fits(value, kind), f"{name} must be {kind}, not {{}}", value)
        if cls in (MLP, MADE):
            _check_weights(cls, config, weights)
        elif cls is Coupling:
            expect(config["conditioner"] is not None, "a Coupling without its conditioner")
        else:
            size = _numbers_made(cls, config)
            self._room -= size
            expect(self._room >= 0, "arguments that ask for {} numbers", size)


def _numbers_made(cls: Callable, config: dict) -> int:
    """At most how many numbers a constructor makes of such arguments, other than arrays of them."""
    transformers = [v.n_out for v in config.values() if isinstance(v, Transformer)]
    numbers = [v for v in (*config.values(), *transformers) if is_int(v)]
    if cls is LULinear:
        numbers.append(config["dim"])  # its matrices are (D, D)
    return math.prod(max(1, abs(int(v))) for v in numbers)


def _check_weights(cls: type, config: dict, weights) -> None:
    """The weights of a network have the shapes that follow from its arguments."""
    first = config["in_dim" if cls is MLP else "dim"]
    last = config["out_shape"] if cls is MLP else (first, config["n_out"])
    n_features = first + len(config.get("circular", ()))
    widths, n_context = [n_features, *config["hidden"], math.prod(last)], config["context_dim"]
    for v in (*widths, *last, n_context + 1):
        expect(v >= 1, "a width of {}", v)
    everywhere = config.get("context_layers", "all") == "all"
    wanted = [
        [(a, b), (b,)] + [(n_context, b)] * bool(n_context and (i == 0 or everywhere))
        for i, (a, b) in enumerate(pairwise(widths))
    ]
    found = [[a.shape for a in layer] for layer in weights or ()]
    expect(found == wanted, "weights of shapes {}", found)


def _construct(cls: type, config: dict, weights, params):
    """cls(**config), with the dtype of its arrays."""
    array = params if weights is None else weights[0][0]
    if array is not None and "dtype" in argument_names(cls):
        config = {"dtype": array.dtype, **config}
    return cls(**config)


def _with_parts(obj, parts):
    """The object with some of the parts that it made by itself replaced."""
    if not parts:
        return obj
    made = parts_of(obj)
    new = {id(a): b for a, b in zip(made, parts, strict=True) if b is not None}
    for a in made:
        b = new.get(id(a), a)
        expect(type(a) is type(b), f"a {type(b).__name__} as the part {type(a).__name__}")
    return obj.rebuilt(new)


def _set_fitted(obj, fitted: dict, strict: bool) -> None:
    names = fitted_names(obj)
    expect(sorted(fitted) == sorted(names), "fitted constants {}, not {}", list(fitted), names)
    for name, value in fitted.items():
        fresh = getattr(obj, name)
        same = type(value) is type(fresh) and np.shape(value) == np.shape(fresh)
        if isinstance(value, np.ndarray):
            same = same and value.dtype == fresh.dtype
        expect(same or not strict, f"the fitted constant {name!r} cannot be {{}}", value)
        setattr(obj, name, frozen(value) if isinstance(value, np.ndarray) else value)
    if names and isinstance(obj, Parametric):
        obj.check_fitted()


def _with_arrays(obj, weights, params):
    """The object with its own parameters, if it has any."""
    if isinstance(obj, Network):
        expect(weights is not None and params is None, "a network without weights")
        return obj.with_weights(weights)
    expect(weights is None, "weights, but it is no network")
    if params is None:
        expect(not has_params(obj), "its params are missing")
        return obj
    expect(is_leaf(obj), "params, but it has none of its own")
    return obj.with_params(params)
