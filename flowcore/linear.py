"""Linear bijectors: Standardize (fitted constants), ActNorm and LULinear (trainable)."""

from __future__ import annotations

import numpy as np

from .arguments import as_float, check_dim, check_event
from .bijector import Bijector, Permute
from .transformers import bounded

WIDE = np.dtype(float)


class Standardize(Bijector):
    """x = mean + scale * z, with mean and scale of the training data; log-det sum(log scale).

    A flow that ends in a Standardize is trained on well-scaled values, while its `log_prob` stays
    in the data's own units: the log-det cannot be forgotten. `fit` (through `initialize`) sets the
    constants from the training rows, once; `Standardize.from_data(X)` sets them at once. Until then
    it is the identity. The constants are not in `params`. Subtracts in float64, then casts: a
    float32 flow does not lose the small differences of large numbers.
    Cost: O(D) per row in both directions. Errors: ValueError naming a constant column.

    >>> s = Standardize.from_data([[1.0, 10.0], [3.0, 30.0]])
    >>> s.inverse([[3.0, 30.0]])
    array([[1., 1.]])
    >>> s
    Standardize(2, mean=[2, 20], scale=[1, 10])
    """

    _fitted = ("mean", "scale", "initialized")

    def __init__(self, dim: int):
        super().__init__(check_dim("dim", dim))
        self.mean, self.scale = np.zeros(dim), np.ones(dim)
        self.initialized = False

    @classmethod
    def from_data(cls, x) -> Standardize:
        """Mean and standard deviation (ddof = 0) of the rows of x (n, D)."""
        x = np.asarray(x)
        if x.ndim != 2 or x.dtype.kind not in "fiub":
            raise ValueError(
                f"Standardize.from_data takes numbers of shape (n, D), not {x.dtype} of {x.shape}"
            )
        return cls(x.shape[1]).initialize(x)

    def initialize(self, x, context=None, rng=None):
        return self if self.initialized else self._with(*_moments(x, self))

    def initialize_inverted(self, x, context=None, rng=None):
        if self.initialized:
            return self
        mean, scale = _moments(x, self)  # of the input side: forward(x) shall be standardised
        return self._with(-mean / scale, 1 / scale)

    def _with(self, mean, scale):
        new = self.with_params(self.params)
        new.mean, new.scale, new.initialized = mean, scale, True
        return new

    def forward_and_log_det(self, z, params=None, context=None):
        dtype = self._prepare(z, params, context)[1].dtype
        x = self.mean + self.scale * as_float(z, WIDE)
        return as_float(x, dtype), self._log_det(x.shape[:-1], dtype)

    def inverse_and_log_det(self, x, params=None, context=None):
        dtype = self._prepare(x, params, context)[1].dtype
        z = (as_float(x, WIDE) - self.mean) / self.scale
        return as_float(z, dtype), -self._log_det(z.shape[:-1], dtype)

    def _pull(self, direction, theta, x, context):
        value, log_det = getattr(self, f"{direction}_and_log_det")(x, theta)
        factor = self.scale if direction == "forward" else 1 / self.scale
        factor = factor.astype(theta.dtype)
        return value, log_det, lambda value_bar, l_bar: (theta, value_bar * factor, None)

    def _log_det(self, shape, dtype):
        return np.full(shape, np.log(self.scale).sum(), dtype)

    def __repr__(self):
        if not self.initialized:
            return f"Standardize({self.dim})"
        mean, scale = (
            f"[{', '.join(f'{v:.4g}' for v in values[:4])}{', ...' if self.dim > 4 else ''}]"
            for values in (self.mean, self.scale)
        )
        return f"Standardize({self.dim}, mean={mean}, scale={scale})"


class ActNorm(Bijector):
    """x = loc + exp(log_scale) z, trainable, set by the first data; log-det sum(log_scale).

        z = (x - loc) exp(-log_scale)       params = [loc (D), log_scale (D)]

    `initialize(x)` chooses loc and scale such that the rows z = inverse(x) have mean 0 and standard
    deviation 1 in every coordinate (inside an `Invert`: such that the rows forward(z) have); `fit`
    calls it once, with the training rows. From then on they are parameters like any other. Until
    then it is the identity, and other values given by `with_params` would be overwritten.
    A constant column, which inside a flow is no reason to stop, gets scale 1.
    Cost: O(D) per row in both directions. Reference: Kingma & Dhariwal 2018 (Glow), section 3.1,
    where s = exp(-log_scale) and b = -loc s of our names.

    There is no batch normalisation here: its mean and variance are those of the batch, so the
    density of a row would depend on the rows next to it, and those of evaluation would be a state
    that every training step changes. ActNorm serves the same end with neither.

    >>> b = ActNorm(2).initialize(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> b.inverse([[3.0, 30.0]])
    array([[1., 1.]])
    >>> b.params.round(3)
    array([ 2.   , 20.   ,  0.   ,  2.303])
    """

    _fitted = ("initialized",)

    def __init__(self, dim: int, dtype=float):
        dim = check_dim("dim", dim)
        super().__init__(dim, np.zeros(2 * dim, dtype))
        self.initialized = False

    def initialize(self, x, context=None, rng=None):
        if self.initialized:
            return self
        mean, scale, flat = _mean_and_scale(x, self)
        return self._with(mean, np.log(np.where(flat, 1.0, scale)))

    def initialize_inverted(self, x, context=None, rng=None):
        if self.initialized:
            return self
        mean, scale, flat = _mean_and_scale(x, self)  # forward(x) shall be standardised
        scale = np.where(flat, 1.0, scale)
        return self._with(-mean / scale, -np.log(scale))

    def _with(self, loc, log_scale):
        new = self.with_params(np.concatenate([loc, log_scale]).astype(self.params.dtype))
        new.initialized = True
        return new

    def forward_and_log_det(self, z, params=None, context=None):
        return self._by_pull("forward", *self._prepare(z, params, context))

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._by_pull("inverse", *self._prepare(x, params, context))

    def _pull(self, direction, theta, x, context):
        x = np.asarray(x, theta.dtype)
        loc, log_scale = theta[: self.dim], theta[self.dim :]
        sign = 1 if direction == "forward" else -1
        factor = np.exp(sign * log_scale)
        value = loc + factor * x if sign == 1 else (x - loc) * factor
        log_det = np.full(len(x), sign * log_scale.sum(), theta.dtype)

        def pullback(value_bar, l_bar):
            x_bar = value_bar * factor
            loc_bar, moved = (value_bar, x_bar * x) if sign == 1 else (-x_bar, value_bar * value)
            log_scale_bar = sign * (moved.sum(axis=0) + l_bar.sum())
            return np.concatenate([loc_bar.sum(axis=0), log_scale_bar]), x_bar, None

        return value, log_det, pullback


class LULinear(Bijector):
    """x = W z + b with W = P L (U + diag(s)), any invertible matrix up to the choice of P.

        log |det dx/dz| = sum_i log |s_i|       z = (U + diag(s))^-1 L^-1 P^-1 (x - b)

    P is a fixed permutation, L lower triangular with ones on its diagonal, U strictly upper
    triangular; s_i = sign_i exp(B tanh(raw_i / B)), so that every value of the parameters is valid.
    Reference: Kingma & Dhariwal 2018 (Glow), eqs. 10-11; there W maps data to base (`Invert` does
    that), and has no bias.

    dim              D
    permutation      "random" (drawn from `rng`), None (the identity), or entries as `Permute` takes
                     them: x[..., i] = y[..., permutation[i]] with y = L (U + diag(s)) z
    signs            of s, D numbers 1 or -1; None: all 1
    log_scale_bound  B > 0 keeps log |s| within (-B, B), so that nothing overflows; None: no bound
    rng              int or Generator, for a random permutation

    `params` holds the free entries, D^2 + D numbers: L row by row, U column by column, raw, b. All
    are 0 at first, which is x = P z (for signs 1). Cost: O(D^2) per row in both directions, one
    product with W or W^-1, and O(D^3) for these two, once per call (once per object for its own
    parameters). Errors: ValueError for what is no permutation, for signs other than 1 and -1, for
    a bound that is not positive.

    With a normal base this is the Gaussian with a full covariance matrix, exactly:

    >>> from autograd import value_and_grad
    >>> from scipy.optimize import minimize
    >>> from flowcore import Chain, Normal, TransformedDistribution
    >>> X = np.random.default_rng(0).standard_normal((500, 2)) @ [[3.0, 1.0], [0.0, 0.1]] + 5
    >>> flow = TransformedDistribution(Normal(2), Chain([Standardize.from_data(X), LULinear(2)]))
    >>> nll = value_and_grad(lambda theta: -flow.log_prob(X, params=theta).mean())
    >>> best = minimize(nll, flow.params, jac=True)
    >>> entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.cov(X.T, bias=True))[1]
    >>> bool(abs(best.fun - entropy) < 1e-6)
    True
    """

    def __init__(
        self,
        dim: int,
        permutation="random",
        signs=None,
        log_scale_bound: float | None = 20.0,
        rng: int | np.random.Generator = 0,
        dtype=float,
    ):
        dim = check_dim("dim", dim)
        if log_scale_bound is not None:
            log_scale_bound = float(log_scale_bound)
            if not 0 < log_scale_bound < np.inf:
                raise ValueError(
                    f"log_scale_bound must be a positive number or None, not {log_scale_bound}"
                )
        super().__init__(dim, np.zeros(dim * dim + dim, dtype))
        if isinstance(permutation, str):
            if permutation != "random":
                raise ValueError(
                    f'permutation must be "random", None or a list, not {permutation!r}'
                )
            permutation = np.random.default_rng(rng).permutation(dim)
        self.permutation = Permute(range(dim) if permutation is None else permutation).permutation
        if len(self.permutation) != dim:
            raise ValueError(f"permutation must have {dim} entries, not {self.permutation}")
        signs = np.ones(dim) if signs is None else np.asarray(signs)
        if signs.shape != (dim,) or not np.isin(signs, (1, -1)).all():
            raise ValueError(f"signs must be {dim} numbers 1 or -1, not {signs.tolist()}")
        self.signs = tuple(signs.astype(int).tolist())
        self.log_scale_bound = log_scale_bound

    @classmethod
    def from_lu(cls, lower_upper, permutation=None, bias=None, log_scale_bound=20.0) -> LULinear:
        """The one with these factors: `lower_upper` (D, D) holds L below its diagonal and
        U + diag(s) on and above it, as LAPACK packs them.

        `permutation` as in the constructor: W = (L (U + diag(s)))[permutation]. That is the one of
        `scipy.linalg.lu(W, p_indices=True)`; the one of `tf.linalg.lu` is its inverse, np.argsort
        of it. ValueError for a zero on the diagonal, or beyond the bound.

        >>> LULinear.from_lu([[2.0, 1.0], [3.0, -1.0]], [1, 0]).matrix()
        array([[6., 2.],
               [2., 1.]])
        """
        packed = np.array(lower_upper, float)
        if packed.ndim != 2 or packed.shape[0] != packed.shape[1]:
            raise ValueError(f"lower_upper must be a square matrix, not of shape {packed.shape}")
        diagonal = np.diag(packed)
        if not (np.isfinite(packed).all() and diagonal.all()):
            raise ValueError(f"lower_upper must be finite, and not 0 on its diagonal: {diagonal}")
        raw = np.log(np.abs(diagonal))
        if log_scale_bound is not None:
            if not (np.abs(raw) < log_scale_bound).all():
                raise ValueError(
                    f"log |s| = {raw} must lie within the bound of {log_scale_bound}: choose a "
                    "larger log_scale_bound, or None"
                )
            raw = log_scale_bound * np.arctanh(raw / log_scale_bound)
        new = cls(len(packed), permutation, np.sign(diagonal), log_scale_bound)
        bias = np.broadcast_to(0.0 if bias is None else bias, raw.shape)
        lower, upper = packed[new._below], packed.T[new._below]
        return new.with_params(np.concatenate([lower, upper, raw, bias]))

    def matrix(self) -> np.ndarray:
        """W, of shape (D, D): x = W z + b."""
        return self._matrices(self.params)[0][list(self.permutation)]

    @property
    def bias(self) -> np.ndarray:
        """b, of shape (D,)."""
        return self.params[-self.dim :]

    @property
    def _below(self):
        """Where a matrix is strictly below its diagonal; of its transpose: strictly above."""
        if "_memo_below" not in self.__dict__:
            self._memo_below = np.tri(self.dim, k=-1, dtype=bool)
        return self._memo_below

    def _factors(self, theta):
        """L, U + diag(s), log |s| and b."""
        n = self.dim * (self.dim - 1) // 2
        lower, upper = np.eye(self.dim, dtype=theta.dtype), np.zeros((self.dim,) * 2, theta.dtype)
        lower[self._below], upper.T[self._below] = theta[:n], theta[n : 2 * n]
        raw, bias = theta[2 * n : 2 * n + self.dim], theta[2 * n + self.dim :]
        log_s = bounded(raw, self.log_scale_bound)
        np.fill_diagonal(upper, np.asarray(self.signs, theta.dtype) * np.exp(log_s))
        return lower, upper, log_s, bias

    def _matrices(self, theta):
        """A = L (U + diag(s)) and its inverse, with the factors."""
        if theta is self.params and "_memo_matrices" in self.__dict__:
            return self._memo_matrices
        factors = lower, upper, *_ = self._factors(theta)
        # each is the inverse of an upper triangular matrix, where `inv` has nothing to eliminate:
        # plain back-substitution, which stays accurate however different the scales are
        matrices = lower @ upper, np.linalg.inv(upper) @ np.linalg.inv(lower.T).T, factors
        if theta is self.params:
            self._memo_matrices = matrices
        return matrices

    def forward_and_log_det(self, z, params=None, context=None):
        return self._by_pull("forward", *self._prepare(z, params, context))

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._by_pull("inverse", *self._prepare(x, params, context))

    def _pull(self, direction, theta, x, context):
        """y = A z, x = y[p] + b; with rows: z (N, D), A_bar = y_bar^T z."""
        x = np.asarray(x, theta.dtype)
        A, A_inv, (lower, upper, log_s, bias) = self._matrices(theta)
        there, back = list(self.permutation), np.argsort(self.permutation)
        if direction == "forward":
            value, sign = (x @ A.T)[:, there] + bias, 1
        else:
            value, sign = (x - bias)[:, back] @ A_inv.T, -1

        def pullback(value_bar, l_bar):
            if direction == "forward":
                y_bar = value_bar[:, back]
                A_bar, bias_bar, x_bar = y_bar.T @ x, value_bar.sum(axis=0), y_bar @ A
            else:
                y_bar = value_bar @ A_inv
                A_bar, x_bar = -(y_bar.T @ value), y_bar[:, there]
                bias_bar = -x_bar.sum(axis=0)
            lower_bar, upper_bar = A_bar @ upper.T, lower.T @ A_bar
            raw_bar = np.diag(upper_bar) * np.diag(upper) + sign * l_bar.sum()
            if self.log_scale_bound is not None:
                raw_bar = raw_bar * (1 - (log_s / self.log_scale_bound) ** 2)
            entries = lower_bar[self._below], upper_bar.T[self._below]
            return np.concatenate([*entries, raw_bar, bias_bar]), x_bar, None

        return value, np.full(len(x), sign * log_s.sum(), theta.dtype), pullback

    def _param_scale(self):
        entries = np.full(self.dim * (self.dim - 1), self.dim**-0.5)
        return np.concatenate([entries, np.ones(2 * self.dim)])


def _moments(x, owner):
    """Mean and standard deviation of every column; ValueError naming those that are constant."""
    mean, scale, flat = _mean_and_scale(x, owner)
    if flat.any():
        raise ValueError(
            f"column {np.flatnonzero(flat).tolist()} of the data is constant (standard deviation "
            "0): a density over it does not exist; drop the column"
        )
    return mean, scale


def _mean_and_scale(x, owner):
    """Mean and standard deviation of every column, in float64, and whether it is constant."""
    x = np.asarray(x)
    check_event(x, owner.dim, owner)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"{owner!r} is initialised from at least two rows (n, D), not {x.shape}")
    mean = np.mean(x, axis=0, dtype=float)
    scale = np.sqrt(np.mean((x - mean) ** 2, axis=0))
    if not np.isfinite(scale).all():
        rows = np.flatnonzero(~np.isfinite(x).all(axis=1))[:8].tolist()
        raise ValueError(f"the data of {owner!r} are not finite: NaN or inf in rows {rows}")
    return mean, scale, ~(scale > 1e-12 * np.abs(mean))
