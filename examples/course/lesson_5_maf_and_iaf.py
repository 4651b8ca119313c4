r"""
5. Which direction has to wait?
===============================

A masked autoregressive flow (MAF) has two directions: it computes :math:`\log p` of given points,
and it draws samples. One direction is cheap. In the other, each step has to wait for the step
before. Which direction has to wait? What does the waiting cost, and must it cost that much? The
answers are in

.. math::

    x_i = \mu_i(x_{<i}) + e^{\alpha_i(x_{<i})}\, z_i , \qquad
    \log \left| \det \frac{dx}{dz} \right| = \sum_i \alpha_i .

You need: lesson 4.
"""

# %%
# Two directions of one formula
# -----------------------------
#
# Lesson 4 had Gaussian conditionals, :math:`x_i \sim N(\mu_i, e^{2 \alpha_i})` given
# :math:`x_{<i}`. To draw from such a conditional, shift and scale a standard normal :math:`z_i`, as
# in the formula at the top. This map from z to x is the MAF. Solve its formula for :math:`z_i`:
#
# .. math:: z_i = (x_i - \mu_i(x_{<i}))\, e^{-\alpha_i(x_{<i})} .
#
# Predict
# -------
#
# In both directions the network reads x. In which direction does the network have to wait for some
# of its input, and how often must it run? Write down a number before you go on. Put your number in
# the place of ``None``.

# %%
# **5a.** A MAF of 64 dimensions is sampled by the textbook's loop. How many passes of the network
# make one sample?

from flowcore import teaching

guess = None
print(teaching.check("5a", guess))

# %%
# Density: everything is known
# ----------------------------
#
# A small MAF has four coordinates and two hidden layers of six units, two of each degree, 1 to 3.
# (``log_scale_bound=None`` gives the formula of the papers. Lesson 8 explains why flowcore bounds
# :math:`\alpha` by default.) Given x, one pass yields all :math:`\mu_i` and :math:`\alpha_i`, and
# then every :math:`z_i`, in any order or at once.

import time

import matplotlib.pyplot as plt
import numpy as np
from autograd import grad
from threadpoolctl import threadpool_limits

import flowcore as fc

D = 4
made = fc.testing.randomize(fc.MADE(D, hidden=[6, 6], activation="tanh"), rng=0)
maf = fc.MaskedAutoregressiveFlow(made, fc.Affine(log_scale_bound=None))
rng = np.random.default_rng(0)
x = rng.standard_normal((50, D))

mu, alpha = np.moveaxis(made(x), -1, 0)  # one pass
z = (x - mu) * np.exp(-alpha)
log_det = -alpha.sum(axis=1)

assert np.allclose(z, maf.inverse(x)) and np.allclose(log_det, maf.inverse_log_det(x))

# %%
# The log-determinant needs no determinant. :math:`z_i` depends on :math:`x_1, \ldots, x_i`, so the
# Jacobian is a lower triangle. Its diagonal is :math:`\partial z_i / \partial x_i = e^{-\alpha_i}`,
# because neither :math:`\mu_i` nor :math:`\alpha_i` depends on :math:`x_i`. So the log-determinant
# is :math:`-\sum_i \alpha_i`. In the direction from z to x it is :math:`+\sum_i \alpha_i`.
#
# Adding log N(z) gives the log-density, which is also the logarithm of the product of the
# conditionals. So the change of variables and the chain rule of probability are the same formula
# here:
#
# .. math::
#
#     \log p(x) = \sum_i \left[ \log N(z_i; 0, 1) - \alpha_i \right]
#               = \sum_i \log N(x_i;\ \mu_i,\ e^{2 \alpha_i}) .
#
# Compute two numbers with a pen:

# %%
# **5b.** x1 = 2 z1 and x2 = mu(x1) + exp(alpha(x1)) z2 with mu(u) = alpha(u) = u. What is z2 for
# x = (1, 3)?

guess = None
print(teaching.check("5b", guess))
# %%
# **5c.** The same map at the same x. What is log \|det dz/dx\|?

guess = None
print(teaching.check("5c", guess))

# %%
# Sampling: each coordinate waits for the one before
# --------------------------------------------------
#
# Now z is given, and x is wanted. :math:`\mu_2` reads :math:`x_1`, so :math:`x_1` has to be
# computed first, from the constants :math:`\mu_1` and :math:`\alpha_1`. The textbook's loop starts
# from an x of zeros and runs the whole network once for every coordinate. Each pass gives D pairs
# of numbers, but only one pair is used:


def textbook(z):
    """x and log |det dx/dz|, in D passes."""
    x, log_det = np.zeros_like(z), np.zeros(len(z))
    for i in range(D):
        mu_i, alpha_i = made(x)[:, i].T  # the whole network, for one coordinate
        x[:, i] = mu_i + np.exp(alpha_i) * z[:, i]
        log_det += alpha_i
    return x, log_det


found, log_det = textbook(z)
assert np.allclose(found, x)  # back to the x that z came from
assert np.allclose(log_det, alpha.sum(axis=1))
assert np.allclose(log_det, maf.forward_log_det(z))

# %%
# Units light up, pass by pass
# ----------------------------
#
# After a pass, which units are right, and which were computed from an x that is still zero? Below,
# the loop runs once more and records all units. A unit is *final* as soon as it has the value that
# it has in the last pass, on all 50 rows. The code finds final units by comparing values, without
# the degrees.


def all_units(x):
    """What every unit holds, when the network reads x: inputs, hidden layers, outputs."""
    *hidden, (W, b, _) = made.weights()
    units = [x.copy()]
    for W_l, b_l, _ in hidden:
        units.append(np.tanh(units[-1] @ W_l + b_l))
    return [*units, (units[-1] @ W + b).reshape(len(x), D, 2)]


passes, found = [], np.zeros_like(z)
for i in range(D):
    units = all_units(found)
    mu_i, alpha_i = units[-1][:, i].T
    found[:, i] = mu_i + np.exp(alpha_i) * z[:, i]
    passes.append([found.copy(), *units[1:]])


def final(units):
    """For every layer, which of its units have the value of the last pass."""
    layers = []
    for now, last in zip(units, passes[-1], strict=True):
        same = np.isclose(now, last, rtol=0, atol=1e-12)
        layers.append(same.reshape(*same.shape[:2], -1).all(axis=(0, 2)))
    return layers


def light(ax, new, old):
    """The network: units of `new` blue, of `old` grey; the edges that new units read."""
    teaching.network(made, ax=ax)
    new_at = {
        tuple(place)
        for column, on in zip(ax.collections, new, strict=True)
        for place in column.get_offsets()[on].tolist()
    }
    for edge in ax.lines:
        read_now = (edge.get_xdata()[1], edge.get_ydata()[1]) in new_at
        edge.set(color="#0072B2" if read_now else "0.9", zorder=1 if read_now else 0)
    ink = iter(ax.texts)
    for column, is_new, is_old in zip(ax.collections, new, old, strict=True):
        column.set_facecolor(np.select([is_new, is_old], ["#0072B2", "0.75"], "white"))
        for on in is_new:
            next(ink).set_color("white" if on else "black")


fig, axes = plt.subplots(2, 2, figsize=(8.5, 6.4), layout="constrained")
old = [np.zeros(len(layer), bool) for layer in final(passes[-1])]
for i, (ax, units) in enumerate(zip(axes.flat, passes, strict=True), start=1):
    now = final(units)
    new = [n & ~o for n, o in zip(now, old, strict=True)]
    light(ax, new, old)
    hidden = sum(layer.sum() for layer in new[1:-1])
    ax.set_title(f"pass {i}: 12 hidden units computed, {hidden} newly final", y=1.08, fontsize=10)
    assert hidden == (0 if i == 1 else 4)
    for d, is_new in zip(made.degrees[1:], new[1:-1], strict=True):
        assert (d[is_new] == i - 1).all()  # the degrees, which were not used, agree
    old = now

# %%
# Blue units became final in this pass, grey ones were final before, white ones are not right yet.
# Follow one hidden unit of degree 2 from panel to panel. The loop computed 4 times 12 hidden units.
# How many are needed? Predict this number for a larger network.

# %%
# **5d.** A MAF of 64 dimensions, with hidden layers of 256 and 256 units, computes each hidden
# unit as soon as it can be final, and not before. How many hidden units is that for one sample?

guess = None
print(teaching.check("5d", guess))

# %%
# In pass 1 no x is known: only :math:`\phi_1` is right, and gives :math:`x_1`. Then :math:`x_1`
# makes the hidden units of degree 1 final. These give :math:`\phi_2`, and :math:`\phi_2` gives
# :math:`x_2`. And so on: **a hidden unit of degree d is final as soon as** :math:`x_1, \ldots, x_d`
# **are known**, and after that it never changes.
#
# The walk by degree
# ------------------
#
# Each of the 12 hidden units became final in one of the passes. So compute a unit in this pass, and
# never again. Let :math:`H_l` be the units of layer l (:math:`H_0 = x`), and :math:`A_l` its
# weights, with a row for each unit that reads. :math:`A_l[i, \le i]` are the rows of degree i and
# the columns of degree up to i:
#
# .. code-block:: text
#
#     for i = 1..D:
#         phi_i  = A_{L+1}[i, <i] H_L[<i]
#         x_i    = mu_i + exp(alpha_i) z_i
#         H_l[i] = act(A_l[i, <=i] H_{l-1}[<=i])     for l = 1..L
#
# (Biases are left out here; in code they are the ``b`` of each layer.)


def by_degree(z):
    """x, log |det dx/dz|, and how many hidden units were computed for it."""
    *hidden, (W, b, _) = made.weights()  # (in, out): A is W.T
    d = made.degrees
    H = [np.zeros((len(z), len(d_l))) for d_l in d]
    log_det, computed = np.zeros(len(z)), 0
    for i in range(1, D + 1):
        read, own = d[-1] < i, [2 * i - 2, 2 * i - 1]  # the columns of mu_i and alpha_i
        mu_i, alpha_i = (H[-1][:, read] @ W[np.ix_(read, own)] + b[own]).T
        H[0][:, i - 1] = mu_i + np.exp(alpha_i) * z[:, i - 1]
        log_det += alpha_i
        for l, (W_l, b_l, _) in enumerate(hidden, start=1):
            read, own = d[l - 1] <= i, d[l] == i
            H[l][:, own] = np.tanh(H[l - 1][:, read] @ W_l[np.ix_(read, own)] + b_l[own])
            computed += own.sum()
    return H[0], log_det, computed


found, log_det, computed = by_degree(z)
print(f"{computed} hidden units computed, instead of {D * 12}")
assert np.allclose(found, x) and np.allclose(log_det, alpha.sum(axis=1))
assert computed == 12

# %%
# Over all steps i, each row of each :math:`A_l` is used once, with all the units that it may read.
# This is the work of *one* pass; the textbook's loop does the work of D passes. But the work of the
# walk comes in D small pieces, one after the other, and many small products take longer than one
# large product with the same arithmetic.
#
# What does it cost?
# ------------------
#
# The network has two hidden layers of 256 units and gets 100 rows. Each time is the best of three
# calls. The times depend on the machine and its load, so yours will differ. Look at the slopes: on
# these axes a cost that grows as :math:`D^k` is a line of slope k. (BLAS, which computes the
# products, is limited to one thread: on a busy machine several threads would wait for each other,
# and blur the picture.)


def seconds(f, argument):
    """The best of three calls, after one that does not count."""
    f(argument)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        f(argument)
        times.append(time.perf_counter() - start)
    return min(times)


dims = (2, 8, 32, 128)
curves = {"density: one pass": [], "sampling: textbook": [], "sampling: by degree": []}
for dim in dims:
    net = fc.testing.randomize(fc.MADE(dim, hidden=[256, 256], activation="tanh"), rng=0)
    rows = rng.standard_normal((100, dim))
    fast = fc.MaskedAutoregressiveFlow(net)  # method="by_degree"
    slow = fc.MaskedAutoregressiveFlow(net, method="sequential")
    directions = fast.inverse, slow.forward, fast.forward
    for cost, f in zip(curves.values(), directions, strict=True):
        with threadpool_limits(1, "blas"):
            cost.append(seconds(f, rows))

fig, ax = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for (name, cost), colour, style in zip(
    curves.items(), ("#000000", "#D55E00", "#0072B2"), ("o-", "s--", "^-"), strict=True
):
    ax.loglog(dims, 1e3 * np.array(cost), style, color=colour, label=name)
ax.set(xlabel="D, the number of coordinates", ylabel="milliseconds, 100 rows")
ax.set_xticks(dims, dims)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend()

one_pass, loop, walk = (cost[-1] for cost in curves.values())
print(f"at D = 128: textbook / by degree = {loop / walk:.0f}, by degree / one pass = ", end="")
print(f"{walk / one_pass:.1f}")
assert loop / walk > 4

# %%
# The line of the textbook's loop climbs with a slope of 1 or more: it takes D passes, and the time
# of a pass grows a little with D. The line of the walk departs slowly from the line of one pass.
#
# IAF: the same weights, another density
# --------------------------------------
#
# Turn the bijector round: let the network read z instead of x. ``Invert`` does this.
#
# .. math:: x_i = (z_i - \mu_i(z_{<i}))\, e^{-\alpha_i(z_{<i})}
#
# Now *sampling* takes one pass, since all inputs of the network are known. The density has to wait:
# to score a given x, the IAF computes :math:`z_1`, then :math:`z_2` with the help of :math:`z_1`,
# and so on.
#
# The weights are the same. Is the density the same? No, because the map is used in the opposite
# direction. To see the difference, take a network in the plane whose functions can be written down.
# It has three tanh units, and
#
# .. math::
#
#     \mu_2(u) = 2 \tanh(u + 1) - 2 \tanh(u - 1) - 1 , \qquad \alpha_2(u) = \tanh(u) ,
#
# a hill and a step, while :math:`\mu_1 = \alpha_1 = 0`. Predict both densities: for which
# :math:`x_1` is :math:`x_2` large, and for which is it widely spread?

hill = [
    (np.array([[1.0, 1, 1], [0, 0, 0]]), np.array([1.0, -1, 0])),
    (np.array([[0.0, 0, 2, 0], [0, 0, -2, 0], [0, 0, 0, 1]]), np.array([0.0, 0, -1, 0])),
]  # (W, b) of each layer; columns of the last one: mu_1, alpha_1, mu_2, alpha_2
net = fc.MADE(2, hidden=[3], activation="tanh").with_weights(hill)
layer = fc.MaskedAutoregressiveFlow(net, fc.Affine(log_scale_bound=None))
maf_2 = fc.TransformedDistribution(fc.Normal(2), layer)
iaf_2 = fc.TransformedDistribution(fc.Normal(2), fc.Invert(layer))

fig, axes = plt.subplots(1, 2, figsize=(6.5, 4), layout="compressed")
both = {"MAF": maf_2, "IAF, the same weights": iaf_2}
panels = fc.plots.densities(both, (-3.5, 3.5), (-5.5, 5.5), ax=axes)

# %%
# The MAF adds the hill, and is wide on the right, where :math:`\alpha_2 > 0`. The IAF subtracts the
# hill, and divides by the scale. So it is narrow on the right, and wide on the left.
#
# Are IAFs another *family* then? With one layer they are not. Because :math:`z_{<i}` is a function
# of :math:`x_{<i}`, the :math:`x_i` of an IAF, given :math:`x_{<i}`, is Gaussian, as in a MAF. But
# the densities that a network of a given size easily represents differ between MAF and IAF. Above
# all, the costs differ:
#
# ============================================  =============  =============
# what is wanted                                MAF            IAF
# ============================================  =============  =============
# the input of its network                      x              z
# log p(x) of a given x                         one pass       D steps
# a sample                                      D steps        one pass
# a sample and its own log p                    D steps        one pass
# a step of training on data                    one pass       D steps
# ============================================  =============  =============
#
# IAF was invented for the fourth row (a sample and its own log p): its own samples are scored for
# free, because their z is known. Take a **MAF** to learn from data and to score data. Take an
# **IAF** if you need many samples: as a fast substitute for a simulator, or for variational
# inference, which draws samples and scores only these. "D steps" means D passes in textbooks, and
# the walk by degree here.

sample, log_p = iaf_2.sample_and_log_prob(1000, rng=0)
assert np.allclose(log_p, iaf_2.log_prob(sample))

# %%
# Learning by likelihood, the slow way round
# ------------------------------------------
#
# Every step of training an IAF on data needs log p(x), which is its slow direction, and the
# gradient of log p(x). The textbook differentiates through D passes. The walk by degree can be
# walked backwards instead, from D to 1: only units of degree i and more read :math:`x_i`, so on the
# way back their gradients are known when step i is reached. Each unit has its turn once, so this,
# too, is the work of one pass. (The page `why it is fast <../../inside/why_it_is_fast.html>`_ has
# the formulas.) Both ways give one gradient:

points = rng.standard_normal((20, D))


def gradient(method):
    """The gradient of the mean NLL of an IAF, by its parameters."""
    bijector = fc.Invert(fc.MaskedAutoregressiveFlow(made, method=method))
    flow = fc.TransformedDistribution(fc.Normal(D), bijector)
    return grad(lambda theta: -flow.log_prob(points, params=theta).mean())(flow.params)


assert np.allclose(gradient("by_degree"), gradient("sequential"))

# %%
# So an IAF can learn from data like any other flow. Neal's funnel is a good target: its first
# coordinate sets the width of the seven others.

truth = fc.targets.funnel(dim=8, scale=1.0)
data = truth.sample(3000, rng=0)
for name, recipe in (("MAF", fc.flows.maf), ("IAF", fc.flows.iaf)):
    flow, history = fc.fit(recipe(8, layers=2, hidden=[32, 32]), data, epochs=20)
    kl, error = fc.kl_to_truth(flow, truth)
    print(f"{name}: KL to the truth {kl:.3f} +- {error:.3f} nats, {history.seconds:.1f} seconds")
    assert kl < 0.2

# %%
# Exercises
# ---------
#
# Write both directions in code. Your code takes the place of the dots.
#
# **5e.** Write a function inverse(x, net) for a MAF. net(x) returns mu and alpha, (n, D) each.
# inverse returns z (n, D) and log \|det dz/dx\| (n,).


def inverse(x, net):
    """z and log |det dz/dx| of a MAF, in one pass."""
    return ...


print(teaching.check("5e", inverse))

# %%
# **5f.** Write a function iaf\_log\_p(x, net) for an IAF over N(0, I): x = (z - mu(z))
# exp(-alpha(z)), where net(z) returns mu and alpha, (n, D) each. It returns log p(x), (n,), by the
# textbook's D passes.


def iaf_log_p(x, net):
    """log p(x) of an IAF over N(0, I), in D passes."""
    return ...


print(teaching.check("5f", iaf_log_p))

# %%
# On the Flow Bench
# -----------------
#
# `Task 5 <../../live/index.html#task=5>`_ asks the same question in your browser, where a flow
# trains while you look. The task shows the walk, unit by unit, beside the textbook's loop.
#
# What you know now
# -----------------
#
# * The network of a MAF reads x. If x is known, one pass gives all :math:`\mu_i, \alpha_i`. If x is
#   wanted, each coordinate waits for the coordinates before it. The log-determinant is :math:`\pm
#   \sum_i \alpha_i`.
# * An IAF is the same map turned round: fast samples, and another density for the same weights.
# * D passes are not necessary: a unit of degree d is final once :math:`x_1, \ldots, x_d` are known,
#   and the walk by degree computes it once, forwards and backwards.
#
# Where this comes from
# ---------------------
#
# IAF, by Kingma and others (2016), came first, because variational inference needs fast samples.
# MAF, by Papamakarios, Pavlakou and Murray (2017), is the IAF turned round for density estimation.
# Neal (2003) made the funnel to test samplers.
#
# * Kingma and others: `Improving Variational Inference with Inverse Autoregressive Flow
#   <https://arxiv.org/abs/1606.04934>`__
# * Papamakarios, Pavlakou, Murray: `Masked Autoregressive Flow for Density Estimation
#   <https://arxiv.org/abs/1705.07057>`__
# * Neal: `Slice Sampling <https://doi.org/10.1214/aos/1056562461>`__
#
# Still, one direction is a walk of D steps. Lesson 6 shows flows that take one pass both ways, and
# what they give up for it.
