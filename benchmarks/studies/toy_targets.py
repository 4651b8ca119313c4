"""How close does flowcore come to densities that are known? All toy targets, all defaults.

    python -m benchmarks.studies.toy_targets [--targets two_moons ring] [--seeds 1] [--json FILE]
        [--first-seed 0] [--picture FILE.png] [--quick]

For every target of `flowcore.targets`, at its defaults, 10,000 points are drawn and a flow is
fitted without a word more, `fit(flow, x)`: `flows.nsf`, or `flows.maf` for those with heavy tails
or no other structure than a bend. The distance to the truth is `kl_to_truth` on 20,000 fresh
points, KL(p || q) in nats. The picture has the truth above the flow.

The defaults were chosen on seeds from 100 on (`benchmarks.studies.defaults`): publish others.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import flowcore as fc
from flowcore import targets

from ..support.common import machine, parser, print_machine, write_rows
from .tables import quality

TARGETS: dict[str, Callable[[], targets.Target]] = {
    name: getattr(targets, name)
    for name in (
        "two_moons", "circles", "ring", "two_spirals", "pinwheel", "eight_gaussians",
        "checkerboard", "correlated_gaussian", "funnel", "banana",
    )
}  # fmt: skip
RECIPES = dict.fromkeys(("correlated_gaussian", "funnel", "banana"), fc.flows.maf)


def fitted(name: str, n: int, seed: int = 0, **fit):
    """(flow, history): the target's recipe with its defaults, on n points of the target."""
    target = TARGETS[name]()
    flow = RECIPES.get(name, fc.flows.nsf)(target.dim, rng=seed)
    return fc.fit(flow, target.sample(n, rng=seed), rng=seed, **fit)


def measure(name: str, seed: int, args) -> tuple[dict, object]:
    """One row of the table, and the flow."""
    target = TARGETS[name]()
    start = time.perf_counter()
    flow, history = fitted(name, args.points, seed, **args.fit)
    seconds = time.perf_counter() - start
    kl = fc.kl_to_truth(flow, target, 20_000, rng=10_000 + seed)
    row = {
        "target": name,
        "recipe": RECIPES.get(name, fc.flows.nsf).__name__,
        "seed": seed,
        "entropy": target.entropy(),
        "kl": kl.kl,
        "standard_error": kl.standard_error,
        "seconds": seconds,
        "best_epoch": history.best_epoch,
    }
    return row, flow


def picture(flows: dict, path: Path) -> None:
    """Two rows of panels: the densities of the truths, and below them those of the flows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = math.ceil(len(flows) / 2)
    figure = Figure((1.9 * columns, 7.9), dpi=150, layout="compressed")
    axes = figure.subplots(4, columns, squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.set_visible(False)
    for k, (name, flow) in enumerate(flows.items()):
        target, (block, column) = TARGETS[name](), divmod(k, columns)
        pair = axes[2 * block : 2 * block + 2, column]
        density_panels(pair, target, flow)
        pair[0].set_title(name.replace("_", " "), fontsize=11)
        if column == 0:
            pair[0].set_ylabel("truth", fontsize=11)
            pair[1].set_ylabel("flow", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(str(path))


def density_panels(axes, target, flow, cells: int = 240) -> None:
    """p of the truth and of the flow on the same grid, with the same colours."""
    x = target.sample(20_000, rng=1)
    low, high = np.quantile(x, [0.002, 0.998], axis=0)
    middle, half = (low + high) / 2, 0.58 * (high - low)
    edges = [np.linspace(m - h, m + h, cells) for m, h in zip(middle, half, strict=True)]
    grid = np.stack(np.meshgrid(*edges), axis=-1)
    densities = [np.exp(d.log_prob(grid)) for d in (target, flow)]
    top = np.quantile(densities[0][densities[0] > 0], 0.995)
    for ax, density in zip(axes, densities, strict=True):
        # the square root shows the tails, too
        ax.imshow(np.sqrt(density / top), origin="lower", cmap="magma", vmin=0, vmax=1,
                  aspect="auto", extent=(*edges[0][[0, -1]], *edges[1][[0, -1]]))  # fmt: skip
        ax.set_box_aspect(1)
        ax.set_visible(True)


def arguments(argv=None) -> argparse.Namespace:
    new = parser(__doc__)
    new.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="T",
                     help=f"{', '.join(TARGETS)} (all)")  # fmt: skip
    new.add_argument("--seeds", type=int, default=1, help="runs of each target (1)")
    new.add_argument("--first-seed", type=int, default=0, help="of these runs (0)")
    new.add_argument("--picture", metavar="FILE", type=Path)
    args = new.parse_args(argv)
    args.points, args.fit = (500, {"epochs": 2}) if args.quick else (10_000, {})
    return args


def main(argv=None) -> int:
    args = arguments(argv)
    rows, flows = [], {}
    print_machine(f"toy targets: {args.points} points, defaults but for {args.fit}", machine())
    for name in args.targets:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            row, flow = measure(name, seed, args)
            rows.append(row)
            flows.setdefault(name, flow)
            print(f"  {name:20s} KL {row['kl']:.4f} +- {2 * row['standard_error']:.4f}  "
                  f"{row['seconds']:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
    print(f"\n{quality.toy_targets({'rows': rows})}")
    write_rows(args.json, "toy_targets", rows, fit=args.fit, points=args.points)
    if args.picture:
        picture(flows, args.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
