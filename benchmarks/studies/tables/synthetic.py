"""Tables of drawn rows beside real ones."""

from __future__ import annotations

import numpy as np

from ...support.markdown import table

OURS = ("held-out rows", "flowcore", 'flowcore, margins="table"')  # of the longer table
HEADER = ["shapes", "pairs", "detector", "train drawn, test real", "out of range",
          "commonest value", "nearer to training"]  # fmt: skip
KEYS = ("shapes", "pairs", "detector", "transfer", "outside", "commonest", "nearer")


def means(document) -> str:
    """Everybody's figures, the mean over the tables from which all of them have drawn."""
    rows, lines = document["rows"], []
    everybody = dict.fromkeys(row["who"] for row in rows)
    shared = [{row["table"] for row in rows if row["who"] == who} for who in everybody]
    shared = set.intersection(*shared)
    for who in everybody:
        own = [row for row in rows if row["who"] == who and row["table"] in shared]
        mean = {k: np.mean([row[k] for row in own]) for k in KEYS if own[0][k] is not None}
        lines.append([as_code(who), *figures(mean)])
    return table([f"mean of {len(shared)} tables", *HEADER], lines)


def by_table(document) -> str:
    """Figures of every table, of its own rows and of flowcore's."""
    lines = []
    for row in document["rows"]:
        if row["who"] in OURS:
            gain = row["gain"] and "{:+.2f} ± {:.2f}".format(*row["gain"])
            size = f"{row['table']}, {row['rows']:,} x {row['columns']}"
            lines.append([size, as_code(row["who"]), *figures(row), gain])
    return table(["rows x columns", "", *HEADER, "gain of p(c)"], lines)


def figures(row) -> list[str | None]:
    """The cells of one line."""
    shown = dict.fromkeys(KEYS, "{:.3f}") | {"outside": "{:.1%}", "commonest": "{:.1%}"}
    return [None if row.get(k) is None else form.format(row[k]) for k, form in shown.items()]


def as_code(who: str) -> str:
    return who.replace('margins="table"', '`margins="table"`')
