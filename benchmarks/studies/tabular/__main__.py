"""Test log-likelihoods of POWER, ours beside the published ones.

    python -m benchmarks.studies.tabular power [--models made maf5] [--epochs 60] [--json out.json]

The data are downloaded at the first run (see benchmarks/studies/packages.py). First a
full-covariance Gaussian is fitted: if it is not the published one, the run stops, for the data
would be wrong. Then every model is trained with flowcore.fit in float32, best validation kept, and
its test log-likelihood printed with two standard errors. Units: nats, of the standardised table, as
in the papers. --json is written again after every model.

Published: Papamakarios et al. 2017, table 1 (MAF paper); Durkan et al. 2019, table 1 (NSF paper).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ...support.common import bare_parser, machine, print_machine, write_json
from ..packages import DataError
from ..tables import quality
from .datasets import Dataset, load
from .gaussian import check_gaussian, fit_gaussian
from .models import MODELS, PUBLISHED, Model, show
from .training import train


def main(argv=None) -> int:
    args = arguments(argv)
    try:
        document = run(args)
    except (DataError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"\nTest log-likelihood of {args.data} in nats, +- 2 standard errors")
    print(quality.power(document))
    return 0


def run(args) -> dict:
    """Everything that was asked for; the content of the JSON, which is written model by model."""
    facts = machine()
    print_machine(f"tabular: {args.data}{' (quick)' if args.quick else ''}", facts)
    data = load(args.data)
    print(f"  data     {data}\n", flush=True)
    data = few_rows(data) if args.quick else data
    document = {"benchmark": "tabular", "data": data.name, "quick": args.quick, "machine": facts}
    document["gaussian"], document["rows"] = run_gaussian(data), []
    if not args.quick:
        check_gaussian(data, document["gaussian"]["test"])
    keep(args.json, document)
    for name in args.models:
        document["rows"].append(run_model(MODELS[name], data, args))
        keep(args.json, document)
        if document["rows"][-1]["problem"] == "interrupted":
            break
    return document


def keep(path, document: dict) -> None:
    """Write the JSON if a file was asked for."""
    if path:
        write_json(path, document)


def arguments(argv=None) -> argparse.Namespace:
    new = bare_parser(__doc__, "python -m benchmarks.studies.tabular")
    new.add_argument("data", choices=["power"])
    new.add_argument(
        "--models", nargs="*", choices=MODELS, default=["made", "maf5"], metavar="M",
        help=f"{', '.join(MODELS)} (made maf5)",
    )  # fmt: skip
    new.add_argument("--json", metavar="FILE", type=Path, help="write settings and results")
    new.add_argument("--checkpoint", metavar="DIR", type=Path, help="to resume after a stop")
    new.add_argument("--seed", type=int, default=0, help="of weights and batches (0)")
    new.add_argument("--quick", action="store_true", help="few rows, two epochs: does it run?")
    new.add_argument("--epochs", type=int, help="of each model (60; with --quick 2)")
    new.add_argument("--patience", type=int, help="epochs without a better validation")
    args = new.parse_args(argv)
    args.epochs = args.epochs or (2 if args.quick else 60)
    return args


def few_rows(data: Dataset, n: int = 2000) -> Dataset:
    """For --quick: the first rows of each part."""
    return replace(data, train=data.train[:n], validation=data.validation[:n], test=data.test[:n])


def run_gaussian(data: Dataset) -> dict:
    """Fit and score the Gaussian; its row of the JSON."""
    start = time.perf_counter()
    flow = fit_gaussian(data.train)
    row = {"minutes": (time.perf_counter() - start) / 60, **scores(flow, data)}
    row["published"] = PUBLISHED["Gaussian"]
    print(f"gaussian: test {show(row)} (published: {row['published']})", flush=True)
    return row


def run_model(model: Model, data: Dataset, args) -> dict:
    """Train and score one model; its row of the JSON."""
    settings = replace(model.settings, epochs=args.epochs, patience=args.patience)
    flow = model.build(data.dim, settings, args.seed)
    print(f"\n{model.name}: {flow.n_params:,} parameters, {settings}", flush=True)
    checkpoint = args.checkpoint and args.checkpoint / f"{data.name}-{model.name}-{args.seed}"
    cpu, wall = time.process_time(), time.perf_counter()
    flow, history, problem = train(flow, data, settings, args.seed, checkpoint)
    core_share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    row = {
        "model": model.name,
        "settings": asdict(settings),
        "seed": args.seed,
        "parameters": flow.n_params,
        "minutes": history.seconds / 60,
        # of a run that was resumed, with the share of a core that its last part had
        "cpu_minutes": core_share * history.seconds / 60,
        "problem": problem,
        "epochs": len(history.train_nll),
        "best_epoch": history.best_epoch,
        "train_by_epoch": [-nll for nll in history.train_nll],
        "validation_by_epoch": [-nll for nll in history.val_nll],
        **scores(flow, data),
        "published": model.published,
    }
    print(f"{model.name}: test {show(row)} after {row['minutes']:.1f} minutes", flush=True)
    if problem:
        print(f"  {problem}", flush=True)
    return row


def scores(flow, data: Dataset) -> dict:
    """Mean log-likelihoods of validation and test, and the standard error of the latter."""
    test = np.asarray(flow.log_prob(data.test), float)
    return {
        "test": float(test.mean()),
        "standard_error": float(test.std(ddof=1) / math.sqrt(len(test))),
        "validation": float(np.mean(flow.log_prob(data.validation), dtype=float)),
    }


if __name__ == "__main__":
    sys.exit(main())
