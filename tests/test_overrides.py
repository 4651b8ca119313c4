"""A subclass of a built-in class that overrides its public methods is taken at its word, wherever
it stands; one that writes its own `bind` needs its own twin for second derivatives."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import flowcore as fc
from flowcore.testing import randomize

X = np.random.default_rng(0).normal(size=(5, 2))


class Wide(fc.Normal):
    """Twice as wide."""

    def log_prob(self, z, params=None, context=None, threads=None):
        return super().log_prob(z / 2) - 2 * np.log(2)

    def sample(self, n=1, rng=None):
        return 2 * super().sample(n, rng)


class Doubled(fc.ElementwiseAffine):
    """After its own map, times two."""

    def forward_and_log_det(self, z, params=None, context=None):
        x, log_det = super().forward_and_log_det(z, params, context)
        return 2 * x, log_det + 2 * np.log(2)

    def inverse_and_log_det(self, x, params=None, context=None):
        z, log_det = super().inverse_and_log_det(x / 2, params, context)
        return z, log_det - 2 * np.log(2)


class Steeper(fc.Affine):
    """Affine, then times two."""

    def forward_and_log_det(self, z, phi):
        x, log_det = super().forward_and_log_det(z, phi)
        return 2 * x, log_det + np.log(2)

    def inverse_and_log_det(self, x, phi):
        z, log_det = super().inverse_and_log_det(x / 2, phi)
        return z, log_det - np.log(2)


class Negated(fc.MLP):
    """Minus its output."""

    def __call__(self, x, params=None, context=None):
        return -super().__call__(x, params, context)


class NegatedMade(fc.MADE):
    """Minus its output."""

    def __call__(self, x, params=None, context=None):
        return -super().__call__(x, params, context)


class Shifted(fc.TransformedDistribution):
    """A flow of x - 1."""

    def log_prob(self, x, params=None, context=None, threads=None):
        return super().log_prob(x - 1, params, context)


def made():
    return fc.MADE(2, [8], activation="tanh")


def flow_with(bijector, base=None):
    return randomize(fc.TransformedDistribution(base or fc.Normal(2), bijector), scale=0.5)


def coupling(conditioner):
    return fc.Coupling(2, 1, conditioner=conditioner(1, (1, 2), [6], "tanh"))


def shifted():
    bijector = fc.ElementwiseAffine([1.0, 1.0], 1.0)
    return fc.TransformedDistribution(flow_with(fc.MaskedAutoregressiveFlow(made())), bijector)


def of(class_):
    inner = flow_with(fc.MaskedAutoregressiveFlow(made()))
    return fc.TransformedDistribution(class_(inner.base, inner.bijector), fc.Permute([0, 1]))


TWICE = fc.ElementwiseAffine([0.0, 0.0], 2.0)
PAIRS = {  # name -> (with the subclass, the same without)
    "base": lambda: (
        flow_with(fc.MaskedAutoregressiveFlow(made()), Wide(2)),
        flow_with(
            fc.MaskedAutoregressiveFlow(made()),
            fc.MultivariateNormalDiag([0.0, 0.0], [2.0, 2.0]),
        ),
    ),
    "bijector": lambda: (
        flow_with(fc.Chain([Doubled([1.0, 2.0], 3.0), fc.MaskedAutoregressiveFlow(made())])),
        flow_with(
            fc.Chain(
                [
                    TWICE,
                    fc.ElementwiseAffine([1.0, 2.0], 3.0),
                    fc.MaskedAutoregressiveFlow(made()),
                ]
            )
        ),
    ),
    "transformer": lambda: (
        flow_with(fc.MaskedAutoregressiveFlow(made(), Steeper())),
        None,
    ),
    "network": lambda: (flow_with(coupling(Negated)), None),
    "made": lambda: (
        flow_with(fc.MaskedAutoregressiveFlow(NegatedMade(2, [8], activation="tanh"))),
        None,
    ),
    "flow as base": lambda: (of(Shifted), shifted()),
}


def log_prob(flow, theta):
    return flow.log_prob(X, params=theta)


@pytest.mark.parametrize("name", PAIRS)
def test_an_overridden_method_counts_everywhere(name):
    own, plain = PAIRS[name]()
    if plain is None:  # the inverse of what it says, by its own samples
        z = np.random.default_rng(1).normal(size=(4, 2))
        x, log_det = own.bijector.forward_and_log_det(z)
        again, back = own.bijector.inverse_and_log_det(x)
        np.testing.assert_allclose(again, z, atol=1e-10)
        np.testing.assert_allclose(back, -log_det, atol=1e-10)
        if name == "made":
            made_ = own.bijector.made
            flipped = fc.MADE(2, [8], activation="tanh").with_weights(
                [*made_.weights()[:-1], _minus(made_.weights()[-1])]
            )
            same = fc.MaskedAutoregressiveFlow(flipped)
            np.testing.assert_allclose(own.bijector.inverse(X), same.inverse(X), rtol=1e-12)
        elif name == "transformer":
            unsteep = fc.MaskedAutoregressiveFlow(own.bijector.made)
            assert not np.allclose(own.bijector.inverse(X), unsteep.inverse(X))
        else:
            network = own.bijector.conditioner
            flipped = network.with_weights([*network.weights()[:-1], _minus(network.weights()[-1])])
            same = fc.Coupling(2, 1, conditioner=fc.MLP(1, (1, 2), [6], "tanh"))
            same = same.with_params(flipped.params)
            np.testing.assert_allclose(own.bijector.inverse(X), same.inverse(X), rtol=1e-12)
        return
    theta = own.params
    np.testing.assert_allclose(own.log_prob(X), plain.log_prob(X), rtol=1e-12)
    slopes = [grad(lambda t, f=f: anp.sum(log_prob(f, t)))(theta) for f in (own, plain)]
    np.testing.assert_allclose(*slopes, rtol=1e-9, atol=1e-12)
    x, values = own.sample_and_log_prob(6, rng=3)
    np.testing.assert_allclose(values, own.log_prob(x), rtol=1e-9)


def _minus(layer):
    return tuple(None if a is None else -a for a in layer)


@pytest.mark.parametrize("name", PAIRS)
def test_second_derivatives_with_a_subclass(name):
    own, _ = PAIRS[name]()
    v = np.random.default_rng(2).normal(size=own.n_params)

    def slope(theta):
        return grad(lambda t: anp.sum(anp.sin(log_prob(own, t))))(theta)

    found = grad(lambda t: anp.sum(slope(t) * v))(own.params)
    step = 1e-6 * v
    expected = (slope(own.params + step) - slope(own.params - step)) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


class Again(fc.SinhArcsinh):
    """A `bind` of its own: the inherited map, twice."""

    def bind(self, at, direction):
        first, first_back = super().bind(at, direction)
        second, second_back = super().bind(at, direction)
        return (
            lambda x, l: second(first(x, l), l),
            lambda y_bar, l_bar: first_back(second_back(y_bar, l_bar), l_bar),
        )


class OnlyBind(fc.Bijector):
    """x = 2 z, by `bind` alone."""

    def __init__(self):
        super().__init__(2)

    def bind(self, at, direction):
        factor = 2.0 if direction == "forward" else 0.5

        def run(x, l):
            l += 2 * np.log(factor)
            return factor * x

        return run, lambda y_bar, l_bar: factor * y_bar


@pytest.mark.parametrize("part", [Again(2, 0.3), OnlyBind()])
def test_a_bind_of_ones_own_needs_a_twin_for_second_derivatives(part):
    fc.testing.check_bijector(part)

    def slope(x):
        return grad(lambda x: anp.sum(anp.sin(part.inverse(x))))(x)

    assert np.isfinite(slope(X)).all()
    with pytest.raises(NotImplementedError, match=r"plain twin|beside bind"):
        grad(lambda x: anp.sum(slope(x)))(X)
