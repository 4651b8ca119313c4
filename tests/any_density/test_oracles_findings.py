"""Oracle of `diagnose`: rows that are drawn from the density itself are found right, others not.

Every p-value of every finding, of many reports or of its test alone:

    never too small   P(p < a) <= a, at a = .01, .05 and .5, but for chance: a binomial law
    uniform           of continuous numbers, whose p-values are (nearly) exact
    of some use       P(p < .5) is not 0, so that nothing is said by silence
    alarms            in one report of twenty something is significant, or a fault

A density is one more line in TRUTHS, a test in TESTS, an error in WRONG.
"""

from collections import defaultdict
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from support.flows import Opaque

import flowcore as fc
from flowcore import diagnose, flows
from flowcore.diagnosis import hidden, shares, tests
from flowcore.diagnosis.density import Draws, GivenRows
from flowcore.diagnosis.findings import Finding, adjusted
from flowcore.distributions import Mixture
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

RNG = np.random.default_rng
CHANCE = 1e-4  # of one false alarm of this file, of which each case asks some 50 questions
LEVELS = 0.01, 0.05, 0.5
UNIFORM = "columns", "classifier", "pit", "latents", "correlation", "level", "hidden"


# ---------------------------------------------------------------------------- the laws


def problems_of(p, is_uniform):
    """What speaks against p-values (n,) of the truth, in words."""
    found, p = [], np.array(p)
    for level in LEVELS:
        count = np.sum(p < level)
        if stats.binom.sf(count - 1, len(p), level) < CHANCE:
            found.append(f"p < {level} in {count} of {len(p)}")
    if is_uniform and stats.kstest(p, "uniform").pvalue < CHANCE:
        found.append(f"not uniform, but {np.sort(p).round(2)}")
    return found


def check(found, is_continuous):
    """The laws of the p-values of some reports."""
    every, alarms = defaultdict(list), 0
    for report in found:
        alarms += not report.trusted or any(one.adjusted < 0.05 for one in report.findings)
        places = defaultdict(int)
        for one in report.findings:
            if not np.isnan(one.p):
                assert 0 <= one.p <= one.adjusted <= 1
                every[one.kind, places[one.kind]].append(one.p)
                places[one.kind] += 1
    problems = [
        f"{kind} {place}: {problem}"
        for (kind, place), p in every.items()
        for problem in problems_of(p, is_continuous and kind in UNIFORM)
    ]
    if stats.binom.sf(alarms - 1, len(found), 0.05) < CHANCE:
        problems.append(f"{alarms} of {len(found)} reports find something")
    assert not problems, "\n".join(problems)
    return every


# ---------------------------------------------------------------------------- each test alone


def a_classifier(rng):
    x, drawn = rng.normal(size=(2, 60, 1))
    return tests.classifier(GivenRows(x, None), Draws(np.arange(60), drawn, 60, 0), ["a"], rng)


def a_share(rng):
    codes = rng.choice(5, p=[0.5, 0.3, 0.1, 0.07, 0.03], size=240)
    return [shares._compared({"a": (np.array(["", *"bcde"]), codes)}, ["a"], 40)]


def a_rule(rng):
    column = SimpleNamespace(name="a", rule=SimpleNamespace(u=0.1, source="b"))
    broken = SimpleNamespace(column=column, breaks=lambda frame: rng.random(60) < 0.1)
    return [shares._rule(broken, range(60))]


def own_draws(rng, digits=9):
    """In each column every row has draws of its own; of few digits nearly all are equal."""
    x, drawn = rng.normal(size=(60, 1)).round(digits), rng.normal(size=(60, 19, 1)).round(digits)
    return tests.columns(x, drawn, ["a"], rng)


def hidden_cells(rng):
    """Of three columns, two of which have too few for a test of their own."""
    rows = {"a": np.arange(90) > 9, "b": np.arange(90) < 15, "c": np.arange(90) > 79}
    cells = [
        (name, own, rng.normal(size=own.sum()), rng.normal(size=(19, own.sum())), True)
        for name, own in rows.items()
    ]
    return hidden._findings(cells, np.ones(90, bool), rng)


def the_least_adjusted(rng):
    """Of independent tests, three of which weigh as one."""
    kinds = "level", "tails", "pit", "columns", "columns", "columns", "correlation"
    found = adjusted([Finding(kind, kind, p=rng.random()) for kind in kinds], 0.05)
    return [Finding("least", "least", p=min(one.adjusted for one in found))]


def log_ps(test):
    return lambda rng: [test(rng.normal(size=900), rng.normal(size=2000))]


# how one finding or more are made, and of how many the laws hold
TESTS = {
    "range": (lambda rng: [shares._range("a", rng.random(20), rng.random(200), True)], 400),
    "share": (a_share, 300),
    "rule": (a_rule, 400),
    "together": (lambda rng: [shares._together(rng.normal(size=(600, 3)), 200, 0.8)], 300),
    "tails": (log_ps(lambda x, drawn: tests.tails(x, drawn, np.arange(900))), 300),
    "level": (log_ps(lambda x, drawn: tests.level(x, drawn, None)), 200),
    "columns": (own_draws, 200),
    "columns, rounded": (partial(own_draws, digits=0), 200),
    "correlation": (lambda rng: tests.correlation(rng.random((40, 3))), 400),
    "hidden": (hidden_cells, 100),
    "classifier": (a_classifier, 16),
    "least": (the_least_adjusted, 400),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_of_the_truth(name):
    test, n = TESTS[name]
    rng, every = RNG(7), defaultdict(list)
    for found in (test(rng) for _ in range(n)):
        for place, one in enumerate(found):
            every[one.kind, place].append(one.p)
    for (kind, place), p in every.items():
        if kind != "answers":
            problems = problems_of(p, kind in UNIFORM)
            assert not problems and np.mean(np.array(p) < 0.5) > 0.2, (kind, place, problems)


# ---------------------------------------------------------------------------- whole reports


def flow(dim=2, context_dim=0, base="normal", rng=0):
    recipe = flows.maf(dim, layers=2, hidden=[8], context_dim=context_dim, base=base, rng=rng)
    return randomize(recipe, 0.7, rng=rng)


def angles():
    """One, and a number."""
    return randomize(flows.nsf(2, layers=2, hidden=[8], circular=[0], rng=0), 1.0, rng=0)


def gaussians(dim=2):
    """Three, of unequal weights, each of them correlated in another way."""
    rng = RNG(0)
    factors = np.tril(rng.normal(size=(3, dim, dim)), -1) + np.eye(dim)
    return fc.MultivariateNormalMixture(2 * rng.normal(size=(3, dim)), factors, [0.1, 0.6, 0.3])


def mixture():
    """Of two flows, of unequal weights, whose latent spaces are unlike."""
    return Mixture([flow(), flow(base=fc.GaussianMixture([[-2, 0], [1, 1]], 0.4, [4, 1]), rng=1)],
                   [0.8, 0.2])  # fmt: skip


def estimated():
    learned = fc.FlowDensity("small", budget=1e-2, n_jobs=1, random_state=0)
    return learned.fit(gaussians().sample(300, rng=0))


def wide_cells():
    """In which the density is far from even."""
    columns = Column("a", Kind.parse("gridded(2)")), Column("b", Kind("continuous"))
    return TableDensity.of(Schema(columns), flow())


def any_number(x, context=None, sample_weight=None, rng=0):
    """What `learn` returns: no fit, but a random flow, given the categories."""
    width = 0 if context is None else context.shape[1]
    recipe = flows.maf(x.shape[1], layers=2, hidden=[8], context_dim=width)
    return randomize(recipe.initialize(x, context=context), 0.25, rng=2)


def of_present(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 2)


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


TRUTHS = {  # how to make it, and how many reports are made in a short test
    "flow": (flow, 0),
    "heavy tails": (partial(flow, base="student_t"), 0),
    "angles": (angles, 0),
    "gaussians": (gaussians, 20),
    "mixture": (mixture, 20),
    "an estimator": (estimated, 0),
    "given a context": (partial(flow, context_dim=1), 0),
    "one column given a context": (partial(flow, 1, 1), 20),
    "no flow": (lambda: Opaque(fc.targets.two_moons()), 0),
    "three columns": (partial(flow, 3), 0),
    "numbers": (partial(table, "number", "amount", "day"), 0),
    "categories": (partial(table, "city", "flag", "hole"), 20),
    "wide cells": (wide_cells, 20),
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


@pytest.mark.parametrize("name", [name for name, (_, n) in TRUTHS.items() if n])
def test_the_truth_is_found_right(name):
    """With few rows: no classifier."""
    make, n_reports = TRUTHS[name]
    check([*reports(make(), 39, n_reports)], name != "categories")


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_found_right_with_many_rows(name):
    """All tests; in every other density also baselines of training rows, and overfitting."""
    trains = [*TRUTHS].index(name) % 2 == 1
    p = check([*reports(TRUTHS[name][0](), 150, 100, trains)], name != "categories")
    small = {kind for (kind, _), own in p.items() if min(own) < 0.1}
    # a baseline is worse than the truth; the shares of a table may have few values
    assert {kind for kind, _ in p} - small <= {"baselines", "tails"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussians", "angles", "categories", "grids", "zeros"])
def test_hidden_cells_of_the_truth_are_found_right(name):
    check([*reports(TRUTHS[name][0](), 150, 60, hide=0.3)], name != "categories")


# ---------------------------------------------------------------------------- what is wrong


def shift(x, rng):
    return x + 0.4 * np.subtract(*np.quantile(x, (0.75, 0.25), axis=0))


def widen(x, rng):
    return np.median(x, axis=0) + 1.6 * (x - np.median(x, axis=0))


def drop_a_mode(x, rng):
    return x[x[:, 0] > np.median(x[:, 0])]


def add_a_mode(x, rng):
    return np.vstack([x[60:], x[:60] + 3 * x.std(axis=0)])


def part(x, rng):
    """Each column is right, by itself."""
    return np.c_[rng.permutation(x[:, 0]), x[:, 1:]]


def of(name, change):
    """The rows with another column of this name."""
    return lambda rows, rng: {key: rows[key] for key in rows} | {name: change(rows[name], rng)}


WRONG = {  # of which density, what is done to its rows
    "angles": [shift, widen, drop_a_mode, add_a_mode, part],
    "mixture": [shift, widen, drop_a_mode, add_a_mode, part],
    "no flow": [shift, widen, drop_a_mode, add_a_mode, part],
    "given a context": [shift, widen, part],
    "grids": [of("number", shift), of("half", lambda x, rng: 2 * x),
              of("city", lambda x, rng: np.where(x == "c", "b", x))],
    "zeros": [of("rain", lambda x, rng: np.where(rng.random(200) < 0.3, 0, x)),
              of("amount", lambda x, rng: x * x)],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name):
    truth, rng = TRUTHS[name][0](), RNG(3)
    given = {"context": rng.normal(size=(200, 1))} if name == "given a context" else {}
    for change in WRONG[name]:
        x = truth.sample(() if given else 200, rng, **given)
        report = diagnose(truth, change(x, rng), draws=1000, **given)
        assert not report.trusted, change
