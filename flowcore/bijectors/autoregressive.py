"""Autoregressive bijectors: every coordinate is transformed given the ones before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as anp
import numpy as np

from ..core import by_autograd
from ..networks import MADE, bind_walk
from ..transformers import (
    Affine,
    Transformer,
    bind_transformer,
    check_transformer,
    for_coordinates,
    transformer_of,
)
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import Bound, Workspace


class MaskedAutoregressiveFlow(Bijector):
    """MAF: x_i = t(z_i; phi_i(x_<i)), with all phi_i from one MADE of x.

        inverse (one pass)       phi = made(x);  z_i = t^-1(x_i; phi_i)      for all i at once
        forward (sequential)     x_1, then x_2 given x_1, ...                D steps
        log |det dx/dz| = sum_i log t'(z_i; phi_i)          (the Jacobian is triangular)

    With `Affine`: x_i = mu_i(x_<i) + exp(alpha_i(x_<i)) z_i. `Invert(MAF)` is the inverse
    autoregressive flow (IAF), which samples in one pass.
    Cost: inverse O(weights) per row; forward the same work in D narrow steps (`by_degree`), or D
    times the work (`sequential`).

    Parameters
    ----------
    made : MADE
        A MADE with n_out = transformer.n_out; its order is the order of the coordinates.
    transformer : Transformer
        Affine() (MAF), Shift(), ... : the map of one coordinate.
    method : str
        How the sequential direction is computed. "by_degree": a hidden unit of degree d is final
        once x_1..x_d are known, so each unit is computed once. The gradient goes the same way
        backwards. "sequential": the textbook loop, which runs the whole network for every
        coordinate.

    References
    ----------
    Papamakarios, Pavlakou, Murray 2017, eqs. 3-5; Kingma et al. 2016 (IAF).

    Examples
    --------
    >>> maf = MaskedAutoregressiveFlow(MADE(2, hidden=[16, 16]))
    >>> maf
    MaskedAutoregressiveFlow(MADE(2, hidden=[16, 16], n_out=2, 'relu'), Affine(log_scale_bound=2.0))
    >>> maf.inverse([[0.5, -1.0]])
    array([[ 0.5, -1. ]])
    """

    def __init__(
        self, made: MADE, transformer: Transformer | None = None, method: str = "by_degree"
    ):
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

    def bind(self, at: Workspace, direction: str) -> Bound:
        if direction == "inverse":
            return self._bind_one_pass(at)
        if self.method == "sequential":
            return by_autograd(self._textbook_loop, at, self)
        shared = for_coordinates(self.transformer, [0]) is self.transformer and at.present is None

        def coordinate(i):
            own = for_coordinates(self.transformer, [i])
            return bind_transformer(own, at, "forward", 1, slice(i, i + 1))

        return bind_walk(self.made, coordinate, at, shared)

    def _bind_one_pass(self, at):
        """phi = made(x);  z_i = t^-1(x_i; phi_i) for all i at once."""
        network, network_back = self.made.bind(at)
        transform, transform_back = bind_transformer(
            self.transformer, at, "inverse", self.dim, slice(None)
        )
        total = at.scratch("total", at.n_rows)

        def run(x, l):
            x = np.ascontiguousarray(x, at.dtype)
            z, log_det = transform(x, network(x))
            np.add(l, np.add.reduce(log_det, 0, None, total), l)
            return z

        def back(z_bar, l_bar):
            x_bar, phi_bar = transform_back(z_bar, l_bar)
            through_phi = network_back(phi_bar)
            return x_bar if through_phi is None else np.add(through_phi, x_bar, through_phi)

        return run, back

    def _textbook_loop(self, theta, z, context):
        """One pass of the whole network for every coordinate, in the order of the degrees."""
        x, total = np.zeros(z.shape, z.dtype), 0
        for i in np.argsort(self.made.degrees[0]):
            part = transformer_of(self.transformer, i)
            phi = self.made(x, theta, context)[..., i, : part.n_out]
            x_i, log_det = part.forward_and_log_det(z[..., i], phi)
            here = np.arange(self.dim) == i
            x = anp.where(here, x_i[..., None] * np.ones(self.dim, z.dtype), x)
            total = total + log_det
        return x, total

    def __repr__(self):
        method = "" if self.method == "by_degree" else f", method={self.method!r}"
        return f"MaskedAutoregressiveFlow({self.made!r}, {self.transformer!r}{method})"
