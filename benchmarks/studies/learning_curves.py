"""From how many rows on do flows matter? The distance to two known densities over n.

    python -m benchmarks.studies.learning_curves [--rows 50 100 ...] [--seeds 3] [--first-seed 0]
        [--picture FILE.png] [--json FILE] [--quick]

Two moons, and four skewed columns: gamma quantiles (shape 1) of a correlated Gaussian's ranks. To n
of their rows are fitted a Gaussian, all simple densities of `FlowDensity` (no flow), and
`FlowDensity` with its defaults. The distance is KL(p || q) in nats on 5,000 fresh rows; printed
are means over the seeds, without the Gaussian's, which the picture has.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
from scipy import stats

import flowcore as fc

from ..support.common import machine, parser, print_machine, quiet, write_rows
from ..support.markdown import table

FRESH = 5_000  # rows of a distance
SIZES = [50, 100, 200, 500, 1000, 2000, 5000]
CORRELATIONS = 0.6 ** np.abs(np.subtract.outer(range(4), range(4)))
NATS = 0.01, 0.03, 0.1, 0.3, 1, 3  # of the picture's axis
DENSITIES = "Gaussian", "without flows", "FlowDensity"


def main(argv=None) -> int:
    options = parser(__doc__)
    options.add_argument("--rows", type=int, nargs="+", default=SIZES)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--picture", metavar="FILE", type=Path)
    args = options.parse_args(argv)
    sizes, seeds = (args.rows[:1], 1) if args.quick else (args.rows, args.seeds)
    print_machine("learning_curves", machine())
    rows = [row for name in TARGETS for n in sizes
            for seed in range(args.first_seed, args.first_seed + seeds)
            for row in measure(name, n, seed)]  # fmt: skip
    print(rendered({"rows": rows}))
    if args.picture:
        draw(rows, args.picture)
    write_rows(args.json, "learning_curves", rows)
    return 0


def two_moons(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n rows, and their log p."""
    target = fc.targets.two_moons()
    x = target.sample(n, rng=rng)
    return x, target.log_prob(x)


def skewed(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same of four exponential columns with a Gaussian copula."""
    normal = stats.multivariate_normal(cov=CORRELATIONS)
    z = normal.rvs(n, random_state=rng)
    x = stats.expon.isf(stats.norm.sf(z))
    log_copula = normal.logpdf(z) - stats.norm.logpdf(z).sum(axis=1)
    return x, log_copula + stats.expon.logpdf(x).sum(axis=1)


TARGETS = {"two moons": two_moons, "four skewed columns": skewed}


def measure(name: str, n: int, seed: int) -> list[dict]:
    """A row of results for each density."""
    rng = np.random.default_rng([seed, n])
    x, _ = TARGETS[name](n, rng)
    fresh, log_p = TARGETS[name](FRESH, rng)
    found = []
    for who in DENSITIES:
        start = time.process_time()
        score = fitted(who, x, seed)
        spent, gap = time.process_time() - start, log_p - score(fresh)
        found.append({"target": name, "n": n, "seed": seed, "who": who, "seconds": round(spent, 2),
                      "kl": float(gap.mean()), "error": float(gap.std() / FRESH**0.5)})  # fmt: skip
    return found


def fitted(who: str, x: np.ndarray, seed: int):
    """log p of rows, by a density of x."""
    if who == "Gaussian":
        return stats.multivariate_normal(x.mean(axis=0), np.cov(x.T)).logpdf
    density = fc.FlowDensity(random_state=seed, n_jobs=1)
    flows = "flowcore.estimator.density.as_candidates"
    with quiet():
        if who == "FlowDensity":
            return density.fit(x).score_samples
        with mock.patch(flows, return_value=[]):
            return density.fit(x).score_samples


def means(rows: list[dict]) -> dict[tuple, float]:
    """{(target, density, n): the mean over the seeds}."""
    of: dict[tuple, list[float]] = {}
    for row in rows:
        of.setdefault((row["target"], row["who"], row["n"]), []).append(row["kl"])
    return {key: float(np.mean(kl)) for key, kl in of.items()}


def rendered(document: dict) -> str:
    """A row a density, but for the Gaussian; a column a number of rows."""
    kl, sizes = means(document["rows"]), sorted({row["n"] for row in document["rows"]})
    lines = [[f"{name}: {who}", *(f"{kl[name, who, n]:.3f}" for n in sizes)]
             for name in TARGETS for who in DENSITIES[1:]]  # fmt: skip
    return table(["KL in nats", *(f"{n:,} rows" for n in sizes)], lines)


def draw(rows: list[dict], path: Path) -> None:
    """Write the PNG: KL over n, log-log, a panel a target."""
    from matplotlib.figure import Figure

    kl, sizes = means(rows), sorted({row["n"] for row in rows})
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for ax, name in zip(figure.subplots(1, 2), TARGETS, strict=True):
        for who, style in zip(DENSITIES, ("s:", "o--", "o-"), strict=True):
            ax.loglog(sizes, [kl[name, who, n] for n in sizes], style, label=who)
        ax.set(xlabel="rows", ylabel="nats from the truth (KL)", title=name, xticks=sizes)
        ax.set_xticklabels([f"{n:,}" for n in sizes])
        ax.set_yticks(NATS, NATS)
        ax.minorticks_off()
        ax.grid(True, alpha=0.3)
        ax.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
