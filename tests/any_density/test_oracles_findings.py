"""Oracle of `diagnose`: rows that are drawn from the density itself are found right.

Every p-value of every finding, over many such reports, one test for all densities:

    never too small   P(p < a) <= a, at a = .01, .05 and .5, but for chance: a binomial law
    uniform           of continuous numbers, whose p-values are (nearly) exact
    alarms            of few reports does something speak against the density

A density is one more line in TRUTHS. What is wrong is found, too: see test_diagnose.py.
"""

from collections import defaultdict
from functools import partial

import numpy as np
import pytest
from scipy import stats
from support.flows import Opaque

import flowcore as fc
from flowcore import diagnose, flows
from flowcore.distributions import Mixture
from flowcore.tables import Schema, fit_table
from flowcore.testing import randomize

RNG = np.random.default_rng
CHANCE = 1e-4  # of one false alarm of this file, of which each case asks some 50 questions
LEVELS = 0.01, 0.05, 0.5
UNIFORM = "columns", "classifier", "pit", "latents", "correlation", "level", "hidden", "coverage"


def flow(dim=2, context_dim=0, base="normal", rng=0):
    recipe = flows.maf(dim, layers=2, hidden=[8], context_dim=context_dim, base=base, rng=rng)
    return randomize(recipe, 0.7, rng=rng)


def gaussians(dim=2):
    """Three, of unequal weights, each of them correlated in another way."""
    rng = RNG(0)
    factors = np.tril(rng.normal(size=(3, dim, dim)), -1) + np.eye(dim)
    return fc.MultivariateNormalMixture(2 * rng.normal(size=(3, dim)), factors, [0.1, 0.6, 0.3])


def mixture():
    """Of two flows, of unequal weights, whose latent spaces are unlike."""
    return Mixture([flow(), flow(base=fc.GaussianMixture([[-2, 0], [1, 1]], 0.4, [4, 1]), rng=1)],
                   [0.8, 0.2])  # fmt: skip


def any_number(x, context=None, sample_weight=None, rng=0):
    """What `learn` returns: no fit, but a random flow, given the categories."""
    width = 0 if context is None else context.shape[1]
    recipe = flows.maf(x.shape[1], layers=2, hidden=[8], context_dim=width)
    return randomize(recipe.initialize(x, context=context), 0.25, rng=2)


def table(*names, learn=any_number):
    """Of columns that depend on each other."""
    u = RNG(0).normal(size=(4, 400)) + RNG(1).normal(size=400)
    low, day = u[3] < -1, np.datetime64("2024-03-01")
    columns = {
        "number": (u[0], "continuous"),
        "amount": (np.exp(u[1]), "positive"),
        "rain": (np.where(u[1] < 0, 0, np.exp(u[2])), "positive atoms(0)"),
        "gap": (np.where(u[2] < -1, np.nan, u[1]), "continuous"),
        "count": (np.floor(np.exp(u[0] / 2 + 1)), "integer(0)"),
        "half": (np.round(2 * u[3]) / 2, "gridded(0.5)"),
        "day": (day + np.round(90 * u[2]).astype(int), "date(day)"),
        "city": (np.where(low, "a", np.where(u[3] < 0.5, "b", "c")), "categorical"),
        "flag": (u[2] > 0.4, "boolean"),
        "hole": (np.where(low, None, np.where(u[0] < 0, "a", "b")), "categorical"),
    }
    missing = "atom" if {"gap", "hole"} & {*names} else "error"
    schema = Schema.from_data({name: columns[name][0] for name in names}, missing)
    schema = schema.edit({name: columns[name][1] for name in names})
    return fit_table({name: columns[name][0] for name in names}, schema, learn=learn,
                     missing=missing)  # fmt: skip


def of_present(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 2)


TRUTHS = {  # how to make it, and how many reports are made in a short test
    "flow": (flow, 0),
    "gaussians": (gaussians, 20),
    "mixture": (mixture, 20),
    "given a context": (partial(flow, context_dim=1), 0),
    "one column given a context": (partial(flow, 1, 1), 20),
    "no flow": (lambda: Opaque(fc.targets.two_moons()), 0),
    "three columns": (partial(flow, 3), 0),
    "numbers": (partial(table, "number", "amount", "day"), 0),
    "categories": (partial(table, "city", "flag", "hole"), 15),
    "grids": (partial(table, "number", "count", "half", "city"), 0),
    "zeros": (partial(table, "amount", "rain", "flag", learn=of_present), 8),
    "every kind": (partial(table, "number", "rain", "gap", "count", "half", "day", "city", "hole",
                           learn=of_present), 0),
}  # fmt: skip


def reports(truth, n_rows, n_reports, trains=False, **options):
    for seed in range(n_reports):
        rng, given, train = RNG(1000 + seed), {}, None
        if getattr(truth, "context_dim", 0):
            contexts = rng.normal(size=(2, n_rows, 1))
            rows, train = (truth.sample((), rng, context=own) for own in contexts)
            given = {"context": contexts[0], "context_train": contexts[1] if trains else None}
        else:
            rows, train = truth.sample(n_rows, rng), truth.sample(n_rows, rng)
        yield diagnose(truth, rows, train if trains else None, draws=1000, rng=seed, **given,
                       **options)  # fmt: skip


def check(found, is_continuous):
    """The laws of the p-values of some reports."""
    every, alarms = defaultdict(list), sum(not report.trusted for report in found)
    for report in found:
        places = defaultdict(int)
        for one in report.findings:
            if not np.isnan(one.p):
                assert 0 <= one.p <= one.adjusted <= 1
                every[one.kind, places[one.kind]].append(one.p)
                places[one.kind] += 1
    problems = []
    for (kind, place), p in every.items():
        for level in LEVELS:
            count = np.sum(np.array(p) < level)
            if stats.binom.sf(count - 1, len(p), level) < CHANCE:
                problems.append(f"{kind} {place}: p < {level} in {count} of {len(p)} reports")
        if is_continuous and kind in UNIFORM and stats.kstest(p, "uniform").pvalue < CHANCE:
            problems.append(f"{kind} {place}: not uniform, but {np.sort(p).round(2)}")
    if stats.binom.sf(alarms - 1, len(found), 0.05) < CHANCE:
        problems.append(f"{alarms} of {len(found)} reports have a fault")
    assert not problems, "\n".join(problems)
    return every


@pytest.mark.parametrize("name", [name for name, (_, n) in TRUTHS.items() if n])
def test_the_truth_is_found_right(name):
    """With few rows: no classifier."""
    make, n_reports = TRUTHS[name]
    check([*reports(make(), 39, n_reports)], name != "categories")


@pytest.mark.slow
@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_found_right_with_many_rows(name, trains):
    """All tests, with the classifier, the baselines of training rows, and overfitting."""
    found = [*reports(TRUTHS[name][0](), 150, 150, trains)]
    p = check(found, name != "categories")
    small = {kind for (kind, _), own in p.items() if min(own) < 0.1}
    # a baseline is worse than the truth; the shares of a table may have few values
    assert {kind for kind, _ in p} - small <= {"baselines", "tails"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussians", "categories", "grids", "zeros"])
def test_hidden_cells_of_the_truth_are_found_right(name):
    check([*reports(TRUTHS[name][0](), 150, 60, hide=0.3)], name != "categories")
