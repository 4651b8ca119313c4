"""The exercises of lesson 0: a flow from an empty file, before anything is derived."""

from __future__ import annotations

import numpy as np

from .constants import H_NORMAL, LOG_2, N_0
from .exercise import exercise, numbers


@numbers(D=range(5, 105))
def _inputs(D=4):
    return exercise(
        "0a",
        f"A MADE has the inputs x_1, ..., x_{D}, in this order. How many of them can change "
        f"mu_{D}?",
        D - 1,
        f"mu_{D} may depend on all inputs before x_{D}.",
        "A hidden unit reads numbers up to its own, an output only smaller ones.",
        (D, f"mu_{D} may not read x_{D}: z_{D} = (x_{D} - mu_{D}) exp(-alpha_{D}) would have "
         "another slope."),
        (1, "All inputs with smaller numbers count, not only the neighbour."),
        (0, "That is right for mu_1 only: nothing comes before it."),
        (2 * D - 2, f"Count inputs, not edges: mu_{D} and alpha_{D} read the same ones."),
        (D - 2, f"x_{D - 1} counts, too: it comes before x_{D}."),
        (2 * D, "This is the number of outputs, a mu and an alpha for each input."),
        ([D * (D - 1) // 2, D * (D + 1) // 2], f"This counts for all outputs; only mu_{D} is asked "
         "for."),
        ((D - 1) ** 2, f"These are pairs; count the inputs of one output, mu_{D}."),
    )  # fmt: skip


@numbers(D=range(3, 103))
def _start(D=2):
    right = D * N_0
    return exercise(
        "0b",
        f"All networks of a flow of {D} columns output 0. What is log p at x = 0, in nats?",
        right,
        f"With mu = alpha = 0 no layer changes anything: it is log N(0; 0, I) = -{D}/2 log 2 pi.",
        "What does a layer do to x if mu = 0 and alpha = 0? Then take log N of the result.",
        (0.0, "That is the log-determinant. The noise has a density, too: add log N(z; 0, I)."),
        (N_0, f"This is the noise in one dimension; here there are {D}."),
        (-right, "The sign: N(0; 0, I) is less than 1 there, so its logarithm is negative."),
        (1.0, "This is the slope of each layer. Take its logarithm, and add log N(z)."),
        (right - D / 2, "-log N contains z^2 / 2. At x = 0 it is 0, and you took its mean."),
        (
            -D / 2,
            "At z = 0 the square is 0. What is left is the constant, -1/2 log(2 pi) a column.",
        ),
        (-D / 2 * LOG_2, "The constant of log N has a pi in it: log(2 pi)."),
        (-D / 2 * np.log(np.pi), "The constant of log N has a 2 in it: log(2 pi)."),
    )


@numbers(D=range(5, 105))
def _passes(D=4):
    return exercise(
        "0c",
        f"A layer has D = {D}. How many passes of its network does one draw need?",
        D,
        f"One for each number: mu_2 needs x_1, and mu_{D} needs all before x_{D}.",
        "Which mu can be computed before any x is there? Which next?",
        (1, "One pass is enough for a density, where all x are there. A draw has only z."),
        (D - 1, "mu_1 is a constant, but a pass is needed to compute it, too."),
        (D * D, "A pass outputs all mu at once, and after each pass one more is right."),
        (D + 1, f"After pass {D} all x are right; one more would change nothing."),
        (2 * D, "One pass outputs mu and alpha together."),
        (D * (D + 1) // 2, "A pass is counted once, however many of its outputs are used."),
        (D // 2, "A pass makes one more x right, not two."),
        (2 * D - 1, "One pass outputs mu and alpha together, of x_1, too."),
    )


@numbers(tenths=[k for k in range(12, 82) if k not in (14, 15, 20, 40)], s=(3, 4, 5), mu=(1, 2, 3))
def _slope(tenths=30, s=3, mu=1):
    z = tenths / 10
    x = mu + s * z
    return exercise(
        "0d",
        "One coordinate has z = (x - mu) exp(-alpha) and the loss -log p(x) = z^2 / 2 + alpha + "
        f"1/2 log(2 pi). At x = {x:g}, mu = {mu}, exp(alpha) = {s}: what is the derivative of the "
        "loss by alpha?",
        1 - z**2,
        f"z = {z:g}, and dz/dalpha = -z: so z (-z) from the square, and 1 from the log-det.",
        "Which two terms have an alpha in them? For the first, write dz/dalpha with z.",
        (-(z**2), "The log-det has an alpha, too: + alpha in the loss."),
        (z**2 - 1, "This is the derivative of log p; the loss is -log p."),
        (1 + z**2, "dz/dalpha is -z: a larger scale makes z smaller."),
        (1 - z, "z^2 / 2 has the derivative z dz/dalpha, and dz/dalpha is -z."),
        (-z, "This is dz/dalpha. The chain rule multiplies it by z, and the log-det adds 1."),
        (1 - s * z**2, "dz/dalpha is -(x - mu) exp(-alpha), with the exponential."),
        (1 - (s * z) ** 2, "z is (x - mu) exp(-alpha): divide by the scale first."),
        (1 - 2 * z**2, "The square has a factor 1/2 before it, which takes the 2 away."),
        (1 - z**2 / 2, "The derivative of z^2 / 2 by z is z: the 1/2 goes."),
        (-1 - z**2, "log |dz/dx| is -alpha, and the loss has it with a minus: + alpha."),
        (z**2, "A sign, and a term: dz/dalpha is -z, and the loss has + alpha."),
        (-z / s, "This is the derivative by mu. alpha stands in two places."),
        (0.0, "It is 0 where z^2 = 1: there both terms are equal."),
        (1.0, "This is the derivative of the log-det alone; z has an alpha, too."),
        (z, "This is z. The derivatives of z^2 / 2 and of alpha, both by alpha, are added."),
        (1 - 2 * z, "The derivative of z^2 / 2 by z is z; dz/dalpha, which multiplies it, is -z."),
    )  # fmt: skip


@numbers(D=range(3, 103))
def _forgotten(D=2):
    right = -D * N_0
    return exercise(
        "0e",
        f"The log-det is forgotten: the loss is the mean of -log N(z; 0, I), with D = {D}. The "
        "flow may shrink all data to one point. How far does this loss fall, in nats?",
        right,
        f"All z go to 0, and {D}/2 log(2 pi) is left: -log N is nowhere smaller.",
        "Where is N(z; 0, I) highest, and how high is it there?",
        (0.0, "z^2 / 2 falls to 0. The constant of log N stays."),
        (-np.inf, "-log N has a smallest value, at z = 0. The loss ends there."),
        (D * H_NORMAL, "This is the loss of z ~ N(0, I). But z can all be at the peak."),
        (-right, "The sign: the loss is -log N, and N is less than 1 at its peak."),
        (-N_0, f"This is for one column; there are {D}."),
        (D / 2, "This is the mean of z^2 / 2 under the noise. z can be smaller, and a constant "
         "stays."),
        (right - 2 * D, "The log-det is not in this loss, however large it is."),
        (right + 2 * D, "The log-det is not in this loss, and z^2 falls to 0."),
    )  # fmt: skip


def maf_log_p(x, W1, b1, W2, b2, d):
    """One right answer to 0f."""
    order = np.arange(1, x.shape[1] + 1)
    W1 = W1 * (order[:, None] <= d)
    W2 = W2 * (d[:, None] < np.repeat(order, 2))
    phi = np.tanh(x @ W1 + b1) @ W2 + b2
    mu, alpha = phi[:, ::2], phi[:, 1::2]
    z = (x - mu) * np.exp(-alpha)
    return (-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - alpha).sum(axis=1)


def _log_p(z, alpha):
    return (N_0 - 0.5 * z**2 - alpha).sum(axis=1)


def _pairs(phi):
    return phi[:, ::2], phi[:, 1::2]


def _but(hidden=np.less_equal, output=np.less, act=np.tanh, split=_pairs,
         end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(-alpha), alpha)):  # fmt: skip
    """maf_log_p, in which one thing is done in another way."""

    def answer(x, W1, b1, W2, b2, d):
        order = np.arange(1, x.shape[1] + 1)
        h = act(x @ (W1 * hidden(order[:, None], d)) + b1)
        return end(x, *split(h @ (W2 * output(d[:, None], np.repeat(order, 2))) + b2))

    return answer


def _all(below, above):
    return np.ones(np.broadcast_shapes(below.shape, above.shape))


def _example(dim, n_hidden):
    rng = np.random.default_rng(dim)
    d = 1 + np.arange(n_hidden) * (dim - 1) // n_hidden
    shapes = (5, dim), (dim, n_hidden), n_hidden, (n_hidden, 2 * dim), 2 * dim
    return (*(0.7 * rng.normal(size=shape) for shape in shapes), d)


_ALONE = exercise("0f",
    "Write a function maf_log_p(x, W1, b1, W2, b2, d). It returns log p, (n,), of rows x (n, D) "
    "under one layer of a MAF over N(0, I). Its network has the inputs 1 ... D, a hidden layer of "
    "tanh units with the numbers d (H,), and the outputs mu_1, alpha_1, mu_2, alpha_2, ...; alpha "
    "is not bounded here. The weights W1 (D, H) and W2 (H, 2 D) come without their masks.",
    maf_log_p,
    "Two masks, one pass, z, and the log-det as a sum.",
    "Mask W1 and W2; run the network; take mu and alpha apart; z = (x - mu) exp(-alpha); then log "
    "N(z; 0, I) - sum of alpha.",
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(-2 * np.tanh(alpha / 2)),
                                          2 * np.tanh(alpha / 2))), "alpha is not bounded here: "
     "leave out 2 tanh(alpha / 2)."),
    (_but(_all, _all), "The masks are missing: every output reads every input."),
    (_but(output=_all), "The mask of W2 is missing: an output reads smaller numbers only."),
    (_but(hidden=_all), "The mask of W1 is missing: a hidden unit reads numbers up to its own."),
    (_but(output=np.less_equal), "The mask of W2 has a diagonal: an output may only read units "
     "with smaller numbers, so it needs < there."),
    (_but(output=lambda d, order: d < np.tile(order[::2], 2)), "The two outputs of an input stand "
     "side by side, so their mask has np.repeat, not np.tile."),
    (_but(hidden=np.less), "The mask of W1 is too strict: a hidden unit may read its own number, "
     "so it needs <= there."),
    (_but(np.greater_equal, np.greater), "The masks are the wrong way round: units read smaller "
     "numbers, not larger ones."),
    (_but(act=lambda a: a), "The hidden units are bent: tanh is missing."),
    (_but(split=lambda phi: np.split(phi, 2, axis=1)), "The outputs come in pairs: mu_1, alpha_1, "
     "mu_2, ... Take every second one."),
    (_but(split=lambda phi: _pairs(phi)[::-1]), "In each pair mu comes first, then alpha."),
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(-alpha), -alpha)), "z is right. "
     "log |det dz/dx| is -sum of alpha: the sign."),
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(-alpha), 0)), "The log-det is "
     "missing."),
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(alpha), alpha)), "The way back divides "
     "by exp(alpha)."),
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) / alpha, alpha)), "alpha is a log-scale: divide "
     "by exp(alpha)."),
    (_but(end=lambda x, mu, alpha: _log_p(mu + np.exp(alpha) * x, alpha)), "This is the way from z "
     "to x, used on x. Solve it for z."),
    (_but(end=lambda x, mu, alpha: _log_p(x, alpha)), "log N must be taken at z, not at x."),
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(-alpha), alpha)
          - x.shape[1] * N_0), "The constant of log N, -1/2 log(2 pi) a column, is missing."),
    (_but(end=lambda x, mu, alpha: _log_p((x - mu) * np.exp(-alpha), alpha)
          - (x.shape[1] - 1) * N_0), "The constant of log N, -1/2 log(2 pi), comes once a column."),
    (_but(end=lambda x, mu, alpha: _log_p(2**0.5 * (x - mu) * np.exp(-alpha), alpha)), "log N has "
     "z^2 / 2: the 1/2 is missing."),
    inputs=[_example(3, 4), _example(2, 3)],
)  # fmt: skip

ONE_PAGE = (_inputs, _start, _passes, _slope, _forgotten, _ALONE)
