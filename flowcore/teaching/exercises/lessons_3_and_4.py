"""The exercises of lessons 3 and 4: a loss, a network with an order.

Every number is computed by the formula that the lesson derives: none is typed in.
"""

from __future__ import annotations

import numpy as np

from ...spec.reference import made_masks
from ...targets import two_moons
from .constants import H_NORMAL, LOG_2_PI
from .exercise import decimals, exercise, given, numbers

_MOONS = two_moons(0.05)
ENTROPY, (SD_1, SD_2) = _MOONS.entropy(), _MOONS.std()


@numbers(D=range(3, 81))
def _start(D=2):
    return exercise(
        "3a",
        f"A table has {D} columns and is standardised. What is the mean negative log-likelihood "
        "of the model N(0, I)?".replace("has 2 columns", "has two columns"),
        D * H_NORMAL,
        f"{D}/2 log(2 pi) + {D}/2, by the second moments alone. Every flow starts here.",
        "-log N(z; 0, I) = D/2 log(2 pi) + |z|^2 / 2; take the mean.",
        (D / 2 * LOG_2_PI, f"This is -log N at the origin. Add half of |z|^2, which is {D} on "
         "average."),
        (H_NORMAL, f"This is one column; there are {D}."),
        (-D * H_NORMAL, "The sign: the negative log-likelihood is asked for."),
        (D / 2 * LOG_2_PI + D, f"|z|^2 / 2 is {D / 2:g} on average, not {D}."),
        (D / 2 * LOG_2_PI + 0.5, "Each column adds 1/2: some of them are missing."),
        (D / 2, "This is the mean of |z|^2 / 2; the constant, D/2 log(2 pi), is missing."),
        (0.0, "A loss of 0 is nothing special. Take the mean of -log N(z; 0, I)."),
        (D * LOG_2_PI + D / 2, "The constant of one column is 1/2 log(2 pi)."),
        (D * (LOG_2_PI + 1), "Half of that: -log N of one column is (log(2 pi) + z^2) / 2."),
        *([(np.exp(-D * H_NORMAL), "This is a density; the mean of -log is asked for.")]
          if D < 4 else []),  # else it is 0 to two decimals
    )  # fmt: skip


@numbers(
    data=[("A table of two columns has", "It is", "columns")],
    entropy=decimals(0.1, 0.9, 0.05),
    sd_1=decimals(0.4, 0.95, 0.05),
    sd_2=decimals(0.4, 0.95, 0.05),
)
def _standardised(
    data=("Two moons have", "They are", "moons"), entropy=ENTROPY, sd_1=SD_1, sd_2=SD_2
):
    have, they_are, moons = data
    sd = np.array([sd_1, sd_2])
    log_sd = np.log(sd)
    right = entropy - log_sd.sum()
    return exercise(
        "3b",
        f"{have} an entropy of {entropy:.3f} nats and standard deviations of "
        f"{sd[0]:.3f} and {sd[1]:.3f}. {they_are} standardised: what is the entropy now?",
        right,
        "Dividing by a deviation below 1 stretches: each column adds -log sd to H.",
        "y = (x - mean) / sd. What is log |det dy/dx|?",
        (entropy + log_sd.sum(), "The sign: y = x / sd stretches, since sd is below 1: the "
         "entropy grows."),
        (entropy - log_sd[0], "Both columns were divided: the second deviation is missing."),
        (entropy - log_sd[1], "Both columns were divided: the first deviation is missing."),
        (entropy, "Entropy depends on the units: this is that of the raw data."),
        (entropy / sd.prod(), "Densities are divided, entropies are not: logarithms are added."),
        (entropy - sd.prod(), "Subtract the logarithms of the deviations, not their product."),
        (entropy - sd.sum(), "Subtract the logarithms of the deviations instead."),
        (entropy + sd.sum(), "Minus the logarithms of the deviations are added, not the "
         "deviations."),
        (-log_sd.sum(), "This is the change; add it to the entropy of the raw data."),
        (entropy - 2 * log_sd.sum(), "This uses the variances; lengths are divided by deviations."),
        (entropy - 0.5 * log_sd.sum(), "The root was taken twice: these are deviations already."),
        (2 * H_NORMAL, f"That is N(0, I). Standardised {moons} have its moments, not its shape."),
        (0.0, "Standardising sets means and deviations, not the entropy."),
        (1.0, "Standardising sets the deviations to 1, not the entropy."),
    )  # fmt: skip


@numbers(r=decimals(0.2, 0.95, 0.005))
def _wide(r=0.8):
    det = 1 - r**2
    right = -0.5 * np.log(det)
    return exercise(
        "3c",
        f"The data are Gaussian, with variances 1 and correlation {r}. The model is N(0, I). What "
        "is KL(data || model)?",
        right,
        f"-1/2 log(1 - {r}^2): the model loses this much by having no correlation.",
        "KL = cross-entropy - entropy. The cross-entropy is log(2 pi) + 1: the variances are 1.",
        (0.5 * (2 / det - 2 + np.log(det)), "This is the other way round, KL(model "
         "|| data). Learning by likelihood makes KL(data || model) small."),
        (-right, f"A KL is never negative, but log(1 - {r}^2) is."),
        (2 * right, "Half of that: the entropy of a Gaussian has 1/2 log det C."),
        (r, "This is the correlation; the entropy needs det C, which is 1 - r^2.", 1e-9),
        ([-0.5 * np.log(1 - r), -0.5 * np.log(1 + r**2)], "The determinant of [[1, r], [r, 1]] is "
         "1 - r^2."),
        (-np.log(1 - r), "The determinant of [[1, r], [r, 1]] is 1 - r^2, and half its logarithm "
         "is asked for."),
        (-np.log(r), "This is log r; the entropy needs det C, which is 1 - r^2."),
        (LOG_2_PI + 1, "This is the cross-entropy; subtract the entropy of the data."),
        (LOG_2_PI + 1 - right, "This is the entropy of the data. Subtract it from log(2 pi) + 1."),
        (0.0, "Means and variances agree, but the model has no correlation."),
        (det, "This is det C; minus half of its logarithm is the KL."),
        (np.sqrt(det), "This is the root of det C; minus its logarithm is the KL."),
    )  # fmt: skip


@numbers(r=decimals(0.3, 0.95, 0.01))
def _narrow(r=0.8):
    det = 1 - r**2
    right = 0.5 * (2 / det - 2 + np.log(det))
    return exercise(
        "3d",
        f"The other way round: the data are N(0, I), the model is Gaussian with correlation {r}. "
        "What is KL(data || model)?",
        right,
        "1/2 (trace C^-1 - 2 + log det C): too narrow a model costs more than too wide a one.",
        "-log q(x) = log(2 pi) + 1/2 log det C + (z1^2 + z2^2) / 2 with z1 = x1 and z2 = (x2 - "
        f"{r} x1) / sqrt(1 - {r}^2). Take the mean over x ~ N(0, I), and subtract the entropy of "
        "N(0, I).",
        (-0.5 * np.log(det), "This is KL the other way round, as in 3c: KL is not symmetric."),
        (0.5 * (2 / det - 2 - np.log(det)), "The sign of log det C: -log q has "
         f"+1/2 log det C, and det C = {det:g} is below 1."),
        (2 * right, "Half of that."),
        (0.5 * (2 / det + np.log(det)), "The 2 of the data's own entropy is missing."),
        (1 / det - 1, "1/2 log det C is missing: the narrow model is dense in its middle."),
        (0.5 * np.log(det), "This is minus the KL the other way round. The mean of (z1^2 + "
         "z2^2) / 2 is no longer 1."),
        (0.0, "The model is narrower than the data, so points in its tails cost a lot."),
        (-right, "A KL is never negative."),
        (0.5 * (1 / det - 2 + np.log(det)), "The inverse of C has 1 / (1 - r^2) twice on its "
         "diagonal."),
        (0.5 * (1 / det - 1 + np.log(det)), "The inverse of C has 1 / (1 - r^2) twice on its "
         "diagonal: both coordinates pay."),
        (LOG_2_PI + 1 + right, "This is the cross-entropy; subtract the entropy of the data."),
    )  # fmt: skip


LEARNING = (_start, _standardised, _wide, _narrow)


def _edges(hidden, output, degrees) -> int:
    """How many edges two rules leave."""
    first, second, third = degrees
    last = np.repeat(first, 2)
    return int(
        hidden(first[:, None], second).sum()
        + hidden(second[:, None], third).sum()
        + output(third[:, None], last).sum()
    )


NAMES = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}


@numbers(D=range(4, 9), each=range(2, 20))
def _count(D=5, each=2):
    width = each * (D - 1)
    degrees = np.arange(1, D + 1), *(np.repeat(np.arange(1, D), each) for _ in range(2))
    left = [int(mask.sum()) for mask in made_masks(degrees, 2)]  # weights, by layer
    right, whole = sum(left), D * width + width * width + 2 * D * width
    many = f"{NAMES.get(width, width)} units ({NAMES.get(each, each)} of each degree"
    return exercise(
        "4a",
        f"A MADE has {NAMES[D]} inputs, two hidden layers of {many} 1 to {D - 1}) and two outputs "
        f"for each input: {whole} weights without masks. How many weights do the masks leave?",
        right,
        f"{' + '.join(map(str, left))}, layer by layer. The engine stores no others.",
        "For each layer, count what every unit may read; or let Python count, over the masks of "
        f"fc.MADE({D}, hidden=[{width}, {width}]).",
        (whole // 2, "It is not exactly half: in the hidden layers equal degrees are connected, in "
         "the last one they are not. Count the coloured cells."),
        (_edges(np.less, np.less, degrees), "In the hidden layers, equal degrees are connected: "
         "<=, not <."),
        (_edges(np.less_equal, np.less_equal, degrees), "An output may not see units of its own "
         "degree: <, not <=."),
        (whole, "This is the whole network, without its masks."),
        (whole - right, "These are the ones that the masks take out."),
        (right - left[2] // 2, "The last layer has two numbers for each input: its columns "
         "count twice."),
        (right - left[2], "The last layer is missing: the outputs read hidden units, too."),
        (right + 2 * width + 2 * D, "This counts the biases, too; weights are asked for."),
        (right + width, "One layer's biases were counted; weights are asked for."),
        (left[1], "This is one matrix of three: the one between the hidden layers."),
        (left[0], "This is one matrix of three: the first one."),
    )  # fmt: skip


@numbers(D=range(4, 100))
def _narrowest(D=5):
    return exercise(
        "4d",
        f"How many units must every hidden layer have at least, so that each of {NAMES.get(D, D)} "
        "outputs may depend on all inputs before it?",
        D - 1,
        "Every layer needs one unit of each degree 1..D-1. No output reads a unit of degree D.",
        "Output i needs a unit of degree i - 1 in every layer.",
        (D, f"A unit of degree {D} is of no use: no output may read it."),
        (1, "One unit has one degree: the outputs after it see no input beyond that degree."),
        (D * (D - 1) // 2, "One unit of a degree serves all inputs up to it: no pairs are needed."),
        (2 * D - 2, "Two of each degree are more than needed: mu and alpha may read the same "
         "units."),
        (2 * D, "mu and alpha may read the same units, and no output reads units of degree D."),
        (D - 2, f"Output {D} needs a unit of degree {D - 1}, output 2 one of degree 1. How many "
         "degrees is that in all?"),
        (D + 1, f"Degrees end at {D - 1}: what would read a unit of a higher one?"),
        (2, "Two units have two degrees at most: which outputs then miss an input?"),
        (0, "Without hidden units each output would be linear in the inputs. The question asks "
         "about hidden layers."),
    )  # fmt: skip


_IN, _OUT = np.array([1, 2, 2, 3]), np.array([3, 1, 2, 2, 3])


def mask(d_in, d_out):
    """One right answer to 4b."""
    return np.asarray(d_in)[:, None] <= np.asarray(d_out)


def output_mask(d_hidden, order):
    """One right answer to 4c."""
    return np.asarray(d_hidden)[:, None] < np.asarray(order)


_edge = given(lambda d_in, d_out: (d_in[:, None], d_out))  # a column and a row of degrees


_READ, _READING, _OUTPUTS = np.array([1, 2, 3]), np.array([1, 1, 2, 2]), np.array([1, 2, 3])


def _mask_of(compare, d_in, d_out):
    return compare.outer(d_in, d_out).astype(float)


_FIRST = exercise("4e",
    "A hidden layer reads three inputs of degrees 1, 2, 3, and has four units of degrees 1, 1, 2, "
    "2. Which connections stay? A row for each input, a column for each unit; 1 is a connection.",
    _mask_of(np.less_equal, _READ, _READING),
    "A unit reads inputs of its own degree or lower, so no unit reads x_3.",
    "A unit of degree d reads inputs of degree d or less: go through its column, cell by cell.",
    (_mask_of(np.less, _READ, _READING), "In a hidden layer, equal degrees are connected: <=. The "
     "strict < is for the outputs."),
    (_mask_of(np.greater_equal, _READ, _READING), "Turned round: a unit reads lower or equal "
     "degrees, not higher ones."),
    (_mask_of(np.greater, _READ, _READING), "Turned round: a unit reads lower or equal degrees, "
     "not higher ones, and <= is not strict."),
    (_mask_of(np.equal, _READ, _READING), "Lower degrees may be read as well, not equal ones "
     "only."),
    (np.ones((3, 4)), "These are all connections: the network has no order then."),
    (np.zeros((3, 4)), "Without a connection no output depends on anything."),
    (np.triu(np.ones((3, 4))), "A triangle is right only for degrees that rise one by one: compare "
     "the degrees."),
    (_mask_of(np.less_equal, _READ, _READING)[::-1], "The rows are from the bottom up: the first "
     "row is x_1."),
)  # fmt: skip

_LAST = exercise("4f",
    "Three outputs of degrees 1, 2, 3 read four hidden units of degrees 1, 1, 2, 2. Which "
    "connections stay? A row for each unit, a column for each output; 1 is a connection.",
    _mask_of(np.less, _READING, _OUTPUTS),
    "An output reads lower degrees only, so phi_1 reads nothing: p(x_1) depends on nothing.",
    "Output i reads units of degrees below i: go through its column, cell by cell.",
    (_mask_of(np.less_equal, _READING, _OUTPUTS), "An output may not see units of its own degree: "
     "<, not <=. Else phi_1 depends on x_1."),
    (_mask_of(np.greater, _READING, _OUTPUTS), "Turned round: an output reads lower degrees, not "
     "higher ones."),
    (_mask_of(np.greater_equal, _READING, _OUTPUTS), "Turned round, and not strict: an output "
     "reads lower degrees only."),
    (_mask_of(np.equal, _READING, _OUTPUTS), "An output may not read units of its own degree, and "
     "may read those of all lower degrees."),
    (np.ones((4, 3)), "These are all connections: the network has no order then."),
    (np.zeros((4, 3)), "Without a connection no output depends on anything."),
    (_mask_of(np.equal, _READING, _OUTPUTS - 1), "All lower degrees may be read, not only "
     "the next lower one."),
    (np.triu(np.ones((4, 3)), 1), "A triangle is right only for degrees that rise one by one: "
     "compare the degrees."),
)  # fmt: skip

ORDER = (
    _count,
    exercise("4b",
        "Write a function mask(d_in, d_out) for a hidden layer. It returns an array (in, out), "
        "True where a unit of degree d_in may be read by one of degree d_out.",
        mask,
        "A unit of degree d may depend on x_1..x_d, so it reads units of degree d or less.",
        "d_in[:, None] makes a column; a comparison with d_out makes the matrix.",
        (_edge(np.less), "In a hidden layer, equal degrees are connected: <=. The strict < is for "
         "the last layer."),
        (_edge(np.greater_equal), "Turned round: a unit may read those of lower or equal degree."),
        (_edge(np.greater), "Turned round, and too strict: a unit may read those of lower or equal "
         "degree."),
        (_edge(np.equal), "Lower degrees may be read as well, not only equal ones."),
        (lambda d_in, d_out: np.ones((len(d_in), len(d_out))), "This connects all units."),
        (lambda d_in, d_out: np.triu(np.ones((len(d_in), len(d_out)))),
         "A triangle is right only for degrees that rise one by one: compare the degrees."),
        inputs=[(_IN, _OUT), (_OUT, _IN)],
    ),
    exercise("4c",
        "Write a function output_mask(d_hidden, order), where order has the degrees of the inputs. "
        "It returns an array (hidden, D), True where the output for an input of that degree may "
        "read the unit.",
        output_mask,
        "The rule is strict: mu_i and alpha_i must not depend on x_i, so the diagonal is "
        "exp(alpha_i) alone.",
        "The same as 4b, with another sign of comparison.",
        (_edge(np.less_equal), "Here <= lets output i depend on x_i, so the log-determinant would "
         "be wrong. Use <."),
        (_edge(np.greater), "Turned round: output d reads units of degree below d."),
        (_edge(np.greater_equal), "Turned round, and not strict: output d reads units of degree "
         "below d."),
        (_edge(lambda d, order: d < np.arange(len(order))), "Compare with the degrees in `order`, "
         "not with the positions: the order may be any."),
        (_edge(lambda d, order: d < np.arange(1, len(order) + 1)), "Compare with the degrees in "
         "`order`, not with 1..D: the order may be any."),
        ([_edge(lambda d, order: d < np.argsort(order)),
          _edge(lambda d, order: d < 1 + np.argsort(order))], "`order` has the degrees already: "
         "np.argsort makes positions of them."),
        (_edge(lambda d, order: d == order - 1), "All lower degrees may be read, not only "
         "the next lower one."),
        inputs=[(_IN, np.array([1, 2, 3])), (_OUT, np.array([3, 1, 2]))],
    ),
    _narrowest,
    _FIRST,
    _LAST,
)  # fmt: skip
