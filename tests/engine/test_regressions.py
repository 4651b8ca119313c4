"""Bugs that were there once: each test is the promise that was broken, and holds for every part."""

import gc
import tracemalloc
import weakref

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from support.registry import TRANSFORMERS

import flowcore as fc
from flowcore.core import calls
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
    "Chain([Permute, Logit])": (fc.Chain([SWAP, LOGIT]), UNIT, R),
    "Chain([Logit, 2 z])": (fc.Chain([LOGIT, DOUBLE]), (0.0, 0.5), R),
    "Chain([2 z, Sigmoid])": (fc.Chain([DOUBLE, fc.Sigmoid(2)]), R, (0.0, 2.0)),
    "Chain([-2 z, Exp])": (
        fc.Chain([fc.ElementwiseAffine([1.0, 1.0], -2.0), fc.Exp(2)]), R, (-np.inf, 1.0),
    ),
    "nested": (fc.Chain([fc.Chain([LOGIT, DOUBLE]), fc.Chain([SWAP, SWAP])]), (0.0, 0.5), R),
    "Invert(Chain)": (fc.Invert(fc.Chain([fc.Sigmoid(2), SWAP])), UNIT, R),
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
    "Blockwise([Chain])": (
        fc.Blockwise([fc.Chain([LOGIT, SWAP]), fc.Permute([0])]),
        ([0, 0, -np.inf], [1, 1, np.inf]), R,
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
    "inverted": (fc.Invert(fc.Chain([DOUBLE, fc.Exp(2)])), (0, np.inf), R),
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
WRONG = [(), (0,), (1,), (FLOW.n_params - 1,), (FLOW.n_params + 1,), (1, FLOW.n_params)]
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


@pytest.mark.parametrize("name", ["to_latent", "from_latent"])
def test_latent_points_are_differentiable_by_all_parameters(name):
    flow = randomize(over_normal(fc.flows.maf(2, 1, [4], activation="tanh").bijector[1]), 0.5)

    def loss(theta):
        return anp.sum(getattr(flow, name)(X, params=theta) ** 2)

    steps = 1e-6 * np.eye(flow.n_params)
    slope = [(loss(flow.params + e) - loss(flow.params - e)) / 2e-6 for e in steps]
    np.testing.assert_allclose(grad(loss)(flow.params), slope, rtol=1e-6, atol=1e-7)


# ---------------------------------------------------------------- somebody's own base


class Picky:
    """A base whose log_prob cannot take an empty table."""

    dim = 2

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).normal(size=(n, 2))

    def log_prob(self, z):
        z.max()
        assert len(z) > 0
        return -0.5 * anp.sum(z * z, axis=-1)


@pytest.mark.parametrize("n", [1, 4095, 4096, 10_000])
def test_a_base_is_never_asked_for_no_rows(n):
    x = np.random.default_rng(0).normal(size=(n, 2))
    flow = fc.TransformedDistribution(Picky(), FLOW.bijector)
    expected = fc.TransformedDistribution(fc.Normal(2), FLOW.bijector).log_prob(x)
    np.testing.assert_allclose(flow.log_prob(x) - np.log(2 * np.pi), expected, rtol=1e-9)
    x, log_prob = flow.sample_and_log_prob(n, rng=0)
    np.testing.assert_allclose(flow.log_prob(x), log_prob, rtol=1e-9)


# ---------------------------------------------------------------- whole floats are whole numbers

WHOLE = {
    "couplings": lambda d: fc.Chain([fc.RealNVP(d), fc.NICE(d), fc.Coupling(d, d - 1)]),
    "MADE": lambda d: fc.MaskedAutoregressiveFlow(fc.MADE(d, [d + 4])),
    "linear": lambda d: fc.Chain([fc.Standardize(d), fc.ActNorm(d), fc.LULinear(d)]),
    "maps": lambda d: fc.Chain([fc.Planar(d), fc.Radial(d), fc.SinhArcsinh(d)]),
    "Elementwise": lambda d: fc.Elementwise(d, fc.RationalQuadratic(d)),
    "layers": lambda d: fc.flows.realnvp(d, layers=d - 1, hidden=[d + 4]),
    "context_dim": lambda d: fc.flows.maf(d, 1, [8], context_dim=d),
    "components": lambda d: fc.flows.made_mog(d, hidden=[8], components=d),
    **{
        name: lambda d, name=name: fc.TransformedDistribution(getattr(fc, name)(d), fc.NICE(d))
        for name in ("Normal", "StudentT", "Laplace", "Uniform")
    },
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


# ---------------------------------------------------------------- numbers of any kind


@pytest.mark.parametrize("name", [name for name in TRANSFORMERS if name != "own"])
@pytest.mark.parametrize("way", ["forward_and_log_det", "inverse_and_log_det"])
def test_a_transformer_takes_integers_lists_and_a_single_number(name, way):
    """Plain and traced."""
    transformer = TRANSFORMERS[name]
    run = getattr(transformer, way)
    z, phi = np.array([[1, -2], [3, 0]]), np.ones((2, 2, transformer.n_out), int)
    expected = run(z.astype(float), phi.astype(float))
    for given in ((z, phi), (z.tolist(), phi.tolist()), (z, phi[:1, :1])):
        for a, b in zip(run(*given), expected, strict=True):
            assert a.dtype == np.float64
            np.testing.assert_array_equal(a, b)
    phi = 0.3 * np.random.default_rng(0).normal(size=transformer.n_out)
    y, log_det = run(0.4, phi)
    assert np.shape(y) == np.shape(log_det) == ()
    many = run(np.array([0.4]), phi[None])
    assert (y, log_det) == (many[0][0], many[1][0])
    for k in range(2):
        slope = grad(lambda z: run(z, phi)[k])(0.4)  # noqa: B023
        expected = (run(0.4 + 1e-6, phi)[k] - run(0.4 - 1e-6, phi)[k]) / 2e-6
        assert np.shape(slope) == ()
        np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-7)
        by_phi = grad(lambda phi: run(0.4, phi)[k] + 0.0 * phi[0])(phi)  # noqa: B023
        assert by_phi.shape == phi.shape and np.isfinite(by_phi).all()


# ---------------------------------------------------------------- nothing is computed twice


class Counted:
    """Counts the calls of a function, and the numbers in its last argument that is an array."""

    def __init__(self, monkeypatch, owner, name):
        self.sizes, plain = [], getattr(owner, name)

        def counting(*args):
            self.sizes.append(args[-1].size)
            return plain(*args)

        monkeypatch.setattr(owner, name, counting)


def module_of(cls):
    import sys

    return sys.modules[cls.__module__]


def test_a_spline_runs_once_for_every_coordinate_of_a_gradient(monkeypatch):
    flow = randomize(over_normal(fc.Invert(
        fc.MaskedAutoregressiveFlow(fc.MADE(3, [16], n_out=11), fc.RationalQuadratic(4))
    )))  # fmt: skip
    x = np.random.default_rng(0).normal(size=(50, 3))
    counted = Counted(monkeypatch, module_of(fc.RationalQuadratic)._Curve, "__init__")
    grad(lambda theta: anp.sum(flow.log_prob(x, params=theta)))(flow.params)
    assert counted.sizes == [50] * 3
    counted.sizes.clear()
    flow.log_prob(x)
    assert counted.sizes == [50] * 3
    counted.sizes.clear()
    maf = over_normal(flow.bijector.bijector)  # one pass: all coordinates at once
    grad(lambda theta: anp.sum(maf.log_prob(x, params=theta)))(maf.params)
    assert counted.sizes == [150]


def test_a_root_is_searched_once_for_every_coordinate_of_a_gradient(monkeypatch):
    mixture = fc.MixtureOfGaussians(2)
    flow = randomize(over_normal(fc.Invert(
        fc.MaskedAutoregressiveFlow(fc.MADE(3, [16], n_out=6), mixture)
    )))  # fmt: skip
    x = np.random.default_rng(0).normal(size=(50, 3))
    module = module_of(type(mixture))
    searches = Counted(monkeypatch, module, "_solve")
    densities = Counted(monkeypatch, module, "_density")
    flow.log_prob(x)
    assert searches.sizes == [50] * 3
    alone, densities.sizes[:] = list(densities.sizes), []
    grad(lambda theta: anp.sum(flow.log_prob(x, params=theta)))(flow.params)
    assert searches.sizes == [50] * 6
    assert densities.sizes == alone  # the way back evaluates nothing again


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


class Arithmetic(Own):
    """Nothing but arithmetic, which autograd follows, of its own parameters."""

    def sheared(self, x, params, sign):
        return x + sign * self.params[0], np.zeros(x.shape[:-1])


class Writes(Own):
    """Writes into an array."""

    def sheared(self, x, params, sign):
        y = np.array(x)
        y[..., 1] += sign * (self.params if params is None else params)[0]
        return y, np.zeros(x.shape[:-1])


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
    "arithmetic with its own params": Arithmetic,
    "a write": Writes,
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


def test_an_error_while_a_plan_is_loaded_leaves_no_wrong_numbers(monkeypatch):
    maf = randomize(fc.MaskedAutoregressiveFlow(fc.MADE(2, [8])))
    chain = fc.Chain([maf, fc.LULinear(2)])
    x = np.random.default_rng(0).normal(size=(5, 2))
    expected = chain.inverse(x)

    def out_of_memory(matrix):
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(np.linalg, "inv", out_of_memory)
        chain.inverse(x, params=chain.params + 1)
    np.testing.assert_array_equal(chain.inverse(x), expected)


@pytest.mark.parametrize("traced", [True, False])
def test_idle_plans_hold_64_megabytes_at_most(traced):
    """Whatever the number of rows: what is held, not what is counted."""
    flow = fc.flows.nsf(8, layers=3, standardize=False)
    run = grad(lambda t, n: anp.sum(flow.log_prob(np.ones((n, 8)), t)))
    if not traced:
        flow = fc.flows.maf(8, layers=5, hidden=[8], standardize=False)
        run = lambda theta, n: flow.sample(n, 0)  # noqa: E731
    run(flow.params, 1)
    held = []
    tracemalloc.start()
    try:
        for n in range(1, 600, 9) if traced else range(1, 3000, 30):
            run(flow.params, n)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert 2**24 < max(held) < 2**26  # some are kept


def test_two_idle_plans_of_a_kind_are_kept():
    flow = fc.flows.maf(2, layers=1, hidden=[8], standardize=False)
    leases = [calls.Lease(flow, "log_prob", 5, flow.dtype, False) for _ in range(4)]
    plans = {lease.plan for lease in leases}
    del leases
    (kept,) = flow.__dict__["_memo_plans"].values()
    assert len(kept) == 2 and set(kept) < plans
    assert calls.Lease(flow, "log_prob", 5, flow.dtype, False).plan in plans


def test_a_plan_larger_than_all_may_be_is_not_kept(monkeypatch):
    flow = fc.flows.maf(2, layers=1, hidden=[8], standardize=False)
    flow.log_prob(np.zeros((5, 2)))
    (small,) = flow.__dict__["_memo_plans"].values()
    monkeypatch.setattr(calls, "LARGEST", small[0].at.nbytes + 1)
    flow.log_prob(np.zeros((500, 2)))
    assert [plan.at.n_rows for kind in flow._memo_plans.values() for plan in kind] == [5]
    flow.log_prob(np.zeros((4, 2)))
    assert [plan.at.n_rows for kind in flow._memo_plans.values() for plan in kind] == [4]


def test_a_part_in_base_and_bijector_stays_one_part_when_it_is_initialised():
    act = fc.ActNorm(2)
    flow = fc.TransformedDistribution(fc.TransformedDistribution(fc.Normal(2), act), act)
    X = np.random.default_rng(0).normal(3, 2, size=(50, 2))
    assert flow.n_params == flow.initialize(X).n_params == fc.fit(flow, X, epochs=1)[0].n_params


@pytest.mark.parametrize("log_det", [lambda phi: -anp.sum(phi[..., 0], -1), lambda phi: 0.0])
def test_an_own_transformer_whose_log_det_has_another_shape_is_refused(log_det):
    class Summed(fc.Transformer):
        n_out = 1

        def forward_and_log_det(self, z, phi):
            return z * anp.exp(phi[..., 0]), log_det(phi)

        inverse_and_log_det = forward_and_log_det

    maf = fc.MaskedAutoregressiveFlow(fc.MADE(2, [8], n_out=1), Summed())
    for run in (maf.inverse, maf.forward):
        with pytest.raises(ValueError, match="shape"):
            run(np.zeros((4, 2)))


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


def test_transformers_that_hold_arrays_are_compared():
    class Tilted(fc.Transformer):
        n_out = 1

        def __init__(self, tilt):
            self.tilt = np.asarray(tilt)

        def forward_and_log_det(self, z, phi):
            return z + self.tilt, 0 * z

        inverse_and_log_det = forward_and_log_det

    one = Tilted([1.0, 2.0])
    assert one == Tilted([1.0, 2.0]) and one != Tilted([1.0, 3.0]) and one != Tilted(1.0)
    assert fc.Compose([one, one]) == fc.Compose([one, Tilted([1.0, 2.0])]) != fc.Compose([one])


def test_transformers_are_freed_without_the_collector():
    gc.disable()
    try:
        t = fc.Affine()
        t.forward_and_log_det(np.zeros(5), np.zeros((5, 2)))
        gone = weakref.ref(t)
        del t
        assert gone() is None
    finally:
        gc.enable()


def test_a_float32_walk_casts_its_argument():
    maf = randomize(fc.MaskedAutoregressiveFlow(fc.MADE(3, [8], dtype=np.float32)))
    z = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_array_equal(maf.forward(z), maf.forward(z.astype(np.float32)))


def test_a_lease_that_an_interrupt_has_cut_off_leaves_in_silence(capfd):
    lease = calls.Lease.__new__(calls.Lease)
    lease.plan = None  # and no free list yet
    del lease
    assert capfd.readouterr().err == ""
