"""Questions to a table's density: some columns given others, rows with missing cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..conditionals.answering import Answers, answer_block, answers, different_draws
from ..conditionals.conditional import DrawnConditional
from ..conditionals.weights import Judged
from ..core import generators
from ..core.inputs import as_probabilities, check_count
from .encoding import Number
from .frame import Frame, as_frame, listed, table_of
from .question import decode, is_between, question_of, with_holes

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Seed, TableLike
    from .density import TableDensity

MARGINAL_DRAWS = 200  # of a row, for its log-density


class TableConditional(DrawnConditional):
    """p(x_b | x_a) of a table: the density of the unknown columns. Made by `TableDensity.given`.

        log p(x_b | x_a) = log p(x_a, x_b) - log p(x_a)

    Attributes: `known`; `columns`, the names of x_b; `log_marginal`, log p of the known values, in
    nats, and `error`, its standard error; `ess`, the effective sample size; `k_hat`; `annealed`,
    True if plain weights failed.

    Examples
    --------
    >>> from flowcore import GaussianMixture
    >>> from flowcore.tables import fit_table
    >>> rng = np.random.default_rng(0)
    >>> table = {"height": rng.normal(1.7, 0.1, 300), "smokes": rng.random(300) < 0.3}
    >>> learn = lambda x, context=None, sample_weight=None, rng=0: GaussianMixture.from_data(x, 1)
    >>> given = fit_table(table, learn=learn).given({"smokes": True})
    >>> print(given)
    p(height | smokes = True): exact draws
    >>> float(given.mean()["height"].round(1)), len(given.sample(5, rng=0))
    (1.7, 5)
    """

    def __init__(self, density: TableDensity, known: Mapping, n_draws: int, rng: Seed):
        if not isinstance(known, Mapping):
            raise TypeError(f"known is a mapping, such as {{'age': 31}}: got {known!r:.80}")
        known = dict(zip(density.schema_.named_as(known), known.values(), strict=True))
        self.density, self.known = density, known
        self.columns = [
            part.column.name for part in density.encoding.parts
            if part.column.name not in known or isinstance(known[part.column.name], tuple)
        ]  # fmt: skip
        if not self.columns:
            raise ValueError("all columns are known, so none is left: log_prob scores a whole row")
        self._question, self._log_ruled = question_of(density, known)
        self._set_draws(self.known, n_draws, rng)

    def _draw(self, n, rng, different=False):
        draw = different_draws if different else answer_block
        answer = draw(self.density.answering, self._question, n, [rng])
        answer.log_p[:] += self._log_ruled
        return answer

    @property
    def exact(self) -> str:
        """All values of the unknown categories, or draws that need no weights."""
        return "exact" if np.isinf(self.ess) else "exact draws"

    def log_prob(self, X: TableLike) -> np.ndarray:
        """log p(x_b | x_a), (n,), for rows of values x_b; all share the error of log p(x_a).

        Columns with ranges are included; a row outside of a range has -inf.
        """
        frame = self.density.schema_.named(X)
        if not frame.is_by_name(self.columns):
            if len(frame.names) != len(self.columns):
                raise ValueError(f"X has {len(frame.names)} columns, not {listed(self.columns)}")
            frame = frame.renamed(self.columns)
        if set(frame.names) != set(self.columns):
            raise ValueError(f"X has {listed(frame.names)}: it should have {listed(self.columns)}")
        cells = dict(frame)
        for name in self.known.keys() - cells.keys():
            cells[name] = as_frame({name: [self.known[name]] * len(frame)})[name]
        names = [part.column.name for part in self.density.encoding.parts]
        log_p = self.density.log_prob(Frame({name: cells[name] for name in names}))
        for name in set(self.columns) & set(self.known):
            is_in = is_between(self.density, name, frame[name], self.known[name])
            log_p[~is_in & ~np.isnan(log_p)] = -np.inf
        return log_p - self.log_marginal

    def sample(self, n: int = 1, rng: Seed = None) -> TableLike:
        """n whole rows, a table of the caller's kind; new draws, as in `Conditional.sample`."""
        rng, n = np.random.default_rng(rng), check_count(n, "n")
        draws = self._draw(max(n, self.n_draws), rng, different=True)
        rows = draws.resampled(max(n, 1), [rng])[0][:n]
        return self.density.as_table(self._decoded(rows), n)

    def mean(self) -> dict:
        """name -> E(x_j | x_a) of each unknown column of numbers; missing cells do not count."""
        means = {}
        for name, x, share in self._numbers():
            means[name] = share @ x / share.sum() if share.sum() > 0 else np.float64(np.nan)
        return means

    def quantiles(self, q: ArrayLike) -> dict:
        """name -> quantiles (len(q),) of each unknown column of numbers, by the draws of `mean`."""
        q, quantiles = as_probabilities(q), {}
        for name, x, share in self._numbers():
            order = np.argsort(x, kind="stable")
            total = np.cumsum(share[order])
            at = np.searchsorted(total, q * total[-1] * (1 - 1e-12)) if len(x) else None
            quantiles[name] = np.full(len(q), np.nan) if at is None else x[order[at]]
        return quantiles

    def shares(self) -> dict:
        """name -> {value: p(value | x_a)} of each unknown category, the most probable first."""
        values, share, shares = self._decoded(self.draws.x[0]), self.draws.share[0], {}
        for part in self.density.encoding.parts:
            name = part.column.name
            if name in self.columns and part.column.kind.is_category:
                texts, first, each = np.unique(
                    values[name].astype(str), return_index=True, return_inverse=True
                )
                total = np.bincount(each.reshape(-1), share, len(texts))
                pairs = zip(values[name][first].tolist(), total.tolist(), strict=True)
                shares[name] = dict(sorted(pairs, key=lambda pair: -pair[1]))
        return shares

    def _numbers(self) -> Iterable:
        values, share = self._decoded(self.draws.x[0]), self.draws.share[0]
        for part in self.density.encoding.parts:
            name = part.column.name
            if name in self.columns and isinstance(part, Number):
                x = values[name].astype(float)
                present = ~np.isnan(x) & (share > 0)
                yield name, x[present], share[present]

    def _decoded(self, rows: np.ndarray) -> dict:
        """name -> values of draws; known values are those that were passed."""
        values = decode(self.density, rows)
        for name, value in self.known.items():
            if name not in self.columns and values[name].dtype == object:  # it may be unseen
                values[name] = np.full(len(rows), value, object)
        return values


@dataclass(frozen=True)
class TableAnswers(Judged):
    """The answers for n rows with missing cells.

    Attributes
    ----------
    tables : list
        m completed tables of the caller's kind; known cells do not change. None after `log_prob`.
    log_p, error : numpy.ndarray
        (n,), log p of the known values of each row, in nats, and its standard error.
    ess, k_hat : numpy.ndarray
        (n,), the effective sample size (inf without holes) and the Pareto k-hat (-inf if exact).
    annealed : numpy.ndarray
        (n,), True where the plain weights failed and annealed draws were used.

    Examples
    --------
    >>> from flowcore import Normal
    >>> from flowcore.tables import Column, Kind, Schema, TableDensity
    >>> schema = Schema((Column("a", Kind("continuous")), Column("b", Kind("continuous"))))
    >>> answers = TableDensity.of(schema, Normal(2)).impute({"a": [0.5], "b": [np.nan]}, n=3)
    >>> len(answers.tables), answers.tables[0]["a"], answers.trusted
    (3, array([0.5]), array([ True]))
    """

    tables: list[Any]
    log_p: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    k_hat: np.ndarray
    annealed: np.ndarray


def answers_of(
    density: TableDensity, X: TableLike, n: int, n_draws: int, rng: Seed, progress: bool,
    apart: bool = True, strict: bool = False,
) -> TableAnswers:  # fmt: skip
    """The result of `TableDensity.impute`; apart: whether draws of equal rows are independent."""
    n, given = check_count(n, "n"), density.schema_.named(X)
    frame = density.schema_.select(given, density.ignore_extra)
    density.encoding.warn_of_rounding(frame)
    question, gaps = with_holes(density, frame, strict=strict)
    result = _answers(density, frame, question, n, n_draws, rng, progress, apart and n > 0)
    names, values = density.schema_.names, (decode(density, rows) for rows in result.draws)
    tables = [_completed(X, names, given, frame, cells, gaps) for cells in values]
    return TableAnswers(
        tables, result.log_p, result.error, result.ess, result.k_hat, result.annealed
    )


def marginals_of(density: TableDensity, frame: Frame) -> np.ndarray:
    """log p of each row's known values, (n,); "missing" is one if the column has it as a value."""
    question, _ = with_holes(density, frame, values=True)
    return _answers(density, frame, question, 0, MARGINAL_DRAWS, 0, False, False).log_p


def _answers(density, frame, question, n, n_draws, rng, progress, apart) -> Answers:
    """n draws of all rows, codes and numbers; a warning where they fail."""
    rows = np.hstack([question.codes, question.x, question.hole, question.clues])
    rngs = generators(rows, rng, apart)
    result = answers(density.answering, question, n, n_draws, rngs, progress)
    result.log_p[:] += density.encoding.log_prob_of_ruled(frame)
    result.warn_untrusted(frame.row_numbers(np.arange(len(frame))))
    return result


def _completed(X, names, given: Frame, frame: Frame, values: dict, gaps: dict) -> TableLike:
    """The caller's table with draws in its missing cells; names: all of the schema."""
    columns, by_name = {name: given[name] for name in given.names}, {n: n for n in frame.names}
    if not set(frame.names) <= set(given.names):  # by position
        every = frame.names if len(given.names) == len(frame.names) else names
        by_name = dict(zip(every, given.names, strict=True))
    for name, gap in gaps.items():
        if gap.any():
            columns[by_name[name]] = filled(frame[name], values[name], gap)
        if (odd := frame.unread(name)).any():  # cells that could not be read stay as they are
            own = columns[by_name[name]]
            columns[by_name[name]] = np.where(odd, frame.texts[name], own.astype(object))
    return table_of(columns, given.is_named, given.library, getattr(X, "index", None))


def filled(known: np.ndarray, drawn: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """A column with draws in its gaps: whole numbers stay integers, and booleans booleans, if all
    are."""
    if known.dtype == object or drawn.dtype == object:
        values = np.where(gap, drawn, known)
        is_boolean = {type(value) for value in values.tolist()} == {bool}
        return values.astype(bool) if is_boolean else values
    if known.dtype.kind in "mM":
        return np.where(gap, drawn.astype(known.dtype), known)
    values = np.where(gap, drawn, np.where(gap, 0, known))
    whole = drawn.dtype.kind in "iub" and (values == np.rint(values)).all()
    return values.astype(drawn.dtype) if whole else values
