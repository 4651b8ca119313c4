"""The table: checked, equal rows merged, standardised; folds and quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.utils.validation import check_is_fitted, validate_data

from ..bijectors import Chain, Margins, MaskedAutoregressiveFlow, Standardize
from ..bijectors.linear import reach_of
from ..core.inputs import as_numbers, column_labels, where
from ..core.labels import check_in_memory, names_of, selected
from ..core.rows import as_counts, check_finite
from ..distributions import TransformedDistribution
from ..mixtures.incomplete_rows import check_seen, moments_of_seen
from ..networks import MADE
from ..training.columns import check_columns
from ..training.repeats import first_equal
from ..transformers import Shift

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..bijectors import Bijector
    from ..conditionals.completion import Drawn
    from ..distributions import Distribution

MOST_ROWS = 20_000  # that a mixture or a regression learns from: more hardly change it
PENALTIES = (0.1, 1.0, 10.0, 100.0)  # of a regression on columns of variance 1
LEAST_ROWS = 3  # one is held out, and a single other one has no spread
FARTHEST = 1e30  # standard deviations: sums of squares of what is beyond may be no floats
HOLE = -1.2345678e308  # in place of NaN, which equals nothing
NEGLIGIBLE = 1e-3  # of the weight: the lightest rows, that have it together, are not trained on
FAR = 10.0  # interquartile ranges from the quartiles: what lies beyond counts as if it were there


def for_scikit_learn(X):
    """X, or a pandas table if scikit-learn does not know its library; a TypeError for a mapping,
    and for Dask's."""
    check_in_memory("X", X)
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):  # a sparse matrix may be a dict
        raise TypeError(f"X is a {type(X).__name__}, not a table: write pandas.DataFrame(X)")
    known = hasattr(X, "__dataframe__") or not hasattr(X, "to_pandas")
    return X if known else X.to_pandas()


def check_rows(estimator, X, reset: bool, holes: bool = False) -> tuple[np.ndarray, list | None]:
    """(X as floats (n, D), the names of its columns or None); pandas, polars, pyarrow as well.

    reset: this is `fit`, which remembers the number of columns and their names; else they have to
    be the same, in the same order. holes: NaN is allowed.
    """
    X = for_scikit_learn(X)
    if not reset:
        check_is_fitted(estimator)
        if not hasattr(estimator, "feature_names_in_"):  # else scikit-learn compares them
            X = selected("X", X, estimator.density_.names)
    labels, problem = column_labels(X), None
    names = names_of("X", X)
    try:
        table = validate_data(estimator, X, reset=reset, skip_check_array=False, dtype=float,
                              ensure_all_finite=False, order="C",
                              ensure_min_samples=2 if reset else 1)  # fmt: skip
    except (TypeError, ValueError, OverflowError) as found:  # it names no place
        problem = found
    try:  # scikit-learn takes dates and text as numbers, and ignores masks
        as_numbers("X", np.array(X, object) if problem and not labels else X)
    except ValueError as place:
        text = f"{place}: {problem}".split("\n")[0] if problem else f"{place}"
        fix = "; leave the column out, or take flowcore.tables.fit_table, which knows categories"
        error = TypeError if isinstance(problem, TypeError) else ValueError
        raise error(f"{place}" if " drop" in text else text + fix) from None
    if problem:
        known = list(getattr(estimator, "feature_names_in_", ()))
        if known and names not in (None, known) and set(known) <= set(names):
            problem = ValueError(f"{problem}Select them: X[list(density.feature_names_in_)]")
        raise problem
    hole, wild = np.isnan(table), np.isinf(table).any()
    more = ", or pass missing='learn', if they are unknown values" if reset and not wild else ""
    check_finite("X", np.where(hole & holes, 0, table), float, labels, more)
    return table, labels


@dataclass(frozen=True)
class Sample:
    """Different rows: x (n, D), context (n, C) or None, weight (n,), place (n,) in the table.

    drawn: for rows with holes, draws of the missing cells; x is then one of them.
    times: the mean number of copies of a row, each completed in another way
    light: which columns have tails no heavier than a normal density's, (D,) or one for all: behind
    an exponential, others have no mean
    angle: which columns are angles, (D,) or one for all
    """

    x: np.ndarray
    context: np.ndarray | None
    weight: np.ndarray
    place: np.ndarray
    drawn: Drawn | None = None
    times: float = 1.0
    light: np.ndarray | bool = False
    angle: np.ndarray | bool = False

    def __len__(self) -> int:
        return len(self.x)

    @property
    def heavy(self) -> np.ndarray:
        """Which rows, (n,), carry all of the weight but a NEGLIGIBLE share."""
        order = np.argsort(self.weight)
        below = np.cumsum(self.weight[order]) / self.weight.sum()
        lightest = order[below <= NEGLIGIBLE]
        least = self.weight[order[len(lightest)]]
        return self.weight >= least

    def take(self, index: np.ndarray) -> Sample:
        """Some of them, by number or by a mask; their weights have the sum 1."""
        weight, drawn = self.weight[index], self.drawn and self.drawn.take(index)
        context = None if self.context is None else self.context[index]
        return replace(self, x=self.x[index], context=context, weight=weight / weight.sum(),
                       place=self.place[index], drawn=drawn)  # fmt: skip

    def completed(self) -> Sample:
        """All copies of rows with holes; else the rows."""
        if self.drawn is None:
            return self
        copies = self.drawn.copies
        m = np.where(self.drawn.hole, copies.shape[1], 1)  # of each row
        rows = replace(self, weight=self.weight / m, drawn=None, times=m.mean())
        kept = np.arange(copies.shape[1]) < m[:, None]
        return replace(rows.take(np.repeat(np.arange(len(m)), m)), x=copies[kept])


class Inputs(NamedTuple):
    """The arguments of `fit`, (n, ...): x, weights, context or None.

    known (n, D): which numbers are there; others are unknown, or absent from a row. In x they are
    NaN, apart from columns that all rows lack. is_clamped: the last D columns of the context mark
    the numbers that are present. angle: which columns are angles, (D,) or one for all. labels:
    names of the columns, or None
    """

    x: np.ndarray
    weight: np.ndarray
    context: np.ndarray | None
    known: np.ndarray
    is_clamped: bool
    angle: np.ndarray
    labels: list | None


@dataclass(frozen=True)
class Fold:
    """The rows that a candidate is fitted to, and those that it is scored on.

    maps    from the training rows to those of the table, the last one first
    """

    training: Sample
    held_out: Sample
    maps: tuple[Bijector, ...] = ()

    @cached_property
    def in_margins(self) -> Fold:
        """The same with training rows in their `Margins`; angles are left alone."""
        rows = self.training
        x = np.where(rows.angle, np.nan, rows.x)
        return self._mapped(Margins.from_data(x, rows.weight))

    @cached_property
    def about_means(self) -> Fold:
        """The same with training rows less means that are linear in their context."""
        rows = self.training
        return self if rows.context is None else self._mapped(linear_means(rows), rows.context)

    def _mapped(self, by: Bijector, context: np.ndarray | None = None) -> Fold:
        x = by.inverse(self.training.x, context=context)
        return replace(self, training=replace(self.training, x=x), maps=(*self.maps, by))

    def restored(self, density: Distribution) -> Distribution:
        """The density of the table's rows, for one of these rows."""
        return mapped(self.maps, density) if self.maps else density


def mapped(maps: Sequence[Bijector], density: Distribution) -> TransformedDistribution:
    """The density after these maps, the last one first: one flow, if it is a flow."""
    if isinstance(density, TransformedDistribution):
        return TransformedDistribution(density.base, Chain([*maps, density.bijector]))
    return TransformedDistribution(density, Chain(maps))


def linear_means(rows: Sample) -> MaskedAutoregressiveFlow:
    """x = z + B c + b, given the context c, by ridge regression; its penalty is the one with the
    smallest error of rows that are left out one by one."""
    dim, context = rows.x.shape[1], rows.context
    some = rows.take(np.arange(0, len(rows), -(-len(rows) // MOST_ROWS)))
    found = RidgeCV(PENALTIES).fit(some.context, some.x, as_counts(some.weight, len(some)))
    made = MADE(dim, hidden=[], n_out=1, context_dim=context.shape[1])
    slopes, intercept = np.reshape(found.coef_, (dim, -1)).T, np.reshape(found.intercept_, dim)
    made = made.with_weights([(np.zeros((dim, dim)), intercept, slopes)])
    return MaskedAutoregressiveFlow(made, Shift())


def merged(
    x: np.ndarray,
    weight: np.ndarray,
    context: np.ndarray | None,
    empty: np.ndarray | bool = False,
) -> tuple[Sample, np.ndarray]:
    """(the distinct rows of positive weight, sorted; for every row the first that equals it).

    A row that occurs twice becomes a row of weight 2. Otherwise it could be in two folds: it would
    be both learned and held out, and a spike on it would get a high score. Rows that have no
    numbers (empty) stay apart: nothing is learned of them, and one heavy row would be in one fold.
    """
    first = first_equal(np.where(np.isnan(x), HOLE, x), context)
    first = np.arange(len(x)) if first is None else np.where(empty, np.arange(len(x)), first)
    total = np.bincount(first, weight, len(x))
    kept = np.flatnonzero(total > 0)
    both = x[kept] if context is None else np.column_stack([x[kept], context[kept]])
    kept = kept[np.lexsort(both.T[::-1])]
    return Sample(x, context, total, np.arange(len(x))).take(kept), first


@np.errstate(over="ignore")  # differences of huge numbers: nothing is beyond infinity
def near(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x (n, D) with distant values moved to FAR interquartile ranges from the quartiles, which are
    weighted."""
    seen = [(own[known], weight[known]) for own, known in zip(x.T, ~np.isnan(x.T), strict=True)]
    low, high = np.transpose([quantiles(*column, (0.25, 0.75)) for column in seen])
    reach = FAR * (high - low)
    wide = np.where(reach > 0, reach, np.inf)
    return np.clip(x, low - wide, high + wide)


def quantiles(x: np.ndarray, weight: np.ndarray, q: ArrayLike) -> np.ndarray:
    """Weighted quantiles of x (n,), at least one; those of NumPy if all weights are equal."""
    order = np.argsort(x)
    own = weight[order]
    below = np.cumsum(own) - own
    return np.interp(np.multiply(q, below[-1]), below, x[order])


def scaling(x: np.ndarray, weight: np.ndarray, left: np.ndarray | bool = False) -> Standardize:
    """x = mean + scale z: columns of z have mean 0 and variance 1, apart from distant values.

    left (D,) marks columns that are left as they are, such as angles.
    """
    mean, scale = moments_of_seen(near(x, weight), weight)
    scale = np.where((scale > 0) & ~np.asarray(left), scale, 1.0)
    return Standardize(x.shape[1]).with_moments(np.where(left, 0, mean), scale)


def standardized(table: Inputs, rows: Sample) -> tuple[Sample, Standardize, Standardize | None]:
    """(the rows, standardised, from the centre on; the scales of their columns and context).

    Absent numbers are 0, apart from columns that all rows lack. The order depends neither on that
    in which the rows were given, nor on signs, units or the order of the columns.

    Errors and warnings: for too few rows, for columns that have no density, for values that are too
    far out.
    """
    if 1 < len(rows) < LEAST_ROWS:  # of a single one, every column is constant
        raise ValueError(
            f"X has {len(rows)} different rows: at least {LEAST_ROWS} are needed, since some are "
            "held out, and many more for a good density"
        )
    used = np.flatnonzero(table.weight > 0)
    if table.known.all():
        check_columns(table.x, used, table.labels)
    else:
        check_seen(table.x[used], table.labels)
    scale = scaling(rows.x, rows.weight, table.angle)
    check_reach(table.x, table.weight, scale, table.labels)
    x, context, of_context = scale.inverse(rows.x), rows.context, None
    if context is not None:
        width, marks = context.shape[1], x.shape[1] * table.is_clamped
        of_context = scaling(context, rows.weight, np.arange(width) >= width - marks)
        of_context = of_context.with_moments(of_context.mean, of_context.scale, reach_of(context))
        context = of_context.inverse(context)
    if table.is_clamped:
        x = np.where(np.isnan(x) & (context[:, -x.shape[1] :] == 0), 0.0, x)
    order = np.argsort(np.nansum(x**2, axis=1), kind="stable")
    return replace(rows, x=x, context=context).take(order), scale, of_context


@np.errstate(over="ignore")  # infinite squares are far, too
def check_reach(x: np.ndarray, weight: np.ndarray, scale: Standardize, labels: list | None) -> None:
    """A ValueError that names the first value whose square, in units of its column, overflows; rows
    of weight 0 do not count."""
    far = (np.abs(scale.inverse(x)) >= FARTHEST) & (weight > 0)[:, None]
    if far.any():
        row, column = np.argwhere(far)[0]
        raise ValueError(
            f"X has a value {where(far, labels)} that is too far from all others: "
            f"{x[row, column]:.3g}, where the column's scale is {scale.scale[column]:.3g}: drop it"
        )
