"""Rows a second out of a CSV, and the memory that takes: flowcore beside pandas and pyarrow.

    python -m benchmarks.reading [ROWS]

makes a file of so many rows (5 million by default) and six columns of random floats, and reads it
in a process of its own for each reader, twice: the better run is printed. Needs pandas; pyarrow is
measured if it is installed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .support.common import bare_parser, print_table

COLUMNS, STEP = 6, 100_000
READERS = {  # package, what is imported from it, how the rows are counted
    "flowcore": ("pandas", "from flowcore.tables import read_blocks",
                 "sum(map(len, read_blocks(path)))"),
    "pyarrow, streaming": ("pyarrow", "from pyarrow import csv",
                           "sum(map(len, csv.open_csv(path)))"),
    "pyarrow, all at once": ("pyarrow", "from pyarrow import csv", "len(csv.read_csv(path))"),
    "pandas, all at once": ("pandas", "import pandas", "len(pandas.read_csv(path))"),
    "pandas, in blocks": ("pandas", "import pandas",
                          "sum(map(len, pandas.read_csv(path, chunksize=40_000)))"),
}  # fmt: skip
MEASURE = """
import resource, sys, time
{imported}
path, start, cpu = sys.argv[1], time.perf_counter(), time.process_time()
n = {counted}
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print(n, seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
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
    _, imported, counted = READERS[reader]
    code = MEASURE.format(imported=imported, counted=counted)
    command = [sys.executable, "-c", code, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(output[0]) == n_rows, (reader, output)
    return float(output[1]), float(output[2]), int(output[3])


def main(argv=None) -> None:
    options = bare_parser(__doc__)
    options.add_argument("rows", nargs="?", type=int, default=5_000_000, metavar="ROWS")
    n_rows, table = options.parse_args(argv).rows, []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, n_rows)
        print(f"{n_rows:,} rows of {COLUMNS} columns, {path.stat().st_size / 1e6:.0f} MB")
        for reader, (package, *_) in READERS.items():
            if importlib.util.find_spec(package):
                seconds, cpu, peak = min(measure(reader, path, n_rows) for _ in range(2))
                table.append([reader, n_rows / seconds / 1e6, cpu, peak])
    print_table(["", "rows/s (million)", "CPU seconds", "peak MB"], table)


if __name__ == "__main__":
    main()
