"""A continuous flow against torchcfm and zuko: the same velocity network, in one run, in turn.

    python -m benchmarks.studies.matching_peers [--cases moons six] [--env DIR] [--rounds N]
        [--seconds S] [--dtype float64] [--quick] [--json FILE]

The first run makes a virtual environment with the peers
(benchmarks/studies/requirements-matching.txt), outside the source tree, and everything is measured
inside it: one process, one thread for NumPy and for torch, float32 or float64. Measured, for a
network that flowcore has trained by `fit_matching`, and whose weights torch copies:

step      one update of flow matching with Adam, 256 rows, random pairs: flowcore's loss and
          optimizer; torchcfm's `ConditionalFlowMatcher`, torch's autograd and Adam
density   of 1,000 rows, exact divergence: `flow.log_prob` on the grid that `fit_matching` chose for
          a tolerance of 1e-4; zuko's `FreeFormJacobianTransform`, adaptive, at the same tolerance
sample    1,000 draws: `flow.sample`; zuko's inverse; torchdyn's dopri5, as torchcfm's examples do

Ratios are flowcore / peer within a round: below 1, flowcore is faster. The largest difference of
the log-densities of both is printed: both compute the same.
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..support.common import Report, parse, parser, print_table
from . import environment

ROWS, BATCH, TOLERANCE = 1000, 256, 1e-4


class Case(NamedTuple):
    """A target, and the widths of the velocity's hidden layers."""

    dim: int
    hidden: tuple[int, ...]
    epochs: int = 60


CASES = {"moons": Case(2, (64, 64, 64)), "six": Case(6, (128, 128, 128))}


def training_rows(dim: int) -> np.ndarray:
    """2,560 rows: two moons, or a bent normal density."""
    from flowcore import targets

    if dim == 2:
        return targets.two_moons().sample(2560, rng=0)
    x = np.random.default_rng(0).standard_normal((2560, dim))
    x[:, 1:] += 0.5 * x[:, :-1] ** 2
    return x


class Ours:
    """flowcore's flow, trained; and the three things that are timed."""

    def __init__(self, case: Case, epochs: int, dtype="float32"):
        import flowcore as fc
        from flowcore.core.rows import as_rows
        from flowcore.training import Adam, Rows
        from flowcore.training.matching import Matching
        from flowcore.training.table import as_training_table

        self.x = training_rows(case.dim)
        new = fc.flows.continuous(case.dim, case.hidden, residual=False, dtype=dtype)
        options = {"epochs": epochs, "validation_split": 0, "tolerance": TOLERANCE}
        self.flow, _ = fc.fit_matching(new, self.x, rng=0, nll_every=10**9, **options)
        rows = as_rows(self.x, case.dim, dtype=dtype)
        table = as_training_table(
            rows, rows, 0, None, BATCH, True, np.random.default_rng(0), dtype=dtype
        )
        self.loss, self.theta = Matching(self.flow, table), np.array(self.flow.params)
        self.adam, self.batch, self.k = Adam(1e-5).start(self.theta), Rows(self.x[:BATCH]), 0
        self.examined = self.x[:ROWS]

    def step(self):
        self.k += 1
        _, gradient = self.loss(self.theta, self.loss.pairs(self.batch, self.k))
        self.adam.step(self.theta, gradient)

    def density(self):
        return self.flow.log_prob(self.examined)

    def sample(self):
        return self.flow.sample(ROWS, rng=0)


class Theirs:
    """The same network in torch, with the same weights; what torchcfm and zuko do with it."""

    def __init__(self, ours: Ours, case: Case):
        import torch
        from torchcfm import ConditionalFlowMatcher
        from torchcfm.utils import torch_wrapper
        from torchdyn.core import NeuralODE
        from zuko.transforms import FreeFormJacobianTransform

        dtype = getattr(torch, str(ours.flow.dtype))
        torch.set_default_dtype(dtype)
        self.torch, widths = torch, [case.dim + 1, *case.hidden, case.dim]
        standardize, continuous = ours.flow.bijector
        layers = []
        for n_in, n_out in pairwise(widths):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.SiLU()]
        self.net = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for layer, (W, b, _) in zip(layers[::2], continuous.velocity.weights(), strict=True):
                layer.weight.copy_(torch.tensor(W.T))
                layer.bias.copy_(torch.tensor(b))
        self.mean, self.scale = (
            torch.tensor(a, dtype=dtype) for a in (standardize.mean, standardize.scale)
        )
        self.x = (torch.tensor(ours.x, dtype=dtype) - self.mean) / self.scale
        self.matcher = ConditionalFlowMatcher(sigma=0.0)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-5)
        # zuko's transform takes the data to the base, from t = 1 to 0
        self.transform = FreeFormJacobianTransform(
            self.velocity, t0=1.0, t1=0.0, phi=self.net.parameters(), atol=TOLERANCE,
            rtol=TOLERANCE, exact=True,
        )  # fmt: skip
        self.base = torch.distributions.Normal(0.0, 1.0)
        self.node = NeuralODE(
            torch_wrapper(self.net), solver="dopri5", atol=TOLERANCE, rtol=TOLERANCE
        )

    def velocity(self, t, x):
        column = t.expand(*x.shape[:-1], 1)
        return self.net(self.torch.cat([x, column], dim=-1))

    def step(self):
        torch, x = self.torch, self.x[:BATCH]
        self.adam.zero_grad()
        t, x_t, u = self.matcher.sample_location_and_conditional_flow(torch.randn_like(x), x)
        v = self.net(torch.cat([x_t, t[:, None]], dim=-1))
        torch.mean((v - u) ** 2).backward()
        self.adam.step()

    def density(self):
        with self.torch.no_grad():
            z, log_det = self.transform.call_and_ladj(self.x[:ROWS])
            log_p = self.base.log_prob(z).sum(-1) + log_det - self.scale.log().sum()
        return log_p.numpy()

    def sample(self):
        with self.torch.no_grad():
            z = self.torch.randn(ROWS, self.x.shape[1])
            return (self.mean + self.scale * self.transform.inv(z)).numpy()

    def sample_by_dopri5(self):
        torch = self.torch
        with torch.no_grad():
            z, ends = torch.randn(ROWS, self.x.shape[1]), torch.linspace(0, 1, 2)
            return (self.mean + self.scale * self.node.trajectory(z, ends)[-1]).numpy()


def measure(report: Report, name: str, case: Case, epochs: int, dtype: str) -> list[list]:
    """The table's rows of one case."""
    ours = Ours(case, epochs, dtype)
    theirs = Theirs(ours, case)
    difference = np.abs(ours.density() - theirs.density()).max()
    n_steps = ours.flow.bijector[1].n_steps
    print(f"\n{name}: D={case.dim}, hidden {list(case.hidden)}, {dtype}; {n_steps} steps of the "
          f"solver; log-densities differ by {difference:.1e} at most")  # fmt: skip
    rivals = {
        "step": {"torchcfm": theirs.step},
        "density": {"zuko": theirs.density},
        "sample": {"zuko": theirs.sample, "torchcfm": theirs.sample_by_dopri5},
    }
    rows = []
    for what, peers in rivals.items():
        timings = report.interleave({"flowcore": getattr(ours, what), **peers})
        report.add(f"{name} {what} flowcore", timings, "flowcore", difference=float(difference))
        for peer in peers:
            ratio = timings.ratio("flowcore", peer)
            report.add(f"{name} {what} {peer}", timings, peer, flowcore_over_peer=ratio._asdict())
            rows.append([name, what, timings.spread("flowcore").show(1e3), peer,
                         timings.spread(peer).show(1e3), ratio.show()])  # fmt: skip
    return rows


def arguments(argv=None):
    new = parser(__doc__)
    new.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES], metavar="CASE",
                     help=f"{', '.join(CASES)} (all)")  # fmt: skip
    new.add_argument("--env", type=Path, default=environment.MATCHING, help="folder of the peers")
    new.add_argument("--dtype", choices=["float32", "float64"], default="float32",
                     help="of both sides (float32)")  # fmt: skip
    return parse(new, argv)


def main(argv=None) -> int:
    args = arguments(argv)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "FLOWCORE_THREADS": "1"}
    environment.run_inside(args.env, "matching", "benchmarks.studies.matching_peers", argv)
    import torch

    torch.set_num_threads(1)
    report, rows = Report("matching_peers", args), []
    for name in args.cases:
        case = CASES[name]
        rows += measure(report, name, case, 2 if args.quick else case.epochs, args.dtype)
    print()
    print_table(["case", "what", "flowcore, ms", "peer", "peer, ms", "flowcore / peer"], rows)
    report.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
