"""examples/micro.py is flowcore's MAF: the same densities, the right gradient, a good fit."""

import ast
import importlib.util
import re
import sys

import numpy as np
import pytest
from support.places import ROOT

import flowcore as fc
from flowcore.testing import randomize

FILE = ROOT / "examples" / "micro.py"


@pytest.fixture(scope="module")
def micro():
    spec = importlib.util.spec_from_file_location("micro", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_flow(micro, dim):
    """A flow of micro's, and flowcore's with the same weights.

    D - 1 divides the widths: with others the two spread their degrees in different ways.
    """
    flow = randomize(fc.flows.maf(dim, layers=3, hidden=(8, 4), standardize=False), 0.7, rng=1)
    ours = micro.maf(dim, n_layers=3, hidden=(8, 4))
    for own, layer in zip(ours, flow.bijector.bijectors[::-1], strict=True):
        for (W, b, mask), (W_theirs, b_theirs, _) in zip(own, layer.made.weights(), strict=True):
            assert mask.shape == W_theirs.shape and not W_theirs[~mask].any()
            W[...], b[...] = W_theirs, b_theirs
    return ours, flow


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_densities_are_those_of_the_library(micro, dim):
    ours, flow = random_flow(micro, dim)
    x = np.random.default_rng(0).normal(size=(200, dim))
    np.testing.assert_allclose(micro.log_prob(ours, x), flow.log_prob(x), rtol=1e-12, atol=1e-12)
    z = np.random.default_rng(3).normal(size=(50, dim))
    drawn = micro.sample(ours, 50, dim, np.random.default_rng(3))
    np.testing.assert_allclose(drawn, flow.bijector.forward(z), rtol=1e-11, atol=1e-11)


def test_the_gradient_is_right(micro):
    ours, _ = random_flow(micro, 3)
    x = np.random.default_rng(0).normal(size=(40, 3))
    loss, grads = micro.loss_and_gradient(ours, x)
    assert loss == pytest.approx(-micro.log_prob(ours, x).mean(), rel=1e-12)
    for layers, own in zip(ours, grads, strict=True):
        for (W, b, mask), (W_bar, b_bar) in zip(layers, own, strict=True):
            assert not W_bar[~mask].any()
            for theta, bar in ((W, W_bar), (b, b_bar)):
                at = np.unravel_index(np.argmax(np.abs(bar)), bar.shape)
                both, old = [], theta[at]
                for step in (1e-5, -1e-5):
                    theta[at] = old + step
                    both.append(micro.loss_and_gradient(ours, x)[0])
                theta[at] = old
                assert bar[at] == pytest.approx((both[0] - both[1]) / 2e-5, rel=1e-6)


@pytest.mark.slow
def test_it_learns_two_moons(micro, capsys):
    log_p = micro.main()
    moons = fc.targets.two_moons()
    x = moons.sample(20_000, rng=5)
    assert np.mean(moons.log_prob(x) - log_p(x)) < 0.1
    printed = capsys.readouterr().out
    of_moons = re.search(r"the moons themselves have (\S+)", printed)[1]
    assert float(of_moons) == pytest.approx(-moons.entropy(), abs=5e-4)
    assert max(printed.splitlines(), key=lambda line: line.count("@")).count("@") > 10


@pytest.mark.parametrize(("dim", "width"), [(2, 5), (4, 7), (5, 3), (9, 32)])
def test_the_numbers_of_hidden_units_are_spread_evenly(micro, dim, width):
    _, hidden, _ = micro.degrees(dim, (width,), np.arange(1, dim + 1))
    counts = np.bincount(hidden, minlength=dim)
    assert counts[0] == 0 and len(counts) == dim and np.ptp(counts[1:]) <= 1


def test_the_lesson_shows_it_function_by_function_in_the_order_of_the_file():
    lesson = (ROOT / "examples" / "course" / "lesson_0_one_page.py").read_text("utf-8")
    functions, shown = (
        {node.name: ast.unparse(node) for node in ast.parse(text).body
         if isinstance(node, ast.FunctionDef)}
        for text in (FILE.read_text("utf-8"), lesson)
    )  # fmt: skip
    own = [name for name in shown if name in functions]
    assert [*own, "drawn", "main"] == list(functions)
    assert all(shown[name] == functions[name] for name in own)


def test_it_is_short_and_needs_numpy_alone():
    text = FILE.read_text("utf-8")
    assert text.count("\n") < 200
    modules = set(re.findall(r"^(?:from|import) (\w+)", text, flags=re.M))
    assert modules - set(sys.stdlib_module_names) == {"numpy"}
