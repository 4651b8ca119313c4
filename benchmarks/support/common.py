"""What the benchmarks share: a report with a control, the machine header, arguments, tables, JSON.

How things are timed. All contestants of one question run in the same process, in turn, round after
round (A B C A B C ...), so that a slow minute of the machine hits all of them. A round times enough
calls of each to be measurable; reported are medians and quartiles over the rounds, and a ratio is
taken within every round before its median is. One contestant is always the *control*, a fixed
workload of plain NumPy products and elementwise functions: seconds divided by the control's seconds
can be compared between two days, and the control's own spread shows a busy machine.

    report = Report("density", parse(parser(__doc__), argv))           # prints the header
    timings = report.interleave({"f32": lambda: ..., "f64": lambda: ...})
    report.add("density f32", timings, "f32", case="C")                # one row of the JSON
    timings.ratio("f32", "f64")                                        # Spread(median, q1, q3)
    report.finish()                                                    # the control, --json FILE

`cases` imports flowcore where it is used.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from .cases import CASES
from .timing import (
    CONTROL,
    DTYPES,
    Spread,
    Timings,
    control_workload,
    gemm_peak,
    interleave,
    significant,
)


class Report:
    """One run of one benchmark: prints the header, keeps rows and control, writes the JSON."""

    def __init__(self, benchmark: str, args: argparse.Namespace):
        self.benchmark, self.args, self.rows = benchmark, args, []
        self.machine: dict = machine()
        self._control: list = []
        self.peak = dict.fromkeys(DTYPES, math.nan)  # not measured in a quick run
        print_machine(f"{benchmark}{' (quick)' if args.quick else ''}", self.machine)

    def interleave(self, contestants: Mapping[str, Callable], budget=math.inf) -> Timings:
        """`interleave` with the rounds of the command line, and the control among them."""
        everyone = {**contestants, CONTROL: control_workload()}
        timings = interleave(everyone, self.args.rounds, self.args.seconds, budget)
        self._control.append(timings.seconds[CONTROL])
        if not self.args.quick:
            self._measure_peak()
        return timings

    def _measure_peak(self) -> None:
        """The best of the whole run so far: a neighbour on the machine only ever lowers it."""
        for name, dtype in DTYPES.items():
            self.peak[name] = np.fmax(self.peak[name], gemm_peak(dtype))

    def of_peak(self, multiply_adds: int, seconds: float, dtype: str) -> float:
        """The share of the GEMM peak that these products reach; NaN in a quick run."""
        return 2e-9 * multiply_adds / seconds / self.peak[dtype]

    def add(self, name: str, timings: Timings, contestant: str, parts: int = 1, **facts) -> dict:
        """Keep one row; `name` identifies it among the rows of this benchmark, for ever.

        parts: the contestant was one of so many equal parts of what the row is about.
        """
        if any(row["name"] == name for row in self.rows):
            raise ValueError(f"{self.benchmark} has two rows named {name!r}")
        seconds = timings.spread(contestant).times(parts)
        row = {"name": name, "seconds": seconds._asdict(), **facts}
        self.rows.append(row)
        return row

    @property
    def control(self) -> dict:
        """The control's seconds over all rounds of the run, and the GEMM peak in GFLOP/s."""
        seconds = np.concatenate(self._control) if self._control else []
        return {"seconds": Spread.of(seconds)._asdict(), "gemm_peak_gflops": self.peak}

    def finish(self) -> Report:
        """Print how the control did, and write the JSON if a file was asked for."""
        control = Spread(**self.control["seconds"])
        print(f"\ncontrol: {control.show(1e3)} ms (median and quartiles over the run)")
        if not self.args.quick:
            peaks = ", ".join(f"{peak:.0f} in {name}" for name, peak in self.peak.items())
            print(f"GEMM peak: {peaks} (GFLOP/s, the best of the run)")
        if not control.q3 <= 1.3 * control.q1:
            print("the machine was busy or unsteady: trust ratios, and not the milliseconds")
        if self.args.json:
            write_json(self.args.json, self.as_dict())
        return self

    def as_dict(self) -> dict:
        # files and folders are of this machine, and of no interest to who reads the numbers
        settings = {k: v for k, v in vars(self.args).items() if not isinstance(v, Path)}
        return _finite(
            {
                "benchmark": self.benchmark,
                "machine": self.machine,
                "settings": settings,
                "control": self.control,
                "rows": self.rows,
            }
        )


def bare_parser(doc: str, prog: str | None = None) -> argparse.ArgumentParser:
    """One whose help is the docstring, as it stands."""
    return argparse.ArgumentParser(
        prog, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def parser(doc: str, rounds: int = 15, seconds: float = 0.1) -> argparse.ArgumentParser:
    """--json, --quick, --rounds, --seconds: the same for every benchmark. See `parse`."""
    new = bare_parser(doc)
    new.add_argument("--json", metavar="FILE", type=Path, help="write machine, control and rows")
    new.add_argument("--quick", action="store_true", help="a small form that takes seconds")
    new.add_argument("--rounds", type=int, help=f"rounds over the contestants ({rounds})")
    new.add_argument("--seconds", type=float, help=f"time of one contestant a round ({seconds})")
    new.set_defaults(full=(rounds, seconds))
    return new


def letters(text: str) -> str:
    """The type of --cases."""
    if not set(text) <= CASES.keys():
        raise argparse.ArgumentTypeError(f"letters of {''.join(CASES)}, not {text!r}")
    return text


def parse(new: argparse.ArgumentParser, argv=None, quick=(5, 0.004)) -> argparse.Namespace:
    """The arguments; rounds and seconds default to the full form's, or to `quick`."""
    args = new.parse_args(argv)
    rounds, seconds = quick if args.quick else args.full
    del args.full
    args.rounds = rounds if args.rounds is None else args.rounds
    args.seconds = seconds if args.seconds is None else args.seconds
    if args.rounds < 1 or not args.seconds > 0:
        new.error("--rounds must be at least 1 and --seconds positive")
    return args


def machine() -> dict[str, str]:
    """What a reader needs to know about the machine."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "cpu": _cpu_name(),
        "cores": f"{usable} usable of {os.cpu_count()}, load {load}",
        "os": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }


def print_machine(title: str, facts: Mapping[str, str]) -> None:
    print(title)
    for name, value in facts.items():
        print(f"  {name:8s} {value}")
    print(flush=True)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    from threadpoolctl import threadpool_info

    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    threads = ", ".join(f"{p['num_threads']} threads ({p.get('architecture')})" for p in pools)
    return f"{built.get('name')} {built.get('version')}, {threads or 'threads unknown'}"


def print_table(header: list[str], rows: list[list]) -> None:
    """Aligned columns; the first one to the left, the others to the right; numbers in 3 digits."""
    cells = [[significant(c) if isinstance(c, float) else str(c) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in [header, ["-" * width for width in widths], *cells]:
        first, *others = zip(row, widths, strict=True)
        aligned = [first[0].ljust(first[1])] + [text.rjust(width) for text, width in others]
        print("  ".join(aligned).rstrip(), flush=True)


def write_json(path, content) -> None:
    """JSON that every parser reads: what is not finite becomes null."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(_finite(content), indent=1, allow_nan=False) + "\n", "utf-8")


@contextmanager
def quiet():
    """Within, whatever warns is not heard: a default is a default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_rows(path, benchmark: str, rows: list[dict], **facts) -> None:
    """The JSON of a study, if a file was asked for."""
    if path:
        write_json(path, {"benchmark": benchmark, "machine": machine(), **facts, "rows": rows})


def rows_left(path: Path | None, settings: dict) -> list[dict]:
    """The rows that a stopped run of the same settings has written."""
    if path is None or not path.exists():
        return []
    document = json.loads(path.read_text("utf-8"))
    return document["rows"] if document["settings"] == _finite(settings) else []


def _finite(value):
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
