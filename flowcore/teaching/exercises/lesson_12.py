"""The exercises of lesson 12: other questions to the same density."""

from __future__ import annotations

import numpy as np

from .exercise import exercise

QUESTIONS = (
    exercise("12a",
        "x1 and x2 are standard normal, with the correlation 0.8. What is the standard deviation "
        "of x2, once x1 = 1.5 is known?",
        0.6,
        "sqrt(1 - 0.8^2), whatever x1 is: every slice of a Gaussian is a Gaussian of one width.",
        "x2 = 0.8 x1 + sqrt(1 - 0.8^2) e, with e ~ N(0, 1) independent of x1.",
        (1.0, "That is x2's before anything is known. Where the slice is, x2 has less freedom."),
        (0.36, "This is the variance of the slice; take its root."),
        (0.2, "The part of the variance that is explained is 0.8^2, not 0.8."),
        (0.8, "0.8 x1 is the mean of the slice; the width is what x1 leaves open."),
    ),
    exercise("12b",
        "Half of the rows are N((-2, -2), I), half N((2, 2), I). x1 = 1 is known. How probable is "
        "it that the row is of the right half?",
        1 / (1 + np.exp(-4.0)),
        "The densities of x1 = 1 in the two halves are exp(-1/2) to exp(-9/2): as e^4 to 1.",
        "Compare both halves at x1 = 1 by their densities of x1 alone: N(1; 2, 1) and N(1; -2, 1).",
        (0.5, "That is before x1 is known: a value of x1 that one half makes often speaks for it."),
        (0.75, "Not distances are compared (1 and 3), but densities, exp(-distance^2 / 2)."),
        (1 / (1 + np.exp(-8.0)), "A square is halved in the exponent of a normal density."),
        (1 / (1 + np.exp(-1.0)), "These are halves of the distances 1 and 3: square them first."),
    ),
    exercise("12c",
        "Four draws have the weights 4, 2, 1 and 1. How many draws of equal weight are they worth: "
        "(sum of w)^2 / (sum of w^2)?",
        64 / 22,
        "8^2 / (16 + 4 + 1 + 1): the largest weight decides nearly alone.",
        "Add the weights, and square the sum; then add their squares.",
        (4, "That would be so if all weights were equal."),
        (2, "8 / 4 is the sum over the largest weight: a bound, and too pessimistic."),
        (8 / 22, "The sum of the weights is to be squared, too."),
        (22 / 64, "Upside down: this is the sum of the squared shares."),
    ),
    exercise("12d",
        "x1 and x2 as in 12a. Half of the x2 are lost, and filled with their best guess, 0.8 x1. "
        "What is the variance of the filled column x2?",
        0.5 * 1 + 0.5 * 0.64,
        "Half of the values have the variance 1, half 0.8^2: the slices' own spread is gone.",
        "The means are 0 in both halves. What is the variance of 0.8 x1?",
        (1.0, "So it is if the holes are filled with draws. A guess has less spread than a value."),
        (0.5, "That is of holes filled with the mean of x2. 0.8 x1 varies, too."),
        (0.64, "This is the variance of the guesses; the other half has been seen."),
        (0.9, "0.8 is the standard deviation of the guesses, and variances are averaged."),
    ),
)  # fmt: skip
