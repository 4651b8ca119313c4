"""Reverse KL: the gradients, the loop, what is refused."""

import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from autograd.tracer import getval

import flowcore as fc
from flowcore.inference.nearest_gaussian import gaussian_rows
from flowcore.inference.reverse_kl import ReverseKL
from flowcore.inference.unnormalised import LogTarget
from flowcore.testing import randomize

MEAN, FACTOR = np.array([1.0, -2.0]), np.array([[2.0, 0.0], [0.5, 0.3]])
PRECISION = np.linalg.inv(FACTOR @ FACTOR.T)
LOG_Z = np.log(2 * np.pi) + np.log(0.6)


def gaussian(x):
    return -0.5 * anp.sum(anp.dot(x - MEAN, PRECISION) * (x - MEAN), axis=1)


def with_gradient(x):
    return gaussian(x), -(x - MEAN) @ PRECISION


def flow_of(recipe="iaf", **options):
    return getattr(fc.flows, recipe)(2, layers=1, hidden=[8], **{"activation": "tanh"} | options)


@pytest.mark.parametrize("recipe", ["iaf", "maf", "nsf", "realnvp"])
def test_the_gradient_is_that_of_the_loss_as_it_is_written(recipe):
    """The total derivative by autograd's tape through every part, base and target included."""
    flow = randomize(flow_of(recipe, standardize=False), 0.3)
    loss = ReverseKL(flow, LogTarget(gaussian, 2), gradient="total")
    z = loss.draws(50, 3)

    def textbook(theta):
        bijector = flow.params_of(flow.bijector, theta)
        x, log_det = flow.bijector.forward_and_log_det(z, params=bijector)
        return anp.mean(flow.base.log_prob(z) - log_det - gaussian(x))

    value, gradient = loss(flow.params, z)
    expected, slope = value_and_grad(textbook)(flow.params)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("recipe", ["iaf", "maf", "realnvp"])
def test_the_path_derivative_leaves_out_the_score(recipe):
    """Both gradients differ by the mean score of q, by theta at fixed x."""
    flow = randomize(flow_of(recipe, standardize=False), 0.3)
    parts = {g: ReverseKL(flow, LogTarget(gaussian, 2), gradient=g) for g in ("path", "total")}
    z = parts["path"].draws(50, 3)
    x = flow.from_latent(z)
    score = value_and_grad(lambda theta: anp.mean(flow.log_prob(x, params=theta)))(flow.params)[1]
    (value, path), (same, total) = (parts[g](flow.params, z) for g in ("path", "total"))
    assert value == same
    np.testing.assert_allclose(total, path + score, rtol=1e-8, atol=1e-10)


def test_where_q_is_p_the_path_derivative_is_zero():
    flow = randomize(flow_of(standardize=False), 0.3)
    target = LogTarget(lambda x: flow.log_prob(x) + 5.0, 2)
    value, gradient = ReverseKL(flow, target)(flow.params, flow.base.sample(30, 0))
    assert value == pytest.approx(-5, abs=1e-10) and np.abs(gradient).max() < 1e-10


def test_a_flow_that_is_right_from_the_start_is_no_better_than_one_that_is_nearly_right():
    """Its -ELBO has no error, but it is not returned to for less than a thousandth of a nat."""
    flow, calm = flow_of(standardize=False), {"gradient": "total", "epochs": 1, "batches": 5}
    unit = lambda x: -0.5 * anp.sum(x**2, axis=1)  # noqa: E731
    near, history = fc.fit_reverse_kl(flow, unit, learning_rate=3e-3, average=None, **calm)
    assert 1e-4 < history.val_nll[0] + np.log(2 * np.pi) < 1e-3 and history.best_epoch == 0
    assert (near.params != flow.params).any()
    again, history = fc.fit_reverse_kl(flow, unit, learning_rate=1e-2, average=None, **calm)
    assert history.val_nll[0] + np.log(2 * np.pi) > 2e-3 and history.best_epoch is None
    np.testing.assert_array_equal(again.params, flow.params)


@pytest.mark.parametrize("options", [{}, {"gradient": "total", "quasi_random": True}])
def test_a_gaussian_is_found_and_its_constant(options):
    flow, history = fc.fit_reverse_kl(
        flow_of(), gaussian, epochs=12, batches=40, learning_rate=0.02, **options
    )
    assert -history.val_nll[history.best_epoch] == pytest.approx(LOG_Z, abs=0.02)
    x = flow.sample(20_000, rng=1)
    np.testing.assert_allclose(x.mean(axis=0), MEAN, atol=0.08)
    np.testing.assert_allclose(np.cov(x.T), FACTOR @ FACTOR.T, atol=0.2)
    assert history.settings["bad_rows"] == 0 and history.best_epoch is not None


def test_a_target_with_its_own_gradient_gives_the_same_flow():
    runs = [fc.fit_reverse_kl(flow_of(), t, epochs=2, batches=5) for t in (gaussian, with_gradient)]
    np.testing.assert_allclose(runs[0][0].params, runs[1][0].params, atol=1e-9)


def test_the_start_is_the_best_gaussian_of_independent_coordinates():
    """Of a Gaussian: its mean, and the deviations of each coordinate given the others; and of a
    funnel, whose maximum is deep in its neck, the middle of its mass."""
    rng = np.random.default_rng(0)
    rows = gaussian_rows(LogTarget(gaussian, 2), np.zeros(2), 50_000, rng)
    np.testing.assert_allclose(rows.mean(axis=0), MEAN, atol=0.03)
    np.testing.assert_allclose(rows.std(axis=0), np.diag(PRECISION) ** -0.5, rtol=0.1)

    def funnel(x):
        v = x[:, :1]
        return -(x[:, 0] ** 2) / 18 - anp.sum(x[:, 1:] ** 2 / 2 * anp.exp(-v) + v / 2, axis=1)

    rows = gaussian_rows(LogTarget(funnel, 4), np.zeros(4), 1000, rng)
    assert np.abs(rows.mean(axis=0)).max() < 3


def test_rows_where_the_target_is_not_finite_are_left_out_and_counted():
    def half(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return gaussian(x) + anp.where(x[:, 0] > 1.0, 0.0, np.nan)

    flow, history = fc.fit_reverse_kl(flow_of(), half, epochs=2, batches=5, start=[[1.5, -2.0]])
    assert np.isfinite(flow.params).all() and np.isfinite(history.val_nll).all()
    assert history.settings["bad_rows"] > 100


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path):
    def options(**more):
        return {"epochs": 4, "batches": 6, "schedule": "constant", "rng": 5} | more

    whole, _ = fc.fit_reverse_kl(flow_of(), gaussian, **options())
    path = {"checkpoint": tmp_path / "run", "checkpoint_key": "1", "checkpoint_every": 0}

    def stop(report):
        if report.epoch == 1:
            raise KeyboardInterrupt

    _, history = fc.fit_reverse_kl(flow_of(), gaussian, **options(callbacks=[stop]), **path)
    assert history.interrupted
    again, history = fc.fit_reverse_kl(flow_of(), gaussian, **options(), **path)
    np.testing.assert_array_equal(again.params, whole.params)
    assert len(history.val_nll) == 4
    with pytest.raises(ValueError, match="batch_size"):
        fc.fit_reverse_kl(flow_of(), gaussian, **options(batch_size=7), **path)
    with pytest.raises(ValueError, match="compare log_target"):
        fc.fit_reverse_kl(flow_of(), gaussian, **options(), checkpoint=tmp_path / "new")


def spiked(x):
    """A gradient that is huge at x_1 > 8, which few batches reach."""
    return gaussian(x) - anp.where(x[:, 0] > 8, 1e9 * (x[:, 0] - 8), 0.0)


def test_outlying_updates_are_left_out_and_counted_if_wanted(tmp_path):
    options = {"epochs": 4, "batches": 30, "schedule": "constant", "rng": 0, "tolerance": 0}
    options |= {"start": MEAN + np.random.default_rng(0).normal(size=(500, 2)) @ FACTOR.T}
    _, kept = fc.fit_reverse_kl(flow_of(), spiked, **options)
    assert "skipped_updates" not in kept.settings
    options["skip_above"] = 30.0
    whole, history = fc.fit_reverse_kl(flow_of(), spiked, **options)
    skipped = history.settings["skipped_updates"]
    assert 1 <= skipped < 10 and min(history.val_nll) < min(kept.val_nll) - 0.02

    path = {"checkpoint": tmp_path / "run", "checkpoint_key": "1", "checkpoint_every": 0}

    def stop(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    _, begun = fc.fit_reverse_kl(flow_of(), spiked, **options, callbacks=[stop], **path)
    assert begun.settings["skipped_updates"] == skipped  # which the file must hold
    again, history = fc.fit_reverse_kl(flow_of(), spiked, **options, **path)
    np.testing.assert_array_equal(again.params, whole.params)
    assert history.settings["skipped_updates"] == skipped


def test_training_ends_if_half_of_the_updates_are_left_out():
    calls = []

    def ends(x):
        calls.append(len(x))
        lost = len(x) == 256 and not 3 < calls.count(256) <= 43
        return gaussian(x) + (np.nan if lost else 0.0)

    with pytest.raises(
        fc.TrainingDivergedError, match=r"epoch 3, batch 7: .* finite at no draw"
    ) as e:
        fc.fit_reverse_kl(flow_of(), ends, epochs=9, batches=20, skip_above=30.0, tolerance=0)
    assert e.value.history.settings["skipped_updates"] == 27  # the first three, too
    assert e.value.history.train_nll[1] < np.inf and len(e.value.history.train_nll) == 3


@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_a_norm_that_has_grown_for_good_becomes_the_usual_one(clip_norm):
    """From batch 40 on, log p~ is a thousand times as large. A norm counts before it is clipped."""
    calls = []

    def grows(x):
        calls.append(len(x))
        return gaussian(x) * (1e3 if calls.count(256) > 40 else 1.0)

    options = {"epochs": 5, "batches": 20, "tolerance": 0, "start": [MEAN], "rng": 0}
    options |= {"skip_above": 30.0, "clip_norm": clip_norm}
    _, history = fc.fit_reverse_kl(flow_of(), grows, **options)
    assert len(history.val_nll) == 5 and 20 <= history.settings["skipped_updates"] <= 26


def test_a_row_that_raises_is_found():
    """Rows raise alone, only together, or all of them: only the first is -inf."""

    def raising(x, at):
        if at(getval(x)):
            raise np.linalg.LinAlgError("singular")
        return gaussian(x)

    x = np.arange(20.0).reshape(10, 2)
    target = LogTarget(lambda x: raising(x, lambda x: (x[:, 0] == 6).any()), 2)
    value, slope = target(x)
    assert target.n_raised == target.n_bad == 1 and np.isneginf(value[3]) and not slope[3].any()
    good = np.arange(10) != 3
    np.testing.assert_array_equal(value[good], gaussian(x[good]))
    np.testing.assert_allclose(slope[good], with_gradient(x[good])[1])
    for at in (lambda x: len(x) > 1, lambda x: True):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            LogTarget(lambda x, at=at: raising(x, at), 2)(x)


def test_training_ends_where_the_flow_is_as_close_as_wanted(tmp_path):
    """Of N(0, 1) and N(m, 1), KL is m^2 / 2: it is estimated by the log-weights."""
    q = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine(np.zeros(1), np.ones(1)))
    shifted = LogTarget(lambda x: -0.5 * anp.sum((x - 0.1) ** 2, axis=1), 1)
    for tolerance, done in ((0.004, False), (0.006, True)):
        loss = ReverseKL(q, shifted, tolerance=tolerance)
        loss.validation(q.params)
        assert loss.kl == pytest.approx(0.005, rel=0.1) and loss.done is done
    nowhere = ReverseKL(q, LogTarget(lambda x: -anp.sum(x**2, axis=1) - anp.inf, 1))
    assert nowhere.validation(q.params)[0] == np.inf and not nowhere.done
    path = {"checkpoint": tmp_path / "run", "checkpoint_key": "1", "batches": 40}
    flow, history = fc.fit_reverse_kl(flow_of(), gaussian, **path)
    assert len(history.val_nll) < 50 and -history.val_nll[-1] == pytest.approx(LOG_Z, abs=0.01)
    reports = []
    again, same = fc.fit_reverse_kl(flow_of(), gaussian, callbacks=[reports.append], **path)
    assert not reports and same.val_nll == history.val_nll  # it had ended
    np.testing.assert_array_equal(again.params, flow.params)
    _, history = fc.fit_reverse_kl(flow_of(), gaussian, epochs=4, batches=2, tolerance=0)
    assert len(history.val_nll) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anneal": 1}, "anneal must be less than the 1 epochs, not 1"),
        ({"tolerance": -1e-3}, "tolerance is at least 0"),
        ({"log_target": lambda x: gaussian(x)[:, None]}, r"returned shape \(3, 1\)"),
        ({"log_target": lambda x: np.zeros(len(x))}, "no gradient .it does not depend"),
        ({"log_target": fc.targets.banana().log_prob}, "no gradient .*autograd.numpy"),
        ({"log_target": lambda x: (gaussian(x), x[:, 0])}, r"its gradient \(3,\)"),
        ({"log_target": lambda x: gaussian(x) * np.nan}, "not finite at .0. 0.., where the"),
        ({"skip_above": 1}, "skip_above is a number above 1, or None: got 1"),
        ({"gradient": "score"}, 'gradient is "path" or "total"'),
        ({"start": np.zeros((4, 3))}, r"start has shape \(4, 3\)"),
        ({"flow": fc.flows.iaf(2, context_dim=1)}, "takes a context"),
        ({"flow": flow_of("nsf"), "quasi_random": True}, "needs a Normal as base"),
    ],
)
def test_bad_input(change, message):
    arguments = {"flow": flow_of(), "log_target": gaussian, "epochs": 1, "batches": 5} | change
    with pytest.raises(ValueError, match=message):
        fc.fit_reverse_kl(arguments.pop("flow"), arguments.pop("log_target"), **arguments)


def test_an_annealed_target_is_flat_at_first():
    """Its power rises to 1; the gradient is that of the target's power."""
    flow = randomize(flow_of(standardize=False), 0.3)
    loss = ReverseKL(flow, LogTarget(gaussian, 2), anneal=4, n_batches=1)
    powers = []
    for epoch in range(5):
        (z,) = loss.batches(None, epoch)
        powers.append(loss.beta)
        power = ReverseKL(flow, LogTarget(lambda x, beta=loss.beta: beta * gaussian(x), 2))
        (value, gradient), (expected, slope) = loss(flow.params, z), power(flow.params, z)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12)
    assert powers == [0.25, 0.5, 0.75, 1.0, 1.0]
    loss.beta = 0.5
    assert loss.validation(flow.params) == ReverseKL(flow, loss.target).validation(flow.params)


def test_a_new_flow_starts_near_the_flattest_target():
    """N(0, 2^2) to the power 1/4 is N(0, 4^2)."""
    options = {"epochs": 5, "batches": 1, "learning_rate": 1e-9, "rng": 0}
    wide, _ = fc.fit_reverse_kl(
        flow_of(), lambda x: -anp.sum(x**2, axis=1) / 8, anneal=4, **options
    )
    np.testing.assert_allclose(wide.sample(4000, rng=0).std(axis=0), 4, rtol=0.1)


def test_annealing_finds_modes_that_the_start_does_not_see():
    def three(x):  # Gaussians at the corners of a triangle: log Z = log 3
        corners = np.array([[0.0, 0.0], [6.0, 1.0], [2.0, 7.0]])
        parts = [-0.5 * anp.sum((x - corner) ** 2, axis=1) for corner in corners]
        return anp.logaddexp(anp.logaddexp(*parts[:2]), parts[2]) - np.log(2 * np.pi)

    options = {"epochs": 12, "batches": 15, "start": [0.0, 0.0]}
    flow = fc.flows.iaf(2, layers=4, hidden=[16, 16], activation="silu")
    fits = [fc.fit_reverse_kl(flow, three, anneal=n, **options)[0] for n in (0, 6)]
    without, found = (fc.Inference.of(own, LogTarget(three, 2), 2000) for own in fits)
    assert without.elbo[0] < np.log(3) - 0.3
    assert found.log_evidence[0] == pytest.approx(np.log(3), abs=0.05)
