"""The exercises of lesson 10: angles."""

from __future__ import annotations

import numpy as np

from .constants import LOG_2, LOG_2_PI, N_0
from .exercise import decimals, exercise, numbers

_UNIFORM = exercise("10a",
    "An angle is uniform on the circle. What is log p at any angle, in nats?",
    -LOG_2_PI,
    "The circle is 2 pi long, and the density is 1 / (2 pi).",
    "How long is the circle, in radians?",
    (-np.log(np.pi), "That is half of the circle."),
    (LOG_2_PI, "This is the entropy, the mean of -log p."),
    (-np.log(360), "That is per degree; angles here are in radians."),
    (0.0, "A density of 1 would have the mass 2 pi."),
    (N_0, "That is log N(0; 0, 1). A uniform density is 1 / length."),
    (-np.log(4 * np.pi), "That is the surface of a sphere. A circle is 2 pi long."),
    (-LOG_2, "That would be an interval of the length 2."),
    (np.log(np.pi), "The circle is 2 pi long, and log p is minus the logarithm of that."),
    (1.0, "The whole mass is 1; the density is that over the length of the circle."),
    (-2 * np.pi, "The density is 1 / (2 pi): take its logarithm."),
    (-2 * LOG_2_PI, "That is for two angles."),
)  # fmt: skip


@numbers(angle=decimals(2.5, 3.1, 0.1), by=decimals(0.7, 3, 0.05))
def _beyond(angle=3, by=0.5):
    total = angle + by
    return exercise(
        "10b",
        f"An angle of {angle} radians turns by {by}. Which angle in [-pi, pi) is it?",
        total - 2 * np.pi,
        f"{total:g} - 2 pi: beyond pi the angles continue at -pi.",
        "A whole turn is 2 pi.",
        (total, "This is beyond pi = 3.14; subtract a whole turn."),
        (total - np.pi, "You subtracted half a turn: that is the opposite point."),
        (2 * np.pi - total, "The sign: it is below 0."),
        (np.pi - total, "This is the distance from pi. The angle counts from 0: subtract 2 pi."),
        ([-np.pi, np.pi], "The turn does not stop at the seam."),
        (-total, "The turn goes on: subtract a whole turn; do not mirror the angle."),
        ([angle - by, angle - by - 2 * np.pi], "It turns by +, towards pi and beyond."),
        (total + 2 * np.pi, "Subtract a whole turn; do not add it."),
        (total - 360, "Angles here are in radians: a whole turn is 2 pi."),
        (total - 6, "2 pi is 6.283.", 1e-6),
        (total - 2 * np.pi + by, "The turn was made twice."),
    )  # fmt: skip


@numbers(first=decimals(0.2, 3, 0.1), last=decimals(0.2, 3, 0.1))
def _slopes(first=0.5, last=1.5):
    right = np.log(first / last)
    return exercise(
        "10c",
        "z is uniform on the circle and x = f(z), with f(-pi) = -pi and f(pi) = pi. The slope of f "
        f"is {first:g} where it begins, at -pi, and {last:g} where it ends, at pi. What is log "
        "p(x) just below pi, minus log p(x) just above -pi?",
        right,
        f"log {first:g} - log {last:g}: unequal slopes make a jump of the density.",
        "log p(x) = -log(2 pi) - log f'(z), on both sides of the seam.",
        (-right, "The sign: where the slope is larger, the density is lower."),
        (0.0, "The map has no jump, but the density contains its slope."),
        (first - last, "These are the slopes; log p has their logarithms."),
        (last - first, "These are the slopes, and with the wrong sign: log p has -log f'."),
        (first / last, "This is the ratio of the densities; its logarithm is asked for."),
        (last / first, "This is the ratio of the slopes; log p has -log f'."),
        (1 / last - 1 / first, "Densities contain 1 / f'; the difference of their logarithms is "
         "asked for."),
        ((1 / last - 1 / first) / (2 * np.pi), "This is the difference of the densities; that of "
         "their logarithms is asked for."),
        (-np.log(last), "This is one side, below pi; subtract the other one."),
        (-np.log(first), "This is one side, above -pi; subtract it from the other one."),
        (right - LOG_2_PI, "log(2 pi) is the same on both sides: it cancels."),
    )  # fmt: skip


ANGLES = (_UNIFORM, _beyond, _slopes)
