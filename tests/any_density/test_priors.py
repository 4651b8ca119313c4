"""Priors and angles in `support=` of `infer`: against scipy.stats, quadrature, conjugate models."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import stats
from scipy.special import betaln, gammaln, i0e, iv

import flowcore as fc
from flowcore.inference.circles import _rows, centred
from flowcore.inference.priors import KERNELS, Prior, with_priors
from flowcore.inference.space import Space, flat
from flowcore.inference.unnormalised import LogTarget

FROZEN = {
    "beta": stats.beta(0.6, 2.5),
    "beta, shifted": stats.beta(2.0, 3.0, loc=-1.0, scale=4.0),
    "cauchy": stats.cauchy(1.0, 2.0),
    "chi2": stats.chi2(3.0),
    "expon": stats.expon(scale=2.0),
    "gamma": stats.gamma(0.7, scale=3.0),
    "halfcauchy": stats.halfcauchy(scale=2.0),
    "halfnorm": stats.halfnorm(scale=0.1),
    "invgamma": stats.invgamma(3.0, scale=2.0),
    "laplace": stats.laplace(1.0, 0.5),
    "lognorm": stats.lognorm(0.5, scale=np.exp(1.0)),
    "loguniform": stats.loguniform(1e-3, 100.0),
    "reciprocal": stats.reciprocal(1, 100),
    "norm": stats.norm(3, 2),
    "pareto": stats.pareto(3.0),
    "t": stats.t(df=4, loc=1.0),
    "truncnorm": stats.truncnorm(-1.0, 2.0, loc=0.5, scale=2.0),
    "uniform": stats.uniform(-2.0, 5.0),
    "vonmises": stats.vonmises(3.0, loc=3.0),
    "weibull_min": stats.weibull_min(1.5, scale=2.0),
}


def test_every_kernel_is_tried():
    assert {frozen.dist.name for frozen in FROZEN.values()} - {"reciprocal"} == {*KERNELS}


@pytest.mark.parametrize("name", FROZEN)
def test_the_density_and_the_draws_are_those_of_scipy(name):
    frozen, prior = FROZEN[name], with_priors(FROZEN[name])
    x = prior.sample(2000, rng=0)
    np.testing.assert_allclose(prior.log_prob(x), frozen.logpdf(x), rtol=1e-12, atol=1e-12)
    if name == "vonmises":
        assert (x >= -np.pi).all() and (x < np.pi).all()
        np.testing.assert_allclose(prior.log_prob(x + 2 * np.pi), prior.log_prob(x))
        assert stats.kstest((x - 3) % (2 * np.pi), lambda u: frozen.cdf(u + 3) - 0.5).pvalue > 1e-3
    else:
        assert stats.kstest(x, frozen.cdf).pvalue > 1e-3
        outside = np.array([prior.ends[0] - 1, prior.ends[1] + 1])
        assert (prior.log_prob(outside[np.isfinite(outside)]) == -np.inf).all()
    inner = np.quantile(x, [0.2, 0.45, 0.8])
    step = 1e-6 * inner
    numeric = (frozen.logpdf(inner + step) - frozen.logpdf(inner - step)) / (2 * step)
    slope = elementwise_grad(prior.log_prob)(inner)
    np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in FROZEN if name != "vonmises"])
def test_the_mass_of_a_prior_is_one_in_its_free_coordinates(name):
    space = Space({"x": FROZEN[name]}, None)
    t = np.linspace(-20, 20, 200_001)
    y = np.sinh(t)[:, None] if np.isinf(FROZEN[name].support()[0]) else 3 * t[:, None]
    with np.errstate(all="ignore"):
        log_p = space.with_priors(y)[1]
    assert np.trapezoid(np.exp(log_p), y[:, 0]) == pytest.approx(1, abs=1e-6)


COV = np.array([[2.0, 0.6], [0.6, 0.5]])
VECTORS = {
    "w": (fc.Dirichlet([0.8, 2.0, 3.0]), (2, 3)),
    "b": stats.multivariate_normal([1.0, -1.0], COV),
    "rates": stats.gamma([2.0, 3.0], scale=[1.0, 4.0]),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_mass_of_priors_of_vectors_is_one(name):
    space = Space({name: VECTORS[name]}, None)
    base = fc.StudentT(space.free, 5.0)
    y = 1.5 * base.sample(100_000, rng=0)
    w = np.exp(space.with_priors(y)[1] - base.log_prob(y / 1.5) + space.free * np.log(1.5))
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w)) < 0.06


def test_draws_and_densities_of_vectors():
    space = Space(VECTORS, None)
    x, _ = space.from_line(space.prior_draws(4000, np.random.default_rng(0)))
    assert {name: one.shape[1:] for name, one in x.items()} == {
        "w": (2, 3), "b": (2,), "rates": (2,)
    }  # fmt: skip
    np.testing.assert_allclose(np.cov(x["b"].T), COV, atol=0.15)
    np.testing.assert_allclose(x["w"].mean(axis=(0, 1)), np.array([0.8, 2, 3]) / 5.8, atol=0.02)
    np.testing.assert_allclose(x["rates"].mean(axis=0), [2, 12], rtol=0.05)
    w, b = x["w"][:, 0], x["b"]
    np.testing.assert_allclose(
        fc.Dirichlet([0.8, 2.0, 3.0]).log_prob(w[:9]),
        [stats.dirichlet([0.8, 2.0, 3.0]).logpdf(row) for row in w[:9]], rtol=1e-12,
    )  # fmt: skip
    prior = with_priors(VECTORS["b"])
    np.testing.assert_allclose(prior.log_prob(b), VECTORS["b"].logpdf(b), rtol=1e-12)


def test_conjugate_models_have_their_evidence_and_moments():
    """A binomial with a Beta, a Poisson with a Gamma and a normal with a normal prior."""

    def log_likelihood(p):
        binomial = 7 * anp.log(p["share"]) + 3 * anp.log(1 - p["share"])
        poisson = 12 * anp.log(p["rate"]) - 3 * p["rate"]
        return binomial + poisson - 0.5 * anp.sum((p["mean"] - 2.0) ** 2, axis=1)

    found = fc.infer(
        log_likelihood,
        support={
            "share": stats.beta(2, 3),
            "rate": stats.gamma(a=2, scale=2.0),
            "mean": (stats.norm(0, 3), (2,)),
        },
        epochs=4,
    )  # fmt: skip
    exact = (
        betaln(9, 6) - betaln(2, 3)
        + gammaln(14) - 14 * np.log(3.5) - gammaln(2) - 2 * np.log(2)
        + 2 * (-0.5 * np.log(10) - 0.5 * 4 / 10)
    )  # fmt: skip
    value, error = found.log_evidence
    assert abs(value - exact) < 0.005 and error < 0.005 and found.trusted
    x = flat(found.draws)
    mean = found.weights @ x
    deviation = np.sqrt(found.weights @ (x - mean) ** 2)
    scale = [np.sqrt(9 * 6 / 16) / 15, np.sqrt(14) / 3.5, np.sqrt(0.9), np.sqrt(0.9)]
    np.testing.assert_allclose((mean - [9 / 15, 4, 1.8, 1.8]) / scale, 0, atol=0.04)
    np.testing.assert_allclose(deviation, scale, rtol=0.03)


def test_a_prior_leaves_the_density_of_the_flow_as_it_is():
    """log_prob is log q of x: with the determinant, without the prior."""
    found = fc.infer(
        lambda p: -p["a"], support={"a": stats.gamma(3.0)}, epochs=1, batches=5,
        learning_rate=1e-4,
    )  # fmt: skip
    x = np.linspace(1e-3, 30, 20_000)
    assert np.trapezoid(np.exp(found.log_prob({"a": x})), x) == pytest.approx(1, abs=1e-3)
    assert found.log_evidence[0] == pytest.approx(-3 * np.log(2), abs=0.01)


def test_the_search_starts_where_the_prior_and_the_likelihood_are():
    """At y = 0, the median of the prior, the likelihood is 0: without the draws, an error."""

    def log_likelihood(p):
        return anp.where(p["a"] > 4, -p["a"], -np.inf)

    found = fc.infer(
        log_likelihood,
        support={"a": stats.expon(scale=5.0)},
        epochs=1,
        batches=5,
        learning_rate=1e-4,
    )
    assert np.isfinite(found.log_evidence[0])


def test_rows_take_priors_and_angles_too():
    support = [stats.norm(1.0, 2.0), "angle", fc.LogUniform(1, 100), "positive"]
    space = Space(support, None, np.zeros(4))
    y = np.random.default_rng(0).normal(size=(50, 4))
    x, log_det = space.from_line(y)
    assert x.shape == (50, 4) and space.labels() == ["x_1", "x_2", "x_3", "x_4"]
    np.testing.assert_allclose(space.to_line(x), y, atol=1e-6)
    both = stats.norm.logpdf(x[:, 0], 1, 2) + stats.loguniform.logpdf(x[:, 2], 1, 100)
    np.testing.assert_allclose(space.with_priors(y)[1] - log_det, both)
    with pytest.raises(ValueError, match=r"x has shape \(50, 3\), not \(n, 4\)"):
        space.to_line(x[:, :3])
    drawn = space.prior_draws(100, np.random.default_rng(0))
    assert drawn.shape == (100, 4) and drawn.std(axis=0).min() > 0.5  # without a prior, too
    assert Space("real", 3).prior_draws(10, np.random.default_rng(0)) is None


def test_uniform_is_a_base_and_a_prior():
    base = fc.Uniform(-1.0, 3.0, circular=True)
    assert base.dim == 1 and repr(base) == "Uniform(1, low=-1, high=3, circular=True)"
    x = base.sample(500, rng=0)
    assert (x >= -1).all() and (x < 3).all()
    values = base.log_prob([[0.0], [7.0], [np.inf], [np.nan]])
    np.testing.assert_allclose(values, [-np.log(4), -np.log(4), -np.inf, np.nan])
    plain = fc.Uniform(-1.0, 3.0).log_prob([[0.0], [7.0]])
    np.testing.assert_allclose(plain, [-np.log(4), -np.inf])
    assert fc.Uniform(1, 100).low == 1 and fc.Uniform(2, 0, 1).dim == fc.Uniform(2, -3).dim == 2
    priors = [with_priors(one) for one in (base, fc.Uniform(2, 0.0, [1.0, 2.0]))]
    assert [prior.shape for prior in priors] == [(), (2,)] and priors[0].circular
    np.testing.assert_allclose(priors[1].log_prob(np.full((1, 2), 0.5)), -np.log(2))


@pytest.mark.parametrize(
    ("support", "message"),
    [
        (
            {"a": stats.binom(3, 0.5)},
            r"scipy.stats.binom is not a known prior: .* beta, cauchy.*Pass",
        ),
        ({"a": stats.norm}, r"stats.norm has no arguments: freeze it, as stats.norm\("),
        ({"a": stats.wishart(3, np.eye(2))}, "scipy.stats.wishart is not a known prior"),
        ({"a": stats.norm(0, -1)}, r'Prior\("norm", loc=0.0, scale=-1.0\): the arguments are outs'),
        ({"a": (fc.Dirichlet([1.0, 1.0]), (3,))}, r"a: the shape \(3,\) must end in \(2,\)"),
        ([fc.Dirichlet([1.0, 1.0])], "belongs to whole vectors: name them"),
    ],
)
def test_priors_that_are_none(support, message):
    with pytest.raises(ValueError, match=message):
        fc.infer(lambda x: 0.0, support=support)


@pytest.mark.parametrize("frozen, lost", [
    (stats.beta(0.05, 0.05), "8.0% of it are between 1 and the next floating-point number, and"),
    (stats.beta(2.0, [0.5, 0.1]), "2.8% of it are between 1 and"),
    (stats.beta(0.1, 2.0, loc=3.0), "3.2% of it are between 3 and"),
    (stats.gamma(0.002), "22.6% of it are between 0 and the next .* log x"),
    (stats.pareto(0.005), "2.9% of it are between inf and"),
])  # fmt: skip
def test_priors_that_floating_point_numbers_do_not_hold(frozen, lost):
    with pytest.raises(ValueError, match=lost):
        Space({"x": frozen}, None)


@pytest.mark.parametrize("frozen", [
    stats.beta(0.5, 0.5), stats.beta(0.05, 0.2), stats.gamma(0.01),
    stats.weibull_min(0.5, loc=1.0), stats.beta(0.5, 0.5, loc=-1.0, scale=2.0),
])  # fmt: skip
def test_little_of_a_prior_is_lost_at_its_ends(frozen):
    """Its mass over y, also where x is rounded to an end at which the density is infinite."""
    space, y = Space({"x": frozen}, None), np.linspace(-800, 800, 400_001)[:, None]
    with np.errstate(all="ignore"):
        log_p = space.with_priors(y)[1]
    assert np.trapezoid(np.exp(log_p), y[:, 0]) == pytest.approx(1, abs=1.5e-3)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (fc.HalfCauchy, (-1,), "outside of their range"),
        (fc.LogUniform, (5, 1), "outside of their range"),
        (fc.LogUniform, (0, 1), "outside of their range"),
        (fc.Dirichlet, (3.0,), "a vector of at least two numbers"),
        (fc.Dirichlet, ([2.0],), "a vector of at least two numbers"),
    ],
)
def test_bad_arguments_are_named(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(*arguments)


@pytest.mark.parametrize("target", [lambda x: -x[:, 0], lambda x: -x[0], lambda x: -x["b"]])
def test_a_target_of_rows_with_named_parameters(target):
    with pytest.raises(TypeError, match=r"is a dictionary of arrays, not rows.*\['a'\]"):
        fc.infer(target, support={"a": "real"}, epochs=1)


# ---------------------------------------------------------------- angles


def von_mises(k, at):
    return lambda p: k * (anp.cos(p["a"] - at) - 1)


@pytest.mark.parametrize("k", [0.5, 20.0, 1e4])
@pytest.mark.parametrize("at", [-2.5, 0.0, 1.0, np.pi])
def test_a_mode_is_opposite_of_the_cut(k, at):
    """log Z by quadrature over y, and one mode there, wherever the mode is on the circle."""
    space = centred(Space({"a": "angle"}, None), von_mises(k, at), None, np.random.default_rng(0))
    y = np.linspace(-12, 12, 100_001)[:, None]
    log_p = space.on_line(von_mises(k, at))(y)
    z = np.trapezoid(np.exp(log_p), y[:, 0])
    assert z == pytest.approx(2 * np.pi * i0e(k), rel=1e-6)
    assert np.count_nonzero(np.diff(np.sign(np.diff(log_p[log_p > log_p.max() - 30])))) == 1
    assert abs(y[np.argmax(log_p), 0]) < 0.05
    x, _ = space.from_line(y)
    assert (x["a"] >= -np.pi).all() and (x["a"] < np.pi).all()


def test_infer_of_an_angle(at=np.pi):
    def log_p(p):
        return 5 * (anp.cos(p["a"] - at) - 1) - 0.5 * (p["x"] - anp.sin(p["a"])) ** 2

    found = fc.infer(log_p, support={"a": "angle", "x": "real"}, epochs=6)
    exact = np.log(2 * np.pi * i0e(5)) + 0.5 * np.log(2 * np.pi)
    assert abs(found.log_evidence[0] - exact) < 0.005 and found.trusted
    # printed with the mean and the deviation about it, though half of the draws are near -pi
    x = np.linspace(-np.pi, np.pi, 10_001)
    p = np.exp(5 * (np.cos(x) - 1))
    name, mean, _, deviation = str(found).splitlines()[1].split()[:4]
    assert name == "a" and np.cos(float(mean) - at) > 0.999
    assert float(deviation) == pytest.approx(np.sqrt(np.sum(x**2 * p) / np.sum(p)), rel=0.03)
    assert 0.4 < np.mean(found.draws["a"] < 0) < 0.6 and np.abs(found.draws["a"]).max() <= np.pi
    # the density of the flow over the circle, with every turn of the angle the same
    a, x = np.meshgrid(
        np.linspace(-np.pi, np.pi, 300, endpoint=False) + 0.01, np.linspace(-6, 6, 300)
    )
    p = {"a": a.ravel(), "x": x.ravel()}
    log_q = found.log_prob(p)
    assert np.exp(log_q).sum() * (2 * np.pi / 300) * (12 / 299) == pytest.approx(1, abs=2e-3)
    np.testing.assert_allclose(
        found.log_prob({**p, "a": p["a"] + 4 * np.pi}), log_q, atol=1e-6, rtol=1e-6
    )


def test_a_circle_of_other_ends():
    """A phase in cycles; its draws are in [0, 1), and it has a density."""
    support = {"a": fc.Uniform(0.0, 1.0, circular=True), "x": "real"}

    def log_p(p):
        return 3 * (anp.cos(2 * np.pi * p["a"]) - 1) - 0.5 * p["x"] ** 2

    found = fc.infer(log_p, support=support, epochs=4)
    exact = np.log(i0e(3)) + 0.5 * np.log(2 * np.pi)
    assert abs(found.log_evidence[0] - exact) < 0.005
    assert (found.draws["a"] >= 0).all() and (found.draws["a"] < 1).all()
    assert Space(support, None).from_line(np.full((1, 2), -1e-20))[0]["a"] == 0  # and not 1
    near = found.space.numbers(found.draws, found.weights)[:, 0]
    mean = found.weights @ near
    assert abs(mean - round(mean)) < 0.01 and near.std() < 0.15


def test_where_the_map_repeats_one_turn_is_drawn_from_and_ascents_start_all_around():
    """Draws of a wide t would be in every turn."""
    space = Space({"a": "angle", "x": "real", "b": "angle"}, None)
    target = LogTarget(space.on_line(lambda p: 2 * anp.cos(p["a"]) - 0.5 * p["x"] ** 2), 3)
    flow = fc.flows.nsf(3, layers=1, hidden=[4], circular=[0, 2], standardize=False)  # the identity
    found = fc.Inference.of(flow, target, 2000, 0, space=space)
    value, error = found.log_evidence
    assert (
        found.n_wide == 0 and abs(value - np.log((2 * np.pi) ** 2.5 * iv(0, 2))) < 5 * error < 0.2
    )
    a, x, b = _rows(space, {"a": 0, "x": 7, "b": 0}, np.random.default_rng(0)).T
    assert (x == 7).all() and min(np.ptp(a), np.ptp(b)) > 5


@pytest.mark.parametrize("seed", range(4))
def test_two_modes_are_cut_between(seed):
    """At 0 and pi, and where a coordinate beside it makes log p~ unbounded."""
    target = lambda p: 30 * anp.cos(2 * p["a"])  # noqa: E731
    ends = centred(Space({"a": "angle"}, None), target, None, np.random.default_rng(seed)).centres
    assert abs(np.cos(ends[0])) < 0.2
    support = {"s": "real", "a": ("angle", (2,))}

    def funnel(p):
        two = 30 * anp.cos(2 * p["a"][:, 0]) + 30 * anp.cos(p["a"][:, 1] - 2)
        return two + anp.abs(p["s"])

    _, one, two = centred(Space(support, None), funnel, None, np.random.default_rng(seed)).centres
    assert abs(np.cos(one)) < 0.5 and np.cos(two - np.pi - 2) > 0.9  # centres begin at -pi


@pytest.mark.parametrize("seed", range(4))
def test_ascents_that_end_far_below_hardly_move_the_cut(seed):
    """Most end in ripples all around, 11 nats below the mode at 0: the cut stays opposite of it."""

    def log_p(p):
        return anp.logaddexp(80 * (anp.cos(p["a"]) - 1), 3 * anp.cos(8 * p["a"]) - 14)

    space = Space({"a": "angle"}, None)
    (centre,) = centred(space, log_p, None, np.random.default_rng(seed)).centres
    assert np.cos(centre - np.pi) > 0.6  # centres begin at -pi


def test_a_start_at_the_cut_is_taken():
    space = Space({"a": "angle"}, None, np.array([np.pi]))
    for at in (-np.pi, np.pi, 3 * np.pi):
        y = space.to_line({"a": [at]})
        assert np.isfinite(y).all()
        x = space.from_line(y)[0]["a"]
        assert np.cos(x) == pytest.approx(-1)
    assert flat(space.from_line(np.array([[40.0], [-40.0]]))[0]).shape == (2, 1)


def test_a_prior_is_made_from_its_config():
    for frozen in [*FROZEN.values(), fc.Dirichlet([1.0, 2.0])]:
        prior = with_priors(frozen)
        again = Prior(**prior.config())
        assert repr(again) == repr(prior) and again.circular == prior.circular


def test_a_log_uniform_prior_may_begin_below_0():
    space = Space({"a": stats.loguniform(1, 10, loc=-5)}, None)
    x, log_det = space.from_line(np.linspace(-3, 3, 7)[:, None])
    assert np.isfinite(log_det).all() and (x["a"] > -4).all() and (x["a"] < 5).all()
