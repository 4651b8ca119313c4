"""`FlowImputer`: missing cells of a table, drawn from its density: a scikit-learn transformer."""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from ..core import warn
from ..core.inputs import check_dim, column_labels
from ..estimator import FlowDensity
from ..estimator.density import seed_sequence
from ..estimator.rows import for_scikit_learn
from .conditional import answers_of, filled
from .dates import seconds_of
from .density import TableDensity
from .frame import Frame, as_frame, is_missing, listed, table_of
from .schema import Schema, complete_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..core.typing import Seed, TableLike

DRAWS = 101  # of which a single filled cell is the middle: an odd number, so it is one of them
CELLS = 2**21  # of draws that are held at once
INDICATOR = "missingindicator_"  # as scikit-learn calls such columns


class FlowImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills missing cells from the density of the table: once, or several times.

        x_b ~ p(x_b | x_a)        x_a: the known cells of a row,  x_b: its missing cells

    To fill a table once, use `transform`: each cell gets one value that predicts it well, the
    median of its draws, or the most frequent category. But do not compute further estimates from
    these values, because they hide the uncertainty and make columns depend on each other too much.

    For estimates, use `sample` and Rubin's rules: it draws the missing cells jointly, and the
    spread of the completed tables is the uncertainty. The tables are drawn in turn from densities
    that are fitted with random weights of the rows (the Bayesian bootstrap), because with a single
    density intervals would be too narrow.

    The density is learned from the rows without missing cells, or from all rows by
    `FlowDensity(missing="learn")`. So the draws are right if cells are missing completely at
    random, or depending on the seen cells (and, without "learn", on values that complete rows
    cover). If incomes are missing because they are high, no imputer can see that. Numbers,
    categories and dates are recognised as in `Schema.from_data`, including suggestions.

    An imputer and its pickle hold a copy of the table of `fit`: save `density_` alone if the table
    is confidential.

    Errors: ValueError, naming the column, for a column without any value, for free text, and for a
    column such as row numbers if it has missing cells; for too few complete rows. Cost: `fit` fits
    1 + `bootstraps` densities; `transform` and `sample` evaluate a density 200 times for each row
    with missing cells.

    Parameters
    ----------
    density : TableDensity, FlowDensity or None
        The estimator, not fitted; a `FlowDensity` learns the numbers given the categories. None:
        `TableDensity(missing="drop")`.
    missing_values : object
        The value of missing cells, such as -999 or "?"; NaN and None are always missing.
    bootstraps : int
        Number of densities that `sample` draws from; 0: only `density_`, for a cheaper fit.
    n_draws : int
        Weighted draws per row, at least 30.
    add_indicator : bool
        Also return a column of 0 and 1 for every column with a missing cell in `fit`.
    random_state : int, RandomState or None
        Decides the fit, and the draws of `transform`.

    Attributes
    ----------
    density_ : TableDensity or None
        The fitted density; None if every column has a single value.
    bootstrapped_ : list
        The densities of the bootstrap.
    constants_ : dict
        Column -> its only value.
    indicated_ : list
        The columns with a missing cell in `fit`.
    n_features_in_, feature_names_in_ :
        As in scikit-learn.

    References
    ----------
    Rubin, "Multiple imputation for nonresponse in surveys", 1987; "The Bayesian bootstrap", 1981.

    Examples
    --------
    >>> from flowcore import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> def normal(x, context=None, sample_weight=None, rng=0):
    ...     return GaussianMixture.from_data(x, 1)
    >>> X = rng.normal(size=(300, 2)) @ [[1.0, 1.0], [0.0, 0.1]]
    >>> X[0, 1] = np.nan
    >>> imputer = FlowImputer(TableDensity(learn=normal, missing="drop")).fit(X)
    >>> bool(abs(imputer.transform(X)[0, 1] - X[0, 0]) < 0.5)
    True
    >>> len(imputer.sample(5, X))
    5
    """

    def __init__(
        self,
        density: TableDensity | FlowDensity | None = None,
        *,
        missing_values: Any = np.nan,
        bootstraps: int = 5,
        n_draws: int = 200,
        add_indicator: bool = False,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.density = density
        self.missing_values = missing_values
        self.bootstraps = bootstraps
        self.n_draws = n_draws
        self.add_indicator = add_indicator
        self.random_state = random_state

    def fit(self, X: TableLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the density of the rows of X, a table or an array; y is ignored."""
        frame = self._frame(X, reset=True)
        self._seed = int(seed_sequence(self.random_state).generate_state(1)[0])
        gaps = {name: is_missing(frame[name]) for name in frame.names}
        self.indicated_ = [name for name, gone in gaps.items() if gone.any()]
        self._is_named = frame.is_named
        complete_rows(frame, "atom")  # a column of nothing is an error, and so is an infinite cell
        self.constants_, self.density_, self.bootstrapped_ = {}, None, []
        for name, gone in gaps.items():
            seen = frame[name][~gone]
            if (seen == seen[0]).all():
                self.constants_[name] = seen[0]
        if len(self.constants_) < len(frame.names):
            learn = self._learner(frame)
            self.density_ = clone(learn).fit(frame, sample_weight=sample_weight)
            self._with_constants(frame)  # a column aside with missing cells is an error
            rng = np.random.default_rng(self._seed)
            for _ in range(check_dim("bootstraps", self.bootstraps, least=0)):
                weight = rng.exponential(size=len(frame))
                weight = weight if sample_weight is None else weight * np.asarray(sample_weight)
                self.bootstrapped_.append(clone(learn).fit(frame, sample_weight=weight))
        self._table = deepcopy(X)  # whatever the caller does with X
        return self

    def _learner(self, frame: Frame) -> TableDensity:
        """A density to be fitted, with a schema."""
        density, own = self.density, {"random_state": self._seed}
        if density is None or isinstance(density, FlowDensity):
            learn = FlowDensity(random_state=self._seed) if density is None else density
            missing = "learn" if learn.missing == "learn" else "drop"
            density = TableDensity(learn=learn, missing=missing)
        elif not isinstance(density, TableDensity):
            raise TypeError(f"density is a TableDensity or a FlowDensity: got {density!r:.80}")
        if density.schema is None:
            complete = complete_rows(frame, density.missing)
            if complete.sum() < 2:
                raise ValueError(
                    f"only {complete.sum()} of {len(frame)} rows has no missing cell: too few to "
                    "learn from. Pass FlowDensity(missing='learn'), which learns from all rows, or "
                    "leave out columns that miss most of their cells"
                )
            aside = dict.fromkeys(self.constants_, "aside")
            own["schema"] = Schema.from_data(frame, density.missing).edit(aside).suggested()
        return clone(density).set_params(**own)

    def transform(self, X: TableLike) -> TableLike:
        """X with each missing cell filled by one value.

        For numbers and dates it is the median of 101 draws, for categories the most frequent one.
        """
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        columns = self._with_constants(frame)
        gaps = {name: is_missing(frame[name]) for name in self._modelled}
        middles: dict = defaultdict(list)
        holes = np.flatnonzero(np.any([*gaps.values(), np.zeros(len(frame), bool)], axis=0))
        size = max(1, CELLS // (DRAWS * len(frame.names)))
        for block in np.split(holes, range(size, len(holes), size)) if len(holes) else ():
            tables = self._draw(self.density_, frame.take(block), DRAWS, self._seed, apart=False)
            for name, gone in gaps.items():
                if (here := gone[block]).any():
                    draws = np.stack([table[name][here] for table in tables])
                    middles[name].append(self._middle(name, draws))
        for name, parts in middles.items():
            middle = np.concatenate(parts)
            drawn = np.repeat(middle[:1], len(frame))
            drawn[gaps[name]] = middle
            columns[name] = filled(columns[name], drawn, gaps[name])
        return self._returned(X, frame, columns)

    def sample(self, n: int = 5, X: TableLike = None, rng: Seed = None) -> list:
        """n completed tables, each a draw of all missing cells of X, jointly in each row.

        X: None for the table of `fit`. rng: None for `random_state`.
        """
        check_is_fitted(self)
        X, n = self._table if X is None else X, check_dim("n", n)
        frame = self._frame(X, reset=False)
        rng = np.random.default_rng(self._seed if rng is None else rng)
        own, tables = Frame(self._with_constants(frame), declared=frame.declared), []
        fits = (self.bootstrapped_ or [self.density_])[:n]
        for i, density in enumerate(fits):
            tables += self._draw(density, own, len(range(i, n, len(fits))), rng)
        return [self._returned(X, frame, dict(table)) for table in tables]

    def _with_constants(self, frame: Frame) -> dict:
        """The columns of a frame, in which constants are filled; a ValueError for missing cells
        that nothing can fill."""
        known, columns = {*self._modelled, *self.constants_}, dict(frame)
        holes = [n for n in frame.names if n not in known and is_missing(frame[n]).any()]
        if holes:
            raise ValueError(
                f"column {listed(holes)} is set aside, since it has no density, but has missing "
                "cells: leave the column out, or pass density=TableDensity(schema, ...)"
            )
        for name, value in self.constants_.items():
            constant = np.full(len(frame), value, frame[name].dtype)
            columns[name] = filled(frame[name], constant, is_missing(frame[name]))
        return columns

    def _draw(self, density, frame: Frame, n: int, rng: Seed, apart: bool = True) -> list[Frame]:
        """n completed frames; apart: see `answers_of`."""
        if density is None:  # every column is a constant
            return [frame] * n
        frame = Frame(dict(frame), first_row=frame.first_row, declared=frame.declared)
        tables = answers_of(density, frame, n, self.n_draws, rng, False, apart).tables
        return [as_frame(table) for table in tables]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """The names of the columns, followed by the names of the indicators."""
        names = super().get_feature_names_out(input_features)
        if not self.add_indicator:
            return names
        own = [name if self._is_named else names[name] for name in self.indicated_]
        return np.array([*names, *(f"{INDICATOR}{name}" for name in own)], object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "density_")

    # ------------------------------------------------------------ tables in and out

    def _frame(self, X, reset: bool) -> Frame:
        """X as a frame in which missing cells are None or NaN."""
        least = 2 if reset else 1
        known = for_scikit_learn(X[:0] if hasattr(X, "to_pandas") else X)  # names, and no copy
        if column_labels(X) is not None:
            frame = as_frame(X)  # two columns of one name are an error
            validate_data(self, known, reset=reset, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False,
                              ensure_min_samples=least)  # fmt: skip
            frame = as_frame(X)
        if len(frame) < least:
            raise ValueError(f"X has {len(frame)} rows: at least {least} are needed")
        return _without(frame, self.missing_values)

    @property
    def _modelled(self) -> list:
        if self.density_ is None:
            return []
        return [c.name for c in self.density_.schema_.columns if c.kind.name != "aside"]

    def _middle(self, name, draws: np.ndarray) -> np.ndarray:
        """One value for each cell of draws (n, cells)."""
        (column,) = (c for c in self.density_.schema_.columns if c.name == name)
        if column.kind.is_category:
            levels, which = np.unique(draws.astype(str), return_inverse=True)
            which = which.reshape(draws.shape)
            counts = np.stack([(which == i).sum(axis=0) for i in range(len(levels))])
            place = (which == counts.argmax(axis=0)).argmax(axis=0)
        else:
            keys = draws
            if column.kind.is_date:
                keys = seconds_of(draws.reshape(-1), column.kind.form).reshape(draws.shape)
            place = np.argsort(keys, axis=0, kind="stable")[len(draws) // 2]
        return np.take_along_axis(draws, place[None], axis=0)[0]

    def _returned(self, X, frame: Frame, columns: dict) -> TableLike:
        """Columns as a table of the caller's kind, with indicators."""
        if self.add_indicator:
            late = [n for n in frame.names if n not in self.indicated_]
            late = [name for name in late if is_missing(frame[name]).any()]
            if late:
                warn(f"column {listed(late)} had no missing cell in fit, and has no indicator")
            names = self.get_feature_names_out()[len(frame.names) :]
            gaps = (is_missing(frame[name]).astype(float) for name in self.indicated_)
            columns = columns | dict(zip(names, gaps, strict=True))
        return table_of(columns, frame.is_named, frame.library, getattr(X, "index", None))


def _without(frame: Frame, missing: Any) -> Frame:
    """A frame in which the cells that are `missing` are None or NaN."""
    if is_missing(as_frame({"x": [missing]})["x"])[0]:
        return frame
    cells = [[value == missing for value in frame[name].tolist()] for name in frame.names]
    found = dict(frame.without(np.array(cells, bool).T))
    return Frame(found, declared=frame.declared, library=frame.library)
