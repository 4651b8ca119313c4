"""What must not pass silently: wrong shapes from somebody's own parts, values of no use."""

from dataclasses import dataclass

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import flowcore as fc
from flowcore.spec import twins


class Doubled(fc.Bijector):
    """x = 2 z in two dimensions; `slip` is what goes wrong with its log-det log 4."""

    def __init__(self, slip):
        super().__init__(2)
        self.slip = slip

    def forward_and_log_det(self, z, params=None, context=None):
        return 2 * z, self.slip(z, np.log(4.0))

    def inverse_and_log_det(self, x, params=None, context=None):
        return x / 2, self.slip(x, -np.log(4.0))


SLIPS = {
    "keepdims": lambda x, v: np.full((*x.shape[:-1], 1), v),
    "not summed": lambda x, v: np.full(x.shape, v / 2),
    "summed over the rows": lambda x, v: v * len(x),
    "a number": lambda x, v: v,
}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("chained", [False, True])
def test_a_log_det_of_the_wrong_shape_is_refused(slip, chained):
    bijector = Doubled(SLIPS[slip])
    bijector = fc.Chain([bijector, fc.Permute([1, 0])]) if chained else bijector
    flow = fc.TransformedDistribution(fc.Normal(2), bijector)
    for n in (2, 7, 5000):
        with pytest.raises(ValueError, match="log-det of shape"):
            flow.log_prob(np.zeros((n, 2)))
        with pytest.raises(ValueError, match="log-det of shape"):
            flow.sample_and_log_prob(n)
    with pytest.raises(ValueError, match="log-det of shape"):
        grad(lambda x: anp.sum(flow.log_prob(x)))(np.zeros((7, 2)))


class Center(fc.Bijector):
    """Somebody's own data-dependent shift, without a word about `initialized`."""

    def __init__(self, dim, shift=0.0):
        super().__init__(dim)
        self.shift = shift

    def initialize(self, x, context=None, rng=None):
        return Center(self.dim, np.mean(x, axis=0))

    def forward_and_log_det(self, z, params=None, context=None):
        return z + self.shift, np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        return x - self.shift, np.zeros(x.shape[:-1])


def test_somebodys_own_initialize_is_called_in_a_chain_and_loud_in_an_invert():
    x = np.random.default_rng(0).normal(5, 2, size=(50, 2))
    chain = fc.Chain([fc.Permute([1, 0]), Center(2)]).initialize(x)
    np.testing.assert_allclose(chain.inverse(x).mean(axis=0), 0, atol=1e-12)
    with pytest.raises(NotImplementedError, match="initialize_inverted"):
        fc.Chain([fc.Invert(Center(2))]).initialize(x)


def test_a_frozen_dataclass_is_a_bijector():
    @dataclass(frozen=True)
    class Scaled(fc.Bijector):
        dim: int = 2

        def forward_and_log_det(self, z, params=None, context=None):
            return 2 * z, np.full(z.shape[:-1], 2 * np.log(2))

        def inverse_and_log_det(self, x, params=None, context=None):
            return x / 2, np.full(x.shape[:-1], -2 * np.log(2))

    chain = fc.Chain([Scaled(), fc.MaskedAutoregressiveFlow(fc.MADE(2, [8]))])
    assert chain.inverse_log_det(np.zeros((3, 2))).shape == (3,)
    fc.testing.check_bijector(chain)


class Wrapped(fc.Bijector):
    """Somebody's own wrapper around a flow: differentiated by autograd, like what is inside."""

    def __init__(self, inner):
        self.parts, self.dim = (inner,), inner.dim

    def forward_and_log_det(self, z, params=None, context=None):
        return self.parts[0].forward_and_log_det(z, params)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self.parts[0].inverse_and_log_det(x, params)


def test_a_wrapper_around_a_chain_with_somebodys_own_part_is_differentiable():
    inner = fc.Chain([Doubled(lambda x, v: np.full(x.shape[:-1], v)), fc.RealNVP(2, hidden=[8])])
    flows = [
        fc.testing.randomize(fc.TransformedDistribution(fc.Normal(2), b), rng=1)
        for b in (
            fc.Chain([Wrapped(inner), fc.Permute([1, 0])]),
            fc.Chain([inner, fc.Permute([1, 0])]),
        )
    ]
    x = np.random.default_rng(0).normal(size=(5, 2))
    slopes = [grad(lambda t, f=f: anp.sum(f.log_prob(x, params=t)))(f.params) for f in flows]
    np.testing.assert_allclose(*slopes, rtol=1e-12, atol=1e-12)


class OwnAffine:
    """A transformer that derives from nothing."""

    n_out = 2

    def forward_and_log_det(self, z, phi):
        return phi[..., 0] + anp.exp(phi[..., 1]) * z, phi[..., 1]

    def inverse_and_log_det(self, x, phi):
        return (x - phi[..., 0]) * anp.exp(-phi[..., 1]), -phi[..., 1]


def test_any_object_with_the_three_names_is_a_transformer():
    made = fc.MADE(3, [8], activation="tanh")
    own = fc.testing.randomize(fc.MaskedAutoregressiveFlow(made, OwnAffine()), scale=0.5)
    twin = fc.MaskedAutoregressiveFlow(made, fc.Affine(None)).with_params(own.params)
    x = np.random.default_rng(0).normal(size=(4, 3))
    for name in ("forward", "inverse"):
        slopes = [
            grad(lambda t, b=b: anp.sum(getattr(b, name)(x, t) ** 2))(own.params)  # noqa: B023
            for b in (own, twin)
        ]
        np.testing.assert_allclose(*slopes, rtol=1e-9, atol=1e-12)


def test_whole_floats_are_numbers_of_samples():
    assert fc.flows.maf(2, standardize=False).sample(4.0).shape == (4, 2)


def test_a_repr_for_everybody():
    assert repr(Center(2)) == "Center(2)"


class BoundAlone:
    """What a class has that writes `bind` and no method in autograd.numpy."""

    def bind(self, at, *way):
        raise AssertionError("not wanted here")

    def sample(self, n=1, rng=None):
        raise AssertionError("not wanted here")


@pytest.mark.parametrize("kind", [fc.Bijector, fc.Transformer, fc.Distribution])
def test_second_derivatives_of_a_class_with_bind_alone_are_refused(kind):
    part = type("Own", (BoundAlone, kind), {"dim": 1, "n_out": 1, "__repr__": lambda self: "Own"})
    way = "log_prob" if kind is fc.Distribution else "forward"
    theta = np.zeros((2, 1, 1)) if kind is fc.Transformer else np.zeros(0)
    with pytest.raises(NotImplementedError, match=r"Own: beside bind, write (log_prob|forward_)"):
        twins.evaluate(part.__new__(part), way, theta, np.zeros((2, 1)))
