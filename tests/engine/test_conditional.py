"""Conditional flows: p(y | c) of one variable reaches the truth, and the first variable sees c.

At D = 1 y depends on the context alone: a network that hides it from the first
variable can only learn the marginal, which is far from the conditional here.
"""

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import randomize


def sample_y(c, rng):
    """y | c ~ N(2 sin c, (0.4 + c^2/10)^2), (n, 1)."""
    return 2 * np.sin(c) + (0.4 + c**2 / 10) * rng.normal(size=c.shape)


def log_p_exact(y, c):
    sd = 0.4 + c**2 / 10
    return (-0.5 * ((y - 2 * np.sin(c)) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)))[..., 0]


RNG = np.random.default_rng(0)
C = RNG.uniform(-3, 3, size=(5000, 1))
Y = sample_y(C, RNG)
C_TEST = RNG.uniform(-3, 3, size=(10_000, 1))
Y_TEST = sample_y(C_TEST, RNG)


def test_reaches_the_exact_conditional():
    """KL(truth || flow), averaged over c, is below 0.01 nats; the marginal would leave over 0.8."""
    flow = fc.flows.made(1, hidden=[32, 32], context_dim=1, activation="tanh", rng=0)
    # averaged, since 500 validation rows could not separate a good epoch from a lucky one
    options = {"epochs": 40, "learning_rate": 5e-3, "average": 0.99, "validation_split": 0}
    flow, _ = fc.fit(flow, Y, context=C, **options)
    gap = log_p_exact(Y_TEST, C_TEST) - flow.log_prob(Y_TEST, context=C_TEST)
    error = gap.std() / np.sqrt(len(gap))
    assert -4 * error < gap.mean() < 0.01


# ------------------------------------------------------------------------- who sees the context


@pytest.mark.parametrize("context_layers", ["all", "first"])
@pytest.mark.parametrize("order", ["left-to-right", "right-to-left"])
def test_the_first_variable_sees_it_through_hidden_units(order, context_layers):
    """Not only as a linear term of the output layer: three contexts on a line, outputs not."""
    options = {"context_dim": 1, "context_layers": context_layers}
    made = fc.MADE(3, [16, 16], activation="tanh", order=order, **options)
    phi = randomize(made, rng=1)(np.zeros((3, 3)), context=np.array([[-1.0], [0.0], [1.0]]))
    bend = np.abs(phi[0] - 2 * phi[1] + phi[2])
    assert (bend > 1e-3).all()
