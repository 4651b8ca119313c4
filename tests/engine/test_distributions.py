"""The density of x = f(z): shapes, agreement, contexts, stages, draws with a gradient, bad input.

`test_oracles.py` integrates densities and compares their draws.
"""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from support.registry import ForeignBase, OwnBase

import flowcore as fc
from flowcore.core import blocks
from flowcore.distributions import transformed
from flowcore.testing import randomize


def bijector(dim=2, context_dim=0, rng=0):
    """Bounded by 1, tanh: smooth enough for a grid."""
    made = fc.MADE(dim, [8, 8], activation="tanh", context_dim=context_dim, rng=rng)
    maf = fc.MaskedAutoregressiveFlow(made, fc.Affine(1.0))
    parts = [maf, fc.Permute([*range(1, dim), 0])]
    return randomize(fc.Chain([*parts, fc.Elementwise(dim, fc.Affine(1.0))]), scale=0.7, rng=rng)


def over(base, bijector):
    return fc.TransformedDistribution(base, bijector)


FLOWS = {
    "normal": lambda: over(fc.Normal(2), bijector()),
    "diagonal": lambda: over(fc.MultivariateNormalDiag([1, -1], [2, 0.5]), bijector()),
    "foreign base": lambda: over(ForeignBase(), bijector()),
    "trainable base": lambda: randomize(over(OwnBase(), bijector())),
    "inverted": lambda: over(fc.Normal(2), fc.Invert(bijector())),
    "one dimension": lambda: over(fc.Normal(1), bijector(1)),
    "five dimensions": lambda: over(fc.Normal(5), bijector(5)),
    "conditional": lambda: over(fc.Normal(2), bijector(context_dim=2)),
    "over a flow": lambda: over(FLOWS["normal"](), bijector(rng=1)),
    "over a flow with a context": lambda: over(FLOWS["conditional"](), bijector(rng=1)),
    "context in both": lambda: over(FLOWS["conditional"](), bijector(context_dim=2, rng=1)),
    "over marks": lambda: over(fc.ClampedBase(fc.Normal(2)), bijector(context_dim=2)),
    "nested twice": lambda: over(FLOWS["over a flow with a context"](), bijector(rng=2)),
}


def context_of(flow, *lead):
    lead = (*lead, flow.context_dim)
    return np.random.default_rng(5).standard_normal(lead) if flow.context_dim else None


@pytest.mark.parametrize("name", FLOWS)
def test_shapes_and_agreement(name):
    """log_prob is the change of variables, samples are images of the base's samples."""
    flow = FLOWS[name]()
    c = context_of(flow)
    of_base = [c] if getattr(flow.base, "context_dim", 0) else []
    of_bijector = c if flow.bijector.context_dim else None
    for shape, lead in ((3, (3,)), (1, (1,)), ((2, 3), (2, 3)), (0, (0,)), ((), ())):
        x = flow.sample(shape, rng=0, context=c)
        assert x.shape == (*lead, flow.dim)
        log_prob = flow.log_prob(x, context=c)
        assert np.shape(log_prob) == lead and np.isfinite(log_prob).all()
        np.testing.assert_allclose(flow.prob(x, context=c), np.exp(log_prob), rtol=1e-14)
        same, its_log_prob = flow.sample_and_log_prob(shape, rng=0, context=c)
        np.testing.assert_array_equal(same, x)
        np.testing.assert_allclose(its_log_prob, log_prob, rtol=1e-9, atol=1e-9)
        z, log_det = flow.bijector.inverse_and_log_det(x, context=of_bijector)
        np.testing.assert_allclose(flow.to_latent(x, context=of_bijector), z, rtol=1e-12)
        np.testing.assert_allclose(
            flow.from_latent(z, context=of_bijector), x, rtol=1e-9, atol=1e-9
        )
        expected = flow.base.log_prob(z, None, *of_base) if of_base else flow.base.log_prob(z)
        np.testing.assert_allclose(log_prob, expected + log_det, rtol=1e-12)
    assert flow.sample(rng=0, context=c).shape == (1, flow.dim)
    assert flow.n_params == getattr(flow.base, "n_params", 0) + flow.bijector.n_params
    draws = flow.base.sample(9, np.random.default_rng(0), *of_base)
    x = flow.bijector.forward(draws, context=of_bijector)
    np.testing.assert_allclose(flow.sample(9, rng=0, context=c), x, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, make in FLOWS.items() if make().context_dim])
def test_every_row_has_its_own_context_in_whatever_block_it_is(name, monkeypatch):
    flow, found = FLOWS[name](), []
    c = context_of(flow, 50)
    for rows in (50, 7):
        monkeypatch.setattr(blocks, "block_rows", lambda *of, rows=rows: rows)
        monkeypatch.setattr(transformed, "DRAWS", rows)
        x, log_p = flow.sample_and_log_prob((), rng=0, context=c)
        found.append(np.column_stack([x, log_p, flow.log_prob(x, context=c)]))
    np.testing.assert_allclose(*found, rtol=1e-9)


@pytest.mark.parametrize("lead", [(), (1,), (4,), (2, 3), (0,)])
def test_context_shapes(lead):
    """sample(n, context=c).shape == (n,) + c.shape[:-1] + (D,)"""
    flow = FLOWS["conditional"]()
    c = context_of(flow, *lead)
    for n in (0, 1, 5):
        x, log_prob = flow.sample_and_log_prob(n, rng=0, context=c)
        assert x.shape == (n, *lead, 2) and log_prob.shape == (n, *lead)
        np.testing.assert_array_equal(flow.sample(n, rng=0, context=c), x)
        np.testing.assert_allclose(flow.log_prob(x, context=c), log_prob, rtol=1e-8, atol=1e-8)
    assert flow.sample((2, 5), rng=0, context=c).shape == (2, 5, *lead, 2)
    assert flow.sample((), rng=0, context=c).shape == (*lead, 2)
    assert flow.log_prob(np.zeros(2), context=c).shape == lead


def test_stages_start_at_the_base_and_end_at_the_data():
    b = randomize(fc.RealNVP(2, hidden=[4]))
    maf = randomize(fc.MaskedAutoregressiveFlow(fc.MADE(2, [4])))
    flow = fc.TransformedDistribution(
        fc.Normal(2),
        fc.Chain([fc.Standardize(2), fc.Chain([b, fc.Permute([1, 0])]), fc.Invert(maf), maf]),
    )
    z = fc.Normal(2).sample(5, rng=0)
    names, arrays = zip(*flow.stages(z), strict=True)
    assert names == ("base", "MAF", "IAF", "Permute", "Coupling", "Standardize")
    np.testing.assert_array_equal(arrays[0], z)
    np.testing.assert_array_equal(arrays[1], maf.forward(z))
    np.testing.assert_array_equal(arrays[3], arrays[2][:, ::-1])
    np.testing.assert_allclose(arrays[-1], flow.from_latent(z), rtol=1e-14)
    conditional = FLOWS["conditional"]()
    c = context_of(conditional)
    last = conditional.stages(z, context=c)[-1][1]
    np.testing.assert_allclose(last, conditional.from_latent(z, context=c), rtol=1e-14)


def test_short_names_of_inverses():
    maf = fc.MaskedAutoregressiveFlow(fc.MADE(2, [4]))
    names = [
        transformed.short_name(b)
        for b in (maf, fc.Invert(maf), fc.Invert(fc.Invert(maf)), fc.Invert(fc.Sigmoid(2)))
    ]
    assert names == ["MAF", "IAF", "MAF", "Invert(Sigmoid)"]


def test_a_base_that_waits_for_data_gets_those_of_its_own_end():
    x = np.random.default_rng(7).normal([10, -20], [3, 0.1], size=(300, 2))
    inner = over(fc.Normal(2), fc.Chain([fc.Standardize(2), bijector()]))
    flow = over(inner, fc.Permute([1, 0]))
    assert not flow.initialized
    new = flow.initialize(x)
    assert new.initialized
    np.testing.assert_allclose(new.base.bijector[0].mean, x.mean(axis=0)[::-1], rtol=1e-12)


def test_the_parts_of_a_mixture_are_initialised():
    """As a base and alone, with a context and without; a part that is there twice, once."""
    rng = np.random.default_rng(0)
    x, context = rng.normal(5, 3, (200, 2)), rng.normal(100, 9, (200, 1))
    part = fc.flows.maf(2, 1, [4], context_dim=1)
    mixture = fc.Mixture([part, fc.flows.nsf(2, 1, [4]), fc.Normal(2), part])
    base = over(mixture, fc.Permute([1, 0])).initialize(x, context=context).base
    assert base.initialized and not mixture.initialized and base.parts[0] is base.parts[3]
    z = x[:, ::-1]
    expected = part.initialize(z, context=context).log_prob(z, context=context)
    np.testing.assert_allclose(base.parts[0].log_prob(z, context=context), expected)
    found, history = fc.fit(mixture, x, context=context, epochs=2)
    assert found.n_params == mixture.n_params and np.isfinite(history.train_nll).all()


# ---------------------------------------------------------------- bad input


def test_a_base_that_autograd_cannot_follow_is_named():
    flow = fc.TransformedDistribution(fc.targets.ring(), fc.Elementwise(2, fc.Affine()))
    assert np.isfinite(flow.log_prob(np.ones((3, 2)))).all()
    with pytest.raises(TypeError, match=r"Ring\(.*is needed.*autograd.numpy"):
        autograd.grad(lambda th: flow.log_prob(np.ones((3, 2)), params=th).sum())(flow.params)


# ---------------------------------------------------------------- draws with a gradient


@pytest.mark.parametrize(
    "name", ["normal", "diagonal", "foreign base", "inverted", "conditional", "over marks"]
)
def test_draws_are_differentiable_in_the_parameters(name):
    """An objective of x and log q(x): autograd's gradient against differences; values as before."""
    flow, context = FLOWS[name](), None
    if flow.context_dim:
        context = np.random.default_rng(3).integers(2, size=(4, 2)).astype(float)
    options = {"rng": 5, "context": context}
    x, log_q = flow.sample_and_log_prob(6, **options)
    same, same_log_q = flow.sample_and_log_prob(6, params=flow.params, **options)
    assert same.shape == x.shape and same_log_q.shape == log_q.shape
    np.testing.assert_allclose(same, x, rtol=1e-12)
    np.testing.assert_allclose(same_log_q, log_q, rtol=1e-10)
    np.testing.assert_allclose(flow.log_prob(x, context=context), log_q, rtol=1e-8)

    def objective(theta):
        x, log_q = flow.sample_and_log_prob(6, params=theta, **options)
        return anp.mean(anp.sin(x)) + anp.mean(log_q**2)

    slope = autograd.grad(objective)(flow.params)
    assert np.count_nonzero(slope) > 0.9 * flow.n_params
    for direction in np.random.default_rng(0).normal(size=(3, flow.n_params)):
        step = 1e-6 * direction
        numeric = (objective(flow.params + step) - objective(flow.params - step)) / 2e-6
        assert np.dot(slope, direction) == pytest.approx(numeric, rel=1e-5, abs=1e-7)


def test_draws_of_a_trained_base_have_no_gradient():
    flow = fc.flows.nsf(2, layers=1, hidden=[4], standardize=False)
    with pytest.raises(ValueError, match=r"StudentT.* has parameters of its own"):
        flow.sample_and_log_prob(3, params=flow.params)
    flow = FLOWS["normal"]()
    with pytest.raises(ValueError, match="params"):
        flow.sample_and_log_prob(3, params=flow.params[1:])
