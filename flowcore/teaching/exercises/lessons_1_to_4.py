"""The exercises of lessons 1 to 4: a stretch, a determinant, a loss, a network with an order.

Every number is computed here by the formula that the lesson derives: none is typed in.
"""

from __future__ import annotations

import numpy as np

from ...spec.reference import made_masks
from ...targets import two_moons
from .exercise import exercise

LOG_2, LOG_2_PI = np.log(2.0), np.log(2 * np.pi)
N_0 = -0.5 * LOG_2_PI  # log N(0; 0, 1)
H_NORMAL = 0.5 * (LOG_2_PI + 1)  # the entropy of N(0, 1)


def _log_normal(x):
    return N_0 - 0.5 * np.log(x) ** 2


STRETCH = (
    exercise("1a",
        "z ~ N(0, 1) and x = 2 z. What is log p(x = 0), in nats?",
        N_0 - LOG_2,
        "x = 0 comes from z = 0, where log N is -0.919; the stretch thins it out by log 2 = 0.693.",
        "Which z lands on x = 0? Take log N there, and add log |dz/dx|.",
        (N_0 + LOG_2, "The sign: a stretch makes the density thinner, so subtract log 2."),
        (N_0, "This is log N(0; 0, 1), of z. The stretch is missing: log |dz/dx| = -log 2."),
        (-LOG_2, "This is log 1/2, how much lower x is than z. Add log N(0; 0, 1)."),
        (N_0 - 1, "A logarithm to base 2 slipped in: in nats log 2 is 0.693, not 1."),
        (np.exp(N_0) / 2, "This is the density itself; its logarithm is asked for."),
        (N_0 / 2, "The density is halved, not its logarithm: subtract log 2."),
    ),
    exercise("1b",
        "z ~ N(0, 1) and x = 2 z + 3. What is the entropy of x, in nats?",
        H_NORMAL + LOG_2,
        "H(x) = H(z) + log 2. A shift moves the density and does not thin it out.",
        "H(x) = -E log p(x) = H(z) + E log |dx/dz|.",
        (H_NORMAL, "This is the entropy of z; a stretch by 2 spreads it by log 2."),
        (H_NORMAL - LOG_2, "The sign: x is spread out more than z, so its entropy is higher."),
        (H_NORMAL + LOG_2 + np.log(3), "The shift by 3 adds nothing: its slope is 1."),
        (H_NORMAL + 1, "A logarithm to base 2 slipped in: log 2 is 0.693 nats."),
        (H_NORMAL + 2 * LOG_2, "log 4: the variance grows by 4, but lengths by 2, its root."),
        (2 * H_NORMAL, "Lengths are doubled, not the entropy: add log 2."),
    ),
    exercise("1c",
        "z ~ N(0, 1) and x = exp(z). Write a function log_p(x) for an array of x > 0.",
        lambda x: _log_normal(x) - np.log(x),
        "z = log x, and log |dz/dx| = -log x: the log-normal density.",
        "First z = log x, then log N(z), then log |dz/dx|, the derivative of log x.",
        (_log_normal, "The log-density at z = log x is there; log |dz/dx| is missing."),
        (lambda x: _log_normal(x) + np.log(x), "The sign: the way from x to z has the slope 1/x."),
        (lambda x: N_0 - 0.5 * x**2 - np.log(x), "log N must be taken at z = log x, not at x."),
        (lambda x: np.exp(_log_normal(x) - np.log(x)), "This is the density itself; its logarithm "
         "is asked for."),
        inputs=[(np.array([0.5, 1.0, 2.0, 5.0]),)],
    ),
)  # fmt: skip

TRIANGLE = np.array([[2.0, 0.0, 0.0], [1.0, -0.5, 0.0], [4.0, 3.0, 3.0]])
DETERMINANT = (
    exercise("2a",
        "The shear x1 = z1, x2 = z2 + 3 z1. What is its log |det dx/dz|?",
        0.0,
        "Area is base times height, and a shear changes neither: only the diagonal counts.",
        "Write down the matrix of dx/dz, and multiply its diagonal: it is a triangle.",
        (np.log(3), "The 3 stands off the diagonal: it tilts the cell, and leaves its area alone."),
        (0.5 * np.log(10), "This is the length of a side of the tilted cell, not its area."),
        (1.0, "The determinant is 1; its logarithm is asked for."),
        (3.0, "The 3 is a slope: it tilts the cell. The diagonal holds 1 and 1."),
        (-np.log(3), "The 3 stands off the diagonal: it counts in neither direction."),
    ),
    exercise("2b",
        "x = A z with A = [[2, 1], [1, 3]]. What is log |det dx/dz|?",
        np.log(5),
        "2 * 3 - 1 * 1 = 5: this matrix is no triangle, so the diagonal alone is not enough.",
        "For two rows, det [[a, b], [c, d]] = ad - bc. Then the logarithm.",
        (np.log(6), "The product of the diagonal is enough for a triangle only."),
        (np.log(7), "ad - bc: the second product is subtracted."),
        (5.0, "The determinant is 5; its logarithm is asked for."),
        (6.0, "This is the product of the diagonal: take off 1 * 1, and then the logarithm."),
        (-np.log(5), "This is the log-determinant of the way back, dz/dx."),
    ),
    exercise("2c",
        "z ~ N(0, I) in the plane; x1 = exp(0.5) z1 and x2 = x1 + exp(-1) z2. What is log p(x) at "
        "x = (0, 0)?",
        -LOG_2_PI + 0.5,
        "z = (0, 0), and log |det dz/dx| = -(0.5 - 1) = 0.5.",
        "The Jacobian is a triangle; the sum of the log-scales is 0.5 - 1. Mind the direction.",
        (-LOG_2_PI - 0.5, "The sign: p(x) takes the log-determinant of dz/dx, minus that of "
         "dx/dz."),
        (-LOG_2_PI, "This is log N(z): the log-determinant is missing."),
        (N_0 + 0.5, "z has two coordinates, each with its -0.919."),
        (0.5, "This is the log-determinant alone: add log N(z; 0, I) at z = (0, 0)."),
        (-LOG_2_PI + 1.5, "exp(0.5) stretches and exp(-1) squeezes: the two have different signs."),
    ),
    exercise("2d",
        "x = L z with a lower triangle L (D, D). Write a function log_det_inverse(L) for log |det "
        "dz/dx|.",
        lambda L: -np.log(np.abs(np.diag(L))).sum(),
        "D logarithms and a sum, where a general determinant costs D^3.",
        "np.diag takes the diagonal; an entry may be negative, so take np.abs before the log.",
        (lambda L: np.log(np.abs(np.diag(L))).sum(), "This is dx/dz; dz/dx has the opposite sign."),
        (lambda L: -np.log(np.abs(L[L != 0])).sum(), "Only the diagonal counts."),
        (lambda L: -np.log(np.abs(np.diag(L)).sum()), "The logarithm of a sum is not the sum of "
         "the logarithms: take the logarithm first."),
        (lambda L: 1 / np.prod(np.abs(np.diag(L))), "This is the determinant; its logarithm is "
         "asked for."),
        inputs=[(TRIANGLE,), (np.diag([0.5, 4.0]),)],
    ),
)  # fmt: skip

RHO = 0.8
MOONS = two_moons(0.05)
ENTROPY = MOONS.entropy()
_LOG_SD = np.log(MOONS.std())
LEARNING = (
    exercise("3a",
        "Any standardised table of two columns, and the model N(0, I). What is its mean negative "
        "log-likelihood?",
        LOG_2_PI + 1,
        "log(2 pi) + (1 + 1) / 2, by the second moments alone. Every flow starts here.",
        "-log N(z; 0, I) = log(2 pi) + (z1^2 + z2^2) / 2; take the mean.",
        (LOG_2_PI, "This is -log N at the origin. Add half of z1^2 + z2^2, which is 2 on average."),
        (H_NORMAL, "This is one column; there are two."),
        (-(LOG_2_PI + 1), "The sign: the negative log-likelihood is asked for."),
        (LOG_2_PI + 2, "1/2 (z1^2 + z2^2) is 1 on average, not 2."),
        (LOG_2_PI + 0.5, "Each of the two columns adds 1/2: one of them is missing."),
    ),
    exercise("3b",
        f"Two moons have an entropy of {ENTROPY:.3f} nats and standard deviations of "
        "{:.3f} and {:.3f}. They are standardised: what is the entropy now?".format(*MOONS.std()),
        ENTROPY - _LOG_SD.sum(),
        "Dividing by a deviation below 1 stretches: H grows by -log sd of both columns.",
        "y = (x - mean) / sd. What is log |det dy/dx|?",
        (ENTROPY + _LOG_SD.sum(), "The sign: y = x / sd stretches, since sd is below 1: the "
         "entropy grows."),
        (ENTROPY - _LOG_SD[0], "Both columns were divided: the second deviation is missing."),
        (ENTROPY - _LOG_SD[1], "Both columns were divided: the first deviation is missing."),
        (ENTROPY, "Entropy depends on the units: this is that of the raw data."),
        (ENTROPY / np.exp(_LOG_SD.sum()), "Densities are divided, entropies are not: logarithms "
         "are added."),
    ),
    exercise("3c",
        "The data are Gaussian, with variances 1 and correlation 0.8. The model is N(0, I). What "
        "is KL(data || model)?",
        -0.5 * np.log(1 - RHO**2),
        "-1/2 log(1 - 0.8^2): what the model loses by not knowing of the correlation.",
        "KL = cross-entropy - entropy. The cross-entropy is log(2 pi) + 1: the variances are 1.",
        (0.5 * (2 / (1 - RHO**2) - 2 + np.log(1 - RHO**2)), "This is the other way round, KL(model "
         "|| data). Learning by likelihood makes KL(data || model) small."),
        (0.5 * np.log(1 - RHO**2), "A KL is never negative, but log (1 - 0.8^2) is."),
        (-np.log(1 - RHO**2), "Half of that: the entropy of a Gaussian has 1/2 log det C."),
        (RHO, "This is the correlation; the entropy needs det C, which is 1 - r^2.", 1e-9),
        (-0.5 * np.log(1 - RHO), "The determinant of [[1, r], [r, 1]] is 1 - r^2."),
    ),
    exercise("3d",
        "The other way round: the data are N(0, I), the model is Gaussian with correlation 0.8. "
        "What is KL(data || model)?",
        0.5 * (2 / (1 - RHO**2) - 2 + np.log(1 - RHO**2)),
        "1/2 (trace C^-1 - 2 + log det C): too narrow a model costs more than too wide a one.",
        "-log q(x) = log(2 pi) + log 0.6 + (z1^2 + z2^2) / 2 with z1 = x1 and z2 = (x2 - 0.8 x1) / "
        "0.6. Take the mean over x ~ N(0, I), and take off its entropy.",
        (-0.5 * np.log(1 - RHO**2), "This is the answer of 3c: KL is not symmetric."),
        (0.5 * (2 / (1 - RHO**2) - 2 - np.log(1 - RHO**2)), "The sign of log det C: -log q has "
         "+1/2 log det C, and det C = 0.36 is below 1."),
        (2 / (1 - RHO**2) - 2 + np.log(1 - RHO**2), "Half of that."),
        (0.5 * (2 / (1 - RHO**2) + np.log(1 - RHO**2)), "The 2 of the data's own entropy is "
         "missing."),
    ),
)  # fmt: skip

DEGREES = np.arange(1, 6), *(np.ceil(np.arange(1, 9) * 4 / 9).astype(int) for _ in range(2))
_IN, _OUT = np.array([1, 2, 2, 3]), np.array([3, 1, 2, 2, 3])


def _edges(hidden, output) -> int:
    """How many edges two rules leave, in the network of 4a."""
    first, second, third = DEGREES
    last = np.repeat(first, 2)
    return int(
        hidden(first[:, None], second).sum()
        + hidden(second[:, None], third).sum()
        + output(third[:, None], last).sum()
    )


_LEFT = [int(mask.sum()) for mask in made_masks(DEGREES, 2)]  # weights, by layer

ORDER = (
    exercise("4a",
        "A MADE of five inputs, two hidden layers of eight units (two of each degree 1 to 4), two "
        "numbers for each input: 184 weights without masks. How many are left?",
        sum(_LEFT),
        f"{' + '.join(map(str, _LEFT))}, layer by layer. The engine stores no others.",
        "For each layer, count what every unit may read; or let Python count, over the masks of "
        "fc.MADE(5, hidden=[8, 8]).",
        (92, "Not exactly half: in the hidden layers equal degrees are connected, in the last one "
         "they are not. Count the coloured cells."),
        (_edges(np.less, np.less), "In the hidden layers, equal degrees are connected: <=, not <."),
        (_edges(np.less_equal, np.less_equal), "An output may not see units of its own degree: <, "
         "not <=."),
        (184, "This is the whole network, without its masks."),
        (184 - sum(_LEFT), "These are the ones that the masks take out."),
        (sum(_LEFT) - _LEFT[-1] // 2, "The last layer has two numbers for each input: its columns "
         "count twice."),
    ),
    exercise("4b",
        "Write a function mask(d_in, d_out) for a hidden layer: (in, out), True where a unit of "
        "degree d_in may be read by one of degree d_out.",
        lambda d_in, d_out: np.asarray(d_in)[:, None] <= np.asarray(d_out),
        "A unit of degree d knows x_1..x_d, and may ask whoever knows no more than that.",
        "d_in[:, None] makes a column; a comparison with d_out makes the matrix.",
        (lambda d_in, d_out: (np.asarray(d_in)[:, None] <= np.asarray(d_out)).T,
         "Transposed: rows are what is read, columns what reads."),
        (lambda d_in, d_out: np.asarray(d_in)[:, None] < np.asarray(d_out),
         "In a hidden layer, equal degrees are connected: <=. The strict < is for the last layer."),
        (lambda d_in, d_out: np.asarray(d_in)[:, None] >= np.asarray(d_out),
         "Turned round: a unit may read those of lower or equal degree."),
        inputs=[(_IN, _OUT), (_OUT, _IN)],
    ),
    exercise("4c",
        "Write a function output_mask(d_hidden, order), where order has the degrees of the inputs: "
        "(hidden, D), True where the output for an input of that degree may read the unit.",
        lambda d_hidden, order: np.asarray(d_hidden)[:, None] < np.asarray(order),
        "Strictly: what decides x_i must not see x_i, so the diagonal is exp(alpha_i) alone.",
        "The same as 4b but for one sign of comparison.",
        (lambda d_hidden, order: np.asarray(d_hidden)[:, None] <= np.asarray(order),
         "Here <= lets output i see input i: x_i would decide about itself, and the "
         "log-determinant would be wrong. Strictly, <."),
        (lambda d_hidden, order: (np.asarray(d_hidden)[:, None] < np.asarray(order)).T,
         "Transposed: rows are the hidden units, columns the outputs."),
        (lambda d_hidden, order: np.asarray(d_hidden)[:, None] > np.asarray(order),
         "Turned round: output d reads units of degree below d."),
        inputs=[(_IN, np.array([1, 2, 3])), (_OUT, np.array([3, 1, 2]))],
    ),
    exercise("4d",
        "How many units must every hidden layer have at least, so that each of five outputs may "
        "depend on all inputs before it?",
        4,
        "One of each degree 1..D-1 in every layer; degree D would be read by nobody.",
        "Output i needs a unit of degree i - 1 in every layer.",
        (5, "A unit that knows x_1..x_5 is of no use: no output comes after x_5."),
        (1, "One unit has one degree: the outputs after it see no input beyond that degree."),
        (10, "One unit of a degree serves all inputs up to it: no pairs are needed."),
        (8, "Two of each degree are more than needed: mu and alpha may read the same units."),
    ),
)  # fmt: skip
