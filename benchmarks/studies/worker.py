"""One library in a process of its own, which works only while it is asked to.

    python -m benchmarks.studies.worker NAME
            reads one JSON command a line, writes one answer a line

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
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..support.cases import SPLINES, Case
from ..support.process import Process
from .contestants import CONTESTANTS, N_SAMPLES, US, Contestant
from .cores import environment_for, pinned

PAUSE = 0.05  # seconds before and after a turn
WARM_UP = 0.02  # seconds of work at the beginning of a turn that do not count


class Worker(Process):
    """A running worker of one library: `ask` it, or hand a `Task` of it to `interleave`.

    cores: it stays on these, with as many threads; None: as many as it likes
    """

    def __init__(self, name: str, python: Path | str, cores: Sequence[int] | None = None):
        command = [str(python), "-m", "benchmarks.studies.worker", name]
        with pinned(cores):
            super().__init__(name, command, env=environment_for(cores))


@contextmanager
def start(
    names: Sequence[str], python: Path, cores: Sequence[int] | None = None
) -> Iterator[tuple[dict[str, Worker], dict[str, str]]]:
    """Workers of all that can start, and the versions of their packages, which are printed."""
    workers, versions = {}, {}
    with ExitStack() as running:
        for name in names:
            worker = running.enter_context(Worker(name, python, cores))
            try:
                packages = worker.ask(do="versions")["versions"]
            except RuntimeError as problem:
                leave_out(name, problem)
                continue
            workers[name] = worker
            versions[name] = ", ".join(f"{package} {v}" for package, v in packages.items())
            print(f"  {name:12s} {versions[name]}", flush=True)
        yield workers, versions


def leave_out(name: str, problem: RuntimeError) -> None:
    """Go on without a peer that fails, and print its error; not without flowcore."""
    if name == US:
        raise problem
    print(f"  {name} is left out here: {problem}", flush=True)


def build_all(workers: Mapping[str, Worker], flows: Mapping[str, Case], dtype: str) -> list[str]:
    """Make flows, by kind, in every worker that can; returns who has them."""
    present = []
    for name, worker in workers.items():
        worker.ask(do="forget")
        if not all(CONTESTANTS[name].can_build(case, kind) for kind, case in flows.items()):
            continue
        try:
            for kind, case in flows.items():
                build(worker, case, kind, dtype)
        except RuntimeError as problem:
            leave_out(name, problem)
            continue
        present.append(name)
    return present


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
        made, start = self.flows[flow], time.perf_counter()
        while time.perf_counter() < start + warm_up:
            made.timed(what, 1)
        seconds, value = made.timed(what, repeats)
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
    got = worker.ask(do="build", **asked)["n_weights"]
    wanted = n_weights(case, kind, CONTESTANTS.get(worker.name, Contestant))
    if got != wanted:
        raise RuntimeError(f"{worker.name} has {got} weights in case {case}, not {wanted}")


def n_weights(case: Case, kind: str = "maf", contestant: type[Contestant] = Contestant) -> int:
    """Entries of all weight matrices, masked ones included, and of all biases.

    The hidden layers are the same for everybody; with splines the first and the last are not.
    """
    per_coordinate = contestant.spline_outputs if kind in SPLINES else 2
    total = 0
    for layer in range(case.layers):
        inputs, outputs = contestant.reads_and_maps(case.dim, kind, layer)
        widths = [inputs, *case.hidden, per_coordinate * outputs]
        total += sum((a + 1) * b for a, b in pairwise(widths))
    return total


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
