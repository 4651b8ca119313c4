"""The losses of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .drawing import BLACK, BLUE, GREY, SMALL, VERMILLION, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..training import History


def losses(history: History, entropy: float | None = None, ax: Axes | None = None) -> Axes:
    """Training and validation NLL by epoch, counted from 1, with the best epoch marked.

    A few huge epochs (over 20 times the range of the other 90%) are left outside the frame and
    said to be. Errors: ValueError for a history without epochs.

    Parameters
    ----------
    history : History
        What `fit` returns: `train_nll`, `val_nll` (may be empty), `best_epoch`.
    entropy : float
        Of the true density in the data's units, in nats: drawn as the line below which no honest
        validation NLL settles.
    ax : Axes
        Where to draw; None: a new figure.

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore import History
    >>> ax = losses(History(train_nll=[3.0, 2.0, 1.5], val_nll=[2.8, 2.1, 2.2], best_epoch=1))
    >>> ax.get_ylabel(), [text.get_text() for text in ax.get_legend().get_texts()]
    ('NLL (nats, may be negative)', ['training', 'validation', 'best epoch 2: 2.100'])
    """
    train, val = (np.asarray(nll, float) for nll in (history.train_nll, history.val_nll))
    if train.size == 0:
        raise ValueError("the history has no epochs: there is nothing to draw")
    ax = new_axes((6.0, 3.8)) if ax is None else ax
    for nll, colour, label in ((train, BLUE, "training"), (val, VERMILLION, "validation")):
        if nll.size:
            marker = "o" if nll.size == 1 else None
            ax.plot(np.arange(nll.size) + 1, nll, color=colour, lw=1.3, marker=marker, label=label)
    best = history.best_epoch
    if best is not None and val.size:
        label = f"best epoch {best + 1}: {val[best]:.3f}"
        ax.axvline(best + 1, color=GREY, lw=0.8, ls=":")
        ax.plot(best + 1, val[best], "o", color=VERMILLION, mec="white", ms=7, label=label)
    if entropy is not None:
        ax.axhline(entropy, color=BLACK, lw=1, ls="--", label=f"exact entropy: {entropy:.3f}")
    _leave_out_huge(ax, [train, val], entropy)
    ax.set(xlabel="epoch", ylabel="NLL (nats, may be negative)")
    ax.legend(loc="upper right", framealpha=0.9)
    return ax


def _leave_out_huge(ax, curves, entropy):
    """Limit y to what nine epochs in ten need, if the rest need vastly more; say how many."""
    shown = [nll[np.isfinite(nll)] for nll in curves if np.isfinite(nll).any()]
    if not shown:
        return
    low = min([nll.min() for nll in shown] + ([] if entropy is None else [entropy]))
    usual = max(np.quantile(nll, 0.9, method="lower") for nll in shown) - low
    most = max(nll.max() for nll in shown)
    if usual > 0 and most > low + 20 * usual:
        top = low + 3 * usual
        ax.set_ylim(low - 0.1 * (top - low), top)
        out = max(np.count_nonzero(nll > top) for nll in shown)
        remark = f"{out} epoch{'s' if out > 1 else ''} above the frame, up to {most:.3g}"
        ax.set_title(remark, loc="left", fontsize=SMALL, color=GREY)
