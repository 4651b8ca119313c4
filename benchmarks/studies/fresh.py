"""A contestant that trains in a fresh process."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..support.process import ROOT, end_of


def training(python: Path, name: str, data: Path, settings: dict) -> Iterator[tuple[float, dict]]:
    """(seconds since the start, content) of every line of JSON that it prints, see
    contestants/__main__.py.

    Errors: RuntimeError with the end of what it printed, if it failed before.
    """
    command = [python, "-m", "benchmarks.studies.contestants", name, data, json.dumps(settings)]
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, cwd=ROOT
        ) as process,
    ):
        for line in process.stdout:
            if line.startswith("{"):
                yield time.perf_counter() - start, json.loads(line)
        if process.wait():
            raise RuntimeError(f"{name} did not train: {end_of(complaints)}")
