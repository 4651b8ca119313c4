r"""
1. What happens to a density when I stretch?
============================================

A normalizing flow is a map that bends simple noise into data. All of it rests on one question: what
does a map do to a density? This lesson answers it in one dimension. By its end you can derive

.. math::

    \log p(x) = \log N(z; 0, 1) + \log \left| \frac{dz}{dx} \right| ,
    \qquad x = f(z), \quad z \sim N(0, 1).

The simple noise is the bell curve, the *standard normal* density :math:`N(z; 0, 1) = e^{-z^2 / 2} /
\sqrt{2 \pi}`, and :math:`z \sim N(0, 1)` means: z is drawn from this density.

You need: what a density is, and the derivative of a function.
"""

# %%
# Mass stays, space does not
# --------------------------
#
# A density is mass per length; the mass of a piece is the share of all draws that fall there. Take
# a short piece of the :math:`z` axis, of length :math:`dz`. It holds the mass :math:`p(z)\, dz`.
# Now apply an increasing map :math:`x = f(z)`. The piece lands on the :math:`x` axis with the
# length :math:`dx = f'(z)\, dz`, and still holds the same mass:
#
# .. math:: p(x)\, dx = p(z)\, dz \quad\Rightarrow\quad p(x) = p(z)\, \frac{dz}{dx} .
#
# This is the *change of variables* formula. (Both densities are called :math:`p`; the letter in the
# brackets shows which one is meant. Here :math:`z` is the point that lands on :math:`x`.)
#
# Where the map stretches, :math:`dx > dz`, the density gets thinner. Where it squeezes, the density
# gets thicker. (If the map is decreasing, lengths are still positive: hence the bars in
# :math:`\left| dz/dx \right|`.)
#
# Predict
# -------
#
# Let :math:`x = 2 z`. The density of :math:`z` at 0 is :math:`1 / \sqrt{2 \pi} = 0.399`, and the
# logarithm of that is -0.919. How high is the density of :math:`x` at 0: as high, twice, half?
# Write down the *logarithm* of that height before you go on. Put your number in the place of
# ``None``.

# %%
# **1a.** z ~ N(0, 1) and x = 2 z. What is log p(x = 0), in nats?

from flowcore import teaching

guess = None
print(teaching.check("1a", guess))

# %%
# Now look. The histograms show the same 100,000 draws, before and after the map; the lines are the
# two formulas.

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

rng = np.random.default_rng(0)
z = rng.standard_normal(100_000)
axis = np.linspace(-6, 6, 400)


def log_normal(z):
    """log N(z; 0, 1)."""
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi)


fig, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for values, log_p, name, colour in (
    (z, log_normal(axis), "z", "#0072B2"),
    (2 * z, log_normal(axis / 2) - np.log(2), "x = 2 z", "#D55E00"),
):
    ax.hist(values, bins=120, range=(-6, 6), density=True, alpha=0.35, color=colour)
    ax.plot(axis, np.exp(log_p), color=colour, lw=2, label=name)
ax.set(xlabel="value", ylabel="density")
ax.legend()

# %%
# The density of :math:`x` is twice as wide, so it is half as high. Its :math:`\log p` is lower by
# :math:`\log 2`. Both areas are 1.
#
# Why logarithms? A flow is a chain of many maps, and their derivatives multiply. Logarithms turn
# this product into a sum, which neither overflows nor vanishes. All logarithms here are natural:
# the unit is the *nat*.
#
# How spread out is it? Entropy
# -----------------------------
#
# The *entropy* :math:`H` of a density is the mean of :math:`-\log p(x)` over its own draws, in
# nats. Such a mean over all draws is written :math:`E`. Take the logarithm of the formula at the
# top, change the signs, and take the mean on both sides:
#
# .. math:: H(x) = H(z) + E \log \left| \frac{dx}{dz} \right| .
#
# A stretch by 2 adds :math:`\log 2`. What does the shift in :math:`x = 2 z + 3` add? Guess first.
# You will also need the entropy of :math:`z`. It is :math:`(\log (2 \pi) + 1) / 2`, since the mean
# of :math:`z^2` is 1. The draws give an estimate of :math:`H(z)`:

print(f"H(z), by 100,000 draws: {-log_normal(z).mean():.2f} nats")
# %%
# **1b.** z ~ N(0, 1) and x = 2 z + 3. What is the entropy of x, in nats?

guess = None
print(teaching.check("1b", guess))

# %%
# A map that stretches differently in different places
# ----------------------------------------------------
#
# The formula holds piece by piece, so the map may be as bent as you like, as long as it can be
# inverted. A *monotone spline* is a rising curve through a few knots, with a slope of its own at
# each knot. Below is a random spline with eight bins between -4 and 4. Outside this interval
# :math:`x = z`, as on the dotted line. Where is it steep, and what will be there: a hill of the
# density, or a valley?

spline = fc.Elementwise(1, fc.RationalQuadratic(bins=8, tail=4.0))
spline = fc.testing.randomize(spline, scale=1.5, rng=4)
x, log_slope = spline.forward_and_log_det(axis[:, None])  # log dx/dz at every z
p = np.exp(log_normal(axis) - log_slope)
top = np.argmax(p)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4), layout="constrained")
left.plot(axis, x[:, 0], color="#0072B2")
left.plot(axis, axis, color="0.6", lw=1, ls=":")
left.set(xlabel="z", ylabel="x", title="the map")
values = spline.forward(z[:, None])[:, 0]
right.hist(values, bins=160, range=(-6, 6), density=True, alpha=0.35, color="#D55E00")
right.plot(x[:, 0], p, color="#D55E00", lw=2)
left.plot(axis[top], x[top, 0], "ko")
right.plot(x[top, 0], p[top], "ko")
right.set(xlabel="x", ylabel="density", title="what it makes of N(0, 1)", xlim=(-6, 6))

# %%
# Where the curve is steep, the density is thin and has a valley. Where the curve is flat, many
# :math:`z` are crowded together and the density has a peak. (At -3.5 the curve is flat as well, but
# few :math:`z` lie there, so you can hardly see the bump.) The black dot is the same point in both
# pictures: its x is on the vertical axis at the left, and on the horizontal one at the right. The
# line is the formula, with the derivative of the spline. The histogram was made without this
# formula.
#
# In flowcore every map is a *bijector* with two methods, one for each direction. Each returns two
# things at once: the value, and the log-derivative in its own direction. The log-derivative is
# called the *log-det*, since in lesson 2 a determinant takes its place.
#
# ======================================  ======================  ==========================
# method                                  value                   log-det
# ======================================  ======================  ==========================
# ``forward_and_log_det(z)``              :math:`x = f(z)`        :math:`\log |dx/dz|`
# ``inverse_and_log_det(x)``              :math:`z = f^{-1}(x)`   :math:`\log |dz/dx|`
# ======================================  ======================  ==========================
#
# *forward* goes from the noise, called the *base*, to the data. *inverse* goes back. At the same
# point one log-det is minus the other, and the two are easily mixed up.

point = np.array([0.7])
there, up = spline.forward_and_log_det(point)
back, down = spline.inverse_and_log_det(there)
print(f"there {there}, and back {back}; log-dets {up:.4f} and {down:.4f}")
assert np.allclose(back, point) and np.isclose(up, -down)

# %%
# A base and a bijector make a density. Its area is 1, whatever the bijector: you need no
# normalising constant and no training for that.

density = fc.TransformedDistribution(fc.Normal(1), spline)
grid = np.linspace(-12, 12, 20_001)
area = density.prob(grid[:, None]).sum() * (grid[1] - grid[0])
print(f"area {area:.6f}")
assert abs(area - 1) < 1e-4

# %%
# Exercises
# ---------
#
# **1c.** A density that everybody meets: if :math:`z` is normal and :math:`x = e^z`, then :math:`x`
# is *log-normal*. Write a function log\_p(x) for an array of :math:`x > 0`: your code takes the
# place of the dots.


def log_p(x):
    """log p(x) of x = exp(z), for an array of x > 0."""
    return ...


print(teaching.check("1c", log_p))

# %%
# On the Flow Bench
# -----------------
#
# `Task 1 <../../live/index.html#task=1>`_ asks the same question in your browser, where a flow
# trains while you look. The task shows a stretch, and log p layer by layer, at a point that you
# drag.
#
# `Rational-quadratic splines <../how_to/splines.html>`_ explains the curve of this lesson knot by
# knot.
#
# What you know now
# -----------------
#
# * Mass stays, space is stretched: :math:`\log p(x) = \log p(z) + \log |dz/dx|`.
# * A shift costs nothing; a stretch by :math:`s` lowers :math:`\log p` by :math:`\log s`.
# * A density may be larger than 1, and then its logarithm is positive. This happens where a map
#   squeezes hard enough, as at the black dot.
#
# Where this comes from
# ---------------------
#
# The formula is as old as integration by substitution. Tabak and Turner (2013) used it to learn a
# density by composing simple maps, and Rezende and Mohamed (2015) gave normalizing flows their name
# in machine learning. The spline is by Durkan, Bekasov, Murray and Papamakarios (2019).
#
# * Tabak, Turner: `A Family of Nonparametric Density Estimation Algorithms
#   <https://doi.org/10.1002/cpa.21423>`__
# * Rezende, Mohamed: `Variational Inference with Normalizing Flows
#   <https://arxiv.org/abs/1505.05770>`__
# * Durkan and others: `Neural Spline Flows <https://arxiv.org/abs/1906.04032>`__
#
# In two dimensions lengths become areas, and a derivative becomes a determinant: lesson 2.
