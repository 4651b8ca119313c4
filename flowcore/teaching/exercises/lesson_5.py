"""The exercises of lesson 5: two directions."""

from __future__ import annotations

import numpy as np

from .constants import N_0
from .exercise import but, decimals, exercise, given, numbers


@numbers(D=range(10, 201))
def _loop(D=64):
    return exercise(
        "5a",
        f"A MAF of {D} dimensions is sampled by the textbook's loop. How many passes of the "
        "network make one sample?",
        D,
        "One for each coordinate: x_i must be known before phi_{i+1} can be computed.",
        "Which coordinates are known after the first pass? After the second?",
        (1, "One pass is the density, where all x are known. Sampling has to wait for each x_i."),
        (D - 1, "The first coordinate needs a pass, too: its shift and scale are biases."),
        (D + 1, f"Pass {D} gives x_{D}, and then nothing is missing."),
        (D * D, "A pass gives the parameters of all coordinates at once: it is made once for "
         "each coordinate, not for each pair."),
        (2 * D, "One pass outputs the shift and the log-scale together."),
        (D // 2, "A pass makes one more coordinate right, not two."),
        ([D * (D - 1) // 2, D * (D + 1) // 2], "Count a pass once, whatever is known in it."),
        (2, "After two passes x_1 and x_2 are known. How does it go on?"),
        (0, "The network gives the shifts and scales: without a pass there are none."),
    )  # fmt: skip


@numbers(c=range(3, 7), x2=decimals(1.5, 9.5, 0.1))
def _back(c=2, x2=3):
    return exercise(
        "5b",
        f"x1 = {c} z1 and x2 = mu(x1) + exp(alpha(x1)) z2 with mu(u) = alpha(u) = u. What is z2 "
        f"for x = (1, {x2})?",
        (x2 - 1) / np.e,
        "z2 = (x2 - mu) exp(-alpha). x is known, so this is the fast direction of a MAF.",
        "Solve the second equation for z2; x1 = 1 is known.",
        (x2 / np.e, "Subtract the shift mu(x1) = 1 first."),
        ((x2 - 1) * np.e, "This multiplies by exp(alpha); the way back divides."),
        ((x2 - 1 / c) * np.exp(-1 / c), f"mu and alpha were read at z1 = 1/{c}: an IAF. A MAF "
         "reads them at x1."),
        (float(x2 - 1), "x2 - mu is still to be divided by the scale, exp(alpha)."),
        (1 + x2 * np.e, f"This is the way from z to x, with z2 = {x2}."),
        (x2 / np.e - 1, "First the shift is subtracted, then the scale divides, in this order."),
        ((x2 + 1) / np.e, "The way back subtracts the shift."),
        (x2 - 1 - np.e, "Divide by the scale; do not subtract it."),
        (x2 - 1 / np.e, "The shift is mu = 1, and the scale divides what is left."),
        (0.0, "alpha is 1 at x1 = 1, so exp(alpha) is e, and x2 - mu is not 0."),
        (1 / c, "This is z1. The question is for z2."),
        (float(x2), "Two things are to be undone: the shift, then the scale."),
        ((x2 - 1) / c, "This divides by the scale of x1; that of x2 is exp(alpha(x1)) = e."),
        ((x2 - c) * np.exp(-c), "mu and alpha are read at x1 = 1."),
        (x2 - 2.0, "The scale is exp(alpha), not alpha; and it divides."),
    )  # fmt: skip


@numbers(c=range(3, 81))
def _log_det(c=2):
    log_c = np.log(c)
    return exercise(
        "5c",
        f"The map x1 = {c} z1, x2 = mu(x1) + exp(alpha(x1)) z2 with mu(u) = alpha(u) = u, "
        "at x1 = 1. What is log |det dz/dx|?",
        -(log_c + 1),
        f"-(log {c} + alpha(x1)): both log-scales, with the sign of the way back.",
        "dz/dx is a triangle. What is on its diagonal?",
        (log_c + 1, "This is dx/dz, the way to the data; the way back has the opposite sign."),
        (-1.0, f"x1 = {c} z1 stretches, too: its log {c} is missing."),
        (-log_c, "This is the part of x1 alone: that of x2, alpha(x1), is missing."),
        (-(log_c + 1 / c), f"alpha is read at x1 = 1, not at z1 = 1/{c}."),
        (-(c + np.e), "Logarithms of the scales are added, not the scales."),
        (-(c + 1.0), f"The log-scale of x1 is log {c}, not {c}."),
        ([1 - log_c, log_c - 1], "Both coordinates are stretched: their log-scales have the same "
         "sign."),
        (-log_c - np.e, "alpha = 1 is the log-scale already; exp(alpha) is the scale."),
        (c * np.e, "This is the determinant of dx/dz; the logarithm of the way back is asked for."),
        (-(log_c + 2), "mu is a shift: it adds nothing to the determinant."),
        (0.0, "Neither coordinate keeps its length: both are scaled."),
        (log_c, "This is the part of x1 alone, and for the way to x."),
        (1.0, "This is alpha alone, and for the way to x."),
    )  # fmt: skip


@numbers(D=range(10, 41), width=range(48, 600, 8))
def _units(D=64, width=256):
    return exercise(
        "5d",
        f"A MAF of {D} dimensions, with hidden layers of {width} and {width} units, computes each "
        "hidden unit as soon as it can be final, and not before. How many hidden units is that for "
        "one sample?",
        2 * width,
        "Each once: a unit of degree d is final as soon as x_1..x_d are known.",
        "How often does a unit of degree d change, once x_1..x_d are known?",
        (D * 2 * width, f"This is the textbook's loop, which computes all units {D} times."),
        (2 * width // D, "These are the units of one degree: count all degrees."),
        (width // D, "These are the units of one degree and one layer: count them all."),
        (width, "There are two hidden layers."),
        (D, "This counts one unit for each coordinate, but the layers have more units."),
        (4 * width, "mu and alpha read the same hidden units."),
        (D * width, "Each layer's units are computed once, not once for each coordinate; and there "
         "are two layers."),
        (width * width, "These are the weights between the layers; units are asked for."),
        (D * (D + 1) // 2, "A unit is not computed again when the next coordinate is known."),
        (2 * width + D, "The inputs are no hidden units: they are what is sampled."),
        (2 * width + 2 * D, "The outputs are no hidden units."),
        (2 * width + 3 * D, "Inputs and outputs are no hidden units."),
        (1, "Units may be computed one at a time, but all of them are."),
    )  # fmt: skip


def _net(x):
    """Something autoregressive with two numbers for each coordinate: mu and alpha (n, D)."""
    before = np.cumsum(np.pad(x[:, :-1], ((0, 0), (1, 0))), axis=1)  # of x_<i
    return np.sin(before) + 0.3, 0.5 * np.cos(2 * before) + 0.2


ROWS = np.array([[0.3, -1.0, 0.8, 0.2], [1.5, 0.4, -0.6, -2.0], [-0.7, 0.1, 0.0, 1.1]])


def inverse(x, net):
    """One right answer to 5e."""
    mu, alpha = net(x)
    return (x - mu) * np.exp(-alpha), -alpha.sum(axis=1)


def iaf_log_p(x, net):
    """One right answer to 5f."""
    z = np.zeros_like(x)
    for i in range(x.shape[1]):  # net(z) is right for coordinate i once z_1..z_i-1 are
        mu, alpha = net(z)
        z[:, i] = mu[:, i] + np.exp(alpha[:, i]) * x[:, i]
    log_n = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    return (log_n + alpha).sum(axis=1)


def _log_n(z):
    return (N_0 - 0.5 * z**2).sum(axis=1)


def _iaf_z(x, net, n_passes):
    z = np.zeros_like(x)
    for _ in range(n_passes):
        mu, alpha = net(z)
        z = mu + np.exp(alpha) * x
    return z, net(z)[1].sum(axis=1)


def _stopped(x, net, n_passes):
    z, log_det = _iaf_z(x, net, n_passes)
    return _log_n(z) + log_det


_maf = given(lambda x, net: (x, *net(x)))  # x, mu and alpha
_iaf = given(lambda x, net: (x, *_iaf_z(x, net, x.shape[1])))  # x, z and its log-det

_ONE_PASS = exercise("5e",
    "Write a function inverse(x, net) for a MAF. net(x) returns mu and alpha, (n, D) each. inverse "
    "returns z (n, D) and log |det dz/dx| (n,).",
    inverse,
    "One pass, all coordinates at once: x is known.",
    "Solve x = mu + exp(alpha) z for z; the diagonal of dz/dx is exp(-alpha).",
    (but(inverse, 1, lambda x, net: net(x)[1].sum(axis=1)), "z is right. The log-det is that of "
     "dx/dz: the way back has the opposite sign."),
    (but(inverse, 1, lambda x, net: -net(x)[1].sum(axis=0)), "z is right. The log-dets are summed "
     "over the coordinates, axis 1: one for each row."),
    (but(inverse, 1, lambda x, net: -net(x)[1]), "z is right. The log-det is one number for each "
     "row: sum over the coordinates."),
    (but(inverse, 0, _maf(lambda x, mu, alpha: (x - mu) * np.exp(alpha))), "The way back divides "
     "by exp(alpha)."),
    (but(inverse, 0, _maf(lambda x, mu, alpha: x * np.exp(-alpha) - mu)), "First subtract the "
     "shift, then divide by the scale."),
    (but(inverse, 0, _maf(lambda x, mu, alpha: (x - mu) / alpha)), "alpha is the logarithm of the "
     "scale: divide by exp(alpha)."),
    (_maf(lambda x, mu, alpha: (mu + np.exp(alpha) * x, alpha.sum(axis=1))), "This is the formula "
     "of the way from z to x, used on x."),
    inputs=[(ROWS, _net), (ROWS[:1, :2], _net)],
)  # fmt: skip

_SLOW_DENSITY = exercise("5f",
    "Write a function iaf_log_p(x, net) for an IAF over N(0, I): x = (z - mu(z)) exp(-alpha(z)), "
    "where net(z) returns mu and alpha, (n, D) each. It returns log p(x), (n,), by the textbook's "
    "D passes.",
    iaf_log_p,
    "Each z_i waits for those before it; the log-det of the way back is + sum alpha.",
    "Start from z of zeros. Pass i makes z_i = mu_i + exp(alpha_i) x_i right. At the end add "
    "log N(z) and log |det dz/dx|.",
    (_maf(lambda x, mu, alpha: _log_n((x - mu) * np.exp(-alpha)) - alpha.sum(axis=1)), "This is "
     "the density of the MAF: an IAF's network reads z, which is not known yet."),
    (_maf(lambda x, mu, alpha: _log_n((x - mu) * np.exp(-alpha)) + alpha.sum(axis=1)), "The "
     "network reads z, not x; z comes one coordinate after the other."),
    (_iaf(lambda x, z, log_det: _log_n(z) - log_det), "z is right. z = mu + exp(alpha) x "
     "stretches on the way back: the log-det of dz/dx is + sum alpha."),
    (_iaf(lambda x, z, log_det: _log_n(z)), "The log-determinant is missing."),
    (_iaf(lambda x, z, log_det: log_det), "This is the log-determinant alone: add log N(z; 0, I)."),
    (_iaf(lambda x, z, log_det: _log_n(x) + log_det), "log N must be taken at z, not at x."),
    (_iaf(lambda x, z, log_det: -0.5 * (z**2).sum(axis=1) + log_det), "The constant of log N, "
     "-1/2 log(2 pi) for each coordinate, is missing."),
    (_iaf(lambda x, z, log_det: N_0 - 0.5 * (z**2).sum(axis=1) + log_det), "The constant "
     "-1/2 log(2 pi) comes once for each coordinate."),
    (lambda x, net: _stopped(x, net, 1), "After one pass only the first z is right. Repeat it for "
     "every coordinate."),
    (lambda x, net: _stopped(x, net, x.shape[1] - 1), "One pass too few: the last coordinate is "
     "not right yet."),
    inputs=[(ROWS, _net), (ROWS[:2, :3], _net)],
)  # fmt: skip

DIRECTIONS = (_loop, _back, _log_det, _units, _ONE_PASS, _SLOW_DENSITY)
