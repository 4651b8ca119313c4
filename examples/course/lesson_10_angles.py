r"""
10. Angles
==========

Directions, phases and times of day live on a circle. Where does a circle begin? Nowhere; but a
column of numbers begins at :math:`-\pi`, and every flow so far tears the circle there.

You need: lesson 1 (splines), lesson 6 (couplings).
"""

# %%
# A seam
# ------
#
# If angles lie around :math:`\pi`, half of them are near 3 in the table, and half near -3. A flow
# on a line sees two pieces and, by lesson 8, makes a bridge of probability between them.
#
# Predict
# -------

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore import teaching
from flowcore.plots.drawing import BLACK, BLUE, ORANGE

# %%
# **10a.** An angle is uniform on the circle. What is log p at any angle, in nats?

guess = None
print(teaching.check("10a", guess))
# %%
# **10b.** An angle of 3 radians turns by 0.5. Which angle in [-pi, pi) is it?

guess = None
print(teaching.check("10b", guess))

# %%
# Now look. Both flows learn the same 3,000 angles, by splines.

truth = fc.targets.von_mises_product([3.0], [2.0])
rows = truth.sample(3000, rng=0)
line, _ = fc.fit(fc.flows.nsf(1, layers=1), rows, epochs=60)
circle, _ = fc.fit(fc.flows.nsf(1, circular=[0]), rows, epochs=40)

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
assert fc.kl_to_truth(circle, truth).kl < 0.05

# %%
# What changes
# ------------
#
# 1. The spline maps the circle to itself, and has *one* slope at both ends: ``CircularSpline``. The
#    log-density contains the log of the slope, so equal slopes keep it from jumping.
# 2. The spline does not move the point :math:`-\pi`. A turn, modulo :math:`2 \pi`, moves it:
#    ``CircularShift``.
# 3. The base is uniform on the circle, :math:`\log p = -\log 2 \pi`.
# 4. Networks must not see the seam either: they read the cosine and the sine of an angle.

# %%
# **10c.** A coupling keeps three coordinates, two of them angles. How many numbers does its
# network read?

guess = None
print(teaching.check("10c", guess))

# %%
# Two angles
# ----------
#
# On a torus, the seam is a cross. Here the second angle has two modes for each value of the first.

torus = fc.targets.torus()
flow, _ = fc.fit(fc.flows.nsf(2, circular=[0, 1], layers=4), torus.sample(4000, rng=0), epochs=40)
kl = fc.kl_to_truth(flow, torus)
print(f"KL {kl.kl:.3f} +- {kl.standard_error:.3f} nats")
assert kl.kl < 0.1

grid = np.stack(np.meshgrid(x[::4], x[::4]), axis=-1)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True, layout="compressed")
for ax, density, title in zip(axes, (torus, flow), ("truth", "flow"), strict=True):
    ax.pcolormesh(x[::4], x[::4], density.prob(grid), cmap="magma", shading="gouraud")
    ax.set(title=title, aspect="equal", xlabel="x1")
axes[0].set_ylabel("x2")

# %%
# Exercises
# ---------
#
# Write a turn, and the inputs of a network. Your code takes the place of the dots.
#
# **10d.** Write a function turn(x, by) for an array of angles x in [-pi, pi): the angles x + by, in
# [-pi, pi) again. `by` may be any number, also negative, or several turns.


def turn(x, by):
    """The angles x + by, in [-pi, pi)."""
    return ...


print(teaching.check("10d", turn))

# %%
# **10e.** Write a function features(x, is\_angle), what a network reads: x (n, D), is\_angle a
# boolean array (D,). Each angle becomes two columns, its cosine and then its sine. Any other
# column stays as it is, and all keep the order of x. It returns (n, D + the number of angles).


def features(x, is_angle):
    """What a network reads: (n, D + number of angles)."""
    return ...


print(teaching.check("10e", features))

# %%
# What you know now
# -----------------
#
# * A circle has no beginning, and a flow on it must not have one either. It needs equal slopes at
#   both ends, a turn, a uniform base, cosines and sines.
# * ``flows.nsf(dim, circular=[0, 3])`` does all of this for the coordinates that you list.
#
# `Rational-quadratic splines <../how_to/splines.html>`_ explains, knot by knot, the spline that
# is put on a circle here.
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
