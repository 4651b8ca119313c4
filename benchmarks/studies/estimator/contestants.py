"""The other densities: each is fitted to rows x (n, D) and returns log p of others, in nats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

FEW_MODES, MOST_MODES = 1, 12
ENOUGH = 3  # more components in a row that are worse
MIXTURE_ROWS = 20_000  # by which the number of components is chosen
KDE_ROWS = 20_000  # it compares every row with every other
VINE_ROWS = 20_000


def gaussian(x: np.ndarray) -> Callable:
    """Full covariance, by maximum likelihood."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(1).fit(x).score_samples


def mixture_bic(x: np.ndarray) -> Callable:
    """Full or diagonal covariances and the number of components by BIC, three starts of each."""
    return _best_mixture(x, lambda mixture: -mixture.fit(x).bic(x))


def mixture_cv(x: np.ndarray) -> Callable:
    """The same choice by the log-likelihood of five held-out folds (of the first 20,000 rows)."""
    from sklearn.model_selection import cross_val_score

    return _best_mixture(x, lambda m: cross_val_score(m, x[:MIXTURE_ROWS], cv=5).mean())


def _best_mixture(x: np.ndarray, score: Callable) -> Callable:
    """The mixture of the highest score; more components, until three in a row are worse."""
    best, best_score = None, -np.inf
    for kind in ("full", "diag"):
        top, worse = -np.inf, 0
        for k in range(FEW_MODES, 1 + min(MOST_MODES, len(x) // 10)):
            found = score(_mixture(k, kind))
            worse = 0 if found > top else worse + 1
            top = max(top, found)
            if found > best_score:
                best, best_score = _mixture(k, kind), found
            if worse == ENOUGH:
                break
    return best.fit(x).score_samples


def kde(x: np.ndarray) -> Callable:
    """A Gaussian kernel in standardised units, its width by five held-out folds."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KernelDensity

    x = x[:KDE_ROWS]
    widths = np.geomspace(0.02, 2.0, 15)
    search = GridSearchCV(KernelDensity(rtol=1e-4), {"bandwidth": widths}, cv=5)
    best = search.fit(x[:5000]).best_params_["bandwidth"]
    factor = (min(len(x), 5000) / len(x)) ** (1 / (x.shape[1] + 4))  # more rows, a narrower one
    return KernelDensity(bandwidth=best * factor, rtol=1e-4).fit(x).score_samples


def vine(x: np.ndarray) -> Callable:
    """Kernel margins and a vine of pair copulas, all families, by AIC: pyvinecopulib's defaults."""
    from pyvinecopulib.sklearn import VineDensity

    fit = VineDensity().fit(x[:VINE_ROWS])

    def score(rows):
        return np.maximum(fit.score_samples(rows), -1e4)  # -inf beyond the grid of a margin

    return score


def _mixture(k: int, kind: str):
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(k, covariance_type=kind, n_init=3, random_state=0)


CONTESTANTS: dict[str, Callable[[np.ndarray], Callable]] = {
    "Gaussian": gaussian,
    "mixture, BIC": mixture_bic,
    "mixture, CV": mixture_cv,
    "KDE, CV": kde,
    "vine copula": vine,
}
