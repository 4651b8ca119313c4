"""Scoring tables past one machine: what a row costs, and what workers gain.

    python -m benchmarks.studies.past_one_machine [--rows N] [--dim D] [--json FILE] [--quick]
        [--rounds N]

Three tables. First one core: microseconds a row to read a row group of a Parquet file (beside the
same rows as CSV), to take their log-densities, and to write these; bytes a row; and from these, on
paper, what a billion rows cost. Then Dask: the scores of a whole file with one worker process and
with two, each of one thread; their numbers must be the same. Last, what an update of a distributed
`fit` costs beside its arithmetic. Needs the extra `dask` and pyarrow.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..support.cases import DTYPES
from ..support.common import Report, parse, parser, print_table

RECIPES = ("maf", "nsf")
BILLION = 1e9
GROUPS = 16  # row groups of the file


def main(argv=None) -> Report:
    options = parser(__doc__, rounds=7)
    options.add_argument("--rows", type=int, help="rows of a row group (65,536)")
    options.add_argument("--dim", type=int, default=6, help="columns (6)")
    args = parse(options, argv)
    args.rows = args.rows or (1000 if args.quick else 65_536)
    report = Report("past_one_machine", args)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        write_table(path, args.rows, args.dim)
        cost_of_a_row(report, path)
        with ExitStack() as stack:
            clients = {n: stack.enter_context(cluster(n)) for n in (1, 2)}
            workers(report, path, clients)
            updates(report, clients[2])
    return report.finish()


def flow_for(recipe: str, dim: int, dtype=float):
    """A recipe with parameters that are not zero: what they are changes no cost."""
    from flowcore import flows
    from flowcore.testing import randomize

    return randomize(getattr(flows, recipe)(dim, standardize=False, dtype=dtype), 0.1)


def write_table(path: Path, rows: int, dim: int) -> None:
    """Normal numbers: nothing that compression could find."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.standard_normal(rows * GROUPS) for i in range(dim)}
    pq.write_table(pa.table(columns), path, row_group_size=rows)


# ---------------------------------------------------------------- one core


def cost_of_a_row(report: Report, path: Path) -> None:
    """Reading, scoring, writing; and a billion of each, on paper."""
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    file, n = pq.ParquetFile(path), report.args.rows
    group = file.read_row_group(0)
    x, text, scores = as_rows(group), io.BytesIO(), io.BytesIO()
    csv.write_csv(group, text)
    flows = {
        f"log_prob, {recipe} {dtype}": flow_for(recipe, report.args.dim, numpy_type)
        for recipe in RECIPES
        for dtype, numpy_type in DTYPES.items()
    }
    log_p = next(iter(flows.values())).log_prob(x).astype(float)

    def read_csv():
        one = csv.ReadOptions(use_threads=False)
        return as_rows(csv.read_csv(pa.BufferReader(text.getvalue()), read_options=one))

    def write():
        scores.seek(0)
        pq.write_table(pa.table({"log_p": log_p}), scores)

    contestants = {
        "read Parquet": lambda: as_rows(file.read_row_group(0, use_threads=False)),
        "read CSV": read_csv,
        "write scores": write,
    }
    contestants |= {name: lambda f=flow: f.log_prob(x, threads=1) for name, flow in flows.items()}
    timings = report.interleave(contestants)
    size = {
        "read Parquet": path.stat().st_size / (n * GROUPS),
        "read CSV": len(text.getvalue()) / n,
        "write scores": scores.tell() / n,
    }
    table = []
    for name in contestants:
        per_row, moved = timings.spread(name).times(1 / n), size.get(name)
        report.add(name, timings, name, rows=n, bytes_per_row=moved)
        hours, gb = (
            per_row.median * BILLION / 3600,
            None if moved is None else moved * BILLION / 1e9,
        )
        table.append([name, per_row.show(1e6), moved or "-", float(hours), gb or "-"])
    print(f"a row of {report.args.dim} columns, one core; the last two columns: a billion rows")
    print_table(["", "us a row", "bytes a row", "core hours", "GB"], table)


def as_rows(table) -> np.ndarray:
    return np.column_stack([column.to_numpy() for column in table.columns])


# ---------------------------------------------------------------- workers


def cluster(n: int):
    """A client of n worker processes with one thread each, which it ends with itself."""
    from distributed import Client

    return Client(n_workers=n, threads_per_worker=1, dashboard_address=":0")


def workers(report: Report, path: Path, clients: dict) -> None:
    """The scores of the whole file, with one worker and with two."""
    import dask.dataframe as dd

    from flowcore import distributed

    table = []
    for recipe in RECIPES:
        flow = flow_for(recipe, report.args.dim)
        scores = distributed.log_prob(flow, dd.read_parquet(path, split_row_groups=True))
        found = {n: client.compute(scores).result() for n, client in clients.items()}
        same = bool((found[1].to_numpy() == found[2].to_numpy()).all())
        if not same:
            raise AssertionError(f"{recipe}: two workers have other numbers than one")
        timings = report.interleave({
            f"{n}": lambda client=client, scores=scores: client.compute(scores).result()
            for n, client in clients.items()
        })  # fmt: skip
        speed_up = timings.ratio("1", "2")
        for n in clients:
            name = f"{recipe}, {n} worker{'s' * (n > 1)}"
            facts = {"rows": len(found[1]), "per_one_worker": speed_up._asdict()}
            report.add(name, timings, f"{n}", blocks=GROUPS, same=same, **facts)
        seconds = [timings.spread(f"{n}").show() for n in clients]
        table.append([recipe, len(found[1]), *seconds, speed_up.show()])
    print(f"\nDask: log_prob of a Parquet file in {GROUPS} row groups; the same numbers")
    print_table(["", "rows", "1 worker, s", "2 workers, s", "times faster"], table)


def updates(report: Report, client) -> None:
    """An update of a distributed fit with two blocks of one row: nothing but the way there."""
    from flowcore import flows
    from flowcore.distributed import Block, TotalLikelihood
    from flowcore.training import Rows

    table = []
    for hidden in ((16,), (512, 512)):
        flow = flows.maf(report.args.dim, layers=2, hidden=hidden, standardize=False)
        row = Rows(np.zeros((1, flow.dim)))
        blocks = client.scatter([Block(row, row) for _ in range(2)])
        loss = TotalLikelihood(client, flow, None, blocks)
        timings = report.interleave({"update": lambda l=loss, f=flow: l(f.params, 0)})
        name = f"update, {flow.n_params} parameters"
        report.add(name, timings, "update", parameters=flow.n_params)
        table.append([name, timings.spread("update").show(1e3)])
    print("\ndistributed.fit, two blocks of one row each on two workers")
    print_table(["", "ms"], table)


if __name__ == "__main__":
    main()
