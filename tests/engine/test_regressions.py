"""Bugs that were there once: each test is the promise that was broken, and holds for every part."""

import tracemalloc

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import flowcore as fc
from flowcore.testing import check_bijector, randomize

X = np.random.default_rng(0).normal(size=(7, 2))


def over_normal(bijector):
    return fc.TransformedDistribution(fc.Normal(bijector.dim), bijector)


# ---------------------------------------------------------------- domains of compositions

LOGIT, SWAP = fc.Logit(2), fc.Permute([1, 0])
DOUBLE = fc.ElementwiseAffine([0.0, 0.0], 2.0)
R, UNIT = (-np.inf, np.inf), (0.0, 1.0)

DOMAINS = {  # a bijector, its domain, its codomain
    "Chain([Logit, Permute])": (fc.Chain([LOGIT, SWAP]), UNIT, R),
    "Chain([Logit, 2 z])": (fc.Chain([LOGIT, DOUBLE]), (0.0, 0.5), R),
    "Chain([2 z, Sigmoid])": (fc.Chain([DOUBLE, fc.Sigmoid(2)]), R, (0.0, 2.0)),
    "Chain([-2 z, Exp])": (
        fc.Chain([fc.ElementwiseAffine([1.0, 1.0], -2.0), fc.Exp(2)]), R, (-np.inf, 1.0),
    ),
    "nested": (fc.Chain([fc.Chain([LOGIT, DOUBLE]), fc.Chain([SWAP, SWAP])]), (0.0, 0.5), R),
    "Chain([Invert(Chain), ...])": (
        fc.Chain([SWAP, fc.Invert(fc.Chain([fc.Sigmoid(2), SWAP]))]), UNIT, R,
    ),
    "Blockwise": (
        fc.Blockwise([fc.Logit(1), fc.Permute([0]), fc.Exp(1)]),
        ([0, -np.inf, -np.inf], [1, np.inf, np.inf]), ([-np.inf, -np.inf, 0], [np.inf] * 3),
    ),
    "Chain([Blockwise, Permute])": (
        fc.Chain([fc.Blockwise([fc.Logit(1), fc.Permute([0])]), SWAP]),
        ([-np.inf, 0], [np.inf, 1]), R,
    ),
    "a circle of three": (
        fc.Chain([fc.Permute([1, 2, 0]), fc.Sigmoid(3, [0, 2, 4], [1, 3, 5])]),
        R, ([2, 4, 0], [3, 5, 1]),
    ),
    "there and back": (fc.Chain([fc.Sigmoid(2), LOGIT]), UNIT, UNIT),
    "after a layer": (fc.Chain([fc.RealNVP(2, hidden=[4]), LOGIT]), UNIT, R),
    "ends": (
        fc.Chain([fc.Tanh(2), fc.LULinear(2), fc.Logit(2, [0, -3], [1, 5])]),
        ([0, -3], [1, 5]), (-1, 1),
    ),
    "decreasing": (
        fc.Chain([fc.Invert(fc.Softplus(1, 2.0, 3.0)), fc.ElementwiseAffine([1.0], -2.0)]),
        (-np.inf, -1), R,
    ),
    "cut twice": (fc.Chain([fc.Exp(1), fc.Tanh(1)]), R, (np.exp(-1), np.e)),
}  # fmt: skip
for_all_domains = pytest.mark.parametrize("name", DOMAINS)


@for_all_domains
def test_a_composition_knows_where_it_is_defined(name):
    b, domain, codomain = DOMAINS[name]
    for found, expected in ((b.domain, domain), (b.codomain, codomain)):
        for end, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.broadcast_to(end, b.dim), np.broadcast_to(wanted, b.dim))


@for_all_domains
def test_draws_without_an_image_are_warned_of(name):
    b, (low, high), _ = DOMAINS[name]
    z = fc.Normal(b.dim).sample(2000, rng=0)
    outside = int(((z <= low) | (z >= high)).any(axis=1).sum())
    if not outside:
        over_normal(b).sample(2000, rng=0)  # warnings are errors here
        return
    assert outside > 100
    for call in (over_normal(b).sample, over_normal(b).sample_and_log_prob):
        with pytest.warns(UserWarning, match=f"{outside} of 2000 draws .*have no image"):
            call(2000, rng=0)


@for_all_domains
def test_a_right_composition_passes_the_checks(name):
    check_bijector(DOMAINS[name][0])


# ---------------------------------------------------------------- params of a wrong length

FLOW = randomize(fc.flows.maf(2, 2, [8], standardize=False), 0.5)
WRONG = [(), (FLOW.n_params + 1,), (1, FLOW.n_params)]
METHODS = {name: getattr(FLOW, name) for name in ("to_latent", "from_latent", "log_prob", "prob")}
METHODS |= {"forward": FLOW.bijector.forward, "a MADE": FLOW.bijector[0].made}


@pytest.mark.parametrize("name", METHODS)
def test_params_of_a_wrong_shape_are_refused_plain_and_traced(name):
    run = METHODS[name]
    for call in (
        lambda theta: run(X, params=theta),
        grad(lambda theta: anp.sum(run(X, params=theta))),
    ):
        for shape in WRONG:
            with pytest.raises(ValueError, match="params must have shape"):
                call(np.zeros(shape))


# ---------------------------------------------------------------- whole floats are whole numbers

WHOLE = {
    "couplings": lambda d: fc.Chain([fc.RealNVP(d), fc.NICE(d), fc.Coupling(d, d - 1)]),
    "MADE": lambda d: fc.MaskedAutoregressiveFlow(fc.MADE(d, [d + 4])),
    "maps": lambda d: fc.Chain([fc.Planar(d), fc.Radial(d), fc.SinhArcsinh(d)]),
    "layers": lambda d: fc.flows.realnvp(d, layers=d - 1, hidden=[d + 4]),
    "context_dim": lambda d: fc.flows.maf(d, 1, [8], context_dim=d),
    "components": lambda d: fc.flows.made_mog(d, hidden=[8], components=d),
    "GaussianMixture": lambda d: fc.TransformedDistribution(
        fc.GaussianMixture.spread(d, d), fc.NICE(d)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_is_one_whatever_its_type(name, tmp_path):
    """And nothing else is."""
    for four in (np.float32(4), np.int8(4)):
        found, expected = (WHOLE[name](d) for d in (four, 4))
        if isinstance(found, fc.Bijector):
            found, expected = over_normal(found), over_normal(expected)
        assert repr(found) == repr(expected)
        assert type(found.dim) is type(found.bijector.dim) is int
        np.testing.assert_array_equal(found.params, expected.params)
        fc.save(found, tmp_path / "flow.npz")
        assert repr(fc.load(tmp_path / "flow.npz")) == repr(expected)
    for bad in (4.5, "4", None, np.nan):
        with pytest.raises((ValueError, TypeError)):
            WHOLE[name](bad)


# ---------------------------------------------------------------- not written in autograd.numpy


class Own(fc.Bijector):
    """x = (z1, z2 + a z1), written in `xp`; with a = params, or its own."""

    def __init__(self, xp=anp, ignores=False):
        super().__init__(2, np.array([0.3]))
        self.xp, self.ignores = xp, ignores

    def sheared(self, x, params, sign):
        a = self.params if params is None or self.ignores else params
        columns = [x[..., 0], x[..., 1] + sign * a[0] * x[..., 0]]
        return self.xp.stack(columns, axis=-1), np.zeros(x.shape[:-1])

    def forward_and_log_det(self, z, params=None, context=None):
        return self.sheared(z, params, 1)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self.sheared(x, params, -1)


class Knowing:
    """A transformer in plain NumPy."""

    n_out = 1

    def forward_and_log_det(self, z, phi):
        return np.stack([z, z])[0] + phi[..., 0], 0.0 * phi[..., 0]

    def inverse_and_log_det(self, x, phi):
        return np.stack([x, x])[0] - phi[..., 0], 0.0 * phi[..., 0]


BLIND = {
    "plain NumPy, its own params": lambda: Own(np, True),
    "plain NumPy": lambda: Own(np),
    "its own params": lambda: Own(anp, True),
    "in a Chain": lambda: fc.Chain([fc.Permute([1, 0]), Own(np, True), fc.RealNVP(2, hidden=[4])]),
    "inverted": lambda: fc.Invert(Own(np, True)),
    "a transformer": lambda: fc.MaskedAutoregressiveFlow(fc.MADE(2, [4], n_out=1), Knowing()),
}


@pytest.mark.parametrize("name", BLIND)
def test_a_bijector_without_a_gradient_names_what_to_write(name):
    flow = over_normal(BLIND[name]())
    assert np.isfinite(flow.log_prob(X)).all()  # values are fine
    x = np.random.default_rng(0).normal(size=(50, 2))
    for call in (
        lambda: grad(lambda theta: anp.sum(flow.log_prob(x, params=theta)))(flow.params),
        lambda: fc.fit(flow, x, epochs=1),
    ):
        message = r"gradient of .*Knowing" if "former" in name else r"gradient of \w+\(2\).*params"
        with pytest.raises(TypeError, match=rf"(?s)(?=.*autograd\.numpy).*{message}"):
            call()


# ---------------------------------------------------------------- plans


def test_idle_plans_hold_64_megabytes_at_most():
    """Whatever the number of rows: what is held, not what is counted."""
    flow = fc.flows.nsf(8, layers=3, standardize=False)
    run = grad(lambda t, n: anp.sum(flow.log_prob(np.ones((n, 8)), t)))
    run(flow.params, 1)
    held = []
    tracemalloc.start()
    try:
        for n in range(1, 600, 20):
            run(flow.params, n)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert 2**24 < max(held) < 2**26  # some are kept


def test_a_part_in_base_and_bijector_stays_one_part_when_it_is_initialised():
    act = fc.ActNorm(2)
    flow = fc.TransformedDistribution(fc.TransformedDistribution(fc.Normal(2), act), act)
    X = np.random.default_rng(0).normal(3, 2, size=(50, 2))
    assert flow.n_params == flow.initialize(X).n_params == fc.fit(flow, X, epochs=1)[0].n_params


@pytest.mark.parametrize("n", [3, 5000])
def test_results_are_in_c_order(n):
    maf = randomize(fc.MaskedAutoregressiveFlow(fc.MADE(3, [8], context_dim=2)))
    x, c = np.random.default_rng(0).normal(size=(n, 3)), np.zeros((n, 2))
    found = [maf.inverse(x, context=c), maf.forward(x, context=c), maf.made(x, context=c)]
    found += [
        grad(lambda x: anp.sum(maf.inverse(x, context=c)))(x),
        grad(lambda c: anp.sum(maf.inverse(x, context=c)))(c),
    ]
    assert all(a.flags.c_contiguous for a in found)
