"""From the start of the process to a trained flow: imports and compilation included.

    python -m benchmarks.studies.time_to_trained [--epochs 600] [--repeats 3] [--libraries NAME ...]
        [--env DIR] [--with-tfp] [--quick] [--json FILE]

The tutorial's two moons and its chain: six MAF [256, 256], the order swapped between them; 800 rows
at once, Adam at 1e-3, 600 epochs; the parameters of the best of 600 validation NLLs (200 rows) are
kept. Every contestant trains in a fresh process, one after the other, in `--repeats` rounds with
other data and weights. The clock runs from the start of the process to the moment when the trained
flow is there. Only then its NLL is taken, on 20,000 fresh points of the truth.

The setups are those of benchmarks/studies/contestants/: "tfp" trains with Keras's `fit`, as the
tutorial does, "tfp+xla" in a loop that XLA compiles. They take part where their environment exists;
`--with-tfp` makes it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from ..support.common import Report, parse, parser
from . import environment
from .contestants import CONTESTANTS, LIBRARIES, US
from .fresh import training
from .tables import beside_peers
from .worker import leave_out, versions_of

DEFAULT = (US, "zuko", "nflows", "flowjax", "flowjax+jit", "tfp", "tfp+xla")


def main(argv=None) -> int:
    args = arguments(argv)
    environment.run_inside(args.env, "peers", "benchmarks.studies.time_to_trained", argv)
    pythons = {"peers": Path(sys.executable)}
    if args.with_tfp or environment.is_complete(environment.TFP, "tfp"):
        pythons["tfp"] = environment.ensure(environment.TFP, "tfp")
    report = Report("time_to_trained", args)
    report.machine["versions"] = versions_of(args.libraries, pythons)
    entropies = measure(report, pythons)
    print(f"\nSix MAF [256, 256], {args.epochs} epochs, medians of {args.repeats}; NLL in nats")
    print(f"(exact entropy of the truth: {', '.join(f'{h:.3f}' for h in entropies)} nats)")
    print(beside_peers.time_to_trained(report.as_dict()))
    report.finish()
    return 0


def arguments(argv):
    new = parser(__doc__)
    new.add_argument("--env", type=Path, default=environment.PEERS, help="folder of the peers")
    new.add_argument("--epochs", type=int, help="(600; with --quick 20)")
    new.add_argument("--repeats", type=int, help="rounds, each with its seed (3; with --quick 1)")
    new.add_argument(
        "--libraries", nargs="+", choices=LIBRARIES, metavar="NAME", help=", ".join(LIBRARIES)
    )
    new.add_argument("--with-tfp", action="store_true", help="make TFP's environment if need be")
    args = parse(new, argv)
    args.epochs = args.epochs or (20 if args.quick else 600)
    args.repeats = args.repeats or (1 if args.quick else 3)
    args.libraries = list(dict.fromkeys([US, *(args.libraries or DEFAULT)]))
    if args.epochs < 1 or args.repeats < 1:
        new.error("--epochs and --repeats must be at least 1")
    return args


def measure(report: Report, pythons: dict[str, Path]) -> list[float]:
    """Train everybody in turn, round after round; returns the entropies of the truths."""
    names, entropies = [], []
    for name in report.args.libraries:
        if CONTESTANTS[name].environment in pythons:
            names.append(name)
        else:
            print(f"  {name} is left out: it is not installed (--with-tfp)")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(report.args.repeats):
            data = Path(folder) / f"{seed}.npz"
            entropies.append(save_moons(data, seed))
            for name in list(names):
                python = pythons[CONTESTANTS[name].environment]
                try:
                    facts = train(python, name, data, report.args.epochs, seed)
                except RuntimeError as problem:
                    leave_out(name, problem)
                    names.remove(name)
                    continue
                report.rows.append({"name": f"{name} seed {seed}", **facts})
                print(f"  seed {seed}: {name} after {facts['seconds']:.1f} s", flush=True)
            report.interleave({})  # the control alone
    return entropies


def save_moons(path: Path, seed: int) -> float:
    """The tutorial's data as float32 arrays train, validation, fresh; their entropy in nats."""
    from flowcore.moons import Moons

    moons = Moons.make(seed)
    parts = {"train": moons.train, "validation": moons.validation, "fresh": moons.fresh()}
    np.savez(path, **{name: rows.astype(np.float32) for name, rows in parts.items()})
    return moons.entropy()


def train(python: Path, name: str, data: Path, epochs: int, seed: int) -> dict:
    """Train one contestant in a fresh process; seconds until it is trained, and its facts.

    Errors: RuntimeError with the end of what the process said.
    """
    settings = {"epochs": epochs, "learning_rate": 1e-3, "seed": seed}
    trained, tested = training(python, name, data, settings)
    return {**tested[1], "seconds": trained[0], **trained[1]}


if __name__ == "__main__":
    sys.exit(main())
