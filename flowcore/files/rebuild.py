"""Data as objects: rebuilds a tree from its description (see `describe.py`).

Constructors are called by class and arguments, and check them as they do for every caller. Their
errors become a ValueError that names the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from ..core import imported
from ..core.parameters import Parametric, frozen
from .archive import Refused
from .describe import argument_names, fitted_names, is_describable

# where a class that a file names is looked up, in this order; each is imported when it is reached
ROOMS = ("bijectors", "transformers", "networks", "distributions", "mixtures", "discrete",
         "training", "estimator", "tables.record", "tables.categorical", "tables.frequencies",
         "tables.chow_liu_tree", "tables.latent_classes", "tables.normal_scores", "tables.soft_log",
         "tables.tail", "tables.proposal", "targets", "inference")  # fmt: skip
# never in a file: abstract classes, and what others make use of
INTERNAL = ("BaseDistribution", "Bijector", "Distribution", "Foreign", "Network", "Pointwise",
            "Proposal", "TableDensity", "Target", "Transformer")  # fmt: skip
PACKAGE = __name__.partition(".")[0]


class OwnError(Refused):
    """An error of a class of the caller's, which is its cause."""


@lru_cache(maxsize=256)  # a file names few classes, in many nodes
def own_class(name: str) -> type | None:
    """flowcore's public class of this name, if it has one that can be a node."""
    for room in ROOMS:
        found = getattr(imported(f"{PACKAGE}.{room}"), name, None)
        own = isinstance(found, type) and found.__module__.startswith(f"{PACKAGE}.{room}")
        if own and found.__name__ == name:
            return found if is_describable(found) and name not in INTERNAL else None
    return None


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
    """Nodes and arrays -> objects; what cannot be rebuilt is a ValueError that names the node."""

    def __init__(self, arrays: dict[str, np.ndarray], foreign: dict[str, type]):
        self._arrays, self._foreign = arrays, foreign
        self._objects: list = []

    def read(self, nodes: list[dict]) -> list:
        """The objects of all nodes, in their order."""
        for node in nodes:
            try:
                self._objects.append(self._object(node))
            except (MemoryError, Refused):
                raise
            except Exception as problem:  # whatever somebody has written into it
                name = node.get("class") if isinstance(node, dict) else node
                raise ValueError(self._about(name, problem)) from problem
        return self._objects

    def _about(self, name, problem) -> str:
        return f"cannot be rebuilt: node {len(self._objects)} ({name!s:.80}): {problem}"

    def _object(self, node: dict):
        cls = self._class(node["class"])
        config = self._values(node["config"])
        weights = [[self._arrays[name] for name in layer] for layer in node.get("weights", ())]
        params = self._arrays[node["params"]] if "params" in node else None
        array = weights[0][0] if weights else params
        if array is not None and "dtype" in argument_names(cls):
            config = {"dtype": array.dtype, **config}
        obj = self._made(cls, config)
        if "parts" in node:  # in place of those that the constructor has made by itself
            pairs = zip(obj.parts, self._decode(node["parts"]), strict=True)
            obj = obj.rebuilt({id(made): part for made, part in pairs if part is not None})
        _set_fitted(obj, self._values(node.get("fitted", {})))
        if weights:
            return obj.with_weights(weights)
        return obj if params is None else obj.with_params(params)

    def _made(self, cls: type, config: dict):
        try:
            return cls(**config)
        except Exception as problem:
            if cls.__name__ not in self._foreign:
                raise
            raise OwnError(self._about(cls.__name__, problem)) from problem

    def _class(self, name: str) -> type:
        cls = self._foreign.get(name) or own_class(name)
        if cls is None:
            fix = f"if it is yours, load(path, classes=[{name}])"
            problem = f"class {name!r} is neither flowcore's nor in classes: {fix}"
            raise Refused(self._about(name, problem))
        return cls

    def _values(self, encoded: dict) -> dict:
        return {name: self._decode(value) for name, value in encoded.items()}

    def _decode(self, value):
        if isinstance(value, list):
            return [self._decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        [(tag, inner)] = value.items()
        if tag == "node":
            return self._objects[inner]
        if tag == "array":
            return self._arrays[inner]
        if tag == "scalar":
            return self._arrays[inner][()]
        if tag == "tuple":
            return tuple(self._decode(inner))
        if tag == "dict":
            return self._values(inner)
        return float(inner)  # nan, inf, -inf


def _set_fitted(obj, fitted: dict) -> None:
    for name in fitted_names(obj):
        value = fitted[name]
        setattr(obj, name, frozen(value) if isinstance(value, np.ndarray) else value)
    if fitted and isinstance(obj, Parametric):
        obj.check_fitted()
