"""Networks: weights, a new network, skips and their masks.

Values, gradients, dtypes, files and copies of every network are in the tests of the registry.
"""

import autograd
import numpy as np
import pytest
from support.registry import NETWORKS, case

import flowcore as fc
from flowcore.networks.activations import MOMENTS
from flowcore.networks.network import STEEPNESS
from flowcore.testing import randomize

BOTH = pytest.mark.parametrize(
    "make", [lambda *a, **o: fc.MADE(3, *a, **o), lambda *a, **o: fc.MLP(3, (2,), *a, **o)]
)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_back(name):
    net = case(name, "phi").part
    np.testing.assert_array_equal(NETWORKS[name]().with_weights(net.weights()).params, net.params)


# ---------------------------------------------------------------- new networks


@pytest.mark.parametrize("residual", [False, True])
@BOTH
def test_a_new_network_returns_zero_and_has_random_hidden_layers(make, residual):
    net = make(residual=residual)
    assert net.hidden == (64,) * (3 if residual else 2)
    assert not net(np.ones(3)).any()
    (w, b, _), *_, (w_out, b_out, _) = net.weights()
    assert not w_out.any() and not b_out.any()
    assert (w != 0).sum() > 50 and len(np.unique(b)) == b.size
    plain = make([20] * 3).params
    np.testing.assert_array_equal(make([20] * 3, residual=True).params, plain)
    for dtype in (np.float32, "float32"):
        assert make([8], dtype=dtype).params.dtype == np.float32
        np.testing.assert_array_equal(make([8], dtype=dtype).params, np.float32(make([8]).params))


ACTS = {
    "relu": lambda a: np.maximum(a, 0),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "softplus": lambda a: np.logaddexp(0, a),
}


@pytest.mark.parametrize("name", ACTS)
def test_the_moments_of_activations(name):
    """Of act(a) for a ~ N(0, 1), by quadrature."""
    a, step = np.linspace(-12, 12, 100_001, retstep=True)
    weights = step * np.exp(-a * a / 2) / np.sqrt(2 * np.pi)
    mean = weights @ ACTS[name](a)
    deviation = np.sqrt(weights @ ACTS[name](a) ** 2 - mean**2)
    np.testing.assert_allclose(MOMENTS[name], (mean, deviation), atol=1e-6)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("context_dim", [0, 3])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ACTS)
def test_a_new_network_keeps_the_variance_of_what_passes(name, masked, context_dim, residual):
    """Over rows, unit by unit, so that no two rows come closer: through ten layers and more."""
    options = {"hidden": [64] * 11, "activation": name, "residual": residual}
    options["context_dim"] = context_dim
    kept = []
    for seed in range(4):
        net = fc.MADE(6, rng=seed, **options) if masked else fc.MLP(6, (2,), rng=seed, **options)
        rng = np.random.default_rng(seed)
        h, context, before = rng.normal(size=(300, 6)), rng.normal(size=(300, context_dim)), []
        for l, (w, b, c) in enumerate(net.weights()[:-1], start=1):
            a = h @ w + b + (0 if c is None else context @ c)
            a += before[-2] if l - 2 in net.skips else 0
            before.append(a)
            h = ACTS[name](a)
        # units of degree 0 see the context alone; without one they are constants
        kept.append([a[:, a.var(axis=0) > 0].var(axis=0).mean() for a in before])
    typical = np.median(kept, axis=0)
    assert typical.min() > 1 / 4 and typical.max() < 4


@pytest.mark.parametrize("n", [1, 2, 3, 400])
def test_units_that_read_few_inputs_start_steeper(n):
    steep = max(1, STEEPNESS["tanh"] / n**0.5)
    w, b, _ = fc.MLP(n, (1,), [1000], "tanh").weights()[0]
    for found, bound in ((w, (3 / n) ** 0.5), (b, n**-0.5)):
        assert 0.99 * steep * bound < np.abs(found).max() <= steep * bound


# ---------------------------------------------------------------- masks and degrees of skips


@pytest.mark.parametrize("context_dim", [0, 2])
@pytest.mark.parametrize("degrees", ["equal", "random"])
def test_skipping_layers_share_their_degrees(degrees, context_dim):
    options = dict(degrees=degrees, context_dim=context_dim, rng=5)
    made = fc.MADE(6, [30, 20, 30, 25, 30], residual=True, **options)
    one, two, three, four, five = made.degrees[1:]
    np.testing.assert_array_equal(three, one)
    np.testing.assert_array_equal(five, one)
    if degrees == "random":
        assert len(set(one)) > 3 and len(set(two)) > 3 and len(set(four)) > 3
        assert two.min() >= one.min() and four.min() >= three.min()


def test_a_narrow_inner_layer_loses_nothing(recwarn):
    """What it cannot pass on goes around it: no warning, and every dependency is there."""
    made = randomize(fc.MADE(6, [10, 2, 10], activation="tanh", residual=True))
    assert not recwarn.list
    x = np.random.default_rng(0).standard_normal((5, 6))
    for i in range(6):
        gradient = autograd.elementwise_grad(lambda x, i=i: made(x)[..., i, 0])(x)
        assert (gradient[:, :i] != 0).all() and (gradient[:, i:] == 0).all()


def test_a_narrow_skipping_layer_warns():
    with pytest.warns(UserWarning, match="hidden layer 1 of 3 units.*minimum width is 5"):
        fc.MADE(6, [3, 20, 3], residual=True)
