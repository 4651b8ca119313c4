"""Transformers: invertible scalar functions x = t(z; phi), elementwise, without state.

A transformer is what an autoregressive or coupling bijector does to one coordinate; `phi` are its
parameters at that coordinate, computed by a conditioner. For z of shape (..., D), phi is
(..., D, n_out), and phi = 0 is the identity. Log-derivatives are not summed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as atuple
from autograd.core import make_vjp
from autograd.tracer import isbox

from .arguments import as_vector
from .primitives import differentiable, tanh


class Transformer(ABC):
    """x = t(z; phi) with t' > 0; `n_out` parameters per coordinate. Write it in autograd.numpy."""

    n_out: int

    @abstractmethod
    def forward_and_log_det(self, z, phi):
        """x = t(z; phi) and log dt/dz, both of z's shape (..., D)."""

    @abstractmethod
    def inverse_and_log_det(self, x, phi):
        """z = t^-1(x; phi) and log dz/dx, both of x's shape (..., D)."""

    # Gradients, for the fused steps: cotangents of (value, log_det) -> those of (argument, phi).
    # What a subclass does not write by hand, autograd derives.

    def forward_pullback(self, z, phi, x, log_det, x_bar, l_bar):
        """(z_bar, phi_bar) at z, where forward gave x and log_det."""
        return _pullback(self.forward_and_log_det, z, phi, x_bar, l_bar)

    def inverse_pullback(self, x, phi, z, log_det, z_bar, l_bar):
        """(x_bar, phi_bar) at x, where inverse gave z and log_det."""
        return _pullback(self.inverse_and_log_det, x, phi, z_bar, l_bar)

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((type(self), *sorted(vars(self).items())))

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class ByPull(Transformer):
    """A transformer that writes one method by hand, `pull`; all others follow from it."""

    @abstractmethod
    def pull(self, direction, x, phi):
        """value, log_det and pullback(value_bar, l_bar) -> (x_bar, phi_bar), on plain arrays."""

    def forward_and_log_det(self, z, phi):
        return self._call("forward", z, phi)

    def inverse_and_log_det(self, x, phi):
        return self._call("inverse", x, phi)

    def forward_pullback(self, z, phi, x, log_det, x_bar, l_bar):
        return self.pull("forward", z, phi)[2](x_bar, l_bar)

    def inverse_pullback(self, x, phi, z, log_det, z_bar, l_bar):
        return self.pull("inverse", x, phi)[2](z_bar, l_bar)

    def _call(self, direction, x, phi):
        x, phi = matched(self, x, phi)
        if isbox(x) or isbox(phi):
            return differentiable(partial(self._run, direction), phi, x, None)
        return self.pull(direction, x, phi)[:2]

    def _run(self, direction, phi, x, context):
        """`pull` in the shape that `primitives.differentiable` wants."""
        value, log_det, pullback = self.pull(direction, x, phi)
        return (value, log_det), lambda *bars: (*pullback(*bars)[::-1], None)


class Shift(Transformer):
    """x = z + mu with mu = phi[..., 0]; log dx/dz = 0 (NICE: Dinh, Krueger, Bengio 2015, eq. 5).

    >>> x, log_det = Shift().forward_and_log_det(np.array([1.0]), np.array([[2.0]]))
    >>> x, log_det
    (array([3.]), array([0.]))
    """

    n_out = 1

    def forward_and_log_det(self, z, phi):
        return z + phi[..., 0], np.zeros(z.shape, z.dtype)

    def inverse_and_log_det(self, x, phi):
        return x - phi[..., 0], np.zeros(x.shape, x.dtype)

    def forward_pullback(self, z, phi, x, log_det, x_bar, l_bar):
        return x_bar, x_bar[..., None]

    def inverse_pullback(self, x, phi, z, log_det, z_bar, l_bar):
        return z_bar, -z_bar[..., None]

    def __repr__(self):
        return "Shift()"


class Affine(Transformer):
    """x = mu + exp(alpha) z, the transformer of MAF, IAF and RealNVP.

        mu    = phi[..., 0]
        alpha = B tanh(phi[..., 1] / B)        log dx/dz = alpha
        z     = (x - mu) exp(-alpha)           log dz/dx = -alpha

    log_scale_bound   B > 0 keeps the log-scale within (-B, B), smoothly and with slope 1 at 0:
                      that keeps training finite; None: alpha = phi[..., 1], as the papers print it

    References: Papamakarios, Pavlakou, Murray 2017, eqs. 3-5; Dinh, Sohl-Dickstein, Bengio 2017,
    eqs. 7-8. Why 2: of the bounds None, 5, 3, 2, 1 it has the best worst case over ten seeds of the
    six-layer chain on two moons (`python -m benchmarks.log_scale_bound`).

    >>> Affine()
    Affine(log_scale_bound=2.0)
    """

    n_out = 2

    def __init__(self, log_scale_bound: float | None = 2.0):
        if log_scale_bound is not None:
            log_scale_bound = float(log_scale_bound)
            if not 0 < log_scale_bound < np.inf:
                raise ValueError(
                    f"log_scale_bound must be a positive number or None, not {log_scale_bound}"
                )
        self.log_scale_bound = log_scale_bound

    def _alpha(self, phi):
        return bounded(phi[..., 1], self.log_scale_bound)

    def forward_and_log_det(self, z, phi):
        alpha = self._alpha(phi)
        return phi[..., 0] + _exp(alpha) * z, alpha

    def inverse_and_log_det(self, x, phi):
        minus_alpha = -self._alpha(phi)
        return (x - phi[..., 0]) * _exp(minus_alpha), minus_alpha

    def forward_pullback(self, z, phi, x, log_det, x_bar, l_bar):
        z_bar = x_bar * np.exp(log_det)
        return z_bar, self._phi_bar(phi, x_bar, z_bar * z + l_bar, log_det)

    def inverse_pullback(self, x, phi, z, log_det, z_bar, l_bar):
        x_bar = z_bar * np.exp(log_det)
        return x_bar, self._phi_bar(phi, -x_bar, -(z_bar * z) - l_bar, log_det)

    def _phi_bar(self, phi, mu_bar, alpha_bar, alpha):
        """Gradient of (mu, raw log-scale); d alpha / d raw = 1 - (alpha / B)^2."""
        phi_bar = np.empty_like(phi)
        phi_bar[..., 0] = mu_bar
        if self.log_scale_bound is None:
            phi_bar[..., 1] = alpha_bar
        else:
            np.multiply(alpha_bar, 1 - (alpha / self.log_scale_bound) ** 2, out=phi_bar[..., 1])
        return phi_bar

    def __repr__(self):
        return f"Affine(log_scale_bound={self.log_scale_bound})"


class Scale(Transformer):
    """x = exp(alpha) z with alpha = phi[..., 0]; log dx/dz = alpha (the last layer of NICE, 3.3).

    >>> x, log_det = Scale().forward_and_log_det(np.array([2.0]), np.array([[0.5]]))
    >>> x.round(3), log_det
    (array([3.297]), array([0.5]))
    """

    n_out = 1

    def forward_and_log_det(self, z, phi):
        alpha = phi[..., 0]
        return anp.exp(alpha) * z, alpha + np.zeros(z.shape, z.dtype)

    def inverse_and_log_det(self, x, phi):
        alpha = phi[..., 0]
        return anp.exp(-alpha) * x, np.zeros(x.shape, x.dtype) - alpha

    def forward_pullback(self, z, phi, x, log_det, x_bar, l_bar):
        return x_bar * anp.exp(log_det), (x_bar * x + l_bar)[..., None]

    def inverse_pullback(self, x, phi, z, log_det, z_bar, l_bar):
        return z_bar * anp.exp(log_det), (-(z_bar * z) - l_bar)[..., None]

    def __repr__(self):
        return "Scale()"


class Compose(ByPull):
    """The composition of transformers: Compose([f, g]) is f o g, so `forward` applies g first.

        x = f(g(z; phi_g); phi_f),    log dx/dz = log f' + log g'

    phi holds phi_f, then phi_g. `Compose([Affine(), RationalQuadratic()])` bends a coordinate by a
    spline on [-B, B], and then moves and scales it to wherever the data are.

    >>> Compose([Affine(), Shift()]).n_out
    3
    """

    def __init__(self, transformers: Sequence[Transformer]):
        self.transformers = tuple(transformers)
        if not self.transformers:
            raise ValueError("Compose needs at least one transformer")
        for part in self.transformers:
            check_transformer(part)

    @property
    def n_out(self) -> int:
        return sum(part.n_out for part in self.transformers)

    def _steps(self, direction):
        """[(part, its slice of phi), ...] in the order in which they are run."""
        steps, start = [], 0
        for part in self.transformers:
            steps.append((part, slice(start, start + part.n_out)))
            start += part.n_out
        return steps if direction == "inverse" else steps[::-1]

    def pull(self, direction, x, phi):
        total, pulls = 0, []
        for part, own in self._steps(direction):
            x, log_det, pullback = pulled(part, direction, x, phi[..., own])
            total = total + log_det
            pulls.append((own, pullback))

        def pull_all(x_bar, l_bar):
            phi_bar = np.empty_like(phi)
            for own, pullback in reversed(pulls):
                x_bar, phi_bar[..., own] = pullback(x_bar, l_bar)
            return x_bar, phi_bar

        return x, total, pull_all

    def __repr__(self):
        return f"Compose({list(self.transformers)})"


def matched(transformer, x, phi):
    """x and phi with the same leading axes, for hand-written code that wants them alike.

    A ValueError with all shapes if phi does not hold n_out numbers for every x.
    """
    x = x if isbox(x) else np.asarray(x)
    phi = phi if isbox(phi) else as_vector(phi)
    if phi.shape == (*x.shape, transformer.n_out):
        return x, phi
    try:
        if phi.shape[-1:] != (transformer.n_out,):
            raise ValueError
        shape = np.broadcast_shapes(x.shape, phi.shape[:-1])
    except ValueError:
        raise ValueError(
            f"{transformer!r} takes phi of shape (..., {transformer.n_out}), with the leading axes "
            f"of its argument {x.shape}: not {phi.shape}"
        ) from None
    x = x if x.shape == shape else x + np.zeros(shape, x.dtype)
    return x, phi + np.zeros((*shape, 1), phi.dtype)


def check_transformer(transformer):
    """A TypeError unless it is an object with n_out and both directions."""
    names = ("n_out", "forward_and_log_det", "inverse_and_log_det")
    if isinstance(transformer, type) or not all(hasattr(transformer, name) for name in names):
        raise TypeError(f"transformer must be an object such as Affine(), not {transformer!r}")


def pullback_of(transformer, direction: str):
    """Its `{direction}_pullback`; by autograd for an object that has none."""
    found = getattr(transformer, f"{direction}_pullback", None)
    if found is None:
        found = partial(getattr(Transformer, f"{direction}_pullback"), transformer)
    return found


def pulled(transformer, direction: str, x, phi):
    """value, log_det and pullback(value_bar, l_bar) -> (x_bar, phi_bar): its own `pull` if it has
    one, which may keep what both need."""
    if hasattr(transformer, "pull"):
        return transformer.pull(direction, x, phi)
    value, log_det = getattr(transformer, f"{direction}_and_log_det")(x, phi)
    return value, log_det, partial(pullback_of(transformer, direction), x, phi, value, log_det)


def _pullback(transform, x, phi, value_bar, l_bar):
    vjp, (_, log_det) = make_vjp(lambda args: atuple(transform(*args)), (x, phi))
    return vjp((value_bar, np.broadcast_to(l_bar, log_det.shape)))


def bounded(raw, bound: float | None):
    """B tanh(raw / B): within (-B, B), slope 1 at 0; `raw` itself for B = None."""
    if bound is None:
        return raw
    scaled = raw / bound
    return bound * (np.tanh(scaled) if isinstance(raw, np.ndarray) else tanh(scaled))


def _exp(a):
    """exp, without autograd's wrapper where there is nothing to trace: small arrays feel it."""
    return np.exp(a) if isinstance(a, np.ndarray) else anp.exp(a)
