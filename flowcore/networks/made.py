"""MADE: degrees, masks, and the masked autoencoder that outputs the conditionals' parameters.

Number the inputs by `order`: input i has degree m_i in 1..D. Give every hidden unit a degree too. A
connection is allowed when information flows only from lower degrees to higher ones:

    hidden:  M[a, b] = 1 if d_in[a] <= d_out[b]        (Germain et al. 2015, eq. 12)
    output:  M[a, b] = 1 if d_in[a] <  d_out[b]        (eq. 13)

Then output d sees only the inputs that come before it in the order: phi_d = phi_d(x_<d).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core import elsewhere, frozen, warn
from ..core.inputs import as_integers, as_numbers, check_dim
from .network import Network, hidden_widths

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, DTypeLike, Hidden, Seed

TRANSFORMER = "pass MaskedAutoregressiveFlow(MADE(dim, n_out=t.n_out), t) a transformer t"


class MADE(Network):
    """Masked autoencoder for distribution estimation: phi[..., d, :] depends on x_<d only.

    Cost: one pass, O(free weights) per row. Errors: ValueError for a bad order, degrees or shape;
    UserWarning if the hidden layers are too narrow for all dependencies.

    Parameters
    ----------
    dim : int
        D, the number of inputs.
    hidden : sequence of int
        Widths of the hidden layers; None: two of max(64, 2 D), three if residual.
    n_out : int
        Numbers per input: phi is (..., D, n_out), output column d*n_out + j.
    activation : str
        "relu", "tanh", "sigmoid", "elu", "softplus" or "silu".
    order : str or array_like
        "left-to-right", "right-to-left", "random", or a permutation of 1..D whose entry i is the
        degree of input i.
    degrees : str or list of arrays
        Hidden degrees: "equal" (spread evenly), "random", or one integer array a layer.
    context_dim : int
        Width of the context; its degree is 0, so that every output can read it.
    context_layers : str
        The layers that read the context: "all" (also the output layer) or "first".
    rng : int or numpy Generator
        Seed of the initial weights, and of random orders and degrees.
    dtype : dtype
        float64 or float32.
    residual : bool
        True: residual blocks of two hidden layers, as in `MLP`. Layers 1, 3, 5, ... share their
        degrees, so that each sum is over units of the same degree.
    circular : sequence of int
        The inputs that are angles, as in `MLP`. Cosine and sine have the degree of their angle. In
        the first mask their rows come after the rows of other inputs.

    References
    ----------
    Germain, Gregor, Murray, Larochelle, "MADE", ICML 2015.

    Examples
    --------
    >>> made = MADE(3, hidden=[16, 16])
    >>> made(np.zeros((1000, 3))).shape
    (1000, 3, 2)
    >>> made
    MADE(3, hidden=[16, 16], n_out=2, 'relu')
    """

    @elsewhere(transformer=TRANSFORMER)
    def __init__(
        self,
        dim: int,
        hidden: Hidden = None,
        n_out: int = 2,
        activation: str = "relu",
        order: str | ArrayLike = "left-to-right",
        degrees: str | Sequence[ArrayLike] = "equal",
        context_dim: int = 0,
        context_layers: str = "all",
        rng: Seed = 0,
        dtype: DTypeLike = float,
        residual: bool = False,
        circular: Sequence[int] = (),
    ):
        dim, self.n_out = check_dim("dim", dim), check_dim("n_out", n_out)
        self.hidden = hidden_widths(hidden, dim, residual)
        context_dim = check_dim("context_dim", context_dim, least=0)
        rng = np.random.default_rng(rng)
        self.degrees = [input_degrees(dim, order, rng)]
        self.degrees += hidden_degrees(
            self.degrees[0], self.hidden, degrees, context_dim > 0, rng, residual
        )
        lowest = 0 if context_dim and isinstance(degrees, str) else 1
        self.degrees = [frozen(degrees) for degrees in self.degrees]
        # the skip around a block passes on what a narrow layer inside of it cannot
        _warn_if_narrow(self.degrees, range(lowest, dim), step=2 if residual else 1)
        out_shape = dim, self.n_out
        units = [*self.degrees, np.repeat(self.degrees[0], self.n_out)]
        super().__init__(
            units,
            out_shape,
            activation,
            context_dim,
            context_layers,
            rng,
            dtype,
            residual,
            circular,
        )
        self.output_selectors = self.input_selectors
        read = [self.degrees[0][self.features], *self.degrees[1:]]
        self.bounds = [_bounds(units, dim) for units in read]

    @property
    def masks(self) -> list[np.ndarray]:
        """One bool array (in, out) per layer, in the caller's unit order; the first reads features.

        Without angles, features are the inputs.
        """
        return [w > 0 for w, _, _ in self.places()]

    def config(self) -> dict:
        """The constructor's arguments, for `save`: random orders and degrees as drawn."""
        names = (
            "dim", "hidden", "n_out", "activation", "context_dim", "context_layers", "residual",
            "circular",
        )  # fmt: skip
        config = {name: getattr(self, name) for name in names}
        return {**config, "order": self.degrees[0], "degrees": self.degrees[1:]}

    def __repr__(self):
        order = self.degrees[0]
        parts = [f"{self.dim}, hidden={list(self.hidden)}, n_out={self.n_out}, {self.activation!r}"]
        if np.array_equal(order, np.arange(self.dim, 0, -1)) and self.dim > 1:
            parts.append("order='right-to-left'")
        elif not np.array_equal(order, np.arange(1, self.dim + 1)):
            shown = order.tolist() if self.dim <= 12 else "<permutation>"
            parts.append(f"order={shown}")
        if self.context_dim:
            parts.append(f"context_dim={self.context_dim}")
        if self.residual:
            parts.append("residual=True")
        if self.circular:
            parts.append(f"circular={list(self.circular)}")
        return f"MADE({', '.join(parts)})"


def input_degrees(dim: int, order, rng) -> np.ndarray:
    """The degree of every input, a permutation of 1..D."""
    ascending = np.arange(1, dim + 1)
    if isinstance(order, str):
        if order == "left-to-right":
            return ascending
        if order == "right-to-left":
            return ascending[::-1].copy()
        if order == "random":
            return rng.permutation(ascending)
        raise ValueError(
            'order must be "left-to-right", "right-to-left", "random" or a permutation of 1..D, '
            f"not {order!r}"
        )
    found = as_numbers("order", order)
    if found.shape != (dim,) or not np.array_equal(np.sort(found), ascending):
        found = np.asarray(order).tolist()
        raise ValueError(f"order must be a permutation of 1..{dim}, not {found}")
    return found.astype(int)


def hidden_degrees(
    inputs, widths, degrees, has_context: bool, rng, residual=False
) -> list[np.ndarray]:
    """The degrees of the hidden units, one array a layer.

    "equal"    max(min(1, D-1), ceil(k (D-1) / (u+1))) for k = 1..u: as many units of each degree
               1..D-1 as possible; with a context ceil(k D / (u+1)) - 1, degrees 0..D-1, so that
               the first variable has units that see the context
    "random"   uniform between the smallest degree of the layer before and D-1

    In a residual network, layers 3, 5, ... have the degrees of layer 1.
    """
    dim, lowest = len(inputs), 0 if has_context else min(1, len(inputs) - 1)
    if not isinstance(degrees, str):
        return _checked_degrees(degrees, widths, residual)
    if degrees == "equal":
        if has_context:
            return [_ceil_div(u, dim) - 1 for u in widths]
        return [np.maximum(lowest, _ceil_div(u, dim - 1)) for u in widths]
    if degrees == "random":
        layers = []
        for i, u in enumerate(widths):
            if residual and i > 0 and i % 2 == 0:
                layers.append(layers[0])
            else:
                layers.append(rng.integers(lowest, max(dim - 1, lowest), size=u, endpoint=True))
            lowest = int(layers[-1].min())
        return layers
    raise ValueError(f'degrees must be "equal", "random" or a list of arrays, not {degrees!r}')


def _ceil_div(u, steps):
    """ceil(k steps / (u+1)) for k = 1..u, in integers: no rounding."""
    return -(-np.arange(1, u + 1) * steps // (u + 1))


def _checked_degrees(degrees, widths, residual):
    layers = [as_integers("degrees", d) for d in degrees]
    lengths = [len(d) if d.ndim == 1 else d.shape for d in layers]
    if lengths != list(widths):
        raise ValueError(
            f"degrees must be integer arrays of lengths {list(widths)}, one per hidden layer; got "
            f"lengths {lengths}"
        )
    if any((d < 0).any() for d in layers):
        raise ValueError("degrees of hidden units must not be negative")
    if residual and any(not np.array_equal(d, layers[0]) for d in layers[2::2]):
        raise ValueError(
            "residual=True adds unit k of hidden layer 1 to unit k of layer 3, 3 to 5, ...: give "
            f"these layers the same degrees; got {[d.tolist() for d in layers[::2]]}"
        )
    return layers


def _bounds(degrees, dim: int) -> list[int]:
    """The place of the first unit of degree 0, 1, ..., D among a layer's units, sorted by degree,
    and their number. Units of degree D or more count as degree D: no output reads them."""
    begins = np.searchsorted(np.sort(degrees), np.arange(dim + 1)).tolist()
    return [*begins, len(degrees)]


def _warn_if_narrow(degrees, wanted, step=1):
    """Output d depends on input d-1 only through units of degree exactly d-1 in every layer."""
    for i in range(1, len(degrees), step):
        layer = degrees[i]
        missing = set(wanted) - set(layer.tolist())
        if missing:
            warn(
                f"MADE: hidden layer {i} of {len(layer)} units has no unit of degree "
                f"{sorted(missing)[:8]}, so some outputs cannot depend on all inputs before them; "
                f'the minimum width is {len(wanted)} units per layer with degrees="equal"'
            )
            return
