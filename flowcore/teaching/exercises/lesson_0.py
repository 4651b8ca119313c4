"""The exercises of lesson 0: a flow on one page, before anything is derived."""

from __future__ import annotations

import numpy as np

from .exercise import exercise

LOG_2_PI = np.log(2 * np.pi)

ONE_PAGE = (
    exercise("0a",
        "A MADE has three inputs in the order 1, 2, 3. How many of them can change mu_3?",
        2,
        "mu_3 reads the inputs that come before the third: x_1 and x_2.",
        "A hidden unit reads numbers up to its own, an output only smaller ones.",
        (3, "mu_3 may not read x_3: z_3 = (x_3 - mu_3) exp(-alpha_3) would have another slope."),
        (1, "Not only the neighbour: all inputs with smaller numbers."),
        (0, "That is mu_1, before which nothing comes."),
    ),
    exercise("0b",
        "All networks of a flow output 0. What is log p at x = (0, 0), in nats?",
        -LOG_2_PI,
        "With mu = alpha = 0 no layer changes anything: it is log N((0, 0); 0, I) = -log 2 pi.",
        "What does a layer do to x if mu = 0 and alpha = 0? Then take log N of the result.",
        (0.0, "That is the log-determinant. The noise has a density, too: add log N(z; 0, I)."),
        (-0.5 * LOG_2_PI, "This is the noise in one dimension; here there are two."),
        (np.exp(-LOG_2_PI), "This is the density itself; its logarithm is asked for."),
        (LOG_2_PI, "The sign: N((0, 0); 0, I) = 1 / (2 pi) is less than 1."),
    ),
    exercise("0c",
        "A layer with D = 3. How many passes of its network does one draw need?",
        3,
        "One for each number: mu_2 needs x_1, and mu_3 needs x_1 and x_2.",
        "Which mu can be computed before any x is there? Which next?",
        (1, "One pass is enough for a density, where all x are there. A draw has only z."),
        (2, "mu_1 is a constant, but a pass is needed to compute it, too."),
        (9, "A pass outputs all mu at once: one more is right after each."),
    ),
)  # fmt: skip
