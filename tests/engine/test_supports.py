"""Where parameters live: maps, log-determinants by brute force, known normalisers, names."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import jacobian
from scipy.special import beta, gammaln

import flowcore as fc
from flowcore.bijectors.box import box
from flowcore.inference.space import Space, flat, pulled_back
from flowcore.inference.start import best_gaussian, first_gaussian, flow_around
from flowcore.inference.supports import CorrelationCholesky, Ordered, Simplex
from flowcore.inference.unnormalised import LogTarget
from flowcore.testing import check_bijector

KINDS = [(Simplex, 2), (Simplex, 5), (Ordered, 4), (CorrelationCholesky, 2),
         (CorrelationCholesky, 4)]  # fmt: skip
FREE_ENTRIES = {  # those of x that its density is a density of
    Simplex: lambda x, k: x[:-1],
    Ordered: lambda x, k: x,
    CorrelationCholesky: lambda x, k: anp.reshape(x, (k, k))[np.tril_indices(k, -1)],
}


@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_log_dets_are_those_of_the_jacobian_and_the_way_back_is_right(kind, size):
    support = kind(size)
    y = 1.5 * np.random.default_rng(0).normal(size=(6, support.free))
    x, log_det = support.from_line(y)
    np.testing.assert_allclose(support.to_line(x), y, atol=1e-7)

    def entries(row):
        return FREE_ENTRIES[kind](support.from_line(row[None])[0][0], size)

    brute = [np.linalg.slogdet(jacobian(entries)(row))[1] for row in y]
    np.testing.assert_allclose(log_det, brute, rtol=1e-9)


# ---------------------------------------------------------------- normalisers


def log_integral(log_target, support, n=200_000, scale=2.0, df=5):
    """log of the integral of exp(log_target), by draws of a t density, and its error."""
    space = Space(support, None)
    base = fc.StudentT(space.free, df=df)
    y = scale * base.sample(n, rng=0)
    log_q = base.log_prob(y / scale) - space.free * np.log(scale)
    w = np.exp(pulled_back(log_target, space.from_line)(y) - log_q)
    return np.log(w.mean()), w.std() / w.mean() / np.sqrt(n)


def lkj(eta, size):
    """log density of L, unnormalised."""
    power = size - np.arange(1, size + 1) + 2 * eta - 2

    def log_p(p):
        return anp.sum(power[1:] * anp.log(anp.diagonal(p["L"], 0, 1, 2))[:, 1:], axis=1)

    return log_p


def log_lkj_constant(eta, size):
    """Lewandowski, Kurowicka and Joe 2009, eq. 16."""
    k = np.arange(1, size)
    return np.sum(
        (2 * (eta - 1) + size - k) * (size - k) * np.log(2)
        + (size - k) * np.log(beta(eta + (size - k - 1) / 2, eta + (size - k - 1) / 2))
    )


@pytest.mark.parametrize(("eta", "size"), [(1.0, 2), (3.0, 2), (1.0, 3), (2.0, 4)])
def test_the_evidence_of_lkj(eta, size):
    if (eta, size) == (1.0, 3):  # the volume of all correlation matrices
        assert log_lkj_constant(eta, size) == pytest.approx(np.log(np.pi**2 / 2))
    found, error = log_integral(
        lkj(eta, size), {"L": ("correlation_cholesky", (size, size))}, scale=0.8
    )
    assert abs(found - log_lkj_constant(eta, size)) < 5 * error < 0.03


def test_infer_finds_a_dirichlet_and_its_evidence():
    alpha = np.array([2.0, 3.0, 4.0])
    found = fc.infer(
        lambda p: anp.sum((alpha - 1) * anp.log(p["p"]), axis=1),
        support={"p": ("simplex", (3,))}, epochs=8, batches=40, learning_rate=0.01,
    )  # fmt: skip
    exact = gammaln(alpha).sum() - gammaln(alpha.sum())
    assert abs(found.log_evidence[0] - exact) < 0.02 and found.k_hat < 0.7
    mean, error = found.expectation()
    assert (np.abs(mean["p"] - alpha / 9) < 5 * error["p"]).all()
    np.testing.assert_allclose(found.draws["p"].sum(axis=1), 1)
    assert "p[2]" in str(found) and found.flow.dim == 2
    # the density of the flow in the parameters' own units integrates to 1 over the triangle
    a, b = (np.indices((80, 80)).reshape(2, -1) + 1 / 3) / 80
    inside = a + b < 1
    p = np.column_stack([a, b, 1 - a - b])[inside]
    assert np.exp(found.log_prob({"p": p})).sum() / 80**2 == pytest.approx(1, abs=0.03)


# ---------------------------------------------------------------- names and shapes

NAMES = {
    "mu": "real",
    "tau": "positive",
    "theta": ("real", (2, 3)),
    "rho": ((-1.0, 1.0), (2,)),
    "below": (-np.inf, 5.0),
    "p": ("simplex", (2, 3)),
}


def test_names_and_shapes_in_and_out():
    space = Space(NAMES, None)
    assert space.free == 1 + 1 + 6 + 2 + 1 + 4
    y = np.random.default_rng(0).normal(size=(7, space.free))
    x, log_det = space.from_line(y)
    shapes = {name: one.shape for name, one in x.items()}
    assert shapes == {"mu": (7,), "tau": (7,), "theta": (7, 2, 3), "rho": (7, 2), "below": (7,),
                      "p": (7, 2, 3)}  # fmt: skip
    assert log_det.shape == (7,) and flat(x).shape == (7, len(space.labels()))
    assert space.labels()[:3] == ["mu", "tau", "theta[0,0]"]
    assert (x["tau"] > 0).all() and (x["below"] < 5).all() and (np.abs(x["rho"]) < 1).all()
    np.testing.assert_allclose(x["p"].sum(axis=2), 1)
    np.testing.assert_allclose(space.to_line(x), y, atol=1e-9)
    one = {name: value[0] for name, value in x.items()}  # a single point, as start=
    np.testing.assert_allclose(space.to_line(one), y[:1], atol=1e-9)
    row = y[0]
    chosen = np.concatenate([np.arange(11), [11, 12, 14, 15]])

    def entries(row):
        return flat(space.from_line(row[None])[0])[0][chosen]

    assert log_det[0] == pytest.approx(np.linalg.slogdet(jacobian(entries)(row))[1])


EVERY = Space(NAMES | {"turn": ("angle", (2,)), "up": ("ordered", (3,)), "one": "angle",
                       "L": ("correlation_cholesky", (3, 3))}, None)  # fmt: skip
OUTSIDE = {"tau": -1.0, "rho": 1e3, "p": 1.1, "up": -1.0, "L": [1.0, 1.0, -1.0]}  # times x


def test_a_row_outside_or_with_a_missing_number_is_found_in_every_parameter():
    x, _ = EVERY.from_line(np.random.default_rng(0).normal(size=(3, EVERY.free)))
    for name, factor in OUTSIDE.items():
        with pytest.raises(ValueError, match=f"{name} has rows outside of its support"):
            EVERY.to_line(x | {name: x[name] * factor})
    holes = {name: np.where(np.arange(one.size).reshape(one.shape) == one.size - 1, np.nan, one)
             for name, one in x.items()}  # fmt: skip
    assert np.isnan(EVERY.to_line(holes, strict=False)).all(axis=1).tolist() == [False, False, True]


@pytest.mark.parametrize("middle", [-3.1, 2.0])
def test_angles_are_counted_beside_their_mean_and_all_else_as_it_is(middle):
    rng = np.random.default_rng(0)
    x, _ = EVERY.from_line(rng.normal(size=(50, EVERY.free)))
    near = middle + 0.1 * rng.normal(size=(50, 3))
    turns = (near + np.pi) % (2 * np.pi) - np.pi
    found = EVERY.numbers(x | {"turn": turns[:, :2], "one": turns[:, 2]}, np.full(50, 0.02))
    np.testing.assert_allclose(found, flat(x | {"turn": near[:, :2], "one": near[:, 2]}), atol=1e-9)


def test_a_target_with_a_gradient_of_its_own_by_name():
    support = {"a": "positive", "b": ("simplex", (3,))}
    space = Space(support, None)

    def log_p(p):
        return anp.log(p["a"]) - 2 * p["a"] + anp.sum(anp.log(p["b"]) * np.arange(1, 4), axis=1)

    def with_gradient(p):
        return log_p(p), {"a": 1 / p["a"] - 2, "b": np.arange(1, 4) / p["b"]}

    y = np.random.default_rng(0).normal(size=(5, 3))
    targets = [LogTarget(pulled_back(t, space.from_line), 3) for t in (log_p, with_gradient)]
    (value, slope), (same, same_slope) = (target(y) for target in targets)
    np.testing.assert_allclose(value, same)
    np.testing.assert_allclose(slope, same_slope, atol=1e-12)
    step = 1e-6 * np.eye(3)
    numeric = [(targets[0](y[:1] + d)[0] - targets[0](y[:1] - d)[0])[0] / 2e-6 for d in step]
    np.testing.assert_allclose(slope[0], numeric, rtol=1e-6)


@pytest.mark.parametrize(
    ("support", "message"),
    [
        ({}, "empty dictionary"),
        ({"a": "above 0"}, "a: a support is one of 'real', 'positive', 'simplex'"),
        ({"a": (2.0, 1.0)}, "low < high"),
        ({"a": ("real", (0,))}, "a: a shape is a tuple of positive integers"),
        ({"a": "simplex"}, "needs a shape that ends in"),
        ({"a": ("simplex", (1,))}, "size of at least 2"),
        ({"a": ("correlation_cholesky", (2, 3))}, "needs a shape that ends in"),
        ({3: "real"}, "the name of a parameter is a text"),
        ("simplex", "belongs to whole vectors: name them"),
        (["real", "interval"], "a support is one of"),
    ],
)
def test_supports_that_are_none(support, message):
    with pytest.raises(ValueError, match=message):
        fc.infer(lambda x: 0.0, None if isinstance(support, dict) else 2, support=support)


@pytest.mark.parametrize(
    ("log_target", "options", "message"),
    [
        (lambda p: anp.log(p["a"])[:, None], {}, r"returned shape \(3, 1\)"),
        (lambda p: (p["a"], {"a": np.ones((len(p["a"]), 2))}), {}, "a gradient of 2 numbers"),
        (lambda p: -p["a"], {"start": {"b": 1.0}}, "a dictionary of .'a'."),
        (lambda p: -p["a"], {"start": {"a": -1.0}}, "a has rows outside of its support"),
        (lambda p: -p["a"], {"start": {"a": [[1.0, 2.0]]}}, "a has shape"),
        (lambda p: -p["a"], {"dim": 3}, "dim is 3, but the named parameters have 1 free"),
        (lambda p: -p["a"], {"flow": fc.flows.iaf(2)}, "1 free coordinates, but the flow has"),
    ],
)
def test_targets_and_starts_that_do_not_fit(log_target, options, message):
    with pytest.raises(ValueError, match=message):
        fc.infer(log_target, support={"a": "positive"}, epochs=1, **options)


# ---------------------------------------------------------------- boxes


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-np.inf, np.inf), (0, np.inf), (-np.inf, 2.0),
     ([-np.inf, 0, -1.0], [np.inf, np.inf, 1.0]), ([0, 5, -1.0], np.inf), (-np.inf, [0, 5, -1.0])],
)  # fmt: skip
def test_a_box_is_a_bijector_onto_its_sides(low, high):
    bijector = box(low, high, 3)
    check_bijector(bijector)
    x = bijector.forward(np.random.default_rng(0).normal(size=(50, 3)))
    assert (x > low).all() and (x < high).all()


# ---------------------------------------------------------------- where infer starts


def correlated(rho=0.99999):
    """A Gaussian in wild units: mean (1e6, -3), deviations 1e4 and 1e-3."""
    mean, scale = np.array([1e6, -3.0]), np.array([1e4, 1e-3])
    precision = np.linalg.inv([[1.0, rho], [rho, 1.0]])

    def log_p(x):
        z = (x - mean) / scale
        return -0.5 * anp.sum(anp.dot(z, precision) * z, axis=1)

    return log_p, mean, scale, np.log(2 * np.pi) + np.log(scale).sum() + 0.5 * np.log1p(-(rho**2))


def test_the_start_is_exact_for_any_gaussian():
    log_p, mean, scale, log_z = correlated()
    rng = np.random.default_rng(0)
    m, factor = best_gaussian(LogTarget(log_p, 2), mean + scale, 3 * scale, rng)
    np.testing.assert_allclose(m, mean, rtol=1e-5)
    covariance = factor @ factor.T / np.outer(scale, scale)
    np.testing.assert_allclose(covariance, [[1, 0.99999], [0.99999, 1]], atol=1e-3)
    log_p, *_, log_z = correlated(0.999)
    found = fc.infer(log_p, 2, start=[mean + scale], epochs=5, batches=20)
    assert found.log_evidence[0] == pytest.approx(log_z, abs=0.01) and found.trusted


def test_rows_as_a_start_are_taken_as_they_are():
    log_p, mean, scale, log_z = correlated(0.9)
    rows = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 2000)
    flow = flow_around(*first_gaussian(LogTarget(log_p, 2), mean + scale * rows, None))
    assert np.mean(
        log_p(flow.sample(500, 0)) - flow.log_prob(flow.sample(500, 0))
    ) == pytest.approx(log_z, abs=0.02)
    few = mean + scale * [[1.0, 0.0], [3.0, 0.0]]  # no Gaussian of their own
    found = first_gaussian(LogTarget(log_p, 2), few, np.random.default_rng(0))
    np.testing.assert_allclose(found.mean, mean, atol=0.01 * scale.max())
    half = LogTarget(lambda x: (np.where(np.abs(x) < 9, -(x**2), -np.inf)[:, 0], -2 * x), 1)
    found = first_gaussian(half, np.array([[-40.0], [1.0]]), np.random.default_rng(0))
    assert found.mean == pytest.approx(0, abs=0.01)  # from the best of two, not from their mean


def started(log_p, space):
    """The flow before any training, weighed."""
    target = LogTarget(log_p, space.free)
    flow = flow_around(*first_gaussian(target, None, np.random.default_rng(0)))
    return fc.Inference.of(flow, target, 4000, 0, space=space)


def test_the_search_goes_on_where_scales_are_far_apart():
    """A regression on a column of 1e3 +- 1, with y in the ten thousands and sigma from 1."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(200), 1000 + rng.standard_normal(200)])
    y = 30_000 + 500 * (x[:, 1] - 1000) + 200 * rng.standard_normal(200)
    best, *_ = np.linalg.lstsq(x, y, rcond=None)

    def log_p(p):
        miss = y - anp.dot(p["beta"], x.T)
        return -200 * anp.log(p["sigma"]) - 0.5 * anp.sum(miss**2, axis=1) / p["sigma"] ** 2

    space = Space({"beta": ("real", (2,)), "sigma": "positive"}, None)
    found = started(pulled_back(log_p, space.from_line), space)
    mean, _ = found.expectation()
    deviation = 200 * np.sqrt(np.diag(np.linalg.inv(x.T @ x)))
    assert (np.abs(mean["beta"] - best) < 0.2 * deviation).all()
    assert found.effective_sample_size > 2000


def test_log_q_is_minus_infinity_outside_of_the_support():
    found = fc.infer(
        lambda p: -p["a"], support={"a": "positive"}, epochs=1, batches=5, start={"a": 1.0},
        learning_rate=1e-4,
    )  # fmt: skip
    assert np.isneginf(found.log_prob({"a": [1.0, -1.0, 0.0]})).tolist() == [False, True, True]
    assert np.isnan(found.log_prob({"a": [np.nan, 1.0]})).tolist() == [True, False]
