"""The histogram of probability integral transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers
from .drawing import BLUE, PALE, new_axes, remark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..core.typing import ArrayLike

BINS = 20


def pit(values: ArrayLike, ax: Axes | None = None) -> Axes:
    """The histogram of PIT values F(y | x) of held-out rows: flat if the density is right.

    Each of the 20 bars of uniform numbers lies in the grey band with a probability of 95% (normal
    approximation of the binomial distribution), so one bar in twenty outside of it is no fault. A
    U shape: the density is too narrow; a hump: too wide; a slope: it lies too low or too high. The
    corner has Kolmogorov's and Smirnov's distance, sup |F_n(u) - u|. Errors: ValueError for no
    values, or values outside of [0, 1].

    Parameters
    ----------
    values : array_like
        (n,), such as `flow.pit(y, context)`.
    ax : Axes
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> ax = pit(np.random.default_rng(0).random(1000))
    >>> ax.get_xlabel(), ax.texts[0].get_text()
    ('PIT', 'n = 1,000, KS = 0.038; band: 95%')
    """
    u = np.sort(as_numbers("values", values), axis=None)
    n = len(u)
    if not (n and ((u >= 0) & (u <= 1)).all()):
        raise ValueError(f"values must be PIT values in [0, 1], one at least: {n} values {u}")
    ax = new_axes((4.8, 3.6)) if ax is None else ax
    flat_histogram(ax, np.histogram(u, BINS, (0.0, 1.0))[0], BLUE)
    steps = np.arange(n + 1) / n
    ks = max((steps[1:] - u).max(), (u - steps[:-1]).max())
    remark(ax, f"n = {n:,}, KS = {ks:.3f}; band: 95%")
    ax.set(xlabel="PIT", ylabel="density")
    return ax


def flat_histogram(ax: Axes, counts: ArrayLike, colour: str) -> None:
    """Bars that should be flat: 95% of those of uniform numbers end in the band."""
    heights = np.array(counts) / np.mean(counts)
    wide = 1.96 * np.sqrt((len(heights) - 1) / np.sum(counts))
    ax.axhspan(max(1 - wide, 0), 1 + wide, color=PALE, lw=0)
    edges = np.linspace(0, 1, len(heights) + 1)
    ax.stairs(heights, edges, fill=True, alpha=0.7, color=colour)
    ax.set(xlim=(0, 1), ylim=(0, max(2.0, 1.1 * heights.max())))
