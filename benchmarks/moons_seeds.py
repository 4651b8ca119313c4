"""The three flows of `flowcore moons` over many seeds, without pictures: NLL and KL to the truth.

    python -m benchmarks.moons_seeds [--seeds 20] [--first-seed 100] [--json FILE] [--quick]

Every seed has its own 800 points and weights. What is published is of seeds that chose nothing:
those of the recipe are in flowcore/teaching/moons/three.py. The JSON is written after every seed.
"""

from __future__ import annotations

import sys

import numpy as np

from flowcore.moons import Moons, Result, Settings, contestants, train

from .support.common import Report, parse, parser, write_json
from .support.markdown import table

BEFORE = "before training"


def main(argv=None) -> Report:
    new = parser(__doc__)
    new.add_argument("--seeds", type=int, help="(20; with --quick 1)")
    new.add_argument("--first-seed", type=int, default=100, help="of these seeds (100)")
    new.add_argument("--epochs", type=int, help="of all three, instead of their own")
    args = parse(new, argv)
    args.seeds = args.seeds or (1 if args.quick else 20)
    report = Report("moons_seeds", args)
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        measure(report, seed)
    print(over_seeds(report.as_dict()))
    return report.finish()


def measure(report: Report, seed: int) -> None:
    """A row for each of the three flows, and one for the six before training."""
    moons = Moons.make(seed)
    three = contestants(moons, Settings(epochs=report.args.epochs, quick=report.args.quick))
    results = [Result.of(BEFORE, three[1].flow, moons), *(train(one, moons) for one in three)]
    for result in results:
        row = {"name": f"{result.title} seed {seed}", "who": result.title, "seed": seed,
               "entropy": moons.entropy(), "nll": result.nll, "kl": result.kl.kl,
               "standard_error": result.kl.standard_error,
               "seconds": result.history and result.history.seconds}  # fmt: skip
        report.rows.append(row)
        print(
            f"  seed {seed}: {result.title} NLL {result.nll:.3f} KL {result.kl.kl:.3f}", flush=True
        )
    report.interleave({})  # the control alone
    if report.args.json:
        write_json(report.args.json, report.as_dict())


def first_seed(document, seeds) -> str:
    """What `flowcore moons` prints in the end, of the first seed, and medians over `seeds`."""
    n = len({row["seed"] for row in seeds["rows"]})
    header = f"{'On 20,000 fresh points of the truth':36s}NLL (nats)   KL to the truth   seconds"
    lines = [f"{header}   KL, median of {n} seeds"]
    rows = [row for row in document["rows"] if row["seed"] == document["rows"][0]["seed"]]
    for row in rows:
        kl = f"{row['kl']:.3f} +- {row['standard_error']:.3f}"
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        median = np.median([other["kl"] for other in seeds["rows"] if other["who"] == row["who"]])
        line = f"  {row['who']:34s}{row['nll']:10.3f}{kl:>18s}{seconds:>10s}{median:26.3f}"
        lines.append(line.rstrip())
    lines.append(f"  {'its entropy, exactly':34s}{rows[0]['entropy']:10.3f}")
    return "\n".join(["```text", *lines, "```", ""])


def over_seeds(document) -> str:
    """NLL, and in brackets KL to the truth, over the seeds."""
    lines = []
    for who in dict.fromkeys(row["who"] for row in document["rows"] if row["seconds"] is not None):
        rows = [row for row in document["rows"] if row["who"] == who]
        nll, kl = ([row[key] for row in rows] for key in ("nll", "kl"))
        both = (f"{f(nll):.3f} ({f(kl):.3f})" for f in (np.median, np.max))
        lines.append([who, *both])
    n = len({row["seed"] for row in document["rows"]})
    return table([f"{n} seeds", "median", "worst"], lines)


if __name__ == "__main__":
    main(sys.argv[1:])
