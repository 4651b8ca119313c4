"""How often are six columns large together? A table's answers beside a truth that is known.

    python -m benchmarks.studies.joint_tails [--budget MINUTES] [--seed 31] [--json FILE] [--quick]

3,650 rows of six gamma columns with a Gaussian, a t(4) or a Gumbel copula; "with zeros" the lower
half to two thirds of each column are 0. `fit_table` learns from them. Printed is P(all six exceed a
level): the truth, by 2,000,000 draws of it; and, divided by the truth, the share of 100,000 draws
of the table's density and the answer of `given`, with standard errors.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy import stats

import flowcore as fc
from flowcore.tables import Schema, fit_table

from ..support.common import machine, parser, print_machine, quiet, write_rows
from ..support.markdown import table

N, TRUE, DRAWN, DIM = 3650, 2_000_000, 100_000, 6
GAMMA = stats.gamma([0.7, 0.8, 0.6, 0.9, 0.7, 1.0], scale=[9, 7, 11, 8, 6, 10])
ZEROS = np.array([0.5, 0.55, 0.6, 0.69, 0.52, 0.63])
APART = np.abs(np.subtract.outer(range(DIM), range(DIM)))
CORRELATIONS = np.where(APART, 0.45 + 0.5 * np.exp(-APART / 2), 1.0)
LEVELS = {False: GAMMA.ppf([[0.9], [0.97]]), True: np.array([[10.0], [20.0]])}  # of all six
COPULAS = "Gaussian", "t(4)", "Gumbel"


def main(argv=None) -> int:
    options = parser(__doc__)
    options.add_argument("--budget", type=float, default=0.1, help="minutes of a fit (0.1)")
    options.add_argument("--seed", type=int, default=31)
    args = options.parse_args(argv)
    print_machine("joint_tails", machine())
    n, n_true = (300, 10_000) if args.quick else (N, TRUE)
    rows = [row for zeros in (False, True) for copula in COPULAS[: 1 if args.quick else None]
            for row in measure(copula, zeros, n, n_true, args)]  # fmt: skip
    print(rendered({"rows": rows}))
    write_rows(args.json, "joint_tails", rows)
    return 0


def uniform(copula: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """n draws of a copula, (n, 6)."""
    if copula == "Gumbel":  # theta = 2: Marshall and Olkin, a positive stable variable of index 1/2
        stable = 1 / (2 * rng.standard_normal((n, 1)) ** 2)
        return np.exp(-np.sqrt(rng.exponential(size=(n, DIM)) / stable))
    z = rng.multivariate_normal(np.zeros(DIM), CORRELATIONS, n, method="cholesky")
    if copula == "Gaussian":
        return stats.norm.cdf(z)
    return stats.t(4).cdf(z / np.sqrt(rng.chisquare(4, (n, 1)) / 4))


def amounts(u: np.ndarray, zeros: bool) -> np.ndarray:
    """The columns with these shares below."""
    if not zeros:
        return GAMMA.ppf(u)
    return np.where(u < ZEROS, 0.0, GAMMA.ppf(np.maximum(u - ZEROS, 0) / (1 - ZEROS)))


def measure(copula: str, zeros: bool, n: int, n_true: int, args) -> list[dict]:
    """A row of results for each level."""
    rng, names = np.random.default_rng(args.seed), [f"gauge {k}" for k in range(1, DIM + 1)]
    X = pd.DataFrame(amounts(uniform(copula, n, rng), zeros), columns=names)
    schema = Schema.from_data(X).edit(dict.fromkeys(names, "positive" + " atoms(0)" * zeros))
    learn = fc.FlowDensity(budget=args.budget, random_state=args.seed)
    with quiet():
        density = fit_table(X, schema, learn=learn, rng=args.seed)
    drawn = density.sample(DRAWN, rng=args.seed)[names].to_numpy()
    truth, found = amounts(uniform(copula, n_true, rng), zeros), []
    for level in LEVELS[zeros]:
        level = np.broadcast_to(level, DIM)
        known = {name: (own, np.inf) for name, own in zip(names, level.tolist(), strict=True)}
        with quiet():
            given = density.given(known, rng=args.seed)
        p = float((truth > level).all(axis=1).mean())
        share = float((drawn > level).all(axis=1).mean())
        answer = float(np.exp(given.log_marginal))
        found.append({
            "copula": copula, "zeros": zeros, "truth": p,
            "level": f"{level[0]:.0f}" if zeros else f"{GAMMA.cdf(level)[0]:.0%}",
            "draws": share / p, "error_of_draws": (share / DRAWN) ** 0.5 / p,
            "given": answer / p, "error_of_given": answer / p * float(given.error),
        })  # fmt: skip
    return found


def rendered(document: dict) -> str:
    """A row a copula and level."""
    lines = [
        [
            f"{row['copula']} copula{', with zeros' * row['zeros']}",
            f"{row['level']}",
            f"{row['truth']:.2g}",
            *(f"{row[one]:.2f} ± {row[f'error_of_{one}']:.2f}" for one in ("draws", "given")),
        ]
        for row in document["rows"]
    ]
    return table(["all six above", "level", "truth", "draws / truth", "given / truth"], lines)


if __name__ == "__main__":
    sys.exit(main())
