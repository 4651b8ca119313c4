"""`FlowDensity`: the density of a table as a scikit-learn estimator."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..bijectors import Chain
from ..conditionals import Conditionals
from ..conditionals.explaining import DRAWS, Explanation, explained
from ..core import moment_after
from ..core.inputs import column_labels
from ..core.labels import are_names, check_labels
from ..distributions import TransformedDistribution
from ..distributions.conditioning import with_standardized_context
from ..distributions.incomplete_rows import MISSING, check_seen
from ..training.checks import as_context, as_table, as_weights
from ..training.columns import check_columns
from ..training.defaults import is_auto
from .candidates import as_candidates
from .holes import learned
from .plan import default_minutes, plan
from .record import FlowDensityRecord, as_data
from .rows import check_reach, check_rows, from_the_centre, merged, quantile, scaling, trimmed
from .selection import select

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..core.typing import Context
    from ..distributions import Distribution

LEAST_ROWS = 3  # one is held out, and a single other one has no spread


class FlowDensity(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator
):  # fmt: skip
    """The density of a table's rows: flows and simpler densities, weighted by held-out rows.

        p(x) = sum_c w_c mean_k p_ck(x)

    The rows are cut into folds. Candidates are a Gaussian, a mixture of Gaussians, wide Student
    tails, an affine and a spline flow, and a flow whose base has modes; for few rows also a small
    affine flow, and one that starts at the Gaussian. Every candidate c is fitted once for every
    fold k, to the other rows, until the log-density of the held-out rows stops improving. The
    weights w_c are those under which all held-out rows together are most probable (stacking): a
    flow with a lower score than a Gaussian may have some weight, if it is better in places. A
    weight below 0.01 becomes 0. No single row decides. `summary_` has all scores.

    Folds follow the distance of the rows from the centre, and `random_state`: they depend neither
    on the order of the rows, nor on signs, units or the order of the columns. Equal rows are one
    row with a weight. Rows are numbers, continuous ones: what follows from other columns, or lies
    on a grid, has no density (a warning).
    Errors: ValueError for anything but a table of finite numbers (TypeError for objects and complex
    numbers), for constant columns, for columns that are not those of `fit`, for more than 3,450.
    Cost: `fit` takes the minutes of `budget`, and about 2 GB at most on two cores: in wide tables,
    whose flows and covariances have a multiple of D^2 numbers, `summary_` lists what was left out.
    `score_samples` costs one inverse of every flow in the density.

    Parameters
    ----------
    flow : str or TransformedDistribution
        "auto", as above; or the only flow to be fitted: "affine", "spline", "modes",
        "small" (affine), "white" (affine, from the Gaussian on), the name of a recipe of
        `flowcore.flows`, or a flow of your own, which gets standardised rows. Then the simpler
        densities only stand in the summary.
    budget : float
        Minutes on two cores; the folds, then the epochs, are as many as that allows. It is
        converted by measured costs, not by a clock, so results are reproducible. Flows get at
        least ten seconds of one core. None: a third of a minute up to 500 rows, then as n^0.41:
        1.5 for 20,000, 3 for 100,000.
    max_seconds : float
        A limit by the clock, which also holds on a busy machine; `budget` is at most as long. When
        it is reached, mixtures and flows that have not begun are left out, and flows under way keep
        their best held-out epoch so far: `summary_` lists them, with a warning. Results then depend
        on the clock. The Gaussian is always fitted. Processes are started from ten seconds on. The
        limit may be exceeded by what it takes to evaluate the held-out rows. None: no limit.
    trim : float
        The share of rows, in [0, 0.5], that are left out of the fit: those that an isolation forest
        (scikit-learn's) finds most isolated. Then clusters of outliers are not learned. The density
        knows little of these rows: on a clean table that costs log-density in the tails, and
        `summary_`, which is of the other rows, does not count it.
    missing : str
        "error", or "learn": NaN is a value that is not known, and a row counts by the log-density
        of what it knows (see `holes.py`). Scores are of that; `offset_` is of rows that were
        completed. The holes may depend on what is seen, not on what they hide. Rows without a value
        take no part. The density takes complete rows: `conditionals_.impute` fills holes.
    contamination : float
        The share of rows, in (0, 0.5], that `predict` calls outliers.
    n_jobs : int
        Processes that fit flows (joblib). None: all cores, or those of a joblib context; one
        inside of another worker.
    random_state : int, RandomState or None
        Decides folds, initial weights, batches.
    progress : bool
        Show a progress bar.

    Attributes
    ----------
    density_ : Distribution
        The density in the units of X and of the context, one of flowcore's: `flowcore.save` takes
        it. It takes a context only if a part of it reads one: `density_.context_dim`.
    conditionals_ : Conditionals
        Answers about some columns given others, by their names, and about rows with holes. Its
        proposal is fitted at the first question, and kept, also in files.
    latent_ : TransformedDistribution
        The single flow (or Gaussian) of the largest weight: `transform` is its way to the base.
    summary_ : Summary
        What was tried, how good it was, what was chosen: print it. `summary_.line` is one line.
    held_out_scores_ : ndarray
        (n,), the log-density of every row by fits that had not seen it; NaN for rows that were
        never held out (of large tables, one fold may be) or have no weight. Of rows that `trim`
        left out it is `score_samples`. With missing="learn": of what rows know.
    offset_ : float
        The `contamination` quantile of these: `predict` calls less an outlier. With
        missing="learn" it is of completed rows, of which those with holes were not held out.
    n_features_in_, feature_names_in_ :
        As in scikit-learn.
    context_dim_ : int
        The number of columns of the context; 0 without one.
    context_names_in_ : list or None
        The names of the context's columns, if it had some.

    Examples
    --------
    >>> import flowcore as fc
    >>> X = fc.targets.two_moons().sample(100, rng=0)
    >>> density = fc.FlowDensity(budget=0.004, random_state=0).fit(X)
    >>> density.score_samples(X[:3]).shape, density.sample(4, random_state=0).shape
    ((3,), (4, 2))
    >>> density.summary_.winner.name != "Gaussian"
    True
    """

    def __init__(
        self,
        flow: str | TransformedDistribution = "auto",
        *,
        budget: float | None = None,
        max_seconds: float | None = None,
        trim: float = 0.0,
        missing: str = "error",
        contamination: float = 0.1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        progress: bool = False,
    ):
        self.flow = flow
        self.budget = budget
        self.max_seconds = max_seconds
        self.trim = trim
        self.missing = missing
        self.contamination = contamination
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

    def fit(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None, *,
        context: Context = None,
    ) -> Self:  # fmt: skip
        """Fit to the rows of X (n, D); y is not looked at.

        sample_weight: (n,) >= 0; rows of weight 0 take no part. context: (n, C), what the density
        is conditional on; every other method then wants one, too.
        """
        seeds = seed_sequence(self.random_state)
        check_options(self)
        ends = moment_after(self.max_seconds)
        X, labels = check_rows(self, X, reset=True, holes=self.missing == "learn")
        weight = as_weights(sample_weight, len(X))
        weight = np.ones(len(X)) if weight is None else weight
        hole = np.isnan(X)
        if hole.any():
            check_seen(X[weight > 0], labels)
            weight = np.where(hole.all(axis=1), 0, weight)
        names, context = column_labels(context), as_context("context", context, "X", len(X))
        self.context_dim_ = 0 if context is None else context.shape[1]
        self.context_names_in_ = names if are_names(names) else None
        rows, first = merged(X, weight, context)
        rows, isolated = trimmed(rows, self.trim, seeds)
        isolated = np.isin(first, isolated) & (weight > 0)
        used = np.where(isolated, 0, weight)
        if 1 < len(rows) < LEAST_ROWS:  # of a single one, every column is constant
            raise ValueError(
                f"X has {len(rows)} different rows: at least {LEAST_ROWS} are needed, since some "
                "are held out, and many more for a good density"
            )
        if not hole.any():
            check_columns(X, np.flatnonzero(used > 0), labels)
        scale, context_scale = scaling(rows.x), None if context is None else scaling(rows.context)
        check_reach(np.where(hole, scale.mean, X), used, scale, labels)
        dims = X.shape[1], self.context_dim_
        minutes = default_minutes(len(rows)) if self.budget is None else self.budget
        minutes = min(minutes, (self.max_seconds or np.inf) / 60)
        flows = as_candidates(self.flow, *dims)
        rows, alone = from_the_centre(rows, scale, context_scale), not is_auto(self.flow)
        planned = lambda share: plan(len(rows), *dims, flows, share * minutes)  # noqa: E731
        how = seeds, self.n_jobs, alone, self.progress
        if hole.any():
            rows, found, whole = learned(rows, planned, how, ends, labels)
        else:
            todo = planned(1.0)
            if isolated.any():
                todo.left_out.append(f"{isolated.sum():,} isolated rows: trim")
            found = select(rows, todo, *how, ends)
            whole = found[2]
        density, latent, log_p, summary = found
        if context_scale is not None:
            density = with_standardized_context(density, context_scale)
            latent = with_standardized_context(latent, context_scale)
        self.density_ = TransformedDistribution(density, scale)
        self.latent_ = TransformedDistribution(latent.base, Chain([scale, latent.bijector]))
        self.conditionals_ = Conditionals(self.density_, getattr(self, "feature_names_in_", None))
        nats = float(scale.inverse_log_det(scale.mean[None])[0])
        unseen = np.where(hole, np.log(scale.scale), 0).sum(axis=1)[rows.place]
        own = rows.weight * np.isfinite(log_p)
        self.summary_ = summary.shifted(nats + float(own @ unseen / own.sum()))
        scores, judged = np.full((2, len(X)), np.nan)
        scores[rows.place], judged[rows.place] = log_p + nats + unseen, whole + nats
        scores, judged = np.where(used > 0, [scores[first], judged[first]], np.nan)
        if isolated.any():
            own = context[isolated] if self.density_.context_dim else None
            scores[isolated] = judged[isolated] = self.density_.log_prob(X[isolated], context=own)
        self.held_out_scores_, seen = scores, np.isfinite(judged)
        known = used[seen].sum() / used.sum()  # of isolated rows all scores are known
        weight = np.where(isolated, known * weight, weight)
        self.offset_ = quantile(judged[seen], weight[seen], self.contamination)
        self._n_features_out = X.shape[1]
        return self

    def score_samples(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """log p(x) of every row of X (n, D), in nats, in the units of X: shape (n,)."""
        check_is_fitted(self)
        X, _ = check_rows(self, X, reset=False)
        return self.density_.log_prob(X, context=self._read_by(self.density_, context, len(X)))

    def score(self, X: ArrayLike, y: None = None, *, context: Context = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X, context).mean())

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None,
        context: Context = None,
    ) -> np.ndarray:  # fmt: skip
        """Draws from the density, (n, D); with a context (m, C): n for each row, (n, m, D)."""
        check_is_fitted(self)
        rng = np.random.default_rng(seed_sequence(random_state))
        read = self._read_by(self.density_, context, 0 if context is None else len(context))
        if context is not None and read is None:  # nothing that reads it has any weight
            n_samples = n_samples, len(context)
        return self.density_.sample(n_samples, rng, context=read)

    def decision_function(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """`score_samples` - `offset_`: below 0 are the outliers."""
        return self.score_samples(X, context) - self.offset_

    def predict(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """-1 for outliers, rows less probable than the `contamination` quantile, 1 for others."""
        return np.where(self.decision_function(X, context) < 0, -1, 1)

    def fit_predict(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None, *,
        context: Context = None,
    ) -> np.ndarray:  # fmt: skip
        """`fit`, then -1 for rows that were outliers while they were held out, 1 for others.

        So the share of outliers is `contamination`, which `predict` of rows of the fit is not: what
        was learned from is more probable. Rows that were never held out are predicted.
        """
        if np.isnan(check_rows(self, X, reset=True, holes=self.missing == "learn")[0]).any():
            raise ValueError(
                "fit_predict takes complete rows: scores of rows that know different columns "
                "cannot be compared. Call fit, and predict for complete rows"
            )
        scores = self.fit(X, y, sample_weight, context=context).held_out_scores_
        if np.isnan(scores).any():
            scores = np.where(np.isnan(scores), self.score_samples(X, context), scores)
        return np.where(scores < self.offset_, -1, 1)

    def explain(self, X: ArrayLike, context: Context = None) -> Explanation:
        """Which cell makes a row improbable: max over x_j of log p(x), less log p(x), of each cell.

        Print `explain(X).worst`, or draw `fc.plots.cells(explain(X))`. Cost: 63 evaluations of the
        density for each cell.
        """
        check_is_fitted(self)
        X, labels = check_rows(self, X, reset=False)
        read = self._read_by(self.density_, context, len(X))
        own = None if read is None else read[np.arange(DRAWS) % len(read)]
        draws = self.density_.sample(DRAWS if own is None else (), np.random.default_rng(0), own)

        def log_prob(rows, index):
            return self.density_.log_prob(rows, context=None if read is None else read[index])

        return explained(log_prob, X, draws, labels or range(X.shape[1]))

    def transform(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """z of every row, (n, D): what the single best flow's base density sees."""
        check_is_fitted(self)
        X, _ = check_rows(self, X, reset=False)
        return self.latent_.to_latent(X, context=self._read_by(self.latent_, context, len(X)))

    def inverse_transform(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """The rows that `transform` takes to X (n, D)."""
        check_is_fitted(self)
        Z = as_table("X", X, self.n_features_in_)
        return self.latent_.from_latent(Z, context=self._read_by(self.latent_, context, len(Z)))

    def as_record(self) -> FlowDensityRecord:
        """What `flowcore.save` writes; `flowcore.load` gives a fitted estimator again."""
        check_is_fitted(self)
        options = self.get_params(deep=False)
        if not isinstance(options["random_state"], Integral):
            options["random_state"] = None
        names = getattr(self, "feature_names_in_", None)
        return FlowDensityRecord(
            options, self.density_, self.latent_, None if names is None else names.tolist(),
            self.held_out_scores_, float(self.offset_), as_data(self.summary_),
            self.context_names_in_, self.context_dim_, proposal=self.conditionals_.kept_proposal,
        )  # fmt: skip

    def _read_by(self, density: Distribution, context: Context, n: int) -> np.ndarray | None:
        """The context of n rows, (n, C), checked; None if the density reads none."""
        check_labels("context", column_labels(context), self.context_names_in_)
        context, dim = as_context("context", context, "X", n), self.context_dim_
        width = 0 if context is None else context.shape[1]
        if width != dim:
            raise ValueError(
                f"context= has {width} columns, but in fit it had {dim}; cross_val_score and "
                "pipelines pass it on after set_score_request(context=True)"
            )
        return context if density.context_dim else None


def check_options(own: FlowDensity) -> None:
    """A ValueError for an option that is none."""
    n_jobs, budget = own.n_jobs, own.budget
    if n_jobs is not None and not (isinstance(n_jobs, Integral) and n_jobs != 0):
        raise ValueError(f"n_jobs is a number of processes, -1 for all cores, or None: {n_jobs!r}")
    if budget is not None and not (isinstance(budget, Real) and budget > 0):
        raise ValueError(f"budget is a number of minutes > 0, or None: got {budget!r}")
    if not (isinstance(own.trim, Real) and 0 <= own.trim <= 0.5):
        raise ValueError(f"trim is a share of the rows in [0, 0.5]: got {own.trim!r}")
    if own.missing not in MISSING:
        raise ValueError(f"missing is one of {', '.join(map(repr, MISSING))}: got {own.missing!r}")
    if own.missing == "learn" and own.trim:
        raise ValueError(f"trim={own.trim} takes complete rows: drop it, or missing='learn'")
    share = own.contamination
    if not (isinstance(share, Real) and 0 < share <= 0.5):
        raise ValueError(f"contamination is a share of the rows in (0, 0.5]: got {share!r}")


def seed_sequence(random_state) -> np.random.SeedSequence:
    """What every fit's seed is drawn from; None: fresh, not NumPy's global state."""
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(2**63, size=2).tolist())
    state = check_random_state(random_state)
    return np.random.SeedSequence(state.randint(2**31 - 1, size=4).tolist())
