"""What the parts of a table's density are worth: held-out nats a row that are lost without one.

    python -m benchmarks.studies.components [--tables census ...] [--components heaps ...]
        [--budget MINUTES] [--json FILE] [--quick]

A table is cut into halves (`synthetic/tables.py`): `fit_table` learns from one, with all parts and
without one of them, and the other half is scored. Printed are the mean of the differences of log p
and its standard error over the rows.

    heaps      the map of columns of which many rows have the same number (`normal_scores`)
    SoftLog    the map of columns whose tails are far longer than a normal density's
    tree, classes, counts     the densities of p(c); here all columns of numbers are set aside
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from unittest import mock

import numpy as np

import flowcore as fc
from flowcore.tables import categorical, coordinates, fit_table, normal_scores

from ..support.common import machine, parser, print_machine, quiet, write_rows
from ..support.markdown import table
from .synthetic.tables import CHOOSING, REPORTING, halves, is_number, schema_of

OF_CATEGORIES = {"tree": slice(1, 2), "classes": slice(2, None), "counts": slice(0, 1)}
OF_NUMBERS = {"heaps": (normal_scores, "normal_scores"), "SoftLog": (coordinates, "soft_log")}


def main(argv=None) -> int:
    options = parser(__doc__)
    options.add_argument("--tables", nargs="+", default=[*REPORTING, *CHOOSING])
    options.add_argument("--components", nargs="+", default=[*OF_NUMBERS, *OF_CATEGORIES])
    options.add_argument("--budget", type=float, help="minutes of a fit (its own default)")
    args = options.parse_args(argv)
    print_machine("components", machine())
    rows = []
    for name in args.tables:
        train, held_out = (half[: 300 if args.quick else None] for half in halves(name))
        for kind in (OF_NUMBERS, OF_CATEGORIES):
            wanted = [one for one in args.components if one in kind]
            rows += losses(name, train, held_out, wanted, args.budget)
    print(rendered({"rows": rows}))
    write_rows(args.json, "components", rows)
    return 0


def rendered(document: dict) -> str:
    """A row a table, a column a part; empty where it changes nothing."""
    parts, of_table = [*OF_NUMBERS, *OF_CATEGORIES], {}
    for row in document["rows"]:
        nats = f"{row['nats']:+.3f} ± {row['error']:.3f}"
        of_table.setdefault(row["table"], {})[row["component"]] = nats.removeprefix(
            "+0.000 ± 0.000"
        )
    lines = [[name, *(own.get(part, "") for part in parts)] for name, own in of_table.items()]
    return table(["nats a row lost without", *parts], lines)


def losses(name: str, train, held_out, components: list[str], budget) -> list[dict]:
    """A row of results for each of the components, all of numbers or all of categories."""
    schema = schema_of(train)
    if not components:
        return []
    if components[0] in OF_CATEGORIES:
        schema = schema.edit({own: "aside" for own in train if is_number(train[own])})
        if sum(c.kind.is_category for c in schema.columns) < 2:
            return []

    def log_p():
        with quiet():
            density = fit_table(train, schema, learn=fc.FlowDensity(budget=budget), rng=0)
            return density.log_prob(held_out)

    every, rows = log_p(), []
    for component in components:
        with without(component):
            lost = every - log_p()
        lost = lost[np.isfinite(lost)]  # values that only the held-out half has
        error = lost.std() / np.sqrt(len(lost))
        rows.append({"table": name, "component": component, "n": len(lost),
                     "nats": float(lost.mean()), "error": float(error)})  # fmt: skip
    return rows


@contextmanager
def without(component: str):
    """flowcore without one of its parts."""
    if component in OF_NUMBERS:
        with mock.patch.object(*OF_NUMBERS[component], lambda *_: None):
            yield
        return
    stacked = categorical.stacked_weights

    def weights(log_p, weight):
        log_p = log_p.copy()
        log_p[:, OF_CATEGORIES[component]] = -np.inf
        return stacked(log_p, weight)

    with mock.patch.object(categorical, "stacked_weights", weights):
        yield


if __name__ == "__main__":
    sys.exit(main())
