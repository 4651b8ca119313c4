"""What the fast tests may cost, in CPU seconds: `pytest --budget` prints it, and fails above it.

Machines differ, so seconds are counted in units of a fixed loop: on a machine whose loop takes
LOOP seconds they are seconds. A test that needs more pays with another one of its room, or is
`slow`; a room that needs more changes its number here, and its commit gives the reason.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOMS = {"engine": 65, "any_density": 90, "tables": 65, "course": 15, "site": 22, "flowcore": 12}
ALL = 280  # with collection, reports, and the processes that tests start
MOST = 2.0  # seconds of one test
MOST_TESTS = 8000  # pytest itself takes 3 ms for each
LOOP = 0.16
BUSY = 1.25  # times its bound: neighbours cost more than the loop shows


def loop():
    """CPU seconds of what tests do: small arrays, and Python. Of three runs the least: the first
    one is cold, and others may meet a neighbour."""
    return min(map(_loop, range(3)))


def _loop(_):
    start, x = time.process_time(), np.linspace(0, 1, 2000)
    for k in range(40_000):
        x = np.tanh(x + 1e-4 * k) + sum({i: i for i in range(20)}.values()) * 1e-9
    return time.process_time() - start


def spent():
    """CPU seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


class Budget:
    """A plugin. Where tests run in processes of pytest-xdist, these measure, and the first one adds
    up."""

    def __init__(self):
        self.rooms, self.tests, self.since, self.workers = Counter(), Counter(), 0.0, 0.0

    def pytest_runtest_logstart(self):
        self.since = spent()  # without what came between two tests, such as the collection

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self):
        report = yield
        now = spent()
        report.cpu, self.since = now - self.since, now
        return report

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.workers += getattr(node, "workeroutput", {}).get("cpu", 0.0)

    def pytest_runtest_logreport(self, report):
        top, room = report.nodeid.split("/")[:2] if "/" in report.nodeid else ("", "")
        self.rooms[room if top == "tests" else top] += getattr(report, "cpu", 0.0)
        self.tests[report.nodeid] += getattr(report, "cpu", 0.0)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session):
        self.faults, self.table = [], []
        if hasattr(session.config, "workerinput"):
            session.config.workeroutput["cpu"] = spent()
        else:
            self._judge(loop() / LOOP)
            if self.faults and session.exitstatus == 0:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def _judge(self, speed):
        for room, most in ROOMS.items():
            cost = self.rooms[room] / speed
            self.table.append(f"{room:12} {cost:6.1f} of {most} CPU s")
            if cost > BUSY * most:
                self.faults.append(f"{room} is above its budget: make one of its tests smaller")
        # the processes that this one waits for are those of pytest-xdist, if there are any
        total = (self.workers + time.process_time() if self.workers else spent()) / speed
        self.table.append(f"{'all':12} {total:6.1f} of {ALL} CPU s, {len(self.tests)} tests")
        if total > BUSY * ALL:
            self.faults.append("all tests together are above their budget")
        dearest = [f"{test} {seconds / speed:.1f}" for test, seconds in self.tests.most_common(5)]
        self.table.append("the dearest tests: " + ", ".join(dearest))
        for test, seconds in self.tests.most_common(40):
            if seconds / speed > BUSY * MOST:
                took = f"{test} takes {seconds / speed:.1f} CPU s"
                self.faults.append(f"{took}: make it smaller, or mark it slow")
        if len(self.tests) > MOST_TESTS:
            self.faults.append(f"more than {MOST_TESTS} tests: use families (families.py)")

    def pytest_terminal_summary(self, terminalreporter):
        terminalreporter.section("budget")
        terminalreporter.write_line("\n".join([*self.table, *self.faults]))


def main(most, file):
    """Whether the processes of a shell have stayed within so many seconds; `times > file` has
    written those of itself and those of its children, as "1m2.3s 0m4.5s"."""
    children = Path(file).read_text("utf-8").split("\n")[1].split()
    parts = [text.rstrip("s").split("m") for text in children]
    seconds = sum(60 * int(m) + float(s) for m, s in parts) / (loop() / LOOP)
    print(f"{seconds:.0f} of {most} CPU s")
    return int(seconds > float(most))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
