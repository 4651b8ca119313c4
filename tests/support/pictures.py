"""What the tests of pictures share: small flows that are not the identity, and what is drawn."""

import numpy as np
from matplotlib.figure import Figure

import flowcore as fc

QUICK = {"n": 20}  # grid points along each side of a density


def randomized(part, scale=0.5, rng=0):
    """The same bijector or flow, far from the identity."""
    theta = scale * np.random.default_rng(rng).normal(size=part.n_params)
    return part.with_params(theta.astype(part.params.dtype))


MAF = randomized(
    fc.MaskedAutoregressiveFlow(fc.MADE(4, [12], order=[3, 1, 4, 2], activation="tanh")), 0.4
)


def chain(kind, layers=6, hidden=(8,), context_dim=0, dtype=float):
    """`layers` bijectors with swaps between them, as in the tutorial."""
    parts = []
    for seed in range(layers):
        if kind == "realnvp":
            layer = fc.RealNVP(2, hidden=hidden, rng=seed, dtype=dtype)
        else:
            made = fc.MADE(2, hidden, rng=seed, context_dim=context_dim, dtype=dtype)
            layer = fc.MaskedAutoregressiveFlow(made)
            layer = fc.Invert(layer) if kind == "iaf" else layer
        parts += [fc.Permute([1, 0]), layer]
    flow = fc.TransformedDistribution(fc.Normal(2), fc.Chain(parts[:0:-1]))
    return randomized(flow, scale=0.2)


def new_axes(*shape):
    return Figure().subplots(*shape)


def titles(axes):
    return [ax.get_title() for ax in axes]


def ticks(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def remarks(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def cells(ax):
    """What a heat map shows."""
    return ax.images[0].get_array()
