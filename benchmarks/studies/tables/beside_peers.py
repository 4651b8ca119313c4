"""Tables of flowcore beside other libraries."""

from __future__ import annotations

import numpy as np

from ...support.cases import CASES
from ...support.markdown import milliseconds, table
from ...support.timing import Spread, significant
from ..contestants import N_SAMPLES, US, YARDSTICKS

WORK = {
    "step": "training step with Adam",
    "density": "density of the batch",
    "sample": f"{N_SAMPLES} samples",
}


def peers(document) -> str:
    """Milliseconds of every case and library; the last column is within the rounds of one run."""
    found = {(row["work"], row["case"], row["who"]): row
             for row in document["rows"] if "work" in row}  # fmt: skip
    names = list(dict.fromkeys(who for _, _, who in found))
    letters = list(dict.fromkeys(case for _, case, _ in found))
    lines = []
    for work, title in WORK.items():
        for k, letter in enumerate(letters):
            rows = {who: found.get((work, letter, who)) for who in names}
            times = [row and milliseconds(row["seconds"]) for row in rows.values()]
            label = f"{title}: {letter}" if k == 0 else letter
            lines.append([label, *times, _per_fastest(rows)])
    lines.append(["seconds of compilation, per function", *_compilation(found, names), ""])
    cases = "; ".join(str(CASES[letter]) for letter in letters)
    text = table(["milliseconds", *names, "flowcore / fastest peer"], lines)
    return f"{text}{_means(found, letters, names)}\n{cases}.\n"


def _per_fastest(rows) -> str | None:
    best = _fastest(rows)
    return best and f"{significant(rows[best]['flowcore_per_this']['median'])} ({best})"


def _fastest(rows) -> str | None:
    others = {who: row["seconds"]["median"] for who, row in rows.items()
              if row is not None and who != US and who not in YARDSTICKS}  # fmt: skip
    return min(others, key=others.__getitem__, default=None)


def _means(found, letters, names) -> str:
    """Of the last column, for every kind of work that all cases have."""
    means = []
    for work, title in WORK.items():
        every = [{who: found.get((work, letter, who)) for who in names} for letter in letters]
        fastest = [_fastest(rows) for rows in every]
        if all(fastest):
            pairs = zip(every, fastest, strict=True)
            logs = [np.log(rows[who]["flowcore_per_this"]["median"]) for rows, who in pairs]
            means.append(f"{title} {np.exp(np.mean(logs)):.2f}")
    return f"\nGeometric means of the last column: {', '.join(means)}.\n" if means else ""


def _compilation(found, names) -> list[str]:
    ranges = []
    for name in names:
        seconds = [row["compiling"] for (_, _, who), row in found.items() if who == name]
        shown = f"{min(seconds):.1f}-{max(seconds):.1f}"
        ranges.append("none" if max(seconds) < 0.1 else shown)
    return ranges


def iaf_step(document) -> str:
    """What a maximum-likelihood step of an IAF takes, in steps of a MAF."""
    found = {(row["n_rows"], row["who"]): row["iaf_per_maf"]["median"]
             for row in document["rows"] if "n_rows" in row}  # fmt: skip
    names = list(dict.fromkeys(who for _, who in found))
    lines = [[f"{n} rows", *(found.get((n, who)) for who in names)]
             for n in dict.fromkeys(n for n, _ in found)]  # fmt: skip
    return table(["step of an IAF / of a MAF", *names], lines)


def time_to_trained(document) -> str:
    """Medians over the repeats."""
    runs: dict[str, list[dict]] = {}
    for row in document["rows"]:
        runs.setdefault(row["name"].partition(" seed ")[0], []).append(row)
    lines = []
    for name, mine in runs.items():
        seconds = [row["seconds"] for row in mine]
        nll = [row["nll"] for row in mine]
        worst = None if None in nll else f"{max(nll):.2f}"
        middle = None if None in nll else f"{np.median(nll):.2f}"
        per = significant(ratio(runs, name).median) if len(runs[US]) == len(mine) else None
        lines.append([name, Spread.of(seconds).median, middle, worst, per])
    return table(["", "seconds", "NLL", "worst NLL", "flowcore / this"], lines)


def ratio(runs: dict[str, list[dict]], name: str) -> Spread:
    """Seconds of flowcore / seconds of the other, within each round."""
    pairs = zip(runs[US], runs[name], strict=True)
    return Spread.of([ours["seconds"] / theirs["seconds"] for ours, theirs in pairs])
