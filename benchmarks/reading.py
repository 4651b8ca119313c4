"""Rows a second out of a CSV, and the memory that takes: flowcore beside pandas and pyarrow.

    python -m benchmarks.reading [ROWS]

makes a file of so many rows (5 million by default) and six columns of random floats, and reads it
in a process of its own for each reader. pyarrow is measured if it is installed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

COLUMNS, STEP = 6, 100_000
READERS = {
    "flowcore": """
from flowcore.tables import read_blocks
def read(path): return sum(len(frame) for frame in read_blocks(path))
""",
    "pyarrow, streaming": """
from pyarrow import csv
def read(path): return sum(len(batch) for batch in csv.open_csv(path))
""",
    "pyarrow, all at once": """
from pyarrow import csv
def read(path): return len(csv.read_csv(path))
""",
    "pandas, all at once": """
import pandas
def read(path): return len(pandas.read_csv(path))
""",
    "pandas, in blocks": """
import pandas
def read(path): return sum(len(frame) for frame in pandas.read_csv(path, chunksize=40_000))
""",
}
MEASURE = """
import resource, sys, time
start, cpu = time.perf_counter(), time.process_time()
n = read(sys.argv[1])
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(n, seconds, cpu, peak)
"""


def write(path: Path, n_rows: int) -> None:
    """Standard normal numbers in full precision."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join(f"x{j}" for j in range(COLUMNS)) + "\n")
        for start in range(0, n_rows, STEP):
            rows = rng.standard_normal((min(STEP, n_rows - start), COLUMNS)).tolist()
            file.writelines(",".join(map(repr, row)) + "\n" for row in rows)


def measure(reader: str, path: Path, n_rows: int) -> tuple[float, float, int]:
    """(seconds, seconds of CPU, megabytes at most) of one reader in a fresh process."""
    command = [sys.executable, "-c", READERS[reader] + MEASURE, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(output[0]) == n_rows, (reader, output)
    return float(output[1]), float(output[2]), int(output[3])


def main(arguments: list[str]) -> None:
    """Print a table."""
    n_rows = int(arguments[0]) if arguments else 5_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, n_rows)
        size = path.stat().st_size / 1e6
        print(f"{n_rows:,} rows of {COLUMNS} columns, {size:.0f} MB, the better of two runs")
        print(f"{'':28}  rows/s (million)  CPU seconds  peak MB")
        for reader in READERS:
            needed = reader.split(",")[0] if "pyarrow" not in reader else "pyarrow"
            if importlib.util.find_spec(needed) is None:
                continue
            seconds, cpu, peak = min(measure(reader, path, n_rows) for _ in range(2))
            print(f"{reader:28}  {n_rows / seconds / 1e6:16.2f}  {cpu:11.1f}  {peak:7d}")


if __name__ == "__main__":
    main(sys.argv[1:])
