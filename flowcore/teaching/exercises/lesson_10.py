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


@numbers(n=range(12, 100), angles=range(3, 12))
def _features(n=3, angles=2):
    words = {2: "two", 3: "three"}
    return exercise(
        "10c",
        f"A coupling keeps {words.get(n, n)} coordinates, {words.get(angles, angles)} of them "
        "angles. How many numbers does its network read?",
        n + angles,
        "A number for each coordinate of a line, a cosine and a sine for each angle.",
        "How many numbers describe a point on a circle without a seam?",
        (n, "The bare angle jumps at the seam, and so would the density."),
        (2 * angles, "These are the angles' numbers. The other coordinates are read, too."),
        (2 * n, "A coordinate of a line needs one number."),
        (n + 2 * angles, "The angle itself is not read beside its cosine and sine."),
        (angles, "Count the cosines and the sines of the angles, and the other coordinates."),
        (n - angles, "The angles are read, too, by their cosines and sines."),
        (2 * (n + angles), "mu and alpha are outputs; count what the network reads."),
        (n + 1, "Each angle has two numbers, a cosine and a sine."),
    )  # fmt: skip


def turn(x, by):
    """One right answer to 10d."""
    return (x + by + np.pi) % (2 * np.pi) - np.pi


_ANGLES = np.array([-np.pi, -2.0, 0.0, 1.0, 3.0])

_SHIFT = exercise("10d",
    "Write a function turn(x, by) for an array of angles x in [-pi, pi). It returns the angles x + "
    "by, in [-pi, pi) again. `by` may be any number, also negative, or several turns.",
    turn,
    "Modulo 2 pi, with the seam at -pi. Its log-det is 0.",
    "The operator % gives numbers in [0, 2 pi): move the seam to 0 before, and back after.",
    (lambda x, by: (x + by) % (2 * np.pi), "These are angles in [0, 2 pi): the seam should be at "
     "-pi."),
    (lambda x, by: x + by, "Angles leave [-pi, pi): subtract whole turns."),
    (lambda x, by: (x + by) % np.pi, "A whole turn is 2 pi, not pi."),
    (lambda x, by: (x + by) % (2 * np.pi) - np.pi, "Add half a turn before you take %."),
    (lambda x, by: (x + by + np.pi) % (2 * np.pi), "You added half a turn before; subtract it at "
     "the end."),
    (lambda x, by: np.clip(x + by, -np.pi, np.pi), "The turn does not stop at the seam: it comes "
     "back on the other side."),
    (lambda x, by: np.where(x + by >= np.pi, x + by - 2 * np.pi, x + by), "A negative turn can "
     "leave the interval on the left. And `by` may be several turns."),
    (lambda x, by: np.where(x + by >= np.pi, x + by - 2 * np.pi,
                            np.where(x + by < -np.pi, x + by + 2 * np.pi, x + by)),
     "One whole turn is not always enough: `by` may be several. Use %."),
    (lambda x, by: np.fmod(x + by + np.pi, 2 * np.pi) - np.pi, "np.fmod keeps the sign of negative "
     "numbers; % does not."),
    (lambda x, by: (x - by + np.pi) % (2 * np.pi) - np.pi, "It turns by +, and this by -."),
    (lambda x, by: np.where(np.isclose(turn(x, by), -np.pi), np.pi, turn(x, by)), "The interval is "
     "[-pi, pi): at the seam the angle is -pi, not pi."),
    (lambda x, by: (np.degrees(x + by) + 180) % 360 - 180, "These are degrees; angles here are in "
     "radians."),
    inputs=[(_ANGLES, 0.5), (_ANGLES, -2.0), (_ANGLES, 20.0), (np.array([-np.pi]), 0.0)],
)  # fmt: skip


def features(x, is_angle):
    """One right answer to 10e."""
    columns = []
    for column, angle in zip(x.T, is_angle, strict=True):
        columns += [np.cos(column), np.sin(column)] if angle else [column]
    return np.stack(columns, axis=1)


def _made_of(pair, line=lambda c: [c]):
    """A mistake of 10e: other columns for an angle, or for a line."""

    def answer(x, is_angle):
        made = []
        for column, angle in zip(x.T, is_angle, strict=True):
            made += (pair if angle else line)(column)
        return np.stack(made, axis=1)

    return answer


_ROWS = np.array([[0.5, 2.0, -1.0], [-3.0, 0.1, 3.0], [1.0, -4.0, 0.2]])

_READ = exercise("10e",
    "Write a function features(x, is_angle) for what a network reads. x is (n, D), is_angle is a "
    "boolean array (D,). Each angle becomes two columns, its cosine and then its sine. Any other "
    "column stays as it is, and all keep the order of x. The function returns (n, D + the number "
    "of angles).",
    features,
    "Two numbers without a seam for each angle, so no network can see where the circle begins.",
    "Collect the columns in a list, one or two for each of x, and np.stack them along axis 1.",
    (_made_of(lambda c: [c]), "Angles have two columns each, a cosine and a sine."),
    (_made_of(lambda c: [np.sin(c), np.cos(c)]), "First the cosine, then the sine."),
    (_made_of(lambda c: [np.cos(c)]), "The cosine alone is the same for an angle and its mirror "
     "image: the sine is needed, too."),
    (_made_of(lambda c: [np.sin(c)]), "The sine alone is the same for two angles: the cosine is "
     "needed, too."),
    (_made_of(lambda c: [c, np.cos(c), np.sin(c)]), "The angle has the seam: leave it out."),
    (_made_of(lambda c: [np.cos(c), np.sin(c)], lambda c: [np.cos(c), np.sin(c)]), "A column that "
     "is no angle stays as it is."),
    (_made_of(lambda c: [np.cos(c), np.sin(c)], lambda c: []), "The columns that are no angles are "
     "missing."),
    (_made_of(lambda c: [np.cos(np.radians(c)), np.sin(np.radians(c))]), "The angles are in "
     "radians already."),
    ([lambda x, a: np.hstack([x[:, ~a], np.cos(x[:, a]), np.sin(x[:, a])]),
      lambda x, a: np.hstack([np.cos(x[:, a]), np.sin(x[:, a]), x[:, ~a]])], "The values are "
     "right, their order is not: column by column, in the order of x."),
    (lambda x, a: features(x, ~a), "The two kinds are exchanged: is_angle is True for angles."),
    inputs=[(_ROWS, np.array([True, False, True])), (_ROWS[:2], np.array([False, True, False]))],
)  # fmt: skip


@numbers(start=decimals(-3, 3, 0.05))
def _ends(start=-2.5):
    return exercise(
        "10f",
        f"An increasing map f of the circle to itself has f(-pi) = {start:g}. Follow f(z) without "
        "jumps while z goes once round, from -pi to pi. What is f(pi)?",
        start + 2 * np.pi,
        f"{start:g} + 2 pi: the same point of the circle, one whole turn later.",
        "-pi and pi are one angle, and so are f(-pi) and f(pi): by how much can the numbers "
        "differ?",
        (start, "It is the same angle, but f increases, so f(pi) is larger."),
        (np.pi, f"That is for f(-pi) = -pi. Here f begins at {start:g}."),
        (-start, "The end is no mirror image of the start: it is the same angle."),
        (start + np.pi, "That is half a turn: the opposite angle."),
        (start - 2 * np.pi, "An increasing map does not turn backwards."),
        (start + 4 * np.pi, "In two turns f takes each angle twice: it would have no inverse."),
        (2 * np.pi, "This is how much f(z) grows; it begins at f(-pi)."),
        (start + 360, "Angles here are in radians: a whole turn is 2 pi."),
        (np.pi + start + 2 * np.pi, "f begins at f(-pi), not at z: no pi is added to it."),
    )  # fmt: skip


@numbers(first=decimals(0.2, 3, 0.1), last=decimals(0.2, 3, 0.1))
def _slopes(first=0.5, last=1.5):
    right = np.log(first / last)
    return exercise(
        "10g",
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


@numbers(scale=decimals(0.3, 2, 0.1), angle=decimals(0.2, 3, 0.1))
def _read(scale=0.6, angle=2):
    alpha, slope = scale * np.cos(angle), scale * np.sin(angle)
    return exercise(
        "10h",
        "A coupling keeps the angle x1 = z1, and moves a number, x2 = mu + exp(alpha) z2. Its "
        f"network reads cos x1 and sin x1: alpha = {scale:g} cos x1, mu = 2 sin x1. What is log "
        f"|det dx/dz| at x1 = {angle:g}?",
        alpha,
        "It is alpha: the derivatives of cosine and sine are below the diagonal.",
        "Write down the four entries of dx/dz. Which of them have a derivative of the cosine?",
        ([alpha + np.log(np.sin(angle)), alpha - np.log(np.sin(angle))], "The derivative of the "
         "cosine is below the diagonal, so the determinant does not contain it."),
        (alpha + np.log(abs(np.cos(angle) * np.sin(angle))), "The derivatives of cosine and sine "
         "are below the diagonal, so the determinant does not contain them."),
        (-slope, "This is d alpha / dx1, which occurs below the diagonal only."),
        (slope, "alpha has the cosine, not the sine."),
        (np.exp(alpha), "This is dx2/dz2; its logarithm is asked for."),
        (-alpha, "The sign: x2 is stretched by exp(alpha)."),
        (scale * angle, "alpha reads the cosine of the angle."),
        (0.0, "The cosine and the sine add nothing, but exp(alpha) stretches x2."),
        (scale, f"cos x1 is 1 at x1 = 0. Here x1 = {angle:g}, in radians."),
        (alpha + 2 * np.sin(angle), "mu shifts x2, and stretches nothing."),
        (alpha + LOG_2_PI, "Leave out the density of the base: give the log-det alone."),
    )  # fmt: skip


@numbers(mean=decimals(0.05, 2, 0.01))
def _base(mean=0.4):
    right = 2 * np.pi * mean
    return exercise(
        "10i",
        f"Let the base of an angle be N({mean:g}, 1), without what lies beyond -pi and pi. What is "
        "its log p at pi, minus its log p at -pi?",
        right,
        f"((pi + {mean:g})^2 - (pi - {mean:g})^2) / 2 = 2 pi * {mean:g}: a base with a seam.",
        "log p(z) is -(z - m)^2 / 2 and a constant, at both ends.",
        (-right, "The sign: the mean lies nearer to pi, and the density is higher there."),
        (0.0, "That is right for the mean 0 only."),
        (2 * right, "log N has 1/2 of the square."),
        (0.5 * right, "Both squares have a term with pi and the mean, and the two terms add up."),
        (float(mean), "This is the mean; log p at the two ends is asked for."),
        (2 * mean, "The ends are at pi and -pi, not at 1 and -1."),
        (-0.5 * (np.pi - mean) ** 2, "This is one end, at pi; subtract the other one."),
        (0.5 * (np.pi + mean) ** 2, "This is one end, at -pi; the other one is missing."),
        (-0.5 * ((np.pi - mean) ** 2 + (np.pi + mean) ** 2), "The difference of the two ends is "
         "asked for, not their sum."),
        (np.exp(right), "This is the ratio of the densities; the difference of their logarithms is "
         "asked for."),
        (2 * np.pi, "The slope of log p jumps by this; its value jumps by another number."),
    )  # fmt: skip


ANGLES = (_UNIFORM, _beyond, _features, _SHIFT, _READ, _ends, _slopes, _read, _base)
