"""Pictures: the right panels, labels and limits, nothing hidden, and no global state.

What all pictures promise is tested here, those of the lessons included: test_plots_teaching.py has
what is in them.
"""

import io
import subprocess
import sys

import autograd.numpy as anp
import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from support.pictures import MAF, QUICK, cells, chain, legend, new_axes, remarks, ticks, titles

import flowcore as fc
from flowcore import flows, plots, teaching
from flowcore.conditionals import Explanation
from flowcore.inference.space import Space, pulled_back
from flowcore.inference.unnormalised import LogTarget
from flowcore.plots.corner import _interval

matplotlib.use("Agg")

POINTS = np.random.default_rng(0).normal(size=(200, 2))
HISTORY = fc.History([3.2, 2.1, 1.4, 1.2], [3.0, 2.0, 1.5, 1.7], best_epoch=2)
FLOW = chain("maf", layers=2)
EXPLANATION = Explanation(
    ("age", "city"), np.array([-30.0, np.nan, -np.inf, -2.0]),
    np.array([[21.0, 5.0], [np.nan, np.nan], [np.inf, 0.0], [0.0, 2.0]]),
    np.array([[25.0, 4.0], [np.nan, np.nan], [np.inf, 0.0], [0.0, 1.0]]),
    [np.array([31.5, 0, 40, 3]), np.array(["Bern", None, "Rome", "$x$"], object)],
)  # fmt: skip


def posterior(dim, n=500, scale=1.5, log_p=None):
    """N(0, 1) in every coordinate, by draws of N(0, scale^2)."""
    log_p = log_p or (lambda x: -0.5 * anp.sum(x**2, axis=1))
    bijector = fc.ElementwiseAffine(np.zeros(dim), np.full(dim, scale))
    flow = fc.TransformedDistribution(fc.Normal(dim), bijector)
    return fc.Inference.of(flow, LogTarget(log_p, dim), n)


FOUND = posterior(3)
CURVES = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]]).posterior(
    np.arange(28.0).reshape((14, 2)) / 9, 1
)
NORMAL, WIDE, SWAP = fc.Normal(2), fc.StudentT(2), fc.Permute([1, 0])


def everything():
    """name -> (how many Axes, a call of every function)."""
    x = POINTS[:50]
    five = x[:, [0, 1, 0, 1, 0]]
    return {
        "scatter": (1, lambda **o: plots.scatter(x, x[:, 0] > 0, **o)),
        "compare": (2, lambda **o: plots.compare(x, 2 * x, **o)),
        "stages": (4, lambda **o: plots.stages(FLOW, n=50, **o)),
        "density": (1, lambda **o: plots.density(FLOW, **QUICK, **o)),
        "densities": (2, lambda **o: plots.densities({"a": NORMAL, "b": FLOW}, **QUICK, **o)),
        "losses": (1, lambda **o: plots.losses(HISTORY, entropy=1.0, **o)),
        "jacobian": (1, lambda **o: teaching.jacobian(FLOW, x[0], **o)),
        "masks": (4, lambda **o: plots.masks(fc.MADE(5, [8, 8]), **o)),
        "large masks": (4, lambda **o: plots.masks(fc.MADE(20, [64, 64]), **o)),
        "grid": (4, lambda **o: teaching.grid(FLOW, cells=4, **o)),
        "network": (1, lambda **o: teaching.network(fc.MADE(5, [8, 8]), output=3, **o)),
        "log-dets": (1, lambda **o: teaching.log_dets(FLOW, x[:5], **o)),
        "pairs": (9, lambda **o: plots.pairs(five[:, :3], five[:, :3] + 1, **o)),
        "many pairs": (25, lambda **o: plots.pairs(five, names=["a_long_name"] * 5, **o)),
        "corner": (9, lambda **o: plots.corner(FOUND, truths={"x_1": 0.5}, **o)),
        "corner of one": (1, lambda **o: plots.corner(posterior(1), **o)),
        "posterior": (1, lambda **o: plots.posterior(CURVES, np.arange(14.0), **o)),
        "cells": (1, lambda **o: plots.cells(EXPLANATION, **o)),
        "bridges": (1, lambda **o: teaching.bridges(NORMAL, WIDE, **QUICK, **o)),
    }


EVERYTHING = everything()


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_picture_is_whole_and_leaves_no_global_state(name):
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    count, draw = EVERYTHING[name]
    axes = np.ravel(draw())
    assert len(axes) == count and all(isinstance(ax, Axes) for ax in axes)
    figure, file = axes[0].figure, io.BytesIO()
    figure.savefig(file)  # lays out and draws: warnings are errors
    assert file.getvalue().startswith(b"\x89PNG")
    (left, bottom), (right, top) = figure.get_tightbbox().get_points()
    width, height = figure.get_size_inches()
    assert min(left, bottom, width - right, height - top) > -0.01  # nothing is cut off
    assert plt.get_fignums() == [] and dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_picture_is_drawn_into_the_axes_it_is_given(name):
    count, draw = EVERYTHING[name]
    given = new_axes(2, -(-count // 2)).ravel()[:count] if count > 1 else np.array([new_axes()])
    drawn = draw(ax=given if count > 1 else given[0])
    assert_array_equal(np.ravel(drawn), given)
    if count > 1:
        with pytest.raises(ValueError, match=f"{count} Axes are needed, one a panel, not 3"):
            draw(ax=new_axes(3))


@pytest.mark.parametrize("watched_by", ["prompt", "interactive mode"])
def test_a_figure_is_pyplots_where_somebody_looks_on(monkeypatch, watched_by):
    import matplotlib.pyplot as plt

    if watched_by == "prompt":
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    else:
        monkeypatch.setitem(matplotlib.rcParams, "interactive", True)
    try:
        ax = plots.scatter(np.eye(2))
        assert plt.gcf() is ax.figure
        plots.scatter(np.eye(2), ax=new_axes())  # given Axes: no new figure
        assert len(plt.get_fignums()) == 1
    finally:
        plt.close("all")


def test_matplotlib_is_imported_late_and_pyplot_never_in_a_script():
    code = """
import sys
from flowcore import MADE, Normal, plots
assert "matplotlib" not in sys.modules
plots.density(Normal(2), n=5), plots.masks(MADE(2, [4])), plots.scatter([[0, 1]], [1])
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def stages_with(x):
    return lambda: plots.stages([("base", np.eye(2)), ("MAF", x)])


REFUSED = [
    # one a gate: rows of two columns, windows, integers, dim, flows, networks
    (lambda: plots.scatter(np.zeros(3)), "x has shape (3,)"),
    (lambda: plots.compare(np.eye(2), np.zeros((4, 3))), "samples has shape (4, 3)"),
    (stages_with(np.zeros((2, 2, 2))), "stage 'MAF' has shape (2, 2, 2)"),
    (lambda: plots.scatter(POINTS, xlim=(1, -1)), "xlim must be (low, high)"),
    (lambda: plots.density(NORMAL, (-1, 1), (0, np.inf)), "ylim must be (low, high)"),
    (lambda: plots.losses(HISTORY, ylim=(2.0, 1.0)), "ylim must be"),
    (lambda: plots.density(NORMAL, n=1), "n must be an integer >= 2, not 1"),
    (lambda: teaching.grid_animation(SWAP, frames=0), "frames must be an integer >= 1, not 0"),
    (lambda: teaching.grid(SWAP, reach=np.inf), "a finite number > 0, not inf"),
    (lambda: plots.density(fc.Normal(3)), "has dim 3"),
    (lambda: teaching.bridges(NORMAL, fc.Normal(3)), "has dim 3"),
    (lambda: teaching.grid(NORMAL), "takes a flow or a bijector, not Normal"),
    (lambda: teaching.log_dets(SWAP, np.zeros((1, 2))), "log_dets takes a flow, not Permute"),
    (lambda: plots.masks(MAF), "give its .made"),
    (lambda: plots.masks(3), "takes a MADE, not 3"),
    # what one picture takes
    (lambda: plots.scatter(POINTS, [1, 2]), "labels have shape (2,), but there are 200 points"),
    (lambda: plots.scatter(POINTS, np.arange(200)), "200 different values"),
    (lambda: plots.pairs(np.zeros((5, 13))), "not (5, 13); choose some of them, x[:, :12"),
    (lambda: plots.pairs(np.zeros(5)), "1 to 12 columns, not (5,)"),
    (lambda: plots.pairs(np.eye(3), np.eye(2)), "samples has shape (2, 2), but x has 3"),
    (lambda: plots.pairs(np.eye(3), names=["a"]), "1 names, but x has 3 columns"),
    (lambda: plots.corner(FOUND, ["x_1", "x_4"]), "no parameter 'x_4': choose from ['x_1', 'x_2'"),
    (lambda: plots.corner(FOUND, truths={"tau": 1.0}), "there is no parameter 'tau'"),
    (lambda: plots.corner(FOUND, truths={"x_1": [1.0, 2.0]}), "truths['x_1'] has 2 numbers, not 1"),
    (lambda: plots.corner(posterior(13), [f"x_{k}" for k in range(1, 14)]), "1 to 12 columns"),
    (stages_with(POINTS), "same points in all: they have [2, 200]"),
    (lambda: plots.density(NORMAL.log_prob, **QUICK), "was log_prob given?"),
    (lambda: plots.density(lambda x: x, **QUICK), "not one a row"),
    (lambda: plots.density(3), "a flow or a function, not 3"),
    (lambda: plots.density(NORMAL, (50, 60), (50, 60)), "none of 1,000 samples lies in the window"),
    (lambda: plots.densities({"a": NORMAL}, (50, 60), (0, 1)), "leave xlim and ylim out"),
    (lambda: plots.densities({}), "at least one flow"),
    (lambda: plots.posterior(CURVES, [1.0]), "truth has shape (1,), but there are 14 curves"),
    (lambda: plots.losses(fc.History()), "no epochs"),
    (lambda: teaching.jacobian(MAF, np.zeros((2, 4))), "one point, of shape (4,), not (2, 4)"),
    (lambda: teaching.jacobian(MAF, np.zeros(4), "back"), '"inverse" or "forward", not \'back\''),
    (lambda: teaching.jacobian(MAF, np.zeros(4), order=[0, 1, 2, 3]), "1..4, not [0, 1, 2, 3]"),
    (lambda: teaching.jacobian(MAF, [0.0, np.nan, 0.0, 0.0]), "not finite"),
    (lambda: teaching.jacobian(3, np.zeros(4)), "a bijector or a flow"),
    (
        lambda: teaching.network(fc.MADE(3, [25])),
        "25 units cannot be drawn, only up to 24: plots.masks",
    ),
    (lambda: teaching.network(fc.MADE(3, [4]), 3), "output must be an integer 0..2, not"),
    (lambda: teaching.network(fc.MADE(3, [4, 4, 4], residual=True)), "skips of a residual network"),
    (lambda: teaching.log_dets(FLOW, np.zeros((13, 2))), "x must be 1 to 12 points, (n, 2), not ("),
    (
        lambda: teaching.bridges(fc.targets.checkerboard(), WIDE, (-1, 3), (-3, 1), n=2),
        "0 or not finite at all 4 points of the grid",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[text for _, text in REFUSED])
def test_pictures_refuse_what_they_cannot_draw(call, message):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert message in str(error.value)


# ---------------------------------------------------------------------------- points


def test_scatter_draws_every_label_in_its_colour():
    labels = np.array(["b", "a"] * 100)
    ax = plots.scatter(POINTS, labels)
    assert legend(ax) == ["a", "b"]
    for dots, label in zip(ax.collections, "ab", strict=True):
        assert_array_equal(dots.get_offsets(), POINTS[labels == label])
    assert len({tuple(dots.get_facecolor()[0]) for dots in ax.collections}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_{1}$", "$x_{2}$")
    assert plots.scatter(POINTS).get_legend() is None


def test_a_frame_holds_all_points_or_counts_those_outside():
    ax = plots.scatter(POINTS)
    low, high = np.array([ax.get_xlim(), ax.get_ylim()]).T
    assert remarks(ax) == [] and ((low < POINTS) & (high > POINTS)).all()
    assert ax.get_aspect() == 1
    far = plots.scatter(np.vstack([POINTS, [[1e6, 0.0], [np.nan, 0.0], [0.0, np.inf]]]))
    assert remarks(far) == ["3 outside"] and far.get_xlim()[1] < 10
    unlike = plots.scatter(POINTS * [1.0, 1000.0])
    assert unlike.get_aspect() == "auto" and unlike.get_ylim()[1] > 500 * unlike.get_xlim()[1]
    x = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [3.0, 3.0]]
    given = plots.scatter(x, xlim=(-1, 1), ylim=(-1, 2.5))
    assert (given.get_xlim(), given.get_ylim()) == ((-1, 1), (-1, 2.5))
    assert remarks(given) == ["2 outside"]
    for few in (np.zeros((0, 2)), [[2.0, 3.0]], [[np.nan, np.nan]]):
        low, high = plots.scatter(few).get_xlim()
        assert low < high


def test_compare_beside_each_other_and_on_top():
    samples = 3 * POINTS[:50]
    left, right = plots.compare(POINTS, samples)
    assert titles([left, right]) == ["data", "samples"]
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()
    assert_array_equal(left.collections[0].get_offsets(), POINTS)
    assert_array_equal(right.collections[0].get_offsets(), samples)
    assert left.get_xlim()[1] > samples[:, 0].max()
    ax = new_axes()
    assert plots.compare(POINTS, samples, ax=ax) is ax
    assert legend(ax) == ["data", "samples"] and len(ax.collections) == 2


# ---------------------------------------------------------------------------- pairs


def test_pairs_show_data_below_the_diagonal_and_samples_above():
    x = np.random.default_rng(0).normal(size=(400, 3)) * [1, 10, 100]
    samples = x[::-1] + 1
    axes = plots.pairs(x, samples, names=["a", "b", "c"])
    assert axes.shape == (3, 3)
    for i in range(3):
        for j in range(i):
            below, above = (ax.collections[0] for ax in (axes[i, j], axes[j, i]))
            assert_array_equal(below.get_offsets(), x[:, [j, i]])
            assert_array_equal(above.get_offsets(), samples[:, [i, j]])
            assert axes[i, j].get_xlim() == axes[j, i].get_ylim() == axes[j, j].get_xlim()
    assert [ax.get_xlabel() for ax in axes[-1]] == ["a", "b", "c"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["a", "b", "c"]
    assert axes[0, 1].get_xlabel() == axes[1, 1].get_ylabel() == ""


NARROW = np.array([1.0, 0.3])


def lines_enclose_their_shares(panel):
    """95% and half of a normal density whose standard deviations are NARROW."""
    radii = [np.abs(path.vertices / NARROW).max() for path in panel.collections[1].get_paths()]
    expected = [np.sqrt(-2 * np.log(1 - share)) for share in (0.95, 0.5)]
    np.testing.assert_allclose(radii, expected, atol=0.2)


def test_the_lines_of_pairs_are_around_half_of_the_samples():
    samples = NARROW * np.random.default_rng(0).normal(size=(20_000, 2))
    lines_enclose_their_shares(plots.pairs(samples[:50], samples)[1, 0])


def test_pairs_count_what_lies_outside_of_their_frames():
    x = POINTS.copy()
    x[0, 1], x[1, 0], x[5, 0] = 1e6, np.inf, np.nan  # what is not there is not counted
    samples = x[2:].copy()
    samples[0, 0] = 1e6
    axes = plots.pairs(x, samples)
    assert remarks(axes[0, 0]) == ["1 + 1 outside"] and remarks(axes[1, 1]) == ["1 outside"]
    assert axes[0, 0].get_xlim()[1] < 10 and axes[1, 1].get_xlim()[1] < 10
    assert remarks(axes[1, 0]) == []


def test_pairs_of_categories_are_shares_and_noise():
    x = np.column_stack([np.arange(60) % 2, np.arange(60.0)])
    axes = plots.pairs(
        x, x, names=["city", "age"], categories={0: ["Bern", "a$ long name of Oslo"]}
    )
    assert [bar.get_height() for bar in axes[0, 0].patches[:2]] == pytest.approx([0.5, 0.5])
    below = axes[1, 0].collections[0].get_offsets()
    assert np.array_equal(np.rint(below[:, 0]), x[:, 0]) and len(set(below[:, 0])) == 60
    assert len(axes[1, 0].collections) == 1  # no outlines
    ticks = [text.get_text() for text in axes[1, 0].get_xticklabels()]
    assert ticks == ["Bern", r"a\$ long na.."]


def test_the_names_of_pairs():
    pandas = pytest.importorskip("pandas")
    axes = plots.pairs(pandas.DataFrame(np.eye(2), columns=["age", "pa$y"]))
    assert [ax.get_xlabel() for ax in axes[-1]] == ["age", r"pa\$y"]
    assert axes[0, 0].figure.legends == []
    axes = plots.pairs(np.tile(POINTS, 4), names=["nonflavanoid_phenols_of_a_wine"] * 8)
    assert axes[-1, 0].get_xlabel().count("\n") == 1 and axes[-1, 0].get_xlabel().endswith("..")


# ---------------------------------------------------------------------------- corner


def test_a_corner_has_the_quantiles_of_the_summary():
    axes, summary = plots.corner(FOUND, truths={"x_2": 0.5}), FOUND.summary()
    assert [ax.get_xlabel() for ax in axes[-1]] == ["x_1", "x_2", "x_3"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["", "x_2", "x_3"]
    assert [[ax.axison for ax in row] for row in axes] == np.tri(3, dtype=bool).tolist()
    for k, name in enumerate(summary):
        lines = [line.get_xdata()[0] for line in axes[k, k].lines]
        assert lines[:3] == [summary[name][level] for level in ("5%", "50%", "95%")]
        assert lines[3:] == [0.5] * (k == 1)
        assert axes[k, k].get_title().startswith(f"{name} = $")
    assert [len(axes[i, j].lines) for i, j in ((1, 0), (2, 0), (2, 1))] == [1, 0, 1]
    assert axes[1, 0].lines[0].get_ydata() == [0.5, 0.5] == axes[2, 1].lines[0].get_xdata()


def test_the_areas_of_a_corner_hold_half_of_the_weighted_mass():
    """q is too wide, and so are the draws themselves."""
    log_p = lambda x: -0.5 * anp.sum((x / NARROW) ** 2, axis=1)  # noqa: E731
    lines_enclose_their_shares(plots.corner(posterior(2, 20_000, 1.5 * NARROW, log_p))[1, 0])


def test_a_corner_remarks_what_is_missing():
    assert remarks(plots.corner(FOUND)[0, -1]) == []
    assert remarks(plots.corner(posterior(9))[0, -1]) == ["the first 8 of 9"]
    bad = posterior(2, scale=0.2)
    assert not bad.trusted
    assert remarks(plots.corner(bad, ["x_2", "x_1"])[0, -1]) == ["not trusted: see print(found)"]
    assert remarks(plots.corner(bad, ["x_2"])[0, 0])[-1] == "not trusted: see print(found)"


def test_a_corner_of_chosen_arrays_and_of_constants():
    support = {"tau": "positive", "L$": ("correlation_cholesky", (2, 2))}
    space = Space(support, None)
    target = LogTarget(pulled_back(lambda p: -p["tau"], space.from_line), 2)
    found = fc.Inference.of(posterior(2).flow, target, 200, space=space)
    axes = plots.corner(found, ["L$"])
    names = [r"L\$[0,0]", r"L\$[0,1]", r"L\$[1,0]", r"L\$[1,1]"]
    assert [ax.get_xlabel() for ax in axes[-1]] == names
    assert axes[0, 0].get_title() == rf"{names[0]} = $1.00_{{-0.00}}^{{+0.00}}$"
    axes[0, 0].figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("quantiles", "text"),
    [
        ((-1.069, 4.411, 9.793), "$4.4_{-5.5}^{+5.4}$"),
        ((0.2332, 2.726, 9.956), "$2.7_{-2.5}^{+7.2}$"),
        ((1234.548, 1234.567, 1234.589), "$1234.567_{-0.019}^{+0.022}$"),
        ((-2310.0, 6.9, 2268.0), "$7_{-2317}^{+2261}$"),
        ((-0.0001, -0.00002, 0.00004), r"$-0.20_{-0.80}^{+0.60} \times 10^{-4}$"),
        ((6.66e-21, 9.99e-21, 1.33e-20), r"$1.00_{-0.33}^{+0.33} \times 10^{-20}$"),
        ((1.427e9, 2.834e9, 4.217e9), r"$2.8_{-1.4}^{+1.4} \times 10^{9}$"),
        ((0.0, 0.0, 0.0), "$0.00_{-0.00}^{+0.00}$"),
    ],
)
def test_the_interval_in_a_title(quantiles, text):
    assert _interval(*quantiles) == text


# ---------------------------------------------------------------------------- stages


def test_a_point_keeps_the_colour_of_its_first_quadrant():
    base = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [2.0, 2.0]])
    axes = plots.stages([("base", base), ("moved", base + 3)])
    first, last = (ax.collections[0].get_facecolor() for ax in axes)
    assert_array_equal(first, last)
    assert len({tuple(colour) for colour in first[:4]}) == 4
    assert_array_equal(first[4], first[0])
    axes = plots.stages([("base", POINTS)] * 5, labels=POINTS[:, 0] > 0)
    assert legend(axes[0]) == ["False", "True"] and axes[1].get_legend() is None
    assert len(axes) == len(axes[0].figure.axes) == 5  # no empty panels


def test_stages_share_a_frame_unless_one_would_be_a_dot():
    same = plots.stages([("base", POINTS), ("a", 0.8 * POINTS + 0.5)])
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in same}) == 1
    small, large = plots.stages([("base", POINTS), ("far", 50 * POINTS + 1000)])
    assert small.get_xlim()[1] < 10 < 900 < large.get_xlim()[1]
    flow = flows.maf(2, layers=1, hidden=[4]).initialize(1000 + POINTS * [1, 20])
    assert titles(plots.stages(flow, n=10)) == ["base", "1: MAF", "2: Standardize"]
    broken = POINTS.copy()
    broken[:7] = np.inf
    assert remarks(plots.stages([("base", POINTS), ("broken", broken)])[1]) == ["7 outside"]


# ---------------------------------------------------------------------------- density


def colour_bar(ax):
    (bar,) = (other for other in ax.figure.axes if other is not ax)
    return bar


def bell(x):
    return np.exp(-0.5 * np.sum(x**2, axis=-1))


def test_density_has_the_given_limits_and_a_colour_bar():
    ax = plots.density(NORMAL, (-3, 2), (-1, 4), **QUICK)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-3, 2), (-1, 4))
    assert colour_bar(ax).get_ylabel() == "density"
    assert ax.get_legend() is None
    filled = ax.collections[0]
    assert filled.levels[0] == 0 and 0.9 < 2 * np.pi * filled.levels[-1] < 1.3
    by_function = plots.density(NORMAL.prob, (-3, 2), (-1, 4), **QUICK)
    assert_allclose(by_function.collections[0].levels, filled.levels)
    around = plots.density(bell, **QUICK)
    assert (around.get_xlim(), around.get_ylim()) == ((-3, 3), (-3, 3))


def test_the_window_of_a_density_follows_the_flow():
    """A picture around the origin would be blank, with a colour bar of 1e-245."""
    rows = np.random.default_rng(4).normal([1000.0, -50.0], [20.0, 5.0], (300, 2))
    flow = flows.maf(2, layers=1, hidden=[4]).initialize(rows)
    ax = plots.density(flow, **QUICK)
    for (low, high), mean, std in zip(
        (ax.get_xlim(), ax.get_ylim()), (1000, -50), (20, 5), strict=True
    ):
        assert mean - 12 * std < low < mean - 2 * std and mean + 2 * std < high < mean + 12 * std
    assert ax.collections[0].levels[-1] == pytest.approx(1 / (2 * np.pi * 100), rel=0.3)
    assert remarks(ax) == []
    given = plots.density(flow, ylim=(-51, 0), **QUICK)
    assert (given.get_xlim(), given.get_ylim()) == (ax.get_xlim(), (-51, 0))


def test_density_lies_where_it_belongs():
    """Half the plane is empty: contours are drawn in the other half only, not transposed."""
    ax = plots.density(lambda x: np.where(x[:, 1] > 1, 1.0, 0.0), **QUICK)
    dark = ax.collections[0].get_paths()[-1].vertices
    assert dark[:, 1].min() > 0.5 and dark[:, 0].min() < -2.9


def test_density_that_is_not_finite_is_marked_and_counted():
    def broken(x):
        p = bell(x)
        p[:30], p[30:35] = np.nan, np.inf
        return p

    ax = plots.density(broken, **QUICK)
    assert legend(ax) == ["not finite at 35 of 400 points"]
    assert ax.patch.get_hatch()
    ax = plots.density(lambda x: np.full(len(x), np.nan), **QUICK)
    assert legend(ax) == ["not finite at 400 of 400 points"]


@pytest.mark.parametrize(
    ("log_prob", "least"),
    [
        (lambda x: np.where(x[:, 0] > 0, -np.sum(x**2, axis=-1), -np.inf), 0.9),  # density 0
        (lambda x: np.float32(200) - np.sum(x**2, axis=-1, dtype=np.float32), 1e80),
    ],
)
def test_minus_infinity_and_what_is_no_float32_are_densities(log_prob, least):
    one = type("One", (), {"dim": 2, "log_prob": staticmethod(log_prob)})()
    ax = plots.density(one, **QUICK)
    assert ax.get_legend() is None and not ax.patch.get_hatch()
    assert ax.collections[0].levels[-1] >= least


def test_densities_share_the_frame_and_the_colours_of_the_first():
    wide, narrow = (fc.MultivariateNormalDiag([0.0, 0.0], [s, s]) for s in (2.0, 0.2))
    axes = plots.densities({"truth": NORMAL, "wide": wide, "narrow": narrow}, n=41)
    assert titles(axes) == ["truth", "wide", "narrow"]
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in axes}) == 1
    assert axes[0].get_xlim() == plots.density(NORMAL, **QUICK).get_xlim()
    truth, low, high = (ax.collections[0] for ax in axes)
    alone = plots.density(NORMAL, n=41).collections[0]  # the truth is drawn as it is alone
    for other in (low, high, alone):
        assert_array_equal(truth.levels, other.levels)
    assert_array_equal(truth.get_facecolor(), low.get_facecolor())
    used = [np.flatnonzero([len(path.vertices) for path in drawn.get_paths()]).max() for drawn in
            (truth, low, high)]  # fmt: skip
    assert used[1] < used[0] < used[2] == len(high.levels) - 1  # beyond the scale: the arrow
    assert len(axes[0].figure.axes) == 4  # one colour bar
    assert [bool(remarks(ax)) for ax in axes] == [False, True, False]  # some lie outside
    for ax in plots.densities({"a": NORMAL, "b": bell}, (-1, 2), (0, 3), n=5):
        assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 2), (0, 3))


# ---------------------------------------------------------------------------- curves


@pytest.mark.parametrize("power", [0.7, 1.4])
def test_a_pit_has_its_distance_and_the_band_of_uniform_numbers(power):
    u = np.random.default_rng(0).random(400) ** power
    ax = plots.pit(u)
    ks = stats.kstest(u, "uniform").statistic
    assert remarks(ax) == [f"n = 400, KS = {ks:.3f}; band: 95%"]
    half = 1.96 * np.sqrt(400 * 0.05 * 0.95) / 20  # in bars of 20 on average
    assert ax.patches[0].get_y() == pytest.approx(1 - half)
    assert ax.patches[0].get_height() == pytest.approx(2 * half)


def test_a_true_value_stands_on_its_curve():
    """x_2 given x_1 is normal, with the mean 5 + 0.8 x_1 and the deviation 0.6."""
    ((at, height),) = plots.posterior(CURVES, np.full(14, 5.9)).lines[1].get_xydata()
    assert at == 5.9 and height == pytest.approx(stats.norm(5, 0.6).pdf(5.9), rel=0.02)


# ---------------------------------------------------------------------------- losses


def test_losses_show_both_curves_the_best_epoch_and_the_entropy():
    ax = plots.losses(HISTORY, entropy=1.1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "NLL (nats, may be negative)")
    assert legend(ax) == ["training", "validation", "best epoch 3: 1.500", "exact entropy: 1.100"]
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    assert_array_equal(lines["training"], np.c_[[1, 2, 3, 4], HISTORY.train_nll])
    assert_array_equal(lines["validation"], np.c_[[1, 2, 3, 4], HISTORY.val_nll])
    assert_array_equal(lines["best epoch 3: 1.500"], [[3, 1.5]])
    assert_array_equal(lines["exact entropy: 1.100"][:, 1], [1.1, 1.1])
    assert ax.get_ylim()[0] < 1.1 and ax.get_ylim()[1] > 3.2
    assert legend(plots.losses(fc.History([2.0, 1.0], [], 1))) == ["training"]
    assert legend(plots.losses(fc.History([2.0], [2.5], None))) == ["training", "validation"]


def test_losses_of_reverse_kl_lie_above_minus_log_z():
    ax = plots.losses(HISTORY, log_evidence=(-1.1, 0.02))
    assert ax.get_ylabel() == "-ELBO (nats)" and legend(ax)[-1] == "-log Z: 1.100 +- 0.020"
    low, high = ax.patches[0].get_y(), ax.patches[0].get_y() + ax.patches[0].get_height()
    assert (low, high) == pytest.approx((1.06, 1.14)) and ax.get_ylim()[0] < 1.06
    assert list(ax.lines[-1].get_ydata()) == [1.1, 1.1]


TAIL = (1 + np.exp(-np.arange(60) / 10)).tolist()
SPIKED = [*TAIL[:10], 11.0, *TAIL[:9], 12.0, *TAIL]


@pytest.mark.parametrize(
    ("history", "ylim", "above", "within"),
    [
        (
            fc.History([1e6, 500.0, *TAIL], [2e6, 300.0, *TAIL], 61),
            None,
            "2 epochs, 2e+06",
            (2, 10),
        ),
        (fc.History(TAIL, TAIL, 59), None, "", (2, 3)),
        (fc.History(SPIKED, SPIKED, 39), None, "2 epochs, 12", (2, 8)),
        (HISTORY, (1.0, 2.5), "1 epoch, 3.2", (2.49, 2.51)),
        (HISTORY, (1.0, 4.0), "", (3.99, 4.01)),
        (fc.History([np.nan, 2.0, 1.0], [np.inf, 2.0, np.nan], 1), None, "", (2, 3)),
        (fc.History([np.nan], [np.nan], None), None, "", (-np.inf, np.inf)),
    ],
)
def test_huge_losses_do_not_hide_the_curve_and_are_counted(history, ylim, above, within):
    ax = plots.losses(history, ylim=ylim)
    top = ax.get_ylim()[1]
    assert within[0] < top < within[1]
    wanted = above.replace(",", " above the frame, up to")
    assert ax.get_title(loc="left") == wanted
    triangles = [line.get_xydata() for line in ax.lines if line.get_marker() == "^"]
    for nll, found in zip((history.train_nll, history.val_nll), triangles, strict=False):
        out = np.flatnonzero(np.array(nll) > top) + 1
        assert_array_equal(found, np.c_[out, np.full(len(out), top)])
    assert len(triangles) == (2 if above else 0)
    ax.figure.draw_without_rendering()


# ---------------------------------------------------------------------------- masks


def test_masks_layer_by_layer_and_their_product():
    made = fc.MADE(4, [6, 5], order=[3, 1, 4, 2])
    axes = plots.masks(made)
    assert titles(axes) == [
        "input to hidden 1", "hidden 1 to hidden 2", "hidden 2 to output", "product",
    ]  # fmt: skip
    for ax, mask in zip(axes, made.masks, strict=False):
        assert_array_equal(cells(ax), mask)
    assert ticks(axes[0].yaxis) == ["3", "1", "4", "2"]
    assert ticks(axes[0].xaxis) == ticks(axes[1].yaxis) == list(map(str, made.degrees[1]))
    assert ticks(axes[2].xaxis) == ["3", "3", "1", "1", "4", "4", "2", "2"]
    before = np.less.outer(made.degrees[0], made.degrees[0])
    assert_array_equal(cells(axes[3]), before)
    assert ticks(axes[3].xaxis) == [rf"$\phi_{{{i}}}$" for i in (1, 2, 3, 4)]


# ---------------------------------------------------------------------------- context


def test_conditional_flows_take_one_context():
    flow = chain("maf", layers=2, context_dim=3)
    context = np.array([5.0, -1.0, 2.0])
    drawn = plots.stages(flow, n=20, rng=1, context=context)[-1].collections[0].get_offsets()
    assert_array_equal(drawn, flow.sample(20, 1, context=context).reshape(20, 2))


def test_improbable_cells_are_labelled():
    """The least probable rows first, a likely value where the gain is large; others are counted."""
    ax = plots.cells(EXPLANATION, ax=new_axes())
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["2: -inf", "0: -30", "3: -2"]
    assert [text.get_text() for text in ax.texts] == ["40", "31.5", "Bern", "1 rows without log p"]
    assert len(plots.cells(EXPLANATION, most=1, ax=new_axes()).get_yticklabels()) == 1
    none = np.array([[np.nan]])
    nothing = Explanation(("a",), none[0], none, none, [np.array([1.0])])
    with pytest.raises(ValueError, match="no row has a log-density"):
        plots.cells(nothing)
