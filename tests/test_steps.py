"""The fast steps against their plain twins: values and all gradients, in both directions.

Degree by degree against the textbook loop; one pass against `Network.plain` and the transformer in
plain autograd; hand-written pullbacks against autograd's.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from flowcore import MADE, Affine, MaskedAutoregressiveFlow, Scale, Shift, Transformer, testing
from flowcore.transformers import pullback_of

TRANSFORMERS = [Affine(), Affine(1.0), Affine(None), Shift(), Scale()]
MADES = {
    "no hidden layer": dict(dim=4, hidden=[]),
    "one input": dict(dim=1, hidden=[8]),
    "two": dict(dim=2, hidden=[16, 16]),
    "right to left": dict(dim=5, hidden=[16, 12], order="right-to-left"),
    "no involution": dict(dim=5, hidden=[9, 7, 11], order=[3, 1, 5, 2, 4]),
    "random": dict(dim=6, hidden=[40, 40], order="random", degrees="random"),
    "degrees without units": dict(dim=6, hidden=[4, 3], degrees=[[1, 1, 4, 5], [2, 4, 5]]),
    "units of no use": dict(dim=3, hidden=[5], degrees=[[0, 1, 2, 3, 7]]),
    "panels": dict(dim=7, hidden=[150, 130]),
    "context": dict(dim=3, hidden=[10, 10], context_dim=2),
    "context first": dict(dim=3, hidden=[10, 10], context_dim=2, context_layers="first"),
    "context, one input": dict(dim=1, hidden=[8], context_dim=2),
}  # fmt: skip


def case(name, transformer):
    """A random MAF, its textbook twin, rows, context."""
    made = MADE(**MADES[name], n_out=transformer.n_out, activation="tanh", rng=1)
    made = testing.randomize(made, scale=0.7, rng=2)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, made.dim))
    context = rng.normal(size=(6, 2)) if made.context_dim else None
    fast, slow = (
        MaskedAutoregressiveFlow(made, transformer, method=method)
        for method in ("by_degree", "sequential")
    )
    return fast, slow, x, context


def close(actual, expected):
    np.testing.assert_allclose(
        actual, expected, rtol=1e-12, atol=1e-12 * max(1, np.abs(expected).max(initial=0))
    )


def compare(one, other, x, theta, context):
    """Values, and the gradients of a random projection of both outputs."""
    for a, b in zip(one(x, theta, context), other(x, theta, context), strict=True):
        close(a, b)
    rng = np.random.default_rng(4)
    w_value, w_log_det = rng.normal(size=x.shape), rng.normal(size=len(x))
    args = (theta, x) if context is None else (theta, x, context)

    def slope(f, k):
        def loss(theta, x, context=None):
            value, log_det = f(x, theta, context)
            return anp.sum(w_value * value) + anp.sum(w_log_det * log_det)

        return grad(loss, k)(*args)

    for k in range(len(args)):
        close(slope(one, k), slope(other, k))


@pytest.mark.filterwarnings("ignore:MADE:UserWarning")
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
@pytest.mark.parametrize("name", MADES)
def test_degree_by_degree_is_the_textbook_loop(name, transformer):
    fast, slow, z, context = case(name, transformer)
    compare(fast.forward_and_log_det, slow.forward_and_log_det, z, fast.params, context)


@pytest.mark.filterwarnings("ignore:MADE:UserWarning")
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
@pytest.mark.parametrize("name", MADES)
def test_one_pass_is_the_plain_network_and_the_plain_transformer(name, transformer):
    fast, _, x, context = case(name, transformer)

    def plain(x, theta, context=None):
        phi = fast.made.plain(x, theta, context)
        z, log_det = transformer.inverse_and_log_det(x, phi)
        return z, anp.sum(log_det, axis=-1)

    compare(fast.inverse_and_log_det, plain, x, fast.params, context)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_hand_written_pullbacks(transformer, direction):
    rng = np.random.default_rng(5)
    v, phi = rng.normal(size=(4, 3)), rng.normal(size=(4, 3, transformer.n_out))
    value, log_det = getattr(transformer, f"{direction}_and_log_det")(v, phi)
    args = (v, phi, value, log_det, rng.normal(size=(4, 3)), rng.normal(size=(4, 1)))
    by_autograd = getattr(Transformer, f"{direction}_pullback")(transformer, *args)
    for a, b in zip(pullback_of(transformer, direction)(*args), by_autograd, strict=True):
        close(a, b)


def test_float32_within_its_own_rounding():
    fast, slow, z, _ = case("panels", Affine())
    theta = fast.params.astype(np.float32)
    x, log_det = fast.forward_and_log_det(z, theta)
    assert x.dtype == log_det.dtype == np.float32
    np.testing.assert_allclose(x, slow.forward(z), rtol=1e-4, atol=1e-5)
