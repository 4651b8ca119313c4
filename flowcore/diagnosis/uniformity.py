"""Are numbers uniform, are two samples of one density? Distances, p-values, and what is wrong.

The probability integral transform (PIT) of x under a density is F(x): uniform if it is right. Its
distance from uniform, Kolmogorov's and Smirnov's KS = sup |F_n(u) - u|, is the effect: the largest
share of the mass that is on the wrong side of some value. The p-value says whether so many rows can
tell it from chance; with very many rows they can tell anything.
"""

from __future__ import annotations

import numpy as np

from ..core import imported
from .findings import Uniformity

BINS = 20  # of a histogram of u: 5% each
LIKELY = 3.0  # standard errors from which the end of a histogram is called too high


def of_uniforms(name: str, u: np.ndarray, given: tuple[str, ...] | None = None) -> Uniformity:
    """Of numbers u (n,) that should be independent and uniform."""
    return _described(name, u, imported("scipy.stats").kstest(u, "uniform"), given)


def of_ranks(name: str, x: np.ndarray, drawn: np.ndarray) -> Uniformity:
    """Of x (n,) that should be from the density of the draws (m,): two samples."""
    found = imported("scipy.stats").ks_2samp(x, drawn, method="asymp")
    return _described(name, places(x, np.sort(drawn)), found, None)


def places(x: np.ndarray, drawn_sorted: np.ndarray) -> np.ndarray:
    """Where x stands among sorted draws, in (0, 1); in the middle of those that are equal."""
    below = np.searchsorted(drawn_sorted, x, "left") + np.searchsorted(drawn_sorted, x, "right")
    return (below / 2 + 0.5) / (len(drawn_sorted) + 1)


def places_in_own(x: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where x (n,) stands among its own draws (n, k), uniform to the last digit if it is one.

    (how many are below + a uniform share of those equal, itself included) / (k + 1).
    """
    below = (drawn < x[:, None]).sum(axis=1)
    equal = (drawn == x[:, None]).sum(axis=1)
    return (below + rng.random(len(x)) * (equal + 1)) / (drawn.shape[1] + 1)


def independence(u: np.ndarray) -> tuple[float, float] | None:
    """(largest |correlation| of the normal scores of u (n, D), p-value of Bartlett's test).

        -(n - 1 - (2 D + 5)/6) log det R    is about chi^2 with D (D - 1)/2 degrees of freedom

    None for D = 1, and for fewer rows than the approximation needs.
    """
    n, dim = u.shape
    if dim == 1 or n < 2 * dim + 20:
        return None
    special, stats = imported("scipy.special"), imported("scipy.stats")
    tiny = 1 / (4 * n)
    correlation = np.corrcoef(special.ndtri(np.clip(u, tiny, 1 - tiny)), rowvar=False)
    _, log_det = np.linalg.slogdet(correlation)
    statistic = -(n - 1 - (2 * dim + 5) / 6) * log_det
    if not np.isfinite(statistic):  # a coordinate is constant, or follows from the others
        return 1.0, 0.0
    largest = float(np.abs(correlation - np.eye(dim)).max())
    return largest, float(stats.chi2.sf(statistic, dim * (dim - 1) / 2))


def holm(p_values: list[float], weights: list[float]) -> list[float]:
    """Adjusted p-values: those under alpha are rejected, with a chance of alpha of any error.

    Holm's weighted method, 1979: in the order of p/w each is compared with alpha times its share of
    the weights that are left. So a hundred columns do not hide what one other test finds.
    """
    p, w = np.asarray(p_values, float), np.asarray(weights, float)
    order = np.argsort(p / w, kind="stable")
    left = np.cumsum(w[order][::-1])[::-1]
    scaled = np.maximum.accumulate(p[order] * left / w[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(scaled, 1.0)
    return adjusted.tolist()


def detectable(n: int, alpha: float) -> float:
    """The KS distance that a test at this level would find on n rows."""
    return float(imported("scipy.stats").kstwo.isf(alpha, n))


def _described(name, u, test, given) -> Uniformity:
    counts, _ = np.histogram(u, BINS, (0.0, 1.0))
    ks, p_value = float(test.statistic), float(test.pvalue)
    return Uniformity(
        name, ks, p_value, p_value, shape_of(u), tuple(counts.tolist()), len(u), given
    )


def shape_of(u: np.ndarray) -> str:
    """What is wrong, if anything is: "low", "high", "narrow", "below", "above", "wide", "shape".

    The largest of the first four coefficients of the density of u in Legendre's polynomials
    (Neyman's smooth test): location, width, and two more.
    low, high       the density lies too low, too high
    narrow          too little mass in both tails; below, above: at this end
    wide            too much mass in the tails
    shape           all else
    """
    t = 2 * u - 1
    legendre = (t, (3 * t**2 - 1) / 2, (5 * t**3 - 3 * t) / 2, (35 * t**4 - 30 * t**2 + 3) / 8)
    location, width, *more = (
        np.sqrt(2 * k + 1) * p.mean() for k, p in enumerate(legendre, 1)
    )  # fmt: skip
    error = np.sqrt(0.05 * 0.95 / len(u))
    below, above = ((end.mean() - 0.05) / error for end in (u < 0.05, u > 0.95))
    size = max(abs(c) for c in (location, width, *more))
    if abs(width) == size:
        return ("narrow" if width > 0 else "wide") if (below > 0) == (above > 0) or width < 0 else (
            "below" if below > 0 else "above")  # fmt: skip
    if max(below, above) > LIKELY and abs(location) < size:
        return "narrow" if min(below, above) > LIKELY else "below" if below > above else "above"
    if abs(location) == size:
        return "low" if location > 0 else "high"
    return "shape"
