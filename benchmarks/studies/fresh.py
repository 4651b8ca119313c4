"""A contestant that trains in a fresh process."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..support.process import ROOT, end_of


def training(
    python: Path, what: str, name: str, data: Path, settings: dict, seconds: float = math.inf
) -> Iterator[tuple[float, dict]]:
    """(seconds since the start, content) of every line of JSON that it prints, see
    contestants/__main__.py; it is ended after so many seconds.

    Errors: RuntimeError with the end of what it printed, if it failed before.
    """
    command = [python, "-m", "benchmarks.studies.contestants", what, name, data]
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen([*command, json.dumps(settings)], stdout=subprocess.PIPE,
                         stderr=complaints, text=True, cwd=ROOT) as process,
    ):  # fmt: skip
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
            raise RuntimeError(f"{name} did not train: {end_of(complaints)}")
