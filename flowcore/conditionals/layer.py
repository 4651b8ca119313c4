"""One autoregressive layer answers exactly if its order begins with the known columns.

    x_i = t(z_i; phi_i(x_<i)):    log p(x_b | x_a) = sum_(i in b) [log N(z_i) - log t'(z_i; phi_i)]

Draws of x_b | x_a keep the z_a of the known values, and draw z_b anew.
"""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from ..bijectors import MaskedAutoregressiveFlow, Standardize
from ..distributions import Normal, TransformedDistribution


class AutoregressiveLayer:
    """The exact proposal of a flow Normal -> MAF (-> Standardize); see the top of this file."""

    def __init__(self, flow: TransformedDistribution, maf: MaskedAutoregressiveFlow, scale):
        self.flow, self.maf, self.scale = flow, maf, scale
        self.log_prob = flow.log_prob

    def begins_with(self, known: np.ndarray) -> bool:
        """Whether the columns that known (D,) marks come first in the order."""
        degrees = np.asarray(self.maf.made.degrees[0])
        return not known.any() or degrees[known].max() < degrees[~known].min(
            initial=self.flow.dim + 1
        )

    def sample_given(
        self, rows: np.ndarray, n: int, rngs: list[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """n draws of each row's unknown values, whole rows (m, n, D), and log p(x_b | x_a) (m, n).

        rows (m, D) have NaN in the same columns: the last ones of the order. rngs: a generator for
        each row, or one for all.
        """
        hole = np.isnan(rows[0])
        z = self.flow.to_latent(np.where(hole, 0.0, rows))  # z_a does not depend on x_b
        z = np.repeat(z[:, None], n, axis=1)
        shape = len(rows) // len(rngs), n, hole.sum()
        z[..., hole] = np.concatenate([rng.standard_normal(shape) for rng in rngs])
        x = self.flow.from_latent(z)
        x[..., ~hole] = rows[:, None, ~hole]
        u = self.scale.inverse(x) if self.scale else x
        z, log_slope = self.maf.transformer.inverse_and_log_det(u, self.maf.made(u))
        terms = log_slope - 0.5 * z**2 - 0.5 * log(2 * pi)
        if self.scale:
            terms = terms - np.log(self.scale.scale)
        return x, terms[..., hole].sum(axis=-1)


def autoregressive_layer(density: Any) -> AutoregressiveLayer | None:
    """The layer, if the density is one autoregressive layer over a normal base, without context."""
    if not isinstance(density, TransformedDistribution) or density.context_dim:
        return None
    steps = [part for part, way in density.bijector.steps("forward")]
    ways = {way for _, way in density.bijector.steps("forward")}
    known = [type(part) for part in steps]
    one = known in ([MaskedAutoregressiveFlow], [MaskedAutoregressiveFlow, Standardize])
    if not one or ways != {"forward"} or not isinstance(density.base, Normal):
        return None
    return AutoregressiveLayer(density, *steps, *[None] * (2 - len(steps)))
