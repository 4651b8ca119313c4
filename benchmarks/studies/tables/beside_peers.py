"""Tables of flowcore beside other libraries."""

from __future__ import annotations

import numpy as np

from ...support.cases import CASES
from ...support.markdown import milliseconds, table
from ...support.timing import significant
from ..contestants import N_SAMPLES, US, YARDSTICKS

WORK = {
    "step": "training step with Adam",
    "density": "density of the batch",
    "sample": f"{N_SAMPLES} samples",
}


def peers(document) -> str:
    """Milliseconds of every case and library; the last column is within the rounds of one run."""
    found, letters = by_work(document)
    names = list(dict.fromkeys(who for _, _, who in found))
    lines = []
    for work, title in WORK.items():
        for k, letter in enumerate(letters):
            rows = {who: found.get((work, letter, who)) for who in names}
            times = [row and milliseconds(row["seconds"]) for row in rows.values()]
            label = f"{title}: {letter}" if k == 0 else letter
            ratio, best = per_fastest(found, work, letter)
            lines.append([label, *times, f"{significant(ratio)} ({best})" if best else None])
    lines.append(["seconds of compilation, per function", *_compilation(found, names), ""])
    text = table(["milliseconds", *names, "flowcore / fastest peer"], lines)
    means = ", ".join(f"{title} {mean}" for title, *_, mean in _ratios(found, letters))
    cases = "; ".join(str(CASES[letter]) for letter in letters)
    return f"{text}\nGeometric means of the last column: {means}.\n\n{cases}.\n"


def ratios(document) -> str:
    """flowcore's time / that of the fastest peer, and the geometric mean over the cases."""
    found, letters = by_work(document)
    header = ["flowcore / fastest peer", *letters, "geometric mean"]
    return table(header, _ratios(found, letters))


def _ratios(found, letters) -> list[list]:
    """A line for every kind of work: its title, the ratio of every case, their mean."""
    lines = []
    for work, title in WORK.items():
        own = [per_fastest(found, work, letter)[0] for letter in letters]
        lines.append([title, *own, f"{np.exp(np.mean(np.log(own))):.2f}"])
    return lines


def by_work(document) -> tuple[dict[tuple, dict], list[str]]:
    """{(work, case, who): row}, and the letters of the cases."""
    found = {(row["work"], row["case"], row["who"]): row
             for row in document["rows"] if "work" in row}  # fmt: skip
    return found, list(dict.fromkeys(case for _, case, _ in found))


def per_fastest(found, work: str, letter: str) -> tuple[float, str | None]:
    """flowcore's time / that of the fastest peer, and its name; (nan, None) without a peer."""
    others = {who: row for (w, case, who), row in found.items()
              if (w, case) == (work, letter) and who != US and who not in YARDSTICKS}  # fmt: skip
    best = min(others, key=lambda who: others[who]["seconds"]["median"], default=None)
    return (others[best]["flowcore_per_this"]["median"], best) if best else (np.nan, None)


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
