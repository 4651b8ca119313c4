"""`Clamped`: a flow of the coordinates that a row has; the others are 0 in every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..networks import MLP
from ..transformers import for_coordinates
from .algebra import Composite
from .autoregressive import MaskedAutoregressiveFlow
from .bijector import Bijector
from .conditioning import OtherContext
from .coupling import Coupling
from .elementwise import Elementwise
from .linear import Standardize

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Box, Workspace


class Clamped(Composite):
    """A bijector of rows that lack some coordinates: a_i is 1 if a row has coordinate i, else 0.

        x_i = f_i(z)    log |det dx_a/dz_a|         where a_i = 1
        x_i = z_i = 0                               where a_i = 0

    So one pass gives the normalised density of the coordinates that a row has, for every a, and no
    absent number is filled in or integrated out. How? The last D columns of the context are a, and
    the layers of f read them, too. In every layer an absent coordinate has phi = 0, the identity,
    so it stays 0, and its log-det is left out. What remains is a triangular map of the coordinates
    that are present.

    The entries of absent coordinates must be numbers, and are ignored. Cost: that of f. Errors:
    ValueError for layers that mix coordinates linearly or reorder them, that are not initialised
    yet, or whose transformer is not the identity at phi = 0.

    Parameters
    ----------
    bijector : Bijector
        f, whose context contains a, or which reads no context: `MaskedAutoregressiveFlow`,
        `Coupling`, `Elementwise`, `Standardize`, chains and inverses of them.
    context_dim : int
        The width of the context; None: that of f, or D if f reads none.

    Examples
    --------
    >>> from flowcore import MADE
    >>> f = Clamped(MaskedAutoregressiveFlow(MADE(2, hidden=[8], context_dim=2)))
    >>> f.inverse([[0.5, -1.0], [0.5, -1.0]], context=[[1, 1], [0, 1]])
    array([[ 0.5, -1. ],
           [ 0. , -1. ]])
    """

    def __init__(self, bijector: Bijector, context_dim: int | None = None):
        if not isinstance(bijector, Bijector):
            raise TypeError(f"Clamped takes a bijector, not {bijector!r}")
        self.parts, self.dim = (bijector,), bijector.dim
        self.context_dim = context_dim or bijector.context_dim or self.dim
        if bijector.context_dim not in (0, self.context_dim) or self.context_dim < self.dim:
            raise ValueError(
                f"Clamped: the last {self.dim} columns of the context mark the coordinates of a "
                f"row, but context_dim is {self.context_dim}, and that of the bijector "
                f"{bijector.context_dim}"
            )
        for part, _ in bijector.steps("inverse"):
            _check_layer(part)

    @property
    def bijector(self) -> Bijector:
        """The map of rows that have all coordinates."""
        return self.parts[0]

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        return self.bijector.image(direction, low, high)

    def bind(self, at: Workspace, direction: str) -> Bound:
        own = at.with_present(self.dim)
        inner, inner_back = self.bijector.bind(own, direction)
        at.nbytes, present = own.nbytes, own.present

        def run(x, l):
            present[...] = at.context[-self.dim :]
            x = inner(np.where(present, x, 0), l)
            return np.where(present, x, 0)  # splines round 0 to 1e-16

        def back(y_bar, l_bar):
            return inner_back(y_bar * present, l_bar) * present

        return run, back

    def _initialize(self, direction, x, context, rng):
        return self  # all parts are initialised

    def __repr__(self):
        return f"Clamped({self.bijector!r})"


def _check_layer(part: Bijector) -> None:
    """A ValueError unless a coordinate of 0 whose phi is 0 leaves this layer as 0."""
    part = part.bijector if isinstance(part, OtherContext) else part
    if isinstance(part, Standardize):
        if not part.initialized:
            raise ValueError(f"Clamped: {part!r} is not set from data: make it by from_data")
        return
    by_degree = isinstance(part, MaskedAutoregressiveFlow) and part.method == "by_degree"
    coupling = isinstance(part, Coupling) and isinstance(part.conditioner, MLP)
    if not (by_degree or coupling or isinstance(part, Elementwise)):
        raise ValueError(
            f"Clamped: {part!r:.200} mixes coordinates, or reorders them, so it cannot leave out "
            "absent ones: take autoregressive layers (flows.maf, flows.nsf)"
        )
    t = for_coordinates(part.transformer, range(part.dim))
    y, log_det = t.inverse_and_log_det(np.zeros(part.dim), np.zeros((part.dim, t.n_out)))
    if np.abs([y, log_det]).max() > 1e-12:
        raise ValueError(
            f"Clamped: {part.transformer!r} is not the identity at phi = 0, so it cannot leave out "
            "absent coordinates: take Affine, RationalQuadratic or Shift"
        )
