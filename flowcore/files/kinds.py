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

DEEPEST = 4  # of lists that stand for an array


def fits(value, annotation: str) -> bool:
    """Whether a value is of one of the kinds, as in "str | Sequence[int] | None"."""
    return any(KINDS[kind](value) for kind in annotation.split(" | "))


def is_int(value) -> bool:
    """A Python or NumPy integer, not a bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_real(value) -> bool:
    return is_int(value) or isinstance(value, (float, np.floating))


def _is_bool(value) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_array(value, depth: int = 0) -> bool:
    """An array of real numbers, or what NumPy can make one of: no strings, no objects."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    if isinstance(value, (list, tuple)):
        return depth < DEEPEST and all(_is_array(item, depth + 1) for item in value)
    return _is_real(value) or _is_bool(value)


def _is_list(of: Callable) -> Callable:
    return lambda value: isinstance(value, (list, tuple)) and all(map(of, value))


def _is_instance(*classes: type) -> Callable:
    return lambda value: isinstance(value, classes)


def _has(*names: str) -> Callable:
    """An object with these attributes: of a class of one's own, it may derive from nothing."""
    return lambda value: all(hasattr(value, name) for name in names)


def _never(value) -> bool:
    """Of what a file describes by a dict."""
    return False


def _is_transformer(value) -> bool:
    directions = _has("n_out", "forward_and_log_det", "inverse_and_log_det")
    return isinstance(value, Transformer) or directions(value)


KINDS: dict[str, Callable] = {
    "None": lambda value: value is None,
    "bool": _is_bool,
    "int": is_int,
    "float": _is_real,
    "str": _is_instance(str),
    "np.ndarray": _is_instance(np.ndarray),
    "ArrayLike": _is_array,
    "Sequence[ArrayLike]": _is_list(_is_array),
    "Sequence[float]": _is_array,
    "tuple[tuple[float, ...], ...]": _is_array,
    "Sequence[int]": _is_list(is_int),
    "Sequence[str]": _is_list(_is_instance(str)),
    "tuple[int, ...]": _is_list(is_int),
    "Hidden": lambda value: value is None or _is_list(is_int)(value),
    "dict": _is_instance(dict),
    "Schema": _never,
    "Frequencies": _never,
    "Bijector": _is_instance(Bijector),
    "Sequence[Bijector]": _is_list(_is_instance(Bijector)),
    "Standardize": _is_instance(Standardize),
    "ElementwiseAffine": _is_instance(ElementwiseAffine),
    "MADE": _is_instance(MADE),
    "Parametric": lambda value: isinstance(value, Parametric) and callable(value),
    "Base": _has("dim", "sample", "log_prob"),
    "Sequence[Base]": _is_list(_has("dim", "sample", "log_prob")),
    "Transformer": _is_transformer,
    "Sequence[Transformer]": _is_list(_is_transformer),
}
