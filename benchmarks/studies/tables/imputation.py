"""Tables of imputers beside each other."""

from __future__ import annotations

import numpy as np

from ...support.markdown import table

OURS = "flowcore"


def by_table(document) -> str:
    """CRPS of everybody on every table, the coverage of flowcore's intervals, and the verdict."""
    rows = document["rows"]
    everybody = list(dict.fromkeys(who for row in rows for who in row["means"]))
    lines = []
    for row in rows:
        size = f"{row['table']}, {row['rows']} x {row['columns']}"
        crps = [row["means"].get(who, {}).get("crps") for who in everybody]
        covered = row["means"].get(OURS, {}).get("covered")
        lines.append([size, *lowest_in_bold(crps), _short(covered)])
    header = ["CRPS; rows x columns", *everybody, f"{OURS}'s 95% intervals"]
    return table(header, lines) + "\n" + verdict(rows)


def lowest_in_bold(values: list[float | None]) -> list[str | None]:
    """With three decimals."""
    lowest = min((value for value in values if value is not None), default=None)
    return [f"**{_short(v)}**" if v is not None and v == lowest else _short(v) for v in values]


def verdict(rows: list[dict]) -> str:
    """On how many tables flowcore is the best, and how far all intervals cover."""
    gains = [row["crps"] for row in rows if "crps" in row]
    if not gains:
        return ""
    best = sum(own["gain"] > 0 for own in gains)
    near = sum(own["gain"] > -own["error"] for own in gains)
    shares = {}
    for who in dict.fromkeys(who for row in rows for who in row["means"]):
        own = [row["means"][who]["covered"] for row in rows if who in row["means"]]
        if None not in own:
            shares[who] = np.mean(own)
    each = ", ".join(f"{who} {share:.3f}".replace("0.", ".") for who, share in shares.items())
    return (
        f"CRPS: flowcore is the best on {best} of {len(gains)} tables, within a standard error of "
        f"the best on {near}. Mean coverage of 95% intervals: {each}.\n"
    )


def published(document) -> str:
    """Means over the tables that could be had, beside those that others published."""
    keys = ("AvgMAE", "MinMAE", "CoverageRate", "PercentBias")
    lines = [[row["who"], *(_short(row[key]) for key in keys)] for row in document["means"]]
    numbers = document["means"][0] if document["means"] else {}
    return table(["", "AvgMAE", "MinMAE", "coverage", "bias"], lines) + (
        f"\nErrors: {numbers.get('tables of AvgMAE', 0)} tables; coverage and bias: "
        f"{numbers.get('tables of CoverageRate', 0)}.\n"
    )


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}".removeprefix("0")
