"""Planar and radial flows (Rezende & Mohamed 2015): one hyperplane, or one point, at a time.

A layer has only 2D + 1 or D + 2 parameters, so flows are chains of many layers. The paper uses one
direction only, to sample an approximate posterior, and never inverts the layer. Here both
directions are computed, to full precision and with exact gradients, so that the layers can also fit
data by maximum likelihood.

Each layer is invertible only if one number is above -1: a function m of the parameters ensures it.
The paper uses m(a) = -1 + log(1 + e^a); here

    m(a) = a  for a >= 0,     a/(1 - a)  for a < 0

has the same range (-1, inf) and slope 1 at 0, but m(0) = 0, so that zero parameters give the
identity. And p = 1 + m, which is 1 + a or 1/(1 - a), is positive for every floating-point a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import check_dim
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import Bound, DTypeLike, Seed, Workspace

MAX_NEWTON = 100  # 4 to 10 steps are usual, 22 where |w.u| = 1e8


class Planar(Bijector):
    """x = z + u^ tanh(w.z + b): the space is stretched or squeezed across the plane w.z + b = 0.

        u^ = u + [m(w.u) - w.u] w / |w|^2      so that w.u^ = m(w.u) > -1       (appendix A.1)
        log |det dx/dz| = log(1 + w.u^ h'),    h' = 1 - tanh^2(w.z + b)         (eqs. 10-12)

    Inverse: y = w.x + b and v = w.z + b obey y = v + w.u^ tanh(v). The right side increases with v,
    so Newton's method finds v for every row; then z = x - u^ tanh(v).

    `params` = [w (D), u (D), b]. Cost: O(D) per row in both directions, and in the inverse
    about ten evaluations of tanh. Reference: Rezende & Mohamed 2015, "Variational inference with
    normalizing flows"; but here m(a) = a for a >= 0, and a/(1 - a) for a < 0.

    Parameters
    ----------
    dim : int
        D.
    rng : int or numpy Generator
        Seed of the first w ~ N(0, I/D) and b ~ N(0, 1); u = 0, so that it starts as the identity.
    dtype : dtype
        float64 or float32.

    Examples
    --------
    >>> planar = Planar(2).with_params([1.0, 0.0, 2.0, 0.5, 0.0])   # w = (1, 0), u = (2, 0.5)
    >>> x, log_det = planar.forward_and_log_det([[0.0, 1.0], [30.0, 1.0]])
    >>> x, log_det.round(4)                   # stretched by 1 + w.u = 3 at the plane, not far away
    (array([[ 0. ,  1. ], [32. ,  1.5]]), array([1.0986, 0.    ]))
    >>> planar.inverse(x)
    array([[ 0.,  1.], [30.,  1.]])
    """

    def __init__(self, dim: int, rng: Seed = 0, dtype: DTypeLike = float):
        dim, rng = check_dim("dim", dim), np.random.default_rng(rng)
        w, b = rng.standard_normal(dim) / np.sqrt(dim), rng.standard_normal(1)
        super().__init__(dim, np.concatenate([w, np.zeros(dim), b]).astype(dtype))

    def bind(self, at: Workspace, direction: str) -> Bound:
        theta, theta_bar = at.params(self)
        w, u, b = np.split(theta, [self.dim, 2 * self.dim])
        forward = direction == "forward"
        sign, kept = 1 if forward else -1, None

        def run(x, l):
            nonlocal kept
            x = np.ascontiguousarray(x, at.dtype)
            u_hat, m, p, u_hat_back = _u_hat(w, u)
            v = w @ x + b if forward else _solve(w @ x + b, p)
            t = np.tanh(v)
            slope = (1 - t) * (1 + t)
            det = (t * t + p * slope) / (t * t + slope)  # 1 + m h', of positive terms; 1 for m = 0
            kept = x, u_hat, m, t, slope, det, u_hat_back
            np.add(l, sign * np.log(det), l)
            return x + sign * u_hat[:, None] * t

        def back(y_bar, l_bar):
            x, u_hat, m, t, slope, det, u_hat_back = kept
            l_bar, y_bar_u = sign * l_bar, sign * (u_hat @ y_bar)
            v_bar = (y_bar_u - 2 * m * t * l_bar / det) * slope
            m_bar = np.sum(l_bar * slope / det)
            if not forward:  # v(y, m) solves y = v + m tanh(v): dv/dy = 1/det, dv/dm = -t/det
                v_bar = v_bar / det
                m_bar = m_bar - np.sum(v_bar * t)
            w_bar, u_bar = u_hat_back(sign * (y_bar @ t), m_bar)
            parts = w_bar + x @ v_bar, u_bar, v_bar.sum(keepdims=True)
            np.concatenate(parts, out=theta_bar)
            return y_bar + w[:, None] * v_bar

        return run, back

    def param_scale(self) -> np.ndarray:
        scale = np.ones(self.n_params)
        scale[: self.dim] = self.dim**-0.5
        return scale


class Radial(Bijector):
    """x = z + beta^ h (z - z0), h = 1/(alpha + r), r = |z - z0|: space moves to or away from z0.

        log |det dx/dz| = (D - 1) log(1 + beta^ h) + log(1 + beta^ h + beta^ h' r)       (eq. 14)

    With beta^ = alpha m(beta) > -alpha and q = alpha h = 1/(1 + r/alpha), in (0, 1], that is

        x = z0 + (1 + m q)(z - z0),     log-det = (D - 1) log(1 + m q) + log(1 + m q^2)

    Inverse: |x - z0| = r (1 + m q) is a quadratic equation for r (appendix A.2) with one positive
    root; then z = z0 + (x - z0)/(1 + m q).

    `params` = [z0 (D), log alpha, beta]. Cost: O(D) per row in both directions. Reference: Rezende
    & Mohamed 2015, "Variational inference with normalizing flows". For m, see `Planar`.

    Parameters
    ----------
    dim : int
        D.
    rng : int or numpy Generator
        Seed of the first z0 ~ N(0, I); log alpha = 1/2 log D, the usual distance of two points, and
        beta = 0, so that it starts as the identity.
    dtype : dtype
        float64 or float32.

    Examples
    --------
    >>> radial = Radial(2).with_params([0.0, 0.0, 0.0, 3.0])        # z0 = 0, alpha = 1, beta = 3
    >>> x, log_det = radial.forward_and_log_det([[3.0, 4.0]])
    >>> x, log_det.round(4)
    (array([[4.5, 6. ]]), array([0.4855]))
    >>> radial.inverse(x)
    array([[3., 4.]])
    """

    def __init__(self, dim: int, rng: Seed = 0, dtype: DTypeLike = float):
        dim, rng = check_dim("dim", dim), np.random.default_rng(rng)
        rest = [0.5 * np.log(dim), 0.0]
        super().__init__(dim, np.concatenate([rng.standard_normal(dim), rest]).astype(dtype))

    def bind(self, at: Workspace, direction: str) -> Bound:
        theta, theta_bar = at.params(self)
        dim, forward = self.dim, direction == "forward"
        sign, kept = 1 if forward else -1, None

        def run(x, l):
            nonlocal kept
            z0, alpha = theta[:dim, None], np.exp(theta[dim])
            m, p, m_slope = _above_minus_one(theta[dim + 1])
            d = np.ascontiguousarray(x, at.dtype) - z0
            size = np.sqrt((d * d).sum(axis=0))
            ratio = size / alpha
            rho = ratio if forward else _positive_root(ratio, p)  # r / alpha
            q = 1 / (1 + rho)
            stretch = (rho + p) / (rho + 1)  # 1 + m q, of positive terms; 1 for m = 0
            rest = rho * (1 + q)
            along = (rest + p * q) / (rest + q)  # 1 + m q^2
            factor = stretch if forward else 1 / stretch
            kept = alpha, m, m_slope, d, size, ratio, rho, q, stretch, along, factor
            np.add(l, sign * ((dim - 1) * np.log(stretch) + np.log(along)), l)
            return z0 + factor * d

        def back(y_bar, l_bar):
            alpha, m, m_slope, d, size, ratio, rho, q, stretch, along, factor = kept
            l_bar = sign * l_bar
            factor_bar = (y_bar * d).sum(axis=0)
            stretch_bar = factor_bar if forward else -factor_bar / stretch**2
            stretch_bar = stretch_bar + (dim - 1) * l_bar / stretch
            along_bar = l_bar / along
            m_bar = stretch_bar * q + along_bar * q * q
            ratio_bar = -q * q * m * (stretch_bar + 2 * along_bar * q)
            if not forward:  # rho(ratio, m) solves ratio = rho (1 + m q), of slope `along`
                ratio_bar = ratio_bar / along
                m_bar = m_bar - ratio_bar * rho * q
            unit = d / np.where(size > 0, size, 1)
            d_bar = factor * y_bar + (ratio_bar / alpha) * unit
            theta_bar[:dim] = (y_bar - d_bar).sum(axis=1)
            theta_bar[dim] = -np.sum(ratio_bar * ratio)
            theta_bar[dim + 1] = m_bar.sum() * m_slope
            return d_bar

        return run, back


def _above_minus_one(a):
    """m(a), p = 1 + m, which stays positive where m rounds to -1, and the slope m'(a)."""
    below = 1 + np.maximum(-a, 0)
    return a / below, (1 + np.maximum(a, 0)) / below, 1 / below**2


def _u_hat(w, u):
    """u^, m = w.u^, p = 1 + m, and pullback(u^_bar, m_bar) -> (w_bar, u_bar).

    With c = max(-w.u, 0), u^ = u + c^2/(1 + c) w/|w|^2. So u^ = u where w.u >= 0, and in the limit
    w -> 0, where any u^ will do.
    """
    a = w @ u
    m, p, m_slope = _above_minus_one(a)
    c, norm2 = np.maximum(-a, 0), w @ w
    norm2 = norm2 if norm2 > 0 else norm2 + 1
    step = c * c / ((1 + c) * norm2)

    def pullback(u_hat_bar, m_bar):
        step_bar = u_hat_bar @ w
        c_bar = step_bar * c * (2 + c) / ((1 + c) ** 2 * norm2)
        a_bar = m_bar * m_slope - c_bar
        w_bar = a_bar * u + step * u_hat_bar - 2 * step_bar * step / norm2 * w
        return w_bar, u_hat_bar + a_bar * w

    return u + step * w, m, p, pullback


def _solve(y, p):
    """v with v + m tanh(v) = y, for p = 1 + m > 0.

    The function is odd and, for v >= 0, concave (p >= 1) or convex. Of the bounds |y|/p and |y| - m
    the nearer one is the start: from there Newton's steps all go one way and never pass the
    solution, so they need no bracket; a step the other way is rounding.
    """
    size, m = np.abs(y), p - 1
    from_left = p >= 1
    v = (np.maximum if from_left else np.minimum)(size / p, size - m)
    for _ in range(MAX_NEWTON):
        t = np.tanh(v)
        step = (size - (v - t) - p * t) / (t * t + p * (1 - t) * (1 + t))
        step = np.maximum(step, 0) if from_left else np.minimum(step, 0)
        v = v + step
        if not (np.abs(step) > np.finfo(v.dtype).eps * v).any():
            break
    return np.copysign(v, y)


def _positive_root(ratio, p):
    """rho >= 0 with rho^2 + (p - ratio) rho - ratio = 0, from the root without a difference."""
    half = ratio - p
    root = np.hypot(half, 2 * np.sqrt(ratio))
    safe = np.where(half > 0, 1, root - half)
    return np.where(half > 0, (half + root) / 2, 2 * ratio / safe)
