"""The number of useful threads: the number of cores that this process may use."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from .inputs import check_dim

MOST = 1024  # threads: a larger number is a mistake
ENVIRONMENT = "FLOWCORE_THREADS"


def n_threads(threads: int | None = None) -> int:
    """The number of threads: the argument, else the environment variable FLOWCORE_THREADS, else
    the cores that this process may use, at most 8."""
    name, value = "threads", threads
    if value is None:
        name, value = f"the environment variable {ENVIRONMENT}", os.environ.get(ENVIRONMENT, "")
        if not value:
            return min(n_cores(), 8)
        value = int(value) if value.strip().isdecimal() else value
    n = check_dim(name, value)
    if n > MOST:
        raise ValueError(f"{name} must be at most {MOST}: more threads than cores gain nothing")
    return n


def n_cores() -> int:
    """The cores that this process may use, by its affinity and its quota."""
    if sys.platform == "emscripten":  # a browser: no threads
        return 1
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return max(1, min(cores or 1, int(_quota())))


@cache
def _quota() -> float:
    """Cores' worth of time that Linux grants this process's control group; infinity without one.

    A container limited to 2 of 64 cores sees 64. Sixty-four threads would use up the quota of each
    tenth of a second in a moment, and stand still for the rest of it.
    """
    return min(quotas(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")), default=2.0**31)


def quotas(mount: Path, own: Path) -> list[float]:
    """The quotas of a control group and of those above it, in cores.

    mount   where the groups are; own   a file with lines such as "0::/system.slice/a.service"
    """
    found = []
    for line in _text(own).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        inside = Path(path.lstrip("/"))
        for group in (inside, *inside.parents):
            if not controllers:  # version 2: "200000 100000" or "max 100000", in microseconds
                limit = _text(mount / group / "cpu.max").split()
            elif "cpu" in controllers.split(","):  # version 1: -1 is no limit
                folders = [mount / name / group for name in ("cpu", controllers)]
                names = "cpu.cfs_quota_us", "cpu.cfs_period_us"
                # a folder that is not there gives empty texts, which are less
                limit = max([_text(folder / name) for name in names] for folder in folders)
            else:
                continue
            if len(limit) == 2 and all(number.strip().isdecimal() for number in limit):
                found.append(int(limit[0]) / max(1, int(limit[1])))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
