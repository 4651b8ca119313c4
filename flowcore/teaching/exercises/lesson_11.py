"""The exercises of lesson 11: the other KL."""

from __future__ import annotations

import numpy as np

from .exercise import exercise

OTHER_KL = (
    exercise("11a",
        "Half of p is N(-6, 1), half N(6, 1). q = N(6, 1) has one of them. What is KL(q || p)?",
        np.log(2),
        "At every draw of q, p has half of q's density: log 2, whatever the other half is.",
        "It is the mean of log q - log p over draws of q. Where are they, and what is p there?",
        (36 - np.log(2), "This is KL(p || q): half of the draws of p are 12 deviations from q."),
        (0.0, "q has the shape of a piece of p, but p has only half of its mass there."),
        (0.5 * np.log(2), "No draw of q is in the other half: there is nothing to average with."),
        (-np.log(2), "The sign: q is larger than p at its draws, so log q - log p is positive."),
    ),
    exercise("11b",
        "The same p and q, but only p~ = 5 p is known. What is the ELBO of q?",
        np.log(5) - np.log(2),
        "log Z - KL(q || p), with Z = 5: below the log evidence by what q lacks.",
        "ELBO = E_q[log p~ - log q] = log Z - KL(q || p).",
        (np.log(5), "This is log Z, which only q = p reaches."),
        (-np.log(2), "This is -KL; p~ is five times p, so log 5 is to be added."),
        (np.log(10), "KL is taken off: the ELBO is a lower bound of log Z."),
        (2.5, "Of this take the logarithm."),
    ),
    exercise("11c",
        "p = N(0, 1), q = N(m, 1), and x = m + z is a draw of q. Take m = 0.5 and z = 1. What is "
        "the path derivative by m of log q(x) - log p(x): through x alone, with q's own m fixed?",
        0.5,
        "dx/dm = 1, and the slope by x is -(x - m) + x = m, whatever z is: no variance.",
        "Differentiate log q(x) - log p(x) by x, then multiply by dx/dm = 1.",
        (1.5, "This is the total derivative, x: it has the score of q, which is z, beside."),
        (1.0, "This is the score of q, x - m: the part that the path derivative leaves out."),
        (-1.0, "This is the slope of log q; that of -log p is x."),
        (0.0, "q is not p yet: m = 0.5 has to go."),
    ),
    exercise("11d",
        "p = N(0, 1), q = N(0, s^2), and weights are w = p / q at draws of q. Down to which s have "
        "they a finite variance?",
        np.sqrt(0.5),
        "E_q[w^2] is the integral of p^2 / q: exp(-x^2 + x^2 / (2 s^2)) needs s^2 > 1/2.",
        "The second moment is the integral of p^2 / q. When does its exponent fall?",
        (0.5, "This is the variance s^2; the question is for s."),
        (1.0, "A q that is a little too narrow has heavy weights, but still a finite variance."),
        (0.0, "p^2 / q grows without end if q's tails are much lighter than p's."),
        (np.sqrt(2), "q may even be narrower than p: 1/(2 s^2) must stay below 1."),
    ),
)  # fmt: skip
