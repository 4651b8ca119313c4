"""The exercises of lessons 5 to 8: two directions, couplings, compositions, limits."""

from __future__ import annotations

import numpy as np

from ..floors import affine_floor
from .exercise import exercise
from .lessons_1_to_4 import ENTROPY, MOONS

DIRECTIONS = (
    exercise("5a",
        "A MAF of 64 dimensions, sampled by the textbook's loop. How many passes of the network "
        "make one sample?",
        64,
        "One for each coordinate: x_i must be known before phi_{i+1} can be computed.",
        "Which coordinates are known after the first pass? After the second?",
        (1, "One pass is the density, where all x are known. Sampling has to wait for each x_i."),
        (63, "The first coordinate needs a pass, too: its shift and scale are biases."),
        (65, "The 64th pass gives x_64, and then nothing is missing."),
        (64 * 64, "A pass gives the parameters of all coordinates at once: it is made once for "
         "each coordinate, not for each pair."),
    ),
    exercise("5b",
        "x1 = 2 z1 and x2 = mu(x1) + exp(alpha(x1)) z2 with mu(u) = alpha(u) = u. What is z2 for x "
        "= (1, 3)?",
        2 * np.exp(-1.0),
        "z2 = (x2 - mu) exp(-alpha), and both are known at once, since x is: MAF's fast direction.",
        "Solve the second equation for z2; x1 = 1 is known.",
        (3 * np.exp(-1.0), "The shift mu(x1) = 1 is to be taken off first."),
        (2 * np.exp(1.0), "This multiplies by exp(alpha); the way back divides."),
        (2.5 * np.exp(-0.5), "mu and alpha were read at z1 = 0.5: an IAF. A MAF reads them at x1."),
        (2.0, "x2 - mu = 2 is still to be divided by the scale, exp(alpha)."),
        (1 + 3 * np.exp(1.0), "This is the way from z to x, with z2 = 3."),
    ),
    exercise("5c",
        "The same map at the same x. What is log |det dz/dx|?",
        -(np.log(2) + 1),
        "-(log 2 + alpha(x1)): both log-scales, with the sign of the way back.",
        "dz/dx is a triangle. What stands on its diagonal?",
        (np.log(2) + 1, "This is dx/dz, the way to the data; the way back has the opposite sign."),
        (-1.0, "x1 = 2 z1 stretches, too: its log 2 is missing."),
        (-np.log(2), "This is the part of x1 alone: that of x2, alpha(x1), is missing."),
        (-(np.log(2) + 0.5), "alpha is read at x1 = 1, not at z1 = 0.5."),
        (-(2 + np.e), "Logarithms of the scales are added, not the scales."),
    ),
    exercise("5d",
        "A MAF of 64 dimensions, with hidden layers of 256 and 256 units, computes each unit as "
        "soon as it can be final, and not before. How many units is that for one sample?",
        512,
        "Each once: a unit of degree d is final as soon as x_1..x_d are known.",
        "How often does a unit of degree d change, once x_1..x_d are known?",
        (64 * 512, "This is the textbook's loop, which computes all units 64 times."),
        (8, "512 / 64 are those of one degree: all degrees have their turn."),
        (256, "There are two hidden layers."),
        (64, "One unit for each coordinate would be enough to depend on all, but there are more."),
        (1024, "mu and alpha read the same hidden units."),
    ),
)  # fmt: skip

COUPLINGS = (
    exercise("6a",
        "A RealNVP coupling of five coordinates keeps the first two; at some z its log-scales are "
        "0.1, -0.3 and 0.5. What is log |det dx/dz|?",
        0.3,
        "The sum of the log-scales; the two that stay add nothing.",
        "What stands on the diagonal of the Jacobian? Take its logarithm.",
        (-0.3, "This is dz/dx, the way back."),
        (0.9, "Log-scales are added with their signs: the second one squeezes."),
        (np.exp([0.1, -0.3, 0.5]).sum(), "Logarithms of the scales are added, not the scales."),
        (2.3, "What stays has the slope 1, whose logarithm is 0."),
        (0.1 * -0.3 * 0.5, "Scales are multiplied, so log-scales are added."),
        (np.exp(0.3), "This is |det|; the question is for its logarithm."),
    ),
    exercise("6b",
        "Four coordinates, couplings that change two and two of them in turn. After how many may "
        "every coordinate depend on every other?",
        3,
        "After two, those that were changed last see everything; after three, the others do, too.",
        "Write down, after each coupling, which of z1..z4 each coordinate depends on.",
        (1, "One coupling leaves two coordinates as they were."),
        (2, "In the pair that was changed first, neither has seen the other one yet."),
        (4, "One fewer: follow who has seen whom after each coupling."),
    ),
    exercise("6c",
        "NICE learns the checkerboard, whose eight squares have an area of 32 in all. Its layers "
        "keep areas, up to one constant factor. How close can it come: what is the least KL(board "
        "|| NICE), whatever the depth?",
        1 - np.log(2),
        "1 - log 2: the best it can do is to lay a Gaussian bell, cut into pieces, over the board.",
        "Put the board's area into a disk: pi R^2 = 32, and the mean of r^2 is R^2 / 2. A bell of "
        "deviation s has the cross-entropy log(2 pi s^2) + E r^2 / (2 s^2): choose the best s.",
        (0.0, "The board is flat; a Gaussian, areas kept, takes every value below its peak."),
        (np.log(2), "log 2 is what the empty half of the frame costs whoever covers it evenly; "
         "NICE may keep the empty squares almost empty."),
        (np.log(32) + 1 - np.log(2), "This is the cross-entropy. Take off the entropy, log 32."),
        (1.0, "The best constant factor makes the mean of r^2 / (2 s^2) one, but log(2 pi s^2) is "
         "log 32 - log 2 then, not log 32."),
        rough=(0.1, 0.5),
    ),
)  # fmt: skip

_FLOOR, _OTHER_FLOOR = (affine_floor(MOONS, order, n=60) for order in ((1, 2), (2, 1)))
COMPOSING = (
    exercise("7a",
        "Any number of affine autoregressive layers, all in the order (1, 2), learn two moons. "
        "What is the least KL?",
        _FLOOR,
        "The layers collapse into one: given x1, x2 stays Gaussian. Two branches are not.",
        "Given x1, x2 is one Gaussian, however many layers there are; the best one has the moons' "
        "own mean and variance there. The rest is an integral, which teaching.affine_floor takes.",
        (0.0, "A Gaussian that is shifted and scaled, however often, stays a Gaussian."),
        (_OTHER_FLOOR, "This is the floor of the order (2, 1): up to four branches."),
        (ENTROPY, "This is the entropy of the moons: the NLL at which KL is 0."),
        (ENTROPY + _FLOOR, "This is the NLL at the floor; take off the entropy."),
        (0.1, "It is nearer to 1: at most x1 the two branches are many deviations apart."),
        rough=(0.5, 1.3),
    ),
    exercise("7b",
        "f doubles, g adds 1. What does Chain([f, g]) make of z = 3, forward?",
        8.0,
        "f after g, as in f(g(z)): the last of the list comes first.",
        "Chain([f, g]) is f(g(z)): work out g(3) first.",
        (7.0, "That is g after f. Chain([f, g]) is f(g(z)): g comes first."),
        (4.0, "That is g alone; f follows."),
        (6.0, "That is f alone; g comes before it."),
        (0.5, "That is the way back, from x to z."),
    ),
    exercise("7c",
        "Three layers and a swap: the log-determinants of the way to x are 0.3, -1.2, 0.5, and "
        "that of the swap. What is log |det dz/dx| of the whole?",
        0.4,
        "They add up to -0.4, a swap counts 0, and the way back turns the sign.",
        "The chain rule multiplies Jacobians; log |det| turns products into sums.",
        (-0.4, "This is the way to x; dz/dx is the way back."),
        (0.18, "Determinants are multiplied, their logarithms added; and dz/dx turns the sign."),
        (-0.18, "Determinants are multiplied, so their logarithms are added."),
        (1.4, "A swap has the determinant -1, and log |-1| = 0."),
        (2.0, "Log-determinants are added with their signs."),
    ),
)  # fmt: skip


def _mixture_entropy(a: float) -> float:
    """The entropy of 1/2 N(-a, 1) + 1/2 N(a, 1), by the trapezoid rule."""
    x = np.linspace(-a - 12, a + 12, 4801)
    p = (np.exp(-0.5 * (x - a) ** 2) + np.exp(-0.5 * (x + a) ** 2)) / (2 * np.sqrt(2 * np.pi))
    return float(-(p * np.log(p)).sum() * (x[1] - x[0]))


_BEST = 0.5 * np.log(2 * np.pi * np.e * 10)  # cross-entropy with the Gaussian of variance 1 + 3^2
LIMITS = (
    exercise("8a",
        "Half of the data are N(-3, 1), half N(3, 1). One affine layer over N(0, 1) learns them. "
        "What is the least KL?",
        _BEST - _mixture_entropy(3.0),
        "1/2 log(2 pi e 10) minus the entropy of the two: the best Gaussian bridges the gap.",
        "The best Gaussian has the variance 10. The data's entropy is about log 2 + 1/2 log(2 pi "
        "e).",
        (np.log(2), "log 2 is the share of the choice in the entropy of the data."),
        (_BEST, "This is the cross-entropy; take off the entropy of the data."),
        (0.5 * np.log(10), "log 2 is missing: the entropy of the two is that of one of them plus "
         "log 2, since a point also shows which of the two it came from."),
        (np.log(10) - np.log(2), "Half of the logarithm of the variance, 1 + 3^2."),
        (0.5 * np.log(9) - np.log(2), "The variance is 1 + 3^2: the pieces are wide themselves."),
    ),
    exercise("8b",
        "The textbook's scale is exp(alpha). From which alpha on does it overflow in float32?",
        np.log(np.finfo(np.float32).max),
        "log of the largest float32. A single far row is enough to make the loss infinite.",
        "np.finfo(np.float32).max is the largest; exp(alpha) reaches it at its logarithm.",
        (np.log(np.finfo(float).max), "That is float64's."),
        (np.log10(np.finfo(np.float32).max), "exp has the base e, not 10."),
        (128, "exp has the base e, not 2."),
        (float(np.finfo(np.float32).max), "This is the largest float32: take its logarithm."),
    ),
    exercise("8c",
        "The cure: alpha = c tanh(raw / c) with c = 2. What is the scale exp(alpha) at raw = 2?",
        np.exp(2 * np.tanh(1.0)),
        "Near 0 it is exp(raw), far out it never leaves (exp(-2), exp(2)).",
        "raw / c = 1. Take its tanh, c times that, and then exp.",
        (np.exp(2.0), "That is exp(raw), or a clip of it. tanh is smooth: at raw = c it has "
         "turned."),
        (np.exp(2 * np.tanh(2.0)), "raw is divided by c inside, so that the slope at 0 stays 1."),
        (2 * np.tanh(1.0), "This is alpha; the scale is its exponential."),
        (np.tanh(1.0), "This is tanh(raw / c): times c it is alpha, and exp(alpha) the scale."),
        (np.exp(np.tanh(2.0)), "c stands in front of the tanh and below raw."),
    ),
)  # fmt: skip
