"""One flat vector over a tree of parts: layout, ties, copies, gradients."""

import copy
import pickle

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from registry import maf

from flowcore import (
    Chain,
    Invert,
    Normal,
    Permute,
    RealNVP,
    TransformedDistribution,
)
from flowcore.testing import randomize


def nvp(rng=0):
    return randomize(RealNVP(3, hidden=[4], rng=rng), rng=rng)


f, g, h = nvp(1), nvp(2), randomize(maf(3, hidden=[6]), rng=3)
permute = Permute([1, 2, 0])

TREES = {  # name: (tree, its distinct leaves in order of first appearance)
    "one": (f, [f]),
    "chain": (Chain([f, permute, h]), [f, h]),
    "tied": (Chain([f, g, f]), [f, g]),
    "tied, apart": (Chain([f, permute, g, permute, f]), [f, g]),
    "nested": (Chain([Chain([g]), Chain([h, Chain([f, Invert(g)])])]), [g, h, f]),
    "inverted": (Invert(Chain([f, Invert(Invert(h))])), [f, h]),
    "tied chain": (lambda c: (Chain([c, permute, Invert(c)]), [f, h]))(Chain([f, h])),
    "distribution": (TransformedDistribution(Normal(3), Chain([h, f, h])), [h, f]),
    "none": (Chain([permute, permute]), []),
}


def rows(n=4, dim=3, rng=0):
    return np.random.default_rng(rng).standard_normal((n, dim))


def run(tree, x, params=None):
    """A scalar of everything the tree computes, both ways."""
    if isinstance(tree, TransformedDistribution):
        return anp.sum(tree.log_prob(x, params=params))
    z, log_det = tree.inverse_and_log_det(x, params=params)
    y, other = tree.forward_and_log_det(x, params=params)
    return anp.sum(z**2) + anp.sum(log_det) + anp.sum(y**2) - anp.sum(other)


@pytest.mark.parametrize("name", TREES)
def test_layout_is_the_distinct_leaves_in_order_of_first_appearance(name):
    tree, leaves = TREES[name]
    expected = np.concatenate([np.zeros(0), *(leaf.params for leaf in leaves)])
    np.testing.assert_array_equal(tree.params, expected)
    assert tree.n_params == expected.size


@pytest.mark.parametrize("name", TREES)
def test_params_are_read_only(name):
    tree, _ = TREES[name]
    for each in (tree, tree.with_params(tree.params + 1), pickle.loads(pickle.dumps(tree))):
        with pytest.raises(ValueError, match="read-only"):
            each.params[...] = 0
        with pytest.raises(AttributeError, match="use with_params"):
            each.params = np.zeros(each.n_params)


@pytest.mark.parametrize("name", TREES)
def test_with_params_copies(name):
    """What the caller does to his array later is his business."""
    tree, _ = TREES[name]
    theta = np.array(tree.params)
    new = tree.with_params(theta)
    value = run(new, rows())
    theta += 100
    np.testing.assert_array_equal(run(new, rows()), value)
    np.testing.assert_array_equal(new.params, tree.params)
    view = np.concatenate([theta, theta])[: theta.size]
    view.flags.writeable = False  # read-only, but its owner is not
    other = tree.with_params(view)
    if theta.size:
        view.base[...] = 0
    np.testing.assert_array_equal(other.params, theta)


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("change", ["with_params", "initialize", "pickle", "deepcopy"])
def test_ties_are_kept(name, change):
    tree, _ = TREES[name]
    copied = {
        "with_params": lambda: tree.with_params(tree.params + 1),
        "initialize": lambda: tree.initialize(rows(9)),
        "pickle": lambda: pickle.loads(pickle.dumps(tree)),
        "deepcopy": lambda: copy.deepcopy(tree),
    }[change]()
    assert copied.n_params == tree.n_params
    assert len(copied.leaves) == len(tree.leaves)
    theta = 1.1 * tree.params
    np.testing.assert_allclose(
        run(copied.with_params(theta), rows()), run(tree, rows(), theta), rtol=1e-12
    )


def test_the_gradient_of_a_tied_part_is_the_sum_over_its_places():
    tied, apart = Chain([f, g, f]), Chain([f, g, f.with_params(f.params + 0)])
    x = rows()
    found = autograd.grad(lambda t: run(tied, x, t))(tied.params)
    each = autograd.grad(lambda t: run(apart, x, t))(apart.params)
    assert apart.n_params == tied.n_params + f.n_params
    n = f.n_params
    expected = np.concatenate([each[:n] + each[-n:], each[n:-n]])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in TREES if TREES[name][0].n_params])
def test_theta_that_also_enters_by_plain_operations(name):
    """Weight decay, slices, and the flow at two values: every path counts once."""
    tree, _ = TREES[name]
    x, theta = rows(), tree.params

    def loss(t):
        return run(tree, x, t) + anp.sum(t**2) + 3 * t[0] + run(tree, x, 2 * t)

    expected = autograd.grad(lambda t: run(tree, x, t))(theta) + 2 * theta
    expected[0] += 3
    expected += 2 * autograd.grad(lambda t: run(tree, x, t))(2 * theta)
    np.testing.assert_allclose(autograd.grad(loss)(theta), expected, rtol=1e-10, atol=1e-10)


def test_equal_parts_are_not_tied():
    b = Chain([nvp(1), nvp(1)])
    assert b.n_params == 2 * f.n_params


def test_a_with_params_copy_of_a_shared_chain_shares_the_copy():
    shared = Chain([f, h])
    b = Chain([shared, Invert(shared)])
    new = b.with_params(b.params + 1)
    assert new[0] is new[1].bijector
    assert new[0].n_params == b.n_params
