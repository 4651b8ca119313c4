"""The exercises of lessons 9 and 10: continuous flows and flow matching, angles."""

from __future__ import annotations

import numpy as np

from .exercise import exercise

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

VELOCITIES = (
    exercise("9a",
        "In the plane, dx/dt = A x with A = [[1, 5], [0, -3]], for t from 0 to 1. What is "
        "log |det dx/dz|?",
        -2.0,
        "The integral of the divergence, the trace of A at every x and t: 1 - 3.",
        "Which sum of derivatives does a small step's determinant have, to first order in h?",
        (-3.0, "This is det A. A step is x + h A x, whose determinant is 1 + h trace A + ..."),
        (np.log(3.0), "This is log |det A|; but A is the velocity, not the map."),
        (2.0, "This is the way back, from x to z."),
        (3.0, "All entries are summed; the divergence has only dv_d / dx_d, the diagonal."),
    ),
    exercise("9b",
        "z ~ N(0, 1), and dx/dt = -x, for t from 0 to 1. What is log p(x = 0) at t = 1?",
        1 - HALF_LOG_2PI,
        "log N(0) - (integral of the divergence) = -0.919 + 1: a sink collects mass.",
        "log p falls by the divergence along the path; the point 0 does not move.",
        (-1 - HALF_LOG_2PI, "The sign: a divergence of -1 draws mass together."),
        (-HALF_LOG_2PI, "The point does not move, but its neighbours come nearer."),
        (1.0, "This is the log-determinant's part alone; log N(0; 0, 1) is missing."),
    ),
    exercise("9c",
        "z ~ N(0, 1) and x ~ N(0, 1), paired at random, x_t = (1 - t) z + t x. Which velocity does "
        "the regression find at t = 0.25, x_t = 1?",
        -0.8,
        "E[x - z | x_t] = (2 t - 1) / ((1 - t)^2 + t^2) x_t: the regression of x - z on x_t.",
        "All are Gaussian: Cov(x - z, x_t) / Var(x_t), times x_t.",
        (0.0, "This is the mean of x - z over all pairs. Given x_t, z tends to be where x_t is."),
        (-0.5, "This is the covariance; divide by the variance of x_t, which is 0.625."),
        (0.8, "At t = 0.25 the point is mostly z: a large z has to come back."),
        (-1.0, "That is at t = 0, where x_t is z."),
    ),
    exercise("9d",
        "The same pairs, at t = 0.5. What is the least mean squared distance of any v(x_t) from "
        "x - z?",
        2.0,
        "x_t is half of z + x, which is independent of x - z: its whole variance stays.",
        "What is known about x - z once z + x is, if both are Gaussian with the same variance?",
        (0.0, "Many pairs cross at one x_t, and v has one value there: the loss has a floor."),
        (1.0, "This is the variance of one of the two; x - z has both."),
        (np.sqrt(2.0), "This is a standard deviation; the loss is squared."),
    ),
)  # fmt: skip

ANGLES = (
    exercise("10a",
        "An angle is uniform on the circle. What is log p at any angle, in nats?",
        -np.log(2 * np.pi),
        "The circle is 2 pi long, and the density is 1 / (2 pi).",
        "How long is the circle, in radians?",
        (-np.log(np.pi), "That is half of the circle."),
        (np.log(2 * np.pi), "This is the entropy, the mean of -log p."),
        (-np.log(360), "That is per degree; angles here are in radians."),
    ),
    exercise("10b",
        "An angle of 3 radians turns by 0.5. Which angle in [-pi, pi) is it?",
        3.5 - 2 * np.pi,
        "3.5 - 2 pi: beyond pi one comes back at -pi.",
        "A whole turn is 2 pi.",
        (3.5, "This is beyond pi = 3.14; take a whole turn off."),
        (3.5 - np.pi, "Half a turn was taken off: that is the opposite point."),
        (2 * np.pi - 3.5, "The sign: it is below 0."),
    ),
    exercise("10c",
        "A coupling keeps three coordinates, two of them angles. How many numbers does its network "
        "read?",
        5,
        "One for the coordinate of the line, a cosine and a sine for each angle.",
        "How many numbers place a point on a circle without a seam?",
        (3, "The bare angle jumps at the seam, and so would the density."),
        (4, "Two angles have four numbers; the third coordinate is read as well."),
        (6, "A coordinate of a line needs one number."),
    ),
)  # fmt: skip
