"""Types of the arguments of flowcore's constructors, which `load` checks before a call.

The types come from the annotations of the constructors, e.g. `dim: int` or
`log_scale_bound: float | None`. So a constructor checks only the values of its arguments, as it
does for every caller, and never gets a string from a file where it expects a number.
"""

from __future__ import annotations

import numpy as np

from ..bijectors import Bijector, ElementwiseAffine, Standardize
from ..core.parameters import Parametric
from ..networks import MADE
from ..transformers import Transformer

BASE = ("dim", "sample", "log_prob")  # what a density has, of whatever class
MAP = ("n_out", "forward_and_log_det", "inverse_and_log_det")  # and a transformer


def fits(value, annotation: str) -> bool:
    """Whether a value is of one of the kinds, as in "str | Sequence[int] | None"."""
    return any(_is_of_kind(value, kind) for kind in annotation.split(" | "))


def _is_of_kind(value, kind: str) -> bool:
    if kind not in KINDS:
        inner = kind.removeprefix("Sequence[").removesuffix("]")
        return isinstance(value, (list, tuple)) and all(_is_of_kind(v, inner) for v in value)
    known = KINDS[kind]
    return isinstance(value, known) if isinstance(known, (type, tuple)) else known(value)


def is_int(value) -> bool:
    """A Python or NumPy integer, not a bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_real(value) -> bool:
    return is_int(value) or isinstance(value, (float, np.floating))


def _is_array(value) -> bool:
    """Real numbers, or what NumPy makes an array of them: no strings, no objects."""
    known = isinstance(value, (bool, np.bool_, np.ndarray, list, tuple)) or _is_real(value)
    return known and np.asarray(value).dtype.kind in "biuf"


def _is_integers(value) -> bool:
    return isinstance(value, (list, tuple)) and all(map(is_int, value))


def _has(names: tuple[str, ...]):
    """Whether a value has these names; a class of one's own may derive from nothing."""
    return lambda value: all(hasattr(value, name) for name in names)


KINDS = {
    "None": type(None),
    "bool": (bool, np.bool_),
    "int": is_int,
    "float": _is_real,
    "str": str,
    "list": list,
    "dict": dict,
    "np.ndarray": np.ndarray,
    "ArrayLike": _is_array,
    "Sequence[float]": _is_array,
    "tuple[tuple[float, ...], ...]": _is_array,
    "tuple[int, ...]": _is_integers,
    "Hidden": lambda value: value is None or _is_integers(value),
    "Bijector": Bijector,
    "Standardize": Standardize,
    "ElementwiseAffine": ElementwiseAffine,
    "MADE": MADE,
    "Parametric": lambda value: isinstance(value, Parametric) and callable(value),
    "Base": _has(BASE),
    "Transformer": lambda value: isinstance(value, Transformer) or _has(MAP)(value),
}
