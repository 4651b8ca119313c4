"""Large batches in shards of rows: any number of threads, the same bits; BLAS left as it was."""

import threading
from contextlib import contextmanager

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad, value_and_grad
from autograd.tracer import trace_stack
from test_blocks import blas_threads

import flowcore as fc
from flowcore.testing import randomize
from flowcore.training import Likelihood, Rows, shards

TEXTBOOK = {"learning_rate": 1e-3, "schedule": "constant", "average": None, "rng": 0}


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(shards, "LARGE", 0)
    monkeypatch.setattr(shards, "SHARDS", {0: 1, 32: 2, 128: 4})


def test_how_many_shards(monkeypatch):
    sizes = (1, 31, 32, 127, 128, 10**6)
    assert [shards.n_shards(n, 10) for n in sizes] == [1, 1, 2, 2, 4, 4]
    monkeypatch.setattr(shards, "LARGE", 810)
    assert [shards.n_shards(n, 10) for n in (80, 81)] == [1, 2]


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("context_dim", [0, 2])
def test_shards_give_the_loss_and_its_gradient(context_dim, dtype):
    flow = randomize(fc.flows.maf(3, 2, [16], context_dim, standardize=False, dtype=dtype), rng=1)
    rng = np.random.default_rng(2)
    x, weight = rng.normal(size=(301, 3)).astype(dtype), rng.exponential(size=301)
    context = rng.normal(size=(301, 2)).astype(dtype) if context_dim else None
    theta = np.array(flow.params)
    value, gradient = Likelihood(flow, threads=2)(theta, Rows(x, weight, context))

    def nll(theta):
        values = flow.log_prob(x, params=theta, context=context)
        return -(weight / weight.sum() * values).sum()

    expected, slope = value_and_grad(nll)(flow.params)
    tolerance = 1e-12 if dtype is float else 1e-5
    assert value == pytest.approx(expected, rel=tolerance)
    np.testing.assert_allclose(gradient, slope, rtol=tolerance, atol=tolerance)


def sequential(transformer, dim=2):
    """An IAF by the textbook's loop, which autograd traces."""
    made = fc.MADE(dim, [8], n_out=transformer.n_out)
    loop = fc.MaskedAutoregressiveFlow(made, transformer, method="sequential")
    return randomize(fc.TransformedDistribution(fc.Normal(dim), fc.Invert(loop)), rng=3)


KINDS = ["maf", "iaf", "realnvp", "nsf", "glow", "maf_mog", "sequential"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_gives_the_same_bits(kind):
    if kind == "sequential":
        flow = sequential(fc.Affine())
    else:
        flow = getattr(fc.flows, kind)(2, layers=2, hidden=[8], rng=3)
    x = np.random.default_rng(4).normal(size=(150, 2))
    fits = [
        fc.fit(flow, x, epochs=3, batch_size=70, threads=threads, **TEXTBOOK)
        for threads in (1, 2, 5)
    ]
    one = fits[0]
    assert not np.array_equal(one[0].params, flow.params)
    for fitted, history in fits[1:]:
        np.testing.assert_array_equal(fitted.params, one[0].params)
        assert (history.train_nll, history.val_nll) == (one[1].train_nll, one[1].val_nll)


def test_shards_are_worked_on_by_several_threads(monkeypatch):
    seen, both = set(), threading.Barrier(2, timeout=20)
    gradient = shards.Plan.gradient

    def watched(plan, *bars):
        seen.add(threading.get_ident())
        both.wait()
        return gradient(plan, *bars)

    monkeypatch.setattr(shards.Plan, "gradient", watched)
    flow = fc.flows.maf(2, layers=1, hidden=[8])
    x = np.random.default_rng(0).normal(size=(40, 2))
    fc.fit(flow, x, epochs=1, batch_size=None, validation_split=0, threads=2, **TEXTBOOK)
    assert len(seen) == 2


@contextmanager
def at_level_0():
    """A trace whose level is that of every other one: the worst that threads can do to it."""
    yield 0


def value_and_gradient(flow):
    x = np.random.default_rng(0).normal(size=(40, flow.dim))
    return value_and_grad(lambda theta: -anp.mean(flow.log_prob(x, params=theta)))(flow.params)


TRANSFORMERS = [fc.Affine(), fc.Shift(), fc.RationalQuadratic(4), fc.CircularSpline(4),
                fc.MixtureOfGaussians(2)]  # fmt: skip


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda own: type(own).__name__)
def test_a_trace_alone_needs_no_level_of_its_own(transformer, monkeypatch):
    """So threads may trace the sequential method, though autograd numbers levels for all threads
    together: boxes of two levels never meet."""
    flow = sequential(transformer, dim=3)
    value, gradient = value_and_gradient(flow)
    monkeypatch.setattr(trace_stack, "new_trace", at_level_0)
    again, same = value_and_gradient(flow)
    assert value == again and np.abs(gradient).max() > 0.01
    np.testing.assert_array_equal(gradient, same)


class Cubic(fc.Bijector):
    """z = x + e^a x^3, with a slope by autograd: a trace within that of a fit."""

    def forward_and_log_det(self, z, params=None, context=None):
        raise NotImplementedError

    def inverse_and_log_det(self, x, params=None, context=None):
        THREADS.add(threading.get_ident())
        a = self.params if params is None else params
        f = lambda x: x + anp.exp(a) * x**3  # noqa: E731
        return f(x), anp.sum(anp.log(elementwise_grad(f)(x)), axis=-1)


THREADS = set()


def test_nested_traces_are_in_one_thread():
    flow = fc.TransformedDistribution(fc.Normal(2), Cubic(2, [0.1]))
    _, gradient = value_and_gradient(flow)
    x = np.random.default_rng(0).normal(size=(40, 2))
    THREADS.clear()
    _, slope = Likelihood(flow, threads=4)(np.array(flow.params), Rows(x))
    np.testing.assert_allclose(slope, gradient, rtol=1e-12)
    flow.log_prob(np.tile(x, (500, 1)), threads=4)
    assert {threading.get_ident()} == THREADS
    assert shards.BoundLogProb(flow, 40, np.array(flow.params), threads=4).threads == 1


def test_nested_traces_need_levels(monkeypatch):
    """Why threads must not share them: a derivative by a, of one by x, is lost."""
    slope = grad(lambda a: anp.sum(elementwise_grad(lambda x: a * x**3)(np.ones(2))))
    assert slope(2.0) == 6
    monkeypatch.setattr(trace_stack, "new_trace", at_level_0)
    with pytest.warns(UserWarning, match="independent"):
        assert slope(2.0) == 0


class InItsOwnOrder(fc.Bijector):
    """inverse: first, then second; bound the other way round."""

    dim, context_dim = 3, 0

    def __init__(self, first, second):
        self.parts = (first, second)

    def bind(self, at, direction):
        first, second = self.parts
        g, g_back = second.bind(at, direction)
        f, f_back = first.bind(at, direction)
        return lambda x, l: g(f(x, l), l), lambda y_bar, l_bar: f_back(g_back(y_bar, l_bar), l_bar)


def test_the_way_back_of_somebodys_own_bind_is_whole():
    bijector = InItsOwnOrder(fc.ActNorm(3), fc.MaskedAutoregressiveFlow(fc.MADE(3, [8])))
    flow = randomize(fc.TransformedDistribution(fc.Normal(3), bijector), rng=1)
    x = np.random.default_rng(2).normal(size=(40, 3))
    _, gradient = Likelihood(flow)(np.array(flow.params), Rows(x))
    slope = grad(lambda theta: -anp.mean(flow.log_prob(x, params=theta)))(flow.params)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12)


def test_blas_has_one_thread_in_fit_and_what_it_had_afterwards():
    flow, before, within = fc.flows.maf(2, layers=1, hidden=[8]), blas_threads(), []
    x = np.random.default_rng(0).normal(size=(40, 2))
    options = {"epochs": 2, "callbacks": [lambda report: within.append(blas_threads())]}
    fc.fit(flow, x, **options, **TEXTBOOK)
    assert within == [{1}] * 2 and blas_threads() == before

    def fails(report):
        raise KeyError("mine")

    with pytest.raises(KeyError):
        fc.fit(flow, x, epochs=2, callbacks=[fails], **TEXTBOOK)
    with pytest.raises(ValueError, match="schedule returned -1"):
        fc.fit(flow, x, epochs=2, **{**TEXTBOOK, "learning_rate": lambda step: -1})
    assert blas_threads() == before


def test_fits_at_the_same_time_leave_blas_as_it_was():
    flow, before, found = fc.flows.maf(2, layers=1, hidden=[8]), blas_threads(), []
    x, options = np.random.default_rng(0).normal(size=(100, 2)), {"validation_split": 0, **TEXTBOOK}

    def work(epochs):
        found.append(fc.fit(flow, x, epochs=epochs, threads=2, **options)[0].params)

    threads = [threading.Thread(target=work, args=(epochs,)) for epochs in (2, 5, 8, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5 and blas_threads() == before
    alone, _ = fc.fit(flow, x, epochs=5, threads=1, **options)
    assert sum(np.array_equal(params, alone.params) for params in found) == 2
