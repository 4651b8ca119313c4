"""The exercises of lessons 1 and 2: a stretch, a determinant.

Every number is computed by the formula that the lesson derives: none is typed in.
"""

from __future__ import annotations

import numpy as np

from .constants import H_NORMAL, LOG_2, LOG_2_PI, N_0
from .exercise import decimals, exercise, numbers


@numbers(s=range(3, 81))
def _stretch(s=2):
    log_s = np.log(s)
    return exercise(
        "1a",
        f"z ~ N(0, 1) and x = {s} z. What is log p(x = 0), in nats?",
        N_0 - log_s,
        f"x = 0 comes from z = 0, where log N is -0.919; the stretch thins it out by log {s} = "
        f"{log_s:.3f}.",
        "Which z lands on x = 0? Take log N there, and add log |dz/dx|.",
        (1 / s, "This is p / N(0; 0, 1), a ratio. Take its logarithm, and add log N."),
        (N_0 + log_s, f"The sign: a stretch makes the density thinner, so subtract log {s}."),
        (N_0, f"This is log N(0; 0, 1), of z. The stretch is missing: log |dz/dx| = -log {s}."),
        (-log_s, f"This is log 1/{s}, the change of log p. Add log N(0; 0, 1)."),
        (N_0 - log_s / LOG_2, "A logarithm to base 2 slipped in: in nats log 2 is 0.693, not 1."),
        (N_0 / s, f"The density is divided by {s}, not its logarithm: subtract log {s}."),
        (s * N_0, f"The axis is stretched, not the logarithm: subtract log {s}."),
        (N_0 - s, f"The density is divided by {s}, so its logarithm falls by log {s}, not by {s}."),
        (N_0 - 2 * log_s, f"log {s * s}: the variance grows by {s * s}, but lengths by {s}."),
        (np.exp(N_0), "This is the density of z. That of x is lower; take its logarithm."),
    )


@numbers(s=range(3, 81), shift=(-2, -1, 1, 2, 3, 5, 7, 9))
def _entropy(s=2, shift=3):
    log_s = np.log(s)
    return exercise(
        "1b",
        f"z ~ N(0, 1) and x = {s} z {shift:+d}. What is the entropy of x, in nats?".replace(
            f"{shift:+d}", f"{'-' if shift < 0 else '+'} {abs(shift)}"
        ),
        H_NORMAL + log_s,
        f"H(x) = H(z) + log {s}. A shift moves the density and does not thin it out.",
        "H(x) = -E log p(x) = H(z) + E log |dx/dz|.",
        (H_NORMAL, f"This is the entropy of z; a stretch by {s} adds log {s}."),
        (H_NORMAL - log_s, "The sign: x is spread out more than z, so its entropy is higher."),
        ([H_NORMAL + log_s + shift, H_NORMAL + shift,
          H_NORMAL + log_s + (np.log(abs(shift)) or shift)],
         f"The shift by {shift} adds nothing: its slope is 1."),
        (H_NORMAL + log_s / LOG_2, "A logarithm to base 2 slipped in: log 2 is 0.693 nats."),
        (H_NORMAL + 2 * log_s, f"log {s * s}: the variance grows by {s * s}, but lengths by {s}, "
         "its root."),
        (s * H_NORMAL, f"Lengths grow by {s}, not the entropy: add log {s}."),
        (s * H_NORMAL + shift, f"The map is applied to points, not to H: add log {s} to H(z)."),
        (H_NORMAL + s, f"H grows by the logarithm of the stretch, log {s}, not by {s}."),
        (H_NORMAL + np.log(s + shift), f"The slope is {s}, whatever the shift: a shift adds "
         "nothing."),
        (log_s, "This is what the stretch adds; the entropy of z is missing."),
        (-(H_NORMAL + log_s), "This is the mean of log p; the entropy is the mean of -log p."),
    )  # fmt: skip


def log_p(x):
    """One right answer to 1c."""
    z = np.log(x)
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - np.log(x)


STRETCH = (
    _stretch,
    _entropy,
    exercise("1c",
        "z ~ N(0, 1) and x = exp(z). Write a function log_p(x) for an array of x > 0.",
        log_p,
        "z = log x, and log |dz/dx| = -log x: the log-normal density.",
        "First z = log x, then log N(z), then log |dz/dx|, the derivative of log x.",
        (lambda x: log_p(x) + np.log(x), "The log-density at z = log x is there; log |dz/dx| is "
         "missing."),
        (lambda x: log_p(x) + 2 * np.log(x), "The sign: the way from x to z has the slope 1/x."),
        (lambda x: N_0 - 0.5 * x**2 - np.log(x), "log N must be taken at z = log x, not at x."),
        (lambda x: N_0 - 0.5 * x**2, "This is log N at x itself: the map is missing altogether."),
        (lambda x: N_0 - 0.5 * np.exp(x) ** 2 - x, "z = log x, not exp(x): go back from x to z."),
        (lambda x: N_0 - 0.5 * np.exp(x) ** 2 + x, "z = log x, not exp(x): go back from x to z. "
         "Take the slope of this way back, too."),
        (lambda x: log_p(x) + np.log(x) - x, "log |dz/dx| is the logarithm of 1/x, so -log x."),
        (lambda x: log_p(x) + np.log(x) + 1 / x, "1/x is the slope; its logarithm is added."),
        inputs=[(np.array([0.5, 1.0, 2.0, 5.0]),)],
    ),
)  # fmt: skip


@numbers(a=range(2, 20), d=range(2, 20), k=range(2, 10))
def _shear(a=1, d=1, k=3):
    det = a * d
    if det == 1:
        shown = f"The shear x1 = z1, x2 = z2 + {k} z1."
        why = "Area is base times height, and a shear changes neither: only the diagonal counts."
        ways_back = []
    else:
        shown = f"The map x1 = {a} z1, x2 = {d} z2 + {k} z1."
        why = f"log {a} + log {d}: the {k} is a shear, which keeps areas. Only the diagonal counts."
        ways_back = [(-np.log(det), "The sign: this is dz/dx, the way back.")]
    return exercise(
        "2a",
        f"{shown} What is its log |det dx/dz|?",
        np.log(det),
        why,
        "Write down the matrix of dx/dz, and multiply its diagonal: it is a triangle.",
        (np.log(k), f"The {k} is off the diagonal: it tilts the cell and keeps its area."),
        ([0.5 * np.log(a * a + k * k), np.hypot(a, k)], "This is the length of a side of the "
         "tilted cell, or its logarithm, not its area."),
        (float(det), f"The determinant is {det}; its logarithm is asked for."),
        (float(k), f"The {k} is a slope: it tilts the cell. The diagonal holds {a} and {d}."),
        (-np.log(k), f"The {k} is off the diagonal: it counts in neither direction."),
        (np.log(det + k), f"The entries are not added: only the diagonal counts, {a} and {d}."),
        (float(det + k), "The entries are not added: multiply the diagonal, and take its "
         "logarithm."),
        (float(a + d), f"This is the sum of the diagonal; its product is {det}, whose logarithm is "
         "asked for."),
        (np.log(a + d), "The diagonal is multiplied, not added."),
        *ways_back,
    )  # fmt: skip


@numbers(a=range(5, 12), b=range(1, 5), c=range(1, 5), d=range(5, 12))
def _two_rows(a=2, b=1, c=1, d=3):
    det = a * d - b * c
    return exercise(
        "2b",
        f"x = A z with A = [[{a}, {b}], [{c}, {d}]]. What is log |det dx/dz|?",
        np.log(det),
        f"{a} * {d} - {b} * {c} = {det}: this matrix is no triangle, so the diagonal alone is not "
        "enough.",
        "For two rows, det [[a, b], [c, d]] = ad - bc. Then the logarithm.",
        (np.log(a * d), "The product of the diagonal is enough for a triangle only."),
        (np.log(a * d + b * c), "ad - bc: the second product is subtracted."),
        (float(a * d), f"This is the product of the diagonal: subtract {b} * {c}, then take the "
         "logarithm."),
        (-np.log(det), "This is the log-determinant of the way back, dz/dx."),
        (np.log(a + d), "This is the trace, the sum of the diagonal. The determinant is ad - bc."),
        (np.log(max(abs(a * b - c * d), 1)), "ad - bc: multiply along the diagonals, not along the "
         "rows."),
        (float(a * d + b * c), "ad - bc: the second product is subtracted; then the logarithm."),
    )  # fmt: skip


@numbers(u=decimals(0.1, 0.9, 0.05), v=decimals(-1.96, -0.24, 0.04))
def _by_hand(u=0.5, v=-1.0):
    return exercise(
        "2c",
        f"z ~ N(0, I) in the plane; x1 = exp({u:g}) z1 and x2 = x1 + exp({v:g}) z2. What is log "
        "p(x) at x = (0, 0)?",
        -LOG_2_PI - (u + v),
        f"z = (0, 0), and log |det dz/dx| = -({u:g} - {-v:g}) = {-(u + v):g}.",
        f"The Jacobian is a triangle; the sum of the log-scales is {u:g} - {-v:g}. Mind the "
        "direction.",
        (-LOG_2_PI + u + v, "The sign: p(x) takes the log-determinant of dz/dx, minus that of "
         "dx/dz."),
        (-LOG_2_PI, "This is log N(z): the log-determinant is missing."),
        (N_0 - u - v, "z has two coordinates, each with its -0.919."),
        (-(u + v), "This is the log-determinant alone: add log N(z; 0, I) at z = (0, 0)."),
        (u + v, "This is log |det dx/dz| alone: turn its sign, and add log N(z; 0, I)."),
        (-LOG_2_PI + u - v, "exp(u) stretches and exp(-v) squeezes: the two have different signs."),
        (-LOG_2_PI - u, "x2 is scaled, too: its log-scale is missing."),
        (-LOG_2_PI - v, "x1 is scaled, too: its log-scale is missing."),
        (-LOG_2_PI - u - v - 1, "z is (0, 0), so z^2 / 2 adds nothing."),
        (-LOG_2_PI - np.exp(u) - np.exp(v), "Logarithms of the scales are added, not the scales."),
    )  # fmt: skip


TRIANGLE = np.array([[2.0, 0.0, 0.0], [1.0, -0.5, 0.0], [4.0, 3.0, 3.0]])


def log_det_inverse(L):
    """One right answer to 2d."""
    return -np.log(np.abs(np.diag(L))).sum()


DETERMINANT = (
    _shear,
    _two_rows,
    _by_hand,
    exercise("2d",
        "x = L z with a lower triangle L (D, D). Write a function log_det_inverse(L) for log |det "
        "dz/dx|.",
        log_det_inverse,
        "D logarithms and a sum, where a general determinant costs D^3.",
        "np.diag takes the diagonal; an entry may be negative, so take np.abs before the log.",
        (lambda L: np.log(np.abs(np.diag(L))).sum(), "This is dx/dz; dz/dx has the opposite sign."),
        (lambda L: -np.log(np.abs(L[L != 0])).sum(), "Only the diagonal counts."),
        (lambda L: -np.log(np.abs(np.diag(L)).sum()), "The logarithm of a sum is not the sum of "
         "the logarithms: take the logarithm first."),
        (lambda L: -np.log(np.diag(L)).sum(), "A diagonal entry may be negative: take np.abs "
         "before the logarithm."),
        (lambda L: -np.log(np.abs(np.trace(L))), "np.trace adds the diagonal; add its logarithms."),
        (lambda L: -np.log(np.abs(np.diag(L))).mean(), "A sum, not a mean: log-determinants add up "
         "over the coordinates."),
        inputs=[(TRIANGLE,), (np.diag([0.5, 4.0]),)],
    ),
)  # fmt: skip
