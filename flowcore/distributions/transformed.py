"""The density of x = f(z) with z from a base density: the change of variables."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from ..bijectors import (
    Bijector,
    EmbedContext,
    Invert,
    MaskedAutoregressiveFlow,
    StandardizeContext,
)
from ..bijectors.algebra import common_context_dim, initialize_part
from ..bijectors.linear import Standardization, check_resolution
from ..core import as_numbers, call, evaluate, is_built_in, warn
from ..core.inputs import check_context, check_event, check_params, in_order, sample_gate
from ..core.labels import is_name, selected
from .description import description
from .distribution import Distribution, Foreign
from .law import check_one_column

if TYPE_CHECKING:
    from ..core import Workspace
    from ..core.typing import Array, ArrayLike, Base, Bound, Context, Params, Seed, Threads

FAR = 10.0  # standard deviations: rows of a larger median size were meant to be standardised
_NOT_FITTED = "this flow has not seen data: its Standardize does nothing yet"
_FIT = "use what fit returns (flow, history = fit(flow, X)), or flow.initialize(X)"
DRAWS = 2**16  # base samples drawn at a time: a float32 flow never holds them all in float64


class TransformedDistribution(Distribution):
    """The density of x = f(z), z ~ base, with f a bijector: a normalizing flow.

        log p(x) = log p_base(f^-1(x)) + log |det d f^-1(x)/dx|         in nats

    `params` has the parameters of the base (usually none), then the bijector's. Costs: `log_prob`
    is one inverse, `sample` one forward pass of the bijector. A log-density may be positive.

    Parameters
    ----------
    base : Distribution or your own
        Any object with `dim`, `sample(n, rng)` and `log_prob(z)`; a flow, too.
    bijector : Bijector
        f; its forward goes from base to data.
    context_names, names : sequence, optional
        The names of the columns of the context, and of x: texts, integers, or tuples of these;
        `fit` takes them from its tables. All methods select the columns of a table, or the values
        of a row (a Series), by these names, in any order, and leave out other columns. A ValueError
        names a column that is missing. Arrays, and tables without names, are read by position.

    Examples
    --------
    >>> from flowcore import Normal, Permute
    >>> flow = TransformedDistribution(Normal(2), Permute([1, 0]))
    >>> flow.sample(3, rng=0).shape, flow.log_prob(np.zeros((5, 2))).shape
    ((3, 2), (5,))
    """

    def __init__(
        self, base: Base, bijector: Bijector, context_names: Sequence | None = None,
        names: Sequence | None = None,
    ):  # fmt: skip
        if not isinstance(bijector, Bijector):
            raise TypeError(f"bijector must be a flowcore.Bijector, not {bijector!r}")
        base = base if isinstance(base, Distribution) else Foreign(base)
        if base.dim != bijector.dim:
            raise ValueError(f"base has dim={base.dim}, bijector dim={bijector.dim}")
        self.parts = (base, bijector)
        self.dim, self.context_dim = bijector.dim, common_context_dim(self.parts)
        self._set_names(names, context_names)

    def with_names(
        self, names: Sequence | None = None, context_names: Sequence | None = None
    ) -> TransformedDistribution:
        """This flow, with names of the columns of x and of its context; None: as they are.

        Errors: ValueError unless they are different texts, integers, or tuples of these, one for
        each column.

        Examples
        --------
        >>> from flowcore import Normal, Permute
        >>> flow = TransformedDistribution(Normal(2), Permute([1, 0])).with_names(["age", "dose"])
        >>> flow.given({"dose": 1.0}).columns
        ['age']
        """
        clone = copy.copy(self)
        clone._set_names(names, context_names)
        return clone

    def _set_names(self, *names: Sequence | None) -> None:
        dims = {"names": self.dim, "context_names": self.context_dim}
        for (what, dim), own in zip(dims.items(), names, strict=True):
            if own is None or not dim:
                continue
            own = list(own)
            if not all(map(is_name, own)) or not len(own) == len(set(own)) == dim:
                raise ValueError(f"{what} must be {dim} different texts or integers: {own!s:.99}")
            setattr(self, what, own)

    @property
    def base(self) -> Any:
        """The density of z, as it was passed."""
        base = self.parts[0]
        return base.density if isinstance(base, Foreign) else base

    @property
    def bijector(self) -> Bijector:
        """The map from base to data."""
        return self.parts[1]

    @property
    def initialized(self) -> bool:
        """False while a part (Standardize, ActNorm) is not yet set from data."""
        return all(part.initialized for part in self.parts)

    def bind(self, at: Workspace) -> Bound:
        base, bijector = self.parts
        inverse, inverse_back = bijector.bind(at, "inverse")
        base_run, base_back = base.bind(at)

        def run(x, l):
            base_run(inverse(x, l), l)

        def back(l_bar):
            return inverse_back(base_back(l_bar), l_bar)

        return run, back

    def untrained(self) -> TransformedDistribution:
        """This flow, flagged as not fitted.

        `sample` and `quantiles` then warn, and `log_prob` and `to_latent` warn about distant rows.
        Copies and pickles keep the flag. The flows that `fit`, `initialize` and `with_params`
        return have no flag, because the flag belongs to the parts, and these flows have new parts.
        """
        self._memo_new = self.parts
        return self

    def __getstate__(self):
        return super().__getstate__() | {"_memo_new": self._memo_new}

    def _warn_of_far_rows(self, x: np.ndarray) -> None:
        rows = x.reshape((-1, x.shape[-1])) if x.ndim else x.reshape((1, 1))
        some = np.abs(rows[:: max(1, len(rows) // 1000)])
        some = np.sort(some[np.isfinite(some)])
        size = some[len(some) // 2] if some.size else 0.0  # the median
        if size > FAR:
            rows = f"these rows, of median size {size:.3g}"
            warn(f"{_NOT_FITTED}, so it takes {rows}, as they are: {_FIT}")

    def _warn_of_its_base(self, what: str) -> None:
        warn(f"{_NOT_FITTED}, so these are {what} of its base: {_FIT}")

    def _overflowed(self, x, theta, context) -> np.ndarray:
        """Step by step, to the part whose output is the first that is not finite."""
        base, n = self.parts[0], len(x)
        overflowed, known = np.zeros(n, bool), np.zeros(n, bool)
        for part, way in self.bijector.steps("inverse"):
            own_context = context if part.context_dim else None
            x, log_det = evaluate(part, way, x, self._part_of(theta, part), own_context)
            failed = ~known & ~(np.isfinite(x).all(axis=1) & (log_det < np.inf))
            nan = np.isnan(x).any(axis=1) | np.isnan(log_det)
            overflowed |= failed & (is_built_in(part) | ~nan)
            known |= failed
        left = np.flatnonzero(~known)
        if left.size:
            own_context = context[left] if base.context_dim else None
            overflowed[left] = base._overflowed(x[left], self._part_of(theta, base), own_context)
        return overflowed

    def sample(
        self,
        shape: int | tuple[int, ...] = 1,
        rng: Seed = None,
        context: Context = None,
        threads: Threads = None,
    ) -> np.ndarray:
        """Draws of shape (n, D), or (*shape, D); with context c: (n, *c.shape[:-1], D).

        rng: an int or numpy Generator; None draws a fresh seed. threads: see `log_prob`.
        """
        z, context, lead = self._base_sample(shape, rng, context)
        x, _ = self._images(z, context, threads, out=z, what="draw")  # over z: no second array
        return x.reshape((*lead, self.dim))

    def sample_and_log_prob(
        self,
        n: int | tuple[int, ...] = 1,
        rng: Seed = None,
        context: Context = None,
        threads: Threads = None,
        params: Params = None,
    ) -> tuple[Array, Array]:
        """Draws and their log-densities, from one forward pass.

        With `params`, the draws x = f(z; params) come from the flow with these parameters, and can
        be differentiated (reparameterised draws), for objectives of your own. Errors: ValueError
        for a base whose own parameters are trained, since its draws are not differentiable.
        """
        z, context, lead = self._base_sample(n, rng, context)
        if params is not None:
            return self._reparameterised(z, params, context, lead)
        x, log_det = self._images(z, context, threads)
        base = self.parts[0]
        theta, own_context = self._own(base), context if base.context_dim else None
        log_prob = evaluate(base, "log_prob", z, theta, own_context, threads)[0] - log_det
        return x.reshape((*lead, self.dim)), log_prob.reshape(lead)

    def _reparameterised(self, z, params, context, lead):
        base, bijector = self.parts
        if base.n_params:
            raise ValueError(
                f"{self.base!r} has parameters of its own, and draws that are not differentiable "
                "in them: sample_and_log_prob(params=) needs a fixed base, such as Normal(dim)"
            )
        theta = self.params_of(bijector, check_params(self, params))
        own_context = context if bijector.context_dim else None
        x, log_det = call(bijector, "forward", z, self._own(bijector) if theta is None else theta,
                          own_context)  # fmt: skip
        own_context = context if base.context_dim else None
        log_prob = call(base, "log_prob", z, None, own_context) - log_det
        return anp.reshape(x, (*lead, self.dim)), anp.reshape(log_prob, lead)

    def restandardized(self) -> TransformedDistribution:
        """This flow with each Standardize and Whiten uninitialised: for a warm start on other rows.

        `fit` then sets their means and scales from the new rows, and starts from the present
        parameters. (Otherwise `fit` would warn about rows of another scale.) A Standardize of the
        context is set anew, too. Other data-dependent parts, such as ActNorm, keep their values,
        which are parameters.

        Examples
        --------
        >>> import flowcore
        >>> x = np.random.default_rng(0).normal(5, 2, size=(300, 2))
        >>> flow, _ = flowcore.fit(flowcore.flows.maf(2, layers=1, hidden=[8]), x, epochs=2)
        >>> flow, _ = flowcore.fit(flow.restandardized(), 100 * x, epochs=2)
        >>> bool(abs(flow.bijector[0].mean[0] - 500) < 30)
        True
        """
        leaves = [leaf for leaf in self.leaves if isinstance(leaf, Standardization)]
        return self.rebuilt({id(leaf): type(leaf)(leaf.dim) for leaf in leaves}).untrained()

    def to_latent(
        self, x: ArrayLike, params: Params = None, context: Context = None, threads: Threads = None
    ) -> Array:
        """z = f^-1(x), the latent points of the data; NaN outside of the support."""
        x = in_order("x", x, self.names)
        if self._memo_new is self.parts and not isbox(x):
            self._warn_of_far_rows(x)
        return self._through("inverse", x, params, context, threads)

    def from_latent(
        self, z: ArrayLike, params: Params = None, context: Context = None, threads: Threads = None
    ) -> Array:
        """x = f(z); NaN where f is not defined."""
        return self._through("forward", z, params, context, threads)

    def _law(self, context=None):
        check_one_column(self, "the cdf of a flow")
        base, bijector = self.parts
        base_cdf, base_ppf, ends = base._law(context if base.context_dim else None)
        context = context if bijector.context_dim else None
        low, high = (self.from_latent(end, None, context) for end in ends)
        falls, middle = high < low, low + (high - low) / 2  # for each row of the context

        def cdf(x):
            u = base_cdf(self.to_latent(x, None, context))
            beyond = (1 + np.sign(x - middle)) / 2  # of the support: 0 or 1
            return np.where(np.isnan(u), beyond, np.where(falls, 1 - u, u))

        def ppf(q):
            x = self.from_latent(base_ppf(np.where(falls, 1 - q, q)), None, context)
            on_edge = np.isnan(x) & ~np.isnan(middle)
            return np.where(on_edge, np.where(q < 0.5, *bijector.codomain), x)

        return cdf, ppf, (np.minimum(low, high), np.maximum(low, high))

    def stages(self, z: ArrayLike, context: Context = None) -> list[tuple[str, np.ndarray]]:
        """[(name, array), ...]: the base sample z, then its image after every bijector."""
        z = as_numbers("z", z)
        check_event(z, self.dim, self)
        context = check_context(context, self.context_dim, self)
        found = [("base", np.array(z))]
        for part, way in self.bijector.steps("forward"):
            step = part if way == "forward" else Invert(part)
            z = step.forward(z, context=context if step.context_dim else None)
            found.append((short_name(step), z))
        return found

    def initialize(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> TransformedDistribution:
        """This flow with its data-dependent parts set from the rows x (n, D); see Bijector."""
        x, new = in_order("x", x, self.names), {}
        context = selected("context", context, self.context_names)
        if not self.initialized:
            check_resolution(x, self)
        bijector = initialize_part(self.bijector, "inverse", x, context, rng, new)
        base = self.parts[0]
        if not base.rebuilt(dict(new)).initialized:  # a tied part is initialised already
            z = bijector.inverse(x, context=context if bijector.context_dim else None)
            initialize_part(base, "inverse", z, context, rng, new)
        return self.rebuilt(new)

    def _own(self, part):
        """The parameters of a part, in the dtype of the flow."""
        return part.params.astype(self.params.dtype, copy=False)

    def _part_of(self, theta, part):
        """The piece of theta, the parameters of the flow, of a part."""
        found = self.params_of(part, theta)
        return self._own(part) if found is None else found

    def _through(self, direction, x, params, context, threads):
        bijector = self.bijector
        if context is not None:
            context = check_context(context, self.context_dim, self)
        theta = self.params if params is None else check_params(self, params)
        theta = self._part_of(theta, bijector)
        y, log_det = call(bijector, direction, x, theta, context, threads)
        if not isbox(y):  # what has no image was mapped like the centre: `fixed_maps`
            y[np.isneginf(log_det)] = np.nan
        return y

    def _images(self, z, context, threads, out=None, what="forward"):
        """x and the log-det of rows z, in the flow's dtype; a warning if rows have no image."""
        bijector = self.bijector
        own_context = context if bijector.context_dim else None
        x, log_det = evaluate(bijector, what, z, self._own(bijector), own_context, threads, out)
        outside = int(np.isneginf(log_det).sum())
        if outside > 1e-4 * len(z):  # rounding alone puts a few draws on an edge
            low, high = bijector.domain
            warn(
                f"{outside} of {len(z)} draws of {self.base!r} have no image: {bijector!r}, whose "
                f"domain is ({low}, {high}), is not defined there. Is the bijector the wrong way "
                "round (see Invert)?",
            )
        return x, log_det

    def _base_sample(self, shape, rng, context):
        """z (N, D) from the base, context (N, C) or None, and the leading axes of the draws."""
        n, context, lead = sample_gate(self, shape, context)
        if self._memo_new is self.parts:
            self._warn_of_its_base("draws")
        rng, base = np.random.default_rng(rng), self.parts[0]
        if base.n_params and base.dtype != self.dtype:  # draw with the parameters as rounded here
            base = base.with_params(self._own(base))
        z = np.empty((n, self.dim), self.params.dtype)
        for start in range(0, len(z), DRAWS):
            here = z[start : start + DRAWS]
            if base.context_dim:  # a flow: one draw for every row of the context
                draws = base.sample((), rng, context[start : start + DRAWS])
            else:
                draws = base.sample(len(here), rng)
            if np.shape(draws) != here.shape:
                raise ValueError(
                    f"{self.base!r}.sample({len(here)}, rng) must return shape {here.shape}, not "
                    f"{np.shape(draws)}"
                )
            with np.errstate(over="ignore"):  # a heavy tail may reach beyond float32
                here[...] = draws
        return z, context, lead

    def __repr__(self):
        names = f", names={self.names}" if self.names else ""
        return f"TransformedDistribution({self.parts[0]!r}, {self.bijector!r}{names})"

    def __str__(self):
        return description(self)


def short_name(step: Bijector) -> str:
    """The name of a bijector in pictures: "MAF", "IAF", else the name of its class."""
    if isinstance(step, (EmbedContext, StandardizeContext)):
        return short_name(step.bijector)
    if isinstance(step, Invert):
        inner = short_name(step.bijector)
        return {"MAF": "IAF", "IAF": "MAF"}.get(inner, f"Invert({inner})")
    return "MAF" if isinstance(step, MaskedAutoregressiveFlow) else type(step).__name__
