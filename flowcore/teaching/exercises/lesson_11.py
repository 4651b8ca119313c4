"""The exercises of lesson 11: the other KL."""

from __future__ import annotations

import numpy as np

from .constants import H_NORMAL, LOG_2
from .exercise import decimals, exercise, given, numbers


@numbers(w=decimals(0.05, 0.95, 0.01), a=range(5, 10))
def _one_of_two(w=0.5, a=6):
    p = f"N({a}, 1) has the share {w} of p, N(-{a}, 1) has the rest."
    if w == 0.5:
        p = f"p is an equal mixture of N(-{a}, 1) and N({a}, 1)."
    right = -np.log(w)
    return exercise(
        "11a",
        f"{p} q = N({a}, 1) covers one of them. What is KL(q || p)?",
        right,
        f"At every draw of q, p is {w:g} q, so the KL is -log {w:g} = {right:.3f}, wherever the "
        "other piece is.",
        "It is the mean of log q - log p over draws of q. Where are they, and what is p there?",
        ((1 - w) * 2 * a * a + w * np.log(w) + (1 - w) * np.log(1 - w), "This is KL(p || q): draws "
         f"of the other piece are about {2 * a} deviations from q."),
        (0.0, "q has the shape of a piece of p, but p has only a part of its mass there."),
        (w * right, "No draw of q is in the other piece: there is nothing to average with."),
        (-right, "The sign: q is larger than p at its draws, so log q - log p is positive."),
        (np.inf, "That would be right if p were 0 at draws of q. It is positive at all of them."),
        (2.0 * a * a, "This is the distance of the two pieces; no draw of q sees the other one."),
        (float(a * a), "This is half of the distance; no draw of q sees the other piece."),
        (w, "This is the share of the piece; take minus its logarithm."),
        (1 / w, "This is q / p at draws of q; take its logarithm."),
        (2 * a, "A distance in deviations is no KL; and no draw of q sees the other piece."),
        (right + H_NORMAL, "The entropies cancel: both densities have the same shape there."),
        (H_NORMAL, "This is the entropy of q; subtract it from the cross-entropy."),
        (1.0, "q / p is a constant at draws of q: which, and what is its logarithm?"),
    )  # fmt: skip


@numbers(Z=range(3, 81))
def _bound(Z=5):
    log_Z = np.log(Z)
    right = log_Z - LOG_2
    return exercise(
        "11b",
        "p is an equal mixture of N(-6, 1) and N(6, 1), q = N(6, 1), but only p~ = "
        f"{Z} p is known. What is the ELBO of q?",
        right,
        f"log Z - KL(q || p), with Z = {Z}: the ELBO lies below log Z by the KL.",
        "ELBO = E_q[log p~ - log q] = log Z - KL(q || p).",
        (log_Z, "This is log Z, which only q = p reaches."),
        (-LOG_2, f"This is -KL; p~ is {Z} times p, so log {Z} is to be added."),
        (log_Z + LOG_2, "Subtract the KL: the ELBO is a lower bound of log Z."),
        (-right, "The sign: log p~ - log q is averaged."),
        (LOG_2, "This is the KL; the ELBO is log Z minus the KL."),
        (float(Z), "This is the evidence; the ELBO is a bound of its logarithm."),
        (Z - LOG_2, "The logarithm of Z minus KL, not Z itself."),
        (log_Z * LOG_2, "Subtract the KL; do not multiply by it."),
        (0.0, "That would be log Z = KL. What is log Z here?"),
        (log_Z / 2, "p~ is halved at draws of q, not its logarithm: subtract log 2."),
        (-log_Z - LOG_2, "p~ is larger than p: log Z is added."),
        (1 / Z, "p~ = Z p: its integral is Z, not 1 / Z."),
        (log_Z - 1, "KL is log 2, not 1."),
        (log_Z - 0.5, "KL is log 2, not 1/2."),
    )  # fmt: skip


@numbers(m=decimals(-0.98, 0.97, 0.03), z=(-2, -1.5, -1, 1, 1.5, 2))
def _path(m=0.5, z=1):
    return exercise(
        "11c",
        f"p = N(0, 1), q = N(m, 1), and x = m + z is a draw of q. Take m = {m} and z = {z}. What "
        "is the path derivative of log q(x) - log p(x) by m? (It goes through x alone; the m of q "
        "stays fixed.)",
        float(m),
        "dx/dm = 1, and the slope by x is -(x - m) + x = m: the same for every z, so no variance.",
        "Differentiate log q(x) - log p(x) by x, then multiply by dx/dm = 1.",
        (m + z, "This is the total derivative, x: it also contains the score of q, which is z."),
        (float(z), "This is the score of q, x - m: the part that the path derivative leaves out."),
        (-float(z), "This is the slope of log q; that of -log p is x."),
        (0.0, "q is not yet p, so the gradient is not 0."),
        (-float(m), "The sign: log p is subtracted, and its slope is -x."),
        (-(m + z), "This is the slope of log p. Subtract it from the slope of log q."),
        (m + 2 * z, "The sign: the slope of log q is -(x - m)."),
        (-(m + 2 * z), "The slope of log p is -x, and it is subtracted."),
        (0.5 * m * m, "This is KL(q || p); its derivative by m is asked for, along the path."),
        (m - z, "The slope of log q is -(x - m) = -z, that of -log p is x = m + z: add the two."),
        (m * z, "z does not multiply: x = m + z has the slope 1."),
        (1.0, "dx/dm = 1 is one factor; the other is the slope of log q - log p by x."),
        (m * (m + z), "The slope is m alone: dx/dm is 1, not x."),
        (0.5 * (m + z) ** 2 - 0.5 * z * z, "This is the value of log q - log p; its slope is asked "
         "for."),
    )  # fmt: skip


@numbers(width=decimals(1.2, 9, 0.1))
def _weights(width=1):
    right = width * np.sqrt(0.5)
    shown = "N(0, 1)" if width == 1 else f"N(0, {width}^2)"
    return exercise(
        "11d",
        f"p = {shown}, q = N(0, s^2), and weights are w = p / q at draws of q. Below which s "
        "is their variance infinite?",
        right,
        "E_q[w^2] is the integral of p^2 / q. Its exponent falls with |x| only if s^2 is above "
        "half of the variance of p.",
        "The second moment is the integral of p^2 / q. When does its exponent fall?",
        (right**2, "This is the variance s^2; the question is for s."),
        (float(width), "A q that is a little too narrow has heavy weights, but still a finite "
         "variance."),
        (0.0, "p^2 / q grows without end if q's tails are much lighter than p's."),
        ([2 * right, 2.0 * width], "q may be narrower than p. Only p^2 / q has to fall."),
        ([0.5 * width, 0.25 * width], "The variance is halved, so divide the deviation by the root "
         "of 2.", 1e-6),
        (width * np.sqrt(2 / 3), "That is for the third moment; a variance needs the second."),
        ([width / np.sqrt(3), width / 3], "p^2 / q has the exponent -x^2 / v + x^2 / (2 s^2): when "
         "does it fall?"),
        (np.sqrt(0.3) * width, "k = 0.7 is where weights become useless; the variance is finite "
         "for k below 1/2."),
        (np.inf, "A wide q is safe. What is the smallest s for which the variance is finite?"),
    )  # fmt: skip


_SCORE = np.array([0.5, -1.2, 2.0, -3.0])


def log_evidence(log_p, log_q):
    """One right answer to 11e."""
    log_w = log_p - log_q
    top = log_w.max()
    return top + np.log(np.mean(np.exp(log_w - top)))


LOG_P = np.array([-1.0, 0.5, -2.0, 0.0, -3.0])
LOG_Q = np.array([-1.5, 0.0, -0.5, -2.0, -1.0])

_EVIDENCE = exercise("11e",
    "Write a function log_evidence(log_p, log_q). The arguments are log p~ and log q at n draws of "
    "q. It returns the logarithm of the mean weight, an estimate of log Z, also where p~ is as "
    "small as exp(-2000).",
    log_evidence,
    "With many draws the mean weight is Z. The largest log-weight is factored out, so exp neither "
    "overflows nor vanishes.",
    "log w = log p~ - log q. log mean exp(log w) = top + log mean exp(log w - top).",
    (lambda p, q: np.mean(p - q), "This is the ELBO, the mean of the logarithms; the logarithm of "
     "the mean is asked for."),
    (lambda p, q: np.log(np.exp(p - q).mean()), "exp(-2000) is 0, and its logarithm -inf: factor "
     "the largest weight out first."),
    (lambda p, q: log_evidence(p, q) + np.log(len(p)), "This is the logarithm of the sum; the mean "
     "has 1/n."),
    (lambda p, q: log_evidence(q, p), "Upside down: weights are p~ / q."),
    (lambda p, q: -log_evidence(q, p), "This is the mean of q / p~, upside down again: a harmonic "
     "mean. Average p~ / q."),
    (lambda p, q: log_evidence(p, 0), "Draws of q are weighted: divide p~ by q."),
    (lambda p, q: log_evidence(p, q) - (p - q).max(), "Add the largest log-weight, which was "
     "factored out, at the end."),
    (lambda p, q: (p - q).max(), "This is the largest log-weight; the mean has all of them."),
    (lambda p, q: log_evidence(p, 0) - log_evidence(q, 0), "First take each ratio, then the mean."),
    (lambda p, q: log_evidence(p / q, 0), "Subtract the logarithms; do not divide them."),
    (lambda p, q: np.sum(p - q), "This multiplies the weights; their mean is asked for."),
    (lambda p, q: 2 * log_evidence(p, q) - log_evidence(2 * p, 2 * q), "This is the log of the "
     "effective share of draws; the mean weight is asked for."),
    inputs=[(LOG_P, LOG_Q), (LOG_P - 2000, LOG_Q), (LOG_P[:3], LOG_Q[:3])],
)  # fmt: skip


def path_gradient(m, s, z):
    """One right answer to 11f."""
    x = m + s * z
    slope = -(x - m) / s**2 + x  # of log q - log p by x
    return np.array([slope.mean(), (slope * z).mean()])


def _with(slope):
    """A mistake of 11f: another slope of log q - log p, a function of s, z and x."""

    def answer(m, s, z):
        slopes = slope(s, z, m + s * z)
        return np.array([slopes.mean(), (slopes * z).mean()])

    return answer


def _path_parts(m, s, z):
    x = m + s * z
    return s, z, x, -z / s + x


_of = given(_path_parts)  # s, z, x and the slopes

_PATH_GRADIENT = exercise("11f",
    "p = N(0, 1), q = N(m, s^2), and draws are x = m + s z with fixed z (n,). Write a function "
    "path_gradient(m, s, z). It returns an array of two: the means over the draws of the path "
    "derivatives of log q(x) - log p(x), by m and by s.",
    path_gradient,
    "At m = 0, s = 1 it is 0 for every single draw.",
    "slope = d/dx [log q - log p] = -(x - m) / s^2 + x. Then dx/dm = 1 and dx/ds = z.",
    (_with(lambda s, z, x: x), "The slope of log q, -(x - m) / s^2, is missing."),
    (_with(lambda s, z, x: -z / s), "The slope of -log p, which is x, is missing."),
    (_with(lambda s, z, x: -z / s - x), "The slope of -log p is +x."),
    (_with(lambda s, z, x: z / s - x), "The sign: log p is subtracted from log q."),
    (_with(lambda s, z, x: -z * s + x), "x - m is divided by the variance s^2: that is z / s."),
    (_with(lambda s, z, x: -z + x), "x - m is divided by the variance s^2, not by s."),
    (_of(lambda s, z, x, slopes: [x.mean(), (x * z - 1 / s).mean()]), "This is the total "
     "derivative. Leave out the score: the derivative of log q by m and s at a fixed x."),
    (_of(lambda s, z, x, slopes: [slopes.mean(), slopes.mean()]), "The first value is right. For "
     "s, each slope is multiplied by dx/ds = z."),
    (_of(lambda s, z, x, slopes: [slopes.mean(), slopes.mean() * z.mean()]), "The first value is "
     "right. Multiply by z before the mean."),
    (_of(lambda s, z, x, slopes: [slopes.mean(), (slopes * x).mean()]), "The first value is right. "
     "dx/ds is z, not x."),
    (_of(lambda s, z, x, slopes: [slopes.mean() * s, (slopes * z).mean()]), "The second value is "
     "right. dx/dm is 1, not s."),
    (_of(lambda s, z, x, slopes: [slopes.sum(), (slopes * z).sum()]), "The mean over the draws is "
     "asked for, not the sum."),
    (_of(lambda s, z, x, slopes: [slopes, slopes * z]), "Take the means over the draws."),
    inputs=[(0.5, 2.0, _SCORE), (-1.0, 0.7, _SCORE[:3])],
)  # fmt: skip

OTHER_KL = (_one_of_two, _bound, _path, _weights, _EVIDENCE, _PATH_GRADIENT)
