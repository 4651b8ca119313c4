"""Somebody's own classes: their parts are trained, wrong shapes are refused.

A class that writes `bind` is taken at its word: its numeric methods are final, and an override,
also by a mixin, is a TypeError when the class is made.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import flowcore as fc
from flowcore.testing import check_bijector, randomize

X = np.random.default_rng(0).normal(size=(5, 2))


def method(self, *args, **kwargs):
    raise AssertionError("an override that flows would not run")


class Mixin:
    """Overrides whatever has one of these names."""

    log_prob = forward_and_log_det = __call__ = method


@pytest.mark.parametrize(
    ("bases", "name"),
    [
        ((fc.Chain,), "forward_and_log_det"),
        ((fc.ElementwiseAffine,), "forward_and_log_det"),
        ((fc.Affine,), "inverse_and_log_det"),
        ((fc.MLP,), "__call__"),
        ((fc.TransformedDistribution,), "log_prob"),
        ((Mixin, fc.Normal), None),
        ((Mixin, fc.Exp), None),
    ],
)
def test_an_override_below_bind_is_refused(bases, name):
    held = bases[-1].__name__
    with pytest.raises(TypeError, match=f"Own overrides .*, but {held} .* parts = .*{held}"):
        type("Own", bases, {} if name is None else {name: method})


@pytest.mark.parametrize("base", [fc.Exp, fc.Bijector])
@pytest.mark.parametrize("name", ["forward", "inverse", "forward_log_det", "inverse_log_det"])
def test_what_follows_from_other_methods_is_never_overridden(base, name):
    with pytest.raises(TypeError, match=f"Own overrides {name}, which follows from"):
        type("Own", (base,), {name: method})
    with pytest.raises(TypeError, match="Own overrides prob, which follows from log_prob"):
        type("Own", (fc.Distribution,), {"prob": method})


class Held(fc.Bijector):
    """Its parts have names of their own, beside `parts`."""

    def __init__(self, inner, others=()):
        super().__init__(inner.dim)
        self.inner, self.others, self.parts = inner, list(others), (inner, *others)

    def forward_and_log_det(self, z, params=None, context=None):
        x, total = self.inner.forward_and_log_det(z, self.params_of(self.inner, params))
        for part in self.others:
            x, log_det = part.forward_and_log_det(x, self.params_of(part, params))
            total = total + log_det
        return x, total

    def inverse_and_log_det(self, x, params=None, context=None):
        total = 0.0
        for part in (*self.others[::-1], self.inner):
            x, log_det = part.inverse_and_log_det(x, self.params_of(part, params))
            total = total + log_det
        return x, total


def test_parts_under_other_names_get_the_new_parameters():
    one, two = fc.ActNorm(2), fc.MaskedAutoregressiveFlow(fc.MADE(2, [8], activation="tanh"))
    own = Doubled(lambda x, log_det: np.full(x.shape[:-1], log_det))
    held = randomize(Held(two, [own, one.initialize(X)]), rng=3)
    same = fc.Chain([*held.others[::-1], held.inner])
    assert held.inner is held.parts[0] and not np.array_equal(held.inner.params, two.params)
    np.testing.assert_array_equal(held.inverse(X), same.inverse(X))
    check_bijector(held)
    flow = fc.TransformedDistribution(fc.Normal(2), held)
    slope = grad(lambda theta: anp.sum(flow.log_prob(X, params=theta)))(flow.params)
    assert np.abs(slope).min() > 0


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
    check_bijector(part)

    def slope(x):
        return grad(lambda x: anp.sum(anp.sin(part.inverse(x))))(x)

    assert np.isfinite(slope(X)).all()
    with pytest.raises(NotImplementedError, match=r"plain twin|beside bind"):
        grad(lambda x: anp.sum(slope(x)))(X)


class Both(OnlyBind):
    """Beside its `bind`, in the same class, the two methods: its twin."""

    def bind(self, at, direction):
        return super().bind(at, direction)

    def forward_and_log_det(self, z, params=None, context=None):
        return 2 * z, anp.zeros(z.shape[:-1]) + 2 * np.log(2)

    def inverse_and_log_det(self, x, params=None, context=None):
        return x / 2, anp.zeros(x.shape[:-1]) - 2 * np.log(2)


def test_a_bind_with_the_methods_beside_it_is_differentiated_twice():
    def slope(x):
        return grad(lambda x: anp.sum(anp.sin(Both().inverse(x))))(x)

    np.testing.assert_allclose(grad(lambda x: anp.sum(slope(x)))(X), -anp.sin(X / 2) / 4)


# ---------------------------------------------------------------- shapes, data, copies


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
        with pytest.raises(ValueError, match="as log-det of rows"):
            flow.log_prob(np.zeros((n, 2)))
        with pytest.raises(ValueError, match="as log-det of rows"):
            flow.sample_and_log_prob(n)
    with pytest.raises(ValueError, match="as log-det of rows"):
        grad(lambda x: anp.sum(flow.log_prob(x)))(np.zeros((7, 2)))


class Foreign:
    """A transformer that derives from nothing: x = sinh(z + a)."""

    n_out = 1

    def forward_and_log_det(self, z, phi):
        u = z + phi[..., 0]
        return anp.sinh(u), anp.log(anp.cosh(u))

    def inverse_and_log_det(self, x, phi):
        return anp.arcsinh(x) - phi[..., 0], -0.5 * anp.log(1 + x * x)


def test_any_object_with_the_three_names_is_a_transformer():
    check_bijector(fc.MaskedAutoregressiveFlow(fc.MADE(3, [8], n_out=1), Foreign()))
