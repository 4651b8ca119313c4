"""p(theta | x) from simulations alone, on three tasks of sbibm, beside its reference draws.

    python -m benchmarks.studies.simulation_based --sbibm CLONE [--tasks NAME ...]
        [--observations 1 2 ...] [--simulations 10000] [--rounds 1] [--context-net] [--sbi PYTHON]
        [--json FILE] [--quick]

CLONE is one of https://github.com/sbi-benchmark/sbibm: observations and 10,000 reference draws of
each posterior are read from it, its code is not. Thetas of the prior are simulated; `fit` learns
`flows.nsf` with the context x, with its defaults; draws outside of the prior are drawn again.
--rounds R spends the simulations in R equal parts for each observation: every further part is drawn
where the posterior so far has mass (truncation). --context-net puts a network of two layers before
x, which all layers of the flow share. --sbi is the interpreter of an environment with
the package sbi: its NPE gets the same simulations, a flow of the same size, and its own settings.

C2ST is the accuracy of a classifier that is asked whether a draw is of the reference: .5 is
perfect, 1 is worst; five folds of two hidden layers of 10 D, as sbibm defines it (Lopez-Paz and
Oquab 2017; Lueckmann et al. 2021). "NLL" is the mean of -log q(theta | x) of 2,000 new pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier

import flowcore as fc

from ..support.common import bare_parser, machine, print_machine, print_table, write_rows
from .elsewhere import arrays_of

LAYERS, HIDDEN, BINS = 5, 64, 8  # of both flows
NET = 16  # what the context is reduced to
LEAST_SHARE = 1e-4  # of a posterior's mass: what truncation leaves out
FRESH, PEER = 2000, str(Path(__file__).with_name("npe_of_sbi.py"))


class Task(NamedTuple):
    """A uniform prior on (-bound, bound)^dim, and the simulator (theta (n, dim), rng) -> x."""

    dim: int
    bound: float
    simulate: Callable

    def prior(self, n: int, rng) -> np.ndarray:
        return rng.uniform(-self.bound, self.bound, (n, self.dim))


def two_moons(theta, rng):
    """Greenberg, Nonnenmacher and Macke 2019: a crescent, displaced by theta."""
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(theta))
    radius = rng.normal(0.1, 0.01, len(theta))
    crescent = np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], axis=1)
    apart, along = theta[:, 0] + theta[:, 1], theta[:, 1] - theta[:, 0]
    return crescent + np.stack([-np.abs(apart), along], axis=1) / np.sqrt(2)


def slcp(theta, rng):
    """Papamakarios, Sterratt and Murray 2019: four points of a Gaussian in the plane."""
    z = rng.standard_normal((len(theta), 4, 2))
    s1, s2, rho = theta[:, 2] ** 2, theta[:, 3] ** 2, np.tanh(theta[:, 4])
    first = s1[:, None] * z[..., 0]
    second = s2[:, None] * (rho[:, None] * z[..., 0] + np.sqrt(1 - rho**2)[:, None] * z[..., 1])
    return (theta[:, None, :2] + np.stack([first, second], axis=-1)).reshape(len(theta), 8)


def gaussian_mixture(theta, rng):
    """Sisson, Fan and Tanaka 2007: theta plus noise of deviation 1, or 0.1."""
    deviation = np.where(rng.random(len(theta)) < 0.5, 1.0, 0.1)
    return theta + deviation[:, None] * rng.standard_normal(theta.shape)


TASKS = {
    "two_moons": Task(2, 1.0, two_moons),
    "slcp": Task(5, 3.0, slcp),
    "gaussian_mixture": Task(2, 10.0, gaussian_mixture),
}


def observation(clone: Path, task: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """(x (1, d), reference draws of theta)."""
    folder = clone / "sbibm/tasks" / task / "files" / f"num_observation_{number}"
    files = folder / "observation.csv", folder / "reference_posterior_samples.csv.bz2"
    x, theta = (np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2) for file in files)
    return x, theta


def fitted(theta, x, rng, context_net=False, **options):
    """log q(theta | x), learned from pairs; context_net, with a network before x."""
    net = fc.MLP(x.shape[1], (NET,), [HIDDEN] * 2, rng=0) if context_net else None
    flow = fc.flows.nsf(
        theta.shape[1], LAYERS, [HIDDEN] * 2, context_dim=x.shape[1], bins=BINS, rng=0,
        context_net=net,
    )  # fmt: skip
    return fc.fit(flow, theta, context=x, rng=rng, **options)[0]


def draws_of(flow, task: Task, x, n: int, rng) -> np.ndarray:
    """n draws (n, dim) of q(theta | x), for one x, within the prior."""
    kept, total = [], 0
    while total < n:
        theta = flow.sample(n, rng, context=x)[:, 0]
        kept.append(theta[(np.abs(theta) < task.bound).all(axis=1)])
        total += len(kept[-1])
    return np.concatenate(kept)[:n]


def truncated(flow, task: Task, x, n: int, rng) -> np.ndarray:
    """n draws of the prior where q(theta | x) is not negligible (Deistler et al. 2022)."""
    own = flow.log_prob(draws_of(flow, task, x, 10_000, rng), context=x)
    limit, kept, total = np.quantile(own, LEAST_SHARE), [], 0
    while total < n:
        theta = task.prior(10_000, rng)
        kept.append(theta[flow.log_prob(theta, context=x) > limit])
        total += len(kept[-1])
    return np.concatenate(kept)[:n]


def in_rounds(task: Task, x_seen, n: int, rounds: int, rng, **options):
    """A flow from n simulations, all but the first n / rounds where the one before has mass."""
    theta = task.prior(n // rounds, rng)
    x = task.simulate(theta, rng)
    flow = fitted(theta, x, rng, **options)
    for _ in range(rounds - 1):
        more = truncated(flow, task, x_seen, n // rounds, rng)
        theta, x = np.concatenate([theta, more]), np.concatenate([x, task.simulate(more, rng)])
        flow = fitted(theta, x, rng, **options)
    return flow


def c2st(draws, reference, seed: int = 1) -> float:
    """Accuracy of a classifier of draws, with five folds."""
    mean, sd, dim = draws.mean(axis=0), draws.std(axis=0, ddof=1), draws.shape[1]
    rows = (np.concatenate([draws, reference]) - mean) / sd
    labels = np.repeat([0, 1], [len(draws), len(reference)])
    network = MLPClassifier((10 * dim, 10 * dim), max_iter=10_000, random_state=seed)
    folds = KFold(5, shuffle=True, random_state=seed)
    return float(cross_val_score(network, rows, labels, cv=folds).mean())


def by_sbi(python, task: Task, theta, x, fresh, seen, n: int) -> tuple[list[np.ndarray], float]:
    """(draws for each x that was seen, NLL), by the NPE of sbi in an environment of its own."""
    made = arrays_of(
        python, [PEER], theta=theta, x=x, fresh_theta=fresh[0], fresh_x=fresh[1], seen=seen,
        bound=task.bound, n=n, size=[LAYERS, HIDDEN, BINS],
    )  # fmt: skip
    return [*made["draws"]], float(made["nll"])


def measured(name: str, args, **options):
    """Rows of a task's table: one for every observation and contestant."""
    task, rng = TASKS[name], np.random.default_rng(args.seed)
    theta = task.prior(args.simulations, rng)
    x = task.simulate(theta, rng)
    fresh = task.prior(FRESH, rng)
    fresh = fresh, task.simulate(fresh, rng)
    pairs = [observation(args.sbibm, name, number) for number in args.observations]
    found, who = {}, f"flowcore{', context_net' if args.context_net else ''}"
    if args.rounds == 1:
        flow = fitted(theta, x, rng, **options)
        nll = -flow.log_prob(fresh[0], context=fresh[1]).mean()
        found[who] = [draws_of(flow, task, own, args.draws, rng) for own, _ in pairs], nll
    else:
        flows = [
            in_rounds(task, own, args.simulations, args.rounds, rng, **options) for own, _ in pairs
        ]
        draws = [draws_of(flow, task, own, args.draws, rng)
                 for flow, (own, _) in zip(flows, pairs, strict=True)]  # fmt: skip
        found[f"{who}, {args.rounds} rounds"] = draws, np.nan
    if args.sbi:
        seen = np.concatenate([own for own, _ in pairs])
        found["sbi"] = by_sbi(args.sbi, task, theta, x, fresh, seen, args.draws)
    for library, (draws, nll) in found.items():
        for number, own, (_, reference) in zip(args.observations, draws, pairs, strict=True):
            yield {"task": name, "library": library, "observation": number,
                   "C2ST": c2st(own, reference[: args.draws]), "NLL": float(nll)}  # fmt: skip


def main(argv=None) -> int:
    options = bare_parser(__doc__)
    options.add_argument("--json", type=Path, metavar="FILE")
    options.add_argument("--quick", action="store_true", help="a small form that takes seconds")
    options.add_argument("--sbibm", type=Path, required=True, metavar="CLONE")
    options.add_argument("--sbi", type=Path, metavar="PYTHON", help="an interpreter that has sbi")
    options.add_argument("--tasks", nargs="+", choices=[*TASKS], default=[*TASKS], metavar="NAME")
    options.add_argument("--observations", nargs="+", type=int, default=[*range(1, 11)])
    options.add_argument("--simulations", type=int, default=10_000)
    options.add_argument("--draws", type=int, default=10_000, help="that are compared (10000)")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--context-net", action="store_true", help="a network before x")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args(argv)
    fit = {"context_net": args.context_net}
    if args.quick:
        args.simulations, args.draws, fit["epochs"] = 200, 100, 2
    print_machine("simulation-based inference", machine())
    rows = []
    for name in args.tasks:
        for row in measured(name, args, **fit):
            rows.append(row)
            print(*row.values(), flush=True)
    print_table([*rows[0]], [[*row.values()] for row in rows])
    for library in dict.fromkeys(row["library"] for row in rows):
        for name in args.tasks:
            own = [r["C2ST"] for r in rows if (r["library"], r["task"]) == (library, name)]
            print(f"{library}, {name}: mean C2ST {np.mean(own):.3f} (wanted: 0.60)")
    write_rows(args.json, "simulation_based", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
