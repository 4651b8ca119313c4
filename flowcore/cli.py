"""The `flowcore` command. `flowcore moons` runs the whole tutorial on two moons."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stderr

MOST_SEED = 2**32 - 1  # of NumPy's older generator, which scikit-learn's moons are drawn from
INTERRUPTED, BROKEN_PIPE = 128 + 2, 128 + 13  # as if the signal had ended the process


def main(argv=None) -> int:
    """Entry point of the console script; returns the exit status."""
    if not _is_open(sys.stderr):  # or print, argparse and tqdm would take standard output instead
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            return main(argv)
    if not _is_open(sys.stdout):
        print("flowcore: standard output is closed: nowhere to print to", file=sys.stderr)
        return 2
    try:
        try:
            args = _parser().parse_args(argv)
            return args.run(args)
        finally:
            sys.stdout.flush()  # here, where an error is told in one line
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # e.g. `| head -1`, which has read enough
        return BROKEN_PIPE
    except (ValueError, OSError) as problem:
        print(f"flowcore: {problem}", file=sys.stderr)
        return 2
    finally:
        _drop_what_cannot_be_printed()


def _is_open(stream) -> bool:
    """Is there anything to print to? None is what Python has if the process began without one."""
    return stream is not None and not stream.closed


def _drop_what_cannot_be_printed() -> None:
    """Or Python tries once more when it ends, and tells of that."""
    try:
        if _is_open(sys.stdout):
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
        description="Train three flows on 800 points of scikit-learn's two moons: one layer and "
        "six, as in the tutorial, and flowcore's own recipe. Tell how far each is from the truth; "
        "draw their densities beside it, samples, losses and stages.",
    )
    moons.add_argument(
        "--out", default="moons", metavar="DIR", help="folder for the pictures (moons)"
    )
    moons.add_argument("--seed", type=_seed, default=0, help="of all that is random (0)")
    moons.add_argument(
        "--epochs",
        type=_positive,
        help="of every training run (600 for the layers, 200 for the recipe)",
    )
    moons.add_argument(
        "--flow",
        choices=["maf", "iaf", "realnvp", "nice"],
        default="maf",
        help="the kind of the one layer and of the six (maf)",
    )
    moons.add_argument(
        "--quick",
        action="store_true",
        help="fewer epochs (150 for the six layers, 60 for the recipe) and two pictures",
    )
    moons.add_argument(
        "--seeds",
        type=_positive,
        metavar="N",
        help="no pictures: repeat for N seeds, from --seed on, and print NLL and KL",
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
    if not 0 <= value <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 2^32 - 1, not {value}")
    return value


def _moons(args) -> int:
    from . import moons

    settings = moons.Settings(args.flow, args.epochs, args.quick)
    if args.seeds:
        if args.seed + args.seeds - 1 > MOST_SEED:
            raise ValueError(
                f"the last of --seeds {args.seeds}, from --seed {args.seed} on, must be at most "
                "2^32 - 1"
            )
        moons.compare_seeds(settings, range(args.seed, args.seed + args.seeds))
    else:
        moons.run(settings, args.seed, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
