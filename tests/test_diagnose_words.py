"""The verdict, the advice and the table are functions of the findings."""

import json

import numpy as np
import pytest
from stub_diagnosis import faults, ks, report

from flowcore.diagnosis.density import AnyDensity, Rows
from flowcore.diagnosis.findings import KINDS, Finding
from flowcore.diagnosis.likelihood import overfitting
from flowcore.diagnosis.report import ADVICE
from flowcore.diagnosis.tests import level, uniformity

RNG = np.random.default_rng
MEAN = "Mean log p -2.000 +- 0.050 nats on 5,000 held-out rows of 5 columns"


def fault(kind, sentence="It is wrong.", **changes):
    return Finding(kind, kind, 1.0, fault=True, sentence=sentence, **changes)


def test_of_a_density_without_faults():
    found = report()
    assert found.trusted and not found.advice
    assert found.headline == f"{MEAN}: nothing speaks against this density."
    assert found.verdict == [
        "+ The density is better.",
        "+ No column differs by more than these rows can show (largest KS 0.020).",
        "+ A classifier does not separate rows from draws (AUC 0.501; chance: 0.5).",
        "+ No latent coordinate differs from the base by more than these rows can show "
        "(largest KS 0.020).",
        "+ 2 rows are far out.",
    ]
    assert repr(found) == "Diagnosis(Flow, mean log p -2, faults: 0; print it)"


def test_the_largest_of_many_are_listed_first_and_the_others_named():
    found = report(*(ks("columns", f"c{k}", 0.1 * k, 1e-9) for k in range(1, 6)))
    assert [line for line in found.sentences if line.startswith("- ")] == [
        *("- `c5` is wrong.", "- `c4` is wrong.", "- `c3` is wrong."),
        "- Also significant: `KS of c2`, `KS of c1`.",
    ]
    assert found.headline == f"{MEAN}. Use it with care: single columns are wrong."
    assert found.advice == [ADVICE["flexible"]] and not found.to_dict()["verdict"]["trusted"]


@pytest.mark.parametrize("kind", ["columns", "latents", "level", "classifier", "correlation"])
def test_what_is_significant_but_small_is_no_fault(kind):
    """With many rows anything is significant."""
    found = report(ks(kind, "age", KINDS[kind].large - 0.01, 1e-9))
    assert found.trusted and "+ `age` is wrong. The difference is small." in found.sentences
    assert not report(ks(kind, "age", KINDS[kind].large + 0.01, 1e-9)).trusted
    assert report(ks(kind, "age", 1.0, 0.04)).trusted  # alone it would be significant


def test_the_headline_has_the_first_two_reasons():
    found = report(fault("tails"), fault("gridded"), fault("draws"))
    assert found.headline == (
        f"{MEAN}. Use it with care: too many held-out rows lie far in the tails and some columns "
        "have no density."
    )
    for kind in ("support", "baselines"):
        worse = report(fault(kind), fault("tails"))
        assert worse.headline == f"{MEAN}. Do not use this density yet: {KINDS[kind].reason}."
        assert worse.advice == [ADVICE[kind], ADVICE["tails"]]


@pytest.mark.parametrize(
    ("u", "sentence", "remedy"),
    [
        (lambda u: u**0.7, "It's values of `age` are too low", "flexible"),
        (lambda u: u**1.4, "It's values of `age` are too high", "flexible"),
        (lambda u: np.where(u < 0.1, 0.0, np.where(u > 0.9, 1, u)), "It puts too little mass in "
         "the tails of `age`", "tails"),
        (lambda u: np.where(u < 0.1, 0.03 * u, u), "It puts too little mass at the lower end of "
         "`age`", "flexible"),
        (lambda u: 0.25 + u / 2, "It puts too much mass in the tails of `age`", "thin"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_column(u, sentence, remedy):
    class Test:
        statistic, pvalue = 0.2, 1e-9

    u = u((np.arange(2000) + 0.5) / 2000)
    found = uniformity("columns", "KS of age", "It", "`age`", u, Test)
    assert (found.sentence, found.remedy) == (f"{sentence} (KS 0.200).", remedy)
    assert (found.effect, found.p, sum(found.counts)) == (0.2, 1e-9, 2000)
    assert 'base="student_t"' not in ADVICE["thin"] and "student_t" in ADVICE["tails"]


@pytest.mark.parametrize(
    ("shift", "sentence"),
    [(-0.5, "less probable than draws: the density is overconfident"), (0.5, "spreads too far")],
)
def test_log_p_of_rows_and_of_draws(shift, sentence):
    log_p, drawn = RNG(0).normal(shift, 1, 500), RNG(1).normal(0, 1, 1000)
    found = level(log_p, drawn, RNG(2))
    assert sentence in found.sentence and found.p < 1e-6 and found.remedy == "flexible"


def test_overfitting_is_a_fault_if_it_harms():
    class Density:
        dim = 1

        def log_prob(self, x):
            return x[:, 0]

        def sample(self, n):
            return np.zeros((n, 1))

    density, log_p = AnyDensity.of(Density(), None), RNG(0).normal(-2, 1, 400)

    def found(mean, harm):
        train = Rows(RNG(1).normal(mean, 1, (400, 1)), None)
        return overfitting(log_p, density, train, harm, RNG(2))

    assert "hardly more likely than held-out rows (overfitting: -0.0" in found(-2, True).sentence
    assert not found(-2, True).fault and not found(-2, True).held_out
    assert found(-1, True).fault and "by heart (overfitting: 0.9" in found(-1, True).sentence
    assert not found(-1, False).fault and "show no harm" in found(-1, False).sentence


def test_the_table_has_every_number_and_keeps_its_columns():
    (*_, note), lines = report(fault("gridded")).findings, str(report()).splitlines()
    start = next(
        k for k, line in enumerate(lines) if line.split() == ["effect", "p", "adjusted", "p"]
    )
    assert note.kind == "gridded" and len(lines) - start - 1 == len(report().findings)
    tests = [line for line in lines[start:] if "+-" not in line]
    assert len({len(line) for line in tests}) == 1
    assert "gain over a Gaussian" in lines[start + 1] and "1.00 +- 0.10" in lines[start + 1]


def test_numbers_that_are_not_finite_are_none():
    found = report(mean=-np.inf, standard_error=np.nan)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["mean"] is told["standard_error"] is None
    assert told["findings"][1]["name"] == "KS of age" and "rows" not in told


@pytest.mark.parametrize("name", ["FlowDensity", "TableDensity"])
def test_an_estimator_is_advised_about_its_own_options(name):
    kinds = ("baselines", "overfitting", "gridded", "support", "tails")
    wrong = [fault(kind) for kind in kinds] + [ks("columns", "age", 0.2, 1e-9)]
    text = " ".join(report(*wrong, density=name).advice)
    assert "allow more time, FlowDensity(budget=...)" in text and "a simpler density" in text
    assert "fit_table" in text and "learn=fc.FlowDensity()" in text
    for handle in ("patience", "layers", "fc.flows", "Dequantize", "base="):
        assert handle not in text
    assert "patience" in " ".join(report(*wrong).advice)
    assert faults(report(*wrong)) == {*kinds, "columns"}
