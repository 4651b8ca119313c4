"""Autoregressive bijectors: every coordinate is transformed given the ones before it."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np

from .bijector import Bijector
from .made import MADE
from .steps import by_degree, one_pass
from .transformers import Affine, Transformer


class MaskedAutoregressiveFlow(Bijector):
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
        if made.n_out != transformer.n_out:
            raise ValueError(
                f"{transformer!r} needs n_out={transformer.n_out} numbers per coordinate, but the "
                f"MADE has n_out={made.n_out}"
            )
        if method not in ("by_degree", "sequential"):
            raise ValueError(f'method must be "by_degree" or "sequential", not {method!r}')
        self._parts = (made,)
        self.dim, self.context_dim = made.dim, made.context_dim
        self.transformer, self.method = transformer, method

    @property
    def made(self) -> MADE:
        """The network that computes phi."""
        return self._parts[0]

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._flat(self._one_pass, x, params, context)

    def forward_and_log_det(self, z, params=None, context=None):
        if self.method == "sequential":
            return self._textbook_loop(*self._prepare(z, params, context))
        return self._flat(self._by_degree, z, params, context)

    def _flat(self, run, x, params, context):
        """`run` on rows (N, D), whatever the leading axes."""
        tape = {"matrices": self.made.matrices} if params is None else {}
        x, theta, context = self._prepare(x, params, context)
        lead = x.shape[:-1]
        if len(lead) == 1:
            return run(theta, x, context, tape)
        x = x.reshape((-1, self.dim))
        context = None if context is None else context.reshape((-1, self.context_dim))
        value, log_det = run(theta, x, context, tape)
        return value.reshape((*lead, self.dim)), log_det.reshape(lead)

    def _one_pass(self, theta, x, context, tape):
        structure = self.made.structure
        return one_pass(theta, x, x, context, structure, self.transformer, "inverse", tape)

    def _by_degree(self, theta, z, context, tape):
        made = self.made
        return by_degree(theta, z, context, made.structure, made.walk, self.transformer, tape)

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
        return f"MaskedAutoregressiveFlow({self.made!r}, {self.transformer!r})"
