"""Linear bijectors that are set by data: Standardize and Whiten (fixed from then on), ActNorm
(trainable)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers, frozen, warn
from ..core.inputs import check_dim, check_event, named, show, where
from .bijector import Bijector, increasing_image

if TYPE_CHECKING:
    from ..core import Parametric
    from ..core.typing import ArrayLike, Bound, Context, DTypeLike, Seed, Self, Workspace


EXAMINED = 10_000  # rows, evenly spaced, that show whether a dtype is too coarse
LEAST = 1e-8  # the smallest variance that Whiten scales to 1, where the columns have variance 1


class Standardization(Bijector):
    """x = mean + A z with constants of the training data: what Standardize and Whiten share.

    A subclass names the attribute that holds A in `fitted`, after the mean. `reach`, of a context:
    how far its columns reach in training, see `reach_of`.
    """

    mean: np.ndarray
    reach: np.ndarray | None

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

    def _warn_if_coarse(self, dtype: np.dtype, scale: np.ndarray) -> None:
        """A warning if draws in this dtype take few values; scale (D,): that of each column."""
        if (np.abs(self.mean) * np.finfo(dtype).eps > scale).any():
            warn(
                f"{dtype} is too coarse for {self!r}: around its mean, numbers are further "
                "apart than its scale, so samples take few distinct values. Make the flow with "
                "dtype=float, or subtract the mean from the data"
            )


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

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Standardize:
        return self if self.initialized else self.with_moments(*_moments(x, self))

    def initialize_from_context(self, context: ArrayLike) -> Standardize:
        """`initialize` for a context: a constant column has scale 1. A context needs no density."""
        if self.initialized:
            return self
        mean, scale, _ = _mean_and_scale(context, self)
        return self.with_moments(mean, scale, reach_of(context))

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> Standardize:
        if self.initialized:
            return self
        mean, scale = _moments(x, self)  # of the input side: forward(x) is to be standardised
        with np.errstate(over="ignore"):  # `check_fitted` refuses it
            return self.with_moments(-mean / scale, 1 / scale)

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
        if forward:
            self._warn_if_coarse(at.dtype, self.scale)
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

    def solve(self, distance: np.ndarray, out: np.ndarray) -> np.ndarray:
        """z of distances x - mean, (D, N)."""
        return np.divide(distance, self.scale[:, None], out)

    solve_transposed = solve

    image = increasing_image

    def __repr__(self):
        if not self.initialized:
            return f"Standardize({self.dim})"
        mean, scale = show(self.mean, ".4g"), show(self.scale, ".4g")
        return f"Standardize({self.dim}, mean={mean}, scale={scale})"


class Whiten(Standardization):
    """x = mean + L z: the rows z of the training data are uncorrelated, with variance 1.

        z = L^-1 (x - mean)      L = diag(sd) V diag(sqrt(lambda))      log-det log |det L|

    lambda and V are the eigenvalues and eigenvectors of the correlation matrix, and sd the
    deviations of the columns: z are the principal components of the standardised columns, scaled to
    variance 1. In columns that are nearly copies of each other, such as neighbouring bands of a
    spectrum, what distinguishes the rows is in components with tiny variances, which a
    `Standardize` leaves tiny. `fit` (through `initialize`) sets the constants once, from the
    training rows; until then Whiten is the identity. The constants are not in `params`. Like
    Standardize, it computes in float64 and then casts.

    Nothing explodes: lambda is at least 1e-8, so that an exact copy of a column becomes a component
    of (nearly) 0; a constant column keeps its unit. Few rows determine components badly: with n
    rows the correlations are shrunk by the factor 1 - min(1, D / n)^2. Cost: O(D^2) per row in both
    directions; `initialize` takes O(n D^2 + D^3).

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(1000, 2)) @ [[1.0, 0.99], [0.0, 0.01]]
    >>> z = Whiten.from_data(x).inverse(x)
    >>> np.cov(z.T, bias=True).round(2) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    fitted = ("mean", "matrix", "reach", "initialized")

    def __init__(self, dim: int):
        super().__init__(dim)
        self.matrix = frozen(np.eye(self.dim))

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Whiten:
        return self if self.initialized else self.with_moments(*_principal(x, self))

    def initialize_from_context(self, context: ArrayLike) -> Whiten:
        """`initialize` for a context."""
        if self.initialized:
            return self
        return self.with_moments(*_principal(context, self), reach_of(context))

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> Whiten:
        if self.initialized:
            return self
        whiten = self.initialize(x)  # of the input side: forward(x) is to be whitened
        return self.with_moments(-whiten.inverse_matrix @ whiten.mean, whiten.inverse_matrix)

    @cached_property
    def _memo_inverse(self) -> np.ndarray:
        rows = np.abs(self.matrix).max(axis=1, keepdims=True)  # units differ
        columns = np.abs(self.matrix / rows).max(axis=0)
        return np.linalg.inv(self.matrix / rows / columns) / columns[:, None] / rows.T

    @property
    def inverse_matrix(self) -> np.ndarray:
        """L^-1, of shape (D, D)."""
        return self._memo_inverse

    def check_fitted(self) -> None:
        """A ValueError unless mean and matrix are finite and the matrix has an inverse."""
        if not (np.isfinite(self.mean).all() and np.isfinite(self.matrix).all()):
            raise ValueError(f"{self!r}: mean and matrix must be finite")
        if not np.isfinite(np.linalg.slogdet(self.matrix)[1]):
            raise ValueError(f"{self!r}: the matrix must have an inverse")
        if not self.initialized and (self.mean.any() or (self.matrix != np.eye(self.dim)).any()):
            raise ValueError(f"{self!r} is not initialised: its mean must be 0, its matrix I")

    def bind(self, at: Workspace, direction: str) -> Bound:
        mean, forward = self.mean[:, None], direction == "forward"
        matrix = self.matrix if forward else self.inverse_matrix  # float64, whatever the flow is
        if forward:
            self._warn_if_coarse(at.dtype, np.abs(self.matrix).max(axis=1))
        log_det = at.number(np.linalg.slogdet(matrix)[1])
        transposed = np.asarray(matrix.T, at.dtype)
        wide, distance = (
            at.scratch(name, self.dim, at.n_rows, dtype=float) for name in ("wide", "distance")
        )
        y, x_bar = (at.array(name, self.dim, at.n_rows) for name in ("y", "x_bar"))

        def run(x, l):
            if forward:
                np.add(np.matmul(matrix, x, wide), mean, wide)
            else:
                np.matmul(matrix, np.subtract(x, mean, distance), wide)
            np.copyto(y, wide, "same_kind")
            np.add(l, log_det, l)
            return y

        def back(y_bar, l_bar):
            return np.matmul(transposed, y_bar, x_bar)

        return run, back

    def solve(self, distance: np.ndarray, out: np.ndarray) -> np.ndarray:
        """z of distances x - mean, (D, N)."""
        return np.matmul(self.inverse_matrix, distance, out)

    def solve_transposed(self, bar: np.ndarray, out: np.ndarray) -> np.ndarray:
        """The gradient by distances, of the gradient by z."""
        return np.matmul(self.inverse_matrix.T, bar, out)

    def __repr__(self):
        if not self.initialized:
            return f"Whiten({self.dim})"
        return f"Whiten({self.dim}, mean={show(self.mean, '.4g')})"


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


def _principal(x, owner):
    """The mean and the matrix L of `Whiten`."""
    x, (mean, scale, flat) = as_numbers("x", x), _mean_and_scale(x, owner)
    z = (x - mean) / scale
    z[:, flat] = 0.0
    shrinkage = min(1.0, z.shape[1] / len(z)) ** 2
    correlations = (1 - shrinkage) * (z.T @ z) / len(z)
    np.fill_diagonal(correlations, 1.0)  # a constant column has variance 1 of its own
    values, vectors = np.linalg.eigh(correlations)
    largest = np.abs(vectors).argmax(axis=0)  # LAPACK leaves the signs open
    vectors *= np.sign(vectors[largest, np.arange(len(mean))])
    return mean, scale[:, None] * vectors * np.sqrt(np.maximum(values, LEAST))


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
