"""Tables of flowcore beside other libraries."""

from __future__ import annotations

import numpy as np

from ...support.cases import CASES
from ...support.markdown import milliseconds, table
from ...support.timing import Spread, significant
from ..contestants import N_SAMPLES, US, YARDSTICKS

MINUTE = 60.0
RIVALS = ("zuko", "flowjax+jit")  # to a good density
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


QUALITY_PICTURE = """
![Validation NLL over the minutes since the process began](images/time_to_quality.png)
"""


def time_to_quality(document) -> str:
    """Minutes to every threshold, as far as it was reached."""
    thresholds = document["settings"]["thresholds"]
    lines = []
    for row in (row for row in document["rows"] if row["curve"]):
        times = [seconds_to(row["curve"], t) for t in thresholds]
        minutes = [None if s is None else s / MINUTE for s in times]
        last = f"{row['curve'][-1][1]:.3f}"
        lines.append([row["name"], *minutes, last, len(row["curve"]), pace(row["curve"])])
    header = ["minutes to", *(f"{t:g} nats" for t in thresholds), "at the end", "epochs",
              "seconds an epoch"]  # fmt: skip
    curves = {row["name"]: row["curve"] for row in document["rows"]}
    return table(header, lines) + _faster_rival(curves, thresholds) + QUALITY_PICTURE


def _faster_rival(curves, thresholds) -> str:
    shown = []
    for threshold in thresholds:
        times = {name: seconds_to(curve, threshold) for name, curve in curves.items()}
        theirs = [times[name] for name in RIVALS if times.get(name) is not None]
        if times.get(US) is not None and theirs:
            shown.append(f"{significant(times[US] / min(theirs))} at {threshold:g}")
    return f"\nflowcore / the faster of the others: {', '.join(shown)}.\n" if shown else ""


def seconds_to(curve: list, threshold: float) -> float | None:
    """When the curve of (seconds, log-likelihood) first was so high, between two points; None if it
    never was."""
    before = None
    for seconds, value in curve:
        if value >= threshold:
            if before is None:
                return seconds
            share = (threshold - before[1]) / (value - before[1])
            return before[0] + share * (seconds - before[0])
        before = seconds, value
    return None


def pace(curve: list) -> float:
    """Seconds of an epoch, without the start of the process if there are two."""
    first = curve[0][0] if len(curve) > 1 else 0.0
    return (curve[-1][0] - first) / max(1, len(curve) - 1)
