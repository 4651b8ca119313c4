"""The exercises of lesson 0: a flow on one page, before anything is derived."""

from __future__ import annotations

from .constants import N_0
from .exercise import exercise, numbers


@numbers(D=(5, 6, 7, 8))
def _inputs(D=3):
    order = ", ".join(str(k + 1) for k in range(D))
    return exercise(
        "0a",
        f"A MADE has {D} inputs in the order {order}. How many of them can change mu_{D}?",
        D - 1,
        f"mu_{D} reads all inputs that come before the last one.",
        "A hidden unit reads numbers up to its own, an output only smaller ones.",
        (D, f"mu_{D} may not read x_{D}: z_{D} = (x_{D} - mu_{D}) exp(-alpha_{D}) would have "
         "another slope."),
        (1, "All inputs with smaller numbers count, not only the neighbour."),
        (0, "That is mu_1, before which nothing comes."),
        (2 * D - 2, f"Count inputs, not edges: mu_{D} and alpha_{D} read the same ones."),
        (D * (D - 1) // 2, f"These are the pairs of all outputs; mu_{D} alone is asked for."),
    )  # fmt: skip


@numbers(D=(3, 4, 5))
def _start(D=2):
    origin = "(" + ", ".join("0" * D) + ")"
    right = D * N_0
    return exercise(
        "0b",
        f"All networks of a flow output 0. What is log p at x = {origin}, in nats?",
        right,
        f"With mu = alpha = 0 no layer changes anything: it is log N(0; 0, I) = -{D}/2 log 2 pi.",
        "What does a layer do to x if mu = 0 and alpha = 0? Then take log N of the result.",
        (0.0, "That is the log-determinant. The noise has a density, too: add log N(z; 0, I)."),
        (N_0, f"This is the noise in one dimension; here there are {D}."),
        (-right, "The sign: N(0; 0, I) is less than 1 there, so its logarithm is negative."),
        (1.0, "exp(0) is the slope of each layer. Take its logarithm, and add that of the noise."),
        (right - D / 2, "-log N has z^2 / 2 in it, which is 0 here; this is its mean instead."),
    )


@numbers(D=(4, 5, 6, 8))
def _passes(D=3):
    return exercise(
        "0c",
        f"A layer with D = {D}. How many passes of its network does one draw need?",
        D,
        f"One for each number: mu_2 needs x_1, and mu_{D} needs all before x_{D}.",
        "Which mu can be computed before any x is there? Which next?",
        (1, "One pass is enough for a density, where all x are there. A draw has only z."),
        (D - 1, "mu_1 is a constant, but a pass is needed to compute it, too."),
        (D * D, "A pass outputs all mu at once: one more is right after each."),
        (D + 1, f"After pass {D} all x are right; one more would change nothing."),
        (2 * D, "One pass outputs mu and alpha together."),
        (D * (D + 1) // 2, "A pass is counted once, however many of its outputs are used."),
    )


ONE_PAGE = (_inputs, _start, _passes)
