"""Transformers of angles: maps of the circle [-pi, pi), on which -pi and pi are one point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .splines import MINIMUM, RationalQuadratic
from .transformer import Transformer

if TYPE_CHECKING:
    from ..core.typing import Bound, Workspace


class CircularSpline(RationalQuadratic):
    """x = g(z): a rational-quadratic spline of the circle [-pi, pi), which keeps the point -pi.

    It is a `RationalQuadratic` spline on [-pi, pi] with the same slope at both ends, so that the
    density has no jump at the seam. To move the seam as well, use
    `Compose([CircularShift(), CircularSpline()])`. Angles are in radians; any z is taken modulo
    2 pi, and x is in [-pi, pi].

    phi[..., :K], phi[..., K:2K] and phi[..., 2K:] (n_out = 3K numbers) give the widths, heights and
    the slopes at the K knots. phi = 0 is the identity. Cost and errors: as for `RationalQuadratic`.

    Parameters
    ----------
    bins : int
        K, the number of bins.
    min_width, min_height, min_slope : float
        As for `RationalQuadratic`.

    References
    ----------
    Rezende, Papamakarios, Racaniere, Albergo, Kanwar, Shanahan, Cranmer, "Normalizing flows on tori
    and spheres", 2020, section 2.1.

    Examples
    --------
    >>> spline = CircularSpline(bins=4)
    >>> x, log_det = spline.forward_and_log_det(np.array([0.5, 0.5 + 2 * np.pi]), np.ones((2, 12)))
    >>> bool(np.isclose(x[0], x[1]))
    True
    """

    def __init__(
        self,
        bins: int = 8,
        min_width: float = MINIMUM,
        min_height: float = MINIMUM,
        min_slope: float = MINIMUM,
    ):
        super().__init__(bins, math.pi, min_width, min_height, min_slope)

    @property
    def n_out(self) -> int:
        """Parameters per coordinate: K widths, K heights, K slopes."""
        return 3 * self.bins

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        spline, back = super().bind(at, direction, dim)
        pi = at.dtype.type(math.pi)

        def run(x, phi):
            y, log_det = spline(np.clip(wrapped(x), -pi, pi), phi)
            return y, log_det

        return run, back

    def _raw_slopes(self, inner):
        return np.concatenate([inner, inner[:1]])

    def _raw_slopes_back(self, raw_bar):
        raw_bar[0] += raw_bar[-1]
        return raw_bar[:-1]

    def __repr__(self):
        return f"CircularSpline(bins={self.bins}{self._options})"


class CircularShift(Transformer):
    """x = z + mu modulo 2 pi, in [-pi, pi], with mu = phi[..., 0] in radians; log dx/dz = 0.

    Examples
    --------
    >>> CircularShift().forward_and_log_det(np.array([3.0]), np.array([[1.0]]))[0].round(4)
    array([-2.2832])
    """

    n_out = 1

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        forward, no_log_det = direction == "forward", at.zeros(dim, at.n_rows)
        phi_bar = at.scratch("phi_bar", dim, 1, at.n_rows)

        def run(x, phi):
            return wrapped((np.add if forward else np.subtract)(x, phi[:, 0])), no_log_det

        def back(y_bar, l_bar):
            (np.positive if forward else np.negative)(y_bar, phi_bar[:, 0])
            return y_bar, phi_bar

        return run, back

    def __repr__(self):
        return "CircularShift()"


def wrapped(angle):
    """An angle modulo 2 pi, in [-pi, pi]; angles in this range do not change."""
    return angle - 2 * math.pi * np.round(angle / (2 * math.pi))
