"""Where a log-density comes from: log N(z) and the log-determinants, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...bijectors import Invert
from ...core.inputs import in_order, selected
from ...distributions.transformed import short_name
from ...plots.drawing import BLACK, GREY, PALETTE, SMALL, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from ...core.typing import Context
    from ...distributions import TransformedDistribution

COLOURS = [colour for colour in PALETTE if colour != BLACK]  # black is the sum
HATCHES = ("", "//", "..", "\\\\", "xx")  # of more parts than there are colours
MOST = 12  # points


def log_dets(
    flow: TransformedDistribution,
    x: ArrayLike,
    ax: Axes | None = None,
    context: Context = None,
) -> Axes:
    """log p(x) = log N(z) + the log-determinants, as stacked bars: one bar for each point.

    The log-determinants are log |det dz/dx|, from x to z. They are numbered as in `stages`, from
    the base on. Positive parts stand on the zero line, and negative parts hang from it. The black
    line is log p(x), the sum of all parts. Parts that are 0 at all points, such as permutations,
    are left out. Where log p(x) is not finite, its value is written in place of a bar. Errors:
    ValueError for points of a wrong shape, or more than 12 of them; TypeError for anything but a
    flow.

    Parameters
    ----------
    flow : TransformedDistribution
        A flow of any dim.
    x : array_like
        (n, D), a few points.
    ax : Axes
        Where to draw; None: a new figure.
    context : array_like
        For a conditional flow: one context (C,), or one for each point (n, C).

    Returns
    -------
    Axes
        Where it was drawn.

    Examples
    --------
    >>> from flowcore import ElementwiseAffine, Normal, TransformedDistribution
    >>> flow = TransformedDistribution(Normal(2), ElementwiseAffine([0.0, 0.0], [2.0, 2.0]))
    >>> ax = log_dets(flow, np.zeros((1, 2)))
    >>> [round(float(bar.get_height()), 3) for bar in ax.patches]    # log N(0), -2 log 2
    [-1.838, -1.386]
    """
    if not (hasattr(flow, "base") and hasattr(flow, "bijector")):
        raise TypeError(f"log_dets takes a flow, not {flow!r:.60}")
    x = in_order("x", x, getattr(flow, "names", None)).astype(float, copy=False)
    context = selected("context", context, getattr(flow, "context_names", None))
    if x.ndim != 2 or x.shape[1] != flow.dim or not 0 < len(x) <= MOST:
        raise ValueError(f"x must be 1 to {MOST} points, (n, {flow.dim}), not {x.shape}")
    log_p = np.asarray(flow.log_prob(x, context=context), float)
    drawn, place = np.isfinite(log_p), np.arange(len(x))
    parts = [(name, np.where(drawn, part, 0.0)) for name, part in _parts(flow, x, context)]
    shown = [(name, part) for name, part in parts if part.any()]

    ax = new_axes((max(4.5, 0.7 * len(x) + 2.6), 3.6)) if ax is None else ax
    tops, bottoms = np.zeros(len(x)), np.zeros(len(x))
    for k, (name, part) in enumerate(shown):
        start = np.where(part >= 0, tops, bottoms)
        ax.bar(place, part, 0.6, start, color=COLOURS[k % len(COLOURS)], edgecolor="white",
               hatch=HATCHES[k // len(COLOURS) % len(HATCHES)], label=name)  # fmt: skip
        tops, bottoms = tops + np.maximum(part, 0), bottoms + np.minimum(part, 0)
    reach = place[drawn] - 0.38, place[drawn] + 0.38
    ax.hlines(log_p[drawn], *reach, color="white", lw=4.5)  # so that the line is seen on any bar
    ax.hlines(log_p[drawn], *reach, color=BLACK, lw=2.5, label="log p(x), the sum")
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set(ylabel="nats", xlabel="point", xlim=(-0.6, len(x) - 0.4))
    for k in place[~drawn]:
        value = f"{log_p[k]}".replace("-", "\N{MINUS SIGN}")
        ax.text(k, ax.get_ylim()[0], f" log p = {value}", rotation=90, ha="center", fontsize=SMALL)
    ax.set_xticks(place, [str(k + 1) for k in place])
    ax.legend(fontsize=SMALL, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax


def _parts(flow, x, context) -> list[tuple[str, np.ndarray]]:
    """The summands of log p(x), (n,) each: log N(z), then every bijector's log-determinant."""
    steps, log_dets = flow.bijector.steps("inverse"), []
    with np.errstate(all="ignore"):  # points that overflow are shown in the picture
        for part, way in steps:
            run = getattr(part, f"{way}_and_log_det")
            x, log_det = run(x, context=context if part.context_dim else None)
            log_dets.append(np.broadcast_to(log_det, len(x)))
        base, options = flow.base, {}
        if getattr(base, "context_dim", 0):  # a flow on a flow
            options = {"context": context}
        log_base = np.asarray(base.log_prob(x, **options), float)
    names = [short_name(part if way == "inverse" else Invert(part)) for part, way in steps]
    numbered = [f"{k}: {name}" for k, name in enumerate(reversed(names), 1)]
    return list(zip(["base: log p(z)", *numbered], [log_base, *reversed(log_dets)], strict=True))
