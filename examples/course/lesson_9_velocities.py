r"""
9. The other way: learn the velocity
====================================

So far a flow was a chain of layers, each with a Jacobian that is cheap. Now let every layer change
very little, and take very many layers. The chain becomes a motion: for a unit of time each point
follows a *velocity*, which depends on its place and on the time. Any network may compute this
velocity, without masks and without halves. What does the determinant become? And how is a velocity
learned, if the data do not show the motion?

You need: lessons 1 to 3 (the change of variables, determinants, the loss).
"""

# %%
# Twenty straight lines
# ---------------------
#
# Take 1,000 draws of noise, and 1,000 rows of data that lie in two heaps. Pair them at random. In
# each pair a point moves on a straight line from the noise to the row in a unit of time. Its
# velocity is constant: the row minus the noise.
#
# The left panel shows twenty of these lines. The three orange lines meet in one place at one time.
# A velocity that depends on place and time only cannot have three values there. So take the mean of
# the velocities of all pairs that pass near this place: the thick arrow. In the middle panel the
# same twenty points follow such means, at every place and time. The path of one of them, drawn
# thicker, passes the arrow.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import flowcore as fc
from flowcore import teaching
from flowcore.plots.drawing import BLACK, BLUE, ORANGE, SKY

rng = np.random.default_rng(4)
noise = rng.standard_normal(1000)
heaps = rng.choice([-1.5, 1.5], 1000) + 0.3 * rng.standard_normal(1000)


def averaged(y, t):
    """The mean velocity of the pairs that are near y (n,) at the time t: (n,)."""
    near = np.exp(-0.5 * ((y[:, None] - (1 - t) * noise - t * heaps) / 0.1) ** 2)
    return near @ (heaps - noise) / near.sum(axis=1)


place, at_half = 0.2, (noise + heaps) / 2  # of each pair at t = 1/2
near = np.flatnonzero(abs(at_half - place) < 0.015)
meeting = near[np.argsort(heaps[near])][[0, len(near) // 2, -1]]  # three that differ
path = [noise]
for t in np.arange(40) / 40:
    path.append(path[-1] + averaged(path[-1], t) / 40)
path = np.stack(path)
passing = np.argmin(abs(path[20] - place))  # the point that is there at t = 1/2 in the mean motion
drawn = np.concatenate([meeting, [passing], np.arange(16)])

fig, axes = plt.subplots(
    1, 3, figsize=(10, 3.8), width_ratios=[4, 4, 1.3], sharey=True, layout="constrained"
)
colours = [ORANGE] * 3 + [BLUE] * 17
velocity = averaged(np.array([place]), 0.5)[0]
arrow = {"arrowstyle": "-|>", "lw": 4, "color": BLACK, "shrinkA": 0, "mutation_scale": 22}
for k, (pair, colour) in enumerate(zip(drawn, colours, strict=True)):
    line = {"color": colour, "lw": 1.8 if k < 4 else 0.7}
    axes[0].plot([0, 1], [noise[pair], heaps[pair]], **line)
    axes[1].plot(np.linspace(0, 1, 41), path[:, pair], **line)
for ax in axes[:2]:
    ax.annotate("", (0.75, place + 0.25 * velocity), (0.5, place), arrowprops=arrow, zorder=5)
for values, colour, name in ((heaps, SKY, "rows"), (path[-1], BLUE, "moved")):
    look = {"histtype": "step", "color": colour, "lw": 2, "label": name}
    axes[2].hist(values, 40, range=(-3, 3), orientation="horizontal", **look)
axes[0].set(xlabel="time", ylabel="place", title="twenty pairs: lines cross")
axes[1].set(xlabel="time", title="the averaged motion: none cross")
axes[2].set(xlabel="points", title="at time 1")
axes[2].legend(fontsize=8)
order = np.argsort(noise)
assert (np.diff(path[:, order], axis=1) > 0).all()  # at every time in the order of the start

# %%
# The lines cross; the paths of the averaged motion do not. At each place and time this motion has
# one velocity. So two points that met would share one path, before and after. Still the moved
# points form the two heaps: the right panel shows all 1,000 points at time 1, beside the rows.
# **Why does a mean of velocities arrive where the rows are?**
# The answer needs the determinant of a motion.
#
# From many small layers to a motion
# ----------------------------------
#
# A layer that changes x only a little is :math:`x \leftarrow x + h\, v(x, t)` with a small
# :math:`h`. Its Jacobian is :math:`I + h J`, where :math:`J` is the matrix of the :math:`dv_i /
# dx_j`. Expand its determinant as in lesson 2: the product along the diagonal is
#
# .. math:: \prod_i (1 + h J_{ii}) = 1 + h \sum_i J_{ii} + \text{terms with } h^2,
#
# and every other product has at least two entries off the diagonal, so at least a factor
# :math:`h^2`. Only the sum of the diagonal remains, the *divergence*
# :math:`\operatorname{div} v = \sum_i dv_i / dx_i`. A layer's log-determinant is
# :math:`h \operatorname{div} v`, and log-determinants add up along the chain. With :math:`1/h`
# layers and :math:`h \to 0`
#
# .. math:: \frac{dx}{dt} = v(x, t), \qquad
#           \log p(x(1)) = \log p(x(0)) - \int_0^1 \operatorname{div} v(x(t), t)\, dt .
#
# This is the change along a moving point. At a fixed place, the same law is the *continuity
# equation* :math:`\partial p / \partial t + \operatorname{div}(p\, v) = 0`. To see this, follow p
# along a path: :math:`\tfrac{d}{dt} p = \partial p / \partial t + v \cdot \nabla p`. By the formula
# for :math:`\log p(x(1))` this derivative is :math:`-p \operatorname{div} v`. And :math:`v \cdot
# \nabla p + p \operatorname{div} v` is :math:`\operatorname{div}(p\, v)`, by the product rule. Mass
# moves, but none is created.
#
# Predict
# -------
#
# Put your numbers in the place of ``None``.

# %%
# **9a.** In the plane, dx/dt = A x with A = [[1, 5], [0, -3]], for t from 0 to 1. What is log
# \|det dx/dz\|?

guess = None
print(teaching.check("9a", guess))
# %%
# **9b.** z ~ N(0, 1), and dx/dt = -x, for t from 0 to 1. What is log p(x = 0) at t = 1?

guess = None
print(teaching.check("9b", guess))

# %%
# Now compute 9b. A network without hidden layers gives the velocity :math:`-x`, and the flow gives
# the density at 0.

sink = fc.MLP(2, (1,), hidden=[], activation="tanh")
sink = sink.with_weights([(np.array([[-1.0], [0.0]]), np.zeros(1))])  # it reads x and t
flow = fc.TransformedDistribution(fc.Normal(1), fc.ContinuousFlow(sink))
print(f"log p(0) = {flow.log_prob([0.0]):.3f}")
assert abs(flow.log_prob([0.0]) - (1 - 0.5 * np.log(2 * np.pi))) < 1e-6

# %%
# The steps of the solver
# -----------------------
#
# A computer takes steps. The method of Runge and Kutta evaluates the velocity four times in each
# step, and its error falls as the fourth power of the step: ten times as many steps give four more
# digits.

steps = np.array([1, 2, 4, 8, 16, 32])
errors = [
    abs(fc.ContinuousFlow(sink, n_steps=int(n)).forward([1.0])[0] - np.exp(-1)) for n in steps
]
fig, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
ax.loglog(steps, errors, "o-", color=BLUE, label="error of x(1)")
ax.loglog(steps, errors[0] / steps**4.0, "--", color=BLACK, label="1 / steps^4")
ax.set(xlabel="steps", ylabel="error")
ax.legend()
assert 12 < errors[2] / errors[3] < 20

# %%
# Which motion?
# -------------
#
# Maximum likelihood works as before, but every update has to solve the differential equation. The
# first picture shows a cheaper way. Take any draw :math:`z` of the base and any row :math:`x` of
# the data, and move along the straight line between them: :math:`x_t = (1 - t) z + t x`, with the
# velocity :math:`x - z`. Lines of different pairs cross, so these lines are no flow yet. Now
# *regress*: let a network minimise
#
# .. math:: E\, | v(x_t, t) - (x - z) |^2 .
#
# This regression needs no density, no determinant and no solver. **Why is that allowed?** For two
# reasons:
#
# 1. The best :math:`v` is the mean of the velocities of all lines through the same point,
#    :math:`v^*(y, t) = E[x - z \mid x_t = y]`, as in every regression. The thick arrow is such a
#    mean.
# 2. For any smooth :math:`f`, :math:`\tfrac{d}{dt} E f(x_t) = E[\nabla f(x_t) \cdot (x - z)] =
#    E[\nabla f(x_t) \cdot v^*(x_t, t)]`. Let :math:`p` be the density of :math:`x_t`, and let
#    :math:`f` be 0 far out. Integration by parts turns this into :math:`\int f\, \partial p /
#    \partial t = \int \nabla f \cdot v^* p = -\int f \operatorname{div}(p\, v^*)`. Because
#    :math:`f` is arbitrary, :math:`p` obeys the continuity equation of :math:`v^*`. The density of
#    points that follow :math:`v^*` obeys this equation, too, and both densities start as the base.
#
# One step is left: the two densities are the same if the equation has *one* solution. It has only
# one if :math:`v^*` is smooth. Then exactly one path leads through each point, and along a path
# every solution obeys :math:`\tfrac{d}{dt} \log p = -\operatorname{div} v^*`. So the value of
# :math:`\log p` at time 0, that of the base, decides all later values. (Why is :math:`v^*` smooth
# for :math:`t < 1`? For one row :math:`x` the point :math:`(1 - t) z + t x` is Gaussian around
# :math:`t x` with deviation :math:`1 - t`. So :math:`v^*(y, t)` is an average of :math:`x - z` over
# the rows, weighted with these Gaussian densities at :math:`y`.) Hence points that follow
# :math:`v^*` have, at every :math:`t`, the density of :math:`x_t`. As :math:`t` goes to 1, this
# density becomes that of the data.
#
# Predict
# -------
#
# For two jointly Gaussian numbers of mean 0, :math:`E[a \mid b]` is
# :math:`\operatorname{Cov}(a, b) / \operatorname{Var}(b)` times :math:`b`.

# %%
# **9c.** z ~ N(0, 1) and x ~ N(0, 1) are paired at random, and x\_t = (1 - t) z + t x. Which
# velocity does the regression find at t = 0.25, x\_t = 1?

guess = None
print(teaching.check("9c", guess))
# %%
# **9d.** Take the same pairs at t = 0.5. What is the least mean squared distance of any v(x\_t)
# from x - z?

guess = None
print(teaching.check("9d", guess))

# %%
# For two Gaussians there is a formula. With :math:`x \sim N(1, 0.7^2)` and :math:`S = (1 - t)^2 +
# 0.49\, t^2`, the best velocity is :math:`1 + (0.49\, t - (1 - t)) (x_t - t) / S`: a regression
# line at every :math:`t`.

rows = np.random.default_rng(0).normal(1.0, 0.7, (10_000, 1))
gauss = fc.flows.continuous(1, hidden=[24] * 3, standardize=False, rng=2)
gauss, _ = fc.fit_matching(gauss, rows, epochs=40, batch_size=500, validation_split=0)
learned = gauss.bijector[0]

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, t in zip(axes, (0.1, 0.5, 0.9), strict=True):
    S = (1 - t) ** 2 + 0.49 * t**2
    y = t + np.sqrt(S) * np.linspace(-1.96, 1.96, 50)  # 95% of the mass
    exact = 1 + (0.49 * t - (1 - t)) * (y - t) / S
    found = learned.field(y[:, None], t)[:, 0]
    ax.plot(y, exact, color=BLACK, lw=3, label="exact")
    ax.plot(y, found, color=ORANGE, ls="--", lw=2, label="learned")
    ax.set(xlabel="$x_t$", title=f"t = {t}")
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.08
axes[0].set_ylabel("velocity, x per unit of time")
axes[0].legend()

# %%
# Two moons
# ---------
#
# Now learn a velocity in the plane. Watch the loss: it does not go to 0 (9d asks why), so it does
# not measure the fit. The exact log-density measures the fit. It comes from solving the
# differential equation backwards, with the divergence.

moons = fc.targets.two_moons()
data = moons.sample(2000, rng=0)
flow = fc.flows.continuous(2, dtype=np.float32)
flow, history = fc.fit_matching(flow, data, epochs=150)
kl = fc.kl_to_truth(flow, moons, 2000)
n_steps = history.settings["n_steps"]
print(f"loss {history.train_nll[0]:.2f} -> {history.train_nll[-1]:.2f}")
print(f"KL {kl.kl:.3f} +- {kl.standard_error:.3f} nats")
print(f"{n_steps} steps: {6 * (1 + 2) * n_steps} passes for a density, {6 * n_steps} for a draw")
assert kl.kl < 0.4

# %%
# **What a density costs.** ``fit_matching`` chooses the number of steps, and a method of order 5,
# which takes six stages per step. Each stage computes :math:`v` in one pass of the network. The
# divergence of :math:`v` takes one more pass for each of the :math:`D` entries :math:`dv_i / dx_i`.
# That makes :math:`6 (1 + D)` passes per step for a density: in the plane 18. A draw needs no
# divergence, so it takes 6 passes per step. The last line that is printed above multiplies both by
# the number of steps. The density of a MAF takes one pass per layer.
#
# The upper picture shows the clouds at five times, with the velocity there. The lower picture shows
# some trajectories. The flow moves standardised columns, so both axes are in standardised units.

times = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
units, motion = flow.bijector  # the data's mean and deviations; the motion
z = fc.Normal(2).sample(2000, rng=1)
path = motion.path(z, times)
grid = np.stack(np.meshgrid(*[np.linspace(-2.2, 2.2, 12)] * 2), axis=-1)

fig, axes = plt.subplots(1, 5, figsize=(11, 3), sharex=True, sharey=True, layout="constrained")
for ax, t, x in zip(axes, times, path, strict=True):
    ax.hist2d(*x.T, bins=40, range=[[-3, 3], [-3, 3]], cmap="Blues")
    v = motion.field(grid, t)
    ax.quiver(*np.moveaxis(grid, -1, 0), *np.moveaxis(v, -1, 0), color=ORANGE, width=0.006)
    ax.set(title=f"t = {t}", aspect="equal", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
axes[2].set_xlabel("$x_1$, standardised")
axes[0].set_ylabel("$x_2$, standardised")

fig, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
lines = motion.path(z[:60], np.linspace(0, 1, 30))
ax.plot(*np.moveaxis(lines, -1, 0), color=BLUE, lw=0.7)
ax.scatter(*lines[0].T, s=8, color=BLACK, label="z", zorder=3)
ax.scatter(*lines[-1].T, s=8, color=ORANGE, label="x", zorder=3)
ax.set(aspect="equal", title="trajectories do not cross at one time")
ax.set(xlabel="$x_1$, standardised", ylabel="$x_2$, standardised")
ax.legend()

# %%
# Two of these curves may cross on paper, because their points pass the crossing at two different
# times. (In the first picture time was an axis.)
#
# **For which points is the moon decided late?** Look at the last picture, and mark on it where such
# points start. At the time :math:`t` a point is at :math:`y`. Of the pairs whose line passes
# through :math:`y` at this time, some end on one moon, some on the other. Such a pair has the noise
# :math:`z = (y - t x) / (1 - t)`, so the density of this :math:`z` is the weight of that row. The
# colour of a point below is the time from which on at least 9 of 10 of these pairs go to the same
# moon.

rows, moon = make_moons(500, noise=0.05, random_state=0)
rows = units.inverse(rows)


def to_second_moon(y, t):
    """Of the pairs that come by y (n, 2) at the time t, the share that goes to the second moon."""
    log_p = -0.5 * ((y[:, None] - t * rows) ** 2).sum(axis=-1) / (1 - t) ** 2  # of z, up to a sum
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return weight @ moon / weight.sum(axis=1)


times = np.linspace(0, 1, 21)
path = motion.path(z[:600], times)
share = np.stack([to_second_moon(y, t) for y, t in zip(path[:-1], times[:-1], strict=True)])
undecided = np.maximum(share, 1 - share) < 0.9
last = [np.flatnonzero([True, *row])[-1] for row in undecided.T]  # 0 if it never is
decided = times[last]

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharex=True, sharey=True, layout="constrained")
for ax, k in zip(axes, (0, 10, 20), strict=True):
    dots = ax.scatter(*path[k].T, c=decided, s=12, cmap="viridis_r", vmin=0.2, vmax=1)
    ax.set(title=f"t = {times[k]:g}", aspect="equal", xlabel="$x_1$, standardised")
axes[0].set_ylabel("$x_2$, standardised")
fig.colorbar(dots, ax=axes, label="time of the decision")
early, late = np.quantile(decided, [0.1, 0.9])
print(f"one point in ten has decided at t = {early:.2f}, nine in ten at t = {late:.2f}")
assert early < 0.5 and late > 0.7

# %%
# The late points are dark. They lie on the border between the points of one moon and the points of
# the other. At :math:`t = 1/2` this border is a dark curve. Lines to both moons pass there, so the
# mean of their velocities leads to neither. The moon is decided first for points far from the
# middle. Late points end on the inner sides of the moons, or in between, on the bridge of lesson 8.
#
# On the Flow Bench
# -----------------
#
# In `task 9 <../../live/index.html#task=9>`_ dots follow their arrows while the velocity is
# learned.
#
# Exercises
# ---------
#
# Write a motion in small steps, and the loss that needs no motion. Your code takes the place of the
# dots.
#
# **9e.** Write a function push(z, v, div, n) that takes n steps of Euler's method from t = 0 to 1.
# Each step is x <- x + h v(x, t), with h = 1/n and t at its beginning, and adds h div(x, t) to the
# log-det. v(x, t) is (n\_rows, D), its divergence div(x, t) is (n\_rows,). The function returns x
# at t = 1 and log \|det dx/dz\|.


def push(z, v, div, n):
    """x at t = 1 and log |det dx/dz|, by n steps of Euler."""
    return ...


print(teaching.check("9e", push))

# %%
# **9f.** Write a function matching\_loss(v, z, x, t): z and x are (n, D), t is (n,). v takes points
# (n, D) and times of shape (n, 1), and returns velocities (n, D). The function returns the mean
# over the rows of \|v(x\_t, t) - (x - z)\|^2.


def matching_loss(v, z, x, t):
    """The loss of flow matching, one number."""
    return ...


print(teaching.check("9f", matching_loss))

# %%
# What you know now
# -----------------
#
# * Many small layers are a motion; the log-determinant becomes the integral of the divergence.
# * Flow matching minimises the mean squared distance of the velocity from :math:`x - z` on straight
#   lines. The regression is allowed because the best velocity is the mean of :math:`x - z` given
#   :math:`x_t`. If this velocity is smooth, it moves the base to the data.
# * Training is a regression, and cheap. A density needs a solver, with :math:`6 (1 + D)` passes per
#   step.
# * It is still a flow: the map is continuous, and the limits of lesson 8 hold for it.
#
# ``docs/use/continuous.md`` is about solvers, their steps and their costs.
#
# Where this comes from
# ---------------------
#
# Chen and others (2018) made the motion a layer, and found the formula for its log-density. FFJORD,
# by Grathwohl and others (2019), made this log-density cheap in many dimensions, by an estimate of
# the divergence. Three groups proposed learning by regression in 2022; two of the papers are below.
#
# * Chen, Rubanova, Bettencourt, Duvenaud: `Neural Ordinary Differential Equations
#   <https://arxiv.org/abs/1806.07366>`__
# * Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud: `FFJORD: Free-form Continuous Dynamics for
#   Scalable Reversible Generative Models <https://arxiv.org/abs/1810.01367>`__
# * Lipman, Chen, Ben-Hamu, Nickel, Le: `Flow Matching for Generative Modeling
#   <https://arxiv.org/abs/2210.02747>`__
# * Albergo, Vanden-Eijnden: `Building Normalizing Flows with Stochastic Interpolants
#   <https://arxiv.org/abs/2209.15571>`__
#
# All coordinates of these flows are real numbers. What if a coordinate is an angle? That is lesson
# 10.
