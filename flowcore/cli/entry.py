"""How the command ends: exit status, one-line errors, streams that are closed."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

from .problem import Problem, one_line

MENDED, USAGE = 1, 2
INTERRUPTED, BROKEN_PIPE = 128 + 2, 128 + 13  # as if the signal had ended the process


def run(argv=None) -> int:
    """The command with these arguments; returns the exit status.

    0 fine; 1 something that the user can mend; 2 wrong arguments, or nowhere to print to;
    130 interrupted; 143 SIGTERM; 141 the reader of standard output has read enough.
    """
    if not _is_open(sys.stderr):  # or print and tqdm would take standard output instead
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            return run(argv)
    if not _is_open(sys.stdout):
        _tell("flowcore: standard output is closed: nowhere to print to")
        return USAGE
    try:
        try:
            return _understood(sys.argv[1:] if argv is None else list(argv))
        finally:
            sys.stdout.flush()  # here, where an error is told in one line
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    except SystemExit as ended:  # by a signal, see flowcore/cli/interrupts.py
        return ended.code
    except BrokenPipeError:  # e.g. `| head -1`, which has read enough
        return BROKEN_PIPE
    except Problem as problem:
        _tell(f"flowcore: {problem}")
        return MENDED
    except OSError as problem:
        place = "standard output: " if problem.filename is None else ""
        _tell(f"flowcore: {place}{problem.strerror if place else problem}")
        return USAGE
    except ValueError as problem:
        _tell(f"flowcore: {problem}")
        return USAGE
    except Exception as problem:
        if sys.flags.dev_mode:
            raise
        _tell(f"flowcore: a bug, please report it: {type(problem).__name__}: {problem} "
              "(python -X dev -m flowcore ... prints where)")  # fmt: skip
        return MENDED
    finally:
        _drop_what_cannot_be_printed()


def _understood(argv: list[str]) -> int:
    """Parse the arguments, then do what they say: typer would end a broken pipe in its own way."""
    from .app import app

    printed = io.StringIO()
    try:
        with redirect_stdout(printed):  # help
            found = app(args=argv, prog_name="flowcore", standalone_mode=False)
    except Exception as problem:
        if getattr(problem, "exit_code", None) != USAGE:  # typer's errors of usage have it
            raise
        context = getattr(problem, "ctx", None)
        command = "flowcore" if context is None else context.command_path
        message = problem.format_message().replace("Value error, ", "")
        _tell(f"{command}: error: {message} (see {command} --help)")
        return USAGE
    if text := printed.getvalue():
        print(text, end="")
    if callable(found):
        return found()
    if found == INTERRUPTED:  # so typer says it, while it parses
        raise KeyboardInterrupt
    return found or 0


def _tell(text: str) -> None:
    print(one_line(text), file=sys.stderr)


def _is_open(stream) -> bool:
    """Is there anything to print to? None is what Python has if the process began without one."""
    return stream is not None and not stream.closed


def _drop_what_cannot_be_printed() -> None:
    """Or Python tries once more when it ends, and tells of that."""
    try:
        if _is_open(sys.stdout):
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
