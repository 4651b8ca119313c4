"""One library in a process of its own, which works only while it is asked to.

    python -m benchmarks.worker NAME       reads one JSON command a line, writes one answer a line

    {"do": "build", "flow": "maf", "case": {...}, "kind": "maf", "dtype": "float32"}
    {"do": "time", "flow": "maf", "what": "step", "repeats": 10, "warm_up": 0.02}
                                                                      -> {"seconds": of all ten}
    {"do": "forget"}                                                  all flows
    {"do": "versions"}

`Worker` is the other end. Its pauses let the threads of the one before fall asleep: most libraries
keep theirs spinning for some milliseconds after the last product.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from .cases import Case
from .contestants import CONTESTANTS, N_SAMPLES

PAUSE = 0.05  # seconds before and after a turn
WARM_UP = 0.02  # seconds of work at the beginning of a turn that do not count


class Worker:
    """A running worker of one library: `ask` it, or hand a `Task` of it to `interleave`."""

    def __init__(self, name: str, python: Path | str):
        self.name = name
        file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._complaints = file  # `close` closes it
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
        )

    def ask(self, **command) -> dict:
        """Errors: RuntimeError with what the library said."""
        with suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._complaints.seek(0)
            line = json.dumps({"error": f"its process ended. {self._complaints.read()[-1000:]}"})
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


class Task:
    """One kind of work of one flow in a worker; `time` is what `interleave` calls."""

    def __init__(self, worker: Worker, flow: str, what: str):
        self.worker, self.flow, self.what = worker, flow, what
        self.first_call = self._last = None  # seconds of a call; the first one may compile

    def time(self, repeats: int) -> float:
        known_and_short = self._last is not None and self._last < WARM_UP
        time.sleep(PAUSE)
        seconds = self.worker.ask(
            do="time",
            flow=self.flow,
            what=self.what,
            repeats=repeats,
            warm_up=WARM_UP if known_and_short else 0,
        )["seconds"]
        time.sleep(PAUSE)
        self._last = seconds / repeats
        if self.first_call is None:
            self.first_call = self._last
        return seconds


class Server:
    """The commands, inside the worker's process."""

    def __init__(self, name: str):
        self.contestant, self.flows = CONTESTANTS[name], {}

    def versions(self) -> dict:
        from importlib.metadata import version

        return {"versions": {package: version(package) for package in self.contestant.packages}}

    def build(self, flow: str, case: dict, kind: str, dtype: str) -> dict:
        case = Case(**{**case, "hidden": tuple(case["hidden"])})
        made = self.flows[flow] = self.contestant(case, kind, dtype)
        return {"n_weights": made.n_weights}

    def time(self, flow: str, what: str, repeats: int, warm_up: float) -> dict:
        made = self.flows[flow]
        call, value, start = getattr(made, what), 0.0, time.perf_counter()
        while time.perf_counter() < start + warm_up:
            value = call()
        np.asarray(value)
        start = time.perf_counter()
        for _ in range(repeats):
            value = call()
        value = np.asarray(value)  # waits for libraries that still compute
        seconds = time.perf_counter() - start
        self._check(made, what, value)
        return {"seconds": seconds}

    @staticmethod
    def _check(made, what: str, value: np.ndarray) -> None:
        """Was it the whole work, in the right precision, with a finite result?"""
        shapes = {
            "step": (),
            "density": (made.case.batch,),
            "sample": (N_SAMPLES, made.case.dim),
        }
        if value.shape != shapes[what] or not np.isfinite(value).all():
            raise ValueError(f"its {what} has shape {value.shape}, or is not finite")
        if value.dtype != made.dtype and what != "step":
            raise ValueError(f"its {what} is {value.dtype}, not {made.dtype}")

    def forget(self) -> dict:
        self.flows.clear()
        return {}


def build(worker: Worker, case: Case, kind: str, dtype: str) -> None:
    """Ask for a flow, named by its kind, and see that its network is as large as everybody's.

    Errors: RuntimeError if the numbers of weights differ, or if the library fails.
    """
    asked = {"flow": kind, "case": asdict(case), "kind": kind, "dtype": dtype}
    got, wanted = worker.ask(do="build", **asked)["n_weights"], n_weights(case)
    if got != wanted:
        raise RuntimeError(f"{worker.name} has {got} weights in case {case}, not {wanted}")


def n_weights(case: Case) -> int:
    """Entries of all weight matrices, masked ones included, and of all biases."""
    widths = [case.dim, *case.hidden, 2 * case.dim]
    return case.layers * sum((a + 1) * b for a, b in pairwise(widths))


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries may print what they like, but not among the answers
    server = Server(name)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(server, command.pop("do"))(**command)
        except Exception as problem:  # the other end reports it and goes on without this one
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
