"""Elementwise bijectors: every coordinate on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers, check_dim, constant, show
from ..transformers import Transformer, bind_transformer, check_transformer
from .bijector import Bijector, increasing_image
from .fixed_maps import FixedMap, column

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, DTypeLike, Workspace


class Elementwise(Bijector):
    """x_i = t(z_i; phi_i) with trainable phi, the same for all rows; log-det sum_i log t'(z_i).

    `Elementwise(D, Scale())` is the diagonal scaling of NICE. Cost: O(D) per row in both
    directions. A new Elementwise has phi = 0, the identity.

    Parameters
    ----------
    dim : int
        D.
    transformer : Transformer
        The map of each coordinate; `params` is phi, flattened from (D, n_out).
    dtype : dtype
        float64 or float32.

    Examples
    --------
    >>> from flowcore.transformers import Scale
    >>> Elementwise(2, Scale()).with_params([0.0, np.log(2.0)]).forward([1.0, 1.0])
    array([1., 2.])
    """

    def __init__(self, dim: int, transformer: Transformer, dtype: DTypeLike = float):
        check_transformer(transformer)
        dim = check_dim("dim", dim)
        super().__init__(dim, np.zeros(dim * transformer.n_out, dtype))
        self.transformer = transformer

    def bind(self, at: Workspace, direction: str) -> Bound:
        theta, theta_bar = (a.reshape(self.dim, -1) for a in at.params(self))
        transform, transform_back = bind_transformer(
            self.transformer, at, direction, self.dim, slice(None)
        )
        phi = at.array("phi", self.dim, self.transformer.n_out, at.n_rows)

        def run(x, l):
            phi[...] = theta[..., None]
            y, log_det = transform(np.ascontiguousarray(x, at.dtype), phi)
            np.add(l, np.add.reduce(log_det), l)
            return y

        def back(y_bar, l_bar):
            x_bar, phi_bar = transform_back(y_bar, l_bar)
            np.add.reduce(phi_bar, -1, None, theta_bar)
            return x_bar

        return run, back

    image = increasing_image

    def __repr__(self):
        return f"Elementwise({self.dim}, {self.transformer!r})"


class ElementwiseAffine(FixedMap):
    """x = loc + scale z with fixed loc and scale; log-det sum log |scale|, z = (x - loc) / scale.

    The scale may be negative. Errors: ValueError for a scale that is 0 or not finite, and if loc
    and scale are both numbers. `Elementwise(D, Affine())` trains loc and scale, `Standardize` takes
    them from data.

    Parameters
    ----------
    loc, scale : array_like
        Numbers or (D,) arrays, at least one of them an array, which sets D.

    Examples
    --------
    >>> ElementwiseAffine([1.0, 2.0], -2.0).forward([1.0, 1.0])
    array([-1.,  0.])
    """

    def __init__(self, loc: ArrayLike, scale: ArrayLike = 1.0):
        loc, scale = as_numbers("loc", loc), as_numbers("scale", scale)
        dims = {a.size for a in (loc, scale) if a.ndim == 1}
        if len(dims) != 1:
            raise ValueError(
                "one of loc and scale must be a vector of length D, or both: not "
                f"{show(loc)} and {show(scale)}"
            )
        super().__init__(dims.pop())
        self.loc, self.scale = constant("loc", loc, self.dim), constant("scale", scale, self.dim)
        if not np.all(self.scale):
            raise ValueError(f"scale must not be 0: {show(scale)}")

    def _constants(self, dtype):
        return column(self.loc, dtype), column(self.scale, dtype)

    def _f(self, z):
        loc, scale = self._constants(z.dtype)
        return loc + scale * z

    def _f_inverse(self, x):
        loc, scale = self._constants(x.dtype)
        return (x - loc) / scale

    def _log_slope(self, z):
        log_scale = np.log(np.abs(column(self.scale, z.dtype)))
        return np.broadcast_to(log_scale, z.shape), np.zeros_like(z)

    def _sign(self, z):
        return np.sign(column(self.scale, z.dtype))

    def __repr__(self):
        return f"ElementwiseAffine(loc={show(self.loc)}, scale={show(self.scale)})"
