"""Every bijector of the registry: the whole of `check_bijector`, and what only flows promise."""

import autograd
import numpy as np
import pytest
from registry import BIJECTORS, maf, tied_network

from flowcore import (
    MADE,
    NICE,
    ActNorm,
    Affine,
    Bijector,
    Blockwise,
    Chain,
    Coupling,
    Invert,
    MaskedAutoregressiveFlow,
    Permute,
    RealNVP,
    Shift,
    Standardize,
)
from flowcore.spec.reference import log_abs_det, numerical_jacobian
from flowcore.testing import randomize

IDENTITIES = ("maf", "iaf", "nice", "coupling", "elementwise", "standardize-fresh",
              "lu-identity", "actnorm-fresh", "planar", "radial")  # fmt: skip
FRESH = [name for name in BIJECTORS if name.startswith(IDENTITIES) and "mixture" not in name]
AUTOREGRESSIVE = [name for name in BIJECTORS if name.startswith("maf-")]


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


@pytest.mark.parametrize("name", AUTOREGRESSIVE)
def test_the_jacobian_is_exactly_triangular_in_the_order(name):
    """Not small: zero. No output sees an input of a higher degree, in both directions."""
    b = randomize(BIJECTORS[name]())
    degrees, x, context = b.made.degrees[0], rows(3, b.dim), context_of(b, 3)
    for method in (b.forward, b.inverse):
        value = method(x, context=context)
        for j in range(b.dim):
            moved = x.copy()
            moved[:, j] += 1
            before = degrees < degrees[j]
            np.testing.assert_array_equal(
                method(moved, context=context)[:, before], value[:, before]
            )
            gradient = autograd.elementwise_grad(
                lambda a, j=j, f=method: f(a, context=context)[:, j]
            )
            np.testing.assert_array_equal(gradient(x)[:, degrees > degrees[j]], 0)


def test_log_det_against_the_reference_jacobian():
    """The same as in check_bijector, with nobody's code but flowcore.spec.reference."""
    b, x = randomize(tied_network()), rows(1, 3)[0]
    for f, log_det in ((b.forward, b.forward_log_det), (b.inverse, b.inverse_log_det)):
        np.testing.assert_allclose(log_det(x), log_abs_det(numerical_jacobian(f, x)), atol=1e-7)


def test_chain_applies_the_last_first_and_adds_the_log_dets():
    f, g, z = randomize(maf(3)), Permute([1, 2, 0]), rows(4, 3)
    chain = Chain([f, g])
    np.testing.assert_array_equal(chain.forward(z), f.forward(g.forward(z)))
    assert repr(chain) == f"Chain(z -> {g!r} -> {f!r} -> x)"
    assert (chain[0], chain[1], len(chain)) == (f, g, 2)
    assert type(chain[1:]) is Chain and chain[:].parts == (f, g) and chain[1:].parts == (g,)
    with pytest.raises(ValueError, match="at least one bijector"):
        chain[2:]


def test_invert_swaps_the_directions():
    b, z = randomize(maf(3, context_dim=2)), rows(4, 3)
    context = context_of(b, 4)
    iaf = Invert(b)
    for got, expected in zip(
        iaf.forward_and_log_det(z, context=context),
        b.inverse_and_log_det(z, context=context),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)
    assert iaf.bijector is b and iaf.context_dim == 2


@pytest.mark.parametrize("bound", [1.0, 3.0])
def test_the_bound_holds_far_out_and_has_slope_one_at_zero(bound):
    t, raw = Affine(bound), np.array([-1e9, -1e-6, 0.0, 1e-6, 1e9])
    phi = np.stack([np.zeros(5), raw], axis=-1)
    alpha = t.forward_and_log_det(np.ones(5), phi)[1]
    np.testing.assert_allclose(alpha, [-bound, -1e-6, 0, 1e-6, bound], rtol=1e-9)
    np.testing.assert_array_equal(Affine(None).forward_and_log_det(np.ones(5), phi * 1e-9)[1],
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


@pytest.mark.parametrize("make", [maf, lambda dim: RealNVP(dim, hidden=[8])], ids=["maf", "nvp"])
def test_infinite_inputs_stay_in_their_row(make):
    b, x = randomize(make(3)), rows(3, 3)
    x[1] = np.inf
    with np.errstate(invalid="ignore"):
        value = b.inverse(x)
    np.testing.assert_allclose(value[[0, 2]], b.inverse(x[[0, 2]]), rtol=1e-12)


# ---------------------------------------------------------------- bad constructions and arguments

REFUSED = {
    "MAF with another n_out": (lambda: MaskedAutoregressiveFlow(MADE(2, [4]), Shift()),
                               r"Shift\(\) needs n_out=1 .* n_out=2"),
    "MAF with another method": (lambda: MaskedAutoregressiveFlow(MADE(2, [4]), method="loop"),
                                "method must be .*'loop'"),
    "RealNVP in 1-D": (lambda: RealNVP(1), "dim >= 2, not 1.*MaskedAutoregressiveFlow"),
    "NICE in 1-D": (lambda: NICE(1), "dim >= 2, not 1"),
    "num_masked = 0": (lambda: Coupling(3, num_masked=0), r"1\.\.2 .*not 0"),
    "num_masked = D": (lambda: Coupling(3, num_masked=3), r"1\.\.2 .*not 3"),
    "num_masked = -D": (lambda: Coupling(3, num_masked=-3), r"1\.\.2 .*not -3"),
    "num_masked = inf": (lambda: Coupling(3, num_masked=np.inf), "not inf"),
    "a MADE as conditioner": (lambda: Coupling(3, 1, conditioner=MADE(2, [4])), "must map 1"),
    "num_masked = 1.5": (lambda: Coupling(3, num_masked=1.5), "not 1.5"),
    "fraction too small": (lambda: Coupling(3, fraction_masked=0.1), "fraction_masked=0.1"),
    "both masks": (lambda: Coupling(3, num_masked=1, fraction_masked=0.5), "not both"),
    "a repeated index": (lambda: Permute([0, 0, 1]), r"\[0, 0, 1\]"),
    "a 1-based permutation": (lambda: Permute([1, 2, 3]), r"0\.\.D-1"),
    "no permutation": (lambda: Permute([]), "permutation"),
    "an empty chain": (lambda: Chain([]), "at least one"),
    "a chain of two dims": (lambda: Chain([Permute([0]), Permute([0, 1])]), r"dim: \[1, 2\]"),
    "two context widths": (lambda: Chain([maf(2, context_dim=1), maf(2, context_dim=2)]),
                           r"\[1, 2\]"),
    "bound 0": (lambda: Affine(0), "positive"),
    "bound inf": (lambda: Affine(np.inf), "positive"),
    "a constant column": (lambda: Standardize.from_data([[1.0, 2.0], [1.0, 3.0]]), r"column \[0\]"),
    "a deviation of 0 for floats": (
        lambda: Standardize(1).initialize_inverted([[0.0], [1e-310]]), "must be finite"),
    "rows that are no rows": (lambda: Standardize.from_data([1.0, 2.0]), r"\(2,\)"),
    "no rows": (lambda: Standardize.from_data(np.zeros((0, 2))), r"\(0, 2\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_errors_name_the_thing_and_both_shapes():
    b = Chain([maf(3, context_dim=2), Permute([1, 2, 0])])
    c = np.zeros(2)
    with pytest.raises(ValueError, match=r"\(\.\.\., 3\), not \(5, 2\)"):
        b.forward(np.zeros((5, 2)), context=c)
    with pytest.raises(ValueError, match=rf"{b.n_params} parameters.*not \(3,\)"):
        b.forward(np.zeros(3), params=np.zeros(3), context=c)
    with pytest.raises(ValueError, match=r"needs context=.*\(\.\.\., 2\)"):
        b.forward(np.zeros(3))
    with pytest.raises(ValueError, match=r"context.*\(\.\.\., 2\), not \(3,\)"):
        b.forward(np.zeros(3), context=np.zeros(3))
    with pytest.raises(ValueError, match=r"Permute.*takes no context"):
        Permute([0, 1]).forward(np.zeros(2), context=c)
    with pytest.raises(ValueError, match=r"x\[:, None\]"):
        maf(1).inverse(np.zeros(10))
    with pytest.raises(TypeError, match="takes bijectors, not"):
        Chain([MADE(2, [4])])


def test_abstract_methods():
    with pytest.raises(TypeError, match="abstract"):
        Bijector(2)


# ---------------------------------------------------------------- initialize

DATA = rows(200, 3) @ np.diag([1.0, 10.0, 0.1]) + [5, 0, -3]


def assert_standard(z):
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-10)


KINDS = pytest.mark.parametrize("kind", [Standardize, ActNorm])


@KINDS
def test_constants_are_set_once(kind):
    b = kind(3)
    ready = b.initialize(DATA)
    assert (kind.initialized, b.initialized, ready.initialized) == (False, False, True)
    assert_standard(ready.inverse(DATA))
    assert ready.initialize(2 * DATA) is ready and ready.initialize_inverted(2 * DATA) is ready
    np.testing.assert_allclose(ready.inverse_log_det(DATA), -np.log(DATA.std(axis=0)).sum())
    moments = [*DATA.mean(axis=0), *np.log(DATA.std(axis=0))]
    np.testing.assert_allclose(ready.params, moments[: ready.n_params], rtol=1e-12)
    assert not b.params.any() and ready.n_params == (6 if kind is ActNorm else 0)


@KINDS
def test_invert_initialises_the_other_way(kind):
    ready = Invert(kind(3)).initialize(DATA)
    assert ready.initialized
    assert_standard(ready.inverse(DATA))


def test_a_chain_initialises_every_part_with_what_reaches_it():
    b = Chain([Standardize(3), randomize(maf(3, order=None)), Standardize(3), Permute([1, 2, 0]),
               Invert(Standardize(3))])  # fmt: skip
    assert not b.initialized
    ready = b.initialize(DATA)
    assert ready.initialized and not b.initialized
    np.testing.assert_array_equal(ready.params, b.params)
    z = DATA
    for part in ready:
        z = part.inverse(z)
        if isinstance(part, Standardize | Invert):
            assert_standard(z)
    assert ready.initialize(2 * DATA) is ready


def test_nested_and_inverted_chains_initialise_alike():
    inner = Chain([Permute([1, 2, 0]), Standardize(3)])
    assert_standard(Chain([Chain([inner])]).initialize(DATA).inverse(DATA))
    flipped = Invert(Chain([Standardize(3), Permute([1, 2, 0])]))
    assert_standard(flipped.initialize(DATA).inverse(DATA))


def test_only_the_waiting_part_of_a_chain_is_initialised():
    first = Standardize.from_data(rows(50, 3))
    ready = Chain([first, Standardize(3)]).initialize(DATA)
    assert ready[0] is first
    assert_standard(ready.inverse(DATA))


BEHIND = {  # what stands between the data and a float32 network
    "nothing": [Standardize(2)],
    "a permutation": [Permute([1, 0]), Standardize(2)],
    "blocks": [Blockwise([Permute([0]), Permute([0])]), Standardize(2)],
    "in blocks": [Blockwise([Standardize(1), Standardize(1)])],
}


@pytest.mark.parametrize("name", BEHIND)
def test_float32_subtracts_before_it_rounds(name):
    """Large means, small differences, which float32 alone cannot hold."""
    x = rows(200, 2) * [1, 5] + [1e8, 1.7e9]
    b = Chain([*BEHIND[name], maf(2, dtype=np.float32)]).initialize(x)
    z = b.inverse(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)
    wide = b.with_params(b.params.astype(float))
    np.testing.assert_allclose(z, wide.inverse(x), atol=1e-6)
