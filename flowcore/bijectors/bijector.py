"""Bijectors, the parts of flows. Read `spec/reference.py` and the head of `core/workspace.py`
first.

A normalizing flow is an invertible map with a known Jacobian between a simple base density and
the data's density:

    forward = base -> data   x = f(z)       sampling
    inverse = data -> base   z = f^-1(x)    density

    log p(x) = log p_base(z) + log |det dz/dx|         (change of variables)

Conventions, here and everywhere:

* Events are vectors on the last axis: x is (..., D), every log-det is (...).
* Each direction returns its own log-det: log |det d out / d in|.
* A bijector is an immutable description that carries its own flat vector of parameters, `params`.
  Every method takes `params=` (other values, e.g. an autograd box) and `context=` (conditioning
  variables, shape (..., context_dim)).

A new bijector is two methods; everything else follows from them. Write them in autograd's NumPy
(`import autograd.numpy as anp`), so that autograd can differentiate them:

    class Shear(Bijector):                            # x = (z1, z2 + a z1)
        def __init__(self):
            super().__init__(dim=2, params=np.zeros(1))

        def forward_and_log_det(self, z, params=None, context=None):
            a = self.params if params is None else params
            x = anp.stack([z[..., 0], z[..., 1] + a[0] * z[..., 0]], axis=-1)
            return x, np.zeros(z.shape[:-1])

        def inverse_and_log_det(self, x, params=None, context=None):
            a = self.params if params is None else params
            z = anp.stack([x[..., 0], x[..., 1] - a[0] * x[..., 0]], axis=-1)
            return z, np.zeros(x.shape[:-1])

Built-in bijectors have one method instead, `bind`: it holds value, log-det and gradient together,
without autograd. See `core/workspace.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Parametric, by_autograd, call, check_overrides, require

if TYPE_CHECKING:
    from ..core.typing import Array, ArrayLike, Bound, Box, Context, Params, Seed, Self, Workspace

ANYWHERE = (-np.inf, np.inf)
METHODS = ("forward_and_log_det", "inverse_and_log_det")
DERIVED = ("forward", "inverse", "forward_log_det", "inverse_log_det")  # they follow from METHODS


class Bijector(Parametric):
    """An invertible, differentiable map of vectors with a computable log-determinant.

    A subclass sets the attributes that differ from the defaults:

    context_dim        the width of the context, if it reads one
    parts              the bijectors that it wraps
    domain, codomain   the ranges of z and x, if not the whole line: (low, high), numbers or (D,)
                       arrays
    initialize         overridden if it takes constants from data (and `initialize_inverted`, to
                       work inside an `Invert`); the result has `initialized = True`

    Parameters
    ----------
    dim : int
        D, the length of the last axis.
    params : array_like
        Its own parameters, a flat vector; None: none, or only those of its parts.

    Examples
    --------
    >>> class Reverse(Bijector):
    ...     def forward_and_log_det(self, z, params=None, context=None):
    ...         return z[..., ::-1], np.zeros(z.shape[:-1])
    ...
    ...     def inverse_and_log_det(self, x, params=None, context=None):
    ...         return x[..., ::-1], np.zeros(x.shape[:-1])
    >>> Reverse(3).forward(np.array([1.0, 2.0, 3.0]))
    array([3., 2., 1.])
    """

    dim: int
    domain: tuple = ANYWHERE
    codomain: tuple = ANYWHERE

    def __repr__(self):
        return f"{type(self).__name__}({self.dim})"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_overrides(cls, Bijector, METHODS, DERIVED)
        own = vars(cls)
        if "initialize" in own and "initialized" not in own and cls.initialized is True:
            cls.initialized = False  # until an instance sets it

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        require(cls, Bijector, *METHODS)
        return super().__new__(cls)

    def __init__(self, dim: int, params: ArrayLike | None = None):
        self.dim = dim
        if params is not None:
            self.params = params

    def forward_and_log_det(
        self, z: ArrayLike, params: Params = None, context: Context = None
    ) -> tuple[Array, Array]:
        """x = f(z) of shape (..., D), and log |det dx/dz| of shape (...)."""
        return call(self, "forward", z, params, context)

    def inverse_and_log_det(
        self, x: ArrayLike, params: Params = None, context: Context = None
    ) -> tuple[Array, Array]:
        """z = f^-1(x) of shape (..., D), and log |det dz/dx| of shape (...)."""
        return call(self, "inverse", x, params, context)

    def bind(self, at: Workspace, direction: str) -> Bound:
        """One direction, bound to a workspace: y = run(x, l) and x_bar = back(y_bar, l_bar).

        x, y are (D, N). run adds the log-det to l (N,); back writes its part of the gradient of
        theta. See `core.workspace`.
        """
        method = getattr(self, f"{direction}_and_log_det")
        return by_autograd(lambda theta, x, context: method(x, theta, context), at, self)

    def forward(self, z: ArrayLike, params: Params = None, context: Context = None) -> Array:
        """x = f(z): from the base to the data (sampling)."""
        return self.forward_and_log_det(z, params, context)[0]

    def inverse(self, x: ArrayLike, params: Params = None, context: Context = None) -> Array:
        """z = f^-1(x): from the data to the base (density)."""
        return self.inverse_and_log_det(x, params, context)[0]

    def forward_log_det(
        self, z: ArrayLike, params: Params = None, context: Context = None
    ) -> Array:
        """log |det dx/dz| at z, in nats."""
        return self.forward_and_log_det(z, params, context)[1]

    def inverse_log_det(
        self, x: ArrayLike, params: Params = None, context: Context = None
    ) -> Array:
        """log |det dz/dx| at x, in nats; equals -forward_log_det at z = f^-1(x)."""
        return self.inverse_and_log_det(x, params, context)[1]

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Bijector:
        """This bijector with its data-dependent constants set from outputs x (n, D).

        `fit` calls it once. An initialised bijector returns itself, and so does one that has
        nothing to initialise.
        """
        return self

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> Bijector:
        """`initialize` inside of an `Invert`: x are inputs of this bijector."""
        if not self.initialized:
            raise NotImplementedError(
                f"{type(self).__name__} is set from data, and inside an Invert: write its "
                "initialize_inverted(x, context, rng), where x are its inputs"
            )
        return self

    def steps(self, direction: str) -> list[tuple[Bijector, str]]:
        """[(part, the direction it is run in), ...] in the order in which they are run."""
        return [(self, direction)]

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        """(low, high): a box that contains the image of the given box, in this direction.

        Points where the map is not defined do not count. Override it if every coordinate is mapped
        independently; write `image = increasing_image` if these maps are increasing.
        """
        return self.codomain if direction == "forward" else self.domain


def increasing_image(bijector: Bijector, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
    """The image of a box, if each coordinate has an increasing map from the line onto itself.

    Write `image = increasing_image` in the class of such a bijector.

    Parameters
    ----------
    bijector : Bijector
        The map.
    direction : str
        "forward" or "inverse".
    low, high : array_like
        The box: numbers or (D,) arrays, which may be infinite.

    Returns
    -------
    tuple
        (low, high) of its image, (D,) each.
    """
    run = getattr(bijector, direction)
    ends = [np.broadcast_to(np.asarray(end, float), bijector.dim) for end in (low, high)]
    return tuple(np.where(np.isinf(end), end, run(np.where(np.isinf(end), 0, end))) for end in ends)
