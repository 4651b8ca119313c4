"""The plain twins of one coordinate: smooth functions of a number, transformers, fixed maps.

`twins` uses these functions. They work on arrays of any shape, number by number, and return
derivatives as log |dy/dx|, not summed. In a where(), the branch that is not taken computes with
harmless numbers: autograd multiplies its gradient by 0, and 0 times infinity is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch, wraps
from math import expm1, log, pi

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from scipy import special

from ..bijectors import (
    Bijector,
    ElementwiseAffine,
    Exp,
    Logit,
    Margins,
    Sigmoid,
    SinhArcsinh,
    Softplus,
    Tanh,
)
from ..core.calls import OPPOSITE
from ..distributions import Distribution
from ..transformers import (
    Affine,
    CircularShift,
    CircularSpline,
    Compose,
    MixtureOfGaussians,
    PerCoordinate,
    RationalQuadratic,
    Scale,
    Shift,
    Transformer,
)

HALF_LOG_2PI = 0.5 * log(2 * pi)
STEEPEST = 300.0  # log of the largest slope that a Newton step takes


def one_formula_a_class(default: Callable) -> Callable:
    """`singledispatch` over the class of the first argument, but never to a wrong formula: for a
    class that writes the methods, `default` calls these; a subclass that writes another `bind`
    needs another formula."""
    dispatch = singledispatch(default)

    @wraps(default)
    def formula(part, *args):
        cls = type(part)
        known = next(c for c in cls.__mro__ if c in dispatch.registry)
        if known is object or cls.bind in (Bijector.bind, Distribution.bind, Transformer.bind):
            return default(part, *args)  # beside a bind of its own it may have its own methods
        if cls.bind is known.bind:
            return dispatch(part, *args)
        raise NotImplementedError(
            f"second derivatives of {part!r}: its class writes `bind`, so it needs a plain twin in "
            "autograd.numpy as well; register one in flowcore.spec.twins"
        )

    formula.register, formula.dispatch = dispatch.register, dispatch.dispatch
    return formula


# ---------------------------------------------------------------- functions of one number


@primitive
def tanh(a):
    """tanh with the derivative 1 - tanh^2; autograd's 1/cosh^2 overflows beyond |a| of about 89."""
    return np.tanh(a)


defvjp(tanh, lambda ans, a: lambda g: g * (1 - ans * ans))


@primitive
def softplus(a):
    """log(1 + e^a); its derivative is the sigmoid. (anp.logaddexp stumbles over infinities.)"""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


defvjp(softplus, lambda ans, a: lambda g: g * sigmoid(a))


@primitive
def log_cdf(z):
    """log Phi(z), of the normal distribution function; its derivative is N(z) / Phi(z)."""
    return special.log_ndtr(z)


defvjp(log_cdf, lambda ans, z: lambda g: g * anp.exp(-0.5 * z * z - HALF_LOG_2PI - ans))


def sigmoid(a):
    """1 / (1 + e^-a) = (1 + tanh(a / 2)) / 2, which does not overflow on either side."""
    return 0.5 * (tanh(0.5 * a) + 1)


def elu(a):
    """a for a >= 0, else e^a - 1; a NaN stays one."""
    return anp.where(a < 0, anp.expm1(anp.where(a < 0, a, 0.0)), a)


def bounded(raw, bound):
    """B tanh(raw / B): within (-B, B), with slope 1 at 0; raw itself for B = None."""
    return raw if bound is None else bound * tanh(raw / bound)


def log_one_plus_square(t):
    """log(1 + t^2) = 2 log |t| + log(1 + 1/t^2), the second form where t^2 might overflow."""
    far = np.abs(getval(t)) > 1
    small, large = anp.where(far, 0.0, t), anp.where(far, t, 1.0)
    size = large * np.sign(getval(large))
    return anp.where(far, 2 * anp.log(size) + anp.log1p(size**-2.0), anp.log1p(small * small))


def log_sum_exp(a):
    """log sum_k exp(a_k) over the last axis; -inf where all a_k are."""
    top = getval(a).max(axis=-1, keepdims=True)
    total = anp.sum(anp.exp(a - np.maximum(top, np.finfo(float).min)), axis=-1, keepdims=True)
    return (top + anp.log(anp.where(total < 1, 1.0, total)))[..., 0]


def newton(root, step):
    """The solution of f(v) = 0 with its derivatives, from its mere value `root`.

    Two Newton steps v - step(v) with step(v) = f(v)/f'(v). They do not change the value. The first
    step makes the first derivative right (dv = -df/f'), and the second the second: errors square.
    """
    root = root - step(root)
    return root - step(root)


# ---------------------------------------------------------------- transformers


@one_formula_a_class
def transform(transformer, direction, x, phi):
    """y and log dy/dx of one direction; a user's own transformer: by its methods."""
    return own_method(transformer, Transformer, f"{direction}_and_log_det")(x, phi)


def own_method(part, base: type, name: str):
    """The method of a user's own class; a NotImplementedError if it writes `bind` alone."""
    if getattr(type(part), name, None) is getattr(base, name):
        raise NotImplementedError(
            f"second derivatives of {part!r}: beside bind, write {name} in autograd.numpy (in "
            "flowcore itself: a twin in flowcore/spec/twins.py)"
        )
    return getattr(part, name)


@transform.register(Shift)
def _shift(transformer, direction, x, phi):
    """x = z + mu."""
    sign = 1 if direction == "forward" else -1
    return x + sign * phi[..., 0], np.zeros(x.shape)


@transform.register(Affine)
def _affine(transformer, direction, x, phi):
    """x = mu + exp(alpha) z, alpha = B tanh(raw / B); z = (x - mu) exp(-alpha)."""
    mu, alpha = phi[..., 0], bounded(phi[..., 1], transformer.log_scale_bound)
    if direction == "forward":
        return mu + anp.exp(alpha) * x, alpha
    return (x - mu) * anp.exp(-alpha), -alpha


@transform.register(Scale)
def _scale(transformer, direction, x, phi):
    """x = exp(alpha) z."""
    alpha = phi[..., 0] if direction == "forward" else -phi[..., 0]
    return anp.exp(alpha) * x, alpha


@transform.register(Compose)
def _compose(transformer, direction, x, phi):
    """x = f(g(z; phi_g); phi_f) for Compose([f, g]); phi holds phi_f, then phi_g."""
    steps, start, total = [], 0, 0.0
    for part in transformer.transformers:
        steps.append((part, phi[..., start : start + part.n_out]))
        start += part.n_out
    for part, own in steps[::-1] if direction == "forward" else steps:
        x, log_slope = transform(part, direction, x, own)
        total = total + log_slope
    return x, total


@transform.register(PerCoordinate)
def _per_coordinate(t, direction, x, phi):
    """x_i = t_i(z_i; phi_i)."""
    pairs = [
        transform(part, direction, x[..., i], phi[..., i, : part.n_out])
        for i, part in enumerate(t.transformers)
    ]
    return tuple(anp.stack(found, axis=-1) for found in zip(*pairs, strict=True))


def _wrapped(x):
    """x modulo 2 pi, in [-pi, pi]."""
    return x - 2 * pi * np.round(getval(x) / (2 * pi))


@transform.register(CircularShift)
def _circular_shift(t, direction, x, phi):
    """x = z + mu modulo 2 pi."""
    sign = 1 if direction == "forward" else -1
    return _wrapped(x + sign * phi[..., 0]), np.zeros(x.shape)


@transform.register(CircularSpline)
def _circular_spline(t, direction, x, phi):
    """The spline on [-pi, pi] with the raw slopes phi_2K, ..., phi_3K-1, phi_2K."""
    n = t.bins
    raw = anp.concatenate([phi[..., 2 * n :], phi[..., 2 * n : 2 * n + 1]], axis=-1)
    return _spline_of_slopes(t, direction, _wrapped(x), phi, raw)


@transform.register(RationalQuadratic)
def _spline(t, direction, x, phi):
    """The spline with a slope of 1 at both ends."""
    zeros = np.zeros((*phi.shape[:-1], 1))
    raw = anp.concatenate([zeros, phi[..., 2 * t.bins :], zeros], axis=-1)
    return _spline_of_slopes(t, direction, x, phi, raw)


def _spline_of_slopes(t, direction, x, phi, raw):
    """In bin k, with xi = (z - x^k) / w, the chord's slope s = h / w, the knots' slopes d0, d1:

    g  = y^k + h (s xi^2 + d0 xi (1-xi)) / d,      d = s + (d0 + d1 - 2 s) xi (1-xi)
    g' = s^2 (d1 xi^2 + 2 s xi (1-xi) + d0 (1-xi)^2) / d^2
    inverse: as in `_Bin.solve`, where nothing cancels
    """
    n, (first, last) = t.bins, t.ends
    slopes = t.min_slope + softplus(raw + log(expm1(1 - t.min_slope)))
    left, w = _cut(phi[..., :n], t.min_width, first, last)
    low, h = _cut(phi[..., n : 2 * n], t.min_height, first, last)

    inside = (getval(x) >= first) & (getval(x) <= last)  # of a NaN: no
    v = anp.where(inside, x, first)
    edges = getval(left if direction == "forward" else low)[..., 1:]
    here = np.arange(n) == (getval(v)[..., None] >= edges).sum(axis=-1)[..., None]
    left, w, low, h, d0, d1 = (
        anp.sum(anp.where(here, a, 0.0), axis=-1)
        for a in (left, w, low, h, slopes[..., :-1], slopes[..., 1:])
    )
    s = h / w
    bend = d0 + d1 - 2 * s
    if direction == "forward":
        xi = (v - left) / w
    else:
        q = (v - low) / h
        p = 1 - q
        m = (p * d0 - q * d1) / (2 * s)
        early = getval(m) >= 0
        far = anp.where(early, m, -m) + anp.sqrt(m * m + p * q)
        xi = anp.where(early, q / (q + far), far / (p + far))
    xi = xi + (np.clip(getval(xi), 0, 1) - getval(xi))  # what rounding did, without a derivative
    both = xi * (1 - xi)
    d = s + bend * both
    log_slope = 2 * anp.log(s / d) + anp.log(d1 * xi**2 + 2 * s * both + d0 * (1 - xi) ** 2)
    if direction == "forward":
        y = low + h * (s * xi**2 + d0 * both) / d
    else:
        y, log_slope = left + w * xi, -log_slope
    return anp.where(inside, y, x), anp.where(inside, log_slope, 0.0)


def _cut(raw, least, low, high):
    """[L, H] in K bins with the shares m + (1 - K m) softmax(raw / 4): their starts and sizes."""
    share = anp.exp((raw - getval(raw).max(axis=-1, keepdims=True)) / 4)
    share = share / anp.sum(share, axis=-1, keepdims=True)
    size = least + (1 - raw.shape[-1] * least) * share
    return (high - low) * (anp.cumsum(size, axis=-1) - size) + low, (high - low) * size


@transform.register(MixtureOfGaussians)
def _mixture_of_gaussians(t, direction, x, phi):
    """z = Phi^-1(F(x)), F(x) = sum_k pi_k Phi((x - mu_k) / sigma_k); forward solves z(x) = z."""
    n = t.components
    s, centres = n**-0.2, special.ndtri((np.arange(n) + 0.5) / n)
    if n > 1:
        centres = centres * np.sqrt((1 - s * s) / np.mean(centres**2))
    logits, means = phi[..., :n], centres + phi[..., n : 2 * n]
    log_weights = logits - log_sum_exp(logits)[..., None]
    log_scales = log(s) + bounded(phi[..., 2 * n :], t.log_scale_bound)

    def inverse(x):
        return _normal_score(log_weights, means, log_scales, x)

    if direction == "inverse":
        return inverse(x)

    def step(v):
        z, log_slope = inverse(v)
        return (z - x) * anp.exp(anp.minimum(-log_slope, STEEPEST))

    found = newton(t.forward_and_log_det(getval(x), getval(phi))[0], step)
    return found, -inverse(found)[1]


def _normal_score(log_weights, means, log_scales, x):
    """z with Phi(z) = F(x), and log dz/dx = log f(x) - log N(z).

    Of F and 1 - F the smaller one, Q, is used, by its logarithm: -|z| solves log Phi(-|z|) = log Q.
    """
    u = (x[..., None] - means) * anp.exp(-log_scales)
    below, above = (log_sum_exp(log_weights + log_cdf(v)) for v in (u, -u))
    left = getval(below) <= getval(above)
    log_q = anp.where(left, below, above)

    def step(v):
        now = log_cdf(v)
        return (now - log_q) * anp.exp(now + 0.5 * v * v + HALF_LOG_2PI)

    z = newton(special.ndtri_exp(getval(log_q)), step)
    log_f = log_sum_exp(log_weights - log_scales - 0.5 * u * u)  # and N(z): both without 2 pi
    return z * np.where(left, 1, -1), log_f + 0.5 * z * z


# ---------------------------------------------------------------- fixed maps, without phi


def fixed_map(b, direction, x):
    """y and log |dy/dx| of x = f(z), from the line to (low, high).

    inverse: outside of (low, high), or where floats end, z = 0 and the log-derivative is -inf.
    """
    (low, high), (f, f_inverse, log_slope) = b.codomain, formulas(b)
    if isinstance(b, Logit):  # f is its inverse
        (low, high), direction = b.domain, OPPOSITE[direction]
    if direction == "forward":
        return f(x), log_slope(x)
    middle, outside = f(np.zeros(x.shape)), (getval(x) <= low) | (getval(x) >= high)
    outside |= np.isinf(f_inverse(np.where(outside, middle, getval(x))))
    z = anp.where(outside, 0.0, f_inverse(anp.where(outside, middle, x)))
    return z, anp.where(outside, -np.inf, -log_slope(z))


@singledispatch
def formulas(b):
    """f, f^-1 and log |f'(z)|."""
    raise NotImplementedError(
        f"second derivatives of {b!r}: register its formulas in flowcore/spec/twins_scalar.py"
    )


@formulas.register(ElementwiseAffine)
def _fixed_affine(b):
    """x = loc + scale z."""

    def log_slope(z):
        return np.log(np.abs(b.scale)) + np.zeros(z.shape)

    return lambda z: b.loc + b.scale * z, lambda x: (x - b.loc) / b.scale, log_slope


@formulas.register(Exp)
def _exp(b):
    """x = e^z."""
    return anp.exp, anp.log, lambda z: z


@formulas.register(Sigmoid)
@formulas.register(Logit)
def _sigmoid(b):
    """x = low + (high - low) / (1 + e^-z);  z = log(x - low) - log(high - x)."""
    low, high, width = b.low, b.high, np.subtract(b.high, b.low)

    def f(z):  # from the nearer end: there it is accurate
        part = width * anp.exp(-softplus(anp.where(z < 0, -z, z)))
        return anp.where(z < 0, low + part, high - part)

    def log_slope(z):
        return np.log(width) - softplus(z) - softplus(-z)

    return f, lambda x: anp.log(x - low) - anp.log(high - x), log_slope


@formulas.register(Tanh)
def _tanh(b):
    """x = tanh(z),  dx/dz = 4 / ((1 + e^2z)(1 + e^-2z))."""

    def log_slope(z):
        return 2 * log(2) - softplus(2 * z) - softplus(-2 * z)

    return tanh, anp.arctanh, log_slope


@formulas.register(Softplus)
def _softplus(b):
    """x = low + c log(1 + e^(z/c));  z = y + c log(1 - e^(-y/c)) with y = x - low."""
    c, low, tiny = b.hinge_softness, b.low, np.finfo(float).tiny

    def f_inverse(x):
        y = (x - low) / c
        return x - low + c * anp.log(-anp.expm1(-anp.where(y > tiny, y, tiny)))

    return lambda z: low + c * softplus(z / c), f_inverse, lambda z: -softplus(-z / c)


@formulas.register(Margins)
def _margins(b):
    """x = m + s sinh(u),  u = (arcsinh(z) + e) / d.

    log dx/dz = log s - log d + log cosh(u) - log(1 + z^2) / 2
    """
    m, s, e, d = b.loc, b.scale, b.skewness, b.tails

    def u(z):
        return (anp.arcsinh(z) + e) / d

    def f_inverse(x):
        return anp.sinh(d * anp.arcsinh((x - m) / s) - e)

    def log_slope(z):
        log_cosh = 0.5 * (softplus(2 * u(z)) + softplus(-2 * u(z))) - log(2)
        return np.log(s / d) + log_cosh - 0.5 * log_one_plus_square(z)

    return lambda z: m + s * anp.sinh(u(z)), f_inverse, log_slope


@formulas.register(SinhArcsinh)
def _sinh_arcsinh(b):
    """x = m sinh(u),  u = (arcsinh(z) + skewness) tailweight,  m = 2 / sinh(arcsinh(2) tailweight).

    log dx/dz = log m + log tailweight + log cosh(u) - log(1 + z^2) / 2
    """
    skewness, tailweight = b.skewness, np.asarray(b.tailweight)
    m = 2 / np.sinh(np.arcsinh(2) * tailweight)

    def u(z):
        return (anp.arcsinh(z) + skewness) * tailweight

    def f_inverse(x):
        return anp.sinh(anp.arcsinh(x / m) / tailweight - skewness)

    def log_slope(z):
        log_cosh = 0.5 * (softplus(2 * u(z)) + softplus(-2 * u(z))) - log(2)
        return np.log(m * tailweight) + log_cosh - 0.5 * log_one_plus_square(z)

    return lambda z: m * anp.sinh(u(z)), f_inverse, log_slope
