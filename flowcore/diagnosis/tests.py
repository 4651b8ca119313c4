"""Tests of a density by its own draws, and by its latent space. Each returns findings.

The probability integral transform (PIT) of x under a density is F(x): uniform if the density is
right. The effect is its distance from uniform, Kolmogorov's and Smirnov's KS = sup |F_n(u) - u|: 0
is perfect, 1 the worst. The p-value shows whether chance explains the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import imported
from ..core.inputs import named
from .density import Draws, GivenRows
from .findings import Finding, listed

BINS = 20  # of a histogram of u: 5% each
LIKELY = 3.0  # standard errors from which the end of a histogram is called too high
FEWEST_PAIRS, MOST_PAIRS = 40, 5000  # of a row and a draw, for the classifier
LEADING = 3  # columns that are named
SHARE = 0.001  # of the density's own draws that are less probable than the floor
WORST = 8  # rows that are named

SHAPES = {  # what is wrong with a distribution
    "low": "{}'s values of {} are too low",
    "high": "{}'s values of {} are too high",
    "narrow": "{} puts too little mass in the tails of {}",
    "below": "{} puts too little mass at the lower end of {}",
    "above": "{} puts too little mass at the upper end of {}",
    "wide": "{} puts too much mass in the tails of {}",
    "shape": "{}'s distribution of {} has the wrong shape",
}
REMEDIES = {"narrow": "tails", "wide": "thin"}  # else: flexible
LEVEL = {
    "low": "Held-out rows are more probable than draws: the density spreads too far",
    "high": "Held-out rows are less probable than draws: the density is overconfident",
    "shape": "log p of held-out rows is not distributed like log p of draws",
}


# ---------------------------------------------------------------------------- rows and draws


def columns(
    x: np.ndarray, drawn: np.ndarray, names: Sequence[str], rng: np.random.Generator
) -> list[Finding]:
    """The ranks of the values of each column of x (n, D) among the draws' values."""
    return [
        uniformity("columns", f"KS of {name}", "The density", f"`{name}`", *ranks(own, draws, rng))
        for name, own, draws in zip(names, x.T, np.moveaxis(drawn, -1, 0), strict=True)
    ]


def level(log_p: np.ndarray, log_p_of_draws: np.ndarray, rng: np.random.Generator) -> Finding:
    """The ranks of the log p (n,) of rows among the log p of draws."""
    u, test = ranks(log_p, log_p_of_draws, rng)
    return replace(uniformity("level", "KS of log p", "", "", u, test, LEVEL), remedy="flexible")


def classifier(
    rows: GivenRows, draws: Draws, names: Sequence[str], rng: np.random.Generator
) -> list[Finding]:
    """The classifier two-sample test: gradient boosted trees, and Mann's and Whitney's test.

    The trees learn from half of the pairs of a row and a draw, and rank the others. Friedman 2003;
    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017.
    """
    rows, drawn = rows.of(draws.index), draws.x if rows.context is None else draws.x[:, 0]
    n, seed = min(len(rows.x), len(drawn), MOST_PAIRS), int(rng.integers(2**31))
    if n < FEWEST_PAIRS:
        return []
    some = rng.permutation(len(rows.x))[:n]
    rows, drawn = rows.of(some), drawn[:n] if rows.context is None else drawn[some]
    both = np.vstack([rows.joint, GivenRows(drawn, rows.context).joint])
    is_row, learn = np.repeat([True, False], n), np.tile(np.arange(n) < n // 2, 2)
    trees = imported("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=15, early_stopping=False, random_state=seed
    )
    # OpenMP's threads wait in a spin: on a busy machine two are ten times slower than one
    with imported("threadpoolctl").threadpool_limits(1, user_api="openmp"):
        trees.fit(both[learn], is_row[learn])
        score = trees.decision_function(both[~learn])
        drops = imported("sklearn.inspection").permutation_importance(
            trees, both[~learn], is_row[~learn], scoring="roc_auc", random_state=seed
        ).importances_mean[: len(names)]  # fmt: skip
    ours, theirs = np.split(score, 2)
    test = imported("scipy.stats").mannwhitneyu(ours, theirs, alternative="greater")
    area = float(test.statistic / (len(ours) * len(theirs)))
    leading = [names[j] for j in np.argsort(-drops)[:LEADING] if drops[j] > 0.01]
    by = f", mostly by {listed(leading)}" if leading else ""
    text = f"A classifier separates rows from draws{by} (AUC {area:.3f}; chance: 0.5)."
    return [Finding("classifier", "AUC of a classifier", area, p=float(test.pvalue),
                    sentence=text, remedy="flexible")]  # fmt: skip


def tails(log_p: np.ndarray, log_p_of_draws: np.ndarray, place: np.ndarray) -> Finding:
    """The rows below the 0.1% quantile of the draws' log p; place (n,): their numbers.

    If rows and draws have the same density, the number of n rows below the r-th smallest of m draws
    is beta-binomial, BB(n, r, m + 1 - r). This gives the p-value of the observed number or more.
    """
    n, m = len(log_p), log_p_of_draws.size
    r = max(1, round(SHARE * m))
    floor = np.partition(log_p_of_draws, r - 1, axis=None)[r - 1]
    below = np.flatnonzero(log_p < floor)
    below = place[below[np.argsort(log_p[below], kind="stable")]].tolist()
    p = imported("scipy.stats").betabinom.sf(len(below) - 1, n, r, m + 1 - r)
    listing = f"; {named('row', below)}" if below else ""
    text = (
        f"{len(below):,} of {n:,} held-out rows ({len(below) / n:.2%}) have a lower log p than all "
        f"but {r / m:.1%} of the draws (expected: {n * r / (m + 1):.1f}{listing})."
    )
    return Finding("tails", "rows in the tails", len(below), p=float(min(p, 1.0)) if below else 1.0,
                   sentence=text, rows=tuple(below))  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One of the least probable rows.

    level: the share of the density's own draws that is less probable
    column, value: the column in which it is most extreme, and its value there
    """

    index: int
    log_p: float
    level: float
    column: str
    value: float


def worst_rows(
    x: np.ndarray, shown: np.ndarray, log_p: np.ndarray, drawn: np.ndarray,
    log_p_of_draws: np.ndarray, names: Sequence[str], place: np.ndarray,
) -> tuple[Row, ...]:  # fmt: skip
    """The least probable rows, and the column in which each is most extreme.

    shown: x in other units, NaN where nothing is; place (n,): the numbers of the rows
    """
    low, middle, high = np.quantile(drawn, (0.25, 0.5, 0.75), axis=0)
    unit = np.where(high > low, high - low, 1.0)
    worst = np.argsort(log_p, kind="stable")[:WORST].tolist()
    levels = places(log_p[worst], np.sort(log_p_of_draws, axis=None)).tolist()
    out = np.where(np.isnan(shown[worst]), -1.0, np.abs(x[worst] - middle) / unit)
    furthest = np.argmax(out, axis=1).tolist()
    return tuple(
        Row(int(place[i]), float(log_p[i]), level, names[j], float(shown[i, j]))
        for i, level, j in zip(worst, levels, furthest, strict=True)
    )


def ranks(values: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> tuple:
    """(the ranks of values (n,) among draws, uniform if these are alike; scipy's KS test of that).

    drawn: (m,) for all of them, or (n, k), for each its own.
    """
    stats = imported("scipy.stats")
    if drawn.ndim == 1:
        return places(values, np.sort(drawn)), stats.ks_2samp(values, drawn, method="asymp")
    # (how many are below + a uniform share of those equal, itself included) / (k + 1)
    below = (drawn < values[:, None]).sum(axis=1)
    equal = (drawn == values[:, None]).sum(axis=1)
    u = (below + rng.random(len(values)) * (equal + 1)) / (drawn.shape[1] + 1)
    return u, stats.kstest(u, "uniform")


def places(x: np.ndarray, drawn_sorted: np.ndarray) -> np.ndarray:
    """The ranks of x among sorted draws, in (0, 1); in the middle of equal draws."""
    below = np.searchsorted(drawn_sorted, x, "left") + np.searchsorted(drawn_sorted, x, "right")
    return (below / 2 + 0.5) / (len(drawn_sorted) + 1)


# ---------------------------------------------------------------------------- the latent space


def latents(u: np.ndarray, names: Sequence[str], order: list | None) -> list[Finding]:
    """Is each u_i uniform, and are all of them independent?

    order: for a triangular flow, see `conditionals`: u_i is a column given others. (The first one
    is a single column, which already has a test.)
    """
    found = []
    for i, own in enumerate(u.T):
        name, given = (f"z_{i + 1}", []) if order is None else (names[order[i][0]], order[i][1])
        who, what = "The base", f"latent coordinate `{name}`"
        if given:
            who, what = "The density", f"`{name}` given {listed([names[j] for j in given])}"
        if given or order is None:
            label = f"KS of {name}{' given others' * bool(given)}"
            test = imported("scipy.stats").kstest(own, "uniform")
            found.append(uniformity("latents", label, who, what, own, test))
    return found + correlation(u)


def correlation(u: np.ndarray) -> list[Finding]:
    """The largest |correlation| of the normal scores of u (n, D), and Bartlett's test.

        -(n - 1 - (2 D + 5)/6) log det R    is about chi^2 with D (D - 1)/2 degrees of freedom

    None for D = 1, and for fewer rows than the approximation needs.
    """
    n, dim = u.shape
    if dim == 1 or n < 2 * dim + 20:
        return []
    stats, tiny = imported("scipy.stats"), 1 / (4 * n)
    matrix = np.corrcoef(stats.norm.ppf(np.clip(u, tiny, 1 - tiny)), rowvar=False)
    statistic = -(n - 1 - (2 * dim + 5) / 6) * np.linalg.slogdet(matrix)[1]
    largest, p = 1.0, 0.0  # of a coordinate that is constant, or follows from the others
    if np.isfinite(statistic):
        largest = float(np.abs(matrix - np.eye(dim)).max())
        p = float(stats.chi2.sf(statistic, dim * (dim - 1) / 2))
    text = f"Latent coordinates are not independent: correlations of up to {largest:.2f} are left."
    return [Finding("correlation", "correlation of latents", largest, p=p, sentence=text,
                    remedy="flexible")]  # fmt: skip


# ---------------------------------------------------------------------------- uniformity


def uniformity(
    kind: str, name: str, who: str, what: str, u: np.ndarray, test: Any, texts: dict = SHAPES
) -> Finding:
    """The finding about u (n,), which should be uniform, and scipy's KS test of that.

    who, what: in the sentence "who puts too much mass in the tails of what".
    """
    shape, ks = shape_of(u), float(test.statistic)
    counts = np.histogram(u, BINS, (0.0, 1.0))[0].tolist()
    text = f"{texts.get(shape, texts['shape']).format(who, what)} (KS {ks:.3f})."
    return Finding(kind, name, ks, p=float(test.pvalue), sentence=text, counts=tuple(counts),
                   remedy=REMEDIES.get(shape, "flexible"))  # fmt: skip


def shape_of(u: np.ndarray) -> str:
    """The fault, if there is one: "low", "high", "narrow", "below", "above", "wide", "shape".

    The largest of the first four coefficients of the density of u in Legendre's polynomials
    (Neyman's smooth test): location, width, and two more.
    low, high       the density lies too low, too high
    narrow          too little mass in both tails; below, above: at this end
    wide            too much mass in the tails
    shape           any other fault
    """
    legendre = np.polynomial.legendre.legvander(2 * u - 1, 4)[:, 1:].mean(axis=0)
    location, width, *_ = coefficients = legendre * np.sqrt([3, 5, 7, 9])
    largest = np.argmax(np.abs(coefficients))
    error = np.sqrt(0.05 * 0.95 / len(u))
    below, above = ((end.mean() - 0.05) / error for end in (u < 0.05, u > 0.95))
    if largest > 0 and max(below, above) > LIKELY:
        return "narrow" if min(below, above) > 0 else "below" if below > above else "above"
    if largest > 1:
        return "shape"
    if largest == 1:
        return "narrow" if width > 0 else "wide"
    return "low" if location > 0 else "high"
