"""Oracles of tables: the laws of test_oracles.py, for columns of every kind and tables of them.

    mass          the cells of a table sum to 1: numbers, grids, categories, atoms, missing cells
    draws         they follow log_prob
    alone         a row has one answer, alone, in any company, order and block
    marginal      is the sum over the cells that agree with what is known
    conditional   is a density, which its draws, quantiles and shares follow

A kind of column is one more line in KINDS, a table in TABLES.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from support.oracles import N_DRAWS, Points, agree, bars_cover, cases, follow

import flowcore as fc
from flowcore import flows
from flowcore.tables import Schema, fit_table
from flowcore.testing import randomize


class Kind(NamedTuple):
    """A kind of column: how a hidden factor u (n,) becomes values, and all that it may be.

    cells: values and their weights, the distance of points of a line or 1; all of p is in them.
    """

    kind: str | None  # None: as `Schema.from_data` recognises it
    values: Callable
    cells: Callable
    missing: bool = False


def line(to=lambda z: z, slope=np.ones_like):
    """Cells of a number: a quadrature of z in [-10, 10], which the kind maps to its support."""
    z = np.linspace(-9.97, 10.03, LINE)
    return lambda: (to(z), slope(z) * (z[1] - z[0]))


def single(*values):
    return lambda: (np.array(values), np.ones(len(values)))


def grid(low, high, step=1.0):
    return single(*(step * np.arange(low, high + 1)))


def either(*parts):
    """Several cells together, the first of each value."""

    def cells():
        values, weight = (np.concatenate(each) for each in zip(*(p() for p in parts), strict=True))
        _, first = np.unique(values, return_index=True)
        return values[np.sort(first)], weight[np.sort(first)]

    return cells


def often(values, u, value, share=0.35):
    """The values, but `value` in a share of the rows that falls with u."""
    return np.where(stats.norm.cdf(u) < share, value, values)


def dates(u):
    return np.datetime64("2024-03-01") + np.round(4 * u).astype(int)


def stamps(u):
    return np.datetime64("2024-03-01T00", "h") + np.round(90 * u).astype(int)


def cities(u):
    """Three values that were seen once make an unseen value probable."""
    return np.append(np.array([*"abc"])[np.digitize(u[3:], [-0.5, 0.7])], [*"rst"])


LINE, LEARNED = 61, 0.25  # points of a line; spread of the parameters that `learn` returns
DAYS = np.datetime64("2024-03-01") + np.arange(-60, 61)
HOURS = np.datetime64("2024-01-01T00", "h") + np.arange(24 * 120)
UNSEEN = "nobody has seen it"
exp, logistic = line(np.exp, np.exp), line(expit, lambda z: expit(z) * expit(-z))
KINDS = {
    "continuous": Kind("continuous", lambda u: u, line()),
    "positive": Kind("positive", np.exp, exp),
    "bounded": Kind("bounded(0, 1)", expit, logistic),
    "count": Kind("integer(0)", lambda u: np.floor(np.exp(0.7 * u + 1)), grid(0, 60)),
    "grade": Kind("integer(0, 4)", lambda u: np.clip(np.round(2 + u), 0, 4), grid(0, 4)),
    "half": Kind("gridded(0.5)", lambda u: np.round(2 * u) / 2, grid(-24, 24, 0.5)),
    "city": Kind(None, cities, single(*"abcrst", UNSEEN)),
    "flag": Kind(None, lambda u: u > 0.4, single(False, True)),
    "day": Kind(None, dates, single(*DAYS)),
    "weekday": Kind("date(day, week)", lambda u: np.busday_offset(dates(3 * u), 0, "forward"),
                    single(*DAYS)),
    "stamp": Kind("date(hour, week)", stamps, single(*HOURS)),
    "hour": Kind(None, lambda u: np.array([f"{int(24 * p):02}:00" for p in stats.norm.cdf(u)]),
                 single(*(f"{h:02}:00" for h in range(24)))),
    "rain": Kind("positive atoms(0)", lambda u: often(np.exp(u), u, 0.0), either(single(0.0), exp)),
    "cap": Kind("continuous atoms(1)", lambda u: np.minimum(u, 1.0), either(single(1.0), line())),
    "ends": Kind("bounded(0, 1) atoms(0, 1)",
                 lambda u: np.clip(np.round(1.5 * expit(u) - 0.25, 9), 0, 1),
                 either(single(0.0, 1.0), logistic)),
    "visits": Kind("integer(0, 3) atoms(0)", lambda u: np.clip(np.round(1 + u), 0, 3), grid(0, 3)),
    **{f"integer{k}": Kind(kind, lambda u: np.clip(np.round(4 + 2 * u), 0, 9), single(*values))
       for k, (kind, values) in enumerate((
           ("integer atoms(2)", np.arange(-30, 40.0)), ("integer(0) atoms(4, 40)", np.arange(90.0)),
           ("integer(0, 9) atoms(3, 4, 99)", np.append(np.arange(10.0), 99)),
           ("gridded(0.5, -1) atoms(0.1, 1.5)", np.append(np.arange(-2, 90) / 2, 0.1))))},
    "hours": Kind("integer(0)", lambda u: heaped(20 + 9 * u), grid(0, 300)),
    "week": Kind("integer(0, 48)", lambda u: np.minimum(heaped(20 + 9 * u), 48), grid(0, 48)),
    "shifts": Kind("integer(0) atoms(0)", lambda u: often(heaped(20 + 9 * u), u, 0.0, 0.2),
                   grid(0, 300)),
    "gap": Kind("continuous", lambda u: often(u, u, np.nan), either(single(np.nan), line()), True),
    "gap-of-counts": Kind("integer(0)", lambda u: often(np.floor(np.exp(u)), u, np.nan),
                          either(single(np.nan), grid(0, 60)), True),
    "gap-of-cities": Kind(None, lambda u: np.where(u < -0.5, None, np.where(u < 1, "a", "b")),
                          single(None, "a", "b", UNSEEN), True),
}  # fmt: skip


def heaped(values):
    """Most of the values are multiples of five."""
    whole = np.maximum(np.round(values), 0)
    return np.where(np.arange(len(values)) % 4, 5 * np.round(whole / 5), whole)


TABLES = {name: (name,) for name in KINDS} | {
    "categories": ("city", "flag"),
    "numbers": ("continuous", "positive"),
    "number-and-category": ("positive", "flag"),
    "numbers-and-categories": ("continuous", "bounded", "city", "flag"),
    "two-grids": ("half", "grade"),
    "grid-and-category": ("count", "city", "continuous"),
    "dates-and-times": ("weekday", "hour"),
    "atoms-2": ("rain", "cap"),
    "atoms-3": ("rain", "visits", "city", "visits"),
    "atoms-4": ("visits",) * 4,
    "atoms-6": ("visits",) * 6,
    "atoms-and-grids": ("visits", "visits", "visits", "visits", "grade", "grade"),
    "gaps": ("gap", "gap-of-counts", "gap-of-cities"),
    "heaps": ("hours", "continuous"),
    "heaps-and-atoms": ("shifts", "visits"),
    "week-with-tails": ("week",),
    "ends-with-tails": ("week", "flag", "grade"),
}


def random_flow(x, context=None, sample_weight=None, rng=0, base="normal"):
    """What `learn` returns: no fit, a random MAF about the rows."""
    width = 0 if context is None else context.shape[1]
    flow = flows.maf(x.shape[1], layers=2, hidden=[8], context_dim=width, base=base,
                     standardize_context=False)  # fmt: skip
    return randomize(flow.initialize(x, context=context), LEARNED, rng=2)


def random_flow_with_tails(x, context=None, sample_weight=None, rng=0):
    """The same, over the base that `FlowDensity` learns."""
    return random_flow(x, context, base=fc.StudentT(x.shape[1], df=4.0))


def random_clamped_flow(x, context=None, sample_weight=None, rng=0):
    """The same of the numbers that a row has."""
    dim, width = x.shape[1], context.shape[1] + x.shape[1]
    flow = flows.maf(dim, layers=2, hidden=[8], context_dim=width, standardize=False,
                     standardize_context=False)  # fmt: skip
    scaled = fc.Chain([fc.Standardize.from_data(x), flow.bijector])
    base = fc.ClampedBase(flow.base, width)
    return randomize(fc.TransformedDistribution(base, fc.Clamped(scaled)), LEARNED, rng=2)


class Table(NamedTuple):
    density: Any
    rows: dict  # that it was fitted to
    cells: dict  # all rows that there can be
    axes: dict  # the weight of each value
    weight: np.ndarray  # their product
    p: np.ndarray  # of the cells, times their weight
    n_gridded: int


def frame(columns):
    """The columns of a table, name -> values."""
    return {f"{kind}-{i}": values for i, (kind, values) in enumerate(columns)}


@cache
def table(name, n=300) -> Table:
    rng, kinds = np.random.default_rng(4), TABLES[name]
    u = rng.normal(size=n)
    rows = frame((k, KINDS[k].values(0.8 * u + 0.6 * rng.normal(size=n))) for k in kinds)
    missing = "atom" if any(KINDS[k].missing for k in kinds) else "error"
    schema = Schema.from_data(rows, missing=missing)
    edits = {own: KINDS[k].kind for own, k in zip(rows, kinds, strict=True) if KINDS[k].kind}
    learn = random_clamped_flow if name in WITH_ATOMS else random_flow
    learn = random_flow_with_tails if name.endswith("with-tails") else learn
    density = fit_table(rows, schema.edit(edits), learn=learn, missing=missing)
    each = [KINDS[k].cells() for k in kinds]
    at = [a.ravel() for a in np.meshgrid(*(np.arange(len(w)) for _, w in each), indexing="ij")]
    cells = frame((k, values[i]) for k, (values, _), i in zip(kinds, each, at, strict=True))
    axes = frame((k, w[i]) for k, (_, w), i in zip(kinds, each, at, strict=True))
    weight = np.prod([*axes.values()], axis=0)
    p, n_gridded = weight * np.exp(density.log_prob(cells)), np.sum(density.coordinates_.step > 0)
    return Table(density, rows, cells, axes, weight, p, n_gridded)


LEVELS = [0.2, 0.5, 0.8]
LARGE = ["numbers-and-categories", "grid-and-category", "dates-and-times", "atoms-3", "atoms-6",
         "atoms-and-grids", "gaps", "heaps", "heaps-and-atoms"]  # fmt: skip
WITH_ATOMS = ["rain", "cap", "ends", "visits", "integer0", "integer1", "integer2", "integer3",
              "shifts", "gap", "gap-of-counts", "atoms-2", "atoms-4", "atoms-3", "atoms-6",
              "atoms-and-grids", "gaps", "heaps-and-atoms"]  # fmt: skip


@pytest.mark.parametrize("name", cases(TABLES, LARGE))
def test_the_cells_of_a_table_sum_to_one(name):
    """Of three gridded numbers or more, a random flow is too rough for 64 points of a cell."""
    t = table(name)
    agree(t.p.sum(), 1, tol=5e-3 if t.n_gridded < 3 else 0.04)


@pytest.mark.parametrize("name", cases(TABLES, LARGE))
def test_draws_of_a_table_follow_its_density(name):
    """Of the categories that were seen."""
    t = table(name)
    x, cells, patterns, keep = [], [], [], np.ones(len(t.p), bool)
    drawn = t.density.sample(N_DRAWS, rng=1)
    for column in t.density.schema_.columns:
        tables = [each[column.name] for each in (drawn, t.cells, t.rows)]
        now, there, fitted = (as_number(values, tables[1]) for values in tables)
        if column.kind.is_category:
            patterns.append(there)
            keep &= np.isin(there, fitted)
        else:
            now, there = (apart(values, column.kind.atoms) for values in (now, there))
            patterns.append(np.where(there < FAR, there, 0))
            if getattr(column.kind, "repeats", "") == "week":
                patterns.append(there % (7 * 86400))
        x.append(now)
        cells.append(there)
    which = np.unique(np.stack(patterns), axis=1, return_inverse=True)[1].ravel()
    every, kept = np.bincount(which, t.p), np.bincount(which, t.p * keep)
    p = keep * t.p * np.divide(every, kept, where=kept > 0, out=np.zeros(len(kept)))[which]
    follow(np.stack(x, axis=1), Points(np.stack(cells, axis=1), np.ones(len(p)), np.inf), p)


FAR = -1000.0  # where atoms and gaps are put, below all numbers


def apart(values, atoms):
    """Atoms, and NaN, below all other numbers."""
    for k, atom in enumerate([np.nan, *atoms]):
        is_atom = np.isnan(values) if k == 0 else values == atom
        values = np.where(is_atom, FAR - 1 - k, values)
    return values


def as_number(values, like):
    """Numbers as they are, dates in seconds, others by their place among all there can be."""
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return values.astype("datetime64[s]").astype(float)
    if values.dtype.kind in "fiub":
        return values.astype(float)
    return np.searchsorted(np.unique(np.asarray(like).astype(str)), values.astype(str)).astype(
        float
    )


def some(columns, index):
    return {name: np.asarray(values)[index] for name, values in columns.items()}


@pytest.mark.parametrize("name", cases(TABLES, LARGE))
def test_a_row_of_a_table_alone_is_the_row_in_company(name, monkeypatch):
    """Among rows that there can be, those with a category that was never seen as well."""
    t, rng = table(name), np.random.default_rng(0)
    rows, order = some(t.cells, rng.choice(len(t.p), 100)), rng.permutation(100)
    log_p = t.density.log_prob(rows)
    # the points of a cell are in float32, and some BLAS kernels round a row by its place
    bounds = (np.finfo(np.float32).eps, 1e-6) if t.n_gridded else (1e-9, 1e-9)

    def alike(columns, index):
        found = t.density.log_prob(columns)
        np.testing.assert_allclose(found, log_p[index], *bounds)

    for index in (order, [7], np.repeat([3, 4], 9), order[:40]):
        alike(some(rows, index), index)
    alike({name: rows[name] for name in reversed(rows)}, slice(None))
    monkeypatch.setattr("flowcore.tables.density.ROWS", 13)
    alike(rows, slice(None))


def of_given(density, rows, i, known):
    found = density.given({name: rows[name][i] for name in known}, n_draws=2000)
    return found.log_marginal, found.error


def with_gaps(rows, i, known):
    """Row i of a table with cells that are not known."""
    return {
        name: values[i : i + 1] if name in known else gap_like(values)
        for name, values in rows.items()
    }


def gap_like(values):
    """A missing cell of a column."""
    return np.array([np.nan]) if values.dtype.kind in "fiu" else np.array([None], object)


def of_imputed(density, rows, i, known):
    found = density.impute(with_gaps(rows, i, known), n=0, n_draws=2000)
    return found.log_p[0], found.error[0]


def of_missing(density, rows, i, known):
    """With 200 draws, and without an error: .1 nats are five of its own, as it is measured here."""
    return density.log_prob(with_gaps(rows, i, known), missing="marginal")[0], 0.1 / 4.5


TABLE_QUESTIONS = {"given": of_given, "impute": of_imputed, "missing": of_missing}
ASKED_LATER = ["numbers-and-categories", "grid-and-category", "dates-and-times", "atoms-2",
               "atoms-4", "gaps", "heaps"]  # fmt: skip
TABLES_ASKED = ["numbers", "categories", "number-and-category", "two-grids", *ASKED_LATER]


def summed(t, rows, i, known):
    """log of the sum of p over all cells that agree with what is known, of categories seen."""
    here = np.ones(len(t.p), bool)
    for column in t.density.schema_.columns:
        cells = t.cells[column.name]
        if column.name in known:
            value = rows[column.name][i]
            here &= (cells == value) | ((cells != cells) & (value != value))
        elif column.kind.is_category:
            here &= np.isin(cells.astype(str), t.rows[column.name].astype(str))
    per_unit = np.prod([t.axes[name][here][0] for name in known])
    return np.log(t.p[here].sum() / per_unit)


@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("asked", cases(
    [f"{question} {name}" for question in TABLE_QUESTIONS for name in TABLES_ASKED],
    [f"{question} {name}" for question in TABLE_QUESTIONS for name in ASKED_LATER],
))  # fmt: skip
def test_the_marginal_of_a_table_is_the_sum_over_its_cells(asked):
    """Of cells that there can be, drawn by their probability; one column known, and all but one."""
    question, name = asked.split()
    t = table(name)
    drawn = np.random.default_rng(3).choice(len(t.p), 2, p=t.p / t.p.sum())
    rows, names = some(t.cells, drawn), [*t.cells]
    for i, known in itertools.product(
        range(2), [[n] for n in names] + [names[:-1]] * (len(names) > 2)
    ):
        if question != "given" and "gap" in name:
            continue  # there, a missing cell is a value for `given` alone
        log_p, error = TABLE_QUESTIONS[question](t.density, rows, i, known)
        agree(log_p, summed(t, rows, i, known), error, tol=0.03)


@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
@pytest.mark.parametrize("name", cases(TABLES_ASKED, ASKED_LATER))
def test_the_conditional_of_a_table_is_a_density_that_its_draws_follow(name):
    t = table(name)
    (i,) = np.random.default_rng(3).choice(len(t.p), 1, p=t.p / t.p.sum())
    for first in t.cells:
        value = t.cells[first][i]
        given = t.density.given({first: value}, n_draws=2000)
        here = (t.cells[first] == value) | ((t.cells[first] != t.cells[first]) & (value != value))
        rest = {name: values[here] for name, values in t.cells.items() if name != first}
        p = np.exp(given.log_prob(rest)) * t.weight[here] / t.axes[first][here]
        known = np.ones(len(p), bool)
        for column in t.density.schema_.columns:
            if column.name != first and column.kind.is_category:
                known &= np.isin(rest[column.name].astype(str), t.rows[column.name].astype(str))
        agree(p[known].sum(), 1, given.error, tol=0.03)
        for name, quantiles in given.quantiles(LEVELS).items():
            values = as_number(rest[name], rest[name])
            there = known & ~np.isnan(values)
            share, gap = p[there] / p[there].sum(), np.diff(np.unique(values[there])).min() / 2
            for level, quantile in zip(LEVELS, quantiles, strict=True):
                below, above = (share[values[there] < quantile + s * gap].sum() for s in (-1, 1))
                miss = max(below - level, level - above)
                agree(max(miss, 0), 0, 0.5 / np.sqrt(given.ess), tol=0.03)
        for name, shares in given.shares().items():
            for one, share in shares.items():
                expected = p[known & (rest[name].astype(str) == str(one))].sum() / p[known].sum()
                agree(share, expected, 1 / np.sqrt(given.ess), tol=0.02)


def known_cell(seed):
    t = table("numbers")
    (first, second), i = t.cells, int(np.argmax(t.p))
    row = {first: t.cells[first][i : i + 1], second: np.array([np.nan])}
    found = t.density.impute(row, n=0, n_draws=200, rng=seed)
    return found.log_p[0], found.error[0], summed(t, t.cells, i, [first])


@pytest.mark.slow
@pytest.mark.usefixtures("few_folds_here")
@pytest.mark.filterwarnings("ignore:.*not to be trusted")
def test_bars_of_a_known_cell_cover():
    bars_cover(known_cell)
