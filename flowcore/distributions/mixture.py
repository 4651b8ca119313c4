"""A mixture of densities of any kind: flows, Gaussians, other mixtures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors.algebra import common_context_dim, initialize_part
from ..core import frozen, log_sum_exp
from ..core.inputs import as_numbers, sample_gate, show
from .distribution import Distribution, Foreign
from .law import check_one_column, mixed

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Base, Bound, Context, Seed, Workspace


class Mixture(Distribution):
    """A mixture of densities: p(x) = sum_k w_k p_k(x).

        log p(x) = log sum_k exp(log w_k + log p_k(x))

    The weights are constants, and `params` has the parameters of the densities. (`GaussianMixture`
    has trained weights; it is a base for a flow.) Because log is concave, the mean log-likelihood
    of the average of K densities is at least the average of their mean log-likelihoods. Cost: K
    log-densities per row, but one draw per sample. Errors: ValueError for densities of different
    dim, or weights that are not positive.

    Parameters
    ----------
    densities : sequence of Distribution
        p_1, ..., p_K, or your own objects with `dim`, `sample(n, rng)` and `log_prob(z)`.
    weights : array_like
        (K,), > 0, scaled to sum to 1; None: all equal.

    Examples
    --------
    >>> from flowcore import MultivariateNormalDiag, Normal
    >>> mixture = Mixture([Normal(2), MultivariateNormalDiag([4.0, 0.0])], [3, 1])
    >>> mixture.weights, mixture.log_prob([[0.0, 0.0], [4.0, 0.0]]).round(4)
    (array([0.75, 0.25]), array([-2.1254, -3.2232]))
    """

    def __init__(self, densities: Sequence[Base], weights: ArrayLike | None = None):
        if not isinstance(densities, Iterable):
            raise TypeError(f"Mixture takes a list of densities, not {densities!r}")
        parts = tuple(p if isinstance(p, Distribution) else Foreign(p) for p in densities)
        if not parts:
            raise ValueError("a Mixture needs at least one density")
        dims = [part.dim for part in parts]
        if len(set(dims)) > 1:
            raise ValueError(f"the densities of a Mixture differ in dim: {dims}")
        self.parts, self.dim, self.context_dim = parts, dims[0], common_context_dim(parts)
        self.weights = mixture_weights(weights, len(parts))
        for what in ("names", "context_names"):  # of the parts that have them
            found = [own for part in parts if (own := getattr(part, what))]
            if any(own != found[0] for own in found):
                raise ValueError(f"the densities of a Mixture differ in {what}: {found!s:.200}")
            setattr(self, what, found[0] if found else None)

    @property
    def densities(self) -> list:
        """The parts, as they were passed."""
        return [part.density if isinstance(part, Foreign) else part for part in self.parts]

    @property
    def initialized(self) -> bool:
        """False while a part still waits for data."""
        return all(part.initialized for part in self.parts)

    def bind(self, at: Workspace) -> Bound:
        bound = [part.bind(at) for part in self.parts]
        runs, backs = [run for run, _ in bound], [back for _, back in bound]
        log_weights = np.log(self.weights).astype(at.dtype)[:, None]
        # arrays of its own: a mixture may be a part of another one
        log_p, posterior = np.empty((2, len(runs), at.n_rows), at.dtype)

        def run(x, l):
            x = x.copy()  # the first part may work where the last bijector left it
            log_p[...] = log_weights
            for part, own in zip(runs, log_p, strict=True):
                part(x, own)
            value, _ = log_sum_exp(log_p, out=posterior)
            np.add(l, value, l)

        def back(l_bar):
            return sum(part(own * l_bar) for part, own in zip(backs, posterior, strict=True))

        return run, back

    def sample(
        self, n: int | tuple[int, ...] = 1, rng: Seed = None, context: Context = None
    ) -> np.ndarray:
        """Draws of shape (n, D), or (*n, D); with context c: (n, *c.shape[:-1], D)."""
        rng = np.random.default_rng(rng)
        rows, context, lead = sample_gate(self, n, context)
        x = np.empty((rows, self.dim), self.dtype)
        who = rng.choice(len(self.parts), size=rows, p=self.weights)
        for k, part in enumerate(self.parts):
            here = np.flatnonzero(who == k)
            if part.context_dim:  # one draw for every row of the context
                x[here] = part.sample((), rng, context[here])
            elif here.size:
                x[here] = part.sample(len(here), rng)
        return x.reshape((*lead, self.dim))

    def sample_and_log_prob(
        self, n: int | tuple[int, ...] = 1, rng: Seed = None, context: Context = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The draws of `sample`, and their log-densities. Cost: that of `log_prob`, too."""
        x = self.sample(n, rng, context)
        return x, self.log_prob(x, context=context)

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Mixture:
        """This mixture, with all uninitialised parts set from the rows x (n, D)."""
        new: dict = {}
        for part in self.parts:
            if not part.rebuilt(dict(new)).initialized:
                initialize_part(part, "inverse", x, context, rng, new)
        return self.rebuilt(new)

    def _law(self, context=None):
        check_one_column(self, "the cdf of a Mixture")
        laws = [part._law(context if part.context_dim else None) for part in self.parts]
        return mixed(self.weights, laws, float(np.finfo(self.dtype).eps))

    def __repr__(self):
        shown = [f"{w:.3g} {p!r}" for w, p in zip(self.weights[:2], self.parts[:2], strict=True)]
        return f"Mixture({', '.join(shown + ['...'] * (len(self.parts) > 2))})"


def mixture_weights(weights: ArrayLike | None, k: int) -> np.ndarray:
    """k positive numbers, scaled to sum to 1, read-only; None: all equal. Else a ValueError."""
    values = np.ones(k) if weights is None else as_numbers("weights", weights)
    if values.shape != (k,) or not ((values > 0) & np.isfinite(values)).all():
        raise ValueError(f"weights must be {k} positive numbers, not {show(values)}")
    scaled = np.array(values, float)
    if scaled.max() > 1 or abs(scaled.sum() - 1) > 1e-12:  # else they stay, bit for bit
        scaled /= scaled.max()  # no sum of them overflows
        scaled /= scaled.sum()
    if not scaled.all():
        raise ValueError(f"weights differ too much to sum to 1: {show(values)}")
    return frozen(scaled)
