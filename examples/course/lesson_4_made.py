r"""
4. How does a network keep an order?
====================================

A triangular Jacobian needs functions that keep an order: the shift and the scale of :math:`x_i` may
depend on :math:`x_1, \ldots, x_{i-1}`, and on nothing else. But a neural network mixes all of its
inputs. How do you make the network keep the order, exactly and whatever its weights? The answer is
called MADE. MADE gives every unit a whole number :math:`d`, its degree, and compares:

.. math::

    \text{hidden: } a \to b \text{ if } d_a \le d_b , \qquad
    \text{output: } a \to b \text{ if } d_a < d_b .

You need: lesson 2, and from lesson 3 what a layer of a network is,
:math:`h = \mathrm{act}(x W + b)`.
"""

# %%
# One network instead of D
# ------------------------
#
# Lesson 2 wrote a density as a product, :math:`p(x) = \prod_i p(x_i \mid x_{<i})`, where
# :math:`x_{<i}` is short for :math:`x_1, \ldots, x_{i-1}`. Let every factor be a Gaussian, the bell
# of lesson 1, stretched by :math:`\sigma_i` and shifted by :math:`\mu_i`:
#
# .. math::
#
#     p(x_i \mid x_{<i}) = N(x_i;\ \mu_i,\ \sigma_i^2) , \qquad
#     \mu_i = \mu_i(x_{<i}), \quad \log \sigma_i = \alpha_i(x_{<i}) .
#
# This product needs D functions with two values each. You could use D networks. But you would have
# to store, run and train D networks, and each would have to learn again what another has learned
# about :math:`x_1`. One network with D inputs and D pairs of outputs shares its hidden units.
#
# An ordinary network will not do. If :math:`\mu_1` may depend on :math:`x_1`, then training finds
# :math:`\mu_1 = x_1`: every point is the mean of its own Gaussian. Now let :math:`\alpha_1` fall,
# and the "likelihood" grows beyond all bounds. The area of the formula is no longer 1, so it is no
# density. So the network itself has to enforce the order, whatever its weights are.
#
# Degrees
# -------
#
# Give every unit a *degree*, the number of inputs that it may depend on: a unit of degree :math:`d`
# depends on :math:`x_1, \ldots, x_d` at most.
#
# * Input :math:`x_i` has degree :math:`i`.
# * Hidden units have degrees from 1 to D - 1, spread evenly over each layer.
# * The degree of an output is the number of the coordinate that the output describes: :math:`\phi_i
#   = (\mu_i, \alpha_i)` has degree :math:`i`, and may depend on :math:`x_1, \ldots, x_{i-1}` only.
#
# Two rules decide which connections stay:
#
# * a hidden unit reads units of *its own degree or lower*: :math:`d_{in} \le d_{out}`;
# * an output reads units of *lower degree* only: :math:`d_{in} < d_{out}`.
#
# **Why output i then sees** :math:`x_{<i}` **only.** Follow a path from input :math:`x_j` to output
# :math:`i`, through hidden units of degrees :math:`d_1, \ldots, d_L`. By the rules, the degrees
# never fall along the path, and rise in its last step:
#
# .. math:: j \le d_1 \le d_2 \le \ldots \le d_L < i .
#
# So :math:`j < i`. No path leads to output :math:`i` from :math:`x_i` or a later input, and where
# there is no path, there is no dependence, whatever the weights are.
#
# Predict
# -------
#
# Take D = 3 and one hidden layer of four units, whose degrees are 1, 1, 2, 2. Which cells of its
# two weight matrices stay? A matrix is (in, out): it has a row for each unit that is read, and a
# column for each unit that reads.

# %%
# **4e.** A hidden layer reads three inputs of degrees 1, 2, 3, and has four units of degrees 1, 1,
# 2, 2. Which connections stay? A row for each input, a column for each unit; 1 is a connection.

from flowcore import teaching

guess = None
# such as [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
print(teaching.check("4e", guess))

# %%
# **4f.** Three outputs of degrees 1, 2, 3 read four hidden units of degrees 1, 1, 2, 2. Which
# connections stay? A row for each unit, a column for each output; 1 is a connection.

guess = None
# four rows of three
print(teaching.check("4f", guess))

# %%
# Now count the connections of a larger network:

# %%
# **4a.** A MADE has five inputs, two hidden layers of eight units (two of each degree 1 to 4) and
# two outputs for each input: 184 weights without masks. How many weights do the masks leave?

guess = None
print(teaching.check("4a", guess))

# %%
# Now look. The left panel shows the network, with the degree in every unit; all paths to
# :math:`\phi_3` are blue. The next two panels show its masks, where blue is a connection. The last
# panel is the product of the masks: it shows which outputs can be reached from which inputs.

import warnings
from functools import reduce
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from autograd import jacobian

import flowcore as fc

small = fc.MADE(3, hidden=[4], n_out=1)
fig, axes = plt.subplots(
    1, 4, figsize=(8.5, 2.8), width_ratios=[5, 3.2, 2.6, 2.6], layout="constrained"
)
teaching.network(small, output=2, ax=axes[0])
panels = fc.plots.masks(small, ax=axes[1:])

# %%
# The row of :math:`x_3` is empty, because no unit reads the last input. The column of
# :math:`\phi_1` is empty, because :math:`p(x_1)` depends on nothing: the first output is its bias,
# a constant.
#
# Libraries differ here. In flowcore matrices are (in, out), and units of higher degree are further
# to the right, so the connections lie *above* the diagonal. The Jacobian of the outputs has the
# entries :math:`\partial \phi_i / \partial x_j`, the output first, so its non-zero entries lie
# *below* the diagonal. If weights are stored as (out, in), the masks look like the Jacobian. The
# network is the same.

above = reduce(np.matmul, small.masks)  # of booleans: is there a path
assert np.array_equal(above, np.triu(np.ones((3, 3), bool), k=1))

# %%
# Here is the network of 4a, with the paths to :math:`\phi_3`, and then its masks. Count the blue
# cells of the three masks. Each hidden degree occurs twice, so these masks are staircases with
# steps of two.

big = fc.MADE(5, hidden=[8, 8], activation="tanh")
teaching.network(big, output=2, ax=plt.subplots(figsize=(6, 3.4), layout="constrained")[1])
fig, axes = plt.subplots(2, 2, figsize=(7, 6.4), layout="constrained")
panels = fc.plots.masks(big, ax=axes)

# %%
# The rules in code
# -----------------
#
# Each rule is one line of NumPy. Write them before you read on: your code takes the place of the
# dots.
#
# **4b.** Write a function mask(d\_in, d\_out) for a hidden layer. It returns an array (in, out),
# True where a unit of degree d\_in may be read by one of degree d\_out.


def mask(d_in, d_out):
    """Which connections of a hidden layer stay: (in, out)."""
    return ...


print(teaching.check("4b", mask))

# %%
# **4c.** Write a function output\_mask(d\_hidden, order), where order has the degrees of the
# inputs. It returns an array (hidden, D), True where the output for an input of that degree may
# read the unit.


def output_mask(d_hidden, order):
    """Which connections to the outputs stay: (hidden, D)."""
    return ...


print(teaching.check("4c", output_mask))

# %%
# To see whether the rules are right, forget them and start from their purpose: every unit has a
# *set* of inputs that it may depend on. A unit that reads another one depends on all inputs of that
# unit. So a connection stays if the set of the unit that is read lies within the set of the reader
# (``<=`` of two Python sets), and output :math:`i` may depend on the inputs before :math:`x_i`.


def known(d):
    """The inputs x_1..x_d, as a set."""
    return set(range(1, d + 1))


def masks_of(degrees, n_out):
    """The masks (in, out) of [inputs, hidden 1, ..., hidden L], and of the outputs."""
    masks = [
        np.array([[known(a) <= known(b) for b in reading] for a in read])
        for read, reading in pairwise(degrees)
    ]
    last = [[known(a) <= known(i - 1) for i in degrees[0]] for a in degrees[-1]]
    return [*masks, np.repeat(np.array(last), n_out, axis=1)]


masks = masks_of(big.degrees, n_out=2)
same = [np.array_equal(by_sets, own) for by_sets, own in zip(masks, big.masks, strict=True)]
print("the masks by sets are those of the engine:", same)
assert all(same)

# %%
# ``n_out=2`` means that every input has two numbers, :math:`\mu_i` and :math:`\alpha_i`. These two
# may depend on the same inputs, so the last mask has every column twice. Column :math:`2 i`
# (counted from 0) is for :math:`\mu`, column :math:`2 i + 1` for :math:`\alpha`. If the map of each
# coordinate needs more numbers, there are more columns, and nothing else changes. A spline of eight
# bins, as in lesson 1, has 23 numbers (8 widths, 8 heights, and the slopes at the 7 knots between
# them).

assert fc.Affine().n_out == 2 and fc.RationalQuadratic(bins=8).n_out == 23

# %%
# A MADE by hand
# --------------
#
# A masked layer is a dense layer whose weights have been multiplied by the mask, cell by cell:
# :math:`h = \mathrm{act}(x\, (W \odot M) + b)`. Here is all of MADE:

rng = np.random.default_rng(1)
weights = [
    (rng.standard_normal(M.shape) * M, rng.standard_normal(M.shape[1])) for M in masks
]  # of every layer W * M, and b


def by_hand(x):
    """phi (n, D, 2) of rows x (n, D)."""
    h = x
    for W, b in weights[:-1]:
        h = np.tanh(h @ W + b)
    W, b = weights[-1]
    return (h @ W + b).reshape(len(x), -1, 2)


made = big.with_weights(weights)
x = np.random.default_rng(0).standard_normal((1000, 5))
print("by hand and the engine differ by", np.abs(by_hand(x) - made(x)).max())
assert np.allclose(by_hand(x), made(x), atol=1e-12)

# %%
# The engine computes the same numbers with less work. It sorts the units by degree, so that the
# free weights of a layer form a staircase of solid blocks, and it stores only these blocks, not the
# masked weights.

assert made.n_params == sum(M.sum() for M in made.masks) + 8 + 8 + 10  # and the biases

# %%
# Exactly zero
# ------------
#
# The claim was: the Jacobian of the outputs is zero on and above the diagonal, whatever the
# weights. So look at weights that are not special. (A new MADE will not do. Its last layer is zero,
# so that a flow starts as the identity. All its outputs are zero, too, and a test would pass with
# any masks.)

assert not fc.MADE(5, hidden=[8, 8])(x).any()
made = fc.testing.randomize(big, scale=1.5, rng=45)

J = jacobian(made)(x[0])  # (5, 2, 5): of every phi_i, both numbers, by every x_j
print("d mu_i / d x_j")
print(J[:, 0].round(3))
for number in (J[:, 0], J[:, 1]):
    assert (np.triu(number) == 0).all()  # not small: zero
    assert (number[np.tril_indices(5, k=-1)] != 0).all()

# %%
# A MAF turns the network into a map, :math:`z_i = (x_i - \mu_i)\, e^{-\alpha_i}`. The Jacobian of
# the map, in the picture below, is the same triangle with a diagonal. This diagonal is just
# :math:`e^{-\alpha_i}`, because :math:`\mu_i` and :math:`\alpha_i` do not depend on :math:`x_i`.
# This is why the output layer has the strict :math:`<`. Lesson 5 shows what the simple diagonal
# makes possible.

maf = fc.MaskedAutoregressiveFlow(made)
teaching.jacobian(maf, x[0], ax=plt.subplots(figsize=(5.2, 4.3), layout="constrained")[1])

# %%
# Another order
# -------------
#
# "Before" need not mean "to the left". Any numbering of the inputs is an order, and the proof under
# "Degrees" holds for every order. Let the degrees of :math:`x_1, x_2, x_3` be 2, 3, 1. Which output
# depends on nothing, and which on both of the others? Answer first; then look at the two networks.

other = fc.MADE(3, hidden=[4], order=[2, 3, 1], activation="tanh")
other = fc.testing.randomize(other, rng=0)
fig, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
teaching.network(other, output=0, ax=axes[0])
teaching.network(other, output=1, ax=axes[1])

# %%
# Degree 1 comes first: :math:`x_3`, then :math:`x_1`, then :math:`x_2`. So :math:`\phi_3` depends
# on nothing, and :math:`\phi_2` on both of the others. In the next picture the Jacobian at the left
# does not look like a triangle. The Jacobian at the right does, because its rows and columns are
# sorted by degree. Sorting both does not change the determinant.

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.9), layout="constrained")
maf, point = fc.MaskedAutoregressiveFlow(other), np.array([0.5, -1.0, 1.0])
teaching.jacobian(maf, point, ax=axes[0])
teaching.jacobian(maf, point, order=[2, 3, 1], ax=axes[1])

J = jacobian(other)(point)[:, 0]
first_to_last = np.argsort([2, 3, 1])  # positions 2, 0, 1: x_3, x_1, x_2
assert (np.triu(J[np.ix_(first_to_last, first_to_last)]) == 0).all()
assert first_to_last.tolist() == [2, 0, 1] and np.count_nonzero(J) == 3

# %%
# When a layer is too narrow
# --------------------------
#
# The rules forbid wrong connections. They do not guarantee that all allowed ones exist: a path from
# :math:`x_j` to output :math:`i` also needs hidden units on the way.

# %%
# **4d.** How many units must every hidden layer have at least, so that each of five outputs may
# depend on all inputs before it?

guess = None
print(teaching.check("4d", guess))

# %%
# Here is a network of four inputs with two hidden units only. It is a valid MADE, and its densities
# are valid densities. But :math:`\phi_4` does not depend on :math:`x_3`, although it may, because
# no hidden unit has degree 3. If :math:`x_4` depends on :math:`x_3` in the data, no training will
# find this dependence. The engine warns:

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    narrow = fc.MADE(4, hidden=[2])
print(caught[0].message)
assert 3 not in narrow.degrees[1] and len(caught) == 1

ax = teaching.network(narrow, output=3, ax=plt.subplots(figsize=(5, 2.6), layout="constrained")[1])
sees = reduce(np.matmul, narrow.masks)[:, ::2]  # (input, output); one column of each pair
assert sees[:, 3].tolist() == [True, True, False, False]

# %%
# On the Flow Bench
# -----------------
#
# `Task 4 <../../live/index.html#task=4>`_ asks the same question in your browser, where a flow
# trains while you look. The task shows the masks of this lesson, in colours, for two to eight
# variables.
#
# `A conditional flow <../how_to/conditional.html>`_ is a MADE with a context.
#
# What you know now
# -----------------
#
# * One network gives all D conditionals, if every unit has a degree: ``<=`` between hidden units,
#   ``<`` to the outputs. Along a path degrees never fall, so output i sees :math:`x_{<i}` only.
# * Masks as (in, out) lie above the diagonal. The Jacobian of the outputs lies strictly below the
#   diagonal, exactly, whatever the weights.
# * You choose the order. A layer that is too narrow loses dependences, and only a warning shows it.
#
# Where this comes from
# ---------------------
#
# Bengio and Bengio (2000) gave each conditional a part of one network. In NADE, by Larochelle and
# Murray (2011), the conditionals share weights. MADE, a *masked autoencoder for distribution
# estimation*, by Germain, Gregor, Murray and Larochelle (2015), computes all conditionals in one
# pass of an ordinary network with masks.
#
# * Germain and others: `MADE: Masked Autoencoder for Distribution Estimation
#   <https://arxiv.org/abs/1502.03509>`__
#
# One pass of this network computes all :math:`\mu_i` and :math:`\alpha_i`, if all of x is known.
# When you draw a sample, x is not known: see lesson 5.
