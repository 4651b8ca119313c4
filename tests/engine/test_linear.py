"""LULinear and ActNorm: extreme scales, constant columns, and the Gaussian that they can be."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy.optimize import minimize

import flowcore as fc


def rows(n, dim, rng=0):
    return np.random.default_rng(rng).standard_normal((n, dim))


def data(n=400, dim=3):
    """Correlated rows, far from standard."""
    A = np.array([[3.0, 0.0, 0.0], [2.0, 0.5, 0.0], [-1.0, 0.4, 0.1]])[:dim, :dim]
    return rows(n, dim, 1) @ A.T + [5.0, -2.0, 100.0][:dim]


# ---------------------------------------------------------------- LULinear


def test_a_fresh_one_is_its_permutation():
    z = rows(4, 5)
    b = fc.LULinear(5, rng=3)
    p = np.random.default_rng(3).permutation(5)
    np.testing.assert_array_equal(b.forward(z), z[:, p])
    np.testing.assert_array_equal(b.inverse(z[:, p]), z)
    np.testing.assert_array_equal(fc.LULinear(5, permutation=None).forward(z), z)
    np.testing.assert_array_equal(fc.LULinear(2, None, signs=[1, -1]).forward([3.0, 4.0]), [3, -4])
    assert b.n_params == 30 and not b.params.any()


@pytest.mark.parametrize("bound", [20.0, 30.0, None])
def test_scales_of_any_size_stay_accurate(bound):
    """W with scales from 1e-8 to 1e8: the small ones are not lost next to the large ones."""
    b = fc.LULinear.from_lu([[1e8, 2, 3], [0.5, 1e-8, 4], [-0.5, 2, 1]], log_scale_bound=bound)
    inverse = [[13 - 3.5e-8, -18 + 6e-8, 8 - 3e-8], [-6.5e8, 9e8, -4e8], [1.5, -2.0, 1.0]]
    np.testing.assert_allclose(b.inverse(np.eye(3)).T, inverse, rtol=1e-12)  # by hand
    np.testing.assert_allclose(b.inverse_log_det(np.eye(3)), np.zeros(3), atol=1e-12)


def test_its_log_scale_is_bounded():
    """A step of any length leaves a valid bijector."""
    b = fc.LULinear(2, permutation=None, log_scale_bound=3.0)
    b = b.with_params([0.0, 0.0, 1e6, -1e6, 0.0, 0.0])
    np.testing.assert_allclose(b.forward([1.0, 1.0]), np.exp([3.0, -3.0]))


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("size", [-800.0, 800.0])
def test_without_a_bound_every_value_is_valid(size, dtype):
    """exp(-800) is 0 in floats, and the matrix was singular."""
    z = np.array([[0.3, -1.2], [2.0, 0.1]], dtype)
    for theta in (np.full(6, size), [0, 0, size, size, 0, 0]):
        b = fc.LULinear(2, None, log_scale_bound=None, dtype=dtype).with_params(theta)
        log_p = fc.TransformedDistribution(fc.Normal(2), b).log_prob(z)
        assert (log_p == (-np.inf if size < 0 else -2 * size - np.log(2 * np.pi))).all()
        for way, sign in (("forward", 1), ("inverse", -1)):
            value, log_det = getattr(b, f"{way}_and_log_det")(z)
            assert not np.isnan(value).any() and (log_det == sign * 2 * size).all()


# ---------------------------------------------------------------- ActNorm


def test_a_constant_column_gets_scale_one():
    X = data()
    X[:, 1] = 4.0
    for b in (
        fc.ActNorm(3).initialize(X),
        fc.Invert(fc.Invert(fc.ActNorm(3))).initialize(X).bijector.bijector,
    ):
        np.testing.assert_allclose(b.inverse(X)[:, 1], 0, atol=1e-12)
        np.testing.assert_allclose(np.exp(b.params[3:]), [X[:, 0].std(), 1, X[:, 2].std()])
    new = fc.Invert(fc.ActNorm(3)).initialize(X)
    np.testing.assert_allclose(new.inverse(X)[:, 1], 0, atol=1e-12)
    assert new.params[4] == 0
    with pytest.raises(ValueError, match=r"column \[1\] of the data is constant"):
        fc.Standardize(3).initialize(X)


# ---------------------------------------------------------------- training


def gaussian_nll(X):
    """The best mean NLL of any Gaussian: the entropy of that with the sample's moments."""
    return 0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.cov(X.T, bias=True))[1]


@pytest.mark.parametrize("normalise", [fc.ActNorm, fc.Standardize])
@pytest.mark.parametrize("turn", [lambda b: b, fc.Invert])
def test_by_lbfgs_it_is_the_exact_gaussian(normalise, turn):
    X = data()
    flow = fc.TransformedDistribution(
        fc.Normal(3), fc.Chain([normalise(3), turn(fc.LULinear(3, rng=1))])
    )
    flow = flow.initialize(X)
    nll = autograd.value_and_grad(lambda theta: -anp.mean(flow.log_prob(X, params=theta)))
    best = minimize(nll, flow.params, jac=True, method="L-BFGS-B", options={"gtol": 1e-8})
    assert nll(flow.params)[0] > gaussian_nll(X) + 1  # the correlations are worth something
    np.testing.assert_allclose(best.fun, gaussian_nll(X), atol=1e-6)


@pytest.mark.parametrize("kind", [fc.Standardize, fc.ActNorm])
@pytest.mark.parametrize("centre, sd", [(1.7e9, 1e-3), (0.0, 1e-170), (-1e250, 1e249)])
def test_scales_that_floats_can_resolve_are_not_constant(kind, centre, sd):
    x = centre + sd * np.random.default_rng(0).standard_normal((1000, 1))
    z = kind(1).initialize(x).inverse(x)
    np.testing.assert_allclose(z.mean(), 0, atol=1e-3)
    np.testing.assert_allclose(z.std(), 1, rtol=1e-3)


@pytest.mark.parametrize("value, n", [(0.1, 1000), (1e6 + 0.1, 100_000), (1.0, 1000)])
def test_a_constant_that_its_mean_only_rounds_to_is_constant(value, n):
    """NumPy adds the rows of a table one by one: the mean is off by many roundings."""
    x = np.column_stack([np.random.default_rng(0).standard_normal(n), np.full(n, value)])
    with pytest.raises(ValueError, match=r"column \[1\] of the data is constant"):
        fc.Standardize(2).initialize(x)
    assert fc.ActNorm(2).initialize(x).params[3] == 0
