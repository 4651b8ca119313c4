"""Base densities: z is drawn from one, and a bijector maps it to x = f(z).

Fixed: MultivariateNormalDiag, Uniform, Laplace, and Normal (in `distribution.py`). Two can be
trained with the flow: StudentT (the heaviness of its tails), and GaussianMixture (its modes; in
`gaussian_mixture.py`).

At a row with an infinite coordinate every log_prob is -inf; a NaN stays a NaN.
"""

from __future__ import annotations

from functools import partial
from math import e, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from ..core import imported
from ..core.inputs import as_numbers, check_dim, constant, interval, show
from .distribution import BaseDistribution, Normal
from .law import law_of, moved

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, DTypeLike, Workspace


class MultivariateNormalDiag(BaseDistribution):
    """Independent normals with mean `loc` (D,) and standard deviations `scale_diag` (D,) or one.

        log p(z) = sum_i [-1/2 ((z_i - loc_i)/scale_i)^2 - log scale_i] - D/2 log(2 pi)

    Both are fixed (not trained). Errors: ValueError for a scale that is not positive.

    Parameters
    ----------
    loc : array_like
        (D,), the means.
    scale_diag : array_like
        Standard deviations, > 0: a number, or (D,).

    Examples
    --------
    >>> MultivariateNormalDiag([0, 0, 0])
    MultivariateNormalDiag(loc=[0.0, 0.0, 0.0], scale_diag=[1.0, 1.0, 1.0])
    """

    def __init__(self, loc: ArrayLike, scale_diag: ArrayLike = 1.0):
        loc = as_numbers("loc", loc)
        if loc.ndim != 1 or loc.size == 0:
            raise ValueError(f"loc must be a vector of length D, not of shape {loc.shape}")
        self.loc = constant("loc", loc)
        self.dim = self.loc.size
        self.scale_diag = _per_coordinate("scale_diag", scale_diag, self.dim, positive=True)

    def _draw(self, n, rng):
        return self.loc + self.scale_diag * rng.standard_normal((n, self.dim))

    def _moments(self):
        return self.loc, self.scale_diag, np.log(self.scale_diag) + 0.5 * log(2 * pi * e)

    def _law(self, context=None):
        return moved(Normal(1)._law(), self.loc, self.scale_diag)

    def bind(self, at: Workspace) -> Bound:
        log_scale = at.number(np.log(self.scale_diag).sum())
        normal, normal_back = Normal(self.dim).bind(at)
        loc, scale = self.loc[:, None], self.scale_diag.astype(at.dtype)[:, None]

        def run(z, l):
            normal((z - loc) / scale, l)  # in float64, which `normal` casts: loc may be large
            np.subtract(l, log_scale, l)

        return run, lambda l_bar: normal_back(l_bar) / scale

    def __repr__(self):
        loc, scale = self.loc.tolist(), self.scale_diag.tolist()
        return f"MultivariateNormalDiag(loc={loc}, scale_diag={scale})"


class Uniform(BaseDistribution):
    """The uniform density on the box [low_1, high_1] x ... x [low_D, high_D].

        log p(z) = -sum_i log(high_i - low_i)      inside, edges included; -inf outside

    It is fixed. A flow over it can be fitted only if its inverse maps all data into the box.
    `Uniform(low, high)` is the density of one coordinate; it is also a prior for `infer`. Cost:
    O(D) per row. Errors: ValueError unless low < high, both finite.

    Parameters
    ----------
    dim : int
        D.
    low, high : array_like
        Numbers or (D,) arrays, low < high; samples lie in [low, high). By default 0 and 1.
    circular : bool
        Whether the coordinates are angles: low and high are then one point, and log p is the same
        at every z.

    Examples
    --------
    >>> Uniform(2, high=[1.0, 4.0]).log_prob([[0.5, 3.0], [0.5, 5.0]]).round(4)
    array([-1.3863,    -inf])
    >>> Uniform(-np.pi, np.pi, circular=True).log_prob([[100.0]]).round(4)
    array([-1.8379])
    """

    def __init__(
        self, dim: int | float = 1, low: ArrayLike | None = None, high: ArrayLike | None = None,
        circular: bool = False,
    ):  # fmt: skip
        # Uniform(low, high): in Uniform(dim, low) high is 1, so that low is less than dim
        if low is not None and high is None and np.all(np.less(dim, low)):
            dim, low, high = 1, dim, low
        elif low is not None and high is None and not np.all(np.less(low, 1)):
            raise ValueError(f"Uniform(low, high) needs low < high, not {dim} and {low}")
        self.dim, self.circular = check_dim("dim", dim), bool(circular)
        ends = interval(0.0 if low is None else low, 1.0 if high is None else high, self.dim)
        self.low, self.high = (np.broadcast_to(end, (self.dim,)) for end in ends)

    def _draw(self, n, rng):
        return rng.uniform(self.low, self.high, (n, self.dim))

    def _moments(self):
        width = self.high - self.low
        return self.low + width / 2, width / sqrt(12), np.log(width)

    def _law(self, context=None):
        if self.circular:
            return super()._law(context)
        return moved(law_of(lambda u: np.clip(u, 0, 1), np.copy), self.low, self.high - self.low)

    def bind(self, at: Workspace) -> Bound:
        low, high = (a.astype(at.dtype)[:, None] for a in (self.low, self.high))
        if self.circular:  # every finite number
            low, high = np.finfo(at.dtype).min, np.finfo(at.dtype).max
        constant = at.number(-np.log(self.high - self.low).sum())
        nothing = at.zeros(self.dim, at.n_rows)

        def run(z, l):
            z = np.asarray(z, at.dtype)
            inside = ((z >= low) & (z <= high)).all(axis=0)
            outside = np.where(np.isnan(z).any(axis=0), np.nan, -np.inf)
            np.add(l, np.where(inside, constant, outside), l, casting="same_kind")

        return run, lambda l_bar: nothing

    def __repr__(self):
        circular = ", circular=True" if self.circular else ""
        return f"Uniform({self.dim}, low={_shown(self.low)}, high={_shown(self.high)}{circular})"


class Laplace(BaseDistribution):
    """Independent Laplace densities: tails that fall like exp(-|z|), and a peak at loc.

        log p(z) = -sum_i [|z_i - loc_i| / scale_i + log(2 scale_i)]

    Cost: O(D) per row. Errors: ValueError for a scale that is not positive.

    Parameters
    ----------
    dim : int
        D.
    loc, scale : array_like
        Numbers or (D,) arrays, scale > 0; fixed.

    Examples
    --------
    >>> Laplace(2).log_prob([[0.0, 0.0], [1.0, -2.0]]).round(4)
    array([-1.3863, -4.3863])
    """

    def __init__(self, dim: int, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0):
        self.dim = check_dim("dim", dim)
        self.loc = _per_coordinate("loc", loc, self.dim)
        self.scale = _per_coordinate("scale", scale, self.dim, positive=True)

    def _draw(self, n, rng):
        return rng.laplace(self.loc, self.scale, (n, self.dim))

    def _moments(self):
        return self.loc, sqrt(2) * self.scale, 1 + np.log(2 * self.scale)

    def _law(self, context=None):
        law = imported("scipy.stats").laplace(self.loc, self.scale)
        return law_of(law.cdf, law.ppf)

    def bind(self, at: Workspace) -> Bound:
        loc, scale = self.loc[:, None], self.scale.astype(at.dtype)[:, None]
        constant, u = at.number(np.log(2 * self.scale).sum()), None

        def run(z, l):
            nonlocal u
            u = np.asarray(z - loc, at.dtype) / scale
            np.subtract(l, np.abs(u).sum(axis=0) + constant, l)

        def back(l_bar):
            return -np.sign(u) / scale * l_bar

        return run, back

    def __repr__(self):
        return f"Laplace({self.dim}, loc={_shown(self.loc)}, scale={_shown(self.scale)})"


class StudentT(BaseDistribution):
    """Independent Student t densities with df degrees of freedom: tails that fall like a power.

        log p(z) = sum_i [ log Gamma((df_i + 1)/2) - log Gamma(df_i/2) - 1/2 log(df_i pi)
                           - (df_i + 1)/2 log(1 + z_i^2/df_i) ]

    A Lipschitz map of a normal z has normal tails, so heavy tails must come from the base (Jaini,
    Kobyzev, Yu, Brubaker 2020). Cost: O(D) per row. Errors: ValueError for df <= 0.

    Parameters
    ----------
    dim : int
        D.
    df : array_like
        A number or a (D,) array, > 0; the smaller it is, the heavier are the tails: 1 is Cauchy's
        density, the limit for large df is Normal.
    trainable : bool
        True: `params` = log df (D,), starting from df; False: df is fixed.
    dtype : dtype
        float64 or float32.

    Examples
    --------
    >>> StudentT(2, df=1.0).log_prob([[0.0, 0.0], [1e6, 0.0]]).round(4)
    array([ -2.2895, -29.9205])
    >>> StudentT(2, df=[1.0, 5.0], trainable=True).params.round(4)
    array([0.    , 1.6094])
    """

    clampable = True

    def __init__(
        self, dim: int, df: ArrayLike = 4.0, trainable: bool = False, dtype: DTypeLike = float
    ):
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
        # beyond exp(80), Normal to the last digit, and exp(-80) a float32 would overflow
        return np.exp(np.clip(theta.astype(float), -80, 80)) if self.trainable else self._df

    def _draw(self, n, rng):
        return rng.standard_t(self.df, (n, self.dim))

    def _moments(self):
        nu = self.df
        log_ratio, slope = (found[:, 0] for found in _half_step(nu[:, None] / 2))
        with np.errstate(all="ignore"):
            std = np.where(nu > 2, np.sqrt(nu / (nu - 2)), np.where(nu > 1, np.inf, np.nan))
        entropy = (nu + 1) / 2 * slope - log_ratio + 0.5 * np.log(nu * pi)
        return np.where(nu > 1, 0.0, np.nan), std, entropy

    def _law(self, context=None):
        special = imported("scipy.special")

        def ppf(q):  # SciPy's is +inf at 0
            return np.where(q < 0.5, -1, 1) * np.abs(special.stdtrit(self.df, q))

        return law_of(partial(special.stdtr, self.df), ppf)

    def bind(self, at: Workspace) -> Bound:
        theta, theta_bar = at.params(self)
        trainable, dtype, present = self.trainable, at.dtype, at.present
        nu = slope = constant = kept = None

        def refresh():
            nonlocal nu, slope, constant
            wide = self._df_of(theta)[:, None]
            log_ratio, slope = _half_step(wide / 2)
            constants = log_ratio - 0.5 * np.log(wide * pi)  # (D, 1): log p at 0
            if present is None:
                constant = np.array(constants.sum(), dtype)
            else:
                constant = constants.astype(dtype)
            slope, nu = (wide * slope - 1).astype(dtype), wide.astype(dtype)

        at.whenever_theta_changes(refresh)

        def run(z, l):
            nonlocal kept
            # log(1 + t^2) = 2 log max(|t|, 1) + log(1 + s^2), |s| <= 1: t^2 would overflow far out
            t = np.asarray(z, dtype) / np.sqrt(nu)
            size = np.abs(t)
            most = np.maximum(size, 1)
            s = np.minimum(size, 1 / most)
            log_1t2 = 2 * np.log(most) + np.log1p(s * s)
            kept = t, size, s, log_1t2
            norm = constant if present is None else (constant * present).sum(axis=0)
            np.add(l, norm - 0.5 * ((nu + 1) * log_1t2).sum(axis=0), l)

        def back(l_bar):
            t, size, s, log_1t2 = kept
            fall = (nu + 1) / np.sqrt(nu) * np.sign(t) * s / (1 + s * s)
            if trainable:
                ratio = np.where(size > 1, 1, s * s) / (1 + s * s)  # t^2 / (1 + t^2)
                by_log_df = 0.5 * ((nu + 1) * ratio - nu * log_1t2 + slope)
                if present is not None:
                    by_log_df *= present
                np.sum(by_log_df * l_bar, axis=1, out=theta_bar)
            return -fall * l_bar

        return run, back

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        # the parameters are stored anyway, and may be such that exp overflows
        df = 1.0 if self.trainable else self._df
        return {"dim": self.dim, "df": df, "trainable": self.trainable}

    def __repr__(self):
        trainable = ", trainable=True" if self.trainable else ""
        return f"StudentT({self.dim}, df={_shown(self.df)}{trainable})"


_SHIFT = np.arange(16.0)  # from there on the series below is right to the last digit


def _half_step(a):
    """f(a) = log Gamma(a + 1/2) - log Gamma(a) and f'(a), of a (D, 1), without special functions.

    By Stirling's series far up, and by Gamma(a + 1) = a Gamma(a) down from there:

        f(b) = 1/2 log b - 1/(8 b) + 1/(192 b^3) - 1/(640 b^5) + 17/(14336 b^7) - 31/(18432 b^9)
        f(a) = f(a + 16) - sum_k log((a + k + 1/2) / (a + k))                        k = 0..15
    """
    b, steps = a + len(_SHIFT), a + _SHIFT
    r = 1 / b
    r2 = r * r
    series = np.log(b) / 2 - r * (
        1 / 8 - r2 * (1 / 192 - r2 * (1 / 640 - r2 * (17 / 14336 - r2 * 31 / 18432)))
    )
    slope = r / 2 + r2 * (
        1 / 8 - r2 * (3 / 192 - r2 * (5 / 640 - r2 * (119 / 14336 - r2 * 279 / 18432)))
    )
    log_ratio = series - np.log1p(0.5 / steps).sum(axis=1, keepdims=True)
    return log_ratio, slope + (0.5 / (steps * (steps + 0.5))).sum(axis=1, keepdims=True)


def _per_coordinate(name: str, value, dim: int, positive: bool = False) -> np.ndarray:
    """A number or (D,) array as a read-only (D,) array; a ValueError unless it is finite."""
    return np.broadcast_to(constant(name, value, dim, positive), (dim,))


def _shown(values: np.ndarray) -> str:
    """The first few of the values; one number if they are all the same."""
    return show(values[0] if (values == values[0]).all() else values, ".4g")
