"""
The training loop without ``fit``
=================================

The loop has ten lines: a gradient by autograd, and Adam. ``fit`` with the plainest options computes
the same numbers. The end shows how to add a penalty.
"""

# %%
# Take a table, a flow, and the loss. The loss is the mean negative log-likelihood, as a function of
# one flat vector.
import autograd.numpy as np
from autograd import value_and_grad

import flowcore as fc

x = fc.targets.two_moons(noise=0.05).sample(500, rng=0)
flow = fc.flows.maf(2, layers=3, hidden=[16, 16], activation="tanh", rng=0).initialize(x)


def loss(theta):
    return -np.mean(flow.log_prob(x, params=theta))


# %%
# Adam (Kingma and Ba, 2015, Algorithm 1). Every theta gives a valid flow, so there are no
# constraints.
def train(loss, theta, steps=60, rate=0.005, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m, v, losses = np.zeros_like(theta), np.zeros_like(theta), []
    for t in range(1, steps + 1):
        value, gradient = value_and_grad(loss)(theta)
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        step = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        theta, losses = theta - rate * step, [*losses, value]
    return theta, losses


theta, losses = train(loss, flow.params)
trained = flow.with_params(theta)

# %%
# The same training by ``fit``: one batch of all rows, no validation, a constant learning rate, no
# average.
textbook = dict(batch_size=None, validation_split=0, schedule="constant", average=None)
fitted, history = fc.fit(flow, x, epochs=60, learning_rate=0.005, **textbook)

print("step      loop       fit   (mean NLL in nats)")
for step in range(0, 60, 10):
    print(f"{step:4} {losses[step]:9.6f} {history.train_nll[step]:9.6f}")
print(f"largest difference of any loss {np.abs(np.subtract(losses, history.train_nll)).max():.0e}")


# %%
# A penalty is one more term; ``fit`` takes it as a function of the same vector.
def penalty(theta):
    return 1e-3 * np.sum(theta**2)


shrunk, penalised_losses = train(lambda theta: loss(theta) + penalty(theta), flow.params)
fitted_shrunk, _ = fc.fit(flow, x, epochs=60, learning_rate=0.005, penalty=penalty, **textbook)
print("squared norm of theta without and with a penalty (loop, fit):")
print(*(f"{np.sum(f**2):.6f}" for f in (theta, shrunk, fitted_shrunk.params)))
