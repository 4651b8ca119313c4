"""The verdict in plain words. Everything here is a function of the numbers in a `Diagnosis`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .uniformity import detectable

if TYPE_CHECKING:
    from .findings import Uniformity
    from .report import Diagnosis

LARGE_KS = 0.05  # of the mass on the wrong side: what is less is told, but no fault
LARGE_AUC = 0.55
LARGE_GAP = 0.1  # nats between training and held-out rows
NAMED = 3  # columns or rows in a sentence

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


def sentences_of(report: Diagnosis) -> list[Sentence]:
    """All sentences that apply, in the order in which they are read."""
    parts = (_support, _beside, _columns, _together, _latents, _own_level, _far, _pull, _learned,
             _gridded, _wild, _power)  # fmt: skip
    return [sentence for part in parts for sentence in part(report)]


def headline_of(report: Diagnosis) -> str:
    """One sentence, from the kinds of the others."""
    found = {sentence.kind for sentence in report.sentences if sentence.fault}
    where = f"{report.n:,} held-out rows of {_count(len(report.names), 'column')}"
    told = f"Mean log p {_nats(report.mean, report.standard_error)} nats on {where}"
    if not found:
        return f"{told}: nothing speaks against this density."
    if found & {"support", "worse"}:
        return f"{told}: do not use this density yet."
    reasons = {
        "columns": "single columns are not right", "together": "rows and draws can be told apart",
        "latents": "the latent coordinates are not right", "own level": "its own scores are not",
        "far": "too many rows are far out", "learned": "it has learned rows by heart",
        "gridded": "some columns have no density", "pull": "one row decides the mean",
        "wild": "some draws are not finite", "no better": "it is no better than a simple one",
    }  # fmt: skip
    first = [text for kind, text in reasons.items() if kind in found][:2]
    return f"{told}: use it with care, {' and '.join(first)}."


# ---------------------------------------------------------------------------- the sentences


def _support(report):
    count = report.far.without_density
    if count:
        rows = _rows(report.far.rows[:count])
        yield Sentence(
            "support", True,
            f"The density is 0 at {_count(count, 'row')} ({rows}): outside of its support, or so "
            "far out that a float holds no such number. The mean is -inf.",
        )  # fmt: skip


def _beside(report):
    best = max(report.baselines, key=lambda beside: beside.mean)
    how = " (on half of the rows, the others being what the baselines learned from)"
    how = how if report.baselines_by_halves else ""
    gain, error = best.difference, best.standard_error
    if not math.isfinite(gain):
        if gain < 0:
            yield Sentence("worse", True, f"{_capital(best.name)} gives every row a density: mean "
                           f"{_number(best.mean)}{how}.")  # fmt: skip
        return
    if gain > 2 * error:
        text = (f"It is {_nats(gain, error)} nats a row better than {best.name}, the better of the "
                f"simple densities{how}.")  # fmt: skip
        if len(report.baselines) == 1:
            text = (f"It is {_nats(gain, error)} nats a row better than {best.name}, which no mixture "
                    f"of Gaussians improves on{how}.")  # fmt: skip
        yield Sentence("better", False, text)
    elif gain < -2 * error:
        yield Sentence("worse", True, f"{_capital(best.name)} is {_nats(-gain, error)} nats a row "
                       f"better{how}.")  # fmt: skip
    else:
        # as good as the truth may be: a fault only where a test has found one
        text = (f"It cannot be told from {best.name}, which is simpler: the difference is "
                f"{_nats(gain, error)} nats a row{how}.")  # fmt: skip
        yield Sentence("no better", False, text)


def _columns(report):
    bad = _significant(report.columns, report.alpha)
    large = [found for found in bad if found.ks >= LARGE_KS]
    for found in large[:NAMED]:
        text = SHAPES[found.shape].format(f"`{found.name}`")
        yield Sentence("columns", True, f"{_capital(text)} ({_ks(found)}).")
    if len(large) > NAMED:
        more = _names([found.name for found in large[NAMED:]])
        yield Sentence("columns", True, f"Not right, either: {more}.")
    if bad and not large:
        yield Sentence(
            "columns", False,
            f"Column by column it is close: rows enough to see that {_names([b.name for b in bad])} "
            f"are not exact, but at most {bad[0].ks:.1%} of the mass is on the wrong side.",
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
    by = f", mostly by {_names(found.leading)}" if found.leading else ""
    large = found.auc >= LARGE_AUC
    word = "can" if large else "can, hardly better than by chance,"
    yield Sentence("together", large, f"A classifier {word} tell rows from draws{by} ({area}).")


def _latents(report):
    if report.latents is None:
        return
    bad = _significant(report.latents, report.alpha)
    large = [found for found in bad if found.ks >= LARGE_KS]
    for found in large[:NAMED]:
        name = f"`{found.name}`"
        if found.given is None:
            text = {"low": "lies higher than its base says", "high": "lies lower than its base says",
                    "narrow": "is wider than its base", "wide": "is narrower than its base",
                    }.get(found.shape, "is not distributed like its base")
            text = f"Latent coordinate {name} {text}"
        else:
            text = _capital(SHAPES[found.shape].format(f"{name} given {_names(found.given)}"))
        yield Sentence("latents", True, f"{text} ({_ks(found)}).")
    if len(large) > NAMED:
        yield Sentence("latents", True, "Nor are others: "
                       f"{_names([found.name for found in large[NAMED:]])}.")
    associated = report.association
    if associated is not None and associated.adjusted < report.alpha:
        yield Sentence(
            "latents", associated.largest > 0.1,
            "The latent coordinates are not independent, as they should be: correlations of up to "
            f"{associated.largest:.2f} are left.",
        )  # fmt: skip
    elif report.latents and not bad:
        yield Sentence("latents", False, "In the latent space the rows look like the base (largest "
                       f"KS {max(found.ks for found in report.latents):.3f}).")  # fmt: skip


def _own_level(report):
    found = report.own_level
    if found.adjusted >= report.alpha:
        return
    text = {
        "high": "Rows lie where the density is lower than at its own draws: it is too sure of itself",
        "low": "Rows lie where the density is higher than at its own draws: it spreads too far",
        "narrow": "Rows are both more and less probable than its own draws",
        "wide": "The rows' log p varies less than that of its own draws",
    }.get(found.shape, "The rows' log p is not distributed like that of its own draws")
    if found.shape == "below":
        text = "Too many rows are improbable beside its own draws"
    yield Sentence("own level", found.ks >= LARGE_KS, f"{text} ({_ks(found)}).")


def _far(report):
    far = report.far
    bad, count = far.adjusted < report.alpha, len(far.rows)
    text = (f"{_count(count, 'row')} of {report.n:,} ({count / report.n:.2%}) {_lie(count)} below all "
            f"but {far.share:.1%} of its own draws, where {_expected(far.expected)} would be "
            "expected")  # fmt: skip
    rows = f": {_rows(far.rows)}" if count else ""
    yield Sentence("far", bad, f"{text}{rows}.")


def _pull(report):
    if report.pull > max(0.1, 0.7 * report.standard_error):
        worst = report.worst[0]
        yield Sentence(
            "pull", True,
            f"Row {worst.index} alone (log p {_number(worst.log_p)}) lowers the mean by "
            f"{_number(report.pull)} nats; the median row has {_number(report.median)}.",
        )  # fmt: skip


def _learned(report):
    found = report.learned
    if found is None or not math.isfinite(found.difference):
        return
    gap = _nats(found.difference, found.standard_error)
    if found.difference > max(2 * found.standard_error, LARGE_GAP):
        yield Sentence("learned", True, f"Training rows are {gap} nats more probable than these: it "
                       "has learned some of them by heart.")  # fmt: skip
    else:
        yield Sentence("learned", False, f"It knows its training rows hardly better than these ({gap} "
                       "nats).")  # fmt: skip


def _gridded(report):
    if report.gridded:
        yield Sentence(
            "gridded", True,
            f"{_names(report.gridded)}: few distinct values, so there is no density, and the mean "
            "log p can be made as large as one likes.",
        )  # fmt: skip


def _wild(report):
    if report.wild_draws:
        yield Sentence("wild", True, f"{report.wild_draws:,} of its {report.draws:,} draws are not "
                       "finite; they are left out.")  # fmt: skip


def _power(report):
    """What so few rows cannot show: only where nothing was found."""
    groups = 3 + (report.latents is not None) * 2 + (report.classifier is not None)
    seen = detectable(report.n, report.alpha / groups / len(report.columns))
    if seen > 2 * LARGE_KS and not _significant(report.columns, report.alpha):
        yield Sentence("power", False, f"With {report.n} rows only a KS of {seen:.2f} or more would "
                       "have been found.")  # fmt: skip


# ---------------------------------------------------------------------------- what to do next


def advice_of(report: Diagnosis) -> list[str]:
    """For every fault what usually helps."""
    faults = {sentence.kind for sentence in report.sentences if sentence.fault}
    spread = [f.shape for f in (*report.columns, *(report.latents or ()))
              if f.adjusted < report.alpha and f.ks >= LARGE_KS]  # fmt: skip
    best = max(report.baselines, key=lambda beside: beside.mean).name
    found = []
    if "gridded" in faults:
        found.append("Add noise of one step to gridded columns, fc.Dequantize, or give them as context.")
    if "support" in faults:
        found.append("A column with an edge wants a map at the data end, fc.Exp, fc.Softplus or "
                     "fc.Sigmoid in a fc.Blockwise; if there is no edge: base=\"student_t\".")  # fmt: skip
    if "worse" in faults:
        found.append(f"Take {best}, or fit more gently: fewer layers, more epochs, patience=20.")
    if "learned" in faults:
        found.append("Fewer or narrower layers, patience=20, more rows; or the average of several "
                     "fits.")  # fmt: skip
    if "narrow" in spread or faults & {"far", "pull"}:
        found.append("Look at the rows that are named: are they errors? If not, heavier tails help: "
                     "fc.flows.nsf(..., base=\"student_t\").")  # fmt: skip
    if "wide" in spread:
        found.append("Too much mass in the tails: fit longer, or take a base with thinner tails.")
    if faults & {"together", "latents", "own level"} or (
        "columns" in faults and set(spread) & {"low", "high", "shape"}
    ):
        found.append("More layers, wider networks or fc.flows.nsf instead of maf; for separate groups "
                     "base=fc.GaussianMixture.from_data(X, k).")  # fmt: skip
    if "wild" in faults:
        found.append("Draws that overflow: a bounded log-scale, fc.Affine(2.0), or learning_rate "
                     "lowered.")  # fmt: skip
    return found


# ---------------------------------------------------------------------------- the table


def table_of(report: Diagnosis) -> list[str]:
    """All numbers in lines of equal columns."""
    lines = [f"{'beside':<28}{'mean log p':>12}{'this one is above it by':>26}"]
    for beside in report.baselines:
        gain = _nats(beside.difference, beside.standard_error)
        lines.append(f"{_short(beside.name, 27):<28}{_number(beside.mean):>12}{gain:>26}")
    lines += ["", f"{'test':<28}{'effect':>12}{'p alone':>12}{'p with all':>14}"]
    rows = [(f"KS of {u.name}", f"{u.ks:.3f}", u) for u in report.columns]
    rows += [(f"KS of {u.name}{' given others' if u.given else ''}", f"{u.ks:.3f}", u)
             for u in report.latents or ()]  # fmt: skip
    if report.association:
        rows.append(("correlation of latents", f"{report.association.largest:.3f}",
                     report.association))  # fmt: skip
    rows.append(("KS of log p itself", f"{report.own_level.ks:.3f}", report.own_level))
    if report.classifier:
        rows.append(("classifier, AUC", f"{report.classifier.auc:.3f}", report.classifier))
    rows.append(("rows far below", f"{len(report.far.rows)}", report.far))
    lines += [
        f"{_short(name, 27):<28}{effect:>12}{found.p_value:>12.2g}{found.adjusted:>14.2g}"
        for name, effect, found in rows
    ]
    return lines


# ---------------------------------------------------------------------------- words


def _significant(found: Sequence[Uniformity], alpha: float) -> list[Uniformity]:
    return sorted((f for f in found if f.adjusted < alpha), key=lambda f: -f.ks)


def _ks(found: Uniformity) -> str:
    p = found.adjusted
    return f"KS {found.ks:.2f}, p {'< 1e-6' if p < 1e-6 else f'{p:.2g}'}"


def _nats(value: float, error: float) -> str:
    if not math.isfinite(value):
        return f"{value}"
    if not math.isfinite(error) or error == 0:
        return _number(value)
    digits = min(max(1 - math.floor(math.log10(error)), 0), 4)
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 100 or not math.isfinite(value) else f"{value:.2f}"


def _names(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _rows(indices: Sequence[int], shown: int = 5) -> str:
    numbers = ", ".join(f"{i}" for i in indices[:shown]) + (", ..." if len(indices) > shown else "")
    return f"row{'s' if len(indices) > 1 else ''} {numbers}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _lie(n: int) -> str:
    return "lies" if n == 1 else "lie"


def _expected(n: float) -> str:
    return f"{n:.1f}" if n < 10 else f"{n:.0f}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 2] + ".."
