"""`evidence`: log Z from existing draws of p, by bridge sampling over a flow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.angles import TURN, OneTurn, turned
from ..core import log_sum_exp
from ..flows import maf
from ..training import fit
from ..training.checks import as_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.typing import ArrayLike, Seed
    from ..distributions import TransformedDistribution

ROUNDS, CLOSE = 1000, 1e-10  # of the fixed point, and where it ends
LEAST_ROWS, LEAST_CHAIN = 100, 4
FARTHEST = 5.0  # nats between three estimates of log Z


def evidence(
    samples: ArrayLike,
    log_target: Callable,
    *,
    flow: TransformedDistribution | None = None,
    chains: ArrayLike | None = None,
    rng: Seed = 0,
    **options: object,
) -> tuple[float, float]:
    """(log Z, standard error) of p(x) = p~(x) / Z, from draws of p, in nats.

    A flow q is fitted to the first half of every chain; the other half, and as many draws of q,
    give the fixed point of the optimal bridge (Meng and Wong 1996), with l = p~ / q,

        Z = mean over q of  l / (s_1 l + s_2 Z)  /  mean over p of  1 / (s_1 l + s_2 Z),

    s_1, s_2 the effective shares of draws of p and q. The error is as in Fruehwirth-Schnatter 2004,
    but with an effective number of draws of p. It comes from the autocorrelations of log l (initial
    positive sequence, Geyer 1992), about the mean of all chains: so chains that disagree count for
    little. A mode that all chains miss is not detected. Angles, in radians, may be in any turn; a
    target that repeats after 2 pi is integrated over one turn.

    Errors: ValueError for too few rows, a target of the wrong shape or not finite at a sample, and
    if flow and target hardly overlap, so that the number would be worthless. Cost: one `fit`, and
    the target at half of the rows and at an equal number of draws of q.

    Parameters
    ----------
    samples : array_like
        (n, D), draws of p, with the rows of each chain in order; a chain may repeat rows.
    log_target : callable
        Rows (n, D) -> log p~ (n,); no gradient is needed.
    flow : TransformedDistribution or None
        None: `flows.maf(D)` as it is.
    chains : array_like or None
        (n,), the chain of every row; None: one chain.
    rng : int or Generator
        Decides the fit, and the draws of q.
    **options
        Of `fit`.

    Returns
    -------
    log_z, error : float
        In nats.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2000, 2))
    >>> log_z, error = evidence(x, lambda x: -0.5 * np.sum(x**2, axis=1), epochs=5)
    >>> bool(abs(log_z - np.log(2 * np.pi)) < 4 * error), error < 0.05
    (True, True)
    """
    x = as_table("samples", samples, np.shape(samples)[-1] if np.ndim(samples) == 2 else 1)
    if len(x) < LEAST_ROWS:
        raise ValueError(f"samples has {len(x)} rows: at least {LEAST_ROWS} are needed")
    number = np.zeros(len(x), int) if chains is None else np.asarray(chains)
    if number.shape != (len(x),):
        raise ValueError(f"chains has shape {number.shape}, but samples has {len(x)} rows")
    rng = np.random.default_rng(rng)
    rows = [np.flatnonzero(number == one) for one in np.unique(number)]
    if (least := min(map(len, rows))) < LEAST_CHAIN:
        raise ValueError(f"every chain needs at least {LEAST_CHAIN} rows: one has {least}")
    fitted = np.concatenate([own[: len(own) // 2] for own in rows])
    others = [own[len(own) // 2 :] for own in rows]
    held = np.concatenate(others)
    log_p = _log_p(log_target, x[held])
    flow = maf(x.shape[1], rng=0) if flow is None else flow
    flow, _ = fit(flow, x[fitted], rng=rng, **options)
    drawn, log_q = flow.sample_and_log_prob(len(held), rng)
    of_p = log_p - flow.log_prob(x[held])
    # samples may be in any turn, such as [0, 2 pi), and the target need not be known in another
    middle, angle = (x.min(axis=0) + x.max(axis=0)) / 2, OneTurn.of(flow).angle
    drawn = turned(drawn, angle, middle)
    log_p_of_q = _log_p(log_target, drawn, may_vanish=True)
    beyond = [_repeated(log_target, drawn, log_p_of_q, j, middle[j])
              for j in np.flatnonzero((np.ptp(x, axis=0) <= TURN) & ~angle)]  # fmt: skip
    of_q = np.where(np.any(beyond, axis=0), -np.inf, log_p_of_q - log_q)
    starts = np.cumsum([*map(len, others)])[:-1]
    return _bridge(of_p, of_q, _effective(np.split(of_p, starts)))


def _log_p(log_target, x: np.ndarray, may_vanish: bool = False) -> np.ndarray:
    with np.errstate(all="ignore"):
        found = np.asarray(log_target(x), float)
    if found.shape != (len(x),):
        raise ValueError(
            f"log_target of rows {x.shape} returned shape {found.shape}, not {(len(x),)}"
        )
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad) and not may_vanish:
        raise ValueError(
            f"log_target is {found[bad[0]]} at {np.array2string(x[bad[0]], threshold=8)}, one of "
            "the samples: are they draws of it?"
        )
    return np.where(np.isfinite(found), found, -np.inf)


def _repeated(log_target, drawn, log_p, j: int, middle: float) -> np.ndarray:
    """Draws (n,) of a q on the line, beyond the turn around the middle of an angle j of the target.

    Where the target repeats itself, one turn has all of Z.
    """
    beyond = np.abs(drawn[:, j] - middle) > TURN / 2
    if beyond.any():
        column = np.arange(drawn.shape[1]) == j
        again = _log_p(log_target, turned(drawn[beyond], column, middle), may_vanish=True)
        beyond &= np.allclose(again, log_p[beyond])
    return beyond


def _bridge(of_p: np.ndarray, of_q: np.ndarray, n_p: float) -> tuple[float, float]:
    """(log Z, its standard error) of log p~/q at draws of p, which count as n_p, and of q."""
    n_q = len(of_q)
    share_p, share_q = math.log(n_p / (n_p + n_q)), math.log(n_q / (n_p + n_q))
    log_z = float(np.median(of_p))
    for _ in range(ROUNDS):
        below = np.logaddexp(share_p + of_q, share_q + log_z)
        above = np.logaddexp(share_p + of_p, share_q + log_z)
        new = float(_log_mean(of_q - below) - _log_mean(-above))
        if not math.isfinite(new) or abs(new - log_z) < CLOSE:
            break
        log_z = new
    f_q = np.exp(of_q - np.logaddexp(share_p + of_q, share_q + log_z))
    f_p = np.exp(-np.logaddexp(share_p + of_p - log_z, share_q))
    # both are 0, but for sampling error, if both densities cover the same points
    apart = max(abs(_log_mean(of_q) - log_z), abs(_log_mean(-of_p) + log_z))
    if not math.isfinite(new) or not apart < FARTHEST:
        raise ValueError(
            f"flow and target hardly overlap (importance weights disagree by {apart:.2g} nats): "
            "fit the flow better (more rows, epochs=, another flow=), or look for draws that are "
            "not of this target"
        )
    variance = f_q.var() / f_q.mean() ** 2 / n_q + f_p.var() / f_p.mean() ** 2 / n_p
    return log_z, math.sqrt(variance)


def _log_mean(values: np.ndarray) -> float:
    return float(log_sum_exp(values)[0] - math.log(len(values)))


def _effective(chains: Sequence[np.ndarray]) -> float:
    """How many independent draws the values of chains are worth.

    n / (1 + 2 sum of correlations), up to the first pair of a negative sum (Geyer's initial
    positive sequence). They are those of all chains together, about the mean of all: of chains that
    disagree each is worth a draw or two, however long it is.
    """
    n, longest = sum(map(len, chains)), max(map(len, chains))
    mean = np.concatenate(chains).mean()
    spectra = [np.abs(np.fft.rfft(own - mean, 2 * longest)) ** 2 for own in chains]
    products = np.fft.irfft(np.sum(spectra, axis=0))[: longest // 2 * 2]
    if not products[0] > 0:
        return float(n)
    pairs = (products / products[0]).reshape(-1, 2).sum(axis=1)
    last = np.argmax(pairs < 0) if (pairs < 0).any() else len(pairs)
    return float(n / max(2 * pairs[:last].sum() - 1, 1.0))
