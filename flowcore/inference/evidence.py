"""`evidence`: log Z from existing draws of p, by bridge sampling over a flow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.angles import TURN, OneTurn, turned
from ..core import as_numbers, log_sum_exp, warn
from ..core.rows import as_table
from ..flows import maf
from ..training import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.typing import ArrayLike, Seed
    from ..distributions import TransformedDistribution

ROUNDS, CLOSE = 1000, 1e-10  # of the fixed point, and where it ends
LEAST_ROWS, LEAST_CHAIN, MANY = 100, 4, 8  # rows; rows of a chain; chains
NOISE, NEARLY = 5.0, 0.8  # standard errors of no correlation; a share of the largest one
FARTHEST = 5.0  # nats between three estimates of log Z
DISAGREE = 4.0  # standard errors between two means


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

    A sampler returns draws, but not Z. So a flow q is fitted to half of them: the first half of
    every chain (with 8 chains or more: every other chain). The other half, and as many draws of q,
    give Z as the fixed point of the optimal bridge (Meng and Wong 1996). With l = p~ / q,

        Z = mean over q of  l / (s_1 l + s_2 Z)  /  mean over p of  1 / (s_1 l + s_2 Z),

    where s_1, s_2 are the effective shares of draws of p and q. The error is that of
    Fruehwirth-Schnatter 2004.

    How sure is log Z? Neighbours in a chain resemble each other, so the draws are worth fewer
    independent ones; how many is estimated from the autocorrelations of log l (initial positive
    sequence, Geyer 1992). They are taken about the mean of all chains. If chains disagree, each
    then counts as a draw or two, however long it is, and the error becomes large. One failure stays
    invisible: a mode that no chain has found.

    So do not shuffle a chain: `evidence` warns of a shuffle, but does not notice a weak
    correlation. Angles, in radians, may be in any turn; a target that repeats after 2 pi is
    integrated over one turn.

    Errors: ValueError for fewer than 100 distinct rows; for a target that returns a wrong shape, is
    not finite at a sample, or is inf at a draw of q; and if flow and target hardly overlap. Cost:
    one `fit`, and the target at half of the rows and at as many draws of q.

    Parameters
    ----------
    samples : array_like
        (n, D), draws of p, with the rows of each chain in order; a chain may repeat rows.
    log_target : callable
        Rows (n, D) -> log p~ (n,); no gradient is needed.
    flow : TransformedDistribution or None
        None: `flows.maf(D)` with its defaults.
    chains : array_like or None
        (n,), the chain of every row. None: one chain, or the walkers of an ensemble, as in the flat
        chain of emcee.
    rng : int or Generator
        Seed of the fit and of the draws of q.
    **options
        Options of `fit`.

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
    rng, chain = np.random.default_rng(rng), _chain_of_rows(x, chains)
    (fitted, times), (held, count) = _halves(x, chain)
    log_p = _log_p(log_target, x[held])
    flow = maf(x.shape[1], rng=0) if flow is None else flow
    flow, _ = fit(flow, np.repeat(x[fitted], times, axis=0), rng=rng, **options)
    of_p = log_p - flow.log_prob(x[held])
    drawn, log_q = flow.sample_and_log_prob(int(count.sum()), rng)
    # samples may be in any turn, such as [0, 2 pi), and the target need not be known in another
    middle, angle = (x.min(axis=0) + x.max(axis=0)) / 2, OneTurn.of(flow).angle
    drawn = turned(drawn, angle, middle)
    log_p_of_q = _log_p(log_target, drawn, may_vanish=True)
    beyond = [_repeated(log_target, drawn, log_p_of_q, j, middle[j])
              for j in np.flatnonzero((np.ptp(x, axis=0) <= TURN) & ~angle)]  # fmt: skip
    of_q = np.where(np.any(beyond, axis=0), -np.inf, log_p_of_q - log_q)
    starts = np.flatnonzero(np.diff(chain[held])) + 1
    n_p = _effective(np.split(of_p, starts), np.split(count, starts))
    of_p = np.repeat(of_p, count)
    log_z, error = _bridge(of_p, of_q, n_p)
    _check_agreement(of_p, of_q, n_p)
    return log_z, error


def _chain_of_rows(x: np.ndarray, chains: ArrayLike | None) -> np.ndarray:
    """(n,), the number of each row's chain: as it is given, or the walker of an ensemble."""
    number = np.arange(len(x)) % _n_walkers(x) if chains is None else np.asarray(chains)
    if number.shape != (len(x),):
        raise ValueError(f"chains has shape {number.shape}, but samples has {len(x)} rows")
    number, size = np.unique(number, return_inverse=True, return_counts=True)[1:]
    if size.min() < LEAST_CHAIN:
        raise ValueError(f"every chain needs at least {LEAST_CHAIN} rows: one has {size.min()}")
    return number


def _n_walkers(x: np.ndarray) -> int:
    """1, or how many walkers take turns in rows that are in the order of an ensemble's steps.

    The rows of one walker are correlated, those of two are not: so the correlation of rows is
    largest at the lag of one turn, not at the lag 1. It is that of their ranks, over all columns.
    """
    lags = np.arange(1, max(len(x) // LEAST_CHAIN, 1) + 1)
    ranks = np.argsort(np.argsort(x, axis=0), axis=0) / len(x) - 0.5
    products = _products(ranks.T)
    correlation = products[lags] / products[0] * (len(x) / (len(x) - lags))
    turn = int(np.argmax(correlation > NEARLY * correlation.max()))
    return turn + 1 if correlation[turn] > NOISE / math.sqrt(len(x)) else 1


def _halves(x: np.ndarray, chain: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The halves of every chain; of many chains, every other chain is a half.

    For each half: the indices of its distinct rows, in the order of their chains, and how often
    each row was drawn.

    All copies of a row are together, in the half where their mean place is: so a row is in either
    half with the same probability, however many copies it has.
    """
    order, size = np.argsort(chain, kind="stable"), np.bincount(chain)
    place = np.empty(len(x))  # of a row in its chain
    place[order] = np.concatenate([(np.arange(n) + 0.5) / n for n in size])
    if len(size) >= MANY:  # which are independent, though the halves of a short one may not be
        place = (chain % 2 + place) / 2
    _, index, copy_of, count = np.unique(x, axis=0, return_index=True, return_inverse=True,
                                         return_counts=True)  # fmt: skip
    if len(index) < LEAST_ROWS:
        raise ValueError(f"samples has {len(index)} distinct rows: {LEAST_ROWS} are needed")
    place = np.bincount(copy_of.ravel(), place) / count
    order = np.lexsort((place, chain[index]))
    early = place[order] < 0.5
    return [(index[own], count[own]) for own in (order[early], order[~early])]


def _log_p(log_target, x: np.ndarray, may_vanish: bool = False) -> np.ndarray:
    with np.errstate(all="ignore"):
        found = log_target(x)
        found = found[0] if isinstance(found, tuple) else found  # without its gradient
        found = np.asarray(as_numbers("the result of log_target", found), float)
    if found.shape != (len(x),):
        raise ValueError(
            f"log_target of rows {x.shape} returned shape {found.shape}, not {(len(x),)}"
        )
    bad = found == np.inf if may_vanish else ~np.isfinite(found)
    if bad.any():
        row = np.array2string(x[np.argmax(bad)], threshold=8)
        hint = "" if may_vanish else ", one of the samples: are they draws of it?"
        raise ValueError(f"log_target is {found[np.argmax(bad)]} at {row}{hint}")
    return np.where(np.isfinite(found), found, -np.inf)


def _repeated(log_target, drawn, log_p, j: int, middle: float) -> np.ndarray:
    """Which draws (n,) lie beyond the turn around the middle of column j, where the target repeats.

    q is a density on the line. One turn of the target has all of Z.
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


def _check_agreement(of_p: np.ndarray, of_q: np.ndarray, n_p: float) -> None:
    """A warning if draws of p are too near to those that q was fitted to.

    The mean of log p~/q over p is then smaller by draws of p than by weighted draws of q.
    """
    share = np.exp(of_q - _log_mean(of_q)) / len(of_q)
    of_q = np.where(share > 0, of_q, 0.0)
    apart = share @ of_q - of_p.mean()
    variance = share**2 @ (of_q - share @ of_q) ** 2 + of_p.var() / n_p
    if apart > DISAGREE * math.sqrt(variance):
        warn(
            "the error of the evidence is too small: the flow fits the draws that were held back "
            "better than it fits log_target. Correlated draws must keep the order of their chains: "
            "do not shuffle them, and pass chains="
        )


def _log_mean(values: np.ndarray) -> float:
    return float(log_sum_exp(values)[0] - math.log(len(values)))


def _effective(chains: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> float:
    """How many independent draws the values f of chains are worth, drawn c times each.

        n^2 var(f) / sum over lags k of  sum_i y_i y_(i+k)        y = c (f - mean of f),  n = sum c

    Lags end before the first pair of a negative sum (Geyer's initial positive sequence). Without
    copies it is n / (1 + 2 sum of correlations). The products are those of all chains together,
    about the mean of all: of chains that disagree each is worth a draw or two, however long it is.
    """
    values, count = np.concatenate(chains), np.concatenate(counts)
    mean, n = np.average(values, weights=count), count.sum()
    products = _products([c * (own - mean) for own, c in zip(chains, counts, strict=True)])
    if not products[0] > 0:
        return float(len(values))
    pairs = products[: len(products) // 2 * 2].reshape(-1, 2).sum(axis=1)
    last = np.argmax(pairs < 0) if (pairs < 0).any() else len(pairs)
    total = max(2 * pairs[:last].sum() - products[0], products[0])
    return float(n**2 * np.average((values - mean) ** 2, weights=count) / total)


def _products(chains: Sequence[np.ndarray]) -> np.ndarray:
    """sum_i y_i y_(i+k) at the lags k = 0, 1, ..., over all chains y, by FFT."""
    longest = max(map(len, chains))
    spectra = [np.abs(np.fft.rfft(own, 2 * longest)) ** 2 for own in chains]
    return np.fft.irfft(np.sum(spectra, axis=0), 2 * longest)[:longest]
