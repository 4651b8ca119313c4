"""A cell of Python: the value of its last line is shown, as in a notebook."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import traceback

import numpy as np

NAME = "<cell>"
LONGEST = 20_000  # characters of output


def run(code: str, names: dict) -> dict:
    """Run code with these names, which it may change: {"out", "problem"}, both text."""
    out, failure = io.StringIO(), ""
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            last = _execute(code, names)
            if last is not None:
                print(repr(last.item() if isinstance(last, np.generic) else last))
        except (Exception, SystemExit, KeyboardInterrupt) as problem:
            failure = _described(problem)
    text = out.getvalue()
    if len(text) > LONGEST:
        text = text[:LONGEST] + f"\n... and {len(text) - LONGEST:,} characters more"
    return {"out": text, "problem": failure}


def value(code: str, names: dict):
    """What code is: the value of its last expression, or the function that it ends with.

    Errors: ValueError with the traceback for code that fails.
    """
    try:
        last = (ast.parse(code).body or [None])[-1]
        found = _execute(code, names)
        return names[last.name] if isinstance(last, ast.FunctionDef) else found
    except Exception as problem:
        raise ValueError(_described(problem)) from None


def _execute(code: str, names: dict):
    """The value of the last expression, or None."""
    tree = ast.parse(code, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NAME, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), NAME, "eval"), names)


def _described(problem: BaseException) -> str:
    """The traceback from the cell on; one line for a package that the page does not have."""
    if isinstance(problem, ModuleNotFoundError):
        return f"{problem.name} is not in this page: it has NumPy, autograd and flowcore's flows."
    frames = traceback.extract_tb(problem.__traceback__)
    inside = [k for k, frame in enumerate(frames) if frame.filename == NAME]
    lines = traceback.format_exception_only(problem)
    if inside:
        lines = [
            "Traceback (the last call last):\n",
            *traceback.format_list(frames[inside[0] :]),
            *lines,
        ]
    return "".join(lines).strip()
