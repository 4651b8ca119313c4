"""Flows in the programs of others. Tests of emcee and torch are skipped without these.

`.ci/run` has an environment with both; what needs none of them runs everywhere.
"""

import sys
from functools import partial

import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from flowcore.adapters import FlowBackend, independence_move, to_torch
from flowcore.adapters.emcee import _proposals


def small(recipe="nsf", **options):
    options = {"layers": 2, "hidden": [8], "standardize": False, **options}
    flow = getattr(fc.flows, recipe)(2, **options)
    return fc.testing.randomize(flow, rng=1)


def points(n=400, seed=0):
    z = np.random.default_rng(seed).normal(size=(n, 2))
    return np.column_stack([z[:, 0], z[:, 1] + 0.5 * z[:, 0] ** 2])


# ---------------------------------------------------------------- a flow behind the protocol


def test_a_backend_is_one_density():
    backend = FlowBackend(small())
    x, log_q = backend.sample_and_log_prob(50)
    z, log_det = backend.to_latent(x)
    back, log_det_back = backend.from_latent(z)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-9)
    np.testing.assert_allclose(backend.log_prob(x), log_q, atol=1e-9)
    np.testing.assert_allclose(backend.flow.base.log_prob(z) + log_det, log_q, atol=1e-9)


def test_a_second_fit_goes_on_in_new_units():
    x = points()
    backend = FlowBackend(fc.flows.maf(2, layers=2, hidden=[8]), epochs=20, batch_size=50)
    first = backend.fit(x)
    learned = backend.flow.params
    second = backend.fit(1000 * x + 5, epochs=1)
    assert len(first.train_nll) > 1 and len(second.train_nll) == 1
    assert np.abs(backend.flow.params - learned).max() < 0.1  # one epoch away
    loss_in_units = second.train_nll[0] - 2 * np.log(1000)
    assert loss_in_units < first.train_nll[0] - 0.05  # it did not start anew


def test_draws_of_a_backend_advance():
    backend = FlowBackend(small(), rng=3)
    (a, _), (b, _) = backend.sample_and_log_prob(5), backend.sample_and_log_prob(5)
    assert (a != b).all() and (FlowBackend(small(), rng=3).sample_and_log_prob(5)[0] == a).all()


# ---------------------------------------------------------------- emcee


def chain(density, log_p, x, n, rng):
    """n steps of Metropolis-Hastings by the proposals of the move, as emcee takes them."""
    random = np.random.RandomState(rng)
    for _ in range(n):
        y, factor = _proposals(density, x, random)
        take = np.log(random.rand(len(x))) < log_p(y) - log_p(x) + factor
        x = np.where(take[:, None], y, x)
    return x


def test_the_factor_is_that_of_hastings():
    q, x = small("maf"), points(20)
    y, factor = _proposals(q, x, np.random.RandomState(0))
    np.testing.assert_allclose(factor, q.log_prob(x) - q.log_prob(y), atol=1e-12)
    again, _ = _proposals(q, x, np.random.RandomState(0))
    other, _ = _proposals(q, x, np.random.RandomState(1))
    assert (again == y).all() and (other != y).all()


def test_the_move_leaves_the_target_as_it_is():
    """20,000 exact draws stay exact draws, though the proposal is another density."""
    q = fc.MultivariateNormalDiag([0.5, -0.5], scale_diag=2.0)
    target = stats.multivariate_normal([1.0, 2.0], [[1.0, 0.6], [0.6, 1.0]])
    x = target.rvs(20_000, random_state=0)
    moved = chain(q, target.logpdf, x, 3, rng=1)
    assert 0.2 < np.mean((moved != x).any(axis=1)) < 0.9
    u = np.linalg.solve(np.linalg.cholesky(target.cov), (moved - target.mean).T)
    for k in range(2):
        assert stats.kstest(u[k], "norm").pvalue > 1e-4
    assert abs(np.mean(u[0] * u[1])) < 5 / np.sqrt(len(x))


def test_a_walker_leaves_only_where_the_proposal_is_positive():
    q, x = fc.Uniform(1), np.array([[0.5], [2.0]])
    _, factor = _proposals(q, x, np.random.RandomState(0))
    assert factor[0] == 0 and factor[1] == -np.inf


def test_the_move_refuses_a_context():
    with pytest.raises(ValueError, match="reads a context, but emcee has none"):
        independence_move(fc.flows.maf(2, context_dim=1))


def test_emcee_walks_by_it():
    emcee = pytest.importorskip("emcee")
    flow, _ = fc.fit(fc.flows.nsf(2, layers=2, hidden=[16]), points(1000), epochs=15, rng=0)

    def log_p(x):
        return -0.5 * (x[:, 0] ** 2 + (x[:, 1] - 0.5 * x[:, 0] ** 2) ** 2)

    def run():
        sampler = emcee.EnsembleSampler(50, 2, log_p, moves=independence_move(flow), vectorize=True)
        sampler.random_state = np.random.RandomState(2).get_state()
        sampler.run_mcmc(points(50, seed=1), 400)
        return sampler

    sampler, again = run(), run()
    assert np.mean(sampler.acceptance_fraction) > 0.5
    draws = sampler.get_chain(discard=50)
    assert (again.get_chain(discard=50) == draws).all()  # emcee's seed repeats the flow's draws
    means = draws.mean(axis=0)  # a mean per walker
    error = means.std(axis=0) / np.sqrt(len(means))
    assert (np.abs(means.mean(axis=0) - [0, 0.5]) < 5 * error).all() and (error < 0.03).all()
    with pytest.raises(ValueError, match="Dimension mismatch"):
        emcee.EnsembleSampler(50, 3, log_p, moves=independence_move(flow), vectorize=True).run_mcmc(
            np.random.default_rng(0).normal(size=(50, 3)), 1
        )


# ---------------------------------------------------------------- torch


def tensors(*arrays):
    torch = pytest.importorskip("torch")
    return [torch.tensor(np.asarray(a), requires_grad=True) for a in arrays]


@pytest.mark.parametrize("recipe", ["maf", "iaf", "realnvp", "nsf"])
def test_gradients_in_torch_are_those_of_differences(recipe):
    torch, rng = pytest.importorskip("torch"), np.random.default_rng(0)
    options = {"bins": 2, "affine": False} if recipe == "nsf" else {}
    flow = small(recipe, layers=1, hidden=[3], context_dim=1, **options)
    x, c = rng.normal(size=(3, 2)), rng.normal(size=(3, 1))
    assert torch.autograd.gradcheck(to_torch(flow.log_prob), tensors(x, flow.params, c))
    f, theta = to_torch(flow.bijector.forward_and_log_det), flow.bijector.params
    assert torch.autograd.gradcheck(f, tensors(x, theta, c))
    twice = partial(torch.autograd.gradgradcheck, fast_mode=True)
    assert twice(f, tensors(x[:1], theta, c[:1]))
    assert twice(to_torch(flow.log_prob), tensors(x[:1], flow.params, c[:1]))


def test_other_functions_of_flowcore_in_torch():
    torch = pytest.importorskip("torch")
    made, base = fc.testing.randomize(fc.MADE(2, hidden=[4])), fc.StudentT(2, 3.0, trainable=True)
    x = np.random.default_rng(0).normal(size=(3, 2))
    for part, f in ((made, made), (base, base.log_prob)):
        assert torch.autograd.gradcheck(to_torch(f), tensors(x, part.params))
    flow = small("iaf")

    def draws(theta):
        return flow.sample_and_log_prob(4, 0, params=theta)

    assert torch.autograd.gradcheck(to_torch(draws), tensors(flow.params))


def test_a_flow_trains_in_torch():
    """Adam of torch, on the flow's own flat vector: the loss falls as with `fit`."""
    torch = pytest.importorskip("torch")
    x, flow = points(), fc.flows.maf(2, layers=2, hidden=[16], standardize=False)
    theta = torch.nn.Parameter(torch.tensor(flow.params))
    log_prob, adam = to_torch(flow.log_prob), torch.optim.Adam([theta], 0.01)
    losses = []
    for _ in range(150):
        loss = -log_prob(torch.tensor(x), theta).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    learned = flow.with_params(theta.detach().numpy())
    assert learned.log_prob(x).mean() == pytest.approx(-losses[-1], abs=0.01)
    assert losses[-1] < losses[0] - 0.05


def test_without_gradients_torch_gets_plain_values():
    torch, flow, x = pytest.importorskip("torch"), small("maf"), points(5)
    f = to_torch(flow.log_prob)
    for value in (f(torch.tensor(x)), f(torch.tensor(x), None, None)):
        assert not value.requires_grad
        np.testing.assert_array_equal(value.numpy(), flow.log_prob(x))
    (x32,) = tensors(x.astype(np.float32))
    with torch.no_grad():
        assert not f(x32).requires_grad
    f(x32).sum().backward()
    assert x32.grad.dtype == torch.float32


def test_torch_gets_the_dtype_that_it_gave():
    torch, flow, x = pytest.importorskip("torch"), small("maf"), points(5)
    (x32,) = tensors(x.astype(np.float32))
    f, g = to_torch(flow.log_prob), to_torch(flow.bijector.forward_and_log_det)
    assert f(x32).dtype == torch.float32 and [y.dtype for y in g(x32)] == [torch.float32] * 2
    np.testing.assert_allclose(f(x32).detach().numpy(), flow.log_prob(x), rtol=1e-4)
    assert f(x32, torch.tensor(flow.params)).dtype == torch.float64  # the wider of the two
    (slope,) = torch.autograd.grad(f(x32).sum(), x32, create_graph=True)
    slope.square().sum().backward()
    assert slope.dtype == x32.grad.dtype == torch.float32
    x16 = torch.tensor(x, dtype=torch.bfloat16, requires_grad=True)  # which NumPy does not have
    value = f(x16)
    value.sum().backward()
    assert value.dtype == x16.grad.dtype == torch.bfloat16


def test_what_is_not_installed_is_one_line(monkeypatch):
    for name, call in {"torch": to_torch, "emcee": independence_move}.items():
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, f"{name}.moves", None)
        with pytest.raises(ImportError, match=f"needs {name}: pip install {name}"):
            call(fc.Normal(2))
