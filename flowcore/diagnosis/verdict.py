"""The verdict in plain words. Everything here is a function of the numbers in a `Diagnosis`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import words
from .findings import Findings
from .uniformity import detectable

LARGE_KS = 0.05  # of the mass on the wrong side: what is less is told, but no fault
LARGE_AUC = 0.55
LARGE_GAP = 0.1  # nats between training and held-out rows

SHAPES = {  # what a density does with a column
    "low": "its values of {} are too low",
    "high": "its values of {} are too high",
    "narrow": "it puts too little mass in the tails of {}",
    "below": "it puts too little mass at the lower end of {}",
    "above": "it puts too little mass at the upper end of {}",
    "wide": "it puts too much mass in the tails of {}",
    "shape": "its distribution of {} has another shape",
}


@dataclass(frozen=True)
class Sentence:
    """kind: a word for programs; fault: does it speak against the density; text: for people."""

    kind: str
    fault: bool
    text: str


def sentences_of(report: Findings) -> list[Sentence]:
    """All sentences that apply, in the order in which they are read."""
    parts = (_support, _beside, _columns, _together, _latents, _own_level, _far, _pull, _learned,
             _gridded, _wild, _power, _given)  # fmt: skip
    return [sentence for part in parts for sentence in part(report)]


def headline_of(report: Findings) -> str:
    """One sentence, from the kinds of the others."""
    found = {sentence.kind for sentence in sentences_of(report) if sentence.fault}
    where = f"{report.n:,} held-out rows of {words.count(len(report.names), 'column')}"
    told = f"Mean log p {words.nats(report.mean, report.standard_error)} nats on {where}"
    if not found:
        return f"{told}: nothing speaks against this density."
    if found & {"support", "worse"}:
        return f"{told}: do not use this density yet."
    reasons = {
        "columns": "single columns are not right", "together": "rows and draws can be told apart",
        "latents": "the latent coordinates are not right",
        "own level": "its log p is not that of its own draws",
        "far": "too many rows are far out", "learned": "it has learned rows by heart",
        "gridded": "some columns have no density", "pull": "one row decides the mean",
        "wild": "some draws are not finite",
    }  # fmt: skip
    first = [text for kind, text in reasons.items() if kind in found][:2]
    return f"{told}: use it with care, {' and '.join(first)}."


# ---------------------------------------------------------------------------- the sentences


def _support(report):
    empty = report.far.without_density
    if empty:
        rows = words.rows(report.far.rows[:empty])
        yield Sentence(
            "support", True,
            f"The density is 0 at {words.count(empty, 'row')} ({rows}): outside of its support, or "
            "so far out that a float holds no such number. The mean is -inf.",
        )  # fmt: skip


def _beside(report):
    best = max(report.baselines, key=lambda beside: beside.mean)
    how = " (on half of the rows, the others being what the baselines learned from)"
    how = how if report.baselines_by_halves else ""
    gain, error = best.difference, best.standard_error
    if not math.isfinite(gain):
        if gain < 0:
            told = f"gives every row a density: mean {words.number(best.mean)}{how}."
            yield Sentence("worse", True, f"{words.capital(best.name)} {told}")
        return
    if gain > 2 * error:
        rank = "the better of the simple densities"
        if len(report.baselines) == 1:
            rank = "which no mixture of Gaussians improves on"
        yield Sentence("better", False, f"It is {words.nats(gain, error)} nats a row better than "
                       f"{best.name}, {rank}{how}.")  # fmt: skip
    elif gain < -2 * error:
        told = f"is {words.nats(-gain, error)} nats a row better{how}."
        yield Sentence("worse", True, f"{words.capital(best.name)} {told}")
    else:
        # as good as the truth may be: a fault only where a test has found one
        text = (f"It cannot be told from {best.name}, which is simpler: the difference is "
                f"{words.nats(gain, error)} nats a row{how}.")  # fmt: skip
        yield Sentence("no better", False, text)


def _columns(report):
    bad = words.significant(report.columns, report.alpha)
    large = [found for found in bad if found.ks >= LARGE_KS]
    texts = [SHAPES[found.shape].format(f"`{found.name}`") for found in large]
    yield from _of_each("columns", large, texts, "Not right, either")
    if bad and not large:
        yield Sentence(
            "columns", False,
            "Column by column it is close: the rows are enough to see a difference in "
            f"{words.names([found.name for found in bad])}, but at most {bad[0].ks:.1%} of the "
            "mass is on the wrong side.",
        )  # fmt: skip
    if not bad:
        yield Sentence("columns", False, "Column by column, rows and draws agree (largest KS "
                       f"{max(found.ks for found in report.columns):.3f}).")  # fmt: skip


def _together(report):
    found = report.classifier
    if found is None:
        return
    area = f"AUC {found.auc:.3f} +- {found.standard_error:.3f}; 0.5 is a guess"
    if found.adjusted >= report.alpha:
        yield Sentence("together", False, f"A classifier cannot tell rows from draws ({area}).")
        return
    by = f", mostly by {words.names(found.leading)}" if found.leading else ""
    large = found.auc >= LARGE_AUC
    word = "can" if large else "can, hardly better than by chance,"
    yield Sentence("together", large, f"A classifier {word} tell rows from draws{by} ({area}).")


def _latents(report):
    if report.latents is None:
        return
    bad = words.significant(report.latents, report.alpha)
    large = [found for found in bad if found.ks >= LARGE_KS]
    yield from _of_each("latents", large, map(_of_latent, large), "Nor are others")
    associated = report.association
    if associated is not None and associated.adjusted < report.alpha:
        yield Sentence(
            "latents", associated.largest > 0.1,
            "The latent coordinates are not independent, as they should be: correlations of up to "
            f"{associated.largest:.2f} are left.",
        )  # fmt: skip
    elif bad and not large:
        yield Sentence("latents", False, "In the latent space it is close: at most "
                       f"{bad[0].ks:.1%} of the mass is on the wrong side.")  # fmt: skip
    elif report.latents and not bad:
        yield Sentence("latents", False, "In the latent space the rows look like the base (largest "
                       f"KS {max(found.ks for found in report.latents):.3f}).")  # fmt: skip


def _of_latent(found) -> str:
    if found.given:
        return SHAPES[found.shape].format(f"`{found.name}` given {words.names(found.given)}")
    text = {
        "low": "lies higher than its base says", "high": "lies lower than its base says",
        "narrow": "is wider than its base", "wide": "is narrower than its base",
    }.get(found.shape, "is not distributed like its base")  # fmt: skip
    return f"Latent coordinate `{found.name}` {text}"


def _of_each(kind: str, found, texts, others: str):
    """A sentence for each of the first few, and one for the others."""
    for test, text in zip(found[: words.NAMED], texts, strict=False):
        yield Sentence(kind, True, f"{words.capital(text)} ({words.ks(test)}).")
    if len(found) > words.NAMED:
        more = words.names([test.name for test in found[words.NAMED :]])
        yield Sentence(kind, True, f"{others}: {more}.")


def _own_level(report):
    found = report.own_level
    if found.adjusted >= report.alpha:
        return
    text = {
        "high": "The rows are less probable than its own draws: it is too sure of itself",
        "low": "The rows are more probable than its own draws: it spreads too far",
        "below": "Too many rows are improbable beside its own draws",
        "wide": "The rows' log p varies less than that of its own draws",
    }.get(found.shape, "The rows' log p is not distributed like that of its own draws")
    yield Sentence("own level", found.ks >= LARGE_KS, f"{text} ({words.ks(found)}).")


def _far(report):
    far = report.far
    n = len(far.rows)
    text = (f"{words.count(n, 'row')} of {report.n:,} ({n / report.n:.2%}) "
            f"{'lies' if n == 1 else 'lie'} below all but {far.share:.1%} of its own draws, where "
            f"{words.expected(far.expected)} would be expected")  # fmt: skip
    rows = f": {words.rows(far.rows)}" if n else ""
    yield Sentence("far", far.adjusted < report.alpha, f"{text}{rows}.")


def _pull(report):
    """A fault only if no draw of its own is as improbable: else it is how this density is."""
    if report.pull > max(0.1, 0.7 * report.standard_error):
        worst = report.worst[0]
        yield Sentence(
            "pull", worst.level * report.draws < 1,
            f"Row {worst.index} alone (log p {words.number(worst.log_p)}) lowers the mean by "
            f"{words.number(report.pull)} nats; the median row has {words.number(report.median)}.",
        )  # fmt: skip


def _learned(report):
    """A gap alone is no fault: one together with anything that is wrong on held-out rows is."""
    found = report.learned
    if found is None or not math.isfinite(found.difference):
        return
    gap = words.nats(found.difference, found.standard_error)
    if found.difference > max(2 * found.standard_error, LARGE_GAP):
        tests = (*report.columns, *(report.latents or ()), report.own_level, report.far,
                 report.association, report.classifier)  # fmt: skip
        hurts = any(test.adjusted < report.alpha for test in tests if test is not None)
        hurts |= any(beside.difference < -2 * beside.standard_error for beside in report.baselines)
        why = "usual for a flexible density, and no harm is seen in these; quote these"
        why = "it has learned some of them by heart" if hurts else why
        yield Sentence("learned", hurts, f"Training rows are {gap} nats more probable than these: "
                       f"{why}.")  # fmt: skip
    else:
        yield Sentence("learned", False, "It knows its training rows hardly better than these "
                       f"({gap} nats).")  # fmt: skip


def _gridded(report):
    if report.gridded:
        yield Sentence(
            "gridded", True,
            f"{words.names(report.gridded)}: few distinct values, so there is no density, and the "
            "mean log p can be made as large as one likes.",
        )  # fmt: skip


def _wild(report):
    if report.wild_draws:
        yield Sentence("wild", True, f"{report.wild_draws:,} of its {report.draws:,} draws are not "
                       "finite; they are left out.")  # fmt: skip


def _power(report):
    """What so few rows cannot show: only where nothing was found."""
    groups = 3 + (report.latents is not None) * 2 + (report.classifier is not None)
    seen = detectable(report.n, report.alpha / groups / len(report.columns))
    if seen > 2 * LARGE_KS and not words.significant(report.columns, report.alpha):
        yield Sentence("power", False, f"With {report.n} rows only a KS of {seen:.2f} or more "
                       "would have been found.")  # fmt: skip


def _given(report):
    if report.given:
        text = f"The numbers are judged, given {words.names(report.given)}: p of these is not."
        yield Sentence("given", False, text)
