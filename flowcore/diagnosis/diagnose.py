"""`diagnose`: is a density good? Everything is measured on rows that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BLAS, frozen, imported, warn, without_warnings
from ..core.inputs import check_dim, column_labels, selected
from ..core.rows import as_context, as_table
from ..training.columns import few_valued_columns
from .advice import advised, as_suggested
from .density import AnyDensity, GivenRows, distinct, draws_of, log_p_of, warn_of_shared
from .findings import Finding, adjusted, listed
from .hidden import hidden_cells, hidden_numbers
from .likelihood import MOST_ROWS, baselines, mean_and_error, overfitting, support, worst_row
from .report import Diagnosis
from .shares import shares
from .tests import classifier, columns, latents, level, tails, uniformity, worst_rows
from .uniforms import conditionals, exact, uniforms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..core.typing import Context, Seed
    from ..training import History

FEWEST = 10  # held-out rows
FEWEST_DRAWS = 1000
SHOWN, SHOWN_DRAWS = 2000, 10_000  # that are kept for the page
FEW = 0.1  # rows are few if they do not show a KS of this size
MOSTLY = 0.9  # of the training rows of a table differ: else new rows are like some of them, too


def diagnose(
    density: Any,
    X_held_out: ArrayLike,
    X_train: ArrayLike | None = None,
    *,
    context: Context = None,
    context_train: Context = None,
    names: Sequence[str] | None = None,
    history: History | None = None,
    draws: int = 20_000,
    alpha: float = 0.05,
    hide: float = 0.0,
    strict: bool = False,
    rng: Seed = 0,
) -> Diagnosis:
    """Test a density on held-out rows: a verdict in words, a page, and numbers.

    These checks are made:

    * Mean log p is compared with that of a Gaussian and of a mixture of Gaussians (best BIC).
    * Draws from the density are compared with the rows: the values of every column, and log p. A
      classifier tries to separate rows from draws.
    * For a flow, z = f^-1(x) is compared with the base. For one column given a context, the exact
      PIT, F(x | context), is compared with uniform numbers.
    * Rows far in the tails are counted.
    * Training rows are compared with held-out rows.
    * For a table, rows and draws are also compared by the ranges of columns, and by the shares of
      values (categories, atoms, pairs of values).

    Held-out rows have to be new to the density. Validation rows are not, because they chose the
    best epoch or stopped the training. `diagnose` warns if most of the rows are training rows, or
    if more than 5% are copies, which count once. All others count equally, whatever the weights of
    the fit were.

    How often does it blame a density that is the truth? All p-values are adjusted together, by
    Holm's method, in which all tests of a kind weigh as much as one, so 95% of the reports find
    nothing (alpha=0.05). Log-densities are in nats.

    Cost: log_prob of all rows, `draws` samples and their log_prob, a classifier on at most 5000
    rows; seconds for most flows. Errors: ValueError for rows of a wrong shape, fewer than 10 rows,
    NaN, a wrong number of names, or a missing column; for a density whose log_prob is NaN or +inf,
    or which has no finite draws. TypeError for anything but a density.

    Parameters
    ----------
    density : Density
        Anything with log_prob(x) and sample(n, rng), or scikit-learn's score_samples(x) and
        sample(n, random_state=). Columns of numbers in a `TableDensity` are compared given the
        categories, on a grid with noise of the density itself; log p is that of the whole row. Rows
        with a missing value are left out, with a warning.
    X_held_out : array_like
        (n, D), rows that were held out; a table with names is fine.
    X_train : array_like
        (m, D), the rows of the fit, for the baselines and for a test of overfitting. None: the
        baselines learn from half of the held-out rows, and are compared on the other half.
    context, context_train : array_like
        (n, C) and (m, C), for a conditional density.
    names : sequence of str
        Names of the columns; None: those of the table, else x_1, x_2, ...
    history : History
        The history that `fit` returned: its losses are drawn on the page.
    draws : int
        Number of samples to compare with, >= 1000; with a context at least 19 for every row.
    alpha : float
        The chance that any test is significant if the density is the truth.
    hide : float
        To test conditionals, too: this share of the cells, in at most 1,000 rows, is hidden at
        random and drawn given the other cells. The ranks of the hidden values among the draws
        should be uniform. 0: no such test. Cost: about 200 evaluations of the density per row.
    strict : bool
        For a table: ValueError for the first row with a cell that the density cannot have. False: a
        warning counts such rows, which are left out.
    rng : int or numpy Generator
        Seed of the draws, the halves, the classifier and the hidden cells.

    Returns
    -------
    Diagnosis
        Print it; `figure()` draws a page; `to_dict()` for programs.

    References
    ----------
    Rosenblatt 1952 (the transform); Lopez-Paz and Oquab 2017 (classifiers); Holm 1979.

    Examples
    --------
    >>> from flowcore import targets
    >>> truth = targets.correlated_gaussian(0.8)
    >>> report = diagnose(truth, truth.sample(1000, rng=0), draws=2000, names=["age", "income"])
    >>> print(report.headline)
    Mean log p -2.328 +- 0.031 nats on 1,000 held-out rows of 2 columns: nothing speaks against this
    density.
    """
    # a stream of its own: rows that were drawn by the same seed must not come again as draws
    rng = np.random.default_rng(np.random.default_rng(rng).integers(2**63))
    draws = check_dim("draws", draws, FEWEST_DRAWS)
    if not (isinstance(alpha, Real) and 0 < alpha < 1):
        raise ValueError(f"alpha is a chance between 0 and 1: got {alpha!r}")
    if not (isinstance(hide, Real) and 0 <= hide < 1):
        raise ValueError(f"hide is a share of the cells in [0, 1): got {hide!r}")
    given, units, numbers, lacking = (), np.asarray, None, False
    if hasattr(density, "numbers_of"):  # a `TableDensity`
        if not (context is None and context_train is None and names is None):
            raise ValueError(
                "a TableDensity has names and categories from the table: leave out names=, "
                "context=, context_train="
            )
        X_held_out = density.possible_rows(X_held_out, strict)
        X_train = None if X_train is None else density.possible_rows(X_train, strict)
        if not density.coordinates_.dim:
            return _of_categories(density, X_held_out, X_train, draws, alpha, hide, rng)
        numbers, train = _numbers(density, X_held_out, X_train, rng)
        adapter, names = AnyDensity.of(numbers.density, numbers.rows), numbers.names
        held_out, units = GivenRows(numbers.rows, numbers.context), numbers.units
        whole, of_p = AnyDensity(density, density.dim), GivenRows(numbers.frame, None)
        train_of_p = None if train is None else GivenRows(train.frame, None)
        train = None if train is None else GivenRows(train.rows, train.context)
        exact, lacking = _exact(numbers), density.lacks_numbers
        redrawn = lambda n: _exact(density.numbers_of(density.sample(n, rng), rng))  # noqa: E731
        given = tuple(f"{c.name}" for c in density.schema_.categories if c.rule is None)
    else:
        own = getattr(density, "density_", density)  # that of a FlowDensity
        labels = getattr(density, "feature_names_in_", getattr(own, "names", None))
        X_held_out = selected("X_held_out", X_held_out, labels)
        labels = column_labels(X_held_out) if labels is None else labels
        context_labels = getattr(density, "context_names_in_", getattr(own, "context_names", None))
        context = selected("context", context, context_labels)
        context_labels = column_labels(context) if context_labels is None else context_labels
        adapter = AnyDensity.of(density, X_held_out)
        held_out = _rows("X_held_out", X_held_out, "context", context, adapter.dim)
        exact, c = held_out, held_out.context
        redrawn = lambda n: GivenRows(adapter.sample(n, rng, c), c)  # noqa: E731
        names = _names(labels if names is None else names, X_held_out, adapter.dim)
        train = None
        if X_train is not None:
            X_train = selected("X_train", X_train, labels)
            context_train = selected("context_train", context_train, context_labels)
            train = _rows("X_train", X_train, "context_train", context_train, adapter.dim)
            if (train.context is None) != (held_out.context is None):
                raise ValueError("give context and context_train, or neither")
            warn_of_shared(held_out, train)
        whole, of_p, train_of_p = adapter, held_out, train
    if len(held_out.x) < FEWEST:
        raise ValueError(f"X_held_out has {len(held_out.x)} rows: at least {FEWEST} are needed")

    with BLAS.single_threaded():
        every = held_out.x
        with without_warnings():  # about these rows they have been given
            log_p = whole.log_prob("X_held_out", of_p)
            place = distinct(exact, redrawn)
        held_out, log_p = held_out.of(place), log_p[place]
        own = draws_of(adapter, held_out, draws, rng)
        shown, drawn = units(held_out.x), units(own.flat)
        if numbers is None:
            log_p_of_numbers, drawn_log_p = log_p, log_p_of(adapter, held_out, own)
        else:
            log_p_of_numbers = numbers.log_prob(held_out.x, held_out.context)
            n_whole = _affordable(density, draws, len(log_p))
            drawn_log_p = density.log_prob(density.sample(n_whole, rng))
            # draws have the atoms of their rows, if they have any
            there = ~np.isnan(numbers.values)[place]
            shown, each = np.where(there, shown, np.nan), np.arange(len(drawn)) % len(there)
            if held_out.context is not None:
                each = np.repeat(own.index, own.x.shape[1])
            drawn = np.where(there[each], drawn, np.nan)
            place = numbers.frame.row_numbers(place)
        worst = worst_rows(held_out.x, shown, log_p, own.flat, drawn_log_p, names, place)
        ranked = own.index if drawn_log_p.ndim > 1 else slice(None)  # a row by its own draws
        tests = [
            *support(log_p, place),
            *baselines(log_p_of_numbers, held_out, train, rng, lacking),
            *columns(held_out.x[own.index], own.x, names, rng),
            *classifier(held_out, own, names, rng),
            *_pit(adapter.density, held_out, names),
            *_latents(adapter.density, held_out, names, rng),
            level(log_p[ranked], drawn_log_p, rng),
            tails(log_p, drawn_log_p, place),
            worst_row(log_p, worst[0], drawn_log_p),
        ]
        if numbers is not None:
            n_draws = min(draws, max(FEWEST_DRAWS, len(log_p)))
            tests += shares(density, X_held_out, X_train, n_draws, rng)
        if hide and numbers is None:
            tests += hidden_numbers(adapter, held_out, names, hide, rng)
        elif hide:
            tests += hidden_cells(density, X_held_out, hide, rng)
        found = adjusted(tests, alpha)
        if train is not None:
            harm = any(one.fault or one.adjusted < alpha for one in found)
            most = max(len(log_p), MOST_ROWS)
            if numbers is not None:
                most = _affordable(density, most, len(log_p))
            some = np.sort(rng.permutation(len(train.x))[:most])
            with without_warnings():
                of_train = whole.log_prob("X_train", train_of_p.of(some))
            found.append(overfitting(log_p, of_train, harm))
        schema = numbers and density.schema_
        found += _limits(every, names, own, found, alpha, given, schema)
        found = advised(found, density, worst)
    mean, error = mean_and_error(log_p)
    some = rng.permutation(len(log_p))[:SHOWN], rng.permutation(len(own.flat))[:SHOWN_DRAWS]
    return Diagnosis(
        density=type(density).__name__, n=len(log_p), dim=whole.dim, names=tuple(names),
        given=given, mean=mean, standard_error=error, median=float(np.median(log_p)),
        draws=own.count, alpha=float(alpha), findings=tuple(found), worst=worst,
        rows=frozen(shown[some[0]]), drawn=frozen(drawn[some[1]]), history=history,
    )  # fmt: skip


def _pit(density, held_out, names) -> list[Finding]:
    """Of the one column of a conditional density, if its F(x | c) is known exactly."""
    if held_out.context is None or len(names) != 1:
        return []
    u = exact(density, "pit", held_out.x, context=held_out.context)
    if u is None:
        return []
    what, test = f"`{names[0]}` given the context", imported("scipy.stats").kstest(u, "uniform")
    return [uniformity("pit", f"KS of PIT, {names[0]}", "The density", what, u, test)]


def _latents(density, held_out, names, rng) -> list[Finding]:
    if held_out.context is None:  # of an estimator: the density that it fitted
        density = getattr(density, "density_", density)
    seed = int(rng.integers(2**31))

    def uniforms_of(rows: GivenRows) -> np.ndarray | None:
        return uniforms(density, rows.x, np.random.default_rng(seed), rows.context)

    u = uniforms_of(held_out)
    return [] if u is None else latents(u, names, conditionals(uniforms_of, held_out))


def _limits(x, names, draws, tests, alpha, given, schema) -> list[Finding]:
    """Limits of the tests: columns and draws that are not numbers, few rows.

    x: all held-out rows, with their copies
    """
    n, found = len(draws.index), []
    if gridded := [names[j] for j in few_valued_columns(x, np.arange(len(x)))[0]]:
        text = (
            f"Columns of few distinct values have no density: {listed(gridded)}. The mean log p "
            "has no upper limit there."
        )
        kinds = as_suggested(
            [c for c in schema.numbers if f"{c.name}" in gridded] if schema else []
        )
        found.append(Finding("gridded", "columns of few values", len(gridded), fault=True,
                             sentence=text, fix={"kind": kinds} if kinds else {}))  # fmt: skip
    if wild := draws.n_not_finite:
        text = f"{wild:,} of {draws.count:,} draws are not finite; they are left out."
        found.append(Finding("draws", "draws that are not finite", wild, held_out=False,
                             fault=True, sentence=text))  # fmt: skip
    kinds = len({test.kind for test in tests if test.p >= 0})
    seen = float(imported("scipy.stats").kstwo.isf(alpha / kinds / len(names), n))
    if seen > FEW and all(test.adjusted >= alpha for test in tests if test.kind == "columns"):
        text = f"With {n} rows the tests detect only a KS of {seen:.2f} or more."
        found.append(Finding("power", "smallest KS detected", seen, sentence=text))
    if given:
        text = f"Columns of numbers are compared with draws given {listed(given)}."
        found.append(Finding("given", "categories", sentence=text))
    return found


def _of_categories(density, X_held_out, X_train, draws, alpha, hide, rng) -> Diagnosis:
    """The report of a `TableDensity` without numbers: log p itself, shares of values and pairs."""
    log_p, drawn = density.log_prob(X_held_out), density.log_prob(density.sample(draws, rng))
    place = np.flatnonzero(~np.isnan(log_p))
    if n := len(log_p) - len(place):
        warn(f"{n:,} rows left out for missing values")
    log_p, place = log_p[place], X_held_out.row_numbers(place)
    if len(log_p) < FEWEST:
        raise ValueError(f"X_held_out has {len(log_p)} complete rows: at least {FEWEST} are needed")
    tests = [*support(log_p, place), level(log_p, drawn, rng), tails(log_p, drawn, place)]
    n_draws = min(draws, max(FEWEST_DRAWS, len(log_p)))
    tests += shares(density, X_held_out, X_train, n_draws, rng)
    tests += hidden_cells(density, X_held_out, hide, rng) if hide else []
    found = advised(adjusted(tests, alpha), density, ())
    mean, error = mean_and_error(log_p)
    return Diagnosis(
        density=type(density).__name__, n=len(log_p), dim=density.dim, given=(), mean=mean,
        standard_error=error, names=tuple(f"{c.name}" for c in density.schema_.categories),
        median=float(np.median(log_p)), draws=draws, alpha=float(alpha),
        findings=tuple(found), worst=(), rows=None, drawn=None, history=None,
    )  # fmt: skip


# ---------------------------------------------------------------------------- rows of the caller


def _affordable(density, n: int, n_rows: int) -> int:
    """Of n rows, as many as log p should be evaluated for: fewer where each has many points."""
    is_gridded = any(column.kind.is_gridded for column in density.schema_.numbers)
    return min(n, max(FEWEST_DRAWS, n_rows)) if is_gridded else n


def _numbers(density, X_held_out, X_train, rng) -> tuple[Any, Any]:
    """Numbers of the held-out rows and of the training rows; on a grid they have noise.

    In a held-out row it is that of the density: of a uniform one, the truth would be no draw.

    Shared rows are looked for without the noise, unless new rows often equal some training row.
    """
    own, train = density.numbers_of(X_held_out, rng, as_drawn=True), None
    if X_train is not None:
        train = density.numbers_of(X_train, rng)
        exact = _exact(train)
        if len(exact.different) > MOSTLY * len(exact.x):
            warn_of_shared(_exact(own), exact)
    return own, train


def _exact(numbers) -> GivenRows:
    """The numbers without noise; those that are absent are equal."""
    return GivenRows(np.nan_to_num(numbers.values, nan=-np.pi), numbers.context)


def _names(names, table, dim: int) -> list[str]:
    labels = [f"x_{j + 1}" for j in range(dim)] if names is None else list(names)
    if len(labels) != dim:
        raise ValueError(f"{len(labels)} names, but X_held_out has shape {np.shape(table)}")
    return [str(label) for label in labels]


def _rows(name, values, context_name, context, dim: int) -> GivenRows:
    x = as_table(name, values, dim).astype(float, copy=False)
    return GivenRows(x, as_context(context_name, context, name, len(x)))
