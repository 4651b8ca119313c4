"""flowcore: normalizing flows in pure NumPy, written to be read.

    forward = base -> data (sampling),  inverse = data -> base (density)

Read in this order: the conventions (docs/start/conventions.md), `spec/reference.py`, the head of
`core/workspace.py`, `bijectors/bijector.py`, `bijectors/autoregressive.py`,
`transformers/affine.py`, `networks/made.py` (which unit reads what), `networks/layers.py` and
`networks/network.py` (the products), `core/calls.py`.

`import flowcore` loads no subpackage, and not even NumPy. `__init__.pyi` lists the public names,
one a line with its subpackage. Type checkers read it, and so does this file, which imports a
subpackage at its first use.
"""

import os
from importlib import import_module
from importlib.util import find_spec

from ._version import __version__ as __version__


def _public_names() -> dict[str, str]:
    """name -> its module, relative: `from .MODULE import NAME as NAME` in the stub."""
    stub = os.path.join(os.path.dirname(__file__), "__init__.pyi")
    with open(stub, encoding="utf-8") as lines:
        words = [line.split() for line in lines if line.startswith("from .")]
    return {name: module for _, module, _, name, *_ in words}


_MODULES = _public_names()
__all__ = [name for name in _MODULES if not name.startswith("_")]


def __getattr__(name: str) -> object:
    """A public name, or any module of flowcore's, imported at its first use."""
    module = _MODULES.get(name)
    if module is None and (name.startswith("_") or not find_spec(f"{__name__}.{name}")):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if module in (None, "."):
        return import_module(f"{__name__}.{name}")
    value = globals()[name] = getattr(import_module(__name__ + module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
