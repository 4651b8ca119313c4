"""Autoregressive bijectors: every coordinate is transformed given the ones before it."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np

from .bijector import Bijector, ByPull
from .made import MADE
from .steps import by_degree, one_pass
from .transformers import Affine, Transformer, check_transformer


class MaskedAutoregressiveFlow(ByPull):
    """MAF: x_i = t(z_i; phi_i(x_<i)), with all phi_i from one MADE of x.

        inverse (one pass)       phi = made(x);  z_i = t^-1(x_i; phi_i)      for all i at once
        forward (sequential)     x_1, then x_2 given x_1, ...                D steps
        log |det dx/dz| = sum_i log t'(z_i; phi_i)          (the Jacobian is triangular)

    made          a MADE with n_out = transformer.n_out; its order is the order of the coordinates
    transformer   Affine() (MAF), Shift(), ... : what happens to one coordinate
    method        of the sequential direction. "by_degree": a hidden unit of degree d is final once
                  x_1..x_d are known, so each is computed once, and the gradient walks back the
                  same way. "sequential": the textbook loop, the whole network for every coordinate

    With `Affine`: x_i = mu_i(x_<i) + exp(alpha_i(x_<i)) z_i. `Invert(MAF)` is the inverse
    autoregressive flow (IAF), which samples in one pass.
    Cost: inverse O(weights) per row; forward the same work in D narrow steps (`by_degree`), or D
    times the work (`sequential`).
    References: Papamakarios, Pavlakou, Murray 2017, eqs. 3-5; Kingma et al. 2016 (IAF).

    >>> maf = MaskedAutoregressiveFlow(MADE(2, hidden=[16, 16]))
    >>> maf
    MaskedAutoregressiveFlow(MADE(2, hidden=[16, 16], n_out=2, 'relu'), Affine(log_scale_bound=2.0))
    >>> maf.inverse([[0.5, -1.0]])
    array([[ 0.5, -1. ]])
    """

    def __init__(self, made: MADE, transformer: Transformer | None = None, method="by_degree"):
        transformer = Affine() if transformer is None else transformer
        check_transformer(transformer)
        if not isinstance(made, MADE):
            raise TypeError(f"made must be a MADE, not {made!r}")
        if made.n_out != transformer.n_out:
            raise ValueError(
                f"{transformer!r} needs n_out={transformer.n_out} numbers per coordinate, but the "
                f"MADE has n_out={made.n_out}"
            )
        if method not in ("by_degree", "sequential"):
            raise ValueError(f'method must be "by_degree" or "sequential", not {method!r}')
        self.parts = (made,)
        self.dim, self.context_dim = made.dim, made.context_dim
        self.transformer, self.method = transformer, method

    @property
    def made(self) -> MADE:
        """The network that computes phi."""
        return self.parts[0]

    def forward_and_log_det(self, z, params=None, context=None):
        if self.method == "sequential":
            return self._textbook_loop(*self._prepare(z, params, context))
        return super().forward_and_log_det(z, params, context)

    def _pull(self, direction, theta, x, context):
        if direction == "forward" and self.method == "sequential":
            return Bijector._pull(self, direction, theta, x, context)
        made, transformer, x = self.made, self.transformer, np.asarray(x, theta.dtype)
        structure, matrices = made.structure, made.matrices(theta)
        if direction == "forward":
            return by_degree(structure, made.walk, matrices, transformer, x, context)
        z, log_det, pull = one_pass(structure, matrices, transformer, "inverse", x, x, context)

        def pullback(z_bar, l_bar):
            theta_bar, through_phi, direct, context_bar = pull(z_bar, l_bar)
            return theta_bar, through_phi + direct, context_bar

        return z, log_det, pullback

    def _textbook_loop(self, z, theta, context):
        """One pass of the whole network for every coordinate, in the order of the degrees."""
        x, total = np.zeros(z.shape, z.dtype), 0
        for i in np.argsort(self.made.degrees[0]):
            phi = self.made(x, theta, context)[..., i, :]
            x_i, log_det = self.transformer.forward_and_log_det(z[..., i], phi)
            here = np.arange(self.dim) == i
            x = anp.where(here, x_i[..., None] * np.ones(self.dim, z.dtype), x)
            total = total + log_det
        return x, total

    def __repr__(self):
        method = "" if self.method == "by_degree" else f", method={self.method!r}"
        return f"MaskedAutoregressiveFlow({self.made!r}, {self.transformer!r}{method})"
