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
        _print_error("flowcore: standard output is closed: nowhere to print to")
        return USAGE
    try:
        try:
            return _run(sys.argv[1:] if argv is None else list(argv))
        finally:
            sys.stdout.flush()  # here, where an error is one line
    except KeyboardInterrupt:
        _print_error("interrupted")
        return INTERRUPTED
    except SystemExit as ended:  # by a signal, see flowcore/cli/signals.py
        return ended.code
    except BrokenPipeError:  # e.g. `| head -1`, which has read enough
        return BROKEN_PIPE
    except Problem as problem:
        _print_error(f"flowcore: {problem}")
        return MENDED
    except (OSError, ValueError) as problem:  # of standard output
        reason = getattr(problem, "strerror", None) or problem
        _print_error(f"flowcore: standard output: {reason}")
        return USAGE
    except Exception as problem:
        if sys.flags.dev_mode:
            raise
        _print_error(
            f"flowcore: a bug, please report it: {type(problem).__name__}: {problem} "
            "(python -X dev -m flowcore ... prints where)"
        )
        return MENDED
    finally:
        _drop_what_cannot_be_printed()


def _run(argv: list[str]) -> int:
    """Parse the arguments, then do their work: typer would end a broken pipe in its own way."""
    from .app import app

    printed = io.StringIO()
    try:
        with redirect_stdout(printed):  # help
            command = app(args=argv, prog_name="flowcore", standalone_mode=False)
    except Exception as problem:
        if getattr(problem, "exit_code", None) != USAGE:  # typer's errors of usage have it
            raise
        context = getattr(problem, "ctx", None)
        name = "flowcore" if context is None else context.command_path
        message = problem.format_message().replace("Value error, ", "")  # pydantic's, in typer's
        _print_error(f"{name}: error: {message} (see {name} --help)")
        return USAGE
    if text := printed.getvalue():
        print(text, end="")
    if command == INTERRUPTED:  # so typer returns it, while it parses
        raise KeyboardInterrupt
    if not callable(command):
        return command or 0
    from .messages import in_one_line

    with in_one_line():
        command()
    return 0


def _print_error(text: str) -> None:
    print(one_line(text), file=sys.stderr)


def _is_open(stream) -> bool:
    """Is there anything to print to? None is what Python has if the process began without one."""
    return stream is not None and not stream.closed


def _drop_what_cannot_be_printed() -> None:
    """Or Python tries once more when it ends, and prints the error."""
    try:
        if _is_open(sys.stdout):
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
