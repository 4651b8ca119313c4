"""Linear bijectors that are set by data: Standardize (fixed from then on), ActNorm (trainable)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers, frozen, warn
from ..core.inputs import check_dim, check_event, named, show, where
from .bijector import Bijector, increasing_image

if TYPE_CHECKING:
    from ..core import Parametric
    from ..core.typing import ArrayLike, Bound, Context, DTypeLike, Seed, Workspace


EXAMINED = 10_000  # rows, evenly spaced, that show whether a dtype is too coarse


class Standardize(Bijector):
    """x = mean + scale * z, with mean and scale of the training data; log-det sum(log scale).

    A flow that ends in a Standardize is trained on well-scaled values, and its `log_prob` is in the
    data's own units, because it includes the log-det. `fit` (through `initialize`) sets the
    constants once, from the training rows; `Standardize.from_data(X)` sets them at once. Until then
    Standardize is the identity. The constants are not in `params`. Standardize subtracts in float64
    and then casts, so a float32 flow does not lose the small differences of large numbers. Cost:
    O(D) per row in both directions. Errors: ValueError that names a constant column.

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> s = Standardize.from_data([[1.0, 10.0], [3.0, 30.0]])
    >>> s.inverse([[3.0, 30.0]])
    array([[1., 1.]])
    >>> s
    Standardize(2, mean=[2, 20], scale=[1, 10])
    """

    fitted = ("mean", "scale", "initialized")

    def __init__(self, dim: int):
        dim = check_dim("dim", dim)
        super().__init__(dim)
        self.mean, self.scale = frozen(np.zeros(dim)), frozen(np.ones(dim))
        self.initialized = False

    @classmethod
    def from_data(cls, x: ArrayLike) -> Standardize:
        """Mean and standard deviation (ddof = 0) of the rows of x (n, D)."""
        x = as_numbers("x", x)
        if x.ndim != 2:
            raise ValueError(f"Standardize.from_data takes rows of shape (n, D), not {x.shape}")
        return cls(x.shape[1]).initialize(x)

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Standardize:
        return self if self.initialized else self.with_moments(*_moments(x, self))

    def initialize_from_context(self, context: ArrayLike) -> Standardize:
        """`initialize` for a context: a constant column has scale 1. A context needs no density."""
        if self.initialized:
            return self
        mean, scale, _ = _mean_and_scale(context, self)
        return self.with_moments(mean, scale)

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> Standardize:
        if self.initialized:
            return self
        mean, scale = _moments(x, self)  # of the input side: forward(x) is to be standardised
        with np.errstate(over="ignore"):  # `check_fitted` refuses it
            return self.with_moments(-mean / scale, 1 / scale)

    def with_moments(self, mean: np.ndarray, scale: np.ndarray) -> Standardize:
        """A Standardize with this mean and scale, (D,); ValueError unless the scale is positive."""
        new = self.with_params(self.params)
        new.mean, new.scale, new.initialized = frozen(mean), frozen(scale), True
        new.check_fitted()
        return new

    def check_fitted(self) -> None:
        """A ValueError unless mean and scale are finite and the scale is positive."""
        if not (np.isfinite(self.mean).all() and np.isfinite(self.scale).all()):
            raise ValueError(f"{self!r}: mean and scale must be finite")
        if not (self.scale > 0).all():
            raise ValueError(f"{self!r}: the scale must be positive")
        if not self.initialized and (self.mean.any() or (self.scale != 1).any()):
            raise ValueError(f"{self!r} is not initialised: its mean must be 0, its scale 1")

    def bind(self, at: Workspace, direction: str) -> Bound:
        mean, scale = self.mean[:, None], self.scale[:, None]  # float64, whatever the flow is
        forward, log_det = direction == "forward", np.log(self.scale).sum()
        if forward and (np.abs(self.mean) * np.finfo(at.dtype).eps > self.scale).any():
            warn(
                f"{at.dtype} is too coarse for {self!r}: around its mean, numbers are further "
                "apart than its scale, so samples take few distinct values. Make the flow with "
                "dtype=float, or subtract the mean from the data"
            )
        log_det = at.number(log_det if forward else -log_det)
        log_dets = np.asarray(np.log(self.scale if forward else 1 / self.scale), at.dtype)
        factor = np.asarray(scale if forward else 1 / scale, at.dtype)
        wide = at.scratch("wide", self.dim, at.n_rows, dtype=float)
        y, x_bar = (at.array(name, self.dim, at.n_rows) for name in ("y", "x_bar"))

        def run(x, l):
            if forward:
                np.add(np.multiply(x, scale, wide), mean, wide)
            else:
                np.divide(np.subtract(x, mean, wide), scale, wide)
            np.copyto(y, wide, "same_kind")
            if at.present is None:
                np.add(l, log_det, l)
            else:
                np.multiply(y, at.present, y)
                np.add(l, log_dets @ at.present, l)
            return y

        def back(y_bar, l_bar):
            return np.multiply(y_bar, factor, x_bar)

        return run, back

    image = increasing_image

    def __repr__(self):
        if not self.initialized:
            return f"Standardize({self.dim})"
        mean, scale = show(self.mean, ".4g"), show(self.scale, ".4g")
        return f"Standardize({self.dim}, mean={mean}, scale={scale})"


class ActNorm(Bijector):
    """x = loc + exp(log_scale) z, trainable, set by the first data; log-det sum(log_scale).

        z = (x - loc) exp(-log_scale)       params = [loc (D), log_scale (D)]

    `initialize(x)` chooses loc and scale such that the rows z = inverse(x) have mean 0 and standard
    deviation 1 in every coordinate. Inside an `Invert` the rows forward(z) get this mean and
    deviation. `fit` calls `initialize` once, with the training rows. Before that call ActNorm is
    the identity, and values set by `with_params` would be overwritten. After the call loc and
    log_scale are trained like all other parameters. A constant column gets scale 1, because it is
    no error inside a flow. Cost: O(D) per row in both directions. Reference: Kingma & Dhariwal 2018
    (Glow), section 3.1; the paper's s and b are exp(-log_scale) and -loc exp(-log_scale).

    flowcore has no batch normalisation, because with the mean and variance of the batch the density
    of a row would depend on the other rows. The averages for evaluation would be a state that every
    training step changes. ActNorm has the same purpose without these problems.

    Parameters
    ----------
    dim : int
        D.
    dtype : dtype
        float64 or float32.

    Examples
    --------
    >>> b = ActNorm(2).initialize(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> b.inverse([[3.0, 30.0]])
    array([[1., 1.]])
    >>> b.params.round(3)
    array([ 2.   , 20.   ,  0.   ,  2.303])
    """

    fitted = ("initialized",)

    def __init__(self, dim: int, dtype: DTypeLike = float):
        dim = check_dim("dim", dim)
        super().__init__(dim, np.zeros(2 * dim, dtype))
        self.initialized = False

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> ActNorm:
        if self.initialized:
            return self
        check_resolution(as_numbers("x", x), self)
        mean, scale, _ = _mean_and_scale(x, self)
        return self._with(mean, np.log(scale))

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> ActNorm:
        if self.initialized:
            return self
        mean, scale, _ = _mean_and_scale(x, self)  # forward(x) is to be standardised
        return self._with(-mean / scale, -np.log(scale))

    def _with(self, loc, log_scale):
        new = self.with_params(np.concatenate([loc, log_scale]).astype(self.params.dtype))
        new.initialized = True
        return new

    def bind(self, at: Workspace, direction: str) -> Bound:
        theta, theta_bar = (a.reshape(2, self.dim) for a in at.params(self))
        (loc, log_scale), (loc_bar, log_scale_bar) = theta[..., None], theta_bar
        sign, x, y = 1 if direction == "forward" else -1, None, None

        def run(argument, l):
            nonlocal x, y
            x = np.ascontiguousarray(argument, at.dtype)
            factor = np.exp(sign * log_scale)
            y = loc + factor * x if sign == 1 else (x - loc) * factor
            np.add(l, sign * log_scale.sum(), l)
            return y

        def back(y_bar, l_bar):
            x_bar = y_bar * np.exp(sign * log_scale)
            moved, scaled = (y_bar, x_bar * x) if sign == 1 else (-x_bar, y_bar * y)
            loc_bar[...] = moved.sum(axis=1)
            log_scale_bar[...] = sign * (scaled.sum(axis=1) + l_bar.sum())
            return x_bar

        return run, back

    image = increasing_image

    def __repr__(self):
        return f"ActNorm({self.dim}{', initialized' if self.initialized else ''})"


def check_resolution(x: ArrayLike, owner: Parametric) -> None:
    """A ValueError, or a warning, if the dtype of a flow is too coarse for the rows x (n, D).

    Near its mean m, floats are |m| eps apart. If that is not small compared with the standard
    deviation, samples have few distinct values, however good the density is.
    """
    dtype = np.finfo(owner.params.dtype)
    if np.ndim(x) != 2 or len(x) < 2:
        return
    mean, scale, flat = _mean_and_scale(x[:: -(-len(x) // EXAMINED)], owner)
    with np.errstate(under="ignore"):
        step = np.maximum(np.abs(mean) * dtype.eps, dtype.tiny)
        coarse = np.flatnonzero((step > 1e-3 * scale) & ~flat)
    if not coarse.size:
        return
    worst = max(coarse, key=lambda i: step[i] / scale[i])
    message = (
        f"{dtype.dtype} is too coarse for {named('column', coarse)} of the data: around "
        f"{mean[worst]:.4g}, the mean of column {worst}, its numbers are {step[worst]:.2g} apart, "
        f"and the standard deviation is {scale[worst]:.2g}. So samples would take few distinct "
        "values: subtract the mean from the data"
        + (", or make the flow with dtype=float" if dtype.dtype != float else "")
    )
    if step[worst] > scale[worst]:
        raise ValueError(message)
    warn(message)


def _moments(x, owner):
    """Mean and standard deviation of every column; ValueError naming those that are constant."""
    mean, scale, flat = _mean_and_scale(x, owner)
    if flat.any():
        raise ValueError(
            f"column {np.flatnonzero(flat).tolist()} of the data is constant (standard deviation "
            "0): a density over it does not exist; drop the column"
        )
    return mean, scale


@np.errstate(all="ignore")
def _mean_and_scale(x, owner):
    """Mean and standard deviation of every column, in float64, and whether it is constant (then
    the deviation is 1)."""
    x = as_numbers("x", x)
    check_event(x, owner.dim, owner)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"{owner!r} is initialised from at least two rows (n, D), not {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(
            f"the data of {owner!r} are not finite: NaN or inf {where(~np.isfinite(x))}"
        )
    mean = np.mean(x, axis=0, dtype=float)
    distance = x - mean
    most = np.maximum(distance.max(axis=0), -distance.min(axis=0))
    if not np.isfinite(most).all():
        raise ValueError(f"the data of {owner!r} are too large: their differences are no floats")
    flat = (x == x[0]).all(axis=0) | (most <= 8 * np.finfo(float).eps * np.abs(mean))
    unit = np.ldexp(0.5, np.frexp(most)[1])  # the squares of huge or tiny distances are no floats
    distance /= unit
    return mean, np.where(flat, 1.0, unit * np.sqrt(np.mean(distance**2, axis=0))), flat
