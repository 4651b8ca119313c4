"""Contents of files in error messages: short, on one line, without control characters."""

from __future__ import annotations

import reprlib

import numpy as np


def expect(condition, otherwise: str, *values) -> None:
    """A ValueError unless the condition holds: `otherwise` with `shown` values for its braces."""
    if not condition:
        raise ValueError(otherwise.format(*map(shown, values)))


def shown(value) -> str:
    """A value of any size in at most about 80 characters; an object by its class only."""
    return printable(_SHORT.repr(value), 80)


def unquoted(name) -> str:
    """A name, or any other value in its place, without quotes."""
    return printable(name, 80) if isinstance(name, str) else shown(name)


def printable(text: str, most: int = 300) -> str:
    """The first `most` characters, with escapes for characters that control a terminal.

    For messages of others, which may quote the file.
    """
    cut = text if len(text) <= most else f"{text[:most]}..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)


class _Short(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 2, 4, 4, 4
        self.maxstring = self.maxother = 60

    def repr_instance(self, x, level):
        if x is None or isinstance(x, (bool, float, np.number, np.bool_)):
            return repr(x)
        return f"<{type(x).__name__}>"  # whose repr may be as long as the file

    def repr_ndarray(self, x, level):
        return f"<an array of shape {x.shape}>"


_SHORT = _Short()
