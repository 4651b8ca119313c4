"""The class of bases and flows; Normal, the simplest base; a user's density of another class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import e, log, pi
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from ..bijectors.conditioning import reach_within
from ..core import (
    Parametric,
    by_autograd,
    call,
    check_overrides,
    elsewhere,
    imported,
    is_built_in,
    require,
)
from ..core.inputs import check_dim, in_order, infinite, sample_gate
from .extreme_rows import extreme_rows_corrected
from .law import law_of
from .queries import Queries

if TYPE_CHECKING:
    from ..core import Workspace
    from ..core.typing import Array, ArrayLike, Bound, Context, Params, Seed, Self, Threads

DTYPE = "numbers have the dtype of the networks, as in MADE(dim, dtype=np.float32) or a recipe"


class Distribution(Queries, Parametric):
    """A density over vectors of length `dim`: a base for a flow, or a flow.

    Write `sample(n, rng)` and, in autograd.numpy, `log_prob(z, params=None, context=None)`. Any
    object with `dim`, `sample(n, rng) -> (n, D)` and `log_prob(z) -> (...)` can be a base, too; a
    base with its own parameters must derive from this class.

    Built-in densities have `bind` instead of `log_prob`; `bind` holds value and gradient together.

    Examples
    --------
    >>> class Logistic(Distribution):
    ...     def __init__(self, dim):
    ...         self.dim = dim
    ...
    ...     def sample(self, n=1, rng=None):
    ...         return np.random.default_rng(rng).logistic(size=(n, self.dim))
    ...
    ...     def log_prob(self, x, params=None, context=None):
    ...         return -anp.sum(x + 2 * anp.logaddexp(0, -x), axis=-1)
    >>> Logistic(2), Logistic(2).log_prob(np.zeros((1, 2))).round(4)
    (Logistic(2), array([-2.7726]))
    """

    dim: int
    names: Sequence | None = None  # of the columns of x, and of its context: a table with names
    context_names: Sequence | None = None  # is then read by name
    clampable = False  # True: its `bind` leaves out the coordinates that a row lacks
    _memo_new = None  # of a new recipe its parts: see `TransformedDistribution.untrained`

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_overrides(cls, Distribution, ("log_prob",), ("prob",))

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        require(cls, Distribution, "log_prob")
        if cls.sample is Distribution.sample:
            raise TypeError(f"Can't instantiate abstract class {cls.__name__} without sample")
        return super().__new__(cls)

    def __repr__(self):
        return f"{type(self).__name__}({self.dim})"

    def sample(self, n: int = 1, rng: Seed = None) -> np.ndarray:
        """n independent rows, (n, D). rng: an int or numpy Generator; None draws a fresh seed."""
        raise NotImplementedError

    def log_prob(
        self, x: ArrayLike, params: Params = None, context: Context = None, threads: Threads = None
    ) -> Array:
        """log p(x) of x (..., D), shape x.shape[:-1], in nats; differentiable in params and x.

        The result is NaN for rows with a NaN. It is -inf outside of the support, for rows with an
        infinite coordinate, and where an intermediate number overflows. (Under autograd, the result
        in the last two cases may be NaN.) A finite number that overflows the dtype of the flow
        counts as infinite. Many rows are evaluated in blocks by `threads` threads (None: the
        environment variable FLOWCORE_THREADS, else the number of cores); the result does not depend
        on `threads`.
        """
        x = in_order("x", x, self.names)
        if isbox(x) or isbox(params) or isbox(context):
            return call(self, "log_prob", x, params, context, threads)
        if self._memo_new is self.parts:
            self._warn_of_far_rows(x)
        far = infinite(x, self.params.dtype if self.params.size else x.dtype)
        near = x if far is None else np.where(far, 0, x)  # no arithmetic with infinity
        found = call(self, "log_prob", near, params, context, threads)
        if far is None and (found < np.inf).all():
            return found
        return extreme_rows_corrected(self, found, x, far, params, context)

    def _overflowed(self, x, theta, context) -> np.ndarray:
        """For finite rows x (n, D) whose log-density is not finite: True if an overflow is why.

        A NaN from a user's own code is no overflow, and must stay visible.
        """
        return np.full(len(x), is_built_in(self))

    def prob(
        self, x: ArrayLike, params: Params = None, context: Context = None, threads: Threads = None
    ) -> Array:
        """The density p(x) itself, exp(log_prob)."""
        with np.errstate(all="ignore"):  # exp(1000) is inf, exp(-1000) is 0
            # a user's own log_prob need not take `threads`
            return anp.exp(Distribution.log_prob(self, x, params, context, threads))

    @cached_property
    def _memo_reach(self) -> np.ndarray | None:
        """That of the contexts in training, if constants of them have it: see `reach_of`."""
        return reach_within(self)

    def bind(self, at: Workspace) -> Bound:
        """The log-density, bound to a workspace: run(x, l) and x_bar = back(l_bar).

        x is (D, N). run adds log p(x) to l (N,); back writes its part of the gradient of theta.
        """

        def log_prob(theta, x, context):
            return self.log_prob(x, theta, *([] if context is None else [context]))

        return by_autograd(log_prob, at, self)


class BaseDistribution(Distribution):
    """A base of flowcore: it writes `_draw(n, rng)`, and `_moments()` if they are known."""

    def sample(self, n: int | tuple[int, ...] = 1, rng: Seed = None) -> np.ndarray:
        """Independent draws of shape (n, D), or (*n, D).

        rng: an int or numpy Generator; None draws a fresh seed.
        """
        n_rows, _, lead = sample_gate(self, n)
        return self._draw(n_rows, np.random.default_rng(rng)).reshape((*lead, self.dim))

    def _draw(self, n, rng):
        """n rows, (n, D)."""
        raise NotImplementedError

    def _moments(self):
        """Mean, standard deviation and entropy of every coordinate; these are independent."""
        raise NotImplementedError(f"{self!r} has no closed form for this: estimate it by sample()")

    def mean(self) -> np.ndarray:
        """E z, (D,); NaN where it does not exist."""
        return np.broadcast_to(self._moments()[0], self.dim)

    def std(self) -> np.ndarray:
        """The standard deviation of every coordinate, (D,); NaN where it does not exist."""
        return np.broadcast_to(self._moments()[1], self.dim)

    def entropy(self) -> float:
        """H = -E log p(z), in nats."""
        return float(np.broadcast_to(self._moments()[2], self.dim).sum())


class Normal(BaseDistribution):
    """The standard normal density N(0, I) in D dimensions.

        log p(z) = -1/2 sum_i z_i^2 - D/2 log(2 pi)

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> Normal(2).log_prob(np.zeros((3, 2))).round(4)
    array([-1.8379, -1.8379, -1.8379])
    """

    clampable = True

    @elsewhere(dtype=DTYPE)
    def __init__(self, dim: int):
        self.dim = check_dim("dim", dim)

    def _draw(self, n, rng):
        return rng.standard_normal((n, self.dim))

    def _moments(self):
        return 0.0, 1.0, 0.5 * log(2 * pi * e)

    def _law(self, context=None):
        special = imported("scipy.special")
        return law_of(special.ndtr, special.ndtri)

    def bind(self, at: Workspace) -> Bound:
        constant, half = at.number(0.5 * self.dim * log(2 * pi)), at.number(0.5)
        each = at.number(0.5 * log(2 * pi))
        z, z_bar = None, at.array("z_bar", self.dim, at.n_rows)
        total = at.scratch("total", at.n_rows)

        def run(argument, l):
            nonlocal z
            z = np.asarray(argument, at.dtype)
            np.einsum("dn,dn->n", z, z, out=total)  # no warning far out, where a density is 0
            norm = constant if at.present is None else each * at.present.sum(axis=0)
            np.subtract(l, np.add(np.multiply(total, half, total), norm, total), l)

        def back(l_bar):
            return np.negative(np.multiply(z, l_bar, z_bar), z_bar)

        return run, back

    def __repr__(self):
        return f"Normal({self.dim})"


class Foreign(Distribution):
    """A user's density, any object with dim, sample and log_prob, as a leaf of the tree."""

    def __init__(self, density):
        if not all(hasattr(density, name) for name in ("dim", "sample", "log_prob")):
            raise TypeError(f"base needs dim, sample(n, rng) and log_prob(z): {density!r}")
        self.density, self.dim = density, density.dim

    def sample(self, n: int = 1, rng: Seed = None) -> np.ndarray:
        return self.density.sample(n, rng)

    def bind(self, at: Workspace) -> Bound:
        return by_autograd(lambda theta, x, context: self.density.log_prob(x), at, self)

    def __repr__(self):
        has_no_repr = type(self.density).__repr__ is object.__repr__  # not its address in memory
        return f"{type(self.density).__name__}({self.dim})" if has_no_repr else repr(self.density)
