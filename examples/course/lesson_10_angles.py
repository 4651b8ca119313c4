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

import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import CubicHermiteSpline

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
# On the line the density has two different values where the circle closes. Four things have to
# change, so that the circle begins nowhere. Each change follows from a question.
#
# The ends meet
# -------------
#
# The first thing to change is the map from the base to the data, :math:`x = f(z)`. It maps the
# circle to itself, and it increases.

# %%
# **10f.** An increasing map f of the circle to itself has f(-pi) = -2.5. Follow f(z) without jumps
# while z goes once round, from -pi to pi. What is f(pi)?

guess = None
print(teaching.check("10f", guess))

# %%
# :math:`-\pi` and :math:`\pi` are the same angle, so :math:`f(-\pi)` and :math:`f(\pi)` are the
# same angle, too: :math:`f(\pi) = f(-\pi) + 2 \pi k` with a whole number :math:`k`. Since f
# increases, :math:`k` is at least 1. Since f has an inverse, f takes each angle only once, so
# :math:`k` is not 2 or more:
#
# .. math:: f(\pi) = f(-\pi) + 2 \pi .
#
# Every such map is a map that keeps the ends, :math:`f(-\pi) = -\pi` and :math:`f(\pi) = \pi`, and
# then a turn. In flowcore the first step is a spline on this interval, the ``CircularSpline``. The
# second step, the ``CircularShift``, turns the circle, :math:`x \leftarrow x + a` modulo
# :math:`2 \pi`. Its log-det is 0.
#
# The slopes meet
# ---------------

# %%
# **10g.** z is uniform on the circle and x = f(z), with f(-pi) = -pi and f(pi) = pi. The slope of f
# is 0.5 where it begins, at -pi, and 1.5 where it ends, at pi. What is log p(x) just below pi,
# minus log p(x) just above -pi?

guess = None
print(teaching.check("10g", guess))

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
# Here are two maps through the same knots: one with the slopes of 10g, the other with one shared
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
# The base
# --------

# %%
# **10i.** Let the base of an angle be N(0.4, 1), without what lies beyond -pi and pi. What is its
# log p at pi, minus its log p at -pi?

guess = None
print(teaching.check("10i", guess))

# %%
# Such a base has a seam of its own: for the mean :math:`m`, :math:`\log p` jumps by :math:`2 \pi
# m`. With the mean 0 there is no jump, but a corner: the slope of :math:`\log p` is :math:`-z`,
# which is :math:`-\pi` on one side of the seam and :math:`\pi` on the other. A layer that turns the
# circle moves this corner to another place. Which density has no special place? It has to stay the
# same when the circle turns, :math:`p(z + a) = p(z)` for all :math:`a`. At :math:`z = 0` this is
# :math:`p(a) = p(0)`, so p is the constant :math:`1 / (2 \pi)`. Hence the base is uniform, its
# log-density is :math:`-\log 2 \pi`, and a new flow prefers no direction.
#
# What a network reads
# --------------------

# %%
# **10c.** A coupling keeps three coordinates, two of them angles. How many numbers does its
# network read?

guess = None
print(teaching.check("10c", guess))

# %%
# An angle that is read as a number has a seam: 3.1 and -3.1 are far apart for a network, but
# neighbours on the circle. So networks read the cosine and the sine of an angle. Cosine and sine
# have no seam, and the pair is different for every angle. Do these features change the log-det?
#
# **10h.** A coupling keeps the angle x1 = z1, and moves a number, x2 = mu + exp(alpha) z2. Its
# network reads cos x1 and sin x1: alpha = 0.6 cos x1, mu = 2 sin x1. What is log \|det dx/dz\| at
# x1 = 2?

guess = None
print(teaching.check("10h", guess))

# %%
# Let :math:`c = \cos x_1` and :math:`s = \sin x_1`. With :math:`dx_1 / dz_1 = 1` the chain rule
# gives
#
# .. math::
#
#     \frac{\partial x}{\partial z} = \begin{pmatrix} 1 & 0 \\ \ast & e^{\alpha} \end{pmatrix} ,
#     \qquad
#     \ast = \frac{\partial x_2}{\partial c} (-s) + \frac{\partial x_2}{\partial s}\, c .
#
# The derivatives of the cosine and the sine occur only in the entry below the diagonal, and by
# lesson 2 this entry does not count in the determinant. The log-det is :math:`\alpha`, as it would
# be without the features. They cost nothing, because the network reads them but the layer does not
# pass them on. Check this by brute force:


def coupling(z):
    """x (2,) of z (2,): the coupling of 10h."""
    return np.array([z[0], 2 * np.sin(z[0]) + np.exp(0.6 * np.cos(z[0])) * z[1]])


J = fc.reference.numerical_jacobian(coupling, np.array([2.0, 0.7]))
print(J.round(4))
print(f"log |det| {fc.reference.log_abs_det(J):.6f}, alpha {0.6 * np.cos(2):.6f}")
assert np.isclose(fc.reference.log_abs_det(J), 0.6 * np.cos(2), atol=1e-6)

# %%
# Two angles
# ----------
#
# Two angles are a point on a torus. Drawn as a square, a torus has two seams, which cross. Here the
# second angle has two modes for each value of the first.

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
# **10d.** Write a function turn(x, by) for an array of angles x in [-pi, pi). It returns the angles
# x + by, in [-pi, pi) again. `by` may be any number, also negative, or several turns.


def turn(x, by):
    """The angles x + by, in [-pi, pi)."""
    return ...


print(teaching.check("10d", turn))

# %%
# **10e.** Write a function features(x, is\_angle) for what a network reads. x is (n, D), is\_angle
# is a boolean array (D,). Each angle becomes two columns, its cosine and then its sine. Any other
# column stays as it is, and all keep the order of x. The function returns (n, D + the number of
# angles).


def features(x, is_angle):
    """What a network reads: (n, D + number of angles)."""
    return ...


print(teaching.check("10e", features))

# %%
# What you know now
# -----------------
#
# * A circle has no beginning, and a flow on it must not have one either. The ends of its map meet,
#   after one whole turn. The slopes meet, too, or the density jumps. Its base is uniform, since no
#   other density stays the same under a turn. Its networks read cosines and sines, which do not
#   change the log-det.
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
