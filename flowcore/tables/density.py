"""`TableDensity`: one density of a table with columns of every kind, p(c) p(x | c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..core.inputs import check_count, check_dim
from ..distributions import Distribution, Foreign
from .encoding import as_values, codes, coordinates, line, noise, outside, restored
from .frame import Frame
from .frequencies import Frequencies
from .schema import Schema
from .slots import Slots

if TYPE_CHECKING:
    from .._typing import Base, Seed, TableLike
    from ..estimator import Summary
    from .numbers import Numbers


class TableDensity:
    """The density of a row (c, x) of a table: p(c) p(x | c).

        log p(c, x) = log p(c) + log q(z | c) + log |det dz/dx|

    c are the categories: p(c) is exact, see `Frequencies`. x are the numbers: z is x on the whole
    line (log for positive columns, logit for bounded ones), and q any density with a context. What
    is gridded gets noise u, uniform over a cell, and counts as a probability,

        log P(x | c) >= E_u[log p(x + step u | c)] + sum log step      over the gridded columns

    which `log_prob` estimates: a lower bound, on average over u. So p has the unit 1 / units of the
    continuous, positive and bounded columns, as `density.schema.meaning` says. Values of a column
    that were never seen have together the probability u of `Frequencies`, and tell nothing about x:
    p(x | unseen) = sum_v w_v p(x | v), over the values (or combinations) v that were seen.

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
        What is to be remembered, and saved: plain data, such as how it was learned. "summary",
        "rows" and "dropped" are read again: a ValueError for what they cannot be.

    Examples
    --------
    >>> from flowcore import Normal
    >>> schema = Schema.from_data({"height": [1.6, 1.7, 1.9], "smokes": [True, False, False]})
    >>> smokes = Frequencies.from_codes([[1], [0], [0]], sizes=(2,), closed=(True,))
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
        if isinstance(frequencies, dict):
            frequencies = Frequencies(**frequencies)
        self.frequencies, self.density = frequencies, density
        self.dim = len(self.schema.columns)
        self._check()
        self._check_notes()
        self._slots = None if frequencies is None else Slots(frequencies)
        self._line, self._noise = line(self.schema.numbers), noise(self.schema.numbers)

    def _check(self) -> None:
        categories, numbers = self.schema.categories, self.schema.numbers
        odd = [c for c in self.schema.columns if c.kind.name in ("constant", "text")]
        if odd:
            raise ValueError(f"column {odd[0].name!r:.40} is {odd[0].kind}: edit it to aside")
        if not categories and not numbers:
            raise ValueError("the schema has neither numbers nor categories: nothing to model")
        sizes = tuple(len(column.values) for column in categories)
        given = () if self.frequencies is None else self.frequencies.sizes
        if given != sizes:
            raise ValueError(f"frequencies of sizes {given}, but the categories have {sizes}")
        dim = 0 if self.density is None else self.density.dim
        if dim != len(numbers):
            raise ValueError(f"density has dim {dim}, but the schema has {len(numbers)} numbers")

    def _check_notes(self) -> None:
        """A ValueError for notes that are not what is told of them, as in a forged file."""
        if not isinstance(self.notes, (dict, type(None))):
            raise ValueError(f"notes are a dict or None: got {self.notes!r:.40}")
        for name in ("rows", "dropped"):
            count = (self.notes or {}).get(name, 0)
            if not (isinstance(count, int) and count >= 0):
                raise ValueError(f"notes[{name!r}] is a number of rows: got {count!r:.40}")
        _ = self.summary

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        names = ("sizes", "combinations", "counts", "unseen", "strength")
        own = self.frequencies
        counted = None if own is None else {name: getattr(own, name) for name in names}
        plain = {"schema": self.schema.to_dict(), "frequencies": counted}
        return plain | {"density": self.density, "notes": self.notes}

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

    def log_prob(self, X: TableLike, draws: int = 1, rng: Seed = 0) -> np.ndarray:
        """log p of every row of the table X, (n,), in nats.

        draws: how often noise is drawn for gridded columns, see `Dequantize.log_prob`; without such
        columns the value is exact. rng: its seed; the same rows get the same noise. NaN for a row
        that misses a value, -inf for one outside of a column's support. Errors: ValueError for
        columns that are not those of the schema, and, naming row, column and value, for text among
        numbers and for what is off a grid. Cost: one pass of the density for each draw, for unseen
        values 256 at most.
        """
        frame, draws = self.schema.select(X), check_dim("draws", draws)
        own, x = codes(frame, self.schema.categories), coordinates(frame, self.schema.numbers)
        log_p = np.zeros(len(frame))
        if self.frequencies is not None:
            log_p += self.frequencies.log_prob(own)
        unknown = np.isnan(x).any(axis=1) | np.isnan(log_p)
        out = outside(x, self.schema.numbers)
        if self.density is not None:
            rows = np.flatnonzero(~(unknown | out))
            log_p[rows] += self._of_numbers(x[rows], own[rows], draws, rng)
        log_p[out], log_p[unknown] = -np.inf, np.nan
        return log_p

    def _of_numbers(self, x, own, draws, rng) -> np.ndarray:
        """log p(x | c), where every x is inside of its support."""
        log_p = np.empty(len(x))
        if not len(x) or self._slots is None:
            return self._given(x, None, draws, rng) if len(x) else log_p
        slots = self._slots.of(own)
        patterns, which = np.unique(slots < 0, axis=0, return_inverse=True)
        for i, unseen in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == i)
            log_p[rows] = self._averaged(x[rows], slots[rows], unseen, draws, rng)
        return log_p

    def _averaged(self, x, slots, unseen, draws, rng) -> np.ndarray:
        """log sum_v w_v p(x | v), v in the columns that are unseen; none: log p(x | c)."""
        if not unseen.any() or not self._slots.dim:
            return self._given(x, slots, draws, rng)
        seed = np.random.default_rng(rng).integers(2**63)  # every v sees the same noise
        total = np.full(len(x), -np.inf)
        for values, weight in zip(*self._slots.alternatives(unseen), strict=True):
            filled = slots.copy()
            filled[:, unseen] = values
            total = np.logaddexp(total, np.log(weight) + self._given(x, filled, draws, int(seed)))
        return total

    def _given(self, x, slots, draws, rng) -> np.ndarray:
        context = self._context(slots)
        if self._noise is None:
            return self._of_points(x, context)
        return self._noise.log_prob(_Points(self._of_points), x, draws, rng, context)

    def _context(self, slots) -> np.ndarray | None:
        # somebody's own density need not say whether it reads one
        reads = slots is not None and getattr(self.density, "context_dim", 1)
        return self._slots.context(slots) if reads and self._slots.dim else None

    def _of_points(self, y, context=None) -> np.ndarray:
        """log q(z | c) + log |det dz/dy|."""
        z, log_det = y, 0.0
        if self._line is not None:
            z, log_det = self._line.inverse_and_log_det(y)
        given = {} if context is None else {"context": context}
        return self.density.log_prob(z, **given) + log_det

    # ------------------------------------------------------------ samples

    def sample(self, n: int = 1, rng: Seed = None) -> Frame | np.ndarray:
        """n rows, of the kinds of the data: categories as they were, integers integers.

        A `Frame`: `.to_pandas()` is a DataFrame, `dict()` of it what polars takes; an array (n, D)
        if the table had no names. Values that were never seen are not drawn: rows are drawn from p
        given that all categories are known ones. Columns aside are left out, except for constant
        ones; in an array they are NaN.
        """
        n, rng = check_count(n), np.random.default_rng(rng)
        found: dict = {}
        slots = None
        if self.frequencies is not None:
            own = self.frequencies.sample(n, rng)
            slots = self._slots.of(own)
            for k, column in enumerate(self.schema.categories):
                found[column.name] = as_values(column, own[:, k])
        if self.density is not None:
            found |= restored(self._sample_numbers(n, slots, rng), self.schema.numbers)
        for column in self.schema.columns:
            if column.kind.name == "aside" and column.values and len(column.values) == 1:
                found[column.name] = as_values(column, np.zeros(n, int))
        return self._as_given(found, n)

    def numbers_of(self, X: TableLike, rng: Seed = 0) -> Numbers:
        """What `diagnose` judges: the numbers of the rows of X and their density, given categories.

        Rows that miss a value are left out, with a warning; rng is for noise on grids. Errors:
        ValueError for a model without numbers, and for a row outside of a column's support.
        """
        from .numbers import Numbers

        return Numbers.of(self, self.schema.select(X), "drop", np.random.default_rng(rng))

    def _sample_numbers(self, n, slots, rng) -> np.ndarray:
        context = self._context(slots)
        if n == 0:
            return np.zeros((0, self.density.dim))
        if context is None:
            z = self.density.sample(n, rng=rng)
        else:
            z = self.density.sample(1, rng=rng, context=context)[0]
        return np.asarray(z, float) if self._line is None else self._line.forward(z)

    def _as_given(self, found: dict, n: int) -> Frame | np.ndarray:
        if self.schema.is_named:
            return Frame({name: found[name] for name in self.schema.names if name in found})
        columns = [found.get(name, np.full(n, np.nan)) for name in self.schema.names]
        dtype = object if any(column.dtype == object for column in columns) else float
        return np.column_stack([np.asarray(column, dtype) for column in columns])

    def __repr__(self):
        listed = ", ".join(f"{c.name}: {c.kind}" for c in self.schema.columns)
        own = repr(self.density)
        return f"TableDensity({listed}; {own if len(own) <= 300 else f'{own[:297]}...'})"


class _Points:
    """A function log_prob(y, context) as the object that `Dequantize` takes."""

    def __init__(self, log_prob: Callable):
        self.log_prob = log_prob


def as_distribution(density: Base | None) -> Base | None:
    """Anybody's density; a TypeError for what is none."""
    if density is None or isinstance(density, Distribution):
        return density
    return Foreign(density).density
