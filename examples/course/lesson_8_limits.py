r"""
8. What stays impossible, and what helps?
=========================================

A flow and its inverse are continuous, because they are made of sums, products, exp, splines and
networks of tanh or relu, all without jumps (the ``floor`` of lesson 6 was a toy). A flow can bend,
stretch and squeeze a cloud, but it cannot tear it. Data often come in separate pieces. What does a
flow do with the pieces, how much does this cost, and which parts of a flow reduce the cost? The
second half of the lesson can wait for another day. It explains and cures two failures that have
nothing to do with pieces: an exponential that overflows, and tails that are too light.

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

import warnings

import matplotlib.pyplot as plt
import numpy as np
from autograd import value_and_grad

import flowcore as fc
from flowcore.plots.drawing import BLACK, BLUE, ORANGE, VERMILLION

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
# The textbook's exp, and its NaNs
# --------------------------------
#
# The papers print the scale as :math:`e^{\alpha}`, with any number :math:`\alpha` that the network
# returns. A relu network continues in straight lines outside of the data, so for distant rows
# :math:`\alpha` can be as large as you like.

# %%
# **8b.** The textbook's scale is exp(alpha). From which alpha on does it overflow in float32?

guess = None
print(teaching.check("8b", guess))

# %%
# Here is the smallest case: a layer in float32 whose :math:`\alpha_2` is :math:`x_1` itself, with
# nine good rows and a distant one.


def small_flow(transformer):
    """One layer of MAF without hidden units: mu = 0, alpha_2 = x_1."""
    made = fc.MADE(2, hidden=[], dtype=np.float32)
    weights = np.zeros((2, 4))
    weights[0, 3] = 1.0  # from x_1 to alpha_2
    made = made.with_weights([(weights, np.zeros(4))])
    return fc.TransformedDistribution(fc.Normal(2), fc.MaskedAutoregressiveFlow(made, transformer))


table = np.random.default_rng(0).standard_normal((10, 2))
table[-1] = -100, 1
for bound in (None, 2.0):
    flow = small_flow(fc.Affine(log_scale_bound=bound))
    log_p = flow.log_prob(table)
    with np.errstate(all="ignore"):
        loss = value_and_grad(lambda theta, flow=flow: -flow.log_prob(table, params=theta).mean())
        _, gradient = loss(flow.params)
    print(f"bound {bound}: log p of the far row {log_p[-1]:.0f}, is the gradient finite? "
          f"{np.isfinite(gradient).all()}")  # fmt: skip

# %%
# In the inverse, :math:`z_2 = x_2 e^{-\alpha_2} = e^{100}` is too large for float32. One row has
# made the loss and its gradient infinite. Adam then divides infinity by infinity, and the
# parameters become NaN and stay NaN. (``fit`` stops before this step, and names the row.)

try:
    fc.fit(small_flow(fc.Affine(log_scale_bound=None)), table, epochs=1, validation_split=0)
except fc.TrainingDivergedError as error:
    print(f"TrainingDivergedError: {error}")

# %%
# The cure is a different parametrisation: the network does not return :math:`\alpha`, but a *raw*
# number, and
#
# .. math:: \alpha = c \tanh(\mathrm{raw} / c) .
#
# This function has the slope 1 at 0, so little changes there, and it never leaves :math:`(-c, c)`.
# Clipping at :math:`c` would keep :math:`\alpha` finite, too, but the function would have a kink,
# and a gradient of exactly 0 beyond the kink. flowcore's ``Affine()`` has :math:`c = 2`; a stack of
# five layers then still reaches scales from :math:`e^{-10}` to :math:`e^{10}`.

raw = np.linspace(-6, 6, 400)[:, None]
fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for bound, colour, style in ((None, VERMILLION, "--"), (5.0, ORANGE, "-."), (2.0, BLUE, "-")):
    phi = np.stack([np.zeros_like(raw), raw], axis=-1)
    _, alpha = fc.Affine(log_scale_bound=bound).forward_and_log_det(np.zeros_like(raw), phi)
    label = "the textbook: alpha = raw" if bound is None else f"c = {bound:g}"
    ax.plot(raw[:, 0], alpha[:, 0], color=colour, ls=style, lw=2, label=label)
ax.set(xlabel="raw, the network's output", ylabel="alpha, the log-scale")
ax.legend()

# %%
# One more number:

# %%
# **8c.** The cure: alpha = c tanh(raw / c) with c = 2. What is the scale exp(alpha) at raw = 2?

guess = None
print(teaching.check("8c", guess))

# %%
# Heavy tails
# -----------
#
# The bound has a price. If :math:`|\mu| \le M` (a tanh network is bounded) and :math:`|\alpha| \le
# c`, then every layer has :math:`|x_i| \le M + e^c |z_i|`. So a distant :math:`x` has a distant
# :math:`z`, where the base has almost no density. The log-dets are bounded, so they cannot make up
# for the base. The density of the flow falls as fast as that of a Gaussian.
#
# The tails of some data fall only like a power of :math:`|x|`. Such data need a base with such
# tails, too: ``base="student_t"``. The fewer *degrees of freedom* this base has, the heavier are
# its tails. The number of degrees is trained with the other parameters. The data below are Student
# t with three degrees of freedom.

heavy = fc.StudentT(2, df=3.0)
rows = heavy.sample(2000, rng=0)
far = np.array([30.0, 0.0])
print(f"truth: log p(30, 0) = {heavy.log_prob(far):.1f}")
tails = {}
for base in ("normal", "student_t"):
    flow, _ = fc.fit(fc.flows.maf(2, layers=2, hidden=[16, 16], base=base), rows, epochs=40)
    with warnings.catch_warnings():  # of the normal base: the flow's tails are too thin
        warnings.filterwarnings("ignore", "log p - log q seems")
        tails[base] = fc.kl_to_truth(flow, heavy)
    print(f"base {base}: KL {tails[base].kl:.3f} +- {tails[base].standard_error:.3f} nats, "
          f"log p(30, 0) = {flow.log_prob(far):.1f}")  # fmt: skip
assert tails["student_t"].kl < 0.05 < tails["normal"].kl

# %%
# Exercises
# ---------
#
# Write a base that already has several pieces, and count the mass on bridges. Your code takes the
# place of the dots.
#
# **8d.** Write a function mixture\_log\_p(z, centres), a base with several pieces: z (n, D),
# centres (K, D), and each piece is N(centre, I) with the weight 1/K. It returns log p(z), (n,),
# also for distant z, where every exp is 0.


def mixture_log_p(z, centres):
    """log p(z) of an equal mixture of N(centre, I)."""
    return ...


print(teaching.check("8d", mixture_log_p))

# %%
# **8e.** Write a function stray(log\_p\_of\_truth, log\_p\_of\_flow). Both arguments hold log p of
# the truth: the first at its own draws, the second at draws of the flow. The function returns the
# share of the flow's draws that lie where the truth is less dense than at 99.9% of its own draws.


def stray(log_p_of_truth, log_p_of_flow):
    """The share of the flow's draws where the truth has next to nothing."""
    return ...


print(teaching.check("8e", stray))

# %%
# On the Flow Bench
# -----------------
#
# `Task 8 <../../live/index.html#task=8>`_ asks the same question in your browser, where a flow
# trains while you look. Draw there what a flow will make of eight heaps, then let it train.
#
# `A table with columns of every kind <../how_to/table.html>`_ is about integers, bounded columns
# and heavy tails.
#
# What you know now
# -----------------
#
# * A flow cannot tear. It leaves bridges between separate pieces, and it cannot make a hole;
#   ``stray_mass`` measures the mass in such places.
# * What helps: transformers that can be steep (splines), mixtures as conditionals, and a base that
#   has the pieces or the tails already. For a mixture as the base you have to know the number of
#   pieces.
# * Keep exponentials bounded by the parametrisation: one distant row is enough for a NaN.
#
# Where this comes from
# ---------------------
#
# Cornish and others (2020) prove how badly a flow must behave if the data fall into pieces, and
# Stimper and others (2022) solve this problem by another base. Jaini and others (2020) prove how
# bounded layers limit the tails.
#
# * Cornish, Caterini, Deligiannidis, Doucet: `Relaxing Bijectivity Constraints with Continuously
#   Indexed Normalising Flows <https://arxiv.org/abs/1909.13833>`__
# * Stimper, Schölkopf, Hernández-Lobato: `Resampling Base Distributions of Normalizing Flows
#   <https://arxiv.org/abs/2110.15828>`__
# * Jaini, Kobyzev, Yu, Brubaker: `Tails of Lipschitz Triangular Flows
#   <https://arxiv.org/abs/1907.04481>`__
#
# This was the last lesson on flows of layers; lesson 9 has flows without layers. Now take a table
# of your own: ``docs/use/your_own_data.md`` lists what to watch.
