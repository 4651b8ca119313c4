"""Priors of parameters: a support, a log-density and draws in one.

A prior is a distribution of scipy.stats. Its log-density is a kernel in autograd.numpy, less the
kernel at one point where scipy.stats knows the density:

    log p(x) = k(x) - k(m) + log p_scipy(m)        m the median; of vectors, the mean
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from ..bijectors.box import box
from ..core import imported
from ..distributions import Uniform
from .supports import Angle, Box, Interval, Simplex, Support

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Seed


def _log(u, least: float = 1e-307):
    """log u, finite where u is rounded to 0."""
    return anp.log(anp.maximum(u, least))


LOST = 1e-3  # a share of a prior that matters
# name in scipy.stats -> log-density of u = (x - loc) / scale, up to a constant
KERNELS = {
    "beta": lambda u, a, b: (a - 1) * _log(u) + (b - 1) * _log(1 - u, 2.0**-54),
    "cauchy": lambda u: -anp.log1p(u**2),
    "chi2": lambda u, df: (df / 2 - 1) * _log(u) - u / 2,
    "expon": lambda u: -u,
    "gamma": lambda u, a: (a - 1) * _log(u) - u,
    "halfcauchy": lambda u: -anp.log1p(u**2),
    "halfnorm": lambda u: -(u**2) / 2,
    "invgamma": lambda u, a: -(a + 1) * _log(u) - 1 / u,
    "laplace": lambda u: -anp.abs(u),
    "lognorm": lambda u, s: -_log(u) - (_log(u) / s) ** 2 / 2,
    "loguniform": lambda u, a, b: -_log(u),
    "norm": lambda u: -(u**2) / 2,
    "pareto": lambda u, b: -(b + 1) * _log(u),
    "t": lambda u, df: -(df + 1) / 2 * anp.log1p(u**2 / df),
    "truncnorm": lambda u, a, b: -(u**2) / 2,
    "uniform": lambda u: 0 * u,
    "vonmises": lambda u, kappa: kappa * anp.cos(u),
    "weibull_min": lambda u, c: (c - 1) * _log(u) - anp.exp(c * _log(u)),
}
VECTORS = {  # of a vector x: terms, one an entry, whose sum is the log-density up to a constant
    "dirichlet": lambda x, alpha: (alpha - 1) * _log(x),
    "multivariate_normal": lambda x, mean, cov: (
        -(anp.dot(x - mean, np.linalg.inv(np.linalg.cholesky(cov)).T) ** 2) / 2
    ),
}
ARGUMENTS = {"dirichlet": ("alpha",), "multivariate_normal": ("mean", "cov")}


class Prior:
    """A distribution of scipy.stats as the prior of a parameter.

    log_prob is -inf outside of the support, or periodic if the prior is circular. Errors:
    ValueError for a name that is not in `KERNELS` or `VECTORS`, and for arguments outside of their
    range.

    Parameters
    ----------
    name : str
        The name of the distribution in scipy.stats.
    circular : bool
        Whether x is an angle, whose ends are one point: "uniform" and "vonmises".
    **arguments
        Numbers or arrays, by their names in scipy.stats: loc, scale, and the shape parameters.

    Examples
    --------
    >>> prior = Prior("gamma", a=2.0, scale=3.0)
    >>> prior, prior.log_prob(np.array([6.0])).round(4), prior.sample(2, rng=0).shape
    (Prior("gamma", a=2.0, scale=3.0), array([-2.4055]), (2,))
    """

    def __init__(self, name: str, circular: bool = False, **arguments: ArrayLike):
        self.name, self.circular, self.is_vector = name, bool(circular), name in VECTORS
        if name not in KERNELS and name not in VECTORS:
            raise ValueError(
                f"scipy.stats.{name} is not a known prior: frozen distributions of the kinds "
                f"{', '.join([*KERNELS, *VECTORS])} are. Pass the support of another one, and add "
                "its log-density in log_target"
            )
        self.arguments = {key: np.array(value, float) for key, value in arguments.items()}
        self.frozen = getattr(imported("scipy.stats"), name)(**self.arguments)
        middle = self.frozen.mean if self.is_vector else self.frozen.median
        middle = np.asarray(middle() if callable(middle) else middle)
        self.shape, self.ends = middle.shape, (-math.inf, math.inf)
        if name == "vonmises":
            half = math.pi * self.arguments.get("scale", 1.0)
            self.circular, self.ends = True, (-half, half)
        elif not self.is_vector:
            self.ends = self.frozen.support()
        terms = self._terms(middle)
        self._at_0 = self.frozen.logpdf(middle) - (terms.sum() if self.is_vector else terms)
        if not np.isfinite(self._at_0).all():
            raise ValueError(f"{self!r}: the arguments are outside of their range")
        if not self.is_vector and not self.circular:
            self._check_ends()

    @np.errstate(all="ignore")
    def _check_ends(self) -> None:
        """A ValueError if much of the prior is nearer to an end than any floating-point number."""
        low, high = np.array(self.ends, float)
        below, above = np.nextafter(low, high), np.nextafter(high, low)
        for end, lost in (low, self.frozen.cdf(below)), (high, self.frozen.sf(above)):
            if (worst := np.max(lost)) > LOST:
                raise ValueError(
                    f"{self!r}: {worst:.1%} of it are between {end.flat[np.argmax(lost)]:g} and "
                    "the next floating-point number, and would be lost. Give another parameter, "
                    'such as log x, or log(x / (1 - x)) for x in (0, 1), the support "real", and '
                    "add its log-density in log_target"
                )

    def _terms(self, x):
        if self.is_vector:
            return VECTORS[self.name](x, **self.arguments)
        shapes = {key: a for key, a in self.arguments.items() if key not in ("loc", "scale")}
        loc, scale = self.arguments.get("loc", 0.0), self.arguments.get("scale", 1.0)
        return KERNELS[self.name]((x - loc) / scale, **shapes)

    def log_prob(self, x):
        """log p of x (n, *shape), summed over all that follows the first axis: (n,)."""
        low, high = (-math.inf, math.inf) if self.circular else self.ends
        inner = anp.where(x == low, np.nextafter(low, high), x)  # rounded to an infinite density
        terms = anp.where((x >= low) & (x <= high), self._terms(inner), -np.inf)
        shape = np.shape(x)[1:]
        at_0 = np.broadcast_to(self._at_0, self._events(shape)).sum()
        return anp.sum(terms, axis=tuple(range(1, len(shape) + 1))) + at_0

    def _events(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape without the axis of a vector."""
        return shape[:-1] if self.is_vector else shape

    def sample(self, n: int, rng: Seed = None, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """n draws (n, *shape) of independent repetitions; None: of the prior's own shape."""
        shape, rng = self.shape if shape is None else shape, np.random.default_rng(rng)
        x = self.frozen.rvs(size=(n, *self._events(shape)), random_state=rng)
        return np.reshape(x, (n, *shape))

    def support(self, shape: tuple[int, ...]) -> Support:
        """Of one vector, or of a whole array of numbers of this shape."""
        if self.name == "dirichlet":
            return Simplex(self.shape[0])
        if self.name == "multivariate_normal":
            return Box(box(-math.inf, math.inf, self.shape[0]))
        low, high = (np.broadcast_to(end, shape).ravel() for end in self.ends)
        if self.circular:
            return Angle(low, high)
        if np.isfinite(high - low).all():
            return Interval(low, high, log=self.name == "loguniform" and bool((low > 0).all()))
        return Box(box(low, high, low.size))

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return {"name": self.name, "circular": self.circular, **self.arguments}

    def __repr__(self):
        given = {"circular": True} if self.circular and self.name == "uniform" else {}
        given |= {key: value.tolist() for key, value in self.arguments.items()}
        return f'Prior("{self.name}", {", ".join(f"{k}={v}" for k, v in given.items())})'


def HalfCauchy(scale: ArrayLike = 1.0) -> Prior:
    """A prior of scales: p(x) = 2 / (pi s (1 + (x/s)^2)), x > 0, with the median s.

    Polson and Scott, "On the half-Cauchy prior for a global scale parameter", 2012.

    Parameters
    ----------
    scale : array_like
        s > 0, a number or an array of independent ones.

    Returns
    -------
    Prior
        For `support=` of `infer`.

    Examples
    --------
    >>> HalfCauchy(2.0).log_prob(np.array([2.0])).round(4)
    array([-1.8379])
    """
    return Prior("halfcauchy", scale=scale)


def LogUniform(low: ArrayLike, high: ArrayLike) -> Prior:
    """A prior of scales: p(x) = 1 / (x log(high / low)), 0 < low < x < high; log x is uniform.

    Parameters
    ----------
    low, high : array_like
        0 < low < high.

    Returns
    -------
    Prior
        For `support=` of `infer`.

    Examples
    --------
    >>> LogUniform(1, 100).log_prob(np.array([10.0])).round(4)
    array([-3.8298])
    """
    return Prior("loguniform", a=low, b=high)


def Dirichlet(alpha: ArrayLike) -> Prior:
    """A prior of K positive numbers of sum 1: p(x) ~ prod_k x_k^(alpha_k - 1), x_1 .. x_(K-1).

    Parameters
    ----------
    alpha : array_like
        (K,), > 0.

    Returns
    -------
    Prior
        For `support=` of `infer`.

    Examples
    --------
    >>> Dirichlet([1.0, 2.0, 3.0]).log_prob(np.array([[0.2, 0.3, 0.5]])).round(4)
    array([1.5041])
    """
    if np.ndim(alpha) != 1 or np.size(alpha) < 2:
        raise ValueError(f"alpha must be a vector of at least two numbers: {alpha}")
    return Prior("dirichlet", alpha=alpha)


def with_priors(support: Any) -> Any:
    """The argument support= of `infer`, with a `Prior` for each distribution in it."""
    if isinstance(support, Mapping):
        return {name: with_priors(one) for name, one in support.items()}
    if isinstance(support, (list, tuple)):
        return type(support)(map(with_priors, support))
    if isinstance(support, Uniform):
        low, high = (end[0] if support.dim == 1 else end for end in (support.low, support.high))
        return Prior("uniform", support.circular, loc=low, scale=high - low)
    if not type(support).__module__.startswith("scipy.stats"):
        return support
    name = type(support).__name__.removesuffix("_frozen")
    if name in ARGUMENTS:
        return Prior(name, **{key: getattr(support, key) for key in ARGUMENTS[name]})
    if name.removesuffix("_gen") in (*KERNELS, *VECTORS):
        name = name.removesuffix("_gen")
        raise ValueError(f"stats.{name} has no arguments: freeze it, as stats.{name}(...)")
    if not hasattr(support, "dist"):
        return Prior(name)
    shapes = (support.dist.shapes or "").replace(",", " ").split()
    given = dict(zip([*shapes, "loc", "scale"], support.args, strict=False)) | support.kwds
    return Prior(support.dist.name.replace("reciprocal", "loguniform"), **given)
