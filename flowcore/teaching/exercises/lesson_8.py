"""The exercises of lesson 8: limits."""

from __future__ import annotations

import numpy as np

from .constants import H_NORMAL, LOG_2, LOG_2_PI, N_0
from .exercise import decimals, exercise, given, numbers


def _mixture_entropy(a: float) -> float:
    """The entropy of 1/2 N(-a, 1) + 1/2 N(a, 1), by the trapezoid rule."""
    x = np.linspace(-a - 12, a + 12, 4801)
    p = (np.exp(-0.5 * (x - a) ** 2) + np.exp(-0.5 * (x + a) ** 2)) / (2 * np.sqrt(2 * np.pi))
    return float(-(p * np.log(p)).sum() * (x[1] - x[0]))


@numbers(a=decimals(3.5, 5.5, 0.02))
def _gap(a=3):
    V = 1 + a * a
    shown = f"{V:g}"
    cross, entropy = H_NORMAL + 0.5 * np.log(V), _mixture_entropy(a)
    return exercise(
        "8a",
        f"Half of the data are N(-{a}, 1), half N({a}, 1). One affine layer over N(0, 1) learns "
        "them. What is the least KL?",
        cross - entropy,
        f"1/2 log(2 pi e {shown}) minus the entropy of the two: the best Gaussian bridges the gap.",
        f"The best Gaussian has the variance {shown}. The data's entropy is about log 2 + "
        "1/2 log(2 pi e).",
        (LOG_2, "log 2 is only the part of the data's entropy that comes from the choice."),
        (cross, "This is the cross-entropy; subtract the entropy of the data."),
        (entropy, "This is the entropy of the data; subtract it from the cross-entropy."),
        (0.5 * np.log(V), "log 2 is missing: the entropy of the data is that of one piece plus log "
         "2, since a point also shows which piece it came from."),
        (np.log(V) - LOG_2, f"Take half of the logarithm of the variance, 1 + {a}^2."),
        (np.log(V), f"Take half of the logarithm of the variance, 1 + {a}^2, and subtract log 2."),
        (np.log(a) - LOG_2, f"The variance is 1 + {a}^2: the pieces are wide themselves."),
        (np.log(a), f"The variance is 1 + {a}^2. Subtract log 2, too."),
        (0.5 * np.log(V) + LOG_2, "Subtract log 2: it is part of the data's entropy."),
        (0.0, "One Gaussian is not two: it has to bridge the gap."),
        (0.5 * a * a, "That is a Gaussian on 0 with the width of one piece; a wider one is "
         "better."),
        (0.5 * (2 * a) ** 2, "That is the KL from one piece to the other. The best Gaussian covers "
         "both."),
        (0.5 * (2 * a) ** 2 / 2, "That is a Gaussian on one of the two; one that covers both is "
         "better."),
        (np.log(np.sqrt(V) / 2) + 0.5, "With the best variance the mean of z^2 / 2 is 1/2, and the "
         "data's entropy has the same 1/2: they cancel."),
        (float(V), "This is the variance of the best Gaussian. What is its cross-entropy?"),
        (float(a), "A distance is no KL: take the cross-entropy, minus the entropy."),
    )  # fmt: skip


def mixture_log_p(z, centres):
    """One right answer to 8b."""
    distance = ((z[:, None] - centres) ** 2).sum(axis=-1)  # (n, K)
    each = -0.5 * distance - 0.5 * z.shape[1] * np.log(2 * np.pi)
    return np.logaddexp.reduce(each, axis=1) - np.log(len(centres))


def _each(z, centres):
    return (N_0 - 0.5 * (z[:, None] - centres) ** 2).sum(axis=-1)


_mixed = given(lambda z, centres: (_each(z, centres),))
_right = given(lambda z, centres: (mixture_log_p(z, centres), z.shape[1], len(centres)))
_CENTRES = np.array([[-3.0, 0.0], [3.0, 1.0], [0.0, 4.0]])
_Z = np.array([[0.0, 0.0], [-3.0, 0.2], [2.0, 2.0], [60.0, -40.0]])

_BASE = exercise("8b",
    "Write a function mixture_log_p(z, centres), a base with several pieces: z (n, D), centres (K, "
    "D), and each piece is N(centre, I) with the weight 1/K. It returns log p(z), (n,), also for "
    "distant z, where every exp is 0.",
    mixture_log_p,
    "np.logaddexp computes the logarithm of a sum of densities from their logarithms.",
    "log N(z; centre, I) for all pairs, (n, K). Then the logarithm of the mean of their "
    "exponentials, which np.logaddexp.reduce computes safely; minus log K.",
    (_right(lambda log_p, D, K: log_p + np.log(K)), "The weights 1/K are missing: subtract "
     "log K."),
    (_right(lambda log_p, D, K: log_p + 2 * np.log(K)), "The weights are 1/K: log K is "
     "subtracted."),
    (_right(lambda log_p, D, K: log_p + np.log(K) - K), "The weights are 1/K, so log K is "
     "subtracted, not K."),
    (_right(lambda log_p, D, K: log_p + 0.5 * D * LOG_2_PI), "The constant of N(centre, I), "
     "-D/2 log(2 pi), is missing."),
    (_right(lambda log_p, D, K: log_p + 0.5 * (D - 1) * LOG_2_PI), "The constant -1/2 log(2 pi) "
     "comes once for each coordinate."),
    (_mixed(lambda each: each.mean(axis=1)), "Take the mean of the densities, not the mean of "
     "their logarithms."),
    (_mixed(lambda each: each.sum(axis=1)), "This multiplies the densities; a mixture adds them."),
    (_mixed(lambda each: each.max(axis=1)), "This takes the nearest piece alone; the others add to "
     "it. And each has the weight 1/K."),
    (_mixed(lambda each: each.max(axis=1) - np.log(each.shape[1])), "This takes the nearest piece "
     "alone; the others add to it."),
    (_mixed(lambda each: np.log(np.exp(each).mean(axis=1))), "At distant z every exp is 0, and the "
     "logarithm -inf: use np.logaddexp.reduce, or factor the largest exponential out first."),
    (lambda z, centres: mixture_log_p(z, centres.mean(axis=0)[None]), "One Gaussian in the middle "
     "is no mixture: each centre has a piece."),
    inputs=[(_Z, _CENTRES), (_Z[:2], _CENTRES[:2])],
)  # fmt: skip


def stray(log_p_of_truth, log_p_of_flow):
    """One right answer to 8c."""
    floor = np.quantile(log_p_of_truth, 0.001)
    return np.mean(log_p_of_flow < floor)


def _below(edge):
    """A mistake of 8c: another edge, a function of both arrays."""
    return lambda own, drawn: np.mean(drawn < edge(own, drawn))


_OWN = np.random.default_rng(0).standard_normal(4000) - 2
_DRAWN = np.concatenate([np.random.default_rng(1).standard_normal(800) - 2,
                         np.linspace(-30, -6, 200)])  # fmt: skip

_STRAY = exercise("8c",
    "Write a function stray(log_p_of_truth, log_p_of_flow). Both arguments hold log p of the "
    "truth: the first at its own draws, the second at draws of the flow. The function returns the "
    "share of the flow's draws that lie where the truth is less dense than at 99.9% of its own "
    "draws.",
    stray,
    "The region that holds 99.9% of the truth ends where log p falls below its 0.001 quantile.",
    "np.quantile of the truth's own values gives the edge; then count the flow's values below it.",
    (lambda own, drawn: 1 - stray(own, drawn), "This is the share inside of the region; stray "
     "draws are outside."),
    (lambda own, drawn: 100 * stray(own, drawn), "This is in percent; the share is a number from 0 "
     "to 1."),
    (lambda own, drawn: len(drawn) * stray(own, drawn), "This is a number of draws; their share is "
     "asked for."),
    (_below(lambda own, drawn: np.quantile(own, 0.999)), "The edge is the 0.001 quantile: 99.9% of "
     "the truth's draws are denser than it."),
    (_below(lambda own, drawn: np.quantile(drawn, 0.001)), "The edge is a quantile of the truth's "
     "own values, not of the flow's."),
    ([_below(lambda own, drawn: 0.001), _below(lambda own, drawn: np.log(0.001))], "0.001 is a "
     "share of draws, not a density: take the quantile."),
    (_below(lambda own, drawn: own.min()), "This edge is the least dense draw, or close to it. The "
     "edge is the quantile of the share 0.001; np.percentile counts in percent."),
    (_below(lambda own, drawn: np.quantile(own, 0.01)), "This keeps 99%, not 99.9%."),
    (_below(lambda own, drawn: np.quantile(own, 0.05)), "This keeps 95%, not 99.9%."),
    inputs=[(_OWN, _DRAWN), (_OWN[:2000] * 1.5, _DRAWN[::3])],
)  # fmt: skip

LIMITS = (_gap, _BASE, _STRAY)
