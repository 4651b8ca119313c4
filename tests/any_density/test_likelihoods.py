"""Likelihoods in JAX, torch and NumPy beside the same in autograd. Tests of JAX and torch are
skipped without them; `.ci/run` has an environment with both.
"""

import re
import sys
from types import SimpleNamespace

import autograd.numpy as anp
import numpy as np
import pytest
from scipy import stats
from support.places import ROOT

import flowcore as fc
from flowcore.adapters import from_jax, from_numpy, from_torch
from flowcore.inference.space import Space, pulled_back
from flowcore.inference.unnormalised import LogTarget

PAGE = (ROOT / "docs" / "use" / "likelihoods.md").read_text("utf-8")
RNG = np.random.default_rng(0)
GROUP = np.repeat(np.arange(3), 4)
Y = RNG.normal(size=3)[GROUP] + RNG.normal(size=12)
X = RNG.normal(size=(12, 2))
# JAX sorts names, so they are not sorted here
SUPPORT = {"z": ("real", (3,)), "tau": "positive", "beta": ((-5.0, 5.0), (2,)), "mu": "real"}


def hierarchy(np, sum_rows, stack):
    """Log p of rows, in the NumPy of somebody."""

    def log_p(p):
        theta = p["mu"][:, None] + p["tau"][:, None] * p["z"]
        mean = theta[:, GROUP] + stack(p["beta"])
        prior = sum_rows(p["z"] ** 2) + p["mu"] ** 2 / 4 + 2 * np.log1p(p["tau"] ** 2)
        return -0.5 * (sum_rows((stack.y - mean) ** 2) + prior)

    return log_p


class Predictor:
    """beta -> X beta, and y, in the arrays of somebody."""

    def __init__(self, as_array):
        self.x, self.y = as_array(X), as_array(Y)

    def __call__(self, beta):
        return beta @ self.x.T


def in_autograd():
    return hierarchy(anp, lambda a: anp.sum(a, axis=1), Predictor(np.asarray))


def in_jax():
    jnp = pytest.importorskip("jax.numpy")
    return hierarchy(jnp, lambda a: jnp.sum(a, axis=1), Predictor(np.asarray))


def in_torch():
    torch = pytest.importorskip("torch")
    return hierarchy(torch, lambda a: torch.sum(a, dim=1), Predictor(torch.tensor))


def of_one(log_p):
    """The log-density of one parameter set."""
    return lambda p: log_p({name: a[None] for name, a in p.items()})[0]


def in_numpy():
    return hierarchy(np, lambda a: np.sum(a, axis=1), Predictor(np.asarray))


ADAPTERS = {
    "jax": lambda: from_jax(of_one(in_jax())),
    "jax rows": lambda: from_jax(in_jax(), vectorized=True),
    "torch": lambda: from_torch(of_one(in_torch())),
    "torch rows": lambda: from_torch(in_torch(), vectorized=True),
    "numpy": lambda: from_numpy(of_one(in_numpy())),
    "numpy rows": lambda: from_numpy(in_numpy(), vectorized=True),
}


def on_the_line(log_target, support=SUPPORT):
    space = Space(support, None)
    return LogTarget(pulled_back(log_target, space.from_line), space.free)


def error_of_differences(target, y, far=1e-3):
    """Twice the bound (n, D) of the documentation, by third derivatives from the slopes of target
    at a distance."""
    value, slope = target.anywhere(y)
    third = np.empty_like(y)
    for i, shift in enumerate(far * np.eye(target.dim)):
        ends = [target.anywhere(y + sign * shift)[1] for sign in (-1, 1)]
        third[:, i] = ((ends[0] + ends[1] - 2 * slope) / far**2)[:, i]
    step = 6.1e-6 * np.maximum(1, np.abs(y))
    return 2 * (step**2 / 6 * np.abs(third) + 4e-11 * (1 + np.abs(value[:, None])))


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("n", [1, 5, 16, 17, 300])
def test_value_and_gradient_are_those_of_autograd(name, n):
    """Also of the last row of a block that is filled up; a NaN stays in its row."""
    y = np.random.default_rng(n).normal(size=(n, 7))
    y[n // 2, 1] = np.nan
    value, slope = on_the_line(ADAPTERS[name]()).anywhere(y)
    expected, expected_slope = on_the_line(in_autograd()).anywhere(y)
    assert value.dtype == slope.dtype == float and np.isnan(expected).sum() == 1
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    good = np.isfinite(expected)
    error = np.full_like(slope, 1e-10)
    if name.startswith("numpy"):
        error = error_of_differences(on_the_line(in_autograd()), y)
    assert (np.abs(slope - expected_slope) <= error)[good].all()


@pytest.mark.parametrize(("name", "adapter"), [("jax.numpy", from_jax), ("torch", from_torch)])
def test_rows_without_names(name, adapter):
    np_of = pytest.importorskip(name)
    x = RNG.normal(size=(20, 3))
    value, slope = adapter(lambda row: -np_of.sum(np_of.exp(row)) + row[0])(x)
    np.testing.assert_allclose(value, -np.exp(x).sum(axis=1) + x[:, 0], rtol=1e-12)
    np.testing.assert_allclose(slope, -np.exp(x) + [1, 0, 0], rtol=1e-12)
    assert value.dtype == slope.dtype == float
    with pytest.raises(ValueError, match=r"f of .* returned shape .*one number"):
        adapter(lambda row: row)(x)
    with pytest.raises(ValueError, match=r"f of .* returned shape .*one number"):
        adapter(np_of.sum, vectorized=True)(x)


def test_jax_compiles_twice_and_keeps_its_settings():
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    traced = []

    def log_p(row):
        traced.append(row.dtype)
        return -jnp.sum(row**2)

    log_target = from_jax(log_p)
    for n in (1, 256, 5, 400, 16, 17, 1000, 2):
        x = RNG.normal(size=(n, 2))
        np.testing.assert_allclose(log_target(x)[0], -np.sum(x**2, axis=1), rtol=1e-13)
    assert traced == [np.float64] * 2
    assert not jax.config.jax_enable_x64 and jnp.zeros(1).dtype == jnp.float32


def test_torch_without_a_graph():
    """Within no_grad, and parameters that the target does not read."""
    torch = pytest.importorskip("torch")
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    log_target = from_torch(lambda p: -torch.sum(weight * p["a"] ** 2))
    with torch.no_grad():
        value, slope = log_target({"a": np.ones((3, 2)), "b": np.ones(3)})
    assert (value == -2).all() and (slope["a"] == -2).all() and (slope["b"] == 0).all()
    assert weight.grad is None


# ---------------------------------------------------------------- differences


def test_the_error_of_differences_is_the_documented_one():
    """Also beside bounds: the target is called inside of the support only."""
    shape = np.array([0.5, 3.0, 2.0])
    support = {"a": ("positive", (3,)), "share": ("simplex", (3,))}

    def log_p(np):
        return lambda p: (
            np.sum((shape - 1) * np.log(p["a"]) - p["a"], axis=1)
            + np.sum(np.log(p["share"]) * shape, axis=1)
        )

    def checked(p):
        assert (p["a"] > 0).all() and np.allclose(p["share"].sum(axis=1), 1)
        return log_p(np)(p)

    y = 2 * np.random.default_rng(1).normal(size=(2000, 5))
    value, slope = on_the_line(from_numpy(checked, vectorized=True), support)(y)
    target = on_the_line(log_p(anp), support)
    expected, expected_slope = target(y)
    np.testing.assert_array_equal(value, expected)
    error = error_of_differences(target, y)
    assert (np.abs(slope - expected_slope) < error).all() and np.median(error) < 1e-8


def test_differences_are_called_with_all_rows_at_once():
    rows = []
    target = LogTarget(
        from_numpy(lambda x: rows.append(len(x)) or -np.sum(x**2, axis=1), vectorized=True), 4
    )
    target(np.zeros((5, 4)))
    rows.clear()
    x = 1e6 * RNG.normal(size=(5, 4))
    np.testing.assert_allclose(target(x)[1], -2 * x, rtol=1e-4)
    assert rows == [5, 40]


def test_a_likelihood_of_scipy():
    scipy_mvn = stats.multivariate_normal([1.0, -1.0], [[1.0, 0.5], [0.5, 2.0]])
    for vectorized in (False, True):
        log_target = from_numpy(scipy_mvn.logpdf, vectorized=vectorized)
        value, slope = LogTarget(log_target, 2)(np.zeros((1, 2)))
        np.testing.assert_allclose(value, scipy_mvn.logpdf([0, 0]))
        np.testing.assert_allclose(slope, [np.linalg.solve(scipy_mvn.cov, [1, -1])], atol=1e-9)
    found = fc.infer(log_target, dim=2, draws=2000)
    assert found.log_evidence[0] == pytest.approx(0, abs=1e-3) and found.trusted


def test_differences_of_many_coordinates_are_refused():
    with pytest.raises(ValueError, match=r"11 coordinates, and differences .* at most 10: write"):
        fc.infer(from_numpy(lambda x: -np.sum(x**2)), dim=11)
    with pytest.raises(ValueError, match=r"f of .* returned shape"):
        fc.infer(from_numpy(lambda x: -(x**2)), dim=2)


# ---------------------------------------------------------------- pairs


def test_names_of_a_gradient_may_have_any_order():
    """As of JAX, which sorts them; other names are an error."""
    x = {"b": np.array([1.0, 2.0]), "a": np.ones((2, 1))}
    space = Space({"b": "real", "a": ("real", (1,))}, None)
    y = space.to_line(x)
    slope = {"a": 3 * np.ones((2, 1)), "b": np.array([1.0, 2.0])}

    def found(slope):
        return pulled_back(lambda p: (p["b"], slope), space.from_line)(y)[1]

    np.testing.assert_array_equal(found(slope), [[1, 3], [2, 3]])
    with pytest.raises(ValueError, match=r"gradient is by \['b'\], not by \['b', 'a'\]"):
        found({"b": slope["b"]})


def test_evidence_takes_a_pair():
    x = RNG.normal(size=(400, 1))
    pair = fc.evidence(x, from_numpy(lambda r: -0.5 * r[0] ** 2), epochs=2)
    assert pair == pytest.approx(fc.evidence(x, lambda x: -0.5 * x[:, 0] ** 2, epochs=2))


# ---------------------------------------------------------------- what autograd does not have


def covariances(x):
    return anp.eye(2) + x[:, :, None] * x[:, None, :]


def diagonal(x, axis1, axis2):
    c = covariances(x)
    return anp.sum(anp.log(anp.diagonal(c, axis1=axis1, axis2=axis2)), axis=1)


@pytest.mark.parametrize(
    ("log_target", "fix"),
    [
        (lambda x: diagonal(x, 1, 2), r"write np.diagonal\(C, axis1=-1, axis2=-2\)$"),
        (lambda x: stats.norm.logpdf(x[:, 0]), "autograd.scipy.stats.* from_numpy"),
        (lambda x: anp.median(x, axis=1), "VJP of median.* from_numpy"),
        (lambda x: np.array([float(row[0]) for row in x]), "autograd.numpy.* from_numpy"),
    ],
)
def test_a_hole_of_autograd_comes_with_what_to_write(log_target, fix):
    with pytest.raises(ValueError, match=rf"^log_target has no gradient \(.*{fix}") as caught:
        fc.infer(log_target, dim=2)
    assert caught.value.__cause__ is not None  # the error itself, with its line in the target


def test_one_row_of_a_multivariate_normal():
    """SciPy and autograd return one number for one row, without an axis."""
    from autograd.scipy.stats import multivariate_normal

    target = LogTarget(lambda x: multivariate_normal.logpdf(x, np.zeros(2), np.eye(2)), 2)
    for n in (1, 2):
        value, slope = target(np.ones((n, 2)))
        assert value.shape == (n,) and (slope == -1).all()
    both = on_the_line(lambda p: target.log_target(p["x"]), {"x": ("real", (2,))})
    assert both(np.ones((1, 2)))[1].tolist() == [[-1, -1]]
    with pytest.raises(ValueError, match="one number a row"):
        LogTarget(anp.sum, 2)(np.ones((2, 2)))


def test_the_diagonal_of_the_message():
    x = RNG.normal(size=(5, 2))
    value, slope = LogTarget(lambda x: diagonal(x, -1, -2), 2)(x)
    np.testing.assert_allclose(value, np.log(1 + x**2).sum(axis=1))
    np.testing.assert_allclose(slope, 2 * x / (1 + x**2))


# ---------------------------------------------------------------- the page


def example(program):
    """The code of the page below the heading of a program."""
    return re.search(rf"^## {program}.*?^```py\w*\n(.*?)^```", PAGE, flags=re.M | re.S)[1]


def result(program):
    names = {}
    exec(compile(example(program), "likelihoods.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def by_differences():
    return result("NumPy")


@pytest.fixture
def bridgestan(monkeypatch, by_differences):
    """BridgeStan's interface, with the model of the examples, of log noise."""
    y, t = by_differences["y"], by_differences["t"]

    def log_density_gradient(row, propto):
        a, b, log_noise = row
        noise = np.exp(log_noise)
        z = (y - a - b * t) / noise
        constant = 0 if propto else 26 * np.log(2 * np.pi) + 2 * np.log(5)
        value = -(a * a + b * b) / 50 - noise - 49 * log_noise - 0.5 * z @ z - constant
        slope = [-a / 25 + z.sum() / noise, -b / 25 + z @ t / noise, -noise - 49 + z @ z]
        return value, np.array(slope)

    def model(program, data):
        return SimpleNamespace(
            log_density_gradient=log_density_gradient, param_unc_num=lambda: 3,
            param_constrain=lambda row: np.append(row[:2], np.exp(row[2])),
        )  # fmt: skip

    monkeypatch.setitem(sys.modules, "bridgestan", SimpleNamespace(StanModel=model))


@pytest.mark.parametrize("program", ["JAX", "torch"])
def test_the_examples_of_the_page_agree(program, request):
    pytest.importorskip(program.lower())
    expected = request.getfixturevalue("by_differences")["found"]
    found = result(program)["found"]
    assert found.trusted and found.log_evidence == pytest.approx(expected.log_evidence, abs=0.002)


@pytest.mark.slow
@pytest.mark.usefixtures("bridgestan")
def test_the_example_of_stan(by_differences):
    names, expected = result("Stan"), by_differences["found"]
    assert names["found"].log_evidence == pytest.approx(expected.log_evidence, abs=0.002)
    assert names["draws"].shape == (1000, 3) and (names["draws"][:, 2] > 0).all()
