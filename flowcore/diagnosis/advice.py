"""What to do next: for every fault what usually helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .verdict import LARGE_KS, sentences_of

if TYPE_CHECKING:
    from .report import Diagnosis

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


def advice_of(report: Diagnosis) -> list[str]:
    """Lines to act on, the most urgent first; none if nothing is at fault."""
    faults = {sentence.kind for sentence in sentences_of(report) if sentence.fault}
    tests = (*report.columns, *(report.latents or ()))
    shapes = {f.shape for f in tests if f.adjusted < report.alpha and f.ks >= LARGE_KS}
    best = max(report.baselines, key=lambda beside: beside.mean).name
    rules = (
        ("gridded" in faults, GRIDDED),
        ("support" in faults, SUPPORT),
        ("worse" in faults, WORSE.format(best)),
        ("learned" in faults, LEARNED),
        ("narrow" in shapes or faults & {"far", "pull"}, TAILS),
        ("wide" in shapes, THIN),
        (shapes - {"narrow", "wide"} or faults & {"together", "latents", "own level"}, FLEXIBLE),
        ("wild" in faults, WILD),
    )
    return [text for wanted, text in rules if wanted]
