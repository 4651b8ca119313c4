"""`diagnose`: is a density good? Everything is measured on rows that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import BLAS, warn
from ..core.inputs import as_numbers, check_dim, column_labels
from ..core.labels import check_labels
from ..training.checks import as_context, check_finite
from ..training.columns import few_valued_columns
from .baselines import baselines, conditional_log_prob, name_of
from .classifier import tell_apart
from .draws import drawn_from
from .findings import Association, Beside, Learned
from .judged import Judged, Rows, different, warn_of_shared
from .of_table import of_table
from .report import Diagnosis
from .rows import far_rows, pull_of_the_worst, worst_rows
from .uniformity import holm, independence, of_uniforms
from .uniforms import conditionals, uniforms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._typing import Context, Seed
    from ..training import History

FEWEST = 10  # held-out rows
FEWEST_DRAWS = 1000
SHOWN, SHOWN_DRAWS = 2000, 10_000  # that are kept for the page


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
    rng: Seed = 0,
) -> Diagnosis:
    """Can a density be trusted? Compared with simple ones, and tested, on rows it has not seen.

    What is looked at: log p beside that of a Gaussian and of a mixture of Gaussians (BIC); where
    every column's values stand among the density's own draws; for a flow, whether z = f^-1(x) looks
    like its base; whether a classifier tells rows from draws; rows far below all draws; training
    rows against held-out ones. All p-values are adjusted together, by Holm's method: of a density
    that is the truth, 95% of the reports find nothing (alpha=0.05). Log-densities are in nats.

    Rows that chose the best epoch or stopped the training are not held out: keep others back. If
    most of the held-out rows are training rows, or copies of each other, there is a warning.
    Cost: log_prob of all rows, `draws` samples and their log_prob, five classifiers on at most 5000
    rows; seconds for most flows.
    Errors: ValueError for rows of a wrong shape, fewer than 10 of them, NaN in them, names of a
    wrong number, columns that are not those of X_held_out or of an estimator's `fit`; for a density
    whose log_prob is NaN or +inf, or which has no finite draws;
    TypeError for what is no density.

    Parameters
    ----------
    density : Density
        A flow, a base, a target, a `FlowDensity`: anything with log_prob(x) and sample(n, rng), or
        scikit-learn's score_samples(x) and sample(n, random_state=). A `TableDensity`: its numbers
        are judged, given its categories; rows that miss a value are left out, with a warning.
    X_held_out : array_like
        (n, D), rows it has not seen; a table with names is fine.
    X_train : array_like
        (m, D), the rows it learned from: for the baselines, and for overfitting. None: the
        baselines learn from half of the held-out rows, and are compared on the other half.
    context, context_train : array_like
        (n, C) and (m, C), for a conditional density.
    names : sequence of str
        Of the columns; None: those of the table, else x_1, x_2, ...
    history : History
        What `fit` returned: its losses are drawn on the page.
    draws : int
        How many samples to compare with, >= 1000; with a context at least 19 for every row.
    alpha : float
        The chance that a density which is the truth is found at fault.
    rng : int or numpy Generator
        Of the draws, the halves, the classifiers.

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
    if hasattr(density, "numbers_of"):  # a `TableDensity`
        if not (context is None and context_train is None and names is None):
            raise ValueError(
                "a TableDensity knows names and categories from the table: leave out names=, "
                "context=, context_train="
            )
        return of_table(diagnose, density, X_held_out, X_train,
                        history=history, draws=draws, alpha=alpha, rng=rng)  # fmt: skip
    rng, draws = np.random.default_rng(rng), check_dim("draws", draws, FEWEST_DRAWS)
    if not (isinstance(alpha, Real) and 0 < alpha < 1):
        raise ValueError(f"alpha is a chance between 0 and 1: got {alpha!r}")
    names = _names(names, X_held_out)
    held_out = _rows("X_held_out", X_held_out, "context", context, len(names))
    if len(held_out.x) < FEWEST:
        raise ValueError(f"X_held_out has {len(held_out.x)} rows: at least {FEWEST} are needed")
    judged, train = Judged.of(density, len(names), X_held_out, context), None
    if X_train is not None:
        check_labels("X_train", column_labels(X_train), column_labels(X_held_out))
        train = _rows("X_train", X_train, "context_train", context_train, len(names))
        check_labels("context_train", column_labels(context_train), column_labels(context))
        if (train.context is None) != (held_out.context is None):
            raise ValueError("give context and context_train, or neither")
        warn_of_shared(held_out, train)

    with BLAS.single_threaded():
        return _adjusted(_examined(judged, held_out, train, names, history, draws, alpha, rng))


def _examined(judged, held_out, train, names, history, draws, alpha, rng) -> Diagnosis:
    """All findings, every test on its own."""
    log_p = judged.log_prob("X_held_out", *held_out)
    beside, by_halves = _beside(log_p, held_out, train, rng)
    drawn = drawn_from(judged, held_out, draws, rng)
    latents, latents_of, association = _latents(judged.density, held_out, names, rng)
    gridded, _, _ = few_valued_columns(held_out.x, np.arange(len(held_out.x)))
    n_different = len(different(held_out))
    if 2 * n_different < len(log_p) and not gridded.size:
        warn(
            f"X_held_out has {len(log_p):,} rows, but only {n_different:,} different ones, as a "
            "Markov chain or a bootstrap sample: p-values take rows for independent. Thin the "
            "chain, or pass each row once"
        )
    finite = np.isfinite(log_p).all()
    return Diagnosis(
        density=judged.name,
        n=len(log_p),
        names=tuple(names),
        mean=float(log_p.mean()),
        standard_error=float(log_p.std(ddof=1) / math.sqrt(len(log_p))) if finite else math.nan,
        median=float(np.median(log_p)),
        baselines=tuple(beside),
        baselines_by_halves=by_halves,
        columns=drawn.columns(names),
        latents=latents,
        latents_of=latents_of,
        association=association,
        own_level=drawn.level(log_p),
        classifier=tell_apart(*drawn.pairs(held_out, rng), names, rng),
        far=far_rows(log_p, drawn.log_p),
        worst=worst_rows(held_out.x, log_p, drawn.x, drawn.log_p, names),
        pull=pull_of_the_worst(log_p),
        learned=_learned(judged, log_p, train, rng),
        gridded=tuple(names[j] for j in gridded),
        draws=drawn.count,
        wild_draws=drawn.count - len(drawn.x),
        alpha=float(alpha),
        history=history,
        rows=_frozen(held_out.x[rng.permutation(len(log_p))[:SHOWN]]),
        drawn=_frozen(drawn.x[rng.permutation(len(drawn.x))[:SHOWN_DRAWS]]),
    )


def _names(names, table) -> list[str]:
    labels = column_labels(table) if names is None else list(names)
    if labels is None:
        shape = np.shape(table)
        labels = [f"x_{j + 1}" for j in range(shape[-1] if len(shape) == 2 else 0)]
    elif names is not None and np.shape(table)[-1:] != (len(labels),):
        raise ValueError(f"{len(labels)} names, but X_held_out has shape {np.shape(table)}")
    return [str(label) for label in labels]


def _rows(name, values, context_name, context, dim: int) -> Rows:
    x = as_numbers(name, values).astype(float, copy=False)
    if x.ndim != 2 or x.shape[1] != dim or not x.size:
        hint = f"; write {name}[:, None] for one column" if x.ndim == 1 else ""
        wanted = f"(n, {dim})" if dim else "(n, D)"
        raise ValueError(f"{name} has shape {x.shape}, but rows are {wanted}{hint}")
    check_finite(name, x, float, column_labels(values))
    context = as_context(context_name, context, name, len(x))
    return Rows(x, None if context is None else context.astype(float, copy=False))


@np.errstate(over="ignore", invalid="ignore")  # at rows so far out that both densities are 0
def _beside(log_p, held_out, train, rng) -> tuple[list[Beside], bool]:
    """The baselines on the held-out rows, or on half of them; in units of powers of two, exactly,
    in which no square over- or underflows."""
    here, learn = np.arange(len(log_p)), train
    if train is None:
        half, here = np.array_split(rng.permutation(len(log_p)), 2)
        learn = held_out.of(half)
    units = [None if a is None else np.frexp(np.abs(a).max(axis=0))[1] for a in learn]
    learn, rows = (
        [None if a is None else np.ldexp(a, -unit) for a, unit in zip(table, units, strict=True)]
        for table in (learn, held_out.of(here))
    )
    found = []
    for simple in baselines(*learn, rng):
        theirs = conditional_log_prob(simple, *rows) - units[0].sum() * math.log(2)
        theirs[np.isnan(theirs)] = -np.inf
        gain, error = log_p[here] - theirs, math.nan
        if np.isfinite(gain).all():
            error = float(gain.std(ddof=1) / math.sqrt(len(gain)))
        found.append(Beside(name_of(simple), float(theirs.mean()), float(gain.mean()), error))
    return found, train is None


def _learned(judged, log_p, train, rng) -> Learned | None:
    if train is None:
        return None
    some = train.of(np.sort(rng.permutation(len(train.x))[: max(len(log_p), 10_000)]))
    theirs = judged.log_prob("X_train", *some)
    mean = float(theirs.mean())
    if not (np.isfinite(theirs).all() and np.isfinite(log_p).all()) or len(theirs) < 2:
        return Learned(mean, math.nan, math.nan)
    error = math.sqrt(theirs.var(ddof=1) / len(theirs) + log_p.var(ddof=1) / len(log_p))
    return Learned(mean, float(mean - log_p.mean()), error)


def _latents(density, held_out, names, rng):
    """(a Uniformity for each coordinate or None, what they are of, their correlations)."""
    if held_out.context is None:  # of an estimator: the density that it fitted
        density = getattr(density, "density_", density)
    u = uniforms(density, held_out.x, rng, held_out.context)
    if u is None:
        return None, "", None
    order = conditionals(density)
    if order is None:
        labels = [(f"z_{i + 1}", None) for i in range(len(names))]
    else:
        labels = [(names[j], tuple(names[k] for k in given)) for j, given in order]
    found = tuple(
        of_uniforms(name, own, given)
        for own, (name, given) in zip(u.T, labels, strict=True)
        if given != ()  # given nothing, it is a column, and told as such
    )
    tied = independence(u)
    association = None if tied is None else Association(tied[0], tied[1], tied[1])
    return found, "coordinates" if order is None else "conditionals", association


def _adjusted(report: Diagnosis) -> Diagnosis:
    """The same with Holm's p-values, over all tests together."""
    single = ("association", "own_level", "classifier", "far")
    tests = [*report.columns, *(report.latents or ())]
    tests += [test for name in single if (test := getattr(report, name)) is not None]
    shares = [1 / len(group) for group in (report.columns, report.latents or ()) for _ in group]
    weights = shares + [1.0] * (len(tests) - len(shares))  # a group counts as one of the others
    p_values = holm([test.p_value for test in tests], weights)
    found = iter([replace(t, adjusted=p) for t, p in zip(tests, p_values, strict=True)])
    columns = tuple(next(found) for _ in report.columns)
    latents = None if report.latents is None else tuple(next(found) for _ in report.latents)
    others = {name: next(found) for name in single if getattr(report, name) is not None}
    return replace(report, columns=columns, latents=latents, **others)


def _frozen(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x
