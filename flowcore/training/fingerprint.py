"""Which run a checkpoint belongs to: marks of the flow, the data and the options, as text."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
from dataclasses import fields, is_dataclass

import numpy as np

from ..files import Writer
from .checks import BLOCK
from .loop import Run
from .table import Rows, Table


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
        "flow": _mark_of_flow(flow),
        **{name: _mark_of_table(table) for name, table in tables.items()},
        "rng": f"{rng_state['bit_generator']} {_digest(json.dumps(plain(rng_state)).encode())}",
        **{name: _mark_of_option(value) for name, value in options.items()},
    }


def _mark_of_option(value) -> str:
    """Its repr, where numbers of all types are alike and addresses in memory left out."""
    if is_dataclass(value) and not isinstance(value, type):
        marks = {f.name: _mark_of_option(getattr(value, f.name)) for f in fields(value)}
        return f"{type(value).__name__}({', '.join(f'{n}={mark}' for n, mark in marks.items())})"
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return f"{value:.17g}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def differences(there: dict[str, str], here: dict[str, str]) -> str:
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return ", ".join(f"{n} ({there.get(n)} there, {here.get(n)} here)" for n in names)


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


def _state_of(value, seen: dict):
    """All that an object holds as JSON, arrays as hashes; what is met again as its number."""
    if isinstance(value, np.ndarray):
        return _mark_of_table(value) if value.dtype != object else _state_of(value.tolist(), seen)
    if isinstance(value, (set, frozenset)):
        return sorted(map(_mark_of_option, value))
    inside = isinstance(value, (list, tuple, dict)) or hasattr(value, "__dict__")
    if not inside or isinstance(value, type) or inspect.ismodule(value) or inspect.isroutine(value):
        return _mark_of_option(value)
    if id(value) in seen:
        return seen[id(value)][0]
    seen[id(value)] = len(seen), value  # kept alive, so that no other object gets its id
    if isinstance(value, (list, tuple)):
        return [_state_of(item, seen) for item in value]
    if isinstance(value, dict):
        return {str(key): _state_of(item, seen) for key, item in value.items()}
    state = {k: _state_of(v, seen) for k, v in vars(value).items() if not k.startswith("_memo")}
    return [type(value).__qualname__, state]


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


def plain(value):
    """The state of a bit generator as JSON: some hold arrays, or integers of 128 bits."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    value = value.item() if isinstance(value, np.generic) else value
    return {"int": hex(value)} if isinstance(value, int) else value


def unplain(value):
    if not isinstance(value, dict):
        return value
    if set(value) == {"array", "dtype"}:
        return np.array(value["array"], value["dtype"])
    if set(value) == {"int"}:
        return int(value["int"], 16)
    return {name: unplain(item) for name, item in value.items()}
