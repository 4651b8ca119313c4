"""A network of angles: each is read as its cosine and its sine, which have no seam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core import Parametric, call
from ..core.inputs import check_dim
from .network import MLP

if TYPE_CHECKING:
    from ..core import Workspace
    from ..core.typing import Array, ArrayLike, Bound, Context, Params, Self, Weights


class CircularMLP(Parametric):
    """An MLP of (the other inputs, cos and sin of the angles): periodic in each angle.

    Parameters are those of the MLP. Errors: ValueError for indices that are no inputs, or repeat;
    TypeError for another network.

    Parameters
    ----------
    network : MLP
        Of in_dim = dim + (number of angles).
    circular : sequence of int
        Which of the dim inputs are angles, in radians.

    Examples
    --------
    >>> net = CircularMLP(MLP(3, (4,), hidden=[8]), circular=[1])
    >>> net.dim, net([0.5, 1.0]).shape
    (2, (4,))
    """

    def __init__(self, network: Parametric, circular: Sequence[int]):
        if not isinstance(network, MLP):
            raise TypeError(f"CircularMLP takes an MLP, not {network!r:.80}")
        self.circular = circular_indices(circular, network.in_dim - len(circular))
        self.dim = network.in_dim - len(self.circular)
        self.parts = (network,)
        self.context_dim, self.out_shape = network.context_dim, network.out_shape

    @property
    def network(self) -> MLP:
        """The network of cosines and sines."""
        return self.parts[0]

    @property
    def linear(self) -> tuple[int, ...]:
        """Which inputs are no angles."""
        return tuple(i for i in range(self.dim) if i not in self.circular)

    def weights(self) -> list[tuple]:
        """Those of the MLP, whose inputs are the others, cosines, sines."""
        return self.network.weights()

    def with_weights(self, weights: Weights) -> Self:
        """The same with these weights."""
        return self.with_params(self.network.with_weights(weights).params)

    def __call__(self, x: ArrayLike, params: Params = None, context: Context = None) -> Array:
        """phi (..., *out_shape) of x (..., dim)."""
        return call(self, "phi", x, params, context)

    def bind(self, at: Workspace) -> Bound:
        """phi = run(x) and x_bar = back(phi_bar): d cos = -sin, d sin = cos."""
        needs_x_bar = at.has_way_back
        # the network's own inputs need their gradient if x does
        network, network_back = self.network.bind(at)
        linear, circular = list(self.linear), list(self.circular)
        n, m = len(linear), len(linear) + len(circular)
        read = at.array("cos and sin", m + len(circular), at.n_rows)
        x_bar = at.array("x_bar", self.dim, at.n_rows)

        def run(x):
            angles = x[circular]
            read[:n], read[n:m], read[m:] = x[linear], np.cos(angles), np.sin(angles)
            return network(read)

        def back(phi_bar):
            bar = network_back(phi_bar)
            if bar is None or not needs_x_bar:
                return None
            x_bar[linear], x_bar[circular] = bar[:n], bar[m:] * read[n:m] - bar[n:m] * read[m:]
            return x_bar

        return run, back

    def __repr__(self):
        return f"CircularMLP({self.network!r}, circular={list(self.circular)})"


def circular_indices(circular: Sequence[int], dim: int) -> tuple[int, ...]:
    """The indices of angles among dim coordinates, sorted; or a ValueError."""
    found = sorted(check_dim("circular", i, least=0) for i in circular)
    if len(set(found)) < len(found) or (found and found[-1] >= dim):
        raise ValueError(f"circular must list different coordinates of 0..{dim - 1}: {circular!r}")
    return tuple(found)
