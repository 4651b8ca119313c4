"""A posterior: every pair of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
    truths: Mapping[str, Any] | None = None,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """The posterior of every parameter, and of every pair of them, by resampled draws.

    Areas hold 50% and 95% of the mass; dots are draws. Lines in the histograms are the 5%, 50% and
    95% quantiles of `found.summary()`; the title has the median, and how far the others are from
    it. Draws outside of the frames are counted. Remarks: the posterior is not trusted, or has more
    numbers than are drawn. Errors: ValueError for an unknown name, for more than 12 numbers, and if
    the target is finite at no draw.

    Parameters
    ----------
    found : Inference
        The result of `infer`.
    names : sequence of str
        Names as in `found.summary()`, or those of whole arrays; None: the first 8 numbers.
    truths : dict
        name -> a number to be marked, or an array of them, for some of the names in
        `found.summary()` or of whole arrays.
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
    table = found.summary()
    cut = not names and len(table) > FIRST
    truths = _by_label([*table], truths or {})
    names = _chosen([*table], names or [*table][:FIRST])
    draws = found.columns(len(found.rows), rng=0)
    x = np.stack([draws[name] for name in names], axis=1)
    axes = pairs(x, names=names, ax=ax)
    for (i, j), panel in np.ndenumerate(axes):
        if i < j:
            panel.clear()
            panel.set_axis_off()
            continue
        if i == j:
            _mark(panel, names[i], table[names[i]])
        else:
            outlines(panel, x[:, [j, i]], panel.get_xlim(), panel.get_ylim(), AREAS)
            if names[i] in truths:
                panel.axhline(truths[names[i]], color=VERMILLION, lw=1)
        if names[j] in truths:
            panel.axvline(truths[names[j]], color=VERMILLION, lw=1)
    axes[0, 0].set_ylabel("")
    notes = [] if found.trusted else ["not trusted: see print(found)"]
    notes += [f"the first {FIRST} of {len(table)}"] if cut else []
    if notes:
        remark(axes[0, -1], "\n".join(notes)).set_color(VERMILLION)
    return axes


def _chosen(labels: list[str], names: Sequence[str]) -> list[str]:
    """The labels of the chosen numbers and arrays, in the order of all labels."""
    arrays = {label: label.split("[")[0] for label in labels}
    if unknown := {*names} - {*labels, *arrays.values()}:
        raise ValueError(f"there is no parameter {min(unknown)!r}: choose from {labels}")
    return [label for label in labels if {label, arrays[label]} & {*names}]


def _by_label(labels: list[str], truths: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of arrays by their labels."""
    numbers = {}
    for name, given in truths.items():
        own = _chosen(labels, [name])
        if np.size(given) != len(own):
            raise ValueError(f"truths[{name!r}] has {np.size(given)} numbers, not {len(own)}")
        numbers |= dict(zip(own, np.ravel(given), strict=True))
    return numbers


def _mark(panel, name: str, row: dict[str, float]):
    """Lines at three quantiles, and a title."""
    for level, style in QUANTILES.items():
        panel.axvline(row[level], color=BLACK, lw=0.9, ls=style)
    name, text = name.replace("$", r"\$"), _interval(*(row[level] for level in QUANTILES))
    panel.set_title(f"{name} = {text}", fontsize=SMALL + 1)


def _interval(low: float, middle: float, high: float) -> str:
    """The median, and the ways to both quantiles, the shorter of which has two digits."""
    largest, way = max(abs(low), abs(high)), min(middle - low, high - middle)
    power = math.floor(math.log10(largest)) if largest else 0
    power = 0 if -4 < power < 6 else power
    digits = max(0, power + 1 - math.floor(math.log10(way))) if way > 0 else 2
    parts = (f"{v / 10.0**power:.{digits}f}" for v in (middle, middle - low, high - middle))
    text = "{}_{{-{}}}^{{+{}}}".format(*parts)
    return f"${text}$" if power == 0 else rf"${text} \times 10^{{{power}}}$"
