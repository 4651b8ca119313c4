"""A program in a process of its own, which is asked line by line."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A running program that answers one line of JSON to each that it is sent.

    options   of `subprocess.Popen`, such as env
    """

    def __init__(self, name: str, command: Sequence[str], **options):
        self.name = name
        file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._complaints = file  # `close` closes it
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
            **{"cwd": ROOT, **options},
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()

    def ask(self, **command) -> dict:
        """Errors: RuntimeError with what the program printed."""
        with suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            line = json.dumps({"error": f"its process ended. {end_of(self._complaints)}"})
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}, asked {command}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process; what it was doing is lost."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._complaints.close()


def end_of(file) -> str:
    file.seek(0)
    return file.read()[-1000:]
