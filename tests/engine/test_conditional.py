"""Conditional flows: p(y | c) of one variable reaches the truth; every coordinate sees the context.

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

RECIPES = {
    "made": lambda: fc.flows.made(1, hidden=[32, 32], context_dim=1, activation="tanh", rng=0),
    "iaf": lambda: fc.flows.iaf(
        1, layers=1, hidden=[32, 32], context_dim=1, activation="tanh", rng=0
    ),
}


@pytest.fixture(scope="module")
def fitted():
    """One flow of every recipe, fitted when it is first asked for."""
    done = {}

    def get(name):
        if name not in done:
            # averaged, since 500 validation rows could not separate a good epoch from a lucky one
            done[name], _ = fc.fit(
                RECIPES[name](),
                Y,
                context=C,
                epochs=40,
                learning_rate=5e-3,
                schedule="cosine",
                average=0.99,
                validation_split=0,
            )
        return done[name]

    return get


@pytest.mark.parametrize("name", RECIPES)
def test_reaches_the_exact_conditional(fitted, name):
    """KL(truth || flow), averaged over c, is below 0.01 nats; what the marginal would leave is the
    mutual information of y and c, over 0.8 nats."""
    gap = log_p_exact(Y_TEST, C_TEST) - fitted(name).log_prob(Y_TEST, context=C_TEST)
    error = gap.std() / np.sqrt(len(gap))
    assert -4 * error < gap.mean() < 0.01 < 0.8 < _mutual_information()


def _mutual_information():
    """I(y; c), with p(y) the average of p(y | c) over a grid of c; in nats, over 2000 test rows."""
    y, grid = Y_TEST[:2000], np.linspace(-3, 3, 601)[:, None]
    log_p = np.log(np.mean(np.exp(log_p_exact(y[:, None], grid)), axis=1))
    return np.mean(log_p_exact(y, C_TEST[:2000]) - log_p)


@pytest.mark.parametrize("name", RECIPES)
def test_samples_follow_the_conditional(fitted, name):
    """Mean and standard deviation of y at three c, and rows that belong to their own c."""
    c = np.array([[-2.0], [0.0], [1.5]])
    y = fitted(name).sample(4000, rng=0, context=c)
    assert y.shape == (4000, 3, 1)
    sd = 0.4 + c**2 / 10
    np.testing.assert_allclose(y.mean(axis=0), 2 * np.sin(c), atol=0.12)
    np.testing.assert_allclose(y.std(axis=0), sd, rtol=0.15)


# ------------------------------------------------------------------------- who sees the context

FLOWS = {
    "maf": lambda **k: fc.flows.maf(3, layers=1, hidden=[16], **k),
    "maf, both orders": lambda **k: fc.flows.maf(3, layers=2, hidden=[16], **k),
    "iaf": lambda **k: fc.flows.iaf(3, layers=1, hidden=[16], **k),
    "realnvp": lambda **k: fc.flows.realnvp(3, layers=2, hidden=[16], **k),
    "nice": lambda **k: fc.flows.nice(3, layers=2, hidden=[16], **k),
    "nsf": lambda **k: fc.flows.nsf(3, layers=1, hidden=[16], **k),
    "nsf, coupling": lambda **k: fc.flows.nsf(3, layers=2, hidden=[16], kind="coupling", **k),
    "glow": lambda **k: fc.flows.glow(3, layers=2, hidden=[16], **k),
    "made_mog": lambda **k: fc.flows.made_mog(3, components=2, hidden=[16], **k),
    "one variable": lambda **k: fc.flows.maf(1, layers=1, hidden=[16], **k),
}


@pytest.mark.parametrize("name", FLOWS)
def test_every_number_of_the_context_moves_every_coordinate_and_counts(name):
    """The first variable in the order included."""
    flow = randomize(FLOWS[name](context_dim=2, rng=0), rng=1)
    z, contexts = np.full((3, flow.dim), 0.3), np.array([[0.0, 0.0], [1.0, -1.0], [0.0, 1.0]])
    x = flow.from_latent(z, context=contexts)
    assert (np.abs(x[1] - x[0]) > 1e-6).all()
    log_p = flow.log_prob(z, context=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert (np.abs(log_p[1:] - log_p[0]) > 1e-6).all()


@pytest.mark.parametrize("context_layers", ["all", "first"])
@pytest.mark.parametrize("order", ["left-to-right", "right-to-left"])
def test_the_first_variable_sees_it_through_hidden_units(order, context_layers):
    """Not only as a linear term of the output layer: three contexts on a line, outputs not."""
    made = fc.MADE(
        3,
        hidden=[16, 16],
        activation="tanh",
        order=order,
        context_dim=1,
        context_layers=context_layers,
    )
    phi = randomize(made, rng=1)(np.zeros((3, 3)), context=np.array([[-1.0], [0.0], [1.0]]))
    bend = np.abs(phi[0] - 2 * phi[1] + phi[2])
    assert (bend > 1e-3).all()


def test_fit_refuses_missing_or_unexpected_context():
    x, flow = np.random.default_rng(0).normal(size=(50, 3)), FLOWS["maf"](context_dim=2)
    with pytest.raises(ValueError, match="context"):
        fc.fit(flow, x, epochs=1)
    plain = fc.flows.maf(3, layers=1, hidden=[8])
    with pytest.raises(ValueError, match="takes no context"):
        fc.fit(plain, x, context=np.zeros((50, 2)), epochs=1)
    with pytest.raises(ValueError, match="X has 50 rows"):
        fc.fit(flow, x, context=np.zeros((49, 2)), epochs=1)
