"""The density of x = f(z), z from a base density: the change of variables."""

from __future__ import annotations

import warnings

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from .arguments import as_rows, check_context, check_event, check_log_det, check_params
from .bases import (
    _pull_by_autograd,
    check_count,
)
from .bijector import Bijector, Invert
from .blocks import MANY, map_rows
from .params import Parametric
from .primitives import differentiable

DRAWS = 2**16  # base samples drawn at a time: a float32 flow never holds them all in float64


class TransformedDistribution(Parametric):
    """The density of x = f(z), z ~ base, with f a bijector: a normalizing flow.

        log p(x) = log p_base(f^-1(x)) + log |det d f^-1(x)/dx|         in nats

    base       any object with `dim`, `sample(n, rng)` and `log_prob(z)`
    bijector   forward = base -> data

    `params` are those of the base (usually none), then the bijector's. Costs: `log_prob` is one
    inverse, `sample` one forward pass of the bijector. A log-density may be positive.

    >>> from flowcore import Normal, Permute
    >>> flow = TransformedDistribution(Normal(2), Permute([1, 0]))
    >>> flow.sample(3, rng=0).shape, flow.log_prob(np.zeros((5, 2))).shape
    ((3, 2), (5,))
    """

    def __init__(self, base, bijector: Bijector):
        if not isinstance(bijector, Bijector):
            raise TypeError(f"bijector must be a flowcore.Bijector, not {bijector!r}")
        if not all(hasattr(base, name) for name in ("dim", "sample", "log_prob")):
            raise TypeError(f"base needs dim, sample(n, rng) and log_prob(z): {base!r}")
        if base.dim != bijector.dim:
            raise ValueError(f"base has dim={base.dim}, bijector dim={bijector.dim}")
        base = base if isinstance(base, Parametric) else _ForeignBase(base)
        self._parts = (base, bijector)
        self.dim, self.context_dim = bijector.dim, bijector.context_dim

    @property
    def base(self):
        """The density of z, as it was given."""
        base = self._parts[0]
        return base.base if isinstance(base, _ForeignBase) else base

    @property
    def bijector(self) -> Bijector:
        """The map from base to data."""
        return self._parts[1]

    @property
    def initialized(self) -> bool:
        """False while a part (Standardize, ActNorm) still waits for data."""
        return self.bijector.initialized

    def log_prob(self, x, params=None, context=None, threads=None):
        """log p(x) of x (..., D), shape x.shape[:-1], in nats; differentiable in params and x.

        -inf outside of the support and at rows with an infinite coordinate (where a gradient is
        taken, these may be NaN); NaN at rows with a NaN.
        Many rows are evaluated in blocks by `threads` threads (None: the environment variable
        FLOWCORE_THREADS, else the number of cores); the result does not depend on their number.
        """
        if isbox(params) or isbox(x) or isbox(context):
            params = self.params if params is None else check_params(self, params)
            x, context, lead = self._rows(x, context)
            log_prob = differentiable(self._pull, params, x, context)
            return log_prob if len(lead) == 1 else log_prob.reshape(lead)

        return self._map(_log_prob_of_rows, x, params, context, threads)[0]

    def _rows(self, x, context):
        """Checked x (N, D), context (N, C) or None, and the leading axes that the rows had."""
        check_event(x, self.dim, self)
        check_context(context, self.context_dim, self)
        x = x if isbox(x) else np.asarray(x)
        if x.dtype.kind in "OSU":  # such as a table of mixed columns
            x = x.astype(float)
        context = context if context is None or isbox(context) else np.asarray(context)
        return as_rows(x, context)

    def _map(self, f, x, params, context, threads):
        """f(flow with these params, x, context), row-wise, for any leading axes."""
        flow = self if params is None else self.with_params(params)
        x, context, lead = self._rows(x, context)
        results = map_rows(lambda x, c: f(flow, x, c), (x, context), threads)
        return [a.reshape(lead + a.shape[1:]) for a in results]

    def _pull(self, theta, x, context):
        """log_prob of rows x (N, D), and its pullback; see `primitives`."""
        base, bijector = self._parts
        z, log_det, pull = bijector._pull("inverse", self._share(theta, bijector), x, context)
        check_log_det(bijector, z, log_det)
        z = _narrow(z, log_det)
        log_prob, base_pull = base._pull(self._share(theta, base), z)
        self._check_base(z, log_prob)

        def pullback(l_bar):
            base_bar, z_bar = base_pull(l_bar)
            own_bar, x_bar, context_bar = pull(z_bar, l_bar)
            theta_bar = self._collect(self._parts, (base_bar, own_bar), theta.dtype)
            return theta_bar, x_bar, context_bar

        return log_prob + log_det, pullback

    def prob(self, x, params=None, context=None, threads=None):
        """The density p(x) itself, exp(log_prob)."""
        return anp.exp(self.log_prob(x, params, context, threads))

    def sample(self, shape=1, rng=None, context=None, threads=None):
        """Draws of shape (n, D), or (*shape, D); with context c: (n, *c.shape[:-1], D).

        rng: an int or numpy Generator; None draws a fresh seed. threads: see `log_prob`.
        """
        z, context, lead = self._base_sample(shape, rng, context)
        forward = self.bijector.forward
        (x,) = map_rows(lambda z, c: (forward(z, context=c),), (z, context), threads, _place(z))
        return x.reshape((*lead, self.dim))

    def sample_and_log_prob(self, n=1, rng=None, context=None, threads=None):
        """Draws and their log-densities, from one forward pass."""
        z, context, lead = self._base_sample(n, rng, context)

        def rows(z, context):
            x, log_det = self.bijector.forward_and_log_det(z, context=context)
            check_log_det(self.bijector, x, log_det)
            return x, self._base_log_prob(z) - log_det

        x, log_prob = map_rows(rows, (z, context), threads)
        return x.reshape((*lead, self.dim)), log_prob.reshape(lead)

    def to_latent(self, x, params=None, context=None, threads=None):
        """z = f^-1(x): what the data look like to the base density."""
        return self._through("inverse", x, params, context, threads)

    def from_latent(self, z, params=None, context=None, threads=None):
        """x = f(z)."""
        return self._through("forward", z, params, context, threads)

    def _through(self, direction, x, params, context, threads):
        if isbox(params) or isbox(x) or isbox(context):
            run = getattr(self.bijector, direction)
            return run(x, self._share(params, self.bijector), context)

        def rows(flow, x, context):
            return (getattr(flow.bijector, direction)(x, context=context),)

        return self._map(rows, x, params, context, threads)[0]

    def stages(self, z, context=None):
        """[(name, array), ...]: the base sample z, then its image after every bijector."""
        check_event(z, self.dim, self)
        check_context(context, self.context_dim, self)
        found = [("base", np.asarray(z))]
        for part, way in self.bijector._steps("forward"):
            step = part if way == "forward" else Invert(part)
            z = step.forward(z, context=context if step.context_dim else None)
            found.append((_short_name(step), z))
        return found

    def initialize(self, x, context=None, rng=None):
        """This flow with its data-dependent parts set from the rows x (n, D); see Bijector."""
        return TransformedDistribution(self.base, self.bijector.initialize(x, context, rng))

    def _base_sample(self, shape, rng, context):
        """z (N, D) from the base, context (N, C) or None, and the leading axes of the draws."""
        shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
        shape = tuple(check_count(n) for n in shape)
        check_context(context, self.context_dim, self)
        lead = shape if context is None else shape + np.shape(context)[:-1]
        rng, base = np.random.default_rng(rng), self._parts[0]
        n = int(np.prod(lead, dtype=int))
        z = np.empty((n, self.dim), self.params.dtype)
        for start in range(0, n, DRAWS):
            wanted = min(DRAWS, n - start)
            draws = np.asarray(base.sample(wanted, rng))
            if draws.shape != (wanted, self.dim):
                raise ValueError(
                    f"{self.base!r}.sample({wanted}, rng) must return shape {wanted, self.dim}, "
                    f"not {draws.shape}"
                )
            z[start : start + DRAWS] = draws
        self._warn_outside(z)
        if context is not None:
            context = as_rows(z.reshape((*lead, self.dim)), np.asarray(context))[1]
        return z, context, lead

    def _warn_outside(self, z):
        """A UserWarning if there are draws where `forward` is not defined, such as a logit at 3."""
        low, high = self.bijector.domain
        if not (np.isfinite(low).any() or np.isfinite(high).any()):
            return
        outside = int(((z <= low) | (z >= high)).any(axis=-1).sum())
        if outside > 1e-4 * len(z):  # rounding alone puts a few draws on an edge
            warnings.warn(
                f"{outside} of {len(z)} draws of {self.base!r} lie outside of ({low}, {high}), "
                f"where {self.bijector!r} is not defined: they have no image. Is the bijector the "
                "wrong way round (see Invert)?",
                UserWarning,
                stacklevel=4,
            )

    def _base_log_prob(self, z):
        log_prob = self._parts[0].log_prob(z)
        self._check_base(z, log_prob)
        return log_prob

    def _check_base(self, z, log_prob):
        if np.shape(log_prob) != np.shape(z)[:-1]:
            raise ValueError(
                f"{self.base!r}.log_prob must return shape {np.shape(z)[:-1]} for z of shape "
                f"{np.shape(z)}, not {np.shape(log_prob)}"
            )

    def __repr__(self):
        return f"TransformedDistribution({self._parts[0]!r}, {self.bijector!r})"


class _ForeignBase(Parametric):
    """Somebody's own base, without trainable parameters, as a leaf of the tree."""

    def __init__(self, base):
        self.base, self.dim = base, base.dim

    def sample(self, n, rng=None):
        return self.base.sample(n, rng)

    def log_prob(self, z, params=None):
        return self.base.log_prob(z)

    def _pull(self, theta, z):
        try:
            return _pull_by_autograd(self, theta, z)
        except (TypeError, ValueError, AttributeError) as problem:
            raise TypeError(
                f"the gradient of {self.base!r}.log_prob is wanted, and cannot be taken: write it "
                f"in autograd.numpy ({problem})"
            ) from problem

    def __repr__(self):
        plain = type(self.base).__repr__ is object.__repr__  # no address in memory, please
        return f"{type(self.base).__name__}({self.dim})" if plain else repr(self.base)


def _log_prob_of_rows(flow, x, context):
    """(log p (N,),) of rows x (N, D), on plain arrays."""
    if np.isinf(x).any():
        return (_beside_infinite_rows(flow, x, context),)
    z, log_det = flow.bijector.inverse_and_log_det(x, context=context)
    check_log_det(flow.bijector, z, log_det)
    return (flow._base_log_prob(_narrow(z, log_det)) + log_det,)


def _beside_infinite_rows(flow, x, context):
    """The same where some rows are infinite, and left out of all arithmetic: inf - inf is NaN."""
    unknown = np.isnan(x).any(axis=-1)
    if context is not None:
        unknown |= np.isnan(context).any(axis=-1)
    infinite = np.isinf(x).any(axis=-1)
    log_prob = np.where(unknown, np.nan, -np.inf)
    finite = ~infinite
    own_context = None if context is None else context[finite]
    (found,) = _log_prob_of_rows(flow, x[finite], own_context)
    log_prob = log_prob.astype(found.dtype if found.dtype.kind == "f" else float)
    log_prob[finite] = found
    return log_prob


def _narrow(z, log_det):
    """z in the flow's dtype: what only a Permute has touched is still as wide as the data were."""
    return z.astype(log_det.dtype, copy=False) if log_det.dtype.kind == "f" else z


def _place(z):
    """Where samples go: many of them over their own z, so that no second array is needed."""
    return (z,) if len(z) >= MANY else None


def _short_name(step) -> str:
    short = {"MaskedAutoregressiveFlow": "MAF"}
    if isinstance(step, Invert):
        inner = _short_name(step.bijector)
        return "IAF" if inner == "MAF" else f"Invert({inner})"
    return short.get(type(step).__name__, type(step).__name__)
