"""Monotonic rational-quadratic splines, the transformer of neural spline flows.

Symbols and equation numbers are those of Durkan, Bekasov, Murray, Papamakarios, "Neural spline
flows", 2019, whose x is the argument and y the value. Here the argument of `forward` is called z
and its value x, as everywhere in flowcore.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from math import expm1, log
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers, check_dim, positive
from .transformer import Transformer, matched

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Workspace

TEMPERATURE = 4.0  # C, of the softmax that cuts an axis into bins; with 1, ten layers lose 1e-6
MINIMUM = 1e-3  # of a bin's width and height, as fractions, and of a slope at a knot


class RationalQuadratic(Transformer):
    """x = g(z): a monotonic rational-quadratic spline on [L, H], the identity outside of it.

    Bin k, of width w and height h, lies between the knots (x^k, y^k) and (x^{k+1}, y^{k+1}). With
    xi = (z - x^k) / w in [0, 1], the slope s = h / w of the chord, and delta^k the slope of g at
    knot k:

        g  = y^k + h (s xi^2 + delta^k xi (1-xi)) / d                                (eq. 4)
        g' = s^2 (delta^{k+1} xi^2 + 2 s xi (1-xi) + delta^k (1-xi)^2) / d^2         (eq. 5)
        d  = s + (delta^{k+1} + delta^k - 2 s) xi (1-xi)

        inverse: a xi^2 + b xi + c = 0                                   (eqs. 6-8; `_Bin.solve`)

    phi[..., :K], phi[..., K:2K] and phi[..., 2K:] (n_out = 3K - 1 numbers) give the widths (by a
    softmax of phi / 4), heights (the same) and slopes at the K - 1 inner knots (by a softplus).
    Every phi is a valid spline; phi = 0 gives K equal bins of slope 1, the identity.

    Cost: O(K) per coordinate in both directions, and one product of K^2 multiplications for the
    sums of the widths, which matters beyond about 64 bins. Errors: ValueError for arguments out of
    range.

    Steepness: g' is continuous, but chords may have slopes between about 1e-3 and 1e3, and slopes
    at knots have no upper bound. So with phi of size 100, log g' can change by many nats within a
    tiny step of z.

    Parameters
    ----------
    bins : int
        K, the number of bins.
    tail : float or (float, float)
        L < H, or one number B > 0 for [-B, B]. Outside, the map is the identity (linear tails,
        slope 1 at both ends).
    min_width : float
        Least width of a bin as a fraction of [L, H].
    min_height : float
        Least height of a bin as a fraction of [L, H].
    min_slope : float
        Least slope at an inner knot, 0 < min_slope < 1.

    Examples
    --------
    >>> spline = RationalQuadratic(bins=4, tail=3.0)
    >>> spline
    RationalQuadratic(bins=4, tail=3.0)
    >>> phi = np.linspace(-1, 1, spline.n_out)
    >>> x, log_det = spline.forward_and_log_det(np.array([0.5, 7.0]), np.stack([phi, phi]))
    >>> x.round(4), log_det.round(4)
    (array([0.5057, 7.    ]), array([-0.2748,  0.    ]))
    """

    def __init__(
        self,
        bins: int = 8,
        tail: float | Sequence[float] = 3.0,
        min_width: float = MINIMUM,
        min_height: float = MINIMUM,
        min_slope: float = MINIMUM,
    ):
        self.bins, self.tail = check_dim("bins", bins), _checked_tail(tail)
        self.min_width, self.min_height = float(min_width), float(min_height)
        self.min_slope = float(min_slope)
        for name in ("min_width", "min_height"):
            if not 0 < getattr(self, name) * bins < 1:
                raise ValueError(
                    f"{name} must lie between 0 and 1/bins = {1 / bins:.4g}, not "
                    f"{getattr(self, name)!r}: {bins} bins have to fit into the whole"
                )
        if not 0 < self.min_slope < 1:
            raise ValueError(f"min_slope must lie between 0 and 1, not {min_slope!r}")

    @property
    def ends(self) -> tuple[float, float]:
        """L and H."""
        return self.tail if isinstance(self.tail, tuple) else (-self.tail, self.tail)

    @property
    def n_out(self) -> int:
        """Parameters per coordinate: K widths, K heights, K - 1 slopes."""
        return 3 * self.bins - 1

    def knots(self, phi: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(x, y, slope) at the K + 1 knots of the spline that phi describes, (..., K + 1) each.

        >>> x, y, slope = RationalQuadratic(bins=2, tail=1.0).knots(np.zeros(5))
        >>> x.round(12), y.round(12), slope
        (array([-1.,  0.,  1.]), array([-1.,  0.,  1.]), array([1., 1., 1.]))
        """
        _, phi = matched(self, np.zeros(np.shape(phi)[:-1]), phi)
        cutter = _Cutter(self, phi.dtype, phi.T.shape[1:])
        axes, raw = self._axes(phi.T, cutter)
        knots = cutter.low + cutter.width * (axes.upto / axes.whole[:, None])
        x, y = np.concatenate([np.full_like(knots[:, :1], cutter.low), knots], axis=1)
        return x.T, y.T, self._slope(raw).T

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        kept, cutter = None, _Cutter(self, at.dtype, (dim, at.n_rows))
        (low, high), forward = self.ends, direction == "forward"

        def run(x, phi):
            nonlocal kept
            phi = phi.swapaxes(0, 1)  # parameters first: all operations run along contiguous rows
            inside = (x >= low) & (x <= high)  # False for a NaN, which stays one
            t = np.where(inside, x, low)
            axes, raw = self._axes(phi, cutter)
            bin_ = _Bin(self, axes, axes.find(0 if forward else 1, t), raw)
            curve = _Curve(bin_, *(bin_.place(t) if forward else bin_.solve(t)))
            kept = (inside, curve) if at.tape else None
            log_det = np.log(curve.slope)
            if forward:
                y = bin_.y + bin_.h * curve.ratio
            else:
                y, log_det = bin_.x + bin_.w * curve.xi, -log_det
            # a tail ignores phi, but not that phi is NaN: its row must show it
            return np.where(inside, y, x + 0 * phi[0]), np.where(inside, log_det, 0)

        def back(y_bar, l_bar):
            inside, curve = kept
            l_bar, y_bar_inside = np.where(inside, l_bar, 0), np.where(inside, y_bar, 0)
            if forward:
                g_bar = y_bar_inside
                z_bar = x_bar = g_bar * curve.slope + l_bar * curve.d_log_slope
            else:  # z = g^-1(x; phi), so dz = (dx - dg at a fixed z) / g', and log_det = -log g'
                x_bar = (y_bar_inside - l_bar * curve.d_log_slope) / curve.slope
                g_bar, l_bar, z_bar = -x_bar, -l_bar, -y_bar_inside
            phi_bar = self._phi_bar(curve, g_bar, l_bar, z_bar)
            return np.where(inside, x_bar, y_bar), phi_bar.swapaxes(0, 1)

        return run, back

    def _axes(self, phi, cutter: _Cutter):
        """Both axes cut into bins, and the raw slopes at all knots (K + 1, ...)."""
        n = self.bins
        axes = _Axes(cutter, phi[: 2 * n].reshape(2, n, *phi.shape[1:]))
        return axes, self._raw_slopes(phi[2 * n :])

    def _raw_slopes(self, inner):
        """The raw slopes at all knots: those of phi, and at the ends 0, a slope of 1."""
        raw = np.zeros((self.bins + 1, *inner.shape[1:]), inner.dtype)
        raw[1:-1] = inner
        return raw

    def _raw_slopes_back(self, raw_bar):
        """The gradient by the slopes of phi."""
        return raw_bar[1:-1]

    def _slope(self, raw):
        """min_slope + softplus(raw + c): positive, and 1 at raw = 0."""
        a = raw + log(expm1(1 - self.min_slope))
        return self.min_slope + (np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))))

    def _phi_bar(self, curve, g_bar, l_bar, z_bar):
        """The gradient by phi, from g_bar and l_bar, those by g and log g' at a fixed z, and z_bar,
        the one by z at fixed knots."""
        n, bin_, shape = self.bins, curve.bin, g_bar.shape
        s_bar, slope_bars = curve.bars(g_bar, l_bar)
        per_w = s_bar / bin_.w
        start_bar, size_bar = np.empty((2, 2, *shape), g_bar.dtype)  # of the widths, the heights
        np.negative(z_bar, start_bar[0])
        start_bar[1] = g_bar
        np.negative(curve.xi * z_bar + bin_.s * per_w, size_bar[0])
        np.add(g_bar * curve.ratio, per_w, size_bar[1])
        phi_bar = np.empty((self.n_out, *shape), g_bar.dtype)
        bin_.axes.gradient(bin_, start_bar, size_bar, out=phi_bar[: 2 * n].reshape(2, n, *shape))
        raw_bar = np.zeros((n + 1, *shape), g_bar.dtype)
        # the derivative of a softplus is 1 - exp(-softplus)
        slope_bars *= -np.expm1(self.min_slope - bin_.slopes)
        raw_bar.reshape(-1)[bin_.knots] = slope_bars
        phi_bar[2 * n :] = self._raw_slopes_back(raw_bar)
        return phi_bar

    def __repr__(self):
        return f"RationalQuadratic(bins={self.bins}, tail={self.tail}{self._options})"

    @property
    def _options(self) -> str:
        return "".join(
            f", {name}={value}"
            for name, value in vars(self).items()
            if name.startswith("min_") and value != MINIMUM
        )


def _checked_tail(tail):
    """tail as a float, or as a tuple of two; or a ValueError."""
    if np.ndim(tail) == 0:
        return positive("tail", tail, " or (low, high)")
    ends = as_numbers("tail", tail).astype(float)
    if ends.shape != (2,) or not (np.isfinite(ends).all() and ends[0] < ends[1]):
        raise ValueError(f"tail must be a number or (low, high), low < high, not {tail!r}")
    return tuple(ends.tolist())


class _Cutter:
    """How a spline cuts its axes: K pieces each, on [L, H], none smaller than m (H - L).

    The shares are m + (1 - K m) softmax(raw / C). With weights e_j = exp(raw_j / C), their sum E,
    and c = m / (1 - K m), this is (e_j + c E) / sum_i (e_i + c E). The sums of e_i + c E up
    to piece j are linear in the weights: `sums` (2, K, K) is that matrix, of widths and heights.
    shape is that of the points: arrays that follow from it alone are made once, too.
    """

    def __init__(self, spline: RationalQuadratic, dtype, shape: tuple[int, ...]):
        n, (self.low, high) = spline.bins, spline.ends
        self.width = high - self.low
        least = np.array([spline.min_width, spline.min_height])
        number = np.arange(1, n + 1)
        c = least / (1 - n * least)
        sums = np.tri(n) + c[:, None, None] * number[:, None]
        self.sums, self.per_temperature = sums.astype(dtype), np.array(1 / TEMPERATURE, dtype)
        ones, size = (1,) * len(shape), math.prod(shape)
        self.least = least.astype(dtype).reshape(2, *ones)
        self.numbers = np.arange(n, dtype=dtype).reshape(n, *ones)
        self.points = np.arange(size).reshape(shape)
        self.to_knots = np.array([0, size]).reshape(2, *ones)
        self.to_pieces = n * self.to_knots


class _Axes:
    """Both axes, cut into pieces: [L, H] is to a piece as `whole` to e_j + c E, see `_Cutter`.

    raw (2, K, ...) holds the widths, then the heights. Their weights (2, K, ...) are not divided by
    their sum: that would be slow, and only the bin that a point falls into is needed. `upto` has
    the sums up to each knot, and `whole` the last of them.
    """

    def __init__(self, cutter: _Cutter, raw):
        weight = np.multiply(raw, cutter.per_temperature, order="C")  # contiguous, unlike raw
        weight -= weight.max(axis=1, keepdims=True)
        np.exp(weight, out=weight)
        flat = weight.reshape(*weight.shape[:2], -1)
        self.cutter, self.weight = cutter, weight
        self.upto = np.matmul(cutter.sums, flat).reshape(weight.shape)
        self.whole = self.upto[:, -1]

    def find(self, axis: int, t):
        """k, the piece of this axis that t in [L, H] falls into: how many end at t or before."""
        end, cutter = self.upto[axis, :-1], self.cutter
        before = (t - cutter.low) * (self.whole[axis] * (1 / cutter.width)) >= end
        return before.sum(axis=0, dtype=np.int16).astype(np.intp)

    def cut(self, pieces):
        """(starts, sizes) of these pieces, each (2, ...)."""
        cutter, scale = self.cutter, self.cutter.width / self.whole
        sizes = self.weight.take(pieces) * scale + cutter.width * cutter.least
        ends = self.upto.take(pieces) * scale + cutter.low
        return ends - sizes, sizes

    def gradient(self, bin_, start_bar, size_bar, out):
        """out (2, K, ...): the gradient by `raw`, from those by the bins' starts and sizes."""
        cutter, numbers = self.cutter, self.cutter.numbers
        k, scale = bin_.k.astype(out.dtype), cutter.width / TEMPERATURE / self.whole
        before = (numbers < k).astype(out.dtype)
        np.multiply(before, (scale * start_bar)[:, None], out=out)
        out.reshape(-1)[bin_.pieces] = scale * size_bar
        # softmax: raw_bar_j = share_j (share_bar_j - sum_i share_i share_bar_i)
        least = cutter.width * cutter.least
        mean = start_bar * (bin_.starts - cutter.low - k * least)
        mean += size_bar * (bin_.sizes - least)
        mean *= scale / (cutter.width * (1 - len(numbers) * cutter.least))
        out -= mean[:, None]
        out *= self.weight


class _Bin:
    """The bins k (...) of all points: the knots (x, y) at their start, w, h, s = h/w, both slopes.

    knots    where arrays (K + 1, ...), flattened, hold the knots at both ends of these bins
    pieces   where arrays (2, K, ...), flattened, hold their pieces of both axes
    """

    def __init__(self, spline: RationalQuadratic, axes: _Axes, k, raw):
        here = k * k.size + axes.cutter.points
        self.axes, self.k = axes, k
        self.knots, self.pieces = here + axes.cutter.to_knots, here + axes.cutter.to_pieces
        self.slopes = spline._slope(raw.take(self.knots))
        self.starts, self.sizes = axes.cut(self.pieces)
        (self.x, self.y), (self.w, self.h) = self.starts, self.sizes
        self.s = self.h / self.w
        self.bend = self.slopes[0] + self.slopes[1] - 2 * self.s

    def place(self, z):
        """(xi, 1 - xi) of z."""
        xi = np.minimum(np.maximum((z - self.x) / self.w, 0), 1)  # rounding may leave the bin
        return xi, 1 - xi

    def solve(self, y):
        """(xi, 1 - xi) with g(xi) = y, each accurate to the last digits.

        With q = (y - y^k) / h, p = 1 - q and m = (p delta^k - q delta^{k+1}) / 2s, the quadratic
        equation (eqs. 6-8) has b^2 - 4ac = 4 s^2 h^2 (m^2 + p q), and the root is

            xi / (1 - xi) = q / (m + sqrt(m^2 + p q)) = (sqrt(m^2 + p q) - m) / p

        The first is used for m >= 0, the second for m < 0: sums of positive numbers, while the
        paper's form (eq. 29) cancels where the slope at an end is much larger than the chord's.
        """
        q = np.minimum(np.maximum((y - self.y) / self.h, 0), 1)  # rounding may leave the bin
        p = 1 - q
        m = (p * self.slopes[0] - q * self.slopes[1]) / (2 * self.s)
        early = m >= 0
        near = np.where(early, q, p)
        near = near / (near + np.abs(m) + np.sqrt(m * m + p * q))
        return np.where(early, near, 1 - near), np.where(early, 1 - near, near)


class _Curve:
    """The curve at xi: ratio = (g - y^k) / h, slope = g', and their derivatives."""

    def __init__(self, bin_: _Bin, xi, eta):
        self.bin, self.xi, self.eta = bin_, xi, eta
        s, (d0, d1) = bin_.s, bin_.slopes
        self.xi2, self.eta2, self.hump = xi * xi, eta * eta, xi * eta
        self.d = s + bin_.bend * self.hump
        self.ratio = (s * self.xi2 + d0 * self.hump) / self.d
        self.e = d1 * self.xi2 + 2 * s * self.hump + d0 * self.eta2
        self.slope = (s / self.d) * (self.e / self.d) * s  # in this order nothing overflows

    @cached_property
    def d_log_slope(self):
        """d log g' / dz."""
        bin_, (d0, d1) = self.bin, self.bin.slopes
        turn = self.eta - self.xi  # d hump / d xi
        e_xi = d1 * self.xi + bin_.s * turn - d0 * self.eta
        return 2 * (e_xi / self.e - bin_.bend * turn / self.d) / bin_.w

    def bars(self, g_bar, l_bar):
        """(s_bar, (delta^k_bar, delta^{k+1}_bar)) of g and log g', at fixed xi, y^k and h."""
        hg, l_e = g_bar * self.bin.h / self.d, l_bar / self.e
        l_d = -2 * l_bar / self.d - hg * self.ratio  # what d receives, of both
        through_d = self.hump * l_d
        s_bar = hg * self.xi2 + 2 * (l_bar / self.bin.s + self.hump * l_e - through_d) + l_d
        slope_bars = np.empty((2, *l_d.shape), l_d.dtype)
        np.add(hg * self.hump + self.eta2 * l_e, through_d, slope_bars[0])
        np.add(self.xi2 * l_e, through_d, slope_bars[1])
        return s_bar, slope_bars
