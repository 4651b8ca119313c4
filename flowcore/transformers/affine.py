"""Affine transformers, and the composition of transformers.

In `bind`, arrays are (coordinates, rows), phi is (coordinates, n_out, rows), and a_bar is the
gradient dL/da of a scalar loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import positive
from .transformer import Transformer, bind_transformer, check_transformer

if TYPE_CHECKING:
    from ..core.typing import Bound, Workspace


class Affine(Transformer):
    """x = mu + exp(alpha) z, the transformer of MAF, IAF and RealNVP.

        mu    = phi[..., 0]
        alpha = B tanh(phi[..., 1] / B)        log dx/dz = alpha
        z     = (x - mu) exp(-alpha)           log dz/dx = -alpha

    Parameters
    ----------
    log_scale_bound : float
        B > 0 keeps the log-scale within (-B, B), smoothly and with slope 1 at 0, so that training
        stays finite. None: alpha = phi[..., 1], as the papers print it.

    References
    ----------
    Papamakarios, Pavlakou, Murray 2017, eqs. 3-5; Dinh, Sohl-Dickstein, Bengio 2017, eqs. 7-8. The
    default bound is 2: of None, 5, 3, 2 and 1 it has the best worst result over ten seeds of the
    six-layer chain on two moons (`python -m benchmarks.studies.log_scale_bound`).

    Examples
    --------
    >>> Affine()
    Affine(log_scale_bound=2.0)
    """

    n_out = 2

    def __init__(self, log_scale_bound: float | None = 2.0):
        self.log_scale_bound = checked_bound(log_scale_bound)

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        """With s = alpha (forward) or -alpha (inverse):  y = mu + exp(s) x,  or (x - mu) exp(s)."""
        forward, bound, shape = direction == "forward", self.log_scale_bound, (dim, at.n_rows)
        y, s, scale, x_bar = (at.array(name, *shape) for name in ("y", "s", "e^s", "x_bar"))
        one, sign = at.number(1), at.number(1 if forward else -1)
        if bound is not None:
            t, slope = at.array("t", *shape), at.scratch("slope", *shape)
            per_bound, signed_bound = at.number(1 / bound), at.number(sign * bound)
        phi_bar, x = at.scratch("phi_bar", dim, 2, at.n_rows), None
        mu_bar, raw_bar = phi_bar[:, 0], phi_bar[:, 1]

        def run(argument, phi):
            nonlocal x
            x, mu, raw = argument, phi[:, 0], phi[:, 1]
            if bound is None:
                np.multiply(raw, sign, s)
            else:
                np.tanh(np.multiply(raw, per_bound, t), t)
                np.multiply(t, signed_bound, s)
            np.exp(s, scale)
            if forward:
                np.add(np.multiply(x, scale, y), mu, y)
            else:
                np.multiply(np.subtract(x, mu, y), scale, y)
            return y, s

        def back(y_bar, l_bar):
            np.multiply(y_bar, scale, x_bar)
            if forward:
                np.copyto(mu_bar, y_bar)
                np.multiply(x_bar, x, raw_bar)
            else:
                np.negative(x_bar, mu_bar)
                np.multiply(y_bar, y, raw_bar)
            np.add(raw_bar, l_bar, raw_bar)  # of s, so far
            if bound is None:
                np.multiply(raw_bar, sign, raw_bar)
            else:  # ds / d raw = sign (1 - t^2)
                np.multiply(t, t, slope)
                np.subtract(*((one, slope) if forward else (slope, one)), slope)
                np.multiply(raw_bar, slope, raw_bar)
            return x_bar, phi_bar

        return run, back

    def __repr__(self):
        return f"Affine(log_scale_bound={self.log_scale_bound})"


class Shift(Transformer):
    """x = z + mu with mu = phi[..., 0]; log dx/dz = 0 (NICE: Dinh, Krueger, Bengio 2015, eq. 5).

    Examples
    --------
    >>> x, log_det = Shift().forward_and_log_det(np.array([1.0]), np.array([[2.0]]))
    >>> x, log_det
    (array([3.]), array([0.]))
    """

    n_out = 1

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        forward, no_log_det = direction == "forward", at.zeros(dim, at.n_rows)
        y, phi_bar = at.array("y", dim, at.n_rows), at.scratch("phi_bar", dim, 1, at.n_rows)

        def run(x, phi):
            (np.add if forward else np.subtract)(x, phi[:, 0], y)
            return y, no_log_det

        def back(y_bar, l_bar):
            (np.positive if forward else np.negative)(y_bar, phi_bar[:, 0])
            return y_bar, phi_bar

        return run, back

    def __repr__(self):
        return "Shift()"


class Scale(Transformer):
    """x = exp(alpha) z with alpha = phi[..., 0]; log dx/dz = alpha (the last layer of NICE, 3.3).

    Examples
    --------
    >>> x, log_det = Scale().forward_and_log_det(np.array([2.0]), np.array([[0.5]]))
    >>> x.round(3), log_det
    (array([3.297]), array([0.5]))
    """

    n_out = 1

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        """With s = alpha (forward) or -alpha (inverse):  y = exp(s) x."""
        sign = at.number(1 if direction == "forward" else -1)
        y, s, scale, x_bar = (at.array(name, dim, at.n_rows) for name in ("y", "s", "e^s", "x_bar"))
        phi_bar = at.scratch("phi_bar", dim, 1, at.n_rows)
        alpha_bar = phi_bar[:, 0]

        def run(x, phi):
            np.exp(np.multiply(phi[:, 0], sign, s), scale)
            return np.multiply(x, scale, y), s

        def back(y_bar, l_bar):
            np.add(np.multiply(y_bar, y, alpha_bar), l_bar, alpha_bar)
            np.multiply(alpha_bar, sign, alpha_bar)
            return np.multiply(y_bar, scale, x_bar), phi_bar

        return run, back

    def __repr__(self):
        return "Scale()"


class Compose(Transformer):
    """The composition of transformers: Compose([f, g]) is f o g, so `forward` applies g first.

        x = f(g(z; phi_g); phi_f),    log dx/dz = log f' + log g'

    phi holds phi_f, then phi_g. `Compose([Affine(), RationalQuadratic()])` bends a coordinate by a
    spline on [-B, B], and then shifts and scales it to the place of the data.

    Parameters
    ----------
    transformers : sequence of Transformer
        f, g, ...; the last one is applied first.

    Examples
    --------
    >>> Compose([Affine(), Shift()]).n_out
    3
    """

    def __init__(self, transformers: Sequence[Transformer]):
        self.transformers = tuple(transformers)
        if not self.transformers:
            raise ValueError("Compose needs at least one transformer")
        for part in self.transformers:
            check_transformer(part)
        self.n_out = sum(part.n_out for part in self.transformers)

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        steps, start = [], 0
        for part in self.transformers:
            own = slice(start, start + part.n_out)  # of phi
            steps.append((own, *bind_transformer(part, at, direction, dim)))
            start = own.stop
        if direction == "forward":
            steps.reverse()
        phi_bar = at.scratch("composed", dim, self.n_out, at.n_rows)

        def run(x, phi):
            total = at.number(0)
            for own, transform, _ in steps:
                x, log_det = transform(x, phi[:, own])
                total = total + log_det
            return x, total

        def back(x_bar, l_bar):
            for own, _, transform_back in reversed(steps):
                x_bar, phi_bar[:, own] = transform_back(x_bar, l_bar)
            return x_bar, phi_bar

        return run, back

    def __repr__(self):
        return f"Compose({list(self.transformers)})"


def bounded(raw, bound: float | None):
    """B tanh(raw / B): within (-B, B), slope 1 at 0; `raw` itself for B = None."""
    return raw if bound is None else bound * np.tanh(raw / bound)


def checked_bound(bound: float | None) -> float | None:
    """A bound of a log-scale: positive, or None."""
    return None if bound is None else positive("log_scale_bound", bound, " or None")
