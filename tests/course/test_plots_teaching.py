"""The pictures of the course: what is computed is drawn, and what is left out is counted."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf
from support.pictures import (
    MAF,
    QUICK,
    cells,
    chain,
    legend,
    new_axes,
    randomized,
    remarks,
    ticks,
    titles,
)

import flowcore as fc
from flowcore import targets, teaching
from flowcore.plots.drawing import BLUE
from flowcore.spec.reference import numerical_jacobian
from flowcore.teaching.pictures import grids

matplotlib.use("Agg")


class Broken(fc.Bijector):
    """Infinite to the right of 1, NaN above it, else the identity."""

    def __init__(self):
        super().__init__(dim=2)

    def forward_and_log_det(self, z, params=None, context=None):
        x = np.where(z > 1, [np.inf, np.nan], z)
        return x, np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        return x, np.where(x[..., 0] > 1, -np.inf, 0.0)


def overlaid(*scale):
    return fc.TransformedDistribution(fc.Normal(2), fc.ElementwiseAffine([0.0, 0.0], scale))


# ---------------------------------------------------------------------------- jacobian


@pytest.mark.parametrize("direction", ["inverse", "forward"])
@pytest.mark.parametrize("bijector", [MAF, fc.Invert(MAF)])
def test_jacobian_is_the_brute_force_one(direction, bijector):
    x = np.array([0.3, -0.5, 0.8, 0.1])
    ax = teaching.jacobian(bijector, x, direction)
    wanted = numerical_jacobian(getattr(bijector, direction), x)
    assert_allclose(cells(ax).filled(0.0), wanted, atol=1e-7)
    log_det = getattr(bijector, f"{direction}_log_det")(x)
    assert ax.get_title().endswith(f"= {log_det:.3f}")
    rows, columns = ("z", "x") if direction == "inverse" else ("x", "z")
    assert ticks(ax.yaxis) == [f"${rows}_{{{i}}}$" for i in (1, 2, 3, 4)]
    assert ticks(ax.xaxis) == [f"${columns}_{{{i}}}$" for i in (1, 2, 3, 4)]


def test_jacobian_shows_a_triangle_of_exact_zeros_once_sorted():
    x = [0.3, -0.5, 0.8, 0.1]
    assert cells(teaching.jacobian(MAF, x)).mask.sum() == 6
    ax = teaching.jacobian(MAF, x, order=MAF.made.degrees[0])
    assert_array_equal(cells(ax).mask, np.triu(np.ones((4, 4), bool), k=1))
    assert ticks(ax.yaxis) == ["$z_{2}$", "$z_{4}$", "$z_{1}$", "$z_{3}$"]
    assert ticks(ax.xaxis) == ["$x_{2}$", "$x_{4}$", "$x_{1}$", "$x_{3}$"]
    assert legend(ax) == ["exactly 0"]
    image = ax.images[0]
    assert image.norm.vmax == -image.norm.vmin == np.abs(cells(ax)).max()
    zero, tiny = image.cmap(np.ma.masked_equal([0.0, 0.5], 0.0))
    assert np.abs(zero - tiny)[:3].min() > 0.1


def test_numbers_are_written_into_small_jacobians_only():
    assert remarks(teaching.jacobian(fc.Permute([1, 0]), [0.0, 0.0])) == ["0", "1", "1", "0"]
    big = teaching.jacobian(fc.Permute(range(30)), np.zeros(30))
    assert remarks(big) == [] and len(ticks(big.xaxis)) <= 12


def test_jacobian_of_a_flow_in_float32_is_computed_in_float64():
    flow, x = chain("maf", layers=2, dtype=np.float32, context_dim=1), np.array([0.3, -0.5])
    wide = flow.with_params(flow.params.astype(float))
    wanted = numerical_jacobian(lambda v: wide.to_latent(v, context=[2.0]), x)
    assert_allclose(cells(teaching.jacobian(flow, x, context=[2.0])), wanted, rtol=1e-7)


# ---------------------------------------------------------------------------- grid


def luminance(colour):
    """What is left of a colour in grey."""
    return np.asarray(colour)[..., :3] @ [0.299, 0.587, 0.114]


def outlines(ax):
    """The corners of all cells, (cells^2, points, 2), without the one that closes the path."""
    (polygons,) = ax.collections
    return np.stack([path.vertices[:-1] for path in polygons.get_paths()])


def areas(outline):
    """By the shoelace formula; positive where the outline runs counterclockwise."""
    x, y = outline[..., 0], outline[..., 1]
    return 0.5 * (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)


@pytest.mark.parametrize("kind", ["maf", "realnvp"])
def test_the_cells_are_the_images_of_a_grid_at_every_stage(kind):
    flow = chain(kind, layers=3)
    axes = teaching.grid(flow, cells=6, reach=2.0)
    base = outlines(axes[0])
    assert base.shape == (36, 4 * grids.ON_A_SIDE, 2)
    assert base.min() == -2 and base.max() == 2
    assert_allclose(areas(base), (4 / 6) ** 2)
    stages = flow.stages(base.reshape(-1, 2))
    assert titles(axes) == ["base", *(f"{k}: {name}" for k, (name, _) in enumerate(stages) if k)]
    for ax, (_, x) in zip(axes, stages, strict=True):
        assert_allclose(outlines(ax), x.reshape(base.shape))


@pytest.mark.parametrize("kind", ["maf", "iaf"])
def test_area_times_density_is_the_mass_that_the_cell_had_in_the_base(kind):
    flow = chain(kind, layers=3)
    axes = teaching.grid(flow, cells=40)
    base, data = outlines(axes[0]), outlines(axes[-1])
    middle = (base[:, 0] + base[:, 2 * grids.ON_A_SIDE]) / 2
    mass = areas(base) * flow.base.prob(middle)
    x = flow.from_latent(middle)
    assert_allclose(np.abs(areas(data)) * flow.prob(x), mass, rtol=0.2, atol=2e-6)
    in_the_square = erf(2.5 / np.sqrt(2)) ** 2
    assert (np.abs(areas(data)) * flow.prob(x)).sum() == pytest.approx(in_the_square, rel=5e-3)
    assert not np.allclose(areas(data), areas(base), rtol=0.2)  # some grow, some shrink


def test_stages_of_a_grid_share_a_frame_unless_one_would_be_a_dot():
    shared = teaching.grid(overlaid(1.5, 1.0), cells=4)
    assert shared[0].get_xlim() == shared[1].get_xlim() and shared[1].get_xlim()[1] > 3.75
    assert {ax.get_aspect() for ax in shared} == {1.0}
    small, large = teaching.grid(overlaid(50.0, 40.0), cells=4)
    assert small.get_xlim()[1] < 10 < 120 < large.get_xlim()[1]
    assert not remarks(small) and not remarks(large)


def test_a_grid_in_a_given_frame_counts_the_cells_that_are_not_in_it():
    stretch = overlaid(2.0, 1.0).bijector
    axes = teaching.grid(stretch, cells=4, reach=2.0, xlim=(-2, 2), ylim=(-3, 3))
    assert titles(axes) == ["before", "after"]
    assert_allclose(areas(outlines(axes[1])), 2 * areas(outlines(axes[0])))
    assert [(ax.get_xlim(), ax.get_ylim()) for ax in axes] == [((-2, 2), (-3, 3))] * 2
    assert [remarks(ax) for ax in axes] == [[], ["8 of 16 cells outside"]]


def test_cells_that_are_not_finite_are_left_out_and_counted():
    before, after = teaching.grid(Broken(), cells=5)
    assert remarks(before) == [] and remarks(after) == ["16 of 25 cells outside"]
    drawn = np.isfinite(outlines(after)).all(axis=(1, 2))
    assert drawn.sum() == 9 and np.isnan(outlines(after)[~drawn]).all()
    inside = (outlines(before) <= 1).all(axis=(1, 2))
    assert_array_equal(drawn, inside)
    assert after.get_xlim()[1] < 3


def test_a_grid_of_a_conditional_flow():
    flow = chain("maf", layers=2, context_dim=1)
    one, other = (outlines(teaching.grid(flow, cells=4, context=[c])[-1]) for c in (-3.0, 3.0))
    assert np.abs(one - other).max() > 0.1
    bijector = flow.bijector
    after = teaching.grid(bijector, cells=4, context=[3.0])[1]
    assert_allclose(outlines(after), other)


# ---------------------------------------------------------------------------- animation


def test_a_film_is_written_as_gif(tmp_path):
    from PIL import Image

    before, ax = dict(matplotlib.rcParams), new_axes()
    film = teaching.grid_animation(chain("maf", layers=1), cells=4, frames=2, ax=ax)
    assert film._fig is ax.figure
    film.save(tmp_path / "grid.gif", writer="pillow", fps=12)
    with Image.open(tmp_path / "grid.gif") as picture:
        assert picture.format == "GIF" and picture.is_animated
        seen = {hash(_frame(picture, k)) for k in range(picture.n_frames)}
    assert len(seen) == 4  # two stages, and two frames between them
    assert dict(matplotlib.rcParams) == before


def _frame(picture, k):
    picture.seek(k)
    return picture.convert("RGB").tobytes()


# ---------------------------------------------------------------------------- network


def edges(ax, colour=None):
    """{(layer, from, to)}: the edges that are drawn, of one colour or all; by the units' places."""
    columns = [dots.get_offsets() for dots in ax.collections]
    found = set()
    for line in ax.lines:
        if colour in (None, line.get_color()):
            begin, end = line.get_xydata()
            i, j = (_unit(columns[round(x)], y) for x, y in (begin, end))
            assert round(end[0]) == round(begin[0]) + 1
            found.add((round(begin[0]), i, j))
    return found


def _unit(column, y):
    return int(np.flatnonzero(np.isclose(column[:, 1], y)).item())


def allowed(made):
    """The same of its masks, one unit for every output."""
    masks = [*made.masks[:-1], made.masks[-1][:, :: made.n_out]]
    return {(k, int(i), int(j)) for k, mask in enumerate(masks) for i, j in np.argwhere(mask)}


MADES = {
    "plain": lambda: fc.MADE(5, [8, 8]),
    "another order": lambda: fc.MADE(4, [6, 5], order=[3, 1, 4, 2], n_out=3),
    "random degrees": lambda: fc.MADE(3, [7], degrees="random", n_out=1, rng=2),
    "no hidden layer": lambda: fc.MADE(3, []),
    "one input": lambda: fc.MADE(1, [3]),
    "with context": lambda: fc.MADE(3, [6], context_dim=2),
}


@pytest.mark.parametrize("name", MADES)
def test_edges_are_the_entries_of_the_masks(name):
    made = MADES[name]()
    ax = teaching.network(made)
    assert edges(ax) == edges(ax, BLUE) == allowed(made)
    degrees = [*made.degrees, made.degrees[0]]
    count = sum(map(len, degrees))
    assert remarks(ax)[:count] == [str(d) for units in degrees for d in units]
    symbols = [f"${s}_{{{i + 1}}}$" for s in ("x", r"\phi") for i in range(made.dim)]
    hidden = [f"hidden {k + 1}" for k in range(len(made.hidden))]
    assert remarks(ax)[count:] == [*symbols, "input", *hidden, "output"]


def reaches(made, output):
    """Which inputs an output depends on: numerically, at random weights."""
    made = randomized(made, scale=1.0)
    x = np.random.default_rng(1).normal(size=(50, made.dim))
    found = []
    for i in range(made.dim):
        moved = x.copy()
        moved[:, i] += 1.0
        found.append(bool(np.any(made(moved)[:, output] != made(x)[:, output])))
    return found


@pytest.mark.parametrize("output", range(4))
def test_the_paths_to_an_output_are_dark_and_all_else_is_pale(output):
    made = fc.MADE(4, [6, 5], order=[3, 1, 4, 2], activation="tanh")
    ax = teaching.network(made, output=output)
    inks = [luminance(to_rgba(line.get_color())) for line in ax.lines]
    assert max(inks) - min(inks) > 0.35 or output == 1  # which is the first: it sees nothing
    dark = edges(ax, BLUE)
    assert edges(ax) == allowed(made) and dark < allowed(made)
    starts = {i for layer, i, _ in dark if layer == 0}
    assert starts == set(np.flatnonzero(reaches(made, output)))
    assert {j for layer, _, j in dark if layer == 2} <= {output}
    for layer, _, j in dark - {edge for edge in dark if edge[0] == 2}:
        assert any(i == j for after, i, _ in dark if after == layer + 1)  # no dead end
    for layer, i, j in allowed(made) - dark:  # nothing on a path is pale
        on = (layer == 2 and j == output) or any(b == j and a == layer + 1 for a, b, _ in dark)
        assert not on, (layer, i, j)
    names = {text.get_text(): text.get_color() for text in ax.texts if "$" in text.get_text()}
    pale = {name for name, colour in names.items() if luminance(to_rgba(colour)) > 0.3}
    unseen = {f"$x_{{{i + 1}}}$" for i in range(4) if not reaches(made, output)[i]}
    assert pale == unseen | {rf"$\phi_{{{i + 1}}}$" for i in range(4) if i != output}


def test_units_stand_inside_of_the_frame_the_first_on_top():
    ax = teaching.network(fc.MADE(24, [24]))
    for dots in ax.collections:
        x, y = dots.get_offsets().T
        assert (np.diff(y) < 0).all()
        assert ax.get_xlim()[0] < x.min() and x.max() < ax.get_xlim()[1]
        assert ax.get_ylim()[0] < y.min() and y.max() < ax.get_ylim()[1]


# ---------------------------------------------------------------------------- log-dets


def stacks(ax):
    """name -> (bottom, height) of its bars, (points, 2)."""
    return {bar.get_label(): np.array([[b.get_y(), b.get_height()] for b in bar])
            for bar in ax.containers}  # fmt: skip


def sums(ax):
    """The middle and the height of every black mark."""
    (lines,) = (c for c in ax.collections if c.get_label() == "log p(x), the sum")
    return np.array([segment.mean(axis=0) for segment in lines.get_segments()]).reshape(-1, 2)


def with_a_base_that_is_a_flow():
    inner, outer = chain("maf", layers=1, context_dim=2), chain("maf", layers=3, context_dim=2)
    return fc.TransformedDistribution(inner, outer.bijector)


@pytest.mark.parametrize(
    ("flow", "name", "context"),
    [
        *((chain(kind, layers=3), name, None)
          for kind, name in (("maf", "MAF"), ("iaf", "IAF"), ("realnvp", "Coupling"))),
        (with_a_base_that_is_a_flow(), "MAF", [0.5, -1.0]),
        (with_a_base_that_is_a_flow(), "MAF", np.linspace(-1, 1, 10).reshape(5, 2)),
    ],
)  # fmt: skip
def test_bars_add_up_to_the_log_density(flow, name, context):
    x = np.random.default_rng(1).normal(size=(5, 2))
    ax = teaching.log_dets(flow, x, context=context)
    found, log_p = stacks(ax), flow.log_prob(x, context=context)
    assert list(found) == ["base: log p(z)", *(f"{k}: {name}" for k in (1, 3, 5))]  # no swaps
    z = flow.to_latent(x, context=context)
    options = {} if context is None else {"context": context}
    assert_allclose(found["base: log p(z)"][:, 1], flow.base.log_prob(z, **options))
    for k, (part, way) in enumerate(flow.bijector.steps("forward"), 1):
        own = context if part.context_dim else None
        z, log_det = getattr(part, f"{way}_and_log_det")(z, context=own)
        if k % 2:
            assert_allclose(found[f"{k}: {name}"][:, 1], -np.broadcast_to(log_det, 5))
    heights = np.array([bar[:, 1] for bar in found.values()])
    assert_allclose(heights.sum(axis=0), log_p)
    assert_allclose(sums(ax), np.c_[np.arange(5), log_p])
    assert ticks(ax.xaxis) == ["1", "2", "3", "4", "5"] and ax.get_ylabel() == "nats"
    for point in range(5):  # each bar begins where the last one of its side ends
        ends = {True: 0.0, False: 0.0}
        for bottom, height in (bar[point] for bar in found.values()):
            assert bottom == pytest.approx(ends[height >= 0])
            ends[height >= 0] += height


def test_many_parts_look_different_and_none_is_black():
    flow = randomized(fc.TransformedDistribution(
        fc.Normal(2), fc.Chain([fc.RealNVP(2, hidden=[4], rng=k) for k in range(16)])
    ))  # fmt: skip
    ax = teaching.log_dets(flow, np.zeros((1, 2)))
    looks = [(bar[0].get_facecolor(), bar[0].get_hatch()) for bar in ax.containers]
    assert len(looks) == len(set(looks)) == 17
    assert (0, 0, 0, 1) not in {colour for colour, _ in looks}
    first = [luminance(colour) for colour, hatch in looks[:7]]
    assert np.abs(np.diff(first)).min() > 0.09  # neighbours, in grey


def test_a_point_without_a_finite_density_has_its_value():
    flow = fc.TransformedDistribution(fc.Normal(2), Broken())
    ax = teaching.log_dets(flow, [[0.5, 0.0], [2.0, 0.0], [2.0, 0.0]])
    assert remarks(ax) == [" log p = \N{MINUS SIGN}inf"] * 2
    assert ax.texts[0].get_position() == (1, ax.get_ylim()[0])
    assert_allclose(sums(ax), [[0, flow.log_prob([0.5, 0.0])]])
    box = fc.TransformedDistribution(fc.Uniform(2, 0.0, 1.0), fc.Permute([1, 0]))
    ax = teaching.log_dets(box, [[3.0, 3.0]])
    assert remarks(ax) == [" log p = \N{MINUS SIGN}inf"] and len(sums(ax)) == 0
    ax.figure.draw_without_rendering()


# ---------------------------------------------------------------------------- bridges


def hatched(ax):
    """The corners of what is hatched."""
    (stray,) = (c for c in ax.collections if getattr(c, "hatches", [None])[0] == "////")
    vertices = [path.vertices for path in stray.get_paths() if len(path.vertices)]
    return np.concatenate(vertices) if vertices else np.empty((0, 2))


def test_hatched_is_where_the_flow_has_density_and_the_truth_has_not():
    truth = fc.MultivariateNormalDiag([1.0, 0.0], [0.5, 0.5])
    flow = fc.MultivariateNormalDiag([0.0, 0.0], [0.5, 0.5])
    ax = teaching.bridges(flow, truth, (-4, 4), (-4, 4), n=161)
    where, one_cell = hatched(ax), 8 / 160
    level = 0.5 * np.sqrt(-2 * np.log(0.001))  # the radius that holds 99.9% of a normal
    reach = 0.5 * np.sqrt(2 * 4 * np.log(10))  # and that of a ten-thousandth of the highest
    assert (np.hypot(*(where - [1, 0]).T) > level - 2 * one_cell).all()
    assert (np.hypot(*where.T) < reach + 2 * one_cell).all()
    assert where[:, 0].min() == pytest.approx(-reach, abs=2 * one_cell)
    same = teaching.bridges(truth, truth, (-2, 4), (-3, 3), n=121)
    assert same.get_title() == "0.1% of its mass is stray"


def test_the_title_of_bridges_is_the_stray_mass():
    truth = targets.eight_gaussians()
    share = fc.stray_mass(fc.Normal(2), truth).share
    assert share > 0.1
    ax = teaching.bridges(fc.Normal(2), truth, **QUICK)
    assert ax.get_title() == f"{share:.1%} of its mass is stray"
    assert legend(ax)[0] == "99.9% of the truth lies inside"
    colour_bar = next(other for other in ax.figure.axes if other is not ax)
    assert "log" in colour_bar.get_ylabel()


def test_the_window_of_bridges_follows_the_truth_and_counts_what_lies_outside():
    truth = targets.eight_gaussians()
    wide = fc.MultivariateNormalDiag([0.0, 0.0], [9.0, 9.0])
    ax = teaching.bridges(wide, truth, **QUICK)
    assert 3.5 < ax.get_xlim()[1] < 6
    (outside,) = remarks(ax)
    assert outside.endswith("% outside") and int(outside.split("%")[0]) > 50
    ax = teaching.bridges(fc.Normal(2), truth, (-5, 6), (-4, 7), **QUICK)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-5, 6), (-4, 7))
    assert remarks(ax) == []


def test_the_line_of_bridges_is_closed_and_holds_the_truth():
    truth = targets.two_moons(0.1)
    ax = teaching.bridges(fc.Normal(2), truth, n=121)
    (line,) = (c for c in ax.collections if len(getattr(c, "levels", [])) == 1)
    vertices = np.concatenate([path.vertices for path in line.get_paths()])
    found = truth.log_prob(vertices)
    assert_allclose(found, fc.metrics.log_density_floor(truth), atol=0.2)
    low, high = np.array([ax.get_xlim(), ax.get_ylim()]).T
    assert (vertices > low).all() and (vertices < high).all()


def test_bridges_mark_and_count_what_is_not_finite():
    class Half(fc.Distribution):
        dim, sample = 2, fc.Normal(2).sample

        def log_prob(self, x):
            return np.where(x[:, 0] > 4, np.inf, fc.Normal(2).log_prob(x))

    ax = teaching.bridges(Half(), targets.eight_gaussians(), (-5, 5), (-5, 5), **QUICK)
    assert legend(ax)[-1] == "not finite at 40 of 400 points" and ax.patch.get_hatch()


def test_bridges_without_any_and_of_a_bounded_truth():
    """No contour to draw is no warning; a flat truth has one density throughout."""
    ax = teaching.bridges(
        fc.Uniform(2, 0.0, 1.0), fc.Uniform(2, 0.0, 1.0), (0.1, 0.9), (0.1, 0.9), 9
    )
    assert ax.get_title() == "0.0% of its mass is stray" and len(hatched(ax)) == 0
    board = teaching.bridges(fc.Normal(2), targets.checkerboard(), (-3, 3), (-3, 3), n=61)
    assert 0.4 < float(board.get_title().split("%")[0]) / 100 < 0.6
    where = hatched(board)
    assert np.abs(where).max() <= 3 and len(where)
    ax.figure.draw_without_rendering(), board.figure.draw_without_rendering()
