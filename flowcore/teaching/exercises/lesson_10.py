"""The exercises of lesson 10: angles."""

from __future__ import annotations

import numpy as np

from .constants import LOG_2, LOG_2_PI, N_0
from .exercise import exercise, numbers

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


@numbers(angle=(2.5, 2.8, 3.1), by=(0.8, 1.2, 1.5))
def _beyond(angle=3, by=0.5):
    total = angle + by
    return exercise(
        "10b",
        f"An angle of {angle} radians turns by {by}. Which angle in [-pi, pi) is it?",
        total - 2 * np.pi,
        f"{total:g} - 2 pi: beyond pi one comes back at -pi.",
        "A whole turn is 2 pi.",
        (total, "This is beyond pi = 3.14; take a whole turn off."),
        (total - np.pi, "Half a turn was taken off: that is the opposite point."),
        (2 * np.pi - total, "The sign: it is below 0."),
        (np.pi - total, "This is the distance from pi. The angle counts from 0: take 2 pi off."),
        ([-np.pi, np.pi], "The turn does not stop at the seam."),
        (-total, "Turning goes on: take a whole turn off, do not mirror."),
        ([angle - by, angle - by - 2 * np.pi], "It turns by +, towards pi and beyond."),
        (total + 2 * np.pi, "A whole turn is taken off, not added."),
        (total - 360, "Angles here are in radians: a whole turn is 2 pi."),
        (total - 6, "2 pi is 6.283.", 1e-6),
        (total - 2 * np.pi + by, "The turn was made twice."),
    )  # fmt: skip


@numbers(n=(4, 5, 6), angles=(2, 3))
def _features(n=3, angles=2):
    written = {2: "two of them angles", 3: "three of them angles"}
    return exercise(
        "10c",
        f"A coupling keeps {n} coordinates, {written[angles]}. How many numbers does its network "
        "read?".replace("keeps 3", "keeps three"),
        n + angles,
        "One for each coordinate of a line, a cosine and a sine for each angle.",
        "How many numbers place a point on a circle without a seam?",
        (n, "The bare angle jumps at the seam, and so would the density."),
        (2 * angles, "The angles have these numbers; the coordinates of lines are read as well."),
        (2 * n, "A coordinate of a line needs one number."),
        (n + 2 * angles, "The angle itself is not read beside its cosine and sine."),
        (angles, "The angles alone? Their cosines and sines, and the other coordinates."),
        (n - angles, "The angles are read, too, by their cosines and sines."),
        (2 * (n + angles), "mu and alpha are outputs; what is read is asked for."),
        (n + 1, "Each angle has two numbers, a cosine and a sine."),
    )  # fmt: skip


def turn(x, by):
    """One right answer to 10d."""
    return (x + by + np.pi) % (2 * np.pi) - np.pi


_ANGLES = np.array([-np.pi, -2.0, 0.0, 1.0, 3.0])

_SHIFT = exercise("10d",
    "Write a function turn(x, by) for an array of angles x in [-pi, pi): the angles x + by, in "
    "[-pi, pi) again. `by` may be any number, also negative, or several turns.",
    turn,
    "Modulo 2 pi, with the seam at -pi. Its log-det is 0.",
    "The operator % gives numbers in [0, 2 pi): move the seam to 0 before, and back after.",
    (lambda x, by: (x + by) % (2 * np.pi), "These are angles in [0, 2 pi): the seam should be at "
     "-pi."),
    (lambda x, by: x + by, "Angles leave [-pi, pi): take whole turns off."),
    (lambda x, by: (x + by) % np.pi, "A whole turn is 2 pi, not pi."),
    (lambda x, by: (x + by) % (2 * np.pi) - np.pi, "Half a turn is taken off at the end; it has to "
     "be added before."),
    (lambda x, by: (x + by + np.pi) % (2 * np.pi), "Half a turn was added before; take it off at "
     "the end."),
    (lambda x, by: np.clip(x + by, -np.pi, np.pi), "The turn does not stop at the seam: it comes "
     "back on the other side."),
    (lambda x, by: np.where(x + by >= np.pi, x + by - 2 * np.pi, x + by), "A negative turn leaves "
     "the interval on the left; and several turns are possible."),
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
    "Write a function features(x, is_angle), what a network reads: x (n, D), is_angle a boolean "
    "array (D,). Each angle becomes two columns, its cosine and then its sine. Any other column "
    "stays as it is, and all keep the order of x. It returns (n, D + the number of angles).",
    features,
    "Two numbers without a seam for each angle, so no network can see where the circle begins.",
    "Collect the columns in a list, one or two for each of x, and np.stack them along axis 1.",
    (_made_of(lambda c: [c]), "Angles have two columns each, a cosine and a sine."),
    (_made_of(lambda c: [np.sin(c), np.cos(c)]), "First the cosine, then the sine."),
    (_made_of(lambda c: [np.cos(c)]), "The cosine alone takes an angle and its mirror image for "
     "one: the sine is needed, too."),
    (_made_of(lambda c: [np.sin(c)]), "The sine alone takes two angles for one: the cosine is "
     "needed, too."),
    (_made_of(lambda c: [c, np.cos(c), np.sin(c)]), "The angle itself has the seam: it is not "
     "read."),
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

ANGLES = (_UNIFORM, _beyond, _features, _SHIFT, _READ)
