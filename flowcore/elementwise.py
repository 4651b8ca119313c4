"""Elementwise bijectors: every coordinate on its own."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np

from .bijector import Bijector
from .transformers import Transformer


class Elementwise(Bijector):
    """x_i = t(z_i; phi_i) with trainable phi, the same for all rows; log-det sum_i log t'(z_i).

    dim           D
    transformer   what happens to each coordinate; `params` is phi, flattened from (D, n_out)

    `Elementwise(D, Scale())` is the diagonal scaling that ends NICE. Cost: O(D) per row in both
    directions; phi = 0, the identity, at first.

    >>> from flowcore.transformers import Scale
    >>> Elementwise(2, Scale()).with_params([0.0, np.log(2.0)]).forward([1.0, 1.0])
    array([1., 2.])
    """

    def __init__(self, dim: int, transformer: Transformer, dtype=float):
        super().__init__(dim, np.zeros(dim * transformer.n_out, dtype))
        self.transformer = transformer

    def forward_and_log_det(self, z, params=None, context=None):
        return self._run(self.transformer.forward_and_log_det, z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._run(self.transformer.inverse_and_log_det, x, params, context)

    def _run(self, transform, x, params, context):
        x, params, _ = self._prepare(x, params, context)
        phi = anp.reshape(params, (self.dim, self.transformer.n_out))
        out, log_det = transform(x, phi)
        return out, anp.sum(log_det, axis=-1)

    def __repr__(self):
        return f"Elementwise({self.dim}, {self.transformer!r})"
