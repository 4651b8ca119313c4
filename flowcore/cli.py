"""The `flowcore` command. `flowcore moons` runs the whole tutorial on two moons."""

from __future__ import annotations

import argparse
import sys


def main(argv=None) -> int:
    """Entry point of the console script; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError) as problem:
        print(f"flowcore: {problem}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = argparse.ArgumentParser(
        prog="flowcore", description="Normalizing flows in pure NumPy."
    )
    parser.add_argument("--version", action="version", version=f"flowcore {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    moons = commands.add_parser(
        "moons",
        help="watch a normalizing flow learn two moons: tables and pictures",
        description="Train one layer, then six, on 800 points of scikit-learn's two moons; write "
        "pictures of the data, every stage, samples, densities and losses; compare the held-out "
        "NLL with the exact entropy.",
    )
    moons.add_argument(
        "--out", default="moons", metavar="DIR", help="folder for the pictures (moons)"
    )
    moons.add_argument("--seed", type=_seed, default=0, help="of the data and the weights (0)")
    moons.add_argument("--epochs", type=_positive, default=600, help="of each training run (600)")
    moons.add_argument(
        "--flow", choices=["maf", "iaf", "realnvp", "nice"], default="maf", help="(maf)"
    )
    moons.add_argument(
        "--quick",
        action="store_true",
        help="networks of [64, 64] instead of [256, 256], and 30 epochs of --recipe instead of 300",
    )
    moons.add_argument(
        "--recipe",
        action="store_true",
        help="train flowcore's own recipe too, on the same rows: eight MAF [64, 64] with tanh "
        "units, minibatches, clipping, cosine decay, 300 epochs (--epochs is for the others)",
    )
    moons.add_argument(
        "--seeds",
        type=_positive,
        metavar="N",
        help="no pictures: repeat for N seeds, from --seed on, and print the NLL of each",
    )
    moons.set_defaults(run=_moons)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 2^32 - 1, not {value}")
    return value


def _moons(args) -> int:
    from . import moons

    settings = moons.Settings(
        flow=args.flow, epochs=args.epochs, quick=args.quick, recipe=args.recipe
    )
    if args.seeds:
        moons.compare_seeds(settings, range(args.seed, args.seed + args.seeds))
    else:
        moons.run(settings, args.seed, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
