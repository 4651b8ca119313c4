r"""
11. What does a flow learn from a density without data?
=======================================================

So far there were rows, and no formula. Often it is the other way round. A physicist knows the
energy of every state; a statistician knows the prior and the likelihood. Both know :math:`\tilde
p(x)`, a density up to its constant :math:`Z = \int \tilde p`, but they have not a single row.
*Variational inference* fits a flow :math:`q` to :math:`\tilde p`, with rows that the flow draws
itself. The loss is again a KL, but in the other direction. The direction changes what the flow
learns, what it misses, and how you can check it afterwards.

.. math::

    \mathrm{KL}(p \| q) = E_p [\log p - \log q] , \qquad
    \mathrm{KL}(q \| p) = E_q [\log q - \log p] .

The first KL needs draws of :math:`p`, as in the maximum likelihood of lesson 3. The second KL needs
draws of :math:`q`, which a flow has, and :math:`\log p`, which is known up to :math:`\log Z`.

You need: lessons 1 to 3 (densities, KL), and the first half of lesson 8 (two pieces on a line).
"""

# %%
# Predict
# -------
#
# Let :math:`p` be an equal mixture of :math:`N(-6, 1)` and :math:`N(6, 1)`. Before any flow, let
# :math:`q` be a single Gaussian that covers only one of the two pieces. How far is :math:`q` from
# :math:`p`? Put your number in the place of ``None``.

# %%
# **11a.** p is an equal mixture of N(-6, 1) and N(6, 1). q = N(6, 1) covers one of them. What is
# KL(q \|\| p)?

from flowcore import teaching

guess = None
print(teaching.check("11a", guess))

# %%
# Now look. The code computes both KLs of all Gaussians :math:`N(m, s^2)`, as sums over a fine grid.
# The left picture shows both KLs for each :math:`m`, with the best :math:`s`. The right picture
# shows the best Gaussian for each KL.

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore.inference.reverse_kl import ReverseKL
from flowcore.inference.unnormalised import LogTarget
from flowcore.plots.drawing import BLACK, BLUE, ORANGE, VERMILLION

two = fc.GaussianMixture([[-6.0], [6.0]], scales=1.0)
x = np.linspace(-30, 30, 3001)
step = x[1] - x[0]
log_p = two.log_prob(x[:, None])
p = np.exp(log_p)
means, widths = np.linspace(-9, 9, 91), np.geomspace(0.5, 9, 60)


def log_normal(m, s):
    return -0.5 * ((x - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)


forward, reverse = np.empty((2, len(means), len(widths)))
for i, m in enumerate(means):
    for j, s in enumerate(widths):
        log_q = log_normal(m, s)
        forward[i, j] = np.sum(p * (log_p - log_q)) * step
        reverse[i, j] = np.sum(np.exp(log_q) * (log_q - log_p)) * step

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
best = {}
for name, kl, colour, style in (
    ("KL(p || q)", forward, VERMILLION, "--"), ("KL(q || p)", reverse, BLUE, "-"),
):  # fmt: skip
    i, j = np.unravel_index(kl.argmin(), kl.shape)
    best[name] = kl[i, j], abs(means[i]), widths[j]
    print(f"{name}: least {kl[i, j]:.3f} at |m| = {abs(means[i]):.1f}, s = {widths[j]:.2f}")
    left.plot(means, kl.min(axis=1), color=colour, ls=style, lw=2, label=name)
    right.plot(x, np.exp(log_normal(means[i], widths[j])), color=colour, ls=style, lw=2, label=name)
right.plot(x, p, color=BLACK, lw=2, label="p")
left.set(xlabel="m", ylabel="nats", title="KL at the best s", ylim=(0, 4))
right.set(xlabel="x", ylabel="density", title="the best Gaussians", xlim=(-15, 15))
left.legend()
right.legend()

# %%
# :math:`\mathrm{KL}(p \| q)` has one valley: :math:`q` has to put mass wherever :math:`p` has some,
# so it covers both pieces, and the empty middle. :math:`\mathrm{KL}(q \| p)` has two valleys:
# :math:`q` has to avoid places where :math:`p` has no mass, so it takes one piece and leaves the
# other. The least value of the first KL is 1/2 log 37 - log 2 nats (as in lesson 8), and that of
# the second is log 2.

assert abs(best["KL(p || q)"][0] - (0.5 * np.log(37) - np.log(2))) < 0.01
assert abs(best["KL(q || p)"][0] - np.log(2)) < 0.01
assert best["KL(q || p)"][1] > 5.5 and best["KL(p || q)"][1] < 0.2

# %%
# The bound
# ---------
#
# Only :math:`\tilde p = Z p` is known. Put it in the place of :math:`p`:
#
# .. math::
#
#     E_q [\log \tilde p - \log q] = \log Z - \mathrm{KL}(q \| p) \; \le \; \log Z .
#
# The left side needs no :math:`Z`. It is called the *evidence lower bound*, ELBO. If you make the
# ELBO large, the KL becomes small. :math:`Z` is called the *evidence*; it is used to compare
# models.

# %%
# **11b.** The same p and q, but only p~ = 5 p is known. What is the ELBO of q?

guess = None
print(teaching.check("11b", guess))

# %%
# A flow that finds one of two
# ----------------------------
#
# ``fc.infer`` fits a flow by this loss. The flow below is one affine layer, so it is a Gaussian.
# It starts at :math:`x = 4`, near the piece at 6.


def two_pieces(far):
    """log 5 p, where p has its pieces at -far and far."""

    def log_target(x):
        """As one would write it: rows (n, 1) in, (n,) out, in autograd.numpy."""
        pieces = anp.logaddexp(-0.5 * (x[:, 0] - far) ** 2, -0.5 * (x[:, 0] + far) ** 2)
        return anp.log(5.0) + pieces - anp.log(2 * anp.sqrt(2 * anp.pi))

    return log_target


quick = {"epochs": 8, "batches": 40, "learning_rate": 0.01}
gaussian = fc.flows.maf(1, layers=1, hidden=[])
found = fc.infer(two_pieces(6), flow=gaussian, start=[4.0], **quick)
print(found)
print(f"log 5 = {np.log(5):.3f}, log 5 - log 2 = {np.log(5) - np.log(2):.3f}")

# %%
# Look at the ELBO. It is log 5 - log 2 and its error is 0, because the flow covers one piece
# exactly and half of the mass is missing. *No number that is computed from draws of q alone detects
# a mode in which q has no draws.* This is why ``fc.infer`` takes a twentieth of its draws from a
# second density, which is much wider than the flow. Some of those draws fell on the other piece, so
# the verdict warns you: the flow has a gap, and the log evidence has a large error.
#
# How far does this help? Move the pieces to -100 and 100.

assert not found.trusted and abs(found.elbo[0] - (np.log(5) - np.log(2))) < 0.01

far = fc.infer(two_pieces(100), flow=gaussian, start=[98.0], **quick)
print(f"pieces at -100 and 100: trusted {far.trusted}, log evidence {far.log_evidence[0]:.3f}")

# %%
# Now no draw falls on the other piece, and the answer is wrong without a warning. Only knowledge
# about p helps: start in other places, or use a base with two pieces, as here.

assert far.trusted and abs(far.log_evidence[0] - (np.log(5) - np.log(2))) < 0.01
assert abs(far.expectation()[0][0] - 100) < 0.05

modes = fc.GaussianMixture([[-4.0], [4.0]], scales=2.0)
flow = fc.flows.nsf(1, layers=1, hidden=[8], tail=10.0, base=modes, standardize=False)
both = fc.infer(two_pieces(6), flow=flow, epochs=20, batches=40, learning_rate=0.01)
print(f"with two pieces: log evidence {both.log_evidence[0]:.3f} +- {both.log_evidence[1]:.3f}, "
      f"exactly {np.log(5):.3f}")  # fmt: skip
assert abs(both.log_evidence[0] - np.log(5)) < 0.05

# %%
# Sticking the landing
# --------------------
#
# How is :math:`\mathrm{KL}(q \| p)` differentiated? Draws are maps of fixed noise, :math:`x =
# f_\theta(z)`, so
#
# .. math::
#
#     \frac{d}{d\theta} \left[ \log q_\theta(x) - \log p(x) \right]
#     = \underbrace{\left( \frac{\partial x}{\partial \theta} \right)^T
#       \nabla_x \left[ \log q_\theta(x) - \log p(x) \right]}_{\text{path}}
#     + \underbrace{\frac{\partial}{\partial \theta} \log q_\theta(x)}_{\text{score}} .
#
# The mean of the score is 0, since :math:`E_q[\partial_\theta \log q] = \int \partial_\theta q =
# \partial_\theta 1`. So the gradient has the same mean with and without the score. But if :math:`q
# = p`, the path is 0 for every single draw, and the score is not. Without the score, the gradient
# is exactly 0 where the flow is right.

# %%
# **11c.** p = N(0, 1), q = N(m, 1), and x = m + z is a draw of q. Take m = 0.5 and z = 1. What is
# the path derivative of log q(x) - log p(x) by m? (It goes through x alone; the m of q stays
# fixed.)

guess = None
print(teaching.check("11c", guess))

# %%
# Here are both gradients from 200 batches of 50 draws. The flow is its own target, so it is already
# right.

flow = fc.testing.randomize(fc.flows.iaf(2, layers=1, hidden=[8], standardize=False), 0.3)
own = LogTarget(lambda x: flow.log_prob(x), 2)
for kind in ("total", "path"):
    loss = ReverseKL(flow, own, gradient=kind)
    slopes = [loss(flow.params, loss.draws(50, k))[1].copy() for k in range(200)]
    spread = np.std(slopes, axis=0).mean()
    print(f"{kind}: mean deviation of the gradient {spread:.1e}")
assert spread < 1e-8

# %%
# Can it be trusted?
# ------------------
#
# The draws of :math:`q` get *importance weights* :math:`w = \tilde p / q`. With enough draws,
# weighted means are means under :math:`p`, and the mean weight is :math:`Z`. How many draws are
# enough? The number depends on the largest weights.

# %%
# **11d.** p = N(0, 1), q = N(0, s^2), and weights are w = p / q at draws of q. Below which s
# is their variance infinite?

guess = None
print(teaching.check("11d", guess))

# %%
# Take :math:`p = N(0, 1)` and a :math:`q` that is too narrow. *Pareto's k* describes the tail of
# the weights: the mean of :math:`w^j` is finite for :math:`j < 1/k`. With :math:`q = N(0, s^2)`,
# :math:`k = 1 - s^2`. Above 0.7 no practicable number of draws is enough.

narrow, k_hat = np.linspace(0.3, 1.1, 17), []
gauss = LogTarget(lambda x: -0.5 * anp.sum(x**2, axis=1), 1)
for s in narrow:
    q = fc.TransformedDistribution(fc.Normal(1), fc.ElementwiseAffine([0.0], [s]))
    k_hat.append(fc.Inference.of(q, gauss, 20_000).k_hat)
fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(narrow, 1 - narrow**2, color=BLACK, lw=2, label="1 - s^2")
ax.plot(narrow, np.maximum(k_hat, -0.5), "o", color=ORANGE, label="k-hat of 20,000 draws")
ax.axhline(0.7, color=VERMILLION, ls="--", label="0.7")
ax.set(xlabel="s, the width of q", ylabel="k", ylim=(-0.6, 1.1))
ax.legend()

# %%
# If a flow covers a little too much, the weights correct it. If the flow covers too little, they
# cannot, and training by :math:`\mathrm{KL}(q \| p)` tends to cover too little. So look at k-hat.
# If k-hat is large, ``found.refit()`` trains on draws of p with the other KL, which covers.
#
# Exercises
# ---------
#
# Compute two things from draws: an estimate of the evidence, and a gradient. Your code takes the
# place of the dots.
#
# **11e.** Write a function log\_evidence(log\_p, log\_q). The arguments are log p~ and log q at n
# draws of q. It returns the logarithm of the mean weight, an estimate of log Z, also where p~ is as
# small as exp(-2000).


def log_evidence(log_p, log_q):
    """An estimate of log Z from draws of q."""
    return ...


print(teaching.check("11e", log_evidence))

# %%
# **11f.** p = N(0, 1), q = N(m, s^2), and draws are x = m + s z with fixed z (n,). Write a function
# path\_gradient(m, s, z). It returns an array of two: the means over the draws of the path
# derivatives of log q(x) - log p(x), by m and by s.


def path_gradient(m, s, z):
    """The path derivatives by m and s, an array of two."""
    return ...


print(teaching.check("11f", path_gradient))

# %%
# What you know now
# -----------------
#
# * It matters which density the draws come from. With :math:`\mathrm{KL}(p \| q)` a flow covers all
#   of :math:`p`, with :math:`\mathrm{KL}(q \| p)` it selects a part.
# * The ELBO is :math:`\log Z - \mathrm{KL}(q \| p)`, a bound of :math:`\log Z` that you can compute
#   without :math:`Z`.
# * The path derivative has no variance where :math:`q = p`.
# * Weights correct a flow if k-hat is below 0.7; no diagnosis from draws finds a mode in which
#   there are no draws.
#
# ``docs/use/inference.md`` explains supports, names and corrections. Four programs continue this
# lesson: `a known posterior <../how_to/gaussian_posterior.html>`_, `a funnel
# <../how_to/funnel.html>`_, `logistic regression <../how_to/logistic_regression.html>`_ and `two
# modes <../how_to/two_modes.html>`_.
#
# Where this comes from
# ---------------------
#
# Variational inference came from physics to machine learning in the 1990s; Jordan and others (1999)
# introduce it. Rezende and Mohamed (2015) used a flow as q. Roeder, Wu and Duvenaud (2017) left out
# the score. Vehtari and others use Pareto's k to judge weights.
#
# * Jordan, Ghahramani, Jaakkola, Saul: `An Introduction to Variational Methods for Graphical Models
#   <https://doi.org/10.1023/A:1007665907178>`__
# * Rezende, Mohamed: `Variational Inference with Normalizing Flows
#   <https://arxiv.org/abs/1505.05770>`__
# * Roeder, Wu, Duvenaud: `Sticking the Landing <https://arxiv.org/abs/1703.09194>`__
# * Vehtari, Simpson, Gelman, Yao, Gabry: `Pareto Smoothed Importance Sampling
#   <https://arxiv.org/abs/1507.02646>`__
#
# Lesson 12 returns to a density that was learned from rows. What other questions can it answer?
