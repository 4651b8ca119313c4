"""What is inside of an object, of any kind: for marks that are the same in every process.

A function is its code, with the constants in it, and the values that it has got from elsewhere. So
two functions of one name are two, and the same function, read again from its file, is the same.
"""

from __future__ import annotations

import dis
import functools
import types

import numpy as np

from ...core import derived

_CONSTANTS = (int, float, complex, str, bytes, tuple, np.generic, np.ndarray)


def inside(value) -> list | tuple | dict | None:
    """The parts that make `value` what it is; None if its repr does, as of a number or a class."""
    if isinstance(value, (list, tuple, dict)):
        return value
    if isinstance(value, (type, types.ModuleType)):
        return None
    if isinstance(value, types.FunctionType):
        return _inside_function(value)
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    return held(value) or None


def held(value) -> dict:
    """The attributes of an object, those in slots included, without what it only remembers."""
    found = {name: getattr(value, name) for name in _slots(value) if hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    return {name: part for name, part in found.items() if not _is_memory(type(value), name)}


def name_of(value) -> str:
    """The name of a function, or of the class of anything else; no module: a script that is run
    and the same one imported are one."""
    kind = value if isinstance(value, types.FunctionType) else type(value)
    return kind.__qualname__


def _is_memory(kind: type, name: str) -> bool:
    remembered = isinstance(getattr(kind, name, None), (functools.cached_property, derived))
    return remembered or name.startswith("_memo")


def _slots(value) -> list[str]:
    names = []
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _inside_function(function: types.FunctionType) -> dict:
    code = function.__code__
    cells = function.__closure__ or ()
    return {
        "code": _inside_code(code),
        "defaults": [function.__defaults__, function.__kwdefaults__],
        "closure": dict(zip(code.co_freevars, map(_content, cells), strict=True)),
        "globals": _globals_of(function),
    }


def _content(cell: types.CellType):
    try:
        return cell.cell_contents
    except ValueError:  # of a name that has no value yet
        return "nothing"


def _globals_of(function: types.FunctionType) -> dict:
    """The global constants, and functions of the same module, that it uses, by name.

    Not other objects, which may change while the function is the same, nor what was imported.
    """
    found = {}
    for name in sorted(_global_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, types.FunctionType):
            if value.__globals__ is function.__globals__:
                found[name] = value
        elif isinstance(value, _CONSTANTS):
            found[name] = value
    return found


def _global_names(code: types.CodeType) -> set[str]:
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return names.union(*(_global_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _inside_code(code: types.CodeType) -> list:
    """Its instructions, and what they refer to; not where it stands."""
    arguments = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return [code.co_code.hex(), arguments, names, [_constant(c) for c in code.co_consts]]


def _constant(value):
    """1, 1.0 and True are different constants, and a set has an order in every process."""
    if isinstance(value, types.CodeType):
        return _inside_code(value)
    if isinstance(value, tuple):
        return [_constant(item) for item in value]
    if isinstance(value, frozenset):
        return ["frozenset", sorted(map(repr, value))]
    return repr(value)
