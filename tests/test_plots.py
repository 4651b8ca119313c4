"""Pictures: the right panels, labels and limits, nothing hidden, and no global state."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose, assert_array_equal
from stub_pictures import QUICK, chain, legend, new_axes, randomized, remarks, ticks, titles

import flowcore as fc
from flowcore import flows, plots
from flowcore.spec.reference import numerical_jacobian

matplotlib.use("Agg")


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(200, 2))


@pytest.fixture
def history():
    val_nll = [3.0, 2.0, 1.5, 1.7]
    return fc.History(train_nll=[3.2, 2.1, 1.4, 1.2], val_nll=val_nll, best_epoch=2)


def everything():
    """name -> a call of every function with its defaults."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    flow = chain("maf", layers=2)
    return {
        "scatter": lambda: plots.scatter(x, x[:, 0] > 0),
        "compare": lambda: plots.compare(x, 2 * x),
        "stages": lambda: plots.stages(flow, n=50),
        "density": lambda: plots.density(flow, **QUICK),
        "densities": lambda: plots.densities({"truth": fc.Normal(2), "flow": flow}, **QUICK),
        "losses": lambda: plots.losses(fc.History([3.0, 2.0], [3.0, 2.0], 1), entropy=1.0),
        "jacobian": lambda: plots.jacobian(flow, x[0]),
        "masks": lambda: plots.masks(fc.MADE(5, [8, 8])),
        "large masks": lambda: plots.masks(fc.MADE(20, [64, 64])),
        "grid": lambda: plots.grid(flow, cells=4),
        "network": lambda: plots.network(fc.MADE(5, [8, 8]), output=3),
        "log-dets": lambda: plots.log_dets(flow, x[:5]),
        "pairs": lambda: plots.pairs(np.hstack([x, 2 * x]), np.hstack([x, x]) + 1),
        "many pairs": lambda: plots.pairs(np.tile(x, 3), names=["a_very_long_name"] * 6),
        "bridges": lambda: plots.bridges(fc.Normal(2), fc.targets.two_moons(), **QUICK),
    }


# ---------------------------------------------------------------------------- global state


@pytest.mark.parametrize("name", everything())
def test_leaves_no_global_state_and_can_be_written(name):
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    axes = np.ravel(everything()[name]())
    assert all(isinstance(ax, Axes) for ax in axes)
    file = io.BytesIO()
    axes[0].figure.savefig(file)  # lays out and draws: warnings are errors
    assert file.getvalue().startswith(b"\x89PNG")
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", everything())
def test_nothing_is_cut_off_at_the_edges(name):
    figure = np.ravel(everything()[name]())[0].figure
    figure.draw_without_rendering()
    (left, bottom), (right, top) = figure.get_tightbbox().get_points()
    width, height = figure.get_size_inches()
    assert min(left, bottom, width - right, height - top) > -0.01


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


def test_draws_into_the_axes_it_is_given(points, history):
    ax = new_axes()
    assert plots.scatter(points, ax=ax) is ax
    assert plots.density(fc.Normal(2), ax=new_axes(), **QUICK).figure is not ax.figure
    for draw in (
        lambda ax: plots.compare(points, points, ax=ax),
        lambda ax: plots.density(fc.Normal(2), ax=ax, **QUICK),
        lambda ax: plots.losses(history, ax=ax),
        lambda ax: plots.jacobian(fc.Permute([1, 0]), [0.0, 1.0], ax=ax),
    ):
        ax = new_axes()
        assert draw(ax) is ax
    grid = new_axes(2, 2)
    assert_array_equal(plots.masks(fc.MADE(3, [4, 4]), ax=grid), grid.ravel())
    grid = new_axes(1, 2)
    assert_array_equal(plots.compare(points, points, ax=grid), grid.ravel())
    grid = list(new_axes(4))
    assert_array_equal(plots.stages(chain("maf", layers=2), n=5, ax=grid), grid)


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (lambda axes: plots.masks(fc.MADE(3, [4]), ax=axes), 3),
        (lambda axes: plots.stages(chain("maf", layers=3), n=5, ax=axes), 6),
        (lambda axes: plots.compare(np.eye(2), np.eye(2), ax=axes), 2),
        (lambda axes: plots.densities({"truth": fc.Normal(2)}, ax=axes, **QUICK), 1),
    ],
)
def test_wrong_number_of_axes(draw, wanted):
    with pytest.raises(ValueError, match=f"{wanted} Axes are needed.*not 4"):
        draw(new_axes(2, 2))


# ---------------------------------------------------------------------------- points


def test_scatter_draws_every_label_in_its_colour(points):
    labels = np.array(["b", "a"] * 100)
    ax = plots.scatter(points, labels)
    assert legend(ax) == ["a", "b"]
    assert_array_equal(ax.collections[0].get_offsets(), points[labels == "a"])
    assert_array_equal(ax.collections[1].get_offsets(), points[labels == "b"])
    colours = [tuple(dots.get_facecolor()[0]) for dots in ax.collections]
    assert len(set(colours)) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_{1}$", "$x_{2}$")
    assert plots.scatter(points).get_legend() is None


def test_frame_holds_all_points_or_says_how_many_it_does_not(points):
    ax = plots.scatter(points)
    assert remarks(ax) == []
    assert (points > [ax.get_xlim()[0], ax.get_ylim()[0]]).all()
    assert (points < [ax.get_xlim()[1], ax.get_ylim()[1]]).all()
    assert ax.get_aspect() == 1

    far = np.vstack([points, [[1e6, 0.0], [np.nan, 0.0], [0.0, np.inf]]])
    ax = plots.scatter(far)
    assert remarks(ax) == ["3 outside"]
    assert ax.get_xlim()[1] < 10


def test_scatter_in_a_given_frame_counts_what_lies_outside():
    x = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [3.0, 3.0]]
    ax = plots.scatter(x, xlim=(-1, 1), ylim=(-1, 2.5))
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 1), (-1, 2.5))
    assert remarks(ax) == ["2 outside"]
    with pytest.raises(ValueError, match="xlim must be"):
        plots.scatter(x, xlim=(1, -1))


def test_scales_are_equal_only_for_comparable_units(points):
    ax = plots.scatter(points * [1.0, 1000.0])
    assert ax.get_aspect() == "auto"
    assert ax.get_ylim()[1] > 500 * ax.get_xlim()[1]


def test_scatter_of_nothing_and_of_one_point():
    for x in (np.zeros((0, 2)), [[2.0, 3.0]], [[np.nan, np.nan]]):
        low, high = plots.scatter(x).get_xlim()
        assert low < high


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((4, 3)), np.zeros((2, 2, 2))])
def test_points_of_a_wrong_shape(bad):
    shape = str(bad.shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=f"x has shape {shape}"):
        plots.scatter(bad)
    with pytest.raises(ValueError, match=f"samples has shape {shape}"):
        plots.compare(np.eye(2), bad)
    with pytest.raises(ValueError, match=f"stage 'MAF' has shape {shape}"):
        plots.stages([("base", np.eye(2)), ("MAF", bad)])


def test_bad_labels(points):
    with pytest.raises(ValueError, match=r"labels have shape \(3,\), but there are 200 points"):
        plots.scatter(points, [1, 2, 3])
    with pytest.raises(ValueError, match="200 different values"):
        plots.scatter(points, np.arange(200))


def test_compare_beside_each_other_and_on_top(points):
    samples = 3 * points[:50]
    left, right = plots.compare(points, samples)
    assert titles([left, right]) == ["data", "samples"]
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()
    assert_array_equal(left.collections[0].get_offsets(), points)
    assert_array_equal(right.collections[0].get_offsets(), samples)
    assert left.get_xlim()[1] > samples[:, 0].max()

    ax = plots.compare(points, samples, ax=new_axes())
    assert legend(ax) == ["data", "samples"]
    assert len(ax.collections) == 2


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


def test_the_lines_of_pairs_are_around_half_of_the_samples():
    samples = np.random.default_rng(0).normal(size=(20_000, 2))
    wide, narrow = plots.pairs(samples[:50], samples)[1, 0].collections[1].get_paths()
    assert [np.abs(path.vertices).max().round(1) for path in (wide, narrow)] == [
        pytest.approx(np.sqrt(-2 * np.log(1 - share)), abs=0.2) for share in (0.95, 0.5)
    ]


def test_pairs_count_what_lies_outside_of_their_frames():
    x = np.random.default_rng(0).normal(size=(200, 2))
    x[0, 1], x[1, 0] = 1e6, np.nan
    samples = x[2:].copy()
    samples[0, 0] = 1e6
    axes = plots.pairs(x, samples)
    assert remarks(axes[0, 0]) == ["1 + 1 outside"] and remarks(axes[1, 1]) == ["1 outside"]
    assert axes[0, 0].get_xlim()[1] < 10 and axes[1, 1].get_xlim()[1] < 10
    assert remarks(axes[1, 0]) == []


def test_pairs_draw_as_many_samples_as_rows_and_not_too_many():
    x = np.random.default_rng(0).normal(size=(9000, 2))
    few = plots.pairs(x[:400], x)
    assert 300 <= len(few[0, 1].collections[0].get_offsets()) <= 400
    assert len(plots.pairs(x)[1, 0].collections[0].get_offsets()) <= 2000


def test_pairs_take_tables_and_axes():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.eye(2), columns=["age", "pa$y"])
    axes = plots.pairs(table)
    assert [ax.get_xlabel() for ax in axes[-1]] == ["age", r"pa\$y"]
    assert axes[0, 0].figure.legends == []
    given = new_axes(2, 2)
    assert_array_equal(plots.pairs(np.eye(2), ax=given), given)
    with pytest.raises(ValueError, match="4 Axes are needed, one a panel, not 3"):
        plots.pairs(np.eye(2), ax=new_axes(3))


def test_long_names_take_two_lines():
    axes = plots.pairs(
        np.random.default_rng(0).normal(size=(9, 12)), names=["nonflavanoid_phenols_of_a_wine"] * 12
    )
    assert axes[-1, 0].get_xlabel().count("\n") == 1 and axes[-1, 0].get_xlabel().endswith("..")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.pairs(np.zeros((5, 13))), r"1 to 12 columns, not \(5, 13\)"),
        (lambda: plots.pairs(np.zeros((5, 13))), r"not \(5, 13\); choose some of them, x\[:, :12"),
        (lambda: plots.pairs(np.zeros(5)), r"not \(5,\)"),
        (lambda: plots.pairs(np.eye(3), np.eye(2)), r"samples has shape \(2, 2\), but x has 3"),
        (lambda: plots.pairs(np.eye(3), names=["a"]), "1 names, but x has 3 columns"),
    ],
)
def test_pairs_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------------------- stages


@pytest.mark.parametrize(
    ("kind", "name"), [("maf", "MAF"), ("iaf", "IAF"), ("realnvp", "Coupling")]
)
def test_six_layers_and_five_swaps_are_twelve_panels(kind, name):
    axes = plots.stages(chain(kind, dtype=np.float32), n=30)
    assert axes.shape == (12,)
    assert len(axes[0].figure.axes) == 12
    assert titles(axes)[:4] == ["base", f"1: {name}", "2: Permute", f"3: {name}"]
    assert titles(axes)[-1] == f"11: {name}"
    assert {ax.get_aspect() for ax in axes} == {1.0}
    rows = {ax.get_subplotspec().rowspan.start for ax in axes}
    assert len(rows) == 3


def test_a_grid_has_no_empty_panels(points):
    axes = plots.stages([("base", points)] * 5)
    assert len(axes) == len(axes[0].figure.axes) == 5


def test_stages_show_what_the_flow_computes():
    flow = chain("maf", layers=2)
    axes = plots.stages(flow, n=40, rng=5)
    wanted = flow.stages(flow.base.sample(40, np.random.default_rng(5)))
    for ax, (_, x) in zip(axes, wanted, strict=True):
        assert_array_equal(ax.collections[0].get_offsets(), x)


def test_a_point_keeps_the_colour_of_its_first_quadrant():
    base = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [2.0, 2.0]])
    axes = plots.stages([("base", base), ("moved", base + 3)])
    first, last = (ax.collections[0].get_facecolor() for ax in axes)
    assert_array_equal(first, last)
    assert len({tuple(colour) for colour in first[:4]}) == 4
    assert_array_equal(first[4], first[0])


def test_stages_share_a_frame_unless_one_would_be_a_dot(points):
    same = plots.stages([("base", points), ("a", 0.8 * points + 0.5)])
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in same}) == 1
    small, large = plots.stages([("base", points), ("far", 50 * points + 1000)])
    assert small.get_xlim()[1] < 10 < 900 < large.get_xlim()[1]
    flow = flows.maf(2, layers=1, hidden=[4]).initialize(1000 + points * [1, 20])
    assert titles(plots.stages(flow, n=10)) == ["base", "1: MAF", "2: Standardize"]


def test_stages_with_labels_have_a_legend(points):
    axes = plots.stages([("base", points), ("a", points)], labels=points[:, 0] > 0)
    assert legend(axes[0]) == ["False", "True"]
    assert axes[1].get_legend() is None


def test_stages_count_points_that_overflow(points):
    broken = points.copy()
    broken[:7] = np.inf
    assert remarks(plots.stages([("base", points), ("broken", broken)])[1]) == ["7 outside"]


def test_stages_refuse_what_they_cannot_follow(points):
    with pytest.raises(ValueError, match=r"same points in all: they have \[200, 3\]"):
        plots.stages([("base", points), ("a", points[:3])])
    with pytest.raises(ValueError, match="has dim 3"):
        plots.stages(flows.maf(3, layers=1, hidden=[4]))


# ---------------------------------------------------------------------------- density


def colour_bar(ax):
    (bar,) = (other for other in ax.figure.axes if other is not ax)
    return bar


def test_density_has_the_given_limits_and_a_colour_bar():
    ax = plots.density(fc.Normal(2), (-3, 2), (-1, 4), **QUICK)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-3, 2), (-1, 4))
    assert colour_bar(ax).get_ylabel() == "density"
    assert ax.get_legend() is None
    assert ax.collections[0].levels[0] == 0
    assert 0.9 / (2 * np.pi) < ax.collections[0].levels[-1] < 1.3 / (2 * np.pi)


def table(n=300):
    """Rows far from the origin, in units of their own."""
    return np.random.default_rng(4).normal([1000.0, -50.0], [20.0, 5.0], (n, 2))


def test_the_window_of_a_density_follows_the_flow():
    """A picture around the origin would be blank, with a colour bar of 1e-245."""
    flow = flows.maf(2, layers=1, hidden=[4]).initialize(table())
    ax = plots.density(flow, **QUICK)
    for (low, high), mean, std in zip(
        (ax.get_xlim(), ax.get_ylim()), (1000, -50), (20, 5), strict=True
    ):
        assert mean - 12 * std < low < mean - 2 * std and mean + 2 * std < high < mean + 12 * std
    assert ax.collections[0].levels[-1] == pytest.approx(1 / (2 * np.pi * 100), rel=0.3)
    assert remarks(ax) == []
    given = plots.density(flow, ylim=(-51, 0), **QUICK)
    assert (given.get_xlim(), given.get_ylim()) == (ax.get_xlim(), (-51, 0))
    conditional = chain("maf", layers=2, context_dim=1)
    one, other = (plots.density(conditional, context=[c], **QUICK) for c in (-9.0, 9.0))
    assert one.get_xlim() != other.get_xlim()


def test_what_lies_outside_the_window_of_a_density_is_told():
    far = fc.MultivariateNormalDiag([1000.0, -50.0], [20.0, 5.0])
    message = "none of 1,000 samples lies in the window.*leave xlim and ylim out"
    for empty in (lambda: plots.density(far, (-3, 3), (-3, 3), **QUICK),
                  lambda: plots.densities({"far": far}, (-3, 3), (-3, 3), **QUICK)):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            empty()
    _, beside = plots.densities({"near": fc.Normal(2), "far": far}, **QUICK)
    assert remarks(beside) == ["100% outside"]
    (half,) = remarks(plots.density(fc.Normal(2), (0, 3), **QUICK))
    assert half.endswith("% outside") and 40 < int(half.split("%")[0]) < 60
    assert remarks(plots.density(fc.Normal(2), (-3, 3), (-3, 3), **QUICK)) == []


def test_the_window_of_a_function_is_around_the_origin():
    ax = plots.density(lambda x: np.ones(len(x)), **QUICK)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-3, 3), (-3, 3))


@pytest.mark.parametrize("kind", ["maf", "iaf", "realnvp"])
def test_density_of_flows_and_functions(kind):
    flow = chain(kind, layers=2, dtype=np.float32)
    window = {"xlim": (-3, 3), "ylim": (-3, 3)}
    by_flow, by_function = (plots.density(f, **window, **QUICK) for f in (flow, flow.prob))
    one, other = (ax.collections[0] for ax in (by_flow, by_function))
    assert_allclose(one.levels, other.levels, rtol=1e-5)


def test_density_lies_where_it_belongs():
    """Half the plane is empty: contours are drawn in the other half only, not transposed."""
    ax = plots.density(lambda x: np.where(x[:, 1] > 1, 1.0, 0.0), **QUICK)
    dark = ax.collections[0].get_paths()[-1].vertices
    assert dark[:, 1].min() > 0.5 and dark[:, 0].min() < -2.9


def test_density_that_is_not_finite_is_marked_and_counted():
    def broken(x):
        p = np.exp(-0.5 * np.sum(x**2, axis=-1))
        p[:30], p[30:35] = np.nan, np.inf
        return p

    ax = plots.density(broken, **QUICK)
    assert legend(ax) == ["not finite at 35 of 400 points"]
    assert ax.patch.get_hatch()
    ax = plots.density(lambda x: np.full(len(x), np.nan), **QUICK)
    assert legend(ax) == ["not finite at 400 of 400 points"]


def test_log_prob_of_minus_infinity_is_density_zero():
    class Half:
        dim = 2

        def log_prob(self, x):
            return np.where(x[:, 0] > 0, -np.sum(x**2, axis=-1), -np.inf)

    ax = plots.density(Half(), **QUICK)
    assert ax.get_legend() is None and not ax.patch.get_hatch()
    assert ax.collections[0].levels[-1] >= 0.9


def test_log_prob_beyond_the_range_of_float32_is_no_overflow():
    class Sharp:
        dim = 2

        def log_prob(self, x):
            return np.float32(200) - np.sum(x**2, axis=-1, dtype=np.float32)

    ax = plots.density(Sharp(), **QUICK)
    assert ax.get_legend() is None
    assert ax.collections[0].levels[-1] > 1e80


def test_a_spike_does_not_bleach_the_rest():
    def spiked(x):
        p = np.exp(-0.5 * np.sum(x**2, axis=-1))
        p[5] = 5e-3 * p.sum()
        return p

    filled = plots.density(spiked, n=100).collections[0]
    assert filled.extend == "max"
    assert 0.9 <= filled.levels[-1] <= 1.2
    assert plots.density(fc.Normal(2), n=100).collections[0].extend == "neither"


@pytest.mark.parametrize("height", [0.0, 1e-300, 1.0, 1e300])
def test_density_of_any_height_can_be_drawn(height):
    ax = plots.density(lambda x: height * np.exp(-np.sum(x**2, axis=-1)), **QUICK)
    levels = ax.collections[0].levels
    assert levels[0] == 0 and (np.diff(levels) > 0).all()
    assert height == 0 or 0.8 * height < levels[-1] <= 1.2 * height
    ax.figure.savefig(io.BytesIO())


def test_density_refuses_bad_input():
    normal = fc.Normal(2)
    with pytest.raises(ValueError, match=r"negative .* was log_prob given"):
        plots.density(normal.log_prob, **QUICK)
    with pytest.raises(ValueError, match=r"xlim must be \(low, high\)"):
        plots.density(normal, (1, -1))
    with pytest.raises(ValueError, match=r"ylim must be \(low, high\)"):
        plots.density(normal, (-1, 1), (0, np.inf))
    with pytest.raises(ValueError, match="n must be an integer >= 2, not 1"):
        plots.density(normal, n=1)
    with pytest.raises(ValueError, match="has dim 3"):
        plots.density(fc.Normal(3))
    with pytest.raises(ValueError, match="not one a row"):
        plots.density(lambda x: x, **QUICK)
    with pytest.raises(TypeError, match="a flow or a function, not 3"):
        plots.density(3)


def test_densities_share_the_frame_and_the_colours_of_the_first():
    wide = fc.MultivariateNormalDiag([0.0, 0.0], scale_diag=[2.0, 2.0])
    narrow = fc.MultivariateNormalDiag([0.0, 0.0], scale_diag=[0.2, 0.2])
    axes = plots.densities({"truth": fc.Normal(2), "wide": wide, "narrow": narrow}, n=41)
    assert titles(axes) == ["truth", "wide", "narrow"]
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in axes}) == 1
    assert axes[0].get_xlim() == plots.density(fc.Normal(2), **QUICK).get_xlim()
    truth, low, high = (ax.collections[0] for ax in axes)
    assert_array_equal(truth.levels, low.levels)
    assert_array_equal(truth.levels, high.levels)
    assert_array_equal(truth.get_facecolor(), low.get_facecolor())
    alone = plots.density(fc.Normal(2), n=41).collections[0]
    assert_array_equal(truth.levels, alone.levels)  # the truth is drawn as it is alone
    used = [np.flatnonzero([len(path.vertices) for path in drawn.get_paths()]).max() for drawn in
            (truth, low, high)]  # fmt: skip
    assert used[1] < used[0] < used[2] == len(high.levels) - 1  # beyond the scale: the arrow
    assert len(axes[0].figure.axes) == 4  # one colour bar
    assert [bool(remarks(ax)) for ax in axes] == [False, True, False]  # some lie outside
    assert "outside" in remarks(axes[1])[0]


def test_densities_are_drawn_in_the_rectangle_that_is_given():
    pair = {"a": fc.Normal(2), "b": lambda x: np.exp(-np.abs(x).sum(axis=1))}
    for ax in plots.densities(pair, (-1, 2), (0, 3), n=5):
        assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 2), (0, 3))
    with pytest.raises(ValueError, match="at least one flow"):
        plots.densities({})


# ---------------------------------------------------------------------------- losses


def test_losses_show_both_curves_the_best_epoch_and_the_entropy(history):
    ax = plots.losses(history, entropy=1.1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "NLL (nats, may be negative)")
    assert legend(ax) == ["training", "validation", "best epoch 3: 1.500", "exact entropy: 1.100"]
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    assert_array_equal(lines["training"], np.c_[[1, 2, 3, 4], history.train_nll])
    assert_array_equal(lines["validation"], np.c_[[1, 2, 3, 4], history.val_nll])
    assert_array_equal(lines["best epoch 3: 1.500"], [[3, 1.5]])
    assert_array_equal(lines["exact entropy: 1.100"][:, 1], [1.1, 1.1])
    assert ax.get_ylim()[0] < 1.1 and ax.get_ylim()[1] > 3.2


def test_losses_without_validation_or_best_epoch(history):
    assert legend(plots.losses(fc.History([2.0, 1.0], [], 1))) == ["training"]
    assert legend(plots.losses(fc.History([2.0], [2.5], None))) == ["training", "validation"]
    with pytest.raises(ValueError, match="no epochs"):
        plots.losses(fc.History())


def test_huge_first_epochs_are_left_out_and_said_to_be():
    tail = (1 + np.exp(-np.arange(60) / 10)).tolist()
    ax = plots.losses(fc.History([1e6, 500.0, *tail], [2e6, 300.0, *tail], 61))
    assert ax.get_title(loc="left") == "2 epochs above the frame, up to 2e+06"
    low, high = ax.get_ylim()
    assert low < 1 and 2 < high < 10
    ax = plots.losses(fc.History(tail, tail, 59))
    assert ax.get_title(loc="left") == "" and ax.get_ylim()[1] > 2


def test_a_spike_is_a_triangle_at_the_edge_and_does_not_hide_the_curve():
    nll = np.linspace(3.0, 2.0, 40)
    val = nll.copy()
    val[[10, 20]] = 11.0, 12.0
    ax = plots.losses(fc.History(nll.tolist(), val.tolist(), 39))
    top = ax.get_ylim()[1]
    assert 3.0 < top < 6.0
    assert ax.get_title(loc="left") == "2 epochs above the frame, up to 12"
    triangles = [line.get_xydata() for line in ax.lines if line.get_marker() == "^"]
    assert_array_equal(triangles[0], np.empty((0, 2)))
    assert_array_equal(triangles[1], [[11, top], [21, top]])


def test_losses_in_a_given_frame(history):
    ax = plots.losses(history, ylim=(1.0, 2.5))
    assert ax.get_ylim() == (1.0, 2.5)
    assert ax.get_title(loc="left") == "1 epoch above the frame, up to 3.2"
    assert plots.losses(history, ylim=(1.0, 4.0)).get_title(loc="left") == ""
    with pytest.raises(ValueError, match="ylim must be"):
        plots.losses(history, ylim=(2.0, 1.0))


def test_losses_that_are_not_finite_do_not_hinder():
    ax = plots.losses(fc.History([np.nan, 2.0, 1.0], [np.inf, 2.0, np.nan], 1))
    assert ax.get_ylim()[1] < 3
    plots.losses(fc.History([np.nan], [np.nan], None)).figure.savefig(io.BytesIO())


# ---------------------------------------------------------------------------- jacobian


def scrambled_maf(dtype=float):
    made = fc.MADE(4, [12], order=[3, 1, 4, 2], activation="tanh", dtype=dtype)
    return randomized(fc.MaskedAutoregressiveFlow(made), scale=0.4)


def cells(ax):
    return ax.images[0].get_array()


@pytest.mark.parametrize("direction", ["inverse", "forward"])
@pytest.mark.parametrize("invert", [False, True])
def test_jacobian_is_the_brute_force_one(direction, invert):
    bijector = fc.Invert(scrambled_maf()) if invert else scrambled_maf()
    x = np.array([0.3, -0.5, 0.8, 0.1])
    ax = plots.jacobian(bijector, x, direction)
    wanted = numerical_jacobian(getattr(bijector, direction), x)
    assert_allclose(cells(ax).filled(0.0), wanted, atol=1e-7)
    log_det = getattr(bijector, f"{direction}_log_det")(x)
    assert ax.get_title().endswith(f"= {log_det:.3f}")
    rows, columns = ("z", "x") if direction == "inverse" else ("x", "z")
    assert ticks(ax.yaxis) == [f"${rows}_{{{i}}}$" for i in (1, 2, 3, 4)]
    assert ticks(ax.xaxis) == [f"${columns}_{{{i}}}$" for i in (1, 2, 3, 4)]


@pytest.mark.parametrize("invert", [False, True])
def test_jacobian_shows_a_triangle_of_exact_zeros_once_sorted(invert):
    maf = scrambled_maf()
    bijector = fc.Invert(maf) if invert else maf
    x = [0.3, -0.5, 0.8, 0.1]
    upper = np.triu(np.ones((4, 4), bool), k=1)
    plain = plots.jacobian(bijector, x)
    assert plain.images[0].get_array().mask.sum() == 6
    ax = plots.jacobian(bijector, x, order=maf.made.degrees[0])
    assert_array_equal(cells(ax).mask, upper)
    assert ticks(ax.yaxis) == ["$z_{2}$", "$z_{4}$", "$z_{1}$", "$z_{3}$"]
    assert ticks(ax.xaxis) == ["$x_{2}$", "$x_{4}$", "$x_{1}$", "$x_{3}$"]
    assert legend(ax) == ["exactly 0"]


def test_zeros_have_a_colour_of_their_own_and_the_scale_is_centred():
    image = plots.jacobian(scrambled_maf(), [0.3, -0.5, 0.8, 0.1]).images[0]
    assert image.norm.vmin == -image.norm.vmax
    assert image.norm.vmax == np.abs(cells(image.axes)).max()
    zero, tiny = image.cmap(np.ma.masked_equal([0.0, 0.5], 0.0))
    assert np.abs(zero - tiny)[:3].min() > 0.1


def test_numbers_are_written_into_small_jacobians_only():
    ax = plots.jacobian(fc.Permute([1, 0]), [0.0, 0.0])
    assert remarks(ax) == ["0", "1", "1", "0"]
    big = plots.jacobian(fc.Permute(range(30)), np.zeros(30))
    assert remarks(big) == []
    assert len(ticks(big.xaxis)) <= 12


def test_jacobian_of_a_flow_in_float32_is_computed_in_float64():
    flow = chain("maf", layers=2, dtype=np.float32)
    assert flow.params.dtype == np.float32
    wide = flow.with_params(flow.params.astype(float))
    x = np.array([0.3, -0.5])
    wanted = numerical_jacobian(wide.to_latent, x)
    assert_allclose(cells(plots.jacobian(flow, x)), wanted, rtol=1e-8)


def test_jacobian_refuses_bad_input():
    maf = scrambled_maf()
    with pytest.raises(ValueError, match=r"one point, of shape \(4,\), not \(2, 4\)"):
        plots.jacobian(maf, np.zeros((2, 4)))
    with pytest.raises(ValueError, match='"inverse" or "forward", not \'back\''):
        plots.jacobian(maf, np.zeros(4), "back")
    with pytest.raises(ValueError, match=r"permutation of 1..4, not \[0, 1, 2, 3\]"):
        plots.jacobian(maf, np.zeros(4), order=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="not finite"):
        plots.jacobian(maf, [0.0, np.nan, 0.0, 0.0])
    with pytest.raises(TypeError, match="a bijector or a flow"):
        plots.jacobian(3, np.zeros(4))


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


def test_small_masks_have_cells_of_one_size():
    axes = plots.masks(fc.MADE(5, [8, 8]))
    axes[0].figure.draw_without_rendering()
    sizes = [np.array(ax.get_window_extent().size) / cells(ax).shape[::-1] for ax in axes]
    assert_allclose(sizes, sizes[0][0], rtol=0.05)


@pytest.mark.parametrize(("dim", "hidden"), [(1, [3]), (2, []), (2, [16, 16]), (5, [300, 200])])
def test_masks_of_all_sizes(dim, hidden):
    axes = plots.masks(fc.MADE(dim, hidden, n_out=1))
    assert len(axes) == len(hidden) + 2
    assert max(len(ticks(ax.xaxis)) for ax in axes) <= 12
    assert_array_equal(cells(axes[-1]), np.triu(np.ones((dim, dim), bool), k=1))
    axes[0].figure.savefig(io.BytesIO())


def test_masks_refuse_anything_else():
    with pytest.raises(TypeError, match=r"takes a MADE, not MaskedAuto.*give its \.made"):
        plots.masks(scrambled_maf())
    with pytest.raises(TypeError, match="takes a MADE, not 3"):
        plots.masks(3)


# ---------------------------------------------------------------------------- context


def test_conditional_flows_take_one_context():
    flow = chain("maf", layers=2, context_dim=3)
    context = np.array([0.5, -1.0, 2.0])
    drawn = plots.stages(flow, n=20, rng=1, context=context)[-1].collections[0].get_offsets()
    assert_array_equal(drawn, flow.sample(20, 1, context=context).reshape(20, 2))
    other = plots.stages(flow, n=20, rng=1, context=-context)[-1].collections[0].get_offsets()
    assert not np.array_equal(drawn, other)

    assert colour_bar(plots.density(flow, context=context, **QUICK)).get_ylabel() == "density"
    x = np.array([0.1, 0.2])
    wanted = numerical_jacobian(lambda v: flow.to_latent(v, context=context), x)
    assert_allclose(cells(plots.jacobian(flow, x, context=context)), wanted, atol=1e-7)
