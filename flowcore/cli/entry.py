"""The end of a command: exit status, one-line errors, a closed pipe."""

from __future__ import annotations

import os
import sys

from .messages import print_error, sentence, warnings_as_notes

MENDED, USAGE = 1, 2
INTERRUPTED, BROKEN_PIPE = 128 + 2, 128 + 13  # as if the signal had ended the process
MENDABLE = (ValueError, OSError, ImportError, MemoryError)


def run(argv=None) -> int:
    """The command with these arguments; returns the exit status.

    0 success; 1 an error that the user can fix; 2 wrong arguments; 3 not trusted, by `diagnose
    --fail`; 130 interrupted; 141 standard output was closed by its reader.
    """
    try:
        try:
            _invoke(sys.argv[1:] if argv is None else list(argv))
        finally:
            print(end="", flush=True)  # here, where an error is one line
        return 0
    except KeyboardInterrupt:
        print_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # e.g. `| head -1`, which has read enough
        _drop_what_cannot_be_printed()
        return BROKEN_PIPE
    except MENDABLE as problem:
        print_error(f"flowcore: {sentence(problem)}")
        _drop_what_cannot_be_printed()
        return MENDED
    except Exception as problem:
        return _status_of(problem)


def _invoke(argv: list[str]) -> None:
    """Parse and run a command; typer's `main` would end differently at a broken pipe."""
    from typer.main import get_command

    from .app import app

    command = get_command(app)
    with warnings_as_notes(), command.make_context("flowcore", argv) as context:
        command.invoke(context)


def _status_of(problem: Exception) -> int:
    """Errors of click have an exit status; any other error is a bug."""
    status = getattr(problem, "exit_code", None)
    if status is None:
        if sys.flags.dev_mode:
            raise problem
        print_error(
            f"flowcore: a bug, please report it: {type(problem).__name__}: {problem} "
            "(python -X dev -m flowcore ... prints where)"
        )
        return MENDED
    if status == USAGE:
        context = getattr(problem, "ctx", None)
        name = "flowcore" if context is None else context.command_path
        print_error(f"{name}: error: {problem.format_message()} (see {name} --help)")
    return status


def _drop_what_cannot_be_printed() -> None:
    """Or Python tries once more when it ends, and prints the error."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
