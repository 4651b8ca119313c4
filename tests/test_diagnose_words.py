"""Every sentence of a verdict can be said, and says the right thing."""

import json

import pytest
from stub_diagnosis import faults, report, text_of, uniformity

from flowcore.diagnosis.findings import Association, Beside, Far, Learned, Row, TwoSamples

GAUSSIAN = Beside("a Gaussian", -3.0, 1.0, 0.1)


def bad(name, shape, ks=0.2, given=None):
    return uniformity(name, ks, 1e-9, shape, given)


def columns(*found):
    return {"columns": (*found, *report().columns[len(found) :])}


def test_of_a_density_without_faults():
    found = report()
    assert found.trusted and not found.advice
    assert found.headline == (
        "Mean log p -2.000 +- 0.050 nats on 5,000 held-out rows of 5 columns: "
        "nothing speaks against this density."
    )
    assert "- " not in [line[:2] for line in str(found).splitlines()]
    assert text_of(found, "better") == (
        "It is 0.50 +- 0.10 nats a row better than a mixture of 3 Gaussians, the better of the "
        "simple densities."
    )


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("low", "Its values of `age` are too low (KS 0.20, p < 1e-6)."),
        ("high", "Its values of `age` are too high"),
        ("narrow", "It puts too little mass in the tails of `age`"),
        ("below", "It puts too little mass at the lower end of `age`"),
        ("above", "It puts too little mass at the upper end of `age`"),
        ("wide", "It puts too much mass in the tails of `age`"),
        ("shape", "Its distribution of `age` has another shape"),
    ],
)
def test_what_is_wrong_with_a_column(shape, said):
    found = report(**columns(bad("age", shape)))
    assert said in text_of(found, "columns")
    assert faults(found) == {"columns"} and not found.trusted and found.advice
    assert "single columns are not right" in found.headline
    assert (said[:-20] in str(found)) and found.to_dict()["verdict"]["trusted"] is False


def test_tails_are_sent_to_heavier_tails():
    assert 'base="student_t"' in " ".join(report(**columns(bad("age", "narrow"))).advice)
    assert 'base="student_t"' not in " ".join(report(**columns(bad("age", "wide"))).advice)


def test_of_many_columns_the_worst_are_named_first():
    found = report(columns=tuple(bad(f"c{k}", "low", 0.1 * k) for k in range(1, 6)))
    said = text_of(found, "columns")
    assert said.index("`c5`") < said.index("`c4`") < said.index("`c3`")
    assert said.endswith("Not right, either: `c2` and `c1`.")


def test_what_is_significant_but_small_is_no_fault():
    """With many rows anything is significant."""
    small = uniformity("age", 0.012, 1e-9, "low")
    found = report(n=1_000_000, **columns(small))
    assert found.trusted
    assert "at most 1.2% of the mass" in text_of(found, "columns")
    found = report(latents=(uniformity("z_1", 0.012, 1e-9),))
    assert found.trusted and "at most 1.2% of the mass" in text_of(found, "latents")
    found = report(classifier=TwoSamples(0.52, 0.004, 1e-6, 1e-5, 5000))
    assert found.trusted and "hardly better than by chance" in text_of(found, "together")
    found = report(own_level=uniformity("log p", 0.012, 1e-9))
    assert found.trusted and "not distributed like" in text_of(found, "own level")


def test_of_baselines():
    worse = report(baselines=(Beside("a Gaussian", -1.0, -1.0, 0.1),))
    assert text_of(worse, "worse") == "A Gaussian is 1.00 +- 0.10 nats a row better."
    assert "do not use this density yet" in worse.headline and "Take a Gaussian" in worse.advice[0]
    equal = report(baselines=(Beside("a Gaussian", -1.9, -0.1, 0.1),), baselines_by_halves=True)
    assert "cannot be told from a Gaussian, which is simpler" in text_of(equal, "no better")
    assert "on half of the rows" in text_of(equal, "no better") and equal.trusted
    alone = report(baselines=(GAUSSIAN,))
    assert "which no mixture of Gaussians improves on" in text_of(alone, "better")


def test_of_rows_without_a_density():
    far = Far(0.001, -9.0, (3, 8), 5.0, 1.0, 1.0, 2)
    inf = float("inf")
    nothing = Beside("a Gaussian", -3.0, -inf, float("nan"))
    found = report(mean=-inf, standard_error=float("nan"), far=far, baselines=(nothing,))
    assert "The density is 0 at 2 rows (rows 3, 8)" in text_of(found, "support")
    assert "gives every row a density" in text_of(found, "worse")
    assert "fc.Exp" in " ".join(found.advice)
    assert found.headline.startswith("Mean log p -inf nats")
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.to_dict()["mean"] is None


def test_of_the_classifier():
    found = report(classifier=TwoSamples(0.7, 0.01, 1e-9, 1e-8, 5000, ("age", "year")))
    said = "A classifier can tell rows from draws, mostly by `age` and `year` (AUC 0.700 +- 0.010;"
    assert said in text_of(found, "together") and faults(found) == {"together"}
    assert text_of(report(classifier=None), "together") == ""


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("low", "Latent coordinate `z_1` lies higher than its base says"),
        ("high", "lies lower than its base says"),
        ("narrow", "is wider than its base"),
        ("wide", "is narrower than its base"),
        ("shape", "is not distributed like its base"),
    ],
)
def test_of_latent_coordinates(shape, said):
    found = report(latents=(bad("z_1", shape), *report().latents[1:]))
    assert said in text_of(found, "latents") and faults(found) == {"latents"}


def test_of_conditionals():
    """Of a triangular flow a latent coordinate is a column, given others."""
    found = report(latents=(bad("income", "narrow", given=("age", "year")),))
    said = "It puts too little mass in the tails of `income` given `age` and `year`"
    assert said in text_of(found, "latents")
    many = report(latents=tuple(bad(f"z_{k}", "low") for k in range(5)))
    assert "Nor are others: `z_3` and `z_4`." in text_of(many, "latents")
    none = report(latents=None, association=None)
    assert text_of(none, "latents") == ""


def test_of_associated_latents():
    found = report(association=Association(0.4, 1e-9, 1e-9))
    assert "correlations of up to 0.40 are left" in text_of(found, "latents")
    assert faults(found) == {"latents"}
    assert report(association=Association(0.04, 1e-9, 1e-9)).trusted


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("high", "too sure of itself"),
        ("low", "spreads too far"),
        ("below", "Too many rows are improbable"),
        ("wide", "varies less"),
        ("narrow", "not distributed like"),
    ],
)
def test_of_its_own_level(shape, said):
    found = report(own_level=bad("log p", shape))
    assert said in text_of(found, "own level") and faults(found) == {"own level"}


def test_of_rows_far_below():
    none, one = report(), report(far=Far(0.001, -9.0, (3,), 5.0, 0.9, 1.0, 0))
    assert text_of(none, "far").startswith("0 rows of 5,000 (0.00%) lie below all but 0.1% of")
    assert "1 row of 5,000 (0.02%) lies below" in text_of(one, "far")
    many = report(far=Far(0.001, -9.0, tuple(range(40)), 5.0, 1e-9, 1e-9, 0))
    assert "5.0 would be expected: rows 0, 1, 2, 3, 4 and 35 more." in text_of(many, "far")
    assert faults(many) == {"far"} and "are they errors?" in many.advice[0]


def test_of_one_row_that_decides():
    found = report(pull=1.6, standard_error=1.7, worst=(Row(57, -557.0, 0.0, "age", 9.0, 1.0),))
    assert text_of(found, "pull") == (
        "Row 57 alone (log p -557) lowers the mean by 1.60 nats; the median row has -1.90."
    )
    assert faults(found) == {"pull"} and "one row decides the mean" in found.headline
    assert text_of(report(pull=0.5, standard_error=1.0), "pull") == ""
    assert report(pull=1.6, standard_error=1.7).trusted  # its own draws reach as far


def test_of_overfitting():
    by_heart = Learned(-1.0, 1.0, 0.1)
    found = report(learned=by_heart, own_level=bad("log p", "high"))
    assert "Training rows are 1.00 +- 0.10 nats more probable" in text_of(found, "learned")
    assert faults(found) == {"learned", "own level"} and "patience=20" in found.advice[0]
    worse = report(learned=by_heart, baselines=(Beside("a Gaussian", -1.0, -1.0, 0.1),))
    assert "learned" in faults(worse)
    harmless = report(learned=by_heart)
    assert harmless.trusted and "no harm is seen in these" in text_of(harmless, "learned")
    assert "hardly better than these (0.050 +- 0.070 nats)" in text_of(report(), "learned")
    assert text_of(report(learned=None), "learned") == ""


def test_of_columns_and_draws_that_are_no_numbers():
    found = report(gridded=("year",), wild_draws=12)
    assert text_of(found, "gridded").startswith("`year`: few distinct values")
    assert text_of(found, "wild") == "12 of its 20,000 draws are not finite; they are left out."
    assert faults(found) == {"gridded", "wild"} and len(found.advice) == 2


def test_few_rows_say_what_they_cannot_show():
    assert "With 50 rows only a KS of 0.26" in text_of(report(n=50), "power")
    assert text_of(report(n=5000), "power") == ""
    assert text_of(report(n=50, **columns(bad("age", "low", 0.5))), "power") == ""


def test_the_table_has_every_test_and_keeps_its_columns():
    lines = str(report(names=("x" * 60,))).splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("test "))
    assert len(lines) - start - 1 == 5 + 5 + 4
    assert len({len(line) for line in lines[start:]}) == 1
    assert repr(report()) == (
        "Diagnosis(Flow, 5000 rows of 5 columns, mean log p -2, 0 faults: print it)"
    )


@pytest.mark.parametrize("name", ["FlowDensity", "TableDensity"])
def test_an_estimator_is_advised_about_its_own_options(name):
    changes = columns(bad("age", "narrow"), bad("income", "shape")) | {
        "baselines": (Beside("a Gaussian", -1.0, -1.0, 0.1),),
        "learned": Learned(-1.0, 1.0, 0.1),
        "gridded": ("age",),
    }
    text = " ".join(report(density=name, **changes).advice)
    assert "Take a Gaussian, or more time, FlowDensity(budget=...)" in text
    assert "fit_table" in text and "learn=fc.FlowDensity()" in text
    for handle in ("patience", "layers", "fc.flows", "Dequantize", "base="):
        assert handle not in text
    assert "patience" in " ".join(report(**changes).advice)
