"""Where a log-density comes from: log N(z) and the log-determinants, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers
from .drawing import BLACK, GREY, PALETTE, SMALL, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from .._typing import Context
    from ..distributions import TransformedDistribution

HATCHES = ("", "//", "..", "\\\\", "xx")  # so that the parts are told apart in grey, too
MOST = 12  # points


def log_dets(
    flow: TransformedDistribution,
    x: ArrayLike,
    ax: Axes | None = None,
    context: Context = None,
) -> Axes:
    """log p(x) = log N(z) + the log-determinants, as stacked bars: one bar for each point.

    Parts above 0 stand on the line, those below hang from it; the black mark is their sum, log p.
    Permutations, which add nothing, are left out. Errors: ValueError for points of a wrong shape,
    or more than 12 of them.

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
    x = as_numbers("x", x).astype(float, copy=False)
    if x.ndim != 2 or x.shape[1] != flow.dim or not 0 < len(x) <= MOST:
        raise ValueError(f"x must be 1 to {MOST} points, (n, {flow.dim}), not {x.shape}")
    z, parts = x, []
    for bijector, way in flow.bijector.steps("inverse"):
        run = getattr(bijector, f"{way}_and_log_det")
        z, log_det = run(z, context=context if bijector.context_dim else None)
        parts.append(np.broadcast_to(log_det, len(x)))
    names = ["base: log p(z)", *(name for name, _ in flow.stages(z, context=context)[1:])]
    parts = list(zip(names, [flow.base.log_prob(z), *reversed(parts)], strict=True))
    shown = [(name, values) for name, values in parts if np.any(values != 0)]

    ax = new_axes((max(4.5, 0.7 * len(x) + 2.6), 3.6)) if ax is None else ax
    tops, bottoms, place = np.zeros(len(x)), np.zeros(len(x)), np.arange(len(x))
    for k, (name, values) in enumerate(shown):
        start = np.where(values >= 0, tops, bottoms)
        ax.bar(place, values, 0.6, start, color=PALETTE[k % len(PALETTE)], edgecolor="white",
               hatch=HATCHES[k // len(PALETTE) % len(HATCHES)],
               label=f"{k}: {name}" if k else name)  # fmt: skip
        tops, bottoms = tops + np.maximum(values, 0), bottoms + np.minimum(values, 0)
    total = np.sum([values for _, values in parts], axis=0)
    ax.hlines(total, place - 0.38, place + 0.38, color=BLACK, lw=2.5, label="log p(x), the sum")
    ax.axhline(0, color=GREY, lw=0.8)
    ax.set(ylabel="nats", xlabel="point")
    ax.set_xticks(place, [str(k + 1) for k in place])
    ax.legend(fontsize=SMALL, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return ax
