"""The losses of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .drawing import BLACK, GREY, PALE, SKY, SMALL, VERMILLION, interval, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..core.typing import Limits
    from ..training import History

# Different in grey, too: a pale band of noise, and a dark line over it.
STYLES = (
    {"color": SKY, "lw": 2.0, "label": "training"},
    {"color": VERMILLION, "lw": 1.0, "label": "validation"},
)


def losses(
    history: History,
    entropy: float | None = None,
    ax: Axes | None = None,
    ylim: Limits = None,
    log_evidence: tuple[float, float] | None = None,
) -> Axes:
    """Training and validation NLL by epoch, counted from 1, with the best epoch marked.

    Of a fit by reverse KL, such as that of `infer`, the losses are -ELBO >= -log Z: the distance is
    KL(q || p). Pass `found.log_evidence` to see it.

    A spike does not hide the curve: epochs above the frame are drawn as triangles at its upper
    edge, with their number and the highest value above it. Errors: ValueError for a history without
    epochs, an empty ylim.

    Parameters
    ----------
    history : History
        As `fit` returns it: `train_nll`, `val_nll` (may be empty), `best_epoch`.
    entropy : float
        The entropy of the true density, in the data's units and in nats, drawn as a line: no
        validation NLL settles below it.
    ax : Axes
        Where to draw; None: a new figure.
    ylim : (float, float)
        The frame, e.g. to compare two runs; None: all epochs, unless there is a spike.
    log_evidence : (float, float)
        log Z and its standard error, in nats: a line at -log Z, with a band of two errors.

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
    curves = [np.asarray(nll, float) for nll in (history.train_nll, history.val_nll)]
    if curves[0].size == 0:
        raise ValueError("the history has no epochs: there is nothing to draw")
    ax = new_axes((6.0, 3.8)) if ax is None else ax
    for nll, style in zip(curves, STYLES, strict=True):
        if nll.size:
            marker = "o" if nll.size == 1 else None
            ax.plot(np.arange(nll.size) + 1, nll, marker=marker, **style)
    best, val = history.best_epoch, curves[1]
    if best is not None and val.size:
        label = f"best epoch {best + 1}: {val[best]:.3f}"
        ax.axvline(best + 1, color=GREY, lw=0.8, ls=":")
        ax.plot(best + 1, val[best], "o", color=VERMILLION, mec="white", ms=7, label=label)
    if entropy is not None:
        ax.axhline(entropy, color=BLACK, lw=1, ls="--", label=f"exact entropy: {entropy:.3f}")
    if log_evidence is not None:
        entropy = floor = -log_evidence[0]
        low, high = floor - 2 * log_evidence[1], floor + 2 * log_evidence[1]
        ax.axhspan(low, high, color=PALE, label=f"-log Z: {floor:.3f} +- {log_evidence[1]:.3f}")
        ax.axhline(floor, color=BLACK, lw=1, ls="--")
    ylim = _usual_limits(curves, entropy) if ylim is None else interval("ylim", ylim)
    if ylim is not None:
        ax.set_ylim(*ylim)
        _mark_epochs_above(ax, curves, ylim[1])
    loss = "NLL (nats, may be negative)" if log_evidence is None else "-ELBO (nats)"
    ax.set(xlabel="epoch", ylabel=loss)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.legend(loc="upper right", framealpha=0.9)
    return ax


def _usual_limits(curves, entropy) -> Limits:
    """Limits that leave room above nine epochs in ten, if the others need vastly more."""
    shown = [nll[np.isfinite(nll)] for nll in curves if np.isfinite(nll).any()]
    if not shown:
        return None
    low = min([nll.min() for nll in shown] + ([] if entropy is None else [entropy]))
    usual = max(np.quantile(nll, 0.9, method="lower") for nll in shown) - low
    if usual == 0 or max(nll.max() for nll in shown) <= low + 6 * usual:
        return None
    top = low + 3 * usual
    return low - 0.1 * (top - low), top


def _mark_epochs_above(ax, curves, top):
    """Triangles at the upper edge where a curve leaves the frame, with a legend."""
    above = [nll > top for nll in curves]
    out = max(np.count_nonzero(which) for which in above)
    if out == 0:
        return
    for which, style in zip(above, STYLES, strict=True):
        epochs = np.flatnonzero(which) + 1
        ax.plot(epochs, np.full(len(epochs), top), "^", ms=5, color=style["color"], clip_on=False)
    most = max(nll[which].max() for nll, which in zip(curves, above, strict=True) if which.any())
    remark = f"{out} epoch{'s' if out > 1 else ''} above the frame, up to {most:.3g}"
    ax.set_title(remark, loc="left", fontsize=SMALL, color=GREY)
