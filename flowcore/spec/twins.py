"""The plain twins: everything that the engine computes, as slow formulas in autograd.numpy.

The gradients of the engine are written by hand. Here the same values are computed in textbook form,
dense and without reuse, and autograd differentiates them any number of times:

* they are the specification: tests compare values and gradients of the engine with theirs;
* they give second derivatives: when autograd differentiates a hand-written gradient, it gets the
  gradient of the twin instead. Nothing else imports this file.

There is one function per kind of part, and one formula per class, which `one_formula_a_class`
finds; the formulas of a single coordinate are in `twins_scalar`:

    transform(transformer, direction, x, phi)          -> y and log dy/dx, of x's shape
    network(net, x, params, context)                   -> phi (N, ...)
    bijector(b, direction, x, params, context)         -> y (N, D) and the log-det (N,)
    log_prob(density, x, params, context)              -> (N,)

A user's own class is its own twin: its methods, with these arguments. Rows are (N, D).
"""

from __future__ import annotations

from itertools import pairwise
from math import pi

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from autograd.scipy.special import gammaln
from autograd.tracer import getval
from scipy.special import i0e

from ..bijectors import (
    ActNorm,
    Bijector,
    Blockwise,
    Chain,
    Clamped,
    ContinuousFlow,
    Coupling,
    Elementwise,
    EmbedContext,
    Invert,
    LULinear,
    MaskedAutoregressiveFlow,
    Permute,
    Planar,
    Radial,
    Standardize,
    StandardizeContext,
    Whiten,
)
from ..bijectors.fixed_maps import FixedMap
from ..core.calls import OPPOSITE
from ..distributions import (
    ClampedBase,
    Distribution,
    Foreign,
    GaussianMixture,
    Laplace,
    Mixture,
    MultivariateNormalDiag,
    Normal,
    Product,
    StudentT,
    TransformedDistribution,
    Uniform,
    UniformCircle,
    VonMises,
)
from ..mixtures import MultivariateNormalMixture, MultivariateTMixture
from ..mixtures.elliptical_mixture import EllipticalMixture
from ..networks import MADE, MLP
from ..transformers import Affine, Pointwise, Transformer, for_coordinates, transformer_of
from .twins_scalar import (
    HALF_LOG_2PI,
    bounded,
    elu,
    fixed_map,
    log_one_plus_square,
    log_sum_exp,
    newton,
    one_formula_a_class,
    own_method,
    sigmoid,
    softplus,
    tanh,
    transform,
)


def evaluate(part, way: str, theta, x, context=None):
    """The result of `part`, in plain autograd.numpy: see the table above.

    way       "forward" or "inverse" of a bijector (or of a transformer: then theta is phi),
              "log_prob" of a density, "phi" of a network
    theta     its flat parameters; x (N, D); context (N, C) or None; each may be an autograd box

    Computed in float64; the answer has the dtype of theta, or of x if there are no parameters.
    """
    dtype = theta.dtype if theta.size else x.dtype
    theta, x, context = (a if a is None else a.astype(float) for a in (theta, x, context))
    with np.errstate(over="ignore"):  # far out: exp(1000) is inf, a density is 0
        if way in ("log_prob", "phi"):
            found = ((log_prob if way == "log_prob" else network)(part, x, theta, context),)
        elif isinstance(part, Transformer):
            found = transform(part, way, x, theta)
        else:
            found = bijector(part, way, x, theta, context)
    # a zero in which every argument occurs: autograd warns of outputs that depend on nothing
    zero = sum(anp.sum(anp.where(False, a, 0.0)) for a in (theta, x, context) if a is not None)
    found = tuple((a + zero).astype(dtype) for a in found)
    return found if len(found) > 1 else found[0]


# ---------------------------------------------------------------- networks

ACTIVATIONS = {
    "relu": lambda a: anp.where(a <= 0, 0.0, a),  # a NaN stays one
    "tanh": tanh,
    "sigmoid": sigmoid,
    "elu": elu,
    "softplus": softplus,
    "silu": lambda a: a * sigmoid(a),
}


@one_formula_a_class
def network(net, x, params, context):
    """phi of rows x; a user's own network is called."""
    return net(x, params, context)


@network.register(MADE)
@network.register(MLP)
def _dense_network(net, x, params, context):
    """h_l = act(a_l),  a_l = h_{l-1} W_l + c C_l + b_l  (+ a_{l-2}),  phi = a of the last layer.

    h_0 are the features (x_i, cos x_j, sin x_j), i the inputs that are no angles, j the angles.
    The term in brackets belongs to hidden layers 3, 5, ... of a residual network.
    """
    theta, h, before = behind_zero(params), _features(net, x), []
    for i, (W, b, C) in enumerate(net.places()):
        a = h @ theta[W] + theta[b]
        if C is not None:
            a = a + context @ theta[C]
        if net.residual and 0 < i < net.n_hidden and i % 2 == 0:
            a = a + before[i - 2]
        before.append(a)
        h = ACTIVATIONS[net.activation](a)
    return a.reshape((len(x), *net.out_shape))


def _features(net, x):
    angles = x[:, list(net.circular)]
    others = x[:, [i for i in range(net.dim) if i not in net.circular]]
    return anp.concatenate([others, anp.cos(angles), anp.sin(angles)], axis=1)


def behind_zero(theta):
    """[0, theta_1, theta_2, ...]"""
    return anp.concatenate([np.zeros(1), theta])


# ---------------------------------------------------------------- bijectors


@one_formula_a_class
def bijector(b, direction, x, params, context):
    """y and log |det dy/dx| of one direction; a user's own class: by its methods."""
    return own_method(b, Bijector, f"{direction}_and_log_det")(x, params, context)


def _part(b, params, part, direction, x, context, *present):
    """A part of b, run with its own parameters, and with the context if it reads one."""
    own_context = context if part.context_dim else None
    return bijector(part, direction, x, b.params_of(part, params), own_context, *present)


def _rows(log_det, x):
    """The same log-det for every row of x."""
    return log_det + np.zeros(len(x))


@bijector.register(Chain)
def _chain(b, direction, x, params, context, *present):
    """x = f(g(z)) for Chain([f, g]); log-dets add up."""
    total = np.zeros(len(x))
    for part in b.bijectors[::-1] if direction == "forward" else b.bijectors:
        x, log_det = _part(b, params, part, direction, x, context, *present)
        total = total + log_det
    return x, total


@bijector.register(Clamped)
def _clamped(b, direction, x, params, context):
    """f of rows whose absent coordinates are 0, and whose phi is 0 there: see `_of_present`."""
    present = getval(context)[:, -b.dim :]
    return _part(b, params, b.bijector, direction, x * present, context, present)


def _of_present(phi, present):
    """phi (N, D, n_out), 0 for coordinates that a row lacks: present (N, D); None: it has all."""
    return phi if present is None else phi * present[..., None]


@bijector.register(Invert)
def _invert(b, direction, x, params, context, *present):
    """The other direction of its bijector."""
    return bijector(b.bijector, OPPOSITE[direction], x, params, context, *present)


@bijector.register(Permute)
def _permute(b, direction, x, params, context):
    """x_i = z_p(i)."""
    p = np.array(b.permutation)
    return x[:, p if direction == "forward" else np.argsort(p)], np.zeros(len(x))


@bijector.register(Blockwise)
def _blockwise(b, direction, x, params, context):
    """x = (f_1(z_1), ..., f_K(z_K)); log-dets add up."""
    values, total, start = [], 0.0, 0
    for part in b.bijectors:
        block = x[:, start : start + part.dim]
        value, log_det = _part(b, params, part, direction, block, context)
        values.append(value)
        total, start = total + log_det, start + part.dim
    return anp.concatenate(values, axis=1), total


@bijector.register(StandardizeContext)
def _standardize_context(b, direction, x, params, context, *present):
    """x = f(z; (c - mean) / scale), or f(z; L^-1 (c - mean))."""
    own = bijector(b.standardize, "inverse", context, None, None)[0]
    return _part(b, params, b.bijector, direction, x, own, *present)


@bijector.register(EmbedContext)
def _embed_context(b, direction, x, params, context, *present):
    """x = f(z; h(c))."""
    embedded = network(b.network, context, b.params_of(b.network, params), None)
    return _part(b, params, b.bijector, direction, x, embedded, *present)


@bijector.register(MaskedAutoregressiveFlow)
def _maf(b, direction, x, params, context, present=None):
    """x_i = t(z_i; phi_i(x_<i)): z in one pass; x one coordinate after the other, D passes."""
    if direction == "inverse":
        phi = _of_present(network(b.made, x, params, context), present)
        z, log_slope = transform(b.transformer, "inverse", x, phi)
        return z, anp.sum(log_slope, axis=1)
    known, total = [np.zeros(len(x))] * b.dim, 0.0
    for i in np.argsort(b.made.degrees[0]):
        phi = _of_present(network(b.made, anp.stack(known, axis=1), params, context), present)
        t = transformer_of(b.transformer, i)
        known[i], log_slope = transform(t, "forward", x[:, i], phi[:, i, : t.n_out])
        total = total + log_slope
    return anp.stack(known, axis=1), total


@bijector.register(Coupling)
def _coupling(b, direction, x, params, context, present=None):
    """x_A = z_A,  x_B = t(z_B; phi(z_A)); A the first num_masked coordinates, or the last."""
    m = b.num_masked
    kept, changed = (x[:, :m], x[:, m:]) if m > 0 else (x[:, m:], x[:, :m])
    present = None if present is None else present[:, b.changed]
    phi = _of_present(network(b.conditioner, kept, params, context), present)
    t = for_coordinates(b.transformer, range(b.dim)[b.changed])
    changed, log_slope = transform(t, direction, changed, phi)
    pair = (kept, changed) if m > 0 else (changed, kept)
    return anp.concatenate(pair, axis=1), anp.sum(log_slope, axis=1)


@bijector.register(ContinuousFlow)
def _continuous(b, direction, x, params, context):
    """d(x, log_det)/dt = (v(x, t), div v), by Runge-Kutta steps of size h, or -h backwards."""
    h, t = (1 / b.n_steps, 0.0) if direction == "forward" else (-1 / b.n_steps, 1.0)
    step = {4: _classical_step, 5: _butchers_step}[b.order]
    y = anp.concatenate([x, np.zeros((len(x), 1))], axis=1)
    for _ in range(b.n_steps):
        y = step(lambda y, t: _velocity(b, y[:, :-1], t, params, context), y, t, h)
        t = t + h
    return y[:, :-1], y[:, -1]


def _classical_step(f, y, t, h):
    """Order 4."""
    k1 = f(y, t)
    k2 = f(y + h / 2 * k1, t + h / 2)
    k3 = f(y + h / 2 * k2, t + h / 2)
    k4 = f(y + h * k3, t + h)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _butchers_step(f, y, t, h):
    """Order 5."""
    k1 = f(y, t)
    k2 = f(y + h / 4 * k1, t + h / 4)
    k3 = f(y + h / 8 * (k1 + k2), t + h / 4)
    k4 = f(y - h / 2 * k2 + h * k3, t + h / 2)
    k5 = f(y + h / 16 * (3 * k1 + 9 * k4), t + 3 / 4 * h)
    k6 = f(y + h / 7 * (-3 * k1 + 2 * k2 + 12 * k3 - 12 * k4 + 8 * k5), t + h)
    return y + h / 90 * (7 * k1 + 32 * k3 + 12 * k4 + 32 * k5 + 7 * k6)


def _velocity(b, x, t, params, context):
    """v = a of the last layer, div v = sum_d J_dd:  T_0 = [I 0],  T_l = act'(a_l) * T W_l"""
    net, theta = b.velocity, behind_zero(params)
    h = anp.concatenate([x, np.tile(b.time_features(t), (len(x), 1))], axis=1)
    T, before = np.tile(np.eye(b.dim, net.in_dim), (len(x), 1, 1)), []
    for i, (W, bias, C) in enumerate(net.places()):
        a, T_a = h @ theta[W] + theta[bias], T @ theta[W]
        if C is not None:
            a = a + context @ theta[C]
        if net.residual and 0 < i < net.n_hidden and i % 2 == 0:
            a, T_a = a + before[i - 2][0], T_a + before[i - 2][1]
        before.append((a, T_a))
        h = ACTIVATIONS[net.activation](a)
        T = elementwise_grad(ACTIVATIONS[net.activation])(a)[:, None] * T_a
    div = anp.sum(np.eye(b.dim) * T_a, axis=(1, 2))
    return anp.concatenate([a, div[:, None]], axis=1)


@bijector.register(Elementwise)
def _elementwise(b, direction, x, params, context, present=None):
    """x_i = t(z_i; phi_i), the same phi = theta for all rows."""
    phi = params.reshape((1, b.dim, b.transformer.n_out)) + np.zeros((len(x), 1, 1))
    value, log_slope = transform(b.transformer, direction, x, _of_present(phi, present))
    return value, anp.sum(log_slope, axis=1)


@bijector.register(Standardize)
def _standardize(b, direction, x, params, context, present=None):
    """x = mean + scale z, both fixed."""
    present = np.ones(x.shape) if present is None else present
    log_det = present @ np.log(b.scale)
    if direction == "forward":
        return present * (b.mean + b.scale * x), log_det
    return present * (x - b.mean) / b.scale, -log_det


@bijector.register(Whiten)
def _whiten(b, direction, x, params, context):
    """x = mean + L z, both fixed."""
    log_det = np.full(len(x), np.linalg.slogdet(b.matrix)[1])
    if direction == "forward":
        return b.mean + x @ b.matrix.T, log_det
    return (x - b.mean) @ np.linalg.inv(b.matrix).T, -log_det


@bijector.register(ActNorm)
def _actnorm(b, direction, x, params, context):
    """x = loc + exp(log_scale) z, theta = [loc, log_scale]."""
    phi = anp.stack([params[: b.dim], params[b.dim :]], axis=-1)
    value, log_slope = transform(Affine(None), direction, x, phi)
    return value, _rows(anp.sum(log_slope), x)


@bijector.register(LULinear)
def _lu(b, direction, x, params, context):
    """x = P A z + bias,  A = L (U + diag(s)),  s = +-exp(B tanh(raw / B)).

    theta = [L below its diagonal row by row, U above it column by column, raw, bias].
    """
    dim, p = b.dim, np.array(b.permutation)
    n, index = dim * (dim - 1) // 2, np.zeros((dim, dim), int)
    index[np.tril_indices(dim, -1)] = 1 + np.arange(n)
    lower, upper, raw, bias = (
        params[start:stop] for start, stop in pairwise([0, n, 2 * n, 2 * n + dim, 2 * n + 2 * dim])
    )
    log_s = bounded(raw, b.log_scale_bound)
    L = np.eye(dim) + behind_zero(lower)[index]
    U = behind_zero(upper)[index].T + anp.diag(np.array(b.signs) * anp.exp(log_s))
    log_det = _rows(anp.sum(log_s), x)
    if direction == "forward":
        return (x @ (L @ U).T)[:, p] + bias, log_det
    A_inverse = anp.linalg.inv(U) @ anp.linalg.inv(L.T).T  # nothing to eliminate in either
    return (x - bias)[:, np.argsort(p)] @ A_inverse.T, -log_det


def _above_minus_one(a):
    """m(a) = a for a >= 0, a/(1 - a) for a < 0, and p = 1 + m, a quotient of positive numbers."""
    below = 1 + anp.where(a < 0, -a, 0.0)
    return a / below, (1 + anp.where(a < 0, 0.0, a)) / below


@bijector.register(Planar)
def _planar(b, direction, x, params, context):
    """x = z + u^ tanh(v),  v = w.z + b,  log-det = log(1 + m h'),  theta = [w, u, b].

    m = m(w.u) = w.u^,  u^ = u + c^2/(1 + c) w/|w|^2 with c = max(-w.u, 0),  h' = 1 - tanh^2(v).
    Inverse: v solves v + m tanh(v) = w.x + b.
    """
    w, u, bias = params[: b.dim], params[b.dim : -1], params[-1]
    a, square = anp.sum(w * u), anp.sum(w * w)
    m, p = _above_minus_one(a)
    c, square = anp.where(a < 0, -a, 0.0), anp.where(square > 0, square, 1.0)
    u_hat = u + c * c / ((1 + c) * square) * w

    def slope(t):
        return t * t + p * (1 - t) * (1 + t)  # 1 + m h', of positive terms

    y = x @ w + bias
    if direction == "forward":
        t = tanh(y)
        return x + t[:, None] * u_hat, anp.log(slope(t))
    root = b.inverse(getval(x), getval(params)) @ getval(w) + getval(bias)
    t = tanh(newton(root, lambda v: (v + m * tanh(v) - y) / slope(tanh(v))))
    return x - t[:, None] * u_hat, -anp.log(slope(t))


@bijector.register(Radial)
def _radial(b, direction, x, params, context):
    """x = z0 + (1 + m q)(z - z0),  q = 1/(1 + rho),  rho = |z - z0| / alpha,  m = m(beta).

    log-det = (D - 1) log(1 + m q) + log(1 + m q^2),  theta = [z0, log alpha, beta].
    Inverse: |x - z0| / alpha = rho (1 + m q), a quadratic equation for rho.
    """
    z0, alpha, (_, p) = params[: b.dim], anp.exp(params[b.dim]), _above_minus_one(params[-1])
    d = x - z0
    square = anp.sum(d * d, axis=1)
    there = getval(square) == 0  # where the norm has no derivative: take 0
    rho = anp.where(there, 0.0, anp.sqrt(anp.where(there, 1.0, square))) / alpha
    if direction == "inverse":  # rho^2 + (p - ratio) rho - ratio = 0
        ratio, half = rho, rho - p
        root, far = anp.sqrt(half * half + 4 * ratio), getval(half) > 0
        rho = anp.where(far, (half + root) / 2, 2 * ratio / anp.where(far, 1.0, root - half))
    stretch = (rho + p) / (rho + 1)  # 1 + m q
    q = 1 / (1 + rho)
    log_det = (b.dim - 1) * anp.log(stretch) + anp.log(1 - q * q + p * q * q)
    if direction == "forward":
        return z0 + stretch[:, None] * d, log_det
    return z0 + d / stretch[:, None], -log_det


@bijector.register(Pointwise)
def _pointwise(b, direction, x, params, context):
    """A transformer of one coordinate, phi = context."""
    y, log_slope = transform(b.transformer, direction, x, context[:, None])
    return y, anp.sum(log_slope, axis=1)


@bijector.register(FixedMap)
def _fixed_map(b, direction, x, params, context):
    """x_i = f(z_i): every coordinate on its own."""
    value, log_slope = fixed_map(b, direction, x)
    return value, anp.sum(log_slope, axis=1)


# ---------------------------------------------------------------- densities


@one_formula_a_class
def log_prob(density, x, params, context):
    """log p(x) in nats; a user's own class: by its method."""
    options = {"params": params} if density.n_params else {}
    if density.context_dim:
        options["context"] = context
    return own_method(density, Distribution, "log_prob")(x, **options)


@log_prob.register(Foreign)
def _foreign(density, x, params, context):
    """The log_prob of an object that derives from no class of flowcore."""
    return density.density.log_prob(x)


@log_prob.register(TransformedDistribution)
def _flow(flow, x, params, context):
    """log p(x) = log p_base(z) + log |det dz/dx|,  z = f^-1(x); -inf at an infinite x."""
    base, finite = flow.parts[0], np.isfinite(getval(x)) | np.isnan(getval(x))
    z, log_det = _part(flow, params, flow.bijector, "inverse", anp.where(finite, x, 0.0), context)
    found = log_prob(base, z, flow.params_of(base, params), context) + log_det
    return anp.where(finite.all(axis=1) | np.isnan(getval(found)), found, -np.inf)


@log_prob.register(ClampedBase)
def _clamped_base(density, x, params, context):
    """The marginal density of the coordinates that a row has, one for each pattern of them."""
    present, base = getval(context)[:, -density.dim :], density.base
    if not isinstance(base, EllipticalMixture):
        return log_prob(base, x * present, params, context, present)
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    parts, order = [], np.argsort(which.ravel(), kind="stable")
    for i, pattern in enumerate(patterns):
        rows, columns = np.flatnonzero(which.ravel() == i), np.flatnonzero(pattern)
        nothing = 0 * anp.sum(x[rows], axis=1)
        marginal = base.marginal(columns) if columns.size else None
        parts.append(log_prob(marginal, x[rows][:, columns], params, None) if marginal else nothing)
    return anp.concatenate(parts)[np.argsort(order)]


@log_prob.register(Normal)
def _normal(density, x, params, context, present=None):
    """-1/2 sum_i z_i^2 - D/2 log(2 pi)."""
    n = density.dim if present is None else present.sum(axis=1)
    return -0.5 * anp.sum(x * x, axis=1) - n * HALF_LOG_2PI


@log_prob.register(MultivariateNormalDiag)
def _normal_diag(density, x, params, context):
    """sum_i [-1/2 ((z_i - loc_i) / scale_i)^2 - log scale_i] - D/2 log(2 pi)."""
    u = (x - density.loc) / density.scale_diag
    constant = np.sum(np.log(density.scale_diag)) + density.dim * HALF_LOG_2PI
    return -0.5 * anp.sum(u * u, axis=1) - constant


@log_prob.register(UniformCircle)
def _uniform_circle(density, x, params, context):
    """-D log(2 pi), everywhere."""
    return -density.dim * np.log(2 * pi) + 0 * anp.sum(x, axis=1)


@log_prob.register(VonMises)
def _von_mises(density, x, params, context):
    """sum_i [k_i cos(x_i - loc_i) - log(2 pi I_0(k_i))]."""
    k = density.concentration
    log_norm = np.log(2 * pi * i0e(k)) + k
    return anp.sum(k * anp.cos(x - density.loc) - log_norm, axis=1)


@log_prob.register(Product)
def _product(density, x, params, context):
    """log p_1(x_1) + ... + log p_K(x_K), of blocks of coordinates."""
    total, start = 0.0, 0
    for part in density.parts:
        block = x[:, start : start + part.dim]
        total = total + log_prob(part, block, density.params_of(part, params), context)
        start += part.dim
    return total


@log_prob.register(Uniform)
def _uniform(density, x, params, context):
    """-sum_i log(high_i - low_i) inside, edges included; -inf outside; a NaN stays one."""
    z = getval(x)
    inside = ((z >= density.low) & (z <= density.high)).all(axis=1)
    found = np.where(inside, -np.sum(np.log(density.high - density.low)), -np.inf)
    return np.where(np.isnan(z).any(axis=1), np.nan, found)


@log_prob.register(Laplace)
def _laplace(density, x, params, context):
    """-sum_i [|z_i - loc_i| / scale_i + log(2 scale_i)]."""
    u = (x - density.loc) / density.scale
    return -anp.sum(u * np.sign(getval(u)), axis=1) - np.sum(np.log(2 * density.scale))


@log_prob.register(StudentT)
def _student_t(density, x, params, context, present=None):
    """sum_i [log Gamma((nu+1)/2) - log Gamma(nu/2) - 1/2 log(nu pi) - (nu+1)/2 log(1 + z_i^2/nu)].

    theta = log nu, if it is trained.
    """
    nu = anp.exp(params) if density.trainable else density.df
    a = nu / 2
    near, r = anp.where(a < 50, a, 50.0), 1 / anp.where(a < 50, 50.0, a)
    series = -anp.log(r) / 2 - r / 8 + r**3 / 192 - r**5 / 640  # Stirling's: large numbers cancel
    log_ratio = anp.where(a < 50, gammaln(near + 0.5) - gammaln(near), series)
    fall = 0.5 * (nu + 1) * log_one_plus_square(x / anp.sqrt(nu))
    each = log_ratio - 0.5 * anp.log(nu * pi) - fall
    return anp.sum(each if present is None else each * present, axis=1)


@log_prob.register(GaussianMixture)
def _gaussian_mixture(density, x, params, context, present=None):
    """log sum_k w_k prod_i N(z_i; mu_ki, s_ki^2),  theta = [logits, means, log scales]."""
    k, shape = density.n_components, (density.n_components, density.dim)
    logits, rest = params[:k], params[k:].reshape((2, *shape))
    means, log_scales = rest[0], rest[1]
    here = 1.0 if present is None else present[:, None]
    u = (x[:, None] - means) * anp.exp(-log_scales)
    each = -log_scales - HALF_LOG_2PI - 0.5 * u * u
    return log_sum_exp(logits - log_sum_exp(logits) + anp.sum(here * each, axis=-1))


@log_prob.register(MultivariateNormalMixture)
def _normal_mixture(density, x, params, context):
    """log sum_k w_k N(x; m_k, L_k L_k^T)."""
    terms = []
    for weight, mean, factor in zip(
        density.weights, density.means, density.scale_tril, strict=True
    ):
        u = (x - mean) @ np.linalg.inv(factor).T
        log_norm = np.log(weight) - np.sum(np.log(np.diag(factor))) - density.dim * HALF_LOG_2PI
        terms.append(log_norm - 0.5 * anp.sum(u * u, axis=1))
    return log_sum_exp(anp.stack(terms, axis=-1))


@log_prob.register(MultivariateTMixture)
def _t_mixture(density, x, params, context):
    """log sum_k w_k t(x; m_k, L_k L_k^T, df)."""
    terms, nu, dim = [], density.df, density.dim
    constant = gammaln((nu + dim) / 2) - gammaln(nu / 2) - dim / 2 * np.log(nu * np.pi)
    for weight, mean, factor in zip(
        density.weights, density.means, density.scale_tril, strict=True
    ):
        u = (x - mean) @ np.linalg.inv(factor).T
        log_norm = np.log(weight) - np.sum(np.log(np.diag(factor))) + constant
        terms.append(log_norm - (nu + dim) / 2 * anp.log1p(anp.sum(u * u, axis=1) / nu))
    return log_sum_exp(anp.stack(terms, axis=-1))


@log_prob.register(Mixture)
def _mixture(density, x, params, context):
    """log sum_k w_k p_k(x)."""
    terms = [log_prob(part, x, density.params_of(part, params), context) for part in density.parts]
    return log_sum_exp(anp.stack(terms, axis=-1) + np.log(density.weights))
