"""Findings, Holm's adjustment of their p-values, and the verdict and advice that follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

NAMED = 3  # columns in a sentence, and sentences of one kind


class Kind(NamedTuple):
    """What the verdict needs to know about all findings of one kind.

    reason   why to be careful, for the headline
    large    an effect below it is no fault, however significant: many rows detect anything
    nothing  the sentence if no test of the kind is significant; None: the finding's own
    """

    reason: str = ""
    large: float = 0.0
    nothing: str | None = None


KINDS = {
    "support": Kind("some held-out rows have density 0"),
    "baselines": Kind("a simpler density is better"),
    "columns": Kind("single columns are wrong", 0.05,
                    "No column differs by more than these rows can show (largest KS {:.3f})."),
    "classifier": Kind("a classifier separates rows from draws", 0.55,
                       "A classifier does not separate rows from draws (AUC {:.3f}; chance: 0.5)."),
    "latents": Kind("latent coordinates are wrong", 0.05,
                    "No latent coordinate differs from the base by more than these rows can show "
                    "(largest KS {:.3f})."),
    "correlation": Kind("latent coordinates are correlated", 0.1, ""),
    "level": Kind("log p of rows differs from log p of draws", 0.05, ""),
    "tails": Kind("too many held-out rows lie far in the tails"),
    "worst row": Kind("one row decides the mean"),
    "overfitting": Kind("training rows are more likely than held-out rows"),
    "gridded": Kind("some columns have no density"),
    "draws": Kind("some draws are not finite"),
    "power": Kind(),
    "given": Kind(),
}  # fmt: skip
ONE_TEST = "columns", "latents"  # a group of tests that weighs as much as one

HEAVIER = 'use heavier tails: fc.flows.nsf(..., base="student_t").'
ADVICE = {  # the most urgent first
    "gridded": "Add noise of one step to gridded columns, fc.Dequantize, or pass them as context.",
    "support": "Map a column with an edge by fc.Exp, fc.Softplus or fc.Sigmoid at the data end, in "
    f"a fc.Blockwise. Without an edge, {HEAVIER}",
    "baselines": "Use the simpler density, or fit more gently: fewer layers, more epochs, "
    "patience=20.",
    "overfitting": "Use fewer or narrower layers, patience=20, more rows, or the average of "
    "several fits.",
    "tails": f"Check the listed rows: are they errors? If not, {HEAVIER}",
    "thin": "The tails have too much mass: use more epochs, or a base with thinner tails.",
    "flexible": "Use more layers, wider networks, or fc.flows.nsf instead of maf; for separate "
    "groups base=fc.GaussianMixture.from_data(X, k).",
    "draws": "Draws overflow: bound the log-scale, fc.Affine(2.0), or lower learning_rate.",
}
FIT_TABLE = "by fc.tables.fit_table(X, schema), with FlowDensity as its learn=."
OF_ESTIMATORS = {  # those have other options than flows
    "gridded": f"Model integers and grids {FIT_TABLE}",
    "support": f"Model positive and bounded columns {FIT_TABLE}",
    "tails": "Check the listed rows: are they errors? If not, take logarithms: model positive "
    f"columns {FIT_TABLE}",
}
ELSE = (
    "Model a table with learn=fc.FlowDensity(), allow more time, FlowDensity(budget=...), add "
    "rows, or use a simpler density."
)
ESTIMATORS = "FlowDensity", "TableDensity"


@dataclass(frozen=True)
class Finding:
    """One result.

    kind      a key of `KINDS`
    name      what was measured, as the table of the report prints it
    effect    its size, and its standard error (nan: unknown, or none is needed)
    p         the p-value of a test alone; adjusted: of all tests together; nan: it is no test
    held_out  measured on held-out rows alone
    fault     speaks against the density
    sentence  the result in words (of a test: what holds if it is significant), or ""
    remedy    a key of `ADVICE`; "": the kind
    rows      indices of held-out rows
    counts    a histogram of 20 equal bins, which should be flat
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
    rows: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


def adjusted(findings: Sequence[Finding], alpha: float) -> list[Finding]:
    """The findings with Holm's p-values, over all tests; significant large effects are faults.

    All columns together weigh as much as one other test, and so do all latent coordinates: a
    hundred columns do not hide what another test finds.
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
    """Adjusted p-values: those under alpha are rejected, with a chance of alpha of any error.

    Holm's weighted method, 1979: in the order of p/w each is compared with alpha times its share of
    the weights that are left.
    """
    p, w = np.asarray(p_values, float), np.asarray(weights, float)
    order = np.argsort(p / w, kind="stable")
    left = np.cumsum(w[order][::-1])[::-1]
    scaled = np.maximum.accumulate(p[order] * left / w[order])
    return np.minimum(scaled, 1.0)[np.argsort(order)].tolist()


# ---------------------------------------------------------------------------- verdict and advice


def sentences(findings: Sequence[Finding], alpha: float) -> list[str]:
    """The largest significant effects of each kind, or what was not found; "- ..." for a fault."""
    lines = []
    for kind, group in groupby(findings, lambda found: found.kind):
        shown, nothing = [found for found in group if found.sentence], KINDS[kind].nothing
        if nothing is not None:  # tests
            largest = max(found.effect for found in shown)
            shown = [found for found in shown if found.adjusted < alpha]
            shown.sort(key=lambda found: -found.effect)
            if nothing and not shown:
                lines.append(f"+ {nothing.format(largest)}")
            if others := listed([found.name for found in shown[NAMED:]]):
                also = replace(shown[NAMED], sentence=f"Also significant: {others}.")
                shown = [*shown[:NAMED], also]
        for found in shown:
            small = " The difference is small." * (found.adjusted < alpha and not found.fault)
            lines.append(f"{'-' if found.fault else '+'} {found.sentence}{small}")
    return lines


def headline(mean: str, findings: Sequence[Finding]) -> str:
    """The verdict in one sentence, or two."""
    kinds = list(dict.fromkeys(found.kind for found in findings if found.fault))
    if not kinds:
        return f"{mean}: nothing speaks against this density."
    if kinds[0] in ("support", "baselines"):
        return f"{mean}. Do not use this density yet: {KINDS[kinds[0]].reason}."
    return f"{mean}. Use it with care: {' and '.join(KINDS[kind].reason for kind in kinds[:2])}."


def advice(findings: Sequence[Finding], density: str) -> list[str]:
    """What helps against the faults, the most urgent first."""
    remedies = {found.remedy or found.kind for found in findings if found.fault}
    keys = [key for key in ADVICE if key in remedies]
    if density not in ESTIMATORS:
        return [ADVICE[key] for key in keys]
    return list(dict.fromkeys(OF_ESTIMATORS.get(key, ELSE) for key in keys))


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


def count(n: int, noun: str) -> str:
    """1 row, 2 rows."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def short(text: str, most: int) -> str:
    """Cut off, for a table."""
    return text if len(text) <= most else text[: most - 2] + ".."
