"""Which cells make rows improbable: a table whose cells are coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import check_dim
from .drawing import GREY, SMALL, heat_map, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..conditionals import Explanation

NAMED, DARKEST = 3.0, 20.0  # nats, from which a cell is labelled, and no darker
LETTERS = 9


def cells(explanation: Explanation, most: int = 20, ax: Axes | None = None) -> Axes:
    """The cells of the least probable rows: dark where a cell is surprising, given the others.

    A cell whose gain is at least 3 nats is labelled with a likely value, given the rest of the row.
    Rows without a log-density (NaN) are left out, and counted. Errors: ValueError if no row is
    left.

    Parameters
    ----------
    explanation : Explanation
        The result of `FlowDensity.explain` or `TableDensity.explain`.
    most : int
        The number of rows.
    ax : Axes
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore.conditionals import Explanation
    >>> surprise, gains = np.array([[0.1, 8.0]]), np.array([[0.0, 9.0]])
    >>> values = [np.array([1.0]), np.array([5.1])]
    >>> ax = cells(Explanation(("a", "b"), np.array([-12.0]), surprise, gains, values))
    >>> [text.get_text() for text in ax.texts]
    ['5.1']
    """
    known = ~np.isnan(explanation.log_p)
    rows = np.argsort(np.where(known, explanation.log_p, np.inf), kind="stable")
    rows = rows[: min(check_dim("most", most), np.count_nonzero(known))]
    if not len(rows):
        raise ValueError("no row has a log-density: there is nothing to draw")
    surprise = np.minimum(explanation.surprise[rows], 2 * DARKEST)  # inf would be blank
    if ax is None:
        ax = new_axes((2.0 + 0.8 * len(explanation.names), 1.4 + 0.28 * len(rows)))
    labels = [f"{i}: {explanation.log_p[i]:.4g}" for i in rows]
    names = [f"{name:.12}" for name in map(str, explanation.names)]
    image = heat_map(ax, surprise, labels, names, most=40, cmap="Blues", vmin=0, vmax=DARKEST,
                     aspect="auto")  # fmt: skip
    for i, j in np.argwhere(explanation.gains[rows] >= NAMED):
        value = explanation.values[j][rows[i]]
        text = f"{value:.3g}" if isinstance(value, (float, np.floating)) else f"{value}"
        colour = "white" if surprise[i, j] > DARKEST / 2 else "black"
        ax.text(j, i, f"{text:.{LETTERS}}".replace("$", r"\$"), ha="center", va="center",
                fontsize=SMALL, color=colour)  # fmt: skip
    ax.set(ylabel="row: log p (nats)")
    ax.set_title("nats by which a cell is less probable than usual", fontsize="medium")
    if left := np.count_nonzero(~known):
        ax.text(1, -0.02, f"{left:,} rows without log p", transform=ax.transAxes, ha="right",
                va="top", fontsize=SMALL, color=GREY)  # fmt: skip
    ax.figure.colorbar(image, ax=ax, fraction=0.05, extend="max")
    return ax
