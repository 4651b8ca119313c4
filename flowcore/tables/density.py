"""`TableDensity`: one density of a table with columns of every kind, p(c) p(x | c)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from ..core import log_sum_exp, warn
from ..core.inputs import check_count
from ..distributions import ClampedBase, Distribution
from ..distributions.columns import equal_rows
from ..estimator.workers import part_of_progress
from .coordinates import FIRST
from .encoding import Encoding
from .fitting import TrainingRows, fitted_parts, learner, training_rows
from .frame import Frame, table_of
from .record import TableRecord
from .schema import Schema

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..conditionals import Explanation
    from ..core.typing import Base, Seed, TableLike
    from ..estimator import FlowDensity, Summary
    from .answering import Answering
    from .categorical import CategoricalMixture
    from .conditional import TableAnswers, TableConditional
    from .coordinates import Coordinates
    from .proposal import MixedMixture

BLOCK = 2**16  # rows whose contexts and latent classes are in memory
ROWS = 2**10  # of a block, each of them at all points of what it leaves open
EVEN, UNEVEN = 0.35, 0.45  # relative spread of a density in a cell: FIRST points suffice, or not
# shares of the budget, where categories are unknown: each density but the last one draws them
ROUNDS_WITH_NUMBERS, ROUNDS_OF_CATEGORIES = (0.3, 0.7), (0.2,) * 5  # p(c) alone costs little
POINTS_OF_DRAWS = 1  # of a cell, its centre: enough to draw categories that a row lacks


class Numbers(NamedTuple):
    """density of rows (n, D) on the whole line, given context (n, C) or None; names of the columns;
    frame: the rows of the table.

    In `rows` gridded numbers have noise, and absent numbers are filled, so that all rows have a
    density. In `values` there is no noise, and absent numbers are NaN. units: from such rows to
    those of the table.
    """

    density: Any
    names: tuple[str, ...]
    rows: np.ndarray
    context: np.ndarray | None
    values: np.ndarray
    units: Callable[[np.ndarray], np.ndarray]
    frame: Frame

    def log_prob(self, rows: np.ndarray, context: np.ndarray | None) -> np.ndarray:
        """log q of the numbers that rows have, (n,); absent ones do not count."""
        own = getattr(self.density, "log_prob_of_present", self.density.log_prob)
        return own(rows) if context is None else own(rows, context=context)


class TableDensity(DensityMixin, BaseEstimator):
    """The density of a row (c, x) of a table: p(c) p(x | c), as a scikit-learn estimator.

        log p(c, x) = log p(c) + log q(z | c) + log |det dz/dx|

    c are the categories, and which atom a number is, if any: p(c) is exact. x are the other
    numbers, z is x on the whole line (log for positive columns, logit for bounded ones), and q any
    density with a context. `schema_.meaning` prints the units of p. A gridded number counts as a
    probability, the integral of p over its cell:

        log p(x | c) = log 1/M sum_m q(z(x, u_m) | c) w(x, u_m)         see `Coordinates`

    at M = 32 fixed points u_m of the unit cube (Sobol's sequence), or 64 if several columns are
    gridded.

    All unseen values of a column together have the probability u of `Frequencies`. Given one of
    them, p(x | unseen) = sum_v w_v p(x | v) over the 16 most frequent values v.

    Parameters
    ----------
    schema : Schema or None
        The kinds of the columns. None: `Schema.from_data(X, missing)` with all its suggestions, and
        one warning that lists them.
    learn : FlowDensity or callable or None
        `FlowDensity(...)`: the density that held-out rows prefer; None: the same with default
        settings. A callable learn(x, context=, sample_weight=, rng=) returns a density of the
        numbers x, mapped to the whole line, given the categories as a context. If columns have
        atoms, it needs an argument `present`: see `learn_flow`.
    missing : str
        How to treat a missing number. "error"; "drop": leave its row out; "atom": "missing" is a
        value with a probability of its own, as it is for categories with "error", too. "learn": a
        missing cell is unknown, and a row contributes its known values. Then a `schema` must come
        from `Schema.from_data(X, missing="learn")`.
    rules : bool
        Whether a category that follows from one other column in all rows keeps its rule in draws
        and in p. False: it is learned like others.
    ignore_extra : bool
        Ignore columns that the schema does not have, instead of raising an error.
    random_state : int or Generator
        For noise, folds, initial weights, batches.

    Attributes
    ----------
    schema_ : Schema
        The kinds of the columns.
    categories_ : CategoricalMixture or None
        p(c); None without categories and atoms.
    density_ : Distribution or None
        q, of all numbers on the whole line; None without numbers.
    coordinates_ : Coordinates
        From x to z.
    answering : Answering
        Answers questions; fitted at the first one.
    dim : int
        The number of columns of p; those set aside do not count.
    margins_ : list of ndarray or None
        The sorted values of every number, for `sample(margins="table")`.
    notes : dict
        How it was fitted.

    References
    ----------
    Sobol, "On the distribution of points in a cube and the approximate evaluation of integrals",
    1967.

    Examples
    --------
    >>> from flowcore import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> def normal(x, context=None, sample_weight=None, rng=0):
    ...     return GaussianMixture.from_data(x, 1)
    >>> table = {"height": rng.normal(1.7, 0.1, 300), "smokes": rng.random(300) < 0.3}
    >>> density = TableDensity(learn=normal).fit(table)
    >>> density.log_prob({"height": [1.7], "smokes": [True]}).shape
    (1,)
    """

    def __init__(
        self,
        schema: Schema | None = None,
        learn: Callable[..., Base] | FlowDensity | None = None,
        *,
        missing: str = "error",
        rules: bool = True,
        ignore_extra: bool = False,
        random_state: int | np.random.Generator | None = 0,
    ):
        self.schema = schema
        self.learn = learn
        self.missing = missing
        self.rules = rules
        self.ignore_extra = ignore_extra
        self.random_state = random_state

    def fit(self, X: TableLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to the rows of a table; see `fit_table` for the kinds of tables, and for errors."""
        rng = np.random.default_rng(self.random_state)
        rows = X
        if not isinstance(X, TrainingRows):
            how = self.schema, self.missing, sample_weight, self.ignore_extra, self.rules
            rows = training_rows(X, *how)
        learn = learner(self.learn, self.missing)
        codes, shares = rows.codes, (1.0,)
        if (codes < 0).any():
            from .missing_categories import drawn_codes, first_codes

            codes = first_codes(codes, rows.encoding.sizes, rows.x, rows.weight, rng)
            shares = ROUNDS_WITH_NUMBERS if rows.encoding.kinds else ROUNDS_OF_CATEGORIES
        parts = None
        with part_of_progress(wanted=getattr(learn, "progress", False)):
            for share in shares:
                with part_of_progress(share):
                    if parts:  # unknown categories are drawn from the density so far
                        schema, categories, coordinates, *others = parts
                        coordinates = coordinates.with_points(POINTS_OF_DRAWS)
                        density = TableDensity(schema)
                        density.with_parts(schema, categories, coordinates, *others)
                        codes = drawn_codes(density, rows.codes, rows.x, rows.hole, rng)
                    parts = fitted_parts(rows, codes, learn, share, rng)
        return self.with_parts(*parts)

    @classmethod
    def of(
        cls, schema: Schema, density: Base | None, categories: CategoricalMixture | None = None
    ) -> TableDensity:
        """A fitted one, from a density of the numbers on the whole line that you already have.

        schema: the kinds of the columns, as for `edit`. categories: p(c), of the categories and
        atoms in their order. Errors: ValueError for parts that do not fit together.
        """
        return TableRecord(schema.to_dict(), categories, density).restored()

    def with_parts(
        self,
        schema: Schema,
        categories: CategoricalMixture | None,
        coordinates: Coordinates,
        density: Base | None,
        margins: list | None,
        notes: dict | None,
        proposal: MixedMixture | None = None,
    ) -> Self:
        """The same object with the parts that a fit has found; `load` calls it."""
        self.schema_, self.categories_, self.coordinates_ = schema, categories, coordinates
        self.density_, self.margins_, self.notes = density, margins, notes
        self.dim = len(schema.numbers) + len(schema.categories)
        self.encoding, self._proposal, one_hot = Encoding(schema), proposal, None
        vars(self).pop("answering", None)  # that of an earlier fit
        if categories is not None:
            from .onehot import OneHot

            one_hot = OneHot.of(categories.counts)
        width = one_hot.dim if one_hot else 0
        # somebody's own density need not have a `context_dim`
        context_dim = getattr(density, "context_dim", width)
        self._one_hot = one_hot if width and context_dim else None
        self._clamped = density is not None and context_dim == width + density.dim
        if not self._clamped and any(part.may_be_gone for part in self.encoding.parts):
            density, self._clamped = _without_absent(density), True
        self._given_present, self._quick, self._on_line = density, _in_float32(density), density
        if self._clamped:
            from .filled import Filled

            self._on_line = Filled(density, coordinates)
        return self

    @cached_property
    def answering(self) -> Answering:
        """Made at the first question, and kept."""
        from .answering import Answering

        return Answering(self, self._proposal)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "density_")

    def as_record(self) -> TableRecord:
        """The data that `flowcore.save` writes."""
        check_is_fitted(self)
        coordinates = self.coordinates_
        proposal = self.answering.kept if "answering" in vars(self) else self._proposal
        return TableRecord(
            self.schema_.to_dict(), self.categories_, self.density_, coordinates.fillers,
            self.margins_, self.notes, coordinates.scores, proposal, coordinates.n_points,
        )  # fmt: skip

    @property
    def summary(self) -> Summary | None:
        """The candidates of a `FlowDensity`, and their held-out scores.

        In the units of the table; None if another function learned it.
        """
        return (self.notes or {}).get("summary")

    # ------------------------------------------------------------ log p

    def log_prob(self, X: TableLike, missing: str = "nan") -> np.ndarray:
        """log p of every row of the table X, (n,), in nats.

        It is NaN for a row with a missing cell, unless "missing" is a value of the column, and -inf
        for a row outside of a column's support. Without gridded columns it is exact. Otherwise it
        is an average over points of the row's cell.

        missing: "nan", as above. "marginal": a missing cell is unknown, and log p is an estimate,
        by 200 weighted draws, of the probability of the known values.

        Errors: ValueError for columns that differ from the schema's, and for text among numbers and
        values off a grid; the message then names row, column and value. Cost: one pass of the
        density, or 32 to 64 in float32 with gridded columns.
        """
        check_is_fitted(self)
        if missing not in ("nan", "marginal"):
            raise ValueError(f'missing is "nan" or "marginal": got {missing!r:.40}')
        frame = self.schema_.select(X, self.ignore_extra)
        self.encoding.warn_of_rounding(frame)
        codes, x, unknown = self.encoding.encode(frame)
        log_p, out = np.full(len(codes), np.nan), self.coordinates_.outside(x).any(axis=1)
        rows = np.flatnonzero(~(unknown | out))
        log_p[rows] = self.log_prob_of(codes[rows], x[rows])
        log_p[rows] += self.encoding.log_prob_of_ruled(frame)[rows]
        holes = np.flatnonzero(unknown & ~out) if missing == "marginal" else np.zeros(0, int)
        if len(holes):
            from .conditional import marginals_of

            log_p[holes] = marginals_of(self, frame.take(holes))
        log_p[out if missing == "marginal" else out & ~unknown] = -np.inf
        return log_p

    def log_prob_of(
        self, codes: np.ndarray, x: np.ndarray, n_points: int | None = None
    ) -> np.ndarray:
        """log p of rows that `Encoding` has encoded, nothing unknown, all in the support.

        n_points: how many points of a cell are taken; None: all of them.
        """
        log_p = np.zeros(len(codes))
        for block in np.split(np.arange(len(codes)), range(BLOCK, len(codes), BLOCK)):
            if self.categories_ is not None:
                log_p[block] += self.categories_.log_prob(codes[block])
            if self.density_ is not None:
                own = x[block]
                log_p[block] += self._averaged(
                    codes[block],
                    lambda rows, context, x=own: self._given(x[rows], context, n_points),
                )
        return log_p

    def score_samples(self, X: TableLike) -> np.ndarray:
        """`log_prob`, as scikit-learn calls it."""
        return self.log_prob(X)

    def score(self, X: TableLike, y: None = None) -> float:
        """The mean of `log_prob`."""
        return float(self.log_prob(X).mean())

    def log_prob_on_line(self, z: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """log q(z | c) of points of the whole line (n, D) and codes (n, K)."""

        def given(rows, context):
            own = {} if context is None else {"context": context}
            return self._on_line.log_prob(z[rows], **own)

        return self._averaged(codes, given)

    def _context(self, codes, levels) -> np.ndarray | None:
        """The context of the density of numbers: categories one-hot, then which numbers there are;
        None, if it reads none."""
        parts = [] if self._one_hot is None else [self._one_hot.context(levels)]
        if self._clamped:
            parts.append(self.encoding.is_there(codes).astype(float))
        return np.hstack(parts) if parts else None

    def _averaged(self, codes, log_given: Callable) -> np.ndarray:
        """log p(x | c), where log_given(rows, context) has the same for a context.

        log sum_v w_v p(x | v) over the values v that an unseen one may have; one v of weight 1, if
        all were seen.
        """
        if self._one_hot is None:
            return log_given(np.arange(len(codes)), self._context(codes, None))
        log_p, levels = np.full(len(codes), -np.inf), self._one_hot.levels(codes)
        for rows in equal_rows(levels < 0):
            filled, unseen = levels[rows], levels[rows[0]] < 0
            for values, weight in zip(*self._one_hot.alternatives(unseen), strict=True):
                filled[:, unseen] = values
                each = np.log(weight) + log_given(rows, self._context(codes[rows], filled))
                log_p[rows] = np.logaddexp(log_p[rows], each)
        return log_p

    def _given(self, x, context, n_points) -> np.ndarray:
        """log p(x | c): the mean of q w over the points u of each row.

        First over at most FIRST points, by q in float32. That is the answer where q w is even, with
        a standard deviation below EVEN of its mean; above UNEVEN the other points count, too, and
        in between by a share of their weight, so that no answer jumps. Rows too far out for float32
        have all points in float64.
        """
        log_p = np.empty(len(x))
        is_open = self.coordinates_.is_open(x)
        centre = self.coordinates_.points(1)
        points = self.coordinates_.points(n_points or self.coordinates_.n_points)
        for rows, u in ((~is_open, centre), (is_open, points)):
            index = np.flatnonzero(rows)
            for block in np.split(index, range(ROWS, len(index), ROWS)):
                own = None if context is None else context[block]
                if u is centre:
                    log_p[block] = self._mean(self._given_present, x[block], own, u)[0]
                else:
                    log_p[block] = self._in_cells(x[block], own, u)
        return log_p

    def _in_cells(self, x, context, u) -> np.ndarray:
        log_p, spread = self._mean(self._quick, x, context, u[:FIRST])
        others = max(0, len(u) - FIRST) / len(u)  # the share of them
        uneven = np.clip((spread - EVEN) / (UNEVEN - EVEN), 0, 1) * others
        far = ~np.isfinite(log_p + spread)  # for float32
        again = np.flatnonzero((uneven > 0) & ~far)
        if len(again):
            share, own = uneven[again], None if context is None else context[again]
            log_rest = self._mean(self._quick, x[again], own, u[FIRST:])[0]
            log_p[again] = np.logaddexp(np.log1p(-share) + log_p[again], np.log(share) + log_rest)
        if far.any():
            own = None if context is None else context[far]
            log_p[far] = self._mean(self._given_present, x[far], own, u)[0]
        return log_p

    def _mean(self, density, x, context, u) -> tuple[np.ndarray, np.ndarray]:
        """(log of the mean of q w over the points u of each row; its relative spread), (n,)."""
        (z, log_w), n, m = self.coordinates_.in_cells(x, u), len(x), len(u)
        z = np.where(np.isnan(z), 0.0, z)  # absent: the density ignores it
        given = {} if context is None else {"context": np.tile(context, (m, 1))}
        found = density.log_prob(z.reshape(m * n, x.shape[1]), **given).reshape(m, n) + log_w
        with np.errstate(all="ignore"):  # a NaN stays one
            total, share = log_sum_exp(found)
            return total - np.log(m), np.sqrt(m * np.square(share).sum(axis=0) - 1)

    # ------------------------------------------------------------ questions

    def given(self, known: Mapping, n_draws: int = 1000, rng: Seed = 0) -> TableConditional:
        """p(x_b | x_a): the density of the other columns, given some known ones.

        known: name -> value; a pair (low, high) is a range with its ends; None is a missing cell,
        if "missing" is a value of the column. Cost: seconds once, to fit the proposal; one
        evaluation of the density per draw. Errors: ValueError, naming the column, for unknown
        columns and impossible values. A warning if the answer cannot be trusted.
        """
        from .conditional import TableConditional

        check_is_fitted(self)
        return TableConditional(self, known, n_draws, rng)

    def impute(
        self, X: TableLike, n: int = 20, n_draws: int = 200, rng: Seed = 0, progress: bool = False,
        strict: bool = False,
    ) -> TableAnswers:  # fmt: skip
        """n completed tables: each missing cell of X is drawn from p, given the row's other cells.

        Known cells do not change. For each row n_draws weighted draws are made, at least 30, and n
        of them are taken. If p is right, the k-th least and the k-th greatest of these hold the
        cell's value with the probability 1 - 2 k / (n + 1): 90% for n = 19 and k = 1.

        Warnings count the rows whose answers cannot be trusted, those with an unseen category, and
        the known cells that the model cannot have (beyond the ends of their column, off its grid).
        Such a cell stays as it is and does not influence the others; strict=True raises ValueError
        for the first. Errors: as for `log_prob`.
        """
        from .conditional import answers_of

        check_is_fitted(self)
        return answers_of(self, X, n, n_draws, rng, progress, strict=strict)

    def explain(self, X: TableLike) -> Explanation:
        """Which cell makes a row improbable: the one that is least probable given the others.

            surprise_j(x) = -log g(x_j | the other cells) - its mean over draws of p

        g is a mixture fitted to draws of p. For the three most surprising cells of each row a
        likely value, the most probable under g, is tried: `gains` has the rise of log p. Cells that
        the column cannot have are infinitely surprising, and their rows have a log p of -inf.
        Missing cells are unknown: the others are explained without them, and log p is NaN.

        Print `explain(X).worst`, or draw `fc.plots.cells(explain(X))`. Cost: a few times that of
        `log_prob`, and seconds once, for g. Errors: as for `log_prob`.
        """
        from .explaining import explanation_of

        check_is_fitted(self)
        return explanation_of(self, self.schema_.select(X, self.ignore_extra))

    def outlier_score(self, X: TableLike) -> np.ndarray:
        """How unusual each row is, (n,), in nats: for wrong cells and for clusters of outliers.

            score(x) = (-log g(x) - its mean) + max_j surprise_j(x)

        g and the surprises are those of `explain`, and means are over draws of p. g lacks the most
        isolated of its components: so a narrow cluster of outliers among the training rows scores
        high, too. NaN for a row without known cells, inf for one with a cell that its column cannot
        have. Cost: below .1 ms a row, and seconds once, for g. Errors: as for `log_prob`.
        """
        from .explaining import outlier_scores

        check_is_fitted(self)
        return outlier_scores(self, self.schema_.select(X, self.ignore_extra))

    # ------------------------------------------------------------ samples

    def sample(self, n: int = 1, rng: Seed = None, margins: str = "model") -> TableLike:
        """n rows with the types of the data: categories with their values, integers as integers.

        The result is a table of the library that it was fitted to, pandas, polars or pyarrow; a
        `Frame` for a mapping, and an array (n, D) if the table had no names. Numbers may lie beyond
        the least and the greatest of the table; categories are seen values. Columns set aside are
        left out, except for constant ones; in an array they are NaN.

        margins: "model" returns the draws from p as they are. "table" keeps each column's order but
        takes its values from the table: a draw that is in the middle of its column becomes the
        middle value of the table's column (atoms stay). Use it if every column must have the
        table's own distribution. Only the dependence between columns then comes from the model, so
        these are no longer draws from p.
        """
        check_is_fitted(self)
        n, rng = check_count(n), np.random.default_rng(rng)
        codes = np.zeros((n, 0), np.int64)
        if self.categories_ is not None:
            codes = self.categories_.sample(n, rng)
        x = self.sample_numbers(codes, rng)
        if margins == "table":
            x = self._with_margins(x, codes)
        elif margins != "model":
            raise ValueError(f'margins is "model" or "table": got {margins!r:.40}')
        return self.as_table(self.encoding.decode(codes, x), n)

    def sample_numbers(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Numbers (n, D), given codes (n, K)."""
        if self.density_ is None:
            return np.zeros((len(codes), 0))
        return self.coordinates_.from_line(self.sample_on_line(codes, rng))

    def sample_on_line(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws of q(z | c), (n, D), given codes (n, K); noise in place of absent numbers."""
        levels = self._one_hot and self._one_hot.draw(self._one_hot.levels(codes), rng)
        context = self._context(codes, levels)
        if context is None:
            return self._on_line.sample(len(codes), rng=rng)
        return self._on_line.sample(1, rng=rng, context=context)[0]

    def _with_margins(self, x, codes) -> np.ndarray:
        """The numbers with the table's values of the same ranks, among those that are there."""
        if self.margins_ is None:
            raise ValueError("this model was saved without the margins of its table: fit it anew")
        there, x = self.encoding.is_there(codes), x.copy()
        for j, values in enumerate(self.margins_):
            rows = np.flatnonzero(there[:, j])
            rank = np.empty(len(rows))
            rank[np.argsort(x[rows, j], kind="stable")] = (np.arange(len(rows)) + 0.5) / len(rows)
            x[rows, j] = values[(rank * len(values)).astype(int)]
        return x

    def numbers_of(self, X: TableLike, rng: Seed = 0, as_drawn: bool = False) -> Numbers:
        """The numbers of the rows of X and their density, given categories: for `diagnose`.

        Rows with a missing value, or with an unseen category, are left out, with a warning; rng is
        for noise: even in each cell, or as_drawn, as q itself lies there. Then the rows are draws
        of q if the table is one of p. Errors: ValueError for a row outside of a column's support.
        """
        names = tuple(self.encoding.names)
        frame = self.schema_.select(X, self.ignore_extra)
        codes, x, unknown = self.encoding.encode(frame)
        _warn_left_out(unknown, "missing values")
        known, levels = ~unknown, None
        if self._one_hot is not None:
            levels = self._one_hot.levels(codes)
            seen = (levels >= 0).all(axis=1)
            _warn_left_out(known & ~seen, "a category that was never seen")
            known &= seen
            levels = levels[known]
        frame, x, context = frame.take(known), x[known], self._context(codes[known], levels)
        self.encoding.check_inside(frame, x)
        rng = np.random.default_rng(rng)
        u = rng.random(x.shape)
        z = self.coordinates_.to_line(x, u)[0]
        if as_drawn and self.coordinates_.is_open(x).any():
            z = self._drawn_in_cells(codes[known], x, z, u, rng)
        units = np.asarray if self.coordinates_.line is None else self.coordinates_.line.forward
        z = self.coordinates_.filled(z, u)
        return Numbers(self._on_line, names, z, context, x, units, frame)

    def _drawn_in_cells(self, codes, x, z, u, rng) -> np.ndarray:
        """z of rows x, each drawn by q in its cell: one of its points, which u shifts, by its q w.

        The largest of log q w + gumbel is drawn in proportion to q w.
        """
        most = np.full(len(x), -np.inf)
        for shift in self.coordinates_.points(self.coordinates_.n_points):
            other, log_w = self.coordinates_.to_line(x, (u + shift) % 1)
            log_w += self.log_prob_on_line(self.coordinates_.filled(other, u), codes)
            log_w += rng.gumbel(size=len(x))
            z = np.where((log_w > most)[:, None], other, z)
            most = np.fmax(log_w, most)
        return z

    @property
    def lacks_numbers(self) -> bool:
        """Whether rows may lack numbers, because of atoms or missing cells."""
        return self._clamped

    def possible_rows(self, X: TableLike, strict: bool = False) -> Frame:
        """The modelled columns of X, without rows in which a cell cannot be: for `diagnose`.

        A warning counts them; strict: ValueError for the first one.
        """
        frame = self.schema_.select(X, self.ignore_extra)
        self.encoding.warn_of_rounding(frame)
        _, odd, said = self.encoding.without_odd(frame, strict)
        if not odd:
            return frame
        out = np.any([*odd.values()], axis=0)
        _warn_left_out(out, f"odd cells: {said}")
        return frame.take(~out)

    def levels_of(self, frame: Frame) -> dict[str, tuple[np.ndarray, float]]:
        """name -> (the value of each row, (n,) texts; p of an unseen value): for `diagnose`.

        For categories, and for numbers with atoms or missing cells, where "" is any other number.
        """
        found = {}
        for part, at, _ in self.encoding.places:
            column = part.column
            if not part.sizes or column.kind.is_date:
                continue
            own = column.values if column.kind.is_category else ("", *column.kind.atoms)
            texts = [f"{v:g}" if isinstance(v, float) else f"{v}" for v in own]
            texts += ["missing"] * column.missing + ["a new value", ""]
            codes = part.encode(frame)[0][:, 0]
            found[f"{column.name}"] = np.array(texts)[codes], self.categories_.counts.unseen[at][0]
        return found

    def as_table(self, found: dict, n: int) -> TableLike:
        """n rows, name -> values, as a table of the library used in `fit`, with constants."""
        names, is_named = self.schema_.names, self.schema_.is_named
        found = ({} if is_named else dict.fromkeys(names, np.full(n, np.nan))) | found
        for column in self.schema_.columns:
            if column.kind.name == "aside" and column.values and len(column.values) == 1:
                found[column.name] = np.array(column.values * n, None if n else object)
        columns = {name: found[name] for name in names if name in found}
        return table_of(columns, is_named, (self.notes or {}).get("library"))

    def __repr__(self):
        if not self.__sklearn_is_fitted__():
            return super().__repr__()
        listed = ", ".join(f"{c.name}: {c.kind}" for c in self.schema_.columns)
        own = repr(self.density_)
        return f"TableDensity({listed}; {own if len(own) <= 300 else f'{own[:297]}...'})"


def fit_table(
    X: TableLike,
    schema: Schema | None = None,
    *,
    learn: Callable[..., Base] | FlowDensity | None = None,
    missing: str = "error",
    rules: bool = True,
    sample_weight: ArrayLike | None = None,
    rng: Seed = 0,
) -> TableDensity:
    """The density p(c) p(x | c) of a table with columns of every kind.

    `TableDensity(schema, learn, missing=missing, random_state=rng).fit(X, sample_weight=...)`.
    Errors: ValueError for missing numbers, text among numbers, and values off a grid or outside of
    a support; the message names row, column and value. ValueError for constant columns and free
    text that are not set aside, and for columns that repeat others or follow from them. Cost:
    `learn`, a sort of each column, and the fits of p(c).

    Parameters
    ----------
    X : table
        Of pandas, polars or pyarrow, a mapping of columns, a `Frame`, or an array (n, D); or
        `TrainingRows`, which have a schema, rules and weights of their own.
    schema, learn, missing, rules
        See `TableDensity`.
    sample_weight : array_like or None
        (n,) >= 0, of which only the ratios matter; rows of weight 0 are left out. Where the number
        of rows matters, as for rare categories, it is (sum w)^2 / sum w^2.
    rng : int or Generator
        For noise, initial weights, batches.

    Returns
    -------
    TableDensity
        With `log_prob` in the units of the table, and `sample`.

    Examples
    --------
    >>> from flowcore import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> def normal(x, context=None, sample_weight=None, rng=0):
    ...     return GaussianMixture.from_data(x, 1)
    >>> table = {"height": rng.normal(1.7, 0.1, 300), "weight": rng.normal(70, 9, 300)}
    >>> density = fit_table(table, learn=normal)
    >>> density.schema.meaning
    'p is a density of height, weight, in units of 1/[height] 1/[weight]'
    >>> len(density.sample(5, rng=0))
    5
    """
    found = TableDensity(schema, learn, missing=missing, rules=rules, random_state=rng)
    found.fit(X, sample_weight=sample_weight)
    return found.set_params(schema=found.schema_, learn=None)  # which pickle may not take


def _without_absent(density: Any) -> ClampedBase:
    """The density of the numbers that a row has, if all marginals are exact; else a ValueError."""
    if getattr(density, "clampable", False):
        return ClampedBase(density)
    raise ValueError(
        "rows of this table lack numbers, since there are atoms or missing cells, but the density "
        f"takes complete rows: {density!r:.80}. Let learn be a FlowDensity, or a function with an "
        "argument present, see flowcore.tables.learn_flow"
    )


def _in_float32(density: Any) -> Any:
    """The density with its parameters in float32; itself, if it is no float64 one of flowcore's."""
    if not isinstance(density, Distribution) or density.dtype != float or not density.n_params:
        return density
    return density.with_params(density.params.astype(np.float32))


def _warn_left_out(rows: np.ndarray, why: str) -> None:
    if n := np.count_nonzero(rows):
        warn(f"{n:,} row{'' if n == 1 else 's'} left out for {why}")
