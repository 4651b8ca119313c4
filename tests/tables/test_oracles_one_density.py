"""One table model is one density: its answers are held to each other, for columns of every kind.

    P(ranges)   the share of draws in them, and what `given` returns; beyond the table's rows, too
    given       its draws are the draws of `sample` that agree with what is known
    quantiles   those of `given` are the quantiles of these draws
    impute      cells are draws of `given` the rest of their row

A kind of table is one more line in TABLES.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from support.oracles import agree, cases
from test_oracles_tables import KINDS, WITH_ATOMS

import flowcore as fc
from flowcore import flows
from flowcore.tables import Schema, fit_table
from flowcore.testing import randomize

TABLES = {
    "rain": ("rain", "rain", "rain"),
    "amounts": ("positive", "positive", "continuous"),
    "soft-amounts": ("amount", "amount"),
    "numbers": ("continuous", "continuous"),
    "intervals": ("bounded", "positive"),
    "counts": ("count", "count"),
    "grids": ("half", "grade", "continuous"),
    "heaps": ("hours", "continuous"),
    "ends": ("week", "ends"),
    "times": ("hour", "day", "continuous"),
    "weekdays": ("weekday", "positive"),
    "categories": ("city", "flag"),
    "mixed": ("rain", "count", "city", "bounded"),
    "gaps": ("gap", "gap-of-counts", "positive"),
}
OWN = {"amount": ("continuous", lambda u: np.exp(1.5 * u) + 0.01)}
SLOW = ["heaps", "ends", "weekdays", "gaps", "intervals", "times"]
N, N_GIVEN, N_IMPUTED = 20_000, 4_000, 600


def heavy_flow(x, context=None, sample_weight=None, rng=0, present=None):
    """What `learn` returns: a random MAF about the rows, with tails far beyond them."""
    columns = [one for one in (context, present) if one is not None]
    width = sum(one.shape[1] for one in columns)
    base = fc.StudentT(x.shape[1], df=3.0)
    flow = flows.maf(x.shape[1], layers=2, hidden=[8], context_dim=width, base=base,
                     standardize=False, standardize_context=False)  # fmt: skip
    scaled = fc.Chain([fc.Standardize.from_data(x), flow.bijector])
    if present is not None:
        base, scaled = fc.ClampedBase(base, width), fc.Clamped(scaled)
    return randomize(fc.TransformedDistribution(base, scaled), 0.25, rng=2)


def without_atoms(x, context=None, sample_weight=None, rng=0):
    return heavy_flow(x, context)


@cache
def model(name, n=300):
    """(the density, its table, its draws)."""
    rng, kinds = np.random.default_rng(4), TABLES[name]
    u, rows, edits = rng.normal(size=n), {}, {}
    for i, kind in enumerate(kinds):
        form, values = OWN[kind] if kind in OWN else KINDS[kind][:2]
        own = f"{kind}-{i}"
        rows[own] = values(0.8 * u + 0.6 * rng.normal(size=n))
        edits |= {own: form} if form else {}
    missing = "atom" if name == "gaps" else "error"
    schema = Schema.from_data(rows, missing=missing).edit(edits)
    learn = heavy_flow if set(kinds) & {*WITH_ATOMS} else without_atoms
    density = fit_table(pd.DataFrame(rows), schema, learn=learn, missing=missing)
    return density, pd.DataFrame(rows), density.sample(N, rng=1)


def numbers(density):
    return [c.name for c in density.schema_.columns if c.kind.is_number and not c.kind.is_date]


def inside(draws, known):
    """Which draws agree with known values and ranges."""
    kept = np.ones(len(draws), bool)
    for name, value in known.items():
        own = draws[name]
        low, high = value if isinstance(value, tuple) else (value, value)
        kept &= ((own >= low) & (own <= high)).to_numpy(bool)
    return kept


def upper(draws, name, level):
    return float(np.nanquantile(draws[name], level, method="lower"))


def questions(name):
    """Ranges of one number, of all, beyond the table's rows, and categories."""
    density, rows, draws = model(name)
    some = numbers(density)
    supports = {c.name: c.kind.support for c in density.schema_.columns if c.kind.is_number}
    for one in some:
        yield {one: (upper(draws, one, 0.7), np.inf)}
        yield {one: (upper(draws, one, 0.3), upper(draws, one, 0.8))}
        if supports[one][1] == np.inf:
            yield {one: (float(rows[one].max()) + 1, np.inf)}
    if len(some) > 1:
        yield {one: (upper(draws, one, 0.5), np.inf) for one in some}
    for column in density.schema_.categories:
        yield {column.name: draws[column.name].mode()[0]}


pytestmark = [
    pytest.mark.usefixtures("few_folds"),
    pytest.mark.filterwarnings("ignore:.*not to be trusted"),
]


def agree_in_distribution(one, other, share=None, slack=0.015):
    """Two samples of a column, numbers or categories, by the largest distance of their shares."""
    share = np.full(len(other), 1 / len(other)) if share is None else share / share.sum()
    ess = 1 / np.square(share).sum()
    every = pd.concat([one, other]).astype(str) if one.dtype == object else pd.concat([one, other])
    at = pd.factorize(every, sort=True, use_na_sentinel=False)[0]
    k = at.max() + 1
    first = np.bincount(at[: len(one)], minlength=k) / len(one)
    second = np.bincount(at[len(one) :], share, minlength=k)
    gap = np.abs(np.cumsum(first - second)).max()
    allowed = 2.0 * np.sqrt(1 / len(one) + 1 / ess) + slack
    assert gap < allowed, f"{one.name}: the samples differ by {gap}, allowed {allowed}"


@pytest.mark.parametrize("name", cases(TABLES, SLOW))
def test_the_probability_of_ranges_is_the_share_of_draws_in_them(name):
    density, _, draws = model(name)
    for known in questions(name):
        given = density.given(known, n_draws=N_GIVEN)
        if given.ess < 100:
            continue
        share, p = inside(draws, known).mean(), np.exp(given.log_marginal)
        error = np.hypot(np.sqrt(p * (1 - p) / N), p * given.error)
        agree(share, p, error, tol=1e-4 + 0.02 * p)


@pytest.mark.parametrize("name", cases(TABLES, SLOW))
def test_draws_given_something_are_the_draws_that_agree_with_it(name):
    """And the quantiles are theirs."""
    density, _, draws = model(name)
    for known in questions(name):
        given, kept = density.given(known, n_draws=N_GIVEN), inside(draws, known)
        if kept.sum() < 500 or given.ess < 500:
            continue
        found = given.sample(2000, rng=3)
        for column in given.columns:
            agree_in_distribution(draws[column][kept], found[column])
        for column, quantiles in given.quantiles([0.1, 0.5, 0.9, 0.99]).items():
            own = draws[column][kept].dropna()
            n = np.sqrt(1 / len(own) + 1 / given.ess)
            for level, at in zip([0.1, 0.5, 0.9, 0.99], quantiles, strict=True):
                low, high = (own < at).mean(), (own <= at).mean()
                miss = max(low - level, level - high, 0)
                agree(miss, 0, 0.5 * n, tol=0.01)


@pytest.mark.parametrize("name", cases([k for k in TABLES if k != "gaps"], SLOW))
def test_imputed_cells_are_draws_given_the_rest(name):
    """Of many rows that know the same single cell."""
    density, rows, _ = model(name)
    for known in rows.columns:
        row = rows.iloc[[150]]
        value = row[known].iloc[0]
        given = density.given({known: value}, n_draws=N_GIVEN)
        if given.ess < 500:
            continue
        holes = row.reindex(columns=[known]).reindex(columns=row.columns)
        dates = row.select_dtypes("datetime").columns
        holes = holes.astype({column: row[column].dtype for column in dates})
        found = density.impute(holes, n=N_IMPUTED, n_draws=2000, rng=5).tables
        found = pd.concat(found, ignore_index=True)
        drawn = given.sample(4000, rng=3)
        for column in rows.columns.drop(known):
            other = drawn[column].astype(found[column].dtype)
            agree_in_distribution(other, found[column])


@pytest.mark.parametrize("name", cases(["rain", "amounts", "counts", "mixed"]))
def test_a_histogram_of_draws_follows_the_density_beyond_the_rows(name):
    """Of the first number: the share of draws beyond the table is the integral of its marginal."""
    density, rows, draws = model(name)
    one = numbers(density)[0]
    top = float(rows[one].max())
    ends = [top, *np.quantile(draws[one][draws[one] > top], [0.5, 0.9])]
    for low, high in zip(ends, [*ends[1:], np.inf], strict=True):
        given = density.given({one: (low, high)}, n_draws=N_GIVEN)
        p = np.exp(given.log_marginal)
        error = np.hypot(np.sqrt(p * (1 - p) / N), p * given.error)
        agree(inside(draws, {one: (low, high)}).mean(), p, error, tol=1e-4 + 0.02 * p)
