"""The project's speed targets, and whether a run of `benchmarks.peers` met them: pure functions.

`works` is {(work, case): Timings}, `steps` {rows: Timings}, as `benchmarks.peers` finds them.
"""

from __future__ import annotations

import math

from .timing import CONTROL, Timings

US = "flowcore"
NOT_PEERS = (US, CONTROL, "floor", "hand-jitted", "products")  # the last three: yardsticks
COUNTED = "ABCD"  # the cases that the means are over
SPLINES = {  # flowcore / fastest peer, one thread each
    ("step", "F"): 0.7, ("density", "F"): 0.75, ("sample", "F"): 0.1,
    ("step", "G"): 0.8, ("density", "G"): 0.7, ("sample", "G"): 0.03,
}  # fmt: skip


def fastest_peer(timings: Timings, tuned: bool = True) -> str | None:
    """Who has the smallest median, flowcore, control and yardsticks aside; None without peers.

    tuned=False leaves out those with a + in their names: a library used by hand, or compiled, in
    ways that its own documentation does not show.
    """
    names = (n for n in timings.seconds if n not in NOT_PEERS and (tuned or "+" not in n))
    peers = {name: timings.spread(name).median for name in names}
    return min(peers, key=peers.get, default=None)


def ratio_to_fastest(timings: Timings, tuned: bool = True) -> float | None:
    """flowcore / fastest peer: the median over the rounds."""
    best = fastest_peer(timings, tuned)
    return None if best is None else timings.ratio(US, best).median


def ratios(works, work: str, tuned: bool = True) -> dict[str, float]:
    """{case: flowcore / fastest peer} over the counted cases that were measured."""
    found = {c: ratio_to_fastest(works[work, c], tuned) for c in COUNTED if (work, c) in works}
    return {case: ratio for case, ratio in found.items() if ratio is not None}


def geometric_mean(works, work: str, tuned: bool = True) -> float | None:
    """Of flowcore / fastest peer over cases A to D; None unless all four were measured."""
    values = ratios(works, work, tuned).values()
    return math.exp(sum(map(math.log, values)) / 4) if len(values) == len(COUNTED) else None


HEADER = ["what", "target", "against all", "", "as documented", ""]


def table(imports: Timings | None, works, steps) -> list[list[str]]:
    """Rows under HEADER; what was not measured says so. Both pairs of columns are the same where no
    peer comes in."""
    pairs = zip(against(works, tuned=True), against(works, tuned=False), strict=True)
    rows = [[*all_of_them, *documented[2:]] for all_of_them, documented in pairs]
    return rows + [[*row, *row[2:]] for row in alone(imports, steps)]


def against(works, tuned: bool) -> list[list[str]]:
    """(what, target, measured, verdict) of the targets that are relative to the fastest peer."""
    step, density = ratios(works, "step", tuned), ratios(works, "density", tuned)
    mean = {work: geometric_mean(works, work, tuned) for work in ("step", "density")}
    rows = [_below("training step, A-D: geometric mean", mean["step"], 0.9)]
    rows += [_below(f"training step, {c}", step.get(c), 1.1) for c in COUNTED]
    rows += [_below("density, A-D: geometric mean", mean["density"], 0.75)]
    rows += [_below(f"density, {c}", density.get(c), 1.1) for c in COUNTED]
    sampling = ratios(works, "sample", tuned).get("D")
    times = None if sampling is None else 1 / sampling
    for name, bound in (("", 25), (", the stretch", 35)):
        rows.append(_above(f"MAF sampling, D: times faster{name}", times, bound))
    for (work, case), bound in SPLINES.items():
        ratio = ratio_to_fastest(works[work, case], tuned) if (work, case) in works else None
        rows.append(_below(f"splines, {case}: {work}", ratio, bound))
    return rows


def alone(imports: Timings | None, steps) -> list[list[str]]:
    """(what, target, measured, verdict) of flowcore's own targets."""
    rows = []
    for n_rows, bound in ((100, 2.5), (1000, 1.7)):
        timings = steps.get(n_rows)
        cost = timings and timings.ratio(f"iaf {US}", f"maf {US}").median
        rows.append(_below(f"IAF step / MAF step, D=43, {n_rows} rows", cost, bound))
    seconds = imports and imports.spread(US).median - imports.spread("python").median
    return [*rows, _below("import flowcore, s, without python's own start", seconds, 0.2)]


def _below(what: str, value: float | None, bound: float) -> list[str]:
    return _row(what, f"<= {bound:g}", value, value is not None and value <= bound)


def _above(what: str, value: float | None, bound: float) -> list[str]:
    return _row(what, f">= {bound:g}", value, value is not None and value >= bound)


def _row(what: str, target: str, value: float | None, met: bool) -> list[str]:
    if value is None:
        return [what, target, "-", "not measured"]
    return [what, target, f"{value:.2f}", "met" if met else "NOT MET"]
