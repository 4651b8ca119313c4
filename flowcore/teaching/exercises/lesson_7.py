"""The exercises of lesson 7: compositions."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...targets import two_moons
from ...targets.floors import affine_floor
from .constants import H_NORMAL
from .exercise import decimals, exercise, numbers


@cache
def _of_moons(noise):
    """The floors of both orders, and the entropy."""
    moons = two_moons(noise)
    return *(affine_floor(moons, order, n=60) for order in ((1, 2), (2, 1))), moons.entropy()


@numbers(noise=decimals(0.06, 0.2, 0.002))  # a second of quadrature each
def _least(noise=0.05):
    floor, other, entropy = _of_moons(noise)
    which = "two moons" if noise == 0.05 else f"two moons with the noise {noise}"
    return exercise(
        "7a",
        f"Any number of affine autoregressive layers, all in the order (1, 2), learn {which}. "
        "What is the least KL?",
        floor,
        "The layers collapse into one: given x1, x2 stays Gaussian. Two branches are not Gaussian.",
        "Given x1, x2 is one Gaussian, however many layers there are. The best one has the moons' "
        "own mean and variance there. The rest is an integral, which teaching.affine_floor "
        "computes.",
        (0.0, "A Gaussian that is shifted and scaled, however often, stays a Gaussian."),
        (other, "This is the floor of the order (2, 1): up to four branches."),
        (entropy, "This is the entropy of the moons: the NLL at which KL is 0."),
        (entropy + floor, "This is the NLL at the floor; subtract the entropy."),
        (0.29 * floor, "It is more: where there are two branches, one Gaussian has to cover both, "
         "and all that lies between them.", 0.29 * floor),
        (np.log(2), "log 2 is the entropy of the choice between two branches. The floor depends on "
         "how much wider the bell over both is than each branch.", 1e-3),
        (2 * floor, "It is less: one Gaussian with the right mean and variance at each x1 does "
         "better.", 0.45 * floor),
        (4.0, "It is less: x1 alone is fitted well, and x2 has the right mean and variance.", 1.5),
        rough=(0.6 * floor, 1.55 * floor),
    )  # fmt: skip


@numbers(z=range(2, 10), a=range(2, 10), b=range(1, 10))
def _order(z=3, a=2, b=1):
    double = "doubles" if a == 2 else f"multiplies by {a}"
    return exercise(
        "7b",
        f"f {double}, g adds {b}. What does Chain([f, g]) make of z = {z}, forward?",
        float(a * (z + b)),
        "It is f(g(z)): the last of the list is applied first.",
        f"Chain([f, g]) is f(g(z)): work out g({z}) first.",
        (float(a * z + b), "That is g after f. Chain([f, g]) is f(g(z)): g comes first."),
        (float(z + b), "That is g alone; f follows."),
        (float(a * z), "That is f alone; g comes before it."),
        (z / a - b, "That is the way back, from x to z."),
        ((z - b) / a, "That is the way back of the chain in the other order."),
        (float(a * z + 2 * b), f"f multiplies z + {b} as a whole, once."),
        (float(a * a * (z + b)), "f comes once."),
        (float(a * (z + b) + b), "g comes once, before f."),
        (float(z), "Nothing has happened: g and f both change it."),
        (float(a * b), "z itself is missing."),
        (float(a + z + b), "f multiplies."),
    )  # fmt: skip


@numbers(a=decimals(0.1, 0.9, 0.05), b=decimals(-1.9, -0.3, 0.05), c=decimals(0.1, 0.9, 0.01))
def _added(a=0.3, b=-1.2, c=0.5):
    dets = (a, b, c)
    total = sum(dets)
    return exercise(
        "7c",
        "A flow has three layers and a swap. On the way to x the layers have the log-determinants "
        f"{dets[0]:g}, {dets[1]:g} and {dets[2]:g}. What is log |det dz/dx| of the whole flow?",
        -total,
        f"They add up to {round(total, 2):g}, a swap counts 0, and the way back turns the sign.",
        "The chain rule multiplies Jacobians; log |det| turns products into sums.",
        (total, "This is the way to x; dz/dx is the way back."),
        (-np.prod(dets), "Determinants are multiplied, their logarithms added; and dz/dx turns the "
         "sign."),
        (np.prod(dets), "Determinants are multiplied, so their logarithms are added."),
        ([1 - total, -1 - total], "A swap has the determinant -1, and log |-1| = 0."),
        ([total - 1, total + 1], "A swap has the determinant -1, and log |-1| = 0; and the sign is "
         "that of dx/dz."),
        ([-sum(map(abs, dets)), sum(map(abs, dets))], "Log-determinants are added with their "
         "signs."),
        (np.exp(total), "This is |det dx/dz|; the logarithm of |det dz/dx| is asked for."),
        ([-total / 3, -total / 4], "A sum, not a mean."),
        (0.0, "The swap counts 0, the layers do not."),
        (-np.log(abs(np.prod(dets))), "These are logarithms already: add them."),
    )  # fmt: skip


_AT = tuple(np.array(v) for v in ([0.5, -1.0, 2.0], [0.2, -0.7, 1.1], [1.5, 0.3, -2.0],
                                  [-0.4, 0.6, 0.1]))  # fmt: skip


def together(m_1, a_1, m_2, a_2):
    """One right answer to 7d."""
    return m_2 + np.exp(a_2) * m_1, a_1 + a_2


_COLLAPSE = exercise("7d",
    "Two affine layers of the order (1, 2) leave x1 alone: u = m_1 + exp(a_1) z2 and then x2 = m_2 "
    "+ exp(a_2) u, with all four numbers computed from x1. Write a function together(m_1, a_1, "
    "m_2, a_2). It returns the shift and the log-scale of the one layer that does the same.",
    together,
    "x2 = (m_2 + exp(a_2) m_1) + exp(a_1 + a_2) z2, and both are functions of x1: one layer.",
    "Put u into the second equation. The factor of z2 is the scale; the rest is the shift.",
    (lambda m, a, n, b: (n + m, a + b), "The log-scale is right. The first shift is scaled by the "
     "second layer: exp(a_2) m_1."),
    (lambda m, a, n, b: (m + np.exp(a) * n, a + b), "The log-scale is right. The shift is that of "
     "the layers in the other order."),
    (lambda m, a, n, b: (n + np.exp(a) * m, a + b), "The log-scale is right. The first shift is "
     "multiplied by the second scale, not by its own."),
    (lambda m, a, n, b: (n + np.exp(a + b) * m, a + b), "The log-scale is right. Only the second "
     "scale multiplies the first shift."),
    (lambda m, a, n, b: (n + b * m, a + b), "The scale is exp(a_2), not a_2."),
    (lambda m, a, n, b: (n * m, a + b), "The log-scale is right. Shifts are not multiplied."),
    ([lambda m, a, n, b: (n + np.exp(b) * m, a * b),
      lambda m, a, n, b: (n + np.exp(b) * m, np.exp(a) + np.exp(b))], "The shift is right. Scales "
     "are multiplied, so log-scales are added."),
    (lambda m, a, n, b: (n + np.exp(b) * m, b), "The shift is right. The first scale is missing."),
    (lambda m, a, n, b: (n + np.exp(b) * m, -(a + b)), "The shift is right. The log-scale is that "
     "of the way back."),
    inputs=[_AT, tuple(v[:1] for v in reversed(_AT))],
)  # fmt: skip


def stack_floor(p, x2, entropy):
    """One right answer to 7e."""
    p1 = p.sum(axis=1)
    mean = (p @ x2) / p1
    variance = (p @ x2**2) / p1 - mean**2  # of x2, in each row
    return 0.5 * np.log(2 * np.pi * np.e) + 0.5 * (p1 * np.log(variance)).sum() - entropy


def _floor(half_log):
    """A mistake of 7e: another 1/2 E log V, of p1 and the means of x2 and x2^2 in each row."""

    def answer(p, x2, entropy):
        p1 = p.sum(axis=1)
        return H_NORMAL + half_log(p1, p @ x2 / p1, p @ x2**2 / p1) - entropy

    return answer


_GRID = np.array([-1.0, -0.2, 0.3, 1.1])
_P = np.array([[1.0, 2.0, 1.0, 3.0], [4.0, 0.5, 0.5, 3.0], [0.2, 5.0, 1.0, 0.8]])
_P = _P / _P.sum()


_STACK = exercise("7e",
    "Write a function stack_floor(p, x2, entropy) for the part of the floor that comes from x2. p "
    "(n, m) holds the probabilities of the cells of a grid, with a row for each x1. x2 (m,) holds "
    "the second coordinates. entropy is that of x2 given x1. The function returns 1/2 log(2 pi e) "
    "+ 1/2 E log V[x2 | x1] - entropy.",
    stack_floor,
    "However many layers there are, they have only one Gaussian for each x1.",
    "Divide each row by its sum p1: its mean, then its variance. E is the mean over x1, with the "
    "weights p1.",
    (_floor(lambda p1, m, s: 0.5 * np.log(s - m**2).mean()), "The mean over x1 has weights: rows "
     "count by their sums p1."),
    (_floor(lambda p1, m, s: 0.5 * np.log(s - m**2).sum()), "The mean over x1 has weights: rows "
     "count by their sums p1, which add up to 1."),
    (_floor(lambda p1, m, s: 0.5 * np.log((p1 * (s - m**2)).sum())), "E log V is asked for, the "
     "mean of the logarithms, not log E V."),
    (_floor(lambda p1, m, s: (p1 * np.log(s - m**2)).sum()), "1/2 is missing before E log V: log "
     "of a deviation is half of log V."),
    (_floor(lambda p1, m, s: 0.25 * (p1 * np.log(s - m**2)).sum()), "1/2 log V is the log of a "
     "deviation already."),
    (_floor(lambda p1, m, s: 0.5 * np.log((p1 * s).sum() - (p1 * m).sum() ** 2)), "This is the "
     "variance of x2 alone. Each x1 has a variance of its own."),
    (_floor(lambda p1, m, s: 0.5 * (p1 * np.log(s)).sum()), "V is the mean of the squares minus "
     "the square of the mean. The square of the mean is missing."),
    (_floor(lambda p1, m, s: 0.5 * (p1 * np.log(p1 * s - (p1 * m) ** 2)).sum()), "Divide each row "
     "of p by its sum before you take moments."),
    (lambda p, x2, H: stack_floor(p, x2, 0), "This is the cross-entropy: subtract the entropy."),
    (lambda p, x2, H: stack_floor(p, x2, -H), "Subtract the entropy; do not add it."),
    (lambda p, x2, H: stack_floor(p, x2, H) - 0.5, "It is log(2 pi e), not log(2 pi): this is 1/2 "
     "too small."),
    (lambda p, x2, H: stack_floor(p, x2, H) + H_NORMAL, "Take half of log(2 pi e): x2 is one "
     "coordinate."),
    inputs=[(_P, _GRID, 0.3), (_P[::-1, ::-1] ** 2 / (_P**2).sum(), _GRID, 0.1)],
)  # fmt: skip

COMPOSING = (_least, _order, _added, _COLLAPSE, _STACK)
