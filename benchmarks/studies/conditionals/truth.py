"""Conditionals given random subsets of the columns, beside the exact ones.

    python -m benchmarks.studies.conditionals.truth [--targets twonorm ...] [--rows N] [--repeats R]
        [--budget MINUTES] [--quick] [--json FILE]

Each target is learned by a FlowDensity from n rows, and asked about fresh rows of which a random
subset is known. The truth itself, asked in the same way by importance weights, shows what the
answers add to the error of the density. Columns of the table:

KL           of the conditional, E log p(x_b | x_a) - log q(x_b | x_a), in nats, +- standard error
joint        KL of the joint density; the target is KL <= .02 + joint
ESS          median and 5% quantile of the effective sample size of 200 draws
k > .7       share of the rows whose Pareto k-hat is above .7, before more draws are taken
flat         in how many repeats the places of a hidden cell among its draws are uniform (5%)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import kstest

import flowcore as fc
from flowcore.conditionals.weights import weighted

from ...support.common import parser, print_table, quiet, write_rows

DRAWS, PLACES, BLOCK = 200, 99, 500  # of a row, and rows at once


@dataclass(frozen=True)
class Known:
    """A density whose conditionals are known: log_known(rows with NaN) is log p(x_a)."""

    density: object
    log_known: Callable[[np.ndarray], np.ndarray]
    rows: int  # that are learned from


class Hidden:
    """A density of which only `sample` and `log_prob` are seen: no exact conditionals."""

    def __init__(self, density):
        self.dim, self.sample, self.log_prob = density.dim, density.sample, density.log_prob


def exact_mixture(p: fc.MultivariateNormalMixture, rows: int) -> Known:
    """Its marginals are exact."""

    def log_known(x):
        return np.array(
            [p.marginal(np.flatnonzero(~np.isnan(r))).log_prob(r[~np.isnan(r)]) for r in x]
        )

    return Known(p, log_known, rows)


def in_the_plane(p, reach: float, rows: int, points: int = 4001) -> Known:
    """log p(x_a) of a density of two columns, by a sum along a line from -reach to reach."""
    line = np.linspace(-reach, reach, points)

    def log_known(x):
        found = []
        for row in x:
            path = np.tile(row, (points, 1))
            path[:, np.isnan(row)] = line[:, None]
            found.append(np.log(p.prob(path).sum() * (line[1] - line[0])))
        return np.array(found)

    return Known(p, log_known, rows)


def twonorm() -> Known:
    a = np.full(20, 2 / 20**0.5)
    return exact_mixture(fc.MultivariateNormalMixture([a, -a], [np.eye(20)] * 2), 2000)


def ringnorm() -> Known:
    a = np.full(20, 1 / 20**0.5)
    factors = [2 * np.eye(20), np.eye(20)]
    return exact_mixture(fc.MultivariateNormalMixture([0 * a, a], factors), 2000)


def mixture_of_8() -> Known:
    rng = np.random.default_rng(8)
    factors = np.tril(0.4 * rng.normal(size=(3, 8, 8)), -1) + np.eye(8)
    means = 1.5 * rng.normal(size=(3, 8))
    return exact_mixture(fc.MultivariateNormalMixture(means, factors, [0.5, 0.3, 0.2]), 2000)


def moons() -> Known:
    return in_the_plane(fc.targets.two_moons(noise=0.1), 4.0, 2000)


TARGETS: dict[str, Callable[[], Known]] = {
    "twonorm, 20 columns": twonorm,
    "ring, 20 columns": ringnorm,
    "mixture, 8 columns": mixture_of_8,
    "two moons": moons,
}


def hidden_subsets(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """x with NaN: of each row a random number of random columns is known, from 1 to D - 1."""
    n, dim = x.shape
    order = rng.permuted(np.tile(np.arange(dim), (n, 1)), axis=1)
    return np.where(order < rng.integers(1, dim, size=n)[:, None], x, np.nan)


def first_weights(joint: fc.Conditionals, rows: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """(effective sample sizes, k-hats) of plain weights, without more draws or annealing."""
    ess, k_hat = np.empty((2, len(rows)))
    for index in np.split(np.arange(len(rows)), range(BLOCK, len(rows), BLOCK)):
        drawn = [joint.proposal.sample_given(rows[[i]], DRAWS, rng) for i in index]
        x, log_q = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        log_p = joint.density.log_prob(x.reshape((-1, joint.dim))).reshape(log_q.shape)
        found = weighted(x, log_p - log_q)
        ess[index], k_hat[index] = found.ess, found.k_hat
    return ess, k_hat


def measure(known: Known, density, n: int, seed: int) -> dict:
    """One density, asked about n fresh rows."""
    rng = np.random.default_rng(seed)
    x = known.density.sample(n, rng)
    rows, joint = hidden_subsets(x, rng), fc.Conditionals(density)
    gap = known.density.log_prob(x) - density.log_prob(x)
    answers = joint.impute(rows, PLACES, DRAWS, rng)
    kl = gap - known.log_known(rows) + answers.log_p
    cell = np.array([rng.choice(np.flatnonzero(np.isnan(row))) for row in rows])
    each = np.arange(n)
    below = (answers.draws[:, each, cell] < x[each, cell]).sum(axis=0)
    ess, k_hat = first_weights(joint, rows, rng)
    return {
        "kl": kl.mean(), "error": kl.std() / n**0.5, "joint": gap.mean(),
        "ess": np.median(ess), "low_ess": np.quantile(ess, 0.05), "bad_k": np.mean(k_hat > 0.7),
        "p_flat": kstest((below + rng.random(n)) / (PLACES + 1), "uniform").pvalue,
    }  # fmt: skip


def main(argv=None) -> int:
    new = parser(__doc__)
    new.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="T")
    new.add_argument("--rows", type=int, help="fresh rows that are asked about (400)")
    new.add_argument("--repeats", type=int, help="new rows to learn from, new fresh rows (10)")
    new.add_argument("--budget", type=float, help="of FlowDensity, minutes (its default)")
    args = new.parse_args(argv)
    n, repeats = args.rows or (60 if args.quick else 400), args.repeats or (1 if args.quick else 10)
    budget = args.budget or (1e-3 if args.quick else None)
    table, document = [], []
    for name in args.targets:
        known = TARGETS[name]()
        found: dict[str, list[dict]] = {"the truth": [], "FlowDensity": []}
        for seed in range(repeats):
            with quiet():
                learn = known.density.sample(300 if args.quick else known.rows, seed)
                fit = fc.FlowDensity(budget=budget, random_state=seed).fit(learn)
                found["the truth"].append(measure(known, Hidden(known.density), n, 100 + seed))
                found["FlowDensity"].append(measure(known, fit.density_, n, 100 + seed))
        for who, rows in found.items():
            row = {key: float(np.mean([one[key] for one in rows])) for key in rows[0]}
            row["error"] /= repeats**0.5
            row["flat"] = sum(one["p_flat"] > 0.05 for one in rows)
            document.append({"target": name, "who": who, "repeats": repeats, **row})
            table.append([
                name, who, f"{row['kl']:.3f} +- {row['error']:.3f}", f"{row['joint']:.3f}",
                f"{row['ess']:.0f} / {row['low_ess']:.0f}", f"{row['bad_k']:.0%}",
                f"{row['flat']} of {repeats}",
            ])  # fmt: skip
            print(*table[-1], file=sys.stderr)
    print_table(["target", "density", "KL", "joint", "ESS", "k > .7", "flat"], table)
    write_rows(args.json, "truth", document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
