"""Masks are pure functions of degrees: forbidden paths exactly 0, every allowed one present."""

from functools import reduce

import autograd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flowcore as fc
from flowcore.testing import randomize

FIXED = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def mades(draw, wide_enough=True):
    """A MADE of any shape; wide enough that no dependency is lost."""
    dim, context_dim = draw(st.integers(1, 7)), draw(st.sampled_from([0, 0, 1, 3]))
    lowest = dim + 1 if wide_enough else 1
    return fc.MADE(
        dim,
        hidden=draw(st.lists(st.integers(lowest, 20), max_size=3)),
        n_out=draw(st.integers(1, 3)),
        activation="tanh",
        order=draw(
            st.one_of(
                st.sampled_from(["left-to-right", "right-to-left", "random"]),
                st.permutations(range(1, dim + 1)),
            )
        ),
        context_dim=context_dim,
        context_layers=draw(st.sampled_from(["all", "first"])),
        rng=draw(st.integers(0, 2**32)),
    )


def paths(made):
    """Number of paths (D, D * n_out) from every input to every output."""
    return reduce(np.matmul, [mask.astype(float) for mask in made.masks])


def allowed(made):
    """May input a reach output column b? Only from a strictly lower degree."""
    degrees = made.degrees[0]
    return degrees[:, None] < np.repeat(degrees, made.n_out)[None]


@given(mades())
@FIXED
def test_the_mask_product_is_exactly_the_order(made):
    np.testing.assert_array_equal(paths(made) > 0, allowed(made))


@given(mades())
@FIXED
def test_masks_are_the_free_weights(made):
    """All ones as parameters: ones where the mask allows, zeros elsewhere, every entry free."""
    ones = made.with_params(np.ones(made.n_params))
    size = 0
    for (w, b, c), mask in zip(ones.weights(), made.masks, strict=True):
        np.testing.assert_array_equal(w, mask)
        np.testing.assert_array_equal(b, 1)
        assert c is None or (c.shape == (made.context_dim, len(b)) and (c == 1).all())
        size += mask.sum() + b.size + (0 if c is None else c.size)
    assert made.n_params == size
    first, *later = [c is not None for _, _, c in ones.weights()]
    assert first == (made.context_dim > 0)
    assert all(read == (first and made.context_layers == "all") for read in later)


@given(mades())
@FIXED
def test_the_network_obeys_its_masks(made):
    """Gradients of the function itself: zero where forbidden, not zero where allowed."""
    made = randomize(made, scale=0.5)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, made.dim))
    context = rng.standard_normal((5, made.context_dim)) if made.context_dim else None
    columns = made.dim * made.n_out

    def column(x, b, context):
        return made(x, context=context).reshape(len(x), columns)[:, b]

    for b in range(columns):
        gradient = autograd.elementwise_grad(column)(x, b, context)
        assert (gradient[:, ~allowed(made)[:, b]] == 0).all()
        assert (np.abs(gradient[:, allowed(made)[:, b]]).max(axis=0) > 0).all()
        if context is not None:
            assert (
                np.abs(autograd.elementwise_grad(column, 2)(x, b, context)).max(axis=0) > 0
            ).all()


@given(mades(wide_enough=False))
@FIXED
@pytest.mark.filterwarnings("ignore:MADE. hidden layer")
def test_a_narrow_one_is_still_autoregressive(made):
    assert not (paths(made) > 0)[~allowed(made)].any()


# ---------------------------------------------------------------- degrees


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("units", [8, 16, 100])
def test_equal_degrees_with_a_context_start_at_0_and_are_spread_evenly(dim, units):
    """Without one they are those of the reference, see test_reference.py."""
    degrees = fc.MADE(dim, [units], context_dim=1).degrees[1]
    k = np.arange(1, units + 1)
    np.testing.assert_array_equal(degrees, np.ceil(k * dim / (units + 1) - 1e-12) - 1)
    counts = np.bincount(degrees, minlength=dim)
    assert counts.min() >= 1 and counts.max() - counts.min() <= 1


@pytest.mark.filterwarnings("ignore:MADE")
def test_random_degrees_leave_no_unit_without_an_input():
    for seed in range(5):
        _, first, second = fc.MADE(9, [2, 40], degrees="random", rng=seed).degrees
        assert second.min() >= first.min()


def test_degrees_random_and_given():
    random = fc.MADE(5, [200, 200], degrees="random", rng=3)
    for layer in random.degrees[1:]:
        assert layer.min() == 1 and layer.max() == 4
    degrees = [[1, 2, 1, 2, 2], [2, 1, 1]]
    made = fc.MADE(3, [5, 3], degrees=degrees)
    assert [d.tolist() for d in made.degrees[1:]] == degrees
    with_context = fc.MADE(4, [200], degrees="random", context_dim=1)
    assert set(with_context.degrees[1]) == {0, 1, 2, 3}


# ---------------------------------------------------------------- what is refused or warned about


@pytest.mark.parametrize(
    ("dim", "hidden", "context_dim", "minimum"),
    [(5, [3], 0, 4), (5, [8, 2], 0, 4), (5, [4], 2, 5), (2, [1], 1, 2)],
)
def test_a_narrow_made_warns_with_the_minimum_width(dim, hidden, context_dim, minimum):
    with pytest.warns(UserWarning, match=f"minimum width is {minimum} units"):
        fc.MADE(dim, hidden, context_dim=context_dim)
    fc.MADE(
        dim, [minimum] * len(hidden), context_dim=context_dim
    )  # no warning: they are errors here
