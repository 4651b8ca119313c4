r"""
10. Angles
==========

Directions, phases and times of day live on a circle. A circle begins nowhere. But a column of
numbers begins at :math:`-\pi`, and every flow so far tears the circle there.

You need: lesson 1 (splines), lesson 6 (couplings).
"""

# %%
# A seam
# ------
#
# If angles lie around :math:`\pi`, half of them are near 3 in the table, and half near -3. For a
# flow on a line these are two pieces, so by lesson 8 the flow puts a bridge of density between the
# pieces.
#
# Predict
# -------

# %%
# **10a.** An angle is uniform on the circle. What is log p at any angle, in nats?

from flowcore import teaching

guess = None
print(teaching.check("10a", guess))
# %%
# **10b.** An angle of 3 radians turns by 0.5. Which angle in [-pi, pi) is it?

guess = None
print(teaching.check("10b", guess))

# %%
# Now look. Both flows learn the same 3,000 angles, by splines.

import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import CubicHermiteSpline

import flowcore as fc
from flowcore.plots.drawing import BLACK, BLUE, ORANGE

truth = fc.targets.von_mises_product([3.0], [2.0])
rows = truth.sample(3000, rng=0)
line, _ = fc.fit(fc.flows.nsf(1, layers=1), rows, epochs=60)
circle, _ = fc.fit(fc.flows.nsf(1, circular=[0], bins=6), rows, epochs=60)

x = np.linspace(-np.pi, np.pi, 401)
fig, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
ax.plot(x, truth.prob(x[:, None]), color=BLACK, lw=3, label="truth")
ax.plot(x, line.prob(x[:, None]), color=ORANGE, ls="--", lw=2, label="on the line")
ax.plot(x, circle.prob(x[:, None]), color=BLUE, ls="-.", lw=2, label="on the circle")
ax.set(xlabel="angle", ylabel="density")
ax.legend()

ends = np.array([[-np.pi], [np.pi]])
for name, flow in (("line", line), ("circle", circle)):
    jump = np.diff(flow.log_prob(ends))[0]
    kl = fc.kl_to_truth(flow, truth)
    print(f"{name}: KL {kl.kl:.3f} +- {kl.standard_error:.3f} nats, jump at the seam {jump:.2g}")
assert abs(np.diff(circle.log_prob(ends))[0]) < 1e-10
assert fc.kl_to_truth(circle, truth).kl < 0.01

# %%
# On the line the density has two different values where the circle closes. What has to change, so
# that the circle begins nowhere? First of all the map from the base to the data, :math:`x = f(z)`:
# it has to close, too. It increases and ends one whole turn after it began, so up to a turn of the
# circle it maps the interval :math:`[-\pi, \pi]` to itself. In flowcore this is a spline, the
# ``CircularSpline``. Is that enough?
#
# The slopes meet
# ---------------

# %%
# **10c.** z is uniform on the circle and x = f(z), with f(-pi) = -pi and f(pi) = pi. The slope of f
# is 0.5 where it begins, at -pi, and 1.5 where it ends, at pi. What is log p(x) just below pi,
# minus log p(x) just above -pi?

guess = None
print(teaching.check("10c", guess))

# %%
# A uniform base has :math:`\log p(z) = -\log 2 \pi` everywhere, so by lesson 1
#
# .. math:: \log p(x) = -\log 2 \pi - \log f'(z) , \qquad x = f(z) .
#
# The density contains the slope. Where f has a kink, with the slope :math:`f'_-` before it and
# :math:`f'_+` behind it, the map itself does not jump, but :math:`\log p` does: its value before
# the kink minus its value behind the kink is :math:`\log f'_+ - \log f'_-`. On a line a spline has
# no kink at its inner knots, because both sides of a knot share a slope. On a circle the knot at
# :math:`-\pi` is an inner knot, too. Its two sides are the first and the last bin, so these bins
# have to share *one* slope.
#
# Here are two maps through the same knots: one with the slopes of 10c, the other with one shared
# slope. The circle is cut open at 0, so that the seam is in the middle.

knots, places = [-np.pi, -1.0, 1.0, np.pi], [-np.pi, -1.4, 1.6, np.pi]
z = np.linspace(-np.pi, np.pi, 1001)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for slopes, name, colour in (((0.5, 1.5), "two slopes", ORANGE), ((0.9, 0.9), "one slope", BLUE)):
    f = CubicHermiteSpline(knots, places, [slopes[0], 1.2, 1.2, slopes[1]])
    log_p = -np.log(2 * np.pi) - np.log(f(z, 1))
    for k, turn in enumerate((0, 2 * np.pi)):  # the circle, and what of it is before 0
        look = {"color": colour, "label": None if k else name}
        axes[0].plot(z + turn, f(z) + turn, **look)
        axes[1].plot(f(z) + turn, np.exp(log_p), **look)
    print(f"{name}: log p before the seam minus behind it {log_p[-1] - log_p[0]:.3f}")
for ax in axes:
    ax.axvline(np.pi, color=BLACK, lw=0.8, ls=":")
    ax.set_xlim(0, 2 * np.pi)
    ax.set_xticks([0, np.pi, 2 * np.pi], ["0", r"$\pi = -\pi$", "0"])
axes[0].set(xlabel="z", ylabel="x", ylim=(0, 2 * np.pi), title="the map: a kink, or none")
axes[1].set(xlabel="x", ylabel="density", ylim=(0, None), title="its density: a jump, or none")
axes[0].legend()

# %%
# With one slope the density is continuous. It may still have a corner at the seam, as at any knot
# of a spline.
#
# The base and the networks
# -------------------------
#
# Two more places have a seam. One is the base: a normal density, cut off at :math:`-\pi` and
# :math:`\pi`, jumps there or has a corner. Only one density stays the same when the circle turns,
# the uniform one, so this is the base. The other is a network that reads angles: for a network 3.1
# and -3.1 are far apart, though on the circle they are neighbours. So networks read the cosine and
# the sine of an angle instead. `Circles and tori <../how_to/circles.html>`_ derives both, shows
# that cosine and sine do not change the log-det, and fits two angles at once.
#
# What you know now
# -----------------
#
# * A circle has no beginning, and a flow on it must not have one either. The ends of its map meet,
#   and the slopes meet, too, or the density jumps. Its base is uniform, and its networks read
#   cosines and sines.
# * ``flows.nsf(dim, circular=[0, 3])`` does all of this for the coordinates that you list.
#
# `Rational-quadratic splines <../how_to/splines.html>`_ explains this spline knot by knot.
#
# Where this comes from
# ---------------------
#
# Rezende, Papamakarios and others (2020) put splines and other maps on circles, tori and spheres.
# The statistics of directions is older: the density of this lesson is by von Mises (1918).
#
# * Rezende and others: `Normalizing Flows on Tori and Spheres
#   <https://arxiv.org/abs/2002.02428>`__
#
# So far there were always rows to learn from. What if there is only a formula? That is lesson 11.
