"""Whether values fit the arguments of flowcore's constructors: what `load` asks before a call.

The kinds are those that the constructors' own annotations name, e.g. `dim: int` or
`log_scale_bound: float | None`. So a constructor has to check the values of its arguments, as it
does for every caller, but is never given a string for a number by a file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..bijectors import Bijector, ElementwiseAffine, Standardize
from ..core.parameters import Parametric
from ..networks import MADE
from ..transformers import Transformer

BASE = ("dim", "sample", "log_prob")  # what a density has, of whatever class
DEEPEST = 4  # of lists that stand for an array


def fits(value, annotation: str) -> bool:
    """Whether a value is of one of the kinds, as in "str | Sequence[int] | None"."""
    return any(_is_of_kind(value, kind) for kind in annotation.split(" | "))


def _is_of_kind(value, kind: str) -> bool:
    if kind in KINDS:
        return KINDS[kind](value)
    inner = kind.removeprefix("Sequence[").removesuffix("]")
    return isinstance(value, (list, tuple)) and all(map(KINDS[inner], value))


def is_int(value) -> bool:
    """A Python or NumPy integer, not a bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_real(value) -> bool:
    return is_int(value) or isinstance(value, (float, np.floating))


def _is_array(value, depth: int = 0) -> bool:
    """An array of real numbers, or what NumPy can make one of: no strings, no objects."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    if isinstance(value, (list, tuple)):
        return depth < DEEPEST and all(_is_array(item, depth + 1) for item in value)
    return _is_real(value) or isinstance(value, (bool, np.bool_))


def _is_integers(value) -> bool:
    return isinstance(value, (list, tuple)) and all(map(is_int, value))


def _is_instance(cls: type | tuple[type, ...]) -> Callable:
    return lambda value: isinstance(value, cls)


def _is_base(value) -> bool:
    """Of a class of one's own, it may derive from nothing."""
    return all(hasattr(value, name) for name in BASE)


def _is_transformer(value) -> bool:
    directions = ("n_out", "forward_and_log_det", "inverse_and_log_det")
    return isinstance(value, Transformer) or all(hasattr(value, name) for name in directions)


KINDS: dict[str, Callable] = {
    "None": lambda value: value is None,
    "bool": _is_instance((bool, np.bool_)),
    "int": is_int,
    "float": _is_real,
    "str": _is_instance(str),
    "np.ndarray": _is_instance(np.ndarray),
    "ArrayLike": _is_array,
    "Sequence[float]": _is_array,
    "tuple[tuple[float, ...], ...]": _is_array,
    "tuple[int, ...]": _is_integers,
    "Hidden": lambda value: value is None or _is_integers(value),
    "dict": _is_instance(dict),
    "list": _is_instance(list),
    "Bijector": _is_instance(Bijector),
    "Standardize": _is_instance(Standardize),
    "ElementwiseAffine": _is_instance(ElementwiseAffine),
    "MADE": _is_instance(MADE),
    "Parametric": lambda value: isinstance(value, Parametric) and callable(value),
    "Base": _is_base,
    "Transformer": _is_transformer,
}
