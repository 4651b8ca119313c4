r"""
6. Can both directions be cheap?
================================

A MAF scores data in one pass and draws samples coordinate by coordinate. An IAF does the opposite.
Often you need both: to train on data, and to sample without waiting. A *coupling* is cheap in both
directions, and its inverse takes two lines. In this lesson you read a coupling in plain NumPy, look
at its Jacobian, and work out the price of a cheap layer:

.. math::

    x_A = z_A, \qquad x_B = \mu(z_A) + e^{\alpha(z_A)} \odot z_B .

You need: lesson 2 (the determinant of a triangle), lesson 3 (entropy and KL) and lesson 5 (one
pass or many). :math:`\odot` multiplies number by number, as in lesson 4.
"""

# %%
# Leave one part alone
# --------------------
#
# Split the coordinates into two parts, :math:`A` and :math:`B`. The first part stays as it is. It
# feeds a network, and the network decides what happens to the second part. NICE only shifts it
# (:math:`\alpha = 0`), RealNVP shifts and scales it.
#
# Why can a coupling be inverted? Because :math:`x_A = z_A`, an :math:`x` gives you the input of the
# network, and so its output. The network itself is never inverted. The network below has no inverse
# at all, because ``floor`` gives whole regions the same output. (To learn, a network needs slopes.
# So the networks of real flows are smooth, or at least without jumps; lesson 8 comes back to
# jumps.)
#
# The network is called the *conditioner*. The map that it controls, a shift or a shift and a scale,
# is called the *transformer*.

import time

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

import flowcore as fc
from flowcore import teaching

rng = np.random.default_rng(0)
W = rng.normal(size=(2, 6))


def network(kept):
    """(n, 2) -> mu and alpha, (n, 3) each: to be inverted, any function will do."""
    h = np.floor(2 * np.sin(3 * kept @ W)) / 2
    return h[:, :3], h[:, 3:]


def forward(z):
    """x and log |det dx/dz|, base to data."""
    kept, changed = z[:, :2], z[:, 2:]
    mu, alpha = network(kept)
    return np.hstack([kept, mu + np.exp(alpha) * changed]), alpha.sum(axis=1)


def inverse(x):
    """z and log |det dz/dx|, data to base: the same network, on the same numbers."""
    kept, changed = x[:, :2], x[:, 2:]
    mu, alpha = network(kept)
    return np.hstack([kept, (changed - mu) * np.exp(-alpha)]), -alpha.sum(axis=1)


z = rng.standard_normal((1000, 5))
x, up = forward(z)
back, down = inverse(x)
print(f"there and back: off by {np.abs(back - z).max():.1e} at most")
assert np.allclose(back, z) and np.allclose(up, -down)

# %%
# Each function calls the network once, for all coordinates. Nothing waits for anything.
#
# The log-determinant
# -------------------
#
# Order the coordinates :math:`A` first. Then the Jacobian has four blocks:
#
# .. math::
#
#     \frac{\partial x}{\partial z} =
#     \begin{pmatrix} I & 0 \\ \partial x_B / \partial z_A & \mathrm{diag}(e^{\alpha})
#     \end{pmatrix},
#     \qquad \log \left| \det \frac{\partial x}{\partial z} \right| = \sum_{i \in B} \alpha_i .
#
# This Jacobian is a triangle, as for a MAF. The lower left block holds the slopes of the network,
# which do not matter for the determinant. The pictures show the Jacobians at one point, for five
# coordinates of which two stay. Grey is exactly 0.

nice_layer = fc.testing.randomize(fc.NICE(5, num_masked=2, hidden=[16], activation="tanh"), rng=1)
realnvp_layer = fc.testing.randomize(
    fc.RealNVP(5, num_masked=2, hidden=[16], activation="tanh"), rng=1
)
point = np.array([0.5, -1.0, 0.3, 1.2, -0.7])

fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.3), layout="constrained")
for ax, bijector, name in zip(axes, (nice_layer, realnvp_layer), ("NICE", "RealNVP"), strict=True):
    teaching.jacobian(bijector, point, direction="forward", ax=ax)
    ax.set_title(f"{name}: {ax.get_title()}")

# %%
# NICE has ones on its diagonal, whatever the network returns: its log-det is 0. RealNVP has ones
# where coordinates stay, and :math:`e^{\alpha}` elsewhere.

assert nice_layer.forward_log_det(point) == 0
print(f"log-det of NICE: 0, of RealNVP: {realnvp_layer.forward_log_det(point):.3f}")

# %%
# Exercise 6a asks for the log-det of a RealNVP.

# %%
# **6a.** A RealNVP coupling of five coordinates keeps the first two; at some z its log-scales are
# 0.1, -0.3 and 0.5. What is log \|det dx/dz\|?

guess = None
print(teaching.check("6a", guess))

# %%
# Which part stays?
# -----------------
#
# ``num_masked`` is the number of coordinates that stay: the first ones, or the last ones if it is
# negative. (The papers use a mask for this choice.) ``fraction_masked`` gives the same number as a
# fraction of :math:`D`. Without either option, half of the coordinates stay. The next coupling has
# to change the part that stayed, so in a flow the two parts take turns.

for choice in ({"num_masked": 2}, {"fraction_masked": 0.4}, {"num_masked": -2}):
    layer, number = fc.RealNVP(5, hidden=[16], **choice), np.arange(1, 6)
    print(f"{choice}: {number[layer.kept]} stay, {number[layer.changed]} change")

# %%
# How many couplings does it take to mix all coordinates? Use a pen.

# %%
# **6b.** A flow has four coordinates. Its couplings change two of them, then the other two, and so
# on. After how many couplings may every coordinate depend on every other?

guess = None
print(teaching.check("6b", guess))

# %%
# What it costs
# -------------
#
# Each flow has 64 coordinates and one layer, and runs on 500 points. The second row is a MAF that
# samples as in textbooks, with one pass for each coordinate. The third row is a MAF that samples
# degree by degree, as in lesson 5.

D = 64
coupling = fc.RealNVP(D, hidden=[256])
made = fc.MADE(D, hidden=[256])
maf = fc.MaskedAutoregressiveFlow(made)
textbook = fc.MaskedAutoregressiveFlow(made, method="sequential")
points = rng.standard_normal((500, D))


def milliseconds(run):
    """The best of many runs within half a second: a busy machine makes some of them slow."""
    times = [np.inf]
    stop = time.perf_counter() + 0.5
    while (start := time.perf_counter()) < stop:
        run(points)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


print("                        density   sampling   (ms)")
cost = {}
for name, bijector in {"coupling": coupling, "MAF, D passes": textbook, "MAF": maf}.items():
    with threadpool_limits(1, "blas"):
        cost[name] = milliseconds(bijector.inverse), milliseconds(bijector.forward)
    print(f"{name:22}{cost[name][0]:9.2f}{cost[name][1]:11.2f}")
assert cost["MAF, D passes"][1] > 5 * cost["coupling"][1]

# %%
# The coupling takes one pass in either direction. The textbook's MAF needs 64 passes for a sample.
# The MAF by degree does the work of one pass, but in 64 small steps, each of which waits for the
# step before.
#
# The price of NICE: volume
# -------------------------
#
# A coupling leaves half of the coordinates alone, so a flow needs more couplings than a MAF needs
# layers. NICE has one more limit. Its log-det is 0, so it keeps volumes: a cell of a grid is bent,
# but its area does not change. A whole NICE flow also has a diagonal scaling, which multiplies
# *all* areas by the same factor.
#
# Predict
# -------
#
# The checkerboard is uniform on eight of sixteen squares of side 2. Its density is 1/32 on these
# squares, and 0 elsewhere. NICE starts from a Gaussian, whose density takes every value below its
# peak. NICE can only move these values to other places, and multiply all of them by one factor. How
# small can the KL of NICE get, with any number of layers? (A uniform density on all sixteen squares
# has a KL of :math:`\log 2`.) Is NICE's least KL 0, a little, or a lot? Put your number in
# the place of ``None``. The hints lead to the exact number, and so does the proof below.

# %%
# **6c.** NICE learns the checkerboard, whose eight squares have an area of 32 in all. Its layers
# keep areas, up to one constant factor. How close can it come: what is the least KL(board \|\|
# NICE), whatever the depth?

guess = None
print(teaching.check("6c", guess))

# %%
# Now look. Six layers of each kind learn 4,000 points of the board.

board = fc.targets.checkerboard()
data = board.sample(4000, rng=0)
recipes = {"NICE": fc.flows.nice, "RealNVP": fc.flows.realnvp}
flows, kl = {}, {}
for name, recipe in recipes.items():
    flow = recipe(2, layers=6, hidden=[64, 64])
    flows[name], history = fc.fit(flow, data, epochs=60)
    kl[name] = fc.kl_to_truth(flows[name], board)
    print(f"{name:8} KL {kl[name].kl:.3f} +- {kl[name].standard_error:.3f} nats"
          f"   {history.seconds:.0f} s")  # fmt: skip

fig, axes = plt.subplots(1, 3, figsize=(9.8, 3.2), layout="compressed")
fc.plots.densities({"truth": board, **flows}, (-5, 5), (-5, 5), ax=axes)
for ax, name in zip(axes[1:], flows, strict=True):
    ax.set_title(f"{name}: KL {kl[name].kl:.2f} nats")

# %%
# NICE cannot make the density of a square constant. NICE's squares are too dense (black) in some
# places and fade out in others, as a bell does. RealNVP's squares are flatter.
#
# Why 1 - log 2
# -------------
#
# Let :math:`f` be a NICE flow, :math:`x = f(z)`. Its inverse multiplies all areas by the same
# factor, which we call :math:`1 / s^2`. Then the map :math:`y = g(x) = s f^{-1}(x)` keeps areas, so
# its log-det is 0. Since :math:`z` is normal, :math:`y = s z` is normal with the standard deviation
# :math:`s`:
#
# .. math:: \log q(x) = \log N(y; 0, s^2 I) + 0
#           = -\log(2 \pi s^2) - \frac{|y|^2}{2 s^2} .
#
# By lesson 3 the KL is the mean of :math:`-\log q` over the board, its *cross-entropy*, minus the
# entropy of the board. This entropy is :math:`\log 32`, since :math:`-\log p = \log 32` everywhere
# on the board:
#
# .. math:: KL = \log(2 \pi s^2) + \frac{E |y|^2}{2 s^2} - \log 32 .
#
# The board has the area 32, and so has its image :math:`g(\text{board})`, on which :math:`y` is
# uniform. Which shape of area 32 has the least :math:`E |y|^2`? It is the disk about 0. Any other
# shape has parts outside of the disk, and holes inside. Move these parts into the holes, and they
# come closer to 0. The disk has a radius :math:`R` with :math:`\pi R^2 = 32`. Its ring at :math:`r`
# has the share :math:`2 \pi r\, dr / \pi R^2` of the area, and
#
# .. math:: E |y|^2 = \int_0^R r^2\, \frac{2 r}{R^2}\, dr = \frac{R^2}{2} = \frac{16}{\pi} .
#
# The best scale has :math:`2 s^2 = E |y|^2` (differentiate by :math:`s^2`), so
# :math:`s^2 = 8 / \pi` and
#
# .. math:: KL \ge \log 16 + 1 - \log 32 = 1 - \log 2 .
#
# The formula contains neither the number of layers nor the network. This is a *floor*: no width,
# depth or training can go below it. ``volume_preserving_floor`` computes it for any density in the
# plane.

floor = teaching.volume_preserving_floor(board)
print(f"floor {floor:.3f}, 1 - log 2 = {1 - np.log(2):.3f} nats")
assert abs(floor - (1 - np.log(2))) < 1e-3
assert kl["NICE"].kl > floor - 3 * kl["NICE"].standard_error
assert kl["RealNVP"].kl < floor - 0.05

# %%
# The proof predicts that NICE presses the board into a disk. In units of :math:`s` the disk has the
# radius :math:`R / s = 2`. The latent points :math:`z = f^{-1}(x)` show it. The colours mark the
# columns of the board, and the dashed circle has the radius 2.

fig, axes = plt.subplots(1, 3, figsize=(9.8, 3.5), layout="compressed")
shown = board.sample(3000, rng=1)
squares = np.floor(shown[:, 0] / 2).astype(int)
titles = ("data", "NICE's latent points", "RealNVP's latent points")
for ax, title, flow in zip(axes, titles, (None, *flows.values()), strict=True):
    at = shown if flow is None else flow.to_latent(shown)
    reach = 4.2 if flow is None else 3.6
    fc.plots.scatter(at, squares, ax=ax, xlim=(-reach, reach), ylim=(-reach, reach))
    ax.get_legend().remove()
    ax.set_title(title)
    if flow is not None:
        ax.add_patch(plt.Circle((0, 0), 2, fill=False, lw=2, ls="--"))
        ax.set(xlabel="$z_{1}$", ylabel="$z_{2}$")

# %%
# RealNVP can stretch some places more than others, so its latent points look more like a Gaussian:
# dense in the middle, thin outside.
#
# A floor of 0 does not mean that a flow reaches it. Take eight equal Gaussians far apart, and one
# Gaussian with eight times their variance. Then all peaks are equally high. For every height, the
# regions where the two densities exceed this height have the same area. So you could cut the one
# Gaussian into pieces and build the eight from these pieces. Moving pieces keeps areas:

eight = teaching.volume_preserving_floor(fc.targets.eight_gaussians())
print(f"floor of eight Gaussians: {eight:.3f} nats")
assert eight < 0.02

# %%
# But can a flow cut? Lesson 8 is about that.
#
# Exercises
# ---------
#
# Write a coupling whose parts are not halves, and a whole flow. Your code takes the place of the
# dots.
#
# **6d.** Write a function coupling\_inverse(x, kept, net). kept is a boolean array (D,), net(x[:,
# kept]) returns mu and alpha of the others, and x[:, ~kept] = mu + exp(alpha) z[:, ~kept]. The
# function returns z (n, D) and log \|det dz/dx\| (n,).


def coupling_inverse(x, kept, net):
    """z and log |det dz/dx| of a coupling."""
    return ...


print(teaching.check("6d", coupling_inverse))

# %%
# **6e.** Write a function nice(z, nets), a NICE flow with an even number D of coordinates. The
# first network reads the first half, and its output is added to the second half. The next one reads
# the second half, and its output is added to the first, and so on. The function returns x (n, D).


def nice(z, nets):
    """x of a NICE flow whose halves take turns."""
    return ...


print(teaching.check("6e", nice))

# %%
# On the Flow Bench
# -----------------
#
# `Task 6 <../../live/index.html#task=6>`_ asks the same question in your browser, where a flow
# trains while you look. There, NICE learns the board, and stops at its floor; RealNVP goes on.
#
# `Planar and radial layers <../how_to/planar_radial.html>`_ shows other layers, and their costs.
#
# What you know now
# -----------------
#
# * A coupling changes one part of the coordinates, given the other. Both directions take one pass,
#   and the network may be any function.
# * NICE shifts: log-det 0. RealNVP shifts and scales: log-det :math:`\sum \alpha`.
# * The price: a coupling is a weaker layer, so a flow needs more of them, with the parts in turn.
#   NICE also keeps volumes, and stays at least 1 - log 2 nats from the checkerboard, at any depth.
#
# Where this comes from
# ---------------------
#
# NICE, by Dinh, Krueger and Bengio (2015), introduced couplings, which keep volumes there. RealNVP,
# by Dinh, Sohl-Dickstein and Bengio (2017), also scales, and made flows known for images. Glow, by
# Kingma and Dhariwal (2018), learns how to mix coordinates between couplings.
#
# * Dinh, Krueger, Bengio: `NICE: Non-linear Independent Components Estimation
#   <https://arxiv.org/abs/1410.8516>`__
# * Dinh, Sohl-Dickstein, Bengio: `Density Estimation Using Real NVP
#   <https://arxiv.org/abs/1605.08803>`__
# * Kingma, Dhariwal: `Glow: Generative Flow with Invertible 1x1 Convolutions
#   <https://arxiv.org/abs/1807.03039>`__
#
# Lesson 7 explains why a flow needs many layers at all, and why the parts must change.
