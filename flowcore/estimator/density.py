"""`FlowDensity`: the density of a table as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..bijectors import Clamped
from ..core import moment_after, until
from ..core.inputs import as_column, as_numbers, column_labels, selected
from ..core.labels import check_in_memory, frame_of, library_of, names_of
from ..core.rows import as_context, as_table, as_weights
from ..distributions import TransformedDistribution
from ..distributions.conditioning import with_standardized_context
from ..mixtures.incomplete_rows import MISSING
from ..training.columns import condition_number
from .candidates import angles_in, as_candidates
from .plan import Plan, default_minutes, plan
from .record import FlowDensityRecord
from .rows import Inputs, Sample, check_rows, mapped, merged, standardized
from .selection import Selection, select, select_with_holes
from .workers import part_of_progress

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..conditionals import (
        Answers,
        Conditional,
        Conditionals,
        Explanation,
        Marginal,
        Posterior,
    )
    from ..core.typing import Context, TableLike


class FlowDensity(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator
):  # fmt: skip
    """The density of a table's rows: a mixture of flows and simpler densities.

        p(x) = sum_c w_c mean_k p_ck(x)

    Which density suits a table? Rows that it has not seen decide. They are cut into folds, and
    every candidate c is fitted to the rows outside of each fold k; this fit is p_ck. Then it scores
    the rows inside. The weights w_c are those that make all held-out rows most probable (stacking).
    `summary_` has the score and the weight of every candidate.

    Simple densities cost little, so all of them are fitted: Gaussians, mixtures of Gaussians with a
    strong and with a weak prior, mixtures of t densities, and wide Student t densities; most of
    them once more after `Margins`, which makes skewed and heavy-tailed columns nearly normal.
    Mixtures grow until one is clearly worse.

    Flows take most of the time, so they race first. The candidates are

    * a spline flow, the same after `Margins`, and one that also has modes in its base;
    * a small affine flow, the same with modes in its base, and for three columns or more an affine
      flow that starts at the Gaussian;
    * for strongly correlated columns a spline flow that starts at the Gaussian.

    The race is on the first fold (on two below 1,000 rows), in rounds. In the first one, all flows
    get the same time. Those to which stacking gives enough weight go on, and are then fitted on as
    many of the other folds as there is time for. There are ten folds; more time than that buys
    second fits with other seeds.

    Columns must be continuous numbers. `fit` warns about columns on a grid, and about columns that
    follow from others, because both have no density. Below 40 rows no flow is tried.

    Equal rows are one row with a weight, so no copy of a held-out row is trained on.

    Errors: ValueError for anything but a table of finite numbers (TypeError for objects and complex
    numbers), for constant columns, for other columns than in `fit`, and for more than 3,450
    columns. Cost: `fit` takes `budget` minutes on two cores at most, and about 2 GB; what is too
    large for that is left out, and listed by `summary_`. `score_samples` costs one inverse of every
    flow in the density, for each fold.

    As in scikit-learn, most methods require the columns of `fit` in their order:
    `X[list(density.feature_names_in_)]`.

    Parameters
    ----------
    flow : str or TransformedDistribution
        "auto": the candidates above. Otherwise one flow: "affine", "spline", "margins" (a spline
        flow after `Margins`), "modes", "small" (affine), "small_modes", "white" (affine, starts at
        the Gaussian), "white_spline", or a flow of your own, such as `fc.flows.realnvp(dim)`. Only
        this flow then has a weight. Your own flow gets standardised rows, apart from its angles
        (`nsf(circular=)`).
    budget : float
        Minutes on two cores. Measured costs convert them to epochs and folds, so results are
        reproducible. Flows get at least ten seconds of one core. None: nine seconds up to 500 rows,
        then as the cube root of n: 31 seconds for 20,000 rows, 53 for 100,000. More time gives a
        better density; `summary_` lists what was used.
    max_seconds : float
        A limit by the clock. When the time is over, fits that have not begun are left out, and
        running ones keep their best epoch so far; `fit` warns, and `summary_` lists them. Results
        then depend on the clock. None: no limit.
    missing : str
        "error": NaN is an error. "learn": NaN is an unknown value, and both the fit and the scores
        use the log-density of the known values of a row. Whether a value is missing may depend on
        known values, but not on missing ones.
    n_jobs : int
        Number of processes that fit flows (joblib). None: all cores, or the number that a joblib
        context sets.
    random_state : int, RandomState or None
        Seed of the folds, initial weights and batches.
    progress : bool
        Show a progress bar; in a log it has a line a minute.

    Attributes
    ----------
    density_ : Distribution
        The density, in the units of X and of the context; `flowcore.save` accepts it.
    conditionals_ : Conditionals
        What `given`, `marginal` and `impute` ask.
    latent_ : TransformedDistribution
        The single flow (or Gaussian) with the largest weight, which `transform` uses.
    summary_ : Summary
        All candidates with their scores and weights: print it. `summary_.line` is one line.
    held_out_scores_ : ndarray
        (n,), the log-density of every row (of its known values) by fits that had not seen it. NaN
        for rows without weight, and for rows that were never held out (many from 1,000 rows on).
    n_features_in_, feature_names_in_ :
        As in scikit-learn.
    context_dim_ : int
        The number of columns of the context; 0 without one.
    context_names_in_ : list or None
        The names of the context's columns, if it had some.
    library_ : str or None
        "pandas", "polars" or "pyarrow" after `fit` to such a frame: `sample` and
        `inverse_transform` then return one.

    Examples
    --------
    >>> import flowcore as fc
    >>> X = fc.targets.two_moons().sample(100, rng=0)
    >>> density = fc.FlowDensity("small", random_state=0).fit(X)
    >>> density.score_samples(X[:3]).shape, density.sample(4, random_state=0).shape
    ((3,), (4, 2))
    >>> density.summary_.winner.name != "Gaussian"  # that of the largest weight
    True
    """

    def __init__(
        self,
        flow: str | TransformedDistribution = "auto",
        *,
        budget: float | None = None,
        max_seconds: float | None = None,
        missing: str = "error",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        progress: bool = False,
    ):
        self.flow = flow
        self.budget = budget
        self.max_seconds = max_seconds
        self.missing = missing
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

    def fit(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None, *,
        context: Context = None,
    ) -> Self:  # fmt: skip
        """Fit to the rows of X (n, D); y is ignored.

        sample_weight: (n,) >= 0, of which only the ratios matter; rows of weight 0 are left out,
        and equal rows are one row with the sum of their weights. context: (n, C), the columns that
        the density is conditional on; every other method then needs a context, too.
        """
        return fit_rows(self, X, sample_weight, context)

    def _as_table(self, X, sample_weight, context, present) -> Inputs:
        """The arguments of `fit_rows` as arrays, checked; names and widths become attributes."""
        x, labels = check_rows(self, X, reset=True, holes=self.missing == "learn")
        weight = as_weights(sample_weight, len(x))
        weight = np.ones(len(x)) if weight is None else weight
        self.library_, self.context_names_in_ = library_of(X), names_of("context", context)
        context = as_context("context", context, "X", len(x))
        known = ~np.isnan(x)
        weight = np.where(known.any(axis=1), weight, 0)
        if present is not None:
            known &= present
            columns = present.astype(float)
            self.context_names_in_ = None
            context = columns if context is None else np.hstack([context, columns])
        self.context_dim_ = 0 if context is None else context.shape[1]
        x = np.where(known | ~known.any(axis=0), x, np.nan)
        angle = angles_in(self.flow, x.shape[1])
        return Inputs(x, weight, context, known, present is not None, angle, labels)

    def _selected(self, table: Inputs, rows: Sample, seeds: np.random.SeedSequence) -> Selection:
        """The result of `select` within the budget."""
        dims = table.x.shape[1], self.context_dim_
        minutes = default_minutes(int(rows.heavy.sum())) if self.budget is None else self.budget
        minutes = min(minutes, (self.max_seconds or np.inf) / 60)
        flows = as_candidates(self.flow, *dims, table.is_clamped)

        def planned(rows: Sample, share: float = 1.0) -> Plan:
            tables = (one for one in (rows.x, rows.context) if one is not None)
            condition = max(condition_number(one) for one in tables)
            return plan(int(rows.heavy.sum()), *dims, flows, minutes, condition, share)

        if not np.isnan(rows.x).any():
            return select(rows, planned(rows), seeds, self.n_jobs)
        if table.angle.any():
            raise ValueError("missing='learn' takes numbers on the line, and your flow has angles")
        return select_with_holes(rows, planned, seeds, self.n_jobs, table.labels)

    def _set_scores(self, table: Inputs, rows: Sample, first, scale, log_p, summary) -> None:
        """`held_out_scores_` and `summary_`, in the units of X, of log p (n,) of standardised,
        different rows."""
        nats = -(table.known @ np.log(scale.scale))[rows.place]
        scored = rows.weight * np.isfinite(log_p)
        self.summary_ = summary.shifted(float(scored @ nats / scored.sum()))
        scores = np.full(len(table.x), np.nan)
        scores[rows.place] = log_p + nats
        self.held_out_scores_ = np.where(table.weight > 0, scores[first], np.nan)

    def score_samples(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """log p(x) of every row of X (n, D), in nats, in the units of X: shape (n,)."""
        X, _ = check_rows(self, X, reset=False)
        return self.density_.log_prob(X, context=self._context(context, len(X)))

    def score(self, X: ArrayLike, y: None = None, *, context: Context = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X, context).mean())

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None,
        context: Context = None,
    ) -> TableLike:  # fmt: skip
        """Draws from the density, (n, D); with a context (m, C): n for each row, (n, m, D).

        After `fit` to a frame of pandas, polars or pyarrow, (n, D) draws are such a frame.
        """
        context, rng = self._context(context), np.random.default_rng(seed_sequence(random_state))
        return self._as_table_of_fit(self.density_.sample(n_samples, rng, context=context))

    def pit(self, y: ArrayLike, context: Context = None) -> np.ndarray:
        """F(y | context) of one column, (n,): uniform numbers, if the density is the truth.

        y: (n,), (n, 1), or a table with one column. See `plots.pit`. Cost: three passes of every
        flow in the density. Errors: ValueError for a density of several columns.
        """
        y = as_column("y", y)
        context = self._context(context, len(y))
        return self.density_.pit(y, context)

    def quantiles(self, q: ArrayLike, context: Context = None) -> np.ndarray:
        """The quantiles of one column: (len(q), n) for n rows of a context, (len(q),) without.

        Cost: 10 to 30 passes of every flow in the density, for each q.
        """
        context = self._context(context)
        return self.density_.quantiles(q, context)

    def explain(self, X: ArrayLike, context: Context = None) -> Explanation:
        """Which cells make a row improbable, given the rest of it; see `Explanation`.

        Print `explain(X).worst`, or draw `fc.plots.cells(explain(X))`. Cost: about four times
        `score_samples`, and seconds once (each time with a context).
        """
        from ..conditionals.explaining import explained

        check_is_fitted(self)
        X, labels = check_rows(self, selected("X", X, self.density_.names), reset=False)
        read = self._context(context, len(X))
        return explained(self.conditionals_, X, read, labels or range(X.shape[1]))

    @cached_property
    def conditionals_(self) -> Conditionals:
        """Answers questions about `density_`; made at the first one, and kept."""
        from ..conditionals import Conditionals

        return Conditionals(self.density_)

    def given(
        self, known: ArrayLike | Mapping, context: Context = None, **options: Any
    ) -> Conditional:
        """p(x_b | x_a): the density of the other columns, given some known ones, by name or number.

        context: of this one question, (C,). options: n_draws, rng; see `Conditionals.given`.
        """
        read = self._context(context)
        return self.conditionals_.given(known, context=read, **options)

    def marginal(self, columns: Sequence) -> Marginal:
        """p(x_a): the density of some columns, by name or number; see `Conditionals.marginal`."""
        check_is_fitted(self)
        return self.conditionals_.marginal(columns)

    def impute(self, X: ArrayLike, n: int = 20, context: Context = None, **options: Any) -> Answers:
        """n draws of the unknown values (NaN) of each row of X: n completed tables.

        `impute(X).tables` is a list of tables like X: frames with all its columns and its index, or
        arrays. options: n_draws, rng, progress; see `Conditionals.impute`.
        """
        check_in_memory("X", X)
        read = self._context(context, len(X))
        return self.conditionals_.impute(X, n, context=read, **options)

    def posterior(
        self, X: ArrayLike | None = None, column: Any = None, grid: ArrayLike | None = None,
        context: Context = None,
    ) -> Posterior:  # fmt: skip
        """The density of one column given the others, as a curve for each row of X (n, D).

        See `Conditionals.posterior`; names select columns.
        """
        check_in_memory("X", X)
        read = self._context(context, None if X is None else len(X))
        return self.conditionals_.posterior(X, column, grid, read)

    def transform(self, X: ArrayLike, context: Context = None) -> np.ndarray:
        """z of every row, (n, D): its latent point under the single best flow."""
        X, _ = check_rows(self, X, reset=False)
        return self.latent_.to_latent(X, context=self._context(context, len(X)))

    def inverse_transform(self, X: ArrayLike, context: Context = None) -> TableLike:
        """The rows that `transform` maps to X (n, D); after `fit` to a frame, they are a frame."""
        check_is_fitted(self)
        Z = as_table("X", X, self.n_features_in_)
        x = self.latent_.from_latent(Z, context=self._context(context, len(Z)))
        return self._as_table_of_fit(x, getattr(X, "index", None) if column_labels(X) else None)

    def as_record(self) -> FlowDensityRecord:
        """The data that `flowcore.save` writes; `flowcore.load` restores a fitted estimator."""
        check_is_fitted(self)
        options = self.get_params(deep=False)
        if not isinstance(options["random_state"], Integral):
            options["random_state"] = None
        names = getattr(self, "feature_names_in_", None)
        return FlowDensityRecord(
            options, self.density_, self.latent_, None if names is None else names.tolist(),
            self.held_out_scores_, self.summary_, self.context_names_in_, self.context_dim_,
            self.conditionals_.kept_proposal, self.library_,
        )  # fmt: skip

    def _as_table_of_fit(self, x: np.ndarray, index: Any = None) -> TableLike:
        """Rows x (n, D) as a frame of the library of `fit`, if that is here; else x itself."""
        names, library = self.density_.names, self.library_
        if names is None or x.ndim != 2 or not (library and find_spec(library)):
            return x
        return frame_of(library, dict(zip(names, x.T, strict=True)), index)

    def _context(self, context: Context, n: int | None = None) -> np.ndarray | None:
        """The context of n rows, (n, C), checked. n = None: of as many rows as it has, of which one
        may be (C,)."""
        check_is_fitted(self)
        context = selected("context", context, self.context_names_in_)
        if n is None and context is not None:
            context = as_numbers("context", context)[None] if np.ndim(context) == 1 else context
            n = len(context)
        context, dim = as_context("context", context, "X", n), self.context_dim_
        width = 0 if context is None else context.shape[1]
        if width != dim:
            raise ValueError(
                f"context= has {width} columns, but in fit it had {dim}; cross_val_score and "
                "pipelines pass it on after set_score_request(context=True)"
            )
        return context


def fit_rows(
    own: FlowDensity,
    X: ArrayLike,
    sample_weight: ArrayLike | None = None,
    context: Context = None,
    present: np.ndarray | None = None,
    light: np.ndarray | bool = False,
) -> FlowDensity:
    """`own`, fitted: `FlowDensity.fit`, also to rows that lack numbers.

    present: (n, D) of booleans, which numbers a row has. The density is then that of the present
    numbers, given `present`: see `Clamped`. Other entries of X are ignored. Every method of the
    fitted one then takes a context that ends with the D columns of `present`. light: see `Sample`.
    """
    check_options(own)
    seeds, ends = seed_sequence(own.random_state), moment_after(own.max_seconds)
    table = own._as_table(X, sample_weight, context, present)
    rows, first = merged(table.x, table.weight, table.context, ~table.known.any(axis=1))
    rows, scale, of_context = standardized(table, rows)
    rows = replace(rows, light=light, angle=table.angle)
    with part_of_progress(wanted=own.progress), until(ends):
        density, latent, log_p, summary = own._selected(table, rows, seeds)
    units = scale if present is None else Clamped(scale, own.context_dim_)
    names = names_of("X", X), own.context_names_in_
    if of_context is not None:
        density, latent = (with_standardized_context(one, of_context) for one in (density, latent))
    own.density_ = TransformedDistribution(density, units).with_names(*names)
    own.latent_ = mapped([units], latent).with_names(*names)
    vars(own).pop("conditionals_", None)  # those of an earlier fit
    own._set_scores(table, rows, first, scale, log_p, summary)
    own._n_features_out = own.density_.dim
    return own


def check_options(own: FlowDensity) -> None:
    """A ValueError for an invalid option."""
    n_jobs, budget = own.n_jobs, own.budget
    if n_jobs is not None and not (isinstance(n_jobs, Integral) and n_jobs != 0):
        raise ValueError(f"n_jobs is a number of processes, -1 for all cores, or None: {n_jobs!r}")
    if budget is not None and not (isinstance(budget, Real) and budget > 0):
        raise ValueError(f"budget is a number of minutes > 0, or None: got {budget!r}")
    if own.missing not in MISSING:
        raise ValueError(f"missing is one of {', '.join(map(repr, MISSING))}: got {own.missing!r}")


def seed_sequence(random_state) -> np.random.SeedSequence:
    """The source of the seeds of all fits; None: fresh entropy, not NumPy's global state."""
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(2**63, size=2).tolist())
    state = check_random_state(random_state)
    return np.random.SeedSequence(state.randint(2**31 - 1, size=4).tolist())
