"""Minutes from the start of the process until a MAF is so good: POWER, flowcore and its peers.

    python -m benchmarks.studies.time_to_quality [--libraries NAME ...] [--epochs 40] [--minutes 60]
        [--json FILE] [--picture FILE] [--env DIR] [--quick]

The same flow for all, a MAF of five layers with [128, 128] hidden units in float32, on the 1.66
million training rows of POWER; batches of 500, Adam, a learning rate of 1e-3 that falls to 0 along
half a cosine over all epochs. After every epoch the mean log-likelihood of all validation rows is
taken; its time counts. Each library has its own best documented loop: flowcore's is `fit`; those of
the others are written by hand, as their documentation has them (benchmarks/studies/contestants/).
The clock runs from the start of a fresh process: imports, compilation and reading the table count.
When a threshold is reached is interpolated between the two validations around it.

For hours that nobody watches: the JSON is written after every epoch, and the same command with the
same file goes on with the libraries that it does not hold yet. --minutes ends a library's run.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..support.common import Report, parse, parser, write_json
from . import environment
from .contestants import LIBRARIES, US
from .fresh import training
from .quality_picture import draw
from .tables import beside_peers
from .tables.beside_peers import MINUTE, RIVALS
from .worker import leave_out, versions_of

LAYERS, HIDDEN = 5, (128, 128)
THRESHOLDS = (0.0, 0.14, 0.30)  # nats; the paper's five-layer MAF has 0.14
OF_A_RUN = ("epochs", "minutes", "quick")


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.time_to_quality", argv)
    report = Report("time_to_quality", args)
    python = Path(sys.executable)
    report.machine["versions"] = versions_of(args.libraries, {"peers": python})
    compare(report, python)
    print(f"\nMinutes until the validation log-likelihood is so high, {args.epochs} epochs planned")
    print(beside_peers.time_to_quality(report.as_dict()))
    if args.picture:
        draw(report.rows, args.thresholds, args.picture)
    report.finish()
    return 0


def arguments(argv):
    new = parser(__doc__)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--libraries", nargs="*", choices=LIBRARIES, metavar="NAME",
                     help=f"{', '.join(LIBRARIES)} ({US} {' '.join(RIVALS)})")  # fmt: skip
    new.add_argument("--epochs", type=int, help="(40; with --quick 3)")
    new.add_argument("--minutes", type=float, default=60.0, help="of one library, at most (60)")
    new.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS, metavar="NATS")
    new.add_argument("--picture", metavar="FILE", type=Path, help="NLL against minutes, PNG")
    args = parse(new, argv)
    args.epochs = args.epochs or (3 if args.quick else 40)
    args.libraries = list(
        dict.fromkeys([US, *(RIVALS if args.libraries is None else args.libraries)])
    )
    if args.epochs < 1 or not args.minutes > 0:
        new.error("--epochs must be at least 1 and --minutes positive")
    return args


def compare(report: Report, python: Path) -> None:
    """A row of the report for every library, after those that the JSON holds already."""
    args = report.args
    report.rows = finished(args.json, report.as_dict()["settings"])
    done = [row["name"] for row in report.rows]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "table.npz"
        save(data, args.quick)
        report.interleave({})  # the control alone
        for name in (name for name in args.libraries if name not in done):
            row = {"name": name, "complete": False, "curve": []}
            report.rows.append(row)
            try:
                learn(python, name, data, report, row)
            except RuntimeError as problem:
                leave_out(name, problem)
                report.rows.remove(row)
            row["complete"] = True
            report.interleave({})
            keep(report)


def finished(path: Path | None, settings: dict) -> list[dict]:
    """The rows of complete runs in an earlier file.

    Errors: ValueError if it was made with other settings.
    """
    if path is None or not path.exists():
        return []
    stored = json.loads(path.read_text("utf-8"))
    if any(stored["settings"].get(name) != settings[name] for name in OF_A_RUN):
        raise ValueError(f"{path} holds a run with other settings: delete it, or name another file")
    return [row for row in stored["rows"] if row["complete"]]


def save(path: Path, quick: bool) -> None:
    """The arrays train and validation: POWER's, or of a small table with a bend."""
    if quick:
        x = np.random.default_rng(0).standard_normal((1200, 6))
        x[:, 1:] += 0.5 * (x[:, :-1] ** 2 - 1)
        train, validation = np.split(x.astype(np.float32), [1000])
    else:
        from .tabular.datasets import load

        data = load("power")
        train, validation = data.train, data.validation
    np.savez(path, train=train, validation=validation)


def learn(python: Path, name: str, data: Path, report: Report, row: dict) -> None:
    """Train one library in a fresh process; every line that it prints is a point of the curve.

    Errors: RuntimeError with the end of what the process said, if it ended by itself and badly.
    """
    args = report.args
    settings = {"layers": LAYERS, "hidden": HIDDEN, "epochs": args.epochs, "seed": 0,
                "batch_size": 100 if args.quick else 500, "learning_rate": 1e-3}  # fmt: skip
    lines = training(python, "table", name, data, settings, MINUTE * args.minutes)
    for seconds, line in lines:
        row["curve"].append([seconds, line["validation"]])
        print(f"  {name} {seconds / MINUTE:.2f} min  {line['validation']:.4f}", flush=True)
        keep(report)


def keep(report: Report) -> None:
    if report.args.json:
        write_json(report.args.json, report.as_dict())


if __name__ == "__main__":
    sys.exit(main())
