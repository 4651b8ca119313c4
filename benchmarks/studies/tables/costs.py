"""Tables of what flowcore takes: by itself, and beside yardsticks."""

from __future__ import annotations

from ...support.cases import CASES
from ...support.markdown import milliseconds, table
from ...support.timing import significant
from ..contestants import US, YARDSTICKS

DIMS = (2, 8, 32, 128, 512, 1024)
BOTH = {  # the rows of the table: columns of the benchmark that are the same work
    "MAF density, IAF sampling: one pass": ("MAF density", "IAF sampling"),
    "MAF sampling: textbook": ("MAF sampling, textbook",),
    "IAF density: textbook": ("IAF density, textbook",),
    "MAF sampling: degree by degree": ("MAF sampling, by degree",),
    "IAF density: degree by degree": ("IAF density, by degree",),
    "RealNVP density, sampling": ("RealNVP density", "RealNVP sampling"),
}


def maf_iaf_cost(document) -> str:
    """Milliseconds over D (~: D times one step of the loop), and the passes, counted."""
    rows = {(row["column"], row["dim"]): row for row in document["rows"]}
    lines = []
    for title, columns in BOTH.items():
        times = []
        for dim in DIMS:
            mine = [rows[column, dim] for column in columns if (column, dim) in rows]
            ms = [milliseconds(row["seconds"]) for row in mine]
            about = "~" if any(row.get("extrapolated") for row in mine) else ""
            times.append(about + " / ".join(map(significant, ms)) if ms else None)
        passes = [row["passes"] for (column, _), row in rows.items() if column in columns]
        lines.append([title, *times, _passes(passes, "textbook" in title)])
    text = table(["milliseconds", *(f"D={dim}" for dim in DIMS), "passes"], lines)
    pairs = [(dim, rows["MAF sampling, by degree", dim], rows["MAF density", dim])
             for dim in DIMS if ("MAF density", dim) in rows]  # fmt: skip
    ratios = [f"{a['seconds']['median'] / b['seconds']['median']:.1f}" for _, a, b in pairs]
    said = ", ".join(f"{r} at D={dim}" for r, (dim, _, _) in zip(ratios, pairs, strict=True))
    return f"{text}\nSampling of a MAF degree by degree / its density: {said}.\n"


def _passes(passes: list[float], is_loop: bool) -> str:
    if is_loop:
        return "D"
    least, most = min(passes), max(passes)
    return f"{most:.2g}" if most - least < 0.05 else f"{least:.1f}-{most:.1f}"


def floor(document) -> str:
    """flowcore's step, those by hand, and the ratios within rounds."""
    rows = {(row["case"], row["who"]): row for row in document["rows"]}
    lines = []
    for letter in dict.fromkeys(case for case, _ in rows):
        present = [who for who in (US, *YARDSTICKS) if (letter, who) in rows]
        time_of = {who: milliseconds(rows[letter, who]["seconds"]) for who in present}
        per = {who: rows[letter, who]["flowcore_per_this"]["median"] for who in present}
        times = [time_of.get(who) for who in (US, *YARDSTICKS)]
        lines.append([CASES[letter], *times, *(per.get(who) for who in YARDSTICKS)])
    header = ["a step, milliseconds", US, *YARDSTICKS, *(f"flowcore / {who}" for who in YARDSTICKS)]
    return table(header, lines)
