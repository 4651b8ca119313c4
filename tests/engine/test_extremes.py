"""Finite rows over the whole range of floats: a number, or -inf where something overflows on the
way; never a warning, and no NaN but one that is somebody's own."""

import autograd.numpy as anp
import numpy as np
import pytest
from support.registry import BIJECTORS, DENSITIES

import flowcore as fc
from flowcore.testing import randomize

RECIPES = ("maf", "iaf", "nsf", "realnvp", "nice", "glow", "made", "made_mog", "maf_mog")
SOMEBODYS = [
    name for name, make in BIJECTORS.items() if "own" in name or name == "coupling-composed"
]


def rows(dim, dtype, n=300, seed=0):
    """Exponents of all sizes, both signs; every third coordinate of an ordinary size; in a third
    of the rows all coordinates are alike."""
    rng = np.random.default_rng(seed)
    info = np.finfo(dtype)
    exponent = rng.uniform(info.minexp - 20, info.maxexp - 0.01, size=(n, dim))
    with np.errstate(under="ignore"):
        x = 2.0**exponent
    x *= rng.choice([-1, 1], size=(n, dim))
    x = np.where(rng.random((n, dim)) < 0.3, rng.normal(size=(n, dim)), x)
    alike = rng.random(n) < 0.3
    x[alike] = x[alike, :1]
    with np.errstate(under="ignore"):
        return x.astype(dtype)


def flows_of(name):
    """The flows that are tried under one name."""
    if name in RECIPES:
        for dtype in (np.float32, float):
            for dim, standardize in ((2, True), (5, False)):
                options = {} if name.startswith("made") else {"layers": 3}
                options |= {"standardize": standardize, "dtype": dtype, "hidden": [8, 8]}
                yield getattr(fc.flows, name)(dim, **options)
    elif name in DENSITIES:
        yield DENSITIES[name]()
    else:
        bijector = BIJECTORS[name]()
        yield fc.TransformedDistribution(fc.Normal(bijector.dim), bijector)


EVERYTHING = [*RECIPES, *DENSITIES, *(name for name in BIJECTORS if name not in SOMEBODYS)]


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_finite_row_has_a_log_density(name):
    for flow in flows_of(name):
        for scale in (0.0, 1.0, 30.0):
            flow = randomize(flow, scale, rng=3) if flow.n_params else flow
            for dtype in {flow.dtype, np.dtype(float)}:
                x = rows(flow.dim, dtype)
                context = np.random.default_rng(1).normal(size=(len(x), flow.context_dim))
                log_prob = flow.log_prob(x, context=context if flow.context_dim else None)
                assert (np.isfinite(log_prob) | (log_prob == -np.inf)).all()
                assert log_prob.dtype == (flow.dtype if flow.n_params else dtype)


@pytest.mark.parametrize("name", EVERYTHING[: len(RECIPES)])
def test_nothing_is_raised_if_numpy_is_set_to_raise(name):
    """Underflow to 0 and overflow to -inf are right answers, whatever np.seterr is."""
    with np.errstate(all="raise"):
        for flow in flows_of(name):
            flow = randomize(flow, 3.0, rng=3)
            x = rows(flow.dim, flow.dtype)
            flow.prob(x), flow.bijector.inverse(x), flow.bijector.forward(x)
            flow.sample_and_log_prob(100, rng=0)
        for scale in (1e-300, 1.0, 1e150):
            X = scale * np.random.default_rng(0).normal(size=(200, 2))
            fc.fit(getattr(fc.flows, name)(2, hidden=[8]), X, epochs=2, average=0.9)


# ---------------------------------------------------------------- what overflows in a dtype


def test_what_overflows_the_dtype_of_a_flow_counts_as_infinite():
    flow = randomize(fc.flows.maf(2, 2, [8], dtype=np.float32), 0.5)
    x = np.array([[1.0, 2.0], [1e39, 0.0], [0.0, -1e300], [np.nan, 1e39], [3e38, 0.0]])
    found = flow.log_prob(x)
    assert np.isfinite(found[0]) and np.isnan(found[3])
    np.testing.assert_array_equal(found[[1, 2, 4]], -np.inf)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], flow.log_prob(x[:1])[0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"\(in float32\) in rows 1, 2 \(columns 0, 1\)"):
        fc.fit(flow, x[:3])


# ---------------------------------------------------------------- what stays visible


class Rooted(fc.Bijector):
    """x = z^2 for z > 0: whoever gives it a negative x gets NaN, and shall see it."""

    def __init__(self):
        super().__init__(2)

    def forward_and_log_det(self, z, params=None, context=None):
        return z**2, anp.sum(anp.log(2 * z), axis=-1)

    def inverse_and_log_det(self, x, params=None, context=None):
        z = anp.sqrt(x)
        return z, -anp.sum(anp.log(2 * z), axis=-1)


def test_a_nan_of_somebodys_own_part_stays():
    layer = randomize(fc.flows.maf(2, 1, [8], standardize=False).bijector, 0.5)
    x = np.array([[1.0, 2.0], [-1.0, 2.0], [1e308, 1e308]])
    for parts in ([Rooted()], [layer, Rooted()], [Rooted(), layer], [fc.Invert(Rooted()), layer]):
        flow = fc.TransformedDistribution(fc.Normal(2), fc.Chain(parts))
        outer = fc.TransformedDistribution(flow, fc.Permute([0, 1]))
        for density in (flow, outer):
            found = density.log_prob(x)
            if parts[0] is not layer:
                assert np.isfinite(found[0]) and np.isnan(found[1])
            assert found[2] == -np.inf  # one of the parts, or the base, overflows
