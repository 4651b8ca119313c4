"""A posterior: every pair of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..inference.space import flat
from .drawing import BLACK, SMALL, VERMILLION, remark
from .pairs import outlines, pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..inference import Inference

QUANTILES = {"5%": ":", "50%": "-", "95%": ":"}
FIRST = 8  # parameters, unless names are given
AREAS = "#BFDDEE", "#4C9CCB"  # of 95% and of 50%


def corner(
    found: Inference,
    names: Sequence[str] | None = None,
    truths: Mapping[str, float] | None = None,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """The posterior of every parameter, and of every pair of them, by resampled draws.

    Areas hold 50% and 95% of the mass; dots are draws. Lines in the histograms are the 5%, 50% and
    95% quantiles of `found.summary()`; the title has the median, and how far the others are from
    it. Draws outside of the frames are counted. A posterior that is not trusted has a remark.
    Errors: ValueError for an unknown name, for more than 12 parameters, and if the target is finite
    at no draw.

    Parameters
    ----------
    found : Inference
        The result of `infer`.
    names : sequence of str
        Names as in `found.summary()`, or those of whole arrays; None: the first 8 numbers.
    truths : dict
        name -> a number to be marked, for some of the names in `found.summary()`.
    ax : sequence of Axes
        D^2 Axes, row by row; those above the diagonal stay empty.

    Returns
    -------
    array of Axes
        (D, D), the panels.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> from flowcore import infer
    >>> found = infer(lambda x: -0.5 * anp.sum(x**2, axis=1), 2, epochs=1, batches=5)
    >>> axes = corner(found, truths={"x_1": 0.0})
    >>> axes[1, 0].get_xlabel(), axes[1, 0].get_ylabel(), axes[0, 1].axison
    ('x_1', 'x_2', False)
    """
    table, truths = found.summary(), truths or {}
    chosen = _places([*table], names)
    names = [[*table][k] for k in chosen]
    x = flat(found.resample(len(found.rows), rng=0))[:, chosen]
    axes = pairs(x, names=names, ax=ax)
    for (i, j), panel in np.ndenumerate(axes):
        if i < j:
            panel.clear()
            panel.set_axis_off()
            continue
        if i == j:
            _mark(panel, table[names[i]])
        else:
            outlines(panel, x[:, [j, i]], panel.get_xlim(), panel.get_ylim(), AREAS)
            if names[i] in truths:
                panel.axhline(truths[names[i]], color=VERMILLION, lw=1)
        if names[j] in truths:
            panel.axvline(truths[names[j]], color=VERMILLION, lw=1)
    axes[0, 0].set_ylabel("")
    if not found.trusted:
        remark(axes[0, -1], "not trusted: see print(found)").set_color(VERMILLION)
    return axes


def _places(labels: list[str], names) -> list[int]:
    """The places of the chosen names among all labels."""
    names = labels[:FIRST] if names is None else names
    arrays = [label.split("[")[0] for label in labels]
    if unknown := {*names} - {*labels, *arrays}:
        raise ValueError(f"there is no parameter {min(unknown)!r}: choose names from {labels}")
    return [k for k in range(len(labels)) if labels[k] in names or arrays[k] in names]


def _mark(panel, row: dict[str, float]):
    """Lines at three quantiles, and a title."""
    for level, style in QUANTILES.items():
        panel.axvline(row[level], color=BLACK, lw=0.9, ls=style)
    text = _interval(*(row[level] for level in QUANTILES))
    panel.set_title(f"{panel.get_xlabel()} = {text}", fontsize=SMALL + 1)


def _interval(low: float, middle: float, high: float) -> str:
    """The median, and the ways to both quantiles, the shorter of which has two digits."""
    largest, way = max(abs(low), abs(high)), min(middle - low, high - middle)
    power = math.floor(math.log10(largest)) if largest else 0
    power = 0 if -4 < power < 6 else power
    digits = max(0, power + 1 - math.floor(math.log10(way))) if way > 0 else 2
    parts = (f"{v / 10.0**power:.{digits}f}" for v in (middle, middle - low, high - middle))
    text = "{}_{{-{}}}^{{+{}}}".format(*parts)
    return f"${text}$" if power == 0 else rf"${text} \times 10^{{{power}}}$"
