"""Base densities: what z is drawn from, before a bijector makes x = f(z) of it.

Fixed: Normal, MultivariateNormalDiag, Uniform, Laplace. Trained with the flow, if wanted: StudentT
(how heavy the tails are) and GaussianMixture (where the modes are), in `gaussian_mixture.py`.

At a row with an infinite coordinate every log_prob is -inf; a NaN stays a NaN.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import log, pi

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp

from .arguments import as_float, as_rows, check_dim, constant, prepare
from .params import Parametric
from .primitives import differentiable


class Distribution(Parametric, ABC):
    """A density over vectors of length `dim`: a base for a flow.

    Any object with `dim`, `sample(n, rng) -> (n, D)` and `log_prob(z) -> (...)` can be a base. One
    with parameters derives from this class and takes `log_prob(z, params=None)`.
    """

    dim: int

    @abstractmethod
    def sample(self, n: int, rng=None) -> np.ndarray:
        """n independent rows, (n, D)."""

    @abstractmethod
    def log_prob(self, z, params=None):
        """log density in nats, shape z.shape[:-1]."""

    def prob(self, z, params=None):
        """The density p(z) itself, exp(log_prob)."""
        return anp.exp(self.log_prob(z, params))

    def _pull(self, theta, z):
        """log_prob of rows z (N, D), and pullback(l_bar (N,)) -> (theta_bar, z_bar)."""
        return _pull_by_autograd(self, theta, z)

    def _by_pull(self, z, params):
        """log_prob as a single differentiable operation, from a hand-written `_pull`."""
        z, theta, _ = prepare(self, self.dim, z, params, None)
        z, _, lead = as_rows(z, None)

        def run(theta, z, _):
            log_prob, pullback = self._pull(theta, z)
            return log_prob, lambda l_bar: (*pullback(l_bar), None)

        log_prob = differentiable(run, theta, z, None)
        return log_prob if len(lead) == 1 else log_prob.reshape(lead)


class Normal(Distribution):
    """The standard normal density N(0, I) in D dimensions.

        log p(z) = -1/2 sum_i z_i^2 - D/2 log(2 pi)

    >>> Normal(2).log_prob(np.zeros((3, 2))).round(4)
    array([-1.8379, -1.8379, -1.8379])
    """

    def __init__(self, dim: int):
        self.dim = check_dim("dim", dim)

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).standard_normal((check_count(n), self.dim))

    def log_prob(self, z, params=None):
        z, _, _ = prepare(self, self.dim, z, params, None)
        return _normal_log_prob(z, 0.5 * self.dim * log(2 * pi))

    def _pull(self, theta, z):
        return self.log_prob(z, theta), lambda l_bar: (theta, -z * l_bar[:, None])

    def __repr__(self):
        return f"Normal({self.dim})"


class MultivariateNormalDiag(Distribution):
    """Independent normals with mean `loc` (D,) and standard deviations `scale_diag` (D,) or one.

        log p(z) = sum_i [-1/2 ((z_i - loc_i)/scale_i)^2 - log scale_i] - D/2 log(2 pi)

    Both are fixed (not trained). Errors: ValueError for a scale that is not positive.

    >>> MultivariateNormalDiag([0, 0, 0])
    MultivariateNormalDiag(loc=[0.0, 0.0, 0.0], scale_diag=[1.0, 1.0, 1.0])
    """

    def __init__(self, loc, scale_diag=1.0):
        if np.ndim(loc) != 1 or np.size(loc) == 0:
            raise ValueError(f"loc must be a vector of length D, not of shape {np.shape(loc)}")
        self.loc = constant("loc", loc)
        self.dim = self.loc.size
        self.scale_diag = _per_coordinate("scale_diag", scale_diag, self.dim, positive=True)

    def sample(self, n, rng=None):
        noise = np.random.default_rng(rng).standard_normal((check_count(n), self.dim))
        return self.loc + self.scale_diag * noise

    def log_prob(self, z, params=None):
        z, params, _ = prepare(self, self.dim, z, params, None)
        loc, scale = (as_float(a, params.dtype) for a in (self.loc, self.scale_diag))
        constant = float(np.log(self.scale_diag).sum()) + 0.5 * self.dim * log(2 * pi)
        return _normal_log_prob((z - loc) / scale, constant)

    def __repr__(self):
        loc, scale = self.loc.tolist(), self.scale_diag.tolist()
        return f"MultivariateNormalDiag(loc={loc}, scale_diag={scale})"


class Uniform(Distribution):
    """The uniform density on the box [low_1, high_1] x ... x [low_D, high_D].

        log p(z) = -sum_i log(high_i - low_i)      inside, edges included; -inf outside

    dim         D
    low, high   numbers or (D,) arrays, low < high; samples lie in [low, high)

    Fixed. A flow over it can be fitted only if its inverse maps all data into the box.
    Cost: O(D) per row. Errors: ValueError unless low < high, both finite.

    >>> Uniform(2, high=[1.0, 4.0]).log_prob([[0.5, 3.0], [0.5, 5.0]]).round(4)
    array([-1.3863,    -inf])
    """

    def __init__(self, dim: int, low=0.0, high=1.0):
        self.dim = check_dim("dim", dim)
        self.low = _per_coordinate("low", low, self.dim)
        self.high = _per_coordinate("high", high, self.dim)
        if not (self.low < self.high).all():
            raise ValueError(f"low must be below high: low = {low}, high = {high}")

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).uniform(self.low, self.high, (check_count(n), self.dim))

    def log_prob(self, z, params=None):
        return self._by_pull(z, params)

    def _pull(self, theta, z):
        z = np.asarray(z, theta.dtype)
        low, high = self.low.astype(z.dtype), self.high.astype(z.dtype)
        inside = ((z >= low) & (z <= high)).all(axis=-1)
        log_prob = np.full(len(z), -np.log(self.high - self.low).sum(), z.dtype)
        log_prob[~inside] = -np.inf
        log_prob[np.isnan(z).any(axis=-1)] = np.nan
        return log_prob, lambda l_bar: (theta, np.zeros_like(z))

    def __repr__(self):
        return f"Uniform({self.dim}, low={_shown(self.low)}, high={_shown(self.high)})"


class Laplace(Distribution):
    """Independent Laplace densities: tails that fall like exp(-|z|), and a peak at loc.

        log p(z) = -sum_i [|z_i - loc_i| / scale_i + log(2 scale_i)]

    dim          D
    loc, scale   numbers or (D,) arrays, scale > 0; fixed

    Cost: O(D) per row. Errors: ValueError for a scale that is not positive.

    >>> Laplace(2).log_prob([[0.0, 0.0], [1.0, -2.0]]).round(4)
    array([-1.3863, -4.3863])
    """

    def __init__(self, dim: int, loc=0.0, scale=1.0):
        self.dim = check_dim("dim", dim)
        self.loc = _per_coordinate("loc", loc, self.dim)
        self.scale = _per_coordinate("scale", scale, self.dim, positive=True)

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).laplace(self.loc, self.scale, (check_count(n), self.dim))

    def log_prob(self, z, params=None):
        return self._by_pull(z, params)

    def _pull(self, theta, z):
        z = np.asarray(z, theta.dtype)
        u = (z - self.loc.astype(z.dtype)) / self.scale.astype(z.dtype)
        constant = float(np.log(2 * self.scale).sum())

        def pullback(l_bar):
            return theta, -np.sign(u) / self.scale.astype(z.dtype) * l_bar[:, None]

        return -np.abs(u).sum(axis=-1) - constant, pullback

    def __repr__(self):
        return f"Laplace({self.dim}, loc={_shown(self.loc)}, scale={_shown(self.scale)})"


class StudentT(Distribution):
    """Independent Student t densities, of df degrees of freedom: tails that fall like a power.

        log p(z) = sum_i [ log Gamma((df_i + 1)/2) - log Gamma(df_i/2) - 1/2 log(df_i pi)
                           - (df_i + 1)/2 log(1 + z_i^2/df_i) ]

    dim         D
    df          a number or a (D,) array, > 0; the smaller, the heavier the tails: 1 is Cauchy's
                density, the limit for large df is Normal
    trainable   True: `params` = log df (D,), starting from df; False: df is fixed

    A Lipschitz map of a normal z has normal tails: heavy ones must come from the base (Jaini,
    Kobyzev, Yu, Brubaker 2020). Cost: O(D) per row. Errors: ValueError for df <= 0.

    >>> StudentT(2, df=1.0).log_prob([[0.0, 0.0], [1e6, 0.0]]).round(4)
    array([ -2.2895, -29.9205])
    >>> StudentT(2, df=[1.0, 5.0], trainable=True).params.round(4)
    array([0.    , 1.6094])
    """

    def __init__(self, dim: int, df=4.0, trainable: bool = False, dtype=float):
        self.dim, self.trainable = check_dim("dim", dim), bool(trainable)
        df = _per_coordinate("df", df, self.dim, positive=True)
        if self.trainable:
            self.params = np.log(df).astype(dtype)
        else:
            self._df, self.params = df, np.zeros(0, dtype)

    @property
    def df(self) -> np.ndarray:
        """The degrees of freedom of every coordinate, (D,)."""
        return self._df_of(self.params)

    def _df_of(self, theta):
        return np.exp(theta.astype(float)) if self.trainable else self._df

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).standard_t(self.df, (check_count(n), self.dim))

    def log_prob(self, z, params=None):
        return self._by_pull(z, params)

    def _pull(self, theta, z):
        z, df = np.asarray(z, theta.dtype), self._df_of(theta)
        log_ratio, slope = _half_step(df / 2)
        constant = float((log_ratio - 0.5 * np.log(df * pi)).sum())
        nu = df.astype(z.dtype)
        # log(1 + t^2) = 2 log max(|t|, 1) + log(1 + s^2) with |s| <= 1: t^2 would overflow far out
        t = z / np.sqrt(nu)
        size = np.abs(t)
        most = np.maximum(size, 1)
        s = np.minimum(size, 1 / most)
        log_1t2 = 2 * np.log(most) + np.log1p(s * s)

        def pullback(l_bar):
            fall = (nu + 1) / np.sqrt(nu) * np.sign(t) * s / (1 + s * s)
            z_bar = -fall * l_bar[:, None]
            if not self.trainable:
                return theta, z_bar
            share = np.where(size > 1, 1, s * s) / (1 + s * s)  # t^2 / (1 + t^2)
            by_row = (nu + 1) * share - nu * log_1t2
            by_log_df = 0.5 * (by_row + (df * slope - 1).astype(z.dtype))
            return (by_log_df * l_bar[:, None]).sum(axis=0), z_bar

        return constant - 0.5 * ((nu + 1) * log_1t2).sum(axis=-1), pullback

    def config(self):
        # the parameters are stored anyway, and may be such that exp overflows
        return {
            "dim": self.dim,
            "df": 1.0 if self.trainable else self._df,
            "trainable": self.trainable,
        }

    def __repr__(self):
        trainable = ", trainable=True" if self.trainable else ""
        return f"StudentT({self.dim}, df={_shown(self.df)}{trainable})"


def check_count(n) -> int:
    """n as an int >= 0, or a ValueError."""
    return check_dim("the number of samples", n, least=0)


def _pull_by_autograd(base, theta, z):
    vjp, log_prob = make_vjp(lambda args: base.log_prob(args[1], args[0]), (theta, z))
    return log_prob, vjp


def _normal_log_prob(u, constant: float):
    """-|u|^2 / 2 - constant."""
    with np.errstate(over="ignore"):  # far out: a density of 0 is the right answer
        squares = anp.sum(u * u, axis=-1, keepdims=True)
    return (-0.5 * squares - constant)[..., 0]  # NumPy 1 casts a float32 scalar, not an array


def _half_step(a):
    """log Gamma(a + 1/2) - log Gamma(a), and its derivative by a.

    From a = 50 on by Stirling's series: the difference of two large numbers would lose digits.
    """
    from scipy.special import digamma, gammaln

    near, far = np.minimum(a, 50.0), np.maximum(a, 50.0)
    r = 1 / far  # whose powers end at 0, where those of `far` would overflow
    series = np.log(far) / 2 - r / 8 + r**3 / 192 - r**5 / 640
    slope = r / 2 + r**2 / 8 - r**4 / 64 + r**6 / 128
    log_ratio = np.where(a < 50, gammaln(near + 0.5) - gammaln(near), series)
    return log_ratio, np.where(a < 50, digamma(near + 0.5) - digamma(near), slope)


def _per_coordinate(name: str, value, dim: int, positive: bool = False) -> np.ndarray:
    """A number or (D,) array as a read-only (D,) array; a ValueError unless it is finite."""
    return np.broadcast_to(constant(name, value, dim, positive), (dim,))


def _shown(values: np.ndarray) -> str:
    """The first few of the values; one number if they are all the same."""
    if (values == values[0]).all():
        return f"{values[0]:.4g}"
    return f"[{', '.join(f'{v:.4g}' for v in values[:4])}{', ...' if len(values) > 4 else ''}]"
