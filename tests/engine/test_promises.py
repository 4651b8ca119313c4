"""What everything promises, one test a promise, of every object of the registry.

The promises of a bijector to a user, with brute-force Jacobians, are in `check_bijector`; these are
the ones that networks, transformers and densities make too. How values and gradients are right is
in `test_twins.py`.
"""

import copy
import pickle

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from support.families import over
from support.registry import (
    BIJECTORS,
    CASES,
    CONTINUOUS,
    DENSITIES,
    OWN,
    PARTS,
    case,
    close,
    cotangents,
)
from threadpoolctl import threadpool_limits

import flowcore as fc
from flowcore.core import MANY, ROWS
from flowcore.testing import check_bijector, randomize

EVERY_CASE = over(CASES)
# but for somebody's own classes alone, whose methods are called as they are
BUILT_IN = over([c for c in CASES if c[0] not in ("own-bijector", "transformer-own")])
EVERY_PART = over(PARTS)


def test_every_public_bijector_is_registered():
    public = {name for name in fc.__all__ if isinstance(getattr(fc, name), type)}
    public = {name for name in public if issubclass(getattr(fc, name), fc.Bijector)}
    wrappers = {"Bijector", "Clamped", "EmbedContext"}  # the last two have tests of their own
    missed = public - {type(make()).__name__ for make in BIJECTORS.values()} - wrappers
    assert not missed, f"without a line in BIJECTORS of tests/support/registry.py: {missed}"


@over(BIJECTORS)
def test_contract(name):
    """Round trips, log-dets of brute-force Jacobians, gradients, copies, far tails, float32, ..."""
    b = CONTINUOUS[name](16) if name in CONTINUOUS else BIJECTORS[name]()
    everywhere = all(np.isinf(end).all() for end in (*b.domain, *b.codomain))
    check_bijector(
        b,
        codomain=b.codomain,
        far_tails=everywhere and "unbounded" not in name,
        arguments=not name.startswith("own"),
        float32=not name.startswith("own"),
    )


@EVERY_CASE
def test_leading_axes(name, way):
    """(2, 2, D), one event and none are what the rows are; no row feels another."""
    run = case(name, way)
    whole = run(*run.args)
    for index in (np.arange(4).reshape(2, 2), np.array(2), np.zeros((0,), int)):
        for a, b in zip(run(*run.rows(index)), whole, strict=True):
            assert a.shape == (*index.shape, *b.shape[1:])
            np.testing.assert_allclose(a, b[index], rtol=1e-11, atol=1e-11)


@BUILT_IN
def test_arguments_are_not_written_to_and_results_are_nobody_elses(name, way):
    """Whoever changes a result changes no argument, no other result and none of later."""
    run = case(name, way)
    before = copy.deepcopy(run.args)
    back, traced = run.vjp()
    bars = cotangents(traced)
    backs = [back, *map(run.vjp_by, range(len(before)))]

    def everything(bars):
        return [*run(*run.args), *run.vjp()[1], *backs[0](bars), *(f(bars) for f in backs[1:])]

    first = everything(bars)
    kept = copy.deepcopy(first)
    everything(cotangents(traced, rng=8))
    for a, b in zip(first, kept, strict=True):
        np.testing.assert_array_equal(a, b)
    for a in (*first, *traced):
        assert a.flags.writeable
        a[...] = 7
    for a, b in zip([*run.args, *everything(bars)], [*before, *kept], strict=True):
        np.testing.assert_array_equal(a, b)
    for layout in (np.asfortranarray, lambda a: a[::-1]):
        args = [run.args[0], *map(layout, run.args[1:])]
        results = run(*args)
        for i, a in enumerate(results):
            assert not any(np.shares_memory(a, b) for b in (*args, *results[:i]))


@pytest.mark.filterwarnings("ignore:invalid value encountered in logaddexp")  # OwnTransformer's
@EVERY_CASE
def test_a_row_of_nan_is_nan_and_stays_alone(name, way):
    run = case(name, way)
    theta, x, *context = run.args
    whole = run(theta, x, *context)
    broken = x.copy()
    broken[1] = np.nan
    found, others = run(theta, broken, *context), [0, 2, 3]
    for a, b in zip(found, whole, strict=True):
        np.testing.assert_allclose(a[others], b[others], rtol=1e-12, atol=1e-12)
    if way != "phi" or run.part.dim > 1:  # with one input, a MADE reads nothing
        assert np.isnan(found[0][1]).any()
    if context:
        context[0][1] = np.nan
        found = run(theta, x, *context)
        assert any(np.isnan(a[1]).any() for a in found)
        for a, b in zip(found, whole, strict=True):
            np.testing.assert_allclose(a[others], b[others], rtol=1e-12, atol=1e-12)


@EVERY_PART
def test_params_and_with_params_agree(name):
    part = PARTS[name]()
    ways = [way for own, way in CASES if own == name]
    theta = randomize(part, rng=3).params
    new = part.with_params(theta)
    assert new is not part and part.n_params == theta.size
    np.testing.assert_array_equal(new.params, theta)
    leaves = [leaf.params for leaf in new.leaves]
    np.testing.assert_array_equal(np.concatenate([theta[:0], *leaves]), theta)
    for way in ways:
        run = case(name, way)
        _, *rest = run.args
        with_it = run._replace(part=new)
        found = zip(with_it(None, *rest), run(theta, *rest), strict=True)
        assert all(np.array_equal(a, b) for a, b in found)


@EVERY_PART
def test_params_are_read_only(name):
    """And nobody else's: what a caller does to an array later changes no part."""
    part = PARTS[name]()
    theta = np.array(part.params) + 1
    view = np.concatenate([theta, theta])[: theta.size]
    view.flags.writeable = False  # read-only, but its owner is not
    copies = [part.with_params(theta), part.with_params(view), pickle.loads(pickle.dumps(part))]
    theta[...] = view.base[...] = 0
    for each, expected in zip([part, *copies], [0, 1, 1, 0], strict=True):
        np.testing.assert_array_equal(each.params, part.params + expected)
        assert len(each.leaves) == len(part.leaves)  # ties are kept
        with pytest.raises(ValueError, match="read-only"):
            each.params[...] = 0
        with pytest.raises(AttributeError, match="use with_params"):
            each.params = theta


@pytest.mark.parametrize("name", ["flow", "flows.nsf", "flow-tied-to-its-base", "flow-own-base"])
def test_theta_may_also_enter_by_plain_operations(name):
    """Weight decay, slices, and the flow at two values: every path counts once."""
    flow, _, (theta, x) = case(name, "log_prob")

    def loss(t):
        return anp.sum(flow.log_prob(x, t))

    def more(t):
        return loss(t) + anp.sum(t**2) + 3 * t[0] + loss(2 * t)

    expected = grad(loss)(theta) + 2 * theta + 2 * grad(loss)(2 * theta)
    expected[0] += 3
    np.testing.assert_allclose(grad(more)(theta), expected, rtol=1e-10, atol=1e-10)


@EVERY_PART
def test_copies_and_files_give_the_same_numbers_bit_for_bit(name, tmp_path):
    part = randomize(PARTS[name](), rng=1)
    part = part.with_params(np.float32(part.params)) if len(name) % 2 else part
    fc.save(part, tmp_path / "part.npz")
    loaded = fc.load(tmp_path / "part.npz", classes=OWN)
    ways = [way for own, way in CASES if own == name]
    runs = [case(name, way) for way in ways]
    for run in runs:  # what is derived from the rest is left out of copies
        run._replace(part=part)(part.params, *run.args[1:])
    for other in (loaded, pickle.loads(pickle.dumps(part)), copy.deepcopy(part)):
        assert not any(key.startswith("_memo_plans") for key in vars(other))
        assert repr(other) == repr(part) and len(other.leaves) == len(part.leaves)
        assert other.params.dtype == part.params.dtype or not part.n_params
        assert not other.params.flags.writeable
        for run in runs:
            found = (run._replace(part=p)(p.params, *run.args[1:]) for p in (part, other))
            for a, b in zip(*found, strict=True):
                np.testing.assert_array_equal(a, b)


@BUILT_IN
def test_dtypes(name, way):
    """That of the parameters; without any that of x. float32 is close to float64."""
    run = case(name, way)
    theta, x, *context = run.args
    exact, small = run(*run.args), [a.astype(np.float32) for a in run.args]
    for args in (run.args, small, [small[0], x, *context], [theta, *small[1:]]):
        dtypes = args[:1] if args[0].size else args[1:]
        if isinstance(run.part, fc.Transformer):
            dtypes = args
        dtype = np.result_type(*dtypes)
        back, found = run.vjp(args)
        for a, b in zip(run(*args), exact, strict=True):
            assert a.dtype == dtype
            close(a, b, 1e-3)
        assert [a.dtype for a in found] == [dtype] * len(found)
        bars = cotangents(found)
        gradients = back(bars)
        for k, a in enumerate(args):
            assert gradients[k].dtype == run._replace(args=args).vjp_by(k)(bars).dtype == a.dtype


@pytest.mark.parametrize("name", DENSITIES)
def test_numbers_are_the_same_for_any_number_of_threads(name):
    """Bit for bit, although BLAS may use two; nothing is written to."""
    rows = np.arange(MANY + ROWS + 17) % 9
    run = case(name, "log_prob", n=9)
    flow, (theta, x, *context) = run.part, run.args
    many, context = x[rows] + 1e-3 * rows[:, None], [c[rows] for c in context]
    before = many.copy()
    functions = [lambda **o: flow.log_prob(many, theta, *context, **o)]
    if isinstance(flow, fc.TransformedDistribution):
        own = context if flow.bijector.context_dim else []
        options = dict(zip(["context"], own, strict=False))
        functions += [
            lambda **o: flow.to_latent(many, **options, **o),
            lambda **o: flow.from_latent(0.1 * many, **options, **o),
            lambda **o: flow.sample(MANY + 9, 0, *[c[0] for c in context], **o),
            lambda **o: flow.sample_and_log_prob(MANY + 9, 0, *[c[0] for c in context], **o)[1],
        ]
    with threadpool_limits(limits=2, user_api="blas"):
        for f in functions:
            one = f(threads=1)
            np.testing.assert_array_equal(f(threads=3), one)
            np.testing.assert_array_equal(many, before)
        few = flow.log_prob(many[-5:], theta, *[c[-5:] for c in context])
    close(functions[0]()[-5:], few, 1e-11)


REPRS = {  # the text is Python that makes the same again, else it is made by the function
    text: lambda text=text: eval(text, {n: getattr(fc, n) for n in fc.__all__ if n[0].isupper()})
    for text in (
        "Uniform(2, low=0, high=[1, 4])", "StudentT(3, df=2.5)",
        "StudentT(1, df=4, trainable=True)", "Sigmoid(3, low=[-2.0, 0.0, 1.0], high=9.0)",
        "ElementwiseAffine(loc=0.0, scale=[1.0, -2.0])",
        "Blockwise([Exp(2), Tanh(1)])", "LULinear(3)", "ActNorm(2)", "Planar(3)", "Radial(3)",
        "RationalQuadratic(bins=4, tail=3.0)", "RationalQuadratic(bins=4, tail=(-4.0, 5.0))",
        "RationalQuadratic(bins=4, tail=3.0, min_slope=0.01)",
        "MixtureOfGaussians(4, log_scale_bound=3.0)", "Dequantize(step=[1.0, 2.0], low=0.0)",
    )
}  # fmt: skip
REPRS |= {
    "Laplace(6, loc=[0, 1, 2, 3, ...], scale=1)": lambda: fc.Laplace(6, range(6)),
    "ActNorm(2, initialized)": lambda: fc.ActNorm(2).initialize([[0.0, 1.0], [2.0, 5.0]]),
    "GaussianMixture(n_components=3, dim=2)": lambda: fc.GaussianMixture(np.ones((3, 2))),
    "MLP(2, (3, 2), hidden=[16, 16, 16], 'tanh', context_dim=1, residual=True)": lambda: fc.MLP(
        2, (3, 2), [16] * 3, "tanh", context_dim=1, residual=True
    ),
    "MADE(3, hidden=[8], n_out=2, 'relu', order=[2, 3, 1])": lambda: fc.MADE(
        3, [8], order=[2, 3, 1]
    ),
}


@pytest.mark.parametrize("text", REPRS)
def test_a_repr_shows_the_architecture(text):
    """And transformers with the same repr are equal, those with another are not."""
    made = REPRS[text]()
    assert repr(made) == text
    for other in map(fc.RationalQuadratic, (4, 5)):
        if isinstance(made, fc.Transformer):
            assert (made == other) == (repr(made) == repr(other))
            assert made != other or hash(made) == hash(other)
