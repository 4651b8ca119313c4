r"""
3. What is learned, when is the loss negative, and how good is it?
==================================================================

A flow with parameters :math:`\theta` is a density :math:`q(x; \theta)` that is known exactly. The
data are draws from some density :math:`p` that nobody knows. Learning makes one number small: the
*negative log-likelihood*, NLL, which is the mean of :math:`-\log q(x; \theta)` over the data, in
nats. (The :math:`\theta` that makes it smallest is the *maximum likelihood* estimate.) How small
can the NLL get, may it fall below zero, and is the flow good then? All three answers are in

.. math:: E_p\left[ -\log q(x) \right] = H(p) + KL(p \,\|\, q) .

:math:`E_p` is the mean over draws of :math:`p`, and :math:`H` the entropy, both of lesson 1. KL,
defined below, measures how far :math:`q` is from :math:`p`.

You need: lessons 1 and 2.
"""

# %%
# Predict
# -------
#
# The table of data is *standardised*: every column has its mean subtracted, and is divided by its
# standard deviation. So in each column the mean is 0, and the mean of the squares is 1. All shifts
# and log-scales of a new flow are 0. So the flow is the map :math:`x = z`, and its density is N(0,
# I). Hence you can say what the loss is before training, without the data. Put your number in the
# place of ``None``.

# %%
# **3a.** A table has two columns and is standardised. What is the mean negative log-likelihood of
# the model N(0, I)?

from flowcore import teaching

guess = None
print(teaching.check("3a", guess))

# %%
# What a network is
# -----------------
#
# The shifts and log-scales of lesson 2 are functions of the earlier coordinates, and a flow has to
# learn them. So these functions need a form with many adjustable numbers, the *weights*. A *layer*
# of a network is :math:`h = \mathrm{act}(x W + b)`: each of its *units* multiplies its inputs by
# weights, adds the products and one more number, the *bias*, and bends the sum by a fixed function,
# such as tanh or :math:`\mathrm{relu}(u) = \max(u, 0)`. The next layer reads these units. The last
# layer does not bend its sums. ``hidden=[16, 16]`` below means two layers of 16 units between input
# and output. With enough units such a network comes as close as you like to any continuous function
# on a closed and bounded region (Hornik and others, 1989). The last layer of a new network holds
# zeros, so all shifts and log-scales start from 0. Lesson 4 shows how a network reads only the
# *earlier* coordinates.
#
# What a gradient does
# --------------------
#
# All parameters of a flow, every weight of every layer, are one flat vector :math:`\theta`, and
# every value of this vector gives a valid flow. So the loss is a function of one vector. Its
# *gradient* is a vector of the same length, which points to where the loss grows fastest. Take a
# small step the other way, and repeat: this is all of learning. autograd computes the gradient by
# the chain rule, from the last operation back to the first, at the cost of about two more passes.
#
# The step :math:`-\text{rate} \cdot \text{gradient}` is gradient descent. For each parameter,
# *Adam* divides the average of the last gradients by their typical size, so that one rate suits all
# parameters.

import matplotlib.pyplot as plt
import numpy as np
from autograd import value_and_grad
from scipy.optimize import minimize

import flowcore as fc

truth = fc.targets.banana(b=0.5, sd=1.5)
x = truth.sample(2000, rng=0)
y = (x - x.mean(axis=0)) / x.std(axis=0)
flow = fc.flows.maf(2, layers=2, hidden=[16, 16], standardize=False)


def loss(theta):
    """The mean NLL of the table, in nats."""
    return -flow.log_prob(y, params=theta).mean()


theta, nll = np.array(flow.params), []
adam = fc.Adam(learning_rate=0.02).start(theta)
for _ in range(100):
    value, gradient = value_and_grad(loss)(theta)
    adam.step(theta, gradient)  # changes theta in place
    nll.append(value)
learned = flow.with_params(theta)

print(f"{len(theta)} parameters; loss before {nll[0]:.4f}, after {loss(theta):.4f}")
assert np.isclose(nll[0], np.log(2 * np.pi) + 1) and loss(theta) < nll[0] - 0.5

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(nll, color="#0072B2", lw=2)
ax.set(xlabel="step", ylabel="NLL of the table (nats)")

# %%
# The loss starts at the NLL of exercise 3a, falls, and flattens out. What decides the height at
# which it ends?
#
# The line below which it cannot settle
# -------------------------------------
#
# The *Kullback-Leibler divergence* of :math:`p` and :math:`q` is
#
# .. math:: KL(p \,\|\, q) = E_p\left[ \log p(x) - \log q(x) \right] ,
#
# where the mean is taken over draws of :math:`p`. Two properties make it useful. For the first one,
# write the mean as an integral over the region where :math:`p > 0`, :math:`E_p[g] = \int_{p > 0}
# p\, g \, dx`. Also, :math:`\log u \le u - 1`, with equality at :math:`u = 1` only, because the
# logarithm lies below its tangent at 1, the right side. So
#
# .. math:: -KL(p \,\|\, q) = E_p\left[ \log \frac{q}{p} \right]
#           \le E_p\left[ \frac{q}{p} - 1 \right] = \int_{p > 0} q \, dx - 1 \le 0 :
#
# The divergence is never negative, and it is 0 only if the two densities are the same. The second
# property: the NLL contains the divergence. Split the logarithm:
#
# .. math:: E_p\left[ -\log q(x) \right] = \underbrace{E_p\left[ -\log p(x) \right]}_{H(p)}
#           + KL(p \,\|\, q) .
#
# The entropy :math:`H(p)` does not depend on :math:`\theta`. So making the NLL small *is* bringing
# :math:`q` close to :math:`p`, although :math:`p` is unknown: the mean over the data takes the
# place of :math:`E_p`. The expected NLL cannot fall below the line :math:`H(p)`, and reaches this
# line when nothing is left to learn. In this lesson the data are drawn from a density with a
# formula, so the line is known.
#
# ``fit`` does the same, and more
# -------------------------------
#
# ``fc.fit`` is this loop with some improvements. It takes batches of rows in random order instead
# of the whole table; one pass over the rows is an *epoch*. The rate falls to zero, and ``fit``
# averages the last values of :math:`\theta`. Some rows are set aside for *validation*: they serve
# to choose the best epoch, not to learn. flowcore's flows standardise the table themselves, so that
# ``log_prob`` is in the data's own units. (The losses above would be larger in these units: 3b asks
# why.) Here are fresh draws for validation, and two tables, with 2,000 rows and with 150.

x_val = truth.sample(2000, rng=1)
recipe = fc.flows.maf(2, layers=2, hidden=[32, 32])
many, of_many = fc.fit(recipe, x, epochs=60, validation_data=x_val)
best = of_many.best_epoch  # counted from 0; in words and pictures from 1
print(f"2,000 rows, best epoch {best + 1}: validation {of_many.val_nll[best]:.3f} nats")

reports = []
bendy = fc.flows.nsf(2, layers=2, hidden=[32, 32])  # splines, which can bend at every row
plain = {"schedule": "constant", "average": None, "callbacks": [reports.append]}
few, of_few = fc.fit(bendy, x[:150], epochs=300, validation_data=x_val, **plain)
last = reports[-1].flow  # after all epochs; `few` is the flow of the best epoch

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, history, name, frame in (
    (axes[0], of_many, "2,000 rows", (3.2, 3.85)),
    (axes[1], of_few, "150 rows", (2.4, 4.6)),
):
    fc.plots.losses(history, truth.entropy(), ax=ax, ylim=frame)
    ax.set_title(name)

print("150 rows, last epoch (nats)")
print(f"  training {of_few.train_nll[-1]:.2f}, validation {of_few.val_nll[-1]:.2f}")
print(f"  the truth: on these rows {-truth.log_prob(x[:150]).mean():.2f}, H {truth.entropy():.2f}")
assert abs(of_many.val_nll[of_many.best_epoch] - truth.entropy()) < 0.1
assert of_few.train_nll[-1] < truth.entropy() - 0.2
assert of_few.val_nll[-1] > of_few.val_nll[of_few.best_epoch] + 0.2

# %%
# With many rows both curves come within 0.03 nats of the line. (The left picture magnifies: compare
# the axes.) With few rows, the training loss crosses the line and falls far below the loss of the
# truth itself on these rows. That is no success: :math:`H` is a floor for the mean over :math:`p`,
# not for the mean over 150 rows, and the flow has begun to learn these rows by heart. This is
# *overfitting*. The validation loss shows it by turning round and rising. ``fit`` returns the flow
# of the best epoch.
#
# (The line is the mean over all of :math:`p`. On 2,000 rows even the NLL of the truth differs from
# it by about 0.02 nats.)
#
# When is a loss negative?
# ------------------------
#
# A loss is negative when the density is above 1 where the data are. Densities have units, mass per
# area, so the sign of a loss is a matter of scale. Take the same flow for :math:`x' = c\, x`, the
# same lengths in other units. By lesson 2,
#
# .. math:: \log q'(x') = \log q(x) - D \log c ,
#
# so the NLL changes by :math:`D \log c`, and the flow is as good as it was.

print("unit c   NLL of the flow   of the truth   difference")
for c in (1.0, 10.0, 0.1, 0.01):
    zoom = fc.Chain([fc.ElementwiseAffine([0.0, 0.0], c), many.bijector])
    there = fc.TransformedDistribution(many.base, zoom)
    nll_there = -there.log_prob(c * x_val).mean()
    shift = 2 * np.log(c)
    nll_truth = -truth.log_prob(x_val).mean() + shift
    print(f"{c:6g} {nll_there:17.3f} {nll_truth:14.3f} {nll_there - nll_truth:12.3f}")
    assert np.isclose(nll_there, -many.log_prob(x_val).mean() + shift)
assert nll_there < -5

# %%
# Numbers ten times as large make the NLL larger by :math:`2 \log 10 = 4.605`. Numbers a hundredth
# as large make it negative. The NLL of the truth on the same rows, which estimates :math:`H`,
# changes by as much. So the difference of the two, which estimates the KL, stays the same. A loss
# by itself means nothing, be it negative or large. Compare it with the loss of the truth, if known,
# or with another model's loss on the same rows in the same units.
#
# **3b.** Standardising is such a change of units, a different one for each column. Two moons have
# an entropy of 0.289 nats and standard deviations of 0.867 and 0.497. They are standardised: what
# is the entropy now?

guess = None
print(teaching.check("3b", guess))

# %%
# How good is it?
# ---------------
#
# Where the truth is known, the KL can be measured: draw fresh points from :math:`p` and average
# :math:`\log p - \log q`. The standard error is the standard deviation of these differences divided
# by :math:`\sqrt{n}`. (NLL minus :math:`H` estimates the same KL with more noise. The noise comes
# from :math:`\log p`, which varies from point to point. In the difference it cancels.)

fresh = truth.sample(20_000, rng=2)
noise = many.log_prob(fresh).std() / np.sqrt(len(fresh))
print("KL to the truth, nats")
for name, q in (("2,000 rows", many), ("150, best epoch", few), ("150, last epoch", last)):
    kl, error = fc.kl_to_truth(q, truth, rng=2)
    print(f"  {name:16} {kl:6.3f} +- {error:.3f}")
    assert kl < 0.06 if q is many else kl > 0.06
print(f"NLL - H of the first would have an error of {noise:.3f}")

shown = {"the truth": truth, "2,000 rows": many, "150 rows, last epoch": last}
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="compressed")
fc.plots.densities(shown, (-5, 5), (-6, 4), ax=axes)
axes[2].plot(*x[:150].T, ".", ms=3, color="#56B4E9")  # what it was given

# %%
# All pictures have the same scale of colours, that of the truth. ("2% outside" means that this
# share of the mass lies beyond the frame.) On the right, dark threads run along the training rows,
# the blue dots, and little density is left in between, where fresh rows will fall. The flow of the
# best epoch is better, and with more rows the choice of the epoch hardly matters.
#
# KL has a direction
# ------------------
#
# :math:`KL(p \| q)` and :math:`KL(q \| p)` are two different numbers. Predict both for a pair of
# Gaussians. One is round, N(0, I). The other is narrow, made by a triangle of lesson 2:
#
# .. math:: x_1 = z_1 , \qquad x_2 = 0.8\, z_1 + 0.6\, z_2 .
#
# Both variances are 1, because :math:`0.8^2 + 0.6^2 = 1`, and the correlation is 0.8. So the
# covariance matrix :math:`C` has :math:`\det C = 1 - 0.8^2 = 0.6^2`. What is the log-det of the
# triangle, and so the entropy of the narrow Gaussian? For the rest you need 3a.

# %%
# **3c.** The data are Gaussian, with variances 1 and correlation 0.8. The model is N(0, I). What
# is KL(data \|\| model)?

guess = None
print(teaching.check("3c", guess))
# %%
# **3d.** The other way round: the data are N(0, I), the model is Gaussian with correlation 0.8.
# What is KL(data \|\| model)?

guess = None
print(teaching.check("3d", guess))

# %%
# Where does each model lose? The left and the middle picture show 500 draws of the data. The colour
# of a draw shows its cost, :math:`\log p - \log q`; the mean cost is the KL. The ellipse holds 90%
# of the model.

narrow, round_one = (fc.targets.correlated_gaussian(rho) for rho in (0.8, 0.0))
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), layout="constrained")
angle = np.linspace(0, 2 * np.pi, 200)
circle = np.sqrt(-2 * np.log(0.1)) * np.stack([np.cos(angle), np.sin(angle)])
for ax, p, q, name in (
    (axes[0], narrow, round_one, "3c: the model is too wide"),
    (axes[1], round_one, narrow, "3d: the model is too narrow"),
):
    points = p.sample(500, rng=0)
    paid = p.log_prob(points) - q.log_prob(points)
    dots = ax.scatter(*points.T, c=paid, s=9, cmap="magma_r", vmin=-3, vmax=6)
    ax.plot(*np.linalg.cholesky(np.array(q.covariance)) @ circle, color="#0072B2", lw=2)
    ax.set(xlim=(-3.6, 3.6), ylim=(-3.6, 3.6), aspect="equal", title=name)
fig.colorbar(dots, ax=axes[:2], label=r"$\log p - \log q$ (nats)", extend="max")

# Right: data in two heaps, and a model that is one Gaussian N(m, s^2), the best in each direction
u = np.linspace(-8, 8, 4001)


def log_normal(u, m, s):
    """log N(u; m, s^2)."""
    return -0.5 * ((u - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)


def divergence(log_p, log_q):
    """KL(p || q) on the grid u."""
    return (np.exp(log_p) * (log_p - log_q)).sum() * (u[1] - u[0])


heaps = np.logaddexp(log_normal(u, -2, 0.6), log_normal(u, 2, 0.6)) - np.log(2)
covers = minimize(lambda t: divergence(heaps, log_normal(u, t[0], np.exp(t[1]))), [1.5, 0.0]).x
picks = minimize(lambda t: divergence(log_normal(u, t[0], np.exp(t[1])), heaps), [1.5, 0.0]).x
axes[2].fill_between(u, np.exp(heaps), color="0.8", label="data p")
for (m, log_s), name, style in ((covers, "KL(p || q)", "-"), (picks, "KL(q || p)", "--")):
    q = np.exp(log_normal(u, m, np.exp(log_s)))
    axes[2].plot(u, q, lw=2, ls=style, color="#0072B2" if style == "-" else "#D55E00", label=name)
    print(f"best in {name}: mean {round(m, 2) + 0.0:.2f}, deviation {np.exp(log_s):.2f}")
axes[2].set(xlim=(-6, 6), ylim=(0, 0.95), xlabel="x", ylabel="density")
axes[2].set_title("one Gaussian for two heaps")
axes[2].legend(fontsize=8)
assert abs(covers[0]) < 0.01 and abs(picks[0] - 2) < 0.05

# %%
# A model that is too wide wastes mass, but few points cost much. A model that is too narrow leaves
# points in its tails, and these points cost a lot. So learning by likelihood, which minimises
# :math:`KL(\text{data} \| \text{model})`, would rather cover too much than miss anything. Its best
# Gaussian lies over both heaps, and over the gap between them. In the other direction, the model's
# own draws cost most where there are no data. So the model settles on one heap (the start decides
# which) and misses the other. This direction needs no data, only a formula for :math:`\log p`;
# *variational inference* is learning of this kind.
#
# On the Flow Bench
# -----------------
#
# `Task 3 <../../live/index.html#task=3>`_ asks the same question in your browser, where a flow
# trains while you look. A gauge there shows the exact distance to the truth, before and after
# training.
#
# `The training loop without fit <../how_to/training_loop.html>`_ shows the loop of this lesson
# beside ``fit``.
#
# What you know now
# -----------------
#
# * NLL = entropy + KL. Learning makes the KL small; the expected NLL cannot fall below the entropy.
# * A training loss well below the entropy is overfitting. Validation rows show it, even if the
#   truth is unknown.
# * A loss is negative where densities exceed 1. Data times :math:`c` have a loss that is
#   :math:`D \log c` higher; only differences on the same rows in the same units mean something.
# * If the truth is known, ``kl_to_truth`` measures how good a flow is, with a standard error.
#   Minimising :math:`KL(\text{data} \| \text{model})` covers all of the data.
#
# Where this comes from
# ---------------------
#
# Fisher proposed maximum likelihood between 1912 and 1922. Kullback and Leibler (1951) defined the
# divergence that shows what it does. Adam, by Kingma and Ba (2015), is the usual optimizer for
# flows.
#
# * Kullback, Leibler: `On Information and Sufficiency
#   <https://doi.org/10.1214/aoms/1177729694>`__
# * Hornik, Stinchcombe, White: `Multilayer Feedforward Networks are Universal Approximators
#   <https://doi.org/10.1016/0893-6080(89)90020-8>`__
# * Kingma, Ba: `Adam: A Method for Stochastic Optimization <https://arxiv.org/abs/1412.6980>`__
#
# How does a network see only the coordinates before :math:`x_i`? Lesson 4 shows it.
