"""Test log-likelihoods of MNIST, ours beside the MAF paper's, and pictures of a flow's digits.

    python -m benchmarks.studies.mnist [--models made maf5] [--checkpoint DIR] [--json out.json]
        [--folder IDX] [--picture docs/images] [--epochs N] [--quick]

All 70,000 digits (see benchmarks/studies/mnist/digits.py: downloaded at the first run, or read from
four idx files in a folder). Units: nats of logit space, and bits a pixel. Models with +class get
the class, and are scored by the mean of p(x | y) over the ten classes. CPU minutes are those of
training; "100 digits" are CPU seconds of drawing them, beside those of the textbook's loop, which
runs every network D = 784 times.

With --checkpoint a run that was stopped goes on where it was, and a finished model is scored only.
--json is written after every model. --picture draws with the first of made_mog and made among the
models.

Published: Papamakarios, Pavlakou, Murray, "Masked autoregressive flow", 2017, table 2; and a port,
kamenbliznashki/normalizing_flows on GitHub.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...support.common import bare_parser, machine, print_machine, write_json
from ..packages import DataError
from ..tables import quality
from .digits import load
from .models import MODELS, drawing_seconds, gaussian_scores, scores, train
from .picture import draw


def main(argv=None) -> int:
    args = arguments(argv)
    try:
        document = run(args)
    except (DataError, OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(quality.mnist(document))
    return 0


def arguments(argv=None) -> argparse.Namespace:
    new = bare_parser(__doc__, "python -m benchmarks.studies.mnist")
    new.add_argument(
        "--models", nargs="+", choices=MODELS, default=["made"], metavar="M",
        help=f"{', '.join(MODELS)} (made)",
    )  # fmt: skip
    new.add_argument("--epochs", type=int, help="of each model, instead of its own number")
    new.add_argument("--checkpoint", metavar="DIR", type=Path, help="to resume after a stop")
    new.add_argument("--json", metavar="FILE", type=Path, help="write settings and results")
    new.add_argument("--folder", metavar="IDX", type=Path, help="has the four idx files")
    new.add_argument("--picture", metavar="DIR", type=Path, help="write digits.png and halves.png")
    new.add_argument("--quick", action="store_true", help="few digits, two epochs: does it run?")
    args = new.parse_args(argv)
    args.epochs = 2 if args.quick and args.epochs is None else args.epochs
    return args


def run(args) -> dict:
    """Train, score and draw what was asked for; the content of the JSON."""
    document = {"benchmark": "mnist", "quick": args.quick, "machine": machine(), "rows": []}
    print_machine(f"mnist{' (quick)' if args.quick else ''}", document["machine"])
    parts = load(args.folder)
    parts = [part[:200] for part in parts] if args.quick else parts
    document["gaussian"], flows = gaussian_scores(parts[0], parts[-1]), {}
    for name in args.models:
        flows[name], row = trained(name, parts, args)
        document["rows"].append(row)
        if args.json:
            write_json(args.json, document)
        if row["interrupted"]:
            break
    single = [name for name in ("made_mog", "made") if name in flows]
    if args.picture and single:
        draw(flows[single[0]], parts[-1], args.picture)
    return document


def trained(name: str, parts, args):
    """Train and score a model; its flow and its row."""
    model = MODELS[name]
    learn, validation, test = parts
    if args.checkpoint:
        args.checkpoint.mkdir(parents=True, exist_ok=True)
    flow, row = train(name, learn, validation, args.epochs or model.epochs, args.checkpoint)
    row = {"model": name, **row, **scores(flow, model, test)}
    if not model.classes:
        row |= drawing_seconds(flow)
    print(f"{name}: {row['test']:.1f} nats, {row['bits']:.3f} bits a pixel", flush=True)
    return flow, row


if __name__ == "__main__":
    sys.exit(main())
