"""A move of emcee whose proposals are draws of a density, such as a fitted flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..core.typing import Density


def independence_move(density: Density) -> Any:
    """Independence Metropolis-Hastings: `emcee.EnsembleSampler(..., moves=independence_move(q))`.

    A walker at x moves to a draw y of q with the probability

        min(1, p(y) q(x) / (p(x) q(y)))

    which leaves the target p unchanged, whatever q is. The closer q is to p, the more moves are
    accepted. Do not fit q while you collect draws, because a chain whose proposal learns from the
    chain is no longer exact. A walker at a point where q is 0 stays there, unless emcee has another
    move as well, such as its `StretchMove()`.

    Cost per step: a draw of q, and its log-density at two points, for each walker. The draws use
    emcee's random state, so its seed reproduces them. Errors: ImportError without emcee; ValueError
    for a density that reads a context.

    Parameters
    ----------
    density : Density
        q: a fitted flow, or any object with dim, sample(n, rng) and log_prob(x).

    Returns
    -------
    emcee.moves.MHMove
        The move.

    References
    ----------
    Hastings, "Monte Carlo sampling methods using Markov chains and their applications", 1970.
    """
    if getattr(density, "context_dim", 0):
        raise ValueError(f"{density!r} reads a context, but emcee has none")
    try:
        from emcee.moves import MHMove
    except ImportError as problem:
        raise ImportError("independence_move needs emcee: pip install emcee") from problem
    return MHMove(lambda x, random: _proposals(density, x, random), density.dim)


def _proposals(density, x, random):
    """Draws y (n, D), and log q(x) - log q(y) (n,), where walkers are at x (n, D)."""
    seed = random.randint(2**32, size=4, dtype=np.uint32)  # a generator's, of emcee's RandomState
    y = density.sample(len(x), np.random.default_rng(seed))
    log_q = density.log_prob(np.concatenate([x, y]))
    return y, log_q[: len(x)] - log_q[len(x) :]
