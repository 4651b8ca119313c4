"""Two training runs of TensorFlow Probability, followed epoch by epoch with flowcore's gradient."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from support.places import DATA

import flowcore as fc

GOLDEN = dict(np.load(DATA / "golden_train.npz"))
TRAIN, VALIDATION = GOLDEN["X"][:800], GOLDEN["X"][800:]
RUNS = {"maf16": 1, "chain3x16": 3}  # number of MAFs


def close(actual, expected, tol=1e-9, atol=0.0):
    np.testing.assert_allclose(actual, expected, rtol=tol, atol=atol)


def weights_of(stage, k):
    """[(W, b), ...] of made k at a stage: "<run>/init", "<run>/grad0", "<run>/final"."""
    return [(GOLDEN[f"{stage}/made{k}/W{i}"], GOLDEN[f"{stage}/made{k}/b{i}"]) for i in range(3)]


def flow_of(run, stage="init"):
    """Chain([maf2, swap, maf1, swap, maf0]): sampling goes through maf0 first."""
    mafs = [
        fc.MaskedAutoregressiveFlow(
            fc.MADE(2, [16, 16]).with_weights(weights_of(f"{run}/{stage}", k)),
            fc.Affine(log_scale_bound=None),
        )
        for k in range(RUNS[run])
    ]
    parts = mafs[-1:]
    for maf in mafs[-2::-1]:
        parts += [fc.Permute([1, 0]), maf]
    return fc.TransformedDistribution(fc.Normal(2), fc.Chain(parts))


def dense(theta, run):
    """A vector shaped like the flow's parameters as {k: [(W, b), ...]}: the leaves in their order.

    The chain's first entry is the last MAF.
    """
    count = RUNS[run]
    pieces = np.split(theta, count)
    return {
        count - 1 - j: fc.MADE(2, [16, 16]).with_params(piece).weights()
        for j, piece in enumerate(pieces)
    }


def nll_and_gradient(flow):
    return value_and_grad(lambda theta: -anp.mean(flow.log_prob(TRAIN, params=theta)))


def keras_adam(loss_and_gradient, theta, epochs):
    """Keras' Adam, which rounds the betas to float32 in its bias correction only."""
    m = v = np.zeros_like(theta)
    b1, b2 = float(np.float32(0.9)), float(np.float32(0.999))
    for t in range(1, epochs + 1):
        loss, g = loss_and_gradient(theta)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - 1e-3 * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + 1e-7)
        yield loss, theta


@pytest.mark.parametrize("run", RUNS)
def test_gradient_at_the_initial_weights(run):
    flow = flow_of(run)
    loss, gradient = nll_and_gradient(flow)(flow.params)
    close(loss, GOLDEN[f"{run}/loss"][0], 1e-12)
    masks = fc.MADE(2, [16, 16]).masks
    for k, weights in dense(gradient, run).items():
        for (W, b, _), (golden_W, golden_b), mask in zip(
            weights, weights_of(f"{run}/grad0", k), masks, strict=True
        ):
            close(W, golden_W * mask, atol=1e-12)  # TFP's gradient is that of the unmasked kernels
            close(b, golden_b, atol=1e-12)


@pytest.mark.parametrize("run", RUNS)
def test_training_curve(run):
    flow = flow_of(run)
    losses, val_losses = [], []
    epochs = len(GOLDEN[f"{run}/loss"])
    for loss, theta in keras_adam(nll_and_gradient(flow), flow.params, epochs):
        losses.append(loss)
        val_losses.append(-np.mean(flow.log_prob(VALIDATION, params=theta)))
    close(losses, GOLDEN[f"{run}/loss"])
    close(val_losses, GOLDEN[f"{run}/val_loss"])
    for k, weights in dense(theta, run).items():
        for (W, b, _), (golden_W, golden_b) in zip(
            weights, weights_of(f"{run}/final", k), strict=True
        ):
            close(W, golden_W, atol=1e-9)
            close(b, golden_b, atol=1e-9)
