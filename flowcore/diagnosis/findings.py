"""Findings, Holm's adjustment of their p-values, and properties of their kinds for the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

NAMED = 3  # columns in a sentence, and sentences of one kind


class FindingKind(NamedTuple):
    """Properties of all findings of one kind, for the verdict.

    reason   the reason to be careful, for the headline
    large    a smaller effect is no fault, even if significant: many rows detect anything
    nothing  the sentence if no test of the kind is significant; None: each finding's own sentence
    """

    reason: str = ""
    large: float = 0.0
    nothing: str | None = None


KINDS = {
    "support": FindingKind("some held-out rows have density 0"),
    "baselines": FindingKind("a simpler density is better", -math.inf),
    "columns": FindingKind("single columns are wrong", 0.05,
                    "No column differs by more than these rows can show (largest KS {:.3f})."),
    "classifier": FindingKind("a classifier separates rows from draws", 0.55,
                       "A classifier does not separate rows from draws (AUC {:.3f}; chance: 0.5)."),
    "pit": FindingKind("the PIT is not uniform", 0.05,
                "The exact PIT, F(x | context) of every row, differs from uniform numbers by no "
                "more than these rows can show (KS {:.3f})."),
    "latents": FindingKind("latent coordinates are wrong", 0.05,
                    "No latent coordinate differs from the base by more than these rows can show "
                    "(largest KS {:.3f})."),
    "correlation": FindingKind("latent coordinates are correlated", 0.1, ""),
    "shares": FindingKind("shares of values are wrong", 0.02,
                   "No share of a value differs by more than these rows can show (largest "
                   "difference {:.3f})."),
    "range": FindingKind("draws leave the range of the rows", 0.01,
                  "Draws do not leave the range of the rows more often than chance allows (at most "
                  "{:.1%} of a column's)."),
    "together": FindingKind("columns are large together too rarely or too often", 0.2),
    "rules": FindingKind("rows break a rule that held in the fit", 0.01, ""),
    "hidden": FindingKind("hidden cells do not lie where the density expects them", 0.05,
                   "No hidden cell differs from its draws by more than these rows can show "
                   "(largest KS {:.3f})."),
    "coverage": FindingKind("intervals of hidden cells do not cover what they should", 0.03,
                     "50%, 90% and 95% intervals hold as many hidden values as they should (off by "
                     "at most {:.3f})."),
    "answers": FindingKind("many conditionals cannot be trusted"),
    "level": FindingKind("log p of rows differs from log p of draws", 0.05, ""),
    "tails": FindingKind("too many held-out rows lie far in the tails"),
    "worst row": FindingKind("one row decides the mean"),
    "overfitting": FindingKind("training rows are more likely than held-out rows"),
    "gridded": FindingKind("some columns have no density"),
    "draws": FindingKind("some draws are not finite"),
    "power": FindingKind(),
    "given": FindingKind(),
}  # fmt: skip
# groups of tests that weigh as much as one
ONE_TEST = ("baselines", "columns", "latents", "shares", "range", "together", "rules", "hidden",
            "coverage")  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One result.

    kind      a key of `KINDS`
    name      of the measured effect, as in the table of the report
    effect    its size, and its standard error (nan: unknown, or none is needed)
    p         the p-value of this test alone, uniform if the density is the truth: or greater, where
              few values are counted (shares, tails, ranges, rules), and for baselines, which are
              worse than the truth; nan: not a test
    adjusted  the p-value when all tests are taken together
    held_out  whether it is measured on held-out rows alone
    fault     whether it speaks against the density
    sentence  the result in words (for a test: if it is significant), or ""
    remedy    a key of `advice.ADVICE`; "": the same as kind
    fix       its options: arguments of the fit, such as {"kind": {column: kind}}
    rows      numbers of held-out rows, in the table of the caller
    counts    a histogram of 20 equal bins, which should be flat
    levels    a column's commonest values: (value, share of the rows, share of the draws)
    """

    kind: str
    name: str
    effect: float = math.nan
    error: float = math.nan
    p: float = math.nan
    adjusted: float = math.nan
    held_out: bool = True
    fault: bool = False
    sentence: str = ""
    remedy: str = ""
    fix: dict = field(default_factory=dict)
    rows: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    levels: tuple[tuple[str, float, float], ...] = ()


def adjusted(findings: Sequence[Finding], alpha: float) -> list[Finding]:
    """The findings with Holm's p-values, over all tests; significant large effects are faults.

    Each group in `ONE_TEST` (columns, baselines, ranges, ...) has the weight of one test, so a
    hundred columns cannot hide the result of another test.
    """
    tests = [k for k, found in enumerate(findings) if not math.isnan(found.p)]
    kinds = [findings[k].kind for k in tests]
    weights = [1 / kinds.count(kind) if kind in ONE_TEST else 1.0 for kind in kinds]
    found = list(findings)
    for k, p in zip(tests, holm([findings[k].p for k in tests], weights), strict=True):
        large = found[k].effect >= KINDS[found[k].kind].large
        found[k] = replace(found[k], adjusted=p, fault=p < alpha and large)
    return found


def holm(p_values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Adjusted p-values. If all below alpha are rejected, the chance of any error is alpha.

    Holm's weighted method, 1979: in the order of p/w each is compared with alpha times its share of
    the weights that are left.

        adjusted_i = min(1, max_(j <= i) p_j (w_j + w_(j+1) + ... + w_m) / w_j)
    """
    p, w = np.asarray(p_values, float), np.asarray(weights, float)
    order = np.argsort(p / w, kind="stable")
    left = np.cumsum(w[order][::-1])[::-1]
    scaled = np.maximum.accumulate(p[order] * left / w[order])
    return np.minimum(scaled, 1.0)[np.argsort(order)].tolist()


# ---------------------------------------------------------------------------- numbers and names


def nats(value: float, error: float = math.nan) -> str:
    """A number, and its standard error if there is one: as many digits as that allows."""
    if not math.isfinite(value):
        return f"{value}"
    if not math.isfinite(error) or error == 0:
        return f"{value:.4g}" if abs(value) >= 100 else f"{value:.2f}"
    digits = min(max(1 - math.floor(math.log10(error)), 0), 4)
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def listed(names: Sequence[str]) -> str:
    """`a`, `b`, `c` and 3 more."""
    shown = ", ".join(f"`{name}`" for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
