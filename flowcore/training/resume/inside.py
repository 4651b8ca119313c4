"""What is inside of an object, of any kind: for marks that are the same in every process.

A function is its code, with the constants in it, and the values that it has got from elsewhere. So
two functions of one name are two, and the same function, read again from its file, is the same.
An object is its attributes; or, if it has none or says so itself, what `pickle` would write of it.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator
from pickle import PicklingError

import numpy as np

from ...core import derived

_CONSTANTS = (int, float, complex, str, bytes, tuple, np.generic, np.ndarray)
_TOLD = (int, float, complex, str, bytes, bytearray, np.generic, np.dtype)  # by their repr
_CONTAINERS = (list, tuple, dict)
_OF_C = (types.BuiltinMethodType, types.MethodWrapperType)
_OURS = __name__.partition(".")[0] + "."


def inside(value) -> list | tuple | dict | None:
    """The parts that make `value` what it is; None if its repr does, as of a number or a class."""
    if value is None or type(value) in _TOLD or isinstance(value, (type, types.ModuleType)):
        return None
    if isinstance(value, types.FunctionType):
        return _inside_function(value)
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, _OF_C):  # a method of an object, or a function of a module
        owner = value.__self__
        in_module = owner is None or isinstance(owner, types.ModuleType)
        return None if in_module else [owner, value.__name__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, memoryview):
        return [value.format, value.shape, value.tobytes()]
    return _inside_object(value)


def held(value) -> dict:
    """The attributes of an object, those in slots included, without what it only remembers; and
    what it does when it is called."""
    found = {name: getattr(value, name) for name in _slots(value) if hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    return _lasting(type(value), found) | _call(type(value))


def name_of(value) -> str:
    """The name of a function, or of the class of anything else; no module: a script that is run
    and the same one imported are one."""
    kind = value if isinstance(value, types.FunctionType) else type(value)
    return kind.__qualname__


def _inside_object(value) -> list | tuple | dict | None:
    attributes = held(value)
    if isinstance(value, _TOLD):
        kind = next(kind for kind in _TOLD if isinstance(value, kind))
        return [kind.__repr__(value), attributes] if attributes else None
    if isinstance(value, _CONTAINERS):
        kind = next(kind for kind in _CONTAINERS if isinstance(value, kind))
        return [kind(value), attributes] if attributes else value
    if attributes and not _says_what_it_is(type(value)):
        return attributes
    return _pickled(value) or attributes or None


def _says_what_it_is(kind: type) -> bool:
    """To `pickle`: such as a pandas Series, among whose attributes is what it has computed."""
    names = ("__reduce__", "__reduce_ex__", "__getstate__")  # Python 3.10: no __getstate__
    return any(getattr(kind, name, None) is not getattr(object, name, None) for name in names)


def _pickled(value) -> list | None:
    """What `pickle` would write of an object: how it is made, from what; None if it cannot be."""
    try:
        parts = value.__reduce_ex__(2)
    except RecursionError:
        raise
    except (TypeError, RuntimeError, PicklingError):  # such as a lock, also one of processes
        return None
    if isinstance(parts, str):
        return [parts]
    maker, *others = [list(part) if isinstance(part, Iterator) else part for part in parts]
    others = [_lasting(type(value), p) if isinstance(p, dict) else p for p in others]
    return [getattr(maker, "__qualname__", maker), *others, _call(type(value))]


def _lasting(kind: type, attributes: dict) -> dict:
    return {name: part for name, part in attributes.items() if not _is_memory(kind, name)}


def _is_memory(kind: type, name) -> bool:
    if not isinstance(name, str):
        return False
    remembered = isinstance(getattr(kind, name, None), (functools.cached_property, derived))
    return remembered or name.startswith("_memo")


def _call(kind: type) -> dict:
    """What somebody's own object does when it is called."""
    defined = (vars(base).get("__call__") for base in kind.__mro__)
    call = next((call for call in defined if call is not None), None)
    theirs = isinstance(call, types.FunctionType) and not str(call.__module__).startswith(_OURS)
    return {"__call__": call} if theirs else {}


def _slots(value) -> list[str]:
    """Their names as they are stored: that of `__x` in a class C is `_C__x`."""
    names = []
    for kind in type(value).__mro__:
        if "__slots__" in vars(kind):
            members = vars(kind).items()
            names += [n for n, m in members if isinstance(m, types.MemberDescriptorType)]
    return names


def _inside_function(function: types.FunctionType) -> dict:
    code = function.__code__
    cells = function.__closure__ or ()
    return {
        "code": _inside_code(code),
        "defaults": [function.__defaults__, function.__kwdefaults__],
        "closure": dict(zip(code.co_freevars, map(_content, cells), strict=True)),
        "globals": _globals_of(function),
        "attributes": dict(vars(function)),
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
