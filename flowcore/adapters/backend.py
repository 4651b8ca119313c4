"""The methods that samplers need: a protocol, and a flow that implements it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ..training import fit

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Seed
    from ..distributions import TransformedDistribution
    from ..training import History

Pair = tuple[np.ndarray, np.ndarray]


@runtime_checkable
class Backend(Protocol):
    """A density that can be fitted to points again and again, and maps them to a latent space.

    Samplers have other names for these five methods, and some call the direction from x to z
    "forward". An adapter for another sampler renames them.

    Examples
    --------
    >>> from flowcore.adapters import FlowBackend
    >>> from flowcore.flows import nsf
    >>> isinstance(FlowBackend(nsf(2)), Backend)
    True
    """

    def fit(self, x: ArrayLike) -> Any:
        """Fit to the points x (n, D), starting from the last fit if there was one."""

    def log_prob(self, x: ArrayLike) -> np.ndarray:
        """log q(x), (n,), normalised, in the units of x; -inf outside of the support."""

    def sample_and_log_prob(self, n: int) -> Pair:
        """Draws x (n, D) of q, and log q(x) (n,)."""

    def to_latent(self, x: ArrayLike) -> Pair:
        """z (n, D), and log |det dz/dx| (n,)."""

    def from_latent(self, z: ArrayLike) -> Pair:
        """x (n, D), and log |det dx/dz| (n,)."""


class FlowBackend:
    """A flow as a `Backend`.

    A sampler holds one object and fits it again and again. So a FlowBackend has a state, unlike
    flows: `fit` replaces `flow`, and draws advance `rng`.

    Parameters
    ----------
    flow : TransformedDistribution
        A flow, such as the recipe `flows.nsf(dim, layers=2, bounded=(low, high))`.
    rng : int or numpy Generator
        Seed of the draws, and of the fits.
    **options :
        Options of `fit`, such as epochs or max_seconds.

    Examples
    --------
    >>> from flowcore.flows import nsf
    >>> backend = FlowBackend(nsf(2, layers=1, hidden=[8]), epochs=2)
    >>> for scale in (1, 100):  # the second fit starts from the first, in new units
    ...     history = backend.fit(scale * np.random.default_rng(0).normal(size=(200, 2)))
    >>> x, log_q = backend.sample_and_log_prob(1000)
    >>> bool(np.allclose(log_q, backend.log_prob(x))), bool(50 < x.std() < 200)
    (True, True)
    """

    def __init__(self, flow: TransformedDistribution, rng: Seed = 0, **options: Any):
        self.flow, self.rng, self.options = flow, np.random.default_rng(rng), options

    def fit(self, x: ArrayLike, **options: Any) -> History:
        """A warm start from the present parameters, after the points x are standardised anew.

        options: options of `flowcore.fit`, which override the constructor's.
        """
        start = self.flow.restandardized() if self.flow.initialized else self.flow
        options = {"rng": self.rng, **self.options, **options}
        self.flow, history = fit(start, np.asarray(x), **options)
        return history

    def log_prob(self, x: ArrayLike) -> np.ndarray:
        """log q(x), (n,), in nats."""
        return self.flow.log_prob(x)

    def sample_and_log_prob(self, n: int) -> Pair:
        """Draws x (n, D) of q, and log q(x) (n,)."""
        return self.flow.sample_and_log_prob(n, self.rng)

    def to_latent(self, x: ArrayLike) -> Pair:
        """z (n, D), and log |det dz/dx| (n,)."""
        return self.flow.bijector.inverse_and_log_det(x)

    def from_latent(self, z: ArrayLike) -> Pair:
        """x (n, D), and log |det dx/dz| (n,)."""
        return self.flow.bijector.forward_and_log_det(z)
