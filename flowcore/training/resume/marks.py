"""Which run a checkpoint belongs to: marks of the flow, the data and the options, as text."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass

import numpy as np

from ...files import Writer, printable
from ..checks import BLOCK
from ..loop import Run
from ..table import Rows, Table
from .inside import held, inside, name_of
from .plain import plain


def fingerprint(flow, table: Table, run: Run, rng_state: dict, **options) -> dict[str, str]:
    """{what: how it is told apart} of the flow, the data, and the options that matter.

    flow        as it was given to `fit`: not initialised yet
    rng_state   of the generator as it was given
    """
    data, given = table.data, table.given or Rows(None)
    tables = {"X": data.x, "sample_weight": data.weight, "context": data.context}
    tables |= {"validation_data": given.x, "context of validation_data": given.context}
    options = {
        "batch_size": table.batch_size,
        "optimizer": run.optimizer,
        "average": None if run.average is None else run.average.decay,
        "validation_split": table.held_out,
        "shuffle": table.shuffle,
        "rows for initialize": table.n_first,  # fewer of a large memmap
        **options,
    }
    return {
        "flow": _told_apart("flow", _mark_of_flow, flow),
        **{name: _mark_of_table(table) for name, table in tables.items()},
        "rng": f"{rng_state['bit_generator']} {_digest(json.dumps(plain(rng_state)).encode())}",
        **{n: _told_apart(n, _mark_of_option, value) for n, value in options.items()},
    }


def _told_apart(name: str, mark: Callable, value) -> str:
    """The mark of an argument of `fit`; a ValueError if what it holds is too deep to look at."""
    try:
        return mark(value)
    except RecursionError:
        raise ValueError(
            f"{name} cannot be told from another one, as checkpoint= needs it: it holds objects "
            "that hold objects, hundreds deep. Let it hold them in one list or array, or fit "
            "without a checkpoint"
        ) from None


def _mark_of_option(value, seen: dict | None = None) -> str:
    """A number or a text as it is; a dataclass field by field; a hash of what else there is.

    Numbers of all types are alike, and addresses in memory are left out. seen   see `_state_of`
    """
    seen = {} if seen is None else seen
    if is_dataclass(value) and not isinstance(value, type):
        return _mark_of_dataclass(value, seen)
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return f"{value:.17g}"
    if inside(value) is None:
        return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    return f"{name_of(value)} {_mark_of_state(value, seen)}"


def _mark_of_dataclass(value, seen: dict) -> str:
    name = type(value).__name__
    if id(value) in seen:
        return f"{name} {seen[id(value)][0]}"
    seen[id(value)] = len(seen), value
    marks = {f.name: _mark_of_option(getattr(value, f.name), seen) for f in fields(value)}
    text = f"{name}({', '.join(f'{n}={mark}' for n, mark in marks.items())})"
    others = {k: v for k, v in held(value).items() if k not in marks}
    return f"{text} {_mark_of_state(others, seen)}" if others else text


def differences(there: dict[str, str], here: dict[str, str]) -> str:
    """In what they differ, as part of a message."""
    names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    texts = [
        [printable(str(text), 200) for text in (n, there.get(n), here.get(n))] for n in names[:20]
    ]
    return ", ".join(f"{n} ({a} there, {b} here)" for n, a, b in texts)


def _mark_of_flow(flow) -> str:
    """The class, the number of parameters, and a hash of the description and all arrays."""
    writer = Writer()
    try:
        writer.add(flow)
        hashes = [_mark_of_table(array) for array in [flow.params, *writer.arrays.values()]]
        text = json.dumps([writer.nodes, hashes])
    except (AttributeError, TypeError, ValueError):  # somebody's own part need not be describable
        text = json.dumps(_state_of(flow, {}))
    return f"{type(flow).__name__} with {flow.n_params} parameters {_digest(text.encode())}"


def _mark_of_state(value, seen: dict) -> str:
    return _digest(json.dumps(_state_of(value, seen)).encode())


def _state_of(value, seen: dict):
    """All that an object holds as JSON, arrays as hashes; what is met again as its number."""
    if isinstance(value, np.ndarray):
        return _mark_of_table(value) if value.dtype != object else _state_of(value.tolist(), seen)
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(_state_of(item, dict(seen))) for item in value)
    parts = inside(value)
    if parts is None:
        return _mark_of_option(value, seen)
    if id(value) in seen:
        return seen[id(value)][0]
    seen[id(value)] = len(seen), value  # kept alive, so that no other object gets its id
    if isinstance(parts, dict):
        state = {str(key): _state_of(item, seen) for key, item in parts.items()}
    else:
        state = [_state_of(item, seen) for item in parts]
    return state if parts is value else [name_of(value), state]


def _mark_of_table(table: np.ndarray | None) -> str:
    """Shape, dtype and a hash of the bytes, read in blocks of rows: a memmap is not copied."""
    if table is None:
        return "None"
    rows = np.atleast_1d(table)
    step = max(1, BLOCK // max(1, math.prod(rows.shape[1:])))
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    return f"{table.shape} {table.dtype} {_digest(*blocks)}"


def _digest(*blocks) -> str:
    found = hashlib.blake2b(digest_size=16)
    for block in blocks:
        if isinstance(block, np.ndarray):
            block = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
        found.update(block)
    return found.hexdigest()
