"""How far a flow is from the truth, where the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .core import warn
from .core.inputs import as_numbers, check_dim
from .pareto import fitted_pareto

if TYPE_CHECKING:
    from .core.typing import Density, HasLogProb, Seed


TAIL, LARGE = 1000, 0.1  # draws, from which on one should not have this share of the variance


class KLEstimate(NamedTuple):
    """A Monte Carlo estimate of a divergence, and its standard error; both in nats."""

    kl: float
    standard_error: float


def kl_to_truth(flow: HasLogProb, target: Density, n: int = 20_000, rng: Seed = 0) -> KLEstimate:
    """KL(p || q) from the truth p to a flow q, by Monte Carlo over n fresh draws of the truth.

        KL(p || q) = E_p[log p(x) - log q(x)] >= 0,       standard error = sd / sqrt(n)

    In nats. KL is the flow's expected negative log-likelihood minus the truth's entropy; this
    estimate has less noise than that difference. It does not depend on the units, and may lie below
    0 by a few standard errors. If the flow's density is 0 at a draw, it is inf, and its standard
    error nan. Cost: one `log_prob` of flow and target on n rows.

    When is the error too small? If the flow has thinner tails than the truth, the variance of log p
    - log q may be infinite, and the estimate is mostly too low. `kl_to_truth` warns (for n >= 1000)
    if a single draw contributes a tenth of the variance, and the largest values have a Pareto tail
    with k-hat > 1/2.

    Errors: ValueError for n < 2, different dims, and for a log_prob that is NaN or +inf, or does
    not return one number per row.

    Parameters
    ----------
    flow : HasLogProb
        Anything with log_prob(x), x (n, D): a flow, a base, another target.
    target : Density
        Anything with sample(n, rng) and log_prob(x): see `flowcore.targets`.
    n : int
        Number of draws, >= 2.
    rng : int or numpy Generator
        The same seed compares two flows on the same draws.

    Returns
    -------
    KLEstimate
        (kl, standard_error), in nats.

    Examples
    --------
    >>> from flowcore import Normal, targets
    >>> truth = targets.correlated_gaussian(rho=0.8)
    >>> kl, standard_error = kl_to_truth(Normal(2), truth)
    >>> print(f"{kl:.3f} +- {standard_error:.3f}; exactly {-np.log(1 - 0.8**2) / 2:.3f}")
    0.508 +- 0.006; exactly 0.511
    """
    n = check_dim("n", n, 2)
    dim = getattr(flow, "dim", target.dim)
    if dim != target.dim:
        raise ValueError(f"the flow has dim={dim}, the target dim={target.dim}")
    x = target.sample(n, rng)
    log_p, log_q = (_log_prob(name, d, x) for name, d in (("target", target), ("flow", flow)))
    if np.isneginf(log_q).any():
        return KLEstimate(float("inf"), float("nan"))
    excess = log_p - log_q
    squares = (excess - excess.mean()) ** 2
    if n >= TAIL and squares.max() > LARGE * squares.sum() and (k := _k_hat(excess)) > 0.5:
        warn(
            f"log p - log q seems to have no finite variance (k-hat {k:.2f}): the standard error "
            "is too small, and the divergence probably larger; the flow's tails are too thin"
        )
    return KLEstimate(float(excess.mean()), float(excess.std(ddof=1) / np.sqrt(n)))


def _k_hat(values: np.ndarray) -> float:
    """The shape of the Pareto tail of the 3 sqrt(n) largest values: from 1/2 on their variance is
    infinite. (The smallest have a thin tail: under p, log p - log q < -t has a chance below e^-t.)
    """
    size = int(3 * np.sqrt(len(values)))
    cut, *tail = np.sort(values)[-size - 1 :]
    return float(fitted_pareto(np.subtract(tail, cut)[None])[0][0]) if tail[0] > cut else 0.0


class Share(NamedTuple):
    """A Monte Carlo estimate of a share of the mass, and its standard error."""

    share: float
    standard_error: float


def stray_mass(
    flow: Density, truth: Density, kept: float = 0.999, n: int = 20_000, rng: Seed = 0
) -> Share:
    """The share of a flow's mass that lies where the truth has almost none.

    A sample of the flow is stray if the truth's density there is lower than at a share `kept` of
    the truth's own samples. Samples that are not finite are stray, too. A continuous map cannot
    tear a connected base apart: if the truth consists of separate pieces, some of the flow's mass
    lies on bridges between them. Cost: n samples of both, and the density of the truth at all
    samples.

    Let s(r) be the share of the flow's draws below the r-th lowest log-density of the truth's draws
    (linear between ranks, s(0) = 0), and e the standard error of the rank R:

        share = s(R),     R = (1 - kept) (n + 1),     e = sqrt(R kept)
        standard error^2 = S (1 - S) / n + ((s(R + 1.5 e) - s(R - 1.5 e)) / 3)^2

    The second term is the error of the estimated density threshold. S is the share after adding two
    stray draws and two others (Agresti and Coull 1998), so that no error is 0. R should be at least
    2; for a smaller R the share is too low. Errors: ValueError for n < 2, `kept` not between 0 and
    1, different dims.

    Parameters
    ----------
    flow : Density
        Anything with sample(n, rng): a flow, a base, another target.
    truth : Density
        Anything with dim, sample(n, rng) and log_prob(x): see `flowcore.targets`.
    kept : float
        The share of the truth's own samples that is not stray.
    n : int
        Number of draws of each, >= 2.
    rng : int or numpy Generator
        The same seed compares two flows with less noise.

    Returns
    -------
    Share
        (share, standard_error); the share of the truth itself is about 1 - kept.

    Examples
    --------
    >>> from flowcore import Normal, targets
    >>> print(f"{stray_mass(Normal(2), targets.correlated_gaussian(0.8)).share:.3f}")
    0.094
    """
    n = check_dim("n", n, 2)
    dim = getattr(flow, "dim", truth.dim)
    if dim != truth.dim:
        raise ValueError(f"the flow has dim={dim}, the truth dim={truth.dim}")
    rng = np.random.default_rng(rng)
    own = _own_log_density(truth, kept, n, rng)
    drawn = as_numbers("the flow's sample", flow.sample(n, rng)).astype(float, copy=False)
    finite = np.isfinite(drawn).all(axis=1)  # what is not has no place: it is stray
    theirs = np.full(n, -np.inf)
    theirs[finite] = _log_prob("truth", truth, drawn[finite])
    below = np.searchsorted(np.sort(theirs), np.sort(own)) / n
    rank = (1 - kept) * (n + 1)
    away = 1.5 * np.sqrt(rank * kept)
    ranks, shares = np.arange(n + 2), np.concatenate([[0.0], below, [1.0]])
    low, share, high = np.interp([rank - away, rank, rank + away], ranks, shares)
    centre = (share * n + 2) / (n + 4)
    error = np.hypot(np.sqrt(centre * (1 - centre) / n), (high - low) / 3)
    return Share(float(share), float(error))


def log_density_floor(truth: Density, kept: float = 0.999, n: int = 20_000, rng: Seed = 0) -> float:
    """The log-density, in nats, that a share `kept` of a density's own samples exceeds.

    Errors: ValueError for `kept` not between 0 and 1, n < 2, a log_prob that is NaN. Cost: n
    samples and their densities.

    Parameters
    ----------
    truth : Density
        Anything with sample(n, rng) and log_prob(x).
    kept : float
        Between 0 and 1.
    n : int
        Number of draws.
    rng : int or numpy Generator
        Seed of the draws.

    Returns
    -------
    float
        The level: the region where log p(x) >= level holds the share `kept` of the mass. It is the
        draws' quantile of rank (1 - kept) (n + 1).

    Examples
    --------
    >>> from flowcore import Uniform
    >>> log_density_floor(Uniform(2, 0.0, 1.0))
    0.0
    """
    own = _own_log_density(truth, kept, n, rng)
    return float(np.quantile(own, 1 - kept, method="weibull"))


def _own_log_density(truth: Density, kept: float, n: int, rng: Seed) -> np.ndarray:
    """The truth's log-density at n draws of its own."""
    if not 0 < kept < 1:
        raise ValueError(f"kept must lie between 0 and 1, not {kept!r}")
    return _log_prob("truth", truth, truth.sample(check_dim("n", n, 2), rng))


def _log_prob(name: str, density, x: np.ndarray) -> np.ndarray:
    """log_prob of rows in float64, if it is a log-density."""
    log_prob = as_numbers(f"the {name}'s log_prob", density.log_prob(x)).astype(float, copy=False)
    if log_prob.shape != (len(x),):
        raise ValueError(
            f"the {name}'s log_prob of points {x.shape} has shape {log_prob.shape}: not one a row"
        )
    wrong = np.isnan(log_prob) | np.isposinf(log_prob)
    if wrong.any():
        raise ValueError(
            f"the {name}'s log_prob is NaN or +inf at {wrong.sum()} of {len(x)} draws, "
            f"the first at {x[wrong][0].tolist()}"
        )
    return log_prob
