r"""
8. What stays impossible, and what helps?
=========================================

A flow and its inverse are continuous, because they are made of sums, products, exp, splines and
networks of tanh or relu, all without jumps (the ``floor`` of lesson 6 was a toy). A flow can bend,
stretch and squeeze a cloud, but it cannot tear it. Data often come in separate pieces. What does a
flow do with the pieces, how much does this cost, and which parts of a flow reduce the cost?

You need: lessons 1 to 3 (maps of a line, every density is a triangle, KL), and lesson 5 (MAF).
"""

# %%
# Two pieces on a line
# --------------------
#
# Half of the data are :math:`N(-3, 1)`, half :math:`N(3, 1)`. In one dimension an affine layer is
# :math:`x = m + s z`: it makes a Gaussian, and no more.
#
# Predict
# -------
#
# How far from the data is the best Gaussian? (As in lesson 7, it has the mean and the variance of
# the data.) Put your number in the place of ``None``.

# %%
# **8a.** Half of the data are N(-3, 1), half N(3, 1). One affine layer over N(0, 1) learns them.
# What is the least KL?

from flowcore import teaching

guess = None
print(teaching.check("8a", guess))

# %%
# Now look. A spline learns the same data. On the left are the maps, on the right the densities that
# they make. The black line on the left is the exact map, :math:`x = F^{-1}(\Phi(z))`. Here
# :math:`F` and :math:`\Phi` are the distribution functions of the data and of :math:`z`: the mass
# to the left of :math:`x` equals the mass to the left of :math:`z`.

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore.plots.drawing import BLACK, BLUE, ORANGE

two = fc.GaussianMixture([[-3.0], [3.0]], scales=1.0)
rows = two.sample(2000, rng=0)
affine, _ = fc.fit(fc.flows.maf(1, layers=1), rows, epochs=60)
spline, _ = fc.fit(fc.flows.nsf(1, layers=1, bins=16, base="normal"), rows, epochs=60)
lines = {"affine": (affine, ORANGE, "--"), "spline": (spline, BLUE, "-.")}
for name, (flow, _, _) in lines.items():
    kl = fc.kl_to_truth(flow, two)
    print(f"{name}: KL {kl.kl:.3f} +- {kl.standard_error:.3f} nats")

x = np.linspace(-7, 7, 1401)
p = two.prob(x[:, None])
F = np.cumsum(p) * (x[1] - x[0])
t = np.linspace(-3.5, 3.5, 1401)
Phi = np.cumsum(fc.Normal(1).prob(t[:, None])) * (t[1] - t[0])

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(t, np.interp(Phi, F, x), color=BLACK, lw=2, label="exact")
right.plot(x, p, color=BLACK, lw=2, label="data")
for name, (flow, colour, style) in lines.items():
    left.plot(t, flow.from_latent(t[:, None])[:, 0], color=colour, ls=style, lw=2, label=name)
    right.plot(x, flow.prob(x[:, None]), color=colour, ls=style, lw=2, label=name)
left.set(xlabel="z", ylabel="x", title="maps", xlim=(-3.2, 3.2), ylim=(-7, 7))
right.set(xlabel="x", ylabel="density", title="densities")
left.legend()

# %%
# Because the map is continuous, it has to cross the gap between the pieces. The exact map crosses
# it very steeply: by lesson 1 its slope at 0 is
#
# .. math:: \frac{dx}{dz} = \frac{N(0; 0, 1)}{p(0)} = e^{9/2} .
#
# So a continuous map can cross the gap, but needs large slopes. A spline can be this steep in one
# place and flat in another (its density has kinks at the knots). An affine map has the same slope
# everywhere. If there were nothing at all between the pieces, the exact map would have to jump.

slope = fc.Normal(1).prob([0.0]) / two.prob([0.0])
print(f"slope of the exact map at 0: {slope:.1f}")
assert abs(slope - np.exp(4.5)) < 1e-6
assert abs(fc.kl_to_truth(affine, two).kl - 0.459) < 0.03
assert fc.kl_to_truth(spline, two).kl < 0.05

# %%
# Eight pieces in the plane: find the bridges
# -------------------------------------------
#
# In the plane there is the same problem. Take a disk that holds nearly all of the base's mass. A
# disk is connected, and the continuous image of a connected set is connected. If the image reaches
# all pieces, it also holds paths between them: *bridges*. On a bridge the flow's density is above
# 0, although the truth has nothing there. Steep slopes can make a bridge thin, but never remove it.
# (Lesson 2 made a triangle for every density. For pieces with nothing in between, the :math:`t` of
# this triangle has jumps. The :math:`t` of a flow has none.)
#
# A disk also has no hole, so its image has none. Eight Gaussians stand in a circle, and neighbours
# touch at their edges, so that they almost form a ring. Bridges can run along the ring, but its
# hole is a new problem: the image of the disk has to cover the hole, or leave the ring open
# somewhere.
#
# A linear scale of colours would hide all this. ``teaching.bridges`` draws the density in decades
# (powers of ten). The black lines bound the region of highest density that holds 99.9% of the
# truth. Outside of this region the density is hatched. *Stray* is the flow's mass in the hatched
# part. The truth itself has 0.1% there.
#
# Below, four flows learn the same 10,000 points:
#
# * *affine*: five layers of MAF;
# * *splines*: three layers, with rational-quadratic splines, which can be steep in one place and
#   flat in another;
# * *mixture conditionals* (MAF MoG): one affine layer on top of a layer in which every coordinate,
#   given the ones before it, is a mixture of ten Gaussians;
# * *mixture base*: two affine layers on a base that already has eight modes, and so a hole.

truth = fc.targets.eight_gaussians()
data = truth.sample(10_000, rng=0)
net = {"hidden": [64, 64]}
modes = fc.GaussianMixture.from_data(data, n_components=8)
candidates = {
    "affine": fc.flows.maf(2, **net),
    "splines": fc.flows.nsf(2, layers=3, **net),
    "mixture conditionals": fc.flows.maf_mog(2, layers=1, **net),
    "mixture base": fc.flows.maf(2, layers=2, base=modes, standardize=False, **net),
}
flows, kl, stray = {}, {}, {}
print(f"{'':22}{'KL (nats)':>16}{'stray mass':>12}{'seconds':>9}")
for name, flow in candidates.items():
    flows[name], history = fc.fit(flow, data, epochs=30)
    kl[name], stray[name] = fc.kl_to_truth(flows[name], truth), fc.stray_mass(flows[name], truth)
    print(f"{name:22}{kl[name].kl:8.3f} +- {kl[name].standard_error:.3f}"
          f"{stray[name].share:11.1%}{history.seconds:9.1f}")  # fmt: skip

fig, axes = plt.subplots(2, 2, figsize=(9.5, 8), layout="compressed")
for ax, (name, flow) in zip(axes.flat, flows.items(), strict=True):
    teaching.bridges(flow, truth, (-4.8, 4.8), (-4.8, 4.8), ax=ax)
    ax.set_title(f"{name}: KL {kl[name].kl:.2f} nats\n{ax.get_title()}")

# %%
# The truth lies between the two black lines. Look at the hole, and at the outside. An affine flow
# fills the hole, cuts the ring open somewhere, or does both. The splines fill the hole more thinly,
# and leave fine dark lines across it. The mixture conditionals leave strips along one coordinate.
# The mixture base leaves the hole as empty as the truth does. But you have to know the number of
# pieces, eight, in advance.
#
# Keeping volumes is no obstacle here: lesson 6 found a floor near 0 for eight Gaussians. The cost
# comes from the tears that a flow cannot make, and is smaller if a map can be steep.

assert kl["affine"].kl > kl["splines"].kl + 0.02
assert kl["mixture base"].kl < 0.02 < kl["splines"].kl
assert stray["mixture base"].share < 0.002 < stray["splines"].share

# %%
# Exercises
# ---------
#
# Write a base that already has several pieces, and count the mass on bridges. Your code takes the
# place of the dots.
#
# **8b.** Write a function mixture\_log\_p(z, centres), a base with several pieces: z (n, D),
# centres (K, D), and each piece is N(centre, I) with the weight 1/K. It returns log p(z), (n,),
# also for distant z, where every exp is 0.


def mixture_log_p(z, centres):
    """log p(z) of an equal mixture of N(centre, I)."""
    return ...


print(teaching.check("8b", mixture_log_p))

# %%
# **8c.** Write a function stray(log\_p\_of\_truth, log\_p\_of\_flow). Both arguments hold log p of
# the truth: the first at its own draws, the second at draws of the flow. The function returns the
# share of the flow's draws that lie where the truth is less dense than at 99.9% of its own draws.


def stray(log_p_of_truth, log_p_of_flow):
    """The share of the flow's draws where the truth has next to nothing."""
    return ...


print(teaching.check("8c", stray))

# %%
# On the Flow Bench
# -----------------
#
# `Task 8 <../../live/index.html#task=8>`_ asks the same question in your browser, where a flow
# trains while you look. Draw there what a flow will make of eight heaps, then let it train.
#
# Two failures have nothing to do with pieces: an exponential that overflows, and tails that are too
# light. `Bounded scales and heavy tails <../how_to/bounded_scales.html>`_ has the cures.
#
# What you know now
# -----------------
#
# * A flow cannot tear. It leaves bridges between separate pieces, and it cannot make a hole;
#   ``stray_mass`` measures the mass in such places.
# * What helps: transformers that can be steep (splines), mixtures as conditionals, and a base that
#   has the pieces already. For a mixture as the base you have to know the number of pieces.
#
# Where this comes from
# ---------------------
#
# Cornish and others (2020) prove how badly a flow must behave if the data fall into pieces, and
# Stimper and others (2022) solve this problem by another base.
#
# * Cornish, Caterini, Deligiannidis, Doucet: `Relaxing Bijectivity Constraints with Continuously
#   Indexed Normalising Flows <https://arxiv.org/abs/1909.13833>`__
# * Stimper, Schölkopf, Hernández-Lobato: `Resampling Base Distributions of Normalizing Flows
#   <https://arxiv.org/abs/2110.15828>`__
#
# This was the last lesson on flows of layers; lesson 9 has flows without layers. Now take a table
# of your own: ``docs/use/your_own_data.md`` lists what to watch.
