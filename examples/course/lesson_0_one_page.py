r"""
0. A flow on one page
=====================

Before the derivations: the whole thing, small. The file ``examples/micro.py`` is a normalizing flow
in 180 lines of NumPy: a network with masks, a flow, its gradient by hand, the training. In this
lesson you run its parts one by one, and predict what each will do before you run it. The later
lessons derive what you see here.

.. math::

    \log p(x) = \log N(z; 0, I) + \log \left| \det \frac{dz}{dx} \right| , \qquad z = f^{-1}(x) .

You need: NumPy, and the chain rule. The file is in the repository beside the lessons; for a
notebook, save it in the notebook's folder.
"""

# %%
# The network that looks back only
# --------------------------------
#
# A density of two or more numbers can be written as a product, one number after the other:
# :math:`p(x) = p(x_1)\, p(x_2 | x_1)\, p(x_3 | x_1, x_2) \dots` So the network that outputs a mean
# :math:`\mu_i` and a log-scale :math:`\alpha_i` for every :math:`x_i` may read only the numbers
# before it. (A network is a chain of layers. Each of its units adds up what it reads, with a weight
# for each number, and bends the sum by a fixed function; lesson 3 has more.) ``made`` gives every
# unit a number, and a mask removes each weight that leads from a later unit to an earlier one.
#
# **0a.** With three inputs: how many of :math:`x_1, x_2, x_3` can change :math:`\mu_3`?
# Put your number in the place of ``None``; this cell checks it.

import importlib.util
from pathlib import Path

import numpy as np

import flowcore as fc
from flowcore import teaching

guess = None
print(teaching.check("0a", guess))

# %%
# Now run it: move one input after the other, and see which :math:`\mu` change.

folder = Path(__file__).parent if "__file__" in globals() else Path.cwd()
places = folder.parent, folder, folder / "examples"
path = next(place / "micro.py" for place in places if (place / "micro.py").exists())
spec = importlib.util.spec_from_file_location("micro", path)
micro = importlib.util.module_from_spec(spec)
spec.loader.exec_module(micro)

rng = np.random.default_rng(0)
net = micro.made(dim=3, hidden=(8, 8), order=[1, 2, 3], rng=rng)
net[-1][0][...] = net[-1][2] * rng.normal(size=net[-1][2].shape)  # the last layer starts at 0
x = np.array([[0.3, -1.0, 0.5]])
moved = [micro.run_made(net, x + step)[0] - micro.run_made(net, x)[0] for step in np.eye(3)]
print("rows: the input that was moved; columns: mu_1, mu_2, mu_3")
print(np.concatenate(moved).round(2))

# %%
# Nothing changes :math:`\mu_1`: it is a constant. Only the two numbers before it change
# :math:`\mu_3`. On and below the diagonal there are zeros. That is the whole trick: the Jacobian of
# the flow, the matrix of all :math:`dz_i / dx_j`, is triangular, and its determinant is the product
# of its diagonal.

assert not np.tril(np.concatenate(moved)).any()

# %%
# One layer, and several
# ----------------------
#
# ``inverse`` undoes the layers of a flow, from the data to the noise. Each layer computes
# :math:`z_i = (x_i - \mu_i) e^{-\alpha_i}`, which has :math:`dz_i / dx_i = e^{-\alpha_i}` on the
# diagonal. So :math:`\log |\det dz/dx| = -\sum_i \alpha_i`, and the log-determinants of several
# layers add up.
#
# **0b.** At first every network outputs 0. What is then :math:`\log p` at
# :math:`x = (0, 0)`?

guess = None
print(teaching.check("0b", guess))

# %%

flow = micro.maf(dim=2)
print(micro.log_prob(flow, np.zeros((1, 2))), -np.log(2 * np.pi))

# %%
# It is the log-density of the noise: with :math:`\mu = \alpha = 0` a layer changes nothing.
#
# The slow direction
# ------------------
#
# To compute a density, all :math:`x` are known, so one pass of each network is enough. A draw
# starts with :math:`z` alone: :math:`\mu_2` needs :math:`x_1`, so :math:`x_1` has to be computed
# first.
#
# **0c.** How many passes does a draw of three numbers take, for each layer?

guess = None
print(teaching.check("0c", guess))

# %%

z = rng.normal(size=(1, 3))
now = np.zeros_like(z)
for _ in range(4):
    mu, alpha, _ = micro.run_made(net, now)
    now = mu + z * np.exp(alpha)
    back = (now - micro.run_made(net, now)[0]) * np.exp(-micro.run_made(net, now)[1])
    print("still wrong by", np.abs(back - z).round(6)[0])

# %%
# Three passes, one for each number; a fourth changes nothing. IAF is the same layer the other way
# round: it draws in one pass, and its density is slow (lesson 5).
#
# The gradient, by hand
# ---------------------
#
# ``loss_and_gradient`` goes through the layers twice: once from the data to the noise, and once
# back with the chain rule. No library does that for you here, so check it: move one weight a
# little, and compare.

x = rng.normal(size=(50, 2))
flow[0][-1][0][...] = 0.3 * flow[0][-1][2] * rng.normal(size=flow[0][-1][2].shape)
loss, grads = micro.loss_and_gradient(flow, x)
weight, gradient = flow[0][1][1], grads[0][1][1]  # a bias vector, and the loss's gradient
before = weight[3]
weight[3] = before + 1e-6
print((micro.loss_and_gradient(flow, x)[0] - loss) / 1e-6, gradient[3])
weight[3] = before

# %%
# Train it
# --------
#
# ``main`` fits five layers to 2,000 points of two half circles, in a few seconds. The last line but
# one is the mean of :math:`\log p` over new points. Under the true density of the moons this mean
# is -0.289, and no density has a higher one.
#
# **Predict.** Where will the flow put mass that the moons do not have?

log_p = micro.main()

# %%
# There is a bridge between the moons: one connected piece of noise has to cover both (lesson 8).
#
# The library is the same
# -----------------------
#
# flowcore computes the same numbers. It is faster, has other layers, and computes the gradient of
# whatever you write. With the weights of ``micro`` in flowcore's MAF, both have equal densities:

ours = micro.maf(n_layers=1)
ours[0][-1][0][...] = ours[0][-1][2] * rng.normal(size=ours[0][-1][2].shape)
made = fc.MADE(2, hidden=(32, 32), activation="tanh")
made = made.with_weights([(W, b) for W, b, _ in ours[0]])
theirs = fc.TransformedDistribution(fc.Normal(2), fc.MaskedAutoregressiveFlow(made, fc.Affine()))
print(np.abs(theirs.log_prob(x) - micro.log_prob(ours, x)).max())
assert np.allclose(theirs.log_prob(x), micro.log_prob(ours, x), rtol=1e-12, atol=1e-12)

# %%
# What you know now
# -----------------
#
# * A flow is a map that can be undone. Its log-density is that of the noise plus a log-determinant.
# * Masks make the Jacobian triangular, so the log-determinant is a sum.
# * A density takes one pass, a draw takes one pass for every number.
#
# Where this comes from
# ---------------------
#
# The masks come from MADE, by Germain and others (2015), and the layers from MAF, by Papamakarios,
# Pavlakou and Murray (2017).
#
# * Germain and others: `MADE: Masked Autoencoder for Distribution Estimation
#   <https://arxiv.org/abs/1502.03509>`__
# * Papamakarios, Pavlakou, Murray: `Masked Autoregressive Flow for Density Estimation
#   <https://arxiv.org/abs/1705.07057>`__
#
# Lesson 1 shows why the formula holds, in one dimension.
