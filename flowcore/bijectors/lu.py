"""A general invertible linear map, kept as its LU decomposition: `LULinear`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import as_numbers, check_dim
from ..transformers.affine import bounded, checked_bound
from .algebra import Permute
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, DTypeLike, Seed, Workspace


class LULinear(Bijector):
    """x = W z + b with W = P L (U + diag(s)); for a suitable P, any invertible matrix.

        log |det dx/dz| = sum_i log |s_i|       z = (U + diag(s))^-1 L^-1 P^-1 (x - b)

    P is a fixed permutation, L lower triangular with ones on its diagonal, U strictly upper
    triangular; s_i = sign_i exp(B tanh(raw_i / B)), so that every value of the parameters is valid.

    `params` holds the free entries, D^2 + D numbers: L row by row, U column by column, raw, b. In a
    new object all entries are 0, so x = P z (for signs 1). Cost: in both directions one product
    with W or W^-1 per row, O(D^2). W and W^-1 take O(D^3), once per call (once per object for its
    own parameters). Errors: ValueError for anything but a permutation, for signs other than 1 and
    -1, for a bound that is not positive.

    Parameters
    ----------
    dim : int
        D.
    permutation : str or array_like
        "random" (drawn from `rng`), None (the identity), or entries as `Permute` takes them:
        x[..., i] = y[..., permutation[i]] with y = L (U + diag(s)) z.
    signs : array_like
        The signs of s, D numbers 1 or -1; None: all 1.
    log_scale_bound : float
        B > 0 keeps log |s| within (-B, B), so that nothing overflows; None: no bound.
    rng : int or numpy Generator
        For a random permutation.
    dtype : dtype
        float64 or float32.

    References
    ----------
    Kingma & Dhariwal 2018 (Glow), eqs. 10-11; there W maps data to base (`Invert` does that), and
    has no bias.

    Examples
    --------
    With a normal base this is the Gaussian with a full covariance matrix, exactly:

    >>> from autograd import value_and_grad
    >>> from scipy.optimize import minimize
    >>> from flowcore import Chain, Normal, Standardize, TransformedDistribution
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
        permutation: str | ArrayLike | None = "random",
        signs: ArrayLike | None = None,
        log_scale_bound: float | None = 20.0,
        rng: Seed = 0,
        dtype: DTypeLike = float,
    ):
        dim = check_dim("dim", dim)
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
        found = np.ones(dim) if signs is None else as_numbers("signs", signs)
        if found.shape != (dim,) or not np.isin(found, (1, -1)).all():
            found = np.asarray(signs).tolist()
            raise ValueError(f"signs must be {dim} numbers 1 or -1, not {found}")
        self.signs = tuple(found.astype(int).tolist())
        self.log_scale_bound = checked_bound(log_scale_bound)

    @classmethod
    def from_lu(
        cls,
        lower_upper: ArrayLike,
        permutation: ArrayLike | None = None,
        bias: ArrayLike | None = None,
        log_scale_bound: float | None = 20.0,
    ) -> LULinear:
        """The map with these factors: `lower_upper` (D, D) holds L below its diagonal and
        U + diag(s) on and above it, as LAPACK packs them.

        `permutation` as in the constructor: W = (L (U + diag(s)))[permutation], as in
        `scipy.linalg.lu(W, p_indices=True)`. If you have the permutation of `tf.linalg.lu`, which
        is the inverse, pass its np.argsort. ValueError for a zero on the diagonal, or for values
        beyond the bound.

        >>> LULinear.from_lu([[2.0, 1.0], [3.0, -1.0]], [1, 0]).matrix()
        array([[6., 2.],
               [2., 1.]])
        """
        packed = np.array(as_numbers("lower_upper", lower_upper), float)
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
        lower, upper = packed[new._memo_below], packed.T[new._memo_below]
        return new.with_params(np.concatenate([lower, upper, raw, bias]))

    def matrix(self) -> np.ndarray:
        """W, of shape (D, D): x = W z + b."""
        return self._matrices(self.params)[0][list(self.permutation)]

    @property
    def bias(self) -> np.ndarray:
        """b, of shape (D,)."""
        return self.params[-self.dim :]

    @cached_property
    def _memo_below(self) -> np.ndarray:
        """Mask of the entries strictly below the diagonal; for the transpose: strictly above."""
        return np.tri(self.dim, k=-1, dtype=bool)

    def _factors(self, theta):
        """L, U + diag(s), log |s| and b."""
        n = self.dim * (self.dim - 1) // 2
        lower, upper = np.eye(self.dim, dtype=theta.dtype), np.zeros((self.dim,) * 2, theta.dtype)
        lower[self._memo_below], upper.T[self._memo_below] = theta[:n], theta[n : 2 * n]
        raw, bias = theta[2 * n : 2 * n + self.dim], theta[2 * n + self.dim :]
        log_s = bounded(raw, self.log_scale_bound)
        floats = np.finfo(theta.dtype)  # W has an inverse even where exp(log_s) is 0 or inf
        s = np.clip(np.exp(log_s), floats.tiny, 1 / floats.tiny)
        np.fill_diagonal(upper, np.asarray(self.signs, theta.dtype) * s)
        return lower, upper, log_s, bias

    def _matrices(self, theta):
        """A = L (U + diag(s)) and its inverse, with the factors."""
        factors = lower, upper, *_ = self._factors(theta)
        # each is the inverse of an upper triangular matrix, where `inv` has nothing to eliminate:
        # plain back-substitution, which stays accurate however different the scales are
        return lower @ upper, np.linalg.inv(upper) @ np.linalg.inv(lower.T).T, factors

    def bind(self, at: Workspace, direction: str) -> Bound:
        """y = A x, value = y[p] + b; A_bar = y_bar x^T."""
        theta, theta_bar = at.params(self)
        below, bound = self._memo_below, self.log_scale_bound
        there, back_again = list(self.permutation), np.argsort(self.permutation)
        forward = direction == "forward"
        sign, x, value, matrices = 1 if forward else -1, None, None, None

        def refresh():
            nonlocal matrices
            matrices = self._matrices(theta)

        at.whenever_theta_changes(refresh)

        def run(argument, l):
            nonlocal x, value
            x = np.ascontiguousarray(argument, at.dtype)
            A, A_inv, (_, _, log_s, bias) = matrices
            if forward:
                value = (A @ x)[there] + bias[:, None]
            else:
                value = A_inv @ (x - bias[:, None])[back_again]
            np.add(l, sign * log_s.sum(), l)
            return value

        def back(value_bar, l_bar):
            A, A_inv, (lower, upper, log_s, _) = matrices
            if forward:
                y_bar = value_bar[back_again]
                A_bar, bias_bar, x_bar = y_bar @ x.T, value_bar.sum(axis=1), A.T @ y_bar
            else:
                y_bar = A_inv.T @ value_bar
                A_bar, x_bar = -(y_bar @ value.T), y_bar[there]
                bias_bar = -x_bar.sum(axis=1)
            lower_bar, upper_bar = A_bar @ upper.T, lower.T @ A_bar
            raw_bar = np.diag(upper_bar) * np.diag(upper) + sign * l_bar.sum()
            if bound is not None:
                raw_bar = raw_bar * (1 - (log_s / bound) ** 2)
            entries = lower_bar[below], upper_bar.T[below]
            np.concatenate([*entries, raw_bar, bias_bar], out=theta_bar)
            return x_bar

        return run, back

    def param_scale(self) -> np.ndarray:
        entries = np.full(self.dim * (self.dim - 1), self.dim**-0.5)
        return np.concatenate([entries, np.ones(2 * self.dim)])
