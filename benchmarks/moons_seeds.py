"""The three flows of `flowcore moons` over many seeds, without pictures: KL to the truth.

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
    print(rendered(report.as_dict()))
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


def rendered(document, first=None) -> str:
    """KL to the truth: of the first seed of `first`, and over the seeds of the document."""
    rows, first, lines = document["rows"], (first or document)["rows"], []
    for who in dict.fromkeys(row["who"] for row in rows):
        kl = [row["kl"] for row in rows if row["who"] == who]
        own = next(row for row in first if row["who"] == who)
        seconds = "" if own["seconds"] is None else f"{own['seconds']:.1f}"
        nats = own["kl"], np.median(kl), max(kl)
        lines.append([who, *(f"{value:.3f}" for value in nats), seconds])
    n = len({row["seed"] for row in rows})
    seed = f"seed {first[0]['seed']}"
    return table(["KL, nats", seed, f"median of {n} seeds", "worst of them", "seconds"], lines)


if __name__ == "__main__":
    main(sys.argv[1:])
