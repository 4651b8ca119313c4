"""Coupling bijectors: one part of the coordinates stays, the rest is transformed given it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from ..core import Parametric, by_autograd
from ..core.inputs import check_dim
from ..networks import MLP, Network, circular_indices, hidden_widths
from ..transformers import (
    Affine,
    Shift,
    Transformer,
    bind_transformer,
    check_transformer,
    for_coordinates,
)
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import Bound, DTypeLike, Hidden, Seed, Self, Weights, Workspace


class Coupling(Bijector):
    """x_A = z_A,  x_B = t(z_B; phi(z_A)): one pass in both directions.

        log |det dx/dz| = sum over B of log t'(z_i; phi_i)

    Cost: O(weights) per row in both directions.

    Parameters
    ----------
    dim : int
        D >= 2.
    num_masked : int
        Number of coordinates that do not change and feed the conditioner: the first num_masked, or
        the last -num_masked if it is negative; 1 <= |num_masked| <= D - 1.
    fraction_masked : float
        Instead of num_masked: num_masked = round(D * fraction_masked), with Python's rounding; the
        default is one half.
    transformer : Transformer
        Affine() (RealNVP), Shift() (NICE), ...
    hidden : sequence of int
        Widths of the conditioner's hidden layers (None: two of max(64, 2 D), three if residual).
    activation, context_dim, rng :
        As for `MLP`.
    conditioner : callable
        A network of your own instead of the MLP, (..., |A|) -> (..., |B|, n_out).
    dtype, residual :
        As for `MLP`.
    circular : sequence of int
        The coordinates that are angles. The conditioner reads each unchanged angle as its cosine
        and sine. Choose the transformers of the angles yourself, see `PerCoordinate`.

    References
    ----------
    Dinh, Krueger, Bengio 2015 (NICE); Dinh, Sohl-Dickstein, Bengio 2017, eqs. 7-8.

    Examples
    --------
    >>> Coupling(3, num_masked=-1, hidden=[16])
    Coupling(3, num_masked=-1, MLP(1, (2, 2), hidden=[16], 'relu'), Affine(log_scale_bound=2.0))
    """

    def __init__(
        self,
        dim: int,
        num_masked: int | None = None,
        fraction_masked: float | None = None,
        transformer: Transformer | None = None,
        hidden: Hidden = None,
        activation: str = "relu",
        context_dim: int = 0,
        rng: Seed = 0,
        conditioner: Parametric | None = None,
        dtype: DTypeLike = float,
        residual: bool = False,
        circular: Sequence[int] = (),
    ):
        self.dim = dim = check_dim("dim", dim)
        self.transformer = Affine() if transformer is None else transformer
        check_transformer(self.transformer)
        self.num_masked = _num_masked(dim, num_masked, fraction_masked)
        kept = abs(self.num_masked)
        out_shape = (dim - kept, self.transformer.n_out)
        if conditioner is None:
            hidden = hidden_widths(hidden, dim, residual)
            angles = np.isin(np.arange(dim)[self.kept], circular_indices(circular, dim))
            conditioner = MLP(
                kept, out_shape, hidden, activation, context_dim, rng, dtype, residual,
                np.flatnonzero(angles),
            )  # fmt: skip
        elif len(circular):
            raise ValueError("circular is for the coupling's own MLP: pass it to your conditioner")
        _check_conditioner(conditioner, kept, out_shape)
        self.parts = (conditioner,)
        self.context_dim = conditioner.context_dim

    @property
    def conditioner(self) -> Any:
        """The network that computes phi from the coordinates that stay."""
        return self.parts[0]

    def weights(self) -> list[tuple]:
        """The conditioner's [(W, b, C), ...], W (in, out); the last has columns d*n_out + j."""
        return self.conditioner.weights()

    def with_weights(self, weights: Weights) -> Self:
        """The same coupling with these weights, laid out as `weights()`."""
        conditioner = self.conditioner.with_weights(weights)
        return self.with_params(conditioner.params)

    @property
    def kept(self) -> slice:
        """A, the coordinates that stay and feed the conditioner."""
        return slice(0, self.num_masked) if self.num_masked > 0 else slice(self.num_masked, None)

    @property
    def changed(self) -> slice:
        """B, the coordinates that are transformed."""
        return slice(self.num_masked, None) if self.num_masked > 0 else slice(0, self.num_masked)

    def bind(self, at: Workspace, direction: str) -> Bound:
        if not isinstance(self.conditioner, MLP):  # a user's own
            return by_autograd(partial(self._by_methods, direction), at, self)
        kept, changed, n_rows = self.kept, self.changed, at.n_rows
        n_changed = self.dim - abs(self.num_masked)
        network, network_back = self.conditioner.bind(at)
        transformer = for_coordinates(self.transformer, range(self.dim)[changed])
        transform, transform_back = bind_transformer(transformer, at, direction, n_changed, changed)
        y, x_bar = at.array("coupled", self.dim, n_rows), at.array("x_bar", self.dim, n_rows)

        def run(x, l):
            x = np.ascontiguousarray(x, at.dtype)
            y[kept] = x[kept]
            y[changed], log_det = transform(x[changed], network(x[kept]))
            np.add(l, np.add.reduce(log_det), l)
            return y

        def back(y_bar, l_bar):
            x_bar[changed], phi_bar = transform_back(y_bar[changed], l_bar)
            through_phi = network_back(phi_bar)
            if through_phi is not None:
                np.add(y_bar[kept], through_phi, x_bar[kept])
            return x_bar

        return run, back

    def _by_methods(self, direction, params, x, context):
        """One direction in autograd.numpy."""
        transformer = for_coordinates(self.transformer, range(self.dim)[self.changed])
        transform = getattr(transformer, f"{direction}_and_log_det")
        kept, changed = x[..., self.kept], x[..., self.changed]
        y, log_det = transform(changed, self.conditioner(kept, params, context))
        pair = (kept, y) if self.num_masked > 0 else (y, kept)
        return anp.concatenate(pair, axis=-1), anp.sum(log_det, axis=-1)

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        names = ("dim", "num_masked", "transformer", "conditioner")
        return {name: getattr(self, name) for name in names}

    def __repr__(self):
        return (
            f"{type(self).__name__}({self.dim}, num_masked={self.num_masked}, "
            f"{self.conditioner!r}, {self.transformer!r})"
        )


def _check_conditioner(conditioner, kept, out_shape):
    if not isinstance(conditioner, Parametric) or not callable(conditioner):
        raise TypeError(
            f"conditioner must be an MLP, or a callable flowcore.core.Parametric: {conditioner!r}"
        )
    if isinstance(conditioner, Network):
        found = conditioner.dim, conditioner.out_shape
        if found != (kept, out_shape):
            raise ValueError(
                f"the conditioner must map {kept} numbers to shape {out_shape}, not {found[0]} to "
                f"{found[1]}"
            )


def _num_masked(dim, num_masked, fraction_masked) -> int:
    if dim < 2:
        raise ValueError(
            f"a coupling needs dim >= 2, not {dim}: with one coordinate nothing is left to "
            "condition on; a MaskedAutoregressiveFlow works at dim=1"
        )
    if num_masked is not None and fraction_masked is not None:
        raise ValueError(
            f"give num_masked or fraction_masked, not both ({num_masked} and {fraction_masked})"
        )
    origin = ""
    if num_masked is None:
        fraction = 0.5 if fraction_masked is None else float(fraction_masked)
        if not abs(fraction) < 1:
            raise ValueError(f"fraction_masked must lie between -1 and 1, not {fraction}")
        num_masked, origin = round(dim * fraction), f"fraction_masked={fraction} of dim={dim}: "
    if not 1 <= abs(num_masked) <= dim - 1 or num_masked != int(num_masked):
        raise ValueError(
            f"{origin}num_masked must be 1..{dim - 1} (or negative, for the last "
            f"coordinates), not {num_masked}"
        )
    return int(num_masked)


def RealNVP(
    dim: int,
    num_masked: int | None = None,
    fraction_masked: float | None = None,
    transformer: Transformer | None = None,
    **options: Any,
) -> Coupling:
    """One affine coupling layer, as TFP names it: Coupling(dim, ..., transformer=Affine()).

        x_A = z_A,  x_B = mu(z_A) + exp(alpha(z_A)) z_B        log-det: sum alpha

    A whole flow of them is `flowcore.flows.realnvp`.

    Parameters
    ----------
    dim, num_masked, fraction_masked :
        As for `Coupling`.
    transformer : Transformer
        Affine() unless given.
    **options
        Further arguments of `Coupling`.

    Returns
    -------
    Coupling
        The layer.

    References
    ----------
    Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", 2017.

    Examples
    --------
    >>> RealNVP(2, hidden=[8]).forward_log_det([[0.3, 0.1]])
    array([0.])
    """
    return Coupling(dim, num_masked, fraction_masked, transformer, **options)


def NICE(
    dim: int, num_masked: int | None = None, fraction_masked: float | None = None, **options: Any
) -> Coupling:
    """One additive coupling layer: Coupling(dim, ..., transformer=Shift()); volume preserving.

        x_A = z_A,  x_B = z_B + mu(z_A)                        log-det: 0

    A whole flow, with its trainable diagonal scaling, is `flowcore.flows.nice`.

    Parameters
    ----------
    dim, num_masked, fraction_masked :
        As for `Coupling`.
    **options
        Further arguments of `Coupling`.

    Returns
    -------
    Coupling
        The layer.

    References
    ----------
    Dinh, Krueger, Bengio, "NICE", 2015, eqs. 4-5.

    Examples
    --------
    >>> NICE(3, num_masked=1).conditioner
    MLP(1, (2, 1), hidden=[64, 64], 'relu')
    """
    return Coupling(dim, num_masked, fraction_masked, Shift(), **options)
