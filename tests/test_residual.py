"""Residual blocks: the printed formula, the plain twin, walks, masks, contract, files, training."""

import copy
import pickle

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import flowcore
from flowcore import (
    MADE,
    MLP,
    NICE,
    Affine,
    Chain,
    Coupling,
    Invert,
    MaskedAutoregressiveFlow,
    Normal,
    RealNVP,
    Shift,
    TransformedDistribution,
    fit,
    reference,
    targets,
)
from flowcore.testing import check_bijector, randomize

ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "softplus")
INNER = [[1, 1, 2, 3, 4, 5, 0, 7, 2], [2, 1, 5, 5], [3, 3, 1, 2, 4, 1, 1]]

MADES = {
    **{a: dict(dim=3, hidden=[8] * 3, activation=a) for a in ACTIVATIONS},
    "two blocks": dict(dim=4, hidden=[9] * 5),
    "three blocks": dict(dim=2, hidden=[6] * 7, n_out=1),
    "bottlenecks": dict(dim=4, hidden=[9, 5, 9, 12, 9], activation="tanh"),
    "one input": dict(dim=1, hidden=[6] * 3),
    "right to left": dict(dim=5, hidden=[10] * 3, order="right-to-left", activation="tanh"),
    "no involution": dict(dim=5, hidden=[11, 9, 11], order=[3, 1, 5, 2, 4], activation="tanh"),
    "random": dict(dim=6, hidden=[40] * 5, order="random", degrees="random", rng=3),
    "given": dict(dim=6, hidden=[9, 4, 9, 7, 9], activation="tanh",
                  degrees=[INNER[0], INNER[1], INNER[0], INNER[2], INNER[0]]),
    "context": dict(dim=4, hidden=[9] * 5, context_dim=2, order=[2, 4, 1, 3], activation="tanh"),
    "context first": dict(dim=4, hidden=[9] * 5, context_dim=2, context_layers="first"),
    "context, one input": dict(dim=1, hidden=[5] * 3, context_dim=2),
    "panels": dict(dim=7, hidden=[150, 130, 150], activation="tanh"),
}  # fmt: skip
MLPS = {
    **{a: dict(in_dim=3, out_shape=(2, 2), hidden=[8] * 3, activation=a) for a in ACTIVATIONS},
    "two blocks": dict(in_dim=4, out_shape=(5,), hidden=[9, 7, 9, 6, 9]),
    "context": dict(in_dim=2, out_shape=(3, 2), hidden=[8] * 5, context_dim=3, activation="tanh"),
    "wide": dict(in_dim=7, out_shape=(3, 2), hidden=[140, 130, 140], activation="tanh"),
}
NETWORKS = {
    **{f"made, {name}": lambda a=a: MADE(**a, residual=True) for name, a in MADES.items()},
    **{f"mlp, {name}": lambda a=a: MLP(**a, residual=True) for name, a in MLPS.items()},
}

pytestmark = pytest.mark.filterwarnings("ignore:MADE. hidden layer:UserWarning")


def case(name, lead=(6,)):
    """A network at random parameters, rows, context."""
    net = randomize(NETWORKS[name](), rng=1)
    rng = np.random.default_rng(0)
    context = rng.standard_normal((*lead, net.context_dim)) if net.context_dim else None
    return net, rng.standard_normal((*lead, net.in_dim)), context


def close(actual, expected):
    np.testing.assert_allclose(
        actual, expected, rtol=1e-12, atol=1e-12 * max(1, np.abs(expected).max(initial=0))
    )


# ---------------------------------------------------------------- the network


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lead", [(6,), (), (2, 3), (0,)], ids=str)
def test_values_equal_the_twin(name, lead):
    net, x, context = case(name, lead)
    phi = net(x, context=context)
    assert phi.shape == (*lead, *net.out_shape)
    close(phi, net.plain(x, context=context))


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_equal_the_twin(name):
    net, x, context = case(name)
    weights = np.random.default_rng(2).standard_normal((len(x), *net.out_shape))
    for k in (0, 1) if context is None else (0, 1, 2):
        fast, slow = (
            autograd.grad(lambda theta, x, c, f=f: anp.sum(weights * f(x, theta, c)), k)(
                net.params, x, context
            )
            for f in (net, net.plain)
        )
        close(fast, slow)


@pytest.mark.parametrize("name", [n for n in NETWORKS if "elu" in n or "tanh" in n or "two" in n])
def test_the_printed_formula(name, monkeypatch):
    """A context is a change of the biases; none of these has one."""
    monkeypatch.setitem(reference.ACTIVATIONS, "elu", lambda a: np.where(a > 0, a, np.expm1(a)))
    net, x, _ = case(name)
    weights = [(w, b) for w, b, _ in net.weights()]
    printed = [reference.residual_network(row, weights, net.activation) for row in x]
    close(net(x).reshape(len(x), -1), np.array(printed))
    without = [reference.network(row, weights, net.activation) for row in x]
    assert np.abs(np.array(without) - printed).max() > 0.01  # the skips are felt


def test_every_skip_counts():
    """hidden=[1]*5 by hand: a_1 = x, a_3 = a_1 + a_2's, a_5 = a_3 + a_4's."""
    mlp = MLP(1, (1,), [1] * 5, "relu", residual=True)
    one, zero = np.ones((1, 1)), np.zeros(1)
    through = [(one, zero)] * 6
    assert mlp.with_weights(through)(np.ones(1)).item() == 4
    for cut, answer in ((1, 2), (2, 2), (3, 2), (4, 2), (5, 0), (0, 0)):
        broken = [(w * (i != cut), b) for i, (w, b) in enumerate(through)]
        assert mlp.with_weights(broken)(np.ones(1)).item() == answer


def test_a_new_network_returns_zero_and_its_weights_are_the_usual_ones():
    for make in (lambda **o: MADE(3, [20] * 3, **o), lambda **o: MLP(3, (2,), [20] * 3, **o)):
        net = make(residual=True)
        assert not net(np.ones(3)).any()
        np.testing.assert_array_equal(net.params, make().params)
    for net in (MADE(3, residual=True), MLP(3, (2,), residual=True)):
        assert net.hidden == (64, 64, 64)
    assert Coupling(40, residual=True).conditioner.hidden == (80, 80, 80)


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_all_the_way(name):
    net, x, context = case(name)
    small = net.with_params(net.params.astype(np.float32))
    for f in (small, small.plain):
        phi = f(x, context=context)
        assert phi.dtype == np.float32
        np.testing.assert_allclose(phi, net(x, context=context), rtol=1e-3, atol=1e-3)
    args = [None if a is None else a.astype(np.float32) for a in (net.params, x, context)]
    for k in (0, 1) if context is None else (0, 1, 2):
        gradient = autograd.grad(lambda *a: anp.sum(small(a[1], a[0], a[2]) ** 2), k)(*args)
        assert gradient.dtype == np.float32 and gradient.shape == args[k].shape


@pytest.mark.parametrize("name", ["made, two blocks", "mlp, context", "made, panels"])
def test_two_backward_passes_of_one_forward_pass(name):
    """Gradients that are added to must not be those that somebody else was given."""
    net, x, context = case(name)
    vjp, phi = autograd.make_vjp(lambda theta: net(x, theta, context))(net.params)
    first = vjp(np.ones_like(phi)).copy()
    vjp(np.full_like(phi, 7.0))
    np.testing.assert_array_equal(vjp(np.ones_like(phi)), first)


def test_a_nan_stays_in_its_row():
    net, x, _ = case("made, two blocks")
    broken = x.copy()
    broken[2, 0] = np.nan
    phi = net(broken)
    assert np.isnan(phi[2, 1:]).all()
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(phi[others], net(x)[others])


# ---------------------------------------------------------------- masks and degrees


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("made")])
def test_the_masks_are_respected(name):
    """d phi_i / d x_j is exactly 0 unless j comes before i, and then not 0."""
    net, x, context = case(name)
    degrees = net.degrees[0]
    before = degrees[None] < degrees[:, None]  # (output, input)
    for i in range(net.dim):
        out = autograd.elementwise_grad(lambda x, i=i: net(x, context=context)[..., i, 0])(x)
        assert (out[:, ~before[i]] == 0).all()
        if name != "made, given":
            assert (out[:, before[i]] != 0).any(axis=0).all()


@pytest.mark.parametrize("context_dim", [0, 2])
@pytest.mark.parametrize("degrees", ["equal", "random"])
def test_skipping_layers_share_their_degrees(degrees, context_dim):
    options = dict(degrees=degrees, context_dim=context_dim, rng=5)
    made = MADE(6, [30, 20, 30, 25, 30], residual=True, **options)
    one, two, three, four, five = made.degrees[1:]
    np.testing.assert_array_equal(three, one)
    np.testing.assert_array_equal(five, one)
    if degrees == "random":
        assert len(set(one)) > 3 and len(set(two)) > 3 and len(set(four)) > 3
        assert two.min() >= one.min() and four.min() >= three.min()


def test_a_narrow_inner_layer_loses_nothing(recwarn):
    """What it cannot pass on goes around it: no warning, and every dependency is there."""
    made = randomize(MADE(6, [10, 2, 10], activation="tanh", residual=True))
    assert not recwarn.list
    x = np.random.default_rng(0).standard_normal((5, 6))
    for i in range(6):
        gradient = autograd.elementwise_grad(lambda x, i=i: made(x)[..., i, 0])(x)
        assert (gradient[:, :i] != 0).all() and (gradient[:, i:] == 0).all()


def test_a_narrow_skipping_layer_warns():
    with pytest.warns(UserWarning, match="hidden layer 1 of 3 units.*minimum width is 5"):
        MADE(6, [3, 20, 3], residual=True)


# ---------------------------------------------------------------- both directions of a flow


@pytest.mark.parametrize("transformer", [Affine(), Affine(None), Shift()], ids=repr)
@pytest.mark.parametrize("name", MADES)
def test_degree_by_degree_is_the_textbook_loop(name, transformer):
    options = {**MADES[name], "n_out": transformer.n_out, "residual": True}
    made = randomize(MADE(**options), scale=0.5, rng=2)
    rng = np.random.default_rng(3)
    z = rng.normal(size=(6, made.dim))
    context = rng.normal(size=(6, 2)) if made.context_dim else None
    w_value, w_log_det = rng.normal(size=z.shape), rng.normal(size=len(z))
    args = (made.params, z) if context is None else (made.params, z, context)
    found = []
    for method in ("by_degree", "sequential"):
        forward = MaskedAutoregressiveFlow(made, transformer, method).forward_and_log_det

        def loss(theta, z, context=None, forward=forward):
            x, log_det = forward(z, theta, context)
            return anp.sum(w_value * x) + anp.sum(w_log_det * log_det)

        gradients = [autograd.grad(loss, k)(*args) for k in range(len(args))]
        found.append([*forward(z, *args[:1], context), *gradients])
    for fast, slow in zip(*found, strict=True):
        close(fast, slow)


def residual_maf(**options):
    made = MADE(3, **{"hidden": [8] * 3, **options}, residual=True)
    return MaskedAutoregressiveFlow(made)


BIJECTORS = {
    "maf": residual_maf,
    "maf, two blocks": lambda: residual_maf(hidden=[8, 5, 8, 6, 8], order=[2, 3, 1]),
    "maf, random": lambda: residual_maf(hidden=[12] * 3, degrees="random", order="random", rng=2),
    "maf, context": lambda: residual_maf(context_dim=2, hidden=[8] * 5),
    "maf, context first": lambda: residual_maf(context_dim=2, context_layers="first"),
    "iaf": lambda: Invert(residual_maf(activation="tanh")),
    "coupling": lambda: Coupling(3, hidden=[8] * 3, residual=True),
    "coupling, context": lambda: RealNVP(3, -1, hidden=[8] * 5, context_dim=2, residual=True),
    "nice": lambda: NICE(3, hidden=[8] * 3, residual=True),
    "chain": lambda: Chain([residual_maf(), RealNVP(3, hidden=[6] * 3, residual=True)]),
}


@pytest.mark.parametrize("name", BIJECTORS)
def test_contract(name):
    check_bijector(BIJECTORS[name](), far_tails=True, arguments=True, float32=True)


# ---------------------------------------------------------------- repr, copies, files, training


def test_repr():
    assert repr(MLP(2, (3, 2), [16] * 3, "tanh", context_dim=1, residual=True)) == (
        "MLP(2, (3, 2), hidden=[16, 16, 16], 'tanh', context_dim=1, residual=True)"
    )
    assert repr(MADE(3, [8] * 3, order="right-to-left", residual=True)) == (
        "MADE(3, hidden=[8, 8, 8], n_out=2, 'relu', order='right-to-left', residual=True)"
    )
    assert "residual" not in repr(MADE(3, [8] * 3)) + repr(MLP(3, (1,), [8] * 3))
    assert "[8, 8, 8], 'relu', residual=True)" in repr(Coupling(2, hidden=[8] * 3, residual=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_copies_files_and_weights(name, tmp_path):
    net, x, context = case(name)
    expected = net(x, context=context)
    flowcore.save(net, tmp_path / "net.npz")
    others = [flowcore.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net))]
    others += [copy.deepcopy(net), NETWORKS[name]().with_weights(net.weights())]
    for other in others:
        assert other.residual and repr(other) == repr(net)
        np.testing.assert_array_equal(other(x, context=context), expected)


@pytest.mark.parametrize("name", BIJECTORS)
def test_flows_in_files(name, tmp_path):
    b = randomize(BIJECTORS[name]())
    flowcore.save(b, tmp_path / "flow.npz")
    other = flowcore.load(tmp_path / "flow.npz")
    z, context = np.ones((2, 3)), np.ones((2, 2)) if b.context_dim else None
    np.testing.assert_array_equal(other.forward(z, context=context), b.forward(z, context=context))


def test_the_same_layers_without_skips_are_another_function():
    net, x, _ = case("made, two blocks")
    plain = MADE(4, [9] * 5).with_weights(net.weights())
    assert not plain.residual and np.abs(plain(x) - net(x)).max() > 0.01


@pytest.mark.parametrize("kind", ["maf", "iaf", "coupling"])
def test_training_lowers_the_loss(kind):
    x = targets.two_moons().sample(400, rng=0)
    maf = [
        MaskedAutoregressiveFlow(MADE(2, [24] * 5, order=order, residual=True, rng=k))
        for k, order in enumerate(("left-to-right", "right-to-left"))
    ]
    parts = {
        "maf": maf,
        "iaf": [Invert(b) for b in maf],
        "coupling": [RealNVP(2, m, hidden=[24] * 5, residual=True, rng=m + 1) for m in (1, -1)],
    }[kind]
    flow = TransformedDistribution(Normal(2), Chain(parts))
    before = -flow.log_prob(x).mean()
    trained, _ = fit(flow, x, epochs=15, batch_size=100, learning_rate=3e-3, rng=0)
    assert -trained.log_prob(x).mean() < before - 0.3


# ---------------------------------------------------------------- what is refused

MADE_3, MLP_3 = (lambda **o: MADE(3, **o)), (lambda **o: MLP(3, (2,), **o))
COUPLING_3 = lambda **o: Coupling(3, **o)  # noqa: E731
REFUSED = {
    "no layer": (dict(hidden=[]), r"at least 3.*hidden=\[\] has 0"),
    "one layer": (dict(hidden=[8]), r"hidden=\[64, 64, 64\]: hidden=\[8\] has 1"),
    "an even number": (dict(hidden=[8] * 4), r"odd number of hidden layers.*has 4"),
    "widths": (dict(hidden=[8, 8, 9]), r"widths must be equal, not \[8, 9\]"),
    "later widths": (dict(hidden=[8, 5, 8, 5, 7]), r"not \[8, 8, 7\] \(hidden=\[8, 5, 8, 5, 7\]\)"),
    "a number of blocks": (dict(hidden=[8] * 3, residual=2), "must be True or False, not 2"),
}  # fmt: skip


@pytest.mark.parametrize("make", [MADE_3, MLP_3, COUPLING_3], ids=["made", "mlp", "coupling"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, make):
    options, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        make(**{"residual": True, **options})


def test_given_degrees_that_differ_are_refused():
    degrees = [[1, 2, 1], [1, 2], [1, 1, 2]]
    MADE(3, [3, 2, 3], degrees=degrees)
    with pytest.raises(ValueError, match=r"the same degrees; got \[\[1, 2, 1\], \[1, 1, 2\]\]"):
        MADE(3, [3, 2, 3], degrees=degrees, residual=True)
