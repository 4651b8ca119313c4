"""Programs in processes of their own: asked line by line, or run to their end."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
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
            line = json.dumps({"error": f"its process ended. {_end_of(self._complaints)}"})
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


def json_lines(
    name: str, command: Sequence[str], seconds: float = math.inf
) -> Iterator[tuple[float, dict]]:
    """(seconds since the start, content) of every line of JSON that a program prints.

    It is ended after so many seconds. Errors: RuntimeError with the end of what it printed, if it
    failed before.
    """
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, cwd=ROOT
        ) as process,
    ):
        stop = threading.Timer(min(seconds, threading.TIMEOUT_MAX), process.kill)
        stop.start()
        try:
            for line in process.stdout:
                if line.startswith("{"):
                    yield time.perf_counter() - start, json.loads(line)
        except BaseException:  # an interrupt too: nobody would end it
            process.kill()
            raise
        finally:
            stop.cancel()
        if process.wait() and time.perf_counter() - start < seconds:
            raise RuntimeError(f"{name} did not train: {_end_of(complaints)}")


def training(
    python: Path, what: str, name: str, data: Path, settings: dict, seconds: float = math.inf
) -> Iterator[tuple[float, dict]]:
    """The `json_lines` of a contestant that trains: see
    benchmarks/studies/contestants/__main__.py."""
    command = [str(python), "-m", "benchmarks.studies.contestants", what, name, str(data)]
    return json_lines(name, [*command, json.dumps(settings)], seconds)


def _end_of(file) -> str:
    file.seek(0)
    return file.read()[-1000:]
