"""Bijectors: new ones, chains, broadcast contexts, and constants that are set from data."""

import pickle

import autograd
import numpy as np
import pytest
from support.registry import BIJECTORS, maf

import flowcore as fc
from flowcore.testing import randomize

IDENTITIES = ("maf", "iaf", "nice", "coupling", "elementwise", "standardize-fresh",
              "lu-identity", "actnorm-fresh", "planar", "radial")  # fmt: skip
FRESH = [name for name in BIJECTORS if name.startswith(IDENTITIES) and "mixture" not in name]


def rows(n, dim, rng=0):
    return np.random.default_rng(rng).standard_normal((n, dim))


def context_of(b, n, rng=1):
    return rows(n, b.context_dim, rng) if b.context_dim else None


@pytest.mark.parametrize("name", FRESH)
def test_a_fresh_one_is_the_identity(name):
    """Its last layers are zero."""
    b = BIJECTORS[name]()
    x = rows(4, b.dim)
    for run in (b.forward_and_log_det, b.inverse_and_log_det):
        value, log_det = run(x, context=context_of(b, 4))
        np.testing.assert_allclose(value, x, rtol=1e-14)
        np.testing.assert_allclose(log_det, 0, atol=1e-14)


def test_chain_applies_the_last_first_and_adds_the_log_dets():
    f, g, z = randomize(maf(3)), fc.Permute([1, 2, 0]), rows(4, 3)
    chain = fc.Chain([f, g])
    np.testing.assert_array_equal(chain.forward(z), f.forward(g.forward(z)))
    assert repr(chain) == f"Chain(z -> {g!r} -> {f!r} -> x)"
    assert (chain[0], chain[1], len(chain)) == (f, g, 2)
    assert type(chain[1:]) is fc.Chain and chain[:].parts == (f, g) and chain[1:].parts == (g,)
    with pytest.raises(ValueError, match="at least one bijector"):
        chain[2:]


def test_parameters_stand_in_the_order_of_first_appearance():
    f, g, h = maf(3), fc.RealNVP(3, hidden=[8], rng=1), maf(3, rng=2)
    inner = fc.Chain([h, fc.Invert(fc.Chain([f, fc.Invert(g)]))])
    tree = fc.Chain([fc.Chain([g]), fc.Permute([1, 2, 0]), inner])
    np.testing.assert_array_equal(tree.params, np.concatenate([g.params, h.params, f.params]))
    equal = fc.Chain([f, maf(3)])  # and not the same, so not tied
    assert equal.n_params == 2 * f.n_params


@pytest.mark.parametrize("bound", [1.0, 3.0])
def test_the_bound_holds_far_out_and_has_slope_one_at_zero(bound):
    t, raw = fc.Affine(bound), np.array([-1e9, -1e-6, 0.0, 1e-6, 1e9])
    phi = np.stack([np.zeros(5), raw], axis=-1)
    alpha = t.forward_and_log_det(np.ones(5), phi)[1]
    np.testing.assert_allclose(alpha, [-bound, -1e-6, 0, 1e-6, bound], rtol=1e-9)
    np.testing.assert_array_equal(fc.Affine(None).forward_and_log_det(np.ones(5), phi * 1e-9)[1],
                                  raw * 1e-9)  # fmt: skip


@pytest.mark.parametrize(
    "name", ["maf-context-all-3", "coupling-context", "chain-conditional", "blockwise"]
)
@pytest.mark.parametrize(
    ("x_lead", "context_lead"), [((4,), ()), ((), (4,)), ((4, 1), (5,)), ((2,), (5, 1))], ids=str
)
def test_events_and_contexts_are_broadcast(name, x_lead, context_lead):
    """One context for many rows, many contexts for one row; values and gradients."""
    b, rng = randomize(BIJECTORS[name]()), np.random.default_rng(0)
    x = rng.uniform(0.2, 1.5, (*x_lead, b.dim))  # one part of "blockwise" is positive
    context = rng.standard_normal((*context_lead, b.context_dim))
    lead = np.broadcast_shapes(x_lead, context_lead)
    tiled = [np.broadcast_to(a, (*lead, a.shape[-1])) for a in (x, context)]
    for run in (b.forward_and_log_det, b.inverse_and_log_det):
        for got, expected in zip(
            run(x, context=context), run(tiled[0], context=tiled[1]), strict=True
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)

        def loss(theta, x, context, run=run):
            value, log_det = run(x, theta, context)
            return (value**2).sum() + log_det.sum()

        for k, a in enumerate((b.params, x, context)):
            got = autograd.grad(loss, k)(b.params, x, context)
            expected = autograd.grad(loss, k)(b.params, *tiled)
            extra = tuple(range(expected.ndim - a.ndim))
            expected = expected.sum(axis=extra)
            ones = tuple(i for i, n in enumerate(a.shape) if n != expected.shape[i])
            expected = expected.sum(axis=ones, keepdims=True)
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


# ---------------------------------------------------------------- initialize

DATA = rows(200, 3) @ np.diag([1.0, 10.0, 0.1]) + [5, 0, -3]


INITIALIZED = {  # what is initialised by DATA, and then makes standard rows of them
    "Standardize": fc.Standardize(3),
    "ActNorm": fc.ActNorm(3),
    "inverted": fc.Invert(fc.Standardize(3)),
    "inverted ActNorm": fc.Invert(fc.ActNorm(3)),
    "a chain": fc.Chain([fc.Standardize(3), randomize(maf(3, order=None)), fc.Permute([1, 2, 0]),
                      fc.Invert(fc.Standardize(3))]),
    "nested chains": fc.Chain([fc.Chain([fc.Chain([fc.Permute([1, 2, 0]), fc.ActNorm(3)])])]),
    "an inverted chain": fc.Invert(fc.Chain([fc.Standardize(3), fc.Permute([1, 2, 0])])),
    "the waiting part alone": fc.Chain([fc.Standardize.from_data(rows(50, 3)), fc.Standardize(3)]),
    "blocks": fc.Blockwise(
        [fc.Chain([fc.Exp(1), fc.ActNorm(1)]), fc.Standardize(1), fc.Invert(fc.ActNorm(1))]
    ),
    "inverted blocks": fc.Invert(fc.Blockwise([fc.ActNorm(1), fc.Standardize(2)])),
}  # fmt: skip


@pytest.mark.parametrize("name", INITIALIZED)
def test_constants_are_set_once_with_what_reaches_a_part(name):
    b = INITIALIZED[name]
    x = np.abs(DATA) if name == "blocks" else DATA
    ready = b.initialize(x)
    assert (b.initialized, ready.initialized) == (False, True) and ready.n_params == b.n_params
    for found in (ready, pickle.loads(pickle.dumps(ready))):
        z = found.inverse(x)
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-10)
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-10)
    np.testing.assert_array_equal(ready.initialize(2 * x).inverse(x), z)
    np.testing.assert_array_equal(ready.initialize_inverted(2 * x).inverse(x), z)
    if name == "the waiting part alone":
        assert ready[0] is b[0]


@pytest.mark.parametrize(
    "make", [lambda s: fc.Chain([s, fc.Permute([1, 0, 2]), s]), lambda s: fc.Blockwise([s, s]),
             lambda s: fc.Chain([c := fc.Chain([s, maf(3)]), fc.Permute([1, 2, 0]), fc.Invert(c)])]
)  # fmt: skip
@pytest.mark.parametrize("kind", [fc.Standardize, fc.ActNorm])
def test_a_tied_part_is_initialised_where_it_is_met_first(make, kind):
    b = make(kind(3))
    x = np.tile(DATA, b.dim // 3) + np.arange(b.dim)
    ready = b.initialize(x)
    assert ready.initialized and ready.n_params == b.n_params
    seen, parts = [ready], []
    while seen:
        parts.append(seen.pop())
        seen += getattr(parts[-1], "parts", ())
    (part,) = {id(part): part for part in parts if isinstance(part, kind)}.values()
    np.testing.assert_allclose(part.inverse(x[:, :3]).mean(axis=0), 0, atol=1e-10)


BEHIND = {  # what stands between the data and a float32 network
    "nothing": [fc.Standardize(2)],
    "a permutation": [fc.Permute([1, 0]), fc.Standardize(2)],
    "blocks": [fc.Blockwise([fc.Permute([0]), fc.Permute([0])]), fc.Standardize(2)],
    "in blocks": [fc.Blockwise([fc.Standardize(1), fc.Standardize(1)])],
}


@pytest.mark.parametrize("name", BEHIND)
def test_float32_subtracts_before_it_rounds(name):
    """Large means, small differences, which float32 alone cannot hold."""
    x = rows(200, 2) * [1, 5] + [1e8, 1.7e9]
    b = fc.Chain([*BEHIND[name], maf(2, dtype=np.float32)]).initialize(x)
    z = b.inverse(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)
    wide = b.with_params(b.params.astype(float))
    np.testing.assert_allclose(z, wide.inverse(x), atol=1e-6)
