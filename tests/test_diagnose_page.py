"""The page of a diagnosis: everything is on it, inside of its edges, for any number of columns."""

import io

import matplotlib
import numpy as np
import pytest
from stub_diagnosis import QUICK, ks, report

import flowcore as fc
from flowcore.diagnosis.findings import Finding

matplotlib.use("Agg")
HISTORY = fc.History([3.0, 2.0], [3.1, 2.2], best_epoch=1)


def found(dim, history=None, names=None):
    x = np.random.default_rng(0).normal(size=(120, dim)) * 1.5
    return fc.diagnose(fc.Normal(dim), x, history=history, names=names, **QUICK)


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
    said = texts(figure)
    assert any(text.startswith("Mean log p") for text in said)
    assert not any("(print the report for the rest)" in text for text in said)
    first = [text.split()[0] for text in said if text.strip()]
    assert {f"{row.index}" for row in report.worst} <= set(first)
    assert ("best epoch 2: 2.200" in said) == (history is not None)
    assert ("the 12 columns of the largest KS, of 14" in said) == (dim == 14)
    panels = len(figure.findobj(matplotlib.axes.Axes))
    assert panels >= (1 if dim == 1 else min(dim, 12) ** 2) + 4


def test_faults_are_in_another_colour_and_a_verdict_too_long_says_so():
    rows = np.random.default_rng(0).normal(size=(2, 40, 5))
    bad = [ks("columns", f"column {k}", 0.3, 1e-9) for k in range(2)]
    bad += [ks("latents", f"z_{k}", 0.3 * (k > 3), 0.0 if k > 3 else 1.0) for k in range(9)]
    notes = [Finding("draws", "draws", k, sentence=f"This is sentence {k}.") for k in range(30)]
    page = report(*bad, *notes, rows=rows[0], drawn=rows[1]).figure()
    page.savefig(io.BytesIO())
    titles = {
        ax.get_title(): ax.patches[-1].get_facecolor()
        for ax in page.findobj(matplotlib.axes.Axes)
        if ": 0." in ax.get_title()
    }
    assert len(titles) == 8 and len(set(titles.values())) == 2
    assert titles["column 0: 0.30"] == titles["z_5: 0.30"] != titles["log p: 0.02"]
    assert any("... (print the report for the rest)" in text for text in texts(page))
