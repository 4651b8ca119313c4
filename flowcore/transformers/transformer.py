"""Transformers: invertible scalar functions x = t(z; phi), elementwise, without state.

A transformer is the map that an autoregressive or coupling bijector applies to one coordinate;
`phi` are its parameters at that coordinate, computed by a conditioner. For z of shape (..., D), phi
is (..., D, n_out), and phi = 0 is the identity. Log-derivatives are not summed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Parametric, as_numbers, call, check_overrides, require, vjp_of

if TYPE_CHECKING:
    from ..core.typing import Array, ArrayLike, Bound, Self, Workspace


METHODS = ("forward_and_log_det", "inverse_and_log_det")


class Transformer:
    """x = t(z; phi) with t' > 0; `n_out` parameters per coordinate.

    Write the two methods in autograd.numpy: autograd differentiates them. Built-in transformers
    have `bind` instead, which holds value and gradient together. Both methods follow from `bind`.

    t' must be continuous. At a kink, where t' jumps, log t' jumps, too. As phi moves, points cross
    the kink. Each crossing changes the mean log-density, but no row's gradient shows this change.
    So the gradient of the mean would be wrong.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> class SinhShift(Transformer):  # x = sinh(arcsinh(z) + phi)
    ...     n_out = 1
    ...
    ...     def forward_and_log_det(self, z, phi):
    ...         return self._move(z, phi[..., 0])
    ...
    ...     def inverse_and_log_det(self, x, phi):
    ...         return self._move(x, -phi[..., 0])
    ...
    ...     def _move(self, z, shift):
    ...         y = anp.arcsinh(z) + shift
    ...         return anp.sinh(y), anp.log(anp.cosh(y)) - anp.log1p(z * z) / 2
    >>> x, log_det = SinhShift().forward_and_log_det(np.array([0.0]), np.array([[1.0]]))
    >>> x.round(4), log_det.round(4)
    (array([1.1752]), array([0.4338]))
    """

    n_out: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_overrides(cls, Transformer, METHODS)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        require(cls, Transformer, *METHODS)
        return super().__new__(cls)

    def forward_and_log_det(self, z: ArrayLike, phi: ArrayLike) -> tuple[Array, Array]:
        """x = t(z; phi) and log dt/dz, both of z's shape (..., D)."""
        return _call(self, "forward", z, phi)

    def inverse_and_log_det(self, x: ArrayLike, phi: ArrayLike) -> tuple[Array, Array]:
        """z = t^-1(x; phi) and log dz/dx, both of x's shape (..., D)."""
        return _call(self, "inverse", x, phi)

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        """y, log_det = run(x, phi) and x_bar, phi_bar = back(y_bar, l_bar), see `core.workspace`.

        x, y, log_det (dim, N); phi (dim, n_out, N); l_bar (N,), the gradient by every log_det.
        """
        transform, vjp = getattr(self, f"{direction}_and_log_det"), None

        def run(x, phi):
            nonlocal vjp
            args = x.T, np.moveaxis(phi, -1, 0)
            if at.tape:
                vjp, (y, log_det) = vjp_of(lambda args: transform(*args), args, self)
            else:
                y, log_det = transform(*args)
            if not np.shape(y) == np.shape(log_det) == args[0].shape:
                raise ValueError(
                    f"{self!r}: value and log-derivative must have the argument's shape "
                    f"{args[0].shape}, not {np.shape(y)} and {np.shape(log_det)}: not summed"
                )
            return y.T, log_det.T

        def back(y_bar, l_bar):
            x_bar, phi_bar = vjp((y_bar.T, np.broadcast_to(l_bar[:, None], y_bar.T.shape)))
            return x_bar.T, np.moveaxis(phi_bar, 0, -1)

        return run, back

    def of(self, i: int) -> Any:
        """The transformer of coordinate i, in most classes the same for all. See `PerCoordinate`.

        It reads the first n_out (its own) of the numbers phi at that coordinate.
        """
        return self

    def _settings(self) -> dict:
        return {name: v for name, v in vars(self).items() if not name.startswith("_memo")}

    def __eq__(self, other):
        if type(self) is not type(other):
            return False
        mine, others = self._settings(), other._settings()
        return mine.keys() == others.keys() and all(
            np.array_equal(value, others[name]) for name, value in mine.items()
        )

    def __hash__(self):
        return hash((type(self), *sorted(self._settings().items())))

    def __getstate__(self):
        return self._settings()

    def __repr__(self):
        settings = ", ".join(f"{name}={v!r}" for name, v in self._settings().items())
        return f"{type(self).__name__}({settings})"


def bind_transformer(transformer, at, direction: str, dim: int, coordinates: slice | None = None):
    """Its own `bind`; for an object without a base class, by autograd.

    coordinates: which ones of the event these are. Those that a row lacks get phi = 0, the
    identity: inside of a `Clamped`, where they are 0, they stay 0, and their log-derivative is 0.
    """
    if hasattr(transformer, "bind"):
        run, back = transformer.bind(at, direction, dim)
    else:
        run, back = Transformer.bind(transformer, at, direction, dim)
    if at.present is None or coordinates is None:
        return run, back
    present = at.present[coordinates, None]  # (dim, 1, N), beside phi

    def run_present(x, phi):
        return run(x, np.multiply(phi, present, phi))

    def back_present(y_bar, l_bar):
        x_bar, phi_bar = back(y_bar, l_bar)
        return x_bar, np.multiply(phi_bar, present, phi_bar)

    return run_present, back_present


def check_transformer(transformer):
    """A TypeError unless it is an object with n_out and both directions."""
    if isinstance(transformer, type) or not all(
        hasattr(transformer, name) for name in ("n_out", *METHODS)
    ):
        raise TypeError(f"transformer must be an object such as Affine(), not {transformer!r}")


class Pointwise(Parametric):
    """A transformer as a bijector of one coordinate that reads phi as its context."""

    dim = 1

    def __init__(self, transformer):
        self.transformer, self.context_dim = transformer, transformer.n_out

    def bind(self, at: Workspace, direction: str) -> Bound:
        transform, transform_back = self.transformer.bind(at, direction, 1)
        phi, phi_bar = at.array("phi", 1, *at.context.shape), at.context_bar[None]

        def run(x, l):
            phi[...] = at.context
            y, log_det = transform(np.asarray(x, at.dtype), phi)
            np.add(l, log_det[0], l)
            return y

        def back(y_bar, l_bar):
            x_bar, found = transform_back(y_bar, l_bar)
            np.add(phi_bar, found, phi_bar)
            return x_bar

        return run, back

    def __repr__(self):
        return repr(self.transformer)


def _call(transformer, direction, x, phi):
    """One direction of a transformer that writes `bind`: all numbers are rows of one coordinate."""
    x, phi = matched(transformer, x, phi, "z" if direction == "forward" else "x")
    rows, context = x.reshape((-1, 1)), phi.reshape((-1, transformer.n_out))
    if "_memo_pointwise" not in transformer.__dict__:  # of a copy, which has no memo: no circle
        transformer._memo_pointwise = Pointwise(copy.copy(transformer))
    y, log_det = call(transformer._memo_pointwise, direction, rows, None, context)
    return y.reshape(x.shape), log_det.reshape(x.shape)


def matched(transformer, x, phi, name="x"):
    """x and phi with the same leading axes; a ValueError with all shapes if phi does not hold n_out
    numbers for every x."""
    x, phi = as_numbers(name, x), as_numbers("phi", phi)
    if phi.shape == (*x.shape, transformer.n_out):
        return x, phi
    try:
        if phi.shape[-1:] != (transformer.n_out,):
            raise ValueError
        shape = np.broadcast_shapes(x.shape, phi.shape[:-1])
    except ValueError:
        raise ValueError(
            f"{transformer!r} takes phi of shape (..., {transformer.n_out}), with the leading axes "
            f"of its argument {x.shape}: not {phi.shape}"
        ) from None
    x = x if x.shape == shape else x + np.zeros(shape, x.dtype)
    return x, phi + np.zeros((*shape, 1), phi.dtype)
