"""What figures are compared with: known densities and evidences, data prepared as published, the
steps that are written by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import integrate, stats

import flowcore as fc
from benchmarks.studies.conditionals import truth
from benchmarks.studies.contestants import CONTESTANTS
from benchmarks.studies.contestants.straight_line import StraightLine
from benchmarks.studies.inference.exact import targets
from benchmarks.studies.inference.known import problems
from benchmarks.studies.mnist import digits
from benchmarks.studies.mnist.models import MODELS as DIGITS
from benchmarks.studies.mnist.models import log_prob_of_digits
from benchmarks.studies.samplers.targets import TARGETS, funnel, gaussian
from benchmarks.studies.tabular import datasets
from benchmarks.studies.tabular.datasets import DAY, Dataset
from benchmarks.studies.tabular.gaussian import fit_gaussian
from benchmarks.studies.worker import n_weights
from benchmarks.support.cases import CASES, Case


@pytest.mark.parametrize("name", truth.TARGETS)
def test_exact_answers_are_those_of_the_definition(name):
    known = truth.TARGETS[name]()
    x = truth.hidden_subsets(known.density.sample(20, 0), np.random.default_rng(0))
    hole = np.isnan(x)
    assert hole.any(axis=1).all() and not hole.all(axis=1).any()
    answers = fc.Conditionals(truth.Hidden(known.density)).log_prob(x[:5], n_draws=2000)
    assert np.abs(known.log_known(x[:5]) - answers.log_p).max() < 0.3


@pytest.mark.parametrize("name", targets(3))
def test_exact_targets_have_the_integral_one_and_their_draws(name):
    """By importance from a wide t density, and by E grad log p = 0 over the draws."""
    target, rng = targets(3)[name], np.random.default_rng(0)
    x = target.sample(200_000, rng)
    slope = elementwise_grad(lambda x: target.log_p(x))(x)
    assert (np.abs(slope.mean(axis=0)) < 5 * slope.std(axis=0) / np.sqrt(len(x))).all()
    two = targets(2)[name]
    wide = stats.multivariate_t(np.zeros(2), 4 * np.eye(2), df=1)
    y = wide.rvs(200_000, random_state=1)
    with np.errstate(all="ignore"):  # far out in the neck
        w = np.exp(two.log_p(y) - wide.logpdf(y))
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w)) < 0.2


@pytest.mark.parametrize("name", problems())
def test_evidences_are_exact(name):
    """The mean of q / p~ over draws of p is 1 / Z, for any normalised q narrower than p."""
    problem = problems()[name]
    x = problem.sample(100_000, np.random.default_rng(0))
    q = stats.multivariate_normal(x.mean(axis=0), 0.5 * np.cov(x.T))
    w = np.exp(q.logpdf(x) - problem.log_p(x) + problem.log_z)
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w)) < 0.2


def test_the_evidence_of_the_schools_is_the_integral():
    def both(log_tau, mu):
        x = np.array([[mu, log_tau]])
        y, sigma = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), [15, 10, 16, 11, 9, 11, 10, 18]
        tau = np.exp(x[0, 1])
        data = stats.norm.logpdf(y, mu, np.hypot(sigma, tau)).sum()
        return np.exp(data + stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, scale=5)
                      + log_tau + 30)  # fmt: skip

    found = integrate.dblquad(both, -15, 25, -8, 5.5, epsabs=1e-3, epsrel=1e-3)[0]
    assert np.log(found) - 30 == pytest.approx(problems()["eight schools, D = 10"].log_z, abs=0.02)


@pytest.mark.parametrize("name", ["rosenbrock", "eggbox", "shells"])
def test_evidences_in_two_dimensions(name):
    """By uniform draws from the box."""
    target = TARGETS[name]()
    x = np.random.default_rng(0).uniform(target.low, target.high, (1_000_000, 2))
    likelihood = np.exp(target.log_l(x) - target.log_z)
    assert abs(likelihood.mean() - 1) < 5 * likelihood.std() / 1000 < 0.2


@pytest.mark.parametrize("target", [gaussian(3), funnel(3)], ids=["gaussian", "funnel"])
def test_evidences_in_three(target):
    """By importance from a wide t density; the prior is uniform on the box."""
    wide = stats.multivariate_t(np.zeros(3), 4 * np.eye(3), df=2)
    x = wide.rvs(300_000, random_state=0)
    inside = ((x > target.low) & (x < target.high)).all(axis=1)
    with np.errstate(all="ignore"):
        w = np.exp(target.log_l(x) - wide.logpdf(x)) * inside
    log_z = math.log(w.mean()) - 3 * math.log(target.high - target.low)
    assert abs(log_z - target.log_z) < 5 * w.std() / w.mean() / math.sqrt(len(x)) < 0.1


def power_csv(days=3, seed=0) -> tuple[bytes, np.ndarray]:
    """A file like POWER's that starts at 17:24, and its seven columns of numbers."""
    rng = np.random.default_rng(seed)
    scales = [5.0, 0.5, 20.0, 20.0, 3.0, 3.0, 3.0]
    rows = (rng.random((days * DAY, 7)) * scales).round(2)
    rows[:, 2] += 230
    start = np.datetime64("2006-12-16T17:24:00")
    times = start + np.arange(len(rows)).astype("timedelta64[m]")
    lines = [
        f"{str(time).replace('T', ' ')},{','.join(map(str, row))}"
        for time, row in zip(times, rows, strict=True)
    ]
    return ("date_time,a,b,c,d,e,f,g\n" + "\n".join(lines) + "\n").encode(), rows


def test_power_is_shuffled_dropped_and_noised():
    csv, rows = power_csv()
    n = len(rows)
    found = datasets.power_table(csv)
    minute = (17 * 60 + 24 + np.arange(n)) % DAY
    rng = np.random.RandomState(42)
    table = np.column_stack([rows, minute])
    rng.shuffle(table)
    assert found.shape == (n, 6)
    noise = found - table[:, [0, 2, 4, 5, 6, 7]]
    # drawn in the order of the paper's code: voltage, power, three sub-meterings; then what that
    # code leaves on its grid, the minute of the day
    np.testing.assert_allclose(noise[:, 1], 0.01 * rng.rand(n), atol=1e-12)
    np.testing.assert_allclose(noise[:, 0], 0.001 * rng.rand(n), atol=1e-12)
    np.testing.assert_allclose(noise[:, 2:5], rng.rand(n, 3), atol=1e-12)
    np.testing.assert_allclose(noise[:, 5], rng.rand(n), atol=1e-12)


def test_fresh_noise_is_uniform_in_the_unit_of_the_last_digit():
    rng = np.random.default_rng(0)
    unit = np.array(datasets.UNITS["power"])
    k = rng.integers(0, 1440, (4000, 6))
    parts, mean, scale = datasets.standardized(datasets.split((k + rng.random(k.shape)) * unit))
    rows = np.concatenate(parts).astype(np.float32)
    fresh = datasets.UnitNoise(unit, mean, scale)(rows, rng)
    before, moved = ((x * scale + mean) / unit - k for x in (rows, fresh))
    assert ((moved >= 0) & (moved < 1)).mean() > 0.999  # a float32 may round into the next unit
    for old, new in zip(before.T, moved.T, strict=True):
        assert stats.kstest(new, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(old, new)[0, 1]) < 0.1  # and drawn anew


def filled_table():
    """Three days; 30 minutes filled at 2000, 1 at 2500, and chance repeats at 3000 and 3200."""
    table = np.random.default_rng(0).random((3 * DAY, 8))
    for k in [*range(2000, 2030), 2500, 3000, 3200]:
        table[k] = table[k - DAY]
    for k in (3000, 3200):
        table[[k, k - DAY], :2] = 0.001  # of little power
    return table


def test_filled_minutes_are_dropped_and_chance_repeats_kept():
    table = filled_table()
    kept = datasets.without_filled_minutes(table, missed=31)
    np.testing.assert_array_equal(kept, np.delete(table, [*range(2000, 2030), 2500], axis=0))
    kept = datasets.without_filled_minutes(table, missed=32)  # of two equals the later one
    assert len(kept) == len(table) - 32
    assert len(datasets.without_filled_minutes(table, missed=100)) == len(table) - 33


def test_sizes_of_the_power_split_are_the_published_ones():
    rows = np.broadcast_to(np.zeros((1, 1), np.float32), (2_075_259 - datasets.MISSED, 1))
    assert [len(part) for part in datasets.split(rows)] == [1_659_917, 184_435, 204_928]


def small_data(name="power", n=600) -> Dataset:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((n, 6)) @ rng.standard_normal((6, 6))).astype(np.float32)
    return Dataset(name, *datasets.split(x))


def test_gaussian_is_the_maximum_likelihood_gaussian():
    data = small_data()
    x, test = data.train.astype(float), data.test.astype(float)
    covariance = np.cov(x.T, bias=True)
    away = test - x.mean(axis=0)
    squared = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    exact = -0.5 * squared - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    flow = fit_gaussian(data.train)
    assert np.mean(flow.log_prob(test)) == pytest.approx(exact.mean(), abs=1e-4)


def made_digits(folder: Path, n: int) -> np.ndarray:
    """idx files of n training digits, and of as many test digits, in negative; the pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(n, 784), dtype=np.uint8)
    pixels[0, :256] = np.arange(256)
    for kind, header, values in (
        ("images-idx3", 16, pixels),
        ("labels-idx1", 8, pixels[:, 0] % 10),
    ):
        (folder / f"train-{kind}-ubyte").write_bytes(bytes(header) + values.tobytes())
        (folder / f"t10k-{kind}-ubyte").write_bytes(bytes(header) + (255 - values).tobytes())
    return pixels


def test_digits_are_read_split_and_shown_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "VALIDATION", 3)
    pixels = made_digits(tmp_path, 8)
    train, validation, test = digits.load(tmp_path)
    np.testing.assert_array_equal(np.concatenate([train.pixels, validation.pixels]), pixels)
    np.testing.assert_array_equal(test.pixels, 255 - pixels)
    assert len(validation.pixels) == 3
    np.testing.assert_array_equal(train.classes.argmax(axis=1), pixels[:5, 0] % 10)
    x = digits.logits(train.pixels, np.random.default_rng(0))
    np.testing.assert_array_equal(digits.shown(x), pixels[:5])


def test_bits_a_pixel_are_those_of_the_paper():
    k, u = np.random.default_rng(1).integers(0, 256, size=(5, digits.DIM)), 0.25
    s = 1e-6 + (1 - 2e-6) * (k + u) / 256
    x = np.log(s) - np.log1p(-s)
    np.testing.assert_allclose(digits.PIXELS.inverse(k + u), x, rtol=1e-9)
    slopes = np.log((1 - 2e-6) / 256 / s / (1 - s)).sum(axis=1)
    bits = (np.full(5, 1300.5) - slopes) / (784 * np.log(2))
    np.testing.assert_allclose(digits.bits_per_pixel(np.full(5, -1300.5), x), bits, rtol=1e-10)


def test_a_flow_given_classes_is_scored_by_the_mean_of_its_densities():
    flow = fc.testing.randomize(fc.flows.made(3, hidden=[8], context_dim=10))
    x = np.random.default_rng(0).standard_normal((4, 3))
    given = [np.exp(flow.log_prob(x, context=np.tile(y, (4, 1)))) for y in np.eye(10)]
    found = log_prob_of_digits(flow, DIGITS["made+class"], x)
    np.testing.assert_allclose(found, np.log(np.mean(given, axis=0)), rtol=1e-5)
    assert np.std(given, axis=0).min() > 1e-3 * np.mean(given)


SMALL = Case("small", 5, 3, (12, 9, 15), 20)


@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("panels", [1, 2, 4])
def test_the_straight_line_has_the_gradient_of_its_nll(dim, panels):
    line = StraightLine(Case("", dim, 3, (12, 9, 15), 20), "float64", 1e-3, panels)
    x = SMALL.data()[:, :dim].T.copy()
    line.value_and_gradient(x)
    gradient, theta = line.theta_bar.copy(), line.theta.copy()
    along, step, values = np.random.default_rng(0).standard_normal(theta.size), 1e-6, []
    for sign in (1, -1):
        line.theta[:] = theta + sign * step * along
        values.append(line.value_and_gradient(x))
    slope = (values[0] - values[1]) / (2 * step)
    assert slope == pytest.approx(along @ gradient, rel=1e-6)
    assert np.abs(gradient).max() > 1e-3


ONE = Case("one layer", 4, 1, (6,), 30)


def weights_and_nll():
    """[(w, b) of each layer, mu before s], and the mean NLL less the normal density's constant."""
    flow = ONE.flow(noise=0.3)
    (made,) = (leaf for leaf in flow.leaves if hasattr(leaf, "weights"))
    (first, last) = ((w, b) for w, b, _ in made.weights())
    apart = np.r_[0:8:2, 1:8:2]  # flowcore has mu and s of a coordinate side by side
    last = last[0][:, apart], last[1][apart]
    nll = -flow.log_prob(ONE.data()).mean() - 0.5 * ONE.dim * np.log(2 * np.pi)
    return [first, last], nll


def test_the_straight_line_is_the_density_of_a_flow():
    line, (weights, nll) = StraightLine(ONE, "float64", 1e-3), weights_and_nll()
    for place, (w, b) in zip(line.layers[0].weights, weights, strict=True):
        place[...] = np.column_stack([b, w.T])
    assert line.value_and_gradient(ONE.data().T.copy()) == pytest.approx(nll, rel=1e-10)


@pytest.mark.parametrize(
    "plain, compiled", [("flowjax+jit", "flowjax+scan"), ("zuko", "zuko+compile")]
)
def test_a_compiled_training_is_the_plain_one(plain, compiled):
    """In an environment with the peers: the loss of the last of 50 updates, which is one epoch."""
    pytest.importorskip(plain.partition("+")[0])
    flows = (CONTESTANTS[name](SMALL, "maf", "float64", rate=0.01, seed=3)
             for name in (plain, compiled))  # fmt: skip
    losses = [float(flow.timed("step", 50)[1]) for flow in flows]
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


def test_weights_are_counted_as_in_dense_matrices():
    assert n_weights(CASES["A"]) == (2 * 16 + 16) + (16 * 16 + 16) + (16 * 4 + 4)
    for kind in CONTESTANTS["flowcore"].kinds:
        assert n_weights(SMALL, kind) == CONTESTANTS["flowcore"](SMALL, kind).n_weights
