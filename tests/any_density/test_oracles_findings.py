"""Oracle of `diagnose`: rows that are drawn from the density itself are found right, others not.

Every p-value of every finding, of many reports or of one test alone:

    never too small   P(p < a) <= a, at a = .01, .05 and .5, but for chance: a binomial law
    uniform           of continuous numbers, whose p-values are (nearly) exact
    of some use       p is not always near 1
    alarms            in one report of twenty something is significant, or a fault

A density is one more line in TRUTHS, a test in TESTS, an error in WRONG.
"""

from collections import defaultdict
from functools import cache, partial
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from support.flows import Opaque

import flowcore as fc
from flowcore import diagnose, flows
from flowcore.diagnosis import hidden, shares, tests
from flowcore.diagnosis.density import Draws, GivenRows
from flowcore.diagnosis.findings import KINDS, Finding, adjusted
from flowcore.distributions import Mixture
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

RNG = np.random.default_rng
CHANCE = 1e-4  # of one false alarm of this file, of which each case asks some 50 questions
LEVELS = 0.01, 0.05, 0.5
UNIFORM = "columns", "classifier", "pit", "latents", "correlation", "hidden"


def check(found):
    """The laws of the p-values of some lists of findings; returns these: (kind, place) -> (n,)."""
    every = defaultdict(list)
    for kind, findings in product(KINDS, found):
        own = (one for one in findings if one.kind == kind and one.p >= 0)
        for place, one in enumerate(own):
            assert one.p * (1 - 1e-9) <= one.adjusted <= 1
            every[kind, place].append(one.p)
    laws = [(key, np.mean(np.less(p, a)), a, len(p)) for key, p in every.items() for a in LEVELS]
    alarms = [any(one.fault or one.adjusted < 0.05 for one in findings) for findings in found]
    laws.append(("alarms", np.mean(alarms), 0.05, len(found)))
    wrong = [law for law in laws if stats.binom.sf(law[1] * law[3] - 0.5, law[3], law[2]) < CHANCE]
    for key, p in every.items():
        if key[0] in UNIFORM and stats.kstest(p, "uniform").pvalue < CHANCE:
            wrong.append((key, np.sort(p).round(2)))
    assert not wrong
    return every


# ---------------------------------------------------------------------------- each test alone


def a_classifier(rng):
    x, drawn = rng.normal(size=(2, 60, 1))
    return tests.classifier(GivenRows(x, None), Draws(np.arange(60), drawn, 60, 0), ["a"], rng)


def a_share(rng):
    codes = rng.choice(5, p=[0.5, 0.3, 0.1, 0.07, 0.03], size=240)
    return [shares._compared({"a": (np.array(["", *"bcde"]), codes)}, ["a"], 40)]


def pairs(rng):
    return shares.shares(categories(), categories().sample(100, rng), None, 100, rng)


def together(rng):
    return [shares._together(rng.normal(size=(120, 1)) + 0.3 * rng.normal(size=(120, 3)), 40, 0.85)]


def a_rule(rng):
    column = SimpleNamespace(name="a", rule=SimpleNamespace(u=0.02, source="b"))
    broken = SimpleNamespace(column=column, breaks=lambda frame: rng.random(60) < 0.02)
    return [shares._rule(broken, range(60))]


def own_draws(rng, digits=9):
    """Every row has draws of its own; of few digits nearly all are equal."""
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


TESTS = {  # findings, and of how many of them the laws hold
    "range": (lambda rng: [shares._range("a", rng.random(20), rng.random(200), True)], 400),
    "share": (a_share, 200),
    "rule": (a_rule, 400),
    "pairs": (pairs, 30),
    "together": (together, 200),
    "tails": (lambda rng: [tests.tails(rng.random(900), rng.random(2000), np.arange(900))], 900),
    "level": (lambda rng: [tests.level(rng.random(900), rng.random(2000), rng)], 100),
    "columns": (own_draws, 100),
    "columns, rounded": (partial(own_draws, digits=0), 100),
    "correlation": (lambda rng: tests.correlation(rng.random((40, 3))), 400),
    "hidden": (hidden_cells, 60),
    "classifier": (a_classifier, 16),
    "holm": (lambda rng: [Finding(kind, "", 1.0, p=rng.random()) for kind in [*KINDS] * 2], 400),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_of_the_truth(name):
    test, n = TESTS[name]
    rng = RNG(7)
    every = check([adjusted(test(rng), 0.05) for _ in range(n)])
    assert all(np.mean(np.less(p, 0.5)) > 0.2 for p in every.values())


# ---------------------------------------------------------------------------- whole reports


def flow(dim=2, context_dim=0, base="normal", rng=0):
    recipe = flows.maf(dim, layers=2, hidden=[8], context_dim=context_dim, base=base, rng=rng)
    return randomize(recipe, 0.7, rng=rng)


GAUSSIANS = fc.MultivariateNormalMixture(  # each of them correlated in another way
    [[0, -1], [3, 0], [1, 2]],
    [[[0.3, 0], [1, 0.7]], [[2, 0], [-1, 0.3]], [[0.7, 0], [0.2, 1]]],
    [1, 6, 3],
)


def any_number(x, context=None, sample_weight=None, rng=0):
    """What `learn` returns: no fit, but a random flow, given the categories."""
    recipe = flow(x.shape[1], 0 if context is None else context.shape[1])
    return randomize(recipe.initialize(x, context=context), 0.25, rng=2)


def of_present(x, **_):
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
        "warm": (u[0] > 0, "boolean"),
        "wet": (u[1] > 0.2, "boolean"),
        "hole": (np.where(low, None, np.where(u[0] < 0, "a", "b")), "categorical"),
    }
    missing = "atom" if {"gap", "hole"} & {*names} else "error"
    schema = Schema.from_data({name: columns[name][0] for name in names}, missing)
    schema = schema.edit({name: columns[name][1] for name in names})
    return fit_table({name: columns[name][0] for name in names}, schema, learn=learn,
                     missing=missing)  # fmt: skip


categories = cache(partial(table, "city", "flag", "hole", "warm", "wet"))


TRUTHS = {  # how to make it, and how many reports are made in a short test
    "flow": (flow, 0),
    "heavy tails": (partial(flow, base="student_t"), 0),
    "angles": (lambda: randomize(  # one, and a number
        flows.nsf(2, layers=2, hidden=[8], circular=[0], rng=0), 2.0, rng=0), 0),
    "gaussians": (lambda: GAUSSIANS, 20),
    "mixture": (lambda: Mixture(
        [flow(), flow(base=fc.GaussianMixture([[-2, 0], [1, 1]], 0.4, [4, 1]), rng=1)],
        [0.8, 0.2]), 20),
    "an estimator": (lambda: fc.FlowDensity(
        "small", budget=1e-2, n_jobs=1, random_state=0).fit(GAUSSIANS.sample(300, rng=0)), 0),
    "given a context": (partial(flow, context_dim=1), 0),
    "one column given a context": (partial(flow, 1, 1), 20),
    "no flow": (lambda: Opaque(fc.targets.two_moons()), 0),
    "three columns": (partial(flow, 3), 0),
    "numbers": (partial(table, "number", "amount", "day"), 0),
    "categories": (categories, 10),
    "wide cells": (lambda: TableDensity.of(
        Schema((Column("a", Kind.parse("integer(0)")), Column("b", Kind("continuous")))),
        flow()), 12),
    "grids": (partial(table, "number", "count", "half", "city"), 0),
    "zeros": (partial(table, "amount", "rain", "flag", learn=of_present), 6),
    "every kind": (partial(table, "number", "rain", "gap", "count", "half", "day", "city", "hole",
                           learn=of_present), 0),
}  # fmt: skip


def drawn(truth, n, rng):
    """(rows, {"context": the context of each, if the density has one})"""
    given = {"context": rng.normal(size=(n, 1))} if getattr(truth, "context_dim", 0) else {}
    return truth.sample(() if given else n, rng, **given), given


def reports(truth, n, n_reports, trains=False, **options):
    found = []
    for seed in range(n_reports):
        rng = RNG(1000 + seed)
        rows, given = drawn(truth, n, rng)
        train = truth.sample(n, rng) if trains and not given else None
        found.append(diagnose(truth, rows, train, draws=1000, rng=seed, **given, **options))
    return [report.findings for report in found]


@pytest.mark.parametrize("name", [name for name, (_, n) in TRUTHS.items() if n])
def test_the_truth_is_found_right(name):
    """With few rows: no classifier."""
    make, n_reports = TRUTHS[name]
    check(reports(make(), 39, n_reports))


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_found_right_with_many_rows(name):
    """All tests; of every other density also baselines of training rows, and overfitting."""
    trains = [*TRUTHS].index(name) % 2 == 1
    p = check(reports(TRUTHS[name][0](), 150, 100, trains))
    small = {kind for (kind, _), own in p.items() if min(own) < 0.1}
    # a baseline is worse than the truth; the shares of a table may have few values
    assert {kind for kind, _ in p} - small <= {"baselines", "tails"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussians", "angles", "numbers", "categories", "grids", "zeros"])
def test_hidden_cells_of_the_truth_are_found_right(name):
    check(reports(TRUTHS[name][0](), 150, 40, hide=0.3))


# ---------------------------------------------------------------------------- what is wrong

NUMBERS = {  # of rows (n, 2) of the truth
    "shift": lambda x: x + 0.4 * np.subtract(*np.quantile(x, (0.75, 0.25), axis=0)),
    "scale": lambda x: np.median(x, axis=0) + 1.6 * (x - np.median(x, axis=0)),
    "dependence": lambda x: np.c_[x[::-1, :1], x[:, 1:]],  # columns are right, each by itself
    "a mode too many": lambda x: x[x[:, 0] > np.median(x[:, 0])],
    "a missing mode": lambda x: np.vstack([x[60:], x[:60] + 3 * x.std(axis=0)]),
}


def column(name, change):
    return lambda rows: {own: rows[own] for own in rows} | {name: change(rows[name])}


WRONG = {  # of which density, and what is done to its rows
    "angles": NUMBERS,
    "mixture": NUMBERS,
    "no flow": NUMBERS,
    "given a context": {name: NUMBERS[name] for name in ("shift", "scale", "dependence")},
    "grids": {"number": column("number", lambda x: x + 0.5 * x.std()),
              "city": column("city", lambda x: np.where(x == "c", "b", x))},
    "zeros": {"rain": column("rain", lambda x: np.where(np.arange(200) % 3, x, 0)),
              "amount": column("amount", lambda x: x * x)},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name):
    truth = TRUTHS[name][0]()
    rows, given = drawn(truth, 200, RNG(3))
    for error, change in WRONG[name].items():
        assert not diagnose(truth, change(rows), draws=1000, **given).trusted, error
