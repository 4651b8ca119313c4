"""Linear bijectors that are set by data: Standardize (fixed from then on), ActNorm (trainable)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..core import Step, as_numbers, frozen, warn
from ..core.inputs import check_dim, check_event, named, show, where
from .bijector import Bijector, increasing_image

if TYPE_CHECKING:
    from ..core import Parametric
    from ..core.typing import ArrayLike, Bound, Context, DTypeLike, Seed, Self, Workspace


EXAMINED = 10_000  # rows, evenly spaced, that show whether a dtype is too coarse


class Standardization(Bijector):
    """x = mean + A z with constants of the training data: what Standardize and Whiten share.

    A subclass names the attribute that holds A, in `fitted` after the mean, and has

    _moments(x)         the mean and A of rows x; of_context: a constant column is no error
    _inverted(mean, A)  the mean and A of the inverse map
    _linear(forward, dtype)   A z or A^-1 d as a step (argument, out); the same with A transposed,
                        in dtype; the log-dets of the coordinates, which are added up

    `reach` of a context: how far its columns reach in training, see `reach_of`; else None.
    """

    mean: np.ndarray
    reach: np.ndarray | None = None

    def __init__(self, dim: int):
        super().__init__(check_dim("dim", dim))
        self.mean, self.reach = frozen(np.zeros(self.dim)), None
        self.initialized = False

    @classmethod
    def from_data(cls, x: ArrayLike) -> Self:
        """The constants of the rows of x (n, D); variances have ddof = 0."""
        x = as_numbers("x", x)
        if x.ndim != 2:
            raise ValueError(f"{cls.__name__}.from_data takes rows of shape (n, D), not {x.shape}")
        return cls(x.shape[1]).initialize(x)

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Self:
        return self if self.initialized else self.with_moments(*self._moments(x))

    def initialize_from_context(self, context: ArrayLike) -> Self:
        """`initialize` for a context: a constant column has scale 1. A context needs no density."""
        if self.initialized:
            return self
        return self.with_moments(*self._moments(context, of_context=True), reach_of(context))

    def initialize_inverted(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Self:
        if self.initialized:
            return self
        with np.errstate(over="ignore"):  # `check_fitted` refuses it
            return self.with_moments(*self._inverted(*self._moments(x)))

    def with_moments(
        self, mean: np.ndarray, scale: np.ndarray, reach: np.ndarray | None = None
    ) -> Self:
        """The same bijector with these constants; ValueError unless they are finite and A is
        invertible."""
        new = self.with_params(self.params)
        new.mean, new.reach, new.initialized = frozen(mean), reach, True
        setattr(new, self.fitted[1], frozen(scale))
        new.check_fitted()
        return new

    def check_fitted(self) -> None:
        """A ValueError unless the constants are finite, and those of the identity at first."""
        name = self.fitted[1]
        scale, identity = getattr(self, name), getattr(type(self)(self.dim), name)
        if not (np.isfinite(self.mean).all() and np.isfinite(scale).all()):
            raise ValueError(f"{self!r}: mean and {name} must be finite")
        if not self.initialized and (self.mean.any() or (scale != identity).any()):
            raise ValueError(f"{self!r} is not initialised: its mean must be 0, its {name} 1")

    def bind(self, at: Workspace, direction: str) -> Bound:
        mean, forward = self.mean[:, None], direction == "forward"
        with np.errstate(over="ignore"):  # the slope of a scale of 1e-100 is no float32
            linear, transposed, log_dets = self._linear(forward, at.dtype)
        scale = np.abs(getattr(self, self.fitted[1])).reshape((self.dim, -1)).max(axis=1)
        if forward and (np.abs(self.mean) * np.finfo(at.dtype).eps > scale).any():
            warn(
                f"{at.dtype} is too coarse for {self!r}: around its mean, numbers are further "
                "apart than its scale, so samples take few distinct values. Make the flow with "
                "dtype=float, or subtract the mean from the data"
            )
        log_det, log_dets = at.number(log_dets.sum()), np.asarray(log_dets, at.dtype)
        wide, distance = (  # float64, whatever the flow is
            at.scratch(name, self.dim, at.n_rows, dtype=float) for name in ("wide", "distance")
        )
        y, x_bar = (at.array(name, self.dim, at.n_rows) for name in ("y", "x_bar"))

        def run(x, l):
            if forward:
                np.add(linear(x, wide), mean, wide)
            else:
                linear(np.subtract(x, mean, distance), wide)
            np.copyto(y, wide, "same_kind")
            if at.present is None:
                np.add(l, log_det, l)
            else:
                np.multiply(y, at.present, y)
                np.add(l, log_dets @ at.present, l)
            return y

        def back(y_bar, l_bar):
            return transposed(y_bar, x_bar)

        return run, back


class Standardize(Standardization):
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

    fitted = ("mean", "scale", "reach", "initialized")

    def __init__(self, dim: int):
        super().__init__(dim)
        self.scale = frozen(np.ones(self.dim))

    def _moments(self, x, of_context=False):
        mean, scale, flat = mean_and_scale(x, self)
        if flat.any() and not of_context:
            raise ValueError(
                f"column {np.flatnonzero(flat).tolist()} of the data is constant (standard "
                "deviation 0): a density over it does not exist; drop the column"
            )
        return mean, scale

    @staticmethod
    def _inverted(mean, scale):
        return -mean / scale, 1 / scale

    def check_fitted(self) -> None:
        """A ValueError unless mean and scale are finite and the scale is positive."""
        super().check_fitted()
        if not (self.scale > 0).all():
            raise ValueError(f"{self!r}: the scale must be positive")

    def _linear(self, forward, dtype):
        scale = self.scale[:, None]
        factor = np.asarray(scale if forward else 1 / scale, dtype)
        linear = Step(np.multiply, scale) if forward else (lambda d, out: np.divide(d, scale, out))
        return linear, Step(np.multiply, factor), np.log(self.scale if forward else 1 / self.scale)

    image = increasing_image

    def __repr__(self):
        if not self.initialized:
            return f"Standardize({self.dim})"
        mean, scale = show(self.mean, ".4g"), show(self.scale, ".4g")
        return f"Standardize({self.dim}, mean={mean}, scale={scale})"


class ActNorm(Bijector):
    """x = loc + exp(log_scale) z, trainable, set by the first data; log-det sum(log_scale).

        z = (x - loc) exp(-log_scale)       params = [loc (D), log_scale (D)]

    `fit` calls `initialize(x)` once, with the training rows: loc and scale are chosen such that z =
    inverse(x) has mean 0 and standard deviation 1 in every coordinate (inside an `Invert`,
    forward(z)). Before that call ActNorm is the identity, and values set by `with_params` would be
    overwritten; afterwards loc and log_scale are trained like all other parameters. A constant
    column gets scale 1. Cost: O(D) per row in both directions. Reference: Kingma & Dhariwal 2018
    (Glow), section 3.1; the paper's s and b are exp(-log_scale) and -loc exp(-log_scale).

    It takes the place of batch normalisation, which flowcore does not have: with the mean and
    variance of the batch, the density of a row would depend on the other rows.

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
        mean, scale, _ = mean_and_scale(x, self)
        return self._with(mean, np.log(scale))

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> ActNorm:
        if self.initialized:
            return self
        mean, scale, _ = mean_and_scale(x, self)  # forward(x) is to be standardised
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
    mean, scale, flat = mean_and_scale(x[:: -(-len(x) // EXAMINED)], owner)
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


@np.errstate(all="ignore")
def reach_of(rows: ArrayLike) -> np.ndarray:
    """(3, C): the smallest and the largest number of each column of rows (n, C), and the margin
    beyond which further numbers are far outside.

        margin = w max(1, (w / u)^3 / 10) (1 + (500 / n)^2)

    w is the width of the column, and u that of its central 90%. The powers spare new rows of a
    heavy-tailed column: where the largest number of n rows is far out, the next may be farther by
    orders of magnitude. A column whose central 90% is one number has no margin that is too large.
    """
    rows = as_numbers("context", rows)
    low, high = rows.min(axis=0), rows.max(axis=0)
    inner = np.quantile(rows[:: math.ceil(len(rows) / EXAMINED)], (0.05, 0.95), axis=0)
    width, ratio = high - low, (high - low) / (inner[1] - inner[0])
    margin = width * np.maximum(1, ratio**3 / 10) * (1 + (500 / len(rows)) ** 2)
    return frozen(np.stack([low, high, margin]))


@np.errstate(all="ignore")
def mean_and_scale(x, owner):
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
