"""The report of `diagnose` is made of its findings: verdict, advice, table, page."""

import io
import re
import shlex
from dataclasses import replace
from inspect import signature
from operator import attrgetter
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from typer.main import get_command

import flowcore as fc
from flowcore.cli.app import app
from flowcore.cli.messages import sentence
from flowcore.diagnosis.advice import ADVICE, advised, as_suggested, never_negative, with_atom
from flowcore.diagnosis.findings import KINDS, Finding, adjusted
from flowcore.diagnosis.likelihood import overfitting
from flowcore.diagnosis.tests import Row, level
from flowcore.estimator.density import check_options
from flowcore.tables import Schema

matplotlib.use("Agg")
RNG = np.random.default_rng
FLAT = (10,) * 20
NAMES = ("age", "income", "height", "weight", "year")
MEAN = "Mean log p -2.000 +- 0.050 nats on 5,000 held-out rows of 5 columns"


def ks(kind, name, effect=0.02, p=0.5, **changes):
    return Finding(kind, f"KS of {name}", effect, p=p, sentence=f"`{name}` is wrong.",
                   remedy="flexible", counts=FLAT, **changes)  # fmt: skip


def report(*findings, density="Flow", **changes):
    """A report without faults, but for the findings: each takes the place of one of its kind."""
    usual = [
        Finding("baselines", "gain over a Gaussian", 1.0, 0.1, sentence="The density is better."),
        *(ks("columns", name) for name in NAMES),
        Finding("classifier", "AUC of a classifier", 0.501, p=0.4, sentence="It separates."),
        *(ks("latents", f"z_{i}") for i in range(1, 6)),
        ks("level", "log p"),
        Finding("tails", "rows in the tails", 2, p=1.0, sentence="2 rows are far out."),
    ]
    for new in findings:
        same = [k for k, old in enumerate(usual) if old.kind == new.kind and old not in findings]
        place = same[0] if same else len(usual)
        usual[place : place + 1] = [new]
    usual.sort(key=lambda found: list(KINDS).index(found.kind))
    made = fc.Diagnosis(
        density=density, n=5000, dim=5, names=NAMES, given=(), mean=-2.0, standard_error=0.05,
        median=-1.9, draws=20_000, alpha=0.05, findings=tuple(adjusted(usual, 0.05)),
        worst=(Row(7, -8.0, 0.01, "age", 90.0),), rows=np.zeros((3, 5)), drawn=np.zeros((3, 5)),
        history=None,
    )  # fmt: skip
    return replace(made, **changes)


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


@pytest.mark.parametrize("kind, small, large", [
    ("columns", 0.04, 0.06), ("latents", 0.04, 0.06), ("level", 0.04, 0.06), ("hidden", 0.04, 0.06),
    ("classifier", 0.54, 0.56), ("correlation", 0.09, 0.11), ("coverage", 0.02, 0.04),
    ("shares", 0.01, 0.03),
])  # fmt: skip
def test_what_is_significant_but_small_is_no_fault(kind, small, large):
    """With many rows anything is significant."""
    found = report(ks(kind, "age", small, 1e-9))
    assert found.trusted and "+ `age` is wrong. The difference is small." in found.sentences
    assert not report(ks(kind, "age", large, 1e-9)).trusted
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
    ("shift", "sentence"),
    [(-0.5, "less probable than draws: the density is overconfident"), (0.5, "spreads too far")],
)
def test_log_p_of_rows_and_of_draws(shift, sentence):
    log_p, drawn = RNG(0).normal(shift, 1, 500), RNG(1).normal(0, 1, 1000)
    found = level(log_p, drawn, RNG(2))
    assert sentence in found.sentence and found.p < 1e-6 and found.remedy == "flexible"


def test_overfitting_is_a_fault_if_it_harms():
    log_p = RNG(0).normal(-2, 1, 400)

    def found(mean, harm, sd=1):
        return overfitting(log_p, RNG(1).normal(mean, sd, 400), harm)

    assert "hardly more likely than held-out rows (overfitting: -0.0" in found(-2, True).sentence
    assert not found(-2, True).fault and not found(-2, True).held_out
    assert found(-1, True).fault and "by heart (overfitting: 0.9" in found(-1, True).sentence
    assert not found(-1, False).fault and "show no harm" in found(-1, False).sentence
    log_p = log_p.mean() + 0.1 * RNG(3).normal(size=400)  # .05 nats are significant, but few
    few = found(log_p.mean() + 0.05, True, 0.1)
    assert not few.fault and few.effect > 5 * few.error and "hardly more likely" in few.sentence


def test_the_table_has_every_number_and_keeps_its_columns():
    (*_, note), lines = report(fault("gridded")).findings, str(report()).splitlines()
    start = next(
        k for k, line in enumerate(lines) if line.split() == ["effect", "p", "adjusted", "p"]
    )
    assert note.kind == "gridded" and len(lines) - start - 1 == len(report().findings)
    tests = [line for line in lines[start:] if "+-" not in line]
    assert len({len(line) for line in tests}) == 1
    assert "gain over a Gaussian" in lines[start + 1] and "1.00 +- 0.10" in lines[start + 1]


# ---------------------------------------------------------------------------- advice


N, FIT = 60, get_command(app).commands["fit"]
SCHEMA = Schema.from_data({
    "price": np.exp(RNG(0).normal(size=N)), "rain": np.maximum(RNG(1).normal(size=N), 0),
    "warm": RNG(2).normal(size=N), "my rooms": np.arange(N) % 5, "city": np.repeat(["a", "b"], 30),
})  # fmt: skip
NOTES = {"rows": 500, "budget": None, "quick": False, "flow": "auto"}
DENSITIES = {
    "by fit_table": SimpleNamespace(schema_=SCHEMA, notes={"rows": 500}),
    "by flowcore fit": SimpleNamespace(schema_=SCHEMA, notes=NOTES),
    "--quick": SimpleNamespace(schema_=SCHEMA, notes=NOTES | {"quick": True}),
    "FlowDensity": SimpleNamespace(summary_=SimpleNamespace(n_rows=500), budget=2, flow="small"),
    "a flow": fc.Normal(2),
}
PRICE, RAIN, WARM, ROOMS, _ = SCHEMA.columns
KINDS_OF = [as_suggested([ROOMS]), never_negative([PRICE, RAIN, WARM]),
            *(with_atom(column, 0.0) for column in (PRICE, RAIN, WARM, ROOMS))]  # fmt: skip


def advice_on(density, *faults):
    """(in Python, as options) of a report with these faults."""
    rows = [Row(k, -8.0, 0.0, name, 9.0) for k, name in enumerate(("price", "rain", "warm"))]
    own = report(findings=tuple(advised(faults, density, rows)))
    return own.advice, replace(own, phrase=sentence).advice


def is_python(text):
    """Every name of flowcore's is there, every option is an argument, and the fix can be run."""
    for name in re.findall(r"fc((?:\.\w+)+)", text):
        attrgetter(name[1:])(fc)
    known = {*signature(fc.fit).parameters, *signature(fc.flows.nsf).parameters}
    known |= {*signature(fc.FlowDensity).parameters, *signature(fc.tables.fit_table).parameters}
    assert {*re.findall(r"(\w+)=", text)} | {*re.findall(r"lower (\w+_\w+)", text)} <= known
    names = {"schema": SCHEMA, "FlowDensity": fc.FlowDensity, "X": None}
    names["fit_table"] = signature(fc.tables.fit_table).bind
    for call in text.partition(": pass ")[2].split(" and "):
        check_options(made) if isinstance(
            made := eval(call or "0", names), fc.FlowDensity
        ) else None


def can_be_typed(text):
    said, _, typed = text.partition(": pass ")
    flags = {flag for option in FIT.params for flag in option.opts}
    assert {*re.findall(r"--[a-z-]+", said)} <= flags
    parsed = FIT.make_context("fit", ["t.csv", "-o", "m.npz", *shlex.split(typed)]).params
    SCHEMA.edit(dict(parsed["kind"]))


@pytest.mark.parametrize("name", DENSITIES)
def test_every_advice_names_columns_arguments_and_options_that_exist(name):
    """A column 'rain' of nobody's, `impute --draws` and "without --quick" were advised once."""
    density, is_table = DENSITIES[name], hasattr(DENSITIES[name], "schema_")
    remedies = ["", *(key for key in ADVICE if key in KINDS or key in ("narrow", "thin"))]
    faults = [fault(kind, remedy=remedy) for kind in KINDS for remedy in (*remedies, "flexible")]
    faults += [fault("shares", fix={"kind": kinds}) for kinds in KINDS_OF] * is_table
    for one in faults:
        python, shell = advice_on(density, one)
        assert len(python) == len(shell) == 1 or not hasattr(density, "schema_")
        for text in python:
            is_python(text)
        for text in shell if is_table else ():
            can_be_typed(text)


def test_advice_is_made_of_this_fit():
    faults = fault("columns", remedy="flexible"), fault("tails"), fault("rules"), fault("level")
    fixes = [
        *("--kind price=positive --kind 'rain=positive atoms(0)'", "--no-rules", "--budget 0.6"),
    ]
    _, typed = advice_on(DENSITIES["by flowcore fit"], *faults)
    assert [text.partition(": pass ")[2] for text in typed] == fixes
    python, typed = advice_on(DENSITIES["--quick"], faults[0])
    assert python == typed == [ADVICE["quick"]] and "--quick" in typed[0]
    for name, small in (("FlowDensity", ""), ("--quick", ": pass FlowDensity('small')")):
        python, _ = advice_on(DENSITIES[name], faults[0], fault("overfitting"))
        assert python == [ADVICE["smaller"][: -1 if small else None] + small]  # and not time
    assert advice_on(DENSITIES["FlowDensity"], faults[0])[0][0].endswith("FlowDensity(budget=8.0)")
    both = [fault("shares", fix={"kind": with_atom(column, 0.0)}) for column in (RAIN, WARM)]
    ((text,), _) = advice_on(DENSITIES["by fit_table"], *both)
    edit = "{'rain': 'positive atoms(0)', 'warm': 'continuous atoms(0)'}"
    assert text.endswith(f": pass schema.edit({edit})")
    (warm,) = (c for c in SCHEMA.edit(with_atom(WARM, 0.1 + 0.2)).columns if c.name == "warm")
    assert warm.kind.atoms == (0.1 + 0.2,)
    assert with_atom(PRICE, PRICE.low)["price"].startswith("continuous atoms")  # its least, not 0


# ---------------------------------------------------------------------------- the page


HISTORY = fc.History([3.0, 2.0], [3.1, 2.2], best_epoch=1)


def found(dim, history=None, names=None):
    x = np.random.default_rng(0).normal(size=(120, dim)) * 1.5
    return fc.diagnose(fc.Normal(dim), x, history=history, names=names, draws=1000)


def texts(figure):
    every = figure.findobj(matplotlib.text.Text)
    return [text.get_text() for text in every if text.get_visible() and text.get_text()]


@pytest.mark.parametrize(
    ("dim", "history"),
    [
        (1, None),
        (2, HISTORY),
        pytest.param(14, None, marks=pytest.mark.slow),
    ],
)
def test_the_page(dim, history):
    names = [f"a_column_of_a_rather_long_name_{k}$" for k in range(dim)]
    report = found(dim, history, names)
    before = dict(matplotlib.rcParams)
    figure = report.figure()
    figure.savefig(io.BytesIO())  # draws: warnings are errors
    (left, bottom), (right, top) = figure.get_tightbbox().get_points()
    width, height = figure.get_size_inches()
    assert min(left, bottom, width - right, height - top) > -0.01
    assert dict(matplotlib.rcParams) == before
    shown = texts(figure)
    assert any(text.startswith("Mean log p") for text in shown)
    first = [text.split()[0] for text in shown if text.strip()]
    assert {f"{row.index}" for row in report.worst} <= set(first)
    assert ("best epoch 2: 2.200" in shown) == (history is not None)
    assert ("the 12 columns of the largest KS, of 14" in shown) == (dim == 14)
    panels = len(figure.findobj(matplotlib.axes.Axes))
    assert panels >= (1 if dim == 1 else min(dim, 12) ** 2) + 3


def test_faults_are_in_another_colour():
    rows = np.random.default_rng(0).normal(size=(2, 40, 5))
    bad = [ks("columns", f"column {k}", 0.3, 1e-9) for k in range(2)]
    bad += [ks("latents", f"z_{k}", 0.3 * (k > 3), 0.0 if k > 3 else 1.0) for k in range(9)]
    page = report(*bad, rows=rows[0], drawn=rows[1]).figure()
    titles = {
        ax.get_title(): ax.patches[-1].get_facecolor()
        for ax in page.findobj(matplotlib.axes.Axes)
        if ": 0." in ax.get_title()
    }
    assert len(titles) == 8 and len(set(titles.values())) == 2
    assert titles["column 0: 0.30"] == titles["z_5: 0.30"] != titles["log p: 0.02"]
