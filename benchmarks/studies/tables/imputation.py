"""Tables of imputers beside each other."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ...support.markdown import table

OURS = "flowcore"
FIGURES = (("crps", "CRPS"), ("mae", "absolute error"), ("covered", "95% interval"))


def by_table(document) -> str:
    """For every table CRPS, error and coverage of all, and the verdict."""
    rows = document["rows"]
    everybody = list(dict.fromkeys(who for row in rows for who in row["means"]))
    lines = []
    for row in rows:
        size = f"{row['table']}, {row['rows']} rows, {row['columns']} columns"
        if row["categories"]:
            size += f" ({row['categories']} categories)"
        size += f", {row['masks']} {'mask' if row['masks'] == 1 else 'masks'}"
        for key, label in FIGURES:
            values = {who: row["means"].get(who, {}).get(key) for who in everybody}
            lines.append([size if key == "crps" else "", label, *_cells(values, key != "covered")])
    text = table(["table", "", *everybody], lines)
    return text + "\n" + verdict(rows)


def _cells(values: dict[str, float | None], lowest: bool) -> list[str | None]:
    """Three decimals; the lowest one in bold."""
    known = [value for value in values.values() if value is not None]
    best = min(known, default=None) if lowest else None
    shown = []
    for value in values.values():
        text = _short(value)
        shown.append(f"**{text}**" if value is not None and value == best else text)
    return shown


def verdict(rows: list[dict]) -> str:
    """On how many tables flowcore is the best, and how far its intervals cover."""
    rows = [row for row in rows if "crps" in row]
    if not rows:
        return ""
    lines = []
    for key, label in (("crps", "CRPS"), ("mae", "absolute error")):
        best = sum(row[key]["gain"] > 0 for row in rows)
        near = sum(row[key]["gain"] > -row[key]["error"] for row in rows)
        lines.append(
            f"{label}: flowcore is the best on {best} of {len(rows)} tables, within a standard "
            f"error of the best on {near}."
        )
    shares = {}
    for who in dict.fromkeys(who for row in rows for who in row["means"]):
        own = [row["means"][who]["covered"] for row in rows if who in row["means"]]
        if None not in own:
            shares[who] = np.mean(own)
    each = ", ".join(f"{who} {share:.3f}".replace("0.", ".") for who, share in shares.items())
    return " ".join(lines) + f" Mean coverage of 95% intervals: {each}.\n"


def published(document) -> str:
    """Means over the tables that could be had, beside those that others published."""
    keys = ("AvgMAE", "MinMAE", "CoverageRate", "PercentBias")
    lines = [[row["who"], *(_short(row[key]) for key in keys)] for row in document["means"]]
    repeats = Counter(row["table"] for row in document["rows"])
    numbers = document["means"][0] if document["means"] else Counter()
    return table(["", "AvgMAE", "MinMAE", "coverage", "bias"], lines) + (
        f"\nErrors: {numbers['tables of AvgMAE']} tables; coverage and bias: "
        f"{numbers['tables of CoverageRate']}. flowcore's repeats: "
        f"{', '.join(f'{name} {count}' for name, count in repeats.items())}.\n"
    )


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}".removeprefix("0")
