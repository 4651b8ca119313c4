"""The exercises of lesson 12: other questions to the same density."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from math import erf

import numpy as np

from .constants import N_0
from .exercise import but, decimals, exercise, given, numbers
from .lesson_11 import LOG_P, LOG_Q


@numbers(r=decimals(0.3, 0.95, 0.01), x1=(-2.5, -2, -1.5, 1.5, 2, 2.5))
def _slice(r=0.8, x1=1.5):
    variance = 1 - r * r
    return exercise(
        "12a",
        f"x1 and x2 are standard normal, with the correlation {r}. What is the standard deviation "
        f"of x2, once x1 = {x1} is known?",
        np.sqrt(variance),
        f"sqrt(1 - {r}^2), whatever x1 is: every slice of a Gaussian is a Gaussian of one width.",
        f"x2 = {r} x1 + sqrt(1 - {r}^2) e, with e ~ N(0, 1) independent of x1.",
        (1.0, "This is the deviation of x2 before anything is known. On the slice x2 varies less."),
        (variance, "This is the variance of the slice; take its root."),
        ([1 - r, np.sqrt(1 - r)], f"The part of the variance that is explained is {r}^2, not {r}."),
        (r, f"{r} x1 is the mean of the slice; the width is the spread around it."),
        (r * x1, "This is the mean of the slice; its standard deviation is asked for."),
        (r * r, "This is the part of the variance that x1 explains; the slice has the rest."),
        ([np.sqrt(1 + r * r), 1 + r], "Knowing x1 reduces the variance, to 1 - r^2."),
        ([abs(x1) * np.sqrt(variance), abs(x1) * variance], "The width is the same at every x1.",
         1e-3),
        (0.0, "x1 does not determine x2: the correlation is below 1."),
        (np.sqrt(r), "First square the correlation and subtract it from 1, then take the root."),
        (float(x1), "That is the known value. How much does x2 still vary?"),
        (variance**2, "Take the root, not the square."),
    )  # fmt: skip


@numbers(a=decimals(1, 2, 0.05), x1=decimals(0.2, 1, 0.05))
def _which(a=2, x1=1):
    odds = 2 * a * x1
    near, far = abs(a - x1), a + x1
    x1_text = f"{x1:g}"
    return exercise(
        "12b",
        f"Half of the rows are N((-{a:g}, -{a:g}), I), half N(({a:g}, {a:g}), I). x1 = {x1_text} "
        "is known. How probable is it that the row belongs to the right half?",
        1 / (1 + np.exp(-odds)),
        f"The densities of x1 = {x1_text} in the two halves have the ratio exp(-{near:g}^2 / 2) to "
        f"exp(-{far:g}^2 / 2), or e^{odds:g} to 1.",
        f"Compare both halves at x1 = {x1_text} by their densities of x1 alone: N(x1; {a:g}, 1) "
        f"and N(x1; -{a:g}, 1).",
        (0.5, "That is right before x1 is known. Which half produces this x1 more often?"),
        ([far / (near + far), far**2 / (near**2 + far**2)], "Compare densities, "
         "exp(-distance^2 / 2), not distances or their squares."),
        (1.0, "The left half produces such an x1, too, though rarely."),
        (1 / (1 + np.exp(-2 * odds)), "The exponent of a normal density has half of the square.",
         1e-3),
        (1 / (1 + np.exp(-(near**2 + far**2) / 2)), "The densities are divided, so their exponents "
         "are subtracted."),
        ([0.5 + 0.5 * erf(x1 / 2**0.5), 0.5 + 0.5 * erf(near / 2**0.5)], "This is an area under a "
         "normal density. Compare the two densities at x1."),
        (1 / (1 + np.exp(-(far - near) / 2)), "You halved the distances: square them first."),
        (1 / (1 + np.exp(-(far - near))), "The exponent has half of the squared distance."),
        (1 / (1 + np.exp(odds)), "This is the probability of the left half."),
        (np.exp(odds), "These are the odds, right to left: divide by the sum of both."),
        (np.exp(-odds), "These are the odds of the left half: divide by the sum of both."),
        ([np.exp(-0.5 * near**2), np.exp(N_0 - 0.5 * near**2)], "This is the right half's density "
         "alone, with or without its constant: divide by the sum of both."),
        (1 / (1 + np.exp(-odds / 2)), "The exponents differ by twice as much: both squares count."),
        (0.0, "x1 lies on the right: which half produces it more often?"),
    )  # fmt: skip


@numbers(w=[w[::-1] for w in combinations(range(1, 15), 4) if w[3] >= 2 * w[2]])
def _worth(w=(4, 2, 1, 1)):
    total, squares, n = sum(w), sum(k * k for k in w), len(w)
    right = total**2 / squares
    return exercise(
        "12c",
        f"Four draws have the weights {w[0]}, {w[1]}, {w[2]} and {w[3]}. How many draws of equal "
        "weight are they worth? Compute (sum of w)^2 / (sum of w^2).",
        right,
        f"{total}^2 / ({' + '.join(str(k * k) for k in w)}): the largest weight decides nearly "
        "alone.",
        "Add the weights, and square the sum; then add their squares.",
        (n, "That would be so if all weights were equal."),
        (total / w[0], f"{total} / {w[0]} is the sum divided by the largest weight, which is too "
         "pessimistic."),
        (total / squares, "Square the sum of the weights, too."),
        (squares / total**2, "Upside down: this is the sum of the squared shares."),
        (squares / total, "Upside down, and square the sum."),
        (float(total), "This is the sum of the weights. Square it, and divide by the sum of the "
         "squares."),
        (float(squares), "This is the sum of the squares: divide the square of the sum by it."),
        (float(total**2), "This is the square of the sum: divide it by the sum of the squares."),
        (1.0, "(sum of w)^2 and sum of w^2 are two numbers: square after the sum, or before it."),
        (total / n, "This is the mean weight."),
        (right / n, "This is a share of the four draws; the question asks for a number of draws."),
        (total**2 / squares**2, "The sum of the squares is not squared again."),
        (total**2 / (total + squares), "Divide by the sum of the squares alone."),
        (n / w[0], "All four weights count, not the largest one alone."),
    )  # fmt: skip


@numbers(r=decimals(0.3, 0.9, 0.05), share=decimals(0.1, 0.9, 0.05))
def _filled(r=0.8, share=0.5):
    right = (1 - share) + share * r * r
    lost = "Half" if share == 0.5 else f"A share of {share}"
    are = "are lost, and filled"
    return exercise(
        "12d",
        f"x1 and x2 are standard normal, with the correlation {r}. {lost} of the x2 {are} with "
        f"their best guess, {r} x1. What is the variance of the filled column x2?",
        right,
        f"The seen values have the variance 1, the guesses only {r}^2: they lack the slices' "
        "spread.",
        f"The means are 0 in both parts. What is the variance of {r} x1?",
        (1.0, "That is right for holes filled with draws. Guesses vary less."),
        (1 - share, f"That is right for holes filled with the mean of x2. {r} x1 varies, too."),
        (r * r, "This is the variance of the guesses; the other part of the column has its own."),
        ((1 - share) + share * r, f"{r} is the standard deviation of the guesses, and variances "
         "are averaged.", 1e-3),
        (r, f"{r} is the standard deviation of the guesses; variances are averaged over both "
         "parts."),
        ((1 - share) + share * (1 - r * r), f"1 - {r}^2 is the variance that the guesses lack; "
         f"they have {r}^2."),
        ([1 - r * r, np.sqrt(1 - r * r)], "That is the variance of a slice, or its width; the "
         "filled column is asked for."),
        (np.sqrt(right), "This is the standard deviation; the variance is asked for."),
        (1 + r * r, "Average the variances of the two parts by their shares; do not add them."),
        (share * r * r, "This is the part of the guesses. Add that of the seen values."),
        (((1 - share) + share * r) ** 2, "Variances are averaged, not deviations."),
        ((1 - share) ** 2 + share**2 * r * r, "That is the variance of a sum; rows of two kinds "
         "are one column, so average."),
    )  # fmt: skip


def conditional(mean, cov, x1):
    """One right answer to 12e."""
    slope = cov[1, 0] / cov[0, 0]
    return mean[1] + slope * (x1 - mean[0]), cov[1, 1] - slope * cov[0, 1]


_mean = partial(but, conditional, 0)
_variance = partial(but, conditional, 1)
_MEAN, _COV = np.array([1.0, -2.0]), np.array([[4.0, 1.5], [1.5, 2.0]])

_GAUSSIAN_SLICE = exercise("12e",
    "Write a function conditional(mean, cov, x1) for two Gaussian columns with any mean (2,) and "
    "covariance (2, 2). It returns the mean and the variance of x2, once x1 is known.",
    conditional,
    "The mean is a regression line, and the variance is what the line does not explain.",
    "slope = cov[1, 0] / cov[0, 0]; the mean moves along it from (mean[0], mean[1]), and the "
    "variance falls by slope * cov[0, 1].",
    (_mean(lambda m, C, x: m[1] + C[1, 0] / C[0, 0] * x), "The variance is right. Subtract the "
     "mean of x1: the line needs x1 - mean[0]."),
    (_mean(lambda m, C, x: C[1, 0] / C[0, 0] * (x - m[0])), "The variance is right. The mean of x2 "
     "itself is missing: + mean[1]."),
    ([_mean(lambda m, C, x: m[1] + C[1, 0] * (x - m[0])),
      _mean(lambda m, C, x: m[1] + C[1, 0] / (C[0, 0] * C[1, 1]) ** 0.5 * (x - m[0]))], "The "
     "variance is right. The slope is neither the covariance nor the correlation: divide the "
     "covariance by the variance of x1."),
    (_mean(lambda m, C, x: m[1] + C[1, 0] / C[0, 0] ** 0.5 * (x - m[0])), "The variance is right. "
     "The slope is divided by the variance of x1, not by its deviation."),
    (_variance(lambda m, C, x: C[1, 1]), "The mean is right. Knowing x1 reduces the variance."),
    (_variance(lambda m, C, x: C[1, 1] + C[1, 0] ** 2 / C[0, 0]), "The mean is right. The sign: "
     "knowing x1 reduces the variance."),
    (_variance(lambda m, C, x: (C[1, 1] - C[1, 0] ** 2 / C[0, 0]) ** 0.5), "The mean is right. "
     "This is the standard deviation; the variance is asked for."),
    (_variance(lambda m, C, x: C[1, 1] - C[1, 0] / C[0, 0]), "The mean is right. The variance "
     "falls by the slope times the covariance."),
    (_variance(lambda m, C, x: C[1, 1] - C[1, 0] ** 2), "The mean is right. Divide the squared "
     "covariance by the variance of x1."),
    (_variance(lambda m, C, x: 1 - C[1, 0] ** 2 / (C[0, 0] * C[1, 1])), "The mean is right. 1 - "
     "r^2 is the share that stays: multiply it by the variance of x2."),
    (lambda m, C, x: (m[1] + C[1, 0] * (x - m[0]), C[1, 1] - C[1, 0] ** 2), "The slope is the "
     "covariance over the variance of x1."),
    (lambda m, C, x: (m[1] + C[1, 0] / C[1, 1] * (x - m[0]), C[1, 1] - C[1, 0] ** 2 / C[1, 1]),
     "The slope is divided by the variance of x1, not by that of x2."),
    (lambda m, C, x: conditional(m[::-1], C[::-1, ::-1], x), "That is x1, once x2 is known: the "
     "other way round."),
    inputs=[(_MEAN, _COV, 3.0), (_MEAN[::-1], _COV[::-1, ::-1], -1.0)],
)  # fmt: skip


def slice_mean(x2, log_p, log_q):
    """One right answer to 12f."""
    log_w = log_p - log_q
    w = np.exp(log_w - log_w.max())
    return (w * x2).sum() / w.sum()


def _weights(x2, log_p, log_q):
    log_w = log_p - log_q
    return x2, np.exp(log_w - log_w.max())


_by = given(_weights)  # x2, and w up to a factor
_DRAWS = np.array([0.5, -1.0, 2.0, 0.0, 1.2])

_WEIGHTED = exercise("12f",
    "Write a function slice_mean(x2, log_p, log_q). The arguments are draws x2 (n,) of a proposal, "
    "and log p(x1, x2) and log q(x2 | x1) at these draws. It returns the mean of x2 given x1 under "
    "p, by weights that add up to 1, also where all of p is as small as exp(-2000).",
    slice_mean,
    "The unknown p(x1) cancels, and so does the largest weight.",
    "Let log w = log p - log q. Subtract its largest value, then take exp. Divide the sum of w x2 "
    "by the sum of w.",
    (lambda x, p, q: x.mean(), "This is the mean under the proposal: each draw has a weight."),
    (lambda x, p, q: (np.exp(p - q) * x).sum() / np.exp(p - q).sum(), "exp(-2000) is 0, and 0 / 0 "
     "is no number: subtract the largest exponent first."),
    ([_by(lambda x, w: (w * x).mean()), _by(lambda x, w: (w * x).sum())], "The weights do not add "
     "up to 1 yet: divide by their sum."),
    (lambda x, p, q: slice_mean(x, p, q) / len(x), "The weights add up to 1: sum, and do not "
     "average once more."),
    (lambda x, p, q: slice_mean(x, q, p), "Upside down: weights are p / q."),
    (lambda x, p, q: slice_mean(x, p, 0), "Draws of q are weighted by p / q, not by p."),
    (lambda x, p, q: slice_mean(x, p, -q), "The weight is p / q: subtract log q."),
    (lambda x, p, q: slice_mean(x, 2 * p, 2 * q), "Do not square the weights."),
    (lambda x, p, q: ((p - q) * x).sum() / (p - q).sum(), "These are log-weights: take exp of "
     "them."),
    (_by(lambda x, w: x[np.argmax(w)]), "This is the draw with the largest weight; all of them "
     "count."),
    (lambda x, p, q: x[np.argmax(p)], "This is the most probable draw; the mean is asked for."),
    (lambda x, p, q: np.median(x), "The mean is asked for, with weights."),
    (_by(lambda x, w: w / w.sum()), "These are the weights; multiply by x2, and add up."),
    inputs=[(_DRAWS, LOG_P, LOG_Q), (_DRAWS, LOG_P - 2000, LOG_Q),
            (_DRAWS[1:], LOG_P[1:], LOG_Q[:4])],
)  # fmt: skip

QUESTIONS = (_slice, _which, _worth, _filled, _GAUSSIAN_SLICE, _WEIGHTED)
