"""`TableDensity`: one density of a table with columns of every kind, p(c) p(x | c)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..bijectors import Chain
from ..core import warn
from ..core.inputs import as_integers, check_count
from ..distributions import TransformedDistribution
from .encoding import (
    as_values,
    cell,
    check_inside,
    codes,
    coordinates,
    line,
    noise,
    outside,
    restored,
)
from .frame import LIBRARIES, Frame
from .frequencies import Frequencies
from .onehot import OneHot
from .schema import Schema, complete_rows

if TYPE_CHECKING:
    from ..core.typing import Base, Seed, TableLike
    from ..estimator import Summary

ROWS = 2**10  # of a block, each of them at all points of its cell


class Numbers(NamedTuple):
    """density of rows (n, D), given context (n, C) or None; names of the columns.

    Numbers on a grid have noise, which fills their cells: so all of them have a density. `values`
    are the numbers without noise.
    """

    density: Any
    names: tuple[str, ...]
    rows: np.ndarray
    context: np.ndarray | None
    values: np.ndarray


class TableDensity:
    """The density of a row (c, x) of a table: p(c) p(x | c).

        log p(c, x) = log p(c) + log q(z | c) + log |det dz/dx|

    c are the categories: p(c) is exact, see `Frequencies`. x are the numbers: z is x on the whole
    line (log for positive columns, logit for bounded ones), and q any density with a context. What
    is gridded counts as a probability, the integral of p over the cell of the row,

        log P(x | c) = log 1/M sum_m p(x + step u_m | c) + sum log step     over the gridded columns

    at M = 32 fixed points u_m of the unit cube, the same for every row: the first points of Sobol's
    sequence, each at the centre of its interval. So log p of a row depends on that row alone.
    p has the unit 1 / units of the continuous, positive and bounded columns, as
    `density.schema.meaning` states. Values of a column that were never seen have together the
    probability u of `Frequencies`, and carry no information about x:
    p(x | unseen) = sum_v w_v p(x | v), over the values (or combinations) v that were seen.

    `dim` is the number of columns that p is a density or probability of: those aside do not count.

    Made by `fit_table`. Saved by `flowcore.save`, its columns included.

    Parameters
    ----------
    schema : Schema or dict
        The columns; a dict is what `Schema.to_dict` gives.
    frequencies : Frequencies or dict or None
        p(c); None without categories.
    density : Distribution or None
        q, of all numbers mapped to the whole line; None without numbers.
    notes : dict or None
        Facts that are saved with it, such as how it was learned: data for JSON. "summary", "rows",
        "dropped" and "library" are read again: a ValueError for what they cannot be.

    References
    ----------
    Sobol, "On the distribution of points in a cube and the approximate evaluation of integrals",
    1967.

    Examples
    --------
    >>> from flowcore import Normal
    >>> schema = Schema.from_data({"height": [1.6, 1.7, 1.9], "smokes": [True, False, False]})
    >>> smokes = Frequencies.fit([[1], [0], [0]], sizes=(2,), closed=(True,))
    >>> density = TableDensity(schema, smokes, Normal(1))
    >>> density.log_prob({"height": [0.0], "smokes": [True]}).round(4) == np.round(
    ...     np.log(1.5 / 4) - 0.5 * np.log(2 * np.pi), 4)
    array([ True])
    """

    def __init__(
        self,
        schema: Schema | dict,
        frequencies: Frequencies | dict | None,
        density: Base | None,
        notes: dict | None = None,
    ):
        self.notes = notes
        self.schema = schema if isinstance(schema, Schema) else Schema.from_dict(schema)
        numbers, categories = self.schema.numbers, self.schema.categories
        for column in self.schema.columns:
            if column.kind.name in ("constant", "text"):
                raise ValueError(f"column {column.name!r:.40} is {column.kind}: edit it to aside")
        self.dim = len(numbers) + len(categories)
        if not self.dim:
            raise ValueError("the schema has neither numbers nor categories: nothing to model")
        dim = 0 if density is None else density.dim
        if dim != len(numbers):
            raise ValueError(f"density has dim {dim}, but the schema has {len(numbers)} numbers")
        sizes = [len(column.values) for column in categories]
        self.frequencies, self.density = _as_frequencies(frequencies, sizes), density
        self._one_hot = None
        # somebody's own density need not have a `context_dim`
        if self.frequencies is not None and getattr(density, "context_dim", density is not None):
            own = self.frequencies
            one_hot = OneHot(own.combinations, own.counts, own.sizes)
            self._one_hot = one_hot if one_hot.dim else None
        self._line, self._noise = line(numbers), noise(numbers)
        _check_notes(notes)
        _ = self.summary

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        counted = None if self.frequencies is None else self.frequencies.to_dict()
        return {
            "schema": self.schema.to_dict(),
            "frequencies": counted,
            "density": self.density,
            "notes": self.notes,
        }

    @property
    def summary(self) -> Summary | None:
        """What a `FlowDensity` tried, and how probable held-out rows were.

        In the units of the table; None if another function learned it.
        """
        found = (self.notes or {}).get("summary")
        if found is None:
            return None
        from ..estimator.record import as_summary

        try:
            return as_summary(found)
        except (ValueError, OverflowError) as problem:
            raise ValueError(f"notes['summary']: {problem}") from None

    # ------------------------------------------------------------ log p

    def log_prob(self, X: TableLike) -> np.ndarray:
        """log p of every row of the table X, (n,), in nats: a function of that row alone.

        Exact without gridded columns, otherwise by 32 points of the row's cell (within about .005
        nats with up to four gridded columns, .01 with eight). NaN for a row that misses a value,
        -inf for one outside of a column's support. Errors: ValueError for columns that are not
        those of the schema, and, naming row, column and value, for text among numbers and for what
        is off a grid. Cost: one pass of the density, 32 with gridded columns; at most 256 times
        that for a row with a category that was never seen.
        """
        frame = self.schema.select(X)
        own, x = codes(frame, self.schema.categories), coordinates(frame, self.schema.numbers)
        log_p = np.zeros(len(frame))
        if self.frequencies is not None:
            log_p += self.frequencies.log_prob(own)
        unknown = np.isnan(x).any(axis=1) | np.isnan(log_p)
        out = outside(x, self.schema.numbers).any(axis=1)
        if self.density is not None:
            rows = np.flatnonzero(~(unknown | out))
            log_p[rows] += self._of_numbers(x[rows], own[rows])
        log_p[out], log_p[unknown] = -np.inf, np.nan
        return log_p

    def _of_numbers(self, x, own) -> np.ndarray:
        """log p(x | c), where every x is inside of its support.

        log sum_v w_v p(x | v) over the values v that an unseen one may have; one v of weight 1, if
        all were seen.
        """
        if self._one_hot is None:
            return self._given_context(x, None)
        log_p, levels = np.full(len(x), -np.inf), self._one_hot.levels(own)
        patterns, which = np.unique(levels < 0, axis=0, return_inverse=True)
        for i, unseen in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == i)
            filled = levels[rows]
            for values, weight in zip(*self._one_hot.alternatives(unseen), strict=True):
                filled[:, unseen] = values
                each = self._given_context(x[rows], self._one_hot.context(filled))
                log_p[rows] = np.logaddexp(log_p[rows], np.log(weight) + each)
        return log_p

    def _given_context(self, x, context) -> np.ndarray:
        """log p(x | c); of gridded columns the mean of p over the cell, times its size."""
        if self._noise is None:
            return self._of_points(x, context)
        log_p, (u, log_size) = np.empty(len(x)), cell(self._noise.step)
        for start in range(0, len(x), ROWS):
            rows = slice(start, start + ROWS)
            y = self._noise.points(x[rows], u[:, None]).reshape(-1, x.shape[1])
            again = None if context is None else np.tile(context[rows], (len(u), 1))
            found = self._of_points(y, again).reshape(len(u), -1)
            with np.errstate(all="ignore"):  # a NaN stays one
                log_p[rows] = np.logaddexp.reduce(found) + log_size
        return log_p

    def _of_points(self, y, context) -> np.ndarray:
        """log q(z | c) + log |det dz/dy|."""
        z, log_det = (y, 0.0) if self._line is None else self._line.inverse_and_log_det(y)
        options = {} if context is None else {"context": context}
        return self.density.log_prob(z, **options) + log_det

    # ------------------------------------------------------------ samples

    def sample(self, n: int = 1, rng: Seed = None) -> TableLike:
        """n rows, of the kinds of the data: categories as they were, integers integers.

        A table of the library that it was fitted to, pandas, polars or pyarrow. For a mapping a
        `Frame`: `.to_pandas()` is a DataFrame, `dict()` of it what polars takes. An array (n, D) if
        the table had no names. Values that were never seen are not drawn: rows are drawn from p
        given that all categories are known ones. Columns aside are left out, except for constant
        ones; in an array they are NaN.
        """
        n, rng = check_count(n), np.random.default_rng(rng)
        found: dict = {}
        own = np.zeros((n, 0), int)
        if self.frequencies is not None:
            own = self.frequencies.sample(n, rng)
            for k, column in enumerate(self.schema.categories):
                found[column.name] = as_values(column, own[:, k])
        if self.density is not None:
            found |= restored(self._sample_numbers(n, own, rng), self.schema.numbers)
        for column in self.schema.columns:
            if column.kind.name == "aside" and column.values and len(column.values) == 1:
                found[column.name] = as_values(column, np.zeros(n, int))
        if self.schema.is_named:
            frame = Frame({name: found[name] for name in self.schema.names if name in found})
            library = (self.notes or {}).get("library")
            return frame.to(library) if library and find_spec(library) else frame
        columns = [found.get(name, np.full(n, np.nan)) for name in self.schema.names]
        dtype = object if any(column.dtype == object for column in columns) else float
        return np.column_stack([np.asarray(column, dtype) for column in columns])

    def _sample_numbers(self, n, own, rng) -> np.ndarray:
        if n == 0:
            return np.zeros((0, self.density.dim))
        if self._one_hot is None:
            z = self.density.sample(n, rng=rng)
        else:
            z = self.density.sample(1, rng=rng, context=self._one_hot(own))[0]
        return np.asarray(z, float) if self._line is None else self._line.forward(z)

    def numbers_of(self, X: TableLike, rng: Seed = 0) -> Numbers:
        """What `diagnose` tests: the numbers of the rows of X and their density, given categories.

        Rows that miss a value, or have a category that was never seen, are left out, with a
        warning; rng is for noise on grids. Errors: ValueError for a model without numbers, and for
        a row outside of a column's support.
        """
        columns, frame = self.schema.numbers, self.schema.select(X)
        if not columns:
            raise ValueError("the model has no numbers, only categories: there is nothing to test")
        complete = complete_rows(frame, "drop")
        _warn_left_out(~complete, "missing values, and not counted in row numbers")
        frame, context, density = frame.take(complete), None, self.density
        if self._one_hot is not None:
            own = codes(frame, self.schema.categories)
            known = (self._one_hot.levels(own) >= 0).all(axis=1)
            _warn_left_out(~known, "a category that was never seen")
            frame, context = frame.take(known), self._one_hot(own[known])
        values = rows = coordinates(frame, columns)
        check_inside(frame, columns, values)
        if self._noise is not None:
            rows = self._noise(values, np.random.default_rng(rng))
        if self._line is not None:
            parts = [self._line]
            if isinstance(density, TransformedDistribution):
                parts, density = [self._line, density.bijector], density.base
            density = TransformedDistribution(density, Chain(parts))
        return Numbers(density, tuple(f"{c.name}" for c in columns), rows, context, values)

    def __repr__(self):
        kinds = ", ".join(f"{c.name}: {c.kind}" for c in self.schema.columns)
        own = repr(self.density)
        return f"TableDensity({kinds}; {own if len(own) <= 300 else f'{own[:297]}...'})"


def _as_frequencies(found, sizes: list[int]) -> Frequencies | None:
    """A ValueError if they are not of these sizes, before anything of their size is made."""
    data = found.to_dict() if isinstance(found, Frequencies) else found or {"sizes": []}
    own = as_integers("sizes", data.get("sizes")).tolist()
    if own != sizes:
        raise ValueError(f"frequencies of sizes {own!s:.80}, but the categories have {sizes}")
    if not isinstance(found, dict):
        return found
    try:
        return Frequencies(**found)
    except TypeError as problem:  # arguments that it has not
        raise ValueError(f"frequencies: {problem!s:.200}") from None


def _check_notes(notes) -> None:
    """A ValueError for notes of a wrong kind, as in a forged file."""
    if not isinstance(notes, (dict, type(None))):
        raise ValueError(f"notes are a dict or None: got {notes!r:.40}")
    for name in ("rows", "dropped"):
        count = (notes or {}).get(name, 0)
        if not (isinstance(count, int) and count >= 0):
            raise ValueError(f"notes[{name!r}] is a number of rows: got {count!r:.40}")
    if (notes or {}).get("library") not in (None, *LIBRARIES):
        raise ValueError(f"notes['library'] is one of {LIBRARIES}")


def _warn_left_out(rows: np.ndarray, why: str) -> None:
    if n := np.count_nonzero(rows):
        warn(f"{n:,} row{'' if n == 1 else 's'} left out for {why}")
