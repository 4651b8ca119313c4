"""A different transformer for each coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from .transformer import Transformer, bind_transformer, check_transformer, matched

if TYPE_CHECKING:
    from ..core.typing import Array, ArrayLike, Bound, Workspace


class PerCoordinate(Transformer):
    """x_i = t_i(z_i; phi_i): a different transformer for each coordinate, as on a cylinder.

    n_out is the largest of the transformers' n_out; t_i reads the first t_i.n_out numbers of phi_i.
    `of(i)` is t_i. Equal transformers run together. Do not put a `PerCoordinate` into a `Compose`:
    put the `Compose` into the `PerCoordinate`. A coupling uses the transformers of the coordinates
    that it changes. Errors: ValueError for no transformer, or for another number of coordinates.

    Parameters
    ----------
    transformers : sequence of Transformer
        t_1, ..., t_D, one for each coordinate.
    n_out : int
        Numbers per coordinate; default: the largest n_out of the transformers.

    Examples
    --------
    >>> from flowcore import Affine, Shift
    >>> both = PerCoordinate([Shift(), Affine()])
    >>> both.n_out, both.of(0)
    (2, Shift())
    """

    def __init__(self, transformers: Sequence[Transformer], n_out: int | None = None):
        self.transformers = tuple(transformers)
        if not self.transformers:
            raise ValueError("PerCoordinate needs at least one transformer")
        for part in self.transformers:
            check_transformer(part)
        most = max(part.n_out for part in self.transformers)
        self.n_out = most if n_out is None else int(n_out)
        if self.n_out < most:
            raise ValueError(f"n_out={n_out}, but one of the transformers reads {most} numbers")

    def of(self, i: int) -> Any:
        """The transformer of coordinate i."""
        return self.transformers[i]

    def forward_and_log_det(self, z: ArrayLike, phi: ArrayLike) -> tuple[Array, Array]:
        return self._each("forward_and_log_det", z, phi)

    def inverse_and_log_det(self, x: ArrayLike, phi: ArrayLike) -> tuple[Array, Array]:
        return self._each("inverse_and_log_det", x, phi)

    def _each(self, method, x, phi):
        if np.shape(x)[-1:] != (len(self.transformers),):
            raise ValueError(
                f"{self!r} is for {len(self.transformers)} coordinates: x has shape {np.shape(x)}"
            )
        x, phi = matched(self, x, phi)
        pairs = [
            getattr(part, method)(x[..., i], phi[..., i, : part.n_out])
            for i, part in enumerate(self.transformers)
        ]
        return tuple(anp.stack(found, axis=-1) for found in zip(*pairs, strict=True))

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        if dim != len(self.transformers):
            raise ValueError(f"{self!r} is for {len(self.transformers)} coordinates, not {dim}")
        bound = []
        kinds: list[Transformer] = []  # without their hashes: not every one has one
        for part in self.transformers:
            kinds += [] if part in kinds else [part]
        for part in kinds:
            here = [i for i, other in enumerate(self.transformers) if other == part]
            run, back = bind_transformer(part, at, direction, len(here))
            bound.append((here, slice(0, part.n_out), run, back))
        shape = dim, at.n_rows
        y, log_det, x_bar = (at.array(name, *shape) for name in ("each", "each log", "each bar"))
        phi_bar = at.scratch("each phi", dim, self.n_out, at.n_rows)

        def run(x, phi):
            x = np.array(x)  # a part may write to where x stands
            for here, own, transform, _ in bound:
                y[here], log_det[here] = transform(x[here], phi[here, own])
            return y, log_det

        def back(y_bar, l_bar):
            phi_bar.fill(0)
            for here, own, _, transform_back in bound:
                x_bar[here], phi_bar[here, own] = transform_back(y_bar[here], l_bar)
            return x_bar, phi_bar

        return run, back

    def __repr__(self):
        return f"PerCoordinate({list(self.transformers)})"


def for_coordinates(transformer, coordinates: Sequence[int]):
    """A transformer for some of the coordinates, in this order, with the same n_out."""
    if not isinstance(transformer, PerCoordinate):
        return transformer
    return PerCoordinate([transformer.of(i) for i in coordinates], transformer.n_out)


def transformer_of(transformer, i: int):
    """The transformer of coordinate i; for an object without a base class, the object itself."""
    return transformer.of(i) if isinstance(transformer, Transformer) else transformer
