"""The state of a random generator as JSON, and back."""

from __future__ import annotations

import re

import numpy as np

# NumPy takes over what it is given. These are indices into buffers: larger ones read beyond them.
_LARGEST = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}


def plain(value):
    """The state of a bit generator as JSON: some hold arrays, or integers of 128 bits."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    value = value.item() if isinstance(value, np.generic) else value
    return {"int": hex(value)} if isinstance(value, int) else value


def unplain(value, like, name: str = "rng_state"):
    """What `plain` made JSON of; `like` is a state of the same bit generator.

    Errors: ValueError for anything that cannot be such a state.
    """
    if isinstance(like, dict):
        if not isinstance(value, dict) or value.keys() != like.keys():
            raise _unlike(name, value, f"an object with {', '.join(like)}")
        return {key: unplain(value[key], item, f"{name}.{key}") for key, item in like.items()}
    if isinstance(like, np.ndarray):
        return _array(value, like, name)
    if isinstance(like, (int, np.integer)):
        digits = value.get("int") if isinstance(value, dict) else None
        most = _LARGEST.get(name.rpartition(".")[2], 2**128 - 1)
        whole = isinstance(digits, str) and re.fullmatch("0x[0-9a-f]{1,32}", digits)
        if not whole or int(digits, 16) > most:
            raise _unlike(name, value, f"an integer in 0..{most:#x}")
        return int(digits, 16)
    if value != like:  # such as the name of the generator
        raise _unlike(name, value, repr(like))
    return value


def _array(value, like: np.ndarray, name: str) -> np.ndarray:
    numbers = value.get("array") if isinstance(value, dict) else None
    most = np.iinfo(like.dtype).max
    same = isinstance(numbers, list) and like.shape == (len(numbers),)
    if not same or not all(type(number) is int and 0 <= number <= most for number in numbers):
        raise _unlike(name, value, f"{like.size} integers in 0..{most:#x}")
    return np.array(numbers, like.dtype)


def _unlike(name: str, value, expected: str) -> ValueError:
    return ValueError(f"{name} is {value!r:.60}, not {expected}")
