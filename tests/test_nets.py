"""The fused networks against their plain autograd twins: same values, same gradients."""

import copy
import pickle

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from flowcore import MADE, MLP, MaskedAutoregressiveFlow, RealNVP, flows
from flowcore.reference import ACTIVATIONS as PRINTED
from flowcore.testing import randomize

ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "softplus")

NETWORKS = {
    **{f"made-{a}": lambda a=a: MADE(3, [8, 9], activation=a) for a in ACTIVATIONS},
    **{f"mlp-{a}": lambda a=a: MLP(3, (2, 2), [8, 9], activation=a) for a in ACTIVATIONS},
    **{f"made-{n}-hidden": lambda n=n: MADE(4, [9, 6, 8][:n], n_out=3) for n in range(4)},
    **{f"mlp-{n}-hidden": lambda n=n: MLP(4, (5,), [9, 6, 8][:n]) for n in range(4)},
    "made-1": lambda: MADE(1, [4]),
    "made-1-context": lambda: MADE(1, [4], context_dim=1),
    "made-r2l": lambda: MADE(5, [8, 8], order="right-to-left"),
    "made-random": lambda: MADE(5, [40, 40], order="random", degrees="random", rng=3),
    "made-context-all": lambda: MADE(4, [9, 9], context_dim=2, order=[2, 4, 1, 3]),
    "made-context-first": lambda: MADE(4, [9, 9], context_dim=2, context_layers="first"),
    "mlp-context": lambda: MLP(2, (3, 2), [8, 8], context_dim=3),
    # 128 units and more: a few panels instead of one dense product
    "made-wide": lambda: MADE(7, [160, 200], activation="tanh"),
    "made-wide-context": lambda: MADE(7, [160, 200], context_dim=2, order=[3, 5, 1, 7, 2, 6, 4]),
    "made-wide-random": lambda: MADE(7, [130, 150], degrees="random", order="random"),
    "made-many-inputs": lambda: MADE(140, [150, 140], n_out=1),
    "mlp-wide": lambda: MLP(7, (3, 2), [160, 130]),
}


def case(name, lead=(6,)):
    net = randomize(NETWORKS[name](), rng=1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*lead, net.in_dim))
    context = rng.standard_normal((*lead, net.context_dim)) if net.context_dim else None
    return net, x, context


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lead", [(6,), (), (2, 3), (0,)], ids=str)
def test_values_equal_the_twin(name, lead):
    net, x, context = case(name, lead)
    phi = net(x, context=context)
    assert phi.shape == (*lead, *net.out_shape)
    np.testing.assert_allclose(phi, net.plain(x, context=context), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(net(x, net.params, context), phi, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lead", [(6,), (2, 3)], ids=str)
def test_gradients_equal_the_twin(name, lead):
    net, x, context = case(name, lead)
    weights = np.random.default_rng(2).standard_normal((*lead, *net.out_shape))
    for k in (0, 1) if context is None else (0, 1, 2):
        fast, slow = (
            autograd.grad(lambda theta, x, c, f=f: anp.sum(weights * f(x, theta, c)), k)(
                net.params, x, context
            )
            for f in (net, net.plain)
        )
        assert fast.shape == slow.shape
        np.testing.assert_allclose(fast, slow, rtol=1e-12, atol=1e-12 * np.abs(slow).max())


@pytest.mark.parametrize("name", ["made-relu", "made-context-first", "mlp-tanh", "made-wide"])
def test_weights_are_the_network(name):
    """The printed formula h W + c C + b with `weights()`, in plain numpy."""
    net, x, context = case(name)
    act, h = PRINTED[net.activation], x
    for i, (w, b, c) in enumerate(net.weights()):
        h = h @ w + b + (0 if c is None else context @ c)
        h = act(h) if i < len(net.weights()) - 1 else h
    np.testing.assert_allclose(
        net(x, context=context).reshape(len(x), -1), h, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_all_the_way(name):
    net, x, context = case(name)
    small = net.with_params(net.params.astype(np.float32))
    for f in (small, small.plain):
        phi = f(x, context=context)  # float64 rows are cast
        assert phi.dtype == np.float32
        np.testing.assert_allclose(phi, net(x, context=context), rtol=1e-3, atol=1e-3)
    args = [None if a is None else a.astype(np.float32) for a in (net.params, x, context)]
    for k in (0, 1) if context is None else (0, 1, 2):
        gradient = autograd.grad(lambda *a: anp.sum(small(a[1], a[0], a[2]) ** 2), k)(*args)
        assert gradient.dtype == np.float32 and gradient.shape == args[k].shape


@pytest.mark.parametrize(
    "make", [lambda **o: MADE(3, [8], **o), lambda **o: MLP(3, (2,), [8], **o)]
)
def test_float32_from_the_start(make):
    assert make(dtype=np.float32).params.dtype == np.float32
    np.testing.assert_array_equal(make(dtype="float32").params, make().params.astype(np.float32))


@pytest.mark.parametrize("name", ["made-tanh", "mlp-softplus", "made-context-all"])
@pytest.mark.parametrize("loss", [anp.sum, lambda phi: anp.sum(phi**2)], ids=["linear", "square"])
def test_a_second_derivative_is_refused(name, loss):
    """Better loud than silently wrong; the plain twin gives second derivatives.

    A linear loss is the harder case: the gradient that enters the backward pass is a constant.
    """
    net, x, context = case(name)
    for k, a in enumerate((net.params, x)):

        def slope(f, t, k=k):
            args = [net.params, x]
            args[k] = t
            first = autograd.grad(lambda theta, x: loss(f(x, theta, context)), k)(*args)
            return anp.sum(first**2) + anp.sum(t**2)

        with pytest.raises(NotImplementedError):
            autograd.grad(lambda t, f=slope: f(net, t))(a)
        assert np.isfinite(autograd.grad(lambda t, f=slope: f(net.plain, t))(a)).all()


def test_a_second_derivative_of_a_flow_is_refused():
    flow = randomize(flows.maf(2, layers=2, hidden=[8]))
    x = np.ones((3, 2))
    first = autograd.grad(lambda theta: anp.sum(flow.log_prob(x, params=theta)))
    with pytest.raises(NotImplementedError):
        autograd.grad(lambda theta: anp.sum(first(theta) ** 2) + anp.sum(theta**2))(flow.params)
    by_x = autograd.grad(lambda a: anp.sum(flow.log_prob(a)))
    with pytest.raises(NotImplementedError):
        autograd.grad(lambda a: anp.sum(by_x(a) ** 2) + anp.sum(a**2))(x)
    for b in (MaskedAutoregressiveFlow(MADE(2, [8])), RealNVP(2, hidden=[8]), flow.bijector):
        for f in (b.forward, b.inverse_log_det):
            with pytest.raises(NotImplementedError):
                autograd.hessian(lambda a, f=f: anp.sum(f(a)) + anp.sum(a**2))(np.ones(2))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_far_out_and_nan(activation):
    """No overflow at 1e4 times the usual size; a NaN stays in its row, a gradient stays finite."""
    net = randomize(MADE(3, [8, 8], activation=activation))
    x = np.random.default_rng(0).standard_normal((4, 3)) * 1e4
    gradient = autograd.grad(lambda theta: anp.sum(net(x, theta)))(net.params)
    assert np.isfinite(net(x)).all() and np.isfinite(gradient).all()
    broken = x.copy()
    broken[2] = np.nan
    phi = net(broken)
    assert np.isnan(phi[2, 1:]).all()
    np.testing.assert_array_equal(phi[[0, 1, 3]], net(x)[[0, 1, 3]])


@pytest.mark.parametrize("name", ["made-tanh", "mlp-context", "made-wide"])
def test_two_backward_passes_of_one_forward_pass(name):
    """Nothing that the first one needs is overwritten by it."""
    net, x, context = case(name)
    vjp, phi = autograd.make_vjp(lambda theta: net(x, theta, context))(net.params)
    first = vjp(np.ones_like(phi)).copy()
    vjp(np.full_like(phi, 7.0))
    np.testing.assert_array_equal(vjp(np.ones_like(phi)), first)


def test_a_new_network_returns_zero_and_has_random_hidden_layers():
    for net in (MADE(3), MLP(3, (2,))):
        assert net.hidden == (64, 64)
        (w, b, _), *_, (w_out, b_out, _) = net.weights()
        assert not w_out.any() and not b_out.any()
        assert (w != 0).sum() > 50 and len(np.unique(b)) == b.size
    assert np.abs(MLP(100, (1,), [50]).weights()[0][0]).max() <= 0.1
    assert MLP(40, (1,)).hidden == (80, 80)
    assert (MADE(2, rng=1).params != MADE(2, rng=2).params).any()
    np.testing.assert_array_equal(MADE(2, rng=1).params, MADE(2, rng=1).params)


def test_pickle_and_deepcopy_are_bit_identical():
    net, x, _ = case("made-random")
    expected = net(x)
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(other(x), expected)
        assert not other.params.flags.writeable
    assert not any(key.startswith("_memo") for key in net.__getstate__())


def test_repr_shows_the_architecture():
    assert repr(MLP(2, (3, 2), [16], "tanh", context_dim=1)) == (
        "MLP(2, (3, 2), hidden=[16], 'tanh', context_dim=1)"
    )
    assert repr(MADE(3, [8], n_out=1, order="right-to-left")) == (
        "MADE(3, hidden=[8], n_out=1, 'relu', order='right-to-left')"
    )
    assert "order=[2, 3, 1]" in repr(MADE(3, [8], order=[2, 3, 1]))


REFUSED = {
    "no inputs": (lambda: MLP(0, (1,)), "in_dim must be an integer >= 1, not 0"),
    "a wrong last axis": (
        lambda: MLP(3, (1,), [4])(np.ones((5, 2))),
        r"\(\.\.\., 3\), not \(5, 2\)",
    ),
    "params of a wrong length": (lambda: MLP(1, (1,), [])(np.ones(1), np.ones(3)), r"2 parameters"),
    "a missing context": (lambda: MLP(1, (1,), [4], context_dim=2)(np.ones(1)), "needs context="),
    "an unexpected context": (
        lambda: MLP(1, (1,), [4])(np.ones(1), context=np.ones(2)),
        "takes no context",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        make()
