"""How close do matched continuous flows, and spline flows of angles, come to known densities?

    python -m benchmarks.studies.flow_matching [--targets two_moons torus] [--points 2000]
        [--seeds 1] [--first-seed 0] [--epochs N] [--pairing optimal] [--json FILE] [--quick]

In the plane: `flows.continuous` in float32, `fit_matching` with its defaults and all rows for
training (validation_split=0), and the exact divergence in float64. Angles: `flows.nsf(circular=)`,
`fit` with its defaults. The distance is `kl_to_truth` on fresh points, KL(p || q) in nats; the
seconds are those of the training. The defaults of `fit_matching` were chosen on `pinwheel` and
`ring`, seed 100, 2,000 rows.

"kernel" is the KL of a kernel estimate from the same rows, at the width that is best for these
fresh points: what the rows allow a smooth estimate that assumes nothing else.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import numpy as np
from scipy.special import i0e, logsumexp

import flowcore as fc
from flowcore import targets

from ..support.common import machine, parser, print_machine, write_rows

PLANE = ("two_moons", "eight_gaussians", "checkerboard", "ring", "pinwheel")
ANGLES = {
    "von_mises": lambda: targets.von_mises_product([3.0], [2.0]),
    "von_mises_product": targets.von_mises_product,
    "torus": targets.torus,
}


def matched(name: str, x: np.ndarray, seed: int, fit: dict):
    """(flow in float64, history) of a target in the plane."""
    flow = fc.flows.continuous(2, rng=seed, dtype=np.float32)
    flow, history = fc.fit_matching(flow, x, rng=seed, validation_split=0, nll_every=10**9, **fit)
    return flow.with_params(flow.params.astype(float)), history


def circular(name: str, x: np.ndarray, seed: int, fit: dict):
    """(flow, history) of a target of angles."""
    dim = x.shape[1]
    flow = fc.flows.nsf(dim, circular=range(dim), rng=seed)
    return fc.fit(flow, x, rng=seed, **fit)


WIDTHS = np.geomspace(0.02, 1.0, 18)  # of kernels


def kernel_kl(x: np.ndarray, y: np.ndarray, log_p: np.ndarray, angles: bool) -> float:
    """KL on points y of the best kernel estimate: of normal kernels, or of von Mises kernels."""
    found = np.empty((len(WIDTHS), len(y)))
    for part in np.array_split(np.arange(len(y)), math.ceil(len(x) * len(y) / 2**22)):
        difference = y[part, None] - x
        square = np.sum(2 - 2 * np.cos(difference) if angles else difference**2, axis=-1)
        for k, width in enumerate(WIDTHS):
            found[k, part] = logsumexp(-square / (2 * width**2), axis=1)
    one = 2 * np.pi * i0e(WIDTHS**-2.0) if angles else np.sqrt(2 * np.pi) * WIDTHS
    log_q = found - np.log(len(x)) - x.shape[1] * np.log(one)[:, None]
    return float(np.mean(log_p - log_q, axis=1).min())


def measure(name: str, seed: int, args) -> dict:
    """One row of the table."""
    target = ANGLES[name]() if name in ANGLES else getattr(targets, name)()
    train = circular if name in ANGLES else matched
    x = target.sample(args.points, rng=seed)
    start = time.perf_counter()
    pairing = {} if name in ANGLES else {"pairing": args.pairing}
    flow, history = train(name, x, seed, args.fit | pairing)
    seconds = time.perf_counter() - start
    kl = fc.kl_to_truth(flow, target, args.fresh, rng=10_000 + seed)
    y = target.sample(args.fresh, rng=10_000 + seed)
    return {
        "target": name,
        "seed": seed,
        "kl": kl.kl,
        "standard_error": kl.standard_error,
        "kernel": kernel_kl(x, y, target.log_prob(y), name in ANGLES),
        "seconds": seconds,
        "epochs": len(history.train_nll),
        "n_steps": history.settings.get("n_steps"),
    }


def arguments(argv=None) -> argparse.Namespace:
    new = parser(__doc__)
    names = [*PLANE, *ANGLES]
    new.add_argument("--targets", nargs="+", choices=names, default=names, metavar="T",
                     help=f"{', '.join(names)} (all)")  # fmt: skip
    new.add_argument("--points", type=int, default=2000, help="training rows (2000)")
    new.add_argument("--seeds", type=int, default=1, help="runs of each target (1)")
    new.add_argument("--first-seed", type=int, default=0, help="of these runs (0)")
    new.add_argument("--epochs", type=int, help="of the training (as the library chooses)")
    new.add_argument("--pairing", choices=["random", "optimal"], default="random",
                     help="of base draws and rows, in the plane (random)")  # fmt: skip
    args = new.parse_args(argv)
    args.fresh, args.fit = 5000, {} if args.epochs is None else {"epochs": args.epochs}
    if args.quick:
        args.points, args.fresh, args.fit = 200, 200, {"epochs": 2}
    return args


def main(argv=None) -> int:
    args, rows = arguments(argv), []
    print_machine(f"flow matching and angles: {args.points} points", machine())
    for name in args.targets:
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            rows.append(measure(name, seed, args))
            shown = "  {target:18s} seed {seed} KL {kl:.4f} +- {standard_error:.4f} {seconds:.0f} s"
            shown += "  (kernel {kernel:.4f})  {epochs} epochs, solver steps {n_steps}"
            print(shown.format(**rows[-1]), flush=True)
    write_rows(args.json, "flow_matching", rows, points=args.points)
    return 0


if __name__ == "__main__":
    sys.exit(main())
