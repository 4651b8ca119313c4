r"""
7. Why compose, and why permute?
================================

One layer of a MAF or one coupling is a simple map. Flows stack five or ten of them. What does a
stack gain, and is it always more than one layer? The answer depends on something that looks like a
detail: the order of the coordinates. In this lesson four layers are no better than one, and four
others are much better. You can prove the first claim, and measure both.

.. math::

    z_0 = z, \quad z_k = f_k(z_{k-1}), \quad x = z_K : \qquad
    \log \left| \det \frac{\partial x}{\partial z} \right| = \sum_{k=1}^{K}
    \log \left| \det \frac{\partial z_k}{\partial z_{k-1}} \right| .

The chain rule multiplies the Jacobians, the determinant of a product is the product of the
determinants, and the logarithm turns the product into a sum. So layers can be stacked without any
more mathematics.

You need: lesson 3 (entropy and KL), lesson 5 (MAF) and lesson 6 (what a floor is).
"""

# %%
# Predict
# -------
#
# Take a MAF of four affine layers. All layers have the order (1, 2): the first coordinate comes
# first, and the second one is shifted and scaled given the first. The flow learns two moons, from
# as many points and for as long as you like. How small can its KL get? Just predict whether the KL
# is 0, nearer to 0.1, or nearer to 1. Put your number in the place of ``None``.

# %%
# **7a.** Any number of affine autoregressive layers, all in the order (1, 2), learn two moons.
# What is the least KL?

from flowcore import teaching

guess = None
print(teaching.check("7a", guess))

# %%
# Now look. Three flows learn the same 2,000 points, with the same networks. They differ only in the
# orders of their four layers.

import warnings

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore.plots.drawing import PALETTE

truth = fc.targets.two_moons(noise=0.05)
data = truth.sample(2000, rng=0)


def layer(order, seed):
    """One layer of a MAF."""
    made = fc.MADE(2, hidden=[64, 64], activation="tanh", order=order, rng=seed)
    return fc.MaskedAutoregressiveFlow(made)


def flow_of(orders):
    """One layer for each order; the first of the list is next to the data."""
    layers = [layer(order, seed) for seed, order in enumerate(orders)]
    return fc.TransformedDistribution(fc.Normal(2), fc.Chain([fc.Standardize(2), *layers]))


there, turned = "left-to-right", "right-to-left"
orders = {
    "all (1, 2)": [there] * 4,
    "all (2, 1)": [turned] * 4,
    "in turn": [there, turned] * 2,
}
flows, kl = {}, {}
for name, names in orders.items():
    flows[name], history = fc.fit(flow_of(names), data, epochs=120)
    kl[name] = fc.kl_to_truth(flows[name], truth)
    print(f"{name:12} KL {kl[name].kl:.3f} +- {kl[name].standard_error:.3f} nats"
          f"   {history.seconds:.0f} s")  # fmt: skip

floors = {
    "all (1, 2)": teaching.affine_floor(truth, (1, 2)),
    "all (2, 1)": teaching.affine_floor(truth, (2, 1)),
}

fig, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for k, name in enumerate(kl):
    ax.barh(k, kl[name].kl, color=PALETTE[k], height=0.6)
    ax.text(0.03, k, f"{kl[name].kl:.3f}", va="center", color="black",
            bbox={"facecolor": "white", "linewidth": 0, "pad": 2})  # fmt: skip
    if name in floors:
        ax.plot([floors[name]] * 2, [k - 0.42, k + 0.42], color="black", lw=3)
        ax.text(floors[name] - 0.02, k, f"floor {floors[name]:.3f}", va="center", ha="right",
                bbox={"facecolor": "white", "linewidth": 0, "pad": 2})  # fmt: skip
ax.set_yticks(range(len(kl)), list(kl))
ax.invert_yaxis()
ax.set(xlabel="KL to the truth (nats)", xlim=(0, 1.6), title="four affine layers on two moons")

# %%
# The bars of the two flows with a single order end at their black lines, or a little beyond. The
# third bar is far below both.

for name, floor in floors.items():
    assert kl[name].kl > floor - 3 * kl[name].standard_error
assert kl["in turn"].kl < 0.5

# %%
# Layers of one order are one layer
# ---------------------------------
#
# Write the first layer down, from :math:`z` to :math:`u`:
#
# .. math:: u_1 = m + s\, z_1, \qquad u_2 = \mu(u_1) + e^{\alpha(u_1)} z_2
#
# (:math:`m` and :math:`s` are constants, because the first coordinate depends on no other). Then
# write down the second layer, of the same order, from :math:`u` to :math:`x`:
#
# .. math:: x_1 = m' + s' u_1, \qquad x_2 = \mu'(x_1) + e^{\alpha'(x_1)} u_2 .
#
# Insert the first layer into the second. Then :math:`x_1` is a shifted and scaled :math:`z_1`, and
#
# .. math::
#
#     x_2 = \underbrace{\mu'(x_1) + e^{\alpha'(x_1)} \mu(u_1)}_{\text{a function of } x_1}
#         + \underbrace{e^{\alpha'(x_1) + \alpha(u_1)}}_{\text{a function of } x_1} z_2 ,
#
# since :math:`u_1 = (x_1 - m') / s'` can be computed from :math:`x_1`. So the two layers are again
# one layer of the same order, if its network is large enough. By induction the same holds for any
# number of layers. So, *given* :math:`x_1`, *the second coordinate stays Gaussian*, and :math:`x_1`
# itself is Gaussian. But a vertical line through two moons may cross both of them, and then
# :math:`x_2`, given this :math:`x_1`, has two humps.
#
# The best such density is easy to find. Its :math:`x_1` has the true mean and variance. At every
# :math:`x_1` its :math:`x_2` has the true mean and variance of :math:`x_2` given this :math:`x_1`,
# because these two minimise :math:`E[(x_2 - m)^2 / 2V + \tfrac12 \log V]`. The cross-entropy of a
# Gaussian with the right variance :math:`V` is :math:`\tfrac12 \log(2 \pi e V)`. There are two
# Gaussians, one for each coordinate. So the floor, the least KL, is
#
# .. math::
#
#     \log(2 \pi e) + \tfrac12 \log V[x_1] + \tfrac12 E \log V[x_2 \mid x_1] - H(p) .
#
# ``affine_floor`` computes this floor on a grid. For the order (2, 1) the coordinates change their
# roles. Given :math:`x_2`, :math:`x_1` has up to four humps, far apart, so this floor is higher.

print(f"floors: {floors['all (1, 2)']:.3f} and {floors['all (2, 1)']:.3f} nats")
assert abs(floors["all (1, 2)"] - 0.844) < 0.002 and abs(floors["all (2, 1)"] - 1.335) < 0.002

titles = {"truth": truth, **flows}
fig, axes = plt.subplots(2, 2, figsize=(8, 5.6), layout="compressed")
fc.plots.densities(titles, (-1.6, 2.6), (-1.2, 1.7), n=150, ax=axes)

# %%
# With the order (1, 2) the density is one hump, a Gaussian, on every vertical line; with (2, 1) it
# is one hump on every horizontal line. Only the last flow may have two humps. (Lesson 8 explains
# the thin thread between its moons.)
#
# How to build it
# ---------------
#
# A layer of the other order breaks the proof: it shifts :math:`u_1` by something that depends on
# :math:`u_2`, so :math:`u_1` can no longer be computed from :math:`x_1`. There are two ways to
# build such a flow. Either give the MADEs different orders, as above, or give all MADEs the same
# order and swap the coordinates between the layers. ``Permute``, a bijector with the log-det 0,
# swaps coordinates.
#
# ``Chain([f, g])`` is :math:`f(g(z))`: the last bijector of the list is applied first, and the
# first one is next to the data. ``print`` shows a chain in the direction from z to x, here with a
# line for each step.

swap = fc.Permute([1, 0])
for chain in (
    fc.Chain([layer(there, 1), swap, layer(there, 0)]),
    fc.Chain([layer(turned, 1), layer(there, 0)]),
):
    print(str(chain).replace(" -> ", "\n  -> "))

# %%
# Exercise 7b is about this order, which is often confused.

# %%
# **7b.** f doubles, g adds 1. What does Chain([f, g]) make of z = 3, forward?

guess = None
print(teaching.check("7b", guess))

# %%
# Six stages
# ----------
#
# What does a stack do, layer by layer? Below, a flow of six layers with alternating orders maps a
# grid, with each quadrant in its own colour. Each cell keeps the mass that it has under the base.
# Where cells grow, the density gets thinner. (Each panel has its own axes.)

# sphinx_gallery_thumbnail_number = 3
six, history = fc.fit(flow_of([there, turned] * 3), data, epochs=120)
with warnings.catch_warnings():
    # its standard error, which is not printed, is too small: some points are very improbable
    warnings.filterwarnings("ignore", "log p - log q seems")
    kl = fc.kl_to_truth(six, truth).kl
print(f"six layers in turn: KL {kl:.3f} nats, {history.seconds:.0f} s")

fig, axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="compressed")
teaching.grid(six, ax=axes)

# %%
# Each step is small. It shifts and scales one coordinate given the other, and the next step
# exchanges their roles. The last panel only converts to the units of the data. The moons are two
# pieces, but the grid is one: look for the few large blue cells that join the moons. They are
# large, so their density is low. Lesson 8 is about such bridges.
#
# Where does log p come from?
# ---------------------------
#
# Go back from a point :math:`x` to :math:`z`, add up the log-dets of these steps, and add
# :math:`\log N(z; 0, I)`. ``log_prob`` does nothing but this loop:

points = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 0.4], [1.0, -0.5], [0.5, 0.7]])
z, total = points, 0.0
for bijector in six.bijector:  # the first of the list is next to the data
    z, log_det = bijector.inverse_and_log_det(z)
    total = total + log_det
by_hand = six.base.log_prob(z) + total
print(f"by hand {by_hand.round(3)}")
assert np.allclose(by_hand, six.log_prob(points))

# %%
# Here are the same numbers as bars: positive ones stand on the line, negative ones hang below it,
# and the black mark is the sum, :math:`\log p`. The first four points lie on the moons, the fifth
# beside one of them.

fig, axes = plt.subplots(1, 2, figsize=(9.2, 3.6), width_ratios=(1, 1.5), layout="constrained")
fc.plots.scatter(data, ax=axes[0])
for k, point in enumerate(points):
    axes[0].text(*point, str(k + 1), ha="center", va="center", weight="bold",
                 bbox={"boxstyle": "circle", "facecolor": "white"})  # fmt: skip
teaching.log_dets(six, points, ax=axes[1])

# %%
# On the moons the log-dets from data to base have a positive sum: the moons are small, so the
# direction from base to data made areas smaller. By how much, on average? If the flow is exact,
# lesson 1 gives the answer: the entropy of :math:`N(0, I)`, :math:`\log(2 \pi e) = 2.838`, minus
# the entropy of the moons, 0.289. Off the moons :math:`\log p` is low. There are two possible
# reasons: the layers stretched there, or :math:`z` is rare under the base. Which is it for the
# fifth point? Compare the blue blocks.

mean_log_det = six.bijector.inverse_log_det(data).mean()
exact = np.log(2 * np.pi * np.e) - truth.entropy()
print(f"mean log-det {mean_log_det:.2f}, difference of the entropies {exact:.2f} nats")
assert abs(mean_log_det - exact) < 0.3 and by_hand[4] < by_hand[:4].min() - 0.5
assert abs(exact - (2.838 - 0.289)) < 1e-3
assert six.base.log_prob(z)[4] < six.base.log_prob(z)[:4].min() - 0.5

# %%
# The base is the reason. The fifth point comes from a rare :math:`z`, but its log-dets are like
# those of the other points.
#
# Exercise 7c adds up the log-dets of a flow.

# %%
# **7c.** A flow has three layers and a swap. On the way to x the layers have the log-determinants
# 0.3, -1.2 and 0.5. What is log \|det dz/dx\| of the whole flow?

guess = None
print(teaching.check("7c", guess))

# %%
# Exercises
# ---------
#
# Write the two steps of the proof in code: layers of one order are one layer, and this layer has a
# floor. Your code takes the place of the dots.
#
# **7d.** Two affine layers of the order (1, 2) leave x1 alone: u = m\_1 + exp(a\_1) z2 and then x2
# = m\_2 + exp(a\_2) u, with all four numbers computed from x1. Write a function together(m\_1,
# a\_1, m\_2, a\_2). It returns the shift and the log-scale of the one layer that does the same.


def together(m_1, a_1, m_2, a_2):
    """The shift and the log-scale of two layers of one order."""
    return ...


print(teaching.check("7d", together))

# %%
# **7e.** Write a function stack\_floor(p, x2, entropy) for the part of the floor that comes from
# x2. p (n, m) holds the probabilities of the cells of a grid, with a row for each x1. x2 (m,) holds
# the second coordinates. entropy is that of x2 given x1. The function returns 1/2 log(2 pi e) + 1/2
# E log V[x2 \| x1] - entropy.


def stack_floor(p, x2, entropy):
    """What x2 adds to the floor of a stack, in nats."""
    return ...


print(teaching.check("7e", stack_floor))

# %%
# On the Flow Bench
# -----------------
#
# `Task 7 <../../live/index.html#task=7>`_ asks the same question in your browser, where a flow
# trains while you look. The permutations are off there: watch the gauge stop at 0.844.
#
# `Can it be trusted? <../how_to/trust.html>`_ checks a trained flow by one call.
#
# What you know now
# -----------------
#
# * Log-dets of a chain add up: :math:`\log p(x)` is :math:`\log N(z)` and one number for each
#   layer.
# * Affine layers of one order are one layer: the floor on two moons is 0.844 nats for the order
#   (1, 2), and 1.335 for (2, 1), whatever the depth.
# * Alternating orders, or swaps between layers, remove both floors. ``flows.maf`` and
#   ``flows.realnvp`` do that for you.
#
# Where this comes from
# ---------------------
#
# Tabak and Turner (2013) composed simple maps step by step. NICE and MAF already change the order
# between layers. Huang and others (2018) use conditionals that are more flexible than Gaussians,
# and show that one triangle is then enough for any density.
#
# * Tabak, Turner: `A Family of Nonparametric Density Estimation Algorithms
#   <https://doi.org/10.1002/cpa.21423>`__
# * Huang, Krueger, Lacoste, Courville: `Neural Autoregressive Flows
#   <https://arxiv.org/abs/1804.00779>`__
#
# Is there still something that no number of layers can do? That is the question of lesson 8.
