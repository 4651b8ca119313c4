"""What to do next: for every fault what usually helps."""

from __future__ import annotations

from .findings import Findings
from .verdict import LARGE_KS, sentences_of

SUPPORT = (
    "A column with an edge wants a map at the data end: fc.Exp, fc.Softplus or fc.Sigmoid, in a "
    'fc.Blockwise. If there is no edge, heavier tails: fc.flows.nsf(..., base="student_t").'
)
GRIDDED = "Add noise of one step to gridded columns, fc.Dequantize, or give them as context."
WORSE = "Take {}, or fit more gently: fewer layers, more epochs, patience=20."
LEARNED = "Fewer or narrower layers, patience=20, more rows; or the average of several fits."
TAILS = (
    "Look at the rows that are named: are they errors? If not, heavier tails help: "
    'fc.flows.nsf(..., base="student_t").'
)
THIN = "Too much mass in the tails: more epochs, or a base with thinner tails."
FLEXIBLE = (
    "More layers, wider networks, or fc.flows.nsf instead of maf; for separate groups "
    "base=fc.GaussianMixture.from_data(X, k)."
)
WILD = "Draws that overflow: a bounded log-scale, fc.Affine(2.0), or a smaller learning_rate."

KINDS = "fc.tables.fit_table(X, schema) knows {}, and FlowDensity as its learn=."
TIME = "{}more time, FlowDensity(budget=...), or more rows."
OF_ESTIMATORS = {  # those of a `FlowDensity` or `TableDensity` have other handles than flows
    GRIDDED: KINDS.format("integers and grids"),
    SUPPORT: KINDS.format("positive and bounded columns"),
    WORSE: TIME.format("Take {}, or "),
    LEARNED: TIME.format("Of a table, learn=fc.FlowDensity(); of that, "),
    TAILS: "Look at the rows that are named: are they errors? If not, take logarithms: "
    + KINDS.format("positive columns"),
    THIN: TIME.format("Too much mass in the tails: "),
    FLEXIBLE: TIME.format("Of a table, learn=fc.FlowDensity(); of that, "),
}


def advice_of(report: Findings) -> list[str]:
    """Lines to act on, the most urgent first; none if nothing is at fault."""
    faults = {sentence.kind for sentence in sentences_of(report) if sentence.fault}
    tests = (*report.columns, *(report.latents or ()))
    shapes = {f.shape for f in tests if f.adjusted < report.alpha and f.ks >= LARGE_KS}
    best = max(report.baselines, key=lambda beside: beside.mean).name
    rules = (
        ("gridded" in faults, GRIDDED),
        ("support" in faults, SUPPORT),
        ("worse" in faults, WORSE),
        ("learned" in faults, LEARNED),
        ("narrow" in shapes or faults & {"far", "pull"}, TAILS),
        ("wide" in shapes, THIN),
        (shapes - {"narrow", "wide"} or faults & {"together", "latents", "own level"}, FLEXIBLE),
        ("wild" in faults, WILD),
    )
    other = OF_ESTIMATORS if report.density in ("FlowDensity", "TableDensity") else {}
    found = [other.get(text, text).format(best) for wanted, text in rules if wanted]
    return list(dict.fromkeys(found))
