"""What `fit` minimises: the weighted NLL, a penalty, and their gradients."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from support.flows import EVERYTHING, Banana, Gaussian, banana_data, nll
from support.flows import textbook_fit as fit
from support.registry import BIJECTORS, DENSITIES, case
from support.runs import assert_same, interrupt_at, run_of

import flowcore as fc
from flowcore.testing import randomize
from flowcore.training import Likelihood, Rows, TrainingDivergedError, train
from flowcore.training.loss import NotFinite
from flowcore.training.resume import Checkpoint

X = banana_data()
W = np.random.default_rng(0).exponential(size=300)


def numerical_gradient(f, theta, step=1e-6):
    moves = step * np.eye(theta.size)
    return np.array([(f(theta + move) - f(theta - move)) / (2 * step) for move in moves])


# ---------------------------------------------------------------- the loss


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("penalty", [None, lambda theta: 0.3 * anp.sum(theta**2) + theta[0]])
def test_the_value_is_the_weighted_nll_and_the_gradient_its_slope(weights, penalty):
    theta, rows = np.linspace(-0.3, 0.4, 6), Rows(X, weights)
    loss = Likelihood(Banana(), penalty)
    value, gradient = loss(theta, rows)
    expected = nll(Banana(theta), X, weights)
    assert value == pytest.approx(expected + (penalty(theta) if penalty else 0.0), rel=1e-13)
    assert value - loss.penalty_value == pytest.approx(expected, rel=1e-13)
    assert loss.value_and_error(theta, [rows])[0] == pytest.approx(expected, rel=1e-13)
    slope = numerical_gradient(lambda th: loss(th, rows)[0], theta)
    np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-7)


def test_the_value_of_blocks_counts_by_their_weights():
    flow, blocks = Banana(np.full(6, 0.1)), [Rows(X[:70], W[:70]), Rows(X[70:], W[70:])]
    value, _ = Likelihood(flow).value_and_error(flow.params, blocks)
    assert value == pytest.approx(nll(flow, X, W), rel=1e-13)


def test_rows_of_hardly_any_weight_leave_the_standard_error_as_it_is():
    loss, theta = Likelihood(Banana()), np.full(6, 0.1)
    found = loss.value_and_error(theta, [Rows(X, np.where(np.arange(300) < 100, 1.0, 1e-12))])
    assert found == pytest.approx(loss.value_and_error(theta, [Rows(X[:100])]), rel=1e-9)


def test_a_loss_that_is_not_finite_names_the_place():
    rows = Rows(np.array([[0.0, 0.0], [np.inf, 1.0]]))
    with pytest.raises(NotFinite, match=r"log_prob is -inf for x = \[inf +1\.\]"):
        Likelihood(Gaussian())(np.zeros(4), rows)


# ---------------------------------------------------------------- the penalty in fit


def l2(theta, share=0.5):  # which is not the flow
    return share * anp.sum(theta**2)


def test_fit_finds_the_minimum_of_the_penalised_loss():
    """Where the gradients of both terms cancel, and not where either of them is zero."""
    options = {"epochs": 1000, "learning_rate": lambda step: 0.05 * 0.992**step, **EVERYTHING}
    flow, history = fit(Banana(), X, penalty=l2, **options)
    slope = grad(lambda th: -anp.mean(flow.log_prob(X, params=th)))(flow.params)
    np.testing.assert_allclose(slope, -flow.params, atol=1e-9)
    assert np.linalg.norm(flow.params) < 0.7 * np.linalg.norm(Banana.solution(X))
    assert history.train_nll[-1] == pytest.approx(nll(flow, X), abs=1e-10)  # without the penalty


def test_a_penalty_may_ask_what_the_flow_does():
    """The mean of the samples is pulled to the origin, through the flow's own bijector."""
    z = np.random.default_rng(0).normal(size=(64, 2))
    seen = []

    def centred(theta, flow):
        seen.append(flow)
        x = flow.bijector.forward(z, params=theta)
        return 100.0 * anp.sum(anp.mean(x, axis=0) ** 2)

    options = {"epochs": 60, "learning_rate": 1e-2, "validation_split": 0}
    flow = randomize(fc.flows.maf(2, layers=1, hidden=[8], standardize=False), 0.3, rng=0)
    free, _ = fit(flow, X + 2.0, **options)
    pulled, _ = fit(flow, X + 2.0, penalty=centred, **options)
    means = [np.abs(f.bijector.forward(z).mean(axis=0)).max() for f in (free, pulled)]
    assert means[1] < 0.2 < 1.0 < means[0]
    assert all(isinstance(f, fc.TransformedDistribution) for f in seen)


# ---------------------------------------------------------------- penalties that are refused


@pytest.mark.parametrize(
    ("penalty", "error", "message"),
    [
        (0.1, TypeError, r"penalty must be a function of theta, or None: got 0\.1"),
        (lambda th: th**2, ValueError, r"penalty must return one number.*shape \(6,\): sum it"),
        (lambda th: None, ValueError, "penalty returned None, which does not depend on theta"),
        (lambda th, flow: anp.sum(flow.params), ValueError, r"penalty returned .*params=theta"),
        (lambda th: float(th[0]), TypeError, "penalty cannot .*ArrayBox.*in autograd.numpy"),
        (lambda a, b, c: 1.0, TypeError, "penalty cannot be called.* a function of theta, or of"),
    ],
)
def test_bad_penalties_are_refused_before_the_first_step(penalty, error, message):
    flow = Banana(np.full(6, 0.1))
    with pytest.raises(error, match=message):
        fit(flow, X, penalty=penalty)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (lambda th: anp.sum(th**2) + np.inf, "epoch 0, batch 0: the penalty is inf.*is it defined"),
        (lambda th: anp.log(-1.0 - th[0] ** 2), "epoch 0, batch 0: the penalty is nan"),
        (lambda th: anp.sqrt(th[3] ** 2), "the penalty is 0, but its gradient is .* parameter 3"),
    ],
)
def test_a_penalty_that_is_not_finite_is_named(penalty, message):
    with pytest.raises(TrainingDivergedError, match=message) as caught:
        fit(Banana(), X, penalty=penalty)
    np.testing.assert_array_equal(caught.value.flow.params, np.zeros(6))


# ---------------------------------------------------------------- the plan behind it


def plain_gradient(flow, x, context):
    def nll(theta):
        return -anp.mean(flow.log_prob(x, params=theta, context=context))

    return grad(nll)(flow.params)


BEFORE = {  # what stands between the data and a part
    "nothing with parameters": lambda part, x: [fc.Standardize.from_data(x)],
    "another part": lambda part, x: [randomize(fc.Elementwise(part.dim, fc.Affine()), rng=2)],
    "itself": lambda part, x: [part],
}
PLACES = [(n, w) for i, n in enumerate(BIJECTORS) for k, w in enumerate(BEFORE)
          if i % 3 == k or n.startswith(("maf-context", "chain", "tied", "blockwise"))]  # fmt: skip


@pytest.mark.parametrize("name, behind", PLACES)
def test_what_nobody_asks_for_is_missed_by_nobody(name, behind):
    """A step of `fit` wants no gradient by x: the way back ends at the outermost part that has
    parameters, wherever that is, and the gradient by theta is whole."""
    part, _, (_, x, *context) = case(name, "inverse", n=6)
    context = context[0] if context else None
    flow = fc.TransformedDistribution(
        fc.Normal(part.dim), fc.Chain([*BEFORE[behind](part, x), part])
    )
    with np.errstate(all="ignore"):
        inside = np.isfinite(flow.log_prob(x, context=context))
        x, context = x[inside], None if context is None else context[inside]
        if flow.n_params == 0 or len(x) == 0:
            return
        expected = plain_gradient(flow, x, context)
    _, gradient = Likelihood(flow)(np.array(flow.params), Rows(x, None, context))
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [n for n in DENSITIES if DENSITIES[n]().n_params > 0])
def test_the_same_of_densities(name):
    flow, (_, x, *context) = (found := case(name, "log_prob", n=6)).part, found.args
    context = context[0] if context else None
    expected = plain_gradient(flow, x, context)
    _, gradient = Likelihood(flow)(np.array(flow.params), Rows(x, None, context))
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-11)


# ---------------------------------------------------------------- another loss, the same loop


def test_the_loop_takes_another_loss_and_resumes_it(tmp_path):
    """Its batches are drawn by their numbers, so that a run that goes on draws the same."""

    def trained(path=None, callbacks=()):
        run = run_of(epochs=40)
        file = None if path is None else Checkpoint(path, 0.0, run, {"loss": "bowl"})
        return train(run, callbacks, checkpoint=file)

    straight = trained()
    np.testing.assert_allclose(straight[0].params, 1.0, atol=0.1)
    assert straight[1].settings["batch_size"] == 5 and len(straight[1].val_nll) == 40
    path = tmp_path / "run.npz"
    assert trained(path, [interrupt_at(3)])[1].interrupted
    assert_same(trained(path), straight)
