"""The Flow Bench's Python: what the page computes is what flowcore computes.

The page itself, in a browser, is tested in tests/site/browser.
"""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from autograd import value_and_grad
from support.places import ROOT

import flowcore as fc
from flowcore import teaching

LIVE = ROOT / "docs" / "live"
sys.path.insert(0, str(LIVE))

import flow_bench  # noqa: E402
from flow_bench import densities, desk, drawings, recipes, tasks, training, views  # noqa: E402
from flow_bench.settings import FLOWS, Settings  # noqa: E402

BOTH = [True, False]


@pytest.fixture(autouse=True)
def a_bench_of_ones_own(monkeypatch):
    monkeypatch.setattr(desk, "_bench", [])


def call(name, **arguments):
    found = flow_bench.call(name, arguments)
    assert "error" not in found, found
    return found


def on_the_bench(**settings):
    call("build", settings=settings)
    return desk._bench[0].training


def trained(steps=40, **settings):
    now = on_the_bench(**settings)
    call("train", steps=steps)
    return now


# ------------------------------------------------------------ settings


def built(**settings):
    return "build", {"settings": settings}


def painted(points):
    return "build", {"settings": {"data": "painted"}, "painted": points.ravel()}


def table(text, **options):
    return "read_table", {"text": text, **options}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (built(flow="glow"), "flow must be one of made, .*: not 'glow'"),
        (built(data="circles"), "data must be one of two_moons"),
        (built(method="fast"), "method must be one of"),
        (built(layers=9), "layers must be an integer from 1 to 8: not 9"),
        (built(layers=2.0), "layers must be an integer"),
        (built(width=True), "width must be an integer"),
        (built(permute=1), "permute must be true or false"),
        (built(points=5), "points must be 0"),
        (built(depth=3), "there is no setting 'depth'"),
        (built(data="painted"), "nothing is painted yet"),
        (built(data="table"), "no table is here"),
        (painted(np.zeros((5, 2))), "has 5 points: at least 20"),
        (painted(np.ones((30, 2))), "column 1 has the one value 1"),
        (painted(np.full((30, 2), np.nan)), "not finite"),
        (("walk_by", {"method": "fast"}), "method must be one of"),
        (("network", {"variables": 9}), "2 to 8 variables"),
        (("sequential_seconds", {}), "no sequential direction"),
        (("overlap", {"drawing": [1.0]}), "40 x 40"),
        (("overlap", {"drawing": [-1.0] * 1600}), "not negative"),
        (("judge", {"task": 10, "answer": 0}), "there is no task 10"),
        (table(""), "the file is empty"),
        (table("a,b\n"), "names, but no rows"),
        (table("a,b\n1,x\n"), "two columns of numbers are needed: this file has 1"),
        (table("a,b\n1,2\n3,x\n"), "row 3, column 'b' is 'x': not a finite number"),
        (table("a,b\n1,2\n3,\n"), "row 3, column 'b' is empty"),
        (table("1,2\n3,inf\n"), "row 2, column 'column 2' is 'inf'"),
        (table("a,b\n1,2\n1,2,3\n"), "row 3 has 3 cells, the first one 2"),
        *(
            (("check", {"exercise": name, "code": code}), message)
            for name, code, message in (
                ("1a", "", "nothing is typed yet: type a number"),
                ("1a", "1 +", r"'1 \+' is no number: type a number"),
                ("1a", "1 / 0", "'1 / 0' has no value: type a number"),
                ("1a", "x", "'x' has 'x' in it: type a number"),
                ("1c", "def f(x):", "IndentationError"),
            )
        ),
        (table('a,b\n"' + "1,2\n" * 50_000), r"larger than field limit \(131072\): a quote may"),
        (table("a,b\n1,2\n", columns=["a", "c"]), "no column 'c' of numbers: there are a, b"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_changes_nothing(asked, message):
    before = trained(5, flow="realnvp", width=8)
    error = flow_bench.call(*asked)["error"]
    assert re.search(message, error), error
    assert desk._bench[0].training is before


def test_a_page_needs_numpy_and_autograd_only():
    program = f"""
import sys
sys.path.insert(0, {str(LIVE)!r})
import flow_bench
names, flows = {list(densities.TARGETS)!r}, {list(FLOWS)!r}
for settings in [*({{"data": name}} for name in names), *({{"flow": name}} for name in flows)]:
    found = flow_bench.call("build", {{"settings": settings}})
    assert "error" not in found, found
    for name in ("train", "look", "truth", "floor", "network"):
        assert "error" not in flow_bench.call(name), name
print(sorted({{"scipy", "sklearn", "matplotlib", "tqdm"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


# ------------------------------------------------------------ flows and their training


STARTS = [(name, permute) for name in FLOWS for permute in BOTH if name != "continuous" or permute]


@pytest.mark.parametrize(("name", "permute"), STARTS)
def test_flows_are_bijectors_that_start_as_a_gaussian(name, permute, monkeypatch):
    monkeypatch.setattr(recipes, "TIMES", 32)  # the page's own solver takes few steps
    now = on_the_bench(flow=name, permute=permute, layers=3, width=8, data="correlated_gaussian")
    normal = fc.MultivariateNormalDiag(now.data.truth.mean(), now.data.truth.std())
    if name != "nsf":  # its base has other tails
        x = now.data.judges[:50]
        np.testing.assert_allclose(now.flow.log_prob(x), normal.log_prob(x), atol=1e-12)
    fc.testing.check_bijector(fc.testing.randomize(now.start.bijector, 0.5, rng=1))


@pytest.mark.parametrize("name", FLOWS)
def test_every_flow_does_without_hidden_units(name):
    now = trained(2, flow=name, layers=2, width=0)
    assert np.isfinite(now.flow.log_prob(now.data.judges[:50])).all()


@pytest.mark.parametrize("name", ["maf", "realnvp", "nsf", "iaf", "nice"])
def test_with_permutations_the_flow_is_the_recipe(name):
    settings = Settings(flow=name, layers=3, width=8, seed=4)
    recipe = getattr(fc.flows, name)(2, 3, hidden=[8, 8], rng=4)
    assert repr(recipes.build(settings)) == repr(recipe)
    assert np.array_equal(recipes.build(settings).params, recipe.params)


def test_without_permutations_the_jacobian_is_one_triangle():
    for name in ("maf", "iaf", "realnvp", "nice", "nsf"):
        now = on_the_bench(flow=name, permute=False, layers=3, width=8)
        layers = fc.testing.randomize(now.start.bijector, rng=2)
        now.average.values[-layers.n_params :] = layers.params  # behind those of the base
        now.step = 1
        jacobian = np.array(call("point", x=[0.3, 0.4])["jacobian"])
        assert jacobian[0, 1] == 0 and abs(jacobian[1, 0]) > 1e-6


def test_steps_are_those_of_a_loop_by_hand():
    now = trained(30, flow="realnvp", layers=2, width=8, points=300, seed=3)
    flow = now.start
    rows = np.random.default_rng([3, 1])
    x = now.data.truth.sample(300, rng=rows)
    rng, theta = np.random.default_rng([3, 2]), np.array(flow.params)
    m, v, mean = 0 * theta, 0 * theta, theta.copy()
    for t in range(30):
        batch = x[rng.permutation(300)[:256]]
        nll, gradient = value_and_grad(lambda th, b=batch: -flow.log_prob(b, params=th).mean())(
            theta
        )
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        step = m / (1 - 0.9 ** (t + 1)) / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
        theta = theta - training.RATE(t) * step
        mean += (1 - min(training.DECAY, t / (t + 10))) * (theta - mean)
    assert now.losses[-1] == (29, pytest.approx(nll, abs=1e-9))
    np.testing.assert_allclose(now.flow.params, mean, atol=1e-9)


def test_slices_are_the_same_as_one_go():
    once = trained(25, flow="maf", width=8).flow.params
    now = on_the_bench(flow="maf", width=8)
    while now.step < 25:
        call("train", steps=min(4, 25 - now.step), seconds=1e-9)
        call("look", size=8)
    assert np.array_equal(now.flow.params, once)
    assert not np.array_equal(trained(25, flow="maf", width=8, seed=1).flow.params, once)


@pytest.mark.parametrize("name", FLOWS)
def test_a_change_of_the_last_digit_does_not_grow(name):
    on_the_bench(flow=name)
    runs = [training.Training(desk._bench[0].settings, desk._bench[0].training.data)
            for _ in range(2)]  # fmt: skip
    runs[1].theta *= 1 + 1e-15 * np.random.default_rng(0).normal(size=runs[1].theta.shape)
    for run in runs:
        run.steps(100)
    nll = [views.distance(run)["nll"] for run in runs]
    assert abs(nll[0] - nll[1]) < 1e-7


def test_losses_that_are_remembered_stay_few():
    now = trained(950, flow="made", width=2)
    assert len(now.losses) <= training.KEPT and now.losses[0][0] == 0
    assert np.ptp(np.diff([step for step, _ in now.losses])) == 0


def test_a_loss_that_is_not_finite_is_an_error():
    now = on_the_bench(flow="maf", width=8)
    now.theta[:] = 1e200
    assert "diverged at step 0" in flow_bench.call("train", {"steps": 1})["error"]


@pytest.mark.parametrize(
    "settings",
    [
        {"flow": "maf", "permute": False},
        {"flow": "made"},
        {"flow": "nice", "data": "checkerboard"},
        {"flow": "realnvp", "layers": 1, "data": "eight_gaussians"},
    ],
    ids=lambda s: " ".join(map(str, s.values())),
)
def test_no_training_goes_below_the_floor(settings):
    now = trained(300, width=16, **settings)
    found, bottom = views.distance(now), call("floor")["kl"]
    assert bottom - 3 * found["kl_error"] < found["kl"] < bottom + 0.7
    assert found["kl"] < views.distance(on_the_bench(width=16, **settings))["kl"]


def test_floors_that_nobody_knows_are_none():
    for settings in ({}, {"flow": "maf"}, {"flow": "maf", "permute": False, "data": "pinwheel"}):
        on_the_bench(**settings)
        assert call("floor")["kl"] is None


# ------------------------------------------------------------ pictures


@pytest.mark.parametrize("name", FLOWS)
def test_the_grid_goes_through_the_flow(name):
    now = trained(flow=name, width=8)
    found = views.stages(now)
    lines = found["lines"].reshape(*found["shape"], 2)
    np.testing.assert_allclose(lines[0], views.grid_of_base(), atol=1e-6)
    np.testing.assert_allclose(lines[-1], now.flow.from_latent(lines[0].astype(float)), atol=1e-4)
    assert len(found["names"]) == len(found["frames"]) == found["shape"][0]
    assert found["cloud"].shape == (found["shape"][0] * views.CLOUD * 2,)
    few, many = (views.stages(now, dots) for dots in (49, 193))  # more dots, the same lines
    few, many = (found["lines"].reshape(*found["shape"], 2) for found in (few, many))
    np.testing.assert_allclose(many[:, :, ::4], few, atol=1e-5)


def test_columns_that_are_unlike_have_their_own_scales():
    rows = np.random.default_rng(0).normal(size=(100, 2))
    left, right, bottom, top = densities.of_rows(rows, "it", 0).frame
    assert right - left == pytest.approx(top - bottom)  # alike: a square
    left, right, bottom, top = densities.of_rows(rows * [1, 100], "it", 0).frame
    assert 50 < (top - bottom) / (right - left) < 200


@pytest.mark.parametrize("name", FLOWS)
def test_a_points_parts_are_its_log_density(name):
    now, x = trained(flow=name, width=8), np.array([0.7, -0.2])
    found = views.point(now, x)
    assert found["log_p"] == pytest.approx(float(now.flow.log_prob(x)), abs=1e-10)
    assert found["log_p"] == pytest.approx(sum(nats for _, nats in found["parts"]), abs=1e-12)
    error = 1e-3 if name == "continuous" else 1e-9  # the solver's, of few steps
    assert found["log_det"] == pytest.approx(np.linalg.slogdet(found["jacobian"])[1], abs=error)
    h, z = 1e-6, np.array(found["z"])
    by_hand = [(now.flow.from_latent(z + e) - now.flow.from_latent(z - e)) / (2 * h)
               for e in h * np.eye(2)]  # fmt: skip
    np.testing.assert_allclose(np.array(found["jacobian"]), np.transpose(by_hand), atol=1e-5)
    np.testing.assert_allclose(
        found["stages"].reshape(-1, 2)[[0, -1]], [z, x], atol=max(error, 1e-6)
    )


def test_a_density_stands_the_right_way_up():
    now = trained(flow="maf", width=8)
    found, frame = call("look", size=20), now.data.frame
    picture = found["density"].reshape(20, 20)
    width = (frame[1] - frame[0]) / 20
    x = [frame[0] + 2.5 * width, frame[3] - 4.5 * width]  # row 4 from the top, column 2
    assert picture[4, 2] == pytest.approx(float(now.flow.prob(np.array(x))), rel=1e-5)
    assert 0.9 < picture.sum() * width**2 < 1.02


def test_the_distance_is_that_to_the_truth():
    now = trained(100, flow="realnvp", width=8)
    found, exact = views.distance(now), call("measure", n=20_000, rng=5)
    assert abs(found["kl"] - exact["kl"]) < 4 * found["kl_error"]
    assert found["nll"] - found["entropy"] == pytest.approx(found["kl"], abs=4 * found["nll_error"])
    assert (exact["kl"], exact["kl_error"]) == fc.kl_to_truth(now.flow, now.data.truth, rng=5)


@pytest.mark.parametrize("name", ["two_moons", "checkerboard", "correlated_gaussian"])
def test_before_the_first_step_the_distance_is_exact(name):
    now = on_the_bench(data=name, flow="maf", layers=2, width=8)
    truth = now.data.truth
    nll = np.log(2 * np.pi) + 1 + np.log(truth.std()).sum()
    found = views.distance(now)
    assert found["nll"] == pytest.approx(nll, abs=1e-9)
    assert found["kl"] == pytest.approx(nll - truth.entropy(), abs=1e-9)


def test_control_variates_lower_the_error_and_keep_the_mean():
    now = trained(100, flow="maf", layers=2, width=8)
    x = now.data.truth.sample(100_000, rng=1)
    values = -now.flow.log_prob(x)
    found = views.distance(now)
    error = np.hypot(found["nll_error"], values.std() / np.sqrt(len(values)))
    assert abs(found["nll"] - values.mean()) < 5 * error
    assert found["nll_error"] < 0.9 * np.std(-now.flow.log_prob(now.data.judges)) / np.sqrt(2000)


def test_without_hidden_units_a_flow_is_linear():
    now = trained(100, data="correlated_gaussian", flow="maf", layers=1, width=0)
    slopes = [call("point", x=x)["jacobian"][1][0] for x in ((0.0, 0.0), (0.0, 1.0))]
    assert slopes[0] == pytest.approx(slopes[1], rel=0.05) and 0.3 < slopes[0] < 1
    assert now.settings.hidden == []
    found = call("network", variables=3)
    assert [layer["mask"].sum() for layer in found["layers"]] == [2 * (0 + 1 + 2)]
    assert found["walk"]["computed"] == 0


def test_of_painted_points_nobody_knows_the_distance():
    points = np.random.default_rng(0).normal(size=(100, 2))
    call("build", settings={"data": "painted", "flow": "maf", "width": 8}, painted=points.ravel())
    call("train", steps=20)
    found = call("look", size=8)
    now = desk._bench[0].training
    assert found["kl"] is None and np.isfinite(found["nll"]) and call("floor")["kl"] is None
    assert (len(now.data.rows), len(now.data.judges)) == (80, 20)
    assert sorted(map(tuple, [*now.data.rows, *now.data.judges])) == sorted(map(tuple, points))
    assert "the truth is not known" in flow_bench.call("measure")["error"]
    assert call("truth")["density"] is None


# ------------------------------------------------------------ networks


def test_masks_are_those_of_a_made():
    on_the_bench(flow="maf", width=8)
    found, made = call("network", variables=5), fc.MADE(5, hidden=[8, 8])
    for layer, mask in zip(found["layers"], made.masks, strict=True):
        assert np.array_equal(layer["mask"].reshape(layer["rows"], layer["columns"]), mask)
    assert np.array_equal(found["reach"].reshape(5, 5), np.triu(np.ones((5, 5)), 1))
    assert (found["kept"], found["all"]) == (100, 184)


@pytest.mark.parametrize(
    ("method", "computed"), [("loop", 80), ("by_degree", 16), ("unit_by_unit", 16)]
)
def test_walks_compute_what_can_be_known(method, computed):
    on_the_bench(flow="maf", width=8, method=method)
    found = call("network", variables=5)
    steps = found["walk"]["steps"]
    assert found["walk"]["computed"] == computed
    units = [tuple(unit) for step in steps for unit in step["units"]]
    assert len(set(units)) == 16
    if method != "loop":
        degrees = {1: found["layers"][0]["to"], 2: found["layers"][1]["to"]}
        known = 0
        for step in steps:
            assert all(degrees[layer + 1][unit] <= known for layer, unit in step["units"])
            known = step["variable"] or known
    assert [step["variable"] for step in steps if step["variable"]] == [1, 2, 3, 4, 5]


def test_couplings_have_no_walk():
    on_the_bench(flow="realnvp")
    found = call("network", variables=4)
    assert found["kind"] == "coupling" and found["walk"]["steps"] == []
    assert found["reach"].reshape(4, 4).tolist() == [[0, 0, 1, 1]] * 2 + [[0] * 4] * 2


def test_a_velocity_reads_everything_and_its_arrows_lead_to_the_next_picture():
    now = trained(200, flow="continuous", width=16)
    found = call("network", variables=3)
    assert found["kind"] == "velocity" and found["reach"].all() and found["walk"]["steps"] == []
    found = views.stages(now)
    cloud, field = (found[name].reshape(len(found["names"]), -1, 2) for name in ("cloud", "field"))
    assert found["names"][4] == "t = 0.50" and not field[-1].any() and field.shape[1] == 13**2
    places = views.cells([-views.FRAME, views.FRAME] * 2, views.ARROWS)[0]
    for k in (0, 3, 7):  # near each other, a dot and the arrows move alike
        near = np.abs(cloud[k][:, None] - places).max(axis=-1)
        dot, arrow = np.unravel_index(near.argmin(), near.shape)
        moved = (cloud[k + 1] - cloud[k])[dot] * recipes.TIMES
        mean = (field[k] + field[k + 1])[arrow] / 2 if k < 7 else field[k][arrow]
        assert np.abs(moved - mean).max() < 0.1 + 0.2 * np.abs(moved).max()


def test_the_steps_of_a_continuous_flow_are_those_of_matching():
    now = trained(3, flow="continuous", width=8, points=300)
    again = training.Training(now.settings, now.data)
    theta, rows = np.array(again.start.params), next(again.batches)
    x = again.start.bijector[0].inverse(rows)
    pairs = again.loss.pairs(training.Rows(rows), 0)
    x_t, t = pairs.inputs[:, :2], pairs.inputs[:, 2]
    np.testing.assert_allclose(x_t + (1 - t)[:, None] * pairs.target, x, atol=1e-12)
    v = again.start.bijector[1].field(x_t, t)
    loss = np.mean((v - pairs.target) ** 2)
    assert now.losses[0] == (0, pytest.approx(loss)) and now.matches
    assert again.loss(theta, pairs)[0] == pytest.approx(loss)


@pytest.mark.parametrize("name", ["maf", "iaf", "realnvp"])
def test_another_walk_loses_no_training(name):
    trained(20, flow=name, layers=2, width=8)
    before = call("described")
    after = call("walk_by", method="loop")
    assert after["settings"] == {**before["settings"], "method": "loop"}
    assert after["step"] == 20 and after["nll"] == pytest.approx(before["nll"], abs=1e-12)
    call("train", steps=20)
    in_two_walks = call("described")["nll"]
    if name != "realnvp":  # both walks are timed
        found = call("sequential_seconds", n=50)
        assert set(found) == {"by_degree", "loop"} and min(found.values()) > 0
    trained(40, flow=name, layers=2, width=8)
    assert in_two_walks == pytest.approx(call("described")["nll"], abs=1e-9)


# ------------------------------------------------------------ tasks


def seen(task):
    """What the page shows where the answer is to be seen, after the task's steps."""
    now = trained(task.steps, **task.settings) if task.steps else on_the_bench(**task.settings)
    if task.compare in ("log_p", "log_det"):
        return call("point", x=task.point)[task.compare], 0.015
    if task.compare == "kl":
        found, bottom = views.distance(now), call("floor")["kl"]
        return found["kl"], 0.12 if bottom else 3 * found["kl_error"] + 1e-12
    if task.compare == "width":
        cloud = views.stages(now)["cloud"].reshape(-1, views.CLOUD, 2)
        return cloud[recipes.TIMES // 2].std() / cloud[0].std(), 0.05
    found = call("network", variables=task.variables)
    return (found["kept"] if task.compare == "connections" else found["walk"]["computed"]), 0


@pytest.mark.parametrize("number", [*range(1, 8), 9])
def test_what_is_right_can_be_seen_on_the_page(number):
    task = tasks.find(number)
    value, within = seen(task)
    assert abs(value - task.answer.answer) <= within
    if task.compare == "kl" and task.steps:
        assert call("floor")["kl"] == pytest.approx(task.answer.answer, abs=1e-3)


@pytest.mark.parametrize("number", [*range(1, 8), 9])
def test_a_right_prediction_passes_and_typical_mistakes_get_their_hints(number):
    exercise = tasks.find(number).answer
    assert call("judge", task=number, answer=round(float(exercise.answer), 2))["right"]
    verdicts = [call("judge", task=number, answer=mistake.answer) for mistake in exercise.mistakes]
    assert not any(verdict["right"] for verdict in verdicts)
    assert len({verdict["message"] for verdict in verdicts}) == len(verdicts) >= 3
    other = call("judge", task=number, answer=-12345.0)
    assert not other["right"] and exercise.hint in other["message"]


def drawn():
    """Drawings of eight heaps: {what it is: cells}."""
    now = trained(400, **tasks.find(8).settings)
    frame, truth = now.data.frame, now.data.truth
    points = views.cells(frame, drawings.SIDE)[0]
    radius = np.hypot(*points.T)
    ring = np.abs(radius - 2.83) < 0.5
    heaps = (truth.log_prob(points) > -4.5).astype(float)
    return {
        "bridges": [drawings.shares(now.flow, frame), heaps + 0.3 * ring],
        "islands": [drawings.shares(truth, frame), heaps],
        "ring": [ring.astype(float)],
        "bell": [drawings.shares(fc.Normal(2), frame), (radius < 3.5).astype(float)],
        "elsewhere": [(radius > 4.2).astype(float), np.ones(len(points))],
        "nothing": [np.zeros(len(points))],
    }


def test_drawings_are_distinguished():
    hints = {}
    for kind, examples in drawn().items():
        for cells in examples:
            verdict = call("judge", task=8, answer=cells)
            assert verdict["right"] == (kind == "bridges"), (kind, verdict)
            hints.setdefault(kind, set()).add(verdict["message"])
    assert all(len(messages) == 1 for messages in hints.values())
    assert len(set.union(*hints.values())) == len(hints)


def test_the_overlap_of_a_drawing():
    now = trained(50, flow="maf", width=8)
    own = drawings.shares(now.flow, now.data.frame)
    assert call("overlap", drawing=own)["overlap"] == pytest.approx(1)
    half = np.where(own > np.median(own), own, 0.0)
    assert call("overlap", drawing=half)["overlap"] == pytest.approx(half.sum(), abs=1e-12)
    assert call("overlap", drawing=np.zeros(1600))["overlap"] == 0


def test_tasks_are_shown_without_their_answers():
    shown = call("about")["tasks"]
    assert [task["number"] for task in shown] == list(range(1, 10))
    for task in shown:
        assert not {"answer", "mistakes", "why", "hint"} & set(task)
        Settings.of(task["settings"])


# ------------------------------------------------------------ tables and cells


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("names", [["a", "b b"], None])
def test_tables_are_read(separator, names):
    x = np.random.default_rng(0).normal(size=(50, 2))
    lines = [separator.join(names)] if names else []
    lines += [separator.join([f"{a:.17g}", f" {b:.17g}"]) for a, b in x]
    found = call("read_table", text="\ufeff" + "\r\n".join(lines) + "\n\n")
    assert (found["names"], found["rows"]) == (names or ["column 1", "column 2"], 50)
    call("build", settings={"data": "table", "flow": "made", "width": 4})
    rows = np.concatenate([desk._bench[0].training.data.rows, desk._bench[0].training.data.judges])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, x))


def test_columns_of_a_table_are_chosen_and_rows_thinned_out():
    text = "id,name,u,v\n" + "".join(f"{i},x{i},{i % 7},{i**2}\n" for i in range(40))
    assert call("read_table", text=text)["names"] == ["id", "u", "v"]
    assert call("read_table", text=text, columns=["v", "u"])["chosen"] == ["v", "u"]
    call("build", settings={"data": "table", "flow": "made", "width": 4})
    assert call("described")["columns"] == ["v", "u"]
    found = call("read_table", text="".join(f"{i},{-i}\n" for i in range(45_000)))
    assert (found["of"], found["rows"]) == (45_000, 15_000)


def test_a_cell_sees_the_flow_and_remembers():
    now = trained(5, flow="maf", width=8)
    assert call("run", code="y = flow.log_prob(data[:3])\nprint(len(y), step)") == {
        "out": "3 5\n", "problem": "",
    }  # fmt: skip
    value = float(now.flow.log_prob(now.data.shown(1))[0])
    assert call("run", code="float(y[0])")["out"] == f"{value!r}\n"
    assert call("run", code="fc.kl_to_truth(flow, truth, n=100).kl > 0")["out"] == "True\n"
    assert call("run", code="y[0]")["out"] == f"{value!r}\n"  # a plain number
    assert call("run", code="")["out"] == ""


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("x = (", "SyntaxError: '(' was never closed"),
        ("def f():\n    return 1 / 0\nf()", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "import nothing",
            "nothing is not in this page: it has NumPy, autograd and flowcore's flows.",
        ),
    ],
)
def test_a_cell_shows_what_went_wrong(code, ends):
    found = call("run", code=code)
    assert found["problem"].endswith(ends) and "flow_bench" not in found["problem"]
    assert len(call("run", code="print('x' * 10**6)")["out"]) < 21_000


def node(program) -> str:
    """What a module of JavaScript prints."""
    run = ["node", "--input-type=module", "-e", program]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_typed_is_read_by_the_courses_parser():
    assert call("read", text="\N{MINUS SIGN}1,838 - log(2)") == {
        "value": pytest.approx(-2.531, abs=1e-3)
    }
    for text, problem in [
        ("abc", "'abc' has 'abc' in it: "),
        ("", "nothing is typed"),
        ("inf", ""),
    ]:
        found = call("read", text=text)
        assert list(found) == ["problem"] and found["problem"].startswith(problem)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_minus_signs_are_no_hyphens():
    texts = {"The log-determinant is -log 2, not 1 - 2 (-0.5).": 3, "z-score, KL(p || q)": 0}
    program = f"""
import {{ withMinus }} from {json.dumps((LIVE / "numbers.js").as_uri())};
for (const text of {json.dumps([*texts])}) console.log(withMinus(text));
"""
    found = node(program).splitlines()
    minus = "\N{MINUS SIGN}"
    assert [text.count(minus) for text in found] == list(texts.values())
    assert [text.replace(minus, "-") for text in found] == list(texts)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_names_of_objects_are_no_settings():
    """What every object of JavaScript has, such as toString, is left out of a link, with a note."""
    names = ["toString", "constructor", "__proto__", "hasOwnProperty", "valueOf"]
    settings = ["data", "flow", "method", "permute", "layers", "variables", "theme", "k", "task"]
    program = f"""
import {{ parse, settingsOf }} from {json.dumps((LIVE / "state.js").as_uri())};
const about = {json.dumps(flow_bench.call("about"))};
for (const name of {json.dumps(names)}) {{
  for (const part of {json.dumps(settings)}) {{
    const {{ state, notes }} = parse(`#${{part}}=${{name}}`, about);
    structuredClone(state); // as it goes to the Worker
    console.log(notes.length, JSON.stringify(settingsOf(state)) === JSON.stringify(about.usual));
  }}
  console.log(parse(`#${{name}}=1`, about).notes.length, true);
}}
"""
    assert node(program).split("\n")[:-1] == ["1 true"] * len(names) * (len(settings) + 1)


def test_the_page_asks_for_all_its_modules_at_once():
    page = (LIVE / "index.html").read_text(encoding="utf-8")
    asked = set(re.findall(r'rel="modulepreload" href="(\w+\.js)"', page))
    assert asked == {path.name for path in LIVE.glob("*.js")} - {"worker.js"}


@pytest.mark.parametrize(
    ("name", "code", "right", "message"),
    [
        ("1a", "-1.61", True, "1a: right. "),
        ("1a", "-log(2 * pi) / 2 - log(2)", True, "1a: right. "),
        ("1a", "-0.226", False, "1a: not yet. The sign"),
        ("1a", "\u22121,61 nats", True, "1a: right. "),
        ("1c", "def f(x):\n    return -np.log(x)**2/2 - log(2*pi)/2 - np.log(x)", True, "1c: "),
        ("1c", "def log_p(x):\n    return ...", False, "1c: z ~ N(0, 1) and x = exp(z)."),
        ("1c", "def log_p(x):\n    return y", False, "1c: it stops: NameError: name 'y'"),
    ],
)  # fmt: skip
def test_an_answer_of_a_lesson_is_checked(name, code, right, message):
    verdict = call("check", exercise=name, code=code)
    assert verdict["right"] is right and verdict["message"].startswith(message)


@pytest.mark.parametrize("name", teaching.EXERCISES)
def test_who_is_stuck_gets_an_answer_that_is_right(name):
    exercise, seed = teaching.EXERCISES[name], 7
    message = call("check", exercise=name, code=None, seed=seed)["message"]
    assert exercise.variant(seed).why in message and message.startswith(f"{name}: ")
    if not exercise.inputs:
        text = message.removeprefix(f"{name}: the answer is ").split(". ")[0]
    else:
        text = message.split("One solution:")[1]
    assert call("check", exercise=name, code=text, seed=seed)["right"]


def test_a_seed_has_its_own_question_and_answer():
    asked = call("question", exercise="1a", seed=7)["text"]
    assert asked == teaching.question("1a", 7) != teaching.question("1a")
    assert call("question", exercise="1c", seed=7)["text"] == ""  # it has one form only
    text = str(teaching.EXERCISES["1a"].variant(7).answer)
    assert call("check", exercise="1a", code=text, seed=7)["right"]
    assert not call("check", exercise="1a", code=text, seed=None)["right"]
    thousands = f"{teaching.EXERCISES['4a'].variant(1).answer:,}"  # read by the variant, too
    assert "," in thousands and call("check", exercise="4a", code=thousands, seed=1)["right"]


def test_columns_with_few_values_are_named():
    rows = np.random.default_rng(0).normal(size=(200, 2)).round(3)
    rows[:, 1] = rows[:, 1].round(0)
    lines = "".join(f"{a},{b}\n" for a, b in rows)
    assert call("read_table", text="height,children\n" + lines)["few"] == ["children"]
    rows[:, 1] = np.linspace(0, 1, 200)
    lines = "".join(f"{a},{b}\n" for a, b in rows)
    assert call("read_table", text="height,weight\n" + lines)["few"] == []
