"""The verdict on an `Inference`: what its draws, its training and the search for modes have shown.

Weights of draws show nothing of p where q has no draws. So the verdict names what was looked at:
weights, tails, and how many ascents ended in the modes that were found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.weights import LEAST_ESS, MOST_K
from ..training.history import training_notes
from .modes import MOST_FLOWS
from .space import flat

if TYPE_CHECKING:
    from .modes import Modes
    from .result import Inference

# up to a k-hat, the least ESS / draws; above 1, k-hat is a matter of few draws, as Z is finite
SHARES = ((0.5, 0.0), (MOST_K, 0.1), (1.0, 0.5), (2.0, 0.9), (math.inf, 0.95))
CLIMB = 0.25  # nats for a factor e: below, the ELBO no longer climbs as the flow widens
MISSING, SURE = 0.03, 4.0  # a share of p that matters, standard errors beyond chance
MOST_NAN = 0.01  # of the draws
LINES = 40  # of the printed table
NAMED, SWITCHED, EQUAL = 5, 4, 0.8  # numbers in a sentence; modes alike, and how much alike
NUMBERS = ("no", "one", "two", "three", "four", "five")  # in words


def doubts(found: Inference) -> list[str]:
    """See `Inference.doubts`."""
    k, ess, n, reasons = found.k_hat, found.effective_sample_size, len(found.rows), []
    log_p = found.log_p[found.of_flow]  # what is farther out may be anything
    least = max(LEAST_ESS, n * next(share for most, share in SHARES if k <= most))
    if ess < least:
        reasons.append(f"at this k-hat they must be worth {least:,.0f}")
    for (share, error), where in (
        (found.missing_tail, "a tail that no draw of the flow reaches"),
        (found.missing_mass, "gaps of the flow, which moved draws have found"),
    ):
        if share > max(MISSING, SURE * error):
            reasons.append(f"about {min(share, 1):.0%} of p are in {where}")
    for k in np.flatnonzero((0.0 if found.missed is None else found.missed) > MISSING):
        where = found.space.from_line(found.modes.centres[[k]])[0]
        reasons.append(
            f"about {found.missed[k]:.0%} of p are in a peak that no draw reaches, at "
            f"{described(found.space.labels(), flat(where)[0])}"
        )
    slope, error = found.stretch
    if slope > max(CLIMB, 5 * error):
        reasons.append(
            f"the ELBO still climbs as the flow widens, by {slope:.2g} nats for a factor of e: "
            "if more epochs do not end that, the target is improper (its integral is infinite)"
        )
    diverged = found.history is not None and "diverged" in found.history.settings
    if diverged and not np.isfinite(log_p).all():
        reasons.append("tails cannot be checked, because log p is not finite at some draws")
    if diverged and not found.history.train_nll:
        reasons.append("training diverged in its first epoch")
    if (lost := np.isnan(log_p).mean()) > MOST_NAN:
        reasons.append(
            f"the target is NaN at {lost:.0%} of the draws, by an error or outside of a "
            "support: pass support=, or return -inf there"
        )
    if reasons and (outside := np.count_nonzero(np.isneginf(log_p))):
        reasons.append(f"log p is -inf at {outside:,} draws: pass support= if it has bounds")
    return reasons


def described(names: list[str], values: np.ndarray) -> str:
    """The first parameters with their values, for a sentence."""
    parts = [f"{name} = {value:.4g}" for name, value in zip(names, values, strict=True)]
    return ", ".join(parts[:NAMED]) + ", ..." * (len(parts) > NAMED)


def verdict(found: Inference) -> str:
    """See `Inference.verdict`."""
    ess, n = found.effective_sample_size, len(found.rows)
    at = f"k-hat is {found.k_hat:.2f}, and {n:,} draws are worth {ess:,.0f}"
    at = "; ".join([*training_notes(found.history), at])
    if reasons := doubts(found):
        judged = (
            f"{'; '.join([at, *reasons])}: neither the flow nor its weights can be trusted. Try "
            "refit(), more epochs, a wider flow or nsf, or other coordinates (such as a "
            "non-centred scale)."
        )
    elif ess > n / 2:
        judged = f"{at}: the weights correct the flow wherever it has draws."
    else:
        judged = f"{at}: the weights are reliable, though the flow is not close to the target."
    return f"{judged} {about_modes(found.modes)}"


def about_modes(modes: Modes | None) -> str:
    """How many modes were found, by what search, and with which shares of the mass."""
    if modes is None:
        return "No search for modes was done: there may be others."
    count = len(modes.shares)
    if count == 1:
        n = len(modes.scales)
        scales = f"{NUMBERS[n] if n < len(NUMBERS) else n} scale{'s' * (n != 1)}"
        ended = f"{modes.counts[0]:,} of {modes.ascents:,} ascents over {scales}"
        others = "" if modes.counts[0] == modes.ascents else ", the others where hardly any mass is"
        return f"One mode: {ended} ended in it{others}."
    named = [f"{share:.2g}".lstrip("0") for share in np.sort(modes.shares)[::-1][:NAMED]]
    named += ["less each"] * (count > NAMED)
    shares = " and ".join(", ".join(named).rsplit(", ", 1))
    text = f"{count} modes found, with {shares} of the mass; there may be others."
    if count > MOST_FLOWS:
        text += " They are too many for a flow each, and share one."
    return text + of_labels(modes)


def of_labels(modes: Modes) -> str:
    """The advice for modes that may be one mode, with its labels in every order; "" for others."""
    if np.count_nonzero(modes.shares > EQUAL * modes.shares.max()) < SWITCHED:
        return ""
    return ' If equal ones differ by the order of their labels, use the support "ordered".'


def report(found: Inference) -> str:
    """The printed table, the evidence and the verdict."""
    (elbo, elbo_error), (log_z, error), summary = found.elbo, found.log_evidence, found.summary()
    width = max(8, *map(len, summary))
    head = "".join(f"{name:>11}" for name in ("mean", "+-", "sd", "5%", "50%", "95%"))
    lines = [f"{'':>{width}}{head}"]
    for name, row in [*summary.items()][:LINES]:
        cells = (f"{value:.4g}" if math.isfinite(value) else "-" for value in row.values())
        lines.append(f"{name:>{width}}" + "".join(f"{cell:>11}" for cell in cells))
    if len(summary) > LINES:
        lines.append(f"and {len(summary) - LINES} more, see summary()")
    if any(math.isnan(row["sd"]) for row in summary.values()):
        lines.append("-: it may not exist, or too few draws determine it: see k_hat_of()")
    lines.append(f"log evidence {log_z:.3f} +- {error:.3f}, ELBO {elbo:.3f} +- {elbo_error:.3f}")
    log_p = found.log_p[found.of_flow]
    for value, bad in (("-inf", np.isneginf(log_p)), ("NaN", np.isnan(log_p))):
        if bad.any():
            lines.append(f"log p is {value} at {np.count_nonzero(bad):,} of {len(bad):,} draws")
    return "\n".join([*lines, found.verdict])
