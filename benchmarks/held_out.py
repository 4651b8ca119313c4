"""How good are the densities? Mean log p of fresh rows under `FlowDensity`, on ten tables.

    python -m benchmarks.held_out [--tables NAMES] [--seed 0] [--budget MINUTES] [--json FILE]

Five small tables (100 to 500 rows) and five middle ones (1,000 to 10,000 rows), real and made, with
the defaults of `FlowDensity`. Nats are in the units of the table. The last column is the CPU
seconds of the fit, with those of all its processes.

`python -m benchmarks.against COMMIT` runs this on two checkouts.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

FRESH = 4_000  # rows of a made table; of a real one, a quarter


def skewed(n: int, dim: int, rng) -> np.ndarray:
    """Correlated columns, each of which is an exponential or a cube."""
    x = rng.normal(size=(n, dim)) @ (np.eye(dim) + 0.6 * rng.normal(size=(dim, dim)) / dim**0.5)
    return np.where(np.arange(dim) % 2, x + 0.3 * x**3, np.exp(0.6 * x))


def clusters(n: int, dim: int, rng) -> np.ndarray:
    """Three groups with matrices of their own; one column bends with another one."""
    matrices, means = rng.normal(size=(3, dim, dim)) / dim**0.5, 2.5 * rng.normal(size=(3, dim))
    group = rng.integers(0, 3, n)
    x = means[group] + np.einsum("nij,nj->ni", matrices[group], rng.normal(size=(n, dim)))
    x[:, 0] += 0.4 * x[:, 1] ** 2
    return x


def curved(n: int, dim: int, rng) -> np.ndarray:
    """Each column bends with the one before it, with a spread that grows along it."""
    x = rng.normal(size=(n, dim))
    for i in range(1, dim):
        x[:, i] = np.sin(1.5 * x[:, i - 1]) + np.exp(0.4 * x[:, i - 1]) * x[:, i] / 2
    return x


def made(draw: Callable, n: int, dim: int) -> Callable:
    """(training rows, fresh rows) for a seed."""

    def split(seed: int):
        return np.split(draw(n + FRESH, dim, np.random.default_rng([n, dim, seed])), [n])

    return split


def real(name: str, columns: int | None = None) -> Callable:
    """A table of scikit-learn, or so many of its principal components."""

    def split(seed: int):
        import sklearn.datasets
        from sklearn.decomposition import PCA

        x = getattr(sklearn.datasets, f"load_{name}")().data
        x = x if columns is None else PCA(columns, random_state=0).fit_transform(x)
        rng = np.random.default_rng([len(x), seed])
        x = x[rng.permutation(len(x))] + 1e-3 * x.std(axis=0) * rng.normal(size=x.shape)
        return np.split(x, [3 * len(x) // 4])

    return split


TABLES = {
    "iris": real("iris"), "wine": real("wine"), "diabetes": real("diabetes", 8),
    "skewed-150": made(skewed, 150, 4), "clusters-400": made(clusters, 400, 6),
    "digits": real("digits", 8), "skewed-1000": made(skewed, 1000, 12),
    "clusters-3000": made(clusters, 3000, 8), "curved-2000": made(curved, 2000, 5),
    "curved-8000": made(curved, 8000, 10),
}  # fmt: skip
SHORTEST = "skewed-150", "clusters-400", "skewed-1000", "digits"  # of the tests


def measured(name: str, seed: int, budget: float | None) -> dict:
    """The number of rows, log p of the fresh ones, CPU seconds of the fit."""
    import os

    from joblib.externals.loky import get_reusable_executor

    import flowcore as fc

    def cpu_seconds() -> float:
        get_reusable_executor().shutdown(wait=True)  # only then its processes are counted
        return sum(os.times()[:4])

    table, fresh = TABLES[name](seed)
    before = cpu_seconds()
    found = fc.FlowDensity(random_state=seed, budget=budget).fit(table)
    seconds = cpu_seconds() - before
    log_p = found.score_samples(fresh).tolist()
    return {"n": len(table), "log_p": log_p, "seconds": seconds}


def main(argv=None) -> int:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    options = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    options.add_argument("--tables", nargs="+", default=[*TABLES], choices=[*TABLES])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--budget", type=float, help="minutes (FlowDensity's default)")
    options.add_argument("--json", type=Path, help="log p of every fresh row, for `against`")
    args = options.parse_args(argv)
    warnings.simplefilter("ignore")
    rows = []
    for name in args.tables:
        row = measured(name, args.seed, args.budget)
        mean = np.mean(row["log_p"])
        print(f"{name:15s} {mean:9.4f} nats {row['seconds']:6.1f} CPU s", flush=True)
        rows.append({"name": name, **row})
    if args.json:
        args.json.write_text(json.dumps({"benchmark": "held_out", "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
