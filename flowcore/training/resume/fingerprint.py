"""The run that a checkpoint belongs to: hashes of flow and data, and the options as text.

Functions, and objects of classes outside of flowcore, are not compared: `checkpoint_key` is the
user's name of their version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass

import numpy as np

from ...core.rows import blocks
from ...files import Writer
from ..schedules import is_number

_PACKAGE = __name__.partition(".")[0] + "."


def fingerprint(
    flow, tables: dict, options: dict, rng_state: dict, key: str | None
) -> dict[str, str]:
    """{name: text} of the flow, the data, and the options that the result depends on.

    flow        the argument of `fit`, not yet initialised
    tables      {name: array, or None}; options   {name: value}
    rng_state   the state of the generator that the caller passed
    key         the user's `checkpoint_key`

    Errors: ValueError if there is no key, and a part or an option can only be compared by one.
    """
    if not (key is None or isinstance(key, str)):
        raise TypeError(f"checkpoint_key must be a str, not {key!r:.60}")
    state = json.dumps(rng_state, default=np.ndarray.tolist)
    return {
        "flow": _flow_text(flow, key),
        **{name: "None" if array is None else _table_text(array) for name, array in tables.items()},
        **{name: _option_text(name, value, key) for name, value in options.items()},
        "rng": f"{rng_state['bit_generator']} {hashlib.sha256(state.encode()).hexdigest()}",
        "checkpoint_key": repr(key),
    }


def differences(there: dict[str, str], here: dict[str, str]) -> str:
    """The names and texts in which two fingerprints differ, for a message; "" if they agree.

    An option that was not given is None.
    """
    pairs = {name: (there.get(name, "None"), here.get(name, "None")) for name in {**here, **there}}
    return ", ".join(f"{name} ({a} there, {b} here)" for name, (a, b) in pairs.items() if a != b)


def _flow_text(flow, key: str | None) -> str:
    """The class, and a hash of the description as `save` writes it, and of all arrays."""
    nodes, arrays = [], {}
    try:
        writer = Writer(flow)
        nodes, arrays = writer.nodes, writer.arrays
    except (AttributeError, TypeError, ValueError) as problem:  # a part of the user's own
        if key is None:
            raise _keyless("flow", flow) from problem
    texts = [_table_text(array) for array in (flow.params, *arrays.values())]
    text = json.dumps([nodes, texts])
    return f"{type(flow).__name__} {hashlib.sha256(text.encode()).hexdigest()}"


def _table_text(array: np.ndarray) -> str:
    """Shape, dtype and a hash of the numbers, read in blocks of rows: a memmap is not copied."""
    found, rows = hashlib.sha256(), np.atleast_1d(array)
    for block in blocks(len(rows), rows[:1].size):
        found.update(rows[block].tobytes())
    return f"{array.shape} {array.dtype.str} {found.hexdigest()}"


def _option_text(name: str, value, key: str | None) -> str:
    """A number (of any type), a text or None as it is, a hash of an array; an object of flowcore's
    field by field."""
    if value is None or isinstance(value, (bool, str)):
        return repr(value)
    if is_number(value):
        return f"{float(value):.17g}"
    if isinstance(value, np.ndarray):
        return _table_text(value)
    kind = type(value)
    if is_dataclass(kind) and kind.__module__.startswith(_PACKAGE):
        values = {f.name: getattr(value, f.name) for f in fields(kind)}
        texts = (f"{n}={_option_text(f'{name}.{n}', v, key)}" for n, v in values.items())
        return f"{kind.__name__}({', '.join(texts)})"
    if key is None:
        raise _keyless(name, value)
    return getattr(value, "__qualname__", kind.__qualname__)


def _keyless(name: str, value) -> ValueError:
    return ValueError(
        f"checkpoint= cannot compare {name} ({value!r:.80}) with that of another run: pass "
        'checkpoint_key="1", any text that you change whenever your functions or classes change'
    )
